//! SRTP keys of whole calls: what each side is shown, and that its audio can be read by an SRTP that is not ours.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::TcpListener;

use serde_json::Value;
use sip::sdp::{Crypto, Stream};
use sip::{Message, Name};
use support::{
    Authority, Gateway, Media, Net, OURS, Office, PATIENCE, Peer, THEIRS, Talk, Who, both_hear, describe,
    eventually, lines, no_file_tells, shown, status_line, stream,
};

const CM_80: &str = "AES_CM_128_HMAC_SHA1_80";
const CM_32: &str = "AES_CM_128_HMAC_SHA1_32";
const CM_256: &str = "AES_256_CM_HMAC_SHA1_80";

/// The tags under which the gateway offers its default suites.
const TAGS: [(u32, &str); 3] = [(1, CM_256), (2, CM_80), (3, CM_32)];

struct Trunk {
    net: Net,
    gateway: Gateway,
    pbx: Peer,
    carrier: Peer,
}

impl Trunk {
    /// `srtp` of the connector and of the carrier, with more keys of their `peer`.
    fn start(net: Net, connector: &str, carrier: &str) -> Trunk {
        let termination = format!(
            "\n[voice_connector.logging]\nsip_messages = true\n\n[voice_connector.peer]\n{connector}\n"
        );
        let more = format!("[carrier.peer]\n{carrier}\n");
        let office = Office { termination: &termination, more: &more, ..Office::new(net, "udp") };
        let pbx = Peer::udp(net.at(2, 5070), net.gateway());
        let carrier = Peer::udp(net.at(3, 5060), net.gateway());
        let gateway = Gateway::start_verbose(net, &office.config());
        Trunk { net, gateway, pbx, carrier }
    }

    fn voices(&self) -> (Media, Media) {
        (Media::new(self.net.at(2, 4000), b'a'), Media::new(self.net.at(3, 4000), b'b'))
    }

    /// A call of SRTP on both sides.
    fn call(&self, phone: &mut Media, callee: &mut Media) -> Talk<'_> {
        let offer = phone.keyed("RTP/SAVP", 1, CM_80);
        let (talk, answer) = Talk::up(&self.pbx, &self.carrier, THEIRS, offer, |offered| {
            let answer = callee.keyed(&stream(offered).protocol, 2, CM_80);
            callee.learns(offered, 2);
            answer
        });
        phone.learns(&answer, 1);
        both_hear(phone, callee);
        talk
    }

    fn refused(&self, cause: &str) -> f64 {
        self.gateway.metrics().sum("media_refusals_total", &[("cause", cause)])
    }

    /// So many calls are over, completed; no packet was refused but `unauthenticated` ones.
    fn ends(self, calls: usize, unauthenticated: f64) {
        let records = self.gateway.call_details(calls);
        assert!(records.iter().all(|record| record["Status"] == "Completed"), "{records:#?}");
        self.gateway.settled();
        for (cause, count) in [("unauthenticated", unauthenticated), ("replayed", 0.0), ("source", 0.0)] {
            assert_eq!(self.refused(cause), count, "{cause}");
        }
        self.gateway.stop();
    }
}

/// Transport, tags and suites.
fn shows(stream: &Stream) -> (String, Vec<(u32, String)>) {
    let lines = stream.cryptos().into_iter().map(|line: Crypto| (line.tag, line.suite.to_string()));
    (stream.protocol.to_string(), lines.collect())
}

fn expected(protocol: &str, lines: &[(u32, &str)]) -> (String, Vec<(u32, String)>) {
    (protocol.to_owned(), lines.iter().map(|(tag, suite)| (*tag, (*suite).to_owned())).collect())
}

fn reason(message: &Message) -> String {
    message.value(Name::Reason).unwrap_or_else(|| panic!("{}", shown(message))).into_owned()
}

/// Three connectors and three carriers, each with its policy: every way between them, and all that a phone can offer.
#[test]
fn every_policy_of_the_one_side_meets_every_policy_of_the_other() {
    const POLICIES: [&str; 3] = ["off", "optional", "required"];
    let net = Net(178);
    let mut config =
        format!("listen = [{{ address = \"{}\" }}]\n[admin]\naddress = \"{}\"\n", net.gateway(), net.admin());
    for (n, policy) in (1..).zip(POLICIES) {
        let (pbx, carrier) = (net.ip(10 + n), net.ip(20 + n));
        config.push_str(&format!(
            r#"
[[voice_connector]]
id = "{policy}"
peer = {{ srtp = "{policy}" }}
origination = {{ enabled = false }}
[voice_connector.termination]
allowlist = ["{pbx}"]
calling_plan = ["US"]
caller_id_policy = "any"

[[carrier]]
name = "{policy}"
prefixes = ["+1628555{n}"]
peer = {{ srtp = "{policy}" }}
host = [{{ host = "{carrier}" }}]
"#
        ));
    }
    let gateway = Gateway::start(net, &config);
    let peers = |first: u8, port| [1, 2, 3].map(|n| Peer::udp(net.at(first + n, port), net.gateway()));
    let (callers, callees) = (peers(10, 5070), peers(20, 5060));
    for (caller, ours) in callers.iter().zip(POLICIES) {
        for (offered, keyed) in [("RTP/AVP", false), ("RTP/AVP", true), ("RTP/SAVP", true)] {
            for ((n, callee), theirs) in (1..).zip(&callees).zip(POLICIES) {
                let name = format!("{ours} offers {offered} keyed {keyed}, the carrier's is {theirs}");
                let mut phone = Media::new(net.at(2, 4000), b'a');
                let number = format!("+1628555{n}212");
                let offer = match keyed {
                    true => phone.keyed(offered, 7, CM_80),
                    false => phone.plain(),
                };
                let refusal = match (ours, offered, keyed) {
                    ("off", "RTP/SAVP", _) => Some("SRTP is off for this side"),
                    ("required", _, false) => Some("SRTP is required: no key is offered"),
                    _ => None,
                };
                if let Some(text) = refusal {
                    let invite = caller.invite(&number).body("application/sdp", offer.into());
                    let answer = caller.ask(invite);
                    assert_eq!(answer.status().unwrap().code(), 488, "{name}");
                    assert_eq!(reason(&answer), format!("SIP;cause=488;text=\"{text}\""), "{name}");
                    continue;
                }
                // Whom SRTP is required of has it; whom it is offered to has it or not.
                let able: &[bool] = match theirs {
                    "off" => &[false],
                    "optional" => &[false, true],
                    _ => &[true],
                };
                for &able in able {
                    let mut other = Media::new(net.at(3, 4000), b'b');
                    let (call, answer) = Talk::up(caller, callee, &number, offer.clone(), |invite| {
                        let seen = stream(invite);
                        let expected = match theirs {
                            "off" => expected("RTP/AVP", &[]),
                            "optional" => expected("RTP/AVP", &TAGS),
                            _ => expected("RTP/SAVP", &TAGS),
                        };
                        assert_eq!(shows(&seen), expected, "{name}");
                        let answer = match able {
                            true => other.keyed(&seen.protocol, 3, CM_32),
                            false => other.plain(),
                        };
                        other.learns(invite, 3);
                        answer
                    });
                    let lines: &[(u32, &str)] = if keyed && ours != "off" { &[(7, CM_80)] } else { &[] };
                    assert_eq!(shows(&stream(&answer)), expected(offered, lines), "{name}");
                    if lines.is_empty() {
                        phone.clear();
                    }
                    phone.learns(&answer, 7);
                    both_hear(&mut phone, &mut other);
                    call.ends();
                }
            }
        }
    }
    let details = gateway.call_details(34);
    assert_eq!(details.iter().filter(|record| record["Status"] == "Completed").count(), 28);
    for record in details.iter().filter(|record| record["Status"] != "Completed") {
        assert!(record["StatusMessage"].as_str().unwrap().contains("SRTP is "), "{record:#}");
    }
    gateway.settled();
    for cause in ["unauthenticated", "replayed", "malformed"] {
        assert_eq!(gateway.metrics().sum("media_refusals_total", &[("cause", cause)]), 0.0, "{cause}");
    }
    gateway.stop();
}

/// Each suite on one side with the next one on the other.
#[test]
fn every_suite_meets_another_one() {
    const SUITES: [&str; 6] =
        [CM_80, CM_32, CM_256, "AES_256_CM_HMAC_SHA1_32", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"];
    let all = format!("srtp = \"required\"\nsrtp_suites = {SUITES:?}");
    let trunk = Trunk::start(Net(179), &all, &all);
    for (n, suite) in SUITES.into_iter().enumerate() {
        let (mut phone, mut callee) = trunk.voices();
        let theirs = SUITES[(n + 1) % SUITES.len()];
        let offer = phone.keyed("RTP/SAVP", 1, suite);
        let (call, answer) = Talk::up(&trunk.pbx, &trunk.carrier, THEIRS, offer, |offered| {
            let (tag, _) = (1..).zip(SUITES).find(|(_, suite)| *suite == theirs).unwrap();
            let answer = callee.keyed("RTP/SAVP", tag, theirs);
            assert_eq!(shows(&callee.learns(offered, tag)).1.len(), SUITES.len());
            answer
        });
        assert_eq!(shows(&phone.learns(&answer, 1)), expected("RTP/SAVP", &[(1, suite)]));
        both_hear(&mut phone, &mut callee);
        phone.reports();
        callee.reports();
        eventually("both reports", PATIENCE, || {
            let received = [("direction", "received")];
            let reports = trunk.gateway.metrics().sum("rtcp_packets_total", &received);
            let sent = u32::try_from(2 * (n + 1)).unwrap();
            if reports == f64::from(sent) { Ok(()) } else { Err(format!("{reports} of {sent}")) }
        });
        call.ends();
    }
    trunk.ends(SUITES.len(), 0.0);
}

/// What `optional` is: keys beside `RTP/AVP` in an offer, and the transport of the other side in an answer.
#[test]
fn keys_change_and_go_and_come_back() {
    let trunk = Trunk::start(Net(180), "srtp = \"optional\"", "srtp = \"optional\"");
    let (mut phone, mut callee) = trunk.voices();
    let mut call = trunk.call(&mut phone, &mut callee);
    let first = stream(&call.offered);
    assert_eq!(shows(&first).0, "RTP/AVP");

    // The caller takes a new key. The gateway's own stay, and the suite in use comes first.
    let offer = phone.keyed("RTP/SAVP", 1, CM_80);
    let (offered, answer) = call.renegotiates(Who::Caller, offer, |_| callee.again("RTP/AVP", 2, &[]));
    assert_eq!(shows(&stream(&offered)), expected("RTP/AVP", &[(2, CM_80), (1, CM_256), (3, CM_32)]));
    let mut before = first.crypto.clone();
    before.swap(0, 1);
    assert_eq!(stream(&offered).crypto, before);
    phone.learns(&answer, 1);
    both_hear(&mut phone, &mut callee);

    // The callee takes one in its answer, of another suite.
    let offer = phone.again("RTP/SAVP", 1, &[]);
    call.renegotiates(Who::Caller, offer, |offered| {
        let answer = callee.keyed("RTP/AVP", 3, CM_32);
        callee.learns(offered, 3);
        answer
    });
    both_hear(&mut phone, &mut callee);

    // And by an offer of its own. The caller, who has said RTP/SAVP, is asked for no less.
    let offer = callee.keyed("RTP/AVP", 9, CM_256);
    let (offered, answer) = call.renegotiates(Who::Callee, offer, |_| phone.again("RTP/SAVP", 1, &[]));
    assert_eq!(shows(&stream(&offered)), expected("RTP/SAVP", &[(1, CM_80), (2, CM_256), (3, CM_32)]));
    phone.learns(&offered, 1);
    assert_eq!(shows(&callee.learns(&answer, 9)), expected("RTP/AVP", &[(9, CM_256)]));
    both_hear(&mut phone, &mut callee);

    // The caller goes to RTP; then the callee does.
    phone.clear();
    let (offered, answer) =
        call.renegotiates(Who::Caller, phone.plain(), |_| callee.again("RTP/AVP", 1, &[]));
    assert_eq!(shows(&stream(&offered)).1[0].1, CM_256, "the callee's keys stay");
    assert_eq!(shows(&phone.learns(&answer, 0)), expected("RTP/AVP", &[]));
    both_hear(&mut phone, &mut callee);
    callee.clear();
    let (offered, answer) = call.renegotiates(Who::Callee, callee.plain(), |_| phone.plain());
    assert_eq!(shows(&stream(&offered)).0, "RTP/AVP", "what the caller said last");
    assert_eq!(shows(&callee.learns(&answer, 0)), expected("RTP/AVP", &[]));
    both_hear(&mut phone, &mut callee);

    // And back, with the tags of before and new keys.
    let offer = phone.keyed("RTP/SAVP", 4, CM_80);
    let (_, answer) = call.renegotiates(Who::Caller, offer, |offered| {
        let answer = callee.keyed("RTP/AVP", 1, CM_256);
        callee.learns(offered, 1);
        answer
    });
    assert_eq!(shows(&phone.learns(&answer, 4)), expected("RTP/SAVP", &[(4, CM_80)]));
    both_hear(&mut phone, &mut callee);
    call.ends();
    trunk.ends(1, 0.0);
}

/// Sequence numbers wrap while the call is held, so both rollover counters are 1 when it is resumed under the same keys.
#[test]
fn a_hold_keeps_keys_and_rollover_counters() {
    let trunk = Trunk::start(Net(181), "srtp = \"required\"", "srtp = \"required\"");
    let (mut phone, mut callee) = trunk.voices();
    (phone.seq, callee.seq) = (u16::MAX - 3, u16::MAX - 5);
    let mut call = trunk.call(&mut phone, &mut callee);
    let line = |direction: &str| [format!("a={direction}")];
    let hold = phone.again("RTP/SAVP", 1, &line("sendonly"));
    call.renegotiates(Who::Caller, hold, |_| callee.again("RTP/SAVP", 2, &line("recvonly")));
    for _ in 0..6 {
        phone.reaches(&mut callee); // Music.
    }
    assert!(phone.seq < 100, "it wrapped");
    let (offered, answer) =
        call.renegotiates(Who::Caller, phone.again("RTP/SAVP", 1, &[]), |_| callee.again("RTP/SAVP", 2, &[]));
    callee.learns(&offered, 2);
    phone.learns(&answer, 1);
    for _ in 0..6 {
        both_hear(&mut phone, &mut callee);
    }
    assert!(callee.seq < 100, "it wrapped");
    // The next key of the phone begins its counter anew, or lets it go on: both are read. The gateway's own go on.
    let (_, answer) = call
        .renegotiates(Who::Caller, phone.keyed("RTP/SAVP", 1, CM_80), |_| callee.again("RTP/SAVP", 2, &[]));
    phone.learns(&answer, 1);
    both_hear(&mut phone, &mut callee);
    call.ends();
    trunk.ends(1, 0.0);
}

/// A phone that has no SRTP resets its sequence numbers and keeps its SSRC: SRTP may not send those numbers again.
#[test]
fn a_stream_that_begins_anew_after_a_hold_is_heard_at_once() {
    let trunk = Trunk::start(Net(171), "", "srtp = \"required\"");
    let (mut phone, mut callee) = trunk.voices();
    let (mut call, answer) = Talk::up(&trunk.pbx, &trunk.carrier, THEIRS, phone.plain(), |offered| {
        let answer = callee.keyed("RTP/SAVP", 2, CM_80);
        callee.learns(offered, 2);
        answer
    });
    phone.learns(&answer, 0);
    both_hear(&mut phone, &mut callee);
    let hold = phone.sdp("RTP/AVP", &["a=inactive".to_owned()]);
    call.renegotiates(Who::Caller, hold, |_| callee.again("RTP/SAVP", 2, &["a=inactive".to_owned()]));
    call.renegotiates(Who::Caller, phone.plain(), |_| callee.again("RTP/SAVP", 2, &[]));
    phone.seq = 100;
    let heard = eventually("the phone after the hold", PATIENCE, || {
        phone.says();
        callee.hears().ok_or_else(|| "not heard".to_owned())
    });
    assert_eq!((heard.voice, heard.seq), (b'a', 101), "all but the first packet");
    assert_ne!(heard.ssrc, phone.ssrc);
    callee.reaches(&mut phone);
    call.ends();
    trunk.gateway.call_details(1);
    trunk.gateway.settled();
    assert_eq!(trunk.refused("replayed"), 1.0);
    trunk.gateway.stop();
}

#[test]
fn offers_of_the_callees_are_answered_in_the_ack() {
    let trunk = Trunk::start(Net(182), "srtp = \"required\"", "srtp = \"optional\"");
    let (mut phone, mut callee) = trunk.voices();
    let mut call = Talk::offers(&trunk.pbx, &trunk.carrier, THEIRS, None);
    let offered = call.answers("t1", Some(callee.keyed("RTP/SAVP", 5, CM_80)));
    assert_eq!(shows(&stream(&offered)), expected("RTP/SAVP", &TAGS));
    let answer = phone.keyed("RTP/SAVP", 3, CM_32);
    phone.learns(&offered, 3);
    let answer = call.acknowledges(Some(answer));
    assert_eq!(shows(&callee.learns(&answer, 5)), expected("RTP/SAVP", &[(5, CM_80)]));
    both_hear(&mut phone, &mut callee);

    // The same inside the dialog, from either side.
    call.reinvites(Who::Caller, None);
    let offered = call.replies(200, Some(callee.keyed("RTP/SAVP", 6, CM_80)));
    let answer = phone.again("RTP/SAVP", 3, &[]);
    let answer = call.acknowledges(Some(answer));
    assert_eq!(shows(&stream(&offered)).1[0], (3, CM_32.to_owned()));
    callee.learns(&answer, 6);
    both_hear(&mut phone, &mut callee);

    call.reinvites(Who::Callee, None);
    let offered = call.replies(200, Some(phone.keyed("RTP/SAVP", 1, CM_80)));
    assert_eq!(shows(&stream(&offered)).0, "RTP/SAVP");
    let answer = callee.again("RTP/SAVP", 1, &[]);
    let answer = call.acknowledges(Some(answer));
    phone.learns(&answer, 1);
    both_hear(&mut phone, &mut callee);
    call.ends();
    trunk.ends(1, 0.0);
}

/// An ACK whose answer can't be taken leaves no media to speak of: both sides are told at once.
#[test]
fn an_ack_without_a_usable_key_ends_the_call() {
    let trunk = Trunk::start(Net(183), "srtp = \"required\"", "");
    let (phone, callee) = trunk.voices();
    let mut call = Talk::offers(&trunk.pbx, &trunk.carrier, THEIRS, None);
    call.answers("t1", Some(callee.plain()));
    let ack = call.acknowledges(Some(phone.plain()));
    assert!(ack.body().is_empty(), "{}", shown(&ack));
    for peer in [&trunk.carrier, &trunk.pbx] {
        assert!(reason(&peer.is_hung_up()).contains("The answer has no SRTP key"));
    }
    let record = trunk.gateway.call_details(1).remove(0);
    assert_eq!(record["StatusMessage"], "488 The answer has no SRTP key", "{record:#}");
    trunk.gateway.settled();
    trunk.gateway.stop();
}

/// Early media under one key, the answer of a fork under another and from elsewhere.
#[test]
fn a_fork_answers_with_a_key_of_its_own() {
    let trunk = Trunk::start(Net(184), "", "srtp = \"required\"");
    let (mut phone, mut announcer) = trunk.voices();
    let mut callee = Media::new(trunk.net.at(4, 4000), b'c');
    let mut call = Talk::offers(&trunk.pbx, &trunk.carrier, THEIRS, Some(phone.plain()));
    let early = announcer.keyed("RTP/SAVP", 2, CM_80);
    announcer.learns(&call.offered, 2);
    announcer.says();
    eventually("a word whose key is not known yet", PATIENCE, || {
        if trunk.refused("unauthenticated") == 1.0 { Ok(()) } else { Err("not refused".to_owned()) }
    });
    phone.learns(&call.progresses(183, "early", early), 0);
    both_hear(&mut announcer, &mut phone);
    let late = callee.keyed("RTP/SAVP", 3, CM_32);
    callee.learns(&call.offered, 3);
    phone.learns(&call.answers("late", Some(late)), 0);
    call.acknowledges(None);
    announcer.reaches(&mut phone); // Its last packets.
    both_hear(&mut callee, &mut phone);
    announcer.hears_nothing();
    call.ends();
    trunk.ends(1, 1.0);
}

/// No key goes to two hosts; and a host that is offered RTP is heard at once, though the one before was to have SRTP.
#[test]
fn failover_offers_fresh_keys() {
    let net = Net(185);
    let (second, third) = (net.ip(4), net.ip(5));
    let more = format!(
        r#"
[[carrier.host]]
host = "{second}"
priority = 2

[[carrier]]
name = "plain"
priority = 2
peer = {{ srtp = "off" }}
host = [{{ host = "{third}" }}]
"#
    );
    let [second, third] = [second, third].map(|ip| Peer::udp((ip, 5060).into(), net.gateway()));
    let trunk = Trunk::start(net, "srtp = \"required\"", &format!("srtp = \"required\"\n{more}"));
    let (mut phone, mut callee) = trunk.voices();
    let mut keys: Vec<String> = Vec::new();
    for last in [&second, &third] {
        let offer = phone.keyed("RTP/SAVP", 1, CM_80);
        let invite = trunk.pbx.invite(THEIRS).body("application/sdp", offer.into());
        let hosts: &[&Peer] = match std::ptr::eq(last, &second) {
            true => &[&trunk.carrier],
            false => &[&trunk.carrier, &second],
        };
        let mut call = Talk::fails_over(&trunk.pbx, hosts, last, invite);
        for offered in call.declined.iter().chain([&call.offered]) {
            keys.extend(
                stream(offered).crypto.iter().map(|line| line.split_once("inline:").unwrap().1.to_owned()),
            );
        }
        let answer = match stream(&call.offered).is_srtp() {
            true => callee.keyed("RTP/SAVP", 2, CM_80),
            false => {
                callee.clear();
                callee.plain()
            }
        };
        callee.learns(&call.offered, 2);
        if std::ptr::eq(last, &third) {
            callee.says(); // Before its answer.
        }
        phone.learns(&call.answers("t1", Some(answer)), 1);
        call.acknowledges(None);
        both_hear(&mut phone, &mut callee);
        call.ends();
    }
    assert_eq!(keys.len(), 12);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 12, "each offer has keys of its own");
    trunk.ends(2, 0.0);
}

/// A refused offer changes nothing, whoever refuses it; nor does the answer that can't be taken.
#[test]
fn a_refused_offer_leaves_the_old_keys() {
    let trunk = Trunk::start(Net(186), "srtp = \"required\"", "srtp = \"required\"");
    let (mut phone, mut callee) = trunk.voices();
    let mut call = trunk.call(&mut phone, &mut callee);
    let mut other = Media::new(trunk.net.at(5, 4000), b'n');

    // By the gateway: no key, then one that asks for what we can't.
    for offer in [phone.plain(), other.keyed("RTP/SAVP", 1, CM_80).replace("\r\na=crypto", "\r\na=x")] {
        let answer = call.is_refused(Who::Caller, offer);
        assert_eq!(status_line(&answer).0, 488);
        assert!(reason(&answer).contains("SRTP is required: no key is offered"));
        both_hear(&mut phone, &mut callee);
    }
    // By the callee.
    call.reinvites(Who::Caller, Some(other.keyed("RTP/SAVP", 1, CM_80)));
    phone.reaches(&mut callee); // Until the answer nothing is agreed.
    assert_eq!(status_line(&call.replies(488, None)).0, 488);
    for _ in 0..70 {
        phone.reaches(&mut callee);
    }
    callee.reaches(&mut phone);
    // By the gateway again: the callee's answer has no key.
    call.reinvites(Who::Caller, Some(other.keyed("RTP/SAVP", 1, CM_80)));
    let answer = call.refuses_answer(callee.plain());
    assert!(reason(&answer).contains("The answer has no SRTP key"));
    call.takes_rollback(callee.again("RTP/SAVP", 2, &[]));
    both_hear(&mut phone, &mut callee);
    call.ends();
    trunk.ends(1, 0.0);
}

/// The callee's answer and our policy do not meet.
#[test]
fn an_answer_without_a_usable_key_is_released_and_the_caller_told_why() {
    let trunk = Trunk::start(Net(187), "", "srtp = \"required\"");
    let (phone, mut callee) = trunk.voices();
    let stray = callee.keyed("RTP/SAVP", 1, CM_80).replace(CM_80, "F8_128_HMAC_SHA1_80");
    for (sdp, text) in [
        (callee.plain(), "The answer has no SRTP key"),
        (stray, "The answer's SRTP key does not fit the offer"),
    ] {
        let call = Talk::offers(&trunk.pbx, &trunk.carrier, THEIRS, Some(phone.plain()));
        let answer = call.fails(200, Some(sdp));
        assert_eq!(status_line(&answer).0, 502);
        assert!(reason(&answer).contains(text), "{}", reason(&answer));
        assert!(reason(&trunk.carrier.is_hung_up()).contains(text));
    }
    let records = trunk.gateway.call_details(2);
    for record in &records {
        assert_eq!(record["Status"], "Failed", "{record:#}");
        assert!(record["StatusMessage"].as_str().unwrap().contains("The callee's answer: "), "{record:#}");
    }
    trunk.gateway.settled();
    trunk.gateway.stop();
}

/// Some phones number the line that they take anew; each suite was offered once, so there is no doubt.
#[test]
fn an_answer_under_a_tag_of_its_own_is_taken_by_its_suite() {
    let trunk = Trunk::start(Net(237), "srtp = \"required\"", "srtp = \"required\"");
    let (mut phone, mut callee) = trunk.voices();
    let offer = phone.keyed("RTP/SAVP", 1, CM_80);
    let (call, answer) = Talk::up(&trunk.pbx, &trunk.carrier, THEIRS, offer, |offered| {
        // The line of this suite is the second one.
        let answer = callee.keyed("RTP/SAVP", 1, CM_80);
        callee.learns(offered, 2);
        answer
    });
    phone.learns(&answer, 1);
    both_hear(&mut phone, &mut callee);
    call.ends();
    trunk.gateway.tells("an SRTP answer's crypto tag is not that of the offer");
    trunk.ends(1, 0.0);
}

/// Whoever sends RTP where SRTP was agreed is not heard, be he the party itself; and no file tells a key.
#[test]
fn rtp_on_a_leg_of_srtp_is_refused_and_no_file_tells_a_key() {
    let trunk = Trunk::start(Net(188), "srtp = \"required\"", "srtp = \"required\"");
    let (mut phone, mut callee) = trunk.voices();
    let mut stranger = Media::new(trunk.net.at(66, 4000), b'x');
    let mut call = trunk.call(&mut phone, &mut callee);
    stranger.to = phone.to;
    for _ in 0..5 {
        phone.says_in_the_clear();
        callee.says_in_the_clear();
        stranger.says();
        both_hear(&mut phone, &mut callee);
    }
    stranger.hears_nothing();
    assert_eq!((trunk.refused("unauthenticated"), trunk.refused("source")), (10.0, 5.0));

    let mut secrets = vec![phone.key(), callee.key()];
    let offer = phone.keyed("RTP/SAVP", 1, CM_80);
    let (offered, answer) = call.renegotiates(Who::Caller, offer, |_| callee.again("RTP/SAVP", 2, &[]));
    phone.learns(&answer, 1);
    both_hear(&mut phone, &mut callee);
    secrets.push(phone.key());
    for message in [&offered, &answer] {
        let lines = stream(message).crypto;
        secrets.extend(lines.iter().map(|line| line.split_once("inline:").unwrap().1.to_owned()));
    }
    assert_eq!(secrets.len(), 7);
    let home = trunk.gateway.records().parent().unwrap().to_owned();
    let files = no_file_tells(&home, &secrets);
    assert!(files.iter().any(|file| file.display().to_string().contains("journal")), "{files:?}");
    call.ends();
    trunk.gateway.call_details(1);
    trunk.gateway.settled();
    eventually("the SIP message log has both offers", PATIENCE, || {
        let logged: Vec<Value> = lines(&trunk.gateway.records(), "aws/ChimeVoiceConnectorSipMessages");
        let masked =
            |line: &&Value| line["sip_message"].as_str().is_some_and(|text| text.contains("inline:***"));
        let masked = logged.iter().filter(masked).count();
        if masked >= 4 { Ok(()) } else { Err(format!("{masked} messages")) }
    });
    no_file_tells(&home, &secrets);
    trunk.gateway.tells("call begins");
    let log = trunk.gateway.log();
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
    trunk.gateway.stop();
}

/// What nobody configured: required with `encryption`, optional towards a TLS host, else off.
#[test]
fn the_policy_follows_encryption_and_transport() {
    let net = Net(189);
    let files = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
    std::fs::write(files.path().join("ca.pem"), &theirs.pem).unwrap();
    let [secure, plain, admin] = [net.at(1, 5061), net.gateway(), net.admin()];
    let (files_at, carrier, other) = (files.path().display(), net.ip(3), net.ip(4));
    let config = format!(
        r#"
listen = [
  {{ protocol = "tls", address = "{secure}", certificate = "{files_at}/gateway.pem", key = "{files_at}/gateway.key" }},
  {{ address = "{plain}" }},
]
admin = {{ address = "{admin}" }}
phone_number = [{{ number = "{OURS}", voice_connector = "office" }}]

[[voice_connector]]
id = "office"
encryption = true
termination = {{ allowlist = ["127.0.0.1"], calling_plan = ["US"] }}
origination = {{ route = [{{ host = "{pbx}" }}] }}
peer = {{ ca = "{files_at}/ca.pem" }}

[[carrier]]
name = "secure"
prefixes = ["+1628"]
peer = {{ ca = "{files_at}/ca.pem" }}
host = [{{ host = "{carrier}", port = 5061, protocol = "tls" }}]

[[carrier]]
name = "plain"
prefixes = ["+1415"]
host = [{{ host = "{other}" }}]
"#,
        pbx = net.pbx()
    );
    let listener = TcpListener::bind(net.at(3, 5061)).unwrap();
    let gateway = Gateway::start(net, &config);
    let pbx = Peer::tls(net.at(2, 5071), secure, &ours);
    let carrier = Peer::accept_tls(&listener, secure, &theirs.leaf(&[&net.ip(3).to_string()]));
    let plain = Peer::udp(net.at(4, 5060), net.gateway());
    let (mut phone, mut callee) = (Media::new(net.at(2, 4000), b'a'), Media::new(net.at(3, 4000), b'b'));
    let keys = expected("RTP/AVP", &TAGS);
    let none = expected("RTP/AVP", &[]);
    for (protocol, host, number, shown) in [
        ("RTP/SAVP", &carrier, THEIRS, keys),
        ("RTP/SAVP", &plain, "+14155551212", none.clone()),
        // Keys are keys, whatever the transport is called.
        ("RTP/AVP", &plain, "+14155551212", none),
    ] {
        let offer = phone.keyed(protocol, 1, CM_80);
        let (call, answer) = Talk::up(&pbx, host, number, offer, |offered| {
            assert_eq!(shows(&stream(offered)), shown);
            callee.learns(offered, 0);
            callee.plain()
        });
        assert_eq!(shows(&phone.learns(&answer, 1)), expected(protocol, &[(1, CM_80)]));
        both_hear(&mut phone, &mut callee);
        call.ends();
    }
    // RTP is no offer for an encrypted connector.
    let answer = pbx.ask(pbx.invite(THEIRS));
    assert_eq!(status_line(&answer).0, 488);
    gateway.call_details(4);
    gateway.settled();
    gateway.stop();
}

/// "Best effort SRTP" of some PBXs: one stream with SRTP and one without it, of which the gateway takes what it can.
#[test]
fn of_two_streams_the_one_that_fits_is_taken() {
    let trunk = Trunk::start(Net(170), "srtp = \"required\"", "");
    let (mut phone, mut callee) = trunk.voices();
    let secured = phone.keyed("RTP/SAVP", 1, CM_80);
    let (_, secured) = secured.split_once("m=audio").unwrap();
    let offer = describe(phone.at, "RTP/AVP", &[format!("m=audio{}", secured.trim_end())]);
    let (call, answer) = Talk::up(&trunk.pbx, &trunk.carrier, THEIRS, offer, |offered| {
        assert_eq!(stream(offered).index, 1, "{}", shown(offered));
        callee.learns(offered, 0);
        let taken = callee.plain();
        taken.replace("m=audio", "m=audio 0 RTP/AVP 0\r\nm=audio")
    });
    let taken = phone.learns(&answer, 1);
    assert_eq!((taken.index, shows(&taken)), (1, expected("RTP/SAVP", &[(1, CM_80)])), "{}", shown(&answer));
    both_hear(&mut phone, &mut callee);
    call.ends();
    trunk.ends(1, 0.0);
}
