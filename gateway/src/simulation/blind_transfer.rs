//! A customer transfers the party that it talks to, RFC 5589 §6: the gateway calls the target on that customer's bill, and
//! tells what comes of it.

use std::collections::HashSet;

use sip::{Message, Method, Name};

use super::phone::Stage;
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};
use super::world::{CallId, transaction_ids};
use crate::direction::Direction;
use crate::record::CallFacts;

/// Somebody whom carriers reach, beside [`OUTSIDE`].
pub(super) const TARGET: &str = "+12125550177";

pub(super) const HANDLED: [Change; 1] = [("pbx_peer", "refer = \"handle\"")];

pub(super) fn refer(trunk: &mut Trunk, call: CallId, target: &str) {
    trunk.phone(call.0).abilities.refer = true;
    trunk.world.with(call.0, |phone, now| phone.refer(now, call.1, target));
}

pub(super) fn uri(number: &str) -> String {
    format!("sip:{number}@vc.example.com")
}

/// What the REFER was answered, and the status of each NOTIFY.
pub(super) fn told(trunk: &Trunk, call: CallId) -> (u16, Vec<u16>) {
    let one = trunk.call(call).subscriptions.last().unwrap();
    (one.response.unwrap_or(0), one.notified.iter().map(|(_, status)| *status).collect())
}

/// The records of the customer, by whom was called.
fn record<'a>(trunk: &'a Trunk, number: &str) -> &'a CallFacts {
    let mine: Vec<_> = trunk.world.cdrs.iter().filter(|cdr| cdr.destination.number == number).collect();
    assert_eq!(mine.len(), 1, "{:#?}", trunk.world.cdrs);
    mine[0]
}

#[test]
fn a_caller_transfers_its_callee() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        let allows = |message: &Message| message.values(Name::Allow).any(|one| one == "REFER");
        let accepted =
            trunk.call(x).heard.iter().rfind(|one| one.status().is_some_and(|one| one.is_success()));
        assert!(allows(accepted.unwrap()));
        assert!(!allows(&trunk.call(y).invite), "nothing is configured of the carrier");
        refer(trunk, x, &uri(TARGET));
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100]));
        let t = trunk.incoming(trunk.east);
        assert_ne!(t, y);
        let invite = trunk.call(t).invite.clone();
        assert!(invite.from().unwrap().uri.to_string().contains(PBX), "who transfers calls");
        for name in [Name::ReferTo, Name::ReferredBy, Name::Replaces] {
            assert!(!invite.has(name.clone()), "{name}");
        }
        trunk.respond(t, 180);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 180]));
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up), "they talk on meanwhile");
        trunk.respond(t, 200);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 180, 200]));
        assert_eq!(trunk.call(y).requests(), ["INVITE", "ACK", "INVITE", "ACK"]);
        // It does not hang up by itself.
        trunk.run(5.0);
        assert_eq!(trunk.stage(x), Stage::Over);
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Up));
        // The two are one call now: a request crosses, and a BYE ends both.
        trunk.request(y, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(y).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(t);
        trunk.run(1.0);
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Over, Stage::Over));
        trunk.finish();
        let (first, second) = (record(trunk, OUTSIDE), record(trunk, TARGET));
        for cdr in [first, second] {
            assert_eq!((cdr.voice_connector_id.as_str(), cdr.direction), ("pbx", Direction::Outbound));
            assert_eq!((cdr.source.number.as_str(), cdr.status_message.as_str()), (PBX, "OK"));
        }
        assert_eq!(first.ended_at, second.ended_at, "both legs cost until the end");
        assert!(first.answered_at < second.answered_at);
        assert_eq!(transaction_ids(&trunk.world.cdrs).len(), 2);
    });
}

#[test]
fn a_callee_transfers_its_caller() {
    everywhere_with(&HANDLED, |trunk| {
        let (y, x) = trunk.connect(trunk.east, PBX, trunk.pbx);
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        refer(trunk, x, &uri(BRANCH));
        trunk.run(1.0);
        let t = trunk.incoming(trunk.branch);
        trunk.respond(t, 200);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 200]));
        trunk.hang_up(x);
        trunk.run(1.0);
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Up));
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!(trunk.stage(t), Stage::Over);
        trunk.finish();
        let seen: HashSet<_> = trunk
            .world
            .cdrs
            .iter()
            .map(|cdr| (cdr.voice_connector_id.as_str(), cdr.direction, cdr.destination.number.as_str()))
            .collect();
        let expect = [
            ("pbx", Direction::Inbound, PBX),
            ("pbx", Direction::Outbound, BRANCH),
            ("branch", Direction::Inbound, BRANCH),
        ];
        assert_eq!(seen, expect.into());
    });
}

#[test]
fn a_target_that_does_not_answer_leaves_the_call_as_it_was() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        refer(trunk, x, &uri(TARGET));
        trunk.run(1.0);
        let t = trunk.incoming(trunk.east);
        trunk.respond(t, 486);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 486]));
        // Abroad: no calling plan has it.
        refer(trunk, x, &uri("+442079460123"));
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 403]));
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        assert_eq!(trunk.call(y).requests(), ["INVITE", "ACK"]);
        trunk.hang_up(x);
        trunk.run(1.0);
        trunk.finish();
        assert!(record(trunk, TARGET).status_message.starts_with("486"));
        assert!(record(trunk, "+442079460123").answered_at.is_none());
    });
}

#[test]
fn who_transfers_may_hang_up_before_the_target_answers() {
    for answer in [200, 486] {
        everywhere_with(&HANDLED, |trunk| {
            let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.phone(trunk.east).habits.renegotiates = Some(200);
            refer(trunk, x, &uri(TARGET));
            trunk.run(1.0);
            let t = trunk.incoming(trunk.east);
            trunk.respond(t, 180);
            trunk.run(1.0);
            trunk.hang_up(x);
            trunk.run(5.0);
            assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Over, Stage::Up));
            trunk.respond(t, answer);
            trunk.run(1.0);
            let expect = if answer == 200 { Stage::Up } else { Stage::Over };
            assert_eq!(trunk.stage(y), expect, "{answer}");
            if answer == 200 {
                trunk.hang_up(y);
            }
            trunk.run(1.0);
            assert_eq!(trunk.stage(t), Stage::Over);
        });
    }
}

#[test]
fn who_is_transferred_may_hang_up_before_the_target_answers() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        refer(trunk, x, &uri(TARGET));
        trunk.run(1.0);
        let t = trunk.incoming(trunk.east);
        trunk.respond(t, 180);
        trunk.run(1.0);
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!((trunk.stage(x), trunk.stage(t)), (Stage::Over, Stage::Over));
        assert_eq!(told(trunk, x).1.last(), Some(&487));
    });
}

/// RFC 3515 §2.4.2, RFC 4488; one transfer at a time; not where help is called, and not for whom the operator has not said.
#[test]
fn a_refer_that_is_not_carried_out() {
    over_udp(&HANDLED, |trunk| {
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for (target, status) in [
            (format!("{}>, <sip:+12125550178@vc.example.com", uri(TARGET)), 400),
            (format!("{};method=BYE", uri(TARGET)), 403),
            ("http://vc.example.com/".to_owned(), 416),
        ] {
            refer(trunk, x, &target);
            trunk.run(0.5);
            assert_eq!(told(trunk, x), (status, vec![]), "{target}");
        }
        refer(trunk, x, &uri(TARGET));
        trunk.run(0.5);
        refer(trunk, x, &uri(TARGET));
        trunk.run(0.5);
        assert_eq!(told(trunk, x), (491, vec![]));
        let t = trunk.incoming(trunk.east);
        trunk.respond(t, 486);
        trunk.run(1.0);
        // A carrier, of whom nothing is configured.
        refer(trunk, y, &uri(TARGET));
        trunk.run(0.5);
        assert_eq!(told(trunk, y), (405, vec![]));
        trunk.hang_up(x);
        trunk.run(1.0);
        let (help, _) = trunk.connect(trunk.pbx, "911", trunk.east);
        refer(trunk, help, &uri(TARGET));
        trunk.run(0.5);
        assert_eq!(told(trunk, help), (403, vec![]));
        trunk.hang_up(help);
        trunk.run(1.0);
    });
}

/// What a carrier asks for is a call of its own: to a number of ours, and never out again on a customer's bill.
#[test]
fn a_carrier_transfers_at_nobodys_cost() {
    over_udp(&[("east_peer", "refer = \"handle\"")], |trunk| {
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        refer(trunk, y, &uri(TARGET));
        trunk.run(1.0);
        assert_eq!(told(trunk, y).0, 202);
        assert!(told(trunk, y).1[1] >= 400, "{:?}", told(trunk, y));
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        trunk.phone(trunk.pbx).habits.renegotiates = Some(200);
        refer(trunk, y, &uri(BRANCH));
        trunk.run(1.0);
        let t = trunk.incoming(trunk.branch);
        trunk.respond(t, 200);
        trunk.run(6.0);
        assert_eq!((trunk.stage(x), trunk.stage(t)), (Stage::Up, Stage::Up));
        assert_eq!(trunk.world.cdrs.iter().filter(|cdr| cdr.destination.number == OUTSIDE).count(), 1);
        trunk.hang_up(x);
        trunk.run(1.0);
        trunk.finish();
        let outbound = trunk.world.cdrs.iter().filter(|cdr| cdr.direction == Direction::Outbound);
        assert_eq!(outbound.count(), 1, "{:#?}", trunk.world.cdrs);
    });
}
