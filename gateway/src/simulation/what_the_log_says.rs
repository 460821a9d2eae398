//! A call's story in the log: which carrier was left and why, who took the call, who hung up, how long and what code.

use super::log::log_of;
use super::phone::CHALLENGE;
use super::trunk::{OUTSIDE, PBX};
use crate::core::Input;

/// There is one line that has all of these.
fn assert_says(log: &[String], words: &[&str]) {
    let found = log.iter().filter(|line| words.iter().all(|word| line.contains(word)));
    assert_eq!(found.count(), 1, "{words:?} in {log:#?}");
}

#[test]
fn each_host_that_was_tried_and_the_end() {
    let log = log_of(&[], |trunk| {
        let (a, east) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond_with(east, 407, &[("Proxy-Authenticate", CHALLENGE)]);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(10.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    assert_says(&log, &["WARN", "credentials are wanted", "carrier=\"east\"", "status=407"]);
    let left = "because=\"407 asks for credentials that it would take\"";
    assert_says(
        &log,
        &["INFO", "host was left for the next", "carrier=\"east\"", "address=10.0.1.1:5060", left],
    );
    assert_says(&log, &["INFO", "host took the call", "carrier=\"west\"", "milliseconds=5"]);
    assert_says(&log, &["call ended", "carrier=\"west\"", "by=\"caller\"", "seconds=10.0", "cause=200"]);
}

#[test]
fn an_emergency_call_is_a_warning() {
    let log = log_of(&[], |trunk| {
        let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(east, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    let routed = "routing_number=\"+15105550111\"";
    let caller = format!("caller=\"{PBX}\"");
    assert_says(&log, &["WARN", "emergency call", "connector=\"pbx\"", "digits=\"911\"", routed, &caller]);
    assert!(!log.iter().any(|line| line.contains("was not answered")), "{log:#?}");
}

/// Nobody answers, or the gateway takes no calls any more: that is said, too.
#[test]
fn an_emergency_call_that_comes_to_nothing() {
    let log = log_of(&[], |trunk| {
        trunk.dial(trunk.pbx, "911");
        for phone in [trunk.east, trunk.west] {
            trunk.run(0.5);
            let b = trunk.incoming(phone);
            trunk.respond(b, 486);
        }
        trunk.run(0.5);
    });
    assert_says(&log, &["WARN", "emergency call was not answered", "by=\"callee\"", "cause=486"]);
    let log = log_of(&[], |trunk| {
        trunk.broadcast(|| Input::Stop);
        trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
    });
    assert_says(&log, &["WARN", "emergency call", "digits=\"911\""]);
    assert_says(&log, &["WARN", "emergency call was not answered", "by=\"gateway\"", "cause=503"]);
}

#[test]
fn an_inbound_call_says_which_carrier_it_came_from() {
    let log = log_of(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.east, PBX, trunk.pbx);
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    assert_says(&log, &["call begins", "calling_carrier=\"east\"", "direction=\"inbound\""]);
    assert_says(&log, &["call ended", "calling_carrier=\"east\"", "inbound=\"pbx\""]);
}
