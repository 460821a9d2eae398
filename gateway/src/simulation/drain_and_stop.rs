//! The operator takes the gateway out of service.

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere, over_udp};
use crate::core::Input;
use crate::direction::Direction;

#[test]
fn a_drain_lets_calls_end_and_takes_none_but_emergencies() {
    everywhere(|trunk| {
        let shards = trunk.world.cores.len();
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.broadcast(|| Input::Drain);
        trunk.run(1.0);
        assert_eq!(trunk.world.drained.len(), shards - 1, "the others have no call");
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        assert_eq!(trunk.heard(refused), [503]);
        assert!(trunk.call(refused).response(503).unwrap().has(sip::Name::RetryAfter));
        let (emergency, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(desk, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(emergency), Stage::Up);
        trunk.hang_up(a);
        trunk.hang_up(emergency);
        trunk.run(2.0);
        assert_eq!(trunk.world.drained.len(), shards, "each says so once");
    });
}

#[test]
fn a_stop_hangs_up_what_is_left_whatever_its_state() {
    everywhere(|trunk| {
        let shards = trunk.world.cores.len();
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (c, d) = trunk.reach(trunk.branch, OUTSIDE, trunk.east);
        trunk.respond(d, 180);
        trunk.run(0.5);
        trunk.broadcast(|| Input::Stop);
        let late = trunk.dial(trunk.pbx, "911");
        trunk.run(1.0);
        for call in [a, b, c, d, late] {
            assert_eq!(trunk.stage(call), Stage::Over);
        }
        for (call, method) in [(a, Method::Bye), (b, Method::Bye), (d, Method::Cancel)] {
            let heard = trunk.call(call).request(&method).unwrap();
            assert_eq!(Trunk::header(heard, "Reason"), "SIP;cause=503;text=\"Gateway is shutting down\"");
        }
        assert_eq!(trunk.heard(c), [180, 503]);
        assert_eq!(trunk.heard(late), [503], "nothing would hang it up any more");
        assert_eq!(trunk.world.drained.len(), shards);
        trunk.finish();
        let cdr = trunk.cdr("branch", Direction::Outbound);
        assert_eq!(cdr.status_message, "503 Gateway is shutting down");
    });
}

/// The process must not end before its BYEs were heard.
#[test]
fn a_stop_waits_for_the_answers_to_its_byes() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.link.lost = 1_000;
        trunk.broadcast(|| Input::Stop);
        trunk.run(0.3);
        assert_eq!(trunk.world.drained, [0; 0]);
        trunk.world.link.lost = 0;
        trunk.run(0.4);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.world.drained, [0]);
    });
}

/// Nor before its CANCELs were: a phone that rings on for nobody is a call path that was left open.
#[test]
fn a_stop_waits_for_the_answers_to_its_cancels() {
    over_udp(&[], |trunk| {
        trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.world.link.lost = 1_000;
        trunk.broadcast(|| Input::Stop);
        trunk.run(0.3);
        assert_eq!(trunk.world.drained, [0; 0]);
        trunk.world.link.lost = 0;
        trunk.run(0.4);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_eq!(trunk.world.drained, [0]);
    });
}

/// A BYE may wait for the caller's ACK, or for the address behind a name.
#[test]
fn a_stop_waits_for_the_byes_that_can_not_leave_yet() {
    over_udp(&[("east_peer", "nat = \"never\"")], |trunk| {
        trunk.phone(trunk.east).contact_host = Some("phone.example");
        let east = trunk.phone(trunk.east).address;
        trunk.world.names.insert("phone.example".into(), vec![east]);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.world.look_up_takes = std::time::Duration::from_secs(2);
        trunk.broadcast(|| Input::Stop);
        trunk.run(0.1);
        assert_eq!((trunk.stage(b), trunk.world.drained.len()), (Stage::Up, 0), "the name is not known yet");
        trunk.run(0.3);
        assert_eq!((trunk.stage(b), trunk.world.drained.len()), (Stage::Over, 0), "the ACK is owed");
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.world.drained.len()), (Stage::Over, 1));
    });
}

/// No room for records: only emergency calls are taken.
#[test]
fn without_room_for_records_only_emergencies_are_taken() {
    everywhere(|trunk| {
        trunk.world.accept_calls(false);
        let refused = trunk.dial(trunk.pbx, OUTSIDE);
        let emergency = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [503]);
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        trunk.hang_up(emergency);
        trunk.run(1.0);
        assert_eq!(trunk.world.cdrs.len(), 1, "a refusal takes no room from the calls that are up");
    });
}
