//! What SRTP costs a packet of 20 ms of G.711: 12 bytes of header, 160 of sound. `cargo bench --bench srtp`.
//!
//! The same packets go through `webrtc-srtp`, the other implementation, in the same run.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use divan::Bencher;
use divan::counter::ItemsCount;
use rtp::srtp::{MasterKey, Protect, Suite, Unprotect};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

fn main() {
    divan::main();
}

/// Packets per measured run, each with a sequence number of its own.
const PACKETS: u16 = 1000;
const LEN: usize = 172;

const SUITES: [Suite; 4] =
    [Suite::AesCm128HmacSha1_80, Suite::AesCm256HmacSha1_80, Suite::AeadAes128Gcm, Suite::AeadAes256Gcm];

fn profile(suite: Suite) -> ProtectionProfile {
    match suite {
        Suite::AesCm256HmacSha1_80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
        Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
        _ => ProtectionProfile::Aes128CmHmacSha1_80,
    }
}

fn packet(seq: u16) -> [u8; 256] {
    let mut bytes = [0x55; 256];
    let [high, low] = seq.to_be_bytes();
    bytes[..12].copy_from_slice(&[0x80, 0, high, low, 0, 0, 0, 0, 0xca, 0xfe, 0xba, 0xbe]);
    bytes
}

fn clear() -> Vec<[u8; 256]> {
    (0..PACKETS).map(packet).collect()
}

fn master(suite: Suite) -> MasterKey {
    MasterKey::new(suite, &vec![7; suite.inline_len()]).unwrap()
}

fn protected(suite: Suite) -> (usize, Vec<[u8; 256]>) {
    let mut protect = Protect::new(suite, &master(suite)).unwrap();
    let mut packets = clear();
    let lens = packets.iter_mut().map(|packet| protect.protect_rtp(packet, LEN).unwrap());
    (lens.max().unwrap(), packets)
}

fn oracle(suite: Suite) -> Context {
    let inline = vec![7; suite.inline_len()];
    let (key, salt) = inline.split_at(suite.key_len());
    Context::new(key, salt, profile(suite), None, None).unwrap()
}

#[divan::bench(args = SUITES)]
fn protect(bencher: Bencher<'_, '_>, suite: Suite) {
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| (Protect::new(suite, &master(suite)).unwrap(), clear()))
        .bench_refs(|(protect, packets)| {
            for packet in packets {
                protect.protect_rtp(packet, LEN).unwrap();
            }
        });
}

#[divan::bench(args = SUITES)]
fn protect_by_webrtc_srtp(bencher: Bencher<'_, '_>, suite: Suite) {
    bencher.counter(ItemsCount::new(PACKETS)).with_inputs(|| (oracle(suite), clear())).bench_refs(
        |(oracle, packets)| {
            for packet in packets {
                divan::black_box(oracle.encrypt_rtp(&packet[..LEN]).unwrap());
            }
        },
    );
}

#[divan::bench(args = SUITES)]
fn unprotect(bencher: Bencher<'_, '_>, suite: Suite) {
    let (len, protected) = protected(suite);
    bencher
        .counter(ItemsCount::new(PACKETS))
        .with_inputs(|| (Unprotect::new(suite, &master(suite)).unwrap(), protected.clone()))
        .bench_refs(|(unprotect, packets)| {
            for packet in packets {
                unprotect.unprotect_rtp(packet, len).unwrap();
            }
        });
}

#[divan::bench(args = SUITES)]
fn unprotect_by_webrtc_srtp(bencher: Bencher<'_, '_>, suite: Suite) {
    let (len, protected) = protected(suite);
    bencher.counter(ItemsCount::new(PACKETS)).with_inputs(|| (oracle(suite), protected.clone())).bench_refs(
        |(oracle, packets)| {
            for packet in packets {
                divan::black_box(oracle.decrypt_rtp(&packet[..len]).unwrap());
            }
        },
    );
}

/// What a call pays once for each leg: four ciphers, six session keys a direction.
#[divan::bench(args = SUITES)]
fn new_session(bencher: Bencher<'_, '_>, suite: Suite) {
    let master = master(suite);
    bencher.bench(|| (Protect::new(suite, &master).unwrap(), Unprotect::new(suite, &master).unwrap()));
}
