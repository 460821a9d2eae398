//! The callee's ACK leaves once the journal has the call: a leg that is up is one that the next start knows of.

use std::time::Duration;

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};
use super::world::{Answers, CallId};

fn acks(trunk: &Trunk, call: CallId) -> usize {
    trunk.call(call).requests().iter().filter(|method| *method == "ACK").count()
}

/// The callee repeats its 2xx meanwhile, which is acknowledged by none but the one ACK.
#[test]
fn the_callee_has_no_ack_before_the_journal_has_the_call_and_one_then() {
    for (number, journal, written) in [
        (OUTSIDE, Answers::After(Duration::from_millis(700)), 0.7),
        ("911", Answers::After(Duration::from_millis(700)), 0.7),
        (OUTSIDE, Answers::Failing, 1.0),
        (OUTSIDE, Answers::Never, 1.0),
    ] {
        everywhere(|trunk| {
            trunk.world.journal = journal;
            let (a, b) = trunk.reach(trunk.pbx, number, trunk.east);
            trunk.respond(b, 200);
            trunk.run(written - 0.05);
            assert_eq!((acks(trunk, b), trunk.heard(a)), (0, vec![]));
            trunk.run(0.2);
            assert_eq!((acks(trunk, b), trunk.heard(a)), (1, vec![200]));
            trunk.run(4.0);
            assert_eq!((acks(trunk, b), trunk.stage(a), trunk.stage(b)), (1, Stage::Up, Stage::Up));
            trunk.hang_up(a);
            trunk.run(1.0);
        });
    }
}

/// Where the ACK has the answer, it waits for the caller's as well.
#[test]
fn an_ack_with_an_answer_waits_for_both() {
    everywhere(|trunk| {
        trunk.world.journal = Answers::After(Duration::from_millis(600));
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.55);
        assert_eq!((acks(trunk, b), trunk.heard(a)), (0, vec![]));
        trunk.run(1.0);
        assert_eq!((acks(trunk, b), trunk.heard(a)), (1, vec![200]));
        assert!(!trunk.call(b).request(&Method::Ack).unwrap().body().is_empty());
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Whoever ends the call before: the callee has its ACK first, and then its BYE.
#[test]
fn a_call_that_ends_before_is_acknowledged_and_hung_up() {
    for cancels in [true, false] {
        everywhere(|trunk| {
            trunk.world.journal = Answers::Never;
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 180);
            trunk.run(0.1);
            trunk.respond(b, 200);
            trunk.run(0.3);
            assert_eq!(acks(trunk, b), 0);
            match cancels {
                true => trunk.cancel(a),
                false => trunk.early_bye(a),
            }
            trunk.run(2.0);
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
            assert_eq!(trunk.stage(b), Stage::Over);
        });
    }
}
