//! Somebody dials 911.

use std::time::Duration;

use sip::Name;

use super::phone::{Abilities, Pracks, Rel100, Stage, TimerHabit};
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, everywhere_with, over_udp};
use super::world::CallId;
use crate::direction::Direction;
use crate::media::Command;

#[test]
fn limits_do_not_hold_for_it() {
    everywhere_with(
        &[("pbx_termination", "max_calls = 1"), ("east", "max_calls = 1"), ("west", "max_calls = 1")],
        |trunk| {
            let (a, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let refused = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            assert_eq!(trunk.heard(refused), [503]);
            let (emergency, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
            assert!(trunk.call(desk).invite.request_uri().unwrap().contains("+15105550111"));
            trunk.respond(desk, 200);
            trunk.run(0.5);
            assert_eq!(trunk.stage(emergency), Stage::Up);
            trunk.hang_up(a);
            trunk.hang_up(emergency);
            trunk.run(1.0);
        },
    );
}

/// Every carrier is tried whatever the others said, even after one rang.
#[test]
fn every_carrier_is_tried_until_one_takes_it() {
    everywhere(|trunk| {
        let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(east, 180);
        trunk.run(0.5);
        trunk.respond(east, 486);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [180, 200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A desk of our own comes before the carriers. Who took the call in the end has the record, and nobody else pays.
#[test]
fn a_carrier_takes_it_when_the_desk_of_our_own_does_not() {
    let desk = "\n[[phone_number]]\nnumber = \"+15105550111\"\nvoice_connector = \"branch\"\n";
    everywhere_with(&[("more", desk)], |trunk| {
        let (a, own) = trunk.reach(trunk.pbx, "911", trunk.branch);
        trunk.respond(own, 503);
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.respond(east, 200);
        trunk.run(0.5);
        assert_eq!(trunk.stage(a), Stage::Up);
        let metrics = trunk.world.metrics.render();
        let active = metrics.lines().filter(|line| {
            line.starts_with("voice_connector_calls_active{")
                && line.contains("branch")
                && !line.ends_with(" 0")
        });
        assert_eq!(active.collect::<Vec<_>>(), [""; 0]);
        trunk.hang_up(a);
        trunk.run(1.0);
        trunk.finish();
        assert!(trunk.cdr("pbx", Direction::Outbound).answered_at.is_some());
        let billed = trunk.world.cdrs.iter().filter(|cdr| cdr.answered_at.is_some());
        assert_eq!(billed.count(), 1, "{:#?}", trunk.world.cdrs);
    });
}

/// A PBX that hides its callers hides them from everybody but help.
#[test]
fn help_knows_whom_to_call_back() {
    everywhere(|trunk| {
        trunk.dial_with(trunk.pbx, "911", &[("Privacy", "id")]);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        let invite = &trunk.call(b).invite;
        assert!(!invite.has(Name::Privacy));
        assert!(Trunk::header(invite, "From").contains(PBX), "{invite:?}");
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(b);
        trunk.run(0.5);
    });
}

/// The host rings and nobody answers: somebody else might.
#[test]
fn a_carrier_that_only_rings_is_left_for_the_next() {
    everywhere(|trunk| {
        let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(east, 180);
        trunk.run(186.0);
        assert_eq!(trunk.stage(east), Stage::Over);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [180, 180, 180, 180, 200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_carrier_whose_answer_makes_no_sense_is_left_for_the_next() {
    everywhere(|trunk| {
        let (a, east) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.phone(east.0).calls[east.1].described = Some("no description".into());
        trunk.respond(east, 200);
        trunk.run(0.5);
        assert_eq!(trunk.call(east).requests(), ["INVITE", "ACK", "BYE"]);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(0.5);
        assert_eq!((trunk.heard(a), trunk.stage(a)), (vec![200], Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.call(west).requests(), ["INVITE", "ACK", "BYE"]);
    });
}

/// An interval that is too small refuses no call for help, and nobody is hung up for want of a refresh: there is no timer.
#[test]
fn session_timers_do_not_hold_for_it() {
    let asked = ("east_peer", "session_timer = \"90s\"");
    everywhere_with(&[asked], |trunk| {
        let timer = Some(TimerHabit { expires: 60, min: 60, refreshes: Some(true), by_update: false });
        trunk.phone(trunk.pbx).abilities = Abilities { allow: true, timer, ..Abilities::default() };
        let (a, b) = trunk.connect(trunk.pbx, "911", trunk.east);
        assert_eq!(trunk.heard(a), [200]);
        assert!(!trunk.call(a).response(200).unwrap().has(Name::SessionExpires));
        assert!(!trunk.call(b).invite.has(Name::SessionExpires));
        trunk.phone(b.0).habits.deaf = true;
        trunk.run(300.0);
        trunk.phone(b.0).habits.deaf = false;
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A caller whose PRACKs reach nobody is put through all the same.
#[test]
fn it_does_not_fail_for_want_of_a_prack() {
    everywhere(|trunk| {
        let late = Pracks::Late(Duration::from_secs(60));
        let able = Abilities { rel100: Rel100::Supported, pracks: late, ..Abilities::default() };
        trunk.able(trunk.pbx, able);
        trunk.able(trunk.east, Abilities { rel100: Rel100::Supported, ..Abilities::default() });
        let (a, b) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(b, 183);
        trunk.run(40.0);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// More people call for help through one trunk than what is set aside is for: all are put through while there is room.
#[test]
fn the_two_hundred_and_first_is_put_through() {
    over_udp(&[], |trunk| {
        for _ in 0..201 {
            let call = trunk.dial(trunk.pbx, "911");
            trunk.run(0.02);
            let desk = trunk.incoming(trunk.east);
            trunk.respond(desk, 200);
            trunk.run(0.02);
            assert_eq!(trunk.stage(call), Stage::Up);
        }
        trunk.run(1.0);
        // The others are charged with what they hold, so that what is set aside is left to another's.
        let open = |party: bool| {
            let is = |command: &Command| matches!(command, Command::Open { party: one, .. } if one.is_some() == party);
            trunk.world.media_log.iter().filter(|(_, command)| is(command)).count()
        };
        assert_eq!((open(false), open(true)), (200, 1));
        let calls: Vec<_> = (0..trunk.received(trunk.east)).map(|index| CallId(trunk.east, index)).collect();
        for call in calls {
            trunk.hang_up(call);
        }
        trunk.run(1.0);
    });
}

/// No port is left: a call that only rings gives way, on whatever shard it is, and one that is up does not.
#[test]
fn an_ordinary_call_that_rings_gives_way() {
    everywhere(|trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (ringing, b) = trunk.reach(trunk.branch, OUTSIDE, trunk.east);
        trunk.respond(b, 180);
        trunk.run(0.5);
        trunk.world.media_room = 2;
        let refused = trunk.dial(trunk.branch, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.heard(refused), [503]);
        let help = trunk.dial(trunk.pbx, "911");
        trunk.run(1.0);
        assert_eq!(trunk.heard(ringing), [180, 503]);
        let answer = trunk.call(ringing).response(503).unwrap();
        assert_eq!(Trunk::header(answer, "Retry-After"), "5");
        assert_eq!(trunk.call(b).requests(), ["INVITE", "CANCEL"]);
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!((trunk.stage(help), trunk.stage(up)), (Stage::Up, Stage::Up));
        // Nobody is left that could give way: two seconds, and a trunk elsewhere may be asked.
        let late = trunk.dial(trunk.branch, "112");
        trunk.run(1.5);
        assert_eq!(trunk.heard(late), [404], "the branch has no entry");
        let late = trunk.dial(trunk.pbx, "911");
        trunk.run(1.9);
        assert_eq!(trunk.heard(late), [0; 0]);
        trunk.run(0.2);
        assert_eq!(trunk.heard(late), [503]);
        trunk.hang_up(up);
        trunk.hang_up(help);
        trunk.run(1.0);
    });
}

/// A call that ends in time makes room by itself.
#[test]
fn it_waits_a_moment_for_ports() {
    everywhere(|trunk| {
        let (up, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.media_room = 1;
        let help = trunk.dial(trunk.pbx, "911");
        trunk.run(1.0);
        trunk.hang_up(up);
        trunk.run(0.5);
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 200);
        trunk.run(0.5);
        assert_eq!(trunk.stage(help), Stage::Up);
        // And one whose caller does not wait leaves nothing behind.
        let impatient = trunk.dial(trunk.pbx, "911");
        trunk.run(0.3);
        trunk.cancel(impatient);
        trunk.run(1.0);
        assert_eq!(trunk.heard(impatient), [487]);
        trunk.hang_up(help);
        trunk.run(1.0);
    });
}

/// Who demands reliable ringing and acknowledges none of it is put through, with a desk that rings so and one that does not.
#[test]
fn who_demands_reliable_ringing_and_acknowledges_none_is_put_through() {
    for prack in ["supported", "off"] {
        let key: &'static str = if prack == "off" { "prack = \"off\"" } else { "prack = \"supported\"" };
        everywhere_with(&[("pbx_peer", key)], |trunk| {
            for rel100 in [Rel100::Supported, Rel100::Unknown] {
                let late = Pracks::Late(Duration::from_secs(3_600));
                trunk.able(
                    trunk.pbx,
                    Abilities { rel100: Rel100::Required, pracks: late, ..Abilities::default() },
                );
                trunk.able(trunk.east, Abilities { rel100, ..Abilities::default() });
                let (a, b) = trunk.reach(trunk.pbx, "911", trunk.east);
                trunk.respond(b, 183);
                trunk.run(20.0);
                trunk.respond(b, 200);
                trunk.run(1.0);
                assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
                trunk.hang_up(a);
                trunk.run(1.0);
            }
        });
    }
}
