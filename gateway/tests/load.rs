//! Many calls up at one time and down again, three times over: nothing of them stays.
//!
//! `VOICE_CONNECTOR_LOAD_CALLS` sets how many (`make load`: 2,000), and from [`MANY`] on memory is judged too.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::Duration;

use support::{EMPTY, Gateway, Net, PATIENCE, Script, Sipp, missing, with_sdp};

const CYCLES: u32 = 3;
const CALLS: u32 = 200;
/// Calls placed in a second.
const RATE: u32 = 100;
/// Fewer calls than this drown in what the allocator keeps for itself.
const MANY: u32 = 1_000;

fn calls() -> u32 {
    let wanted = std::env::var("VOICE_CONNECTOR_LOAD_CALLS").ok();
    wanted.map_or(CALLS, |calls| calls.parse().unwrap())
}

fn config(net: Net) -> String {
    let [gateway, admin] = [net.gateway(), net.admin()];
    let [pbx, carrier] = [net.pbx(), net.carrier()];
    format!(
        r#"
        [[listen]]
        address = "{gateway}"

        [admin]
        address = "{admin}"

        [media]
        ports = [10000, 60000]

        [[voice_connector]]
        id = "office"

        [voice_connector.termination]
        allowlist = ["{pbx}"]
        calling_plan = ["US"]
        cps_limit = 1000
        max_calls = 10000

        [[phone_number]]
        number = "+12065550100"
        voice_connector = "office"

        [[carrier]]
        name = "carrier"
        first_response_timeout = "30s"
        allowlist = ["{carrier}"]

        [[carrier.host]]
        host = "{carrier}"
        "#
    )
}

/// All calls up at once, then down; on a machine that has other work the first may be down before the last is up.
fn cycle(gateway: &Gateway, calls: u32, number: u32) {
    let net = gateway.net;
    let all_up = Duration::from_secs(u64::from(calls / RATE) + 2);
    let callee = Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    let callee = callee.expect("ACK").expect("BYE").answer(200, "OK", EMPTY);
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(180).expect(200);
    let caller = caller.ack().hold().request("BYE", EMPTY).expect(200);
    let sipp = |script, host, port| {
        let name = if port == 5060 { "callee" } else { "caller" };
        let sipp = Sipp::new(&format!("{name}-{number}"), script, (host, port).into(), "u1");
        sipp.calls(calls).args(&["-buff_size", "4000000"])
    };
    let callee = sipp(callee, net.carrier(), 5060).listen();
    let caller =
        sipp(caller, net.pbx(), 5061).rate(RATE).hold(all_up).args(&["-l", &(2 * calls).to_string()]);
    let caller = caller.key("from", "+12065550100").to("+16285551212").call(net.gateway());
    support::eventually("all calls up", all_up + PATIENCE, || {
        let up = gateway.metrics().sum("calls_answered_total", &[]) - f64::from((number - 1) * calls);
        if up >= f64::from(calls) { Ok(()) } else { Err(format!("{up} of {calls} calls came up")) }
    });
    caller.succeeded();
    callee.stop();
}

#[test]
fn calls_come_and_go_and_leave_nothing() {
    if missing(&["sipp"]) {
        return;
    }
    let calls = calls();
    let gateway = Gateway::start(Net(41), &config(Net(41)));
    let descriptors = gateway.descriptors();
    let mut resident = Vec::new();
    for number in 1..=CYCLES {
        cycle(&gateway, calls, number);
        if calls >= MANY || number == CYCLES {
            gateway.forgotten();
        } else {
            gateway.settled();
        }
        // Before, a connection of ours to its admin server may have been among them; now, records that are being written.
        support::eventually("no more descriptors than before", PATIENCE, || {
            let open = gateway.descriptors();
            if open <= descriptors { Ok(()) } else { Err(format!("{open} are open, {descriptors} were")) }
        });
        resident.push(gateway.resident_kib());
    }
    println!("{calls} calls, resident after each cycle: {resident:?} KiB; {descriptors} descriptors");
    if calls >= MANY {
        assert!(resident[2] * 10 <= resident[0] * 11, "resident after each cycle: {resident:?} KiB");
    }
    gateway.call_details((CYCLES * calls) as usize);
    gateway.stop();
}
