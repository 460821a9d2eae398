//! 3xx: a host sends the call on. RFC 3261 §8.1.3.4.

use sip::Name;

use super::phone::Stage;
use super::trunk::{BRANCH, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use crate::direction::Direction;

const NEXT: &str = "+12125550177";

/// The newest call that a phone was asked for.
fn rings(trunk: &Trunk, id: super::world::CallId) -> String {
    trunk.call(id).invite.request_uri().unwrap_or_default().to_owned()
}

/// To the first of the numbers that may be called.
#[test]
fn a_carrier_sends_a_call_on_and_who_called_pays() {
    everywhere(|trunk| {
        let (a, first) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.redirect(first, 302, &["sip:+442071838750@10.9.9.9", "sip:+12125550177@10.9.9.9"]);
        trunk.run(0.5);
        let second = trunk.incoming(trunk.east);
        assert_ne!(first, second);
        assert!(
            rings(trunk, second).starts_with(&format!("sip:{NEXT}@10.0.1.1")),
            "{}",
            rings(trunk, second)
        );
        let diverted = trunk.call(second).invite.value(Name::Diversion).unwrap().into_owned();
        assert!(diverted.starts_with(&format!("<sip:{OUTSIDE}@")), "{diverted}");
        trunk.respond(second, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(second)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!((cdr.destination.number.as_str(), cdr.status_message.as_str()), (NEXT, "OK"));
    });
}

/// Each number in its turn, until one takes the call: the one before is paid and told of no more.
#[test]
fn the_next_number_is_tried_where_the_first_does_not_take_the_call() {
    everywhere(|trunk| {
        let (a, first) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let contacts =
            ["sip:+12125550188@10.9.9.9", "sip:+442071838750@10.9.9.9", "sip:+12125550177@10.9.9.9"];
        trunk.redirect(first, 302, &contacts);
        trunk.run(0.5);
        let second = trunk.incoming(trunk.east);
        assert!(rings(trunk, second).starts_with("sip:+12125550188@"), "{}", rings(trunk, second));
        trunk.respond(second, 486);
        trunk.run(0.5);
        let third = trunk.incoming(trunk.east);
        assert!(rings(trunk, third).starts_with(&format!("sip:{NEXT}@")), "{}", rings(trunk, third));
        let diverted: Vec<_> = trunk.call(third).invite.values(Name::Diversion).collect();
        assert!(
            matches!(&diverted[..], [one] if one.starts_with(&format!("<sip:{OUTSIDE}@"))),
            "{diverted:?}"
        );
        trunk.respond(third, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(third)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!((cdr.destination.number.as_str(), cdr.status_message.as_str()), (NEXT, "OK"));
    });
}

/// None of them takes it, and one of them speaks for all.
#[test]
fn the_last_of_the_numbers_says_what_the_caller_hears() {
    for (status, heard, calls) in [(486, 486, 3), (603, 603, 2)] {
        everywhere(|trunk| {
            let (a, first) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.redirect(
                first,
                302,
                &["sip:+12125550188@10.9.9.9", "sip:+12125550177@10.9.9.9", "sip:+19005550123@10.9.9.9"],
            );
            trunk.run(0.5);
            for _ in 1..calls {
                let next = trunk.incoming(trunk.east);
                trunk.respond(next, status);
                trunk.run(0.5);
            }
            assert_eq!(trunk.heard(a), [heard]);
            assert_eq!(trunk.received(trunk.east), calls);
            trunk.finish();
        });
    }
}

/// The number is a number like any other: outside of the calling plan, and premium.
#[test]
fn a_call_is_sent_on_only_to_where_it_may_go() {
    for (target, status) in [("+442071838750", 403), ("+19005550123", 403), ("911", 480), ("nobody", 484)] {
        everywhere(|trunk| {
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            let uri = format!("sip:{target}@10.0.1.1");
            trunk.redirect(b, 302, &[uri.as_str()]);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [status], "{target}");
            let told = String::from_utf8_lossy(trunk.call(a).response(status).unwrap().bytes()).into_owned();
            let number = target.trim_start_matches('+');
            assert!(!told.contains(number), "the caller hears whom the callee forwards to: {told}");
            assert_eq!(trunk.received(trunk.east), 1);
        });
    }
}

/// Call forwarding by the customer's system: it was called, and it calls; the caller's number goes with the call where the
/// customer's rule lets it.
#[test]
fn a_customer_forwards_a_call_and_pays_for_it() {
    everywhere_with(&[("pbx_termination", "caller_id_policy = \"forwarded\"")], |trunk| {
        let (a, called) = trunk.reach(trunk.east, PBX, trunk.pbx);
        let uri = format!("sip:{NEXT}@10.0.0.1");
        trunk.redirect(called, 302, &[uri.as_str()]);
        trunk.run(0.5);
        let on = trunk.incoming(trunk.east);
        let diverted = trunk.call(on).invite.value(Name::Diversion).unwrap().into_owned();
        assert!(diverted.starts_with(&format!("<sip:{PBX}@")), "{diverted}");
        trunk.respond(on, 200);
        trunk.run(2.0);
        trunk.hang_up(on);
        trunk.run(1.0);
        trunk.finish();
        let (inbound, outbound) =
            (trunk.cdr("pbx", Direction::Inbound), trunk.cdr("pbx", Direction::Outbound));
        assert_eq!(inbound.destination.number, PBX);
        assert_eq!(outbound.destination.number, NEXT);
        assert_eq!(inbound.answered_at, outbound.answered_at);
        assert_eq!(inbound.transaction_id, outbound.transaction_id);
        assert_eq!(trunk.stage(a), Stage::Over);
    });
}

#[test]
fn circles_and_long_ways_end() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        for _ in 0..2 {
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.redirect(b, 302, &["sip:+12125550177@10.0.1.1"]);
        }
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [482]);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        for hop in 0..6 {
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let uri = format!("sip:+1212555018{hop}@10.0.1.1");
            trunk.redirect(b, 302, &[uri.as_str()]);
        }
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [482]);
        assert_eq!(trunk.received(trunk.east), 2 + 6);
    });
}

/// To a number of ours: the other customer is called.
#[test]
fn a_call_is_sent_on_to_another_customer() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let uri = format!("sip:{BRANCH}@10.0.1.1");
        trunk.redirect(b, 301, &[uri.as_str()]);
        trunk.run(0.5);
        let branch = trunk.incoming(trunk.branch);
        trunk.respond(branch, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(trunk.cdr("branch", Direction::Inbound).status_message, "OK");
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).destination.number, BRANCH);
    });
}
