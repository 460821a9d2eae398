//! The operator keeps headers from a party, and puts others on what it is sent; identity goes by trust.

use sip::{Message, Method, Name};

use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::CallId;
use crate::media::{Command, Side};

const SAYS: &[(&str, &str)] =
    &[("X-Internal", "secret"), ("s", "written compactly"), ("X-SITE", "forged"), ("X-Free", "1")];

/// Subject is written out here, and compact on the wire.
const STRIPPED: &str = "strip_headers = [\"x-internal\", \"Subject\", \"Reason\"]";
const PASSES: Change = ("east_peer", "pass_headers = [\"X-*\"]");
const ADDED: &str = "pass_headers = [\"X-*\"]\nadd_headers = { \"X-Site\" = \"hq\", \"X-Second\" = \"2\" }";

fn count(message: &Message, name: &str) -> usize {
    message.lines(name.into()).count()
}

/// How often each header of [`SAYS`] stands in a message.
fn counts(message: &Message) -> [usize; 4] {
    [0, 1, 2, 3].map(|index| count(message, SAYS[index].0))
}

/// Whether a message of a party that says [`SAYS`] came without what is stripped.
fn is_stripped(message: &Message) {
    assert_eq!(["X-Internal", "Subject"].map(|name| count(message, name)), [0, 0], "{message:?}");
}

/// Goes through a call with every kind of request from the caller to the callee. Returns both sides.
fn whole_call(trunk: &mut Trunk) -> (CallId, CallId) {
    trunk.phone(trunk.pbx).says = SAYS;
    trunk.phone(trunk.east).says = SAYS;
    let a = trunk.dial_with(trunk.pbx, OUTSIDE, SAYS);
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    trunk.respond_with(b, 180, SAYS);
    trunk.respond_with(b, 183, SAYS);
    trunk.run(0.5);
    trunk.respond_with(b, 200, SAYS);
    trunk.run(0.5);
    for (method, body) in [
        (Method::Invite, "sendonly"),
        (Method::Update, "sendrecv"),
        (Method::Info, "Signal=1"),
        (Method::Message, "Hi"),
    ] {
        trunk.request(a, method, Some(body));
        trunk.run(0.5);
    }
    trunk.hang_up(a);
    trunk.run(0.5);
    (a, b)
}

/// Whichever side the operator names: to it and from it, requests and answers, nothing of it passes.
#[test]
fn stripped_headers_pass_in_no_direction() {
    for place in ["pbx_peer", "east_peer"] {
        everywhere_with(&[(place, STRIPPED), PASSES], |trunk| {
            let (a, b) = whole_call(trunk);
            assert_eq!(
                trunk.call(b).requests(),
                ["INVITE", "ACK", "INVITE", "ACK", "UPDATE", "INFO", "MESSAGE", "BYE"]
            );
            for heard in &trunk.call(b).heard {
                is_stripped(heard);
            }
            let answers =
                trunk.call(a).heard.iter().filter(|one| one.status().is_some_and(|s| s.code() != 100));
            let statuses: Vec<u16> = answers.clone().map(|one| one.status().unwrap().code()).collect();
            assert_eq!(statuses, [180, 183, 200, 200, 200, 200, 200, 200]);
            answers.for_each(is_stripped);
            for request in [Method::Invite, Method::Info] {
                assert_eq!(count(trunk.call(b).request(&request).unwrap(), "X-Free"), 1, "{request}");
            }
        });
    }
}

/// Without a word of the operator's they do.
#[test]
fn what_nobody_strips_passes() {
    everywhere_with(&[PASSES], |trunk| {
        let (a, b) = whole_call(trunk);
        for method in [Method::Invite, Method::Update, Method::Info, Method::Message] {
            let request = trunk.call(b).request(&method).unwrap();
            assert_eq!(counts(request), [1; 4], "{method}");
        }
        let answers = trunk.call(a).heard.iter().filter(|one| {
            one.cseq().unwrap().method != Method::Bye
                && one.status().is_some_and(|status| status.code() != 100)
        });
        assert_eq!(answers.map(counts).collect::<Vec<_>>(), [[1; 4]; 7]);
    });
}

/// On every request, once, and never on an answer.
#[test]
fn added_headers_stand_alone_on_every_request() {
    everywhere_with(&[("east_peer", ADDED)], |trunk| {
        let (a, b) = whole_call(trunk);
        for heard in trunk.call(b).heard.iter().filter(|heard| heard.is_request()) {
            let method = heard.method().unwrap();
            assert_eq!(heard.lines("X-Site".into()).collect::<Vec<_>>(), ["hq"], "{method}");
            assert_eq!(heard.lines("X-Second".into()).collect::<Vec<_>>(), ["2"], "{method}");
        }
        for heard in trunk.call(a).heard.iter().filter(|heard| heard.has("X-Site".into())) {
            assert_eq!(Trunk::header(heard, "X-Site"), "forged", "the other side's word passes to the PBX");
        }
    });
}

/// What we would say ourselves gives way too: an operator may know what his carrier wants to read.
#[test]
fn an_added_header_replaces_our_own() {
    let added = "trusted = true\nadd_headers = { \"P-Asserted-Identity\" = \"<sip:trunk@example.com>\" }";
    everywhere_with(&[("east_peer", added)], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let asserted: Vec<_> = trunk.call(b).invite.lines(Name::PAssertedIdentity).collect();
        assert_eq!(asserted, ["<sip:trunk@example.com>"]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

const CAUSE: &str = "Q.850;cause=16;text=\"bye\"";

#[test]
fn a_stripped_reason_does_not_pass_with_bye_and_cancel() {
    for (stripped, passes) in [(STRIPPED, false), ("", true)] {
        for place in ["pbx_peer", "east_peer"] {
            everywhere_with(&[(place, stripped)], |trunk| {
                trunk.phone(trunk.pbx).says = &[("Reason", CAUSE)];
                let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
                trunk.hang_up(a);
                trunk.run(1.0);
                let bye = trunk.call(b).request(&Method::Bye).unwrap();
                assert_eq!(Trunk::header(bye, "Reason") == CAUSE, passes);
                let a = trunk.dial(trunk.pbx, OUTSIDE);
                trunk.run(1.0);
                let b = trunk.incoming(trunk.east);
                let extra = [(Name::Reason, CAUSE.to_owned())];
                trunk.world.with(a.0, |phone, now| phone.cancel_saying(now, a.1, &extra));
                trunk.run(1.0);
                let cancel = trunk.call(b).request(&Method::Cancel).unwrap();
                assert_eq!(Trunk::header(cancel, "Reason") == CAUSE, passes);
            });
        }
    }
}

const TRUSTED: &str = "trusted = true";
const PBX_SAYS: &str = "\"Desk\" <sip:+12065550100@pbx.example.com>";
const EAST_SAYS: &str = "<sip:+12125550123@east.example.com>";

/// RFC 3325: who calls is asserted to a party that we trust, by us; what a carrier asserts inside a call passes between
/// parties that we trust, and what a customer asserts there nowhere.
#[test]
fn identities_are_asserted_to_the_trusted() {
    for (pbx, east) in [("", ""), (TRUSTED, ""), ("", TRUSTED), (TRUSTED, TRUSTED)] {
        let changes: [Change; 2] = [("pbx_peer", pbx), ("east_peer", east)];
        everywhere_with(&changes, |trunk| {
            let both = !pbx.is_empty() && !east.is_empty();
            let calls = [
                (trunk.pbx, OUTSIDE, trunk.east, PBX_SAYS, EAST_SAYS, east),
                (trunk.east, PBX, trunk.pbx, EAST_SAYS, PBX_SAYS, pbx),
            ];
            for (from, number, to, says, answers, trusted) in calls {
                trunk.phone(from).says = match says {
                    PBX_SAYS => &[("P-Asserted-Identity", PBX_SAYS)],
                    _ => &[("P-Asserted-Identity", EAST_SAYS)],
                };
                let headers = [("P-Asserted-Identity", says), ("P-Preferred-Identity", says)];
                let a = trunk.dial_with(from, number, &headers);
                trunk.run(0.5);
                let b = trunk.incoming(to);
                for status in [180, 200] {
                    trunk.respond_with(b, status, &[("P-Asserted-Identity", answers)]);
                    trunk.run(0.5);
                    let heard = Trunk::header(trunk.call(a).response(status).unwrap(), "P-Asserted-Identity");
                    let passes = both && answers == EAST_SAYS;
                    assert_eq!(heard, if passes { answers } else { "" }, "{status} {pbx} {east}");
                }
                let told: Vec<_> = trunk.call(b).invite.lines(Name::PAssertedIdentity).collect();
                // A trusted carrier's word goes before the number that it shows.
                let number = if both && says == EAST_SAYS { OUTSIDE } else { trunk.own_number(from) };
                let ours = format!("<sip:{number}@vc.example.com>");
                assert_eq!(told, if trusted.is_empty() { vec![] } else { vec![ours] }, "{pbx} {east}");
                trunk.request(a, Method::Invite, Some("sendonly"));
                trunk.run(0.5);
                let again = trunk.call(b).request(&Method::Invite).unwrap();
                let passes = both && says == EAST_SAYS;
                assert_eq!(Trunk::header(again, "P-Asserted-Identity"), if passes { says } else { "" });
                trunk.hang_up(a);
                trunk.run(1.0);
            }
        });
    }
}

/// A caller that does not want to be shown: the carrier learns the number where we trust it, and that it goes no
/// further. RFC 3323, RFC 3325 §7.
#[test]
fn a_hidden_caller_is_asserted_with_privacy() {
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a1";
    for (asks, told) in [
        (None, "id"),
        (Some("id"), "id"),
        (Some("user;critical"), "user;critical;id"),
        (Some("none"), "none"),
    ] {
        for pbx in ["", TRUSTED] {
            everywhere_with(&[("pbx_peer", pbx), ("east_peer", TRUSTED)], |trunk| {
                let call = trunk.world.with(trunk.pbx, |phone, now| {
                    let mut invite = phone.invite("vc.example.com", PBX, OUTSIDE, true);
                    invite = invite.set(Name::From, anonymous).header(Name::PAssertedIdentity, PBX_SAYS);
                    if let Some(asks) = asks {
                        invite = invite.header(Name::Privacy, asks);
                    }
                    phone.place(now, invite.build())
                });
                trunk.run(0.5);
                let b = trunk.incoming(trunk.east);
                let invite = &trunk.call(b).invite;
                assert!(Trunk::header(invite, "From").starts_with(&anonymous[..anonymous.len() - 7]));
                assert!(Trunk::header(invite, "P-Asserted-Identity").contains(PBX));
                assert_eq!(invite.lines(Name::Privacy).collect::<Vec<_>>(), [told], "{asks:?}");
                assert!(!Trunk::header(invite, "Contact").contains(PBX));
                trunk.respond(b, 486);
                trunk.run(0.5);
                assert_eq!(trunk.heard(CallId(trunk.pbx, call)), [486]);
            });
        }
    }
}

/// Who is not trusted hears neither the number nor the name, whoever calls.
#[test]
fn a_hidden_caller_is_not_asserted_to_a_stranger() {
    for place in ["pbx_peer", "east_peer"] {
        everywhere_with(&[(place, TRUSTED)], |trunk| {
            let (from, number, to, says) = match place {
                "pbx_peer" => (trunk.pbx, OUTSIDE, trunk.east, PBX_SAYS),
                _ => (trunk.east, PBX, trunk.pbx, EAST_SAYS),
            };
            let a = trunk.dial_with(from, number, &[("P-Asserted-Identity", says), ("Privacy", "id")]);
            trunk.run(0.5);
            let b = trunk.incoming(to);
            let invite = &trunk.call(b).invite;
            let text = String::from_utf8_lossy(invite.bytes()).into_owned();
            for secret in [trunk.own_number(from), says, "Desk", "Phone"] {
                assert!(!text.contains(secret), "{secret} in {text}");
            }
            assert_eq!(Trunk::header(invite, "Privacy"), "id", "the next one must know");
            trunk.respond(b, 486);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [486]);
        });
    }
}

/// Whom the operator wants named in another header is named there once, in our words.
#[test]
fn a_remote_party_id_is_our_own() {
    let says = ("Remote-Party-ID", "<sip:+12065550100@pbx.example.com>;party=calling");
    let header: Change = ("pbx_termination", "identity_header = \"remote-party-id\"");
    let expect = "<sip:+12065550100@vc.example.com>;party=calling;screen=yes;privacy=off";
    for pbx in [TRUSTED, ""] {
        everywhere_with(&[header, ("pbx_peer", pbx), ("east_peer", TRUSTED)], |trunk| {
            let a = trunk.dial_with(trunk.pbx, OUTSIDE, &[says]);
            trunk.run(0.5);
            let b = trunk.incoming(trunk.east);
            let told: Vec<_> = trunk.call(b).invite.lines(Name::RemotePartyId).collect();
            assert_eq!(told, [expect]);
            trunk.respond(b, 486);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [486]);
        });
    }
}

/// A request to join somebody else's call, or through somebody else's path, stays on its leg.
#[test]
fn what_names_other_dialogs_stays_on_its_leg() {
    const NAMES: [&str; 6] =
        ["Join", "Target-Dialog", "Path", "Service-Route", "Refer-Sub", "Authentication-Info"];
    everywhere(|trunk| {
        let headers = NAMES.map(|name| (name, "<sip:a@b>;x=1"));
        let a = trunk.dial_with(trunk.pbx, OUTSIDE, &headers);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert_eq!(NAMES.map(|name| count(&trunk.call(b).invite, name)), [0; 6]);
        trunk.respond(b, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
    });
}

/// The side that the operator says has its media followed, and only that one, whoever calls.
#[test]
fn symmetric_media_is_that_of_the_party_it_is_said_of() {
    const SYMMETRIC: &str = "symmetric = true";
    for (place, symmetric) in [("pbx_peer", [true, false]), ("east_peer", [false, true])] {
        everywhere_with(&[(place, SYMMETRIC)], |trunk| {
            for (from, number, to) in [(trunk.pbx, OUTSIDE, trunk.east), (trunk.east, PBX, trunk.pbx)] {
                trunk.world.media_log.clear();
                let (a, _) = trunk.connect(from, number, to);
                trunk.request(a, Method::Invite, Some("sendonly"));
                trunk.run(0.5);
                trunk.hang_up(a);
                trunk.run(0.5);
                let [pbx, east] = symmetric;
                let (a_side, b_side) = if from == trunk.pbx { (pbx, east) } else { (east, pbx) };
                let mut told = [0, 0];
                for (_, command) in &trunk.world.media_log {
                    let Command::Remote { side, remote, .. } = command else { continue };
                    let (expect, index) = match side {
                        Side::A => (a_side, 0),
                        Side::B => (b_side, 1),
                    };
                    told[index] += 1;
                    assert_eq!(remote.symmetric, expect, "{side:?}");
                }
                assert!(told.iter().all(|times| *times > 1), "{told:?}");
            }
        });
    }
}

/// Who pays is believed of no customer, a network's own mark only of one that we trust, and who called whom in our words
/// is ours to say.
#[test]
fn charging_goes_by_trust_and_the_connectors_id_is_our_own() {
    const SAID: &[(&str, &str)] = &[
        ("P-Charge-Info", "<sip:+19005550100@10.0.0.1>"),
        ("p-charging-vector", "icid-value=1"),
        ("X-VoiceConnector-ID", "branch"),
    ];
    let reached = |trunk: &mut Trunk| {
        trunk.dial_with(trunk.pbx, OUTSIDE, SAID);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        let counts = SAID.iter().map(|(name, _)| count(&trunk.call(b).invite, name)).collect::<Vec<_>>();
        trunk.respond(b, 486);
        trunk.run(0.5);
        counts
    };
    everywhere(|trunk| assert_eq!(reached(trunk), [0, 0, 0]));
    const TRUSTED: &[Change] = &[("pbx_peer", "trusted = true"), ("east_peer", "trusted = true")];
    everywhere_with(TRUSTED, |trunk| assert_eq!(reached(trunk), [0, 1, 0]));
}
