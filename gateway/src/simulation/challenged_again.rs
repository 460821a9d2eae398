//! A carrier's nonces do not live for long: the next one is answered too. RFC 3261 §22.2, RFC 7616 §3.3.

use sip::auth::Credentials;
use sip::{Message, Method, Name};

use super::phone::{CHALLENGE, STALE, Stage};
use super::trunk::{Change, OUTSIDE, Trunk, everywhere_with};
use crate::direction::Direction;

const KNOWN: &[Change] = &[("east", "credentials = { username = \"trunk\", password = \"s3cret\" }")];

fn nonce(request: &Message) -> String {
    Credentials::parse(&request.value(Name::ProxyAuthorization).unwrap()).unwrap().nonce
}

fn challenged(trunk: &mut Trunk, challenge: &str) {
    let b = trunk.incoming(trunk.east);
    trunk.respond_with(b, 407, &[("Proxy-Authenticate", challenge)]);
    trunk.run(0.5);
}

#[test]
fn stale_nonces_of_a_carrier_are_answered_three_times() {
    for stale in [1, 2, 3] {
        everywhere_with(KNOWN, |trunk| {
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            challenged(trunk, CHALLENGE);
            for _ in 0..stale {
                challenged(trunk, STALE);
            }
            if stale == 3 {
                assert_eq!(trunk.received(trunk.east), 4);
                let next = trunk.incoming(trunk.west);
                trunk.respond(next, 486);
                trunk.run(0.5);
                return assert_eq!(trunk.heard(a), [486]);
            }
            let b = trunk.incoming(trunk.east);
            assert_eq!(nonce(&trunk.call(b).invite), "def");
            trunk.respond(b, 200);
            trunk.run(0.5);
            assert_eq!(trunk.stage(a), Stage::Up);
            trunk.hang_up(a);
            trunk.run(1.0);
        });
    }
}

/// Two proxies on the way, each with a challenge of its own (RFC 3261 §22.3): both proofs are given.
#[test]
fn a_carrier_that_asks_twice_for_different_proofs_gets_both() {
    everywhere_with(KNOWN, |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        challenged(trunk, CHALLENGE);
        let b = trunk.incoming(trunk.east);
        trunk.respond_with(b, 401, &[("WWW-Authenticate", CHALLENGE)]);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert!(trunk.call(b).invite.has(Name::Authorization));
        assert!(trunk.call(b).invite.has(Name::ProxyAuthorization));
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

#[test]
fn a_stale_challenge_of_a_bye_or_reinvite_is_answered() {
    everywhere_with(KNOWN, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.challenges = true;
        trunk.phone(b.0).habits.stale = 2;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!(nonce(trunk.call(b).request(&Method::Invite).unwrap()), "def");
        trunk.phone(b.0).habits.stale = 2;
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_eq!(nonce(trunk.call(b).request(&Method::Bye).unwrap()), "def");
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
    });
}

/// The carrier called, and wants to know who hangs up.
#[test]
fn a_carrier_that_called_challenges_our_bye() {
    everywhere_with(KNOWN, |trunk| {
        let (a, b) = trunk.connect(trunk.east, super::trunk::PBX, trunk.pbx);
        trunk.phone(a.0).habits.challenges = true;
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Over);
    });
}
