use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::fixture::{CONTACT, RECORD_ROUTES, answer, invite};
use super::super::offer_answer::{Agreed, Carrier, OfferAnswer, Side, Verdict};
use super::super::{DialogState, Role};
use super::*;
use crate::Method;

#[expect(clippy::disallowed_methods, reason = "a starting instant")]
fn start() -> Instant {
    Instant::now()
}

fn name<T>(heard: &Result<Heard<'_, T>, DialogError>) -> String {
    match heard {
        Ok(Heard::NoDialog) => "no dialog".to_owned(),
        Ok(Heard::Began(early)) => format!("began {}", early.dialog.remote_tag),
        Ok(Heard::Early(early)) => format!("early {}", early.dialog.remote_tag),
        Ok(Heard::Ended(early)) => format!("ended {}", early.dialog.remote_tag),
        Ok(Heard::Confirmed(early)) => format!("confirmed {}", early.dialog.remote_tag),
        Ok(Heard::Forked(early)) => format!("forked {}", early.dialog.remote_tag),
        Ok(Heard::Repeated) => "repeated".to_owned(),
        Ok(Heard::Refused) => "refused".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Responses, what each means, and the tags of the dialogs that are early after it. At most three are remembered.
#[track_caller]
fn check(ladder: &[(&str, &str, &str, &str)]) -> (EarlyDialogs<()>, Instant) {
    let (start, invite) = (start(), invite());
    let mut early = EarlyDialogs::new(3, (), Timers::default());
    for (status, tag, expect, tags) in ladder {
        let heard = early.handle_response(start, &invite, &answer(status, tag, &[CONTACT]));
        assert_eq!(name(&heard), *expect, "{status} {tag}");
        let left: Vec<_> = early.iter().map(|early| early.dialog.remote_tag.as_str()).collect();
        assert_eq!(left.join(" "), *tags, "{status} {tag}");
    }
    (early, start)
}

fn ended(early: &mut EarlyDialogs<()>) -> Vec<String> {
    std::iter::from_fn(|| early.poll_output()).map(|early| early.dialog.remote_tag.into()).collect()
}

#[test]
fn each_to_tag_is_a_dialog() {
    check(&[
        ("100 Trying", "", "no dialog", ""),
        ("100 Trying", "a", "no dialog", ""),
        ("180 Ringing", "", "no dialog", ""),
        ("180 Ringing", "a", "began a", "a"),
        ("183 Session Progress", "b", "began b", "a b"),
        ("183 Session Progress", "a", "early a", "a b"),
        ("180 Ringing", "c", "began c", "a b c"),
        ("180 Ringing", "d", "more than 3 early dialogs", "a b c"),
        ("180 Ringing", "b", "early b", "a b c"),
    ]);
}

#[test]
fn the_first_2xx_confirms_one_and_the_others_end_after_64_t1() {
    let (mut early, start) = check(&[
        ("180 Ringing", "a", "began a", "a"),
        ("180 Ringing", "b", "began b", "a b"),
        ("180 Ringing", "c", "began c", "a b c"),
        ("200 OK", "b", "confirmed b", "a c"),
        ("200 OK", "b", "repeated", "a c"),
        ("180 Ringing", "b", "no dialog", "a c"), // Overtaken by its 2xx.
        ("180 Ringing", "d", "no dialog", "a c"),
        ("180 Ringing", "a", "early a", "a c"),
        ("486 Busy Here", "c", "no dialog", "a c"), // The INVITE has its final response.
    ]);
    let due = start + Duration::from_secs(32);
    assert_eq!(early.poll_timeout(), Some(due));
    early.handle_timeout(due - Duration::from_nanos(1));
    assert_eq!(early.poll_output(), None);
    early.handle_timeout(due);
    assert_eq!((ended(&mut early), early.poll_timeout()), (vec!["a".to_owned(), "c".to_owned()], None));
    early.handle_timeout(due + Duration::from_secs(1));
    assert_eq!(early.poll_output(), None);
}

#[test]
fn a_forked_2xx_is_told_as_such() {
    let (mut early, start) = check(&[
        ("180 Ringing", "a", "began a", "a"),
        ("180 Ringing", "b", "began b", "a b"),
        ("200 OK", "a", "confirmed a", "b"),
        ("200 OK", "b", "forked b", ""),
        ("200 OK", "b", "repeated", ""),
        ("200 OK", "c", "forked c", ""), // Without a 1xx before.
        ("200 OK", "d", "more than 3 early dialogs", ""),
        ("200 OK", "a", "repeated", ""),
    ]);
    assert_eq!(early.poll_timeout(), None, "none waits");
    early.handle_timeout(start + Duration::from_secs(100));
    assert_eq!(early.poll_output(), None);
    // After the 64*T1 a 2xx still is a fork.
    let late = check(&[("200 OK", "a", "confirmed a", ""), ("200 OK", "b", "forked b", "")]);
    assert_eq!(late.0.poll_timeout(), None);
}

#[test]
fn a_2xx_is_taken_however_many_rang() {
    check(&[
        ("180 Ringing", "a", "began a", "a"),
        ("180 Ringing", "b", "began b", "a b"),
        ("180 Ringing", "c", "began c", "a b c"),
        ("200 OK", "d", "confirmed d", "a b c"),
    ]);
    check(&[("200 OK", "", "confirmed ", ""), ("200 OK", "", "repeated", "")]); // RFC 2543.
}

#[test]
fn a_199_ends_one() {
    let (mut early, _) = check(&[
        ("199 Early Dialog Terminated", "a", "no dialog", ""),
        ("199 Early Dialog Terminated", "", "no dialog", ""),
        ("180 Ringing", "a", "began a", "a"),
        ("180 Ringing", "b", "began b", "a b"),
        ("199 Early Dialog Terminated", "a", "ended a", "b"),
        ("199 Early Dialog Terminated", "a", "no dialog", "b"),
        ("180 Ringing", "a", "no dialog", "b"), // Overtaken by its 199.
        ("180 Ringing", "c", "began c", "b c"),
        ("180 Ringing", "d", "began d", "b c d"), // There is room again.
        ("200 OK", "a", "confirmed a", "b c d"),  // Its 2xx counts all the same.
        ("199 Early Dialog Terminated", "c", "ended c", "b d"),
    ]);
    assert_eq!(early.poll_output(), None);
}

#[test]
fn a_refusal_ends_all() {
    for status in ["302 Moved", "401 Unauthorized", "486 Busy Here", "503 No", "603 Decline"] {
        let (mut early, _) = check(&[
            ("180 Ringing", "a", "began a", "a"),
            ("180 Ringing", "b", "began b", "a b"),
            (status, "b", "refused", ""),
            (status, "b", "no dialog", ""),
            ("180 Ringing", "a", "no dialog", ""),
            ("200 OK", "a", "forked a", ""), // Which crossed it.
            ("200 OK", "a", "repeated", ""),
        ]);
        assert_eq!((ended(&mut early), early.poll_timeout()), (vec!["a".to_owned(), "b".to_owned()], None));
    }
}

#[test]
fn an_early_dialog_becomes_confirmed() {
    let (start, invite) = (start(), invite());
    let mut early = EarlyDialogs::new(3, (), Timers::default());
    let ringing = answer("180 Ringing", "a", &["Contact: <sip:bob@first.example.com>", RECORD_ROUTES]);
    let Ok(Heard::Began(one)) = early.handle_response(start, &invite, &ringing) else { panic!() };
    assert_eq!((one.dialog.role, one.dialog.state), (Role::Uac, DialogState::Early));
    one.dialog.request(Method::Prack); // CSeq goes on from here.
    let progress = answer("183 Session Progress", "a", &["Contact: <sip:bob@second.example.com>"]);
    let Ok(Heard::Early(one)) = early.handle_response(start, &invite, &progress) else { panic!() };
    assert_eq!(one.dialog.remote_target, "sip:bob@second.example.com");
    assert_eq!(one.dialog.route_set.len(), 2, "the routes stay until the 2xx");
    assert!(early.find(&ringing).is_some() && early.find(&answer("180 Ringing", "b", &[])).is_none());
    assert!(early.get("a").is_some() && early.get("b").is_none());

    let ok = answer("200 OK", "a", &[CONTACT]);
    let Ok(Heard::Confirmed(one)) = early.handle_response(start, &invite, &ok) else { panic!() };
    assert_eq!((one.dialog.state, one.dialog.local_cseq), (DialogState::Confirmed, 8));
    assert_eq!(one.dialog.remote_target, "sip:bob@client.biloxi.example.com");
    assert!(one.dialog.route_set.is_empty());
}

#[test]
fn a_message_that_gives_no_dialog_changes_nothing() {
    let (start, invite) = (start(), invite());
    let mut early = EarlyDialogs::new(3, (), Timers::default());
    assert_eq!(early.handle_response(start, &invite, &invite), Err(DialogError::NoDialog));
    let broken = invite.edit().remove(crate::Name::CSeq).build();
    let ok = answer("200 OK", "a", &[CONTACT]);
    assert!(matches!(early.handle_response(start, &broken, &ok), Err(DialogError::Header(_))));
    assert!(matches!(early.handle_response(start, &invite, &ok), Ok(Heard::Confirmed(_))));
}

/// The answers of two forks do not meet: each dialog begins with the offer of the INVITE.
#[test]
fn each_dialog_answers_the_offer_by_itself() {
    let (start, invite) = (start(), invite());
    let mut offered = OfferAnswer::default();
    assert!(matches!(offered.take(Side::Local, Carrier::Invite, Some("offer")), Verdict::Offer(_)));
    let mut early = EarlyDialogs::new(3, offered, Timers::default());
    for tag in ["a", "b"] {
        let ringing = answer("183 Session Progress", tag, &[CONTACT]);
        let Ok(Heard::Began(one)) = early.handle_response(start, &invite, &ringing) else { panic!() };
        let verdict = one.data.take(Side::Remote, Carrier::Provisional, Some(tag));
        assert!(matches!(verdict, Verdict::Preview(_)));
    }
    let ok = answer("200 OK", "b", &[CONTACT]);
    let Ok(Heard::Confirmed(mut one)) = early.handle_response(start, &invite, &ok) else { panic!() };
    assert!(matches!(one.data.take(Side::Remote, Carrier::InviteOk, None), Verdict::Answer(_)));
    assert_eq!(one.data.agreed(), Some(&Agreed { local: "offer", remote: "b", offered_by: Side::Local }));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// One dialog at most is confirmed; every one that began is confirmed, forked or ended once, in the end; and no more
    /// than the limit are kept.
    #[test]
    fn whatever_began_ends_once(
        responses in proptest::collection::vec((0..7_usize, 0..6_usize, 0..4_000_u64), 0..60),
    ) {
        let (mut now, invite) = (start(), invite());
        let mut early = EarlyDialogs::new(3, (), Timers::default());
        let (mut confirmed, mut refused) = (0, false);
        let mut open = BTreeMap::<String, usize>::new();
        let statuses = ["100 Trying", "180 Ringing", "183 Session Progress", "199 Gone", "200 OK", "200 OK", "486 Busy"];
        for (status, tag, later_ms) in responses {
            now += Duration::from_millis(later_ms);
            early.handle_timeout(now);
            while let Some(one) = early.poll_output() {
                *open.get_mut(one.dialog.remote_tag.as_str()).unwrap() -= 1;
            }
            let tag = ["a", "b", "c", "d", "e", "f"][tag];
            match early.handle_response(now, &invite, &answer(statuses[status], tag, &[CONTACT])) {
                Ok(Heard::Began(_)) => *open.entry(tag.to_owned()).or_default() += 1,
                Ok(Heard::Ended(_)) => *open.get_mut(tag).unwrap() -= 1,
                Ok(Heard::Confirmed(one)) => {
                    confirmed += 1;
                    prop_assert!(!refused);
                    prop_assert_eq!(one.dialog.state, DialogState::Confirmed);
                    open.remove(tag);
                }
                Ok(Heard::Forked(one)) => {
                    prop_assert!(confirmed == 1 || refused);
                    prop_assert_eq!(one.dialog.state, DialogState::Confirmed);
                    open.remove(tag);
                }
                Ok(Heard::Refused) => refused = true,
                Ok(Heard::Repeated) => prop_assert!(confirmed == 1 || refused),
                Ok(Heard::Early(_) | Heard::NoDialog) | Err(_) => {}
            }
            while let Some(one) = early.poll_output() {
                *open.get_mut(one.dialog.remote_tag.as_str()).unwrap() -= 1;
            }
            prop_assert!(early.iter().count() <= 3 && early.ended.len() <= 3);
            prop_assert_eq!(early.iter().count(), open.values().sum::<usize>());
        }
        prop_assert!(confirmed <= 1);
        if confirmed == 1 || refused {
            early.handle_timeout(now + Duration::from_secs(32));
            prop_assert_eq!((early.iter().count(), early.poll_timeout()), (0, None));
        }
    }
}
