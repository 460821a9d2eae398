//! The grammar of session descriptions against that of crate `sdp-types`: what it reads we read, and write as it does.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use sip::sdp::Sdp;

fn bodies() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdp");
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let sdp = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sdp"));
    sdp.map(|path| fs::read(path).unwrap()).collect()
}

/// As the other grammar writes what it reads.
fn theirs(body: &[u8]) -> Option<String> {
    let mut text = Vec::new();
    sdp_types::Session::parse(body).ok()?.write(&mut text).unwrap();
    Some(String::from_utf8(text).unwrap())
}

fn compare(body: &[u8]) {
    let shown = String::from_utf8_lossy(body);
    // Times they write in another unit, and the types of networks that nobody has in another case.
    let unlike = |line: &str| {
        let lower = line.to_ascii_lowercase();
        line.starts_with("r=")
            || line.starts_with("z=")
            || [" tn ", "=tn ", "atm ", "pstn "].iter().any(|word| lower.contains(word))
    };
    let ours = Sdp::parse(body).map(|sdp| String::from_utf8(sdp.to_bytes().to_vec()).unwrap());
    match theirs(body) {
        Some(_) if shown.lines().any(unlike) => assert!(ours.is_ok(), "{shown}"),
        Some(theirs) => assert_eq!(ours.as_deref(), Ok(theirs.as_str()), "{shown}"),
        // It was mended: what we write of it everybody can read.
        None => {
            if let Ok(ours) = ours {
                assert_eq!(theirs(ours.as_bytes()).as_deref(), Some(ours.as_str()), "{shown}");
            }
        }
    }
}

#[test]
fn bodies_as_they_came() {
    for body in bodies() {
        assert!(theirs(&body).is_some());
        compare(&body);
    }
}

const LINES: &[&str] = &[
    "o=- 1 2 IN IP4 10.0.0.1",
    "o=a  1 2 in ip4 host",
    "o=- x 2 IN IP6 ::1",
    "o=- 1 -2 IN IP4 h",
    "o=- 1 +2 I:N IP4 h",
    "s=",
    "s=a b",
    "i=x",
    "u=http://a",
    "e=a@b",
    "p=+1 2",
    "c=IN IP4 10.0.0.1",
    "c=IN IP6 ::",
    "c=IN IP4",
    "c=IN  IP4 a b",
    "c=in ip6 x",
    "c=A{ B} h",
    "b=AS:64",
    "b=AS",
    "b=AS:64:1",
    "b=:0",
    "t=0 0",
    "t=1 2",
    "t= 1  2 ",
    "t=1",
    "t=1 2 3",
    "r=7d 1h 0 25h",
    "r=1",
    "r=1 x",
    "z=1 -1h 2 0",
    "z=1",
    "k=clear:x",
    "k=prompt",
    "a=",
    "a=x",
    "a=x:",
    "a=:x",
    "a=x:y:z",
    "a=rtpmap:101 telephone-event/8000",
    "m=audio 4000 RTP/AVP 0 8 101",
    "m=audio 4000/2 RTP/SAVP 0",
    "m=audio 4000/ RTP/AVP 0",
    "m=audio 70000 RTP/AVP 0",
    "m=audio 4000  RTP/AVP 0",
    "m=audio 4000 RTP/AVP",
    "m= 1 x y",
    "v=0",
    "v=1",
    "x=y",
    "=",
    "a",
    "",
    "ab=c",
    "a=\u{fc}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_lines(
        lines in prop::collection::vec(prop::sample::select(LINES), 0..16),
        end in prop::sample::select(vec!["\n", "\r\n", "\r", ""]),
    ) {
        compare(format!("v=0\r\n{}{end}", lines.join("\r\n")).as_bytes());
    }

    #[test]
    fn bent_bodies(
        body in prop::sample::select(bodies()),
        bends in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
    ) {
        let mut body = body;
        for (at, byte, how) in bends {
            let at = at.index(body.len());
            // Bytes that mean something are more likely to hurt.
            let byte = if byte < 128 { b" :=/\r\n\0a0-"[usize::from(byte) % 10] } else { byte };
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                _ => { body.remove(at); }
            }
        }
        compare(&body);
    }
}
