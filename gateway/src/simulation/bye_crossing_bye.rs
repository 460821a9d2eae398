//! Both parties hang up at the same moment, before or after everything is acknowledged.

use std::time::Duration;

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, everywhere};
use super::world::Answers;
use crate::core::Input;
use crate::direction::Direction;

#[test]
fn both_byes_are_answered_and_none_follows() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.hang_up(b);
        trunk.run(2.0);
        for call in [a, b] {
            assert_eq!(trunk.call(call).statuses(&Method::Bye), [200]);
        }
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
    });
}

/// The callee's BYE has ended the call while the caller's ACK was on its way; the caller hangs up too, before our
/// BYE, which waits for that ACK, is out.
#[test]
fn the_callers_bye_overtakes_its_ack_while_ours_waits_for_it() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.1);
        trunk.hang_up(b);
        trunk.run(0.1);
        assert_eq!(trunk.call(a).requests(), [""; 0], "no BYE before the ACK, RFC 3261 §15");
        trunk.hang_up(a);
        trunk.run(0.1);
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).requests(), [""; 0], "no BYE after the caller's own");
    });
}

#[test]
fn a_bye_that_waits_for_the_ack_leaves_with_it() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.1);
        trunk.hang_up(b);
        trunk.run(2.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).requests(), ["BYE"]);
    });
}

/// The ACK that would carry the answer comes when its receiver has hung up.
#[test]
fn no_ack_crosses_into_a_dialog_that_its_party_ended() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).calls[b.1].acknowledges = false;
        trunk.request(b, Method::Invite, None); // without an offer
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(0.5);
        trunk.world.with(b.0, |phone, now| phone.acknowledge(now, b.1));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).requests(), ["INVITE"]);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

/// The callee hangs up while the answered call is still on its way to the journal, without waiting for its ACK: it took the call,
/// and its carrier bills it. The caller is told so, and hung up.
#[test]
fn the_callee_hangs_up_before_the_caller_is_told_of_its_answer() {
    for journal in [Answers::After(Duration::from_millis(600)), Answers::Never] {
        for number in [OUTSIDE, "911"] {
            everywhere(|trunk| {
                trunk.world.journal = journal;
                let (a, b) = trunk.reach(trunk.pbx, number, trunk.east);
                trunk.respond(b, 200);
                trunk.run(0.1);
                trunk.request(b, Method::Bye, None);
                trunk.run(3.0);
                assert_eq!(trunk.call(b).statuses(&Method::Bye), [200]);
                assert_eq!(trunk.heard(a), [200]);
                assert_eq!((trunk.call(a).requests(), trunk.stage(a)), (vec!["BYE".into()], Stage::Over));
                assert_eq!(trunk.call(b).requests(), ["INVITE"]);
                assert_eq!(trunk.received(trunk.west), 0);
                trunk.finish();
                let cdr = trunk.cdr("pbx", Direction::Outbound);
                assert_eq!((cdr.answered_at.is_some(), cdr.status_message.as_str()), (true, "OK"));
            });
        }
    }
}

/// And the caller gives up, or the gateway stops, at the same moment.
#[test]
fn whatever_else_happens_to_a_call_whose_callee_has_hung_up_it_ends_once() {
    for cancels in [true, false] {
        everywhere(|trunk| {
            trunk.world.journal = Answers::After(Duration::from_millis(600));
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 200);
            trunk.run(0.1);
            trunk.hang_up(b);
            trunk.run(0.1);
            match cancels {
                true => trunk.cancel(a),
                false => trunk.broadcast(|| Input::Stop),
            }
            trunk.run(3.0);
            assert_eq!(trunk.heard(a), [if cancels { 487 } else { 200 }]);
            assert_eq!(trunk.call(b).requests(), ["INVITE"]);
        });
    }
}
