//! A host says nothing until the call has gone on to the next one; then it answers after all.

use std::time::Duration;

use sip::Method;

use super::phone::{News, Phone, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, over_udp};
use super::world::CallId;
use crate::direction::Direction;

/// East gets its INVITE after five seconds, one more than a carrier may take; west takes the call.
fn left(trunk: &mut Trunk) -> (CallId, CallId, CallId) {
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.world.far.insert(trunk.east, Duration::from_secs(5));
    trunk.run(4.2);
    let west = trunk.incoming(trunk.west);
    trunk.respond(west, 200);
    trunk.run(0.2);
    assert_eq!(trunk.stage(a), Stage::Up);
    trunk.run(1.0);
    trunk.world.far.clear();
    let east = trunk.incoming(trunk.east);
    (a, west, east)
}

#[test]
fn a_late_provisional_is_cancelled() {
    over_udp(&[], |trunk| {
        let (a, west, east) = left(trunk);
        trunk.run(1.0);
        assert!(trunk.call(east).cancelled);
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.stage(west), Stage::Over);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
    });
}

#[test]
fn a_late_answer_gets_ack_and_bye_and_the_record_says_so() {
    over_udp(&[], |trunk| {
        trunk.world.wits = Some(|world, id, news| {
            if let News::Incoming(index) = news
                && world.phones[id.0].name == "east"
            {
                world.with(id, |phone: &mut Phone, now| phone.respond(now, index, 200, true, &[]));
            }
        });
        let (a, west, east) = left(trunk);
        trunk.run(1.0);
        assert_eq!(trunk.call(east).requests(), ["INVITE", "ACK", "BYE"]);
        // Its own BYE on that dialog is answered, and is no word of the party that took the call.
        assert_eq!((trunk.stage(a), trunk.stage(west)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        let text = trunk.cdr("pbx", Direction::Outbound).status_message.clone();
        assert_eq!(text, "OK; late answer of 10.0.1.1 released");
    });
}

#[test]
fn the_left_host_hangs_up_its_own_dialog_and_the_call_stays_up() {
    over_udp(&[], |trunk| {
        trunk.world.wits = Some(|world, id, news| {
            if let News::Incoming(index) = news
                && world.phones[id.0].name == "east"
            {
                world.with(id, |phone: &mut Phone, now| {
                    phone.respond(now, index, 200, true, &[]);
                    phone.request(now, index, Method::Bye, None);
                });
            }
        });
        let (a, west, east) = left(trunk);
        trunk.run(2.0);
        assert_eq!(trunk.call(east).statuses(&Method::Bye), [200]);
        assert_eq!((trunk.stage(a), trunk.stage(west)), (Stage::Up, Stage::Up));
        trunk.hang_up(west);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Over);
    });
}

/// Over a stream the INVITE is there at once: the CANCEL goes out as soon as the host says anything.
#[test]
fn a_host_that_wakes_up_is_cancelled() {
    everywhere(|trunk| {
        trunk.phone(trunk.east).habits.deaf = true;
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(4.5);
        assert_eq!(trunk.received(trunk.east), 0);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
