//! A carrier that is a registrar.

use std::time::Instant;

use sip::transaction::ServerId;
use sip::{Builder, Message, Name, StatusCode};

use super::{CHALLENGE, Phone};

impl Phone {
    /// What a REGISTER is told: the next of what the phone was told to say; else 200, after a challenge where it
    /// challenges.
    pub(super) fn register_asked(&mut self, now: Instant, server: ServerId, message: Message) {
        let proved = message.has(Name::Authorization);
        self.registers.push(message.clone());
        let usual = if self.habits.challenges && !proved { (401, CHALLENGE) } else { (200, "") };
        let (status, value) = self.registrar_says.pop_front().unwrap_or(usual);
        if status == 0 {
            return;
        }
        let code = StatusCode::new(status).unwrap();
        let tag = self.token();
        let mut reply = Builder::reply(&message, code, code.default_reason(), Some(&tag));
        let name = match status {
            401 => Name::WwwAuthenticate,
            407 => Name::ProxyAuthenticate,
            423 => Name::MinExpires,
            503 => Name::RetryAfter,
            _ => Name::Expires,
        };
        if !value.is_empty() {
            reply = reply.header(name, value);
        }
        self.layer.respond(now, server, reply.build());
    }

    /// The CSeq and the Expires of each REGISTER that came.
    pub fn registered(&self) -> Vec<(u32, String)> {
        let seen = |one: &Message| {
            (one.cseq().unwrap().number, one.value(Name::Expires).unwrap_or_default().into_owned())
        };
        self.registers.iter().map(seen).collect()
    }
}
