//! A PBX behind NAT, and a call for help that says where it comes from, by the daemon as it is built.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use sip::dialog::Dialog;
use sip::{Message, Method, Name};
use support::{Gateway, Net, Office, Peer, THEIRS, shown};

/// Where the PBX believes that it is.
const INSIDE: &str = "10.99.0.7:5060";

const MORE: &str = r#"
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"
"#;

/// An office that may call by UDP and by TCP; its carrier speaks UDP.
fn start(net: Net) -> (Gateway, Peer) {
    let tcp = format!("[[listen]]\nprotocol = \"tcp\"\naddress = \"{}\"\n", net.gateway());
    let more = [MORE, &tcp].concat();
    let office = Office { more: &more, ..Office::new(net, "udp") };
    let gateway = Gateway::start(net, &office.config());
    let carrier = Peer::udp(net.at(3, 5060), net.gateway());
    (gateway, carrier)
}

fn udp(net: Net) -> Peer {
    Peer::udp(net.at(2, 5999), net.gateway())
}

fn tcp(net: Net) -> Peer {
    Peer::tcp(net.at(2, 0), net.gateway())
}

/// Via and Contact name an address that nobody outside reaches; what the callee asks comes by the flow all the same.
fn is_hung_up_by_its_flow(net: Net, pbx: fn(Net) -> Peer) {
    let (gateway, carrier) = start(net);
    let pbx = pbx(net);
    let via = pbx.via().replace(&pbx.local.to_string(), INSIDE) + ";rport";
    let contact = format!("sip:pbx@{INSIDE}");
    let invite = pbx.invite(THEIRS).set(Name::Via, via).set(Name::Contact, format!("<{contact}>")).build();
    pbx.send(&invite);
    let offered = carrier.receive_request(Method::Invite);
    assert!(!shown(&offered).contains(INSIDE), "{}", shown(&offered));
    carrier.accept(&offered);
    let answer = pbx.answer_to(&invite);
    assert_eq!(answer.status().unwrap().code(), 200);
    let seen = answer.via().unwrap();
    assert_eq!((seen.received(), seen.rport()), (Some(pbx.local.ip()), Some(Some(pbx.local.port()))));
    let mut dialog = Dialog::uac(&invite, &answer).unwrap();
    pbx.send(&dialog.ack(1).header(Name::Via, pbx.via()).header(Name::MaxForwards, "70").build());
    let ack = carrier.receive_request(Method::Ack);

    let bye = carrier.bye_after(&ack);
    carrier.send(&bye);
    let heard = pbx.is_hung_up();
    assert_eq!(heard.request_uri(), Some(contact.as_str()));
    assert!(dialog.handle_request(&heard).is_ok());
    assert_eq!(carrier.answer_to(&bye).status().unwrap().code(), 200);
    assert_eq!(gateway.call_details(1)[0]["Status"], "Completed");
    gateway.settled();
    gateway.stop();
}

#[test]
fn a_caller_behind_nat_is_hung_up_by_its_datagrams_way() {
    is_hung_up_by_its_flow(Net(150), udp);
}

#[test]
fn a_caller_behind_nat_is_hung_up_by_its_connection() {
    is_hung_up_by_its_flow(Net(151), tcp);
}

const CONTENT_TYPE: &str = "multipart/mixed;boundary=\"a.b-c\"";
const HEADERS: [(&str, &str); 3] = [
    ("Geolocation", "<cid:here@pbx.example>"),
    ("Geolocation-Routing", "yes"),
    ("Date", "Tue, 14 Nov 2023 22:13:20 GMT"),
];

/// The location first, then the description, with bytes that a careless copy would change.
fn with_location(sdp: &[u8]) -> Vec<u8> {
    let location = b"A preamble.\r\n--a.b-c\r\nContent-Type: application/pidf+xml\r\nContent-ID: <here@pbx.example>\r\n\r\n\
                     <presence>\n <pos>47.6 -122.3</pos> caf\xc3\xa9 \xff\t\r\n\r\n</presence>\r\n--a.b-c\r\n\
                     Content-Type: application/sdp\r\n\r\n";
    [&location[..], sdp, b"\r\n--a.b-c--\r\nAn epilogue."].concat()
}

fn description(message: &Message) -> &[u8] {
    let body = message.body();
    let start = body.windows(4).position(|four| four == b"v=0\r").unwrap();
    let length = body[start..].windows(4).position(|four| four == b"\r\n--").unwrap();
    &body[start..start + length]
}

fn arrives_with_its_location(net: Net, pbx: fn(Net) -> Peer) {
    let (gateway, carrier) = start(net);
    let pbx = pbx(net);
    let sdp = pbx.invite("911").build().body().clone();
    let body = with_location(&sdp).into();
    let invite = HEADERS.iter().fold(pbx.invite("911"), |invite, (name, value)| invite.raw(name, value));
    let invite = invite.body(CONTENT_TYPE, body).build();
    pbx.send(&invite);
    let offered = carrier.receive_request(Method::Invite);
    assert!(offered.request_uri().unwrap().starts_with("sip:+15105550111@"), "{}", shown(&offered));
    for (name, value) in HEADERS {
        assert_eq!(offered.lines(name.into()).collect::<Vec<_>>(), [value], "{name}");
    }
    assert_eq!(offered.value(Name::ContentType).unwrap(), CONTENT_TYPE);
    let rewritten = description(&offered);
    assert_ne!(rewritten, sdp, "the description is ours");
    assert_eq!(offered.body().to_vec(), with_location(rewritten));
    carrier.reply(&offered, 486, "Busy Here");
    assert_eq!(pbx.answer_to(&invite).status().unwrap().code(), 486);
    gateway.call_details(1);
    gateway.settled();
    gateway.stop();
}

#[test]
fn a_call_for_help_by_datagram_arrives_with_its_location() {
    arrives_with_its_location(Net(152), udp);
}

#[test]
fn a_call_for_help_by_tcp_arrives_with_its_location() {
    arrives_with_its_location(Net(153), tcp);
}
