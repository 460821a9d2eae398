//! A session description is written as it is read, and our copy of any carries nothing of the peer's but the text.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sip::sdp::{Anchor, Sdp, crypto};

fuzz_target!(|data: &[u8]| {
    let _ = crypto::masked(data);
    let Ok(sdp) = Sdp::parse(data) else { return };
    assert_eq!(Sdp::parse(&sdp.to_bytes()).as_ref(), Ok(&sdp), "write is the inverse of read");
    let anchor = Anchor::new(1, 1, "198.51.100.9:20000".parse().unwrap());
    let Ok(anchored) = sdp.anchored(&anchor) else { return }; // There is nothing that could be carried.
    assert_eq!(Sdp::parse(&anchored.to_bytes()).as_ref(), Ok(&anchored));
    assert_eq!(anchored.anchored(&anchor).as_ref(), Ok(&anchored), "anchoring again changes nothing");
    assert_eq!(anchored.is_hold(), sdp.is_hold(), "a hold stays a hold");
    let (theirs, ours) = (sdp.streams(), anchored.streams());
    assert_eq!(theirs.len(), ours.len(), "streams keep their places");
    for stream in ours {
        assert!(stream.crypto.is_empty() && !stream.rtcp_mux);
        assert!(stream.port == 0 || stream.rtp() == Some(anchor.rtp));
    }
    if let Ok(answer) = sdp.answering(&anchored) {
        let alive = |one: &Sdp| one.streams().iter().map(|stream| stream.port != 0).collect::<Vec<_>>();
        assert_eq!(alive(&answer), alive(&anchored), "an answer has the streams of its offer");
    }
    for line in theirs.iter().flat_map(|stream| &stream.crypto) {
        if let Ok(crypto) = crypto::Crypto::parse(line) {
            assert_eq!(crypto::Crypto::parse(&crypto.to_string()), Ok(crypto));
        }
    }
});
