//! The ports of a call are late, or never come, or are not given back in time.

use std::time::Duration;

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};
use super::world::Answers;
use crate::direction::Direction;
use crate::media::Command;

#[test]
fn a_call_without_ports_is_refused() {
    everywhere(|trunk| {
        trunk.world.media = Answers::Failing;
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [503]);
        assert_eq!(trunk.received(trunk.east), 0);
        let refused = trunk.call(a).response(503).unwrap();
        assert_eq!(Trunk::header(refused, "Retry-After"), "5");
        assert_eq!(refused.reason_phrase().unwrap(), b"All media ports are in use".as_slice());
        assert!(!String::from_utf8_lossy(refused.bytes()).contains("no port on"), "{refused:?}");
        let counted = "voice_connector_refusals_total{cause=\"media_ports\"} 1";
        assert!(trunk.world.metrics.render().contains(counted));
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.status_message, "503 All media ports are in use");
    });
}

#[test]
fn a_call_whose_ports_never_come_is_refused() {
    everywhere(|trunk| {
        trunk.world.media = Answers::Never;
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(4.0);
        assert_eq!(trunk.stage(a), Stage::Open);
        trunk.run(2.0);
        assert_eq!(trunk.heard(a), [503]);
        let closed = trunk.world.media_log.iter().any(|(_, one)| matches!(one, Command::Close { .. }));
        assert!(closed, "what was asked for is given back");
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).answered_at, None);
    });
}

#[test]
fn late_ports_delay_the_call_and_no_more() {
    everywhere(|trunk| {
        trunk.world.media = Answers::After(Duration::from_secs(3));
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(4.0);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_caller_that_gives_up_while_the_ports_are_opened_leaves_none_open() {
    everywhere(|trunk| {
        trunk.world.media = Answers::After(Duration::from_secs(2));
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        trunk.cancel(a);
        trunk.run(5.0);
        assert_eq!(trunk.heard(a), [487]);
        assert_eq!(trunk.received(trunk.east), 0);
    });
}
