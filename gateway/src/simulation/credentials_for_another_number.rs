//! Credentials are an answer for one number (RFC 7616 §3.4.3, A2): who overhears them calls no other with them.

use sip::auth::{Challenge, Secret, answer};
use sip::{Message, Name};

use super::trunk::{Change, OUTSIDE, Trunk, over_udp};

const LOCKED: &[Change] =
    &[("pbx_termination", "credentials = [{ username = \"u\", password = \"s3cret\" }]")];

/// A call to the number of `called`, with credentials that are right for `digest_uri`: what the caller heard, and
/// whether it reached the carrier.
fn tried(trunk: &mut Trunk, called: &str, digest_uri: &str) -> (Vec<u16>, bool) {
    let before = trunk.received(trunk.east);
    let first = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(0.5);
    let asked = trunk.call(first).response(407).unwrap();
    let challenge = Challenge::parse(&asked.lines(Name::ProxyAuthenticate).next().unwrap()).unwrap();
    let secret = Secret::password("s3cret");
    let given = answer(&challenge, "u", &secret, "INVITE", digest_uri, "c0ffee", 1).unwrap();
    let again = trunk.world.with(trunk.pbx, |phone, now| {
        let from = "+12065550100";
        let invite = phone.invite("vc.example.com", from, OUTSIDE, true).uri(called);
        let invite = invite.header(Name::ProxyAuthorization, given.to_string());
        phone.place(now, invite.build())
    });
    trunk.run(0.5);
    let came = trunk.received(trunk.east) > before;
    if came {
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 486);
        trunk.run(0.5);
    }
    (trunk.heard(super::world::CallId(trunk.pbx, again)), came)
}

#[test]
fn the_numbers_of_the_digest_and_of_the_call_must_agree() {
    const URI: &str = "sip:+12125550123@vc.example.com";
    for (called, digest_uri, taken) in [
        (URI, URI, true),
        (URI, "sip:+12125550123@vc.example.com:5060", true),
        (URI, "sip:+12125550123@192.0.2.1;transport=tcp", true),
        (URI, "sip:+1-212-555-0123@vc.example.com;user=phone", true),
        (URI, "sip:%2B12125550123@vc.example.com", true),
        (URI, "sips:+12125550123@vc.example.com", true),
        ("tel:+12125550123", URI, true),
        (URI, "tel:+1-212-555-0123", true),
        ("sip:+12125550199@vc.example.com", URI, false),
        ("tel:+12125550199", URI, false),
        (URI, "sip:vc.example.com", false),
        (URI, "sip:12125550123@vc.example.com", false),
        (URI, "nonsense", false),
        (URI, "", false),
    ] {
        over_udp(LOCKED, |trunk| {
            let (heard, came) = tried(trunk, called, digest_uri);
            assert_eq!(came, taken, "{called} {digest_uri} {heard:?}");
            assert_eq!(heard, if taken { [486] } else { [403] }, "{called} {digest_uri}");
        });
    }
}

/// A machine between the phone and us has put the emergency digits in place of what was dialled.
#[test]
fn who_calls_for_help_is_not_asked_for_whom_the_credentials_are() {
    over_udp(LOCKED, |trunk| {
        let (heard, came) = tried(trunk, "sip:911@vc.example.com", "sip:9911@vc.example.com");
        assert!(came, "{heard:?}");
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 486);
        trunk.run(1.0);
    });
}

#[test]
fn the_refusal_says_why() {
    over_udp(LOCKED, |trunk| {
        tried(trunk, "sip:+12125550199@vc.example.com", "sip:+12125550123@vc.example.com");
        let calls = &trunk.world.phones[trunk.pbx.0].calls;
        let answer: &Message = calls.last().unwrap().response(403).unwrap();
        assert_eq!(answer.reason_phrase().unwrap(), b"The credentials are for another number");
    });
}
