//! A 2xx to INVITE until its ACK. RFC 3261 §13.3.1.4.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::transaction::Timers;

/// The repeating of a 2xx to INVITE until its ACK comes, which is the answering user's duty and not the transaction's.
///
/// Everything that it puts out, the first copy too, goes through
/// [`Transactions::respond`](crate::transaction::Transactions::respond). It repeats on reliable transports as well,
/// since a hop further on may not be reliable.
///
/// Source: RFC 3261 §13.3.1.4.
#[derive(Debug)]
pub struct UasAccept<M> {
    timers: Timers,
    response: M,
    state: State,
    outputs: VecDeque<UasAcceptOutput<M>>,
}

/// What a [`UasAccept`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UasAcceptOutput<M> {
    /// Respond with this 2xx, for the first time or again.
    Respond(M),
    /// No ACK came within 64*T1: end the session with a BYE.
    NoAck,
}

#[derive(Debug)]
enum State {
    Waiting { resend: Instant, interval: Duration, give_up: Instant },
    Ended,
}

impl<M: Clone> UasAccept<M> {
    /// Accepts an INVITE with `response`, a 2xx.
    pub fn new(now: Instant, response: M, timers: Timers) -> Self {
        let interval = timers.first();
        UasAccept {
            timers,
            state: State::Waiting { resend: now + interval, interval, give_up: now + timers.t1_64() },
            outputs: VecDeque::from([UasAcceptOutput::Respond(response.clone())]),
            response,
        }
    }

    /// The ACK came whose CSeq number is that of the INVITE.
    pub fn handle_ack(&mut self) {
        self.state = State::Ended;
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Waiting { give_up, .. } if *give_up <= now => {
                self.outputs.push_back(UasAcceptOutput::NoAck);
                self.state = State::Ended;
            }
            State::Waiting { resend, interval, .. } if *resend <= now => {
                *interval = self.timers.next(*interval); // Sent at 0, 0.5, 1.5, 3.5, 7.5, 11.5 ... s.
                *resend = now + *interval;
                self.outputs.push_back(UasAcceptOutput::Respond(self.response.clone()));
            }
            State::Waiting { .. } | State::Ended => {}
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<UasAcceptOutput<M>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` after the ACK or the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Waiting { resend, give_up, .. } => Some((*resend).min(*give_up)),
            State::Ended => None,
        }
    }

    /// `true` while the ACK is awaited.
    pub fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::UasAcceptOutput::{NoAck, Respond};
    use super::*;

    /// Hops from deadline to deadline up to `until_ms`; returns when what was put out.
    fn run(
        accept: &mut UasAccept<&'static str>,
        start: Instant,
        until_ms: u64,
    ) -> Vec<(u128, UasAcceptOutput<&'static str>)> {
        let mut log = Vec::new();
        let mut now = start;
        loop {
            while let Some(output) = accept.poll_output() {
                log.push(((now - start).as_millis(), output));
            }
            match accept.poll_timeout() {
                Some(due) if due <= start + Duration::from_millis(until_ms) => now = due,
                _ => return log,
            }
            accept.handle_timeout(now - Duration::from_nanos(1));
            assert_eq!(accept.poll_output(), None, "fired too early");
            accept.handle_timeout(now);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    fn repeats_the_2xx_and_gives_up_after_64_t1() {
        let start = Instant::now();
        let mut accept = UasAccept::new(start, "200", Timers::default());
        let sent = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        let expect = [&sent.map(|ms| (ms, Respond("200")))[..], &[(32_000, NoAck)]].concat();
        assert_eq!(run(&mut accept, start, 100_000), expect);
        assert!(!accept.is_waiting());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    fn ack_ends_it() {
        let start = Instant::now();
        let mut accept = UasAccept::new(start, "200", Timers::default());
        assert_eq!(run(&mut accept, start, 600), [(0, Respond("200")), (500, Respond("200"))]);
        accept.handle_ack();
        assert_eq!((accept.poll_timeout(), accept.poll_output()), (None, None));
        accept.handle_ack(); // Of the second copy.
        accept.handle_timeout(start + Duration::from_secs(100));
        assert_eq!(accept.poll_output(), None);
    }
}
