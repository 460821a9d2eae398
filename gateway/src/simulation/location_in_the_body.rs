//! A call for help carries where the caller is beside its session description (RFC 6442). The description is rewritten;
//! everything else arrives as it was written.

use bytes::Bytes;
use sip::sdp::Sdp;
use sip::{Message, Method, Name};

use super::phone::{Phone, Stage, Wrap};
use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::{CallId, PhoneId};
use crate::direction::Direction;

/// Bytes that a careless copy would change: bare LF, high bytes, dashes, blanks at the end of a line, an empty line.
const PIDF: &[u8] =
    b"<?xml version=\"1.0\"?>\n<presence entity=\"pres:caf\xc3\xa9@pbx\">\r\n--not the boundary\r\n  \t \r\n\
                      <gml:pos>47.6 -122.3</gml:pos>\xff\x00\r\n\r\n</presence>\r\n";
const PIDF_HEAD: &str = "content-type:  application/pidf+xml;charset=\"UTF-8\"\r\nContent-ID: <here@pbx.example.com>\r\n\
                         Content-Disposition: by-reference;handling=optional\r\nX-Odd:a\r\n  folded\r\n\r\n";
const SDP_HEAD: &str =
    "Content-Type: application/sdp\r\nContent-Disposition: session;handling=required\r\n\r\n";
const TEXT: &str = "\r\nSend help.\r\n"; // An empty line for headers: text/plain.
const MIXED: &str = "multipart/mixed; boundary=\"=_a:b c'1\"";
const LINE: &str = "--=_a:b c'1";

const HEADERS: &[(&str, &str)] = &[
    ("Geolocation", "<cid:here@pbx.example.com>, <https://lis.example.com/q?a=1,2>;x"),
    ("Geolocation-Routing", "yes"),
    ("Date", "Tue, 14 Nov 2023 22:13:20 GMT"),
    ("MIME-Version", "1.0"),
];

/// The parts between delimiters, with text before and after them.
fn mixed(parts: &[&[u8]]) -> (String, Bytes) {
    let mut body = b"This is a preamble.\r\n--=_a:b c'1x is none\r\n".to_vec();
    for part in parts {
        body.extend_from_slice(LINE.as_bytes());
        body.extend_from_slice(b" \t\r\n"); // Padding: RFC 2046 §5.1.1.
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(LINE.as_bytes());
    body.extend_from_slice(b"--\r\nAn epilogue, \xfe.\r\n");
    (MIXED.to_owned(), body.into())
}

fn pidf() -> Vec<u8> {
    [PIDF_HEAD.as_bytes(), PIDF].concat()
}

fn part(sdp: &[u8]) -> Vec<u8> {
    [SDP_HEAD.as_bytes(), sdp].concat()
}

fn first(sdp: &[u8]) -> (String, Bytes) {
    mixed(&[&part(sdp), &pidf()])
}

fn middle(sdp: &[u8]) -> (String, Bytes) {
    mixed(&[&pidf(), &part(sdp), TEXT.as_bytes()])
}

fn last(sdp: &[u8]) -> (String, Bytes) {
    mixed(&[TEXT.as_bytes(), &pidf(), &part(sdp)])
}

/// Inside an alternative that is inside: RFC 2046 §5.1.4.
fn nested(sdp: &[u8]) -> (String, Bytes) {
    let head = "Content-Type: multipart/alternative;boundary=in\r\n\r\n--in\r\n";
    let inner = [head.as_bytes(), TEXT.as_bytes(), b"\r\n--in\r\n", &part(sdp), b"\r\n--in--"].concat();
    mixed(&[&inner, &pidf()])
}

/// Parts that say how long they are, which not even their receivers should need.
fn measured(sdp: &[u8]) -> (String, Bytes) {
    let head = format!("Content-length :  {}  \r\n{SDP_HEAD}", sdp.len());
    mixed(&[&[head.as_bytes(), sdp].concat(), &pidf()])
}

/// Beside a part whose type nobody knows, and one that has none of the right form: a call for help is not refused for it.
fn sloppy(sdp: &[u8]) -> (String, Bytes) {
    mixed(&[b"Content-Type: pidf\r\n\r\n<presence/>", &part(sdp), b"Content-Type: x/y (z)\r\n\r\n\0\xff"])
}

const WRAPS: [Wrap; 6] = [first, middle, last, nested, measured, sloppy];

/// The description inside, and that wrapping it again as its sender does gives the very same bytes.
fn unwrapped(message: &Message, wrap: Wrap) -> Sdp {
    let body = message.body();
    let start = body.windows(4).position(|four| four == b"v=0\r").unwrap();
    let length = body[start..].windows(4).position(|four| four == b"\r\n--").unwrap();
    let sdp = &body[start..start + length];
    let (content_type, expect) = wrap(sdp);
    assert_eq!(message.value(Name::ContentType).unwrap(), content_type.as_str());
    assert_eq!(message.value(Name::ContentLength).unwrap(), expect.len().to_string().as_str());
    assert_eq!(*body, expect);
    Sdp::parse(sdp).unwrap()
}

/// The description names our media address and nobody else's.
fn is_ours(sdp: &Sdp) {
    let text = String::from_utf8(sdp.to_bytes().to_vec()).unwrap();
    assert!(text.contains("c=IN IP4 192.0.2.1") && !text.contains("10.0."), "{text}");
    assert_ne!(sdp.relayed_stream().unwrap().rtp().unwrap().port(), 40_000);
}

/// Every one of [`HEADERS`], value for value and in order.
fn are_intact(message: &Message) {
    for name in ["Geolocation", "Geolocation-Routing", "Date", "MIME-Version"] {
        let is = |one: &&(&str, &str)| Name::from(one.0) == Name::from(name);
        let sent: Vec<&str> = HEADERS.iter().filter(is).map(|(_, value)| *value).collect();
        assert_eq!(message.lines(name.into()).collect::<Vec<_>>(), sent, "{name}");
    }
}

fn wraps(trunk: &mut Trunk, phone: PhoneId, wrap: Wrap) {
    trunk.phone(phone).wraps = Some(wrap);
}

/// The location reaches whoever takes the call, from the INVITE to the re-INVITE, and comes back in answers.
#[test]
fn the_description_alone_is_rewritten_wherever_it_stands() {
    for wrap in WRAPS {
        everywhere(|trunk| {
            wraps(trunk, trunk.pbx, wrap);
            wraps(trunk, trunk.east, wrap);
            trunk.phone(trunk.pbx).says = HEADERS;
            let a = trunk.dial_with(trunk.pbx, "911", HEADERS);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            is_ours(&unwrapped(&trunk.call(b).invite, wrap));
            are_intact(&trunk.call(b).invite);
            trunk.respond_with(b, 183, HEADERS);
            trunk.run(0.5);
            trunk.respond_with(b, 200, HEADERS);
            trunk.run(0.5);
            for status in [183, 200] {
                let answer = trunk.call(a).response(status).unwrap();
                is_ours(&unwrapped(answer, wrap));
                are_intact(answer);
            }
            trunk.request(a, Method::Invite, Some("sendonly"));
            trunk.run(0.5);
            let again = trunk.call(b).request(&Method::Invite).unwrap();
            let sdp = unwrapped(again, wrap);
            is_ours(&sdp);
            assert!(sdp.relayed_stream().unwrap().is_hold());
            are_intact(again);
            is_ours(&unwrapped(trunk.call(a).response(200).unwrap(), wrap));
            trunk.hang_up(b);
            trunk.run(0.5);
            assert_eq!(trunk.stage(a), Stage::Over);
        });
    }
}

/// Each carrier gets a body of its own: the whole of it, with the ports and the codecs that are for it.
#[test]
fn the_next_carrier_gets_the_location_too() {
    for wrap in WRAPS {
        everywhere_with(
            &[("west_peer", "codecs = [\"PCMU\"]\nadd_headers = { \"X-Site\" = \"hq\" }")],
            |trunk| {
                wraps(trunk, trunk.pbx, wrap);
                let a = trunk.dial_with(trunk.pbx, "911", HEADERS);
                trunk.run(0.5);
                let east = trunk.incoming(trunk.east);
                trunk.respond(east, 503);
                trunk.run(0.5);
                let west = trunk.incoming(trunk.west);
                is_ours(&unwrapped(&trunk.call(west).invite, wrap));
                are_intact(&trunk.call(west).invite);
                trunk.respond(west, 200);
                trunk.run(0.5);
                assert_eq!(trunk.heard(a), [200]);
                trunk.hang_up(a);
                trunk.run(0.5);
            },
        );
    }
}

/// The keys of an encrypted leg stand in the description, and nothing else of the body changes for it.
#[test]
fn an_encrypted_leg_has_its_keys_in_the_part() {
    const EAST: Change = ("east_peer", "srtp = \"required\"\nsrtp_suites = [\"AES_CM_128_HMAC_SHA1_80\"]");
    for wrap in WRAPS {
        over_udp(&[EAST], |trunk| {
            wraps(trunk, trunk.pbx, wrap);
            let a = trunk.dial_with(trunk.pbx, "911", HEADERS);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let stream = unwrapped(&trunk.call(b).invite, wrap).relayed_stream().cloned().unwrap();
            assert_eq!((stream.protocol.as_str(), stream.crypto.len()), ("RTP/SAVP", 1));
            are_intact(&trunk.call(b).invite);
            trunk.respond(b, 486);
            trunk.run(0.5);
            let west = trunk.incoming(trunk.west);
            let stream = unwrapped(&trunk.call(west).invite, wrap).relayed_stream().cloned().unwrap();
            assert_eq!((stream.protocol.as_str(), stream.crypto.len()), ("RTP/AVP", 0));
            trunk.respond(west, 486);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [486]);
        });
    }
}

/// Places a call whose INVITE has this body.
fn dial_body(trunk: &mut Trunk, number: &str, body: (String, Bytes)) -> CallId {
    let place = |phone: &mut Phone, now| {
        let (content_type, body) = body;
        let invite = phone.invite("vc.example.com", PBX, number, false).body(&content_type, body);
        phone.place(now, invite.build())
    };
    CallId(trunk.pbx, trunk.world.with(trunk.pbx, place))
}

/// Location alone, and the offer in the answer: RFC 3261 §13.2.1.
#[test]
fn a_body_without_a_description_passes_as_it_is() {
    let alone = ("application/pidf+xml".to_owned(), Bytes::from_static(PIDF));
    for body in [mixed(&[&pidf(), TEXT.as_bytes()]), alone] {
        passes_as_it_is(&body);
    }
}

fn passes_as_it_is(body: &(String, Bytes)) {
    everywhere(|trunk| {
        let a = dial_body(trunk, "911", body.clone());
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert_eq!(*trunk.call(b).invite.body(), body.1);
        assert_eq!(trunk.call(b).invite.value(Name::ContentType).unwrap(), body.0.as_str());
        trunk.respond(b, 200);
        trunk.run(0.5);
        is_ours(&Sdp::parse(trunk.call(a).response(200).unwrap().body()).unwrap());
        let ack = trunk.call(b).request(&Method::Ack).unwrap();
        is_ours(&Sdp::parse(ack.body()).unwrap());
        trunk.hang_up(a);
        trunk.run(0.5);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

/// A second description would reach the other side as it is, and lead its media around us; an early one (RFC 3959) and
/// one in base64 likewise.
#[test]
fn descriptions_that_cannot_be_rewritten_are_refused() {
    let sdp = "Content-Type: application/sdp\r\n\r\nv=0\r\n";
    let early = format!("Content-Disposition: early-session\r\n{sdp}");
    let encoded = format!("Content-Transfer-Encoding: base64\r\n{sdp}");
    for (parts, fault) in [
        (&[sdp, sdp][..], "More than one session description"),
        (&[sdp, &early], "application/sdp: the session description is not for the session"),
        (&[&encoded], "application/sdp: the session description is encoded"),
    ] {
        everywhere(|trunk| {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            let a = dial_body(trunk, OUTSIDE, mixed(&parts));
            trunk.run(0.5);
            let refusal = trunk.call(a).response(415).unwrap();
            assert!(Trunk::header(refusal, "Reason").contains(fault), "{refusal:?}");
            assert_eq!(trunk.received(trunk.east), 0);
        });
    }
}

/// An offer has its place in INVITE and UPDATE, where two cannot cross unseen.
#[test]
fn a_description_in_another_request_is_refused_and_changes_nothing() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let told = trunk.world.media_log.len();
        let sdp =
            "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n";
        trunk.request(a, Method::Info, Some(sdp));
        trunk.run(0.5);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [415]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        assert_eq!(trunk.world.media_log.len(), told);
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// The closing boundary is missing.
fn cut(sdp: &[u8]) -> (String, Bytes) {
    let (content_type, body) = last(sdp);
    let end = body.len() - 40;
    (content_type, body.slice(..end))
}

/// In mid-call it costs the offer, not the call.
#[test]
fn a_broken_body_in_a_reinvite_is_refused_and_the_call_goes_on() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        wraps(trunk, trunk.pbx, cut);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        let refusal = trunk.call(a).response(400).unwrap();
        let fault = "SIP;cause=400;text=\"Content-Type multipart/mixed: the closing boundary is missing\"";
        assert_eq!(Trunk::header(refusal, "Reason"), fault);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(0.5);
    });
}

/// An answer that cannot be read is no answer: its sender is released, and the caller hears whose fault it was.
#[test]
fn a_broken_body_in_an_answer_releases_who_sent_it() {
    everywhere(|trunk| {
        wraps(trunk, trunk.east, cut);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [183, 502]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        let reason = Trunk::header(trunk.call(a).response(502).unwrap(), "Reason");
        assert!(
            reason.contains("The callee's answer: Content-Type multipart/mixed: the closing"),
            "{reason}"
        );
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).answered_at, None);
    });
}

/// What cannot be read cannot be rewritten: it is refused with what is wrong with it, and nobody is called.
#[test]
fn a_broken_body_is_refused_with_its_fault() {
    let sdp: &[u8] =
        b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0";
    let whole = first(sdp).1;
    let typed = |content_type: &str| (content_type.to_owned(), whole.clone());
    let headless = mixed(&[b"Content-Type application/sdp\r\n\r\nv=0", &pidf()]);
    let no_sdp = mixed(&[&part(b"v=1\r\nnonsense"), &pidf()]);
    for (body, fault) in [
        (
            typed("multipart/mixed"),
            "400 Content-Type multipart/mixed: the Content-Type has no boundary of 1 to 70 characters",
        ),
        (
            typed("multipart/mixed;boundary=other"),
            "400 Content-Type multipart/mixed: the boundary is not in the body",
        ),
        (cut(sdp), "400 Content-Type multipart/mixed: the closing boundary is missing"),
        (headless, "400 Content-Type multipart/mixed: the header fields of part 1 are malformed"),
        (no_sdp, "400 SDP: "),
    ] {
        everywhere(|trunk| {
            let a = dial_body(trunk, OUTSIDE, body.clone());
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [400], "{fault}");
            assert_eq!(trunk.received(trunk.east) + trunk.received(trunk.west), 0);
            let reason = Trunk::header(trunk.call(a).response(400).unwrap(), "Reason");
            assert!(reason.starts_with(&format!("SIP;cause=400;text=\"{}", &fault[4..])), "{reason}");
            trunk.finish();
            assert!(trunk.cdr("pbx", Direction::Outbound).status_message.starts_with(fault));
        });
    }
}
