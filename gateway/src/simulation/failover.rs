//! A route does not take the call: when the next one is tried, and when not.

use std::collections::HashMap;

use super::phone::{News, Stage};
use super::trunk::{OUTSIDE, Trunk, everywhere, everywhere_with, over_udp};
use crate::direction::Direction;
use crate::peer::Transport;

/// What east answers, with which header, and whether west is tried then.
type Case = (u16, &'static [(&'static str, &'static str)], bool);

/// East answers `status` with `header`; whether west is tried, and what the caller hears in the end.
fn refused(trunk: &mut Trunk, status: u16, header: &[(&str, &str)]) -> (bool, Vec<u16>) {
    let a = trunk.dial(trunk.pbx, OUTSIDE);
    trunk.run(0.5);
    let before = trunk.received(trunk.west);
    let b = trunk.incoming(trunk.east);
    trunk.respond_with(b, status, header);
    trunk.run(0.5);
    let tried = trunk.received(trunk.west) > before;
    if tried {
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 200);
        trunk.run(0.5);
        trunk.hang_up(a);
        trunk.run(1.0);
    }
    (tried, trunk.heard(a))
}

/// RFC 3261 §21.4.6: a 405 names what is allowed: what is ours to take, and of the rest what the other side takes.
#[test]
fn a_405_says_what_is_allowed() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond_with(b, 405, &[("Allow", "REGISTER, INFO")]);
        trunk.run(0.5);
        let refusal = trunk.call(a).response(405).unwrap();
        let allowed = "ACK, BYE, CANCEL, OPTIONS, PRACK, INFO";
        assert_eq!(super::trunk::Trunk::header(refusal, "Allow"), allowed);
    });
}

#[test]
fn the_verdict_of_each_answer() {
    let cases: &[Case] = &[
        (486, &[], false),
        (600, &[], false),
        (603, &[], false),
        (604, &[], false),
        (404, &[], false),
        (480, &[], false),
        (488, &[], false),
        (501, &[], false),
        (505, &[], false),
        (408, &[], true),
        (430, &[], true),
        (500, &[], true),
        (502, &[], true),
        (503, &[], true),
        (504, &[], true),
        (503, &[("Reason", "Q.850;cause=17;text=\"User busy\"")], false),
        (500, &[("Reason", "Q.850;cause=1")], false),
        (503, &[("Reason", "SIP;cause=503"), ("Reason", "Q.850 ;cause=28")], false),
        (503, &[("Reason", "Q.850;cause=34")], true),
    ];
    everywhere(|trunk| {
        for (status, header, goes_on) in cases {
            let (tried, heard) = refused(trunk, *status, header);
            assert_eq!(tried, *goes_on, "{status} {header:?}");
            // RFC 3261 §16.7: a 503 stays on its leg. RFC 3398 §7.2.4.1: a cause says more than a vague status.
            let cause =
                header.iter().find_map(|(_, value)| value.split_once("Q.850")?.1.split_once("cause="));
            let told = match (status, cause.and_then(|(_, cause)| cause.split(';').next())) {
                (_, Some("17")) => 486,
                (_, Some("1")) => 404,
                (_, Some("28")) => 484,
                (503, _) => 500,
                (other, _) => *other,
            };
            assert_eq!(heard, [if *goes_on { 200 } else { told }], "{status} {header:?}");
        }
        trunk.finish();
        assert_eq!(trunk.world.cdrs.len(), cases.len());
        let answered = trunk.world.cdrs.iter().filter(|cdr| cdr.answered_at.is_some()).count();
        assert_eq!(answered, cases.iter().filter(|case| case.2).count());
    });
}

#[test]
fn failover_on_names_more() {
    everywhere_with(&[("east", "failover_on = [404]")], |trunk| {
        assert_eq!(refused(trunk, 404, &[]), (true, vec![200]));
    });
}

#[test]
fn nothing_is_tried_after_the_caller_heard_it_ring() {
    for ringing in [180, 183, 181] {
        everywhere(|trunk| {
            let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
            trunk.respond(b, ringing);
            trunk.run(0.5);
            trunk.respond(b, 503);
            trunk.run(1.0);
            assert_eq!(trunk.received(trunk.west), 0);
            assert_eq!(trunk.heard(a), [ringing, 500]);
        });
    }
}

#[test]
fn a_host_that_swallows_the_invite_is_left_after_four_seconds() {
    everywhere(|trunk| {
        trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), false);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(3.9);
        assert_eq!(trunk.received(trunk.west), 0);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_host_that_refuses_the_connection_is_left_at_once() {
    everywhere(|trunk| {
        trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), true);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.1);
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

#[test]
fn the_caller_hears_the_last_answer_that_says_something() {
    everywhere(|trunk| {
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(b, 500);
        trunk.run(0.5);
        let c = trunk.incoming(trunk.west);
        trunk.respond(c, 404);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [404]);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "404 Not Found");
    });
}

#[test]
fn where_nobody_says_anything_the_caller_hears_of_the_last() {
    everywhere(|trunk| {
        trunk.world.dead.insert("10.0.1.1:5060".parse().unwrap(), false);
        trunk.world.dead.insert("10.0.1.2:5060".parse().unwrap(), true);
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(6.0);
        assert_eq!(trunk.heard(a), [502]);
    });
}

#[test]
fn a_host_that_asks_for_rest_gets_it() {
    everywhere(|trunk| {
        assert_eq!(refused(trunk, 503, &[("Retry-After", "20 (maintenance)")]), (true, vec![200]));
        let east = trunk.received(trunk.east);
        for _ in 0..5 {
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.2);
            let b = trunk.incoming(trunk.west);
            trunk.respond(b, 486);
            trunk.run(0.5);
            assert_eq!(trunk.heard(a), [486]);
        }
        assert_eq!(trunk.received(trunk.east), east, "it rests");
        trunk.run(20.0);
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!((trunk.received(trunk.east), trunk.stage(b)), (east + 1, Stage::Open));
        trunk.respond(b, 486);
        trunk.run(0.5);
        assert_eq!(trunk.heard(a), [486]);
    });
}

/// East has three times the weight of west: over a thousand calls they share 75 to 25 within five points, and each
/// call that the first refuses goes to the other.
#[test]
fn a_thousand_calls_share_by_weight_and_fail_over() {
    let changes = &[("east", "weight = 3"), ("west_priority", "1"), ("west", "weight = 1")];
    let mut trunk = Trunk::new(changes, Transport::Udp, 4, 7);
    trunk.tell(|trunk| {
        trunk.world.wits = Some(|world, id, news| {
            if let News::Incoming(index) = news {
                let refuses =
                    world.phones[id.0].calls[index].call_id().bytes().map(u32::from).sum::<u32>() % 2;
                let status = if refuses == 0 { 503 } else { 486 };
                world.with(id, |phone, now| phone.respond(now, index, status, false, &[]));
            }
        });
        for _ in 0..1_000 {
            trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.05);
        }
        trunk.run(5.0);
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for line in &trunk.world.ladder {
            if line.from == "gw"
                && matches!(line.to, "east" | "west")
                && line.message.method() == Some(sip::Method::Invite)
            {
                *seen.entry(line.to).or_default() += 1;
            }
        }
        // The caller's own INVITE is the one before each first attempt.
        let mut waiting = false;
        for line in &trunk.world.ladder {
            match (line.from, line.to, line.message.method()) {
                ("pbx", "gw", Some(sip::Method::Invite)) => waiting = true,
                ("gw", to, Some(sip::Method::Invite)) if waiting => {
                    waiting = false;
                    *first.entry(to.to_owned()).or_default() += 1;
                }
                _ => {}
            }
        }
        let share = first["east"] as f64 / 10.0;
        assert!((70.0..80.0).contains(&share), "{first:?}");
        assert!(seen["east"] + seen["west"] > 1_300, "half of them went on: {seen:?}");
        trunk.finish();
        assert_eq!(trunk.world.cdrs.len(), 1_000);
    });
}

/// A name in place of an address: no address, then two of which the first is dead.
#[test]
fn every_address_behind_a_name_is_tried() {
    let named = "\n[[carrier]]\nname = \"named\"\nprefixes = [\"+1303\"]\n[[carrier.host]]\nhost = \"sip.carrier.example\"\n";
    over_udp(&[("more", named)], |trunk| {
        let a = trunk.dial(trunk.pbx, "+13035550123");
        trunk.run(1.0);
        let b = trunk.incoming(trunk.east); // The next shorter prefix.
        trunk.respond(b, 486);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [486]);

        let west = "10.0.1.2:5060".parse().unwrap();
        trunk.world.names.insert("sip.carrier.example".into(), vec!["10.9.9.9:5060".parse().unwrap(), west]);
        trunk.world.dead.insert("10.9.9.9:5060".parse().unwrap(), true);
        let a = trunk.dial(trunk.pbx, "+13035550123");
        trunk.run(1.0);
        let b = trunk.incoming(trunk.west);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Twelve addresses behind a name, all of them silent: the caller is not kept from the next carrier by more than four.
#[test]
fn a_name_of_many_dead_addresses() {
    let named = "\n[[carrier]]\nname = \"named\"\nprefixes = [\"+1303\"]\n[[carrier.host]]\nhost = \"sip.carrier.example\"\n";
    for alone in [false, true] {
        let only = if alone { ("pbx_termination", "carriers = [\"named\"]") } else { ("east", "") };
        over_udp(&[("more", named), only], |trunk| {
            let addresses = (0..200).map(|last| format!("10.9.9.{last}:5060").parse().unwrap());
            let addresses = Vec::from_iter(addresses);
            trunk.world.dead.extend(addresses.iter().map(|address| (*address, false)));
            trunk.world.names.insert("sip.carrier.example".into(), addresses);
            let a = trunk.dial(trunk.pbx, "+13035550123");
            trunk.run(16.5);
            assert_eq!(trunk.received(trunk.east), usize::from(!alone));
            if !alone {
                let b = trunk.incoming(trunk.east);
                trunk.respond(b, 486);
                trunk.run(0.5);
                return assert_eq!(trunk.heard(a), [486]);
            }
            trunk.run(282.0);
            assert_eq!(trunk.stage(a), Stage::Open);
            trunk.run(3.0);
            assert_eq!(trunk.heard(a), [408], "setting up ends after five minutes");
        });
    }
}

/// Whoever needs help may wait: the one address that lives may be the last of many.
#[test]
fn every_address_of_a_name_is_tried_for_an_emergency_call() {
    let named = "\n[[carrier]]\nname = \"named\"\nprefixes = [\"+1510\"]\n[[carrier.host]]\nhost = \"sip.carrier.example\"\n";
    over_udp(&[("more", named)], |trunk| {
        let mut addresses: Vec<_> =
            (1..6).map(|last| format!("10.9.9.{last}:5060").parse().unwrap()).collect();
        trunk.world.dead.extend(addresses.iter().map(|address| (*address, false)));
        let alive = trunk.world.phone("alive", "10.9.9.6:5060", Transport::Udp);
        addresses.push("10.9.9.6:5060".parse().unwrap());
        trunk.world.names.insert("sip.carrier.example".into(), addresses);
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(20.5);
        let b = trunk.incoming(alive);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}
