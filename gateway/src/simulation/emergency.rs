//! Somebody dials 911.

use std::time::Duration;

use sip::Name;

use super::phone::{Abilities, Pracks, Rel100, Stage, TimerHabit};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use crate::direction::Direction;

#[test]
fn limits_do_not_hold_for_it() {
    everywhere_with(
        &[("pbx_termination", "max_calls = 1"), ("east", "max_calls = 1"), ("west", "max_calls = 1")],
        |trunk| {
            let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let refused = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            assert_eq!(trunk.heard(refused), [503]);
            let emergency = trunk.dial(trunk.pbx, "911");
            trunk.run(0.5);
            let desk = trunk.incoming(trunk.east);
            assert!(trunk.call(desk).invite.request_uri().unwrap().contains("+15105550111"));
            trunk.respond(desk, 200);
            trunk.run(0.5);
            assert_eq!(trunk.stage(emergency), Stage::Up);
            trunk.hang_up(a);
            trunk.hang_up(emergency);
            trunk.run(1.0);
        },
    );
}

/// Every carrier is tried whatever the others said, even after one rang.
#[test]
fn every_carrier_is_tried_until_one_takes_it() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.respond(east, 180);
        trunk.run(0.5);
        trunk.respond(east, 486);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [180, 200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A desk of our own comes before the carriers. Who took the call in the end has the record, and nobody else pays.
#[test]
fn a_carrier_takes_it_when_the_desk_of_our_own_does_not() {
    let desk = "\n[[phone_number]]\nnumber = \"+15105550111\"\nvoice_connector = \"branch\"\n";
    everywhere_with(&[("more", desk)], |trunk| {
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let own = trunk.incoming(trunk.branch);
        trunk.respond(own, 503);
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.respond(east, 200);
        trunk.run(0.5);
        assert_eq!(trunk.stage(a), Stage::Up);
        let metrics = trunk.world.metrics.render();
        let active = metrics.lines().filter(|line| {
            line.starts_with("voice_connector_calls_active{")
                && line.contains("branch")
                && !line.ends_with(" 0")
        });
        assert_eq!(active.collect::<Vec<_>>(), [""; 0]);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert!(trunk.cdr("pbx", Direction::Outbound).answered_at.is_some());
        let billed = trunk.world.cdrs.iter().filter(|cdr| cdr.answered_at.is_some());
        assert_eq!(billed.count(), 1, "{:#?}", trunk.world.cdrs);
    });
}

/// A PBX that hides its callers hides them from everybody but help.
#[test]
fn help_knows_whom_to_call_back() {
    everywhere(|trunk| {
        trunk.dial_with(trunk.pbx, "911", &[("Privacy", "id")]);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        let invite = &trunk.call(b).invite;
        assert!(!invite.has(Name::Privacy));
        assert!(Trunk::header(invite, "From").contains(PBX), "{invite:?}");
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(b);
        trunk.run(0.5);
    });
}

/// It rings and nobody answers: somebody else might.
#[test]
fn a_carrier_that_only_rings_is_left_for_the_next() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.respond(east, 180);
        trunk.run(186.0);
        assert_eq!(trunk.stage(east), Stage::Over);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [180, 180, 180, 180, 200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_carrier_whose_answer_makes_no_sense_is_left_for_the_next() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.phone(east.0).calls[east.1].described = Some("no description".into());
        trunk.respond(east, 200);
        trunk.run(0.5);
        assert_eq!(trunk.call(east).requests(), ["INVITE", "ACK", "BYE"]);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!((trunk.heard(a), trunk.stage(a)), (vec![200], Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.call(west).requests(), ["INVITE", "ACK", "BYE"]);
    });
}

/// An interval that is too small refuses no call for help, and nobody is hung up for want of a refresh: there is no timer.
#[test]
fn session_timers_do_not_hold_for_it() {
    let asked = ("east_peer", "session_timer = \"90s\"");
    everywhere_with(&[asked], |trunk| {
        let timer = Some(TimerHabit { expires: 60, min: 60, refreshes: Some(true), by_update: false });
        trunk.phone(trunk.pbx).abilities = Abilities { allow: true, timer, ..Abilities::default() };
        let (a, b) = trunk.connect(trunk.pbx, "911", trunk.east);
        assert_eq!(trunk.heard(a), [200]);
        assert!(!trunk.call(a).response(200).unwrap().has(Name::SessionExpires));
        assert!(!trunk.call(b).invite.has(Name::SessionExpires));
        trunk.phone(b.0).habits.deaf = true;
        trunk.run(300.0);
        trunk.phone(b.0).habits.deaf = false;
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A caller whose PRACKs reach nobody is put through all the same.
#[test]
fn it_does_not_fail_for_want_of_a_prack() {
    everywhere(|trunk| {
        let late = Pracks::Late(Duration::from_secs(60));
        let able = Abilities { rel100: Rel100::Supported, pracks: late, ..Abilities::default() };
        trunk.able(trunk.pbx, able);
        trunk.able(trunk.east, Abilities { rel100: Rel100::Supported, ..Abilities::default() });
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 183);
        trunk.run(40.0);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
