//! A callee's answer says nothing usable of where its requests go.

use sip::{Method, Name};

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};
use super::world::CallId;

/// No URI; two of them; one that nobody can be reached at.
const USELESS: [&str; 3] = ["sip:", "sip:east@[10.0.1.1", ":::"];

fn is_released(trunk: &Trunk, call: CallId) {
    assert_eq!(trunk.stage(call), Stage::Over);
    assert!(trunk.call(call).requests().ends_with(&["ACK", "BYE"].map(str::to_owned)));
    let bye = trunk.call(call).request(&Method::Bye).unwrap();
    assert!(bye.has(Name::Reason));
}

#[test]
fn its_answer_is_released_by_the_flow() {
    for contact in USELESS {
        everywhere(|trunk| {
            trunk.phone(trunk.east).contact_uri = Some(contact);
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.respond(b, 200);
            trunk.run(1.0);
            is_released(trunk, b);
            assert_eq!(trunk.heard(a), [502]);
        });
    }
}

#[test]
fn who_calls_for_help_is_put_through_to_the_next() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).contact_uri = Some(USELESS[0]);
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        is_released(trunk, b);
        let c = trunk.incoming(trunk.west);
        trunk.respond(c, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(c)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// An answer after the caller gave up is no better.
#[test]
fn its_late_answer_is_released_by_the_flow() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).contact_uri = Some(USELESS[0]);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.cancel(a);
        trunk.run(0.015);
        trunk.respond(b, 200);
        trunk.run(1.0);
        is_released(trunk, b);
    });
}
