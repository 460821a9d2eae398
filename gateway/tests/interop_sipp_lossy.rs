//! Calls over a network that loses some of the datagrams, in both directions on both sides.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::Duration;

use support::{EMPTY, Gateway, Net, OURS, Office, Script, Sipp, THEIRS, missing, with_sdp};

const CALLS: u32 = 40;

/// Percent of the messages that SIPp sends or receives.
const LOST: &str = "5";

/// So long that an ACK which is lost a few times arrives before the BYE, which SIPp takes no sooner.
const HOLD: Duration = Duration::from_secs(5);

/// Every call goes through, and is counted once.
#[test]
fn lost_messages_are_repeated() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(51);
    let gateway = Gateway::start(net, &Office::new(net, "udp").patient());
    // Both stay a while to repeat their last message, should the gateway ask again.
    let callee = Script::callee().answer(180, "Ringing", EMPTY).pause(200).answer(200, "OK", &with_sdp(None));
    let callee = callee.expect("ACK").expect("BYE").answer(200, "OK", EMPTY).linger(8_000);
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).optional(180).expect(200).ack();
    let caller = caller.hold().request("BYE", EMPTY).expect(200).linger(8_000);
    let callee = Sipp::new("callee", callee, (net.carrier(), 5060).into(), "u1").calls(CALLS);
    let callee = callee.args(&["-lost", LOST]).listen();
    let caller = Sipp::new("caller", caller, (net.pbx(), 5061).into(), "u1").calls(CALLS).rate(20);
    let caller = caller.hold(HOLD).key("from", OURS).to(THEIRS).args(&["-lost", LOST]);
    let runs = [caller.call(net.gateway()).succeeded(), callee.stop()];
    let repeated = runs.map(|run| run.statistic("Retransmissions(C)"));
    assert!(repeated.iter().all(|count| *count > 0), "nothing was lost: {repeated:?}");

    for record in gateway.call_details(CALLS as usize) {
        assert_eq!(record["Status"], "Completed", "{record:#}");
        assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    }
    gateway.settled();
    let metrics = gateway.metrics();
    for name in ["call_attempts_total", "calls_answered_total"] {
        assert_eq!(metrics.sum(name, &[]), f64::from(CALLS), "{name}");
    }
    gateway.stop();
}
