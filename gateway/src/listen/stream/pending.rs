//! Requests that a connection carried and that have no final response yet: whom to tell when it is lost.

use std::collections::VecDeque;

use sip::transaction::Owner;
use sip::{Message, Method};

/// More than this on one connection, and the oldest are left to their timers.
const KEPT: usize = 4_096;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    requests: VecDeque<Request>,
}

#[derive(Debug)]
struct Request {
    branch: String,
    method: Method,
    owner: Owner,
    shard: u16,
}

impl Pending {
    /// A request was written. Responses and ACKs are not waited for.
    pub(crate) fn sent(&mut self, message: &Message, owner: Owner, shard: u16) {
        let (Owner::Client(_), Some(method)) = (owner, message.method()) else { return };
        let Some(branch) = message.branch() else { return };
        if method == Method::Ack {
            return;
        }
        if self.requests.len() >= KEPT {
            self.requests.pop_front();
        }
        self.requests.push_back(Request { branch: branch.into_owned(), method, owner, shard });
    }

    /// A message came: a final response settles its request.
    pub(crate) fn received(&mut self, message: &Message) {
        if self.requests.is_empty() || !message.status().is_some_and(|status| status.is_final()) {
            return;
        }
        let (Some(branch), Ok(cseq)) = (message.branch(), message.cseq()) else { return };
        // Mostly in the order in which they were sent, so the search is short.
        let settled = |request: &Request| request.method == cseq.method && request.branch == branch;
        if let Some(at) = self.requests.iter().position(settled) {
            self.requests.remove(at);
        }
    }

    /// The owners of what is left, with their shards.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (Owner, u16)> + '_ {
        self.requests.drain(..).map(|request| (request.owner, request.shard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shard::testing::clients;

    fn message(start: &str, branch: &str, cseq: &str) -> Message {
        let text =
            format!("{start}\r\nVia: SIP/2.0/TCP gw;branch={branch}\r\nCall-ID: 1\r\nCSeq: {cseq}\r\n\r\n");
        Message::parse(text.into()).unwrap()
    }

    #[test]
    fn only_final_responses_settle_a_request() {
        let mut pending = Pending::default();
        let [first, second, third] = clients();
        pending.sent(&message("INVITE sip:a@b SIP/2.0", "z9hG4bK1", "1 INVITE"), first, 0);
        pending.sent(&message("CANCEL sip:a@b SIP/2.0", "z9hG4bK1", "1 CANCEL"), second, 1);
        pending.sent(&message("ACK sip:a@b SIP/2.0", "z9hG4bK1", "1 ACK"), first, 0);
        pending.sent(&message("SIP/2.0 200 OK", "z9hG4bK9", "1 BYE"), third, 0);
        pending.sent(&message("BYE sip:a@b SIP/2.0", "z9hG4bK3", "2 BYE"), Owner::Stateless, 0);
        pending.received(&message("SIP/2.0 180 Ringing", "z9hG4bK1", "1 INVITE"));
        pending.received(&message("SIP/2.0 200 OK", "z9hG4bK1", "1 CANCEL"));
        pending.received(&message("SIP/2.0 200 OK", "z9hG4bK7", "1 INVITE"));
        assert_eq!(pending.drain().collect::<Vec<_>>(), [(first, 0)]);
        assert_eq!(pending.drain().count(), 0);
    }
}
