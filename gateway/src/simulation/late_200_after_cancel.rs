//! The callee answers while the caller's CANCEL is on its way.

use std::time::Duration;

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, everywhere};
use super::world::Answers;
use crate::direction::Direction;

/// The CANCEL and the 200 cross between the gateway and the callee: the callee's dialog gets ACK and BYE.
#[test]
fn an_answer_that_crosses_our_cancel_is_released() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(1.0);
        trunk.cancel(a);
        trunk.run(0.015); // It has reached the gateway; its CANCEL has not reached the callee.
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 487]);
        // The callee's CANCEL came too late for it to notice.
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.answered_at, None, "nobody pays for it");
    });
}

/// The 200 was sent on when the CANCEL comes: the call is up, and the caller hangs it up.
#[test]
fn an_answer_that_crosses_the_callers_cancel_is_hung_up_by_the_caller() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.012);
        trunk.cancel(a);
        trunk.run(2.0);
        assert_eq!(trunk.heard(a), [200]);
        assert_eq!(trunk.stage(b), Stage::Over);
        trunk.finish();
        assert!(trunk.cdr("pbx", Direction::Outbound).answered_at.is_some());
    });
}

/// The callee has answered, the journal has not: the caller may still give up, and nobody pays.
#[test]
fn a_cancel_while_the_answer_is_written_down_wins() {
    everywhere(|trunk| {
        trunk.world.journal = Answers::After(Duration::from_millis(500));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.1);
        trunk.cancel(a);
        trunk.run(2.0);
        assert_eq!(trunk.heard(a), [487]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        assert_eq!(trunk.call(b).statuses(&Method::Bye), [0; 0]);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).answered_at, None);
    });
}

#[test]
fn a_journal_that_says_nothing_delays_the_answer_by_a_second() {
    everywhere(|trunk| {
        trunk.world.journal = Answers::Never;
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.9);
        assert_eq!(trunk.stage(a), Stage::Open);
        trunk.run(0.2);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
