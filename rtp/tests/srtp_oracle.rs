//! Our SRTP against another implementation, in both directions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rtp::packet::Ssrc;
use rtp::srtp::{MasterKey, Protect, SrtpError, Suite, Unprotect};
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

/// All suites that the other one knows, which lacks AES_192.
const SUITES: [(Suite, ProtectionProfile); 6] = [
    (Suite::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (Suite::AesCm128HmacSha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
    (Suite::AesCm256HmacSha1_80, ProtectionProfile::Aes256CmHmacSha1_80),
    (Suite::AesCm256HmacSha1_32, ProtectionProfile::Aes256CmHmacSha1_32),
    (Suite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Suite::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
];

struct Pair {
    protect: Protect,
    unprotect: Unprotect,
    oracle_protect: Context,
    oracle_unprotect: Context,
    buffer: Vec<u8>,
}

impl Pair {
    fn new((suite, profile): (Suite, ProtectionProfile), secret: &[u8; 46]) -> Pair {
        let inline = &secret[..suite.inline_len()];
        let (key, salt) = inline.split_at(suite.key_len());
        let master = MasterKey::new(suite, inline).unwrap();
        let replay = (Some(srtp_replay_protection(128)), Some(srtcp_replay_protection(128)));
        Pair {
            protect: Protect::new(suite, &master).unwrap(),
            unprotect: Unprotect::new(suite, &master).unwrap(),
            oracle_protect: Context::new(key, salt, profile, None, None).unwrap(),
            oracle_unprotect: Context::new(key, salt, profile, replay.0, replay.1).unwrap(),
            buffer: vec![0; 4096],
        }
    }

    fn protect_rtp(&mut self, clear: &[u8]) -> Result<Vec<u8>, SrtpError> {
        self.buffer[..clear.len()].copy_from_slice(clear);
        let len = self.protect.protect_rtp(&mut self.buffer, clear.len())?;
        Ok(self.buffer[..len].to_vec())
    }

    fn unprotect_rtp(&mut self, protected: &[u8]) -> Result<Vec<u8>, SrtpError> {
        self.buffer[..protected.len()].copy_from_slice(protected);
        let unprotected = self.unprotect.unprotect_rtp(&mut self.buffer, protected.len())?;
        Ok(self.buffer[..unprotected.len].to_vec())
    }

    fn protect_rtcp(&mut self, clear: &[u8]) -> Vec<u8> {
        self.buffer[..clear.len()].copy_from_slice(clear);
        let len = self.protect.protect_rtcp(&mut self.buffer, clear.len()).unwrap();
        self.buffer[..len].to_vec()
    }

    fn unprotect_rtcp(&mut self, protected: &[u8]) -> Result<Vec<u8>, SrtpError> {
        self.buffer[..protected.len()].copy_from_slice(protected);
        let unprotected = self.unprotect.unprotect_rtcp(&mut self.buffer, protected.len())?;
        Ok(self.buffer[..unprotected.len].to_vec())
    }
}

fn packet(ssrc: u32, seq: u16, csrcs: u8, extension: Option<u8>, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | csrcs & 0x0f, 0x80];
    bytes.extend(seq.to_be_bytes());
    bytes.extend(u32::from(seq).wrapping_mul(160).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    for csrc in 0..csrcs & 0x0f {
        bytes.extend([csrc; 4]);
    }
    if let Some(words) = extension {
        bytes[0] |= 0x10;
        // A profile of one's own: opaque words.
        bytes.extend([0x12, 0x34, 0, words]);
        bytes.extend((0..usize::from(words) * 4).map(|n| n as u8));
    }
    bytes.extend(payload);
    bytes
}

prop_compose! {
    /// A packet: SSRC, step in the sequence, header and payload.
    fn step()(
        ssrc in 1u32..4,
        ahead in prop_oneof![8 => Just(1u16), 1 => 0u16..300, 1 => 20_000u16..30_000],
        csrcs in prop_oneof![4 => Just(0u8), 1 => 0u8..16],
        extension in prop::option::weighted(0.2, 0u8..5),
        payload in prop::collection::vec(any::<u8>(), 0..200),
        late in 0usize..8,
        lost in prop::bool::weighted(0.1),
        repeated in prop::bool::weighted(0.1),
    ) -> (u32, u16, u8, Option<u8>, Vec<u8>, usize, bool, bool) {
        (ssrc, ahead, csrcs, extension, payload, late, lost, repeated)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Both write the same bytes; each reads the other's after loss, reordering and repeats; a repeat is refused.
    #[test]
    fn packets_are_the_same(
        suite in 0usize..SUITES.len(),
        secret in prop::array::uniform32(any::<u8>()),
        first in any::<u16>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut key = [0; 46];
        key[..32].copy_from_slice(&secret);
        key[32..].copy_from_slice(&secret[..14]);
        let mut pair = Pair::new(SUITES[suite], &key);
        let mut indices = [u64::from(first); 4];
        let mut wire: Vec<(usize, u64, Vec<u8>, Vec<u8>)> = Vec::new();
        for (n, (ssrc, ahead, csrcs, extension, payload, late, lost, repeated)) in steps.into_iter().enumerate() {
            let index = &mut indices[ssrc as usize];
            *index += u64::from(ahead);
            let clear = packet(ssrc, *index as u16, csrcs, extension, &payload);
            match pair.protect_rtp(&clear) {
                Ok(protected) => {
                    prop_assert_eq!(&protected, &pair.oracle_protect.encrypt_rtp(&clear).unwrap());
                    if repeated {
                        wire.push((n + late + 1, *index, clear.clone(), protected.clone()));
                    }
                    if !lost {
                        wire.push((n + late, *index, clear, protected));
                    }
                }
                Err(error) => prop_assert!(error == SrtpError::Replayed && ahead == 0),
            }
        }
        wire.sort_by_key(|(when, ..)| *when);
        let (mut taken, mut ahead, mut highest) = (HashSet::new(), HashSet::new(), HashMap::new());
        for (_, index, clear, protected) in wire {
            let ssrc = Ssrc(u32::from_be_bytes(clear[8..12].try_into().unwrap()));
            let first = pair.unprotect.roc(ssrc).is_none();
            let ours = pair.unprotect_rtp(&protected);
            let theirs = pair.oracle_unprotect.decrypt_rtp(&protected);
            if let Ok(ours) = &ours {
                prop_assert_eq!(ours, &clear);
                let highest = highest.entry(ssrc).or_insert(index);
                *highest = index.max(*highest);
            }
            // RFC 3711 §3.3.1 takes what is so far from the highest for a packet of the next round, or of the last.
            let far = highest.get(&ssrc).is_some_and(|highest| highest.abs_diff(index) >= 0x8000);
            // A stream that had wrapped before its first packet came it does not open: it waits for what is long past for us.
            if first && ours.is_ok() && theirs.is_err() {
                ahead.insert(ssrc);
            }
            // Its replay window counts sequence numbers where ours counts indices, so at the beginning and when packets
            // are very old they differ in what they refuse; never in what they read.
            if let Ok(theirs) = theirs {
                prop_assert_eq!(&theirs, &clear);
                prop_assert!(ours.is_ok() || ours == Err(SrtpError::Replayed) || ahead.contains(&ssrc) || far);
            }
            prop_assert!(ours.is_err() || taken.insert(protected), "taken twice");
        }
    }

    #[test]
    fn rtcp_is_the_same(
        suite in 0usize..SUITES.len(),
        secret in prop::array::uniform32(any::<u8>()),
        bodies in prop::collection::vec(prop::collection::vec(any::<[u8; 4]>(), 0..30), 1..20),
    ) {
        let mut key = [9; 46];
        key[..32].copy_from_slice(&secret);
        let mut pair = Pair::new(SUITES[suite], &key);
        let compound = |body: &[[u8; 4]]| {
            let mut bytes = vec![0x80, 200];
            bytes.extend((1 + body.len() as u16).to_be_bytes());
            bytes.extend(0xcafe_babe_u32.to_be_bytes());
            bytes.extend(body.concat());
            bytes
        };
        // The other one begins with index 1.
        pair.protect_rtcp(&compound(&[]));
        for body in &bodies {
            let clear = compound(body);
            let protected = pair.protect_rtcp(&clear);
            prop_assert_eq!(&protected, &pair.oracle_protect.encrypt_rtcp(&clear).unwrap());
            prop_assert_eq!(&pair.oracle_unprotect.decrypt_rtcp(&protected).unwrap(), &clear);
            prop_assert_eq!(pair.unprotect_rtcp(&protected), Ok(clear));
            prop_assert_eq!(pair.unprotect_rtcp(&protected), Err(SrtpError::Replayed));
        }
    }
}

/// Round and round through the sequence numbers, with loss around every wrap.
#[test]
fn the_rollover_counter_goes_with_the_oracle_s() {
    for suite in SUITES {
        let mut pair = Pair::new(suite, &[5; 46]);
        for n in (0u32..400_000).step_by(997) {
            let clear = packet(7, n as u16, 0, None, b"sound");
            let theirs = pair.oracle_protect.encrypt_rtp(&clear).unwrap();
            let ours = pair.protect_rtp(&clear).unwrap();
            assert_eq!(ours, theirs);
            if n % 3 != 0 {
                assert_eq!(pair.unprotect_rtp(&theirs), Ok(clear.clone()), "{n}");
                assert_eq!(pair.oracle_unprotect.decrypt_rtp(&ours).unwrap(), clear, "{n}");
            }
        }
        assert_eq!(pair.unprotect.roc(Ssrc(7)), Some(rtp::srtp::Roc(6)));
    }
}
