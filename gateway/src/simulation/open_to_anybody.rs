//! A connector whose allowlist holds everybody, for whoever has a login: the flood guard takes nobody for listed by that.

use std::net::IpAddr;

use sip::{Builder, Method, Name};

use super::trunk::{Trunk, over_udp};
use super::world::PhoneId;
use crate::peer::Transport;

const OPEN: &str = r#"
[[voice_connector]]
id = "open"
[voice_connector.termination]
allowlist = ["0.0.0.0/0", "::/0"]
calling_plan = ["US"]
credentials = [{ username = "desk", password = "s3cret" }]
"#;

/// Requests to a dialog that nobody knows.
fn guesses(trunk: &mut Trunk, phone: PhoneId) {
    for _ in 0..20 {
        let from = trunk.phone(phone);
        let (branch, call) = (from.branch(), from.token());
        let bye = Builder::request(Method::Bye, "sip:vc.example.com")
            .header(Name::Via, from.via(&branch))
            .header(Name::MaxForwards, "70")
            .header(Name::From, "<sip:a@b>;tag=1")
            .header(Name::To, "<sip:vc.example.com>;tag=2")
            .header(Name::CallId, call)
            .header(Name::CSeq, "7 BYE")
            .build();
        trunk.world.send(phone, bye);
        trunk.run(0.1);
    }
}

/// Whoever guesses at dialogs is silenced after some requests, though the allowlist holds its address: it is of no customer. A
/// customer that is listed by its own address is not, nor who has shown its password.
#[test]
fn a_stranger_is_silenced_there_and_a_customer_is_not() {
    over_udp(&[("more", OPEN)], |trunk| {
        let stranger = trunk.world.phone("stranger", "203.0.113.5:5060", Transport::Udp);
        let roaming = trunk.world.phone("roaming", "203.0.113.6:5060", Transport::Udp);
        let silenced = |trunk: &Trunk, address: &str| {
            let address: IpAddr = address.parse().unwrap();
            trunk.world.shared.guard.silenced(trunk.world.clocks().instant, address)
        };
        let now = trunk.world.clocks().instant;
        trunk.world.shared.guard.right_credentials(now, "203.0.113.6".parse().unwrap(), "desk");
        for phone in [stranger, roaming, trunk.pbx] {
            guesses(trunk, phone);
        }
        let told = ["203.0.113.5", "203.0.113.6", "10.0.0.1"].map(|address| silenced(trunk, address));
        assert_eq!(told, [true, false, false]);
    });
}
