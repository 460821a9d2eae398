//! What TLS must not lose: a call whose PBX lost its connection, and one whose first carrier is not who it says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::{TcpListener, TcpStream};
use std::path::Path;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};
use sip::dialog::Dialog;
use sip::{Method, Name};
use support::{Authority, Gateway, Net, PATIENCE, Peer, THEIRS, eventually};

/// The office calls by TLS; its calls go to `hosts` of the carrier.
fn config(net: Net, files: &Path, hosts: &str) -> String {
    let [secure, plain, admin] = [net.at(1, 5061), net.gateway(), net.admin()];
    let carrier = net.carrier();
    let files = files.display();
    format!(
        r#"
[[listen]]
protocol = "tls"
address = "{secure}"
certificate = "{files}/gateway.pem"
key = "{files}/gateway.key"

[[listen]]
address = "{plain}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"
peer = {{ srtp = "off", ca = "{files}/office-ca.pem" }}

[voice_connector.termination]
allowlist = ["127.0.0.1"] # Where a connection to loopback comes from.
calling_plan = ["US"]

[voice_connector.origination]
enabled = false

[[phone_number]]
number = "+12065550100"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]
peer = {{ srtp = "off", ca = "{files}/office-ca.pem" }}
host = [{hosts}]
"#
    )
}

struct Place {
    gateway: Gateway,
    ours: Authority,
    /// Who signs the office's certificate.
    office: Authority,
    _files: tempfile::TempDir,
}

fn place(net: Net, hosts: &str) -> Place {
    let files = tempfile::tempdir().unwrap();
    let (ours, office) = (Authority::new("ours"), Authority::new("office"));
    ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
    std::fs::write(files.path().join("office-ca.pem"), &office.pem).unwrap();
    let gateway = Gateway::start(net, &config(net, files.path(), hosts));
    Place { gateway, ours, office, _files: files }
}

/// Waits until the gateway holds no connection any more.
fn disconnected(gateway: &Gateway) {
    eventually("the connection is gone", PATIENCE, || match gateway.metrics().sum("connections", &[]) {
        0.0 => Ok(()),
        left => Err(format!("{left} are left")),
    });
}

/// The carrier's BYE reaches the PBX at its Contact, by a connection that we dial, once its own is gone.
#[test]
fn a_pbx_that_lost_its_connection_hears_of_the_end() {
    let net = Net(45);
    let host = format!(r#"{{ host = "{}", port = 5070 }}"#, net.carrier());
    let Place { gateway, ours, office, _files } = place(net, &host);
    let carrier = Peer::udp(net.at(3, 5070), net.gateway());
    let contact = net.at(2, 5071);
    let listener = TcpListener::bind(contact).unwrap();

    let pbx = Peer::tls(contact, net.at(1, 5061), &ours);
    let invite = pbx.invite(THEIRS).set(Name::Contact, format!("<sip:pbx@{contact};transport=tls>")).build();
    pbx.send(&invite);
    let offered = carrier.receive_request(Method::Invite);
    carrier.accept(&offered);
    let answer = pbx.answer_to(&invite);
    assert_eq!(answer.status().unwrap().code(), 200);
    let told = answer.value(Name::Contact).unwrap().into_owned();
    assert!(told.contains(&format!("{};transport=tls", net.at(1, 5061))), "{told}");
    let mut dialog = Dialog::uac(&invite, &answer).unwrap();
    pbx.send(&dialog.ack(1).header(Name::Via, pbx.via()).header(Name::MaxForwards, "70").build());
    let ack = carrier.receive_request(Method::Ack);

    drop(pbx);
    disconnected(&gateway);
    let bye = carrier.bye_after(&ack);
    carrier.send(&bye);
    let leaf = office.leaf(&[&net.pbx().to_string()]);
    let pbx = Peer::accept_tls(&listener, net.at(1, 5061), &leaf);
    let heard = pbx.receive_request(Method::Bye);
    assert!(dialog.handle_request(&heard).is_ok());
    pbx.reply(&heard, 200, "OK");
    assert_eq!(carrier.answer_to(&bye).status().unwrap().code(), 200);
    assert_eq!(gateway.call_details(1)[0]["Status"], "Completed");
    gateway.settled();
    gateway.stop();
}

/// The PBX's own connection is gone, and its proxy stands in Record-Route by its name: the certificate there has that
/// name, not its address (RFC 5922 §7.1).
#[test]
fn a_proxy_that_is_named_in_the_route_shows_its_name() {
    let net = Net(194);
    let host = format!(r#"{{ host = "{}", port = 5070 }}"#, net.carrier());
    let Place { gateway, ours, office, _files } = place(net, &host);
    let carrier = Peer::udp(net.at(3, 5070), net.gateway());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap();

    let pbx = Peer::tls(net.at(2, 5071), net.at(1, 5061), &ours);
    let route = format!("<sip:localhost:{};transport=tls;lr>", proxy.port());
    let invite = pbx.invite(THEIRS).header(Name::RecordRoute, route).build();
    pbx.send(&invite);
    let offered = carrier.receive_request(Method::Invite);
    carrier.accept(&offered);
    let answer = pbx.answer_to(&invite);
    let mut dialog = Dialog::uac(&invite, &answer).unwrap();
    pbx.send(&dialog.ack(1).header(Name::Via, pbx.via()).header(Name::MaxForwards, "70").build());
    let bye = carrier.bye_after(&carrier.receive_request(Method::Ack));
    drop(pbx);
    disconnected(&gateway);
    carrier.send(&bye);
    let pbx = Peer::accept_tls(&listener, net.at(1, 5061), &office.leaf(&["localhost"]));
    let heard = pbx.receive_request(Method::Bye);
    assert!(dialog.handle_request(&heard).is_ok());
    pbx.reply(&heard, 200, "OK");
    gateway.settled();
    gateway.stop();
}

/// A phone whose settings are wrong tries every second: it is told who it is and why, once.
#[test]
fn a_phone_that_does_not_trust_us_is_told_once() {
    let net = Net(193);
    let host = format!(r#"{{ host = "{}", port = 5070 }}"#, net.carrier());
    let Place { gateway, ours, office, _files } = place(net, &host);
    let failed = || gateway.metrics().sum("connections_total", &[("event", "handshake_failed")]);
    for count in 1..=3 {
        let mut connection = ClientConnection::new(office.client(), ServerName::from(net.ip(1))).unwrap();
        let mut stream = TcpStream::connect(net.at(1, 5061)).unwrap();
        assert!(connection.complete_io(&mut stream).is_err());
        eventually("it is counted", PATIENCE, || {
            let failed = failed();
            if failed == f64::from(count) { Ok(()) } else { Err(failed.to_string()) }
        });
    }
    // Others behind its address are served.
    let pbx = Peer::tls(net.at(2, 5071), net.at(1, 5061), &ours);
    let options = pbx.ask(pbx.request(Method::Options, &format!("sip:{}", net.at(1, 5061))));
    assert_eq!(options.status().unwrap().code(), 200);
    let reason = "it does not trust who signed our certificate (unknown_ca)";
    let log = gateway.tells(reason);
    let told: Vec<&str> = log.lines().filter(|line| line.contains(reason)).collect();
    assert!(told.len() == 1 && told[0].contains("remote=127.0.0.1:"), "{told:#?}");
    gateway.stop();
}

/// The first host shows a certificate of an authority that the carrier's `ca` does not have; whether the probe or the
/// call finds that out first.
#[test]
fn a_host_that_is_not_who_it_says_gets_no_call_and_the_next_does() {
    let net = Net(46);
    let (first, second) = (net.at(3, 5061), net.at(4, 5070));
    let hosts = format!(
        r#"{{ host = "{}", port = 5061, protocol = "tls" }}, {{ host = "{}", port = 5070, priority = 2 }}"#,
        first.ip(),
        second.ip()
    );
    let leaf = Authority::new("somebody").leaf(&[&first.ip().to_string()]);
    let listener = TcpListener::bind(first).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let connection = ServerConnection::new(leaf.server());
            assert!(connection.unwrap().complete_io(&mut stream.unwrap()).is_err());
        }
    });
    let Place { gateway, ours, office: _, _files } = place(net, &hosts);
    let carrier = Peer::udp(second, net.gateway());
    let pbx = Peer::tls(net.at(2, 5071), net.at(1, 5061), &ours);
    for _ in 0..3 {
        let invite = pbx.invite(THEIRS).build();
        pbx.send(&invite);
        let offered = carrier.receive_request(Method::Invite);
        carrier.reply(&offered, 486, "Busy Here");
        assert_eq!(pbx.answer_to(&invite).status().unwrap().code(), 486);
        carrier.receive_request(Method::Ack);
    }
    let reason = "its certificate is not signed by the authorities of ";
    gateway.tells(reason);
    gateway.call_details(3);
    // Whom and why, once, whether the probe or a call found out.
    let log = gateway.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains(reason)).collect();
    assert!(told.len() == 1 && told[0].contains("whose=carrier carrier"), "{told:#?}");
    gateway.settled();
    gateway.stop();
}
