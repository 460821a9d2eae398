//! The session timer of one side of a dialog. RFC 4028.

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
    /// Our side of the dialog.
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
    ///
    /// # Errors
    /// The least that we bear, where less is asked for: 422.
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
mod tests;
