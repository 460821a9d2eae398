use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::class::Class;
use super::timers::{Timers, earlier, is_due, retransmit_at};

/// The non-INVITE client transaction: sends a request and repeats it until a final response or timer F.
///
/// ```text
///        request sent (timers E, F)
///              |
///           Trying ------ E: resend; F or transport error: report ----> Terminated
///       1xx /     \ 200-699
///  Proceeding --- Completed -- K --> Terminated
///   E: resend every T2; F: report
/// ```
///
/// Source: RFC 3261 §17.1.2 and figure 6.
#[derive(Debug)]
pub struct ClientNonInvite<M> {
    timers: Timers,
    reliable: bool,
    /// Until the final response is here.
    request: Option<M>,
    state: State,
    outputs: VecDeque<ClientNonInviteOutput<M>>,
}

/// What a [`ClientNonInvite`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientNonInviteOutput<M> {
    /// Send the request, for the first time or again.
    Transmit(M),
    /// Tell the user of this response.
    Response(M),
    /// Timer F fired.
    Timeout,
    /// The request could not be sent, or its connection broke.
    TransportError,
}

#[derive(Debug)]
enum State {
    Trying {
        timer_e: Option<Instant>,
        interval: Duration,
        timer_f: Instant,
    },
    /// A 1xx slowed the resends down to one every T2.
    Proceeding {
        timer_e: Option<Instant>,
        timer_f: Instant,
    },
    /// Absorbs repeated finals.
    Completed {
        timer_k: Instant,
    },
    Terminated,
}

impl<M: Clone> ClientNonInvite<M> {
    /// Sends `request`; `reliable` is true for TCP and TLS.
    pub fn new(now: Instant, timers: Timers, reliable: bool, request: M) -> Self {
        let interval = timers.first();
        ClientNonInvite {
            timers,
            reliable,
            state: State::Trying {
                timer_e: retransmit_at(now, interval, reliable),
                interval,
                timer_f: now + timers.t1_64(),
            },
            outputs: VecDeque::from([ClientNonInviteOutput::Transmit(request.clone())]),
            request: Some(request),
        }
    }

    /// Takes a response that matched this transaction.
    pub fn handle_response(&mut self, now: Instant, class: Class, response: M) {
        match (&self.state, class) {
            (State::Trying { timer_e, timer_f, .. }, Class::Provisional) => {
                self.state = State::Proceeding { timer_e: *timer_e, timer_f: *timer_f };
                self.outputs.push_back(ClientNonInviteOutput::Response(response));
            }
            (State::Proceeding { .. }, Class::Provisional) => {
                self.outputs.push_back(ClientNonInviteOutput::Response(response));
            }
            (State::Trying { .. } | State::Proceeding { .. }, Class::Success | Class::Failure) => {
                self.outputs.push_back(ClientNonInviteOutput::Response(response));
                self.state = if self.reliable {
                    State::Terminated // Timer K is zero.
                } else {
                    State::Completed { timer_k: now + self.timers.t4 }
                };
            }
            (State::Completed { .. } | State::Terminated, _) => {} // Repeated.
        }
    }

    /// Gives up what is of no use any more, once the final response is here and the outputs are drained.
    pub fn pack(&mut self) {
        if let State::Completed { .. } = self.state {
            self.request = None;
            self.outputs.shrink_to_fit();
        }
    }

    /// The transport could not send the request, or lost the connection.
    pub fn handle_transport_error(&mut self) {
        if let State::Trying { .. } | State::Proceeding { .. } = self.state {
            self.outputs.push_back(ClientNonInviteOutput::TransportError);
            self.state = State::Terminated;
        }
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Trying { timer_f, .. } | State::Proceeding { timer_f, .. } if *timer_f <= now => {
                self.outputs.push_back(ClientNonInviteOutput::Timeout);
                self.state = State::Terminated;
            }
            State::Trying { timer_e, interval, .. } if is_due(*timer_e, now) => {
                *interval = self.timers.next(*interval); // Sent at 0, 0.5, 1.5, 3.5, 7.5, 11.5 ... s.
                *timer_e = Some(now + *interval);
                self.outputs.extend(self.request.clone().map(ClientNonInviteOutput::Transmit));
            }
            State::Proceeding { timer_e, .. } if is_due(*timer_e, now) => {
                *timer_e = Some(now + self.timers.longest());
                self.outputs.extend(self.request.clone().map(ClientNonInviteOutput::Transmit));
            }
            State::Completed { timer_k } if *timer_k <= now => self.state = State::Terminated,
            _ => {}
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ClientNonInviteOutput<M>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` at the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Trying { timer_e, timer_f, .. } | State::Proceeding { timer_e, timer_f } => {
                Some(earlier(*timer_e, *timer_f))
            }
            State::Completed { timer_k } => Some(*timer_k),
            State::Terminated => None,
        }
    }

    /// `true` when nothing more will happen.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::super::virtual_time::Clock;
    use super::ClientNonInviteOutput::{Response, Timeout, Transmit, TransportError};
    use super::*;

    fn bye(reliable: bool) -> Clock<ClientNonInvite<&'static str>> {
        Clock::new(|now| ClientNonInvite::new(now, Timers::default(), reliable, "BYE"))
    }

    impl Clock<ClientNonInvite<&'static str>> {
        fn receive(&mut self, at_ms: u64, response: &'static str) {
            let class = Class::of(response.get(..3).unwrap().parse().unwrap());
            self.at(at_ms, |machine, now| machine.handle_response(now, class, response));
        }
    }

    #[test]
    fn trying_resends_on_timer_e_and_gives_up_on_timer_f() {
        let (end_ms, log) = bye(false).finish();
        let sent = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(log, [&sent.map(|ms| (ms, Transmit("BYE")))[..], &[(32_000, Timeout)]].concat());
        assert_eq!(end_ms, 32_000);
    }

    #[test]
    fn trying_on_a_reliable_transport_has_timer_f_only() {
        assert_eq!(bye(true).finish().1, [(0, Transmit("BYE")), (32_000, Timeout)]);
    }

    #[test]
    fn proceeding_resends_every_t2_and_gives_up_on_timer_f() {
        let mut bye = bye(false);
        bye.receive(600, "100");
        bye.receive(700, "182");
        // Timer E runs on to 1.5 s, then T2.
        let resent =
            [1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500].map(|ms| (ms, Transmit("BYE")));
        let before =
            [(0, Transmit("BYE")), (500, Transmit("BYE")), (600, Response("100")), (700, Response("182"))];
        assert_eq!(bye.finish(), (32_000, [&before[..], &resent, &[(32_000, Timeout)]].concat()));
    }

    #[test]
    fn proceeding_on_a_reliable_transport_sends_nothing_more() {
        let mut bye = bye(true);
        bye.receive(600, "100");
        assert_eq!(bye.finish().1, [(0, Transmit("BYE")), (600, Response("100")), (32_000, Timeout)]);
    }

    #[test]
    fn repeated_finals_are_absorbed_until_timer_k() {
        for (provisional, response) in [(false, "200"), (true, "200"), (false, "481"), (true, "301")] {
            let mut bye = bye(false);
            if provisional {
                bye.receive(50, "100");
            }
            bye.take();
            bye.receive(100, response);
            bye.receive(600, response);
            bye.receive(700, "100");
            bye.at(800, |machine, _| machine.handle_transport_error());
            assert_eq!(bye.finish(), (5_100, vec![(100, Response(response))]));
            assert!(bye.machine.is_terminated());
        }
    }

    #[test]
    fn timer_k_is_zero_on_a_reliable_transport() {
        let mut bye = bye(true);
        bye.receive(100, "200");
        assert!(bye.machine.is_terminated());
        bye.receive(200, "200");
        assert_eq!(bye.finish().1, [(0, Transmit("BYE")), (100, Response("200"))]);
    }

    #[test]
    fn transport_errors_are_reported_until_the_final() {
        for provisional in [false, true] {
            let mut bye = bye(false);
            if provisional {
                bye.receive(50, "100");
            }
            bye.take();
            bye.at(100, |machine, _| machine.handle_transport_error());
            assert_eq!(bye.finish(), (100, vec![(100, TransportError)]));
            assert!(bye.machine.is_terminated());
        }
    }
}
