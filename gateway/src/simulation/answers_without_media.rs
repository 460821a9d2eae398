//! An answer that says nothing of media is none: what the ringing described holds, or the call is not up. RFC 3264 §6,
//! RFC 3261 §13.2.1 and §13.2.2.4.

use bytes::Bytes;
use sip::sdp::Sdp;
use sip::{Message, Method};

use super::phone::{Stage, Wrap};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, over_udp};
use crate::direction::Direction;
use crate::media::{Command, Side};

fn changed(sdp: &[u8], what: &str, instead: &str) -> (String, Bytes) {
    let text = String::from_utf8_lossy(sdp);
    assert!(text.contains(what), "{text}");
    ("application/sdp".to_owned(), text.replace(what, instead).into())
}

/// The connection line of whichever phone.
fn without_connection(sdp: &[u8]) -> (String, Bytes) {
    let text = String::from_utf8_lossy(sdp);
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("c=")).collect();
    ("application/sdp".to_owned(), format!("{}\r\n", kept.join("\r\n")).into())
}

/// Up to the first stream.
fn without_streams(sdp: &[u8]) -> (String, Bytes) {
    let text = String::from_utf8_lossy(sdp);
    let end = text.find("m=").unwrap();
    ("application/sdp".to_owned(), text[..end].to_owned().into())
}

/// Says nothing of media.
pub(super) const MUTE: [Wrap; 8] = [
    |_| ("application/sdp".to_owned(), Bytes::new()),
    |_| ("text/plain".to_owned(), Bytes::from_static(b"Hello.\r\n")),
    |_| ("application/sdp".to_owned(), Bytes::from_static(b"\r\n")),
    |_| ("application/sdp".to_owned(), Bytes::from_static(b"v=0\r\n")),
    without_streams,
    without_connection,
    |sdp| changed(sdp, "m=audio 40000", "m=audio 0"),
    |sdp| changed(sdp, "m=audio", "m=video"),
];

/// The only one that has a place for the address of nobody in particular.
fn multicast(sdp: &[u8]) -> (String, Bytes) {
    changed(sdp, "c=IN IP4 10.0.1.1", "c=IN IP4 239.1.1.1/127")
}

fn described(message: &Message) -> Sdp {
    Sdp::parse(message.body()).unwrap_or_else(|error| panic!("{error}: {message:?}"))
}

fn told(trunk: &Trunk, side: Side) -> usize {
    let all = trunk.world.media_log.iter();
    all.filter(|(_, one)| matches!(one, Command::Remote { side: of, .. } if *of == side)).count()
}

#[test]
fn a_200_without_media_is_released_and_the_caller_hears_502() {
    for mute in MUTE.into_iter().chain([multicast as Wrap]) {
        everywhere(|trunk| {
            trunk.phone(trunk.east).wraps = Some(mute);
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [502]);
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
            let reason = Trunk::header(trunk.call(a).response(502).unwrap(), "Reason");
            assert!(reason.contains("The callee's answer: "), "{reason}");
            trunk.finish();
            assert_eq!(trunk.cdr("pbx", Direction::Outbound).answered_at, None);
        });
    }
}

/// The ringing described the media: that is the answer (RFC 3261 §13.2.1), and the caller hears it again.
#[test]
fn what_a_183_described_is_repeated_in_a_200_without_media() {
    for mute in MUTE {
        everywhere(|trunk| {
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 183);
            trunk.run(0.5);
            trunk.phone(trunk.east).wraps = Some(mute);
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [183, 200]);
            let (early, answer) =
                (trunk.call(a).response(183).unwrap(), trunk.call(a).response(200).unwrap());
            assert_eq!(early.body(), answer.body());
            assert_eq!(Trunk::header(answer, "Content-Type"), "application/sdp");
            assert_eq!((told(trunk, Side::A), told(trunk, Side::B)), (1, 1));
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

/// Another phone rang with a description; the one that answers says nothing of its own.
#[test]
fn what_another_fork_described_is_not_repeated() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.with(b.0, |phone, now| phone.respond_as(now, b.1, 183, true, &[], "another"));
        trunk.run(0.5);
        trunk.world.with(b.0, |phone, now| phone.respond(now, b.1, 200, false, &[]));
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [183, 502]);
    });
}

/// Its body is for the receiver to show: what stands in its place is not.
#[test]
fn the_repeated_description_is_not_called_what_the_dropped_body_was() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        trunk.phone(trunk.east).wraps = Some(MUTE[1]);
        trunk.respond_with(b, 200, &[("Content-Disposition", "render"), ("Content-Language", "en")]);
        trunk.run(0.5);
        let answer = trunk.call(a).response(200).unwrap();
        assert_eq!(Trunk::header(answer, "Content-Disposition"), "");
        assert_eq!(Trunk::header(answer, "Content-Language"), "");
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// A call for help is put through to the next host.
#[test]
fn an_emergency_call_goes_on_to_the_next_route() {
    for mute in MUTE {
        everywhere(|trunk| {
            trunk.phone(trunk.east).wraps = Some(mute);
            let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
            trunk.respond(east, 200);
            trunk.run(0.5);
            assert_eq!(trunk.call(east).requests(), ["INVITE", "ACK", "BYE"]);
            let west = trunk.incoming(trunk.west);
            trunk.respond(west, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [200]);
            assert_eq!((trunk.stage(a), trunk.stage(west)), (Stage::Up, Stage::Up));
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

/// The caller did not offer: the callee must, in its 200.
#[test]
fn a_200_without_the_offer_that_it_owes_is_released() {
    for mute in MUTE {
        everywhere(|trunk| {
            trunk.phone(trunk.east).wraps = Some(mute);
            let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [502]);
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        });
    }
}

/// An offer has no place in an answer that may be lost, RFC 3261 §13.2.1: the one of the 200 counts.
#[test]
fn a_183_offers_nothing() {
    everywhere(|trunk| {
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        assert_eq!(trunk.call(a).response(183).unwrap().body().len(), 0);
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        assert!(!trunk.call(b).request(&Method::Ack).unwrap().body().is_empty());
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// An ACK cannot be refused: the call ends on both legs, at once.
#[test]
fn an_ack_without_the_answer_that_it_owes_ends_the_call() {
    for mute in MUTE {
        everywhere(|trunk| {
            trunk.phone(trunk.pbx).wraps = Some(mute);
            let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [200]);
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
            assert_eq!(trunk.call(a).requests(), ["BYE"]);
        });
    }
}

/// An offer of nothing that could be carried.
#[test]
fn an_offer_without_media_is_refused() {
    for mute in &MUTE[3..] {
        everywhere(|trunk| {
            trunk.phone(trunk.pbx).wraps = Some(*mute);
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [488]);
            assert_eq!(trunk.received(trunk.east), 0);
        });
    }
}

/// In mid-call the asker gets a right answer or a refusal, and what was agreed holds.
#[test]
fn a_new_answer_without_media_is_a_refusal_and_the_call_goes_on() {
    for mute in MUTE {
        for method in [Method::Invite, Method::Update] {
            everywhere(|trunk| {
                let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
                trunk.phone(trunk.pbx).wraps = Some(mute);
                trunk.request(a, method.clone(), Some("sendonly"));
                trunk.run(0.5);
                assert_eq!(trunk.call(a).statuses(&method).last(), Some(&488));
                trunk.phone(trunk.pbx).wraps = None;
                trunk.request(a, method.clone(), Some("sendrecv"));
                trunk.run(0.5);
                let answer = trunk.call(a).response(200).unwrap();
                assert!(described(answer).relayed_stream().unwrap().rtp().is_some());
                assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
                trunk.hang_up(a);
                trunk.run(0.5);
            });
        }
    }
}

/// A re-INVITE without an offer asks for one.
#[test]
fn a_reinvite_that_is_answered_without_an_offer_is_refused_and_the_call_goes_on() {
    for mute in MUTE {
        over_udp(&[], |trunk| {
            let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
            trunk.phone(trunk.pbx).wraps = Some(mute);
            trunk.request(a, Method::Invite, None);
            trunk.run(0.5);
            assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&488));
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

/// A party that asks for an offer by a re-INVITE must answer it.
#[test]
fn a_reinvite_whose_ack_owes_an_answer_ends_the_call() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.pbx).wraps = Some(MUTE[0]);
        trunk.request(a, Method::Invite, None);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}
