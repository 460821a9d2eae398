//! Nobody answers, nobody speaks, nobody hangs up.

use std::time::Duration;

use super::phone::{Abilities, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with, over_udp};
use crate::core::Input;
use crate::direction::Direction;
use crate::media::MediaEvent;

fn silent(trunk: &mut Trunk) {
    let keys: Vec<_> = trunk.world.open_media.keys().copied().collect();
    for key in keys {
        trunk.world.input(key.shard(), Input::Media(MediaEvent::Silent { key }));
    }
}

/// Timer C, RFC 3261 §16.6: more than three minutes, begun anew by each 1xx.
#[test]
fn ringing_ends_with_timer_c() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(100.0);
        trunk.respond(b, 183);
        trunk.run(180.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Open, Stage::Open));
        trunk.run(10.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        assert_eq!(
            trunk.heard(a),
            [180, 180, 183, 183, 183, 183, 408],
            "repeated each minute, RFC 3261 §13.3.1.1"
        );
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.status_message, "408 The callee did not answer");
    });
}

/// Each 183 starts Timer C anew: early media must not become a call for nothing that never ends.
#[test]
fn early_media_does_not_go_on_for_ever() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        for _ in 0..3 {
            trunk.respond(b, 183);
            trunk.run(99.0);
        }
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Open, Stage::Open));
        trunk.respond(b, 183);
        trunk.run(5.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        assert_eq!(cdr.status_message, "408 No answer within five minutes");
    });
}

/// Who waits for help may wait.
#[test]
fn an_emergency_call_may_ring_for_long() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.reach(trunk.pbx, "911", trunk.east);
        for _ in 0..5 {
            trunk.respond(b, 183);
            trunk.run(99.0);
        }
        trunk.respond(b, 200);
        trunk.run(0.5);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_silent_call_is_hung_up() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        silent(trunk);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "408 Media inactivity");
    });
}

/// A 183 with a description and no early media after all: ringing may be silent, and silence counts anew from the
/// answer, though that brings no description of its own.
#[test]
fn silence_while_it_rings_ends_nothing() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 183);
        trunk.run(60.0);
        silent(trunk);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Open, Stage::Open));
        let told = trunk.world.media_log.len();
        trunk.world.with(b.0, |phone, now| phone.respond(now, b.1, 200, false, &[]));
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        assert!(trunk.world.media_log.len() > told, "the workers watch for silence again");
        silent(trunk);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}

#[test]
fn the_longest_duration_ends_a_call() {
    everywhere_with(&[("max_duration", "90s")], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.run(88.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.run(3.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
        trunk.finish();
        let cdr = trunk.cdr("pbx", Direction::Outbound);
        let talked = cdr.ended_at - cdr.answered_at.unwrap();
        assert!(talked >= Duration::from_secs(90) && talked < Duration::from_secs(91), "{talked:?}");
    });
}

/// RFC 6228: one of several phones rings no more, which the caller hears in that dialog, if it knows what it means.
#[test]
fn the_end_of_one_early_dialog_crosses() {
    for (knows, heard) in [(true, vec![183, 183, 199, 200]), (false, vec![183, 183, 200])] {
        everywhere(|trunk| {
            trunk.able(trunk.pbx, Abilities { early_end: knows, ..Abilities::default() });
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            let (first, second) = (trunk.phone(b.0).fork_tag(), trunk.phone(b.0).fork_tag());
            trunk.able(b.0, Abilities::default());
            for (status, tag) in [(183, &first), (183, &second), (199, &first), (200, &second)] {
                trunk.respond_as(b, status, tag);
                trunk.run(0.5);
            }
            assert_eq!(trunk.heard(a), heard);
            let tags: Vec<_> = trunk.call(a).heard.iter().filter_map(|one| one.to_tag()).collect();
            let of = |status: u16| {
                let is = |one: &&sip::Message| one.status().is_some_and(|is| is.code() == status);
                trunk.call(a).heard.iter().filter(is).find_map(|one| one.to_tag())
            };
            assert_ne!(of(183), of(200), "{tags:?}");
            if knows {
                assert_eq!(of(183), of(199), "{tags:?}");
            }
            trunk.hang_up(a);
            trunk.run(1.0);
        });
    }
}
