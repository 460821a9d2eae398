//! An INVITE with Replaces takes the place of a party in a call that is up: who picks a call up from another phone, and who was
//! asked to by a REFER. RFC 3891.

use sip::{Message, Method, Name};

use super::blind_transfer::told;
use super::media::Speaks;
use super::phone::{Abilities, Stage};
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::CallId;

/// Replaces that names the dialog of a call, as the gateway knows it.
fn replaces(trunk: &Trunk, call: CallId) -> String {
    let dialog = trunk.call(call).dialog.as_ref().unwrap();
    format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.remote_tag, dialog.local_tag)
}

pub(super) fn take(trunk: &mut Trunk, phone: super::world::PhoneId, value: &str) -> CallId {
    let call = trunk.dial_with(phone, OUTSIDE, &[("Replaces", value), ("Require", "replaces")]);
    trunk.run(1.0);
    call
}

pub(super) fn statuses(trunk: &Trunk, call: CallId) -> Vec<u16> {
    trunk.heard(call).into_iter().filter(|status| *status >= 200).collect()
}

/// The media workers know of the party what it has agreed on: its keys above all.
fn workers_know(trunk: &Trunk, call: CallId) {
    let agreed = trunk.call(call).media.agreed().unwrap();
    let told = trunk.world.told_of(agreed.port).map(|remote| (&remote.srtp, remote.on_hold));
    assert_eq!(told, Some((&agreed.keys, agreed.on_hold)));
}

/// The customer speaks SRTP, with new keys in each description.
const SECURE: [Change; 1] = [("pbx_peer", "srtp = \"optional\"")];

fn speaks_srtp(trunk: &mut Trunk) {
    for phone in [trunk.pbx, trunk.east] {
        trunk.able(phone, Abilities::default());
    }
    trunk.phone(trunk.pbx).speaks = Speaks::Either;
    trunk.phone(trunk.pbx).rekeys = true;
}

/// Requests cross between the two, and a BYE ends both.
pub(super) fn are_one_call(trunk: &mut Trunk, one: CallId, other: CallId) {
    for (asker, direction) in [(one, "sendonly"), (other, "sendrecv"), (one, "sendrecv")] {
        trunk.request(asker, Method::Invite, Some(direction));
        trunk.run(1.0);
        assert_eq!(trunk.call(asker).statuses(&Method::Invite).last(), Some(&200));
        trunk.assert_agreed(one, other);
    }
    trunk.hang_up(other);
    trunk.run(1.0);
    assert_eq!((trunk.stage(one), trunk.stage(other)), (Stage::Over, Stage::Over));
}

/// Another phone of the same house takes the call over, from the side that called and from the one that was called.
#[test]
fn who_has_a_place_may_take_it_with_another_phone() {
    for offers in [true, false] {
        everywhere_with(&SECURE, |trunk| {
            speaks_srtp(trunk);
            for called in [false, true] {
                let (x, y) = match called {
                    false => trunk.connect(trunk.pbx, OUTSIDE, trunk.east),
                    true => {
                        let (y, x) = trunk.connect(trunk.east, PBX, trunk.pbx);
                        (x, y)
                    }
                };
                let supports =
                    |message: &Message| message.values(Name::Supported).any(|one| one == "replaces");
                assert!(trunk.call(x).heard.iter().any(supports), "called: {called}");
                let value = replaces(trunk, x);
                let n = match offers {
                    true => take(trunk, trunk.pbx, &value),
                    false => {
                        let call = trunk.world.with(trunk.pbx, |phone, now| {
                            let invite = phone.invite("vc.example.com", PBX, OUTSIDE, false);
                            phone.place(now, invite.header(Name::Replaces, &value).build())
                        });
                        trunk.run(1.0);
                        CallId(trunk.pbx, call)
                    }
                };
                assert_eq!(statuses(trunk, n), [200]);
                assert_eq!(
                    (trunk.stage(n), trunk.stage(x), trunk.stage(y)),
                    (Stage::Up, Stage::Over, Stage::Up)
                );
                assert_eq!(trunk.call(x).requests().last().map(String::as_str), Some("BYE"));
                trunk.assert_agreed(n, y);
                workers_know(trunk, n);
                assert!(!trunk.call(y).heard.iter().any(|message| message.has(Name::Replaces)));
                are_one_call(trunk, n, y);
            }
            trunk.finish();
            assert_eq!(trunk.world.cdrs.len(), 2, "a place in a call is no call: {:#?}", trunk.world.cdrs);
        });
    }
}

#[test]
fn a_newcomer_that_the_other_side_refuses_changes_nothing() {
    everywhere_with(&SECURE, |trunk| {
        speaks_srtp(trunk);
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let value = replaces(trunk, x);
        for (status, told) in [(488, 488), (603, 603), (491, 500)] {
            trunk.phone(trunk.east).habits.renegotiates = Some(status);
            let n = take(trunk, trunk.pbx, &value);
            assert_eq!(statuses(trunk, n), [told]);
            assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
            workers_know(trunk, x);
        }
        // An answer of no use.
        trunk.phone(trunk.east).habits.renegotiates = Some(200);
        trunk.phone(trunk.east).abilities.spoils = 1;
        let n = take(trunk, trunk.pbx, &value);
        assert_eq!(statuses(trunk, n), [488]);
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        are_one_call(trunk, x, y);
    });
}

/// RFC 3891 §3; and nobody takes what is somebody else's.
#[test]
fn a_replaces_that_is_not_obeyed() {
    everywhere(|trunk| {
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let (mine, theirs) = (replaces(trunk, x), replaces(trunk, y));
        let call_id = trunk.call(x).call_id();
        for (phone, value, status) in [
            (trunk.branch, mine.clone(), 403),
            (trunk.east, mine.clone(), 403),
            (trunk.pbx, theirs, 403),
            (trunk.pbx, format!("{mine};early-only"), 486),
            (trunk.pbx, mine.replace(&call_id, "another"), 481),
            (trunk.pbx, mine.replace("from-tag=", "from-tag=x"), 481),
            (trunk.pbx, "a@b;to-tag=1;from-tag=2".to_owned(), 481),
            (trunk.pbx, "a@b;to-tag=1".to_owned(), 400),
            (trunk.pbx, format!("{mine}, {mine}"), 400),
        ] {
            let n = take(trunk, phone, &value);
            assert_eq!(statuses(trunk, n), [status], "{value}");
        }
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        assert_eq!(trunk.call(y).requests(), ["INVITE", "ACK"]);
        trunk.hang_up(x);
        trunk.run(0.2);
        let n = take(trunk, trunk.pbx, &mine);
        assert!(matches!(statuses(trunk, n)[..], [603 | 481]), "it is over");
        let early = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let ringing = trunk.incoming(trunk.east);
        trunk.respond(ringing, 180);
        trunk.run(0.5);
        let dialog = trunk.call(early).response(180).unwrap().clone();
        let value = format!(
            "{};to-tag={};from-tag={}",
            trunk.call(early).call_id(),
            dialog.to_tag().unwrap(),
            dialog.from_tag().unwrap()
        );
        let n = take(trunk, trunk.pbx, &value);
        assert_eq!(statuses(trunk, n), [481], "nobody but who calls may end that");
        trunk.respond(ringing, 486);
        trunk.run(1.0);
        let (help, _) = trunk.connect(trunk.pbx, "911", trunk.east);
        let value = replaces(trunk, help);
        let n = take(trunk, trunk.pbx, &value);
        assert_eq!(statuses(trunk, n), [403]);
        // Who calls for help gets it.
        let n = trunk.dial_with(trunk.pbx, "911", &[("Replaces", &value)]);
        trunk.run(1.0);
        let desk = trunk.incoming(trunk.east);
        trunk.respond(desk, 200);
        trunk.run(1.0);
        assert_eq!(statuses(trunk, n), [200]);
        trunk.hang_up(help);
        trunk.hang_up(n);
        trunk.run(1.0);
    });
}

/// The newcomer gives up, or a party hangs up, while the other side thinks about it.
#[test]
fn who_leaves_while_a_newcomer_waits() {
    for who in 0..4 {
        everywhere(|trunk| {
            for phone in [trunk.pbx, trunk.east] {
                trunk.able(phone, Abilities::default());
            }
            let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
            let value = replaces(trunk, x);
            trunk.phone(trunk.east).habits.renegotiates = None;
            let n = take(trunk, trunk.pbx, &value);
            assert_eq!(statuses(trunk, n), [0; 0]);
            let second = take(trunk, trunk.pbx, &value);
            assert_eq!(statuses(trunk, second), [500], "one at a time");
            match who {
                0 => trunk.cancel(n),
                1 => {
                    trunk.cancel(n);
                    trunk.run(0.001);
                    trunk.phone(trunk.east).habits.renegotiates = Some(200);
                    trunk.world.with(y.0, |phone, now| phone.answer_offer(now, y.1, 200));
                }
                2 => trunk.hang_up(x),
                _ => trunk.hang_up(y),
            }
            trunk.run(1.0);
            if who < 2 {
                assert_eq!(statuses(trunk, n), [487]);
                assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
                trunk.phone(trunk.east).habits.renegotiates = Some(200);
                trunk.run(35.0);
                are_one_call(trunk, x, y);
            } else {
                assert_eq!(statuses(trunk, n), [603]);
                assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Over, Stage::Over));
            }
        });
    }
}

/// Copies of the INVITE and its CANCEL go where it went, whichever shard they come to; so does the call for help that takes no
/// place, and so they do once the dialog of Replaces is no more.
#[test]
fn what_follows_such_an_invite_finds_it() {
    everywhere(|trunk| {
        for phone in [trunk.pbx, trunk.east] {
            trunk.able(phone, Abilities::default());
        }
        let (x, y) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let value = replaces(trunk, x);
        for round in 0..8 {
            trunk.phone(trunk.east).habits.renegotiates = None;
            let n = take(trunk, trunk.pbx, &value);
            let copy = trunk.call(n).invite.clone();
            trunk.world.send(trunk.pbx, copy.clone());
            trunk.run(0.5);
            assert_eq!(statuses(trunk, n), [0; 0], "round {round}: a copy is none of its own");
            trunk.cancel(n);
            trunk.run(0.5);
            assert_eq!(statuses(trunk, n), [487], "round {round}");
            trunk.phone(trunk.east).habits.renegotiates = Some(200);
            trunk.run(33.0);
        }
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Up, Stage::Up));
        for round in 0..4 {
            let help = trunk.dial_with(trunk.pbx, "911", &[("Replaces", &value)]);
            trunk.run(1.0);
            let desk = trunk.incoming(trunk.east);
            trunk.respond(desk, 180);
            trunk.run(0.5);
            trunk.cancel(help);
            trunk.run(0.5);
            assert_eq!(statuses(trunk, help), [487], "round {round}");
            assert_eq!(trunk.stage(desk), Stage::Over, "round {round}: nobody rings for ever");
        }
        are_one_call(trunk, x, y);
    });
}

/// Who makes up tags has no more of them than of anything else: an answer, at a shard that is.
#[test]
fn a_tag_of_a_shard_that_is_not() {
    everywhere(|trunk| {
        for shard in 0..6 {
            let tag = crate::ids::Tokens::new(0, shard, Box::new(crate::random::SeededRandom::new(1))).tag();
            let n = take(trunk, trunk.pbx, &format!("a@b;to-tag={tag};from-tag=1"));
            assert_eq!(statuses(trunk, n), [481], "shard {shard}");
        }
    });
}

/// Who has two calls asks the other party of one, by a REFER that is passed on, to take its place in the other one.
#[test]
fn who_was_asked_by_a_refer_takes_the_place() {
    everywhere_with(&[("pbx_peer", "refer = \"pass\"")], |trunk| {
        for phone in [trunk.pbx, trunk.branch, trunk.east] {
            trunk.able(phone, Abilities { refer: true, ..Abilities::default() });
        }
        let (x, y) = trunk.connect(trunk.pbx, BRANCH, trunk.branch);
        let (x2, t) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        // Before it was asked it may not.
        let value = replaces(trunk, x2);
        let n = take(trunk, trunk.branch, &value);
        assert_eq!(statuses(trunk, n), [403]);
        trunk.refer_attended(x, x2, &format!("sip:{OUTSIDE}@vc.example.com"));
        trunk.run(1.0);
        assert_eq!(told(trunk, x).0, 202);
        assert_eq!(told(trunk, x).1.last(), Some(&200), "{:?}", told(trunk, x));
        assert_eq!((trunk.stage(x), trunk.stage(x2), trunk.stage(t)), (Stage::Up, Stage::Over, Stage::Up));
        trunk.hang_up(x);
        trunk.run(1.0);
        assert_eq!((trunk.stage(y), trunk.stage(t)), (Stage::Over, Stage::Up));
        let n = trunk.world.phones[trunk.branch.0].calls.iter().rposition(|call| call.caller).unwrap();
        are_one_call(trunk, CallId(trunk.branch, n), t);
        trunk.finish();
        let bills: Vec<_> = trunk.world.cdrs.iter().map(|cdr| cdr.destination.number.as_str()).collect();
        assert_eq!(bills.iter().filter(|number| **number == OUTSIDE).count(), 1, "{bills:?}");
    });
}
