//! Requests that a phone sends inside a call, and what it makes of the responses.

use std::time::Instant;

use bytes::Bytes;
use sip::dialog::Dialog;
use sip::transaction::ClientId;
use sip::{Message, Method, Name};

use super::writing::wrapped;
use super::{News, Phone, Stage};

impl Phone {
    /// Sends any request inside the call's dialog; INVITE and UPDATE with an offer unless `body` is empty.
    pub fn request(&mut self, now: Instant, index: usize, method: Method, body: Option<&str>) {
        let (via, contact) = (self.branch(), self.contact());
        let via = self.via(&via);
        let requires = self.requires;
        let call = &mut self.calls[index];
        let Some(dialog) = &mut call.dialog else { return };
        let offers = matches!(method, Method::Invite | Method::Update);
        let builder = dialog
            .request(method.clone())
            .prepend(Name::Via, via)
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, contact);
        let mut builder = self.dressed(builder);
        if let Some(required) = requires {
            builder = builder.header(Name::Require, required);
        }
        match (body, offers) {
            (Some(direction), true) => {
                let terms = self.terms();
                let sdp = self.calls[index].media.offer(terms, direction, &mut self.random);
                builder = self.described(builder, sdp);
            }
            (Some(text), false) => {
                let content_type = if text.starts_with("v=0") { "application/sdp" } else { "text/plain" };
                builder = builder.body(content_type, Bytes::copy_from_slice(text.as_bytes()))
            }
            _ => {}
        }
        let id = self.layer.request(now, builder.build(), None, self.transport.is_reliable());
        self.clients.insert(id, index);
        let call = &mut self.calls[index];
        if offers {
            call.offering = Some(id);
        }
        if method == Method::Invite {
            call.delayed.extend(body.is_none().then_some(id));
            call.client = Some(id);
        }
        if method == Method::Bye {
            call.stage = Stage::Over;
            call.accepts.clear();
        }
        self.pump(now);
    }

    /// Ends an early dialog by BYE, RFC 3261 §15.
    pub fn early_bye(&mut self, now: Instant, index: usize) {
        let call = &self.calls[index];
        let ringing = call.response(180).unwrap();
        let dialog = Dialog::uac(&call.invite, ringing).unwrap();
        self.calls[index].dialog = Some(dialog);
        self.request(now, index, Method::Bye, None);
    }

    /// Gives up its own re-INVITE.
    pub fn cancel_offer(&mut self, now: Instant, index: usize) {
        if let Some(id) = self.calls[index].offering {
            self.layer.cancel(now, id, &[]);
        }
        self.pump(now);
    }

    /// Sends an ACK again, or at last, where the habit is not to.
    pub fn acknowledge(&mut self, now: Instant, index: usize) {
        let Some(response) = self.calls[index].response(200).cloned() else { return };
        let Some(id) = self.calls[index].client else { return };
        self.ack(index, id, &response);
        self.pump(now);
    }

    pub(super) fn answered(&mut self, now: Instant, id: ClientId, message: Message) {
        let Some(index) = self.clients.get(&id).copied() else { return self.strays.push(message) };
        self.calls[index].heard.push(message.clone());
        let status = message.status().unwrap();
        let Ok(cseq) = message.cseq() else { return };
        if status.is_provisional() {
            return;
        }
        let call = &mut self.calls[index];
        // Not where it is a repeated answer.
        let offers = call.offering == Some(id) || call.client == Some(id) && call.dialog.is_none();
        call.offering = call.offering.filter(|offering| *offering != id);
        if offers && !status.is_success() {
            call.media.refused();
        } else if offers && !call.delayed.contains(&id) && !message.body().is_empty() {
            let fits = call.media.take_answer(message.body());
            assert!(fits || !self.habits.strict, "an answer that does not fit the offer: {message:?}");
        }
        if cseq.method != Method::Invite {
            return;
        }
        let call = &mut self.calls[index];
        if !status.is_success() {
            if call.dialog.is_none() {
                call.stage = Stage::Over;
            }
            return;
        }
        let first = call.dialog.is_none();
        match &mut call.dialog {
            None => call.dialog = Some(Dialog::uac(&call.invite, &message).unwrap()),
            Some(dialog) => dialog.handle_response(&message),
        }
        if first && call.stage == Stage::Open {
            call.stage = Stage::Up;
            self.news.push_back(News::Answered(index));
        }
        let mut suits = true;
        if self.calls[index].acknowledges {
            suits = self.ack(index, id, &message);
        }
        // RFC 3261 §15: the answer crossed our CANCEL.
        if first && self.calls[index].cancelled || !suits {
            self.request(now, index, Method::Bye, None);
        }
    }

    /// Acknowledges a 2xx: the kept ACK where there is one. False: it carries an offer that does not suit.
    pub(super) fn ack(&mut self, index: usize, id: ClientId, response: &Message) -> bool {
        let tag = response.to_tag().unwrap_or_default();
        let mut suits = true;
        let kept = self.calls[index].acks.iter().find(|(of, to, _)| *of == id && *to == tag);
        let ack = match kept {
            Some((_, _, ack)) => ack.clone(),
            None => {
                let branch = self.branch();
                let (via, contact) = (self.via(&branch), self.contact());
                let Some(dialog) = &self.calls[index].dialog else { return true };
                let cseq = response.cseq().unwrap().number;
                let builder = dialog
                    .ack(cseq)
                    .prepend(Name::Via, via)
                    .header(Name::MaxForwards, "70")
                    .header(Name::Contact, contact);
                let mut builder = self.dressed(builder);
                if self.calls[index].delayed.contains(&id) {
                    let (terms, media) = (self.terms(), &mut self.calls[index].media);
                    match media.answer(terms, response.body(), "sendrecv", &mut self.random) {
                        Some(answer) => {
                            builder = wrapped(self.calls[index].wraps.or(self.wraps), builder, answer);
                        }
                        None => suits = false,
                    }
                }
                let ack = builder.build();
                self.calls[index].acks.push((id, tag, ack.clone()));
                ack
            }
        };
        self.outbox.push_back((ack, None));
        suits
    }
}
