use std::net::SocketAddr;

use super::stun::checks;
use super::*;
use crate::relay::Component;

const USE_CANDIDATE: (u16, &[u8]) = (0x0025, &[]);
const CONTROLLED: (u16, &[u8]) = (0x8029, &[0; 8]);
const CONTROLLING: (u16, &[u8]) = (0x802a, &[9; 8]);
const PASSWORD: &str = "abcdefghijklmnopqrstuv";

fn agent() -> Agent {
    Agent::new(Credentials::new("ours", PASSWORD).unwrap())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The kind of message that came back, and its error code; or why nothing did.
fn check(agent: &mut Agent, from: &str, datagram: &[u8]) -> Result<(u16, u16, bool), Checked> {
    let mut out = [0; 256];
    match agent.handle_datagram(Component::Rtp, address(from), datagram, &mut out) {
        Checked::Answer { len, selected } => {
            let kind = u16::from_be_bytes([out[0], out[1]]);
            assert_eq!(usize::from(u16::from_be_bytes([out[2], out[3]])) + 20, len);
            let code = if kind == 0x0111 { u16::from(out[26]) * 100 + u16::from(out[27]) } else { 0 };
            Ok((kind, code, selected))
        }
        refused => Err(refused),
    }
}

#[test]
fn credentials_keep_to_the_letters_of_ice() {
    let check = |ufrag: &str, password: &str, expect| {
        assert_eq!(Credentials::new(ufrag, password).is_ok(), expect, "{ufrag} {password}");
    };
    check("abcd", PASSWORD, true);
    check("a+/9", PASSWORD, true);
    check("abc", PASSWORD, false);
    check("ab:d", PASSWORD, false);
    check("abcd", &PASSWORD[1..], false);
    check("abcd", &"x".repeat(257), false);
    let made = Credentials::made(std::array::from_fn(|index| index as u8 * 8));
    assert_eq!(Credentials::new(made.ufrag(), made.password()), Ok(made.clone()));
    assert_eq!((made.ufrag().len(), made.password().len()), (8, 24));
    assert!(!format!("{made:?}").contains(made.password()));
}

#[test]
fn a_check_with_the_password_is_answered_and_opens_its_way() {
    let mut agent = agent();
    let request = checks::request("ours:them", PASSWORD, &[CONTROLLING]);
    assert_eq!(agent.selected(Component::Rtp), None);
    assert_eq!(check(&mut agent, "192.0.2.1:4000", &request), Ok((0x0101, 0, true)));
    assert_eq!(check(&mut agent, "192.0.2.1:4000", &request), Ok((0x0101, 0, false)));
    assert_eq!(agent.selected(Component::Rtp), Some(address("192.0.2.1:4000")));
    assert!(agent.is_good(Component::Rtp, address("192.0.2.1:4000")));
    assert!(!agent.is_good(Component::Rtp, address("192.0.2.1:4001")));
    assert!(!agent.is_good(Component::Rtcp, address("192.0.2.1:4000")), "each component for itself");
}

#[test]
fn the_way_that_the_peer_nominates_is_taken() {
    let mut agent = agent();
    let plain = checks::request("ours:them", PASSWORD, &[CONTROLLING]);
    let nominating = checks::request("ours:them", PASSWORD, &[CONTROLLING, USE_CANDIDATE]);
    check(&mut agent, "192.0.2.1:1", &plain).unwrap();
    assert_eq!(check(&mut agent, "192.0.2.1:2", &nominating), Ok((0x0101, 0, true)));
    assert_eq!(
        check(&mut agent, "192.0.2.1:3", &plain),
        Ok((0x0101, 0, false)),
        "another good one changes nothing"
    );
    assert_eq!(agent.selected(Component::Rtp), Some(address("192.0.2.1:2")));
    assert_eq!(check(&mut agent, "192.0.2.1:1", &nominating), Ok((0x0101, 0, true)), "the last one counts");
}

#[test]
fn a_stranger_is_not_answered() {
    let mut agent = agent();
    let strange = Err(Checked::Unauthenticated);
    for (username, password) in [
        ("ours:them", "abcdefghijklmnopqrstuV"),
        ("our:them", PASSWORD),
        ("ourss:them", PASSWORD),
        ("ours", PASSWORD),
        ("", PASSWORD),
    ] {
        let request = checks::request(username, password, &[USE_CANDIDATE]);
        assert_eq!(check(&mut agent, "192.0.2.1:1", &request), strange, "{username}");
    }
    // Before the peer's description its name is not known, afterwards it is.
    let request = checks::request("ours:other", PASSWORD, &[]);
    assert!(check(&mut agent.clone(), "192.0.2.1:1", &request).is_ok());
    agent.handle_peer("them");
    assert_eq!(check(&mut agent, "192.0.2.1:1", &request), strange);
    assert_eq!(agent.selected(Component::Rtp), None);
    for bytes in [&b""[..], &[0; 19], &[0; 20], &[0; 400]] {
        assert_eq!(check(&mut agent, "192.0.2.1:1", bytes), Err(Checked::Malformed));
    }
}

#[test]
fn who_takes_itself_for_controlled_is_told() {
    let mut agent = agent();
    let request = checks::request("ours:them", PASSWORD, &[CONTROLLED, USE_CANDIDATE]);
    assert_eq!(check(&mut agent, "192.0.2.1:1", &request), Ok((0x0111, 487, false)));
    assert_eq!(agent.selected(Component::Rtp), None, "the check did not succeed");
}

#[test]
fn what_must_be_understood_and_is_not_is_named() {
    let mut agent = agent();
    let request = checks::request("ours:them", PASSWORD, &[(0x7ffe, b"x"), (0xc057, b"network")]);
    assert_eq!(check(&mut agent, "192.0.2.1:1", &request), Ok((0x0111, 420, false)));
}

#[test]
fn a_restart_keeps_the_way_until_there_is_another() {
    let mut agent = agent();
    let before = address("192.0.2.1:1");
    check(&mut agent, "192.0.2.1:1", &checks::request("ours:them", PASSWORD, &[USE_CANDIDATE])).unwrap();
    agent.handle_own(&Credentials::new("ours", PASSWORD).unwrap());
    assert!(agent.is_good(Component::Rtp, before), "the same words: no restart");

    let password = "vutsrqponmlkjihgfedcba";
    agent.handle_own(&Credentials::new("anew", password).unwrap());
    agent.handle_peer("they");
    assert_eq!(agent.selected(Component::Rtp), Some(before));
    assert!(agent.is_good(Component::Rtp, before));
    let old = checks::request("ours:them", PASSWORD, &[USE_CANDIDATE]);
    assert_eq!(check(&mut agent, "192.0.2.1:1", &old), Err(Checked::Unauthenticated));
    let new = checks::request("anew:they", password, &[USE_CANDIDATE]);
    assert_eq!(check(&mut agent, "192.0.2.9:1", &new), Ok((0x0101, 0, true)));
    assert_eq!(agent.selected(Component::Rtp), Some(address("192.0.2.9:1")));
}

#[test]
fn many_ways_make_no_more_of_them_than_fit() {
    let mut agent = agent();
    let request = checks::request("ours:them", PASSWORD, &[]);
    for port in 1..100 {
        check(&mut agent, &format!("192.0.2.1:{port}"), &request).unwrap();
    }
    let good =
        (1..100).filter(|port| agent.is_good(Component::Rtp, SocketAddr::from(([192, 0, 2, 1], *port))));
    assert_eq!(good.count(), 16);
}
