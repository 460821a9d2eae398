//! The carrier wants a digest answer to every request of ours.

use sip::auth::{Credentials, Secret, answer};
use sip::{Message, Method, Name};

use super::phone::{CHALLENGE, Stage};
use super::trunk::{Change, OUTSIDE, Trunk, everywhere, everywhere_with};
use crate::direction::Direction;

const KNOWN: &[Change] = &[("east", "credentials = { username = \"trunk\", password = \"s3cret\" }")];

/// The request carries the right answer.
fn assert_proves(request: &Message) {
    let given = Credentials::parse(&request.value(Name::ProxyAuthorization).unwrap()).unwrap();
    let challenge = sip::auth::Challenge::parse(CHALLENGE).unwrap();
    let (cnonce, uri) = (given.cnonce.clone().unwrap(), request.request_uri().unwrap());
    // An ACK proves what its INVITE did.
    let method = match request.method().unwrap() {
        Method::Ack => Method::Invite,
        other => other,
    };
    let secret = Secret::password("s3cret");
    let expected = answer(&challenge, "trunk", &secret, &method.to_string(), &given.uri, &cnonce, 1).unwrap();
    assert_eq!(given.response, expected.response);
    assert!(method == Method::Invite || given.uri == uri);
}

fn challenged(trunk: &mut Trunk) {
    let b = trunk.incoming(trunk.east);
    trunk.respond_with(b, 407, &[("Proxy-Authenticate", CHALLENGE)]);
    trunk.run(0.5);
}

#[test]
fn invite_reinvite_and_bye_prove_who_we_are() {
    everywhere_with(KNOWN, |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        challenged(trunk);
        let b = trunk.incoming(trunk.east);
        assert_proves(&trunk.call(b).invite);
        assert_eq!(trunk.call(b).invite.cseq().unwrap().number, 2);
        trunk.respond(b, 200);
        trunk.run(0.5);
        // RFC 3261 §22.1: an ACK can't be challenged, so it carries what its INVITE did.
        assert_proves(trunk.call(b).request(&Method::Ack).unwrap());

        trunk.phone(b.0).habits.challenges = true;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        assert_proves(trunk.call(b).request(&Method::Invite).unwrap());
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_proves(trunk.call(b).request(&Method::Bye).unwrap());
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
        assert_eq!(trunk.received(trunk.west), 0);
    });
}

/// While a re-INVITE is challenged something else goes out: the second try needs a number above both.
#[test]
fn a_second_try_has_a_number_of_its_own() {
    everywhere_with(KNOWN, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.challenges = true;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!(trunk.call(a).statuses(&Method::Info), [200]);
        let number = |method| trunk.call(b).request(&method).unwrap().cseq().unwrap().number;
        assert!(number(Method::Invite) > number(Method::Info));
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// The callee's answer crosses our CANCEL, and the carrier challenges the BYE that releases it.
#[test]
fn the_release_of_a_late_answer_is_proved_too() {
    everywhere_with(KNOWN, |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.phone(b.0).habits.challenges = true;
        trunk.run(0.5);
        trunk.cancel(a);
        trunk.run(0.015);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_proves(trunk.call(b).request(&Method::Bye).unwrap());
    });
}

#[test]
fn a_second_challenge_ends_the_attempt() {
    everywhere_with(KNOWN, |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        challenged(trunk);
        challenged(trunk);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
    });
}

/// A challenge that we can't answer says nothing of the call: the next carrier is asked.
#[test]
fn without_credentials_the_next_carrier_is_asked() {
    for status in [401, 407] {
        everywhere(|trunk| {
            let (a, east) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond_with(east, status, &[("Proxy-Authenticate", CHALLENGE)]);
            trunk.run(0.5);
            let west = trunk.incoming(trunk.west);
            trunk.respond(west, 486);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [486]);
            let metrics = trunk.world.metrics.render();
            let counted = "voice_connector_carrier_challenges_refused_total{carrier=\"east\"} 1";
            assert!(metrics.contains(counted), "{metrics}");
        });
    }
}

#[test]
fn the_challenge_of_the_last_carrier_stays_on_its_leg() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        for phone in [trunk.east, trunk.west] {
            trunk.run(0.5);
            let b = trunk.incoming(phone);
            trunk.respond_with(b, 407, &[("Proxy-Authenticate", CHALLENGE)]);
        }
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [502]);
        assert!(!trunk.call(a).response(502).unwrap().has(Name::ProxyAuthenticate));
        trunk.finish();
        let told = "502 No route took the call: authentication failed";
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, told);
    });
}
