//! ACKs and answers get lost, are repeated, or never come.

use sip::Method;

use super::link::Link;
use super::phone::Stage;
use super::trunk::{OUTSIDE, everywhere, over_udp};
use crate::direction::Direction;
use crate::peer::Transport;
use crate::record::{CallDetailRecord, Status};

/// RFC 3261 §13.3.1.4: after 64*T1 the session is ended, on both legs.
#[test]
fn a_caller_that_never_acknowledges_is_hung_up() {
    everywhere(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(31.0);
        assert_eq!(trunk.heard(a), [200; 10], "repeated at 0.5, 1.5, 3.5, 7.5 and every 4 s");
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        trunk.run(3.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        trunk.finish();
        let is_udp = trunk.phone(a.0).transport == Transport::Udp;
        let record = CallDetailRecord::new(trunk.cdr("pbx", Direction::Outbound));
        match is_udp {
            // Anybody may have asked for it.
            true => {
                assert_eq!(record.status_message, "408 ACK missing; the answer was never acknowledged");
                assert_eq!((record.status, record.billable_duration_seconds), (Status::Failed, 0));
            }
            false => {
                assert_eq!(record.status_message, "408 ACK missing");
                assert_eq!((record.status, record.billable_duration_seconds), (Status::Completed, 36));
            }
        }
    });
}

/// The ACK is lost and the caller hangs up: who knows our tag has heard us.
#[test]
fn a_caller_that_hangs_up_has_heard_the_answer() {
    over_udp(&[], |trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.phone(a.0).calls[a.1].acknowledges = false;
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(10.0);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert!(trunk.cdr("pbx", Direction::Outbound).answered_at.is_some());
    });
}

/// The callee repeats its 200 since our ACK was lost: the same ACK goes out again.
#[test]
fn a_repeated_answer_gets_the_same_ack_again() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.respond(b, 200);
        // From now on everything is lost for three seconds.
        let before = std::mem::replace(&mut trunk.world.link, Link { lost: 1000, ..Link::PERFECT });
        trunk.run(3.0);
        trunk.world.link = before;
        trunk.run(8.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        let acks: Vec<_> = trunk
            .world
            .ladder
            .iter()
            .filter(|line| line.to == "east" && line.message.method() == Some(Method::Ack))
            .map(|line| line.message.bytes().clone())
            .collect();
        assert!(acks.len() >= 2 && acks.iter().all(|ack| *ack == acks[0]), "{acks:?}");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// RFC 3261 §13.2.2.4: two phones answered behind the carrier. The second gets ACK and BYE, again for each repeat.
#[test]
fn the_second_of_two_answers_is_released() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 200);
        trunk.world.with(b.0, |phone, now| phone.respond_as(now, b.1, 200, true, &[], "second"));
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        let to_second: Vec<_> = trunk
            .call(b)
            .heard
            .iter()
            .filter(|one| one.to_tag().as_deref() == Some("second"))
            .map(|one| one.method().unwrap().to_string())
            .collect();
        assert_eq!(to_second, ["ACK", "BYE"]);
        assert!(trunk.call(b).forks.is_empty());
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(b);
        trunk.run(1.0);
        trunk.finish();
        assert!(trunk.cdr("pbx", Direction::Outbound).status_message.starts_with("OK"));
    });
}
