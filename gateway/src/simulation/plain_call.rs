//! A customer calls out, talks, hangs up; the same from the carrier's side.

use std::time::Duration;

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, PBX, everywhere, over_udp};
use super::world::EPOCH;
use crate::direction::Direction;

#[test]
fn a_call_out_rings_is_answered_and_hung_up_by_the_caller() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(2.0);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 200]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        trunk.run(10.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_eq!(trunk.call(a).statuses(&Method::Bye), [200]);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!((cdr.status_message.as_str(), cdr.call_id.to_string()), ("OK", trunk.call(a).call_id()));
        let talked = cdr.ended_at - cdr.answered_at.unwrap();
        assert!((10.9..11.1).contains(&talked.as_secs_f64()), "{talked:?}");
        assert_eq!((cdr.source.number.as_str(), cdr.destination.number.as_str()), (PBX, OUTSIDE));
        assert_eq!(trunk.world.cdrs.len(), 1);
        assert_eq!(trunk.received(trunk.west), 0);
    });
}

/// NTP sets the clock while people talk: they pay for what they talked.
#[test]
fn a_clock_that_is_set_during_a_call_bills_nothing_else() {
    let hour = Duration::from_secs(3_600);
    for set in [EPOCH - hour, EPOCH + hour] {
        over_udp(&[], |trunk| {
            let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.run(9.0);
            trunk.world.wall = set;
            trunk.hang_up(a);
            trunk.run(1.0);
            trunk.finish();
            let cdr = trunk.cdr("pbx", Direction::Outbound);
            let talked = cdr.ended_at - cdr.answered_at.unwrap();
            assert!((9.9..10.1).contains(&talked.as_secs_f64()), "{talked:?}");
        });
    }
}

#[test]
fn a_call_in_is_hung_up_by_the_callee() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.call(b).statuses(&Method::Bye), [200]);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Inbound);
        assert_eq!(cdr.status_message, "OK");
        assert_eq!(cdr.call_id, trunk.call(b).call_id());
        assert_eq!(trunk.world.cdrs.len(), 1);
    });
}
