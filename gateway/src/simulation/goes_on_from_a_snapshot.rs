//! The process dies with calls up; another one goes on with them from what was written down.

use sip::Method;

use super::phone::Stage;
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use crate::core::{AdoptError, Input, OrphanCall};
use crate::direction::Direction;

/// Another process takes over the calls of the present one.
///
/// - `begins`: what else it takes over, before them.
pub(super) fn adopt(trunk: &mut Trunk, begins: impl FnOnce(&mut Trunk)) {
    let now = trunk.world.clocks();
    let left = trunk.world.restart();
    begins(trunk);
    for (shard, calls) in left.into_iter().enumerate() {
        for call in calls {
            trunk.world.cores[shard].adopt(now, serde_json::from_str(&call).unwrap()).unwrap();
        }
    }
}

#[test]
fn reinvite_and_bye_go_on_in_both_dialogs() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        adopt(trunk, |_| {});
        trunk.request(b, Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Invite), [100, 200]);
        trunk.request(a, Method::Info, Some("Signal=5"));
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "INVITE", "ACK", "INFO", "BYE"]);
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.call_id, trunk.call(a).call_id());
        assert!((cdr.ended_at - cdr.answered_at.unwrap()).as_secs_f64() > 3.9, "{cdr:?}");
    });
}

#[test]
fn limits_gauges_and_the_longest_duration_go_on() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        adopt(trunk, |_| {});
        assert_eq!(trunk.world.shared.limits.calls(), 2);
        let active = "voice_connector_calls_active{voice_connector_id=\"branch\"";
        let metrics = trunk.world.metrics.render();
        let line = metrics.lines().find(|line| line.starts_with(active) && line.contains("inbound"));
        assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
        trunk.run(3_590.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.run(30.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        for leg in [a, b] {
            assert_eq!(trunk.went(leg, &Method::Bye).connection, None, "connections died with their process");
        }
        let (out, inward) = (trunk.cdr("pbx", Direction::Outbound), trunk.cdr("branch", Direction::Inbound));
        assert_eq!(out.transaction_id, inward.transaction_id);
        assert_eq!(out.status_message, "480 Maximum call duration reached");
    });
}

#[test]
fn a_call_is_not_adopted_twice_nor_by_a_stranger() {
    over_udp(&[], |trunk| {
        let (a, _) = trunk.connect(trunk.east, PBX, trunk.pbx);
        let now = trunk.world.clocks();
        let calls = trunk.world.restart().remove(0);
        let snapshot: serde_json::Value = serde_json::from_str(&calls[0]).unwrap();
        let core = &mut trunk.world.cores[0];
        let mut newer = snapshot.clone();
        newer["version"] = 9.into();
        assert!(matches!(core.adopt(now, newer), Err(AdoptError::Version(9))));
        let mut elsewhere = snapshot.clone();
        elsewhere["media"] = (3_u64 << 48).into();
        assert!(matches!(core.adopt(now, elsewhere), Err(AdoptError::Shard(3))));
        assert!(matches!(core.adopt(now, 1.into()), Err(AdoptError::Unreadable(_))));
        core.adopt(now, snapshot.clone()).unwrap();
        assert!(matches!(core.adopt(now, snapshot), Err(AdoptError::Known)));
        // The next call is another one.
        let (c, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.hang_up(a);
        trunk.hang_up(c);
        trunk.run(1.0);
    });
}

/// Without snapshots there is the journal: both legs are hung up, whatever crossed since the answer was written.
#[test]
fn orphans_are_hung_up_on_both_legs() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for _ in 0..3 {
            trunk.request(a, Method::Invite, Some("sendonly"));
            trunk.run(1.0);
            trunk.request(b, Method::Invite, Some("sendrecv"));
            trunk.run(1.0);
        }
        trunk.world.restart();
        trunk.world.open_media.clear();
        let orphan = orphan(trunk);
        let entries = orphan.entries.clone();
        trunk.tell_first(Input::Orphan(orphan));
        assert_eq!(trunk.world.hung_up, []);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.world.hung_up, entries);
    });
}

/// The last call in the journal.
fn orphan(trunk: &Trunk) -> OrphanCall {
    let entry = trunk.world.journaled.last().unwrap();
    OrphanCall { state: entry.state.clone(), entries: vec![entry.facts.key()] }
}

/// The run that was to hang up ends before the parties have heard of it: the next one has to, so the journal must not forget.
#[test]
fn an_orphan_is_hung_up_by_the_next_run_where_this_one_ends_too() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.restart();
        trunk.world.open_media.clear();
        let orphan = orphan(trunk);
        for phone in [trunk.pbx, trunk.east] {
            trunk.phone(phone).habits.deaf = true;
        }
        trunk.tell_first(Input::Orphan(orphan.clone()));
        trunk.run(5.0);
        assert_eq!(trunk.world.hung_up, []);
        trunk.world.restart();
        for phone in [trunk.pbx, trunk.east] {
            trunk.phone(phone).habits.deaf = false;
        }
        trunk.tell_first(Input::Orphan(orphan.clone()));
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(trunk.world.hung_up, orphan.entries);
    });
}

/// The carrier wants to know who hangs up, whichever side it is on.
#[test]
fn the_bye_of_an_orphan_is_proved() {
    const KNOWN: &[Change] = &[("east", "credentials = { username = \"trunk\", password = \"s3cret\" }")];
    everywhere_with(KNOWN, |trunk| {
        for calls_out in [true, false] {
            let (a, b) = match calls_out {
                true => trunk.connect(trunk.pbx, OUTSIDE, trunk.east),
                false => trunk.connect(trunk.east, PBX, trunk.pbx),
            };
            trunk.world.restart();
            trunk.world.open_media.clear();
            trunk.phone(trunk.east).habits.challenges = true;
            let orphan = orphan(trunk);
            trunk.tell_first(Input::Orphan(orphan));
            trunk.run(1.0);
            trunk.phone(trunk.east).habits.challenges = false;
            assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        }
    });
}
