//! The caller gives up before anybody has said a word, or while it rings.

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};
use crate::direction::Direction;

fn assert_given_up(trunk: &mut Trunk) {
    trunk.finish();
    let cdr = trunk.cdr("pbx", Direction::Outbound);
    assert_eq!((cdr.answered_at, cdr.status_message.as_str()), (None, "487 Request Terminated"));
    assert_eq!(trunk.received(trunk.west), 0, "a caller that gave up is not sent elsewhere");
}

#[test]
fn the_cancel_waits_for_a_first_word_of_the_callee() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        // The caller's CANCEL must wait for our 100, which comes after 200 ms.
        trunk.run(0.05);
        trunk.cancel(a);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [487]);
        assert_eq!(trunk.call(a).statuses(&Method::Cancel), [0; 0], "the layer keeps those to itself");
        let b = trunk.incoming(trunk.east);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "CANCEL"]);
        assert_given_up(trunk);
    });
}

#[test]
fn a_call_is_cancelled_while_it_rings() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(3.0);
        trunk.cancel(a);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 487]);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_given_up(trunk);
    });
}

/// RFC 3261 §15: a caller may also end its early dialog with BYE.
#[test]
fn a_bye_in_the_early_dialog_ends_the_call() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(1.0);
        trunk.early_bye(a);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [180, 487]);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_given_up(trunk);
    });
}
