//! REFER, the side that took it. RFC 3515, RFC 6665.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Sipfrag;
use crate::StatusCode;
use crate::header::{SubscriptionState, TerminatedReason};

/// The side that took a REFER: tells the other one what came of it.
///
/// ```text
///      202: NOTIFY 100
///   Active ---- progress: NOTIFY, active <-------+
///    |  |  \___ SUBSCRIBE: NOTIFY again, active _|
///    |  |
///    |  +-- final response: NOTIFY, terminated;reason=noresource --> Terminated
///    +-- expiry, or SUBSCRIBE with Expires: 0:
///               NOTIFY, terminated;reason=timeout -----------------> Terminated
/// ```
///
/// One NOTIFY at a time is under way, so that none overtakes another; of the progress meanwhile only the last counts. A
/// NOTIFY that is answered with 481, or not at all, ends the subscription silently.
///
/// The subscription outlives the session: the dialog must stay until [`is_terminated`](Self::is_terminated), also after
/// a BYE. There is none at all where the REFER was answered with `Refer-Sub: false` (RFC 4488).
///
/// Source: RFC 3515 §2.4.4 to §2.4.7, RFC 6665 §4.2.
#[derive(Debug)]
pub struct ReferNotifier {
    lasts: Duration,
    state: State,
    outputs: VecDeque<ReferNotifierOutput>,
}

/// What a [`ReferNotifier`] wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferNotifierOutput {
    /// Send a NOTIFY with this body inside the dialog. Its Event is `refer`, with the REFER's CSeq number as `id` from
    /// the dialog's second REFER on. RFC 3515 §2.4.6.
    Notify(SubscriptionState, Sipfrag),
}

/// There is no subscription any more: respond 481 to the SUBSCRIBE. RFC 6665 §4.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such subscription")]
pub struct NoSubscription;

#[derive(Debug)]
enum State {
    /// `status` is the newest; `sending` tells of the NOTIFY under way.
    Active {
        status: StatusCode,
        expires: Instant,
        sending: Sending,
    },
    /// The last NOTIFY waits for the one under way.
    Terminating {
        status: StatusCode,
        reason: TerminatedReason,
    },
    Terminated,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// No NOTIFY is under way.
    No,
    /// One is.
    Newest,
    /// One is, and another must follow.
    Older,
}

impl ReferNotifier {
    /// We answer a REFER with 202: the subscription lasts at most `lasts` without a SUBSCRIBE.
    pub fn new(now: Instant, lasts: Duration) -> Self {
        let mut notifier = ReferNotifier { lasts, state: State::Terminated, outputs: VecDeque::new() };
        notifier.notify(now, StatusCode::TRYING, now + lasts);
        notifier
    }

    /// What the REFER led to said `status`, provisional or final. The first final response is the last news.
    pub fn handle_status(&mut self, now: Instant, status: StatusCode) {
        match &mut self.state {
            State::Active { .. } if status.is_final() => self.terminate(status, TerminatedReason::NoResource),
            State::Active { status: before, .. } if *before == status => {}
            State::Active { expires, sending: Sending::No, .. } => {
                let expires = *expires;
                self.notify(now, status, expires);
            }
            State::Active { status: newest, sending, .. } => {
                *newest = status;
                *sending = Sending::Older;
            }
            State::Terminating { .. } | State::Terminated => {}
        }
    }

    /// The final response to our NOTIFY came; 408 if none did. A challenge that is met does not count.
    pub fn handle_response(&mut self, now: Instant, status: StatusCode) {
        let gone = matches!(
            status,
            StatusCode::REQUEST_TIMEOUT | StatusCode::CALL_DOES_NOT_EXIST | StatusCode::BAD_EVENT
        );
        match &mut self.state {
            State::Active { .. } | State::Terminating { .. } if gone => self.state = State::Terminated,
            State::Active { status, expires, sending: Sending::Older } => {
                let (status, expires) = (*status, *expires);
                self.notify(now, status, expires);
            }
            State::Active { sending, .. } => *sending = Sending::No,
            State::Terminating { status, reason } => {
                let (status, reason) = (*status, *reason);
                self.last(status, reason);
            }
            State::Terminated => {}
        }
    }

    /// A SUBSCRIBE to it came, with this Expires in seconds: what to respond 200 with as Expires. 0 ends it.
    ///
    /// Source: RFC 6665 §4.2.1, RFC 3515 §2.4.4.
    ///
    /// # Errors
    /// The subscription is over.
    pub fn handle_subscribe(&mut self, now: Instant, expires: Option<u32>) -> Result<u32, NoSubscription> {
        let State::Active { status, expires: until, sending } = &mut self.state else {
            return Err(NoSubscription);
        };
        let longest = u32::try_from(self.lasts.as_secs()).unwrap_or(u32::MAX);
        let granted = expires.unwrap_or(longest).min(longest);
        let status = *status;
        if granted == 0 {
            self.terminate(status, TerminatedReason::Timeout);
            return Ok(0);
        }
        *until = now + Duration::from_secs(granted.into());
        if *sending == Sending::No {
            let until = *until;
            self.notify(now, status, until);
        } else {
            *sending = Sending::Older;
        }
        Ok(granted)
    }

    /// The dialog is gone: nothing more can be said.
    pub fn end(&mut self) {
        self.state = State::Terminated;
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let State::Active { status, expires, .. } = self.state
            && expires <= now
        {
            self.terminate(status, TerminatedReason::Timeout);
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ReferNotifierOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` once the last NOTIFY is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Active { expires, .. } => Some(expires),
            State::Terminating { .. } | State::Terminated => None,
        }
    }

    /// `true` once the last NOTIFY is sent; its response matters to nobody.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn notify(&mut self, now: Instant, status: StatusCode, expires: Instant) {
        let left = expires.saturating_duration_since(now).as_secs();
        let state = SubscriptionState::Active { expires: Some(u32::try_from(left).unwrap_or(u32::MAX)) };
        self.outputs.push_back(ReferNotifierOutput::Notify(state, Sipfrag(status)));
        self.state = State::Active { status, expires, sending: Sending::Newest };
    }

    fn terminate(&mut self, status: StatusCode, reason: TerminatedReason) {
        match self.state {
            State::Active { sending: Sending::No, .. } => self.last(status, reason),
            State::Active { .. } => self.state = State::Terminating { status, reason },
            State::Terminating { .. } | State::Terminated => {}
        }
    }

    fn last(&mut self, status: StatusCode, reason: TerminatedReason) {
        let state = SubscriptionState::Terminated(reason);
        self.outputs.push_back(ReferNotifierOutput::Notify(state, Sipfrag(status)));
        self.state = State::Terminated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transaction::virtual_time::{Clock, Machine};

    impl Machine for ReferNotifier {
        type Output = ReferNotifierOutput;
        fn handle_timeout(&mut self, now: Instant) {
            ReferNotifier::handle_timeout(self, now);
        }
        fn poll_output(&mut self) -> Option<ReferNotifierOutput> {
            ReferNotifier::poll_output(self)
        }
        fn poll_timeout(&self) -> Option<Instant> {
            ReferNotifier::poll_timeout(self)
        }
        fn is_terminated(&self) -> bool {
            ReferNotifier::is_terminated(self)
        }
    }

    /// What befalls a notifier.
    enum Step {
        /// What the REFER led to says this.
        Status(u16),
        /// The response to our NOTIFY.
        Response(u16),
        /// A SUBSCRIBE with this Expires, and what it is granted.
        Subscribe(Option<u32>, Option<u32>),
        End,
    }
    use Step::{End, Response, Status, Subscribe};

    /// Steps at their second; the NOTIFYs until the last one as `second status state`, of a subscription that lasts
    /// a minute.
    fn run(steps: &[(u64, Step)]) -> Vec<String> {
        let mut clock = Clock::new(|now| ReferNotifier::new(now, Duration::from_secs(60)));
        let status = |code: &u16| StatusCode::new(*code).unwrap();
        for (at_s, step) in steps {
            clock.at(at_s * 1_000, |notifier, now| match step {
                Status(code) => notifier.handle_status(now, status(code)),
                Response(code) => notifier.handle_response(now, status(code)),
                Subscribe(expires, granted) => {
                    assert_eq!(notifier.handle_subscribe(now, *expires).ok(), *granted);
                }
                End => notifier.end(),
            });
        }
        let log = clock.take().into_iter();
        log.map(|(at_ms, ReferNotifierOutput::Notify(state, Sipfrag(status)))| {
            format!("{} {status} {state}", at_ms / 1_000)
        })
        .collect()
    }

    #[test]
    fn each_arrow() {
        let first = "0 100 active;expires=60";
        for (name, steps, expect) in [
            (
                "progress, then success",
                vec![
                    (1, Response(200)),
                    (2, Status(180)),
                    (2, Response(200)),
                    (5, Status(200)),
                    (6, Response(200)),
                ],
                vec![first, "2 180 active;expires=58", "5 200 terminated;reason=noresource"],
            ),
            (
                "refused",
                vec![(1, Response(200)), (5, Status(486)), (6, Response(481))],
                vec![first, "5 486 terminated;reason=noresource"],
            ),
            (
                "only the newest follows a NOTIFY under way",
                vec![(1, Status(180)), (2, Status(183)), (3, Response(200)), (4, Status(181))],
                vec![first, "3 183 active;expires=57"],
            ),
            (
                "the last waits for the one under way, and stays the last",
                vec![
                    (1, Status(180)),
                    (2, Status(200)),
                    (3, Status(487)),
                    (4, Response(200)),
                    (5, Status(180)),
                ],
                vec![first, "4 200 terminated;reason=noresource"],
            ),
            (
                "the same progress is no news",
                vec![
                    (1, Response(200)),
                    (2, Status(100)),
                    (3, Status(180)),
                    (4, Response(200)),
                    (5, Status(180)),
                ],
                vec![first, "3 180 active;expires=57"],
            ),
            ("a NOTIFY of no use ends it", vec![(1, Response(481)), (2, Status(200))], vec![first]),
            ("a NOTIFY without response ends it", vec![(32, Response(408)), (33, Status(200))], vec![first]),
            ("the last too", vec![(1, Status(200)), (32, Response(408))], vec![first]),
            (
                "a NOTIFY that is refused otherwise does not",
                vec![(1, Response(500)), (2, Status(200))],
                vec![first, "2 200 terminated;reason=noresource"],
            ),
            (
                "SUBSCRIBE refreshes",
                vec![
                    (1, Response(200)),
                    (30, Subscribe(Some(50), Some(50))),
                    (31, Response(200)),
                    (61, Status(180)),
                    (62, Response(200)),
                    (63, Subscribe(Some(3_600), Some(60))),
                    (63, Subscribe(None, Some(60))),
                    (64, Response(200)),
                    (65, Status(200)),
                ],
                vec![
                    first,
                    "30 100 active;expires=50",
                    "61 180 active;expires=19",
                    "63 180 active;expires=60",
                    "64 180 active;expires=59",
                ],
            ),
            (
                "SUBSCRIBE gives it up",
                vec![
                    (1, Response(200)),
                    (2, Subscribe(Some(0), Some(0))),
                    (3, Subscribe(Some(60), None)),
                    (4, Status(200)),
                ],
                vec![first, "2 100 terminated;reason=timeout"],
            ),
            ("the dialog is gone", vec![(1, Response(200)), (2, End), (3, Status(200))], vec![first]),
        ] {
            assert_eq!(run(&steps), expect, "{name}");
        }
    }

    #[test]
    fn it_expires() {
        let first = "0 100 active;expires=60";
        for (name, steps, expect) in [
            (
                "idle",
                vec![(1, Response(200)), (61, Response(200))],
                vec![first, "60 100 terminated;reason=timeout"],
            ),
            (
                "waits for the one under way",
                vec![(61, Response(200))],
                vec![first, "61 100 terminated;reason=timeout"],
            ),
            (
                "a final response is late",
                vec![(1, Response(200)), (61, Status(200)), (61, Subscribe(Some(60), None))],
                vec![first, "60 100 terminated;reason=timeout"],
            ),
        ] {
            assert_eq!(run(&steps), expect, "{name}");
        }
    }
}
