//! Re-INVITE and UPDATE cross from either side; two at once are told apart; one is cancelled.

use std::time::Duration;

use sip::Method;
use sip::sdp::Sdp;

use super::phone::Stage;
use super::trunk::{OUTSIDE, everywhere, everywhere_with};
use super::world::World;
use crate::media::{Command, Side};

/// What the media workers were last told of a leg.
fn held(world: &World, side: Side) -> Option<bool> {
    world.media_log.iter().rev().find_map(|(_, command)| match command {
        Command::Remote { side: of, remote, .. } if *of == side => Some(remote.on_hold),
        _ => None,
    })
}

#[test]
fn either_side_holds_and_resumes() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for (asks, hears, side) in [(a, b, Side::A), (b, a, Side::B)] {
            for (direction, hold) in
                [("sendonly", true), ("sendrecv", false), ("inactive", true), ("sendrecv", false)]
            {
                trunk.request(asks, Method::Invite, Some(direction));
                trunk.run(1.0);
                let offer = trunk.call(hears).request(&Method::Invite).unwrap();
                let stream = Sdp::parse(offer.body()).unwrap().relayed_stream().cloned().unwrap();
                assert_eq!(stream.is_hold(), hold, "{direction}");
                assert_eq!(held(&trunk.world, side), Some(hold), "{direction}");
            }
            let answers = trunk.call(asks).statuses(&Method::Invite);
            assert_eq!(answers.iter().filter(|status| **status == 200).count(), 4 + usize::from(asks == a));
        }
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_refused_offer_leaves_the_call_as_it_was() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = Some(488);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&488));
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        assert_eq!(held(&trunk.world, Side::A), Some(false), "the media goes on as agreed before");
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// RFC 3261 §14.2: both ask at once, both hear 491, and the one that asks again later is served.
#[test]
fn reinvite_glare() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.request(b, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&491));
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&491));
        trunk.request(b, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn a_cancelled_reinvite_is_cancelled_on_the_other_leg_and_the_call_goes_on() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.world.with(a.0, |phone, now| phone.cancel_offer(now, a.1));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&487));
        assert_eq!(held(&trunk.world, Side::A), Some(false));
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "INVITE", "CANCEL"]);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// RFC 3261 §9.1: the answer crosses the CANCEL, which comes to nothing. Both sides hold, and know it.
#[test]
fn a_reinvite_that_was_answered_before_its_cancel_holds() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.world.with(a.0, |phone, now| phone.cancel_offer(now, a.1));
        trunk.run(0.012); // The CANCEL is on its way to the callee.
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        assert_eq!(held(&trunk.world, Side::A), Some(true));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Nobody answers the one that was cancelled: its asker is told in the end.
#[test]
fn a_cancelled_reinvite_that_nobody_answers_is_over_in_the_end() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.phone(b.0).habits.deaf = true;
        trunk.world.with(a.0, |phone, now| phone.cancel_offer(now, a.1));
        trunk.run(33.0);
        trunk.phone(b.0).habits.deaf = false;
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&487));
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The other side has not answered the one that was cancelled: a new offer must wait (RFC 3261 §14.1, §14.2).
#[test]
fn no_second_offer_goes_out_while_a_cancelled_one_is_pending() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.world.with(a.0, |phone, now| phone.cancel_offer(now, a.1));
        trunk.run(0.005); // The callee has not answered the first one.
        trunk.request(a, Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        let answers = trunk.call(a).statuses(&Method::Invite);
        assert!(answers.contains(&487) && answers.contains(&500), "{answers:?}");
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "INVITE", "CANCEL"]);
        assert_eq!(trunk.stage(a), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

#[test]
fn bye_while_a_reinvite_is_pending_answers_it_487() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.hang_up(b);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&487));
        assert_eq!(trunk.call(b).statuses(&Method::Bye), [200]);
    });
}

#[test]
fn requests_out_of_order_and_unknown_demands_are_refused() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for _ in 0..3 {
            trunk.request(a, Method::Info, Some("Signal=1"));
        }
        trunk.run(1.0);
        trunk.phone(a.0).calls[a.1].dialog.as_mut().unwrap().local_cseq -= 2;
        trunk.request(a, Method::Info, Some("Signal=2"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Info), [200, 200, 200, 500]);
        trunk.phone(a.0).calls[a.1].dialog.as_mut().unwrap().local_cseq += 2;
        trunk.phone(a.0).requires = Some("outbound");
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&420));
        trunk.phone(a.0).requires = None;
        assert_eq!(trunk.stage(b), Stage::Up);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// The callee's Contact is a name, and DNS is slow: a re-INVITE that still waits for the address is cancelled, and
/// never leaves.
#[test]
fn a_reinvite_is_cancelled_before_its_address_is_known() {
    everywhere_with(&[("east_peer", "nat = \"never\"")], |trunk| {
        trunk.phone(trunk.east).contact_host = Some("phone.example");
        let east = trunk.phone(trunk.east).address;
        trunk.world.names.insert("phone.example".into(), vec![east]);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.world.look_up_takes = Duration::from_secs(3);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(0.1); // It waits for the 100, as a client must.
        trunk.world.with(a.0, |phone, now| phone.cancel_offer(now, a.1));
        trunk.run(5.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&487));
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK"]);
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
        trunk.hang_up(a);
        trunk.run(5.0);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}
