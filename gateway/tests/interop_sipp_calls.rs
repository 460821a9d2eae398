//! One call each, awkward in one way, between SIPp and SIPp.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use serde_json::Value;
use support::{
    EMPTY, Gateway, Net, OURS, Office, Script, Sipp, SippRun, THEIRS, calls, ended, is_completed, is_failed,
    listens, missing, one_call, with_sdp,
};

/// SIPp is there, and a trunk with the tables of `more`.
fn office(net: Net, more: &str) -> Option<Gateway> {
    (!missing(&["sipp"])).then(|| Gateway::start(net, &Office { more, ..Office::new(net, "udp") }.config()))
}

/// One outbound call over UDP, and its record.
fn call(net: u16, caller: Script, callee: Script) -> Option<Value> {
    one_call(Net(net), "", caller, callee)
}

#[test]
fn callee_hangs_up() {
    is_completed(call(31, Script::connects().gets_hung_up_on(), Script::answers().hangs_up()));
}

#[test]
fn early_media() {
    let callee = Script::callee().answer(183, "Session Progress", &with_sdp(None)).pause(200);
    let callee = callee.answer(200, "OK", &with_sdp(None)).expect("ACK");
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(183).matching("m=audio");
    let caller = caller.expect(200).matching("m=audio").ack();
    is_completed(call(32, caller.hangs_up(), callee.gets_hung_up_on()));
}

#[test]
fn late_offer() {
    let caller = Script::caller().invite(EMPTY).optional(100).optional(180).expect(200).matching("m=audio");
    let callee = Script::callee().matching("Content-Length: *0").answer(180, "Ringing", EMPTY);
    let callee = callee.answer(200, "OK", &with_sdp(None)).expect("ACK").matching("m=audio");
    is_completed(call(33, caller.ack_with(&with_sdp(None)).hangs_up(), callee.gets_hung_up_on()));
}

#[test]
fn caller_cancels() {
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(180).pause(200).cancel();
    let caller = caller.expect(200).expect(487).ack_failure();
    let callee = Script::callee().answer(180, "Ringing", EMPTY).expect("CANCEL").answer(200, "OK", EMPTY);
    let callee = callee.answer_invite(487, "Request Terminated", EMPTY).expect("ACK");
    is_failed(call(34, caller, callee), "487 Request Terminated");
}

const SECOND: &str = r#"
[[carrier]]
name = "second"
priority = 2

[[carrier.host]]
host = "127.0.N.4"
port = 5060
"#;

/// A trunk with two carriers that listen before they are probed, since one that does not is tried last.
fn two_carriers(net: Net, first: Script, second: Script) -> Option<(Gateway, [SippRun; 2])> {
    if missing(&["sipp"]) {
        return None;
    }
    let carriers = [listens(net, 3, first), listens(net, 4, second)];
    let gateway = office(net, &SECOND.replace("127.0.N.4", &net.ip(4).to_string()))?;
    Some((gateway, carriers))
}

fn fails_over(net: u16, first: Script) -> Option<Value> {
    let (gateway, carriers) = two_carriers(Net(net), first, Script::answers().gets_hung_up_on())?;
    calls(&gateway, Script::connects().pause(1_500).hangs_up()).succeeded();
    for carrier in carriers {
        carrier.stop();
    }
    Some(ended(gateway))
}

#[test]
fn busy_is_not_tried_elsewhere() {
    let busy = Script::callee().answer(486, "Busy Here", EMPTY).expect("ACK");
    let Some((gateway, [first, second])) = two_carriers(Net(35), busy, Script::answers().gets_hung_up_on())
    else {
        return;
    };
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(486).ack_failure();
    calls(&gateway, caller).succeeded();
    first.stop();
    drop(second);
    is_failed(Some(ended(gateway)), "486 Busy Here");
}

#[test]
fn unavailable_carrier() {
    is_completed(fails_over(36, Script::callee().answer(503, "Service Unavailable", EMPTY).expect("ACK")));
}

/// A carrier that is alive, by its answers to OPTIONS, but says nothing to an INVITE.
#[test]
fn mute_carrier() {
    is_completed(fails_over(37, Script::callee().pause(5_000)));
}

/// The first carrier rings once the call is up elsewhere: it is told that nobody waits.
#[test]
fn ringing_after_failover() {
    let late = Script::callee().pause(4_700).answer(180, "Ringing", EMPTY).expect("CANCEL");
    let late = late.answer(200, "OK", EMPTY).answer_invite(487, "Request Terminated", EMPTY).expect("ACK");
    is_completed(fails_over(46, late));
}

/// The first carrier answers once the call is up elsewhere: it is hung up on.
#[test]
fn answer_after_failover() {
    let late = Script::callee().pause(4_700).answer(200, "OK", &with_sdp(None)).expect("ACK");
    let Some(record) = fails_over(38, late.gets_hung_up_on()) else { return };
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert!(record["StatusMessage"].as_str().unwrap().starts_with("OK; "), "{record:#}");
}

fn holds(script: Script) -> Script {
    let held = script.request("INVITE", &with_sdp(Some("sendonly"))).optional(100);
    let held = held.expect(200).matching("a=recvonly").ack().pause(200);
    held.request("INVITE", &with_sdp(Some("sendrecv"))).optional(100).expect(200).ack()
}

fn is_held(script: Script) -> Script {
    let held = script.expect("INVITE").matching("a=sendonly").answer(200, "OK", &with_sdp(Some("recvonly")));
    held.expect("ACK").expect("INVITE").answer(200, "OK", &with_sdp(None)).expect("ACK")
}

#[test]
fn caller_holds() {
    is_completed(call(
        39,
        holds(Script::connects()).hangs_up(),
        is_held(Script::answers()).gets_hung_up_on(),
    ));
}

#[test]
fn callee_holds() {
    is_completed(call(
        40,
        is_held(Script::connects()).hangs_up(),
        holds(Script::answers().pause(100)).gets_hung_up_on(),
    ));
}

/// What the other side does not want stays as it is.
#[test]
fn change_is_refused() {
    let caller =
        Script::connects().request("INVITE", &with_sdp(None)).optional(100).expect(488).ack_refused();
    let callee = Script::answers().expect("INVITE").answer(488, "Not Acceptable Here", EMPTY).expect("ACK");
    is_completed(call(41, caller.hangs_up(), callee.gets_hung_up_on()));
}

#[test]
fn requests_inside_a_call() {
    let info = support::body("application/dtmf-relay", "Signal=5\nDuration=160\n");
    let caller =
        Script::connects().request("INFO", &info).expect(200).request("UPDATE", &with_sdp(None)).expect(200);
    let caller = caller.matching("m=audio").request("OPTIONS", EMPTY).expect(200);
    let callee = Script::answers().expect("INFO").matching("Signal=5").answer(200, "OK", EMPTY);
    let callee = callee.expect("UPDATE").matching("m=audio").answer(200, "OK", &with_sdp(None));
    is_completed(call(42, caller.hangs_up(), callee.gets_hung_up_on()));
}

#[test]
fn digest() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(43);
    // SIPp 3.6 looks at the first challenge alone, and ends where that is not MD5.
    let termination = r#"
credentials = [{ username = "branch", password = "correct-horse" }]
digest_algorithms = ["MD5"]
"#;
    let gateway = Gateway::start(net, &Office { termination, ..Office::new(net, "udp") }.config());
    let callee = listens(net, 3, Script::answers().gets_hung_up_on());
    let proof = "[authentication username=branch password=correct-horse]\n";
    let caller = Script::caller().invite(&with_sdp(None)).challenge(407).ack_failure();
    let caller =
        caller.invite(&format!("{proof}{}", with_sdp(None))).optional(100).optional(180).expect(200).ack();
    // By itself it writes no number into the credentials, which are good for the number that they name alone.
    let uri = format!("{THEIRS}@{}", net.gateway());
    let caller = Sipp::new("caller", caller.hangs_up(), net.at(2, 5061), "u1").args(&["-auth_uri", &uri]);
    caller.key("from", OURS).to(THEIRS).call(net.gateway()).succeeded();
    callee.stop();
    let record = ended(gateway);
    assert_eq!(record["SipAuthUser"], "branch");
    is_completed(Some(record));
}

/// The second copy of the INVITE begins nothing.
#[test]
fn repeated_invite() {
    let caller = Script::caller().invite(&with_sdp(None)).expect(100).again();
    let caller = caller.optional(100).optional(180).expect(200).ack();
    let callee = Script::callee().pause(150).answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    is_completed(call(44, caller.hangs_up(), callee.expect("ACK").gets_hung_up_on()));
}

/// From TCP over IPv6 to UDP over IPv4, each side with addresses of its own in SDP and Contact.
#[test]
fn across_transports_and_families() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(45);
    let termination = r#"credentials = []"#;
    let more = format!(
        r#"
[[listen]]
protocol = "tcp"
address = "[::1]:5060"

[media]
address = ["{}", "::1"]
"#,
        net.ip(1)
    );
    let config = Office { termination, more: &more, ..Office::new(net, "udp") }.config();
    let config = config.replace("allowlist = [\"127.0.45.2\"", "allowlist = [\"::1\", \"127.0.45.2\"");
    let gateway = Gateway::start(net, &config);
    let callee = Script::callee().matching("c=IN IP4 127.0.45.1").matching("Contact: .*127.0.45.1:5060");
    let callee = callee.answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None)).expect("ACK");
    let callee = listens(net, 3, callee.gets_hung_up_on());
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).optional(180).expect(200);
    let caller = caller.matching("c=IN IP6 ::1").matching("Contact: .*\\[::1\\]:5060.*transport=tcp").ack();
    let caller =
        Sipp::new("caller", caller.hangs_up(), "[::1]:5061".parse().unwrap(), "t1").key("from", OURS);
    caller.to(THEIRS).call("[::1]:5060".parse().unwrap()).succeeded();
    callee.stop();
    is_completed(Some(ended(gateway)));
}
