//! A hundred calls each way at twenty a second, with SIPp as the customer's phone system and as the carrier.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use support::{EMPTY, Gateway, Net, OURS, Office, Script, Sipp, THEIRS, is_billed, missing, with_sdp};

const CALLS: u32 = 100;
const RATE: u32 = 20;
const HOLD: Duration = Duration::from_secs(2);

/// Outbound and inbound at the same time.
///
/// - `start`: of the daemon, with the signalling threads that a test wants.
/// - `transports`: SIPp's of the outbound callers and of the inbound ones.
fn hundred_calls_each_way(net: Net, start: fn(Net, &str) -> Gateway, protocol: &str, transports: [&str; 2]) {
    if missing(&["sipp"]) {
        return;
    }
    let gateway = start(net, &Office::new(net, protocol).patient());
    let callee = Script::callee().answer(180, "Ringing", EMPTY).pause(200);
    let callee =
        callee.answer(200, "OK", &with_sdp(None)).expect("ACK").expect("BYE").answer(200, "OK", EMPTY);
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(180).expect(200);
    let caller = caller.ack().hold().request("BYE", EMPTY).expect(200);
    let [outbound, inbound] = transports;
    let listen = |ip, port| {
        Sipp::new("callee", callee.clone(), SocketAddr::new(ip, port), outbound).calls(CALLS).listen()
    };
    let call = |ip, transport, from, to| {
        let sipp = Sipp::new("caller", caller.clone(), SocketAddr::new(ip, 5061), transport);
        sipp.calls(CALLS).rate(RATE).hold(HOLD).key("from", from).to(to).call(net.gateway())
    };
    let callees = [listen(net.carrier(), 5060), listen(net.pbx(), 5070)];
    let callers = [call(net.pbx(), outbound, OURS, THEIRS), call(net.carrier(), inbound, THEIRS, OURS)];
    for caller in callers {
        caller.succeeded();
    }
    for callee in callees {
        callee.stop();
    }

    let records = gateway.call_details(2 * CALLS as usize);
    for direction in ["Outbound", "Inbound"] {
        let these = records.iter().filter(|record| record["Direction"] == direction);
        assert_eq!(these.count(), CALLS as usize, "{direction}");
    }
    for record in &records {
        let outbound = record["Direction"] == "Outbound";
        let numbers = if outbound { [OURS, THEIRS] } else { [THEIRS, OURS] };
        assert_eq!(record["SourcePhoneNumber"], numbers[0]);
        assert_eq!(record["DestinationPhoneNumber"], numbers[1]);
        assert_eq!(record["Status"], "Completed", "{record:#}");
        assert_eq!(record["StatusMessage"], "OK", "{record:#}");
        is_billed(record);
        assert_eq!(record["VoiceConnectorId"], "office");
    }

    gateway.settled();
    let metrics = gateway.metrics();
    for direction in ["outbound", "inbound"] {
        let labels = [("voice_connector_id", "office"), ("direction", direction)];
        for (name, count) in [
            ("call_attempts_total", CALLS),
            ("calls_answered_total", CALLS),
            ("call_failures_total", 0),
            ("calls_active", 0),
            ("throttles_total", 0),
        ] {
            assert_eq!(metrics.sum(name, &labels), f64::from(count), "{direction} {name}");
        }
    }
    for name in ["refusals_total", "sip_dropped_total", "records_dropped_total", "record_errors_total"] {
        assert_eq!(metrics.sum(name, &[]), 0.0, "{name}");
    }
    gateway.forgotten();
    gateway.stop();
}

#[test]
fn over_udp() {
    hundred_calls_each_way(Net(11), Gateway::start, "udp", ["u1", "u1"]);
}

/// The PBX keeps one connection for all calls, the carrier opens one for each.
#[test]
fn over_tcp() {
    hundred_calls_each_way(Net(12), Gateway::start, "tcp", ["t1", "tn"]);
}

#[test]
fn over_udp_with_one_shard() {
    hundred_calls_each_way(
        Net(13),
        |net, config| Gateway::start_sharded(net, 1, config),
        "udp",
        ["u1", "u1"],
    );
}

#[test]
fn over_tcp_with_four_shards() {
    hundred_calls_each_way(
        Net(14),
        |net, config| Gateway::start_sharded(net, 4, config),
        "tcp",
        ["t1", "t1"],
    );
}
