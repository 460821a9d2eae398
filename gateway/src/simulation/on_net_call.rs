//! Calls to numbers of our own: between two customers, and to a group of them.

use super::phone::Stage;
use super::trunk::{BRANCH, GROUP, PBX, everywhere, everywhere_with};
use super::world::transaction_ids;
use crate::direction::Direction;

#[test]
fn a_call_between_customers_has_two_records_under_one_id() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        trunk.run(5.0);
        trunk.hang_up(b);
        trunk.run(1.0);
        trunk.finish();
        let (out, inward) = (trunk.cdr("pbx", Direction::Outbound), trunk.cdr("branch", Direction::Inbound));
        assert_eq!(transaction_ids(&trunk.world.cdrs).len(), 1);
        assert_eq!(
            (out.call_id.clone(), inward.call_id.clone()),
            (trunk.call(a).call_id().into(), trunk.call(b).call_id().into())
        );
        assert_eq!(out.answered_at, inward.answered_at);
        assert_eq!((out.source.number.as_str(), inward.destination.number.as_str()), (PBX, BRANCH));
        assert_eq!((trunk.received(trunk.east), trunk.received(trunk.west)), (0, 0));
    });
}

#[test]
fn a_group_is_called_member_after_member() {
    everywhere(|trunk| {
        let (a, first) = trunk.reach(trunk.east, GROUP, trunk.pbx);
        trunk.respond(first, 503);
        trunk.run(0.5);
        let second = trunk.incoming(trunk.branch);
        trunk.respond(second, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(a), trunk.stage(second)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let billed: Vec<_> = trunk.world.cdrs.iter().filter(|cdr| cdr.answered_at.is_some()).collect();
        assert_eq!(billed.len(), 1);
        assert_eq!(billed[0].voice_connector_id, "branch");
        assert_eq!(transaction_ids(&trunk.world.cdrs).len(), 1);
    });
}

#[test]
fn a_busy_member_has_the_last_word() {
    everywhere(|trunk| {
        let (a, first) = trunk.reach(trunk.east, GROUP, trunk.pbx);
        trunk.respond(first, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
        assert_eq!(trunk.received(trunk.branch), 0);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Inbound).status_message, "486 Busy Here");
    });
}

/// A member that is full is passed over; its place is not taken, and comes back when it hangs up.
#[test]
fn a_full_member_is_passed_over() {
    everywhere_with(&[("pbx_origination", "max_calls = 1")], |trunk| {
        let (a, _) = trunk.connect(trunk.east, PBX, trunk.pbx);
        let (b, _) = trunk.connect(trunk.east, GROUP, trunk.branch);
        let refused = trunk.dial(trunk.east, PBX);
        trunk.run(1.0);
        assert_eq!(trunk.heard(refused), [503]);
        trunk.hang_up(a);
        trunk.run(1.0);
        let (c, _) = trunk.connect(trunk.east, GROUP, trunk.pbx);
        trunk.hang_up(b);
        trunk.hang_up(c);
        trunk.run(1.0);
        let throttles = "voice_connector_throttles_total{voice_connector_id=\"pbx\"";
        let metrics = trunk.world.metrics.render();
        let line = metrics.lines().find(|line| line.starts_with(throttles) && line.contains("inbound"));
        assert!(line.is_some_and(|line| line.ends_with(" 2")), "{line:?}");
    });
}

#[test]
fn a_customers_limit_refuses_with_retry_after() {
    everywhere_with(&[("pbx_termination", "max_calls = 2")], |trunk| {
        let (a, _) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        let (b, _) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        let refused = trunk.dial(trunk.pbx, BRANCH);
        trunk.run(1.0);
        assert_eq!(trunk.heard(refused), [503]);
        assert!(trunk.call(refused).response(503).unwrap().has(sip::Name::RetryAfter));
        assert_eq!(trunk.received(trunk.branch), 2);
        trunk.hang_up(a);
        trunk.run(1.0);
        let (c, _) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        trunk.hang_up(b);
        trunk.hang_up(c);
        trunk.run(1.0);
    });
}
