//! What the phones say: requests of the one that calls, and repeats of both.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::{Call, FIRST_NUMBER, Phones};
use crate::Result;
use crate::daemon::Transport;
use crate::generator::phone_port;
use crate::repeats::{Due, Said};
use crate::sdp;
use crate::sip::message;

impl Phones {
    pub(super) fn invite(&mut self) -> Result<()> {
        let (index, asked) = (self.calls.len(), Instant::now());
        let to = format!("<{}>", self.number(index));
        self.calls.push(Call { to, asked: Some(asked), ..Call::default() });
        self.expect(Said::Invite, index);
        self.send_invite(index)
    }

    fn send_invite(&mut self, index: usize) -> Result<()> {
        let description = sdp::describe((self.customer.ip(), phone_port(index)).into(), false);
        let (uri, contact) = (self.number(index), self.contact(self.customer));
        self.request("INVITE", 1, index, &uri, &[format!("Contact: {contact}")], &description)
    }

    pub(super) fn bye(&mut self) -> Result<()> {
        let Some(index) = self.live.pop_front() else { return Ok(()) };
        self.expect(Said::Bye, index);
        self.send_bye(index)
    }

    fn send_bye(&mut self, index: usize) -> Result<()> {
        let target = self.calls.get(index).map(|call| call.target.clone()).unwrap_or_default();
        self.request("BYE", 2, index, &target, &[], "")
    }

    pub(super) fn expect(&mut self, said: Said, index: usize) {
        if self.transport == Transport::Udp {
            self.repeats.add(Instant::now(), said, index);
        }
    }

    /// Hangs up what has been up for so long.
    pub(super) fn bye_after(&mut self, hold: Duration) -> Result<()> {
        while let Some(call) = self.live.front().and_then(|index| self.calls.get(*index))
            && call.up.is_some_and(|up| up.elapsed() >= hold)
        {
            self.bye()?;
        }
        Ok(())
    }

    pub(super) fn request(
        &mut self,
        method: &str,
        cseq: u32,
        index: usize,
        uri: &str,
        more: &[String],
        body: &str,
    ) -> Result<()> {
        let (transport, local) = (self.transport.name().to_uppercase(), self.customer);
        let Some(call) = self.calls.get(index) else { return Ok(()) };
        let to = &call.to;
        // An ACK of a refusal belongs to the INVITE's transaction. RFC 3261 §17.1.1.3.
        let of = if method == "ACK" && call.up.is_none() { "INVITE" } else { method };
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/{transport} {local};branch=z9hG4bK{of}{index};rport"),
            "Max-Forwards: 70".to_owned(),
            format!("From: \"Bench\" <sip:+12065550100@{}>;tag=c{index}", local.ip()),
            format!("To: {to}"),
            format!("Call-ID: {index}@{}", local.ip()),
            format!("CSeq: {cseq} {method}"),
            "User-Agent: bench".to_owned(),
        ];
        if of == method {
            lines.extend(call.routes.iter().map(|route| format!("Route: {route}")));
        }
        lines.extend_from_slice(more);
        self.messages += 1;
        self.calling.send(&message(&lines, body), self.gateway, 0)
    }

    /// Says again what has no answer.
    pub(super) fn repeat(&mut self, now: Instant) -> Result<()> {
        let calls = &self.calls;
        let waits = |said, index: usize| {
            calls.get(index).is_some_and(|call: &Call| match said {
                Said::Invite => !call.heard,
                Said::Accepted => !call.accepted.is_empty(),
                Said::Bye => !call.over,
            })
        };
        let Some((said, index, due)) = self.repeats.next(now, waits) else { return Ok(()) };
        let Some(call) = self.calls.get_mut(index) else { return Ok(()) };
        match (due, said) {
            (Due::Again, said) => {
                self.tally.repeated += 1;
                match said {
                    Said::Invite => self.send_invite(index),
                    Said::Accepted => {
                        let accepted = call.accepted.clone();
                        self.messages += 1;
                        self.called.send(&accepted, self.gateway, 0)
                    }
                    Said::Bye => self.send_bye(index),
                }
            }
            (Due::GiveUp, Said::Invite) => {
                call.heard = true;
                self.fail(0);
                Ok(())
            }
            (Due::GiveUp, Said::Accepted) => {
                call.accepted.clear();
                *self.tally.failed.entry(0).or_default() += 1;
                Ok(())
            }
            (Due::GiveUp, Said::Bye) => {
                self.end(index, Some(0));
                Ok(())
            }
        }
    }

    pub(super) fn number(&self, index: usize) -> String {
        format!("sip:+1628{}@{}", FIRST_NUMBER + index, self.gateway)
    }

    pub(super) fn contact(&self, local: SocketAddr) -> String {
        format!("<sip:{local};transport={}>", self.transport.name())
    }
}
