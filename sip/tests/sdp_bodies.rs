//! Bodies as PBXs, phones and border controllers send them: `sdp/NAME.sdp` becomes `sdp/NAME.anchored`.
//!
//! Every file in the directory is a test; the files have bare LFs for the editor's sake, the wire has CRLF.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sip::sdp::{Anchor, Direction, Sdp, StreamKind};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdp")
}

fn wire(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace('\n', "\r\n")
}

fn body(name: &str) -> Sdp {
    Sdp::parse(wire(&directory().join(name)).as_bytes()).unwrap()
}

fn anchor() -> Anchor {
    let mut anchor = Anchor::new(42, 3, "198.51.100.9:20000".parse().unwrap());
    anchor.origin_user = "vc".into();
    anchor.codecs = Some(vec!["PCMU".to_owned(), "PCMA".to_owned()]);
    anchor
}

#[test]
fn bodies_come_back_byte_for_byte_and_are_anchored() {
    let mut bodies: Vec<PathBuf> =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    bodies.retain(|path| path.extension().is_some_and(|extension| extension == "sdp"));
    assert!(bodies.len() >= 12);
    for path in bodies {
        let text = wire(&path);
        let sdp = Sdp::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(String::from_utf8_lossy(&sdp.to_bytes()), text, "{}", path.display());

        let anchored = sdp.anchored(&anchor()).unwrap();
        let expect = wire(&path.with_extension("anchored"));
        assert_eq!(String::from_utf8_lossy(&anchored.to_bytes()), expect, "{}", path.display());
        laws(&sdp, &anchored);
    }
}

/// What holds for every body and its copy.
fn laws(sdp: &Sdp, anchored: &Sdp) {
    assert_eq!(Sdp::parse(&anchored.to_bytes()).as_ref(), Ok(anchored), "reads as it was written");
    assert_eq!(anchored.anchored(&anchor()).as_ref(), Ok(anchored), "anchoring again changes nothing");
    assert_eq!(anchored.streams().len(), sdp.streams().len(), "streams keep their places");
    assert_eq!(anchored.is_hold(), sdp.is_hold(), "a hold stays a hold");
    let (before, after) = (sdp.relayed_stream(), anchored.relayed_stream());
    assert_eq!(after.as_ref().map(|stream| stream.index), before.map(|stream| stream.index));
    let ours = anchor().rtp;
    assert_eq!(after.and_then(|stream| stream.rtp()), anchored.relayed_stream().map(|_| ours));
    let alive = |stream: &&sip::sdp::Stream| stream.port != 0;
    assert!(anchored.streams().iter().filter(alive).count() <= 1, "one stream is carried");
    assert!(anchored.streams().iter().all(|stream| stream.crypto.is_empty()), "no key passes");
    let text = String::from_utf8_lossy(&anchored.to_bytes()).into_owned();
    let theirs = sdp.streams().iter().filter_map(|stream| stream.address).filter(|ip| *ip != ours.ip());
    for address in theirs.map(|ip| ip.to_string()).filter(|address| address.len() > "0.0.0.0".len()) {
        assert!(!text.contains(&address), "no address of the sender passes: {address}");
    }
}

#[test]
fn views_are_right() {
    struct View<'a> {
        name: &'a str,
        kind: StreamKind,
        protocol: &'a str,
        rtp: &'a str,
        rtcp: Option<&'a str>,
        direction: Direction,
        hold: bool,
        codecs: &'a str,
        keys: usize,
    }
    let check = |view: View| {
        let View { name, kind, protocol, rtp, rtcp, direction, hold, codecs, keys } = view;
        let sdp = body(name);
        let stream = sdp.relayed_stream().unwrap();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!((stream.kind, stream.protocol.as_str()), (kind, protocol), "{name}");
        assert_eq!(stream.rtp(), (!rtp.is_empty()).then(|| address(rtp)), "{name}");
        assert_eq!(stream.rtcp, rtcp.map(address), "{name}");
        assert_eq!((stream.direction, sdp.is_hold()), (direction, hold), "{name}");
        let seen: Vec<_> = stream
            .codecs
            .iter()
            .map(|codec| format!("{} {}/{}", codec.payload_type, codec.name, codec.clock_rate))
            .collect();
        assert_eq!(seen.join(", "), codecs, "{name}");
        assert_eq!(stream.cryptos().len(), keys, "{name}");
        assert!(stream.cryptos().iter().all(sip::sdp::Crypto::is_plain), "{name}");
    };
    check(View {
        name: "asterisk.sdp",
        kind: StreamKind::Audio,
        protocol: "RTP/AVP",
        rtp: "10.20.0.5:14782",
        rtcp: Some("10.20.0.5:14783"),
        direction: Direction::SendRecv,
        hold: false,
        codecs: "0 PCMU/8000, 8 PCMA/8000, 9 G722/8000, 3 GSM/8000, 101 telephone-event/8000",
        keys: 0,
    });
    check(View {
        name: "ipv6.sdp",
        kind: StreamKind::Audio,
        protocol: "RTP/AVP",
        rtp: "[2001:db8::20]:49170",
        rtcp: Some("[2001:db8::21]:53020"),
        direction: Direction::SendRecv,
        hold: false,
        codecs: "8 PCMA/8000, 101 telephone-event/8000",
        keys: 0,
    });
    check(View {
        name: "polycom-hold.sdp",
        kind: StreamKind::Audio,
        protocol: "RTP/AVP",
        rtp: "",
        rtcp: None,
        direction: Direction::SendOnly,
        hold: true,
        codecs: "9 G722/8000, 0 PCMU/8000, 8 PCMA/8000, 127 telephone-event/8000",
        keys: 0,
    });
    check(View {
        name: "fax-t38.sdp",
        kind: StreamKind::Image,
        protocol: "udptl",
        rtp: "10.20.0.5:4284",
        rtcp: None,
        direction: Direction::SendRecv,
        hold: false,
        codecs: "",
        keys: 0,
    });
    check(View {
        name: "linphone.sdp",
        kind: StreamKind::Audio,
        protocol: "RTP/SAVPF",
        rtp: "10.99.0.1:7078",
        rtcp: Some("10.99.0.1:7079"),
        direction: Direction::SendRecv,
        hold: false,
        codecs: "96 opus/48000, 97 speex/16000, 98 speex/8000, 0 PCMU/8000, 8 PCMA/8000, 18 G729/8000, \
                 101 telephone-event/48000, 99 telephone-event/8000",
        keys: 4,
    });
    check(View {
        name: "cisco.sdp",
        kind: StreamKind::Audio,
        protocol: "RTP/AVP",
        rtp: "172.16.4.1:17388",
        rtcp: Some("172.16.4.1:17389"),
        direction: Direction::SendRecv,
        hold: false,
        codecs: "0 PCMU/8000, 18 G729/8000, 19 CN/8000, 101 telephone-event/8000",
        keys: 0,
    });
    assert!(body("sbc-ice-video.sdp").relayed_stream().unwrap().rtcp_mux);
    assert_eq!(body("asterisk.sdp").relayed_stream().unwrap().ptime, Some(20));
}

#[test]
fn broken_bodies_are_refused_with_the_line() {
    let check = |text: &str, expect: &str| {
        let error = Sdp::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{text:?}: {error}");
    };
    check("", "not v=0");
    check("o=- 1 1 IN IP4 192.0.2.1\r\n", "line 1: not v=0");
    check("v=1\r\n", "line 1: not v=0");
    check("v=0\r\nm=audio x RTP/AVP 0\r\n", "line 2: a field is no number");
    check("v=0\r\nm=audio 70000 RTP/AVP 0\r\n", "line 2: a field is no number");
    check("v=0\r\nm=audio 4000\r\n", "line 2");
    check("v=0\r\nc=IN IP4\r\n", "line 2");
    check("<xml/>\r\n", "line 1");
}

#[test]
fn what_devices_break_without_harm_is_mended() {
    let broken = b"v=0 \r\no=My PBX 1 2 IN IP4 10.0.0.1\r\ns=Caf\xe9\r\nc=IN IP4 10.0.0.1 \r\nt=0 0 \r\n\
        m=audio  4000 RTP/AVP 0 \r\na=rtpmap:0 PCMU/8000 \r\nm=video 0 RTP/AVP\r\n\0";
    let sdp = Sdp::parse(broken).unwrap();
    assert_eq!(sdp.relayed_stream().unwrap().rtp(), Some("10.0.0.1:4000".parse().unwrap()));
    assert_eq!((sdp.session_id(), sdp.version()), ("1", 2));
    laws(&sdp, &sdp.anchored(&anchor()).unwrap());
}

/// Lines that mean something, in any order and number.
fn lines() -> impl Strategy<Value = String> {
    let line = prop::sample::select(vec![
        "c=IN IP4 192.0.2.1",
        "c=IN IP4 0.0.0.0",
        "c=IN IP6 ::",
        "c=IN IP6 2001:db8::1",
        "c=IN IP4 a.invalid",
        "c=IN IP4 224.0.0.1/127",
        "m=audio 4000 RTP/AVP 0 8 101",
        "m=audio 4000/2 RTP/SAVP 0 96",
        "m=audio 0 RTP/AVP 0",
        "m=audio 65535 UDP/TLS/RTP/SAVPF 8",
        "m=image 4002 udptl t38",
        "m=video 4004 RTP/AVP 96",
        "a=rtpmap:96 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtcp:4001",
        "a=rtcp:5 IN IP6 ::1",
        "a=rtcp-mux",
        "a=sendonly",
        "a=recvonly",
        "a=inactive",
        "a=sendrecv",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0",
        "a=candidate:1 1 UDP 1 192.0.2.1 4000 typ host",
        "a=ptime:20",
        "a=x",
        "b=AS:64",
        "k=clear:x",
        "i=y",
    ]);
    prop::collection::vec(line, 0..24).prop_map(|lines| format!("v=0\r\n{}\r\n", lines.join("\r\n")))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_laws_hold_for_any_lines(text in lines()) {
        if let Ok(sdp) = Sdp::parse(text.as_bytes())
            && let Ok(anchored) = sdp.anchored(&anchor())
        {
            laws(&sdp, &anchored);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Sdp::parse(&bytes);
        let _ = Sdp::parse(&[b"v=0\r\n", bytes.as_slice()].concat());
    }
}
