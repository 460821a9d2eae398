//! Reliable provisional responses, the callee's side. RFC 3262 §3.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::transaction::Timers;
use crate::{CSeq, RAck, RSeq};

/// The answering user's side of reliable provisional responses: numbers them, sends one at a time, and repeats each until
/// its PRACK comes, on reliable transports as well, since a hop further on may not be reliable.
///
/// ```text
///                       +-- resend: again, twice as long after
///  provisional: send    |      give up: report -----------------> Ended
///  Idle ---------> Unacknowledged -- PRACK: the next, else the 2xx or Idle
///    |                  |    |
///    |    300-699: send |    | 2xx: send if nothing unacknowledged describes a session, else after the PRACK
///    +------------------+----+----------------------------------> Ended -- PRACK of what was left: 2xx
/// ```
///
/// One per To tag: the gateway that shows its caller the forks of a callee is several answering users. No 100 goes
/// through here, and nothing at all unless the INVITE has `100rel` in Supported or Require.
///
/// Source: RFC 3262 §3 and §5.
#[derive(Debug, Clone)]
pub struct UasReliable<M> {
    timers: Timers,
    invite: CSeq,
    next: RSeq,
    state: State<M>,
    outputs: VecDeque<UasReliableOutput<M>>,
}

/// A provisional response to be sent reliably.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisional<M> {
    /// 101 to 199, without its RSeq.
    pub response: M,
    /// The response has an offer or an answer in it, which a 2xx must not overtake.
    pub session: bool,
}

/// What a [`UasReliable`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UasReliableOutput<M> {
    /// Respond with this, for the first time or again, with `Require: 100rel` and this RSeq.
    Provisional(RSeq, M),
    /// Respond with this final response.
    Final(M),
    /// No PRACK came within 64*T1: refuse the INVITE with a 5xx. A 2xx that waited is dropped.
    NoPrack,
}

/// Why a provisional response can't be sent reliably. It is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UasReliableError {
    /// The INVITE has its final response, or nobody acknowledges. RFC 3262 §3.
    #[error("the INVITE is answered")]
    Ended,
    /// [`UasReliable::MAX_WAITING`] of them wait already.
    #[error("too many provisional responses are unacknowledged")]
    Full,
}

#[derive(Debug, Clone)]
enum State<M> {
    /// All that was sent is acknowledged.
    Idle,
    /// One was sent; the others wait for its PRACK, and so does `accepted`, a 2xx.
    Unacknowledged {
        rseq: RSeq,
        sent: Provisional<M>,
        resend: Instant,
        interval: Duration,
        give_up: Instant,
        waiting: VecDeque<Provisional<M>>,
        accepted: Option<M>,
    },
    /// Nothing is sent any more. A PRACK may come for what was not acknowledged.
    Ended { unacknowledged: Option<RSeq> },
}

impl<M: Clone> UasReliable<M> {
    /// How many provisional responses may wait for the PRACK of the one that was sent.
    pub const MAX_WAITING: usize = 8;

    /// Nothing is sent yet. `invite` is the CSeq of the INVITE, `first` the number of the first response, drawn by
    /// [`RSeq::first`].
    pub fn new(invite: CSeq, first: RSeq, timers: Timers) -> Self {
        UasReliable { timers, invite, next: first, state: State::Idle, outputs: VecDeque::new() }
    }

    /// Sends a provisional response, at once or when those before it are acknowledged.
    ///
    /// # Errors
    /// Why the response can't be sent reliably.
    pub fn send(&mut self, now: Instant, provisional: Provisional<M>) -> Result<(), UasReliableError> {
        match &mut self.state {
            State::Idle => self.transmit(now, provisional, VecDeque::new(), None),
            State::Unacknowledged { waiting, accepted: None, .. } if waiting.len() < Self::MAX_WAITING => {
                waiting.push_back(provisional);
            }
            State::Unacknowledged { accepted: None, .. } => return Err(UasReliableError::Full),
            State::Unacknowledged { accepted: Some(_), .. } | State::Ended { .. } => {
                return Err(UasReliableError::Ended);
            }
        }
        Ok(())
    }

    /// A PRACK came in this dialog: `true` if it acknowledges what is not acknowledged yet (respond 2xx, with the answer
    /// if it has an offer), `false` if not (respond 481).
    #[must_use]
    pub fn handle_prack(&mut self, now: Instant, rack: &RAck) -> bool {
        let unacknowledged = match &self.state {
            State::Unacknowledged { rseq, .. } | State::Ended { unacknowledged: Some(rseq) } => *rseq,
            State::Idle | State::Ended { unacknowledged: None } => return false,
        };
        if rack.rseq != unacknowledged || rack.cseq != self.invite {
            return false;
        }
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Unacknowledged { mut waiting, accepted, .. } => match (waiting.pop_front(), accepted) {
                (Some(provisional), accepted) => self.transmit(now, provisional, waiting, accepted),
                (None, Some(response)) => self.finish(response, None),
                (None, None) => {}
            },
            State::Idle | State::Ended { .. } => self.state = State::Ended { unacknowledged: None },
        }
        true
    }

    /// Responds with `response`, a 2xx: at once, or when all that describes a session is acknowledged. What waits and
    /// describes none is dropped. RFC 3262 §5.
    pub fn accept(&mut self, response: M) {
        match &mut self.state {
            State::Idle => self.finish(response, None),
            State::Unacknowledged { rseq, sent, waiting, accepted, .. } => {
                waiting.retain(|provisional| provisional.session);
                if sent.session || !waiting.is_empty() {
                    *accepted = Some(response);
                } else {
                    let unacknowledged = Some(*rseq);
                    self.finish(response, unacknowledged);
                }
            }
            State::Ended { .. } => {}
        }
    }

    /// Responds with `response`, 300 to 699, at once: nothing is repeated any more, and neither what waits is sent nor a
    /// 2xx that waits. RFC 3262 §3.
    pub fn refuse(&mut self, response: M) {
        if !matches!(self.state, State::Ended { .. }) {
            let unacknowledged = self.unacknowledged();
            self.finish(response, unacknowledged);
        }
    }

    /// The INVITE was answered without this machine, or its caller is gone: sends nothing any more.
    pub fn end(&mut self) {
        self.state = State::Ended { unacknowledged: self.unacknowledged() };
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Unacknowledged { rseq, give_up, .. } if *give_up <= now => {
                self.outputs.push_back(UasReliableOutput::NoPrack);
                self.state = State::Ended { unacknowledged: Some(*rseq) };
            }
            State::Unacknowledged { rseq, sent, resend, interval, .. } if *resend <= now => {
                *interval *= 2; // Sent at 0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5 s: no T2 holds the doubling.
                *resend = now + *interval;
                self.outputs.push_back(UasReliableOutput::Provisional(*rseq, sent.response.clone()));
            }
            State::Unacknowledged { .. } | State::Idle | State::Ended { .. } => {}
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<UasReliableOutput<M>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` while nothing is unacknowledged, and after the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Unacknowledged { resend, give_up, .. } => Some((*resend).min(*give_up)),
            State::Idle | State::Ended { .. } => None,
        }
    }

    fn transmit(
        &mut self,
        now: Instant,
        sent: Provisional<M>,
        waiting: VecDeque<Provisional<M>>,
        accepted: Option<M>,
    ) {
        let (rseq, interval) = (self.next, self.timers.first());
        self.next = rseq.next().unwrap_or(rseq); // 2^31 PRACKs away from the last number.
        self.outputs.push_back(UasReliableOutput::Provisional(rseq, sent.response.clone()));
        self.state = State::Unacknowledged {
            rseq,
            sent,
            resend: now + interval,
            interval,
            give_up: now + self.timers.t1_64(),
            waiting,
            accepted,
        };
    }

    fn finish(&mut self, response: M, unacknowledged: Option<RSeq>) {
        self.outputs.push_back(UasReliableOutput::Final(response));
        self.state = State::Ended { unacknowledged };
    }

    fn unacknowledged(&self) -> Option<RSeq> {
        match &self.state {
            State::Unacknowledged { rseq, .. } => Some(*rseq),
            State::Ended { unacknowledged } => *unacknowledged,
            State::Idle => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UasReliableOutput::{Final, NoPrack};
    use super::*;
    use crate::transaction::virtual_time::{Clock, Machine};

    type Uas = UasReliable<&'static str>;
    type Output = UasReliableOutput<&'static str>;

    impl Machine for Uas {
        type Output = Output;
        fn handle_timeout(&mut self, now: Instant) {
            UasReliable::handle_timeout(self, now);
        }
        fn poll_output(&mut self) -> Option<Output> {
            UasReliable::poll_output(self)
        }
        fn poll_timeout(&self) -> Option<Instant> {
            UasReliable::poll_timeout(self)
        }
        fn is_terminated(&self) -> bool {
            matches!(self.state, State::Ended { .. })
        }
    }

    /// Begins at RSeq 10, for `7 INVITE`.
    fn uas() -> Clock<Uas> {
        Clock::new(|_| UasReliable::new(CSeq::parse("7 INVITE").unwrap(), RSeq::first(9), Timers::default()))
    }

    fn provisional(rseq: u32, response: &'static str) -> Output {
        UasReliableOutput::Provisional(RSeq::parse(&rseq.to_string()).unwrap(), response)
    }

    /// A response whose name ends in `sdp` describes a session.
    fn send(uas: &mut Clock<Uas>, at_ms: u64, response: &'static str) -> Result<(), UasReliableError> {
        let session = response.ends_with("sdp");
        uas.at(at_ms, |uas, now| uas.send(now, Provisional { response, session }))
    }

    fn prack(uas: &mut Clock<Uas>, at_ms: u64, rack: &str) -> bool {
        let rack = RAck::parse(rack).unwrap();
        uas.at(at_ms, |uas, now| uas.handle_prack(now, &rack))
    }

    #[test]
    fn unacknowledged_repeats_with_doubling_intervals_and_gives_up_after_64_t1() {
        let mut uas = uas();
        send(&mut uas, 0, "180").unwrap();
        let sent = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|ms| (ms, provisional(10, "180")));
        assert_eq!(uas.finish(), (32_000, [&sent[..], &[(32_000, NoPrack)]].concat()));
        assert_eq!(send(&mut uas, 32_100, "183"), Err(UasReliableError::Ended));
        assert!(prack(&mut uas, 32_200, "10 7 INVITE"), "late, but not unknown");
        assert!(!prack(&mut uas, 32_300, "10 7 INVITE"));
        assert_eq!(uas.finish().1, []);
    }

    #[test]
    fn prack_stops_the_repeats_and_lets_the_next_go() {
        let mut uas = uas();
        send(&mut uas, 0, "183 sdp").unwrap();
        send(&mut uas, 100, "180").unwrap();
        send(&mut uas, 200, "181").unwrap();
        assert!(prack(&mut uas, 600, "10 7 INVITE"));
        assert!(prack(&mut uas, 700, "11 7 INVITE"));
        assert!(prack(&mut uas, 1_300, "12 7 INVITE"));
        let log = [
            (0, provisional(10, "183 sdp")),
            (500, provisional(10, "183 sdp")),
            (600, provisional(11, "180")),
            (700, provisional(12, "181")),
            (1_200, provisional(12, "181")),
        ];
        assert_eq!(uas.finish(), (1_300, log.to_vec()));
        send(&mut uas, 60_000, "180").unwrap();
        assert_eq!(uas.take(), [(60_000, provisional(13, "180"))]);
    }

    #[test]
    fn prack_of_anything_else_is_refused_and_changes_nothing() {
        let mut uas = uas();
        assert!(!prack(&mut uas, 0, "10 7 INVITE"), "before anything was sent");
        send(&mut uas, 0, "180").unwrap();
        for rack in ["9 7 INVITE", "11 7 INVITE", "10 6 INVITE", "10 8 INVITE", "10 7 UPDATE"] {
            assert!(!prack(&mut uas, 100, rack), "{rack}");
        }
        assert!(uas.machine.poll_timeout().is_some());
        assert!(prack(&mut uas, 200, "10 7 INVITE"));
        assert!(!prack(&mut uas, 300, "10 7 INVITE"), "acknowledged already");
        assert_eq!(uas.finish(), (300, vec![(0, provisional(10, "180"))]));
    }

    #[test]
    fn few_may_wait() {
        let mut uas = uas();
        let wait = (0..=Uas::MAX_WAITING).map(|_| send(&mut uas, 0, "180")).collect::<Vec<_>>();
        assert!(wait.iter().all(Result::is_ok), "one sent, the others waiting");
        assert_eq!(send(&mut uas, 0, "180"), Err(UasReliableError::Full));
    }

    /// What is sent until one second, when a 2xx comes; what follows; what follows after a PRACK of RSeq 10, and of 11.
    #[test]
    fn a_2xx_never_overtakes_a_session() {
        for (sent, at_once, after_10, after_11) in [
            (vec![], vec![Final("200")], vec![], vec![]),
            (vec!["180"], vec![Final("200")], vec![], vec![]),
            (vec!["180", "181"], vec![Final("200")], vec![], vec![]),
            (vec!["183 sdp"], vec![], vec![Final("200")], vec![]),
            (vec!["183 sdp", "180"], vec![], vec![Final("200")], vec![]),
            (vec!["180", "183 sdp"], vec![], vec![provisional(11, "183 sdp")], vec![Final("200")]),
            (vec!["180", "181", "183 sdp"], vec![], vec![provisional(11, "183 sdp")], vec![Final("200")]),
        ] {
            let mut uas = uas();
            for response in &sent {
                send(&mut uas, 600, response).unwrap();
            }
            uas.take();
            uas.at(1_000, |uas, _| uas.accept("200"));
            let taken =
                |uas: &mut Clock<Uas>| uas.take().into_iter().map(|(_, output)| output).collect::<Vec<_>>();
            assert_eq!(taken(&mut uas), at_once, "{sent:?}");
            assert_eq!(send(&mut uas, 1_000, "180"), Err(UasReliableError::Ended), "{sent:?}");
            assert_eq!(prack(&mut uas, 1_050, "10 7 INVITE"), !sent.is_empty(), "{sent:?}");
            assert_eq!(taken(&mut uas), after_10, "{sent:?}");
            assert_eq!(prack(&mut uas, 1_060, "11 7 INVITE"), !after_11.is_empty(), "{sent:?}");
            assert_eq!(taken(&mut uas), after_11, "{sent:?}");
            assert!(uas.finish().1.is_empty() && uas.machine.is_terminated(), "{sent:?}");
        }
    }

    #[test]
    fn acknowledged_sessions_hold_no_2xx_up() {
        let mut uas = uas();
        send(&mut uas, 0, "183 sdp").unwrap();
        assert!(prack(&mut uas, 100, "10 7 INVITE"));
        uas.at(200, |uas, _| uas.accept("200"));
        assert_eq!(uas.finish(), (200, vec![(0, provisional(10, "183 sdp")), (200, Final("200"))]));
    }

    #[test]
    fn a_2xx_that_waits_is_dropped_without_a_prack_and_by_a_refusal() {
        for (refused, expect) in [(false, (32_000, NoPrack)), (true, (2_000, Final("487")))] {
            let mut uas = uas();
            send(&mut uas, 0, "183 sdp").unwrap();
            uas.at(1_000, |uas, _| uas.accept("200"));
            uas.take();
            if refused {
                uas.at(2_000, |uas, _| uas.refuse("487"));
            }
            assert_eq!(uas.finish().1.pop(), Some(expect), "{refused}");
        }
    }

    #[test]
    fn a_refusal_goes_at_once_and_ends_the_repeats() {
        for sent in [&[][..], &["180"], &["183 sdp", "180"]] {
            let mut uas = uas();
            for response in sent {
                send(&mut uas, 0, response).unwrap();
            }
            uas.take();
            uas.at(100, |uas, _| uas.refuse("486"));
            uas.at(110, |uas, _| uas.accept("200"));
            uas.at(120, |uas, _| uas.refuse("487"));
            assert_eq!(uas.finish(), (120, vec![(100, Final("486"))]), "{sent:?}");
            assert_eq!(send(&mut uas, 130, "180"), Err(UasReliableError::Ended));
            assert_eq!(prack(&mut uas, 200, "10 7 INVITE"), !sent.is_empty(), "{sent:?}");
            assert!(!prack(&mut uas, 300, "10 7 INVITE"));
        }
    }

    #[test]
    fn the_end_is_silent() {
        let mut uas = uas();
        send(&mut uas, 0, "183 sdp").unwrap();
        uas.at(100, |uas, _| uas.end());
        uas.at(200, |uas, _| uas.end());
        assert_eq!(uas.finish(), (200, vec![(0, provisional(10, "183 sdp"))]));
        assert!(prack(&mut uas, 300, "10 7 INVITE"));
        uas.at(400, |uas, _| uas.end());
        assert!(!prack(&mut uas, 500, "10 7 INVITE"));
    }
}
