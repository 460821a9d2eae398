//! Calls that the gateway ends, or that outlive it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use serde_json::Value;
use sip::Name;
use support::{
    EMPTY, Gateway, Net, Office, PATIENCE, Peer, Script, SippRun, THEIRS, call_details, calls, is_billed,
    listens, missing, shown,
};

/// A call that is up, from the PBX to the carrier.
fn up(office: &Office, caller: Script, callee: Script) -> Option<(Gateway, [SippRun; 2])> {
    if missing(&["sipp"]) {
        return None;
    }
    let gateway = Gateway::start(office.net, &office.config());
    let callee = listens(office.net, 3, callee);
    let caller = calls(&gateway, caller);
    support::eventually("the call is up", PATIENCE, || {
        if gateway.metrics().sum("calls_answered_total", &[]) == 1.0 {
            Ok(())
        } else {
            Err("it is not".to_owned())
        }
    });
    Some((gateway, [caller, callee]))
}

fn is_completed(record: &Value, message: &str) {
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert_eq!(record["StatusMessage"], message, "{record:#}");
    is_billed(record);
}

/// Both sides are hung up on, and told why.
fn is_ended_by_the_gateway(office: &Office, reason: &str, message: &str) {
    let reason = |script: Script| script.expect("BYE").matching(reason).answer(200, "OK", EMPTY);
    let Some((gateway, [caller, callee])) = up(office, reason(Script::connects()), reason(Script::answers()))
    else {
        return;
    };
    caller.succeeded();
    callee.stop();
    is_completed(&gateway.call_details(1)[0], message);
    gateway.settled();
    gateway.stop();
}

#[test]
fn longest_duration() {
    let office = Office { termination: "max_duration = \"2s\"", ..Office::new(Net(71), "udp") };
    let text = "Maximum call duration reached";
    is_ended_by_the_gateway(
        &office,
        &format!("Reason: SIP;cause=480;text=\"{text}\""),
        &format!("480 {text}"),
    );
}

#[test]
fn silence() {
    let office = Office { more: "[media]\ninactivity_timeout = \"2s\"", ..Office::new(Net(72), "udp") };
    is_ended_by_the_gateway(
        &office,
        "Reason: SIP;cause=408;text=\"Media inactivity\"",
        "408 Media inactivity",
    );
}

/// A live call goes on, a new one is refused, and then the gateway ends.
#[test]
fn drain() {
    let caller = Script::connects().pause(2_500).hangs_up();
    let callee = Script::answers().gets_hung_up_on();
    let Some((gateway, [caller, callee])) = up(&Office::new(Net(73), "udp"), caller, callee) else { return };
    gateway.terminate();
    gateway.tells("Draining");
    let late = Peer::udp(gateway.net.at(2, 5062), gateway.net.gateway());
    let refusal = late.ask(late.invite(THEIRS));
    assert_eq!(refusal.status().unwrap().code(), 503, "{}", shown(&refusal));
    assert!(refusal.has(Name::RetryAfter), "{}", shown(&refusal));
    caller.succeeded();
    callee.stop();
    let directory = gateway.stop();
    let records = call_details(&directory.path().join("records"));
    assert_eq!(records.len(), 2, "{records:#?}");
    is_completed(&records[0], "OK");
    assert_eq!(records[1]["Status"], "Failed", "{records:#?}");
}

/// A call that outlives the drain is hung up.
#[test]
fn drain_limit() {
    let caller = Script::connects().gets_hung_up_on();
    let callee = Script::answers().gets_hung_up_on();
    let Some((gateway, [caller, callee])) = up(&Office::new(Net(74), "udp"), caller, callee) else { return };
    gateway.terminate();
    caller.succeeded();
    callee.stop();
    let directory = gateway.stop();
    let records = call_details(&directory.path().join("records"));
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0]["Status"], "Completed", "{records:#?}");
}

/// The gateway dies with the call up: the next one hangs up for it, and the call is on record.
#[test]
fn killed() {
    let caller = Script::connects().gets_hung_up_on();
    let callee = Script::answers().gets_hung_up_on();
    let Some((mut gateway, [caller, callee])) = up(&Office::new(Net(75), "udp"), caller, callee) else {
        return;
    };
    gateway.restart();
    caller.succeeded();
    callee.stop();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    let message = record["StatusMessage"].as_str().unwrap();
    assert!(message.starts_with("Gateway restarted; end time unknown"), "{message}");
    gateway.settled();
    gateway.stop();
}
