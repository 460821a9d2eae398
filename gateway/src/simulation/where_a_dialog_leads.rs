//! Where requests inside a dialog go: by the Contact or the route set, and by the flow where these lead nowhere.

use std::net::SocketAddr;
use std::time::Duration;

use sip::Method;

use super::phone::Stage;
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere_with, over_tcp, over_udp};
use super::world::CallId;

const AUTO: (&str, &str) = ("pbx_peer", "nat = \"auto\"");
const ALWAYS: (&str, &str) = ("pbx_peer", "nat = \"always\"");
const NEVER: (&str, &str) = ("pbx_peer", "nat = \"never\"");

/// A proxy of the PBX's, at which nobody listens.
const CLOSED: &str = "10.0.0.77:5070";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn route(trunk: &mut Trunk, at: &str) -> String {
    let transport = trunk.phone(trunk.pbx).transport.parameter();
    format!("<sip:{at};transport={transport};lr>")
}

/// A call of the PBX's, whose INVITE and the answer to it have these Record-Routes where there are any.
fn connect_by(trunk: &mut Trunk, ours: &str, theirs: &str) -> (CallId, CallId) {
    let header = |route: &str| [("Record-Route", route.to_owned())];
    let headers = header(ours);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let a = trunk.dial_with(trunk.pbx, OUTSIDE, if ours.is_empty() { &[] } else { &headers });
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    let headers = header(theirs);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The route set of the caller's INVITE stays on its leg.
    trunk.respond_with(b, 200, if theirs.is_empty() { &[] } else { &headers });
    trunk.run(1.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
    (a, b)
}

/// A re-INVITE, its ACK and a BYE of `asker`'s reach the other party, with this Route.
fn reach(trunk: &mut Trunk, asker: CallId, asked: CallId, route: &str) {
    trunk.request(asker, Method::Invite, Some("sendonly"));
    trunk.run(1.0);
    assert_eq!(trunk.call(asker).statuses(&Method::Invite).last(), Some(&200));
    trunk.hang_up(asker);
    trunk.run(1.0);
    assert!(trunk.call(asked).requests().ends_with(&["INVITE", "ACK", "BYE"].map(str::to_owned)));
    for method in [Method::Invite, Method::Ack, Method::Bye] {
        let heard = trunk.call(asked).request(&method).unwrap();
        assert_eq!(Trunk::header(heard, "Route"), route, "{method}");
    }
}

/// The PBX's own connection is open: it serves the dialog, with the Route headers as they must be.
#[test]
fn a_route_set_that_names_a_closed_port_is_passed_over_for_the_open_connection() {
    for nat in [AUTO, ALWAYS, NEVER] {
        over_tcp(&[nat], |trunk| {
            let route = route(trunk, CLOSED);
            let (a, b) = connect_by(trunk, &route, "");
            reach(trunk, b, a, &route);
            assert!(trunk.went(a, &Method::Bye).connection.is_some());
        });
    }
}

/// Its own connection is gone: its Contact says where it may be dialled.
#[test]
fn a_party_whose_connection_is_gone_is_dialled_at_its_name() {
    for nat in [AUTO, ALWAYS, NEVER] {
        over_tcp(&[nat], |trunk| {
            trunk.phone(trunk.pbx).contact_host = Some("pbx.example");
            trunk.world.names.insert("pbx.example".into(), vec![address("10.0.0.1:5060")]);
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.world.lose_connections(trunk.pbx);
            reach(trunk, b, a, "");
            assert_eq!(trunk.went(a, &Method::Bye).remote, address("10.0.0.1:5060"));
        });
    }
}

/// Datagrams: what is private elsewhere leads nowhere.
#[test]
fn a_route_set_that_names_a_private_address_is_passed_over_for_the_flow() {
    for nat in [AUTO, ALWAYS] {
        over_udp(&[nat], |trunk| {
            let route = route(trunk, "192.168.7.2:5060");
            let (a, b) = connect_by(trunk, &route, "");
            reach(trunk, b, a, &route);
            assert_eq!(trunk.went(a, &Method::Bye).remote, address("10.0.0.1:5060"));
        });
    }
}

#[test]
fn always_means_the_flow_with_a_route_set_too() {
    over_udp(&[ALWAYS], |trunk| {
        trunk.world.sends_from(trunk.pbx, "10.0.0.1:51000");
        trunk.world.is_also_at(trunk.pbx, CLOSED);
        let route = route(trunk, CLOSED);
        let (a, b) = connect_by(trunk, &route, "");
        reach(trunk, b, a, &route);
        assert_eq!(trunk.went(a, &Method::Bye).remote, address("10.0.0.1:51000"));
    });
}

/// The carrier's proxy names a port that refuses: it is asked where it answered.
#[test]
fn what_cannot_be_delivered_where_it_should_go_is_sent_by_the_flow() {
    let scenario = |trunk: &mut Trunk| {
        trunk.world.dead.insert(address("10.0.1.77:5070"), true);
        let route = route(trunk, "10.0.1.77:5070");
        let (a, b) = connect_by(trunk, "", &route);
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        assert_eq!(Trunk::header(trunk.call(b).request(&Method::Bye).unwrap(), "Route"), route);
    };
    over_udp(&[], scenario);
    over_tcp(&[], scenario);
}

/// Datagrams vanish without a word: an answer that is repeated shows it, and a BYE that nobody answers.
#[test]
fn what_is_not_heard_where_it_should_go_is_said_again_by_the_flow() {
    over_udp(&[], |trunk| {
        let route = route(trunk, "10.0.1.77:5070");
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond_with(b, 200, &[("Record-Route", &route)]);
        trunk.run(0.1);
        assert_eq!(trunk.call(b).requests(), ["INVITE"]);
        trunk.run(0.5);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        trunk.hang_up(a);
        trunk.run(33.0);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

/// Nobody at its Contact, nobody at its flow: both parties hear the end, as far as they can.
#[test]
fn a_request_that_cannot_be_delivered_ends_the_call_on_both_legs() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.dead.insert(address("10.0.0.1:5060"), true);
        trunk.request(b, Method::Info, Some("Signal=1"));
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Info), [502]);
        assert_eq!(trunk.stage(b), Stage::Over);
        for call in [a, b] {
            assert!(trunk.went(call, &Method::Bye).remote.port() == 5060);
        }
    });
}

/// A load balancer sends the INVITE, another node has the call: RFC 3261 §12.2.1.1.
#[test]
fn a_public_contact_is_believed_though_the_invite_came_from_elsewhere() {
    for nat in [AUTO, NEVER] {
        for node in ["198.51.100.9:5060", "10.0.0.9:5060"] {
            over_udp(&[nat], |trunk| {
                trunk.world.is_also_at(trunk.pbx, node);
                trunk.phone(trunk.pbx).contact_host = Some(node);
                let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
                reach(trunk, b, a, "");
                for method in [Method::Invite, Method::Ack, Method::Bye] {
                    assert_eq!(trunk.went(a, &method).remote, address(node), "{method}");
                }
                // As callee, too.
                let (c, d) = trunk.connect(trunk.east, PBX, trunk.pbx);
                trunk.hang_up(c);
                trunk.run(1.0);
                assert_eq!(trunk.went(d, &Method::Ack).remote, address(node));
                assert_eq!(trunk.went(d, &Method::Bye).remote, address(node));
            });
        }
    }
}

/// A carrier's Contact is what counts, unless the operator says otherwise.
#[test]
fn a_carriers_contact_is_believed_by_default() {
    everywhere_with(&[], |trunk| {
        const NODE: &str = "172.16.0.9:5060";
        trunk.world.is_also_at(trunk.east, NODE);
        trunk.phone(trunk.east).contact_host = Some(NODE);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (c, d) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.hang_up(a);
        trunk.hang_up(d);
        trunk.run(1.0);
        for (call, method) in [(b, Method::Ack), (b, Method::Bye), (c, Method::Bye)] {
            assert_eq!(trunk.went(call, &method).remote, address(NODE), "{method}");
        }
    });
}

/// The callee's Contact is a name, and DNS is silent: the address that answered has its ACK before it repeats its
/// answer, and nobody waits a second time.
#[test]
fn a_name_that_dns_says_nothing_of_is_passed_over_for_the_flow() {
    everywhere_with(&[], |trunk| {
        trunk.phone(trunk.east).contact_host = Some("phone.example");
        trunk.world.look_up_takes = Duration::from_millis(2_800);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.4);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        trunk.run(3.0);
        trunk.hang_up(a);
        trunk.run(0.05);
        assert_eq!(trunk.stage(b), Stage::Over, "nobody waits for the name again");
        // A minute later it may be known.
        trunk.run(70.0);
        trunk.world.look_up_takes = Duration::from_millis(20);
        trunk.world.is_also_at(trunk.east, "10.0.1.9:5060");
        trunk.world.names.insert("phone.example".into(), vec![address("10.0.1.9:5060")]);
        let (c, d) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(c);
        trunk.run(1.0);
        assert_eq!(trunk.went(d, &Method::Bye).remote, address("10.0.1.9:5060"));
    });
}

/// Several addresses stand behind its name: the one that answered has the call.
#[test]
fn of_the_addresses_behind_a_name_the_one_that_answered_is_used() {
    over_udp(&[], |trunk| {
        trunk.phone(trunk.east).contact_host = Some("phones.example");
        let both = ["10.0.1.9:5060", "10.0.1.1:5060"].map(address).to_vec();
        trunk.world.names.insert("phones.example".into(), both);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.went(b, &Method::Ack).remote, address("10.0.1.1:5060"));
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}

/// RFC 6141 §4.3 (and RFC 3311 §5.2): who is refused is where it was.
#[test]
fn the_contact_of_a_refused_offer_is_not_kept() {
    for method in [Method::Invite, Method::Update] {
        for refused in [Some(488), None] {
            over_udp(&[], |trunk| {
                let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
                let before = trunk.call(a).invite.contact().unwrap().unwrap().uri.to_string();
                trunk.phone(b.0).habits.renegotiates = refused;
                trunk.phone(a.0).contact_host = Some("10.0.0.9:5060");
                trunk.request(a, method.clone(), Some("sendonly"));
                trunk.run(1.0);
                trunk.request(b, Method::Info, Some("Signal=1"));
                trunk.run(1.0);
                assert_eq!(
                    trunk.call(a).request(&Method::Info).unwrap().request_uri(),
                    Some(before.as_str())
                );
                if refused.is_none() {
                    trunk.world.is_also_at(a.0, "10.0.0.9:5060");
                    trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
                    trunk.run(1.0);
                }
                trunk.hang_up(b);
                trunk.run(1.0);
                let bye = trunk.call(a).request(&Method::Bye).unwrap();
                let moved = bye.request_uri().unwrap().contains("10.0.0.9");
                assert_eq!(moved, refused.is_none(), "{method}");
            });
        }
    }
}
