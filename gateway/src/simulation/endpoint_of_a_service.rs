//! A host that wants another user than the number in its Request-URI: the SIP endpoint of a service.

use sip::{Method, Name};

use super::trunk::{Change, OUTSIDE, Trunk, over_udp};
use super::world::PhoneId;

const SERVICE: &[Change] = &[(
    "more",
    "\n[[carrier]]\nname = \"service\"\nprefixes = [\"+1212\"]\npriority = 1\n[[carrier.host]]\n\
     host = \"sip.api.example\"\nuser = \"proj_abc\"\nuri_parameters = \"user=phone;x-agent=1\"\n",
)];

fn service(trunk: &mut Trunk) -> PhoneId {
    trunk.world.names.insert("sip.api.example".into(), vec!["10.0.1.9:5060".parse().unwrap()]);
    trunk.world.phone("service", "10.0.1.9:5060", crate::peer::Transport::Udp)
}

#[test]
fn the_service_is_called_by_its_user_and_told_the_number() {
    over_udp(SERVICE, |trunk| {
        let service = service(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, service);
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert_eq!(invite.request_uri(), Some("sip:proj_abc@sip.api.example;user=phone;x-agent=1"));
        assert_eq!(Trunk::header(invite, "To"), format!("<sip:{OUTSIDE}@sip.api.example>"));
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(trunk.world.details[0].callee, OUTSIDE);
    });
}

#[test]
fn to_may_name_somebody_else() {
    let more = SERVICE[0].1.replace("user=phone;x-agent=1\"", "user=phone\"\nto_user = \"front desk\"");
    let more: &'static str = more.leak();
    over_udp(&[("more", more)], |trunk| {
        let service = service(trunk);
        // A signature over the number called does not hold for another To. RFC 8224 §8.3.
        let signed = [("Identity", "abc;info=<https://a.example/c>")];
        trunk.dial_with(trunk.pbx, OUTSIDE, &signed);
        trunk.run(0.5);
        let b = trunk.incoming(service);
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert_eq!(Trunk::header(invite, "To"), "<sip:front%20desk@sip.api.example>");
        assert!(!invite.has(Name::Identity));
        trunk.respond(b, 486);
        trunk.run(1.0);
    });
}

/// What may be called is a matter of the number that was dialled, and help is not called there.
#[test]
fn a_user_of_its_own_opens_nothing() {
    let everything: &'static str = SERVICE[0].1.replace("+1212", "+").leak();
    let changes: &[Change] = &[("more", everything)];
    over_udp(changes, |trunk| {
        let service = service(trunk);
        let a = trunk.dial(trunk.pbx, "+442079460000");
        let b = trunk.dial(trunk.pbx, "+19005550123");
        trunk.run(1.0);
        assert_eq!((trunk.heard(a), trunk.heard(b)), (vec![403], vec![403]));
        let help = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        for carrier in [trunk.east, trunk.west] {
            let b = trunk.incoming(carrier);
            trunk.respond(b, 503);
            trunk.run(0.5);
        }
        assert_eq!(trunk.heard(help), [500]);
        assert_eq!(trunk.received(service), 0);
    });
}
