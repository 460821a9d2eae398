use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::class::Class;
use super::timers::{Timers, earlier, is_due, retransmit_at};

/// The INVITE client transaction: sends an INVITE, repeats it until something comes back, and acknowledges refusals.
///
/// ```text
///            INVITE sent (timers A, B)
///                 |
///             Calling ----- A: resend; B or transport error: report ----> Terminated
///       1xx /    |    \ 2xx
///  Proceeding    |     Accepted -- 2xx: report; M --> Terminated
///      |   \ 300-699   ^
///      |  Completed ---|-- 300-699: ACK again; D --> Terminated
///      +------- 2xx ---+
/// ```
///
/// A transport error while it rings is reported too, and the far end cancelled: see
/// [`handle_transport_error`](Self::handle_transport_error).
///
/// It has no limit on how long it rings: whoever started it says [`cancel`](Self::cancel), after which it ends within
/// 64*T1 of the CANCEL even when no answer comes.
///
/// Source: RFC 3261 §17.1.1 and §9.1, RFC 6026 §7.2 and figure 5.
#[derive(Debug)]
pub struct ClientInvite<M> {
    timers: Timers,
    reliable: bool,
    /// Until it is accepted: nobody repeats, cancels or refuses it then.
    invite: Option<M>,
    state: State<M>,
    outputs: VecDeque<ClientInviteOutput<M>>,
}

/// What a [`ClientInvite`] wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientInviteOutput<M> {
    /// Send the INVITE, for the first time or again.
    Transmit(M),
    /// Acknowledge this refusal. RFC 3261 §17.1.1.3.
    Ack(M),
    /// Send this CANCEL in a transaction of its own. RFC 3261 §9.1.
    Cancel(M),
    /// Tell the user of this response.
    Response(M),
    /// Timer B fired, or no final response came after the CANCEL.
    Timeout,
    /// The INVITE could not be sent, or its connection broke.
    TransportError,
}

#[derive(Debug)]
enum State<M> {
    /// `cancel` waits for the first 1xx.
    Calling {
        timer_a: Option<Instant>,
        interval: Duration,
        timer_b: Instant,
        cancel: Option<M>,
    },
    /// A 1xx stopped the resends. `guard` runs once the CANCEL is sent.
    Proceeding {
        guard: Option<Instant>,
    },
    /// The connection broke while it rang: that is reported, and the far end cancelled. Only a late 2xx is news.
    Lost {
        guard: Instant,
    },
    /// Acknowledges repeated refusals.
    Completed {
        timer_d: Instant,
    },
    /// Passes on repeated and forked 2xx.
    Accepted {
        timer_m: Instant,
    },
    Terminated,
}

impl<M: Clone> ClientInvite<M> {
    /// Sends `invite`; `reliable` is true for TCP and TLS.
    pub fn new(now: Instant, timers: Timers, reliable: bool, invite: M) -> Self {
        let interval = timers.first();
        ClientInvite {
            timers,
            reliable,
            state: State::Calling {
                timer_a: retransmit_at(now, interval, reliable),
                interval,
                timer_b: now + timers.t1_64(),
                cancel: None,
            },
            outputs: VecDeque::from([ClientInviteOutput::Transmit(invite.clone())]),
            invite: Some(invite),
        }
    }

    /// Goes on with an INVITE that an earlier run sent and that rings: nothing is sent. It has no limit before it is
    /// [`cancel`](Self::cancel)led.
    pub fn resume(timers: Timers, reliable: bool, invite: M) -> Self {
        ClientInvite {
            timers,
            reliable,
            state: State::Proceeding { guard: None },
            outputs: VecDeque::new(),
            invite: Some(invite),
        }
    }

    /// Takes a response that matched this transaction.
    pub fn handle_response(&mut self, now: Instant, class: Class, response: M) {
        match (&mut self.state, class) {
            (State::Calling { cancel, .. }, Class::Provisional) => {
                let cancel = cancel.take();
                self.outputs.push_back(ClientInviteOutput::Response(response));
                self.state = State::Proceeding { guard: None };
                if let Some(cancel) = cancel {
                    self.send_cancel(now, cancel);
                }
            }
            (State::Proceeding { .. }, Class::Provisional) => {
                self.outputs.push_back(ClientInviteOutput::Response(response));
            }
            (State::Calling { .. } | State::Proceeding { .. } | State::Lost { .. }, Class::Success) => {
                self.outputs.push_back(ClientInviteOutput::Response(response));
                self.state = State::Accepted { timer_m: now + self.timers.t1_64() };
            }
            (State::Calling { .. } | State::Proceeding { .. }, Class::Failure) => {
                self.outputs.push_back(ClientInviteOutput::Ack(response.clone()));
                self.outputs.push_back(ClientInviteOutput::Response(response));
                self.completed(now);
            }
            (State::Lost { .. }, Class::Failure) => {
                self.outputs.push_back(ClientInviteOutput::Ack(response));
                self.completed(now);
            }
            (State::Completed { .. }, Class::Failure) => {
                self.outputs.push_back(ClientInviteOutput::Ack(response)); // Our ACK was lost.
            }
            (State::Accepted { .. }, Class::Success) => {
                self.outputs.push_back(ClientInviteOutput::Response(response)); // RFC 6026: repeated or forked.
            }
            (State::Lost { .. }, Class::Provisional) => {}
            // Late provisionals, a 2xx after a refusal, and refusals after a 2xx of another fork.
            (State::Completed { .. } | State::Accepted { .. } | State::Terminated, _) => {}
        }
    }

    /// Wants the INVITE given up: `cancel` is sent after the first 1xx, at once if there was one, and never if the
    /// final response is already here. Only the first call counts.
    ///
    /// The 1xx may have been lost, so the INVITE is still repeated, but only while repeats are less than T2 apart: a host
    /// that is silent for longer does not have it, and would ring when it comes back.
    pub fn cancel(&mut self, now: Instant, cancel: M) {
        match &mut self.state {
            State::Calling { cancel: waiting @ None, .. } => *waiting = Some(cancel),
            State::Proceeding { guard: None } => self.send_cancel(now, cancel),
            _ => {}
        }
    }

    /// The same, for who has gone on to another host: an INVITE that was not answered is not repeated any more, since a
    /// host that comes back must not ring for nobody.
    pub fn leave(&mut self, now: Instant, cancel: M) {
        if let State::Calling { timer_a, .. } = &mut self.state {
            *timer_a = None;
        }
        self.cancel(now, cancel);
    }

    /// The transport could not send the INVITE or the ACK, or lost the connection.
    ///
    /// After a 1xx the peer has the INVITE and goes on ringing; its answer may come by a connection of its own (RFC 3261
    /// §18.2.2). So `cancel` is sent, and a late 2xx is still reported.
    pub fn handle_transport_error(&mut self, now: Instant, cancel: M) {
        match self.state {
            State::Calling { .. } => {
                self.outputs.push_back(ClientInviteOutput::TransportError);
                self.state = State::Terminated;
            }
            State::Proceeding { guard: None } => {
                self.outputs.push_back(ClientInviteOutput::TransportError);
                self.outputs.push_back(ClientInviteOutput::Cancel(cancel));
                self.state = State::Lost { guard: now + self.timers.t1_64() };
            }
            // It was given up already.
            State::Proceeding { guard: Some(_) } | State::Lost { .. } => {}
            // The user has the final response already; a lost ACK is the server's to notice.
            State::Completed { .. } => self.state = State::Terminated,
            State::Accepted { .. } | State::Terminated => {}
        }
    }

    /// Fires what is due. Early or repeated calls are harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Calling { timer_b, .. } if *timer_b <= now => self.give_up(),
            State::Calling { timer_a, interval, cancel: Some(_), .. }
                if is_due(*timer_a, now) && *interval >= self.timers.longest() =>
            {
                *timer_a = None;
            }
            State::Calling { timer_a, interval, .. } if is_due(*timer_a, now) => {
                *interval *= 2; // Sent at 0, 0.5, 1.5, 3.5, 7.5 ... s.
                *timer_a = Some(now + *interval);
                self.outputs.extend(self.invite.clone().map(ClientInviteOutput::Transmit));
            }
            State::Proceeding { guard } if is_due(*guard, now) => self.give_up(),
            State::Lost { guard } if *guard <= now => self.state = State::Terminated,
            State::Completed { timer_d } if *timer_d <= now => self.state = State::Terminated,
            State::Accepted { timer_m } if *timer_m <= now => self.state = State::Terminated,
            _ => {}
        }
    }

    /// The next thing to do; drain to `None` after every other call.
    pub fn poll_output(&mut self) -> Option<ClientInviteOutput<M>> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` while it rings, and at the end.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Calling { timer_a, timer_b, .. } => Some(earlier(*timer_a, *timer_b)),
            State::Proceeding { guard } => *guard,
            State::Lost { guard } => Some(*guard),
            State::Completed { timer_d } => Some(*timer_d),
            State::Accepted { timer_m } => Some(*timer_m),
            State::Terminated => None,
        }
    }

    /// The INVITE as it was sent; `None` once it was accepted and [`pack`](Self::pack)ed.
    pub fn invite(&self) -> Option<&M> {
        self.invite.as_ref()
    }

    /// Gives up what is of no use any more, once the final response is here and the outputs are drained.
    pub fn pack(&mut self) {
        match self.state {
            State::Calling { .. } | State::Proceeding { .. } | State::Lost { .. } => return,
            State::Completed { .. } => {}
            State::Accepted { .. } | State::Terminated => self.invite = None,
        }
        self.outputs.shrink_to_fit();
    }

    /// `true` when nothing more will happen.
    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }

    fn send_cancel(&mut self, now: Instant, cancel: M) {
        self.outputs.push_back(ClientInviteOutput::Cancel(cancel));
        self.state = State::Proceeding { guard: Some(now + self.timers.t1_64()) };
    }

    fn completed(&mut self, now: Instant) {
        self.state = if self.reliable {
            State::Terminated // Timer D is zero: nothing will be repeated.
        } else {
            State::Completed { timer_d: now + self.timers.d() }
        };
    }

    fn give_up(&mut self) {
        self.outputs.push_back(ClientInviteOutput::Timeout);
        self.state = State::Terminated;
    }
}

#[cfg(test)]
mod tests {
    use super::super::virtual_time::Clock;
    use super::ClientInviteOutput::{Ack, Cancel, Response, Timeout, Transmit, TransportError};
    use super::*;

    const RELIABLE: bool = true;
    const UNRELIABLE: bool = false;

    fn invite(reliable: bool) -> Clock<ClientInvite<&'static str>> {
        Clock::new(|now| ClientInvite::new(now, Timers::default(), reliable, "INVITE"))
    }

    impl Clock<ClientInvite<&'static str>> {
        fn receive(&mut self, at_ms: u64, response: &'static str) {
            let class = Class::of(response.get(..3).unwrap().parse().unwrap());
            self.at(at_ms, |machine, now| machine.handle_response(now, class, response));
        }

        fn cancel(&mut self, at_ms: u64, cancel: &'static str) {
            self.at(at_ms, |machine, now| machine.cancel(now, cancel));
        }
    }

    #[test]
    fn calling_resends_on_timer_a_and_gives_up_on_timer_b() {
        let (end_ms, log) = invite(UNRELIABLE).finish();
        let sent = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|ms| (ms, Transmit("INVITE")));
        assert_eq!(log, [&sent[..], &[(32_000, Timeout)]].concat());
        assert_eq!(end_ms, 32_000);
    }

    #[test]
    fn calling_on_a_reliable_transport_has_timer_b_only() {
        let (_, log) = invite(RELIABLE).finish();
        assert_eq!(log, [(0, Transmit("INVITE")), (32_000, Timeout)]);
    }

    #[test]
    fn calling_reports_a_transport_error() {
        let mut invite = invite(UNRELIABLE);
        invite.at(10, |machine, now| machine.handle_transport_error(now, "CANCEL"));
        assert_eq!(invite.finish(), (10, vec![(0, Transmit("INVITE")), (10, TransportError)]));
        assert!(invite.machine.is_terminated());
    }

    /// The connection broke while it rang: nobody shall ring for nobody.
    #[test]
    fn proceeding_is_cancelled_after_a_transport_error_and_hears_of_a_late_answer() {
        let mut invite = invite(RELIABLE);
        invite.receive(100, "180");
        invite.take();
        invite.at(1_000, |machine, now| machine.handle_transport_error(now, "CANCEL"));
        invite.at(2_000, |machine, now| machine.handle_transport_error(now, "CANCEL"));
        assert_eq!(invite.take(), [(1_000, TransportError), (1_000, Cancel("CANCEL"))]);
        invite.receive(3_000, "200");
        assert_eq!(invite.finish(), (35_000, vec![(3_000, Response("200"))]));
    }

    #[test]
    fn what_else_a_lost_invite_hears_is_no_news() {
        for (late, expect) in [(None, 33_000), (Some("180"), 33_000), (Some("487"), 2_000)] {
            let mut invite = invite(RELIABLE);
            invite.receive(100, "180");
            invite.at(1_000, |machine, now| machine.handle_transport_error(now, "CANCEL"));
            invite.take();
            if let Some(late) = late {
                invite.receive(2_000, late);
            }
            let acks = if late == Some("487") { vec![(2_000, Ack("487"))] } else { vec![] };
            assert_eq!(invite.finish(), (expect, acks), "{late:?}");
        }
    }

    #[test]
    fn provisional_stops_the_resends_for_as_long_as_it_rings() {
        let mut invite = invite(UNRELIABLE);
        invite.receive(600, "100");
        invite.receive(700, "180");
        assert_eq!(invite.machine.poll_timeout(), None);
        invite.receive(3_600_000, "183");
        assert_eq!(
            invite.take(),
            [
                (0, Transmit("INVITE")),
                (500, Transmit("INVITE")),
                (600, Response("100")),
                (700, Response("180")),
                (3_600_000, Response("183")),
            ]
        );
        assert!(!invite.machine.is_terminated());
    }

    #[test]
    fn refusal_is_acknowledged_again_until_timer_d() {
        for ringing in [false, true] {
            let mut invite = invite(UNRELIABLE);
            if ringing {
                invite.receive(50, "180");
            }
            invite.receive(100, "486");
            invite.take();
            invite.receive(600, "486");
            invite.receive(700, "180"); // Reordered.
            invite.receive(800, "200"); // Of another fork; a proxy would not have sent the 486.
            assert_eq!(invite.finish(), (32_100, vec![(600, Ack("486"))]));
            assert!(invite.machine.is_terminated());
        }
    }

    #[test]
    fn refusal_is_acknowledged_before_the_user_hears_of_it() {
        let mut invite = invite(RELIABLE);
        invite.receive(100, "503");
        // Timer D is zero on a reliable transport.
        assert_eq!(
            invite.finish(),
            (100, vec![(0, Transmit("INVITE")), (100, Ack("503")), (100, Response("503"))])
        );
        assert!(invite.machine.is_terminated());
    }

    #[test]
    fn lost_ack_is_no_news() {
        let mut invite = invite(UNRELIABLE);
        invite.receive(100, "486");
        invite.take();
        invite.at(101, |machine, now| machine.handle_transport_error(now, "CANCEL"));
        assert_eq!(invite.finish(), (101, vec![]));
        assert!(invite.machine.is_terminated());
    }

    #[test]
    fn repeated_and_forked_2xx_are_passed_on_until_timer_m() {
        for (reliable, ringing) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut invite = invite(reliable);
            if ringing {
                invite.receive(50, "180");
            }
            invite.receive(100, "200 tag=a");
            invite.receive(600, "200 tag=a");
            invite.receive(700, "180 tag=c");
            invite.receive(800, "200 tag=b");
            invite.receive(900, "486");
            invite.at(1_000, |machine, now| machine.handle_transport_error(now, "CANCEL"));
            let (end_ms, mut log) = invite.finish();
            log.retain(|(at_ms, _)| *at_ms > 50);
            assert_eq!(
                log,
                [(100, Response("200 tag=a")), (600, Response("200 tag=a")), (800, Response("200 tag=b"))]
            );
            assert_eq!(end_ms, 32_100, "timer M does not depend on the transport");
            assert!(invite.machine.is_terminated());
        }
    }

    #[test]
    fn cancel_waits_for_a_provisional() {
        let mut invite = invite(UNRELIABLE);
        invite.cancel(100, "CANCEL");
        invite.cancel(200, "CANCEL again");
        invite.receive(700, "100");
        invite.cancel(800, "CANCEL again");
        invite.receive(900, "487");
        assert_eq!(
            invite.take(),
            [
                (0, Transmit("INVITE")),
                (500, Transmit("INVITE")), // Nothing came yet, so the INVITE may be lost.
                (700, Response("100")),
                (700, Cancel("CANCEL")),
                (900, Ack("487")),
                (900, Response("487")),
            ]
        );
    }

    #[test]
    fn a_silent_host_that_was_cancelled_does_not_get_the_invite_for_long() {
        let mut invite = invite(UNRELIABLE);
        invite.cancel(100, "CANCEL");
        let sent = [0, 500, 1_500, 3_500].map(|ms| (ms, Transmit("INVITE")));
        assert_eq!(invite.finish(), (32_000, [&sent[..], &[(32_000, Timeout)]].concat()));
    }

    #[test]
    fn a_host_that_was_left_gets_no_invite_any_more_and_a_cancel_as_soon_as_it_says_anything() {
        let mut silent = invite(UNRELIABLE);
        silent.at(600, |machine, now| machine.leave(now, "CANCEL"));
        let sent = [0, 500].map(|ms| (ms, Transmit("INVITE")));
        assert_eq!(silent.finish(), (32_000, [&sent[..], &[(32_000, Timeout)]].concat()));

        let mut late = invite(UNRELIABLE);
        late.at(4_000, |machine, now| machine.leave(now, "CANCEL"));
        late.take();
        late.receive(20_000, "180");
        assert_eq!(late.take(), [(20_000, Response("180")), (20_000, Cancel("CANCEL"))]);
    }

    #[test]
    fn cancel_while_ringing_goes_at_once() {
        let mut invite = invite(RELIABLE);
        invite.receive(100, "180");
        invite.cancel(200, "CANCEL");
        invite.receive(300, "200"); // It was quicker.
        invite.take();
        invite.cancel(400, "CANCEL again");
        assert_eq!(invite.finish(), (32_300, vec![]));
    }

    #[test]
    fn cancel_without_an_answer_ends_64_t1_later() {
        let mut invite = invite(UNRELIABLE);
        invite.receive(100, "180");
        invite.cancel(60_000, "CANCEL");
        invite.receive(60_100, "180");
        invite.take();
        assert_eq!(invite.finish(), (92_000, vec![(92_000, Timeout)]));
        assert!(invite.machine.is_terminated());
    }

    #[test]
    fn cancel_is_never_sent_after_a_final() {
        for response in ["200", "486"] {
            let mut invite = invite(UNRELIABLE);
            invite.cancel(10, "CANCEL");
            invite.receive(20, response);
            invite.cancel(30, "CANCEL");
            assert!(!invite.finish().1.iter().any(|(_, output)| matches!(output, Cancel(_))));
        }
    }
}
