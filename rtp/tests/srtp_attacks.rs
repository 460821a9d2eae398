//! Replays, forgeries and floods: nothing passes, nothing is remembered.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;
use rtp::packet::Ssrc;
use rtp::srtp::{MasterKey, Protect, Roc, Session, SrtpError, SrtpKeys, Suite, Unprotect};

fn key(suite: Suite, byte: u8) -> MasterKey {
    MasterKey::new(suite, &vec![byte; suite.inline_len()]).unwrap()
}

fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut bytes = vec![0x80, 0];
    bytes.extend(seq.to_be_bytes());
    bytes.extend([0; 4]);
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0x55; 160]);
    bytes
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, 201, 0, 1];
    bytes.extend(ssrc.to_be_bytes());
    bytes
}

/// Applies one of the in-place operations to a copy with room behind it.
fn with<T, E>(
    bytes: &[u8],
    operation: impl FnOnce(&mut [u8], usize) -> Result<T, E>,
    len: impl FnOnce(&T) -> usize,
) -> Result<Vec<u8>, E> {
    let mut buffer = bytes.to_vec();
    buffer.extend([0; 32]);
    let done = operation(&mut buffer, bytes.len())?;
    buffer.truncate(len(&done));
    Ok(buffer)
}

fn protect(protect: &mut Protect, bytes: &[u8]) -> Vec<u8> {
    with(bytes, |buffer, len| protect.protect_rtp(buffer, len), |len| *len).unwrap()
}

fn protect_rtcp(protect: &mut Protect, bytes: &[u8]) -> Vec<u8> {
    with(bytes, |buffer, len| protect.protect_rtcp(buffer, len), |len| *len).unwrap()
}

fn unprotect(unprotect: &mut Unprotect, bytes: &[u8]) -> Result<Vec<u8>, SrtpError> {
    with(bytes, |buffer, len| unprotect.unprotect_rtp(buffer, len), |done| done.len)
}

fn unprotect_rtcp(unprotect: &mut Unprotect, bytes: &[u8]) -> Result<Vec<u8>, SrtpError> {
    with(bytes, |buffer, len| unprotect.unprotect_rtcp(buffer, len), |done| done.len)
}

/// Both ends of one key.
fn pair(suite: Suite) -> (Protect, Unprotect) {
    let key = key(suite, 1);
    (Protect::new(suite, &key).unwrap(), Unprotect::new(suite, &key).unwrap())
}

#[test]
fn a_recording_played_back_is_refused() {
    for suite in Suite::ALL {
        let (mut ours, mut theirs) = pair(suite);
        let sequence = (65_400..=65_535).chain(0..200);
        let recording: Vec<_> = sequence.map(|seq| protect(&mut ours, &rtp(1, seq))).collect();
        for packet in &recording {
            assert!(unprotect(&mut theirs, packet).is_ok(), "{suite}");
        }
        assert_eq!(theirs.roc(Ssrc(1)), Some(Roc(1)));
        for packet in &recording {
            assert_eq!(unprotect(&mut theirs, packet), Err(SrtpError::Replayed), "{suite}");
        }
        let reports: Vec<_> = (0..200).map(|_| protect_rtcp(&mut ours, &rtcp(1))).collect();
        for report in &reports {
            assert_eq!(unprotect_rtcp(&mut theirs, report), Ok(rtcp(1)), "{suite}");
        }
        for report in &reports {
            assert_eq!(unprotect_rtcp(&mut theirs, report), Err(SrtpError::Replayed), "{suite}");
        }
    }
}

#[test]
fn no_bit_can_be_changed() {
    for suite in Suite::ALL {
        let (mut ours, mut theirs) = pair(suite);
        let packet = protect(&mut ours, &rtp(1, 1));
        let report = protect_rtcp(&mut ours, &rtcp(1));
        let flipped = |bytes: &[u8], bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        for bit in 0..packet.len() * 8 {
            assert!(unprotect(&mut theirs, &flipped(&packet, bit)).is_err(), "{suite}, bit {bit}");
        }
        for bit in 0..report.len() * 8 {
            assert!(unprotect_rtcp(&mut theirs, &flipped(&report, bit)).is_err(), "{suite}, bit {bit}");
        }
        for len in 0..packet.len() {
            assert!(unprotect(&mut theirs, &packet[..len]).is_err(), "{suite}, {len} bytes");
        }
        // Cut down to 32 bits it is what some peers send: tests/srtp_terms.rs.
        let short = (suite.rtp_growth() == 4).then(|| report.len() - 6);
        for len in (0..report.len()).filter(|len| Some(*len) != short) {
            assert!(unprotect_rtcp(&mut theirs, &report[..len]).is_err(), "{suite}, {len} bytes");
        }
        assert_eq!(theirs.streams_len(), (0, 0));
        assert_eq!(unprotect(&mut theirs, &packet), Ok(rtp(1, 1)));
        assert_eq!(unprotect_rtcp(&mut theirs, &report), Ok(rtcp(1)));
    }
}

#[test]
fn forgeries_leave_no_trace() {
    for suite in Suite::ALL {
        let (mut ours, mut theirs) = pair(suite);
        let mut forger = Protect::new(suite, &key(suite, 2)).unwrap();
        for ssrc in 0..500 {
            let packet = protect(&mut forger, &rtp(ssrc, 9));
            assert_eq!(unprotect(&mut theirs, &packet), Err(SrtpError::AuthFailed));
            let report = protect_rtcp(&mut forger, &rtcp(ssrc));
            assert_eq!(unprotect_rtcp(&mut theirs, &report), Err(SrtpError::AuthFailed));
        }
        assert_eq!(theirs.streams_len(), (0, 0));
        // Nor does a forged leap in the sequence move the stream on.
        assert!(unprotect(&mut theirs, &protect(&mut ours, &rtp(1, 10))).is_ok());
        for seq in [40_000, 65_535, 32_000] {
            let packet = protect(&mut forger, &rtp(501, seq));
            let mut packet = packet.clone();
            packet[8..12].copy_from_slice(&1u32.to_be_bytes());
            assert_eq!(unprotect(&mut theirs, &packet), Err(SrtpError::AuthFailed));
        }
        assert_eq!(unprotect(&mut theirs, &protect(&mut ours, &rtp(1, 11))), Ok(rtp(1, 11)));
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let (mut ours, mut theirs) = pair(Suite::AesCm128HmacSha1_80);
    for ssrc in 0..200 {
        assert!(unprotect(&mut theirs, &protect(&mut ours, &rtp(ssrc, 1))).is_ok());
        assert!(unprotect_rtcp(&mut theirs, &protect_rtcp(&mut ours, &rtcp(ssrc))).is_ok());
        assert!(unprotect(&mut theirs, &protect(&mut ours, &rtp(0, 2 + ssrc as u16))).is_ok());
    }
    assert_eq!(theirs.streams_len(), (64, 64));
    // The one that went on talking was never forgotten.
    assert_eq!(theirs.roc(Ssrc(0)), Some(Roc(0)));
    assert_eq!((theirs.roc(Ssrc(100)), theirs.roc(Ssrc(199))), (None, Some(Roc(0))));
}

fn keys(suite: Suite, send: u8, receive: u8) -> SrtpKeys {
    SrtpKeys::new(suite, key(suite, send), key(suite, receive))
}

fn open(session: &mut Session, bytes: &[u8]) -> Result<Vec<u8>, SrtpError> {
    with(bytes, |buffer, len| session.unprotect_rtp(buffer, len), |done| done.len)
}

fn send(session: &mut Session, bytes: &[u8]) -> Result<Vec<u8>, SrtpError> {
    with(bytes, |buffer, len| session.protect_rtp(buffer, len), |len| *len)
}

/// It began near the end of the numbers, and the keys came late: what was sent before them was refused.
#[test]
fn a_stream_that_wrapped_before_its_first_packet_was_opened_is_followed() {
    for suite in Suite::ALL {
        let (mut ours, mut theirs) = pair(suite);
        let before = protect(&mut ours, &rtp(1, 65_530));
        let first = protect(&mut ours, &rtp(1, 20));
        assert_eq!(unprotect(&mut theirs, &first), Ok(rtp(1, 20)), "{suite}");
        assert_eq!(theirs.roc(Ssrc(1)), Some(Roc(1)));
        assert_eq!(unprotect(&mut theirs, &first), Err(SrtpError::Replayed), "{suite}");
        assert_eq!(unprotect(&mut theirs, &before), Ok(rtp(1, 65_530)), "{suite}: late, not lost");
        assert_eq!(unprotect(&mut theirs, &protect(&mut ours, &rtp(1, 21))), Ok(rtp(1, 21)), "{suite}");
        // One that begins in the lower half has wrapped no more often than not at all.
        let (mut ours, mut theirs) = pair(suite);
        assert_eq!(unprotect(&mut theirs, &protect(&mut ours, &rtp(1, 20))), Ok(rtp(1, 20)), "{suite}");
        assert_eq!(theirs.roc(Ssrc(1)), Some(Roc(0)));
    }
}

/// A peer whose stream has wrapped once, and our session with it.
fn wrapped(suite: Suite) -> (Protect, Session) {
    let mut peer = Protect::new(suite, &key(suite, 2)).unwrap();
    let mut session = Session::new(&keys(suite, 1, 2)).unwrap();
    for seq in [40_000, 60_000, 10_000] {
        assert_eq!(open(&mut session, &protect(&mut peer, &rtp(1, seq))), Ok(rtp(1, seq)), "{suite}");
    }
    (peer, session)
}

#[test]
fn a_new_key_keeps_the_rollover_counter() {
    for suite in Suite::ALL {
        let (mut peer, mut session) = wrapped(suite);
        let late = protect(&mut peer, &rtp(1, 10_001));
        session.rekey(&keys(suite, 1, 3), false).unwrap();
        let before = std::mem::replace(&mut peer, Protect::new(suite, &key(suite, 3)).unwrap());
        peer.go_on_after(&before);
        assert_eq!(peer.roc(Ssrc(1)), Some(Roc(1)));
        assert_eq!(open(&mut session, &protect(&mut peer, &rtp(1, 10_002))), Ok(rtp(1, 10_002)), "{suite}");
        // What was on its way under the old key is taken, once, and only for a while.
        assert_eq!(open(&mut session, &late), Ok(rtp(1, 10_001)), "{suite}");
        assert!(open(&mut session, &late).is_err());
        let mut old = Protect::new(suite, &key(suite, 2)).unwrap();
        for seq in 0..64 {
            assert!(open(&mut session, &protect(&mut peer, &rtp(1, 10_003 + seq))).is_ok());
        }
        let too_late = protect(&mut old, &rtp(5, 1));
        assert_eq!(open(&mut session, &too_late), Err(SrtpError::AuthFailed), "{suite}");
    }
}

/// The peer's offer of a new key was refused.
#[test]
fn a_key_that_comes_back_has_forgotten_nothing() {
    for suite in Suite::ALL {
        let (mut peer, mut session) = wrapped(suite);
        let before = protect(&mut peer, &rtp(1, 10_001));
        assert!(open(&mut session, &before).is_ok());
        session.rekey(&keys(suite, 1, 3), false).unwrap();
        let meanwhile = protect(&mut peer, &rtp(1, 10_002));
        assert!(open(&mut session, &meanwhile).is_ok());
        session.rekey(&keys(suite, 1, 2), false).unwrap();
        for seen in [&before, &meanwhile] {
            assert_eq!(open(&mut session, seen), Err(SrtpError::Replayed), "{suite}");
        }
        assert_eq!(open(&mut session, &protect(&mut peer, &rtp(1, 10_003))), Ok(rtp(1, 10_003)), "{suite}");
        assert_eq!(session.snapshot().receive.streams[0].index >> 16, 1);
    }
}

/// The same, and the new key was in use for long: what was recorded under the old one is not taken when it is back.
#[test]
fn a_key_that_comes_back_late_has_forgotten_nothing() {
    for suite in Suite::ALL {
        let (mut peer, mut session) = wrapped(suite);
        let mut recorded: Vec<_> = (10_001..10_200).map(|seq| protect(&mut peer, &rtp(1, seq))).collect();
        recorded.push(protect(&mut peer, &rtp(2, 5)));
        for packet in &recorded {
            assert!(open(&mut session, packet).is_ok());
        }
        for byte in 3..6 {
            session.rekey(&keys(suite, 1, byte), false).unwrap();
            let mut between = Protect::new(suite, &key(suite, byte)).unwrap();
            between.go_on_after(&peer);
            for seq in 0..100 {
                let seq = 10_200 + 100 * u16::from(byte) + seq;
                assert!(open(&mut session, &protect(&mut between, &rtp(1, seq))).is_ok(), "{suite}");
            }
        }
        session.rekey(&keys(suite, 1, 2), false).unwrap();
        for packet in &recorded {
            assert_eq!(open(&mut session, packet), Err(SrtpError::Replayed), "{suite}");
        }
        for seq in 10_900..11_000 {
            assert_eq!(open(&mut session, &protect(&mut peer, &rtp(1, seq))), Ok(rtp(1, seq)), "{suite}");
        }
        let indices = session.snapshot().receive.streams;
        let mut indices: Vec<_> = indices.iter().map(|stream| (stream.ssrc, stream.index >> 16)).collect();
        indices.sort();
        assert_eq!(indices, [(1, 1), (2, 0)], "{suite}");
    }
}

/// It wrapped under the key between, which the counter of the first one may know (RFC 3711 §3.3.1) or not.
#[test]
fn a_stream_that_wrapped_under_another_key_is_followed_back() {
    for (suite, anew) in Suite::ALL.into_iter().flat_map(|suite| [(suite, false), (suite, true)]) {
        let (mut peer, mut session) = wrapped(suite);
        for seq in [40_000, 60_000, 10_000] {
            assert!(open(&mut session, &protect(&mut peer, &rtp(1, seq))).is_ok(), "{suite}");
        }
        let recorded = protect(&mut peer, &rtp(1, 10_001));
        assert!(open(&mut session, &recorded).is_ok());
        session.rekey(&keys(suite, 1, 3), false).unwrap();
        let mut between = Protect::new(suite, &key(suite, 3)).unwrap();
        between.go_on_after(&peer);
        for seq in (10_002..=u16::MAX).step_by(1_000).chain((0..10_000).step_by(1_000)) {
            assert!(open(&mut session, &protect(&mut between, &rtp(1, seq))).is_ok(), "{suite}");
        }
        assert!(open(&mut session, &protect(&mut between, &rtp(1, 9_999))).is_ok());
        session.rekey(&keys(suite, 1, 2), false).unwrap();
        if !anew {
            peer.go_on_after(&between);
        }
        assert_eq!(open(&mut session, &recorded), Err(SrtpError::Replayed), "{suite}");
        for seq in 10_002..10_100 {
            let packet = protect(&mut peer, &rtp(1, seq));
            assert_eq!(open(&mut session, &packet), Ok(rtp(1, seq)), "{suite} {anew}");
            assert_eq!(open(&mut session, &packet), Err(SrtpError::Replayed), "{suite} {anew}");
        }
        assert!(open(&mut session, &recorded).is_err(), "{suite}");
    }
}

#[test]
fn a_peer_that_begins_anew_under_its_new_key_is_followed() {
    for suite in Suite::ALL {
        let (_, mut session) = wrapped(suite);
        session.rekey(&keys(suite, 1, 3), true).unwrap();
        let mut anew = Protect::new(suite, &key(suite, 3)).unwrap();
        for seq in 10_002..10_100 {
            assert_eq!(open(&mut session, &protect(&mut anew, &rtp(1, seq))), Ok(rtp(1, seq)), "{suite}");
        }
    }
}

/// Under one key both ways, what we send could be sent back to us as the peer's own.
#[test]
fn a_peer_that_echoes_our_key_is_refused() {
    let suite = Suite::AesCm128HmacSha1_80;
    assert_eq!(Session::new(&keys(suite, 1, 1)).err(), Some(SrtpError::Reflected));
    let mut session = Session::new(&keys(suite, 1, 2)).unwrap();
    assert_eq!(session.rekey(&keys(suite, 3, 3), false), Err(SrtpError::Reflected));
    // Nothing has changed.
    let mut peer = Protect::new(suite, &key(suite, 2)).unwrap();
    assert_eq!(open(&mut session, &protect(&mut peer, &rtp(1, 1))), Ok(rtp(1, 1)));
    assert!(session.snapshot().send.master == key(suite, 1));
}

#[test]
fn what_we_send_goes_on_or_begins_anew_but_never_twice_under_a_key() {
    let suite = Suite::AesCm128HmacSha1_80;
    let mut session = Session::new(&keys(suite, 1, 9)).unwrap();
    for seq in [40_000, 60_000, 10_000] {
        send(&mut session, &rtp(1, seq)).unwrap();
    }
    let roc = |session: &Session| session.snapshot().send.streams[0].index >> 16;
    // The same key for a peer that moved: indices go on.
    session.rekey(&keys(suite, 1, 8), true).unwrap();
    assert_eq!(roc(&session), 1);
    assert_eq!(send(&mut session, &rtp(1, 10_000)), Err(SrtpError::Replayed));
    // A new key for the same place: they go on.
    session.rekey(&keys(suite, 2, 8), false).unwrap();
    send(&mut session, &rtp(1, 10_001)).unwrap();
    assert_eq!(roc(&session), 1);
    // A new key for another place: it knows nothing of the wrap.
    session.rekey(&keys(suite, 3, 8), true).unwrap();
    let mut elsewhere = Unprotect::new(suite, &key(suite, 3)).unwrap();
    let packet = send(&mut session, &rtp(1, 10_002)).unwrap();
    assert_eq!(unprotect(&mut elsewhere, &packet), Ok(rtp(1, 10_002)));
    // The first key comes back: what it has sent is not sent again under it, moved or not.
    session.rekey(&keys(suite, 1, 8), true).unwrap();
    for seq in [60_000, 10_000] {
        assert_eq!(send(&mut session, &rtp(1, seq)), Err(SrtpError::Replayed));
    }
    session.rekey(&keys(suite, 3, 8), true).unwrap();
    // A key that does not fit changes nothing.
    let unfit = SrtpKeys { suite: Suite::AesCm256HmacSha1_80, ..keys(suite, 4, 8) };
    assert!(session.rekey(&unfit, false).is_err());
    let packet = send(&mut session, &rtp(1, 10_003)).unwrap();
    assert_eq!(unprotect(&mut elsewhere, &packet), Ok(rtp(1, 10_003)));
}

#[test]
fn another_node_goes_on_from_a_snapshot() {
    for suite in Suite::ALL {
        let (mut peer, mut session) = wrapped(suite);
        send(&mut session, &rtp(7, 65_000)).unwrap();
        send(&mut session, &rtp(7, 300)).unwrap();
        let before = protect(&mut peer, &rtp(1, 9_999));

        let text = serde_json::to_string(&session.snapshot()).unwrap();
        let mut adopted = Session::restore(&serde_json::from_str(&text).unwrap()).unwrap();
        assert_eq!(open(&mut adopted, &before), Err(SrtpError::Replayed), "{suite}");
        let packet = protect(&mut peer, &rtp(1, 10_001));
        assert_eq!(open(&mut adopted, &packet), Ok(rtp(1, 10_001)), "{suite}");
        assert_eq!(send(&mut adopted, &rtp(7, 299)), Err(SrtpError::Replayed));
        let sent = send(&mut session, &rtp(7, 301)).unwrap();
        assert_eq!(send(&mut adopted, &rtp(7, 301)), Ok(sent)); // of the same packet: the rollover counter is the same

        let report = |session: &mut Session| {
            with(&rtcp(1), |buffer, len| session.protect_rtcp(buffer, len), |len| *len).unwrap()
        };
        assert_ne!(report(&mut session), report(&mut adopted)); // leapt
    }
}

#[test]
fn a_session_prints_no_key() {
    let suite = Suite::AesCm128HmacSha1_80;
    let session = Session::new(&keys(suite, 0xab, 0xcd)).unwrap();
    let text = format!("{:?} {:?}", session.snapshot(), keys(suite, 0xab, 0xcd));
    for secret in ["171", "205", "ab", "cd"] {
        assert!(!text.contains(secret), "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_nothing_random_passes(
        suite in 0..Suite::ALL.len(),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        version in any::<bool>(),
        room in 0usize..40,
    ) {
        let suite = Suite::ALL[suite];
        let (mut ours, mut theirs) = pair(suite);
        let mut bytes = bytes;
        if let (Some(first), true) = (bytes.first_mut(), version) {
            *first = 0x80 | *first & 0x1f;
        }
        let len = bytes.len();
        bytes.resize(len + room, 0);
        for len in [len, len + room, len + room + 1] {
            prop_assert!(theirs.unprotect_rtp(&mut bytes.clone(), len).is_err());
            prop_assert!(theirs.unprotect_rtcp(&mut bytes.clone(), len).is_err());
            for rtcp in [false, true] {
                let mut buffer = bytes.clone();
                let protected = match rtcp {
                    false => ours.protect_rtp(&mut buffer, len),
                    true => ours.protect_rtcp(&mut buffer, len),
                };
                if let Ok(protected) = protected {
                    let (_, mut theirs) = pair(suite);
                    let unprotected = match rtcp {
                        false => theirs.unprotect_rtp(&mut buffer, protected),
                        true => theirs.unprotect_rtcp(&mut buffer, protected),
                    };
                    prop_assert_eq!(unprotected.map(|done| done.len), Ok(len));
                    prop_assert_eq!(&buffer[..len], &bytes[..len]);
                } else {
                    prop_assert_eq!(&buffer, &bytes);
                }
            }
        }
        prop_assert_eq!(theirs.streams_len(), (0, 0));
    }
}
