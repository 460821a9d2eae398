//! REFER, the side that sent it. RFC 3515, RFC 6665.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Sipfrag;
use crate::StatusCode;
use crate::header::SubscriptionState;
use crate::transaction::Timers;

/// The side that sent a REFER: hears what came of it.
///
/// ```text
///   Sent -- 2xx: timer N --> Accepted -- NOTIFY --> Active -- NOTIFY: Progress
///    |  \                       | N       ^            |
///    |   \____ NOTIFY before the 2xx _____|            | final status, terminated or expired: Finished
///    | refused, or 2xx with Refer-Sub: false           v
///    +-----------------------------------------> Finished -- further NOTIFYs: 200 until the last, or expiry
/// ```
///
/// A 2xx to REFER says only that somebody tries. It asks for no longer subscription than the peer gives.
///
/// Source: RFC 3515 §2.4, RFC 6665 §4.1, RFC 4488 §4.
#[derive(Debug)]
pub struct ReferSubscriber {
    timers: Timers,
    lasts: Duration,
    state: State,
    outputs: VecDeque<ReferSubscriberOutput>,
}

/// What a [`ReferSubscriber`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferSubscriberOutput {
    /// The referred request has this provisional response.
    Progress(StatusCode),
    /// The referred request, or the REFER itself, has this final response; `None` if nobody will say. Told once.
    Finished(Option<StatusCode>),
}

#[derive(Debug)]
enum State {
    Sent,
    /// Timer N awaits the first NOTIFY.
    Accepted {
        timer_n: Instant,
    },
    Active {
        expires: Instant,
    },
    /// All is told; the peer has not said the last word.
    Finished {
        expires: Instant,
    },
    Terminated,
}

impl ReferSubscriber {
    /// A REFER was sent; a subscription that lasts longer than `lasts` from one NOTIFY to the next is over all the same.
    pub fn new(timers: Timers, lasts: Duration) -> Self {
        ReferSubscriber { timers, lasts, state: State::Sent, outputs: VecDeque::new() }
    }

    /// The final response to the REFER came, 408 if none did. `subscribed` is false if it says `Refer-Sub: false`.
    pub fn handle_response(&mut self, now: Instant, status: StatusCode, subscribed: bool) {
        match self.state {
            State::Sent if !status.is_success() => self.finish(Some(status), State::Terminated),
            State::Sent if !subscribed => self.finish(None, State::Terminated),
            State::Sent => self.state = State::Accepted { timer_n: now + self.timers.t1_64() },
            // A NOTIFY was quicker, and says more.
            State::Accepted { .. } | State::Active { .. } | State::Finished { .. } | State::Terminated => {}
        }
    }

    /// A NOTIFY with `Event: refer` came in this dialog; `body` is `None` if it holds no status line. `true`: respond
    /// 200; `false`: respond 481.
    #[must_use]
    pub fn handle_notify(&mut self, now: Instant, state: SubscriptionState, body: Option<Sipfrag>) -> bool {
        let told = match self.state {
            State::Terminated => return false,
            State::Finished { .. } => true,
            State::Sent | State::Accepted { .. } | State::Active { .. } => false,
        };
        let status = body.map(|Sipfrag(status)| status);
        let last = status.filter(|status| status.is_final());
        let next = match state {
            SubscriptionState::Terminated(_) => State::Terminated,
            SubscriptionState::Pending { expires } | SubscriptionState::Active { expires } => {
                let lasts = expires.map_or(self.lasts, |expires| Duration::from_secs(expires.into()));
                let expires = now + lasts.min(self.lasts);
                if last.is_some() || told { State::Finished { expires } } else { State::Active { expires } }
            }
        };
        match (told, status) {
            (true, _) => self.state = next,
            (false, _) if last.is_some() || matches!(next, State::Terminated) => self.finish(last, next),
            (false, status) => {
                self.outputs.extend(status.map(ReferSubscriberOutput::Progress));
                self.state = next;
            }
        }
        true
    }

    /// The dialog is gone: nothing more is told.
    pub fn end(&mut self) {
        self.state = State::Terminated;
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Accepted { timer_n: due } | State::Active { expires: due } if due <= now => {
                self.finish(None, State::Terminated);
            }
            State::Finished { expires } if expires <= now => self.state = State::Terminated,
            _ => {}
        }
    }

    /// The next thing to tell; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ReferSubscriberOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` until the REFER is answered, and at the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Accepted { timer_n: due } | State::Active { expires: due } => Some(due),
            State::Finished { expires } => Some(expires),
            State::Sent | State::Terminated => None,
        }
    }

    /// `true` once no NOTIFY is awaited.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn finish(&mut self, status: Option<StatusCode>, next: State) {
        self.outputs.push_back(ReferSubscriberOutput::Finished(status));
        self.state = next;
    }
}

#[cfg(test)]
mod tests {
    use super::ReferSubscriberOutput::{Finished, Progress};
    use super::*;
    use crate::transaction::virtual_time::{Clock, Machine};

    impl Machine for ReferSubscriber {
        type Output = ReferSubscriberOutput;
        fn handle_timeout(&mut self, now: Instant) {
            ReferSubscriber::handle_timeout(self, now);
        }
        fn poll_output(&mut self) -> Option<ReferSubscriberOutput> {
            ReferSubscriber::poll_output(self)
        }
        fn poll_timeout(&self) -> Option<Instant> {
            ReferSubscriber::poll_timeout(self)
        }
        fn is_terminated(&self) -> bool {
            ReferSubscriber::is_terminated(self)
        }
    }

    /// What befalls a subscriber.
    enum Step {
        /// The response to the REFER, and whether it lets us subscribe.
        Response(u16, bool),
        /// Subscription-State and body of a NOTIFY, and whether it is taken.
        Notify(&'static str, &'static str, bool),
        End,
    }
    use Step::{End, Notify, Response};

    #[test]
    fn each_arrow() {
        let code = |code| StatusCode::new(code).unwrap();
        let (trying, ringing) = ("SIP/2.0 100 Trying", "SIP/2.0 180 Ringing");
        let (ok, busy) = ("SIP/2.0 200 OK", "SIP/2.0 486 Busy Here");
        let (active, over) = ("active;expires=60", "terminated;reason=noresource");
        for (name, steps, expect, end_s) in [
            (
                "progress, then success",
                vec![
                    (1, Response(202, true)),
                    (2, Notify(active, trying, true)),
                    (3, Notify(active, ringing, true)),
                    (9, Notify(over, ok, true)),
                    (10, Notify(over, ok, false)),
                ],
                vec![(2, Progress(code(100))), (3, Progress(code(180))), (9, Finished(Some(code(200))))],
                10,
            ),
            (
                "the NOTIFY is quicker than the 202",
                vec![
                    (1, Notify("pending", trying, true)),
                    (2, Response(202, true)),
                    (3, Notify(over, busy, true)),
                ],
                vec![(1, Progress(code(100))), (3, Finished(Some(code(486))))],
                3,
            ),
            ("refused", vec![(1, Response(603, true))], vec![(1, Finished(Some(code(603))))], 1),
            (
                "without a subscription",
                vec![(1, Response(200, false)), (2, Notify(active, trying, false))],
                vec![(1, Finished(None))],
                2,
            ),
            ("timer N", vec![(1, Response(202, true))], vec![(33, Finished(None))], 33),
            (
                "it expires, a minute after the last word",
                vec![
                    (1, Response(202, true)),
                    (2, Notify(active, trying, true)),
                    (30, Notify(active, ringing, true)),
                ],
                vec![(2, Progress(code(100))), (30, Progress(code(180))), (90, Finished(None))],
                90,
            ),
            (
                "a peer that promises years",
                vec![(1, Notify("active;expires=4294967295", trying, true))],
                vec![(1, Progress(code(100))), (301, Finished(None))],
                301,
            ),
            (
                "a peer that does not say that it is over",
                vec![
                    (1, Response(202, true)),
                    (2, Notify(active, ok, true)),
                    (3, Notify(active, ok, true)),
                    (4, Notify(over, busy, true)),
                    (5, Notify(over, busy, false)),
                ],
                vec![(2, Finished(Some(code(200))))],
                5,
            ),
            (
                "nor ever will",
                vec![(1, Response(202, true)), (2, Notify(active, ok, true))],
                vec![(2, Finished(Some(code(200))))],
                62,
            ),
            (
                "over without a final status",
                vec![(1, Response(202, true)), (2, Notify("terminated;reason=timeout", ringing, true))],
                vec![(2, Finished(None))],
                2,
            ),
            (
                "without a body",
                vec![
                    (1, Response(202, true)),
                    (2, Notify(active, "", true)),
                    (3, Notify("terminated", "", true)),
                ],
                vec![(3, Finished(None))],
                3,
            ),
            (
                "the dialog is gone",
                vec![(1, Response(202, true)), (2, End), (3, Notify(over, ok, false))],
                vec![],
                3,
            ),
        ] {
            let mut clock = Clock::new(|_| ReferSubscriber::new(Timers::default(), Duration::from_secs(300)));
            for (at_s, step) in &steps {
                clock.at(at_s * 1_000, |subscriber, now| match step {
                    Response(status, subscribed) => {
                        subscriber.handle_response(now, code(*status), *subscribed);
                    }
                    Notify(state, body, taken) => {
                        let state = SubscriptionState::parse(state).unwrap();
                        let body = Sipfrag::parse(body.as_bytes());
                        assert_eq!(subscriber.handle_notify(now, state, body), *taken, "{name}");
                    }
                    End => subscriber.end(),
                });
            }
            let expect: Vec<_> = expect.into_iter().map(|(at_s, output)| (at_s * 1_000, output)).collect();
            assert_eq!(clock.finish(), (end_s * 1_000, expect), "{name}");
            assert!(clock.machine.is_terminated(), "{name}");
        }
    }
}
