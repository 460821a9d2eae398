//! A caller that hides is not told by what else its phone says: house, subject, card. RFC 3323 §4.1.

use sip::{Message, Method};

use super::trunk::{Change, OUTSIDE, Trunk, everywhere, everywhere_with};

const SAID: &[(&str, &str)] = &[
    ("Organization", "Smith & Sons"),
    ("Subject", "The flat in 5 High Street"),
    ("Call-Info", "<http://smith.example/card>;purpose=card"),
    ("User-Agent", "Smith-PBX"),
];

const GIVEN: Change = ("east_peer", "give_identity = true");

fn said(message: &Message) -> usize {
    let text = String::from_utf8_lossy(message.bytes()).to_lowercase();
    text.matches("smith").count() + text.matches("high street").count()
}

/// What the far side hears of the caller in the INVITE, the ACK and the BYE.
fn heard(trunk: &mut Trunk, privacy: &[(&str, &str)]) -> [usize; 3] {
    trunk.phone(trunk.pbx).says = SAID;
    let headers: Vec<_> = SAID.iter().chain(privacy).copied().collect();
    let a = trunk.dial_with(trunk.pbx, OUTSIDE, &headers);
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    trunk.respond(b, 200);
    trunk.run(0.5);
    trunk.hang_up(a);
    trunk.run(1.0);
    let call = trunk.call(b);
    let [ack, bye] = [Method::Ack, Method::Bye].map(|method| call.request(&method).map_or(0, said));
    [said(&call.invite), ack, bye]
}

#[test]
fn who_hides_is_not_told_by_its_house() {
    everywhere(|trunk| {
        assert_eq!(heard(trunk, &[("Privacy", "id")]), [0, 0, 0]);
        assert_eq!(heard(trunk, &[("Privacy", "user;critical")]), [0, 0, 0]);
        let [invite, _, bye] = heard(trunk, &[]);
        assert_eq!((invite, bye), (3, 3), "who does not hide says what it likes");
    });
}

#[test]
fn who_is_given_identities_hears_it() {
    everywhere_with(&[GIVEN], |trunk| {
        let [invite, _, bye] = heard(trunk, &[("Privacy", "id")]);
        assert_eq!((invite, bye), (3, 3));
    });
}
