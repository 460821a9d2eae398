//! Every side writes numbers in its own way, in both directions; inside the gateway there is one.

use sip::{Message, Method, Name};

use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};
use super::world::{CallId, PhoneId};

/// A call of `phone`'s, in its own words.
fn place(trunk: &mut Trunk, phone: PhoneId, from: &str, number: &str, headers: &[(&str, &str)]) -> CallId {
    let call = trunk.world.with(phone, |phone, now| {
        let mut invite = phone.invite("vc.example.com", from, number, true);
        for (name, value) in headers {
            invite = invite.raw(name, value);
        }
        phone.place(now, invite.build())
    });
    trunk.run(0.5);
    CallId(phone, call)
}

/// The same, refused: the INVITE that reached `to`.
fn reached(
    trunk: &mut Trunk,
    [phone, to]: [PhoneId; 2],
    from: &str,
    number: &str,
    headers: &[(&str, &str)],
) -> Message {
    place(trunk, phone, from, number, headers);
    let b = trunk.incoming(to);
    trunk.respond(b, 486);
    trunk.run(0.5);
    trunk.call(b).invite.clone()
}

/// The user part of an address.
fn user(message: &Message, name: Name) -> String {
    let address = message.addresses(name).next().unwrap().unwrap();
    address.uri.user().unwrap_or_default().to_owned()
}

fn target(message: &Message) -> &str {
    message.request_uri().unwrap()
}

fn keys(format: &str) -> &'static str {
    format!("number_format = \"{format}\"").leak()
}

const US: Change = ("pbx", "country = \"US\"");

#[test]
fn a_customer_dials_and_is_called_as_it_is_used_to() {
    for (said, told, dials, shows, hears, caller) in [
        ("e164", "e164", OUTSIDE, PBX, PBX, "+12125550999"),
        (
            "e164-without-plus",
            "e164-without-plus",
            "12125550123",
            "12065550100",
            "12065550100",
            "12125550999",
        ),
        ("national", "national", "2125550123", "2065550100", "2065550100", "2125550999"),
        ("national", "national-without-trunk", "2125550123", PBX, "2065550100", "2125550999"),
        (
            "international",
            "international",
            "01112125550123",
            "01112065550100",
            "01112065550100",
            "01112125550999",
        ),
    ] {
        let [said, told] = [said, told].map(keys);
        everywhere_with(&[US, ("pbx_termination", said), ("pbx_origination", told)], |trunk| {
            let invite = reached(trunk, [trunk.pbx, trunk.east], shows, dials, &[]);
            assert_eq!((user(&invite, Name::To), user(&invite, Name::From)), (OUTSIDE.into(), PBX.into()));
            let invite = reached(trunk, [trunk.east, trunk.pbx], "+12125550999", PBX, &[]);
            assert!(target(&invite).starts_with(&format!("sip:{hears}@")), "{}", target(&invite));
            assert_eq!((user(&invite, Name::To), user(&invite, Name::From)), (hears.into(), caller.into()));
        });
    }
    // Called and calling numbers each in their own way; an extension alone.
    let keys = "extension_digits = 4\ncaller_id_format = \"national\"";
    over_udp(&[US, ("pbx_origination", keys)], |trunk| {
        let invite = reached(trunk, [trunk.east, trunk.pbx], "+12125550999", PBX, &[]);
        assert!(target(&invite).starts_with("sip:0100@"), "{}", target(&invite));
        assert_eq!(
            (user(&invite, Name::To), user(&invite, Name::From)),
            ("0100".into(), "2125550999".into())
        );
    });
}

/// The policy is about numbers, however they are written, wherever they stand.
#[test]
fn the_caller_id_rule_reads_the_customers_own_format() {
    let keys = "number_format = \"national\"\ncaller_id_policy = \"forwarded\"";
    let changes: [Change; 3] = [US, ("pbx_termination", keys), ("east_peer", "give_identity = true")];
    over_udp(&changes, |trunk| {
        let own = ("P-Asserted-Identity", "<sip:2065550199@pbx.example.com>");
        let invite = reached(trunk, [trunk.pbx, trunk.east], "200", "2125550123", &[own]);
        assert_eq!(user(&invite, Name::From), "+12065550199");
        let diverted = ("Diversion", "\"2065550100\" <sip:2065550100@pbx.example.com>;reason=no-answer");
        let invite = reached(trunk, [trunk.pbx, trunk.east], "2125550777", "2125550123", &[diverted]);
        assert_eq!(user(&invite, Name::From), "+12125550777");
        assert_eq!(user(&invite, Name::PAssertedIdentity), PBX);
        // Said in a way that the other side can read, and its name stays.
        assert_eq!(
            Trunk::header(&invite, "Diversion"),
            "\"2065550100\" <sip:+12065550100@pbx.example.com>;reason=no-answer"
        );
        let call = place(trunk, trunk.pbx, "2125550777", "2125550123", &[]);
        assert_eq!(trunk.heard(call), [403]);
        let call = place(trunk, trunk.pbx, "2065550100", "5550123", &[]);
        assert_eq!(trunk.heard(call), [484]);
        let phrase = trunk.call(call).response(484).unwrap().reason_phrase().unwrap().to_vec();
        assert_eq!(String::from_utf8(phrase).unwrap(), "5550123 is no number written as national");
        // The record of a refused call knows whose numbers they are.
        let cdr = trunk.world.cdrs.last().unwrap();
        assert_eq!((cdr.source.country.as_deref(), cdr.destination.country.as_deref()), (Some("US"), None));
    });
}

/// What a host wants in From, and beside its numbers.
#[test]
fn from_is_written_as_the_side_wants_it() {
    let own = "<sip:+12065550100@";
    for (keys, from, to, asserted) in [
        ("", format!("{own}192.0.2.1>"), "", ""),
        ("from_domain = \"trunk.example.net\"", format!("{own}trunk.example.net>"), "", ""),
        ("user_phone = true", format!("{own}192.0.2.1;user=phone>"), ";user=phone", ""),
        (
            "from_domain = \"trunk.example.net\"\nuser_phone = true\ngive_identity = true",
            format!("{own}trunk.example.net;user=phone>"),
            ";user=phone",
            "<sip:+12065550100@trunk.example.net;user=phone>",
        ),
    ] {
        everywhere_with(&[("east_peer", keys)], |trunk| {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let invite = trunk.call(b).invite.clone();
            assert!(Trunk::header(&invite, "From").contains(&from), "{keys}: {invite:?}");
            assert!(Trunk::header(&invite, "To").contains(&format!("5060{to}>")), "{keys}");
            assert!(target(&invite).ends_with(to), "{keys}: {}", target(&invite));
            assert_eq!(Trunk::header(&invite, "P-Asserted-Identity"), asserted, "{keys}");
            trunk.hang_up(a);
            trunk.run(1.0);
            let bye = trunk.call(b).request(&Method::Bye).unwrap();
            assert!(Trunk::header(bye, "From").contains(&from), "{keys}: {bye:?}");
        });
    }
}

/// Whoever does not want to be shown is written as the side wants it, and never to a side that is not given identities.
#[test]
fn a_hidden_caller_is_written_as_the_side_wants_it() {
    let id = ("Privacy", "id");
    for (keys, from, asserted, privacy) in [
        ("", "\"Anonymous\" <sip:anonymous@anonymous.invalid>", false, "id"),
        ("privacy = \"domain\"", "\"Anonymous\" <sip:anonymous@192.0.2.1>", false, "id"),
        (
            "privacy = \"domain\"\nfrom_domain = \"trunk.example.net\"\ngive_identity = true",
            "\"Anonymous\" <sip:anonymous@trunk.example.net>",
            true,
            "id",
        ),
        (
            "privacy = \"header\"\ngive_identity = true",
            "\"Anonymous\" <sip:+12065550100@192.0.2.1>",
            true,
            "id",
        ),
    ] {
        over_udp(&[("east_peer", keys)], |trunk| {
            let invite = reached(trunk, [trunk.pbx, trunk.east], PBX, OUTSIDE, &[id]);
            assert!(
                Trunk::header(&invite, "From").starts_with(from),
                "{keys}: {}",
                Trunk::header(&invite, "From")
            );
            assert_eq!(invite.has(Name::PAssertedIdentity), asserted, "{keys}");
            assert_eq!(Trunk::header(&invite, "Privacy"), privacy, "{keys}");
            // By an anonymous From alone.
            let said = ("P-Asserted-Identity", "<sip:+12065550100@pbx.example.com>");
            let invite = reached(trunk, [trunk.pbx, trunk.east], "anonymous", OUTSIDE, &[said]);
            assert!(Trunk::header(&invite, "From").starts_with(from), "{keys}");
            assert_eq!(Trunk::header(&invite, "Privacy"), if asserted { "id" } else { "" }, "{keys}");
            let shown = reached(trunk, [trunk.pbx, trunk.east], PBX, OUTSIDE, &[]);
            assert!(!shown.has(Name::Privacy) && user(&shown, Name::From) == PBX, "{keys}");
        });
    }
}

#[test]
fn number_rules_of_a_side_are_obeyed_in_their_direction() {
    let pbx = "number_rules = [
        { direction = \"from\", number = \"called\", match = \"9*\", replace = \"*\" },
        { direction = \"from\", number = \"caller\", match = \"200\", replace = \"+12065550100\" },
        { direction = \"to\", number = \"called\", match = \"+1206555*\", replace = \"7*\" },
        { direction = \"to\", number = \"caller\", match = \"+*\", replace = \"900*\" },
    ]";
    let east = "number_rules = [
        { direction = \"to\", number = \"called\", match = \"+*\", replace = \"1234#*\" },
        { direction = \"to\", number = \"caller\", match = \"+1*\", replace = \"*\" },
        { direction = \"from\", match = \"01*\", replace = \"+1*\" },
    ]";
    everywhere_with(&[("pbx_peer", pbx), ("east_peer", east)], |trunk| {
        let invite = reached(trunk, [trunk.pbx, trunk.east], "200", "9+12125550123", &[]);
        assert!(target(&invite).starts_with("sip:1234%2312125550123@"), "{}", target(&invite));
        assert_eq!(user(&invite, Name::From), "2065550100");
        let invite = reached(trunk, [trunk.east, trunk.pbx], "012125550999", "012065550100", &[]);
        assert!(target(&invite).starts_with("sip:70100@"), "{}", target(&invite));
        assert_eq!(user(&invite, Name::From), "90012125550999");
    });
}

/// No rule and no format hides a call for help; a rule may lay one bare.
#[test]
fn a_call_for_help_is_seen_before_and_behind_the_rules() {
    let rules = "number_rules = [{ direction = \"from\", match = \"9*\", replace = \"*\" }]";
    for format in ["e164", "national", "international"] {
        let keys = keys(format);
        for dialled in ["911", "9911"] {
            over_udp(&[US, ("pbx_termination", keys), ("pbx_peer", rules)], |trunk| {
                let a = place(trunk, trunk.pbx, "200", dialled, &[]);
                let b = trunk.incoming(trunk.east);
                assert_eq!(user(&trunk.call(b).invite, Name::To), "+15105550111", "{dialled} as {format}");
                trunk.cancel(a);
                trunk.run(0.5);
            });
        }
    }
}

const SAYS: &[(&str, &str)] = &[
    ("Organization", "Old Name"),
    ("Subject", "secret"),
    ("Diversion", "<sip:+12065550100@pbx.example.com>"),
];

#[test]
fn header_rules_of_a_side_are_obeyed_in_their_direction() {
    let pbx = "header_rules = [
        { direction = \"from\", header = \"Organization\", match = \"Old *\", replace = \"New *\" },
        { direction = \"from\", header = \"Subject\", remove = true },
    ]";
    let east = "header_rules = [
        { direction = \"to\", header = \"X-Trunk\", set = \"7\" },
        { direction = \"to\", header = \"Organization\", match = \"New *\", replace = \"Newest *\" },
        { direction = \"from\", header = \"Organization\", remove = true },
    ]";
    everywhere_with(&[("pbx_peer", pbx), ("east_peer", east)], |trunk| {
        trunk.phone(trunk.pbx).says = SAYS;
        trunk.phone(trunk.east).says = SAYS;
        let a = trunk.dial_with(trunk.pbx, OUTSIDE, SAYS);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond_with(b, 200, SAYS);
        trunk.run(0.5);
        let heard = trunk.call(a).response(200).unwrap();
        assert!(!heard.has(Name::Organization) && !heard.has("X-Trunk".into()));
        assert_eq!(Trunk::header(heard, "Subject"), "secret");
        trunk.request(a, Method::Info, Some("Signal=1"));
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(0.5);
        let requests =
            [Method::Info, Method::Bye].map(|method| trunk.call(b).request(&method).unwrap().clone());
        for heard in [trunk.call(b).invite.clone()].iter().chain(&requests) {
            assert_eq!(Trunk::header(heard, "Organization"), "Newest Name", "{heard:?}");
            assert_eq!(heard.lines("X-Trunk".into()).collect::<Vec<_>>(), ["7"], "{heard:?}");
            assert!(!heard.has(Name::Subject), "{heard:?}");
        }
    });
}

/// A rule is obeyed before the gateway reads who calls.
#[test]
fn a_header_that_is_removed_names_nobody() {
    let keys = "caller_id_policy = \"forwarded\"";
    let rule = "header_rules = [{ direction = \"from\", header = \"Diversion\", remove = true }]";
    for (rule, heard) in [("", vec![486]), (rule, vec![403])] {
        over_udp(&[("pbx_termination", keys), ("pbx_peer", rule)], |trunk| {
            let a = place(trunk, trunk.pbx, "+12125550777", OUTSIDE, &SAYS[2..]);
            if heard == [486] {
                let b = trunk.incoming(trunk.east);
                trunk.respond(b, 486);
                trunk.run(0.5);
            }
            assert_eq!(trunk.heard(a), heard);
        });
    }
}

/// A carrier knows a trunk by the user that it registers as: that one is in From whoever calls, also for help and hidden, and
/// who it is stands beside it.
#[test]
fn a_trunk_is_known_by_its_user() {
    let keys =
        "from_user = \"trunk77\"\nfrom_domain = \"carrier.example\"\ngive_identity = true\nuser_phone = true";
    everywhere_with(&[("east_peer", keys)], |trunk| {
        for (number, privacy, name) in
            [(OUTSIDE, None, ""), (OUTSIDE, Some(("Privacy", "id")), "\"Anonymous\" "), ("911", None, "")]
        {
            let headers: Vec<(&str, &str)> = privacy.into_iter().collect();
            let a = trunk.dial_with(trunk.pbx, number, &headers);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let invite = trunk.call(b).invite.clone();
            let from = Trunk::header(&invite, "From");
            assert!(from.contains(&format!("{name}<sip:trunk77@carrier.example>")), "{from}");
            let asserted = Trunk::header(&invite, "P-Asserted-Identity");
            assert_eq!(asserted, "<sip:+12065550100@carrier.example;user=phone>");
            assert_eq!(Trunk::header(&invite, "Privacy"), if privacy.is_some() { "id" } else { "" });
            trunk.respond(b, 200);
            trunk.run(0.5);
            trunk.hang_up(a);
            trunk.run(1.0);
            assert_eq!(trunk.stage(b), Stage::Over);
        }
    });
}
