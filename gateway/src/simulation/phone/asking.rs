//! Requests that a phone sends inside a call, and what it makes of the responses.

use std::time::Instant;

use bytes::Bytes;
use sip::dialog::Dialog;
use sip::transaction::{ClientId, ServerId};
use sip::{Builder, Message, Method, Name};

use super::writing::wrapped;
use super::{Fault, News, Phone, Stage};

impl Phone {
    /// Sends any request inside the call's dialog; INVITE and UPDATE with an offer unless `body` is empty.
    pub fn request(&mut self, now: Instant, index: usize, method: Method, body: Option<&str>) {
        let offers = matches!(method, Method::Invite | Method::Update);
        let Some(mut builder) = self.inside(index, method.clone()) else { return };
        if offers {
            builder = self.timed_inside(index, self.able(builder));
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
        let id = self.send(now, index, builder.build());
        if self.fault == Some(Fault::OffersTwice) && offers && !self.calls[index].offered_twice() {
            self.calls[index].offered = Some((method.clone(), None));
            self.request(now, index, method.clone(), body);
        }
        let call = &mut self.calls[index];
        if offers {
            call.offering = Some(id);
            call.offered = Some((method.clone(), body.map(str::to_owned)));
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
    /// A request inside the dialog that the call goes by; `None`: there is none.
    pub(super) fn inside(&mut self, index: usize, method: Method) -> Option<Builder> {
        let (branch, contact) = (self.branch(), self.contact());
        let via = self.via(&branch);
        let dialog = self.calls[index].dialog.as_mut()?;
        let builder = dialog
            .request(method)
            .prepend(Name::Via, via)
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, contact);
        let builder = self.dressed(builder);
        Some(match self.requires {
            Some(required) => builder.header(Name::Require, required),
            None => builder,
        })
    }

    /// Sends a request of a call.
    pub(super) fn send(&mut self, now: Instant, index: usize, request: Message) -> ClientId {
        self.trace(now, true, &request);
        let id = self.layer.request(now, request, None, self.transport.is_reliable());
        self.clients.insert(id, index);
        id
    }

    /// Answers a request.
    pub(super) fn say(&mut self, now: Instant, server: ServerId, response: Message) {
        self.trace(now, true, &response);
        self.layer.respond(now, server, response);
    }

    /// No response came to a request of its own.
    pub(super) fn unanswered(&mut self, now: Instant, id: ClientId) {
        let Some(index) = self.clients.get(&id).copied() else { return };
        let call = &mut self.calls[index];
        if call.offering == Some(id) {
            call.offering = None;
            call.media.refused();
            // RFC 3261 §12.2.1.2: the dialog is as good as gone.
            if call.stage == Stage::Up {
                self.request(now, index, Method::Bye, None);
            }
        }
    }

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
            self.progress(now, index, id, &message);
            self.notify(now, index, status.code());
            return;
        }
        if self.abilities.any() {
            self.turn_for(index, id, &message);
        }
        let call = &mut self.calls[index];
        let is_first = !call.is_confirmed() && call.client == Some(id);
        if cseq.method == Method::Prack {
            call.progress.pracking = false;
            if status.code() == 491 {
                call.progress.refused_offer();
            }
        }
        if cseq.method == Method::Notify && status.code() == 500 {
            return self.notify_again(now, id);
        }
        if let Some(one) = call.subscriptions.iter_mut().find(|one| one.client == id) {
            one.response = Some(status.code());
        }
        // Not where it is a repeated answer.
        let offers = call.offering == Some(id) || is_first;
        call.offering = call.offering.filter(|offering| *offering != id);
        let mut suits = true;
        if offers && !status.is_success() {
            if self.fault == Some(Fault::KeepsWhatWasRefused) {
                call.media.keep_what_was_refused();
            }
            call.media.refused();
            if call.is_confirmed() && call.stage == Stage::Up {
                self.offers_later(now, index, &message);
                self.not_refreshed(now, index, status.code(), &message);
            }
        } else if offers
            && !call.delayed.contains(&id)
            && !message.body().is_empty()
            && !call.progress.settled_by_invite(is_first)
        {
            suits = call.media.take_answer(message.body());
            let lenient = self.abilities.any() && !is_first;
            assert!(
                suits || lenient || !self.habits.strict,
                "an answer that does not fit the offer: {message:?}"
            );
        }
        if cseq.method == Method::Update && status.is_success() && self.calls[index].is_confirmed() {
            self.session_agreed(now, index, &message, false);
        }
        if matches!(status.code(), 408 | 481) && offers && !is_first && self.abilities.any() {
            // What overtook its own 2xx met no dialog yet.
            suits = !self.calls[index].accepts.is_empty();
        }
        if !suits && cseq.method != Method::Invite && self.calls[index].stage == Stage::Up {
            self.request(now, index, Method::Bye, None);
        }
        if cseq.method != Method::Invite {
            return;
        }
        let call = &mut self.calls[index];
        if !status.is_success() {
            if is_first && !self.invites_again(now, index, &message) {
                self.calls[index].stage = Stage::Over;
                self.news.push_back(News::Refused(index));
                self.notify(now, index, status.code());
            }
            if !suits && self.calls[index].stage == Stage::Up {
                self.request(now, index, Method::Bye, None);
            }
            return;
        }
        if call.is_confirmed()
            && call
                .dialog
                .as_ref()
                .is_none_or(|dialog| *message.to_tag().unwrap_or_default() != *dialog.remote_tag)
        {
            return self.leave_fork(now, index, &message);
        }
        let first = is_first;
        match &mut call.dialog {
            None => call.dialog = Some(Dialog::uac(&call.invite, &message).unwrap()),
            Some(dialog) => dialog.handle_response(&message),
        }
        if first && call.stage == Stage::Open {
            call.stage = Stage::Up;
            call.settle_dialog();
            self.news.push_back(News::Answered(index));
        }
        let repeated = self.calls[index].acks.iter().any(|(of, _, _)| *of == id);
        if !repeated {
            self.session_agreed(now, index, &message, false);
            self.notify(now, index, status.code());
        }
        if self.calls[index].acknowledges {
            suits &= self.ack(index, id, &message);
        }
        // RFC 3261 §15: the answer crossed our CANCEL.
        if first && self.calls[index].cancelled || !suits {
            self.request(now, index, Method::Bye, None);
        }
    }

    /// Goes by the dialog that a response belongs to; the 2xx of a dialog of which it has heard nothing begins it.
    fn turn_for(&mut self, index: usize, id: ClientId, response: &Message) {
        let call = &mut self.calls[index];
        let success = response.status().is_some_and(|status| status.is_success());
        if call.client == Some(id) && !call.is_confirmed() && success {
            call.begin(&response.to_tag().unwrap_or_default());
        } else {
            call.turn_to_that_of(response);
        }
    }

    /// Another fork has answered, too: it is acknowledged and ended, RFC 3261 §13.2.2.4.
    fn leave_fork(&mut self, now: Instant, index: usize, response: &Message) {
        let Ok(fork) = Dialog::uac(&self.calls[index].invite, response) else { return };
        let kept = self.calls[index].dialog.replace(fork);
        let id = self.calls[index].client;
        let tag = response.to_tag().unwrap_or_default();
        let repeated = self.calls[index].acks.iter().any(|(_, to, _)| *to == tag);
        if let Some(id) = id {
            self.ack(index, id, response);
        }
        if !repeated && let Some(bye) = self.inside(index, Method::Bye) {
            self.send(now, index, bye.build());
        }
        self.calls[index].dialog = kept;
    }

    /// Acknowledges a 2xx: the kept ACK where there is one. False: it carries an offer that does not suit.
    pub(super) fn ack(&mut self, index: usize, id: ClientId, response: &Message) -> bool {
        let tag = response.to_tag().unwrap_or_default().into_owned();
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
                let call = &self.calls[index];
                let is_first = call.invite.cseq().is_ok_and(|first| first.number == cseq);
                if call.delayed.contains(&id) && !call.progress.settled_by_invite(is_first) {
                    let (terms, media) = (self.terms(), &mut self.calls[index].media);
                    match media.answer(terms, response.body(), "sendrecv", &mut self.random) {
                        Some(answer) => {
                            builder = wrapped(self.calls[index].wraps.or(self.wraps), builder, answer);
                        }
                        None => suits = false,
                    }
                }
                let ack = builder.build();
                if let Some(now) = self.now {
                    self.trace(now, true, &ack);
                }
                self.calls[index].acks.push((id, tag, ack.clone()));
                ack
            }
        };
        self.outbox.push_back((ack, None));
        suits
    }
}
