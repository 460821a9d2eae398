//! A party's Contact is not where it can be reached: its requests go by the flow that it came by.

use std::net::SocketAddr;

use sip::{Method, Name};

use super::connections::FIRST_PORT;
use super::phone::Stage;
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::{CallId, PhoneId};
use crate::peer::Transport;

/// A caller's private address, and where its datagrams come from.
const INSIDE: &str = "192.168.7.2:5060";
const OUT: &str = "10.0.0.1:51000";
/// A callee's private address, and the port of its NAT that leads there.
const CARRIER_INSIDE: &str = "172.16.0.9:5060";
const FORWARDED: &str = "10.0.1.1:5060";

const AUTO: &str = "nat = \"auto\"";
const ALWAYS: &str = "nat = \"always\"";
const NEVER: &str = "nat = \"never\"";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn is_udp(trunk: &mut Trunk, phone: PhoneId) -> bool {
    trunk.phone(phone).transport == Transport::Udp
}

/// The PBX sits behind a NAT that it knows nothing of.
fn pbx_behind_nat(trunk: &mut Trunk) {
    trunk.world.hides_at(trunk.pbx, INSIDE);
    trunk.world.sends_from(trunk.pbx, OUT);
}

/// Everything that the gateway asks of a party reaches it: a re-INVITE with its ACK, INFO and BYE.
fn asks(trunk: &mut Trunk, asker: CallId, asked: CallId) {
    trunk.request(asker, Method::Invite, Some("sendonly"));
    trunk.run(1.0);
    trunk.request(asker, Method::Info, Some("Signal=1"));
    trunk.run(1.0);
    trunk.hang_up(asker);
    trunk.run(1.0);
    assert!(trunk.call(asked).requests().ends_with(&["INVITE", "ACK", "INFO", "BYE"].map(str::to_owned)));
    assert_eq!((trunk.stage(asker), trunk.stage(asked)), (Stage::Over, Stage::Over));
}

#[test]
fn a_caller_hears_of_the_end_where_it_called_from() {
    for nat in [AUTO, ALWAYS] {
        everywhere_with(&[("pbx_peer", nat)], |trunk| {
            pbx_behind_nat(trunk);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            asks(trunk, b, a);
            if is_udp(trunk, a.0) {
                assert_eq!(trunk.went(a, &Method::Bye).remote, address(OUT));
            } else {
                assert!(trunk.went(a, &Method::Bye).connection.is_some());
            }
        });
    }
}

#[test]
fn a_callee_behind_a_forwarded_port_is_asked_where_it_was_called() {
    everywhere_with(&[("east_peer", AUTO)], |trunk| {
        trunk.world.hides_at(trunk.east, CARRIER_INSIDE);
        trunk.world.sends_from(trunk.east, FORWARDED);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        asks(trunk, a, b);
        for method in [Method::Ack, Method::Invite, Method::Bye] {
            assert_eq!(trunk.went(b, &method).remote, address(FORWARDED), "{method}");
        }
    });
}

/// The customer as callee: its route leads to the NAT, its Contact says what the PBX believes.
#[test]
fn a_customer_behind_nat_is_called_and_asked_by_the_same_flow() {
    everywhere(|trunk| {
        trunk.world.hides_at(trunk.pbx, INSIDE);
        trunk.world.sends_from(trunk.pbx, "10.0.0.1:5060");
        let (a, b) = trunk.connect(trunk.east, PBX, trunk.pbx);
        asks(trunk, a, b);
        assert_eq!(trunk.went(b, &Method::Bye).remote, address("10.0.0.1:5060"));
    });
}

/// `never`: the Contact is what counts, even where nobody is there. The other side is hung up all the same. A stream
/// tells that nobody listens: then the flow is better than nothing.
#[test]
fn an_operator_who_wants_the_contact_gets_it() {
    everywhere_with(&[("pbx_peer", NEVER)], |trunk| {
        pbx_behind_nat(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(b);
        trunk.run(0.012);
        assert_eq!(trunk.went(a, &Method::Bye).remote, address(INSIDE));
        assert_eq!(trunk.went(a, &Method::Bye).connection, None);
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Bye), [200]);
        let heard = trunk.call(a).requests().contains(&"BYE".to_owned());
        assert_eq!(heard, !is_udp(trunk, a.0));
    });
}

/// A PBX that sends from one port and listens at another: the Contact is right, and only `always` overrules it.
#[test]
fn a_contact_at_the_source_address_is_believed() {
    for (nat, port) in [(AUTO, 5060), (NEVER, 5060), (ALWAYS, 51000)] {
        everywhere_with(&[("pbx_peer", nat)], |trunk| {
            trunk.world.sends_from(trunk.pbx, OUT);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            asks(trunk, b, a);
            let bye = trunk.went(a, &Method::Bye).clone();
            match bye.connection {
                // The stream that the peer opened serves its dialogs, unless the operator wants the Contact.
                Some(_) => assert_ne!(nat, NEVER),
                None => assert_eq!(bye.remote.port(), port, "{nat}"),
            }
            assert_eq!(bye.connection.is_some(), bye.transport.is_reliable() && nat != NEVER, "{nat}");
        });
    }
}

/// A name in the Contact is looked up; who cannot be found has its flow.
#[test]
fn a_contact_that_is_a_name_is_looked_up() {
    for known in [true, false] {
        everywhere(|trunk| {
            trunk.world.sends_from(trunk.pbx, OUT);
            trunk.phone(trunk.pbx).contact_host = Some("pbx.example");
            if known {
                trunk.world.names.insert("pbx.example".into(), vec![address("10.0.0.1:5060")]);
            }
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            asks(trunk, b, a);
            if is_udp(trunk, a.0) {
                let expect = if known { "10.0.0.1:5060" } else { OUT };
                assert_eq!(trunk.went(a, &Method::Bye).remote, address(expect));
            }
        });
    }
}

/// RFC 3261 §12.2.1.1: a route set that leads somewhere is followed exactly, whatever the Contact says.
#[test]
fn a_route_set_is_followed_exactly() {
    for nat in [AUTO, NEVER] {
        everywhere_with(&[("pbx_peer", nat), ("east_peer", nat)], |trunk| {
            pbx_behind_nat(trunk);
            // The proxies of either side stand at addresses of their own; the phones answer for them.
            let [ours, theirs] = ["10.0.0.77:5070", "10.0.1.77:5070"];
            let transport = trunk.phone(trunk.pbx).transport.parameter();
            let route = |at: &str| format!("<sip:{at};transport={transport};lr>");
            let (ours_route, theirs_route) = (route(ours), route(theirs));
            trunk.world.is_also_at(trunk.pbx, ours);
            trunk.world.is_also_at(trunk.east, theirs);
            let a = trunk.dial_with(trunk.pbx, OUTSIDE, &[("Record-Route", &ours_route)]);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            trunk.respond_with(b, 200, &[("Record-Route", &theirs_route)]);
            trunk.run(0.5);
            trunk.request(b, Method::Invite, Some("sendonly"));
            trunk.run(0.5);
            trunk.hang_up(a);
            trunk.run(0.5);
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
            for (call, method, hop, route) in [
                (a, Method::Invite, ours, &ours_route),
                (a, Method::Ack, ours, &ours_route),
                (b, Method::Ack, theirs, &theirs_route),
                (b, Method::Bye, theirs, &theirs_route),
            ] {
                let went = trunk.went(call, &method);
                // The carrier has asked something by a connection of its own, which is open.
                let opened =
                    (call, method.clone(), nat) == (b, Method::Bye, AUTO) && went.connection.is_some();
                assert!(went.remote == address(hop) || opened, "{method} {nat} {went:?}");
                let heard = trunk.call(call).request(&method).unwrap();
                assert_eq!(heard.value(Name::Route).unwrap(), route.as_str(), "{method} {nat}");
            }
        });
    }
}

/// The NAT forgets its mapping in mid-call: the next request shows the new one, and what comes later follows.
#[test]
fn a_caller_whose_port_changes_is_asked_at_the_new_one() {
    const NEW: &str = "10.0.0.1:52000";
    everywhere(|trunk| {
        pbx_behind_nat(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.lose_connections(a.0);
        trunk.world.sends_from(a.0, NEW);
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [200]);
        asks(trunk, b, a);
        if is_udp(trunk, a.0) {
            assert_eq!(trunk.went(a, &Method::Bye).remote, address(NEW));
        }
    });
}

/// The same, seen through the ACK of the 2xx: it is the first that comes from the new port.
#[test]
fn a_caller_whose_port_changes_before_its_ack_is_asked_at_the_new_one() {
    everywhere(|trunk| {
        pbx_behind_nat(trunk);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.respond(b, 200);
        trunk.run(0.3);
        trunk.world.lose_connections(a.0);
        trunk.world.sends_from(a.0, "10.0.0.1:52000");
        trunk.world.with(a.0, |phone, now| phone.acknowledge(now, a.1));
        trunk.run(0.5);
        trunk.phone(a.0).calls[a.1].acknowledges = true;
        asks(trunk, b, a);
    });
}

/// What says where it listens in a transport that we do not speak there is asked by its flow, with a Via that is true.
#[test]
fn a_contact_of_another_transport_is_asked_by_its_flow() {
    for nat in [AUTO, ALWAYS, NEVER] {
        for contact in [
            "sip:pbx@10.0.0.1:5060;transport=tls",
            "sips:pbx@10.0.0.1",
            "sip:pbx@10.0.0.1:5070;transport=sctp",
        ] {
            everywhere_with(&[("pbx_peer", nat)], |trunk| {
                trunk.world.sends_from(trunk.pbx, OUT);
                trunk.phone(trunk.pbx).contact_uri = Some(contact);
                let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
                asks(trunk, b, a);
                let bye = trunk.call(a).request(&Method::Bye).unwrap();
                let transport = trunk.world.phones[a.0.0].transport;
                assert_eq!(bye.via().unwrap().transport, transport.via(), "{contact}");
                assert_eq!(bye.request_uri(), Some(contact));
            });
        }
    }
}

/// RFC 3261 §18.2.1, RFC 3581 §4: a caller behind NAT finds its outside address in every answer.
#[test]
fn answers_say_where_a_caller_was_seen() {
    everywhere(|trunk| {
        pbx_behind_nat(trunk);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let answer = trunk.call(a).response(200).unwrap();
        let via = answer.via().unwrap();
        assert_eq!(via.params.value("received"), Some("10.0.0.1"));
        let port = if is_udp(trunk, a.0) { 51000 } else { FIRST_PORT };
        assert_eq!(via.rport(), Some(Some(port)));
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}
