//! INVITEs by the hundred from an address that never acknowledges: a forger's, or a broken phone system's.

use super::phone::Stage;
use super::trunk::{BRANCH, OUTSIDE, PBX, Trunk, everywhere, over_tcp, over_udp};
use super::world::CallId;
use crate::direction::Direction;

/// Calls of the PBX that are never acknowledged, in the space of `seconds`.
fn flood(trunk: &mut Trunk, calls: u32, seconds: f64) -> Vec<CallId> {
    let mut placed = Vec::new();
    for _ in 0..calls {
        let call = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(call.0).calls[call.1].acknowledges = false;
        placed.push(call);
        trunk.run(seconds / f64::from(calls));
    }
    placed
}

/// All that reach the carrier are answered at once.
fn answer_all(trunk: &mut Trunk) {
    for index in 0..trunk.received(trunk.east) {
        let call = CallId(trunk.east, index);
        if trunk.stage(call) == Stage::Open {
            trunk.respond(call, 200);
        }
    }
}

fn answered(trunk: &Trunk, calls: &[CallId]) -> usize {
    calls.iter().filter(|call| trunk.heard(**call).contains(&200)).count()
}

/// Sixteen answers wait for their ACK; the other calls are refused within seconds, and nobody is billed.
#[test]
fn few_answers_go_to_who_acknowledges_none() {
    over_udp(&[], |trunk| {
        let calls = flood(trunk, 40, 0.4);
        answer_all(trunk);
        trunk.run(1.0);
        assert_eq!(answered(trunk, &calls), 16);
        // Others are served as ever, and emergency calls of the same source.
        let (a, b) = trunk.connect(trunk.branch, PBX, trunk.pbx);
        let help = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        answer_all(trunk);
        trunk.run(0.5);
        assert_eq!(trunk.stage(help), Stage::Up);
        trunk.run(4.0);
        let refused = calls.iter().filter(|call| trunk.heard(**call) == [503]).count();
        assert_eq!(refused, 24);
        trunk.hang_up(a);
        trunk.hang_up(help);
        trunk.run(1.0);
        assert_eq!(trunk.stage(b), Stage::Over);
        trunk.finish();
        let all = trunk.world.cdrs.iter().filter(|cdr| cdr.direction == Direction::Outbound);
        let billed = all.filter(|cdr| cdr.answered_at.is_some()).count();
        assert_eq!(billed, 2, "the branch's call and the emergency call");
    });
}

/// A phone system that acknowledges is not held up however many of its calls are answered at once: one proves for the next.
#[test]
fn a_burst_of_answers_waits_for_acks_and_no_longer() {
    over_udp(&[], |trunk| {
        let calls: Vec<_> = (0..60).map(|_| trunk.dial(trunk.pbx, OUTSIDE)).collect();
        trunk.run(0.5);
        answer_all(trunk);
        trunk.run(1.0);
        assert_eq!(answered(trunk, &calls), 60);
        for call in calls {
            trunk.hang_up(call);
        }
        trunk.run(1.0);
    });
}

/// Nobody forges a handshake.
#[test]
fn over_tcp_every_answer_goes_out() {
    over_tcp(&[], |trunk| {
        let calls = flood(trunk, 40, 0.4);
        trunk.run(0.5);
        answer_all(trunk);
        trunk.run(1.0);
        assert_eq!(answered(trunk, &calls), 40);
    });
}

/// Half of the room is for calls of one party that are not up: the others find theirs.
#[test]
fn calls_that_are_not_up_leave_room_to_others() {
    everywhere(|trunk| {
        let calls = flood(trunk, 150, 1.5);
        trunk.run(0.5);
        let refused: Vec<_> = calls.iter().filter(|call| trunk.heard(**call) == [503]).collect();
        assert_eq!(refused.len(), 50);
        let answer = trunk.call(*refused[0]).response(503).unwrap();
        assert_eq!(Trunk::header(answer, "Retry-After"), "5");
        let counted = "voice_connector_refusals_total{cause=\"unanswered_calls\"} 50";
        assert!(trunk.world.metrics.render().contains(counted));
        let (a, _) = trunk.connect(trunk.east, BRANCH, trunk.branch);
        trunk.hang_up(a);
        for call in calls {
            trunk.cancel(call);
        }
        trunk.run(1.0);
        // They are gone, and so are their places.
        let again = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(again), [0; 0]);
        trunk.cancel(again);
        trunk.run(1.0);
    });
}
