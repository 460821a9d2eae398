//! What a peer wrote comes back short and without controls, in whatever words of ours it stands: a stranger must not
//! make our answers large, nor write into the operator's terminal.

use bytes::Bytes;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::phone::Phone;
use super::trunk::{OUTSIDE, PBX, Trunk, over_udp};
use super::world::CallId;
use crate::direction::Direction;

/// 20,000 letters, some of them controls.
fn long() -> String {
    "x\u{1b}[31m\u{7}\u{9b}\u{fc}y".repeat(2_500)
}

fn is_harmless(text: &str, most: usize) {
    assert!(text.chars().count() <= most && !text.chars().any(char::is_control), "{text:?}");
}

/// A refusal: its phrase, and every header of ours.
fn is_harmless_answer(message: &Message) {
    is_harmless(std::str::from_utf8(message.reason_phrase().unwrap()).unwrap(), 256);
    for header in message.headers() {
        // These are the peer's own, by RFC 3261 §8.2.6.2.
        if !matches!(header.name, Name::Via | Name::From | Name::To | Name::CallId | Name::CSeq) {
            is_harmless(std::str::from_utf8(&header.value).unwrap(), 540);
        }
    }
}

type Change = fn(Builder) -> Builder;

fn described(builder: Builder, lines: &str) -> Builder {
    let sdp = format!("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n{lines}\r\n");
    builder.body("application/sdp", Bytes::from(sdp))
}

#[test]
fn a_refusal_quotes_little() {
    let changes: [(u16, Change); 9] = [
        (415, |invite| invite.body(&format!("text/{}", long()), Bytes::from_static(b"x"))),
        (415, |invite| invite.body(&long(), Bytes::from_static(b"x"))),
        (415, |invite| described(invite, "m=audio 4000 RTP/AVP 0").raw("Content-Encoding", long())),
        (420, |invite| invite.raw("Require", vec!["x".repeat(300); 60].join(", "))),
        (400, |invite| described(invite, &format!("m=audio {} RTP/AVP 0", long()))),
        (400, |invite| described(invite, &format!("c={}", long()))),
        (400, |invite| {
            invite.body(
                &format!("multipart/mixed;boundary=\"{}\"", "x".repeat(20_000)),
                Bytes::from_static(b"x"),
            )
        }),
        (488, |invite| described(invite, &format!("m=audio 4000 RTP/{} 0", "x\u{1b}".repeat(10_000)))),
        (403, |invite| invite.set(Name::From, format!("<sip:{}@10.0.0.1>;tag=1", "9".repeat(20_000)))),
    ];
    for (status, change) in changes {
        over_udp(&[], |trunk| {
            let place = |phone: &mut Phone, now| {
                let invite = change(phone.invite("vc.example.com", PBX, OUTSIDE, false)).build();
                phone.place(now, invite)
            };
            let a = CallId(trunk.pbx, trunk.world.with(trunk.pbx, place));
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [status]);
            is_harmless_answer(trunk.call(a).response(status).unwrap());
            trunk.finish();
            let record = trunk.cdr("pbx", Direction::Outbound);
            is_harmless(&record.status_message, 164);
            is_harmless(&record.source.number, 160);
            is_harmless(&record.destination.number, 160);
        });
    }
}

/// A carrier's own words cross, as far as they are fit to.
#[test]
fn a_carriers_phrase_crosses_in_part() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let invite = trunk.call(b).invite.clone();
        let busy =
            Builder::reply(&invite, StatusCode::new(486).unwrap(), &format!("Busy {}", long()), Some("t"));
        trunk.world.send(trunk.east, busy.build());
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
        let answer = trunk.call(a).response(486).unwrap();
        is_harmless_answer(answer);
        assert!(answer.reason_phrase().unwrap().starts_with(b"Busy x"), "{answer:?}");
        trunk.respond(b, 486); // Its own idea of the call is over too.
        trunk.finish();
        is_harmless(&trunk.cdr("pbx", Direction::Outbound).status_message, 164);
    });
}

#[test]
fn a_demand_in_mid_call_is_quoted_in_part() {
    over_udp(&[], |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let tags: &'static str = Box::leak(vec!["x".repeat(300); 60].join(", ").into_boxed_str());
        trunk.phone(trunk.pbx).requires = Some(tags);
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(0.5);
        let refusal = trunk.call(a).response(420).unwrap();
        is_harmless_answer(refusal);
        assert_eq!(Trunk::header(refusal, "Unsupported").len(), 8 * 64 + 7 * 2);
        trunk.phone(trunk.pbx).requires = None;
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// What crosses is the other party's to read, who has a terminal too.
#[test]
fn what_crosses_has_no_controls() {
    over_udp(&[], |trunk| {
        let place = |phone: &mut Phone, now| {
            let from = format!("\"N\u{1b}[31m\u{7}\" <sip:{PBX}@10.0.0.1>;tag=1");
            let invite = phone.invite("vc.example.com", PBX, OUTSIDE, false).set(Name::From, from);
            phone.place(now, invite.raw("Subject", "a\u{1b}[31mb\tc\0ü").build())
        };
        let a = CallId(trunk.pbx, trunk.world.with(trunk.pbx, place));
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        let invite = trunk.call(b).invite.clone();
        assert_eq!(Trunk::header(&invite, "Subject"), "a?[31mb\tc?ü");
        assert!(Trunk::header(&invite, "From").starts_with("\"N?[31m?\" <"), "{invite:?}");
        trunk.respond(b, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
        trunk.finish();
    });
}
