//! SIPp plays into its calls and gets an echo: what the quality records say of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::{
    EMPTY, Gateway, Metrics, Net, OURS, Office, Script, Sipp, THEIRS, body, lines, missing, sdp, with_sdp,
};

const CALLS: u32 = 10;

/// Twenty milliseconds of G.711 each.
const PACKETS: u64 = 150;

/// How often the calls are placed at most on a machine so busy that packets wait for the gateway until nobody would play them.
const ATTEMPTS: usize = 3;

/// Every packet crosses twice, is counted at each of the four places, and none is lost.
#[test]
fn packets_are_counted() {
    if missing(&["sipp"]) {
        return;
    }
    for _ in 0..ATTEMPTS {
        let (counted, qualities) = calls_with_an_echo(Net(61));
        if counted.sum("media_refusals_total", &[("cause", "late")]) == 0.0 {
            return judge(&counted, &qualities);
        }
    }
    panic!("packets came too late in each of {ATTEMPTS} runs");
}

/// What was counted of [`CALLS`] calls of [`PACKETS`] packets each way, and the quality records.
fn calls_with_an_echo(net: Net) -> (Metrics, Vec<Value>) {
    let gateway = Gateway::start(net, &Office::new(net, "udp").config());
    let audio = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(audio.path(), vec![0xff; PACKETS as usize * 160]).unwrap();

    let callee = Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    let callee = callee.expect("ACK").expect("BYE").answer(200, "OK", EMPTY);
    let callee = Sipp::new("callee", callee, (net.carrier(), 5060).into(), "u1").calls(CALLS);
    let callee = callee.args(&["-rtp_echo", "-mp", "20000"]).listen();
    let offer = body("application/sdp", &sdp(None).replace("[media_port]", "[rtpstream_audio_port]"));
    let play = format!("rtp_stream=\"{},1,0,PCMU/8000\"", audio.path().display());
    let caller = Script::caller().invite(&offer).optional(100).optional(180).expect(200).ack();
    let caller = caller.exec(&play).hold().request("BYE", EMPTY).expect(200);
    let caller = Sipp::new("caller", caller, (net.pbx(), 5061).into(), "u1").calls(CALLS).rate(5);
    let hold = Duration::from_millis(PACKETS * 20 + 1_000);
    caller.hold(hold).key("from", OURS).to(THEIRS).call(net.gateway()).succeeded();
    callee.stop();

    gateway.call_details(CALLS as usize);
    gateway.settled();
    let counted = gateway.metrics();
    let directory = gateway.stop();
    (counted, lines(&directory.path().join("records"), "aws/ChimeVoiceConnectorLogs"))
}

fn judge(counted: &Metrics, qualities: &[Value]) {
    let sum = |side, direction| counted.sum("rtp_packets_total", &[("side", side), ("direction", direction)]);
    let all = (u64::from(CALLS) * PACKETS) as f64;
    for side in ["customer", "remote"] {
        for direction in ["received", "sent"] {
            assert_eq!(sum(side, direction), all, "{side} {direction}");
        }
    }
    assert_eq!(qualities.len(), CALLS as usize);
    for quality in qualities {
        for flow in ["cust2vc", "vc2rem", "rem2vc", "vc2cust"] {
            assert_eq!(quality[format!("{flow}_rtp_packets")], PACKETS, "{flow}: {quality:#}");
            assert_eq!(quality[format!("{flow}_rtp_bytes")], PACKETS * 172, "{flow}: {quality:#}");
            // SIPp sends no RTCP: what it has lost nobody knows.
            let lost = if flow.starts_with("vc2") { Value::Null } else { 0.into() };
            assert_eq!(quality[format!("{flow}_packets_lost")], lost, "{flow}: {quality:#}");
        }
    }
}
