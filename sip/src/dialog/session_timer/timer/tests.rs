use super::SessionTimerOutput::{Expired, Refresh};
use super::*;
use crate::transaction::virtual_time::{Clock, Machine};

impl Machine for SessionTimer {
    type Output = SessionTimerOutput;
    fn handle_timeout(&mut self, now: Instant) {
        SessionTimer::handle_timeout(self, now);
    }
    fn poll_output(&mut self) -> Option<SessionTimerOutput> {
        SessionTimer::poll_output(self)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        SessionTimer::poll_timeout(self)
    }
    fn is_terminated(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

fn timer(interval: Option<u32>) -> Clock<SessionTimer> {
    Clock::new(|_| SessionTimer::new(SessionPolicy { interval, least: MinSe::LEAST }))
}

fn success(timer: &mut Clock<SessionTimer>, at_s: u64, expires: &str) {
    let expires = SessionExpires::parse(expires).ok();
    timer.at(at_s * 1_000, |timer, now| timer.handle_success(now, expires));
}

fn failure(timer: &mut Clock<SessionTimer>, at_s: u64, status: u16) {
    let status = StatusCode::new(status).unwrap();
    timer.at(at_s * 1_000, |timer, now| timer.handle_failure(now, status));
}

fn accepted(timer: &mut Clock<SessionTimer>, at_s: u64, asked: &SessionHeaders) {
    let answer = timer.machine.answer(asked).unwrap();
    timer.at(at_s * 1_000, |timer, now| timer.handle_accepted(now, answer));
}

/// Session-Expires and Min-SE of our next request.
fn request(timer: &Clock<SessionTimer>) -> String {
    let SessionHeaders { supported, expires, min_se } = timer.machine.request();
    assert!(supported);
    let text = expires.map_or("-".to_owned(), |expires| expires.to_string());
    text + &min_se.map_or(String::new(), |min_se| format!(" Min-SE {min_se}"))
}

fn asked(expires: &str, supported: bool) -> SessionHeaders {
    SessionHeaders { supported, expires: SessionExpires::parse(expires).ok(), min_se: None }
}

/// The 2xx at second 0; what our next request says; when, in seconds, what follows without any refresh.
#[test]
fn the_2xx_says_who_refreshes_and_when() {
    for (wish, expires, next, log) in [
        (Some(1_800), "1800;refresher=uac", "1800;refresher=uac", vec![(900, Refresh), (1_800, Expired)]),
        (Some(1_800), "1800;refresher=uas", "1800;refresher=uas", vec![(1_768, Expired)]),
        (Some(1_800), "600;refresher=uas", "600;refresher=uas", vec![(568, Expired)]),
        (None, "90;refresher=uas", "90;refresher=uas", vec![(60, Expired)]),
        (None, "96;refresher=uas", "96;refresher=uas", vec![(64, Expired)]),
        (None, "99;refresher=uas", "99;refresher=uas", vec![(67, Expired)]),
        (Some(1_800), "1800", "1800;refresher=uac", vec![(900, Refresh), (1_800, Expired)]),
        (None, "1;refresher=uac", "90;refresher=uac", vec![(45, Refresh), (90, Expired)]),
        (None, "0;refresher=uas", "90;refresher=uas", vec![(60, Expired)]),
        // A peer that knows no session timers.
        (Some(1_800), "", "1800;refresher=uac", vec![(900, Refresh), (1_800, Expired)]),
        (None, "", "-", vec![]),
    ] {
        let mut timer = timer(wish);
        assert_eq!(request(&timer), wish.map_or("-".to_owned(), |wish| wish.to_string()));
        success(&mut timer, 0, expires);
        assert_eq!(request(&timer), next, "{wish:?} {expires}");
        let expect: Vec<_> = log.into_iter().map(|(at_s, output)| (at_s * 1_000, output)).collect();
        assert_eq!(timer.finish().1, expect, "{wish:?} {expires}");
    }
}

#[test]
fn our_2xx_begins_the_same_interval_with_the_roles_turned() {
    for (expires, supported, next, log) in [
        ("1800;refresher=uac", true, "1800;refresher=uas", vec![(1_768_000, Expired)]),
        ("1800;refresher=uas", true, "1800;refresher=uac", vec![(900_000, Refresh), (1_800_000, Expired)]),
        ("1800", true, "1800;refresher=uas", vec![(1_768_000, Expired)]),
        ("1800", false, "1800;refresher=uac", vec![(900_000, Refresh), (1_800_000, Expired)]),
        ("", true, "-", vec![]),
    ] {
        let mut timer = timer(None);
        accepted(&mut timer, 0, &asked(expires, supported));
        assert_eq!((request(&timer), timer.finish().1), (next.to_owned(), log), "{expires} {supported}");
    }
}

#[test]
fn a_refresh_of_either_side_begins_the_interval_anew() {
    let mut timer = timer(Some(1_800));
    success(&mut timer, 0, "1800;refresher=uac");
    success(&mut timer, 901, "1800;refresher=uac");
    assert_eq!(timer.take(), [(900_000, Refresh)]);
    accepted(&mut timer, 1_000, &asked("1800;refresher=uas", true)); // A hold of the peer.
    success(&mut timer, 1_100, "1800;refresher=uas"); // A hold of the other leg; the peer wants the job.
    accepted(&mut timer, 2_000, &asked("1800;refresher=uac", true));
    accepted(&mut timer, 3_000, &asked("1800;refresher=uac", true));
    assert_eq!(timer.finish(), (4_768_000, vec![(4_768_000, Expired)]));
}

#[test]
fn a_2xx_without_session_expires_turns_it_off() {
    let mut timer = timer(None);
    success(&mut timer, 0, "1800;refresher=uac");
    success(&mut timer, 100, "");
    assert_eq!((timer.machine.poll_timeout(), request(&timer).as_str()), (None, "-"));
    success(&mut timer, 200, "1800;refresher=uas");
    accepted(&mut timer, 300, &asked("", true));
    assert_eq!(timer.finish(), (300_000, vec![]));
}

/// What the refreshes from second 900 on hear, and when in milliseconds; what is put out from then on.
#[test]
fn a_refresh_that_fails() {
    for (expires, responses, expect) in [
        ("1800;refresher=uac", &[(901_000, 408)][..], vec![(901_000, Expired)]),
        ("1800;refresher=uac", &[(901_000, 481)], vec![(901_000, Expired)]),
        // Half of what remains until second 1768.
        ("1800;refresher=uac", &[(901_000, 500)], vec![(1_334_500, Refresh), (1_800_000, Expired)]),
        (
            "1800;refresher=uac",
            &[(901_000, 500), (1_334_500, 500)],
            vec![(1_334_500, Refresh), (1_800_000, Expired)],
        ),
        (
            "1800;refresher=uac",
            &[(901_000, 500), (1_334_500, 491), (1_552_000, 500)],
            vec![(1_334_500, Refresh), (1_551_250, Refresh), (1_660_000, Refresh), (1_800_000, Expired)],
        ),
        (
            "1800;refresher=uac",
            &[(901_000, 500), (1_335_000, 481)],
            vec![(1_334_500, Refresh), (1_335_000, Expired)],
        ),
        // The peer knows no session timers.
        ("", &[(901_000, 408)], vec![(901_000, Expired)]),
        ("", &[(901_000, 481)], vec![(901_000, Expired)]),
        ("", &[(901_000, 501)], vec![(1_801_000, Refresh), (2_701_000, Expired)]),
        (
            "",
            &[(901_000, 501), (1_801_000, 501)],
            vec![(1_801_000, Refresh), (2_701_000, Refresh), (3_601_000, Expired)],
        ),
        ("", &[(901_000, 503)], vec![(1_334_500, Refresh), (1_800_000, Expired)]),
    ] {
        let mut timer = timer(Some(1_800));
        success(&mut timer, 0, expires);
        timer.at(900_500, |_, _| ());
        assert_eq!(timer.take(), [(900_000, Refresh)]);
        for (at_ms, status) in responses {
            let status = StatusCode::new(*status).unwrap();
            timer.at(*at_ms, |timer, now| timer.handle_failure(now, status));
        }
        assert_eq!(timer.finish().1, expect, "{expires} {responses:?}");
    }
}

#[test]
fn tries_are_few_whatever_the_peer_says() {
    let mut timer = timer(None);
    success(&mut timer, 0, "4294967295;refresher=uac");
    let mut tries = 0;
    while let Some(due) = timer.machine.poll_timeout() {
        timer.machine.handle_timeout(due);
        match timer.machine.poll_output() {
            Some(Refresh) => tries += 1,
            Some(Expired) | None => break,
        }
        timer.machine.handle_failure(due, StatusCode::new(500 + tries % 2).unwrap());
    }
    assert!((30..40).contains(&tries), "{tries}");
}

#[test]
fn a_failure_of_another_time_is_no_news() {
    let mut timer = timer(None);
    failure(&mut timer, 0, 481);
    success(&mut timer, 0, "1800;refresher=uac");
    failure(&mut timer, 1, 481);
    success(&mut timer, 2, "1800;refresher=uas");
    failure(&mut timer, 3, 408);
    assert_eq!(timer.take(), []);
    assert!(timer.machine.poll_timeout().is_some());
}

/// The interval of our wish; the Min-SE of each 422, and what the request says after it, or nothing if it is no use.
#[test]
fn a_422_raises_the_interval() {
    for (wish, rounds) in [
        (Some(90), &[(Some(300), Some("300 Min-SE 300")), (Some(600), Some("600 Min-SE 600"))][..]),
        (Some(90), &[(None, None), (Some(90), None), (Some(0), None), (Some(91), Some("91 Min-SE 91"))]),
        (None, &[(Some(300), None)]),
        (
            Some(90),
            &[
                (Some(91), Some("91 Min-SE 91")),
                (Some(92), Some("92 Min-SE 92")),
                (Some(93), Some("93 Min-SE 93")),
                (Some(94), Some("94 Min-SE 94")),
                (Some(95), None),
            ],
        ),
    ] {
        let mut timer = timer(wish);
        for (min_se, expect) in rounds {
            let retry = timer.machine.handle_too_small(min_se.map(MinSe));
            let said = retry.then(|| request(&timer));
            assert_eq!(said.as_deref(), *expect, "{wish:?} {min_se:?}");
        }
    }
}

#[test]
fn a_422_to_a_refresh_keeps_the_roles_and_the_deadline() {
    let mut timer = timer(None);
    success(&mut timer, 0, "90;refresher=uac");
    timer.at(46_000, |timer, _| assert!(timer.handle_too_small(Some(MinSe(300)))));
    assert_eq!(
        (timer.take(), request(&timer).as_str()),
        (vec![(45_000, Refresh)], "300;refresher=uac Min-SE 300")
    );
    success(&mut timer, 47, "300;refresher=uac");
    assert_eq!(timer.finish().1, [(197_000, Refresh), (347_000, Expired)]);
}

#[test]
fn min_se_of_the_peer_is_remembered() {
    let mut timer = timer(Some(600));
    let asked = SessionHeaders { min_se: Some(MinSe(900)), ..asked("1800;refresher=uas", true) };
    accepted(&mut timer, 0, &asked);
    assert_eq!(request(&timer), "900;refresher=uac Min-SE 900");
    let short = SessionHeaders { min_se: None, ..self::asked("89", true) };
    assert_eq!(timer.machine.answer(&short), Err(MinSe(90)));
}

/// Half of the interval may be gone when the terms are written down: the refresh comes before the rest is.
#[test]
fn terms_are_gone_on_with() {
    for (wish, expires, log) in [
        (None, "90;refresher=uac", vec![(9_000, Refresh), (90_000, Expired)]),
        (None, "1800;refresher=uac", vec![(180_000, Refresh), (1_800_000, Expired)]),
        (Some(90), "", vec![(9_000, Refresh), (90_000, Expired)]),
        (None, "1800;refresher=uas", vec![(1_768_000, Expired)]),
    ] {
        let mut timer = timer(wish);
        assert_eq!(timer.machine.terms(), None);
        success(&mut timer, 0, expires);
        let (terms, said) = (timer.machine.terms().unwrap(), request(&timer));
        let policy = SessionPolicy { interval: wish, least: MinSe::LEAST };
        let mut resumed = Clock::new(|now| SessionTimer::resumed(now, policy, terms));
        assert_eq!((resumed.machine.terms(), request(&resumed)), (Some(terms), said), "{expires}");
        assert_eq!(resumed.finish().1, log, "{expires}");
    }
}

#[test]
fn the_end_is_silent_and_final() {
    let mut timer = timer(Some(1_800));
    success(&mut timer, 0, "1800;refresher=uac");
    timer.at(1_000, |timer, _| timer.end());
    success(&mut timer, 2, "1800;refresher=uac");
    accepted(&mut timer, 3, &asked("1800", true));
    assert_eq!(timer.finish(), (3_000, vec![]));
}
