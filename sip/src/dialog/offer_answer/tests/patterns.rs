use std::time::Duration;

use super::*;
use crate::dialog::Role;
use crate::{Method, StatusCode};

/// A ladder and what the UAC and the UAS have said when it is over.
#[track_caller]
fn check(ladder: &str, holds: Option<(&str, &str)>) {
    let (uac, uas) = play(ladder);
    assert_eq!(uac.agreed().map(|agreed| (agreed.local, agreed.remote)), holds, "{ladder}");
    assert!(uac.open().is_none() && uas.open().is_none(), "{ladder}");
}

#[test]
fn pattern_1_invite_and_2xx() {
    check("> INVITE a offer\n < 2xx b answer\n > ACK - nothing", Some(("a", "b")));
    check("> INVITE a offer\n < 18x - nothing\n < 18x-rel - nothing\n < 2xx b answer", Some(("a", "b")));
}

#[test]
fn pattern_2_2xx_and_ack() {
    check("> INVITE - nothing\n < 2xx b offer\n > ACK a answer", Some(("a", "b")));
    check("> INVITE - nothing\n < 18x-rel - nothing\n < 2xx b offer\n > ACK a answer", Some(("a", "b")));
}

#[test]
fn pattern_3_invite_and_reliable_1xx() {
    let ladder = "> INVITE a offer\n < 18x-rel b answer\n > PRACK - nothing\n < 2xx-PRACK - nothing";
    check(ladder, Some(("a", "b")));
    check(&format!("{ladder}\n < 2xx - nothing\n > ACK - nothing"), Some(("a", "b")));
    check(&format!("{ladder}\n < 18x b repeat\n < 18x-rel b repeat\n < 2xx b repeat"), Some(("a", "b")));
    check(
        &format!("{ladder}\n < 18x c unexpected\n < 18x-rel c unexpected\n < 2xx c unexpected"),
        Some(("a", "b")),
    );
}

#[test]
fn pattern_4_reliable_1xx_and_prack() {
    let ladder = "> INVITE - nothing\n < 18x-rel b offer\n > PRACK a answer\n < 2xx-PRACK - nothing";
    check(ladder, Some(("a", "b")));
    check(&format!("{ladder}\n < 2xx - nothing\n > ACK - nothing"), Some(("a", "b")));
    check(&format!("{ladder}\n < 2xx b repeat\n > ACK a repeat\n > ACK c unexpected"), Some(("a", "b")));
}

#[test]
fn pattern_5_prack_and_its_2xx() {
    let ladder = "> INVITE a offer\n < 18x-rel b answer\n > PRACK c offer\n < 2xx-PRACK d answer";
    check(ladder, Some(("c", "d")));
    check(&format!("{ladder}\n < 18x-rel - nothing\n > PRACK e offer\n < !PRACK before"), Some(("c", "d")));
    check(&format!("{ladder}\n < 2xx - nothing"), Some(("c", "d")));
}

#[test]
fn pattern_6_update_and_its_2xx() {
    let early = "> INVITE a offer\n < 18x-rel b answer\n > PRACK - nothing\n < 2xx-PRACK - nothing";
    let late = "> INVITE a offer\n < 2xx b answer\n > ACK - nothing";
    for before in [early, late] {
        check(&format!("{before}\n > UPDATE c offer\n < 2xx-UPDATE d answer"), Some(("c", "d")));
        check(&format!("{before}\n < UPDATE d offer\n > 2xx-UPDATE c answer"), Some(("c", "d")));
        check(&format!("{before}\n < UPDATE d offer\n > !UPDATE before"), Some(("a", "b")));
        check(&format!("{before}\n > UPDATE - nothing\n < 2xx-UPDATE - nothing"), Some(("a", "b")));
    }
    check(&format!("{early}\n < UPDATE d offer\n < 2xx - nothing\n > 2xx-UPDATE c answer"), Some(("c", "d")));
}

#[test]
fn reinvite_of_either_end() {
    let before = "> INVITE a offer\n < 2xx b answer\n > ACK - nothing";
    check(&format!("{before}\n < INVITE d offer\n > 2xx c answer\n < ACK - nothing"), Some(("c", "d")));
    check(&format!("{before}\n < INVITE - nothing\n > 2xx c offer\n < ACK d answer"), Some(("c", "d")));
    check(&format!("{before}\n < INVITE d offer\n > 18x-rel c answer\n < PRACK - nothing"), Some(("c", "d")));
    check(&format!("{before}\n > INVITE c offer\n < 18x - nothing\n < !INVITE before"), Some(("a", "b")));
}

#[test]
fn unreliable_18x_shows_the_answer() {
    let before = "> INVITE a offer\n < 18x b preview\n < 18x - nothing\n < 18x b repeat";
    check(&format!("{before}\n < 2xx b answer"), Some(("a", "b")));
    check(&format!("{before}\n < 18x-rel b answer"), Some(("a", "b")));
    check(&format!("{before}\n < 2xx - answer"), Some(("a", "b")));
    check(&format!("{before}\n < 2xx c changed"), Some(("a", "c")));
    check(&format!("{before}\n < 18x c changed\n < 18x c repeat\n < 2xx c answer"), Some(("a", "c")));
    check(&format!("{before}\n < !INVITE before"), None);
    check("> INVITE - nothing\n < 18x b unexpected\n < 2xx b offer\n > ACK a answer", Some(("a", "b")));
    // The offer is open while its answer is only shown: RFC 3311 §5.1.
    check(&format!("{before}\n > UPDATE c early\n < UPDATE c glare\n < 2xx b answer"), Some(("a", "b")));
}

#[test]
fn an_answer_or_offer_that_is_owed_and_missing() {
    let before = "> INVITE a offer\n < 2xx b answer\n > ACK - nothing";
    check("> INVITE a offer\n < 2xx - missing\n > ACK - nothing", None);
    check("> INVITE - nothing\n < 2xx - missing\n > ACK - nothing", None);
    check(&format!("{before}\n > INVITE - nothing\n < 2xx d offer\n > ACK - missing"), Some(("a", "b")));
    check(&format!("{before}\n > INVITE c offer\n < 2xx - missing"), Some(("a", "b")));
    check(&format!("{before}\n > UPDATE c offer\n < 2xx-UPDATE - missing"), Some(("a", "b")));
    let prack = "> INVITE - nothing\n < 18x-rel b offer\n > PRACK - missing";
    check(&format!("{prack}\n < 2xx b offer\n > ACK a answer"), Some(("a", "b")));
    let prack = "> INVITE a offer\n < 18x-rel b answer\n > PRACK c offer\n < 2xx-PRACK - missing";
    check(prack, Some(("a", "b")));
}

/// RFC 6141 §3: the change of a refused re-INVITE is undone, but for what both ends know to be agreed.
#[test]
fn refused_reinvite() {
    let before = "> INVITE a offer\n < 2xx b answer\n > ACK - nothing\n";
    for (ladder, holds) in [
        ("> INVITE c offer\n < !INVITE before", ("a", "b")),
        ("> INVITE - nothing\n < !INVITE before", ("a", "b")),
        ("> INVITE c offer\n < 18x d preview\n < !INVITE before", ("a", "b")),
        ("> INVITE c offer\n < 18x-rel d answer\n < !INVITE before", ("a", "b")),
        ("> INVITE c offer\n < 18x-rel d answer\n > PRACK - nothing\n < !INVITE before", ("a", "b")),
        ("> INVITE - nothing\n < 18x-rel d offer\n < !INVITE before\n > PRACK c unexpected", ("a", "b")),
        ("> INVITE - nothing\n < 18x-rel d offer\n > PRACK c answer\n < !INVITE before", ("a", "b")),
        // Confirmed: both have the answer, and the 2xx to PRACK has told the UAS's end of it.
        (
            "> INVITE c offer\n < 18x-rel d answer\n > PRACK - nothing\n < 2xx-PRACK - nothing\n < !INVITE within",
            ("c", "d"),
        ),
        (
            "> INVITE - nothing\n < 18x-rel d offer\n > PRACK c answer\n < 2xx-PRACK - nothing\n < !INVITE within",
            ("c", "d"),
        ),
        (
            "> INVITE c offer\n < 18x-rel d answer\n > PRACK e offer\n < 2xx-PRACK f answer\n < !INVITE within",
            ("e", "f"),
        ),
        (
            "> INVITE c offer\n < 18x-rel d answer\n > PRACK - nothing\n > UPDATE e offer\n < 2xx-UPDATE f answer
             < !INVITE within",
            ("e", "f"),
        ),
        // The UPDATE and the PRACK are transactions of their own, and are answered after the INVITE's refusal.
        (
            "> INVITE c offer\n < 18x-rel d answer\n > PRACK - nothing\n > UPDATE e offer\n < !INVITE before
             < !UPDATE before",
            ("a", "b"),
        ),
        (
            "> INVITE c offer\n < 18x-rel d answer\n > PRACK e offer\n < !INVITE before\n < 2xx-PRACK f answer",
            ("e", "f"),
        ),
        (
            "> INVITE c offer\n < 18x-rel d answer\n > PRACK e offer\n < !INVITE before\n < !PRACK before",
            ("a", "b"),
        ),
    ] {
        check(&format!("{before}{ladder}"), Some(holds));
    }
}

/// A PRACK that is left over from the refused INVITE of one end says nothing of the INVITE of the other.
#[test]
fn a_2xx_to_the_prack_of_the_other_end_commits_nothing() {
    let before = "> INVITE a offer\n < 18x-rel b answer\n < !INVITE before";
    let crossing = "< INVITE d offer\n > 18x-rel c answer\n > PRACK - nothing\n < PRACK - nothing";
    check(&format!("{before}\n {crossing}\n < 2xx-PRACK - nothing\n > !INVITE before"), None);
    check(&format!("{before}\n {crossing}\n > 2xx-PRACK - nothing\n > !INVITE within"), Some(("c", "d")));
}

#[test]
fn commitment_is_told_before_the_refusal() {
    let ladder = "> INVITE a offer\n < 18x-rel b answer\n > PRACK - nothing";
    assert!(!play(ladder).1.is_committed());
    let ladder = format!("{ladder}\n < 2xx-PRACK - nothing");
    assert!(play(&ladder).1.is_committed() && play(&ladder).0.is_committed());
    assert!(!play(&format!("{ladder}\n < 2xx - nothing")).1.is_committed());
}

/// RFC 3262 §3: a 2xx of ours waits for the PRACK of what a reliable 1xx described; that of a peer is taken.
#[test]
fn a_2xx_waits_for_the_prack_of_a_description() {
    for (ladder, prack, verdict) in [
        ("> INVITE a offer\n < 18x-rel b answer", None, "nothing"),
        ("> INVITE - nothing\n < 18x-rel b offer", Some("a"), "answer"),
    ] {
        let (mut uac, mut uas) = play(ladder);
        assert_eq!(uas.take(Side::Local, Carrier::InviteOk, None), Verdict::TooEarly);
        assert_eq!(uac.take(Side::Remote, Carrier::InviteOk, None), Verdict::Nothing);
        assert_eq!(kind(&uac.take(Side::Local, Carrier::Prack, prack)), verdict);
        assert_eq!(kind(&uas.take(Side::Remote, Carrier::Prack, prack)), verdict);
        assert_eq!(uas.take(Side::Local, Carrier::InviteOk, None), Verdict::Nothing);
        assert!(mirrored(&uac, &uas));
    }
}

/// RFC 3261 §14.1-2, RFC 3311 §5.2: two offers cross, both are refused, and what was agreed holds.
#[test]
fn glare() {
    let before = "> INVITE a offer\n < 2xx b answer\n > ACK - nothing";
    for request in [Refusable::Invite, Refusable::Update] {
        for crossing in [Refusable::Invite, Refusable::Update] {
            let carrier = |request| match request {
                Refusable::Update => Carrier::Update,
                _ => Carrier::Invite,
            };
            let (mut uac, mut uas) = play(before);
            assert_eq!(kind(&uac.take(Side::Local, carrier(request), Some("c"))), "offer");
            assert_eq!(kind(&uas.take(Side::Local, carrier(crossing), Some("d"))), "offer");
            assert_eq!(uac.take(Side::Remote, carrier(crossing), Some("d")), Verdict::Glare);
            assert_eq!(uas.take(Side::Remote, carrier(request), Some("c")), Verdict::Glare);
            assert_eq!(uac.refused(Side::Local, request), Held::Before);
            assert_eq!(uas.refused(Side::Local, crossing), Held::Before);
            assert_eq!((&uac, &uas), (&play(before).0, &play(before).1));
        }
    }
    assert_eq!(Verdict::<()>::Glare.status(), Some(StatusCode::REQUEST_PENDING));
    assert_eq!(Verdict::<()>::TooEarly.status(), Some(StatusCode::SERVER_INTERNAL_ERROR));
    assert_eq!(Verdict::<()>::Nothing.status(), None);
    assert_eq!(glare_wait(Role::Uac), Duration::from_millis(2_100)..=Duration::from_millis(4_000));
    assert_eq!(glare_wait(Role::Uas), Duration::ZERO..=Duration::from_millis(2_000));
}

/// RFC 5407 §3.1.4: a re-INVITE that overtakes the ACK is taken where nothing is owed, else it is refused.
#[test]
fn reinvite_before_the_ack() {
    check("> INVITE a offer\n < 2xx b answer\n > INVITE c offer\n < 2xx d answer", Some(("c", "d")));
    check("> INVITE a offer\n < 2xx b answer\n < INVITE d offer\n > 2xx c answer", Some(("c", "d")));
    let offered =
        "> INVITE - nothing\n < 2xx b offer\n > INVITE c glare\n < INVITE c early\n > UPDATE c glare";
    check(&format!("{offered}\n > ACK a answer"), Some(("a", "b")));
}

#[test]
fn each_early_dialog_is_a_clone_of_what_the_invite_left() {
    let mut first = OfferAnswer::default();
    assert_eq!(kind(&first.take(Side::Local, Carrier::Invite, Some("a"))), "offer");
    let mut second = first.clone();
    assert_eq!(kind(&first.take(Side::Remote, Carrier::Provisional, Some("b"))), "preview");
    assert_eq!(kind(&second.take(Side::Remote, Carrier::InviteOk, Some("c"))), "answer");
    assert_eq!(second.agreed(), Some(&Agreed { local: "a", remote: "c", offered_by: Side::Local }));
    assert_eq!(first.open().map(|offer| *offer.description()), Some("a"));
}

#[test]
fn offers_and_answers_say_whose_they_are() {
    let mut end = OfferAnswer::default();
    let Verdict::Offer(offer) = end.take(Side::Remote, Carrier::Invite, Some("a")) else { panic!() };
    assert_eq!((offer.by(), offer.carrier(), *offer.description()), (Side::Remote, Carrier::Invite, "a"));
    let Verdict::Answer(answer) = end.take(Side::Local, Carrier::InviteOk, Some("b")) else { panic!() };
    assert_eq!(
        (answer.by(), answer.offered_in(), *answer.description()),
        (Side::Local, Carrier::Invite, "b")
    );
}

#[test]
fn which_messages_may_describe() {
    for (method, status, reliable, expect) in [
        (Method::Invite, None, false, Some(Carrier::Invite)),
        (Method::Invite, Some(100), false, None),
        (Method::Invite, Some(100), true, None),
        (Method::Invite, Some(183), false, Some(Carrier::Provisional)),
        (Method::Invite, Some(183), true, Some(Carrier::ReliableProvisional)),
        (Method::Invite, Some(200), false, Some(Carrier::InviteOk)),
        (Method::Invite, Some(202), true, Some(Carrier::InviteOk)),
        (Method::Invite, Some(302), false, None),
        (Method::Invite, Some(488), false, None),
        (Method::Ack, None, false, Some(Carrier::Ack)),
        (Method::Prack, None, false, Some(Carrier::Prack)),
        (Method::Prack, Some(200), false, Some(Carrier::PrackOk)),
        (Method::Prack, Some(481), false, None),
        (Method::Update, None, false, Some(Carrier::Update)),
        (Method::Update, Some(100), false, None),
        (Method::Update, Some(200), false, Some(Carrier::UpdateOk)),
        (Method::Update, Some(491), false, None),
        (Method::Info, None, false, None),
        (Method::Info, Some(200), false, None),
        (Method::Bye, None, false, None),
        (Method::Cancel, None, false, None),
        (Method::Options, Some(200), false, None),
    ] {
        let status = status.and_then(StatusCode::new);
        assert_eq!(Carrier::of(&method, status, reliable), expect, "{method} {status:?} {reliable}");
    }
}
