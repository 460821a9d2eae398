//! Session timers, RFC 4028, of SIPp and of softphones: each leg has its own.
//!
//! No interval is shorter than 90 s, so that a refresh of ours takes 45 s.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::Duration;

use support::{
    CUSTOMER, EMPTY, Gateway, Leaf, Linphone, Net, OURS, Office, Script, SecureTrunk, THEIRS, calls,
    eventually, is_completed, lines, listening, listens, missing, one_call, with_sdp,
};

/// We want a session timer of each side.
const WANTED: &str = r#"
[carrier.peer]
session_timer = "90s"

[voice_connector.peer]
session_timer = "90s"
"#;

const UPDATES: &str = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE\n";
const NO_UPDATE: &str = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\n";

/// Session-Expires, and that timers are known.
fn expires(interval: &str) -> String {
    format!("Supported: timer\nSession-Expires: {interval}\n")
}

fn connects(rest: &str) -> Script {
    let caller = Script::caller().invite(&format!("{rest}{}", with_sdp(None)));
    caller.optional(100).optional(180).expect(200)
}

fn answers(rest: &str) -> Script {
    let callee = Script::callee().answer(200, "OK", &format!("{rest}{}", with_sdp(None)));
    callee.expect("ACK")
}

/// The caller asks for a timer and refreshes, by UPDATE and by re-INVITE: the callee, that knows none, hears nothing.
#[test]
fn the_caller_refreshes() {
    let agreed = "Session-Expires: *90;refresher=uac";
    let caller = connects(&expires("90;refresher=uac")).matching(agreed).matching("Require: *timer").ack();
    let refresh = expires("90;refresher=uac");
    let caller = caller.pause(200).request("UPDATE", &format!("{refresh}{EMPTY}")).expect(200);
    let caller = caller.matching(agreed).pause(200);
    let caller = caller.request("INVITE", &format!("{refresh}{}", with_sdp(None))).optional(100);
    let caller = caller.expect(200).matching(agreed).matching("m=audio").ack().hangs_up();
    let callee = Script::callee().without("Session-Expires").answer(200, "OK", &with_sdp(None));
    is_completed(one_call(Net(218), "", caller, callee.expect("ACK").gets_hung_up_on()));
}

/// The carrier is asked for a timer, and takes the refreshes on itself. Its first offer is news to the caller, and no other.
#[test]
fn the_callee_refreshes() {
    let callee = Script::callee().matching("Session-Expires: *90[^0-9]").matching("Supported: .*timer");
    let refresher = format!("Require: timer\nSession-Expires: 90;refresher=uas\n{}", with_sdp(None));
    let callee = callee.answer(200, "OK", &refresher).expect("ACK").pause(300);
    let refresh = format!("{}{}", expires("90;refresher=uac"), with_sdp(None));
    let refreshes = |callee: Script| {
        let callee = callee.request("INVITE", &refresh).optional(100).expect(200);
        callee.matching("Session-Expires: *90;refresher=uac").matching("m=audio").ack().pause(200)
    };
    let callee = refreshes(refreshes(refreshes(callee))).gets_hung_up_on();
    let caller = connects("").ack().expect("INVITE").without("Session-Expires");
    let caller = caller.answer(200, "OK", &with_sdp(None)).expect("ACK").pause(800).hangs_up();
    is_completed(one_call(Net(219), "[carrier.peer]\nsession_timer = \"90s\"", caller, callee));
}

/// Less than anybody may ask is refused, and so are we where the carrier bears no less than 200 s.
#[test]
fn too_small() {
    let caller = Script::caller().invite(&format!("{}{}", expires("60"), with_sdp(None))).optional(100);
    let caller = caller.expect(422).matching("Min-SE: *90[^0-9]").ack_failure();
    let again = format!("{}Min-SE: 90\n{}", expires("90"), with_sdp(None));
    let caller = caller.invite(&again).optional(100).optional(180).expect(200);
    let caller = caller.matching("Session-Expires: *90;refresher=uac").ack().hangs_up();
    let callee = Script::callee().matching("Session-Expires: *90[^0-9]");
    let callee = callee.answer(422, "Session Interval Too Small", &format!("Min-SE: 200\n{EMPTY}"));
    let callee = callee.expect("ACK").expect("INVITE").matching("Session-Expires: *200[^0-9]");
    let callee = callee.matching("Min-SE: *200[^0-9]");
    let agreed = format!("Require: timer\nSession-Expires: 200;refresher=uas\n{}", with_sdp(None));
    let callee = callee.answer(200, "OK", &agreed).expect("ACK").gets_hung_up_on();
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(220);
    let more = "[carrier.peer]\nsession_timer = \"90s\"";
    let gateway = Gateway::start(net, &Office { more, ..Office::new(net, "udp") }.config());
    let callee = listens(net, 3, callee);
    calls(&gateway, caller).succeeded();
    callee.stop();
    let records = gateway.call_details(2);
    let told = [&records[0], &records[1]].map(|record| record["StatusMessage"].as_str().unwrap());
    assert_eq!(told, ["422 Session Interval Too Small", "OK"]);
    gateway.settled();
    gateway.stop();
}

/// Neither side knows timers: each is refreshed by us alone, by UPDATE where it allows that and by re-INVITE where not.
#[test]
fn neither_side_knows_of_it() {
    let caller = connects(UPDATES).matching("Session-Expires: *90;refresher=uas").without("Require: *timer");
    let caller = caller.ack().expect("UPDATE").matching("Content-Length: *0").answer(200, "OK", EMPTY);
    let callee = answers(NO_UPDATE).expect("INVITE").matching("m=audio").answer(200, "OK", &with_sdp(None));
    let caller = caller.pause(500).hangs_up();
    let Some(record) = one_call(Net(221), WANTED, caller, callee.expect("ACK").gets_hung_up_on()) else {
        return;
    };
    assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    assert!(record["BillableDurationSeconds"].as_u64().is_some_and(|seconds| seconds > 42), "{record:#}");
}

/// Linphone refreshes its leg by itself, and we that of baresip, which knows no session timers: both go on talking.
#[test]
fn linphone_and_baresip() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    let mut trunk = SecureTrunk::new(Net(227));
    trunk.carrier_is_secure = true;
    trunk.peers[1] = ", session_timer = \"90s\"";
    let own = Leaf::by_common_name(&trunk.net.ip(1).to_string());
    own.write(trunk.files.path(), "gateway");
    let callee = listening(trunk.carrier("answermode=auto"));
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let contact = format!("<sip:{OURS}@127.0.0.1>");
    let mut caller = Linphone::start_with_session_timer(&contact, 7578, &own);
    caller.dial(THEIRS, trunk.net.at(1, 5061));
    callee.hears(CUSTOMER);
    eventually("both are refreshed", Duration::from_secs(90), || {
        let output = callee.output();
        let refreshed = output.matches("\nINVITE sip:").count() == 2;
        if refreshed { Ok(()) } else { Err(output) }
    });
    callee.is_connected();
    caller.hang_up();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    gateway.settled();
    let logged = lines(&gateway.records(), "aws/ChimeVoiceConnectorSipMessages");
    let messages = logged.iter().filter_map(|line| line["sip_message"].as_str());
    let refreshes = messages.filter(|message| {
        message.starts_with("UPDATE ") && message.contains("Session-Expires: 90;refresher=uac")
    });
    assert_eq!(refreshes.count(), 1, "linphone's refreshes: {logged:#?}");
    gateway.stop();
    caller.quit();
}
