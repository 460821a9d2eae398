//! RFC 3311 over the gateway: before the 2xx and after it, with and without an offer, and where one side does not know it.

use sip::{Method, Name};

use super::phone::{Abilities, Rel100, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with, over_udp};
use super::world::CallId;

fn able(update: bool) -> Abilities {
    Abilities { rel100: Rel100::Supported, update, ..Abilities::default() }
}

/// Both know 100rel, and UPDATE as said; the callee has described its media while it rings.
fn ringing(trunk: &mut Trunk, caller: Abilities, callee: Abilities) -> (CallId, CallId) {
    trunk.able(trunk.pbx, caller);
    trunk.able(trunk.east, callee);
    let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
    trunk.respond(b, 183);
    trunk.run(0.5);
    (a, b)
}

fn answered(trunk: &mut Trunk, a: CallId, b: CallId) {
    trunk.respond(b, 200);
    trunk.run(1.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
    trunk.assert_agreed(a, b);
    trunk.hang_up(b);
    trunk.run(1.0);
    assert_eq!(trunk.stage(a), Stage::Over);
}

#[test]
fn an_offer_before_the_2xx_crosses_in_both_directions() {
    everywhere(|trunk| {
        let (a, b) = ringing(trunk, able(true), able(true));
        assert!(Trunk::header(trunk.call(a).response(183).unwrap(), "Allow").contains("UPDATE"));
        for (asks, hears) in [(a, b), (b, a)] {
            trunk.phone(hears.0).habits.renegotiates = Some(200);
            trunk.request(asks, Method::Update, Some("sendonly"));
            trunk.run(0.5);
            assert_eq!(trunk.call(asks).statuses(&Method::Update), [200]);
            assert!(!trunk.call(hears).request(&Method::Update).unwrap().body().is_empty());
            trunk.assert_agreed(a, b);
        }
        answered(trunk, a, b);
    });
}

/// The 2xx of the callee overtakes its answer to an UPDATE of the caller's.
#[test]
fn an_update_may_be_answered_after_the_2xx() {
    everywhere(|trunk| {
        let (a, b) = ringing(trunk, able(true), able(true));
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(0.2);
        trunk.respond(b, 200);
        trunk.run(0.2);
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [200]);
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// An early UPDATE that nobody answers, when the call ends.
#[test]
fn an_open_update_ends_with_the_call() {
    everywhere(|trunk| {
        let (a, b) = ringing(trunk, able(true), able(true));
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(0.2);
        trunk.respond(b, 486);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [487]);
        assert_eq!(trunk.heard(a).last(), Some(&486));
    });
}

/// An offer in a PRACK goes on as an UPDATE, and the answer comes back in the PRACK's 2xx. RFC 3262 §5.
#[test]
fn an_offer_in_a_prack_goes_on_as_an_update() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        let (a, b) = ringing(trunk, Abilities { offers_in_prack: true, ..able(true) }, able(true));
        assert_eq!(trunk.call(a).statuses(&Method::Prack), [200]);
        assert!(!trunk.call(a).response(200).unwrap().body().is_empty());
        assert!(!trunk.call(b).request(&Method::Update).unwrap().body().is_empty());
        trunk.assert_agreed(a, b);
        answered(trunk, a, b);
        // The callee takes no UPDATE: the offer is refused, and the response acknowledged.
        let (a, b) = ringing(trunk, Abilities { offers_in_prack: true, ..able(true) }, able(false));
        assert_eq!(trunk.call(a).statuses(&Method::Prack), [488]);
        answered(trunk, a, b);
    });
}

/// RFC 3311 §5.2: what can't go on now may come again; after the 2xx it goes on as a re-INVITE.
#[test]
fn a_side_that_takes_no_update_gets_a_reinvite() {
    everywhere(|trunk| {
        let (a, b) = ringing(trunk, able(true), able(false));
        assert!(!Trunk::header(trunk.call(a).response(183).unwrap(), "Allow").contains("UPDATE"));
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.request(a, Method::Update, Some("sendrecv"));
        trunk.run(0.5);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [500]);
        assert!(trunk.call(a).response(500).unwrap().has(Name::RetryAfter));
        trunk.phone(a.0).abilities.offers_again = false;
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(1.0);
        let statuses = trunk.call(a).statuses(&Method::Update);
        assert_eq!(statuses.last(), Some(&200));
        assert_eq!(trunk.call(b).requests().iter().filter(|one| *one == "UPDATE").count(), 0);
        assert!(Trunk::header(trunk.call(b).request(&Method::Invite).unwrap(), "CSeq").contains("INVITE"));
        assert_eq!(trunk.call(b).requests().last().map(String::as_str), Some("ACK"));
        trunk.assert_agreed(a, b);
        // Without an offer there is nothing to ask of the other side.
        let before = trunk.call(b).heard.len();
        trunk.request(a, Method::Update, None);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update).last(), Some(&200));
        assert_eq!(trunk.call(b).heard.len(), before);
        // Refused, it is refused, and what held holds on.
        trunk.phone(b.0).habits.renegotiates = Some(488);
        trunk.request(a, Method::Update, Some("sendrecv"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update).last(), Some(&488));
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A re-INVITE in place of an UPDATE has no more time than the UPDATE has.
#[test]
fn a_reinvite_in_place_of_an_update_is_given_up_in_time() {
    everywhere(|trunk| {
        let (a, b) = ringing(trunk, able(true), able(false));
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(31.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [500]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A party that does not say what it takes, and refuses an UPDATE, gets the offer as a re-INVITE.
#[test]
fn a_405_to_an_update_turns_it() {
    everywhere(|trunk| {
        let (a, b) = ringing(trunk, able(true), able(false));
        trunk.phone(b.0).abilities.allow = false;
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.phone(a.0).abilities = Abilities { marks: true, allow: true, ..able(true) };
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let b = {
            let _ = b;
            trunk.incoming(trunk.east)
        };
        trunk.respond(b, 200);
        trunk.run(1.0);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [200]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "UPDATE", "INVITE", "ACK"]);
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Who is spoken to, told while it rings and later: to a side that is told, and takes UPDATE.
#[test]
fn a_connected_line_update_crosses() {
    const TRUST: &str = "trusted = true";
    everywhere_with(&[("pbx_peer", TRUST), ("east_peer", TRUST)], |trunk| {
        let (a, b) = ringing(trunk, able(true), able(true));
        trunk.phone(b.0).says = &[("P-Asserted-Identity", "<sip:+12125550177@carrier.example>")];
        trunk.phone(a.0).habits.renegotiates = Some(200);
        for _ in 0..2 {
            let before = trunk.call(a).heard.len();
            trunk.request(b, Method::Update, None);
            trunk.run(0.5);
            assert_eq!(trunk.call(b).statuses(&Method::Update).last(), Some(&200));
            let heard = &trunk.call(a).heard[before];
            assert_eq!(heard.method(), Some(Method::Update));
            assert!(Trunk::header(heard, "P-Asserted-Identity").contains("+12125550177"));
            if trunk.stage(b) == Stage::Open {
                trunk.respond(b, 200);
                trunk.run(1.0);
            }
        }
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Our PRACK is lost, and the caller's UPDATE overtakes it: out of order it is refused, and comes again.
#[test]
fn an_update_overtakes_our_prack() {
    over_udp(&[], |trunk| {
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        trunk.able(trunk.pbx, able(true));
        trunk.able(trunk.east, able(true));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        let east = trunk.phone(trunk.east).address;
        trunk.respond(b, 183);
        trunk.run(0.005);
        trunk.world.dead.insert(east, false);
        trunk.run(0.1);
        trunk.world.dead.remove(&east);
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(2.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [200]);
        let pracks = trunk.call(b).requests().iter().filter(|one| *one == "PRACK").count();
        assert!(pracks >= 2, "one out of order, and one that counts");
        answered(trunk, a, b);
    });
}

/// The callee offers anew while the caller, who knows no 100rel, has not had the answer for good: it may come again, and
/// the 2xx says what the ringing said.
#[test]
fn an_update_to_a_caller_that_has_no_answer_changes_nothing() {
    everywhere(|trunk| {
        trunk.able(trunk.pbx, Abilities { update: true, ..Abilities::default() });
        trunk.able(trunk.east, able(true));
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(0.5);
        let shown = trunk.call(a).response(183).unwrap().body().clone();
        trunk.request(b, Method::Update, Some("sendonly"));
        trunk.run(0.5);
        assert_eq!(trunk.call(b).statuses(&Method::Update), [491]);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).response(200).unwrap().body(), &shown);
        trunk.assert_agreed(a, b);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
