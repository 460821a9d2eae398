//! What happens while it rings: reliable provisional responses (RFC 3262), UPDATE (RFC 3311), and calls that are sent
//! elsewhere (3xx), between SIPp and SIPp.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use serde_json::Value;
use support::{
    EMPTY, Gateway, Net, OURS, Office, Script, calls, ended, is_completed, is_failed, listens, missing,
    one_call, with_sdp,
};

const RELIABLE: &str = "Supported: 100rel\n";

/// What a side allows that has UPDATE, and one that has not.
const UPDATES: &str = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE\n";
const NO_UPDATE: &str = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK\n";

fn call(net: u16, more: &str, caller: Script, callee: Script) -> Option<Value> {
    one_call(Net(net), more, caller, callee)
}

/// A caller that has a reliable 183, and whose PRACK goes on with `rest`.
fn hears_reliably(caller: Script, rest: &str) -> Script {
    let caller = caller.optional(100).expect(183).matching("Require: 100rel").keep("RSeq", "rseq");
    caller.request("PRACK", &format!("RAck: [$rseq] 1 INVITE\n{rest}")).expect(200)
}

/// A callee whose 183 is reliable, goes on with `rest`, and is acknowledged.
fn rings_reliably(callee: Script, rest: &str) -> Script {
    let reliable = format!("{UPDATES}Require: 100rel\nRSeq: 7001\n{rest}");
    callee.answer(183, "Session Progress", &reliable).expect("PRACK").matching("RAck: *7001 [0-9]+ INVITE")
}

/// The caller has it all by now: the 2xx says nothing new.
fn is_answered(caller: Script) -> Script {
    caller.expect(200).ack().hangs_up()
}

fn answers_at_last(callee: Script, rest: &str) -> Script {
    callee.answer_invite(200, "OK", &format!("{UPDATES}{rest}")).expect("ACK").gets_hung_up_on()
}

#[test]
fn both_sides_are_reliable() {
    let caller = Script::caller().invite(&format!("{RELIABLE}{}", with_sdp(None)));
    let caller = is_answered(hears_reliably(caller, EMPTY));
    let callee = rings_reliably(Script::callee().matching("Supported: .*100rel"), &with_sdp(None));
    is_completed(call(201, "", caller, answers_at_last(callee.answer(200, "OK", EMPTY), EMPTY)));
}

/// We acknowledge the callee's ringing; the caller, that knows nothing of it, is told of it in the old way.
#[test]
fn the_callee_alone_is_reliable() {
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(183).without("100rel|RSeq");
    let callee = rings_reliably(Script::callee(), &with_sdp(None));
    let callee = answers_at_last(callee.answer(200, "OK", EMPTY), EMPTY);
    is_completed(call(202, "", caller.matching("m=audio").expect(200).ack().hangs_up(), callee));
}

/// The caller demands it: what the callee says in the old way is numbered by us.
#[test]
fn the_caller_alone_is_reliable() {
    let demands = format!("Require: 100rel\n{}", with_sdp(None));
    let caller = is_answered(hears_reliably(Script::caller().invite(&demands), EMPTY));
    let callee = Script::callee().answer(183, "Session Progress", &with_sdp(None)).pause(300);
    is_completed(call(203, "", caller, answers_at_last(callee, &with_sdp(None))));
}

/// Demanded of the carrier by us, whatever the caller knows.
#[test]
fn the_carrier_must_be_reliable() {
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(183).without("100rel|RSeq");
    let callee = rings_reliably(Script::callee().matching("Require: .*100rel"), &with_sdp(None));
    let callee = answers_at_last(callee.answer(200, "OK", EMPTY), EMPTY);
    let more = "[carrier.peer]\nprack = \"required\"";
    is_completed(call(204, more, caller.expect(200).ack().hangs_up(), callee));
}

/// Whoever demands it of a side that is configured to do without is told so.
#[test]
fn a_call_that_demands_it_in_vain() {
    let demands = format!("Require: 100rel\n{}", with_sdp(None));
    let caller = Script::caller().invite(&demands).optional(100).expect(420);
    let caller = caller.matching("Unsupported: 100rel").ack_failure();
    if missing(&["sipp"]) {
        return;
    }
    let more = "[voice_connector.peer]\nprack = \"off\"";
    let gateway = Gateway::start(Net(205), &Office { more, ..Office::new(Net(205), "udp") }.config());
    calls(&gateway, caller).succeeded();
    gateway.settled();
    gateway.stop();
}

/// A call without an offer: the callee's is in its ringing, the caller's PRACK has the answer.
#[test]
fn the_prack_answers_the_offer_of_the_ringing() {
    let caller = Script::caller().invite(&format!("{RELIABLE}{EMPTY}"));
    let caller = caller.optional(100).expect(183).matching("m=audio").keep("RSeq", "rseq");
    let caller = caller.request("PRACK", &format!("RAck: [$rseq] 1 INVITE\n{}", with_sdp(None))).expect(200);
    let callee = Script::callee().matching("Content-Length: *0");
    let callee = rings_reliably(callee, &with_sdp(None)).matching("m=audio").answer(200, "OK", EMPTY);
    is_completed(call(206, "", is_answered(caller), answers_at_last(callee, EMPTY)));
}

/// A second offer, in the PRACK, goes on as an UPDATE.
#[test]
fn the_prack_offers() {
    let caller = Script::caller().invite(&format!("{RELIABLE}{UPDATES}{}", with_sdp(None)));
    let caller = hears_reliably(caller, &with_sdp(Some("sendonly"))).matching("a=recvonly");
    let callee = rings_reliably(Script::callee(), &with_sdp(None)).answer(200, "OK", EMPTY);
    let callee = callee.expect("UPDATE").matching("a=sendonly");
    let callee = callee.answer(200, "OK", &with_sdp(Some("recvonly")));
    is_completed(call(207, "", is_answered(caller), answers_at_last(callee, EMPTY)));
}

#[test]
fn the_caller_updates_before_the_answer() {
    let caller = Script::caller().invite(&format!("{RELIABLE}{UPDATES}{}", with_sdp(None)));
    let caller = hears_reliably(caller, EMPTY).request("UPDATE", &with_sdp(Some("sendonly"))).expect(200);
    let callee = rings_reliably(Script::callee(), &with_sdp(None)).answer(200, "OK", EMPTY);
    let callee = callee.expect("UPDATE").matching("a=sendonly");
    let callee = callee.answer(200, "OK", &with_sdp(Some("recvonly")));
    let caller = is_answered(caller.matching("a=recvonly"));
    is_completed(call(208, "", caller, answers_at_last(callee, EMPTY)));
}

#[test]
fn the_callee_updates_before_the_answer() {
    let caller = Script::caller().invite(&format!("{RELIABLE}{UPDATES}{}", with_sdp(None)));
    let caller = hears_reliably(caller, EMPTY).expect("UPDATE").matching("a=sendonly");
    let caller = caller.answer(200, "OK", &with_sdp(Some("recvonly")));
    let callee = rings_reliably(Script::callee(), &with_sdp(None)).answer(200, "OK", EMPTY);
    let callee = callee.request("UPDATE", &with_sdp(Some("sendonly"))).expect(200).matching("a=recvonly");
    is_completed(call(209, "", is_answered(caller), answers_at_last(callee, EMPTY)));
}

/// To a side that does not allow it goes a re-INVITE in its place, whichever side asks.
#[test]
fn an_update_after_the_answer_reaches_who_does_not_allow_it() {
    let updates = |script: Script| {
        let script = script.request("UPDATE", &with_sdp(Some("sendonly")));
        script.expect(200).matching("a=recvonly")
    };
    let reinvited = |script: Script| {
        let script = script.expect("INVITE").matching("a=sendonly");
        script.answer(200, "OK", &with_sdp(Some("recvonly"))).expect("ACK")
    };
    let connects = |allow: &str| {
        let caller = Script::caller().invite(&format!("{allow}{}", with_sdp(None)));
        caller.optional(100).optional(180).expect(200).ack()
    };
    let answers = |allow: &str| {
        let callee = Script::callee().answer(200, "OK", &format!("{allow}{}", with_sdp(None)));
        callee.expect("ACK")
    };
    let callee = reinvited(answers(NO_UPDATE)).gets_hung_up_on();
    is_completed(call(210, "", updates(connects(UPDATES)).hangs_up(), callee));
    let callee = updates(answers(UPDATES).pause(200)).gets_hung_up_on();
    is_completed(call(211, "", reinvited(connects(NO_UPDATE)).hangs_up(), callee));
}

/// To the best of the numbers that may be called, which is told who sent the call there.
#[test]
fn a_302_with_two_contacts() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(212);
    let more = format!(
        "[[carrier]]\nname = \"second\"\nprefixes = [\"+1628555131\"]\n[[carrier.host]]\nhost = \"{}\"\n",
        net.ip(4)
    );
    let places =
        "Contact: <sip:+16285551313@elsewhere.example>;q=0.2, <sip:+442079460123@elsewhere.example>;q=0.9\n";
    let moved = Script::callee().answer(302, "Moved Temporarily", &format!("{places}{EMPTY}")).expect("ACK");
    let moved = listens(net, 3, moved);
    let answers = Script::callee().matching("^INVITE sip:.16285551313@").matching("Diversion: .*16285551212");
    let answers = answers.answer(200, "OK", &with_sdp(None)).expect("ACK").gets_hung_up_on();
    let answers = listens(net, 4, answers);
    let gateway = Gateway::start(net, &Office { more: &more, ..Office::new(net, "udp") }.config());
    calls(&gateway, Script::connects().hangs_up()).succeeded();
    for callee in [moved, answers] {
        callee.stop();
    }
    let record = ended(gateway);
    assert_eq!(record["SourcePhoneNumber"], OURS, "{record:#}");
    assert_eq!(record["DestinationPhoneNumber"], "+16285551313", "{record:#}");
    is_completed(Some(record));
}

/// A number that is not in the calling plan is not called because a 302 says so, and the caller does not hear of it.
#[test]
fn a_302_to_where_nobody_may_call() {
    let abroad = format!("Contact: <sip:+442079460123@elsewhere.example>\n{EMPTY}");
    let moved = Script::callee().answer(302, "Moved Temporarily", &abroad).expect("ACK");
    let caller = Script::caller().invite(&with_sdp(None)).optional(100).expect(403).without("442079460123");
    let record = call(213, "", caller.ack_failure(), moved);
    is_failed(record, "403 Redirected (302), not followed");
}
