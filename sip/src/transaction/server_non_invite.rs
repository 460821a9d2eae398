use std::collections::VecDeque;
use std::time::Instant;

use super::class::Class;
use super::timers::Timers;

/// The non-INVITE server transaction: repeats our answer to whoever repeats the request.
///
/// ```text
///         request
///            |
///         Trying ---- request: nothing yet
///      1xx /    \ 200-699
///  Proceeding -- Completed -- request: send again; J --> Terminated
///   request: send the 1xx again
/// ```
///
/// A transport error is reported and changes nothing (RFC 6026 §8.8).
///
/// Source: RFC 3261 §17.2.2 and figure 8.
#[derive(Debug)]
pub struct ServerNonInvite<M> {
    timers: Timers,
    reliable: bool,
    state: State<M>,
    outputs: VecDeque<ServerNonInviteOutput<M>>,
}

/// What a [`ServerNonInvite`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerNonInviteOutput<M> {
    /// Send this response, for the first time or again.
    Transmit(M),
    /// A response could not be sent.
    TransportError,
}

#[derive(Debug)]
enum State<M> {
    Trying,
    Proceeding {
        last: M,
    },
    /// Repeats the final response to repeated requests.
    Completed {
        response: M,
        timer_j: Instant,
    },
    Terminated,
}

impl<M: Clone> ServerNonInvite<M> {
    /// Begins when a request came that matches nothing; `reliable` is true for TCP and TLS.
    pub fn new(timers: Timers, reliable: bool) -> Self {
        ServerNonInvite { timers, reliable, state: State::Trying, outputs: VecDeque::new() }
    }

    /// The request came again.
    pub fn handle_request(&mut self) {
        if let State::Proceeding { last: response } | State::Completed { response, .. } = &self.state {
            self.outputs.push_back(ServerNonInviteOutput::Transmit(response.clone()));
        }
    }

    /// The user answers; anything after the final response is ignored.
    pub fn respond(&mut self, now: Instant, class: Class, response: M) {
        let (State::Trying | State::Proceeding { .. }) = self.state else { return };
        self.state = match class {
            Class::Provisional => State::Proceeding { last: response.clone() },
            Class::Success | Class::Failure if self.reliable => State::Terminated, // Timer J is zero.
            Class::Success | Class::Failure => {
                State::Completed { response: response.clone(), timer_j: now + self.timers.t1_64() }
            }
        };
        self.outputs.push_back(ServerNonInviteOutput::Transmit(response));
    }

    /// Gives up room that is of no use any more, once the user has given its final answer.
    ///
    /// - `keep`: makes that answer small.
    pub fn pack(&mut self, keep: impl FnOnce(&mut M)) {
        if let State::Completed { response, .. } = &mut self.state {
            keep(response);
            self.outputs.shrink_to_fit();
        }
    }

    /// Ends at once: who repeats the request is answered anew.
    pub fn forget(&mut self) {
        self.state = State::Terminated;
    }

    /// The transport could not send a response. RFC 6026 §8.8: report it and stay.
    pub fn handle_transport_error(&mut self) {
        if let State::Proceeding { .. } | State::Completed { .. } = self.state {
            self.outputs.push_back(ServerNonInviteOutput::TransportError);
        }
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|timer_j| timer_j <= now) {
            self.state = State::Terminated;
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ServerNonInviteOutput<M>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` until the final response, and at the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Completed { timer_j, .. } => Some(*timer_j),
            State::Trying | State::Proceeding { .. } | State::Terminated => None,
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
    use super::ServerNonInviteOutput::{Transmit, TransportError};
    use super::*;

    fn options(reliable: bool) -> Clock<ServerNonInvite<&'static str>> {
        Clock::new(|_| ServerNonInvite::new(Timers::default(), reliable))
    }

    impl Clock<ServerNonInvite<&'static str>> {
        fn respond(&mut self, at_ms: u64, response: &'static str) {
            let class = Class::of(response.get(..3).unwrap().parse().unwrap());
            self.at(at_ms, |machine, now| machine.respond(now, class, response));
        }

        fn receive(&mut self, at_ms: u64) {
            self.at(at_ms, |machine, _| machine.handle_request());
        }
    }

    #[test]
    fn trying_has_nothing_to_repeat() {
        let mut options = options(false);
        options.receive(500);
        options.at(600, |machine, _| machine.handle_transport_error()); // Nothing was sent either.
        assert_eq!(options.take(), []);
        assert_eq!(options.machine.poll_timeout(), None);
    }

    #[test]
    fn proceeding_repeats_the_last_provisional() {
        let mut options = options(false);
        options.respond(100, "100");
        options.respond(200, "182");
        options.receive(500);
        assert_eq!(options.take(), [(100, Transmit("100")), (200, Transmit("182")), (500, Transmit("182"))]);
    }

    #[test]
    fn completed_repeats_the_final_until_timer_j() {
        for (provisional, response) in [(false, "200"), (true, "200"), (false, "404"), (true, "500")] {
            let mut options = options(false);
            if provisional {
                options.respond(10, "100");
            }
            options.take();
            options.respond(100, response);
            options.receive(500);
            options.respond(600, "603"); // The first final counts.
            options.receive(1_500);
            assert_eq!(
                options.finish(),
                (
                    32_100,
                    vec![(100, Transmit(response)), (500, Transmit(response)), (1_500, Transmit(response))]
                )
            );
            assert!(options.machine.is_terminated());
        }
    }

    #[test]
    fn timer_j_is_zero_on_a_reliable_transport() {
        let mut options = options(true);
        options.respond(100, "200");
        assert!(options.machine.is_terminated());
        assert_eq!(options.finish().1, [(100, Transmit("200"))]);
    }

    #[test]
    fn transport_errors_are_reported_and_change_nothing() {
        for response in ["100", "200"] {
            let mut options = options(false);
            options.respond(10, response);
            options.at(20, |machine, _| machine.handle_transport_error());
            assert_eq!(options.take(), [(10, Transmit(response)), (20, TransportError)]);
            assert!(!options.machine.is_terminated());
        }
    }
}
