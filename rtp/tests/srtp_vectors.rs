//! SRTP against figures from the standards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod shared;

use rtp::srtp::{DirectionSnapshot, MasterKey, PacketIndex, Protect, Roc, StreamSnapshot, Suite, Unprotect};
use serde_json::Value;

fn hex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A direction in the state that a vector assumes.
fn state(suite: Suite, key: &MasterKey, roc: u32, next_rtcp: u64) -> DirectionSnapshot {
    let before = PacketIndex::new(Roc(roc), 0x1233);
    DirectionSnapshot {
        suite,
        master: key.clone(),
        streams: vec![StreamSnapshot { ssrc: 0xcafe_babe, index: before.0 }],
        rtcp: vec![StreamSnapshot { ssrc: 0, index: next_rtcp }],
        mki: None,
        srtcp_tag: None,
        lifetime: None,
        opened: 0,
    }
}

fn check_rtp(suite: Suite, key: &MasterKey, roc: u32, clear: &[u8], expected: &[u8]) {
    let mut buffer = [0; 256];
    buffer[..clear.len()].copy_from_slice(clear);
    let state = state(suite, key, roc, 0);
    let len = Protect::restore(&state).unwrap().protect_rtp(&mut buffer, clear.len()).unwrap();
    assert_eq!(buffer[..len], expected[..], "{suite}");
    let unprotected = Unprotect::restore(&state).unwrap().unprotect_rtp(&mut buffer, len).unwrap();
    assert_eq!(buffer[..unprotected.len], clear[..], "{suite}");
    assert!(unprotected.above_highest);
}

fn check_rtcp(suite: Suite, key: &MasterKey, skipped: u32, clear: &[u8], expected: &[u8]) {
    let mut protect = Protect::new(suite, key).unwrap();
    let mut buffer = [0; 256];
    let mut len = 0;
    for _ in 0..=skipped {
        buffer[..clear.len()].copy_from_slice(clear);
        len = protect.protect_rtcp(&mut buffer, clear.len()).unwrap();
    }
    assert_eq!(buffer[..len], expected[..], "{suite}");
    let mut unprotect = Unprotect::new(suite, key).unwrap();
    let unprotected = unprotect.unprotect_rtcp(&mut buffer, len).unwrap();
    assert_eq!(buffer[..unprotected.len], clear[..], "{suite}");
}

/// The packet that libsrtp proves itself with, under the master key of RFC 3711 B.3.
#[test]
fn a_whole_packet() {
    let key = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
    let rtp = hex("800f1234decafbadcafebabeabababababababababababababababab");
    let rtcp = hex("81c8000bcafebabeabababababababababababababababab");
    let suite = Suite::AesCm128HmacSha1_80;
    let key = MasterKey::new(suite, &key).unwrap();
    let expected = hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb");
    check_rtp(suite, &key, 0, &rtp, &expected);
    let expected = hex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    check_rtcp(suite, &key, 1, &rtcp, &expected);
}

#[test]
fn vectors() {
    let Some(path) = shared::path("testdata/vectors/srtp.json") else { return };
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let whole = &vectors["whole_packet_rfc3711"];
    let field = |name: &str| hex(whole[name].as_str().unwrap_or_else(|| panic!("no {name}")));
    let inline = [field("master_key"), field("master_salt")].concat();
    let key = |suite| MasterKey::new(suite, &inline).unwrap();
    let (long, short) = (Suite::AesCm128HmacSha1_80, Suite::AesCm128HmacSha1_32);

    check_rtp(long, &key(long), 0, &field("rtp"), &field("srtp_AES_CM_128_HMAC_SHA1_80"));
    check_rtp(short, &key(short), 0, &field("rtp"), &field("srtp_AES_CM_128_HMAC_SHA1_32"));
    check_rtp(long, &key(long), 1, &field("rtp"), &field("srtp_80_roc_1"));
    let index = u32::try_from(whole["srtcp_index"].as_u64().unwrap()).unwrap();
    // The tag of SRTCP is 80 bits long with both suites. RFC 4568 §6.2.2.
    for suite in [long, short] {
        check_rtcp(suite, &key(suite), index, &field("rtcp"), &field("srtcp_AES_CM_128_HMAC_SHA1_80"));
    }
}
