//! Requests that come to a phone: new calls, and what is asked inside of calls.

use std::time::Instant;

use bytes::Bytes;
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::{CHALLENGE, News, Phone, STALE, Stage};

impl Phone {
    pub(super) fn asked(&mut self, now: Instant, server: ServerId, message: Message) {
        let method = message.method().unwrap();
        if message.to_tag().is_none() {
            if method == Method::Invite {
                let index = self.calls.len();
                let tag = self.token();
                self.by_call_id.insert(message.call_id().unwrap().to_owned(), index);
                let mut call = self.call(false, message.clone(), tag);
                call.server = Some(server);
                call.heard.push(message);
                self.calls.push(call);
                self.news.push_back(News::Incoming(index));
            } else if let Some(status) = self.habits.probed {
                self.reply(now, server, &message, status);
            } else {
                self.strays.push(message);
            }
            return;
        }
        let Some(index) = self.index_of(&message) else { return self.reply(now, server, &message, 481) };
        self.calls[index].heard.push(message.clone());
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
            && matches!(method, Method::Bye | Method::Invite)
            && (!answers || self.habits.stale > 0)
        {
            self.habits.stale -= u32::from(answers);
            let status = StatusCode::new(407).unwrap();
            let reply = Builder::reply(&message, status, "Who are you?", None);
            let reply = reply.header(Name::ProxyAuthenticate, if answers { STALE } else { CHALLENGE });
            return self.layer.respond(now, server, reply.build());
        }
        match method {
            // The other of two answers was taken.
            Method::Bye if !self.calls[index].forks.is_empty() => {
                self.reply(now, server, &message, 200);
                let call = &mut self.calls[index];
                let tag = message.to_tag().unwrap_or_default();
                call.accepts.retain(|accept| accept.tag != tag);
                call.dialog = call.forks.pop();
                call.local_tag = call.dialog.as_ref().map(|fork| fork.local_tag.clone()).unwrap_or_default();
                call.stage = Stage::Up; // Also where it has hung up the one that was not.
                self.news.push_back(News::Acknowledged(index));
            }
            Method::Bye => {
                self.calls[index].stage = Stage::Over;
                self.calls[index].accepts.clear();
                self.reply(now, server, &message, 200);
                for (server, asked) in std::mem::take(&mut self.calls[index].asked) {
                    self.reply(now, server, &asked, 487);
                }
            }
            _ if self.calls[index].stage == Stage::Over => self.reply(now, server, &message, 481),
            Method::Invite | Method::Update => match self.habits.renegotiates {
                // RFC 3261 §14.2: our own is not answered yet.
                _ if self.calls[index].is_offering() => self.reply(now, server, &message, 491),
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
        if let Some(dialog) = &mut self.calls[index].dialog {
            dialog.refresh_target(asked);
        }
        let code = StatusCode::new(status).unwrap();
        let response =
            Builder::reply(asked, code, code.default_reason(), None).header(Name::Contact, self.contact());
        let mut response = self.dressed(response);
        if !sdp.is_empty() {
            response = self.described(response, sdp);
        }
        let response = response.build();
        match asked.method() {
            Some(Method::Invite) => {
                self.accept(now, index, server, asked.cseq().unwrap().number, response);
            }
            _ => self.layer.respond(now, server, response),
        }
    }

    pub(super) fn reply(&mut self, now: Instant, server: ServerId, request: &Message, status: u16) {
        let code = StatusCode::new(status).unwrap();
        let tag = self.token();
        let reply = Builder::reply(request, code, code.default_reason(), Some(&tag));
        self.layer.respond(now, server, self.dressed(reply).build());
    }
}
