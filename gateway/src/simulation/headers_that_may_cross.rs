//! A header crosses where somebody has thought of it: what a system says of itself stays on its leg.

use sip::{Message, Method, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::PhoneId;

const SAYS: &[(&str, &str)] = &[
    ("X-Site", "hq"),
    ("x-pbx-node", "10.0.0.7"),
    ("Acme-Token", "secret"),
    ("User-Agent", "PBX 17.3.1-internal"),
    ("Server", "PBX 17.3.1-internal"),
    ("Resource-Priority", "q735.0"),
    ("In-Reply-To", "12@pbx.example.com"),
];

/// What an RFC wants at the other end.
const STANDARD: &[(&str, &str)] = &[
    ("Session-ID", "ab30317f1a784dc48ff824d0d3715d86;remote=00000000000000000000000000000000"),
    ("User-to-User", "56a390f3d2b7310023;encoding=hex"),
    ("Subject", "Order 7"),
    ("Organization", "Example"),
    ("Priority", "urgent"),
    ("Date", "Sat, 13 Nov 2010 23:29:00 GMT"),
    ("Call-Info", "<https://example.com/jcard>;purpose=jcard"),
    ("Alert-Info", "<urn:alert:service:call-waiting>"),
    ("Accept-Language", "de"),
    ("Accept-Contact", "*;audio;require"),
    ("Reject-Contact", "*;actor=\"msg-taker\""),
    ("Request-Disposition", "no-fork"),
    ("Geolocation", "<https://lis.example.com/x>"),
    ("Geolocation-Routing", "yes"),
];

fn lines(message: &Message, name: &str) -> Vec<String> {
    message.lines(name.into()).map(|line| line.into_owned()).collect()
}

/// Which of `names` a message has.
fn said<'n>(message: &Message, names: &[&'n str]) -> Vec<&'n str> {
    names.iter().filter(|name| message.has((**name).into())).copied().collect()
}

/// A call in which both sides say [`SAYS`] in every message: what reached the callee, then what reached the caller.
fn talk(trunk: &mut Trunk, from: PhoneId, number: &str, to: PhoneId) -> [Vec<Message>; 2] {
    trunk.phone(from).says = SAYS;
    trunk.phone(to).says = SAYS;
    let a = trunk.dial_with(from, number, SAYS);
    trunk.run(0.5);
    let b = trunk.incoming(to);
    for status in [180, 200] {
        trunk.respond_with(b, status, SAYS);
        trunk.run(0.5);
    }
    for (method, body) in [(Method::Invite, "sendonly"), (Method::Info, "Signal=1")] {
        trunk.request(a, method, Some(body));
        trunk.run(0.5);
    }
    trunk.hang_up(b);
    trunk.run(0.5);
    [b, a].map(|id| {
        let crossed = trunk.call(id).heard.iter().filter(|heard| {
            let method = heard.cseq().unwrap().method;
            let own = heard.status().is_some_and(|status| status.code() == 100 || method == Method::Bye);
            !own && method != Method::Ack
        });
        let begins = (id == b).then(|| trunk.call(b).invite.clone());
        begins.into_iter().chain(crossed.cloned()).collect()
    })
}

const UNKNOWN: &[&str] = &["X-Site", "X-PBX-Node", "Acme-Token"];

/// What is configured, who is called and under which number, and what reaches him.
type Case = (&'static [Change], fn(&Trunk) -> PhoneId, &'static str, &'static [&'static str]);

#[test]
fn an_unknown_header_crosses_where_both_sides_pass_it() {
    let east: fn(&Trunk) -> PhoneId = |trunk| trunk.east;
    let branch: fn(&Trunk) -> PhoneId = |trunk| trunk.branch;
    let cases: &[Case] = &[
        (&[], east, OUTSIDE, &[]),
        (&[], branch, super::trunk::BRANCH, &["X-Site", "X-PBX-Node"]),
        (&[("pbx_peer", "pass_headers = []")], branch, super::trunk::BRANCH, &[]),
        (&[("east_peer", "pass_headers = [\"X-Site\"]")], east, OUTSIDE, &["X-Site"]),
        (&[("east_peer", "pass_headers = [\"x-*\"]")], east, OUTSIDE, &["X-Site", "X-PBX-Node"]),
        (&[("east_peer", "pass_headers = [\"*\"]")], east, OUTSIDE, &["X-Site", "X-PBX-Node"]),
        (
            &[("east_peer", "pass_headers = [\"Acme-*\"]"), ("pbx_peer", "pass_headers = [\"*\"]")],
            east,
            OUTSIDE,
            &["Acme-Token"],
        ),
    ];
    for (changes, to, number, expected) in cases {
        everywhere_with(changes, |trunk| {
            let callee = to(trunk);
            for heard in talk(trunk, trunk.pbx, number, callee).iter().flatten() {
                assert_eq!(said(heard, UNKNOWN), *expected, "{changes:?} {heard:?}");
            }
        });
    }
}

/// Whichever program a side has, and in which version, is nobody's business on the other.
#[test]
fn we_say_who_we_are_ourselves() {
    everywhere(|trunk| {
        let [callee, caller] = talk(trunk, trunk.pbx, OUTSIDE, trunk.east);
        assert!(callee.len() >= 3 && caller.len() >= 4, "{} {}", callee.len(), caller.len());
        for heard in callee.iter().chain(&caller) {
            let (ours, other) = match heard.is_request() {
                true => ("User-Agent", "Server"),
                false => ("Server", "User-Agent"),
            };
            let bye = heard.method() == Some(Method::Bye);
            assert_eq!(lines(heard, ours), if bye { vec![] } else { vec!["voice-connector"] }, "{heard:?}");
            assert!(lines(heard, other).is_empty(), "{heard:?}");
        }
    });
    let added = "add_headers = { \"User-Agent\" = \"trunk/1\" }\nstrip_headers = [\"Server\"]";
    over_udp(&[("east_peer", added)], |trunk| {
        let [callee, caller] = talk(trunk, trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(lines(&callee[0], "User-Agent"), ["trunk/1"]);
        assert!(
            caller
                .iter()
                .all(|heard| lines(heard, "User-Agent").iter().all(|line| line == "voice-connector"))
        );
    });
}

/// Whom a call goes before is for a side to say that we believe (RFC 4412 §11.1); a Call-ID of one leg means nothing on the
/// other.
#[test]
fn a_priority_is_believed_of_the_believed() {
    for (pbx, east) in [("", ""), ("believe_identity = true", ""), ("", "believe_identity = true")] {
        over_udp(&[("pbx_peer", pbx), ("east_peer", east)], |trunk| {
            let [callee, caller] = talk(trunk, trunk.pbx, OUTSIDE, trunk.east);
            let has = |heard: &Vec<Message>| heard.iter().all(|one| one.has(Name::ResourcePriority));
            assert_eq!((has(&callee), has(&caller)), (!pbx.is_empty(), !east.is_empty()));
            assert!(!callee.iter().chain(&caller).any(|one| one.has(Name::InReplyTo)));
        });
    }
}

#[test]
fn what_a_standard_wants_at_the_other_end_gets_there() {
    everywhere(|trunk| {
        for (from, number, to) in [(trunk.pbx, OUTSIDE, trunk.east), (trunk.east, PBX, trunk.pbx)] {
            trunk.dial_with(from, number, STANDARD);
            trunk.run(0.5);
            let b = trunk.incoming(to);
            for (name, value) in STANDARD {
                assert_eq!(lines(&trunk.call(b).invite, name), [*value], "{name}");
            }
            trunk.respond(b, 486);
            trunk.run(0.5);
        }
    });
}

/// To believe a side and to tell it are two things.
#[test]
fn believing_and_giving_are_two_keys() {
    const SAID: (&str, &str) = ("P-Asserted-Identity", "<sip:+12125550777@east.example.com>");
    for (pbx, east, asserted) in [
        ("give_identity = true", "believe_identity = true", Some("+12125550777")),
        ("trusted = true", "trusted = true", Some("+12125550777")),
        ("trusted = true", "trusted = true\nbelieve_identity = false", Some("+12125550999")),
        ("give_identity = true", "give_identity = true", Some("+12125550999")),
        ("believe_identity = true", "trusted = true", None),
        ("trusted = true\ngive_identity = false", "trusted = true", None),
    ] {
        over_udp(&[("pbx_peer", pbx), ("east_peer", east)], |trunk| {
            trunk.dial_with(trunk.east, PBX, &[SAID, ("P-Charging-Vector", "icid-value=1")]);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.pbx);
            let invite = &trunk.call(b).invite;
            let expected: Vec<_> =
                asserted.iter().map(|number| format!("<sip:{number}@vc.example.com>")).collect();
            assert_eq!(lines(invite, "P-Asserted-Identity"), expected, "{pbx} / {east}");
            let crosses = asserted == Some("+12125550777");
            assert_eq!(invite.has(Name::PChargingVector), crosses, "{pbx} / {east}");
            trunk.respond(b, 486);
            trunk.run(0.5);
        });
    }
}

/// A carrier may name the caller, and his wish, in Remote-Party-ID alone; a customer in P-Preferred-Identity first.
#[test]
fn older_headers_name_the_caller_too() {
    const BELIEVED: &[Change] = &[("pbx_peer", "trusted = true"), ("east_peer", "trusted = true")];
    for (privacy, shown) in [("off", true), ("full", false), ("uri", false)] {
        over_udp(BELIEVED, |trunk| {
            let says = format!("<sip:+12125550777@east.example.com>;party=calling;privacy={privacy}");
            trunk.dial_with(trunk.east, PBX, &[("Remote-Party-ID", &says)]);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.pbx);
            let invite = &trunk.call(b).invite;
            assert!(Trunk::header(invite, "P-Asserted-Identity").contains("+12125550777"));
            assert_eq!(Trunk::header(invite, "From").contains("+12125550999"), shown, "{privacy}");
            trunk.respond(b, 486);
            trunk.run(0.5);
        });
    }
    let keys = "identity_header = \"p-preferred-identity\"";
    over_udp(&[("pbx_termination", keys), ("east_peer", "give_identity = true")], |trunk| {
        let says = [
            ("P-Asserted-Identity", "<sip:+12065550100@pbx.example.com>"),
            ("P-Preferred-Identity", "<sip:+12065550199@pbx.example.com>"),
        ];
        trunk.dial_with(trunk.pbx, OUTSIDE, &says);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        let invite = &trunk.call(b).invite;
        assert!(Trunk::header(invite, "From").contains("+12065550199"));
        assert_eq!(Trunk::header(invite, "P-Asserted-Identity"), "<sip:+12065550199@vc.example.com>");
        assert!(!invite.has(Name::PPreferredIdentity));
        trunk.respond(b, 486);
        trunk.run(0.5);
    });
}
