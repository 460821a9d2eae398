//! Who was refused, why, and under which id: in the log at once.

use std::sync::Mutex;

use sip::{Builder, Method, Name};

use super::log::log_of;
use super::trunk::{OUTSIDE, PBX};
use super::world::Answers;
use crate::core::Input;
use crate::direction::Direction;
use crate::peer::Transport;

fn with<'a>(log: &'a [String], text: &str) -> Vec<&'a String> {
    log.iter().filter(|line| line.contains(text)).collect()
}

#[test]
fn a_call_to_a_number_that_nobody_has_is_told_with_all_that_finds_it() {
    let call_id = Mutex::new(String::new());
    let log = log_of(&[], |trunk| {
        let a = trunk.dial(trunk.east, "+12065550177");
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [404]);
        *call_id.lock().unwrap() = trunk.call(a).call_id();
    });
    let refused = with(&log, "call refused");
    assert_eq!(refused.len(), 1, "{log:#?}");
    let call_id = call_id.lock().unwrap().clone();
    for part in [
        "transaction_id=",
        "source=10.0.1.1",
        "carrier=\"east\"",
        "number=\"+12065550177\"",
        "caller=\"+12125550999\"",
        "status=404",
        &format!("call_id=\"{call_id}\""),
        "Number +12065550177 is not assigned",
    ] {
        assert!(refused[0].contains(part), "{part} in {}", refused[0]);
    }
}

#[test]
fn the_record_of_a_refused_call_has_the_id_of_its_line() {
    let denied = ("pbx_termination", "denied_prefixes = [\"+1212\"]");
    let id = Mutex::new(String::new());
    let log = log_of(&[denied], |trunk| {
        trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        *id.lock().unwrap() = trunk.cdr("pbx", Direction::Outbound).transaction_id.to_string();
    });
    let line = with(&log, "call refused")[0];
    assert!(line.contains(&format!("transaction_id={}", id.lock().unwrap())), "{line}");
    assert!(line.contains("connector=\"pbx\"") && !line.contains("carrier="), "{line}");
}

#[test]
fn numbers_are_cut_where_the_operator_wants_none_in_the_log() {
    let denied = ("pbx_termination", "denied_prefixes = [\"+1212\"]");
    let log = log_of(&[denied, ("gateway", "mask_numbers = true")], |trunk| {
        trunk.dial(trunk.pbx, OUTSIDE);
        trunk.dial(trunk.east, "+12065550177");
        trunk.dial(trunk.pbx, "911");
        trunk.run(1.0);
        trunk.broadcast(|| Input::Stop);
        trunk.run(1.0);
    });
    assert_eq!(with(&log, "call refused").len(), 2);
    assert_eq!(with(&log, "emergency call").len(), 2);
    for number in [OUTSIDE, PBX, "+12065550177", "+12125550999"] {
        assert!(with(&log, number).is_empty(), "{number} in {log:#?}");
    }
    assert_eq!(with(&log, "+1206xxxxxxx is not assigned").len(), 1);
}

#[test]
fn a_flood_of_refused_calls_is_a_few_lines_and_a_count() {
    let denied = ("pbx_termination", "denied_prefixes = [\"+1212\"]");
    let log = log_of(&[denied], |trunk| {
        trunk.run(0.5);
        for _ in 0..2 {
            for _ in 0..100 {
                trunk.dial(trunk.pbx, OUTSIDE);
            }
            trunk.run(1.0);
        }
        trunk.run(10.0);
    });
    assert_eq!(with(&log, "call refused").len(), 10);
    let counted = with(&log, "more calls were refused");
    assert!(counted[0].contains("source=10.0.0.1 left_out=190"), "{counted:?}");
}

#[test]
fn a_listed_peer_that_writes_nonsense_is_told() {
    let log = log_of(&[], |trunk| {
        let bad = |start: &str, cseq: &str, hops: &str| {
            let text = format!(
                "{start}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                 To: <sip:c@d>\r\nCall-ID: odd@pbx\r\nCSeq: {cseq}\r\nMax-Forwards: {hops}\r\n\r\n"
            );
            sip::Message::parse(text.into()).unwrap()
        };
        trunk.world.send(trunk.pbx, bad("OPTIONS sip:b SIP/2.0", "1 OPTIONS", "x"));
        trunk.world.send(trunk.pbx, bad("SIP/2.0 200 OK", "1", "70"));
        let long = "X".repeat(5_000);
        trunk.world.send(trunk.pbx, bad(&format!("{long} sip:b SIP/2.0"), &format!("1 {long}"), "x"));
        trunk.run(1.0);
    });
    let told = with(&log, "a message is not taken");
    assert_eq!(told.len(), 3, "{log:#?}");
    assert!(told[2].len() < 300, "{}", told[2]);
    assert!(told[0].contains("method=OPTIONS call_id=\"odd@pbx\" fault=\"Max-Forwards: "), "{}", told[0]);
    assert!(told[1].contains("status=200 call_id=\"odd@pbx\" fault=\"CSeq: "), "{}", told[1]);
}

#[test]
fn a_source_that_no_list_holds_is_told_at_its_first_word_and_once() {
    let log = log_of(&[], |trunk| {
        let stranger = trunk.world.phone("mallory", "203.0.113.66:5060", Transport::Udp);
        for number in 0..5 {
            let branch = trunk.phone(stranger).branch();
            let invite = Builder::request(Method::Invite, "sip:+12065550100@vc.example.com")
                .header(Name::Via, trunk.phone(stranger).via(&branch))
                .header(Name::MaxForwards, "70")
                .header(Name::From, "<sip:+12125550999@b>;tag=1")
                .header(Name::To, "<sip:c@d>")
                .header(Name::CallId, format!("{number}@sbc"))
                .header(Name::CSeq, "1 INVITE")
                .header(Name::Contact, trunk.phone(stranger).contact());
            trunk.world.send(stranger, invite.build());
            trunk.run(2.0);
        }
    });
    let told = with(&log, "a source that no allowlist holds");
    assert_eq!(told.len(), 1, "{log:#?}");
    for part in ["source=203.0.113.66:5060", "method=INVITE", "call_id=\"0@sbc\"", "number=\"+12065550100\""]
    {
        assert!(told[0].contains(part), "{part} in {}", told[0]);
    }
}

/// Each of these calls begins and ends for want of ports; all media ports are in use.
#[test]
fn a_flood_of_calls_without_ports_is_a_few_lines_and_a_count() {
    let log = log_of(&[], |trunk| {
        trunk.world.media = Answers::Failing;
        for _ in 0..90 {
            trunk.dial(trunk.pbx, OUTSIDE);
        }
        trunk.run(12.0);
    });
    assert_eq!(with(&log, "a call has no room for its media").len(), 10);
    assert_eq!(with(&log, "call ended").len(), 10);
    let counted = with(&log, "more calls were refused");
    assert!(counted[0].contains("source=10.0.0.1 left_out=80"), "{counted:?}");
}
