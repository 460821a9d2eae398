//! Calls to a carrier whose proxy is Kamailio: it forks, adds Record-Route, and redirects.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use support::{EMPTY, Gateway, Kamailio, Net, OURS, Office, Script, Sipp, calls, listens, missing, with_sdp};

/// The gateway between the PBX and Kamailio.
fn trunk(net: Net) -> Option<(Gateway, Kamailio)> {
    if missing(&["sipp", "kamailio"]) {
        return None;
    }
    let kamailio = Kamailio::start(net);
    Some((Gateway::start(net, &Office::new(net, "udp").config()), kamailio))
}

/// One phone rings and is cancelled, the other sends an announcement and answers.
#[test]
fn the_fork_that_answers_has_the_call() {
    let net = Net(243);
    let Some((gateway, _kamailio)) = trunk(net) else { return };
    let rings = Script::callee().answer(180, "Ringing", EMPTY).expect("CANCEL").answer(200, "OK", EMPTY);
    let rings = listens(net, 4, rings.answer_invite(487, "Request Terminated", EMPTY).expect("ACK"));
    let answers = Script::callee().answer(183, "Session Progress", &with_sdp(None)).pause(700);
    let answers = answers.answer(200, "OK", &with_sdp(None)).expect("ACK").gets_hung_up_on();
    let answers = listens(net, 5, answers);
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).optional(180).optional(183);
    calls(&gateway, caller.expect(200).matching("m=audio").ack().hangs_up()).succeeded();
    rings.stop();
    answers.stop();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    gateway.settled();
    gateway.stop();
}

/// Kamailio stays on the way: what either side asks inside the call goes through it.
#[test]
fn requests_inside_the_call_follow_its_record_route() {
    let net = Net(244);
    let Some((gateway, _kamailio)) = trunk(net) else { return };
    let by_kamailio = format!("Via: SIP/2.0/UDP {}", net.carrier());
    let busy = listens(net, 4, Script::callee().answer(486, "Busy Here", EMPTY).expect("ACK"));
    let callee = Script::answers().expect("INVITE").matching(&by_kamailio);
    let callee = callee.answer(200, "OK", &with_sdp(Some("recvonly"))).expect("ACK").matching(&by_kamailio);
    let callee = callee.pause(200).request("INVITE", &with_sdp(Some("inactive"))).optional(100).expect(200);
    let callee = listens(net, 5, callee.ack().gets_hung_up_on());
    let caller = Script::connects().request("INVITE", &with_sdp(Some("sendonly"))).optional(100);
    let caller = caller.expect(200).matching("a=recvonly").ack();
    let caller =
        caller.expect("INVITE").matching("a=inactive").answer(200, "OK", &with_sdp(Some("inactive")));
    calls(&gateway, caller.expect("ACK").hangs_up()).succeeded();
    busy.stop();
    callee.stop();
    gateway.call_details(1);
    gateway.settled();
    gateway.stop();
}

/// A number that has moved: the one that it moved to is called, by the same proxy.
#[test]
fn a_302_is_followed_to_its_number() {
    let net = Net(245);
    let Some((gateway, _kamailio)) = trunk(net) else { return };
    let busy = listens(net, 4, Script::callee().answer(486, "Busy Here", EMPTY).expect("ACK"));
    let moved = Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    let moved = moved.expect("ACK").matching(&Kamailio::MOVED[1..]).gets_hung_up_on();
    let moved = listens(net, 5, moved);
    let caller = Script::connects().hangs_up();
    let caller = Sipp::new("caller", caller, net.at(2, 5061), "u1").key("from", OURS).to("+16285550302");
    caller.call(net.gateway()).succeeded();
    busy.stop();
    moved.stop();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(
        (record["Status"].as_str(), record["StatusMessage"].as_str()),
        (Some("Completed"), Some("OK"))
    );
    assert_eq!(record["DestinationPhoneNumber"], Kamailio::MOVED, "{record:#}");
    gateway.settled();
    gateway.stop();
}
