//! A new INVITE is read once: its source is identified, its SDP parsed and each of its numbers looked up in the numbering
//! plans one time, wherever the call goes and however many hosts are tried.

use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, over_udp};
use super::world::CallId;
use crate::effort;

const SDP: &str = "parse SDP";
const SOURCE: &str = "identify the source";

fn look_up(number: &str) -> String {
    format!("look up {number}")
}

/// What `scenario` costs the gateway.
fn check(changes: &[Change], scenario: impl Fn(&mut Trunk), expected: &[&str]) {
    over_udp(changes, |trunk| {
        effort::take();
        scenario(trunk);
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(effort::take(), expected);
    });
}

/// A call of the customer's that has reached `number`.
fn dial(trunk: &mut Trunk, number: &str) -> CallId {
    let call = trunk.dial(trunk.pbx, number);
    trunk.run(0.5);
    call
}

fn cancel(trunk: &mut Trunk, call: CallId) {
    trunk.cancel(call);
    trunk.run(1.0);
}

#[test]
fn a_call_to_a_carrier() {
    let countries = ("east", "countries = [\"US\"]");
    check(
        &[countries],
        |trunk| {
            let call = dial(trunk, OUTSIDE);
            assert_eq!(trunk.received(trunk.east), 1);
            cancel(trunk, call);
        },
        &[SOURCE, SDP, &look_up(PBX), &look_up(OUTSIDE)],
    );
}

#[test]
fn a_call_that_another_carrier_takes() {
    check(
        &[],
        |trunk| {
            let call = dial(trunk, OUTSIDE);
            let east = trunk.incoming(trunk.east);
            trunk.respond(east, 503);
            trunk.run(0.5);
            assert_eq!(trunk.received(trunk.west), 1);
            cancel(trunk, call);
        },
        &[SOURCE, SDP, &look_up(PBX), &look_up(OUTSIDE)],
    );
}

#[test]
fn a_call_from_a_carrier() {
    check(
        &[],
        |trunk| {
            let call = trunk.dial(trunk.east, PBX);
            trunk.run(0.5);
            assert_eq!(trunk.received(trunk.pbx), 1);
            cancel(trunk, call);
        },
        &[SOURCE, SDP, &look_up("+12125550999"), &look_up(PBX)],
    );
}

#[test]
fn a_call_between_customers() {
    check(
        &[],
        |trunk| {
            let call = dial(trunk, BRANCH);
            assert_eq!(trunk.received(trunk.branch), 1);
            cancel(trunk, call);
        },
        &[SOURCE, SDP, &look_up(PBX), &look_up(BRANCH)],
    );
}

/// An interval that is too short would be refused of anybody else: whether help is called for is asked twice.
#[test]
fn a_call_for_help() {
    check(
        &[],
        |trunk| {
            let call = trunk.dial_with(trunk.pbx, "911", &[("Session-Expires", "30")]);
            trunk.run(0.5);
            assert_eq!(trunk.received(trunk.east), 1);
            cancel(trunk, call);
        },
        &[SOURCE, SDP, &look_up(PBX), &look_up("+15105550111")],
    );
}

#[test]
fn a_call_that_is_refused() {
    let abroad = "+442079460958";
    check(
        &[],
        |trunk| {
            let call = dial(trunk, abroad);
            assert_eq!(trunk.heard(call), [403]);
        },
        &[SOURCE, SDP, &look_up(PBX), &look_up(abroad)],
    );
}
