//! A party rings once more in mid call: its answer to a re-INVITE comes in a reliable 183, before somebody has agreed to it.

use sip::{Message, Method, Name};

use super::phone::{Abilities, Rel100, Stage};
use super::trunk::{Change, OUTSIDE, Trunk, everywhere, everywhere_with};
use super::world::CallId;

fn knows(invite: &Message) -> bool {
    invite.values(Name::Supported).any(|tag| tag == "100rel")
}

/// A call that is up, whose callee has a re-INVITE of the caller's and rings.
fn ringing(trunk: &mut Trunk, from_caller: bool) -> (CallId, CallId) {
    for phone in [trunk.pbx, trunk.east] {
        trunk.able(phone, Abilities { rel100: Rel100::Supported, update: true, ..Abilities::default() });
    }
    let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    let (asks, asked) = if from_caller { (a, b) } else { (b, a) };
    trunk.phone(asked.0).habits.renegotiates = None;
    trunk.request(asks, Method::Invite, Some("sendonly"));
    trunk.run(0.5);
    let invite = trunk.call(asked).request(&Method::Invite).unwrap();
    assert!(knows(invite));
    trunk.world.with(asked.0, |phone, now| phone.ring_again(now, asked.1, 7));
    trunk.run(0.5);
    (asks, asked)
}

fn pracks(trunk: &Trunk, call: CallId) -> Vec<String> {
    let heard = trunk.call(call).heard.iter().filter(|one| one.method() == Some(Method::Prack));
    heard.map(|one| Trunk::header(one, "RAck")).collect()
}

fn ended(trunk: &mut Trunk, asks: CallId, asked: CallId) {
    assert_eq!((trunk.stage(asks), trunk.stage(asked)), (Stage::Up, Stage::Up));
    trunk.assert_agreed(asks, asked);
    trunk.hang_up(asks);
    trunk.run(1.0);
}

/// The 183 is acknowledged once, however often it comes, and goes on; its answer is told to the asker in the 200.
#[test]
fn what_was_answered_reliably_is_told_in_the_200() {
    everywhere(|trunk| {
        for from_caller in [true, false] {
            let (asks, asked) = ringing(trunk, from_caller);
            let rack = format!(
                "7 {} INVITE",
                trunk.call(asked).request(&Method::Invite).unwrap().cseq().unwrap().number
            );
            assert_eq!(pracks(trunk, asked), std::slice::from_ref(&rack));
            let rung = trunk.call(asks).response(183).expect("a 183 crossed");
            assert!(!rung.has(Name::RSeq) && rung.body().is_empty());
            trunk.world.with(asked.0, |phone, now| phone.ring_again(now, asked.1, 7));
            trunk.run(0.5);
            trunk.world.with(asked.0, |phone, now| phone.ring_again(now, asked.1, 8));
            trunk.run(0.5);
            assert_eq!(pracks(trunk, asked).len(), 2);
            trunk.world.with(asked.0, |phone, now| phone.have_rung_again(now, asked.1, 200));
            trunk.run(1.0);
            assert_eq!(trunk.call(asks).statuses(&Method::Invite).last(), Some(&200));
            trunk.phone(asked.0).habits.renegotiates = Some(200);
            trunk.request(asks, Method::Invite, Some("sendrecv"));
            trunk.run(1.0);
            ended(trunk, asks, asked);
        }
    });
}

/// Who rang refuses after all: what it has answered holds at its end, and is taken back by an offer of ours.
#[test]
fn what_was_answered_and_then_refused_is_taken_back() {
    everywhere(|trunk| {
        for from_caller in [true, false] {
            let (asks, asked) = ringing(trunk, from_caller);
            trunk.phone(asked.0).habits.renegotiates = Some(200);
            let before = trunk.call(asked).requests().len();
            trunk.world.with(asked.0, |phone, now| phone.have_rung_again(now, asked.1, 486));
            trunk.run(6.0);
            assert_eq!(trunk.call(asks).statuses(&Method::Invite).last(), Some(&486));
            assert_eq!(trunk.call(asked).requests()[before..], ["INVITE", "ACK"]);
            // The answer to ours is for nobody else, so that only the offer can be compared.
            let here = trunk.call(asks).media.agreed().expect("agreed");
            let there = trunk.call(asked).media.agreed().expect("agreed");
            assert_eq!(here.ours, there.theirs);
            assert_eq!((trunk.stage(asks), trunk.stage(asked)), (Stage::Up, Stage::Up));
            trunk.hang_up(asks);
            trunk.run(1.0);
        }
    });
}

/// The asker gives up, or hangs up, while the other one rings.
#[test]
fn the_asker_gives_up_meanwhile() {
    everywhere(|trunk| {
        let (asks, asked) = ringing(trunk, true);
        trunk.hang_up(asks);
        trunk.run(0.5);
        assert_eq!(trunk.stage(asked), Stage::Over);
        trunk.run(40.0);
    });
}

const KNOWN: &[Change] = &[("east", "credentials = { username = \"trunk\", password = \"s3cret\" }")];

/// A carrier that challenges the PRACK gets it once more.
#[test]
fn a_challenge_to_the_prack_is_met() {
    everywhere_with(KNOWN, |trunk| {
        let (asks, asked) = ringing(trunk, true);
        trunk.phone(asked.0).habits.challenges = true;
        trunk.world.with(asked.0, |phone, now| phone.ring_again(now, asked.1, 8));
        trunk.run(0.5);
        assert_eq!(pracks(trunk, asked).len(), 3);
        trunk.phone(asked.0).habits.challenges = false;
        trunk.phone(asked.0).habits.renegotiates = Some(200);
        trunk.world.with(asked.0, |phone, now| phone.have_rung_again(now, asked.1, 200));
        trunk.run(1.0);
        trunk.request(asks, Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        ended(trunk, asks, asked);
    });
}

/// Without the key nothing of it is asked for.
#[test]
fn the_prack_key_holds_in_mid_call() {
    everywhere_with(&[("east_peer", "prack = \"off\"")], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        let invite = trunk.call(b).request(&Method::Invite).unwrap();
        assert!(!knows(invite));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
