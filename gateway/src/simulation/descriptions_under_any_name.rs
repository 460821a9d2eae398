//! A session description is one however its type is written (RFC 3261 §25.1: SLASH is SWS "/" SWS, names without case),
//! and what may be one and is not understood goes to nobody: it would lead media, and keys, around the gateway.

use bytes::Bytes;
use sip::{Message, Method, Name};

use super::phone::{Phone, Stage, Wrap};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, over_udp};
use super::world::CallId;
use crate::direction::Direction;

/// No Content-Type at all: the bytes alone tell.
pub(super) const UNTYPED: &str = "";

fn typed(content_type: &str, sdp: &[u8]) -> (String, Bytes) {
    (content_type.to_owned(), Bytes::copy_from_slice(sdp))
}

fn parted(head: &str, sdp: &[u8]) -> (String, Bytes) {
    let body = [b"--b\r\n", head.as_bytes(), b"\r\n", sdp, b"\r\n--b--\r\n"].concat();
    ("multipart / mixed ; boundary = \"b\"".to_owned(), body.into())
}

/// How a description may be named.
pub(super) const NAMES: [Wrap; 9] = [
    |sdp| typed("application / sdp", sdp),
    |sdp| typed("APPLICATION/ SDP", sdp),
    |sdp| typed("Application/sdp ; charset = \"utf-8;x\";", sdp),
    |sdp| typed("application\t/sdp", sdp),
    |sdp| typed(UNTYPED, sdp),
    |sdp| parted("Content-Type: application / sdp\r\n", sdp),
    |sdp| parted("c:application\r\n  /SDP;x\r\nContent-Disposition: SESSION ;handling=required\r\n", sdp),
    |sdp| parted("Content-Transfer-Encoding: 8BIT\r\nContent-Type: application/sdp\r\n", sdp),
    |sdp| parted("", sdp),
];

/// What is no such name, or hides what it names, though a careless reader may take it for one.
const OTHERS: [Wrap; 15] = [
    |sdp| typed("\"application/sdp\"", sdp),
    |sdp| typed("application/sdp (a description)", sdp),
    |sdp| typed("application/sdp, text/plain", sdp),
    |sdp| typed("app lication/sdp", sdp),
    |sdp| typed("sdp", sdp),
    |sdp| typed("text/plain", sdp),
    |sdp| {
        typed("message/sip", &[b"ACK sip:a@b SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n", sdp].concat())
    },
    |sdp| parted("Content-Type: \"application/sdp\"\r\n", sdp),
    |sdp| parted("Content-Type: text/plain\r\nContent-Type: application/sdp\r\n", sdp),
    |sdp| parted("Content-Type: application/sdp\r\nContent-Disposition: render\r\n", sdp),
    |sdp| parted("Content-Type: application/sdp\r\nContent-Encoding: x\r\n", sdp),
    // By reference (RFC 4483), and encrypted for the receiver (RFC 3261 §23).
    |_| {
        let head = "Content-Type: message/external-body;access-type=URL;URL=\"http://10.0.0.1/x\"\r\n";
        parted(head, b"Content-Type: application/sdp\r\n\r\n")
    },
    |_| parted("Content-Type: application/pkcs7-mime;smime-type=enveloped-data\r\n", b"\x30\x80"),
    |_| parted("Content-Type: multipart/encrypted;boundary=c\r\n", b"--c\r\n\r\nx\r\n--c--"),
    deep,
];

/// In more envelopes than anybody opens.
fn deep(sdp: &[u8]) -> (String, Bytes) {
    let mut body = [b"Content-Type: application/sdp\r\n\r\n", sdp].concat();
    for depth in 0..6 {
        let head = format!("Content-Type: multipart/mixed;boundary=b{depth}\r\n\r\n--b{depth}\r\n");
        body = [head.as_bytes(), &body, format!("\r\n--b{depth}--\r\n").as_bytes()].concat();
    }
    let start = body.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    ("multipart/mixed;boundary=b5".to_owned(), body.split_off(start).into())
}

/// Nothing of the sender's own address or port is left.
fn is_ours(message: &Message) {
    let text = String::from_utf8_lossy(message.body());
    assert!(text.contains("c=IN IP4 192.0.2.1\r\n"), "{message:?}");
    assert!(!text.contains("10.0.") && !text.contains("m=audio 40000"), "{message:?}");
}

fn says_nothing_of_media(message: &Message) {
    let text = String::from_utf8_lossy(message.body());
    assert!(!text.contains("m=audio"), "{message:?}");
}

#[test]
fn a_description_is_anchored_however_it_is_named() {
    for name in NAMES {
        over_udp(&[], |trunk| {
            trunk.phone(trunk.pbx).wraps = Some(name);
            trunk.phone(trunk.east).wraps = Some(name);
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            is_ours(&trunk.call(b).invite);
            trunk.respond(b, 183);
            trunk.run(0.5);
            trunk.respond(b, 200);
            trunk.run(0.5);
            is_ours(trunk.call(a).response(183).unwrap());
            is_ours(trunk.call(a).response(200).unwrap());
            trunk.request(b, Method::Invite, Some("sendonly"));
            trunk.run(0.5);
            is_ours(trunk.call(a).request(&Method::Invite).unwrap());
            is_ours(trunk.call(b).response(200).unwrap());
            trunk.request(a, Method::Update, Some("sendrecv"));
            trunk.run(0.5);
            is_ours(trunk.call(b).request(&Method::Update).unwrap());
            is_ours(trunk.call(a).response(200).unwrap());
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

#[test]
fn the_offer_of_a_200_and_the_answer_of_an_ack_are_anchored_too() {
    for name in NAMES {
        over_udp(&[], |trunk| {
            trunk.phone(trunk.pbx).wraps = Some(name);
            trunk.phone(trunk.east).wraps = Some(name);
            let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.respond(b, 200);
            trunk.run(0.5);
            is_ours(trunk.call(a).response(200).unwrap());
            is_ours(trunk.call(b).request(&Method::Ack).unwrap());
            trunk.hang_up(b);
            trunk.run(0.5);
        });
    }
}

/// What the party demands holds: it is offered SRTP with keys of ours.
#[test]
fn no_name_leads_around_a_demand_for_srtp() {
    for name in NAMES {
        over_udp(&[("east_peer", "srtp = \"required\"")], |trunk| {
            trunk.phone(trunk.pbx).wraps = Some(name);
            trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let offer = String::from_utf8_lossy(trunk.call(b).invite.body()).into_owned();
            assert!(offer.contains("RTP/SAVP") && offer.contains("a=crypto:"), "{offer}");
            trunk.respond(b, 486);
            trunk.run(0.5);
        });
    }
}

#[test]
fn what_may_be_a_description_and_is_not_understood_reaches_nobody() {
    for other in OTHERS {
        over_udp(&[], |trunk| {
            trunk.phone(trunk.pbx).wraps = Some(other);
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [415]);
            assert_eq!(trunk.received(trunk.east), 0);
            trunk.finish();
            assert!(trunk.cdr("pbx", Direction::Outbound).status_message.starts_with("415 "));
        });
    }
}

#[test]
fn an_answer_that_is_not_understood_is_none() {
    for other in OTHERS {
        over_udp(&[], |trunk| {
            trunk.phone(trunk.east).wraps = Some(other);
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 183);
            trunk.run(0.5);
            says_nothing_of_media(trunk.call(a).response(183).unwrap());
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [183, 502]);
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        });
    }
}

#[test]
fn a_reinvite_that_is_not_understood_is_refused_and_the_call_goes_on() {
    for other in OTHERS {
        over_udp(&[], |trunk| {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.phone(trunk.pbx).wraps = Some(other);
            for method in [Method::Invite, Method::Update] {
                trunk.request(a, method.clone(), Some("sendonly"));
                trunk.run(0.5);
                assert_eq!(trunk.call(a).statuses(&method).last(), Some(&415));
            }
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
            // Its answer to the other's cannot be taken either: the asker is told, and all is as before.
            trunk.request(b, Method::Invite, Some("sendonly"));
            trunk.run(0.5);
            assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&488));
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

/// Content-Encoding changes what the bytes are, Content-Disposition what they are for.
#[test]
fn a_description_that_is_encoded_or_for_something_else_is_refused() {
    for (name, value) in [
        ("Content-Encoding", "gzip"),
        ("e", "x-nothing"),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", "early-session"),
        ("Content-Disposition", "render;handling=optional"),
    ] {
        everywhere(|trunk| {
            let call = dial_saying(trunk, &[(name, value)]);
            trunk.run(0.5);
            assert_eq!(trunk.heard(call), [415], "{name}: {value}");
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond_with(b, 200, &[(name, value)]);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [502], "{name}: {value}");
        });
    }
}

fn dial_saying(trunk: &mut Trunk, headers: &[(&str, &str)]) -> CallId {
    let place = |phone: &mut Phone, now| {
        let invite = phone.invite("vc.example.com", PBX, OUTSIDE, true);
        let invite = headers.iter().fold(invite, |invite, (name, value)| invite.raw(name, value));
        phone.place(now, invite.build())
    };
    CallId(trunk.pbx, trunk.world.with(trunk.pbx, place))
}

/// A long type, or one with controls in it, is not sent back whole.
#[test]
fn a_strange_type_is_not_echoed() {
    for strange in ["x".repeat(20_000), "text/\u{1b}[31mred\u{7}".to_owned(), "text/ü".repeat(3_000)] {
        over_udp(&[], |trunk| {
            let place = |phone: &mut Phone, now| {
                let invite = phone.invite("vc.example.com", PBX, OUTSIDE, false);
                phone.place(now, invite.body(&strange, Bytes::from_static(b"hello")).build())
            };
            let a = CallId(trunk.pbx, trunk.world.with(trunk.pbx, place));
            trunk.run(0.5);
            let refusal = trunk.call(a).response(415).unwrap();
            let phrase = refusal.reason_phrase().unwrap();
            assert!(
                phrase.len() < 200 && phrase.iter().all(|byte| (b' '..0x7f).contains(byte)),
                "{refusal:?}"
            );
            let reason = Trunk::header(refusal, "Reason");
            assert!(
                reason.len() < 250 && reason.bytes().all(|byte| (b' '..0x7f).contains(&byte)),
                "{reason}"
            );
            trunk.finish();
            let status = &trunk.cdr("pbx", Direction::Outbound).status_message;
            assert!(
                status.len() < 200 && status.bytes().all(|byte| (b' '..0x7f).contains(&byte)),
                "{status}"
            );
        });
    }
}

/// INFO and MESSAGE carry what they like, but no description.
#[test]
fn other_bodies_cross_and_hide_nothing() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(0.5);
        assert_eq!(trunk.call(b).request(&Method::Info).unwrap().body().as_ref(), b"Signal=1");
        let hidden = " \r\nv=0\r\no=- 1 1 IN IP4 10.0.0.1\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n";
        trunk.request(a, Method::Info, Some(hidden));
        trunk.run(0.5);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [200, 415]);
        let content_type = trunk.call(b).request(&Method::Info).unwrap().value(Name::ContentType);
        assert_eq!(content_type.as_deref(), Some("text/plain"));
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}
