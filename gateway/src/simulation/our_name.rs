//! A party that is to know us by a name: in Contact, From, Via and Call-ID, and in what it asks of us.

use sip::{Builder, Method, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};

const NAMED: &[Change] = &[("east_peer", "contact = \"SBC.example.com:5071\"")];

#[test]
fn a_carrier_is_told_our_name() {
    everywhere_with(NAMED, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(Trunk::header(invite, "Contact").starts_with("<sip:+12065550100@sbc.example.com:5071"));
        assert!(Trunk::header(invite, "From").contains("<sip:+12065550100@sbc.example.com>"));
        assert!(Trunk::header(invite, "Call-ID").ends_with("@sbc.example.com"));
        for method in [Method::Invite, Method::Ack, Method::Bye] {
            let sent = trunk.call(b).request(&method).unwrap();
            assert!(Trunk::header(sent, "Via").contains(" sbc.example.com:5071;branch="), "{method}");
        }
        assert!(!format!("{:?}", trunk.call(a).response(200)).contains("sbc.example.com"));

        let (a, _) = trunk.connect(trunk.east, PBX, trunk.pbx);
        let answer = trunk.call(a).response(200).unwrap();
        assert!(Trunk::header(answer, "Contact").starts_with(&format!("<sip:{PBX}@sbc.example.com:5071")));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Where the party lists us by name, our own name in its Contact leads to us and not to it.
#[test]
fn our_own_name_in_a_contact_leads_nowhere() {
    over_udp(NAMED, |trunk| {
        trunk.world.names.insert("sbc.example.com".into(), vec!["192.0.2.1:5060".parse().unwrap()]);
        trunk.phone(trunk.east).contact_uri = Some("sip:east@sbc.example.com:5071");
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.went(b, &Method::Bye).remote.to_string(), "10.0.1.1:5060");
    });
}

#[test]
fn who_knows_us_by_a_name_calls_us_by_it() {
    let changes: &[Change] =
        &[("pbx_peer", "contact = \"pbx.example.net\""), ("east_peer", "contact = \"sbc.example.com\"")];
    everywhere_with(changes, |trunk| {
        for (host, expected) in [
            ("pbx.example.net", 200),
            ("PBX.example.net.", 200),
            ("sbc.example.com", 200),
            ("example.net", 404),
        ] {
            let a = {
                let call = trunk.world.with(trunk.pbx, |phone, now| {
                    let invite = phone.invite(host, PBX, OUTSIDE, true).build();
                    phone.place(now, invite)
                });
                super::world::CallId(trunk.pbx, call)
            };
            trunk.run(0.5);
            if expected == 200 {
                let b = trunk.incoming(trunk.east);
                trunk.respond(b, 200);
                trunk.run(0.5);
                trunk.hang_up(a);
                trunk.run(0.5);
            }
            assert_eq!(trunk.heard(a), [expected], "{host}");
        }
    });
}

#[test]
fn a_probe_and_the_answer_to_one_carry_our_name() {
    over_udp(NAMED, |trunk| {
        trunk.run(2.0);
        let sent = |trunk: &Trunk, remote: &str| {
            let mut all = trunk.world.probes.iter();
            all.find(|(peer, _)| peer.remote.to_string() == remote).map(|(_, probe)| probe.clone()).unwrap()
        };
        let probe = sent(trunk, "10.0.1.1:5060");
        assert_eq!(Trunk::header(&probe, "Contact"), "<sip:sbc.example.com:5071>");
        assert!(Trunk::header(&probe, "From").starts_with("<sip:sbc.example.com:5071>;tag="));
        assert!(Trunk::header(&probe, "Via").starts_with("SIP/2.0/UDP sbc.example.com:5071;"));
        let other = sent(trunk, "10.0.1.2:5060");
        assert_eq!(Trunk::header(&other, "Contact"), "<sip:192.0.2.1:5060>");

        for (from, contact) in [(trunk.east, "<sip:sbc.example.com:5071>"), (trunk.west, "")] {
            let phone = trunk.phone(from);
            let (branch, call) = (phone.branch(), phone.token());
            let options = Builder::request(Method::Options, "sip:sbc.example.com:5071")
                .header(Name::Via, phone.via(&branch))
                .header(Name::MaxForwards, "70")
                .header(Name::From, "<sip:a@b>;tag=1")
                .header(Name::To, "<sip:sbc.example.com>")
                .header(Name::CallId, call)
                .header(Name::CSeq, "1 OPTIONS");
            trunk.world.send(from, options.build());
            trunk.run(0.1);
            let answer = trunk.phone(from).strays.last().cloned().unwrap();
            assert_eq!(answer.status().unwrap().code(), 200);
            assert_eq!(Trunk::header(&answer, "Contact"), contact);
        }
    });
}
