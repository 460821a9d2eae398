//! Who is transferred does not join the target that has answered: who asked for the transfer hears of it, and the call goes on
//! as it was.

use std::time::Duration;

use sip::Method;

use super::blind_transfer::{HANDLED, TARGET, refer, told, uri};
use super::legs::disagreement;
use super::phone::{Abilities, Stage, TimerHabit};
use super::trunk::{OUTSIDE, Trunk, everywhere_with, over_udp};
use super::world::CallId;
use crate::core::Input;

/// A call of which the caller has asked that the callee be transferred to a target, which has just answered: caller, callee,
/// target. The callee answers no INVITE by itself.
fn on_the_way(trunk: &mut Trunk) -> (CallId, CallId, CallId) {
    let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    trunk.phone(trunk.east).habits.renegotiates = None;
    refer(trunk, x, &uri(TARGET));
    trunk.run(1.0);
    let t = trunk.incoming(trunk.east);
    trunk.respond(t, 200);
    trunk.run(1.0);
    assert_eq!(trunk.call(y).requests().last().map(String::as_str), Some("INVITE"));
    assert_eq!(told(trunk, x), (202, vec![100]), "nobody has joined yet");
    (x, y, t)
}

fn answer(trunk: &mut Trunk, call: CallId, status: u16) {
    trunk.world.with(call.0, |phone, now| phone.answer_offer(now, call.1, status));
}

/// The call is as it was before: what either party asks for crosses, and both hear that it ends.
fn goes_on(trunk: &mut Trunk, x: CallId, y: CallId) {
    trunk.phone(y.0).habits.renegotiates = Some(200);
    for (asker, other, direction) in [(x, y, "sendonly"), (y, x, "sendrecv"), (x, y, "sendrecv")] {
        let before = trunk.call(other).requests().len();
        trunk.request(asker, Method::Invite, Some(direction));
        trunk.run(1.0);
        assert_eq!(trunk.call(asker).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!(trunk.call(other).requests().len(), before + 2, "INVITE and ACK");
    }
    trunk.request(x, Method::Info, None);
    trunk.run(1.0);
    assert_eq!(trunk.call(x).statuses(&Method::Info), [200]);
    trunk.hang_up(y);
    trunk.run(1.0);
    assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Over, Stage::Over));
    trunk.finish();
    let mut records: Vec<_> = trunk.world.cdrs.iter().map(|cdr| &cdr.destination.number).collect();
    records.sort();
    assert_eq!(records, [OUTSIDE, TARGET]);
    for cdr in &trunk.world.cdrs {
        assert!(cdr.answered_at.is_some(), "{cdr:?}");
    }
    let ended = |number: &str| {
        let mine = trunk.world.cdrs.iter().find(|cdr| cdr.destination.number == number);
        mine.map(|cdr| cdr.ended_at)
    };
    assert!(ended(TARGET) < ended(OUTSIDE), "each costs as long as it lasts");
}

#[test]
fn a_refusal_to_join_returns_to_the_call() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y, t) = on_the_way(trunk);
        answer(trunk, y, 488);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 488]));
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        assert_eq!(trunk.stage(t), Stage::Over);
        goes_on(trunk, x, y);
    });
}

/// It asks for something itself each time (491), and is asked five times again.
#[test]
fn who_always_asks_at_the_same_time_stays() {
    over_udp(&HANDLED, |trunk| {
        let (x, y, t) = on_the_way(trunk);
        trunk.phone(trunk.east).habits.renegotiates = Some(491);
        answer(trunk, y, 491);
        trunk.run(30.0);
        assert_eq!(told(trunk, x), (202, vec![100, 500]));
        assert_eq!(trunk.call(y).requests().iter().filter(|one| *one == "INVITE").count(), 7);
        assert_eq!(trunk.stage(t), Stage::Over);
        goes_on(trunk, x, y);
    });
}

#[test]
fn who_says_nothing_stays() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y, t) = on_the_way(trunk);
        trunk.world.run(1.0);
        trunk.phone(trunk.east).habits.deaf = true;
        trunk.run(0.1);
        trunk.phone(trunk.east).habits.deaf = false;
        trunk.run(200.0);
        assert_eq!(told(trunk, x), (202, vec![100, 504]));
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        assert_eq!(trunk.stage(t), Stage::Over);
        trunk.hang_up(x);
        trunk.run(1.0);
        assert_eq!(trunk.stage(y), Stage::Over);
    });
}

/// It has taken the offer, and believes that it has joined: it is offered again what it had agreed on before.
#[test]
fn an_answer_of_no_use_returns_to_the_call() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y, t) = on_the_way(trunk);
        trunk.phone(trunk.east).abilities.spoils = 1;
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        answer(trunk, y, 200);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 488]));
        assert_eq!(trunk.call(y).requests(), ["INVITE", "ACK", "INVITE", "ACK", "INVITE", "ACK"]);
        assert_eq!(trunk.stage(t), Stage::Over);
        goes_on(trunk, x, y);
    });
}

#[test]
fn who_asked_may_hang_up_while_the_other_is_on_its_way() {
    for status in [200, 488] {
        everywhere_with(&HANDLED, |trunk| {
            let (x, y, t) = on_the_way(trunk);
            trunk.hang_up(x);
            trunk.run(1.0);
            assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Over, Stage::Up));
            answer(trunk, y, status);
            trunk.run(1.0);
            assert_eq!(told(trunk, x).1.last(), Some(&status));
            let expect = if status == 200 { Stage::Up } else { Stage::Over };
            assert_eq!((trunk.stage(y), trunk.stage(t)), (expect, expect), "nobody is left to return to");
            if status == 200 {
                trunk.hang_up(t);
                trunk.run(1.0);
                assert_eq!(trunk.stage(y), Stage::Over);
            }
        });
    }
}

#[test]
fn who_is_on_its_way_may_hang_up() {
    everywhere_with(&HANDLED, |trunk| {
        let (x, y, t) = on_the_way(trunk);
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 487]));
        for call in [x, y, t] {
            assert_eq!(trunk.stage(call), Stage::Over);
        }
    });
}

/// The INVITE is cancelled: refused then, or accepted all the same, when the party is brought back.
#[test]
fn the_target_may_hang_up_while_the_other_is_on_its_way() {
    for status in [487, 200] {
        everywhere_with(&HANDLED, |trunk| {
            let (x, y, t) = on_the_way(trunk);
            trunk.hang_up(t);
            if status == 200 {
                answer(trunk, y, 200);
                trunk.phone(trunk.east).habits.renegotiates = Some(200);
            }
            trunk.run(35.0);
            assert_eq!(told(trunk, x), (202, vec![100, 480]));
            assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
            goes_on(trunk, x, y);
        });
    }
}

/// Who is brought back is offered what the other party described, and describes itself anew to that: the other party, which
/// holds what both had agreed on, is asked nothing.
#[test]
fn who_is_brought_back_speaks_of_its_media_to_nobody_else() {
    everywhere_with(&HANDLED, |trunk| {
        for phone in [trunk.pbx, trunk.east] {
            trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
        }
        let (x, y, t) = on_the_way(trunk);
        let before = trunk.call(x).media.agreed().cloned();
        trunk.hang_up(t);
        answer(trunk, y, 200);
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        trunk.run(35.0);
        assert_eq!(told(trunk, x), (202, vec![100, 480]));
        let (a, b) = (trunk.call(x), trunk.call(y));
        assert_eq!(a.requests(), ["NOTIFY", "NOTIFY"], "it is asked nothing");
        let (here, there) = (a.media.agreed().cloned(), b.media.agreed().cloned());
        assert_eq!(here, before);
        let (here, there) = (here.expect("agreed"), there.expect("agreed"));
        assert_eq!(here.ours, there.theirs);
        assert_ne!(here.theirs, there.ours, "another answer to the same");
        assert_eq!(disagreement(a, b, trunk.world.clocks().instant, Duration::from_secs(5)), None);
        goes_on(trunk, x, y);
    });
}

/// What is asked meanwhile waits a moment, or is refused; what asks for nothing new is answered.
#[test]
fn what_either_party_asks_meanwhile() {
    over_udp(&HANDLED, |trunk| {
        let (x, y, _) = on_the_way(trunk);
        trunk.request(x, Method::Info, None);
        trunk.request(x, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        assert_eq!(trunk.call(x).statuses(&Method::Info), [500]);
        trunk.run(1.0);
        assert_eq!(trunk.call(x).statuses(&Method::Invite).last(), Some(&491));
        trunk.request(y, Method::Info, None);
        trunk.request(y, Method::Options, None);
        trunk.run(0.5);
        assert_eq!(trunk.call(y).statuses(&Method::Info), [500]);
        assert_eq!(trunk.call(y).statuses(&Method::Options), [200]);
        answer(trunk, y, 488);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 488]));
        trunk.hang_up(x);
        trunk.run(1.0);
    });
}

#[test]
fn the_gateway_drains_or_stops_while_one_is_on_its_way() {
    for stop in [false, true] {
        everywhere_with(&HANDLED, |trunk| {
            let (x, y, t) = on_the_way(trunk);
            let input = || if stop { Input::Stop } else { Input::Drain };
            for shard in 0..trunk.world.cores.len() {
                trunk.world.input(shard as u16, input());
            }
            trunk.run(1.0);
            if stop {
                for call in [x, y, t] {
                    assert_eq!(trunk.stage(call), Stage::Over);
                }
                return;
            }
            answer(trunk, y, 200);
            trunk.run(6.0);
            assert_eq!(told(trunk, x), (202, vec![100, 200]));
            assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Up), "what is up goes on");
            trunk.hang_up(t);
            trunk.run(1.0);
        });
    }
}

/// Who waits for a target that rings keeps its session up with us, and a party that refreshes nothing is not waited for.
#[test]
fn the_session_of_who_waits_is_kept_up() {
    for refreshes in [Some(true), Some(false), None] {
        over_udp(&HANDLED, |trunk| {
            trunk.able(
                trunk.east,
                Abilities {
                    update: refreshes == Some(false),
                    timer: Some(TimerHabit {
                        expires: 90,
                        min: 90,
                        refreshes: refreshes.or(Some(true)),
                        by_update: false,
                    }),
                    ..Abilities::default()
                },
            );
            let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            refer(trunk, x, &uri(TARGET));
            trunk.run(1.0);
            let t = trunk.incoming(trunk.east);
            trunk.respond(t, 180);
            trunk.run(1.0);
            trunk.hang_up(x);
            if refreshes.is_none() {
                trunk.phone(trunk.east).abilities.timer = None;
            }
            trunk.run(120.0);
            assert_eq!(trunk.stage(y), if refreshes.is_some() { Stage::Up } else { Stage::Over });
            trunk.respond(t, 200);
            trunk.run(1.0);
            let up = refreshes.is_some();
            assert_eq!(trunk.stage(t), if up { Stage::Up } else { Stage::Over });
            if up {
                trunk.hang_up(t);
                trunk.run(1.0);
                assert_eq!(trunk.stage(y), Stage::Over);
            }
        });
    }
}
