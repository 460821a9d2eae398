//! Sockets that signalling only believes in elsewhere: two listeners on two networks, and TCP for what is too large.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use sip::{Message, Method, Name};
use support::{Gateway, Net, Peer, THEIRS, Up, shown, status_line};

fn config(net: Net, listen: &str, carrier_peer: &str) -> String {
    let [pbx, carrier, admin] = [net.pbx().to_string(), net.carrier().to_string(), net.admin().to_string()];
    format!(
        r#"
{listen}

[media]
ports = [20000, 20999]

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"

[voice_connector.termination]
allowlist = ["{pbx}"]
calling_plan = ["US"]

[voice_connector.origination]
options_interval = "0s"
route = [{{ host = "{pbx}", port = 5070 }}]

[[phone_number]]
number = "+12065550100"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]
options_interval = "0s"
host = [{{ host = "{carrier}", port = 5070 }}]
peer = {{ {carrier_peer} }}
"#
    )
}

/// Where a description wants its media.
fn media(message: &Message) -> SocketAddr {
    let text = shown(message);
    let after = |start: &str| {
        let rest = text.split_once(start).unwrap_or_else(|| panic!("{start}: {text}")).1;
        rest.split([' ', '\r']).next().unwrap().to_owned()
    };
    format!("{}:{}", after("\r\nc=IN IP4 "), after("\r\nm=audio ")).parse().unwrap()
}

#[test]
fn each_network_has_its_own_sockets() {
    let net = Net(186);
    let [inside, outside] = [net.gateway(), net.at(5, 5060)];
    let [house, own, media_at] = [net.pbx(), net.ip(5), net.ip(4)];
    let listen = format!(
        "network = [{{ name = \"inside\", local = [\"{house}\"], media_address = \"{media_at}\" }}, {{ name = \"outside\" }}]\n\
         listen = [{{ address = \"{outside}\", network = \"outside\" }}, {{ address = \"{inside}\", network = \"inside\" }}]"
    );
    let gateway = Gateway::start(net, &config(net, &listen, ""));
    let (pbx, carrier) = (Peer::udp(net.at(2, 5070), inside), Peer::udp(net.at(3, 5070), outside));
    let invite = pbx.invite(THEIRS);
    let call = Up::begin(&pbx, &carrier, invite);
    let offered = media(&call.offered);
    assert_eq!(offered.ip(), own, "{}", shown(&call.offered));
    assert!(shown(&call.offered).contains(&format!("@{outside}>")), "{}", shown(&call.offered));
    assert_eq!(call.dialog.remote_target, format!("sip:{THEIRS}@{inside}"));
    // Both legs' ports are bound where they were told.
    let is_bound =
        |at: SocketAddr| UdpSocket::bind(at).is_err_and(|error| error.kind() == ErrorKind::AddrInUse);
    assert!(is_bound(offered));
    let bound = (20_000..21_000).filter(|port| is_bound(SocketAddr::new(media_at, *port))).count();
    assert_eq!(bound, 2, "RTP and RTCP of the PBX");
    call.end(&pbx, &carrier);
    gateway.settled();
    gateway.stop();
}

fn with_tcp(net: Net) -> String {
    let gateway = net.gateway();
    format!("listen = [{{ address = \"{gateway}\" }}, {{ protocol = \"tcp\", address = \"{gateway}\" }}]")
}

#[test]
fn a_large_invite_goes_by_tcp() {
    let net = Net(187);
    let listener = TcpListener::bind(net.at(3, 5070)).unwrap();
    let gateway = Gateway::start(net, &config(net, &with_tcp(net), "udp_size_limit = 512"));
    let (pbx, datagrams) =
        (Peer::udp(net.at(2, 5070), net.gateway()), Peer::udp(net.at(3, 5070), net.gateway()));
    let invite = pbx.invite(THEIRS).build();
    pbx.send(&invite);
    let stream = Peer::accept_tcp(&listener, net.gateway());
    let offered = stream.receive_request(Method::Invite);
    let via = offered.value(Name::Via).unwrap().into_owned();
    assert!(via.starts_with(&format!("SIP/2.0/TCP {};", net.gateway())), "{via}");
    let contact = offered.value(Name::Contact).unwrap().into_owned();
    assert!(contact.ends_with(&format!("@{};transport=tcp>", net.gateway())), "{contact}");
    assert!(!datagrams.has_heard());
    stream.reply(&offered, 486, "Busy Here");
    assert_eq!(stream.receive().method(), Some(Method::Ack));
    assert_eq!(status_line(&pbx.answer_to(&invite)).0, 486);
    gateway.settled();
    gateway.stop();
}

/// Nobody listens there: the kernel's reset brings the INVITE by UDP at once, without another route being tried.
#[test]
fn a_refused_connection_costs_nothing() {
    let net = Net(188);
    let gateway = Gateway::start(net, &config(net, &with_tcp(net), "udp_size_limit = 512"));
    let (pbx, carrier) =
        (Peer::udp(net.at(2, 5070), net.gateway()), Peer::udp(net.at(3, 5070), net.gateway()));
    let call = Up::begin(&pbx, &carrier, pbx.invite(THEIRS));
    let via = call.offered.value(Name::Via).unwrap().into_owned();
    assert!(via.starts_with("SIP/2.0/UDP "), "{via}");
    assert_eq!(gateway.metrics().sum("connections_total", &[("event", "dial_failed")]), 1.0);
    call.end(&pbx, &carrier);
    assert_eq!(gateway.call_details(1)[0]["Status"], "Completed");
    gateway.settled();
    gateway.stop();
}
