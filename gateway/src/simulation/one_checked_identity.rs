//! Whatever a customer's systems say of who calls, one number crosses, and it is one that the policy gives.

use sip::{Message, Method, Name};

use super::phone::Stage;
use super::trunk::{BRANCH, Change, GROUP, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};
use super::world::{CallId, PhoneId};

const TRUSTED: &str = "trusted = true";
const FOREIGN: &str = "+12125550777";

/// A foreign number in each header that names a caller, whom he called before, or who pays.
const LIES: &[(&str, &str)] = &[
    ("P-Asserted-Identity", "<tel:+12125550777>, <sip:+12125550777@pbx.example.com;user=phone>"),
    ("P-Preferred-Identity", "<sip:+12125550777@pbx.example.com>"),
    ("Remote-Party-ID", "\"Boss\" <sip:+12125550777@pbx.example.com>;party=calling;screen=yes"),
    ("Diversion", "<sip:+12125550777@pbx.example.com>;reason=unconditional"),
    (
        "History-Info",
        "<sip:+12125550777@pbx.example.com>;index=1, <sip:+12125550123@vc.example.com>;index=1.1",
    ),
    ("Referred-By", "<sip:+12125550777@pbx.example.com>"),
    ("Reply-To", "<sip:+12125550777@pbx.example.com>"),
    ("P-Charge-Info", "<sip:+12125550777@pbx.example.com>"),
    ("P-Served-User", "<sip:+12125550777@pbx.example.com>"),
];

fn names_nobody_else(message: &Message) {
    let text = String::from_utf8_lossy(message.bytes()).into_owned();
    assert!(!text.contains("2125550777"), "{text}");
}

/// A call with another From than the phone's own.
fn place(trunk: &mut Trunk, phone: PhoneId, from: &str, headers: &[(&str, &str)]) -> CallId {
    let call = trunk.world.with(phone, |phone, now| {
        let mut invite = phone.invite("vc.example.com", from, OUTSIDE, true);
        for (name, value) in headers {
            invite = invite.raw(name, value);
        }
        phone.place(now, invite.build())
    });
    trunk.run(0.5);
    CallId(phone, call)
}

/// The callee refuses.
fn refuse(trunk: &mut Trunk, call: CallId) {
    trunk.respond(call, 486);
    trunk.run(0.5);
}

/// Who is trusted makes no difference to what a customer may say: in the INVITE, in what follows, in an answer.
#[test]
fn a_foreign_number_crosses_from_no_customer() {
    for (pbx, east) in [("", ""), (TRUSTED, ""), ("", TRUSTED), (TRUSTED, TRUSTED)] {
        let changes: [Change; 2] = [("pbx_peer", pbx), ("east_peer", east)];
        everywhere_with(&changes, |trunk| {
            trunk.phone(trunk.pbx).says = LIES;
            let a = trunk.dial_with(trunk.pbx, OUTSIDE, LIES);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            names_nobody_else(&trunk.call(b).invite);
            let asserted: Vec<_> =
                trunk.call(b).invite.lines(Name::PAssertedIdentity).map(|line| line.into_owned()).collect();
            let ours = format!("<sip:{PBX}@vc.example.com>");
            assert_eq!(asserted, if east.is_empty() { vec![] } else { vec![ours] });
            trunk.respond(b, 200);
            trunk.run(0.5);
            for method in [Method::Invite, Method::Update, Method::Info] {
                trunk.request(a, method, Some("sendonly"));
                trunk.run(0.5);
            }
            trunk.request(b, Method::Invite, Some("sendonly"));
            trunk.run(0.5);
            trunk.hang_up(a);
            trunk.run(0.5);
            assert_eq!(trunk.stage(b), Stage::Over);
            trunk.call(b).heard.iter().for_each(names_nobody_else);
            // And where it is called.
            let (a, b) = trunk.reach(trunk.east, PBX, trunk.pbx);
            for status in [180, 200] {
                trunk.respond_with(b, status, LIES);
                trunk.run(0.5);
            }
            trunk.hang_up(b);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [180, 200]);
            trunk.call(a).heard.iter().for_each(names_nobody_else);
        });
    }
}

/// Between two customers it is the same.
#[test]
fn a_foreign_number_crosses_to_no_customer() {
    everywhere_with(&[("pbx_peer", TRUSTED)], |trunk| {
        trunk.dial_with(trunk.branch, PBX, LIES);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.pbx);
        names_nobody_else(&trunk.call(b).invite);
        let ours = format!("<sip:{BRANCH}@vc.example.com>");
        assert_eq!(Trunk::header(&trunk.call(b).invite, "P-Asserted-Identity"), ours);
        refuse(trunk, b);
    });
}

/// Who sent a call on crosses as far as the policy lets the number be shown, each value by itself.
#[test]
fn diversions_cross_by_the_policy() {
    const DIVERSION: &str = "\"Desk\" <sip:+12065550100@pbx.example.com>;reason=no-answer;counter=1";
    const SAID: &[(&str, &str)] = &[
        (
            "Diversion",
            "\"Desk\" <sip:+12065550100@pbx.example.com>;reason=no-answer;counter=1, <sip:+12125550777@x.example>",
        ),
        ("diversion", "<tel:+12125550777>;reason=unknown"),
        (
            "History-Info",
            "<sip:+12125550777@x.example>;index=1, <sip:+12065550100@pbx.example.com>;index=1.1",
        ),
        ("History-Info", "<sip:+12125550123@vc.example.com;cause=408>;index=1.1.1"),
    ];
    for (policy, diversions, histories) in [
        ("caller_id_policy = \"owned\"", 1, 2),
        ("caller_id_policy = \"forwarded\"", 1, 2),
        ("caller_id_policy = \"any\"", 3, 3),
    ] {
        over_udp(&[("pbx_termination", policy)], |trunk| {
            trunk.dial_with(trunk.pbx, OUTSIDE, SAID);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let invite = &trunk.call(b).invite;
            let values = |name| -> Vec<String> { invite.values(name).map(|one| one.into_owned()).collect() };
            assert_eq!(values(Name::Diversion).len(), diversions, "{policy} {:?}", values(Name::Diversion));
            assert_eq!(values(Name::Diversion)[0], DIVERSION);
            assert_eq!(values(Name::HistoryInfo).len(), histories, "{policy}");
            refuse(trunk, b);
        });
    }
    // What the operator keeps from a party stays where it was, ours too.
    let strips = "trusted = true\nstrip_headers = [\"Diversion\", \"P-Asserted-Identity\"]";
    over_udp(&[("east_peer", strips)], |trunk| {
        trunk.dial_with(trunk.pbx, OUTSIDE, SAID);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert_eq!(trunk.call(b).invite.lines(Name::Diversion).count(), 0);
        assert_eq!(trunk.call(b).invite.lines(Name::PAssertedIdentity).count(), 0);
        assert_eq!(trunk.call(b).invite.values(Name::HistoryInfo).count(), 2);
        refuse(trunk, b);
    });
}

/// A carrier that we trust says who calls by its network's word; the number that it shows stays shown.
#[test]
fn a_trusted_carriers_word_is_said_anew() {
    over_udp(&[("pbx_peer", TRUSTED), ("east_peer", TRUSTED)], |trunk| {
        let said = [
            ("P-Asserted-Identity", "\"X\" <sip:+12125550777@east.example.com>, <tel:+12125550777>"),
            ("Remote-Party-ID", "<sip:+12125550778@east.example.com>;party=calling"),
            ("Diversion", "<sip:+12125550779@east.example.com>;reason=unconditional"),
        ];
        trunk.dial_with(trunk.east, PBX, &said);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.pbx);
        let invite = &trunk.call(b).invite;
        assert!(Trunk::header(invite, "From").contains("+12125550999"));
        let asserted: Vec<_> = invite.lines(Name::PAssertedIdentity).collect();
        assert_eq!(asserted, [format!("<sip:{FOREIGN}@vc.example.com>")]);
        assert!(!invite.has(Name::RemotePartyId));
        assert_eq!(Trunk::header(invite, "Diversion"), said[2].1, "who sent it on is no caller");
        refuse(trunk, b);
    });
}

/// What identity_header names comes first, then the other headers that assert somebody, From last; refused only
/// where none of them is a number that the policy gives.
#[test]
fn the_caller_is_looked_for_wherever_he_is_named() {
    const PAI: &str = "P-Asserted-Identity";
    const PPI: &str = "P-Preferred-Identity";
    const RPID: &str = "Remote-Party-ID";
    const OWN: &str = "<sip:+12065550100@pbx.example.com>";
    const SHARED: &str = "<tel:+12065550199>";
    const ELSE: &str = "<sip:+12125550777@pbx.example.com>";
    type Said = &'static [(&'static str, &'static str)];
    let cases: &[(&str, &str, Said, Result<&str, &str>)] = &[
        // An extension, a trunk's login.
        ("", "200", &[(PAI, OWN)], Ok(PBX)),
        ("", "trunk7", &[(PPI, OWN)], Ok(PBX)),
        ("", "200", &[(RPID, "<sip:+12065550100@pbx.example.com>;party=calling")], Ok(PBX)),
        ("", "200", &[(PAI, ELSE), (PAI, SHARED)], Ok(GROUP)),
        ("", "200", &[(PAI, "<sip:200@pbx.example.com>"), (PPI, ELSE), (RPID, SHARED)], Ok(GROUP)),
        ("", FOREIGN, &[(PAI, OWN)], Ok(PBX)),
        ("", PBX, &[(PAI, ELSE)], Ok(PBX)),
        ("", PBX, &[(PAI, SHARED)], Ok(GROUP)),
        ("identity_header = \"remote-party-id\"", PBX, &[(PAI, OWN), (RPID, SHARED)], Ok(GROUP)),
        ("identity_header = \"remote-party-id\"", "200", &[(PAI, OWN), (RPID, ELSE)], Ok(PBX)),
        ("identity_header = \"from\"", GROUP, &[(PAI, OWN)], Ok(GROUP)),
        ("identity_header = \"from\"", "200", &[(PAI, OWN)], Ok(PBX)),
        // Somebody else than the caller.
        ("", "200", &[(RPID, "<sip:+12065550100@pbx.example.com>;party=called")], Err("200")),
        ("", "200", &[(PAI, ELSE)], Err("200")),
        ("", FOREIGN, &[], Err(FOREIGN)),
        ("", "anonymous", &[(PAI, ELSE)], Err(FOREIGN)),
        // A foreign caller is shown where a number of ours has sent him on.
        ("caller_id_policy = \"forwarded\"", FOREIGN, &[("Diversion", OWN)], Ok(FOREIGN)),
        ("caller_id_policy = \"forwarded\"", FOREIGN, &[(PAI, OWN)], Ok(FOREIGN)),
        ("caller_id_policy = \"forwarded\"", PBX, &[(PAI, ELSE)], Ok(PBX)),
        ("caller_id_policy = \"forwarded\"", PBX, &[(PAI, ELSE), ("Diversion", OWN)], Ok(FOREIGN)),
        (
            "caller_id_policy = \"forwarded\"",
            FOREIGN,
            &[(
                "History-Info",
                "<sip:+12065550100@pbx.example.com?Reason=SIP%3Bcause%3D302>;index=1, <sip:+12125550123@vc.example.com>;index=1.1",
            )],
            Ok(FOREIGN),
        ),
        ("caller_id_policy = \"forwarded\"", FOREIGN, &[("Diversion", ELSE)], Err(FOREIGN)),
        ("caller_id_policy = \"forwarded\"", FOREIGN, &[("Remote-Party-ID", OWN)], Ok(PBX)),
        ("caller_id_policy = \"any\"", PBX, &[(PAI, ELSE)], Ok(FOREIGN)),
        ("caller_id_policy = \"any\"", FOREIGN, &[], Ok(FOREIGN)),
        ("caller_id_policy = \"any\"", "200", &[], Err("200")),
    ];
    for (keys, from, said, expected) in cases {
        over_udp(&[("pbx_termination", *keys)], |trunk| {
            let a = place(trunk, trunk.pbx, from, said);
            match expected {
                Ok(number) => {
                    let b = trunk.incoming(trunk.east);
                    let shown = Trunk::header(&trunk.call(b).invite, "From");
                    assert!(shown.contains(&format!("<sip:{number}@")), "{keys} {from} {said:?}: {shown}");
                    refuse(trunk, b);
                }
                Err(text) => {
                    assert_eq!(trunk.heard(a), [403], "{keys} {from} {said:?}");
                    let phrase = trunk.call(a).response(403).unwrap().reason_phrase().unwrap().to_vec();
                    assert_eq!(
                        String::from_utf8(phrase).unwrap(),
                        format!("Caller Id {text} is not valid"),
                        "{keys} {from} {said:?}"
                    );
                }
            }
        });
    }
}

/// An anonymous caller stays hidden, and is known all the same: to us, and to a carrier that we trust.
#[test]
fn an_anonymous_caller_may_be_named_by_any_header() {
    for header in ["P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID"] {
        over_udp(&[("east_peer", TRUSTED)], |trunk| {
            place(trunk, trunk.pbx, "anonymous", &[(header, "<sip:+12065550100@pbx.example.com>")]);
            let b = trunk.incoming(trunk.east);
            let invite = &trunk.call(b).invite;
            assert!(Trunk::header(invite, "From").contains("<sip:anonymous@anonymous.invalid>"), "{header}");
            assert_eq!(Trunk::header(invite, "P-Asserted-Identity"), format!("<sip:{PBX}@vc.example.com>"));
            assert_eq!(Trunk::header(invite, "Privacy"), "id");
            refuse(trunk, b);
        });
    }
}

/// Nobody vouches for a forwarded caller's number: what is asserted is the number of ours that sent the call on.
#[test]
fn a_forwarded_call_is_asserted_by_the_number_that_sent_it_on() {
    let forwarded = ("pbx_termination", "caller_id_policy = \"forwarded\"");
    over_udp(&[forwarded, ("east_peer", TRUSTED)], |trunk| {
        place(trunk, trunk.pbx, FOREIGN, &[("Diversion", "<sip:+12065550199@pbx.example.com>")]);
        let b = trunk.incoming(trunk.east);
        let invite = &trunk.call(b).invite;
        assert!(Trunk::header(invite, "From").contains(FOREIGN));
        assert_eq!(Trunk::header(invite, "P-Asserted-Identity"), format!("<sip:{GROUP}@vc.example.com>"));
        refuse(trunk, b);
    });
}
