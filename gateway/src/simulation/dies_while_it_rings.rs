//! The process dies while a call rings: the next one tells the caller, and cancels at the callee.

use super::phone::Stage;
use super::trunk::{GROUP, OUTSIDE, Trunk, over_tcp, over_udp};
use crate::call::shard_of_rang;
use crate::core::{Input, OrphanCall};
use crate::record::CallKey;

/// The process dies, and the next one is told what the journal has. Returns the keys of that.
fn dies(trunk: &mut Trunk) -> Vec<CallKey> {
    let entry = trunk.world.ringing.last().unwrap().clone();
    let open = trunk.world.open_calls.clone();
    let entries: Vec<CallKey> = open.into_iter().collect();
    assert!(entries.contains(&entry.facts.key()) && entry.facts.answered_at.is_none());
    trunk.world.restart();
    trunk.world.open_media.clear();
    let shard = shard_of_rang(&entry.state).unwrap();
    let orphan = OrphanCall { state: entry.state, entries: entries.clone() };
    trunk.world.input(shard, Input::Orphan(orphan));
    entries
}

#[test]
fn the_caller_is_told_and_the_callee_is_cancelled() {
    let scenario = |trunk: &mut Trunk| {
        for number in [OUTSIDE, "911"] {
            let (a, b) = trunk.reach(trunk.pbx, number, trunk.east);
            trunk.respond(b, 180);
            trunk.run(0.5);
            let entries = dies(trunk);
            trunk.run(1.0);
            assert_eq!((trunk.heard(a), trunk.stage(a)), (vec![180, 503], Stage::Over));
            assert_eq!(trunk.call(b).requests(), ["INVITE", "CANCEL"]);
            assert_eq!((trunk.stage(b), &trunk.world.hung_up), (Stage::Over, &entries));
            trunk.world.hung_up.clear();
            trunk.run(40.0); // Its transactions are over.
        }
    };
    over_udp(&[], scenario);
    over_tcp(&[], scenario);
}

/// The callee has accepted, and the journal did not have that yet.
#[test]
fn a_callee_that_has_accepted_meanwhile_is_hung_up() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.respond(b, 200);
        let entries = dies(trunk);
        trunk.run(2.0);
        assert_eq!(trunk.heard(a), [180, 503]);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "BYE"]);
        assert_eq!((trunk.stage(b), &trunk.world.hung_up), (Stage::Over, &entries));
    });
}

/// The journal knows of a call for help before anything was heard of its callee, of any other as soon as it may ring.
#[test]
fn the_journal_knows_of_what_may_ring() {
    over_udp(&[], |trunk| {
        for (number, at_once) in [("911", 1), (OUTSIDE, 0)] {
            trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), false);
            let a = trunk.dial(trunk.pbx, number);
            trunk.run(0.1);
            assert_eq!(trunk.world.ringing.len(), at_once, "{number}");
            trunk.world.dead.clear();
            trunk.run(1.0);
            let b = trunk.incoming(trunk.east);
            trunk.respond(b, 180);
            trunk.run(0.5);
            trunk.respond(b, 183);
            trunk.run(0.5);
            assert_eq!(trunk.world.ringing.len(), 1, "once an INVITE");
            assert_eq!(trunk.world.open_calls.len(), 1);
            trunk.cancel(a);
            trunk.run(1.0);
            assert!(trunk.world.open_calls.is_empty());
            trunk.world.ringing.clear();
        }
    });
}

/// One that rang at another connector before is forgotten for that one.
#[test]
fn a_call_that_goes_on_to_another_connector_is_kept_for_that_one() {
    over_udp(&[], |trunk| {
        let (a, first) = trunk.reach(trunk.east, GROUP, trunk.pbx);
        trunk.respond(first, 100);
        trunk.run(0.2);
        trunk.respond(first, 503);
        trunk.run(1.0);
        let second = trunk.incoming(trunk.branch);
        trunk.respond(second, 180);
        trunk.run(0.5);
        let rang: Vec<_> =
            trunk.world.ringing.iter().map(|entry| entry.facts.voice_connector_id.clone()).collect();
        assert_eq!(rang, ["pbx", "branch"]);
        let open: Vec<_> = trunk.world.open_calls.iter().map(|key| key.voice_connector_id.clone()).collect();
        assert_eq!(open, ["branch"]);
        trunk.respond(second, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
