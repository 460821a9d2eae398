//! Who was transferred, or whom somebody was transferred to, is transferred again: each leg is billed to who asked for it.

use std::collections::BTreeSet;

use sip::Method;

use super::blind_transfer::{TARGET, refer, told, uri};
use super::phone::Stage;
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere_with};
use super::world::{CallId, transaction_ids};
use crate::direction::Direction;
use crate::record::CallFacts;

const BOTH: [Change; 2] = [("pbx_peer", "refer = \"handle\""), ("branch_peer", "refer = \"handle\"")];

type Line<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Connector, direction, caller and callee of each record.
fn records(trunk: &Trunk) -> BTreeSet<Line<'_>> {
    fn line(cdr: &CallFacts) -> Line<'_> {
        let direction = if cdr.direction == Direction::Outbound { "out" } else { "in" };
        (&*cdr.voice_connector_id, direction, &*cdr.source.number, &*cdr.destination.number)
    }
    trunk.world.cdrs.iter().map(line).collect()
}

/// `call` transfers its peer to `number`, where the phone `to` answers.
fn transfers(trunk: &mut Trunk, call: CallId, number: &str, to: super::world::PhoneId) -> CallId {
    refer(trunk, call, &uri(number));
    trunk.run(1.0);
    let target = trunk.incoming(to);
    trunk.respond(target, 200);
    trunk.run(6.0);
    assert_eq!(told(trunk, call), (202, vec![100, 200]));
    assert_eq!(trunk.stage(call), Stage::Over);
    target
}

/// The two that are left are one call; then all is over, and the records are of so many calls.
fn talk_and_end(trunk: &mut Trunk, one: CallId, other: CallId, calls: usize) {
    for (asks, asked) in [(one, other), (other, one)] {
        trunk.request(asks, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(asks).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!((trunk.stage(asks), trunk.stage(asked)), (Stage::Up, Stage::Up));
    }
    trunk.hang_up(one);
    trunk.run(1.0);
    assert_eq!(trunk.stage(other), Stage::Over);
    trunk.finish();
    assert_eq!(transaction_ids(&trunk.world.cdrs).len(), calls);
    assert!(trunk.world.cdrs.iter().all(|cdr| cdr.answered_at.is_some()));
    let ends: BTreeSet<_> = trunk.world.cdrs.iter().map(|cdr| cdr.ended_at).collect();
    assert_eq!(ends.len(), 1, "every leg costs until the end: {:#?}", trunk.world.cdrs);
}

/// The first customer pays for its call and for the transfer that it asked for, the second one for its own.
#[test]
fn the_target_of_a_transfer_transfers_on() {
    everywhere_with(&BOTH, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let c = transfers(trunk, a, BRANCH, trunk.branch);
        let d = transfers(trunk, c, TARGET, trunk.east);
        assert!(trunk.call(d).invite.from().unwrap().uri.to_string().contains(BRANCH));
        talk_and_end(trunk, b, d, 3);
        let expect = [
            ("pbx", "out", PBX, OUTSIDE),
            ("pbx", "out", PBX, BRANCH),
            ("branch", "in", PBX, BRANCH),
            ("branch", "out", BRANCH, TARGET),
        ];
        assert_eq!(records(trunk), expect.into());
    });
}

/// Who was transferred transfers whom it came to.
#[test]
fn who_was_transferred_transfers_its_target() {
    everywhere_with(&BOTH, |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        let c = transfers(trunk, a, OUTSIDE, trunk.east);
        let d = transfers(trunk, b, TARGET, trunk.east);
        assert_ne!(c, d);
        assert!(trunk.call(d).invite.from().unwrap().uri.to_string().contains(BRANCH));
        talk_and_end(trunk, c, d, 3);
        let expect = [
            ("pbx", "out", PBX, BRANCH),
            ("branch", "in", PBX, BRANCH),
            ("pbx", "out", PBX, OUTSIDE),
            ("branch", "out", BRANCH, TARGET),
        ];
        assert_eq!(records(trunk), expect.into());
    });
}

/// And the same customer's: it is transferred by a phone of its own, and goes on.
#[test]
fn a_customer_pays_for_all_its_transfers() {
    everywhere_with(&BOTH, |trunk| {
        let (b, a) = trunk.connect(trunk.east, PBX, trunk.pbx);
        let c = transfers(trunk, a, BRANCH, trunk.branch);
        let d = transfers(trunk, c, PBX, trunk.pbx);
        talk_and_end(trunk, b, d, 3);
        let caller = "+12125550999";
        let expect = [
            ("pbx", "in", caller, PBX),
            ("pbx", "out", PBX, BRANCH),
            ("branch", "in", PBX, BRANCH),
            ("branch", "out", BRANCH, PBX),
            ("pbx", "in", BRANCH, PBX),
        ];
        assert_eq!(records(trunk), expect.into());
    });
}
