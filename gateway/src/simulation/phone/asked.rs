//! Requests that come to a phone: new calls, and what is asked inside of calls.

use std::time::Instant;

use bytes::Bytes;
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::abilities::requires;
use super::{CHALLENGE, News, Phone, Rel100, STALE, Stage};
use crate::random::Random;

impl Phone {
    pub(super) fn asked(&mut self, now: Instant, server: ServerId, message: Message) {
        let method = message.method().unwrap();
        if message.to_tag().is_none() {
            if method == Method::Invite {
                let index = self.calls.len();
                let tag = self.token();
                self.remember(&message, index);
                let mut call = self.call(false, message.clone(), tag);
                call.server = Some(server);
                call.heard.push(message.clone());
                self.calls.push(call);
                self.trace(now, false, &message);
                if !self.refuses(now, index) && !self.replaces(now, index) {
                    self.news.push_back(News::Incoming(index));
                }
            } else if method == Method::Register {
                self.register_asked(now, server, message);
            } else if let Some(status) = self.habits.probed {
                self.reply(now, server, &message, status);
            } else {
                self.strays.push(message);
            }
            return;
        }
        let Some(index) = self.index_of(&message) else { return self.reply(now, server, &message, 481) };
        self.calls[index].heard.push(message.clone());
        if self.abilities.any() {
            self.calls[index].turn_to_that_of(&message);
        }
        let is_fork = self.calls[index].forks.iter().any(|fork| fork.matches(&message));
        if is_fork {
            if method == Method::Bye {
                self.calls[index].forks.retain(|fork| !fork.matches(&message));
                let tag = message.to_tag().unwrap_or_default();
                self.calls[index].accepts.retain(|accept| accept.tag != tag);
            }
            return self.reply(now, server, &message, 200);
        }
        let Some(dialog) = &mut self.calls[index].dialog else {
            return self.reply(now, server, &message, 481);
        };
        if !dialog.matches(&message) {
            return self.reply(now, server, &message, 481);
        }
        if let Err(error) = dialog.handle_request(&message) {
            return self.reply(now, server, &message, error.status().code());
        }
        let answers = message.has(Name::ProxyAuthorization);
        if self.habits.challenges
            && matches!(method, Method::Bye | Method::Invite | Method::Prack)
            && (!answers || self.habits.stale > 0)
        {
            self.habits.stale -= u32::from(answers);
            let status = StatusCode::new(407).unwrap();
            let reply = Builder::reply(&message, status, "Who are you?", None);
            let reply = reply.header(Name::ProxyAuthenticate, if answers { STALE } else { CHALLENGE });
            return self.say(now, server, reply.build());
        }
        match method {
            // The other of two answers was taken.
            Method::Bye if !self.calls[index].forks.is_empty() => {
                self.reply(now, server, &message, 200);
                let call = &mut self.calls[index];
                let tag = message.to_tag().unwrap_or_default();
                call.accepts.retain(|accept| accept.tag != tag);
                call.dialog = call.forks.pop();
                call.local_tag =
                    call.dialog.as_ref().map(|fork| fork.local_tag.to_string()).unwrap_or_default();
                call.stage = Stage::Up; // Also where it has hung up the one that was not.
                self.news.push_back(News::Acknowledged(index));
            }
            Method::Bye => {
                // An early dialog: the INVITE is answered, too.
                if self.abilities.any() && self.calls[index].stage == Stage::Open && !self.calls[index].caller
                {
                    self.respond(now, index, 487, false, &[]);
                }
                self.calls[index].stage = Stage::Over;
                self.calls[index].accepts.clear();
                self.reply(now, server, &message, 200);
                for (server, asked) in std::mem::take(&mut self.calls[index].asked) {
                    self.reply(now, server, &asked, 487);
                }
            }
            Method::Notify if self.abilities.any() => self.notified(now, index, server, &message),
            _ if self.calls[index].stage == Stage::Over => self.reply(now, server, &message, 481),
            Method::Prack if self.calls[index].rung_again.is_some() => self.reply(now, server, &message, 200),
            Method::Prack if self.abilities.any() => self.pracked(now, index, server, &message),
            Method::Refer if self.abilities.any() => self.referred(now, index, server, &message),
            Method::Invite | Method::Update if self.refuses_offer(now, index, server, &message) => {}
            Method::Invite | Method::Update => match self.habits.renegotiates {
                // RFC 3261 §14.2: our own is not answered yet.
                _ if self.calls[index].is_offering() && !self.is_refresh(&message) => {
                    self.reply(now, server, &message, 491);
                }
                Some(status) => self.renegotiate(now, index, server, &message, status, "sendrecv"),
                None => self.calls[index].asked.push((server, message)),
            },
            Method::Info | Method::Message => {
                if let Some(status) = self.habits.informed {
                    self.reply(now, server, &message, status);
                }
            }
            _ => self.reply(now, server, &message, 200),
        }
    }

    /// Refuses a new call that asks for what the phone cannot do: true.
    fn refuses(&mut self, now: Instant, index: usize) -> bool {
        let invite = &self.calls[index].invite;
        if self.abilities.any() && self.abilities.rel100 == Rel100::Unknown && requires(invite, "100rel") {
            self.respond(now, index, 420, false, &[("Unsupported", "100rel")]);
        } else if let Some(least) = self.too_brief(invite) {
            self.respond(now, index, 422, false, &[("Min-SE", &least.to_string())]);
        } else {
            return false;
        }
        true
    }

    /// An UPDATE without a description changes nothing of media, so it meets no glare.
    fn is_refresh(&self, request: &Message) -> bool {
        self.abilities.any() && request.method() == Some(Method::Update) && request.body().is_empty()
    }

    /// Refuses a re-INVITE or UPDATE that may not come now: true. RFC 3261 §14.2, RFC 3311 §5.2, RFC 4028 §9.
    fn refuses_offer(&mut self, now: Instant, index: usize, server: ServerId, request: &Message) -> bool {
        if !self.abilities.any() {
            return false;
        }
        let call = &self.calls[index];
        let is_update = request.method() == Some(Method::Update);
        let early = call.stage == Stage::Open;
        let unanswered = early && !call.progress.settled && !self.is_refresh(request);
        let code = |status| StatusCode::new(status).unwrap();
        if is_update && !self.abilities.update {
            self.reply(now, server, request, 405);
        } else if let Some(least) = self.too_brief(request).filter(|_| !early) {
            let reply = Builder::reply(request, code(422), code(422).default_reason(), None);
            let reply = reply.header(Name::MinSe, least.to_string());
            let reply = self.dressed(reply).build();
            self.say(now, server, reply);
        } else if early && !call.is_offering() && (unanswered || !is_update) || !call.asked.is_empty() {
            let after = (1 + self.random.below(9)).to_string();
            let reply = Builder::reply(request, code(500), code(500).default_reason(), None);
            let reply = self.dressed(reply.header(Name::RetryAfter, after)).build();
            self.say(now, server, reply);
        } else {
            return false;
        }
        true
    }

    /// Answers a re-INVITE or UPDATE that it kept.
    pub fn answer_offer(&mut self, now: Instant, index: usize, status: u16) {
        let (server, asked) = self.calls[index].asked.remove(0);
        self.renegotiate(now, index, server, &asked, status, "sendrecv");
        self.pump(now);
    }

    pub(super) fn renegotiate(
        &mut self,
        now: Instant,
        index: usize,
        server: ServerId,
        asked: &Message,
        status: u16,
        direction: &str,
    ) {
        if status >= 300 {
            return self.reply(now, server, asked, status);
        }
        let (terms, media) = (self.terms(), &mut self.calls[index].media);
        let sdp = match asked.body().is_empty() {
            true if asked.method() == Some(Method::Update) => Bytes::new(),
            true => media.offer(terms, direction, &mut self.random),
            false => match media.answer(terms, asked.body(), direction, &mut self.random) {
                Some(answer) => answer,
                None => return self.reply(now, server, asked, 488),
            },
        };
        let spoils =
            self.abilities.spoils > 0 && !asked.body().is_empty() && self.calls[index].is_confirmed();
        self.abilities.spoils -= u32::from(spoils);
        self.calls[index].spoilt |= spoils;
        self.calls[index].out_of_step = spoils;
        let sdp = match spoils {
            true => String::from_utf8_lossy(&sdp).replace("audio 40000", "audio 0").into(),
            false => sdp,
        };
        if let Some(dialog) = &mut self.calls[index].dialog {
            dialog.refresh_target(asked);
        }
        let code = StatusCode::new(status).unwrap();
        let response =
            Builder::reply(asked, code, code.default_reason(), None).header(Name::Contact, self.contact());
        let mut response = self.timed_answer(asked, self.able(self.dressed(response)));
        if !sdp.is_empty() {
            response = self.described(response, sdp);
        }
        let response = response.build();
        if self.calls[index].is_confirmed() {
            self.session_agreed(now, index, &response, true);
        }
        match asked.method() {
            Some(Method::Invite) => {
                self.accept(now, index, server, asked.cseq().unwrap().number, response);
            }
            _ => self.say(now, server, response),
        }
    }

    pub(super) fn reply(&mut self, now: Instant, server: ServerId, request: &Message, status: u16) {
        let code = StatusCode::new(status).unwrap();
        let tag = self.token();
        let reply = Builder::reply(request, code, code.default_reason(), Some(&tag));
        let reply = self.dressed(reply).build();
        self.say(now, server, reply);
    }
}
