//! What a key is called, how long it lives, and how long the tags of a peer's SRTCP are. RFC 4568 §6.1, §6.2.2.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use rtp::srtp::{MasterKey, Mki, Protect, Session, SrtcpTag, SrtpError, SrtpKeys, Suite, Unprotect};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

const SUITES: [(Suite, ProtectionProfile); 6] = [
    (Suite::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (Suite::AesCm128HmacSha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
    (Suite::AesCm256HmacSha1_80, ProtectionProfile::Aes256CmHmacSha1_80),
    (Suite::AesCm256HmacSha1_32, ProtectionProfile::Aes256CmHmacSha1_32),
    (Suite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Suite::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
];
const SHORT: [Suite; 3] =
    [Suite::AesCm128HmacSha1_32, Suite::AesCm192HmacSha1_32, Suite::AesCm256HmacSha1_32];

fn key(suite: Suite, byte: u8) -> MasterKey {
    MasterKey::new(suite, &vec![byte; suite.inline_len()]).unwrap()
}

fn keys(suite: Suite, send: u8, receive: u8) -> SrtpKeys {
    SrtpKeys::new(suite, key(suite, send), key(suite, receive))
}

fn is_gcm(suite: Suite) -> bool {
    matches!(suite, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm)
}

fn rtp(seq: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 0];
    bytes.extend(seq.to_be_bytes());
    bytes.extend([0, 0, 0, 9, 0, 0, 0, 7]);
    bytes.extend([0x55; 40]);
    bytes
}

fn rtcp() -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 3, 0, 0, 0, 7];
    bytes.extend([3; 8]);
    bytes
}

fn with<T>(
    clear: &[u8],
    act: impl FnOnce(&mut [u8], usize) -> Result<T, SrtpError>,
) -> Result<(T, Vec<u8>), SrtpError> {
    let mut buffer = [0; 512];
    buffer[..clear.len()].copy_from_slice(clear);
    let done = act(&mut buffer, clear.len())?;
    Ok((done, buffer.to_vec()))
}

fn sealed(
    clear: &[u8],
    act: impl FnOnce(&mut [u8], usize) -> Result<usize, SrtpError>,
) -> Result<Vec<u8>, SrtpError> {
    with(clear, act).map(|(len, bytes)| bytes[..len].to_vec())
}

fn opened(unprotect: &mut Unprotect, bytes: &[u8], is_rtcp: bool) -> Result<Vec<u8>, SrtpError> {
    let act = |buffer: &mut [u8], len: usize| match is_rtcp {
        true => unprotect.unprotect_rtcp(buffer, len),
        false => unprotect.unprotect_rtp(buffer, len),
    };
    with(bytes, act).map(|(unprotected, bytes)| bytes[..unprotected.len].to_vec())
}

/// What another implementation wrote, with the name of the key where the standards have it: before the tag of counter mode
/// (RFC 3711 §3.1, §3.4), at the end with GCM (RFC 7714 §8.2, §9.2).
fn named(suite: Suite, tag: usize, bytes: &[u8], mki: &[u8]) -> Vec<u8> {
    let at = if is_gcm(suite) { bytes.len() } else { bytes.len() - tag };
    [&bytes[..at], mki, &bytes[at..]].concat()
}

#[test]
fn a_key_has_its_name_in_every_packet_of_every_suite() {
    for (suite, profile) in SUITES {
        for (mki, bytes) in [(Mki::new(1, 1), vec![1]), (Mki::new(258, 4), vec![0, 0, 1, 2])] {
            let master = key(suite, 7);
            let (secret, salt) = master.expose().split_at(suite.key_len());
            let mut oracle = Context::new(secret, salt, profile, None, None).unwrap();
            let (mut protect, mut unprotect) =
                (Protect::new(suite, &master).unwrap(), Unprotect::new(suite, &master).unwrap());
            protect.set_mki(mki);
            unprotect.set_terms(mki, None);
            let ours = sealed(&rtp(1), |buffer, len| protect.protect_rtp(buffer, len)).unwrap();
            let theirs = oracle.encrypt_rtp(&rtp(1)).unwrap();
            let theirs = named(suite, suite.rtp_growth(), &theirs, &bytes);
            assert_eq!(ours, theirs, "{suite}");
            let mut other = theirs.clone();
            let at = if is_gcm(suite) { other.len() - 1 } else { other.len() - suite.rtp_growth() - 1 };
            other[at] ^= 1;
            assert_eq!(opened(&mut unprotect, &other, false), Err(SrtpError::AuthFailed), "{suite}");
            assert_eq!(opened(&mut unprotect, &theirs, false), Ok(rtp(1)), "{suite}");
            assert_eq!(opened(&mut unprotect, &theirs, false), Err(SrtpError::Replayed), "{suite}");

            // The other one's SRTCP begins with index 1.
            sealed(&rtcp(), |buffer, len| protect.protect_rtcp(buffer, len)).unwrap();
            let ours = sealed(&rtcp(), |buffer, len| protect.protect_rtcp(buffer, len)).unwrap();
            let theirs = oracle.encrypt_rtcp(&rtcp()).unwrap();
            let theirs = named(suite, suite.rtcp_growth() - 4, &theirs, &bytes);
            assert_eq!(ours, theirs, "{suite}");
            assert_eq!(opened(&mut unprotect, &theirs, true), Ok(rtcp()), "{suite}");
            assert_eq!(opened(&mut unprotect, &theirs, true), Err(SrtpError::Replayed), "{suite}");
        }
    }
}

/// Each direction has a name of its own, or none, and both may change with a description.
#[test]
fn each_direction_has_its_own_name() {
    for suite in Suite::ALL {
        let (ours, theirs) = (Mki::new(5, 2), Mki::new(9, 4));
        let here = SrtpKeys { send_mki: ours, receive_mki: theirs, ..keys(suite, 1, 2) };
        let there = SrtpKeys { send_mki: theirs, receive_mki: ours, ..keys(suite, 2, 1) };
        let (mut a, mut b) = (Session::new(&here).unwrap(), Session::new(&there).unwrap());
        let cross = |from: &mut Session, to: &mut Session, seq| {
            let packet = sealed(&rtp(seq), |buffer, len| from.protect_rtp(buffer, len)).unwrap();
            let opened = with(&packet, |buffer, len| to.unprotect_rtp(buffer, len));
            opened.map(|(unprotected, bytes)| assert_eq!(bytes[..unprotected.len], rtp(seq)))
        };
        assert_eq!(cross(&mut a, &mut b, 1), Ok(()), "{suite}");
        assert_eq!(cross(&mut b, &mut a, 1), Ok(()), "{suite}");
        // The peer leaves its name out from now on, and what came stays seen.
        let repeated = sealed(&rtp(2), |buffer, len| b.protect_rtp(buffer, len)).unwrap();
        a.rekey(&SrtpKeys { receive_mki: None, ..here.clone() }, false).unwrap();
        assert!(with(&repeated, |buffer, len| a.unprotect_rtp(buffer, len)).is_err(), "{suite}");
        b.rekey(&SrtpKeys { send_mki: None, ..there.clone() }, false).unwrap();
        assert_eq!(cross(&mut b, &mut a, 3), Ok(()), "{suite}");
        assert_eq!(cross(&mut a, &mut b, 3), Ok(()), "{suite}");
    }
}

/// SRTCP of a peer, as the standard has it or cut down to 32 bits: the tag is the beginning of one and the same HMAC.
fn report(peer: &mut Protect, tag: SrtcpTag) -> Vec<u8> {
    let whole = sealed(&rtcp(), |buffer, len| peer.protect_rtcp(buffer, len)).unwrap();
    let cut = usize::from((80 - tag.bits()) / 8);
    whole[..whole.len() - cut].to_vec()
}

fn hear(session: &mut Session, report: &[u8]) -> Result<(), SrtpError> {
    with(report, |buffer, len| session.unprotect_rtcp(buffer, len))
        .map(|(unprotected, bytes)| assert_eq!(bytes[..unprotected.len], rtcp()))
}

#[test]
fn the_tag_of_srtcp_is_that_of_the_peers_first_packet() {
    for suite in SHORT {
        for tag in [SrtcpTag::Bits80, SrtcpTag::Bits32] {
            let other = if tag == SrtcpTag::Bits80 { SrtcpTag::Bits32 } else { SrtcpTag::Bits80 };
            let mut session = Session::new(&keys(suite, 1, 2)).unwrap();
            let mut peer = Protect::new(suite, &key(suite, 2)).unwrap();
            let say = |session: &mut Session| {
                sealed(&rtcp(), |buffer, len| session.protect_rtcp(buffer, len)).unwrap().len()
                    - rtcp().len()
                    - 4
            };
            assert_eq!(
                (session.srtcp_tag(), say(&mut session)),
                (None, 10),
                "{suite}: the standard's, until it is known"
            );
            // What is forged decides nothing, whatever its length.
            for tag in [SrtcpTag::Bits80, SrtcpTag::Bits32] {
                let mut forged = report(&mut peer, tag);
                let last = forged.len() - 1;
                forged[last] ^= 1;
                assert_eq!(hear(&mut session, &forged), Err(SrtpError::AuthFailed), "{suite}");
            }
            assert_eq!((session.srtcp_tag(), say(&mut session)), (None, 10), "{suite}");

            let first = report(&mut peer, tag);
            assert_eq!(hear(&mut session, &first), Ok(()), "{suite} {tag:?}");
            assert_eq!(session.srtcp_tag(), Some(tag), "{suite}");
            assert_eq!(say(&mut session), usize::from(tag.bits() / 8), "{suite}: answered alike");
            assert_eq!(hear(&mut session, &first), Err(SrtpError::Replayed), "{suite}");
            // From the standard's on the short one is no SRTCP of this peer's.
            if tag == SrtcpTag::Bits80 {
                assert_eq!(
                    hear(&mut session, &report(&mut peer, other)),
                    Err(SrtpError::AuthFailed),
                    "{suite}"
                );
            }
            assert_eq!(hear(&mut session, &report(&mut peer, tag)), Ok(()), "{suite}");
            assert_eq!(session.srtcp_tag(), Some(tag), "{suite}");

            // Another node goes on with it, and so does the next key until its first packet says otherwise.
            let mut restored = Session::restore(&session.snapshot()).unwrap();
            assert_eq!(say(&mut restored), usize::from(tag.bits() / 8), "{suite}");
            assert_eq!(restored.srtcp_tag(), Some(tag), "{suite}");
            session.rekey(&keys(suite, 3, 4), false).unwrap();
            assert_eq!(
                (session.srtcp_tag(), say(&mut session)),
                (None, usize::from(tag.bits() / 8)),
                "{suite}"
            );
            let mut peer = Protect::new(suite, &key(suite, 4)).unwrap();
            assert_eq!(hear(&mut session, &report(&mut peer, other)), Ok(()), "{suite}");
            assert_eq!(say(&mut session), usize::from(other.bits() / 8), "{suite}");
        }
    }
}

/// Who is on the way can cut a tag short, and be believed for one packet; the next whole one says what the peer has.
#[test]
fn a_report_that_was_cut_short_decides_nothing_for_long() {
    for suite in SHORT {
        let mut session = Session::new(&keys(suite, 1, 2)).unwrap();
        let mut peer = Protect::new(suite, &key(suite, 2)).unwrap();
        let whole = report(&mut peer, SrtcpTag::Bits80);
        assert_eq!(hear(&mut session, &whole[..whole.len() - 6]), Ok(()), "{suite}");
        assert_eq!(session.srtcp_tag(), Some(SrtcpTag::Bits32), "{suite}");
        assert_eq!(hear(&mut session, &whole), Err(SrtpError::Replayed), "{suite}: its copy came before it");
        assert_eq!(hear(&mut session, &report(&mut peer, SrtcpTag::Bits80)), Ok(()), "{suite}");
        let cut = report(&mut peer, SrtcpTag::Bits32);
        assert_eq!(hear(&mut session, &cut), Err(SrtpError::AuthFailed), "{suite}");
        assert_eq!(session.srtcp_tag(), Some(SrtcpTag::Bits80), "{suite}");
    }
}

/// Where the standard leaves no doubt nothing else is tried.
#[test]
fn other_suites_have_one_tag_alone() {
    for suite in Suite::ALL.into_iter().filter(|suite| !SHORT.contains(suite)) {
        let mut session = Session::new(&keys(suite, 1, 2)).unwrap();
        let mut peer = Protect::new(suite, &key(suite, 2)).unwrap();
        let whole = sealed(&rtcp(), |buffer, len| peer.protect_rtcp(buffer, len)).unwrap();
        assert!(hear(&mut session, &whole[..whole.len() - 6]).is_err(), "{suite}");
        assert_eq!(hear(&mut session, &whole), Ok(()), "{suite}");
        assert_eq!(
            session.srtcp_tag(),
            Some(if is_gcm(suite) { SrtcpTag::Bits128 } else { SrtcpTag::Bits80 })
        );
    }
}

#[test]
fn a_key_that_is_used_up_says_so_and_opens_all_the_same() {
    for suite in Suite::ALL {
        let named = SrtpKeys { lifetime: Some(4), ..keys(suite, 1, 2) };
        let mut session = Session::new(&named).unwrap();
        let mut peer = Protect::new(suite, &key(suite, 2)).unwrap();
        let hear = |session: &mut Session, peer: &mut Protect, seq: u16| {
            let packet = sealed(&rtp(seq), |buffer, len| peer.protect_rtp(buffer, len)).unwrap();
            with(&packet, |buffer, len| session.unprotect_rtp(buffer, len)).map(drop)
        };
        // What does not authenticate uses nothing up.
        let mut forged = rtp(1);
        forged.extend([0; 16]);
        assert!(with(&forged, |buffer, len| session.unprotect_rtp(buffer, len)).is_err());
        for seq in 1..=4 {
            assert!(!session.is_used_up(), "{suite}");
            assert_eq!(hear(&mut session, &mut peer, seq), Ok(()), "{suite}");
        }
        assert!(session.is_used_up(), "{suite}");
        assert_eq!(hear(&mut session, &mut peer, 5), Ok(()), "{suite}");
        let report = sealed(&rtcp(), |buffer, len| peer.protect_rtcp(buffer, len)).unwrap();
        assert!(with(&report, |buffer, len| session.unprotect_rtcp(buffer, len)).is_ok(), "{suite}");
        let mut restored = Session::restore(&session.snapshot()).unwrap();
        assert_eq!((restored.is_used_up(), hear(&mut restored, &mut peer, 6)), (true, Ok(())), "{suite}");

        // The same key again is used up still; the next one is not.
        session.rekey(&named, false).unwrap();
        assert_eq!((session.is_used_up(), hear(&mut session, &mut peer, 7)), (true, Ok(())), "{suite}");
        session.rekey(&SrtpKeys { lifetime: Some(4), ..keys(suite, 1, 3) }, false).unwrap();
        let mut next = Protect::new(suite, &key(suite, 3)).unwrap();
        assert_eq!((hear(&mut session, &mut next, 8), session.is_used_up()), (Ok(()), false), "{suite}");
    }
}
