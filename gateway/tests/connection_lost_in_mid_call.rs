//! A connection breaks after a request was written into it: the peer is asked again by a new one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::TcpListener;

use sip::dialog::Dialog;
use sip::{Method, Name};
use support::{Gateway, Net, Office, Peer, THEIRS};

#[test]
fn a_bye_that_its_connection_lost_is_said_again() {
    let net = Net(154);
    let tcp = format!("[[listen]]\nprotocol = \"tcp\"\naddress = \"{}\"\n", net.gateway());
    let office = Office { more: &tcp, ..Office::new(net, "udp") };
    let gateway = Gateway::start(net, &office.config());
    let carrier = Peer::udp(net.at(3, 5060), net.gateway());
    let listener = TcpListener::bind(net.at(2, 5071)).unwrap();
    let pbx = Peer::tcp(net.at(2, 0), net.gateway());
    let contact = format!("<sip:pbx@{};transport=tcp>", listener.local_addr().unwrap());
    let invite = pbx.invite(THEIRS).set(Name::Contact, contact).build();
    pbx.send(&invite);
    let offered = carrier.receive_request(Method::Invite);
    carrier.accept(&offered);
    let answer = pbx.answer_to(&invite);
    let mut dialog = Dialog::uac(&invite, &answer).unwrap();
    pbx.send(&dialog.ack(1).header(Name::Via, pbx.via()).header(Name::MaxForwards, "70").build());
    let ack = carrier.receive_request(Method::Ack);

    let bye = carrier.bye_after(&ack);
    carrier.send(&bye);
    let unanswered = pbx.receive_request(Method::Bye);
    drop(pbx);
    let pbx = Peer::accept_tcp(&listener, net.gateway());
    let heard = pbx.is_hung_up();
    assert!(heard.cseq().unwrap().number > unanswered.cseq().unwrap().number);
    assert!(dialog.handle_request(&heard).is_ok());
    assert_eq!(carrier.answer_to(&bye).status().unwrap().code(), 200);
    assert_eq!(gateway.call_details(1)[0]["Status"], "Completed");
    gateway.settled();
    gateway.stop();
}
