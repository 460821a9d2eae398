//! A party does not answer what it is asked inside the dialog, or says that it knows nothing of the call: the asker is
//! told, and people talk on.

use sip::{Builder, Method, StatusCode};

use super::phone::Stage;
use super::trunk::{OUTSIDE, Trunk, everywhere};
use super::world::CallId;
use crate::direction::Direction;

fn is_up(trunk: &Trunk, calls: [CallId; 2]) {
    assert_eq!(calls.map(|call| trunk.stage(call)), [Stage::Up, Stage::Up]);
}

/// The Reason of the newest answer to `call` with `status`.
fn reason(trunk: &Trunk, call: CallId, status: u16) -> String {
    Trunk::header(trunk.call(call).response(status).unwrap(), "Reason")
}

/// RFC 4320 §4.2: no 408, and while the asker still waits.
#[test]
fn an_info_that_is_ignored_costs_nobody_the_call() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for (asks, hears) in [(a, b), (b, a)] {
            for method in [Method::Info, Method::Message] {
                trunk.phone(hears.0).habits.informed = None;
                trunk.request(asks, method.clone(), Some("Signal=1"));
                trunk.run(31.5);
                assert_eq!(trunk.call(asks).statuses(&method), [500], "{method}");
                assert_eq!(reason(trunk, asks, 500), "SIP;cause=500;text=\"The other side does not answer\"");
                trunk.run(10.0);
                is_up(trunk, [a, b]);
                trunk.phone(hears.0).habits.informed = Some(200);
                trunk.request(asks, method.clone(), Some("Signal=1"));
                trunk.run(1.0);
                assert_eq!(trunk.call(asks).statuses(&method), [500, 200], "{method}");
            }
        }
        trunk.hang_up(b);
        trunk.run(1.0);
        trunk.finish();
        assert_eq!(trunk.cdr("pbx", Direction::Outbound).status_message, "OK");
    });
}

#[test]
fn an_update_that_is_ignored_leaves_the_call_as_it_was() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Update, Some("sendonly"));
        trunk.run(40.0);
        assert_eq!(trunk.call(a).statuses(&Method::Update), [500]);
        is_up(trunk, [a, b]);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// RFC 3311 §5.2: an UPDATE without an offer, as a session timer sends them, keeps nobody from offering.
#[test]
fn an_update_without_an_offer_that_is_ignored_is_in_nobodys_way() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Update, None);
        trunk.run(1.0);
        trunk.phone(b.0).habits.renegotiates = Some(200);
        for direction in ["sendonly", "sendrecv"] {
            trunk.request(a, Method::Invite, Some(direction));
            trunk.run(1.0);
            assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
            trunk.request(b, Method::Invite, Some(direction));
            trunk.run(1.0);
            assert_eq!(trunk.call(b).statuses(&Method::Invite).last(), Some(&200));
        }
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// A 481 or 408 that crossed would make the asker hang up (RFC 3261 §12.2.1.2).
#[test]
fn who_says_that_there_is_no_such_call_to_an_info_or_update_is_not_believed() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        let habits = |trunk: &mut Trunk, status| {
            trunk.phone(b.0).habits.informed = Some(status);
            trunk.phone(b.0).habits.renegotiates = Some(status);
        };
        for (count, status) in [(1, 481), (2, 408)] {
            habits(trunk, status);
            for method in [Method::Info, Method::Message, Method::Update] {
                let body = if method == Method::Update { "sendonly" } else { "Signal=1" };
                trunk.request(a, method.clone(), Some(body));
                trunk.run(1.0);
                assert_eq!(trunk.call(a).statuses(&method), vec![500; count], "{method}");
                let reason = reason(trunk, a, 500);
                assert!(reason.starts_with(&format!("SIP;cause={status};text=")), "{reason}");
                let answer = trunk.call(a).response(500).unwrap();
                assert_eq!(answer.reason_phrase(), Some(&b"The other side does not take it"[..]));
            }
            trunk.run(40.0);
            is_up(trunk, [a, b]);
        }
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// RFC 3261 §14.1 would end the call; but people may be talking, and silence of the media ends it where they are not.
#[test]
fn a_reinvite_without_answer_leaves_the_call_as_it_was() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = Some(408);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&504));
        trunk.phone(b.0).habits.renegotiates = Some(200);
        trunk.phone(b.0).habits.deaf = true;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(34.0);
        trunk.phone(b.0).habits.deaf = false;
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&504));
        is_up(trunk, [a, b]);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Its 100 is all that is heard: Timer C is for a re-INVITE too, or the asker could never ask again.
#[test]
fn a_reinvite_that_is_pending_for_ever_is_cancelled() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(190.0);
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "INVITE", "CANCEL"]);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&504));
        is_up(trunk, [a, b]);
        trunk.hang_up(b);
        trunk.run(1.0);
    });
}

/// Timer C begins anew with each word of its (RFC 3261 §16.7): somebody is being asked.
#[test]
fn a_reinvite_that_rings_is_waited_for() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = None;
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        let asked = trunk.call(b).asked[0].1.clone();
        for _ in 0..2 {
            trunk.run(150.0);
            let ringing = Builder::reply(&asked, StatusCode::new(180).unwrap(), "Ringing", None);
            trunk.world.send(b.0, ringing.build());
        }
        trunk.run(150.0);
        trunk.world.with(b.0, |phone, now| phone.answer_offer(now, b.1, 200));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&200));
        assert_eq!(trunk.call(b).requests(), ["INVITE", "ACK", "INVITE", "ACK"]);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
}

/// Who says so of a re-INVITE has lost the call.
#[test]
fn a_reinvite_into_a_call_that_is_unknown_ends_it() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.phone(b.0).habits.renegotiates = Some(481);
        trunk.request(a, Method::Invite, Some("sendrecv"));
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Invite).last(), Some(&481));
        assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Over, Stage::Over));
    });
}

/// Its sender is gone, whatever its number says.
#[test]
fn a_bye_whose_number_is_too_low_ends_the_call() {
    everywhere(|trunk| {
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        for _ in 0..3 {
            trunk.request(a, Method::Info, Some("Signal=1"));
        }
        trunk.run(1.0);
        trunk.phone(a.0).calls[a.1].dialog.as_mut().unwrap().local_cseq -= 2;
        trunk.hang_up(a);
        trunk.run(1.0);
        assert_eq!(trunk.call(a).statuses(&Method::Bye), [200]);
        assert_eq!(trunk.stage(b), Stage::Over);
    });
}
