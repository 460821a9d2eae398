//! What the phones hear, and how they answer.

use std::time::Instant;

use super::{Call, FIRST_NUMBER, Phones};
use crate::Result;
use crate::daemon::Transport;
use crate::generator::phone_port;
use crate::repeats::Said;
use crate::sdp;
use crate::sip::{answer, body, bracketed, header, headers, method, status};

impl Phones {
    /// A call was refused.
    pub(super) fn fail(&mut self, status: u16) {
        self.failed += 1;
        *self.tally.failed.entry(status).or_default() += 1;
    }

    /// A call is over, its BYE answered by `failure` or by 200.
    pub(super) fn end(&mut self, index: usize, failure: Option<u16>) {
        let Some(call) = self.calls.get_mut(index) else { return };
        if std::mem::replace(&mut call.over, true) {
            return;
        }
        self.over += 1;
        if let Some(status) = failure {
            *self.tally.failed.entry(status).or_default() += 1;
        }
    }

    /// Whether anything came in.
    pub(super) fn receive(&mut self) -> Result<bool> {
        let mut any = false;
        for (by, message) in self.calling.receive()? {
            any = true;
            self.messages += 1;
            self.customer_received(&message, by)?;
        }
        for (by, message) in self.called.receive()? {
            any = true;
            self.messages += 1;
            self.carrier_received(&message, by)?;
        }
        Ok(any)
    }

    fn customer_received(&mut self, message: &str, by: usize) -> Result<()> {
        let Some(status) = status(message) else {
            let answer = answer(message, "200 OK", "c", &self.contact(self.customer), "");
            self.messages += 1;
            return self.calling.send(&answer, self.gateway, by);
        };
        let index: usize = header(message, "Call-ID")
            .and_then(|id| id.split('@').next()?.parse().ok())
            .ok_or("a strange Call-ID")?;
        let cseq = header(message, "CSeq").unwrap_or_default().to_owned();
        let call = self.calls.get_mut(index).ok_or("a strange Call-ID")?;
        call.heard = true;
        match (status, cseq.as_str()) {
            (100..=199, _) => Ok(()),
            (200, "1 INVITE") => {
                let first = call.up.is_none();
                call.to = header(message, "To").unwrap_or_default().to_owned();
                call.target = header(message, "Contact").and_then(bracketed).ok_or("no Contact")?.to_owned();
                call.routes = headers(message, "Record-Route").map(str::to_owned).collect();
                call.routes.reverse();
                call.customer = sdp::media(body(message));
                call.up = call.up.or_else(|| Some(Instant::now()));
                let target = call.target.clone();
                if first {
                    self.live.push_back(index);
                } else {
                    self.tally.heard_again += 1;
                }
                self.request("ACK", 1, index, &target, &[], "")
            }
            (_, "1 INVITE") => {
                // Said until it is acknowledged.
                let first = !std::mem::replace(&mut call.over, true);
                call.to = header(message, "To").unwrap_or_default().to_owned();
                if first {
                    self.fail(status);
                } else {
                    self.tally.heard_again += 1;
                }
                let uri = self.number(index);
                self.request("ACK", 1, index, &uri, &[], "")
            }
            (_, "2 BYE") => {
                self.end(index, (status != 200).then_some(status));
                Ok(())
            }
            _ => Err(format!("a strange response: {}", message.lines().next().unwrap_or_default()).into()),
        }
    }

    fn carrier_received(&mut self, message: &str, by: usize) -> Result<()> {
        let contact = self.contact(self.carrier);
        let mut answers = Vec::new();
        match method(message) {
            None => {}
            Some("INVITE") => {
                let number = message.split("+1628").nth(1).and_then(|rest| rest.get(..7)?.parse().ok());
                let index: usize = number.ok_or("a strange number")?;
                let index = index - FIRST_NUMBER;
                let call = self.calls.get_mut(index).ok_or("a strange number")?;
                call.carrier = sdp::media(body(message));
                call.srtp = sdp::keyed(body(message));
                let media = (self.carrier.ip(), phone_port(index)).into();
                let (tag, description) = (format!("d{index}"), sdp::describe(media, call.srtp));
                let accepted = answer(message, "200 OK", &tag, &contact, &description);
                if std::mem::replace(&mut call.arrived, true) {
                    self.tally.heard_again += 1;
                } else if self.transport == Transport::Udp {
                    call.accepted.clone_from(&accepted);
                    self.expect(Said::Accepted, index);
                }
                answers.push(answer(message, "180 Ringing", &tag, &contact, ""));
                answers.push(accepted);
            }
            Some("ACK") => {
                if let Some(call) = self.answered(message) {
                    call.accepted.clear();
                }
            }
            Some(method) => {
                if method == "BYE"
                    && let Some(call) = self.answered(message)
                    && std::mem::replace(&mut call.ended, true)
                {
                    self.tally.heard_again += 1;
                }
                answers.push(answer(message, "200 OK", "d", &contact, ""));
            }
        }
        for answer in answers {
            self.messages += 1;
            self.called.send(&answer, self.gateway, by)?;
        }
        Ok(())
    }

    /// The call of a request that has the tag of the carrier's phone.
    fn answered(&mut self, request: &str) -> Option<&mut Call> {
        let tag = header(request, "To")?.split(";tag=d").nth(1)?;
        let index: usize = tag.split(';').next()?.parse().ok()?;
        self.calls.get_mut(index)
    }
}
