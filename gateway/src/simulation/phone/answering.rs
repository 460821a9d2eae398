//! What a phone says to the INVITE that begins a call, and the repeating of a 2xx until its ACK.

use std::time::Instant;

use bytes::Bytes;
use sip::dialog::{Dialog, DialogState, UasAccept, UasAcceptOutput};
use sip::transaction::{ServerId, Timers};
use sip::{Builder, Message, Name, StatusCode};

use super::call::Accept;
use super::writing::wrapped;
use super::{Fault, News, Phone, Stage};
use crate::simulation::media::describes;

impl Phone {
    /// Answers the INVITE of a call: 1xx, 2xx (repeated until the ACK) or a refusal.
    pub fn respond(
        &mut self,
        now: Instant,
        index: usize,
        status: u16,
        with_sdp: bool,
        headers: &[(&str, &str)],
    ) {
        let tag = self.calls[index].local_tag.clone();
        self.respond_as(now, index, status, with_sdp, headers, &tag);
    }

    /// The same under another To tag: a fork.
    pub fn respond_as(
        &mut self,
        now: Instant,
        index: usize,
        status: u16,
        with_sdp: bool,
        headers: &[(&str, &str)],
        tag: &str,
    ) {
        let able = self.abilities.any() && self.calls[index].stage == Stage::Open;
        if able {
            self.calls[index].begin(tag);
            if self.waits_for_prack(index, (status, with_sdp), headers, tag) {
                return;
            }
        }
        let reliable = able && self.is_reliable(index, status);
        let call = &self.calls[index];
        let unoffered = !describes(call.invite.body());
        let with_sdp =
            !call.progress.settled && (with_sdp || reliable && unoffered && call.described.is_none());
        let Some(server) = call.server else { return };
        let invite = call.invite.clone();
        let code = StatusCode::new(status).unwrap();
        let mut reply = Builder::reply(&invite, code, code.default_reason(), Some(tag));
        if status < 300 {
            reply = self.able(reply.record_routes(&invite).header(Name::Contact, self.contact()));
        }
        if reliable {
            reply = self.numbered(index, reply);
        }
        if (200..300).contains(&status) {
            reply = self.timed_answer(&invite, reply);
        }
        for (name, value) in headers {
            reply = reply.raw(name, value);
        }
        if with_sdp {
            let Some(mut sdp) = self.first_description(index) else {
                return self.respond_as(now, index, 488, false, &[], tag);
            };
            if self.fault == Some(Fault::ChangesItsAnswer) && status >= 200 {
                sdp = String::from_utf8_lossy(&sdp).replace("audio 40000", "audio 41000").into();
            }
            reply = wrapped(self.calls[index].wraps.or(self.wraps), reply, sdp);
        }
        let response = reply.build();
        self.calls[index].gave.push(status);
        if reliable {
            self.give_reliably(now, index, server, response);
        } else if status < 200 {
            self.say(now, server, response);
        } else if status < 300 {
            self.session_agreed(now, index, &response, true);
            let call = &mut self.calls[index];
            let early =
                call.dialog.take_if(|dialog| dialog.state == DialogState::Early && dialog.local_tag == tag);
            let mut dialog = early.unwrap_or_else(|| Dialog::uas(&invite, tag).unwrap());
            dialog.confirm();
            if call.local_tag == tag {
                call.dialog = Some(dialog);
                call.settle_dialog();
                if call.stage == Stage::Open {
                    call.stage = Stage::Up;
                }
            } else {
                call.forks.push(dialog);
            }
            self.accept(now, index, server, invite.cseq().unwrap().number, response);
        } else {
            self.calls[index].stage = Stage::Over;
            self.say(now, server, response);
        }
        self.pump(now);
    }

    /// What it says of its media to the INVITE that began the call; `None`: the offer does not suit.
    pub(super) fn first_description(&mut self, index: usize) -> Option<Bytes> {
        let terms = self.terms();
        let call = &mut self.calls[index];
        if call.described.is_none() {
            let offer = call.invite.body();
            call.described = match describes(offer) {
                false => Some(call.media.offer(terms, "sendrecv", &mut self.random)),
                true => call.media.answer(terms, offer, "sendrecv", &mut self.random),
            };
        }
        call.described.clone()
    }

    /// Sends a 2xx and repeats it until the ACK.
    pub(super) fn accept(
        &mut self,
        now: Instant,
        index: usize,
        server: ServerId,
        cseq: u32,
        response: Message,
    ) {
        let tag = response.to_tag().unwrap_or_default().into_owned();
        self.trace(now, true, &response);
        let machine = UasAccept::new(now, response, Timers::default());
        self.calls[index].accepts.push(Accept { server, cseq, tag, machine });
        self.drain_accepts(now, index);
    }

    pub(super) fn drain_accepts(&mut self, now: Instant, index: usize) {
        let mut responses = Vec::new();
        for accept in &mut self.calls[index].accepts {
            accept.machine.handle_timeout(now);
            while let Some(output) = accept.machine.poll_output() {
                match output {
                    UasAcceptOutput::Respond(response) => responses.push((accept.server, response)),
                    UasAcceptOutput::NoAck => {}
                }
            }
        }
        self.calls[index].accepts.retain(|accept| accept.machine.is_waiting());
        for (server, response) in responses {
            self.layer.respond(now, server, response);
        }
    }

    pub(super) fn acknowledged(&mut self, message: &Message) {
        let Some(index) = self.index_of(message) else { return self.strays.push(message.clone()) };
        let cseq = message.cseq().unwrap().number;
        let call = &mut self.calls[index];
        call.heard.push(message.clone());
        let tag = message.to_tag().unwrap_or_default();
        let before = call.accepts.len();
        call.accepts.retain(|one| one.cseq != cseq || one.tag != tag);
        if call.accepts.len() < before && tag == call.local_tag {
            if !message.body().is_empty() {
                let fits = call.media.take_answer(message.body());
                assert!(fits || !self.habits.strict, "an answer that does not fit the offer: {message:?}");
            }
            self.news.push_back(News::Acknowledged(index));
        }
    }
}
