//! Session timers, RFC 4028: each leg of a call agrees with its party by itself who refreshes, what nobody refreshes ends
//! with its cause, and what is only said to keep the call up reaches nobody else.

use sip::{Message, Method};

use super::media::Speaks;
use super::phone::{Abilities, Fault, Stage, TimerHabit};
use super::trunk::{Change, OUTSIDE, Trunk, everywhere, everywhere_with, over_udp};
use super::world::{CallId, PhoneId};
use crate::direction::Direction;

const HABIT: TimerHabit = TimerHabit { expires: 90, min: 90, refreshes: None, by_update: false };

const PBX_ASKED: Change = ("pbx_peer", "session_timer = \"90s\"");
const EAST_ASKED: Change = ("east_peer", "session_timer = \"90s\"");

/// A phone with session timers and Allow, that says the same whenever it refreshes.
fn knows(trunk: &mut Trunk, phone: PhoneId, habit: TimerHabit) {
    let (update, timer) = (habit.by_update, Some(habit));
    trunk.phone(phone).abilities =
        Abilities { allow: true, update, timer, repeats: true, ..Abilities::default() };
}

/// The requests that a party heard once the call was up.
fn later(trunk: &Trunk, call: CallId) -> Vec<String> {
    let first = if trunk.call(call).caller { 0 } else { 2 };
    trunk.call(call).requests().split_off(first)
}

fn session(message: &Message) -> [String; 3] {
    ["Session-Expires", "Min-SE", "Require"].map(|name| message.value(name.into()).unwrap_or_default().into())
}

fn are_up(trunk: &Trunk, calls: [CallId; 2]) {
    assert_eq!(calls.map(|call| trunk.stage(call)), [Stage::Up, Stage::Up]);
}

fn ends(trunk: &mut Trunk, call: CallId) {
    trunk.hang_up(call);
    trunk.run(1.0);
    trunk.finish();
    assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
}

fn ended(trunk: &mut Trunk, calls: [CallId; 2], cause: &str) {
    assert_eq!(calls.map(|call| trunk.stage(call)), [Stage::Over, Stage::Over]);
    trunk.finish();
    assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, cause);
}

#[test]
fn where_nobody_wants_a_timer_there_is_none() {
    over_udp(&[], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        assert_eq!(session(&trunk.call(b).invite), ["", "", ""]);
        assert_eq!(session(trunk.call(a).response(200).unwrap()), ["", "", ""]);
        trunk.run(600.0);
        assert_eq!((later(trunk, a), later(trunk, b)), (vec![], vec![]));
        ends(trunk, a);
    });
}

/// Whoever refreshes, by whatever request: the party without timers hears nothing of it.
#[test]
fn only_one_party_knows_timers() {
    for (caller_knows, refreshes, by_update) in [
        (true, Some(true), true),
        (true, Some(true), false),
        (true, Some(false), true),
        (true, Some(false), false),
        (false, Some(true), true),
        (false, Some(true), false),
        (false, None, true),
        (false, None, false),
    ] {
        everywhere(|trunk| {
            let knowing = if caller_knows { trunk.pbx } else { trunk.east };
            knows(trunk, knowing, TimerHabit { refreshes, by_update, ..HABIT });
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.run(300.0);
            are_up(trunk, [a, b]);
            let (knowing, other) = if caller_knows { (a, b) } else { (b, a) };
            let crossed = later(trunk, other);
            // What the callee offers for the first time to refresh is new to us, and says who has which codec.
            let most = if !caller_knows && refreshes == Some(true) && !by_update { 2 } else { 0 };
            assert!(crossed.len() <= most, "{caller_knows} {refreshes:?} {by_update}: {crossed:?}");
            let asked = later(trunk, knowing);
            match refreshes {
                Some(true) => assert_eq!(asked, [""; 0]),
                _ if by_update => assert_eq!(asked, ["UPDATE"; 6]),
                _ => assert_eq!(asked, ["INVITE", "ACK"].repeat(6)),
            }
            ends(trunk, knowing);
        });
    }
}

/// The answer to a refresh has the key of the answer before.
#[test]
fn a_refresh_changes_no_key() {
    for refreshes in [Some(true), Some(false)] {
        everywhere_with(&[("pbx_peer", "srtp = \"required\"")], |trunk| {
            trunk.phone(trunk.pbx).speaks = Speaks::Srtp;
            knows(trunk, trunk.pbx, TimerHabit { refreshes, ..HABIT });
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let keys = |trunk: &Trunk| trunk.call(a).media.agreed().unwrap().keys.clone();
            let before = keys(trunk);
            assert!(before.is_some());
            trunk.run(300.0);
            are_up(trunk, [a, b]);
            assert_eq!((keys(trunk) == before, later(trunk, b)), (true, vec![]));
            ends(trunk, a);
        });
    }
}

#[test]
fn both_parties_know_timers_and_each_leg_has_its_own() {
    for (a_refreshes, b_refreshes, by_update) in [
        (Some(true), Some(true), true),
        (Some(false), None, true),
        (Some(true), None, false),
        (None, Some(true), false),
    ] {
        everywhere(|trunk| {
            knows(trunk, trunk.pbx, TimerHabit { refreshes: a_refreshes, by_update, expires: 120, ..HABIT });
            knows(trunk, trunk.east, TimerHabit { refreshes: b_refreshes, by_update, ..HABIT });
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            assert_eq!(session(trunk.call(a).response(200).unwrap())[0][..4], "120;"[..]);
            trunk.run(400.0);
            are_up(trunk, [a, b]);
            ends(trunk, b);
        });
    }
}

/// `session_timer` is asked for, and kept up alone with a party that knows nothing of it.
#[test]
fn we_ask_for_a_timer_and_refresh_who_knows_none() {
    for update in [true, false] {
        everywhere_with(&[PBX_ASKED, EAST_ASKED], |trunk| {
            for phone in [trunk.pbx, trunk.east] {
                trunk.phone(phone).abilities = Abilities { allow: true, update, ..Abilities::default() };
            }
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            assert_eq!(session(&trunk.call(b).invite), ["90", "", ""]);
            assert_eq!(session(trunk.call(a).response(200).unwrap()), ["90;refresher=uas", "", ""]);
            trunk.run(100.0);
            for call in [a, b] {
                match update {
                    true => assert_eq!(later(trunk, call), ["UPDATE", "UPDATE"]),
                    false => assert_eq!(later(trunk, call), ["INVITE", "ACK", "INVITE", "ACK"]),
                }
            }
            if !update {
                let offers: Vec<_> =
                    trunk.call(b).heard.iter().filter(|one| !one.body().is_empty()).collect();
                assert!(offers.windows(2).all(|two| two[0].body() == two[1].body()), "the same description");
            }
            ends(trunk, a);
        });
    }
}

#[test]
fn a_caller_that_demands_timers_gets_one() {
    everywhere(|trunk| {
        let says = [("Require", "timer"), ("Session-Expires", "1800;refresher=uac"), ("Min-SE", "300")];
        let a = trunk.dial_with(trunk.pbx, OUTSIDE, &says);
        trunk.run(0.5);
        let b = trunk.incoming(trunk.east);
        assert_eq!(session(&trunk.call(b).invite), ["", "", ""], "nothing of it crosses");
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(session(trunk.call(a).response(200).unwrap()), ["1800;refresher=uac", "", "timer"]);
        ends(trunk, a);
    });
}

/// RFC 4028 §9: before anything rings.
#[test]
fn an_interval_that_is_too_small_is_refused_with_ours() {
    everywhere(|trunk| {
        knows(trunk, trunk.pbx, TimerHabit { expires: 60, min: 60, ..HABIT });
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(session(trunk.call(a).response(422).unwrap()), ["", "90", ""]);
        assert_eq!(trunk.received(trunk.east), 1);
        let b = trunk.incoming(trunk.east);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(session(trunk.call(a).response(200).unwrap())[0], "90;refresher=uac");
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// RFC 4028 §7.3: the same route, and nobody else hears of it.
#[test]
fn a_callee_that_wants_a_longer_interval_is_asked_for_it() {
    everywhere_with(&[EAST_ASKED], |trunk| {
        knows(trunk, trunk.east, TimerHabit { expires: 150, min: 150, ..HABIT });
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        assert_eq!(trunk.received(trunk.west), 0);
        let b = trunk.incoming(trunk.east);
        assert_eq!(session(&trunk.call(b).invite)[..2], ["150", "150"]);
        assert_eq!(trunk.call(b).invite.cseq().unwrap().number, 2);
        trunk.respond(b, 200);
        trunk.run(1.0);
        assert_eq!(trunk.heard(a), [200]);
        // And inside the call, where its idea of the least has grown.
        trunk.phone(trunk.east).abilities.timer = Some(TimerHabit { expires: 200, min: 200, ..HABIT });
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!(later(trunk, b), ["INVITE", "INVITE", "ACK"], "the second with another interval");
        trunk.run(400.0);
        ends(trunk, a);
    });
}

/// The interval was ours: a caller can do nothing about it.
#[test]
fn a_422_that_leads_nowhere_stays_on_its_leg() {
    for changes in [&[][..], &[EAST_ASKED]] {
        everywhere_with(changes, |trunk| {
            let a = trunk.dial(trunk.pbx, OUTSIDE);
            trunk.run(0.5);
            for phone in [trunk.east, trunk.west] {
                if trunk.received(phone) > 0 {
                    trunk.respond(trunk.incoming(phone), 422);
                    trunk.run(0.5);
                }
            }
            assert_eq!(trunk.heard(a).last(), Some(&500));
        });
    }
}

/// RFC 4028 §10: a third of the interval before its end.
#[test]
fn a_party_that_does_not_refresh_ends_the_call_on_both_legs() {
    for caller in [true, false] {
        everywhere(|trunk| {
            let phone = if caller { trunk.pbx } else { trunk.east };
            knows(trunk, phone, TimerHabit { refreshes: Some(true), ..HABIT });
            trunk.phone(phone).fault = Some(Fault::NeverRefreshes);
            // It would end the call itself.
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.run(58.0);
            are_up(trunk, [a, b]);
            trunk.run(5.0);
            let says = "SIP;cause=408;text=\"Session timer expired\"";
            let other = if caller { b } else { a };
            assert_eq!(Trunk::header(trunk.call(other).request(&Method::Bye).unwrap(), "Reason"), says);
            ended(trunk, [a, b], "408 Session timer expired");
        });
    }
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    for (status, cause) in [
        (None, "408 A session refresh was not answered"),
        (Some(408), "408 A session refresh was not answered"),
        (Some(481), "481 The other side lost the call"),
    ] {
        everywhere_with(&[EAST_ASKED], |trunk| {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.phone(b.0).habits.renegotiates = status;
            trunk.phone(b.0).habits.deaf = status.is_none();
            trunk.run(75.9);
            trunk.phone(b.0).habits.deaf = false;
            trunk.run(33.0);
            ended(trunk, [a, b], cause);
        });
    }
}

/// Who refuses a refresh is there.
#[test]
fn a_refresh_that_is_refused_ends_no_call() {
    for status in [488, 500, 491] {
        everywhere_with(&[EAST_ASKED], |trunk| {
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.phone(b.0).habits.renegotiates = Some(status);
            trunk.run(80.0);
            trunk.phone(b.0).habits.renegotiates = Some(200);
            trunk.run(120.0);
            are_up(trunk, [a, b]);
            ends(trunk, a);
        });
    }
}

/// Its Allow said otherwise.
#[test]
fn a_party_that_takes_no_update_after_all_gets_a_reinvite() {
    everywhere_with(&[EAST_ASKED], |trunk| {
        let allow = [("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")];
        let (a, b) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond_with(b, 200, &allow);
        trunk.run(1.0);
        trunk.phone(trunk.east).abilities = Abilities { offers_again: true, ..Abilities::default() };
        trunk.run(100.0);
        assert_eq!(later(trunk, b), ["UPDATE", "INVITE", "ACK", "INVITE", "ACK"]);
        ends(trunk, a);
    });
}

/// RFC 3261 §14.1: both come again, and the call is refreshed.
#[test]
fn a_refresh_meets_a_reinvite_of_its_receiver() {
    everywhere_with(&[EAST_ASKED], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).abilities.offers_again = true;
        // Ours is under way.
        trunk.run(44.012);
        trunk.request(b, Method::Invite, Some("sendonly"));
        trunk.run(10.0);
        let heard = trunk.call(b).statuses(&Method::Invite);
        assert!(heard.contains(&491) && heard.ends_with(&[200]), "{heard:?}");
        trunk.run(200.0);
        are_up(trunk, [a, b]);
        ends(trunk, a);
    });
}

/// A hold that comes while the other party refreshes waits for it.
#[test]
fn a_hold_waits_for_the_refresh_of_the_other_party() {
    over_udp(&[EAST_ASKED], |trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.run(45.0);
        assert_eq!(later(trunk, b), ["INVITE"]);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.3);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite), [100, 200, 100, 200]);
        assert_eq!(later(trunk, b), ["INVITE", "ACK", "INVITE", "ACK"]);
        ends(trunk, a);
    });
}

/// The process dies: whoever goes on refreshes early, and ends what the other side does not refresh.
#[test]
fn a_call_that_is_gone_on_with_is_refreshed() {
    for update in [true, false] {
        everywhere_with(&[PBX_ASKED, EAST_ASKED], |trunk| {
            for phone in [trunk.pbx, trunk.east] {
                knows(trunk, phone, TimerHabit { refreshes: Some(false), by_update: update, ..HABIT });
            }
            let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            trunk.run(42.0);
            let now = trunk.world.clocks();
            for (shard, calls) in trunk.world.restart().into_iter().enumerate() {
                for call in calls {
                    trunk.world.cores[shard].adopt(now, serde_json::from_str(&call).unwrap()).unwrap();
                }
            }
            trunk.run(200.0);
            are_up(trunk, [a, b]);
            ends(trunk, a);
        });
    }
}
