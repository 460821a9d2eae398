//! A customer has two calls up and connects the other parties of them with each other, RFC 5589 §7: who asks leaves both.

use sip::{Method, Name};

use super::blind_transfer::{HANDLED, TARGET, told};
use super::phone::{Phone, Stage};
use super::trunk::{BRANCH, OUTSIDE, PBX, Trunk, everywhere_with, over_udp};
use super::world::{CallId, PhoneId};
use crate::core::Input;
use crate::direction::Direction;
use crate::peer::Transport;
use crate::record::CallFacts;

/// Phones that answer what they are offered inside a call.
fn answering(trunk: &mut Trunk) {
    for phone in [trunk.pbx, trunk.branch, trunk.east, trunk.west] {
        trunk.phone(phone).habits.renegotiates = Some(200);
        trunk.phone(phone).abilities.refer = true;
    }
}

/// Whoever is offered something by `phone` waits until the test answers.
fn answers_by_hand(trunk: &mut Trunk, phone: PhoneId) {
    trunk.phone(phone).habits.renegotiates = None;
}

fn answer(trunk: &mut Trunk, call: CallId, status: u16) {
    trunk.world.with(call.0, |phone, now| phone.answer_offer(now, call.1, status));
}

/// Asks in the call `first` that its other party take the asker's place in `second`.
fn refer(trunk: &mut Trunk, first: CallId, second: CallId) {
    trunk.refer_attended(first, second, &format!("sip:{TARGET}@vc.example.com"));
}

fn record<'a>(trunk: &'a Trunk, number: &str) -> &'a CallFacts {
    let mine: Vec<_> = trunk.world.cdrs.iter().filter(|cdr| cdr.destination.number == number).collect();
    assert_eq!(mine.len(), 1, "{:#?}", trunk.world.cdrs);
    mine[0]
}

/// The newest direction that a phone was offered or answered in a call.
fn heard_direction(phone: &Phone, call: usize) -> String {
    let described = phone.calls[call].heard.iter().rev().find(|one| !one.body().is_empty()).unwrap();
    let text = String::from_utf8_lossy(described.body()).into_owned();
    let known = ["sendonly", "recvonly", "inactive"].into_iter().find(|one| text.contains(one));
    known.unwrap_or("sendrecv").to_owned()
}

#[test]
fn two_callees_are_connected_with_each_other() {
    everywhere_with(&HANDLED, |trunk| {
        answering(trunk);
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(x, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        let (z, t) = trunk.connect(trunk.pbx, TARGET, trunk.east);
        trunk.request(z, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        refer(trunk, x, z);
        trunk.run(0.5);
        assert_eq!(told(trunk, x), (202, vec![100, 200]));
        assert_eq!(trunk.stage(z), Stage::Over, "its place is taken");
        let bye = trunk.call(z).request(&Method::Bye).unwrap();
        assert!(bye.value(Name::Reason).unwrap().contains("Transferred"));
        trunk.run(5.0);
        assert_eq!(trunk.stage(x), Stage::Over, "it does not hang up by itself");
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Up));
        // Nobody holds any more, and each knows what the other one speaks.
        for call in [y, t] {
            assert_eq!(heard_direction(trunk.phone(call.0), call.1), "sendrecv");
        }
        trunk.request(y, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(y).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(t);
        trunk.run(1.0);
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Over, Stage::Over));
        trunk.finish();
        let (first, second) = (record(trunk, OUTSIDE), record(trunk, TARGET));
        for cdr in [first, second] {
            assert_eq!((cdr.voice_connector_id.as_str(), cdr.direction), ("pbx", Direction::Outbound));
            assert_eq!((cdr.source.number.as_str(), cdr.status_message.as_str()), (PBX, "OK"));
        }
        let ends = [first, second].map(|cdr| cdr.ended_at.as_secs_f64());
        assert!((ends[0] - ends[1]).abs() < 0.01, "both legs cost until the end");
    });
}

/// Call 1 came in, and call 2 too: each side of each call.
#[test]
fn whoever_called_whom() {
    everywhere_with(&HANDLED, |trunk| {
        answering(trunk);
        for (first_in, second_in) in [(false, true), (true, false), (true, true)] {
            let call = |trunk: &mut Trunk, inward: bool, far, number: &str| match inward {
                true => {
                    let (far, own) = trunk.connect(far, PBX, trunk.pbx);
                    (own, far)
                }
                false => trunk.connect(trunk.pbx, number, far),
            };
            let (x, y) = call(trunk, first_in, trunk.east, OUTSIDE);
            let (z, t) = call(trunk, second_in, trunk.branch, BRANCH);
            refer(trunk, x, z);
            trunk.run(5.0);
            assert_eq!(told(trunk, x), (202, vec![100, 200]), "{first_in} {second_in}");
            assert_eq!((trunk.stage(x), trunk.stage(z)), (Stage::Over, Stage::Over));
            assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Up));
            trunk.hang_up(y);
            trunk.run(1.0);
            assert_eq!(trunk.stage(t), Stage::Over);
        }
    });
}

/// The Replaces of `trunk`'s phone for its call `second`, in a Refer-To: Call-ID, to-tag, from-tag.
fn refer_by(trunk: &mut Trunk, first: CallId, [call_id, to, from]: [&str; 3]) {
    let call_id = call_id.replace('@', "%40");
    let target =
        format!("sip:{TARGET}@vc.example.com?Replaces={call_id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{from}");
    trunk.refer(first, &target);
    trunk.run(0.5);
}

/// Call-ID, remote tag and local tag of a phone's dialog.
fn named(trunk: &Trunk, call: CallId) -> [String; 3] {
    let dialog = trunk.call(call).dialog.as_ref().unwrap();
    [&dialog.call_id, &dialog.remote_tag, &dialog.local_tag].map(ToString::to_string)
}

/// A dialog of somebody else's, one that is over or that no tag fits, the call itself, a call for help; two at one time.
#[test]
fn a_place_that_may_not_be_taken() {
    let changes = [HANDLED[0], ("east_peer", "refer = \"handle\"")];
    over_udp(&changes, |trunk| {
        answering(trunk);
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (z, t) = trunk.connect(trunk.pbx, TARGET, trunk.east);
        let (foreign, _) = trunk.connect(trunk.branch, TARGET, trunk.east);
        let (help, _) = trunk.connect(trunk.pbx, "911", trunk.east);
        let (over, _) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let gone = named(trunk, over);
        trunk.hang_up(over);
        trunk.run(40.0);
        let own = named(trunk, z);
        let other = named(trunk, foreign);
        for (names, status) in [
            (other.clone(), 403),
            (named(trunk, help), 403),
            (named(trunk, x), 403),
            (gone, 481),
            ([own[0].clone(), own[1].clone(), other[2].clone()], 481),
            ([own[0].clone(), own[1].clone(), "0".into()], 481),
            (["made@up".into(), own[1].clone(), own[2].clone()], 481),
            ([own[0].clone(), other[1].clone(), own[2].clone()], 481),
        ] {
            let [call_id, to, from] = names.each_ref().map(String::as_str);
            refer_by(trunk, x, [call_id, to, from]);
            assert_eq!(told(trunk, x), (202, vec![100, status]), "{names:?}");
        }
        refer_by(trunk, x, [&own[0], &own[1], &format!("{}%3Bearly-only", own[2])]);
        assert_eq!(told(trunk, x), (202, vec![100, 486]));
        // Of the same carrier's, but not the leg that it has.
        refer_by(trunk, y, [&own[0], &own[1], &own[2]]);
        assert_eq!(told(trunk, y), (202, vec![100, 403]));
        for call in [x, y, z, t, foreign, help] {
            assert_eq!(trunk.stage(call), Stage::Up);
        }
        // As the phone sees the tags itself.
        refer_by(trunk, x, [&own[0], &own[2], &own[1]]);
        trunk.run(5.0);
        assert_eq!(told(trunk, x), (202, vec![100, 200]));
        for call in [y, foreign, help] {
            trunk.hang_up(call);
        }
        trunk.run(1.0);
        assert_eq!(trunk.stage(t), Stage::Over);
    });
}

/// Who stays is just being offered something by who leaves: that is given up, and the transfer goes on.
#[test]
fn the_second_call_is_in_the_middle_of_something() {
    everywhere_with(&HANDLED, |trunk| {
        answering(trunk);
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (z, t) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        answers_by_hand(trunk, trunk.branch);
        trunk.request(z, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        refer(trunk, x, z);
        trunk.run(0.05);
        assert_eq!(told(trunk, x), (202, vec![100]));
        assert_eq!(trunk.stage(z), Stage::Up);
        trunk.phone(trunk.branch).habits.renegotiates = Some(200);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 200]));
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!((trunk.stage(t), trunk.stage(z)), (Stage::Over, Stage::Over));
    });
}

/// Two calls of a phone's, in the first of which it has asked for a transfer to the second; who is transferred has not answered what
/// it is offered there: the calls as the phone and as the others see them.
fn on_the_way(trunk: &mut Trunk) -> [CallId; 4] {
    answering(trunk);
    let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    let (z, t) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
    answers_by_hand(trunk, trunk.east);
    refer(trunk, x, z);
    trunk.run(0.5);
    assert_eq!(told(trunk, x), (202, vec![100]));
    assert_eq!(trunk.call(y).requests().last().map(String::as_str), Some("INVITE"));
    [x, z, y, t]
}

/// Requests cross in both directions of a call.
fn goes_on(trunk: &mut Trunk, one: CallId, other: CallId) {
    trunk.phone(trunk.east).habits.renegotiates = Some(200);
    for (asker, other) in [(one, other), (other, one)] {
        let before = trunk.call(other).requests().len();
        trunk.request(asker, Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        assert_eq!(trunk.call(asker).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!(trunk.call(other).requests().len(), before + 2, "INVITE and ACK");
    }
}

/// Both calls are as they were.
#[test]
fn who_is_transferred_refuses_to_speak_with_the_other() {
    everywhere_with(&HANDLED, |trunk| {
        let [x, z, y, t] = on_the_way(trunk);
        trunk.request(z, Method::Invite, Some("sendonly"));
        trunk.run(0.5);
        assert_eq!(trunk.call(z).statuses(&Method::Invite).last(), Some(&500), "not now");
        answer(trunk, y, 488);
        trunk.run(1.0);
        assert_eq!(told(trunk, x), (202, vec![100, 488]));
        goes_on(trunk, x, y);
        goes_on(trunk, z, t);
        // And it may be tried again.
        refer(trunk, x, z);
        trunk.run(6.0);
        assert_eq!(told(trunk, x), (202, vec![100, 200]));
        assert_eq!((trunk.stage(x), trunk.stage(z)), (Stage::Over, Stage::Over));
        goes_on(trunk, y, t);
        trunk.hang_up(t);
        trunk.run(1.0);
        assert_eq!(trunk.stage(y), Stage::Over);
    });
}

/// Each of the four ends while one of them is on its way.
#[test]
fn somebody_hangs_up_on_the_way() {
    // Who hangs up: the first call of who asked, its second, who is transferred, who stays. What is up 2 s later, and once the one on
    // its way has taken what it was offered.
    for (who, then, last) in [
        (0, [false, true, true, true], [false, false, true, true]),
        (1, [true, false, true, true], [false, false, true, true]),
        (2, [false, true, false, true], [false, true, false, true]),
        (3, [true, false, true, false], [true, false, true, false]),
    ] {
        everywhere_with(&HANDLED, |trunk| {
            let calls = on_the_way(trunk);
            let are_up = |trunk: &Trunk| calls.map(|call| trunk.stage(call) == Stage::Up);
            trunk.hang_up(calls[who]);
            trunk.run(2.0);
            assert_eq!(are_up(trunk), then, "{who}");
            trunk.phone(trunk.east).habits.renegotiates = Some(200);
            if who < 2 {
                answer(trunk, calls[2], 200);
            }
            trunk.run(6.0);
            assert_eq!(are_up(trunk), last, "{who}");
            for call in calls {
                if trunk.stage(call) == Stage::Up {
                    trunk.hang_up(call);
                    trunk.run(1.0);
                }
            }
            assert_eq!(are_up(trunk), [false; 4]);
        });
    }
}

/// Who comes to a call leaves it for another one, from shard to shard, and comes back.
#[test]
fn from_call_to_call() {
    for seconds in [0.3, 6.0] {
        everywhere_with(&HANDLED, |trunk| {
            answering(trunk);
            let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let mut stays = x;
            // pbx calls itself a new second call each time, and is who stays in the next one, too.
            for _ in 0..4 {
                let (z, t) = trunk.connect(trunk.pbx, PBX, trunk.pbx);
                refer(trunk, stays, z);
                trunk.run(seconds);
                assert_eq!(told(trunk, stays), (202, vec![100, 200]));
                assert_eq!(trunk.stage(z), Stage::Over);
                stays = t;
                goes_on(trunk, y, stays);
            }
            assert_eq!(trunk.world.handed_on > 0, trunk.world.cores.len() > 1, "from shard to shard");
            trunk.request(y, Method::Info, None);
            trunk.run(1.0);
            trunk.hang_up(y);
            trunk.run(1.0);
            assert_eq!(trunk.stage(stays), Stage::Over);
            trunk.run(5.0);
            // The first call's other leg has cost until the end, and each other one as long as somebody was there.
            let mut ends: Vec<_> = trunk.world.cdrs.iter().map(|cdr| cdr.ended_at).collect();
            ends.sort();
            assert!(trunk.world.cdrs.iter().all(|cdr| cdr.status_message == "OK"), "{:#?}", trunk.world.cdrs);
        });
    }
}

/// The gateway drains, and is told to stop, with a transfer on its way and after it.
#[test]
fn the_gateway_stops_meanwhile() {
    for joined in [false, true] {
        for stops in [false, true] {
            everywhere_with(&HANDLED, |trunk| {
                let [x, z, y, t] = on_the_way(trunk);
                if joined {
                    trunk.phone(trunk.east).habits.renegotiates = Some(200);
                    answer(trunk, y, 200);
                    trunk.run(0.5);
                }
                for shard in 0..trunk.world.cores.len() {
                    trunk.world.input(shard as u16, if stops { Input::Stop } else { Input::Drain });
                }
                trunk.run(1.0);
                trunk.phone(trunk.east).habits.renegotiates = Some(200);
                if !joined && !stops {
                    answer(trunk, y, 200);
                }
                trunk.run(40.0);
                if !stops {
                    assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Up));
                    assert!(trunk.world.drained.len() < trunk.world.cores.len());
                    trunk.hang_up(y);
                    trunk.run(40.0);
                }
                for call in [x, y, z, t] {
                    assert_eq!(trunk.stage(call), Stage::Over);
                }
                trunk.world.drained.sort_unstable();
                trunk.world.drained.dedup();
                assert_eq!(trunk.world.drained.len(), trunk.world.cores.len());
                assert_eq!(trunk.world.cdrs.len(), 3, "{:#?}", trunk.world.cdrs);
            });
        }
    }
}

/// What the journal has of a call hangs up who is in it now.
#[test]
fn the_journal_knows_who_came() {
    everywhere_with(&HANDLED, |trunk| {
        let [_, _, y, t] = on_the_way(trunk);
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        answer(trunk, y, 200);
        trunk.run(0.5);
        let state = String::from_utf8_lossy(&trunk.world.journaled.last().unwrap().state).into_owned();
        for call in [y, t] {
            assert!(state.contains(&trunk.call(call).call_id()), "{state}");
        }
        trunk.hang_up(y);
        trunk.run(1.0);
    });
}

/// A call of the phone's that is up, and one of its own that rings.
fn ringing(trunk: &mut Trunk) -> [CallId; 4] {
    answering(trunk);
    let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    let z = trunk.dial(trunk.pbx, BRANCH);
    trunk.run(0.5);
    let t = trunk.incoming(trunk.branch);
    trunk.respond(t, 180);
    trunk.run(0.5);
    refer(trunk, x, z);
    trunk.run(0.5);
    assert_eq!(told(trunk, x), (202, vec![100, 180]));
    [x, z, y, t]
}

/// The target has not answered: the transfer waits for that, whether who asked waits too or gives one or both of its calls up.
#[test]
fn the_target_still_rings() {
    for (cancels, hangs_up) in [(false, false), (true, false), (false, true), (true, true)] {
        everywhere_with(&HANDLED, |trunk| {
            let [x, z, y, t] = ringing(trunk);
            if cancels {
                trunk.cancel(z);
            }
            if hangs_up {
                trunk.hang_up(x);
            }
            trunk.run(1.0);
            assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Up, Stage::Open), "{cancels} {hangs_up}");
            assert_eq!(trunk.call(z).answers().contains(&487), cancels);
            trunk.respond(t, 200);
            trunk.run(6.0);
            assert_eq!(told(trunk, x), (202, vec![100, 180, 200]));
            assert_eq!((trunk.stage(x), trunk.stage(z)), (Stage::Over, Stage::Over));
            goes_on(trunk, y, t);
            trunk.hang_up(y);
            trunk.run(1.0);
            assert_eq!(trunk.stage(t), Stage::Over);
        });
    }
}

#[test]
fn the_target_rings_and_does_not_answer() {
    for cancels in [false, true] {
        everywhere_with(&HANDLED, |trunk| {
            let [x, z, y, t] = ringing(trunk);
            if cancels {
                trunk.cancel(z);
                trunk.run(0.5);
            }
            trunk.respond(t, 486);
            trunk.run(1.0);
            assert_eq!(told(trunk, x), (202, vec![100, 180, 486]));
            assert_eq!(trunk.stage(z), Stage::Over);
            goes_on(trunk, x, y);
            trunk.hang_up(x);
            trunk.run(1.0);
            assert_eq!(trunk.stage(y), Stage::Over);
        });
    }
}

/// Who was to be transferred is gone: the target rings on for who called it.
#[test]
fn who_is_transferred_hangs_up_while_the_target_rings() {
    everywhere_with(&HANDLED, |trunk| {
        let [x, z, y, t] = ringing(trunk);
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!((trunk.stage(x), trunk.stage(z), trunk.stage(t)), (Stage::Over, Stage::Open, Stage::Open));
        trunk.respond(t, 200);
        trunk.run(1.0);
        goes_on(trunk, z, t);
        trunk.hang_up(z);
        trunk.run(1.0);
        assert_eq!(trunk.stage(t), Stage::Over);
    });
}

/// RFC 3891 §3: a call that has come in and was not answered is nobody's to replace.
#[test]
fn a_call_that_was_not_answered_by_who_asks() {
    everywhere_with(&HANDLED, |trunk| {
        answering(trunk);
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let t = trunk.dial(trunk.branch, PBX);
        trunk.run(0.5);
        let z = trunk.incoming(trunk.pbx);
        trunk.respond(z, 180);
        trunk.run(0.5);
        let invite = trunk.call(z).invite.clone();
        let [call_id, from] = [invite.call_id().unwrap(), &invite.from_tag().unwrap()].map(str::to_owned);
        let own = trunk.call(z).local_tag.clone();
        refer_by(trunk, x, [&call_id, &from, &own]);
        assert_eq!(told(trunk, x), (202, vec![100, 481]));
        trunk.respond(z, 200);
        trunk.run(1.0);
        assert_eq!((trunk.stage(t), trunk.stage(z)), (Stage::Up, Stage::Up));
        for call in [y, t] {
            trunk.hang_up(call);
        }
        trunk.run(1.0);
    });
}

/// A dialog that a party has with others, or a user of its own: the call goes back to that party, in its own words, and to
/// nobody else.
#[test]
fn a_dialog_of_others() {
    everywhere_with(&HANDLED, |trunk| {
        answering(trunk);
        let (y, x) = trunk.connect(trunk.east, PBX, trunk.pbx);
        let host = "pbx.example.com;x-m=8:orgid:1";
        let named = format!("sip:{PBX}@{host}?Replaces=1%40pbx%3Bto-tag%3Da%3Bfrom-tag%3Db");
        let users = format!("sip:{host}");
        for (target, uri, replaces) in [
            (named.as_str(), format!("sip:{PBX}@{host}"), Some("1@pbx;to-tag=a;from-tag=b")),
            (users.as_str(), users.clone(), None),
        ] {
            trunk.refer(x, target);
            trunk.run(0.5);
            let t = trunk.incoming(trunk.pbx);
            assert_ne!(t, x);
            let invite = trunk.call(t).invite.clone();
            assert_eq!(invite.request_uri(), Some(uri.as_str()));
            assert_eq!(invite.value(Name::Replaces).as_deref(), replaces);
            assert!(invite.value(Name::ReferredBy).unwrap().contains("sip:pbx@"), "{invite:?}");
            trunk.respond(t, 486);
            trunk.run(1.0);
            assert_eq!(told(trunk, x), (202, vec![100, 486]));
        }
        // To a carrier it would mean nothing.
        trunk.refer(x, &named.replace(PBX, OUTSIDE));
        trunk.run(0.5);
        assert_eq!(told(trunk, x), (202, vec![100, 481]));
        trunk.refer(x, &named);
        trunk.run(0.5);
        let t = trunk.incoming(trunk.pbx);
        trunk.respond(t, 200);
        trunk.run(6.0);
        assert_eq!(told(trunk, x), (202, vec![100, 200]));
        goes_on(trunk, y, t);
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!(trunk.stage(t), Stage::Over);
    });
}

/// Another process goes on with the call: its parties still send to the shards that their tags name.
#[test]
fn another_process_goes_on_with_who_came() {
    everywhere_with(&HANDLED, |trunk| {
        let [x, z, y, t] = on_the_way(trunk);
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        answer(trunk, y, 200);
        trunk.run(6.0);
        assert_eq!((trunk.stage(x), trunk.stage(z)), (Stage::Over, Stage::Over));
        // What is left to say to these two has been said.
        trunk.run(40.0);
        let now = trunk.world.clocks();
        for (shard, calls) in trunk.world.restart().into_iter().enumerate() {
            for call in calls {
                trunk.world.cores[shard].adopt(now, serde_json::from_str(&call).unwrap()).unwrap();
                trunk.world.settle(shard as u16);
            }
        }
        trunk.run(0.1);
        goes_on(trunk, y, t);
        trunk.hang_up(y);
        trunk.run(1.0);
        assert_eq!(trunk.stage(t), Stage::Over);
    });
}

/// What who is transferred asks for on its way goes to nobody once it has left.
#[test]
fn an_offer_of_who_leaves_on_the_way() {
    everywhere_with(&HANDLED, |trunk| {
        let [x, z, y, t] = on_the_way(trunk);
        let before = trunk.call(t).requests().len();
        trunk.request(y, Method::Invite, Some("sendonly"));
        trunk.run(0.2);
        trunk.hang_up(y);
        trunk.run(2.0);
        assert_eq!(trunk.call(t).requests().len(), before);
        assert_eq!((trunk.stage(x), trunk.stage(z), trunk.stage(t)), (Stage::Over, Stage::Up, Stage::Up));
        trunk.hang_up(z);
        trunk.run(1.0);
    });
}

/// The call ends to which a party is on its way back from another shard: what the party says then goes round between the two
/// shards no more than once.
#[test]
fn the_call_ends_to_which_somebody_returns() {
    for (steps, shard) in (0..24).flat_map(|steps| [(steps, 0), (steps, 1)]) {
        let mut trunk = Trunk::new(&HANDLED, Transport::Udp, 2, 2);
        let [_, _, y, _] = on_the_way(&mut trunk);
        answer(&mut trunk, y, 488);
        trunk.hang_up(y);
        (0..steps).for_each(|_| trunk.world.go_on());
        trunk.world.input(shard, Input::Stop);
        trunk.run(2.0);
        assert!(trunk.world.handed_on < 50, "{} after {steps} steps", trunk.world.handed_on);
    }
}

/// The same where that call has been forgotten by then: its party is hung up, and nobody is asked for it any more.
#[test]
fn who_returns_to_a_call_that_was_forgotten_is_hung_up() {
    let mut dismissed = 0;
    for (steps, shard) in (0..24).flat_map(|steps| [(steps, 0), (steps, 1)]) {
        let mut trunk = Trunk::new(&HANDLED, Transport::Udp, 2, 2);
        let [_, _, y, _] = on_the_way(&mut trunk);
        answer(&mut trunk, y, 488);
        (0..steps).for_each(|_| trunk.world.go_on());
        trunk.world.forget_calls(shard);
        trunk.run(1.0);
        let byes = |trunk: &Trunk| trunk.call(y).requests().iter().filter(|one| *one == "BYE").count();
        dismissed += usize::from(byes(&trunk) > 0 && trunk.stage(y) == Stage::Over);
        trunk.hang_up(y);
        trunk.run(2.0);
        assert!(trunk.world.handed_on < 50, "{} after {steps} steps", trunk.world.handed_on);
    }
    assert!(dismissed > 0, "nobody was hung up");
}
