//! An answer must hold a codec that was offered (RFC 3264 §6.1): without one, both parties would be billed for silence.

use bytes::Bytes;
use sip::Method;

use super::phone::{STREAMS, Stage};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, over_udp};
use crate::direction::Direction;

const PCMA: &str =
    "m=audio 40000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";
const OPUS: &str =
    "m=audio 40000 RTP/AVP 123 101\r\na=rtpmap:123 opus/48000/2\r\na=rtpmap:101 telephone-event/8000\r\n";
const EVENTS: &str = "m=audio 40000 RTP/AVP 101 13\r\na=rtpmap:101 telephone-event/8000\r\n";
const UNKNOWN: &str = "m=audio 40000 RTP/AVP 97\r\n";
const FAX: &str = "m=image 40000 udptl t38\r\n";
const NONE: [&str; 4] = [PCMA, OPUS, EVENTS, UNKNOWN];

/// What is offered, and what may be answered to it.
const SOME: [(&str, &str); 8] = [
    (STREAMS, "m=audio 40000 RTP/AVP 0\r\n"),
    (STREAMS, "m=audio 40000 RTP/AVP 8 0\r\na=rtpmap:0 pcmu/8000/1\r\n"),
    // Static numbers need no mapping, and are what they are whatever is said of them.
    (STREAMS, "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 G711U/8000\r\n"),
    (
        "m=audio 40000 RTP/AVP 9\r\na=rtpmap:9 G722/8000\r\n",
        "m=audio 40000 RTP/AVP 9\r\na=rtpmap:9 G722/16000\r\n",
    ),
    // A dynamic number means what its own description says.
    (OPUS, "m=audio 40000 RTP/AVP 96\r\na=rtpmap:96 OPUS/48000/2\r\n"),
    (OPUS, "m=audio 40000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\n"),
    // The answer repeats the number without explaining it.
    (OPUS, "m=audio 40000 RTP/AVP 123\r\n"),
    (FAX, FAX),
];

#[test]
fn an_answer_without_an_offered_codec_is_released_and_the_caller_hears_502() {
    for answer in NONE {
        everywhere(|trunk| {
            trunk.phone(trunk.east).streams = answer;
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [502]);
            assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
            let reason = Trunk::header(trunk.call(a).response(502).unwrap(), "Reason");
            assert_eq!(reason, "SIP;cause=502;text=\"The callee's answer: no codec in common\"");
            trunk.finish();
            assert_eq!(trunk.cdr("pbx", Direction::Outbound).answered_at, None);
        });
    }
}

/// Nor does it cross with the ringing; the answer after it may be right.
#[test]
fn an_early_answer_without_an_offered_codec_does_not_cross() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).streams = PCMA;
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        assert_eq!(trunk.call(a).response(183).unwrap().body().len(), 0);
        trunk.phone(b.0).calls[b.1].described = None;
        trunk.phone(trunk.east).streams = STREAMS;
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [183, 200]);
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

#[test]
fn an_answer_with_one_offered_codec_is_taken() {
    for (offer, answer) in SOME {
        over_udp(&[], |trunk| {
            trunk.phone(trunk.pbx).streams = offer;
            trunk.phone(trunk.east).streams = answer;
            let (a, b) = match offer {
                // The phones of the simulation keep no account of fax.
                FAX => fax(trunk),
                _ => trunk.connect(trunk.pbx, OUTSIDE, trunk.east),
            };
            assert_eq!(trunk.heard(a), [200], "{offer} {answer}");
            assert_eq!(trunk.stage(b), Stage::Up);
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

fn fax(trunk: &mut Trunk) -> (super::world::CallId, super::world::CallId) {
    trunk.phone(trunk.pbx).habits.strict = false;
    trunk.phone(trunk.east).wraps = Some(|_| {
        let fax = format!("v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n{FAX}");
        ("application/sdp".to_owned(), Bytes::from(fax))
    });
    let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
    trunk.respond(b, 200);
    trunk.run(0.5);
    (a, b)
}

/// An ACK cannot be refused.
#[test]
fn an_ack_without_an_offered_codec_ends_the_call() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).streams = PCMA;
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
    });
}

#[test]
fn a_new_answer_without_an_offered_codec_is_a_refusal_and_the_call_goes_on() {
    for method in [Method::Invite, Method::Update] {
        everywhere(|trunk| {
            let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
            trunk.phone(trunk.pbx).streams = PCMA;
            trunk.request(a, method.clone(), Some("sendonly"));
            trunk.run(0.5);
            assert_eq!(trunk.call(a).statuses(&method).last(), Some(&488));
            let reason = Trunk::header(trunk.call(a).response(488).unwrap(), "Reason");
            assert_eq!(reason, "SIP;cause=488;text=\"no codec in common\"");
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

/// Digits are no call, nor is silence.
#[test]
fn an_offer_of_events_alone_is_refused() {
    everywhere(|trunk| {
        trunk.phone(trunk.pbx).streams = EVENTS;
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [488]);
        assert_eq!(trunk.received(trunk.east), 0);
    });
}
