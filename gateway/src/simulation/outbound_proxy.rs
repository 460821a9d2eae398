//! A carrier behind a proxy of its own: requests go there and name the carrier. RFC 3261 §8.1.2.

use sip::{Method, Name};

use super::ladder::Line;
use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, Trunk, over_tcp, over_udp};
use super::world::PhoneId;
use crate::peer::Transport;

const UDP: &[Change] = &[("east", "outbound_proxy = \"sip:sbc.carrier.example;lr\""), ("west_priority", "9")];
const TCP: &[Change] =
    &[("east", "outbound_proxy = \"sip:sbc.carrier.example:5070;transport=tcp;lr\""), ("west_priority", "9")];

/// The proxy's two addresses; somebody is at the second only.
const DEAD: &str = "10.0.1.8:5060";

fn proxy(trunk: &mut Trunk, transport: Transport) -> PhoneId {
    let port = if transport == Transport::Udp { 5060 } else { 5070 };
    let address = format!("10.0.1.9:{port}");
    let all = [format!("10.0.1.8:{port}"), address.clone()].map(|text| text.parse().unwrap());
    trunk.world.names.insert("sbc.carrier.example".into(), all.to_vec());
    trunk.world.phone("sbc", &address, transport)
}

/// The INVITE names the carrier's host, with the proxy in its Route; so do its CANCEL and the ACK of a refusal.
fn goes_by_way_of_the_proxy(trunk: &mut Trunk, transport: Transport, route: &str, uri: &str) {
    let sbc = proxy(trunk, transport);
    trunk.world.dead.insert(DEAD.parse().unwrap(), true);
    trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(1.0);
    let b = trunk.incoming(sbc);
    trunk.respond(b, 486);
    trunk.run(1.0);
    for method in [Method::Invite, Method::Ack] {
        let is_its = |line: &&Line| line.to == "sbc" && line.message.method() == Some(method.clone());
        let sent = &trunk.world.ladder.iter().find(is_its).unwrap().message;
        assert_eq!(sent.request_uri(), Some(uri), "{method}");
        assert_eq!(Trunk::header(sent, "Route"), route, "{method}");
    }
    let invite = trunk.call(b).request(&Method::Invite).unwrap();
    assert_eq!(Trunk::header(invite, "To"), format!("<sip:{OUTSIDE}@10.0.1.1:5060>"));

    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(1.0);
    let b = trunk.incoming(sbc);
    trunk.respond(b, 180);
    trunk.run(0.5);
    trunk.cancel(a);
    trunk.run(1.0);
    assert_eq!(Trunk::header(trunk.call(b).request(&Method::Cancel).unwrap(), "Route"), route);

    // The callee says where the rest of the dialog goes.
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(1.0);
    let b = trunk.incoming(sbc);
    trunk.respond(b, 200);
    trunk.run(1.0);
    trunk.hang_up(a);
    trunk.run(1.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    assert!(!trunk.call(b).request(&Method::Bye).unwrap().has(Name::Route));
    assert_eq!((trunk.received(trunk.east), trunk.received(trunk.west)), (0, 0));
    let tried = &trunk.world.details[2].attempts;
    assert_eq!(tried.last().unwrap().address.unwrap().ip().to_string(), "10.0.1.9");
}

#[test]
fn a_call_goes_by_way_of_the_proxy() {
    over_udp(UDP, |trunk| {
        let uri = format!("sip:{OUTSIDE}@10.0.1.1:5060");
        goes_by_way_of_the_proxy(trunk, Transport::Udp, "<sip:sbc.carrier.example;lr>", &uri);
    });
    // The host's own transport stays in the Request-URI, whatever carries the request to the proxy.
    over_tcp(TCP, |trunk| {
        let uri = format!("sip:{OUTSIDE}@10.0.1.1:5060;transport=tcp");
        let route = "<sip:sbc.carrier.example:5070;transport=tcp;lr>";
        goes_by_way_of_the_proxy(trunk, Transport::Tcp, route, &uri);
    });
}

#[test]
fn a_dead_proxy_leaves_the_call_to_the_next_carrier() {
    over_udp(UDP, |trunk| {
        proxy(trunk, Transport::Udp);
        for dead in [DEAD, "10.0.1.9:5060"] {
            trunk.world.dead.insert(dead.parse().unwrap(), true);
        }
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        let b = trunk.incoming(trunk.west);
        assert!(!trunk.call(b).request(&Method::Invite).unwrap().has(Name::Route));
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.world.dead.clear();
    });
}

/// Each address of the proxy is asked, for the carrier's host.
#[test]
fn a_probe_goes_by_way_of_the_proxy() {
    over_udp(UDP, |trunk| {
        proxy(trunk, Transport::Udp);
        trunk.run(3.0);
        let mut asked = Vec::new();
        for (peer, message) in &trunk.world.probes {
            if message.has(Name::Route) {
                assert_eq!(message.request_uri(), Some("sip:10.0.1.1:5060"));
                assert_eq!(Trunk::header(message, "To"), "<sip:10.0.1.1:5060>");
                assert_eq!(Trunk::header(message, "Route"), "<sip:sbc.carrier.example;lr>");
                asked.push(peer.remote.to_string());
            } else {
                assert_eq!(peer.remote.to_string(), "10.0.1.2:5060");
            }
        }
        asked.sort();
        asked.dedup();
        assert_eq!(asked, ["10.0.1.8:5060", "10.0.1.9:5060"]);
        trunk.world.shared.look_at_hosts(trunk.world.clocks(), &trunk.world.config);
        let line = "host_up{carrier=\"east\",host=\"sbc.carrier.example\",transport=\"udp\"} 1";
        assert!(trunk.world.metrics.render().contains(line), "{}", trunk.world.metrics.render());
    });
}
