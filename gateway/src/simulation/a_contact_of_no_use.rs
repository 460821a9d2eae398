//! A callee's answer says nothing usable of where its requests go.

use sip::{Method, Name};

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with};
use super::world::{CallId, PhoneId};
use crate::peer::Transport;

/// No URI; two of them; one that nobody can be reached at.
const USELESS: [&str; 3] = ["sip:", "sip:east@[10.0.1.1", ":::"];

/// Each over UDP and over TCP.
const NOBODYS: [(&str, &str); 3] = [
    ("sip:0.0.0.0", "sip:0.0.0.0;transport=tcp"),
    ("sip:east@224.0.0.1:5060", "sip:east@224.0.0.1:5060;transport=tcp"),
    ("sip:east@192.0.2.1", "sip:east@192.0.2.1;transport=tcp"),
];

fn is_released(trunk: &Trunk, call: CallId) {
    assert_eq!(trunk.stage(call), Stage::Over);
    assert!(trunk.call(call).requests().ends_with(&["ACK", "BYE"].map(str::to_owned)));
    let bye = trunk.call(call).request(&Method::Bye).unwrap();
    assert!(bye.has(Name::Reason));
}

#[test]
fn its_answer_is_released_by_the_flow() {
    for contact in USELESS {
        everywhere(|trunk| {
            trunk.phone(trunk.east).contact_uri = Some(contact);
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, 200);
            trunk.run(1.0);
            is_released(trunk, b);
            assert_eq!(trunk.heard(a), [502]);
        });
    }
}

#[test]
fn who_calls_for_help_is_put_through_to_the_next() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).contact_uri = Some(USELESS[0]);
        let (a, b) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        is_released(trunk, b);
        let c = trunk.incoming(trunk.west);
        trunk.respond(c, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(c)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// An answer after the caller gave up is no better.
#[test]
fn its_late_answer_is_released_by_the_flow() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).contact_uri = Some(USELESS[0]);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.cancel(a);
        trunk.run(0.015);
        trunk.respond(b, 200);
        trunk.run(1.0);
        is_released(trunk, b);
    });
}

/// No address, and the gateway's own: what goes there reaches nobody, and no error says so.
#[test]
fn a_party_that_names_nobodys_address_or_ours_is_reached_by_the_flow() {
    let phones: [fn(&Trunk) -> PhoneId; 2] = [|trunk| trunk.pbx, |trunk| trunk.east];
    for (phone, contact) in phones.into_iter().flat_map(|phone| NOBODYS.map(|contact| (phone, contact))) {
        everywhere_with(&[("pbx_peer", "nat = \"never\"")], |trunk| {
            let phone = phone(trunk);
            let transport = trunk.phone(phone).transport;
            let uri = if transport == Transport::Udp { contact.0 } else { contact.1 };
            trunk.phone(phone).contact_uri = Some(uri);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let (ours, other) = if phone == trunk.pbx { (a, b) } else { (b, a) };
            trunk.hang_up(other);
            trunk.run(1.0);
            assert_eq!(trunk.call(ours).requests().last().map(String::as_str), Some("BYE"), "{contact:?}");
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        });
    }
}
