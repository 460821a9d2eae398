//! Blind transfers between SIPp and SIPp: who asks for one hears by NOTIFY what came of it. RFC 3515, RFC 5589 §6.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use serde_json::Value;
use support::{
    EMPTY, Gateway, Net, OURS, Office, Script, SippRun, THEIRS, calls, listens, missing, with_sdp,
};

const TARGET: &str = "+16285551313";

/// Customer's transfers are carried out; the target is at 127.0.N.4.
fn config(net: Net) -> String {
    let more = format!(
        r#"
[voice_connector.peer]
refer = "handle"

[[carrier]]
name = "second"
prefixes = ["{TARGET}"]

[[carrier.host]]
host = "{}"
port = 5060
"#,
        net.ip(4)
    );
    Office { more: &more, ..Office::new(net, "udp") }.config()
}

/// Asks for the transfer, and is told to wait.
fn refers(script: Script) -> Script {
    let to = format!("Refer-To: <sip:{TARGET}@elsewhere.example>\n{EMPTY}");
    notified(script.pause(300).request("REFER", &to).expect(202), "100", "active")
}

/// Hears of the transfer.
fn notified(script: Script, status: &str, state: &str) -> Script {
    let script = script.expect("NOTIFY").matching("Event: *refer").matching("Content-Type: *message/sipfrag");
    let script = script.matching(&format!("Subscription-State: *{state}"));
    script.matching(&format!("SIP/2.0 {status}")).answer(200, "OK", EMPTY)
}

/// Who is transferred is described the media of the target.
fn is_transferred(script: Script) -> Script {
    let script = script.expect("INVITE").matching("m=audio").without("Referred-By|Refer-To|Replaces");
    script.answer(200, "OK", &with_sdp(None)).expect("ACK")
}

fn target_answers(target: Script) -> Script {
    target.answer(180, "Ringing", EMPTY).pause(200).answer(200, "OK", &with_sdp(None)).expect("ACK")
}

/// A call from the PBX to the carrier, whose customer's side is `caller`.
fn transfer(net: Net, caller: Script, callee: Script, target: Script) -> Option<Vec<Value>> {
    if missing(&["sipp"]) {
        return None;
    }
    let [callee, target]: [SippRun; 2] = [listens(net, 3, callee), listens(net, 4, target)];
    let gateway = Gateway::start(net, &config(net));
    calls(&gateway, caller).succeeded();
    callee.stop();
    target.stop();
    let mut records = gateway.call_details(2);
    records.sort_by_key(|record| record["DestinationPhoneNumber"].as_str().map(str::to_owned));
    let numbers = |name: &str| [&records[0], &records[1]].map(|record| record[name].as_str().unwrap());
    assert_eq!(numbers("SourcePhoneNumber"), [OURS, OURS], "who transfers pays");
    assert_eq!(numbers("DestinationPhoneNumber"), [THEIRS, TARGET]);
    gateway.settled();
    gateway.stop();
    Some(records)
}

#[test]
fn the_target_answers() {
    let caller = notified(notified(refers(Script::connects()), "180", "active"), "200", "terminated");
    let caller = caller.request("BYE", EMPTY).expect(200);
    let target = Script::callee().matching(&OURS[1..]).without("Referred-By|Refer-To|Replaces");
    let target = target_answers(target).pause(800).request("BYE", EMPTY).expect(200);
    let callee = is_transferred(Script::answers()).gets_hung_up_on();
    let Some(records) = transfer(Net(214), caller, callee, target) else { return };
    for record in records {
        assert_eq!(record["StatusMessage"], "OK", "{record:#}");
        assert_eq!(record["Status"], "Completed", "{record:#}");
    }
}

/// A target that is busy leaves the call as it was, and the truth is told.
#[test]
fn the_target_is_busy() {
    let caller = notified(refers(Script::connects()), "486", "terminated").hangs_up();
    let target = Script::callee().answer(486, "Busy Here", EMPTY).expect("ACK");
    let callee = Script::answers().gets_hung_up_on();
    let Some(records) = transfer(Net(215), caller, callee, target) else { return };
    assert_eq!(records[0]["StatusMessage"], "OK", "{records:#?}");
    assert_eq!(records[1]["StatusMessage"], "486 Busy Here", "{records:#?}");
}

/// Who transfers hangs up at once, as phones do: the two that are left find each other.
#[test]
fn who_transfers_does_not_wait() {
    let caller = refers(Script::connects()).request("BYE", EMPTY).expect(200);
    let caller = notified(notified(caller, "180", "active"), "200", "terminated");
    // It rings well after the BYE, also on a busy machine, for the caller takes no NOTIFY while it waits for the answer to that.
    let target = target_answers(Script::callee().pause(2_000)).pause(800).request("BYE", EMPTY).expect(200);
    let callee = is_transferred(Script::answers()).gets_hung_up_on();
    let Some(records) = transfer(Net(216), caller, callee, target) else { return };
    assert_eq!(records[1]["StatusMessage"], "OK", "{records:#?}");
}

/// A carrier may not, unless it is configured: it is told so, and the call goes on.
#[test]
fn a_carrier_may_not() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(217);
    let to = format!("Refer-To: <sip:{TARGET}@elsewhere.example>\n{EMPTY}");
    let callee = Script::answers().pause(100).request("REFER", &to).expect(405).matching("Allow: ");
    let callee = listens(net, 3, callee.without("Allow: .*REFER").gets_hung_up_on());
    let gateway = Gateway::start(net, &config(net));
    calls(&gateway, Script::connects().hangs_up()).succeeded();
    callee.stop();
    support::is_completed(Some(support::ended(gateway)));
}
