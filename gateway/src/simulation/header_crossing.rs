//! Which headers reach the other side.

use sip::{Message, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};

const PASSES: Change = ("east_peer", "pass_headers = [\"X-*\"]");

const SENT: &[(&str, &str)] = &[
    ("X-First", "1"),
    ("P-Asserted-Identity", "<sip:+12065550100@10.0.0.1>"),
    ("x-second", "a, \"b, c\";d"),
    ("Subject", "caf\u{e9}"),
    ("X-Internal", "secret"),
    ("User-Agent", "phone/1"),
    ("X-First", "2"),
    ("Record-Route", "<sip:10.0.0.9;lr>"),
    ("Supported", "100rel, timer"),
    ("Session-Expires", "90"),
    ("Proxy-Authorization", "Digest username=\"x\""),
];

fn names(message: &Message) -> Vec<String> {
    message.headers().map(|header| header.raw_name.to_owned()).collect()
}

/// What reached east of a call from the PBX.
fn crossed(trunk: &mut Trunk) -> Message {
    let a = trunk.dial_with(trunk.pbx, OUTSIDE, SENT);
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    trunk.respond_with(b, 486, &[("X-Why", "lunch"), ("Server", "carrier/2"), ("Warning", "399 x \"y\"")]);
    trunk.run(0.5);
    let answer = trunk.call(a).response(486).unwrap();
    assert_eq!(Trunk::header(answer, "Warning"), "399 * \"y\"");
    assert_eq!(Trunk::header(answer, "Server"), "voice-connector");
    assert_eq!(answer.vias().count(), 1);
    trunk.call(b).invite.clone()
}

#[test]
fn unknown_headers_cross_in_order_and_the_hops_own_do_not() {
    everywhere_with(&[PASSES], |trunk| {
        let invite = crossed(trunk);
        let unknown: Vec<_> =
            names(&invite).into_iter().filter(|name| name.to_lowercase().starts_with("x-")).collect();
        assert_eq!(unknown, ["X-First", "x-second", "X-Internal", "X-First"]);
        assert_eq!(Trunk::header(&invite, "x-second"), "a, \"b, c\";d");
        assert_eq!(Trunk::header(&invite, "Subject"), "caf\u{e9}");
        assert_eq!(invite.vias().count(), 1);
        for name in ["Record-Route", "Session-Expires", "Proxy-Authorization"] {
            assert!(!invite.has(name.into()), "{name}");
        }
        let supported: Vec<_> = invite.values(Name::Supported).collect();
        assert_eq!(supported, ["100rel", "timer", "replaces"], "ours alone");
        let text = String::from_utf8_lossy(invite.bytes()).into_owned();
        for leak in ["10.0.0.1", "10.0.0.9"] {
            let head = text.split("\r\n\r\n").next().unwrap();
            assert!(!head.contains(leak), "{leak} in {head}");
        }
        assert_eq!(invite.values(Name::Contact).count(), 1);
        assert!(Trunk::header(&invite, "Contact").contains("192.0.2.1"));
    });
}

/// Identity goes by trust: believed of a side that we trust, given to a side that we trust.
#[test]
fn identity_goes_by_trust() {
    const EAST: Change = ("east_peer", "trusted = true");
    const PBX_TOO: Change = ("pbx_peer", "trusted = true");
    everywhere(|trunk| assert!(!crossed(trunk).has(Name::PAssertedIdentity)));
    everywhere_with(&[EAST], |trunk| {
        let invite = crossed(trunk);
        assert_eq!(Trunk::header(&invite, "P-Asserted-Identity"), format!("<sip:{PBX}@vc.example.com>"));
        assert_eq!(invite.values(Name::PAssertedIdentity).count(), 1);
    });
    everywhere_with(&[EAST, PBX_TOO], |trunk| {
        let invite = crossed(trunk);
        assert_eq!(invite.values(Name::PAssertedIdentity).count(), 1);
    });
}

#[test]
fn a_peers_headers_are_stripped_and_added() {
    let changes = &[(
        "east_peer",
        "pass_headers = [\"X-*\"]\nstrip_headers = [\"x-internal\", \"User-Agent\"]\nadd_headers = { \"X-Site\" = \"hq\" }",
    )];
    everywhere_with(changes, |trunk| {
        let invite = crossed(trunk);
        assert!(!invite.has("X-Internal".into()) && !invite.has(Name::UserAgent));
        assert_eq!(Trunk::header(&invite, "X-Site"), "hq");
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.run(1.0);
        let bye = trunk.call(b).request(&sip::Method::Bye).unwrap();
        assert_eq!(Trunk::header(bye, "X-Site"), "hq");
    });
}

/// RFC 3261 §12.1.1, §12.2.1.1: the caller's proxies are on the way back, and on nobody else's.
#[test]
fn record_routes_come_back_to_their_own_side() {
    everywhere(|trunk| {
        let proxy = ("Record-Route", "<sip:10.0.0.1:5060;lr>");
        let a = trunk.dial_with(trunk.pbx, OUTSIDE, &[proxy]);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!(Trunk::header(trunk.call(a).response(200).unwrap(), "Record-Route"), proxy.1);
        trunk.hang_up(b);
        trunk.run(0.5);
        let bye = trunk.call(a).request(&sip::Method::Bye).unwrap();
        assert_eq!(Trunk::header(bye, "Route"), proxy.1);
        assert!(!trunk.call(b).request(&sip::Method::Ack).unwrap().has(Name::Route));
    });
}
