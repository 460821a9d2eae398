//! Programs that keep one branch for all that they send: a request is a repeat only if CSeq and From tag agree too.
//! And how they answer a challenge.

use sip::auth::{Challenge, Secret, answer};
use sip::{Builder, Message, Method, Name};

use super::phone::Stage;
use super::trunk::{Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::CallId;

const LOGIN: Change = ("pbx_termination", "credentials = [{ username = \"desk\", password = \"secret\" }]");
const BY_401: Change = ("pbx_termination", "challenge = 401");

/// An INVITE of the customer's that the test sends itself.
fn invite(trunk: &mut Trunk) -> Message {
    trunk.world.with(trunk.pbx, |phone, _| phone.invite("vc.example.com", PBX, OUTSIDE, true).build())
}

/// Sends it as no transaction of the phone's; what came back.
fn ask(trunk: &mut Trunk, request: &Message) -> Vec<Message> {
    let before = trunk.phone(trunk.pbx).strays.len();
    trunk.world.send(trunk.pbx, request.clone());
    trunk.run(0.1);
    trunk.phone(trunk.pbx).strays[before..].to_vec()
}

fn statuses(answers: &[Message]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status().unwrap().code()).collect()
}

/// The same INVITE with an answer to the challenge, under `branch`.
fn answered(invite: &Message, refused: &Message, via: &str, cseq: u32) -> Builder {
    let (asks, answers) = match refused.status().unwrap().code() {
        401 => (Name::WwwAuthenticate, Name::Authorization),
        _ => (Name::ProxyAuthenticate, Name::ProxyAuthorization),
    };
    let lines: Vec<_> = refused.lines(asks).collect();
    let secret = Secret::password("secret");
    let challenge = Challenge::choose(lines.iter().map(|line| &**line), &secret).unwrap();
    let uri = invite.request_uri().unwrap();
    let credentials = answer(&challenge, "desk", &secret, "INVITE", uri, "c0ffee", 1).unwrap();
    invite
        .edit()
        .set(Name::Via, via)
        .set(Name::CSeq, format!("{cseq} INVITE"))
        .header(answers, credentials.to_string())
}

fn own_via(message: &Message) -> String {
    message.value(Name::Via).unwrap().into_owned()
}

/// The INVITE with credentials reaches the carrier, who answers; both talk for a minute and a half, during which nothing
/// that was never acknowledged may come.
fn talks(trunk: &mut Trunk, invite: Message) {
    let before = trunk.phone(trunk.pbx).strays.len();
    let a = trunk.world.with(trunk.pbx, |phone, now| phone.place(now, invite));
    let a = CallId(trunk.pbx, a);
    trunk.run(0.5);
    let b = trunk.incoming(trunk.east);
    trunk.respond(b, 200);
    trunk.run(90.0);
    assert_eq!((trunk.heard(a), trunk.stage(b)), (vec![200], Stage::Up));
    assert_eq!(statuses(&trunk.phone(trunk.pbx).strays[before..]), [0_u16; 0]);
    trunk.hang_up(a);
    trunk.run(1.0);
    assert_eq!(trunk.stage(b), Stage::Over);
}

#[test]
fn a_challenge_is_answered_under_the_same_branch_and_never_acknowledged() {
    everywhere_with(&[LOGIN], |trunk| {
        let first = invite(trunk);
        let refused = ask(trunk, &first);
        assert_eq!(statuses(&refused), [407]);
        let second = answered(&first, &refused[0], &own_via(&first), 2).build();
        talks(trunk, second);
    });
}

#[test]
fn a_challenge_is_answered_under_the_same_cseq() {
    everywhere_with(&[LOGIN], |trunk| {
        let first = invite(trunk);
        let refused = ask(trunk, &first);
        let branch = trunk.phone(trunk.pbx).branch();
        let via = trunk.phone(trunk.pbx).via(&branch);
        let second = answered(&first, &refused[0], &via, 1).build();
        talks(trunk, second);
    });
}

#[test]
fn a_challenge_leaves_nothing_and_its_ack_and_its_repeats_cost_nothing() {
    everywhere_with(&[LOGIN], |trunk| {
        let first = invite(trunk);
        let refused = [ask(trunk, &first), ask(trunk, &first)].concat();
        assert_eq!(statuses(&refused), [407, 407]);
        assert_eq!(refused[0].to_tag(), refused[1].to_tag(), "RFC 3261 §8.2.7: the same for every copy");
        for core in &trunk.world.cores {
            assert_eq!(core.held(), [0; 8]);
        }
        let ack = Builder::request(Method::Ack, first.request_uri().unwrap())
            .header(Name::Via, own_via(&first))
            .header(Name::MaxForwards, "70")
            .header(Name::From, first.value(Name::From).unwrap().as_bytes())
            .header(Name::To, refused[0].value(Name::To).unwrap().as_bytes())
            .header(Name::CallId, first.call_id().unwrap())
            .header(Name::CSeq, "1 ACK")
            .build();
        let second = answered(&first, &refused[0], &own_via(&first), 2).build();
        assert!(ask(trunk, &ack).is_empty());
        // The ACK may overtake or be overtaken: it is of the first INVITE alone.
        let a = trunk.world.with(trunk.pbx, |phone, now| phone.place(now, second));
        trunk.run(0.3);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 486);
        trunk.run(0.01);
        assert!(ask(trunk, &ack).is_empty());
        trunk.run(1.0);
        assert_eq!(trunk.heard(CallId(trunk.pbx, a)), [486]);
    });
}

/// It was started again, and counts from one.
#[test]
fn a_program_that_forgot_its_last_run_is_heard_at_once() {
    over_udp(&[LOGIN], |trunk| {
        let first = invite(trunk);
        assert_eq!(statuses(&ask(trunk, &first)), [407]);
        let from = format!("<sip:{PBX}@10.0.0.1>;tag=another");
        let second = first.edit().set(Name::From, from).build();
        let refused = ask(trunk, &second);
        assert_eq!(statuses(&refused), [407]);
        talks(trunk, answered(&second, &refused[0], &own_via(&second), 2).build());
    });
    // Nor is a refusal of the run before its own.
    over_udp(&[("pbx_termination", "denied_prefixes = [\"+1212\"]")], |trunk| {
        let first = invite(trunk);
        assert_eq!(statuses(&ask(trunk, &first)), [403]);
        let second = first.edit().set(Name::From, "<sip:+12065550100@10.0.0.1>;tag=another").build();
        let answers = ask(trunk, &second);
        assert!(answers.iter().any(|one| one.from_tag().as_deref() == Some("another")));
        trunk.run(40.0);
    });
}

#[test]
fn a_connector_may_challenge_as_a_registrar_would() {
    everywhere_with(&[LOGIN, BY_401], |trunk| {
        let first = invite(trunk);
        let refused = ask(trunk, &first);
        assert_eq!(statuses(&refused), [401]);
        assert!(!refused[0].has(Name::ProxyAuthenticate));
        let via = own_via(&first);
        talks(trunk, answered(&first, &refused[0], &via, 2).build());
        let call = trunk.incoming(trunk.east);
        assert!(!trunk.call(call).invite.has(Name::Authorization), "the carrier gets no credentials");
    });
}

/// A re-INVITE under the branch of the first INVITE.
#[test]
fn a_hold_under_the_branch_of_the_first_invite_is_no_repeat() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let via = own_via(&trunk.call(a).invite);
        let ladder = trunk.world.ladder.len();
        let offer = trunk.call(a).invite.body().clone();
        let (reinvite, ack) = trunk.world.with(a.0, |phone, _| {
            let contact = phone.contact();
            let dialog = phone.calls[a.1].dialog.as_mut().unwrap();
            let reinvite = dialog.request(Method::Invite).prepend(Name::Via, via.as_str());
            let reinvite = reinvite.header(Name::MaxForwards, "70").header(Name::Contact, contact);
            let ack = dialog.ack(dialog.local_cseq).prepend(Name::Via, format!("{via}a"));
            (reinvite.body("application/sdp", offer).build(), ack.header(Name::MaxForwards, "70").build())
        });
        let cseq = reinvite.cseq().unwrap().number;
        let heard = |trunk: &Trunk, from: usize| -> Vec<u16> {
            let lines =
                trunk.world.ladder[from..].iter().filter(|line| line.from == "gw" && line.to == "pbx");
            let mine = lines.filter(|line| line.message.cseq().is_ok_and(|one| one.number == cseq));
            mine.filter_map(|line| Some(line.message.status()?.code())).collect()
        };
        let call_id = trunk.call(a).call_id();
        trunk.phone(a.0).gone.insert(call_id); // What comes back is for the test.
        trunk.world.send(a.0, reinvite.clone());
        trunk.run(0.3);
        assert_eq!(heard(trunk, ladder), [100, 200]);
        trunk.world.send(a.0, ack);
        trunk.run(0.3);
        // And that one may be repeated.
        let ladder = trunk.world.ladder.len();
        trunk.world.send(a.0, reinvite);
        trunk.run(0.3);
        assert_eq!(heard(trunk, ladder), [0_u16; 0]);
        trunk.phone(a.0).gone.clear();
        assert_eq!(trunk.stage(b), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
