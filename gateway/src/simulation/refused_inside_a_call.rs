//! The far side refuses a request inside a call: the asker hears something that it can understand.

use sip::{Method, Name};

use super::phone::{CHALLENGE, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, over_udp};

type Said = &'static [(&'static str, &'static str)];

/// A re-INVITE and an UPDATE that the callee answers with `status`, saying `says`; the last answer to the caller.
fn refused(trunk: &mut Trunk, status: u16, says: Said) -> Vec<sip::Message> {
    let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    trunk.phone(trunk.east).habits.renegotiates = Some(status);
    trunk.phone(trunk.east).says = says;
    let mut answers = Vec::new();
    for method in [Method::Invite, Method::Update] {
        trunk.request(a, method.clone(), Some("sendonly"));
        trunk.run(0.5);
        let heard = &trunk.call(a).heard;
        let answer = heard.iter().rfind(|one| one.is_response() && one.cseq().unwrap().method == method);
        answers.push(answer.unwrap().clone());
    }
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
    trunk.phone(trunk.east).says = &[];
    trunk.hang_up(a);
    trunk.run(1.0);
    answers
}

/// A challenge is for us, and so is another address: the asker hears that the other side does not take it, and why.
#[test]
fn challenges_and_redirections_end_here() {
    const ASKS: Said = &[("Proxy-Authenticate", CHALLENGE), ("WWW-Authenticate", CHALLENGE)];
    const AWAY: Said = &[("Contact", "<sip:elsewhere@203.0.113.1>")];
    let cases: [(u16, Said, &str); 4] = [
        (401, ASKS, "The other side asks for credentials"),
        (407, ASKS, "The other side asks for credentials"),
        (302, AWAY, "Redirected (302), not followed"),
        (305, AWAY, "Redirected (305), not followed"),
    ];
    for (status, says, words) in cases {
        everywhere(|trunk| {
            for answer in refused(trunk, status, says) {
                assert_eq!(answer.status().unwrap().code(), 403, "{answer:?}");
                assert_eq!(answer.reason_phrase().unwrap(), words.as_bytes());
                assert!(Trunk::header(&answer, "Reason").contains(words));
                for name in [Name::ProxyAuthenticate, Name::WwwAuthenticate, Name::Contact] {
                    assert!(!answer.has(name), "{answer:?}");
                }
            }
        });
    }
}

/// What a refusal is about comes with it: which extension, which interval.
#[test]
fn refusals_keep_what_they_are_about() {
    for (status, name, value) in [
        (420, "Unsupported", "x-foo, x-bar"),
        (421, "Require", "x-foo"),
        (415, "Accept", "application/sdp"),
        (423, "Min-Expires", "60"),
    ] {
        let says: Said = match status {
            420 => &[("Unsupported", "x-foo, x-bar"), ("Min-SE", "1")],
            421 => &[("Require", "x-foo"), ("Min-SE", "1")],
            415 => &[("Accept", "application/sdp")],
            _ => &[("Min-Expires", "60")],
        };
        over_udp(&[], |trunk| {
            for answer in refused(trunk, status, says) {
                assert_eq!(answer.status().unwrap().code(), status);
                assert_eq!(Trunk::header(&answer, name), value);
                let about = ["Unsupported", "Require", "Min-SE"];
                assert_eq!(about.iter().filter(|one| answer.has((**one).into()) && **one != name).count(), 0);
            }
            // And of the call itself.
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond_with(b, status, says);
            trunk.run(0.5);
            assert_eq!(Trunk::header(trunk.call(a).response(status).unwrap(), name), value, "{status}");
        });
    }
}
