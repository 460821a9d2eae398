//! Who calls for help is put through however the phone spells it.

use sip::Message;

use super::trunk::{Change, Trunk, everywhere, over_udp};
use super::world::{CallId, PhoneId};
use crate::peer::Transport;

const OTHERS: Change = (
    "more",
    "[[voice_connector]]\nid = \"abroad\"\n\
     termination = { allowlist = [\"10.0.0.9/32\"], calling_plan = [\"US\", \"GB\"] }\n\
     origination = { options_interval = \"0s\", route = [{ host = \"10.0.0.9\" }] }\n\
     emergency = [{ country = \"GB\", digits = [\"999\", \"112\"], routing_number = \"+442079460999\" },\n\
     { country = \"US\", digits = [\"911\"], routing_number = \"+15105550222\" }]\n",
);

/// An INVITE to a Request-URI that is written out whole.
fn asks(trunk: &mut Trunk, phone: PhoneId, from: &str, uri: &str) -> CallId {
    let call = trunk.world.with(phone, |phone, now| {
        let invite = phone.invite("vc.example.com", from, "911", true).build();
        let text = String::from_utf8(invite.bytes().to_vec()).unwrap();
        let text = text.replace("sip:911@vc.example.com", uri);
        phone.place(now, Message::parse(text.into()).unwrap())
    });
    trunk.run(0.5);
    CallId(phone, call)
}

#[test]
fn every_spelling_is_put_through() {
    everywhere(|trunk| {
        let own = trunk.own_number(trunk.pbx);
        for (uri, dialled) in [
            ("sip:+911@vc.example.com", "911"),
            ("sip:+911@vc.example.com;user=phone", "911"),
            ("sip:911@vc.example.com;user=phone", "911"),
            ("sip:911;phone-context=+1@vc.example.com;user=phone", "911"),
            ("sip:911;phone-context=vc.example.com@vc.example.com", "911"),
            ("tel:911;phone-context=+1", "911"),
            ("tel:+911", "911"),
            ("urn:service:sos", "urn:service:sos"),
            ("urn:service:sos.fire", "urn:service:sos.fire"),
            ("URN:service:SOS.Police", "urn:service:sos.police"),
        ] {
            let a = asks(trunk, trunk.pbx, own, uri);
            assert_eq!(trunk.heard(a), [0; 0], "{uri}");
            let b = trunk.incoming(trunk.east);
            let called = trunk.call(b).invite.request_uri().unwrap().to_owned();
            assert!(called.starts_with("sip:+15105550111@"), "{uri}: {called}");
            trunk.respond(b, 200);
            trunk.run(0.5);
            trunk.hang_up(a);
            trunk.run(1.0);
            let cdr = trunk.world.cdrs.last().unwrap();
            assert_eq!(cdr.destination.number, dialled, "{uri}");
        }
    });
}

/// Numbers that begin like a call for help are numbers; what is no service of help is no call.
#[test]
fn nothing_else_is_taken_for_it() {
    everywhere(|trunk| {
        let own = trunk.own_number(trunk.pbx);
        for (uri, status) in [
            ("sip:+911123456789@vc.example.com", 403),
            ("sip:+91112@vc.example.com", 403),
            ("sip:+91@vc.example.com", 484),
            ("urn:service:counseling", 416),
            ("urn:service:sosx", 416),
        ] {
            let a = asks(trunk, trunk.pbx, own, uri);
            assert_eq!(trunk.heard(a), [status], "{uri}");
        }
    });
}

/// A service says nothing of a country: the caller's number does, or else the first entry is taken.
#[test]
fn a_service_goes_where_its_caller_is() {
    over_udp(&[OTHERS], |trunk| {
        let phone = trunk.world.phone("abroad", "10.0.0.9:5060", Transport::Udp);
        for (from, routing) in
            [("+12065550777", "+15105550222"), ("+442079460123", "+442079460999"), ("1001", "+442079460999")]
        {
            let a = asks(trunk, phone, from, "urn:service:sos");
            let b = trunk.incoming(trunk.east);
            let called = trunk.call(b).invite.request_uri().unwrap().to_owned();
            assert!(called.starts_with(&format!("sip:{routing}@")), "{from}: {called}");
            trunk.respond(b, 200);
            trunk.run(0.5);
            trunk.hang_up(a);
            trunk.run(1.0);
        }
    });
}

/// Without an entry nobody can be called, and the caller hears why.
#[test]
fn without_an_entry_the_cause_is_clear() {
    over_udp(&[], |trunk| {
        let own = trunk.own_number(trunk.branch);
        for (uri, told) in [
            ("urn:service:sos", "No emergency entry for urn:service:sos"),
            ("sip:+911@vc.example.com", "No emergency entry for 911"),
        ] {
            let a = asks(trunk, trunk.branch, own, uri);
            assert_eq!(trunk.heard(a), [404], "{uri}");
            assert_eq!(trunk.world.cdrs.last().unwrap().status_message, format!("404 {told}"));
        }
    });
}
