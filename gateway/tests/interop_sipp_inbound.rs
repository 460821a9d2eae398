//! Calls to the customer: routes by priority, groups, and from one connector to another.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use support::{EMPTY, Gateway, Net, OURS, Office, Script, Sipp, SippRun, THEIRS, listens, missing, with_sdp};

/// The other connector, with two routes, the group of both, and the group's number.
const BRANCH: &str = r#"
[[voice_connector]]
id = "branch"

[[voice_connector.origination.route]]
host = "127.0.N.5"
port = 5060

[[voice_connector.origination.route]]
host = "127.0.N.6"
port = 5060
priority = 2

[[voice_connector_group]]
id = "hunt"
members = [
  { voice_connector = "branch", priority = 1 },
  { voice_connector = "office", priority = 2 },
]

[[phone_number]]
number = "+12065550101"
voice_connector = "branch"

[[phone_number]]
number = "+12065550199"
voice_connector_group = "hunt"
"#;

/// The number of `branch`, and that of the group.
const BRANCH_NUMBER: &str = "+12065550101";
const GROUP_NUMBER: &str = "+12065550199";

/// The hosts listen before they are probed, since one that does not is tried last. `office`'s is 127.0.N.2:5070.
fn start(net: Net) -> Gateway {
    let branch = BRANCH.replace("127.0.N.", &format!("127.0.{}.", net.0));
    Gateway::start(net, &Office { more: &branch, ..Office::new(net, "udp") }.config())
}

fn office_listens(net: Net, callee: Script) -> SippRun {
    Sipp::new("callee", callee, net.at(2, 5070), "u1").listen()
}

/// One call from the carrier.
fn carrier_calls(gateway: &Gateway, number: &str, caller: Script) -> SippRun {
    let net = gateway.net;
    Sipp::new("caller", caller, net.at(3, 5061), "u1").key("from", THEIRS).to(number).call(net.gateway())
}

/// A callee that must be asked for `number` as a host of `connector`.
fn takes(number: &str, connector: &str) -> Script {
    let number = number.trim_start_matches('+');
    let callee = Script::callee().matching(&format!("^INVITE sip:.{number}@"));
    let callee = callee.matching(&format!("X-VoiceConnector-ID: {connector}"));
    callee.answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None)).expect("ACK").gets_hung_up_on()
}

fn refuses(status: u16, reason: &str) -> Script {
    Script::callee().answer(status, reason, EMPTY).expect("ACK")
}

fn attempts(gateway: &Gateway, connector: &str) -> [f64; 3] {
    let labels = [("voice_connector_id", connector), ("direction", "inbound")];
    let metrics = gateway.metrics();
    ["call_attempts_total", "call_failures_total", "calls_answered_total"]
        .map(|name| metrics.sum(name, &labels))
}

#[test]
fn second_route() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(81);
    let first = listens(net, 5, refuses(500, "Server Internal Error"));
    let second = listens(net, 6, takes(BRANCH_NUMBER, "branch"));
    let gateway = start(net);
    carrier_calls(&gateway, BRANCH_NUMBER, Script::connects().hangs_up()).succeeded();
    first.stop();
    second.stop();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["VoiceConnectorId"], "branch", "{record:#}");
    assert_eq!(record["Direction"], "Inbound", "{record:#}");
    assert_eq!(record["Status"], "Completed", "{record:#}");
    gateway.settled();
    assert_eq!(attempts(&gateway, "branch"), [1.0, 0.0, 1.0]);
    gateway.stop();
}

/// Both routes of the first member fail: the second member takes the call, and is billed alone.
#[test]
fn second_member() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(82);
    let first = listens(net, 5, refuses(503, "Service Unavailable"));
    let second = listens(net, 6, refuses(500, "Server Internal Error"));
    let office = office_listens(net, takes(GROUP_NUMBER, "office"));
    let gateway = start(net);
    carrier_calls(&gateway, GROUP_NUMBER, Script::connects().hangs_up()).succeeded();
    for callee in [first, second, office] {
        callee.stop();
    }
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["VoiceConnectorId"], "office", "{record:#}");
    assert_eq!(record["Status"], "Completed", "{record:#}");
    gateway.settled();
    assert_eq!(attempts(&gateway, "branch"), [1.0, 1.0, 0.0]);
    assert_eq!(attempts(&gateway, "office"), [1.0, 0.0, 1.0]);
    gateway.stop();
}

/// The last answer is the caller's.
#[test]
fn nobody_takes_it() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(83);
    let first = listens(net, 5, refuses(503, "Service Unavailable"));
    let second = listens(net, 6, refuses(480, "Temporarily Unavailable"));
    let gateway = start(net);
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(480).ack_failure();
    carrier_calls(&gateway, BRANCH_NUMBER, caller).succeeded();
    first.stop();
    second.stop();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Failed", "{record:#}");
    assert_eq!(record["StatusMessage"], "480 Temporarily Unavailable", "{record:#}");
    gateway.settled();
    assert_eq!(attempts(&gateway, "branch"), [1.0, 1.0, 0.0]);
    gateway.stop();
}

/// The caller gives up before the callee says anything: the CANCEL waits until it does.
#[test]
fn cancelled_in_silence() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(84);
    let callee = Script::callee().pause(1_500).answer(180, "Ringing", EMPTY).expect("CANCEL");
    let callee =
        callee.answer(200, "OK", EMPTY).answer_invite(487, "Request Terminated", EMPTY).expect("ACK");
    let callee = office_listens(net, callee);
    let gateway = start(net);
    let caller = Script::caller().invite(&with_sdp(None)).expect(100).pause(300).cancel();
    let caller = caller.expect(200).expect(487).ack_failure();
    carrier_calls(&gateway, OURS, caller).succeeded();
    callee.stop();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Failed", "{record:#}");
    gateway.settled();
    gateway.stop();
}

/// From one connector's number to another's: no carrier sees it, and both are billed under one transaction id.
#[test]
fn on_net() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(85);
    let callee = listens(net, 5, takes(BRANCH_NUMBER, "branch"));
    let gateway = start(net);
    let caller = Script::connects().hangs_up();
    let caller = Sipp::new("caller", caller, net.at(2, 5061), "u1").key("from", OURS).to(BRANCH_NUMBER);
    caller.call(net.gateway()).succeeded();
    callee.stop();
    let mut records = gateway.call_details(2);
    records.sort_by_key(|record| record["Direction"].as_str().map(str::to_owned));
    let of = |field: &str| {
        [&records[0][field], &records[1][field]].map(|value| value.as_str().unwrap().to_owned())
    };
    assert_eq!(of("Direction"), ["Inbound", "Outbound"]);
    assert_eq!(of("VoiceConnectorId"), ["branch", "office"]);
    assert_eq!(of("Status"), ["Completed", "Completed"]);
    assert_eq!(records[0]["TransactionId"], records[1]["TransactionId"]);
    gateway.settled();
    gateway.stop();
}
