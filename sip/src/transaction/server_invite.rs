use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::class::Class;
use super::timers::{Timers, earlier, is_due, retransmit_at};

/// The INVITE server transaction: repeats our answer to whoever repeats the INVITE, and waits for the ACK of a refusal.
///
/// ```text
///          INVITE (100 when the user wants it, or takes 200 ms)
///             |
///        Proceeding -- INVITE: last 1xx again; 1xx from the user: send
///    2xx /        \ 300-699
///  Accepted      Completed -- INVITE or G: send again; H: report ----> Terminated
///    |  \             \ ACK
///    |   L --> Terminated  Confirmed -- I --> Terminated
///    +-- INVITE: nothing; ACK: report; 2xx from the user: send
/// ```
///
/// A transport error is reported and changes nothing (RFC 6026 §8.8).
///
/// Source: RFC 3261 §17.2.1, RFC 6026 §7.1 and figure 7.
#[derive(Debug)]
pub struct ServerInvite<M> {
    timers: Timers,
    reliable: bool,
    state: State<M>,
    outputs: VecDeque<ServerInviteOutput<M>>,
}

/// What a [`ServerInvite`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerInviteOutput<M> {
    /// Send this response, for the first time or again.
    Transmit(M),
    /// The user wants it, or has been silent for 200 ms: respond 100.
    Trying,
    /// Timer H fired: our refusal was never acknowledged.
    NoAck,
    /// A response could not be sent.
    TransportError,
}

#[derive(Debug)]
enum State<M> {
    /// `trying` is when we answer 100 for a silent user.
    Proceeding {
        trying: Option<Instant>,
        last: Option<M>,
    },
    /// The user repeats the 2xx; we absorb repeated INVITEs.
    Accepted {
        timer_l: Instant,
    },
    /// Repeats the refusal until the ACK.
    Completed {
        response: M,
        timer_g: Option<Instant>,
        interval: Duration,
        timer_h: Instant,
    },
    /// Absorbs repeated ACKs.
    Confirmed {
        timer_i: Instant,
    },
    Terminated,
}

impl<M: Clone> ServerInvite<M> {
    /// Begins when an INVITE came that matches nothing; `reliable` is true for TCP and TLS.
    pub fn new(now: Instant, timers: Timers, reliable: bool) -> Self {
        ServerInvite {
            timers,
            reliable,
            state: State::Proceeding { trying: Some(now + Timers::TRYING_AFTER), last: None },
            outputs: VecDeque::new(),
        }
    }

    /// The INVITE came again.
    pub fn handle_invite(&mut self) {
        match &self.state {
            State::Proceeding { last: Some(response), .. } | State::Completed { response, .. } => {
                self.outputs.push_back(ServerInviteOutput::Transmit(response.clone()));
            }
            // Nothing to repeat yet; or the user repeats its 2xx; or the ACK is already here.
            State::Proceeding { .. }
            | State::Accepted { .. }
            | State::Confirmed { .. }
            | State::Terminated => {}
        }
    }

    /// An ACK matched this transaction. Returns `true` if the user must see it, since it acknowledges a 2xx
    /// (RFC 6026 §7.1).
    pub fn handle_ack(&mut self, now: Instant) -> bool {
        match &self.state {
            State::Completed { .. } => {
                self.state = if self.reliable {
                    State::Terminated // Timer I is zero.
                } else {
                    State::Confirmed { timer_i: now + self.timers.t4 }
                };
                false
            }
            State::Accepted { .. } => true,
            State::Proceeding { .. } | State::Confirmed { .. } | State::Terminated => false,
        }
    }

    /// The user has taken the INVITE and will not answer it soon: it needs its 100 now, unless it had a 1xx.
    pub fn trying(&mut self) {
        if let State::Proceeding { trying: trying @ Some(_), .. } = &mut self.state {
            *trying = None;
            self.outputs.push_back(ServerInviteOutput::Trying);
        }
    }

    /// Gives up room that is of no use any more, once the user has given its final answer.
    ///
    /// - `keep`: makes that answer small, if it may have to be sent again.
    pub fn pack(&mut self, keep: impl FnOnce(&mut M)) {
        match &mut self.state {
            State::Proceeding { .. } => return,
            State::Completed { response, .. } => keep(response),
            State::Accepted { .. } | State::Confirmed { .. } | State::Terminated => {}
        }
        self.outputs.shrink_to_fit();
    }

    /// Ends at once: who repeats the INVITE is answered anew.
    pub fn forget(&mut self) {
        self.state = State::Terminated;
    }

    /// The user answers. A 2xx may be given again and again while Accepted; anything else after a final is ignored.
    pub fn respond(&mut self, now: Instant, class: Class, response: M) {
        match (&mut self.state, class) {
            (State::Proceeding { trying, last }, Class::Provisional) => {
                *trying = None;
                *last = Some(response.clone());
            }
            (State::Proceeding { .. }, Class::Success) => {
                self.state = State::Accepted { timer_l: now + self.timers.t1_64() };
            }
            (State::Proceeding { .. }, Class::Failure) => {
                let interval = self.timers.first();
                self.state = State::Completed {
                    response: response.clone(),
                    timer_g: retransmit_at(now, interval, self.reliable),
                    interval,
                    timer_h: now + self.timers.t1_64(),
                };
            }
            (State::Accepted { .. }, Class::Success) => {}
            _ => return,
        }
        self.outputs.push_back(ServerInviteOutput::Transmit(response));
    }

    /// The transport could not send a response. RFC 6026 §8.8: report it and stay.
    pub fn handle_transport_error(&mut self) {
        if !matches!(self.state, State::Confirmed { .. } | State::Terminated) {
            self.outputs.push_back(ServerInviteOutput::TransportError);
        }
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Proceeding { trying, .. } if is_due(*trying, now) => {
                *trying = None;
                self.outputs.push_back(ServerInviteOutput::Trying);
            }
            State::Completed { timer_h, .. } if *timer_h <= now => {
                self.outputs.push_back(ServerInviteOutput::NoAck);
                self.state = State::Terminated;
            }
            State::Completed { timer_g, interval, response, .. } if is_due(*timer_g, now) => {
                *interval = self.timers.next(*interval); // Sent at 0, 0.5, 1.5, 3.5, 7.5, 11.5 ... s.
                *timer_g = Some(now + *interval);
                self.outputs.push_back(ServerInviteOutput::Transmit(response.clone()));
            }
            State::Accepted { timer_l: last } | State::Confirmed { timer_i: last } if *last <= now => {
                self.state = State::Terminated;
            }
            _ => {}
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ServerInviteOutput<M>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` while the user rings, and at the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Proceeding { trying, .. } => *trying,
            State::Completed { timer_g, timer_h, .. } => Some(earlier(*timer_g, *timer_h)),
            State::Accepted { timer_l: last } | State::Confirmed { timer_i: last } => Some(*last),
            State::Terminated => None,
        }
    }

    /// `true` until the user has given its final answer.
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Proceeding { .. })
    }

    /// `true` when nothing more will happen.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::super::virtual_time::Clock;
    use super::ServerInviteOutput::{NoAck, Transmit, TransportError, Trying};
    use super::*;

    fn invite(reliable: bool) -> Clock<ServerInvite<&'static str>> {
        Clock::new(|now| ServerInvite::new(now, Timers::default(), reliable))
    }

    impl Clock<ServerInvite<&'static str>> {
        fn respond(&mut self, at_ms: u64, response: &'static str) {
            let class = Class::of(response.get(..3).unwrap().parse().unwrap());
            self.at(at_ms, |machine, now| machine.respond(now, class, response));
        }

        fn receive_invite(&mut self, at_ms: u64) {
            self.at(at_ms, |machine, _| machine.handle_invite());
        }

        fn receive_ack(&mut self, at_ms: u64) -> bool {
            self.at(at_ms, |machine, now| machine.handle_ack(now))
        }
    }

    #[test]
    fn silent_user_gets_100_sent_after_200_ms() {
        let mut invite = invite(false);
        invite.receive_invite(100); // Nothing to repeat yet.
        assert_eq!(invite.take(), []);
        invite.at(250, |_, _| {});
        assert_eq!(invite.take(), [(200, Trying)]);
        assert_eq!(invite.machine.poll_timeout(), None);
        invite.respond(250, "100");
        invite.receive_invite(500);
        assert_eq!(invite.take(), [(250, Transmit("100")), (500, Transmit("100"))]);
    }

    #[test]
    fn quick_user_gets_no_100_sent() {
        for response in ["180", "200", "486"] {
            let mut invite = invite(false);
            invite.respond(199, response);
            assert!(!invite.finish().1.iter().any(|(_, output)| *output == Trying), "{response}");
        }
    }

    #[test]
    fn proceeding_repeats_the_last_provisional() {
        let mut invite = invite(false);
        invite.respond(10, "100");
        invite.respond(20, "180");
        invite.receive_invite(500);
        assert!(!invite.receive_ack(600));
        assert_eq!(invite.take(), [(10, Transmit("100")), (20, Transmit("180")), (500, Transmit("180"))]);
        assert!(invite.machine.is_proceeding());
    }

    #[test]
    fn refusal_is_repeated_on_timer_g_until_timer_h() {
        let mut invite = invite(false);
        invite.respond(0, "486");
        invite.receive_invite(600);
        let (end_ms, log) = invite.finish();
        let sent = [0, 500, 600, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
        assert_eq!(log, [&sent.map(|ms| (ms, Transmit("486")))[..], &[(32_000, NoAck)]].concat());
        assert_eq!(end_ms, 32_000);
        assert!(invite.machine.is_terminated());
    }

    #[test]
    fn refusal_on_a_reliable_transport_has_timer_h_only() {
        let mut invite = invite(true);
        invite.respond(0, "486");
        invite.receive_invite(600);
        assert_eq!(invite.finish().1, [(0, Transmit("486")), (600, Transmit("486")), (32_000, NoAck)]);
    }

    #[test]
    fn ack_of_a_refusal_is_absorbed_until_timer_i() {
        let mut invite = invite(false);
        invite.respond(0, "486");
        assert!(!invite.receive_ack(100));
        assert!(!invite.receive_ack(700));
        invite.receive_invite(800);
        invite.respond(900, "200");
        invite.at(1_000, |machine, _| machine.handle_transport_error());
        assert_eq!(invite.finish(), (5_100, vec![(0, Transmit("486"))]));
        assert!(invite.machine.is_terminated());
    }

    #[test]
    fn timer_i_is_zero_on_a_reliable_transport() {
        let mut invite = invite(true);
        invite.respond(0, "486");
        assert!(!invite.receive_ack(100));
        assert!(invite.machine.is_terminated());
    }

    #[test]
    fn accepted_absorbs_invites_and_passes_acks_until_timer_l() {
        for reliable in [false, true] {
            let mut invite = invite(reliable);
            invite.respond(10, "180");
            invite.respond(100, "200");
            invite.receive_invite(500);
            invite.respond(600, "200"); // The user repeats it.
            assert!(invite.receive_ack(700));
            assert!(invite.receive_ack(800));
            invite.respond(900, "180");
            invite.respond(900, "500");
            assert_eq!(
                invite.finish(),
                (32_100, vec![(10, Transmit("180")), (100, Transmit("200")), (600, Transmit("200"))])
            );
            assert!(invite.machine.is_terminated());
        }
    }

    #[test]
    fn transport_errors_are_reported_and_change_nothing() {
        for response in ["180", "200", "486"] {
            let mut invite = invite(true);
            invite.respond(10, response);
            invite.at(20, |machine, _| machine.handle_transport_error());
            assert_eq!(invite.take(), [(10, Transmit(response)), (20, TransportError)]);
            assert!(!invite.machine.is_terminated());
        }
    }

    #[test]
    fn second_final_is_ignored() {
        let mut invite = invite(false);
        invite.respond(0, "486");
        invite.respond(10, "200");
        invite.respond(20, "603");
        assert_eq!(invite.take(), [(0, Transmit("486"))]);
    }
}
