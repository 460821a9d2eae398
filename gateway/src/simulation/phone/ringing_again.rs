//! Reliable provisional responses to a re-INVITE that the phone kept, which bring its answer: RFC 6141 §3.

use std::time::Instant;

use sip::{Builder, Message, Name, StatusCode};

use super::Phone;

impl Phone {
    /// Answers a re-INVITE that it kept in a reliable 183 of this number.
    pub fn ring_again(&mut self, now: Instant, index: usize, rseq: u32) {
        let terms = self.terms();
        let call = &mut self.calls[index];
        let (server, asked) = call.asked[0].clone();
        if call.rung_again.is_none() {
            call.rung_again = call.media.answer(terms, asked.body(), "sendrecv", &mut self.random);
        }
        let answer = call.rung_again.clone().expect("an answer");
        let reply = self.to_kept(&asked, 183).header(Name::Require, "100rel");
        let reply = self.described(reply.header(Name::RSeq, rseq.to_string()), answer);
        self.say(now, server, reply.build());
        self.pump(now);
    }

    /// Says the last word to it: a 2xx has nothing to add to the answer.
    pub fn have_rung_again(&mut self, now: Instant, index: usize, status: u16) {
        let (server, asked) = self.calls[index].asked.remove(0);
        self.calls[index].rung_again = None;
        match status {
            200 => {
                let response = self.to_kept(&asked, status).build();
                self.accept(now, index, server, asked.cseq().unwrap().number, response);
            }
            _ => self.reply(now, server, &asked, status),
        }
        self.pump(now);
    }

    fn to_kept(&self, asked: &Message, status: u16) -> Builder {
        let code = StatusCode::new(status).unwrap();
        let reply = Builder::reply(asked, code, code.default_reason(), None);
        self.dressed(reply.header(Name::Contact, self.contact()))
    }
}
