use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{SessionAnswer, SessionHeaders, SessionPolicy};
use crate::header::{Refresher, SessionExpires};
use crate::{MinSe, StatusCode};

/// The session timer of one side of a dialog: agrees with the peer on an interval and on who refreshes, says when to
/// refresh, and when the session is over because nobody did.
///
/// ```text
///           2xx sent or received, refresher is us          interval/2: Refresh
///   Off ------------------------------------------> Ours <------------------+
///    |  \                                            |  \ 408, 481 or end of the interval
///    |   \  2xx, refresher is the peer               |   +--> Ended (Expired)
///    |    +------------> Peers ----------------------+
///    |  2xx without        \ interval - min(32 s, interval/3) without a refresh
///    +-- Session-Expires    +--> Ended (Expired)
/// ```
///
/// Every 2xx to an INVITE or UPDATE of either side, whatever it was for, begins the interval anew on the terms that it
/// has. With a peer that knows no session timers the refreshes are ours, and any response to them shows that it lives.
///
/// The answers of early dialogs begin no interval: hand over 2xx to UPDATE only after the 2xx to the INVITE.
///
/// Source: RFC 4028 §7 to §10.
#[derive(Debug, Clone)]
pub struct SessionTimer {
    policy: SessionPolicy,
    /// The largest Min-SE of the peer's requests and 422s. RFC 4028 §7.4.
    least: MinSe,
    raises: u8,
    state: State,
    outputs: VecDeque<SessionTimerOutput>,
}

/// What a [`SessionTimer`] wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionTimerOutput {
    /// Send an UPDATE, or a re-INVITE where the peer does not allow UPDATE, with [`SessionTimer::request`]'s headers.
    Refresh,
    /// Nobody refreshed the session: end it with a BYE.
    Expired,
}

/// What a [`SessionTimer`] has agreed on, without its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTerms {
    /// The session interval, in seconds.
    pub interval: u32,
    /// Whose refreshes keep the session up.
    pub refresher: SessionRefresher,
    /// The largest Min-SE that the peer asked for, in seconds.
    pub least: u32,
}

/// Who refreshes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SessionRefresher {
    /// This side of the dialog.
    Us,
    /// The peer knows no session timers.
    UsAlone,
    /// The other side.
    Peer,
}

#[derive(Debug, Clone)]
enum State {
    Off,
    /// We refresh. `alone`: the peer knows no session timers, and no end of its own.
    Ours {
        interval: u32,
        alone: bool,
        refresh: Refresh,
        expires: Instant,
    },
    Peers {
        interval: u32,
        expires: Instant,
    },
    Ended,
}

/// The refresh that comes next.
#[derive(Debug, Clone, Copy)]
enum Refresh {
    /// After `refused`, the response to the one before, if that failed.
    At(Instant, Option<StatusCode>),
    Sent(Option<StatusCode>),
    /// The peer refuses them all; the interval runs out.
    Hopeless,
}

impl SessionTimer {
    /// How often a 422 may raise our interval.
    pub const MAX_RAISES: u8 = 4;

    /// Nothing is agreed yet.
    pub fn new(policy: SessionPolicy) -> Self {
        SessionTimer { policy, least: MinSe::LEAST, raises: 0, state: State::Off, outputs: VecDeque::new() }
    }

    /// Goes on by the terms of another [`SessionTimer`] of the dialog, which nobody could keep meanwhile: the interval begins
    /// now, and a refresh of ours is due before the peer, that had the last one half an interval ago, loses patience.
    pub fn resumed(now: Instant, policy: SessionPolicy, terms: SessionTerms) -> Self {
        let SessionTerms { interval, refresher, least } = terms;
        let mut this = SessionTimer { least: MinSe(least).max(MinSe::LEAST), ..SessionTimer::new(policy) };
        match refresher {
            SessionRefresher::Peer => this.peers(now, interval),
            SessionRefresher::Us | SessionRefresher::UsAlone => {
                this.ours(now, interval, refresher == SessionRefresher::UsAlone);
                if let State::Ours { interval, refresh, .. } = &mut this.state {
                    *refresh = Refresh::At(now + Duration::from_secs((*interval).into()) / 10, None);
                }
            }
        }
        this
    }

    /// What is agreed on, as plain data; `None` while no timer runs.
    pub fn terms(&self) -> Option<SessionTerms> {
        let (interval, refresher) = match self.state {
            State::Ours { interval, alone: true, .. } => (interval, SessionRefresher::UsAlone),
            State::Ours { interval, .. } => (interval, SessionRefresher::Us),
            State::Peers { interval, .. } => (interval, SessionRefresher::Peer),
            State::Off | State::Ended => return None,
        };
        Some(SessionTerms { interval, refresher, least: self.least.0 })
    }

    /// Whether a refresh of ours is due and has had no response: no other request has begun the interval anew.
    pub fn is_refreshing(&self) -> bool {
        matches!(self.state, State::Ours { refresh: Refresh::Sent(_), .. })
    }

    /// What an INVITE or UPDATE of ours says, the first one and each after it. `supported` is always true.
    ///
    /// The first leaves the refresher to the peer; those after it say who refreshes now, so that the roles stay.
    ///
    /// Source: RFC 4028 §7.1 and §7.4.
    pub fn request(&self) -> SessionHeaders {
        let expires = |interval: u32, refresher| {
            Some(SessionExpires { interval: interval.max(self.least.0), refresher })
        };
        let expires = match self.state {
            State::Ours { interval, .. } => expires(interval, Some(Refresher::Uac)),
            State::Peers { interval, .. } => expires(interval, Some(Refresher::Uas)),
            State::Off | State::Ended => {
                self.policy.wish(self.least).and_then(|interval| expires(interval, None))
            }
        };
        let least = self.least.max(self.policy.least);
        let shortest = expires.is_none_or(|expires| least.0 <= expires.interval);
        let min_se = (least > MinSe::LEAST && shortest).then_some(least);
        SessionHeaders { supported: true, expires, min_se }
    }

    /// A 2xx to our INVITE or UPDATE came; `expires` is its Session-Expires.
    ///
    /// Less than 90 s, which nobody may give, counts as 90 s: a peer does not make us refresh by the second.
    ///
    /// Source: RFC 4028 §7.2.
    pub fn handle_success(&mut self, now: Instant, expires: Option<SessionExpires>) {
        match expires {
            Some(SessionExpires { interval, refresher: Some(Refresher::Uas) }) => self.peers(now, interval),
            Some(SessionExpires { interval, .. }) => self.ours(now, interval, false),
            None => match self.policy.wish(self.least) {
                Some(interval) => self.ours(now, interval, true),
                None => self.off(),
            },
        }
    }

    /// A 422 to our INVITE or UPDATE came, with this Min-SE: `true` if the request is to be sent again, with the headers
    /// of [`request`](Self::request). `false` if that leads nowhere: go on as for any refusal.
    ///
    /// Source: RFC 4028 §7.3.
    #[must_use]
    pub fn handle_too_small(&mut self, min_se: Option<MinSe>) -> bool {
        let asked = self.request().expires.map_or(0, |expires| expires.interval);
        match min_se {
            Some(min_se) if min_se.0 > asked && asked > 0 && self.raises < Self::MAX_RAISES => {
                self.least = min_se;
                self.raises += 1;
                true
            }
            _ => false,
        }
    }

    /// Our refresh failed with `status`; 408 if nothing came or it could not be sent. Challenges and 422 that are met by
    /// sending it again do not count.
    ///
    /// A peer that knows no session timers lives as long as it says anything: the interval begins anew.
    /// 408 and 481 end the session. After anything else it is tried again when half of the time is gone until the peer
    /// loses patience, but not after the same response twice in a row.
    ///
    /// Source: RFC 4028 §10.
    pub fn handle_failure(&mut self, now: Instant, status: StatusCode) {
        let State::Ours { interval, alone, refresh: Refresh::Sent(before), expires } = self.state else {
            return;
        };
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST) {
            return self.expire();
        }
        let of_a_proxy = matches!(
            status,
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::SERVER_TIMEOUT
        );
        if alone && !of_a_proxy {
            return self.ours(now, interval, true); // Whoever refuses lives.
        }
        let half = (expires - margin(interval)).saturating_duration_since(now) / 2;
        let refresh = if before == Some(status) || half < SHORTEST_RETRY {
            Refresh::Hopeless
        } else {
            Refresh::At(now + half, Some(status))
        };
        self.state = State::Ours { interval, alone, refresh, expires };
    }

    /// An INVITE or UPDATE of the peer came: what our 2xx will say, to be kept until it is sent. An error is the Min-SE
    /// of the 422 to respond at once.
    ///
    /// Source: RFC 4028 §9.
    pub fn answer(&mut self, asked: &SessionHeaders) -> Result<SessionAnswer, MinSe> {
        let answer = self.policy.answer(asked)?;
        self.least = self.least.max(asked.min_se.unwrap_or(MinSe::LEAST));
        Ok(answer)
    }

    /// We send a 2xx with `answer` to an INVITE or UPDATE of the peer.
    ///
    /// Source: RFC 4028 §9.
    pub fn handle_accepted(&mut self, now: Instant, answer: SessionAnswer) {
        match answer.expires {
            Some(SessionExpires { interval, refresher: Some(Refresher::Uac) }) => self.peers(now, interval),
            Some(SessionExpires { interval, .. }) => self.ours(now, interval, !answer.required),
            None => self.off(),
        }
    }

    /// The dialog ends.
    pub fn end(&mut self) {
        self.state = State::Ended;
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Ours { expires, .. } | State::Peers { expires, .. } if *expires <= now => self.expire(),
            State::Ours { refresh: refresh @ Refresh::At(..), .. } => {
                if let Refresh::At(at, before) = *refresh
                    && at <= now
                {
                    *refresh = Refresh::Sent(before);
                    self.outputs.push_back(SessionTimerOutput::Refresh);
                }
            }
            State::Ours { .. } | State::Peers { .. } | State::Off | State::Ended => {}
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<SessionTimerOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` while no timer runs.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Ours { refresh: Refresh::At(at, _), expires, .. } => Some(at.min(expires)),
            State::Ours { expires, .. } | State::Peers { expires, .. } => Some(expires),
            State::Off | State::Ended => None,
        }
    }

    fn ours(&mut self, now: Instant, interval: u32, alone: bool) {
        let interval = interval.max(MinSe::LEAST.0);
        let whole = Duration::from_secs(interval.into());
        let refresh = Refresh::At(now + whole / 2, None);
        self.restart(State::Ours { interval, alone, refresh, expires: now + whole });
    }

    fn peers(&mut self, now: Instant, interval: u32) {
        let interval = interval.max(MinSe::LEAST.0);
        let expires = now + Duration::from_secs(interval.into()) - margin(interval);
        self.restart(State::Peers { interval, expires });
    }

    fn off(&mut self) {
        self.restart(State::Off);
    }

    fn restart(&mut self, state: State) {
        if !matches!(self.state, State::Ended) {
            self.state = state;
            self.raises = 0;
        }
    }

    fn expire(&mut self) {
        self.state = State::Ended;
        self.outputs.push_back(SessionTimerOutput::Expired);
    }
}

/// A refresh is not tried again sooner than this.
const SHORTEST_RETRY: Duration = Duration::from_secs(1);

/// How long before the end of the interval, in seconds, the side that waits for a refresh ends the session. RFC 4028
/// §10.
fn margin(interval: u32) -> Duration {
    (Duration::from_secs(interval.into()) / 3).min(Duration::from_secs(32))
}

#[cfg(test)]
mod tests {
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
            (
                "1800;refresher=uas",
                true,
                "1800;refresher=uac",
                vec![(900_000, Refresh), (1_800_000, Expired)],
            ),
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
}
