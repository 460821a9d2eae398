//! An answer has as many streams as the offer, in its order (RFC 3264 §6): whoever asked may count on it.

use bytes::Bytes;
use sip::Method;
use sip::sdp::Sdp;

use super::phone::{STREAMS, Stage, Wrap};
use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::CallId;

const AUDIO_AND_VIDEO: &str = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n\
                               m=video 40002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n";
const VIDEO_AND_AUDIO: &str = "m=video 40002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n\
                               m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
const TWO_AUDIO: &str = "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\nm=audio 40004 RTP/AVP 0\r\n";

/// The streams of the newest 200 that a call heard: kind and whether refused.
fn streams(trunk: &Trunk, call: CallId) -> Vec<(String, bool)> {
    let text = String::from_utf8(trunk.call(call).response(200).unwrap().body().to_vec()).unwrap();
    assert_eq!(
        Sdp::parse(text.as_bytes()).unwrap().streams().iter().filter(|one| one.is_relayed()).count(),
        1
    );
    let lines = text.lines().filter_map(|line| line.strip_prefix("m="));
    lines
        .map(|line| (line.split(' ').next().unwrap().to_owned(), line.split(' ').nth(1) == Some("0")))
        .collect()
}

fn expect(streams: &[(&str, bool)]) -> Vec<(String, bool)> {
    streams.iter().map(|(kind, refused)| ((*kind).to_owned(), *refused)).collect()
}

#[test]
fn what_was_not_offered_is_left_out() {
    for answer in [AUDIO_AND_VIDEO, TWO_AUDIO, VIDEO_AND_AUDIO] {
        everywhere(|trunk| {
            trunk.phone(trunk.east).streams = answer;
            let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            assert_eq!(streams(trunk, a), expect(&[("audio", false)]), "{answer}");
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

#[test]
fn what_was_left_out_is_refused() {
    for (offer, expected) in [
        (AUDIO_AND_VIDEO, [("audio", false), ("video", true)]),
        (VIDEO_AND_AUDIO, [("video", true), ("audio", false)]),
        (TWO_AUDIO, [("audio", false), ("audio", true)]),
    ] {
        everywhere(|trunk| {
            trunk.phone(trunk.pbx).streams = offer;
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            assert_eq!(streams(trunk, a), expect(&expected));
            // In mid-call as well.
            trunk.request(a, Method::Invite, Some("sendrecv"));
            trunk.run(0.5);
            assert_eq!(streams(trunk, a), expect(&expected));
            assert_eq!(trunk.stage(b), Stage::Up);
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

/// The answer in the ACK counts likewise.
#[test]
fn the_answer_of_an_ack_has_the_streams_of_the_offer() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).streams = VIDEO_AND_AUDIO;
        let a = trunk.dial_without_offer(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.5);
        let ack = trunk.call(b).request(&Method::Ack).unwrap();
        let streams = Sdp::parse(ack.body()).unwrap().streams().to_vec();
        assert_eq!(streams.iter().map(|one| one.is_relayed()).collect::<Vec<_>>(), [false, true]);
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// Of two audio streams the one that both sides can speak is taken.
#[test]
fn the_stream_that_can_be_taken_is_taken() {
    const EAST: Change = ("east_peer", "codecs = [\"PCMU\"]");
    for (other, index) in [
        ("m=audio 40004 RTP/AVP 97\r\na=rtpmap:97 X-NEW/8000\r\n", 1),
        ("m=audio 40004 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n", 1),
        ("m=audio 40004 UDP/TLS/RTP/SAVPF 0\r\n", 1),
        ("m=audio 40004 RTP/AVP 0\r\nc=IN IP4 239.1.1.1/127\r\n", 1),
        ("m=audio 0 RTP/AVP 0\r\n", 1),
        ("m=video 40004 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\n", 1),
        ("m=audio 40004 RTP/AVP 0\r\n", 0),
    ] {
        everywhere_with(&[EAST], |trunk| {
            let sdp = format!(
                "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n{other}{STREAMS}"
            );
            let place = |phone: &mut super::phone::Phone, now| {
                phone.habits.strict = false;
                let invite = phone.invite("vc.example.com", PBX, OUTSIDE, false);
                phone.place(now, invite.body("application/sdp", Bytes::from(sdp)).build())
            };
            let a = CallId(trunk.pbx, trunk.world.with(trunk.pbx, place));
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let offered = Sdp::parse(trunk.call(b).invite.body()).unwrap().relayed_stream().cloned().unwrap();
            assert_eq!(offered.index, index, "{other}");
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [200]);
            let answer = Sdp::parse(trunk.call(a).response(200).unwrap().body()).unwrap();
            assert_eq!(answer.streams().len(), 2);
            assert_eq!(answer.relayed_stream().unwrap().index, index, "{other}");
            trunk.hang_up(a);
            trunk.run(0.5);
        });
    }
}

const FAX: &str = "m=image 40000 udptl t38\r\na=T38FaxVersion:0\r\n";

fn fax(sdp: &[u8]) -> (String, Bytes) {
    described(sdp, FAX)
}

fn fax_beside_audio(sdp: &[u8]) -> (String, Bytes) {
    described(sdp, &format!("m=audio 0 RTP/AVP 0\r\n{FAX}"))
}

fn no_fax(sdp: &[u8]) -> (String, Bytes) {
    described(sdp, "m=image 0 udptl t38\r\n")
}

/// With these streams in place of its own.
fn described(sdp: &[u8], streams: &str) -> (String, Bytes) {
    let text = String::from_utf8_lossy(sdp);
    let session = &text[..text.find("m=").unwrap()];
    ("application/sdp".to_owned(), Bytes::from(format!("{session}{streams}")))
}

/// A call becomes a fax and a call again; a fax that is refused leaves the call as it was. T.38 Annex D.
#[test]
fn a_fax_is_a_stream_of_its_kind() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for (offer, answer, status) in [
            (fax as Wrap, fax as Wrap, 200),
            (fax_beside_audio, fax_beside_audio, 200),
            (fax_beside_audio, fax, 200),
            (fax, no_fax, 488),
        ] {
            trunk.phone(trunk.east).wraps = Some(offer);
            trunk.phone(trunk.pbx).wraps = Some(answer);
            trunk.request(b, Method::Invite, Some("sendrecv"));
            trunk.run(0.5);
            assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&status));
            let offered = Sdp::parse(trunk.call(a).request(&Method::Invite).unwrap().body()).unwrap();
            assert!(offered.relayed_stream().unwrap().is_udptl());
            if status == 200 {
                let answered = Sdp::parse(trunk.call(b).response(200).unwrap().body()).unwrap();
                assert_eq!(answered.streams().len(), offered.streams().len());
                let taken = answered.relayed_stream().cloned().unwrap();
                assert!(taken.is_udptl() && taken.index == offered.relayed_stream().unwrap().index);
            }
        }
        (trunk.phone(trunk.east).wraps, trunk.phone(trunk.pbx).wraps) = (None, None);
        trunk.request(b, Method::Invite, Some("sendrecv"));
        trunk.run(0.5);
        assert_eq!(streams(trunk, b), expect(&[("audio", false)]));
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}
