//! Microsoft Teams as its Direct Routing documentation has it, played on loopback against the example's configuration:
//! mutual TLS under the names of both sides, SRTP, OPTIONS both ways, three hosts in order.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rustls::pki_types::ServerName;
use sip::dialog::Dialog;
use sip::{Builder, Message, Method, Name};
use support::{Authority, Gateway, Leaf, Net, OURS, Peer, Purpose, THEIRS, shown, status_line};

/// Our name, which Teams knows us by.
const NAME: &str = "sbc.example.com";

/// In place of sip.pstnhub.microsoft.com and the others: names that are always found, at 127.0.0.1.
const HOSTS: [&str; 3] = ["sip.localhost", "sip2.localhost", "sip3.localhost"];

/// What Teams describes: SRTP, with comfort noise and digits.
const TEAMS: &str = "v=0\r\no=- 1 0 IN IP4 127.0.0.1\r\ns=session\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 9 RTP/SAVP 0 8 13 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
                     a=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n\
                     a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";

/// The example with the addresses of a test.
fn config(net: Net, files: &Path, teams: &[SocketAddr; 3]) -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/teams-direct-routing.toml");
    let mut config = std::fs::read_to_string(example).unwrap();
    let mut replace = |from: &str, to: &str| {
        assert!(config.contains(from), "{from}");
        config = config.replace(from, to);
    };
    for ((host, at), name) in ["sip", "sip2", "sip3"].iter().zip(teams).zip(HOSTS) {
        let port = at.port();
        replace(
            &format!("\"{host}.pstnhub.microsoft.com\", port = 5061"),
            &format!("\"{name}\", port = {port}"),
        );
    }
    replace("\"sip.pstnhub.microsoft.com\"", &format!("\"{}\"", HOSTS[0]));
    replace("\"52.112.0.0/14\", \"52.122.0.0/15\"", "\"127.0.0.1\"");
    replace("203.0.113.10", &net.ip(1).to_string());
    replace("192.0.2.30", &net.carrier().to_string());
    replace("tls/", &format!("{}/", files.display()));
    format!("{config}\n[admin]\naddress = \"{}\"\n", net.admin())
}

/// Teams, us and the carrier.
struct Place {
    net: Net,
    gateway: Gateway,
    microsoft: Authority,
    /// What Teams shows, whoever connected: the certificate of a server.
    leaf: Leaf,
    /// The connections that we opened to its three hosts, and what we asked there first.
    hosts: Vec<(Peer, Message)>,
    carrier: Peer,
    _files: tempfile::TempDir,
}

fn place(net: Net) -> Place {
    let files = tempfile::tempdir().unwrap();
    // One authority for both sides, as public ones sign both.
    let microsoft = Authority::new("public");
    microsoft.leaf(&[NAME]).write(files.path(), "sbc");
    std::fs::write(files.path().join("microsoft.pem"), &microsoft.pem).unwrap();
    let leaf = microsoft.leaf_for(&HOSTS, &[Purpose::ServerAuth]);
    let listeners = [0; 3].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let carrier = Peer::udp(net.at(3, 5060), net.gateway());
    let teams = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let gateway = Gateway::start(net, &config(net, files.path(), &teams));
    let take = |listener: &TcpListener| {
        let peer = Peer::accept_tls_as(listener, net.at(1, 5061), microsoft.server_for(&leaf));
        let probe = peer.is_probed();
        (peer, probe)
    };
    let hosts = listeners.iter().map(take).collect();
    Place { net, gateway, microsoft, leaf, hosts, carrier, _files: files }
}

impl Place {
    /// Teams connects and shows its certificate.
    fn teams(&self) -> Peer {
        let name = ServerName::try_from(NAME).unwrap();
        let local = self.hosts[0].0.local;
        Peer::tls_as(local, self.net.at(1, 5061), name, self.microsoft.client_with(&self.leaf))
    }

    fn close(self) {
        self.gateway.settled();
        self.gateway.stop();
    }
}

fn value(message: &Message, name: Name) -> String {
    message.value(name).unwrap_or_else(|| panic!("{}", shown(message))).into_owned()
}

/// A description as the other side of SRTP needs it, with everything that makes no call by itself.
fn is_srtp(message: &Message) {
    let text = shown(message);
    for line in
        ["RTP/SAVP 0 8 13 101\r\n", "a=rtpmap:13 CN/8000", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn options_go_both_ways_under_our_name() {
    let place = place(Net(196));
    let contact = format!("<sip:{NAME}:5061;transport=tls>");
    for ((host, probe), name) in place.hosts.iter().zip(HOSTS) {
        let port = host.local.port();
        assert_eq!(probe.request_uri().unwrap(), format!("sip:{name}:{port};transport=tls"));
        assert_eq!(value(probe, Name::Contact), contact);
        assert!(value(probe, Name::From).starts_with(&format!("<sip:{NAME}:5061>;tag=")), "{}", shown(probe));
        assert!(
            value(probe, Name::Via).starts_with(&format!("SIP/2.0/TLS {NAME}:5061;")),
            "{}",
            shown(probe)
        );
    }
    let teams = place.teams();
    let answer = teams.ask(teams.request(Method::Options, &format!("sip:{NAME}:5061;transport=tls")));
    assert_eq!(status_line(&answer).0, 200);
    assert_eq!(value(&answer, Name::Contact), contact);
    place.close();
}

#[test]
fn a_user_of_teams_calls_out() {
    let place = place(Net(197));
    let teams = place.teams();
    let uri = format!("sip:{THEIRS}@{NAME}:5061;user=phone;transport=tls");
    let invite = teams.request(Method::Invite, &uri).body("application/sdp", TEAMS.into()).build();
    teams.send(&invite);
    let offered = place.carrier.receive_request(Method::Invite);
    assert!(!shown(&offered).contains("a=crypto") && !shown(&offered).contains(NAME), "{}", shown(&offered));
    assert!(shown(&offered).contains("RTP/AVP 0 8 13 101\r\n"), "{}", shown(&offered));
    let plain = TEAMS.replace("/SAVP", "/AVP");
    let plain = plain.split("a=crypto").next().unwrap().to_owned();
    let reply = place.carrier.reply_builder(&offered, 200, "OK");
    let contact = format!("<sip:{THEIRS}@{}>", place.carrier.local);
    place.carrier.send(&reply.header(Name::Contact, contact).body("application/sdp", plain.into()).build());
    let answer = teams.answer_to(&invite);
    assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
    is_srtp(&answer);
    assert_eq!(value(&answer, Name::Contact), format!("<sip:{THEIRS}@{NAME}:5061;transport=tls>"));
    let mut dialog = Dialog::uac(&invite, &answer).unwrap();
    let dress = |request: Builder| request.header(Name::Via, teams.via()).header(Name::MaxForwards, "70");
    teams.send(&dress(dialog.ack(1)).build());
    place.carrier.receive_request(Method::Ack);
    let bye = dress(dialog.request(Method::Bye)).build();
    teams.send(&bye);
    place.carrier.is_hung_up();
    assert_eq!(status_line(&teams.answer_to(&bye)).0, 200);
    assert_eq!(place.gateway.call_details(1)[0]["Status"], "Completed");
    place.close();
}

/// The first host declines with what sends the call on; the second one takes it.
#[test]
fn a_user_of_teams_is_called_at_the_second_host() {
    let place = place(Net(198));
    let [(first, _), (second, _), _] = &place.hosts[..] else { panic!("three hosts") };
    let uri = format!("sip:{OURS}@{}", place.net.gateway());
    let invite = place.carrier.request(Method::Invite, &uri);
    let plain = TEAMS.replace("/SAVP", "/AVP").split("a=crypto").next().unwrap().to_owned();
    let invite = invite.set(Name::From, format!("<sip:{THEIRS}@carrier.example>;tag=1"));
    let invite = invite.body("application/sdp", plain.into()).build();
    place.carrier.send(&invite);
    for (host, name) in [(first, HOSTS[0]), (second, HOSTS[1])] {
        let offered = host.receive_request(Method::Invite);
        let port = host.local.port();
        assert_eq!(offered.request_uri().unwrap(), format!("sip:{OURS}@{name}:{port};transport=tls"));
        assert_eq!(value(&offered, Name::Contact), format!("<sip:{THEIRS}@{NAME}:5061;transport=tls>"));
        assert!(
            value(&offered, Name::From).contains(&format!("<sip:{THEIRS}@{NAME}>")),
            "{}",
            shown(&offered)
        );
        is_srtp(&offered);
        if name == HOSTS[0] {
            host.reply(&offered, 503, "Service Unavailable");
            host.receive_request(Method::Ack);
            continue;
        }
        let reply = host.reply_builder(&offered, 200, "OK");
        let contact = format!("<sip:api.pstnhub.microsoft.com:{port};transport=tls>");
        host.send(&reply.header(Name::Contact, contact).body("application/sdp", TEAMS.into()).build());
    }
    let answer = place.carrier.answer_to(&invite);
    assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
    assert!(!shown(&answer).contains("a=crypto"), "{}", shown(&answer));
    let mut dialog = Dialog::uac(&invite, &answer).unwrap();
    let dress =
        |request: Builder| request.header(Name::Via, place.carrier.via()).header(Name::MaxForwards, "70");
    place.carrier.send(&dress(dialog.ack(1)).build());
    second.receive_request(Method::Ack);
    let bye = dress(dialog.request(Method::Bye)).build();
    place.carrier.send(&bye);
    let heard = second.is_hung_up();
    assert!(value(&heard, Name::Via).contains(NAME), "{}", shown(&heard));
    assert_eq!(status_line(&place.carrier.answer_to(&bye)).0, 200);
    assert_eq!(place.gateway.call_details(1)[0]["Status"], "Completed");
    place.close();
}

/// A user of Teams connects the caller with a colleague whom it talks to: no dialog of ours, and no number. The call goes back to
/// Teams in the words of the REFER, and the caller comes to it.
#[test]
fn a_user_of_teams_transfers_to_a_colleague() {
    let place = place(Net(200));
    let host = &place.hosts[0].0;
    let uri = format!("sip:{OURS}@{}", place.net.gateway());
    let plain = TEAMS.replace("/SAVP", "/AVP").split("a=crypto").next().unwrap().to_owned();
    let invite = place.carrier.request(Method::Invite, &uri);
    let invite = invite.set(Name::From, format!("<sip:{THEIRS}@carrier.example>;tag=1"));
    let invite = invite.body("application/sdp", plain.clone().into()).build();
    place.carrier.send(&invite);
    let port = host.local.port();
    let contact = format!("<sip:api.pstnhub.microsoft.com:{port};transport=tls>");
    let accepts = |peer: &Peer, request: &Message, contact: &str, sdp: &str| {
        let reply = peer.reply_builder(request, 200, "OK").header(Name::Contact, contact);
        let reply = reply.body("application/sdp", sdp.to_owned().into()).build();
        peer.send(&reply);
        reply.to_tag().unwrap().into_owned()
    };
    let offered = host.receive_request(Method::Invite);
    let tag = accepts(host, &offered, &contact, TEAMS);
    let answer = place.carrier.answer_to(&invite);
    let mut caller = Dialog::uac(&invite, &answer).unwrap();
    let dress =
        |peer: &Peer, request: Builder| request.header(Name::Via, peer.via()).header(Name::MaxForwards, "70");
    place.carrier.send(&dress(&place.carrier, caller.ack(1)).build());
    host.receive_request(Method::Ack);

    let mut user = Dialog::uas(&offered, &tag).unwrap();
    user.confirm();
    let colleague = format!("sip:{}:{port};x-m=8:orgid:fce2;transport=tls", HOSTS[0]);
    let by = format!("<sip:{}:{port};x-m=8:orgid:bdc0;x-t=2d88>", HOSTS[0]);
    let refer = dress(host, user.request(Method::Refer))
        .header(Name::Contact, &contact)
        .header(Name::ReferTo, format!("<{colleague}?Replaces=a1%40teams%3Bto-tag%3Db%3Bfrom-tag%3Dc>"))
        .header(Name::ReferredBy, &by)
        .build();
    host.send(&refer);
    assert_eq!(status_line(&host.answer_to(&refer)).0, 202);
    let tells = |status: &str| {
        let notify = host.receive_request(Method::Notify);
        assert!(shown(&notify).contains(&format!("SIP/2.0 {status}")), "{}", shown(&notify));
        host.reply(&notify, 200, "OK");
    };
    tells("100");
    let back = host.receive_request(Method::Invite);
    assert_eq!(back.request_uri(), Some(colleague.as_str()));
    assert_eq!(value(&back, Name::Replaces), "a1@teams;to-tag=b;from-tag=c");
    assert_eq!(value(&back, Name::ReferredBy), by);
    is_srtp(&back);
    let tag = accepts(host, &back, &contact, TEAMS);
    host.receive_request(Method::Ack);
    let joins = place.carrier.receive_request(Method::Invite);
    assert!(!shown(&joins).contains("a=crypto") && !shown(&joins).contains("Replaces"), "{}", shown(&joins));
    accepts(&place.carrier, &joins, &format!("<sip:{THEIRS}@{}>", place.carrier.local), &plain);
    place.carrier.receive_request(Method::Ack);
    tells("200");
    let bye = dress(host, user.request(Method::Bye)).build();
    host.send(&bye);
    assert_eq!(status_line(&host.answer_to(&bye)).0, 200);

    let bye = dress(&place.carrier, caller.request(Method::Bye)).build();
    place.carrier.send(&bye);
    assert_eq!(status_line(&place.carrier.answer_to(&bye)).0, 200);
    let heard = host.is_hung_up();
    assert_eq!(heard.to_tag().unwrap(), tag);
    place.close();
}

/// Whoever connects without a certificate of Teams is not heard at all.
#[test]
fn nobody_else_is_heard_at_the_listener() {
    let place = place(Net(199));
    let stranger = place.microsoft.leaf_for(&["sip.example.net"], &[Purpose::ServerAuth]);
    let name = ServerName::try_from(NAME).unwrap();
    let how = place.microsoft.client_with(&stranger);
    let stranger = Peer::tls_as(place.net.at(2, 5061), place.net.at(1, 5061), name, how);
    assert!(stranger.is_refused());
    place.close();
}
