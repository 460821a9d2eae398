//! Somebody picks up what rings at another phone of its house, by INVITE with Replaces. RFC 3891 §3, RFC 5359 §2.15.

use std::time::Duration;

use sip::{Method, Name};

use super::invite_with_replaces::{are_one_call, statuses, take};
use super::phone::{Abilities, Rel100, Stage};
use super::trunk::{BRANCH, Change, OUTSIDE, PBX, Trunk, everywhere, everywhere_with};
use super::world::{Answers, CallId};
use crate::direction::Direction;

/// The customer speaks SRTP, with new keys in each description.
const SECURE: [Change; 1] = [("pbx_peer", "srtp = \"optional\"")];

/// Replaces that names the dialog of a callee that rings, under the tag that it gave.
fn rings_as(trunk: &Trunk, call: CallId, tag: &str) -> String {
    let call = trunk.call(call);
    format!("{};to-tag={};from-tag={tag}", call.call_id(), call.invite.from_tag().unwrap())
}

fn rings(trunk: &Trunk, call: CallId) -> String {
    rings_as(trunk, call, &trunk.call(call).local_tag)
}

/// A call from outside that rings at the customer's.
fn ringing(trunk: &mut Trunk, status: u16) -> (CallId, CallId, String) {
    let (x, y) = trunk.reach(trunk.east, PBX, trunk.pbx);
    trunk.respond(y, status);
    trunk.run(0.5);
    let value = rings(trunk, y);
    (x, y, value)
}

fn is_picked_up(trunk: &mut Trunk, x: CallId, y: CallId, n: CallId) {
    assert_eq!((statuses(trunk, n), statuses(trunk, x)), (vec![200], vec![200]));
    assert_eq!((trunk.stage(x), trunk.stage(y), trunk.stage(n)), (Stage::Up, Stage::Over, Stage::Up));
    let cancel = trunk.call(y).request(&Method::Cancel).unwrap();
    assert!(cancel.value(Name::Reason).unwrap().contains("completed elsewhere"));
    trunk.assert_agreed(x, n);
    are_one_call(trunk, x, n);
}

fn able(trunk: &mut Trunk, rel100: Rel100) {
    for phone in [trunk.pbx, trunk.east] {
        trunk.able(phone, Abilities { rel100, ..Abilities::default() });
    }
}

#[test]
fn a_third_phone_takes_the_call_that_rings() {
    for secure in [false, true] {
        everywhere_with(if secure { &SECURE } else { &[] }, |trunk| {
            able(trunk, Rel100::Unknown);
            if secure {
                trunk.phone(trunk.pbx).speaks = super::media::Speaks::Either;
                trunk.phone(trunk.pbx).rekeys = true;
            }
            for status in [180, 183] {
                let (x, y, value) = ringing(trunk, status);
                let early = if status == 180 { value } else { format!("{value};early-only") };
                let n = take(trunk, trunk.pbx, &early);
                is_picked_up(trunk, x, y, n);
            }
            trunk.finish();
            assert_eq!(trunk.world.cdrs.len(), 2, "a place in a call is no call: {:#?}", trunk.world.cdrs);
            for cdr in &trunk.world.cdrs {
                assert_eq!((cdr.voice_connector_id.as_str(), cdr.direction), ("pbx", Direction::Inbound));
                assert!(cdr.answered_at.is_some(), "{cdr:#?}");
            }
        });
    }
}

/// A carrier's other phone; and between two customers, of whom one may pick up.
#[test]
fn whoever_is_called() {
    everywhere(|trunk| {
        able(trunk, Rel100::Unknown);
        let (x, y) = trunk.reach(trunk.pbx, OUTSIDE, trunk.east);
        trunk.respond(y, 180);
        trunk.run(0.5);
        let value = rings(trunk, y);
        let n = take(trunk, trunk.east, &value);
        is_picked_up(trunk, x, y, n);
        let (x, y) = trunk.reach(trunk.pbx, BRANCH, trunk.branch);
        trunk.respond(y, 180);
        trunk.run(0.5);
        let value = rings(trunk, y);
        let n = take(trunk, trunk.pbx, &value);
        assert_eq!(statuses(trunk, n), [403], "who calls is not who is called");
        let n = take(trunk, trunk.branch, &value);
        is_picked_up(trunk, x, y, n);
    });
}

/// RFC 3891 §3: no dialog that we did not begin, and nobody's but one's own.
#[test]
fn who_may_not_pick_up() {
    everywhere(|trunk| {
        able(trunk, Rel100::Unknown);
        let (x, y, value) = ringing(trunk, 180);
        let rings = trunk.call(x).response(180).unwrap().clone();
        let (to, from) = (rings.to_tag().unwrap(), rings.from_tag().unwrap());
        let callers = format!("{};to-tag={to};from-tag={from}", trunk.call(x).call_id());
        for (phone, value, status) in [
            (trunk.branch, value.clone(), 403),
            (trunk.east, value.clone(), 403),
            (trunk.west, value.clone(), 403),
            (trunk.east, callers, 481),
            (trunk.pbx, value.replace("from-tag=", "from-tag=x"), 481),
        ] {
            let n = take(trunk, phone, &value);
            assert_eq!(statuses(trunk, n), [status], "{value}");
        }
        // Without an offer there is nothing that the caller could be answered.
        let silent = trunk.world.with(trunk.pbx, |phone, now| {
            let invite = phone.invite("vc.example.com", PBX, OUTSIDE, false);
            phone.place(now, invite.header(Name::Replaces, &value).build())
        });
        trunk.run(1.0);
        assert_eq!(statuses(trunk, CallId(trunk.pbx, silent)), [488]);
        assert_eq!((trunk.stage(x), trunk.stage(y)), (Stage::Open, Stage::Open));
        trunk.respond(y, 200);
        trunk.run(1.0);
        let n = take(trunk, trunk.pbx, &format!("{value};early-only"));
        assert_eq!(statuses(trunk, n), [486], "it has been answered");
        are_one_call(trunk, x, y);
        // A callee that has not rung has no dialog.
        let (x, y) = trunk.reach(trunk.east, PBX, trunk.pbx);
        let value = self::rings(trunk, y);
        let n = take(trunk, trunk.pbx, &value);
        assert_eq!(statuses(trunk, n), [481]);
        trunk.respond(y, 486);
        trunk.run(1.0);
        assert_eq!(trunk.stage(x), Stage::Over);
        let (help, desk) = trunk.reach(trunk.pbx, "911", trunk.east);
        trunk.respond(desk, 180);
        trunk.run(0.5);
        let value = self::rings(trunk, desk);
        let n = take(trunk, trunk.east, &value);
        assert_eq!(statuses(trunk, n), [403]);
        trunk.respond(desk, 200);
        trunk.run(1.0);
        trunk.hang_up(help);
        trunk.run(1.0);
    });
}

/// What rang reliably, and what was agreed on by that, is of a dialog that is no more.
#[test]
fn what_rings_reliably() {
    everywhere(|trunk| {
        able(trunk, Rel100::Supported);
        for (status, hears) in [(180, true), (183, true), (180, false), (183, false)] {
            let (x, y) = trunk.reach(trunk.east, PBX, trunk.pbx);
            trunk.respond(y, status);
            // Before or after the PRACK.
            trunk.run(if hears { 0.5 } else { 0.005 });
            let value = rings(trunk, y);
            let n = take(trunk, trunk.pbx, &value);
            is_picked_up(trunk, x, y, n);
            trunk.run(35.0);
        }
    });
}

/// Several phones of the house ring under one INVITE: whichever is named, all of them stop.
#[test]
fn who_rings_at_several_phones() {
    everywhere(|trunk| {
        able(trunk, Rel100::Unknown);
        for named in [0, 1] {
            let (x, y) = trunk.reach(trunk.east, PBX, trunk.pbx);
            let forks = [trunk.phone(y.0).fork_tag(), trunk.phone(y.0).fork_tag()];
            for fork in &forks {
                trunk.respond_as(y, 183, fork);
                trunk.run(0.3);
            }
            let value = rings_as(trunk, y, &forks[named]);
            let n = take(trunk, trunk.pbx, &value);
            is_picked_up(trunk, x, y, n);
        }
    });
}

/// Somebody thinks better of it while the journal is asked, or answers all the same.
#[test]
fn who_leaves_on_the_way() {
    for who in 0..4 {
        everywhere(|trunk| {
            able(trunk, Rel100::Unknown);
            trunk.world.journal = Answers::After(Duration::from_millis(500));
            let (x, y, value) = ringing(trunk, 180);
            let call = trunk.dial_with(trunk.pbx, OUTSIDE, &[("Replaces", &value)]);
            trunk.run(0.015);
            match who {
                0 => trunk.cancel(x),
                1 => {
                    trunk.run(0.1);
                    trunk.cancel(call);
                }
                // The CANCEL crosses its 200.
                2 => trunk.respond(y, 200),
                _ => trunk.early_bye(x),
            }
            trunk.run(3.0);
            assert_eq!(trunk.stage(y), Stage::Over);
            match who {
                0 | 3 => assert_eq!((statuses(trunk, x), statuses(trunk, call)), (vec![487], vec![603])),
                1 => assert_eq!((statuses(trunk, x), statuses(trunk, call)), (vec![480], vec![487])),
                _ => {
                    assert_eq!(trunk.call(y).requests().last().map(String::as_str), Some("BYE"));
                    are_one_call(trunk, x, call);
                }
            }
        });
    }
}
