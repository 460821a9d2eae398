//! The table in virtual time, one file per subject.

mod cancel;
mod client;
mod kept;
mod link;
mod random;
mod repeats;
mod server;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::*;
use crate::{Builder, Message, Name, StatusCode};

/// A table with its clock and a log of one line for each output: `<ms> <what>`.
struct Table {
    transactions: Transactions<&'static str>,
    start: Instant,
    now: Instant,
    reliable: bool,
    log: Vec<String>,
    /// The requests that were reported, in order.
    requests: Vec<(ServerId, Message)>,
    /// How each client transaction ended: final responses, or 0 for a timeout or a transport error.
    ends: HashMap<ClientId, Vec<u16>>,
    /// Which transactions were said to be over.
    ended: HashSet<Owner>,
    /// The messages that were sent, in order.
    sent: Vec<Message>,
}

impl Table {
    fn udp() -> Table {
        Table::new(false)
    }

    fn tcp() -> Table {
        Table::new(true)
    }

    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    fn new(reliable: bool) -> Table {
        let start = Instant::now();
        Table {
            transactions: Transactions::new(Timers::default()),
            start,
            now: start,
            reliable,
            log: Vec::new(),
            requests: Vec::new(),
            ends: HashMap::new(),
            ended: HashSet::new(),
            sent: Vec::new(),
        }
    }

    /// Lets time pass until `at_ms`.
    fn at(&mut self, at_ms: u64) -> &mut Table {
        let until = self.start + Duration::from_millis(at_ms);
        self.run(Some(until));
        self.now = until;
        self
    }

    /// Lets time pass until no timer runs, and checks that nothing is left.
    fn finish(&mut self) -> Vec<String> {
        self.run(None);
        assert_eq!((self.transactions.client_len(), self.transactions.server_len()), (0, 0), "left behind");
        let ended = |owner| assert!(self.ended.contains(&owner), "{owner:?} is not said to be over");
        self.requests.iter().for_each(|(id, _)| ended(Owner::Server(*id)));
        self.ends.keys().for_each(|id| ended(Owner::Client(*id)));
        self.log()
    }

    fn request(&mut self, message: &Message) -> ClientId {
        let id = self.transactions.request(self.now, message.clone(), "peer", self.reliable);
        self.drain();
        id
    }

    fn receive(&mut self, message: &Message) -> &mut Table {
        self.transactions.handle_message(self.now, message.clone(), "peer", self.reliable);
        self.drain();
        self
    }

    /// Answers the newest request.
    fn respond(&mut self, message: &Message) -> &mut Table {
        let id = self.requests.last().unwrap().0;
        self.respond_to(id, message)
    }

    fn respond_to(&mut self, id: ServerId, message: &Message) -> &mut Table {
        self.transactions.respond(self.now, id, message.clone());
        self.drain();
        self
    }

    fn cancel(&mut self, id: ClientId) -> &mut Table {
        let reason = [(Name::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"".to_owned())];
        self.transactions.cancel(self.now, id, &reason);
        self.drain();
        self
    }

    /// What was put out since the last look.
    fn log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    fn last_sent(&self) -> &Message {
        self.sent.last().unwrap()
    }

    fn run(&mut self, until: Option<Instant>) {
        while let Some(due) =
            self.transactions.poll_timeout().filter(|due| until.is_none_or(|until| *due <= until))
        {
            assert!(due >= self.now, "a deadline in the past");
            self.now = due;
            self.transactions.handle_timeout(due);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let at_ms = (self.now - self.start).as_millis();
        while let Some(output) = self.transactions.poll_output() {
            let line = match output {
                Output::Transmit { message, to, .. } => {
                    self.sent.push(message.clone());
                    format!("send {} to {to}", name(&message))
                }
                Output::Event(Event::Request { id, message, merged, .. }) => {
                    let line = format!("request {}{}", name(&message), if merged { " merged" } else { "" });
                    self.requests.push((id, message));
                    line
                }
                Output::Event(Event::Cancel { invite, .. }) => {
                    assert!(self.requests.iter().any(|(id, _)| *id == invite));
                    "cancel".to_owned()
                }
                Output::Event(Event::Ack { .. }) => "ack".to_owned(),
                Output::Event(Event::Response { id, message, .. }) => {
                    let status = message.status().unwrap();
                    if status.is_final() {
                        self.ends.entry(id).or_default().push(status.code());
                    }
                    format!("response {}", name(&message))
                }
                Output::Event(Event::StrayResponse { message, .. }) => format!("stray {}", name(&message)),
                Output::Event(Event::Timeout { id }) => {
                    self.ends.entry(id).or_default().push(0);
                    "timeout".to_owned()
                }
                Output::Event(Event::ClientTransport { id }) => {
                    self.ends.entry(id).or_default().push(0);
                    "client transport".to_owned()
                }
                Output::Event(Event::NoAck { .. }) => "no ack".to_owned(),
                Output::Event(Event::ServerTransport { .. }) => "server transport".to_owned(),
                // Not a line of its own: the laws below look at who ended.
                Output::Event(Event::ClientEnded { id }) => {
                    assert!(self.ended.insert(Owner::Client(id)), "ended twice");
                    continue;
                }
                Output::Event(Event::ServerEnded { id }) => {
                    assert!(self.ended.insert(Owner::Server(id)), "ended twice");
                    continue;
                }
            };
            self.log.push(format!("{at_ms} {line}"));
        }
    }
}

/// `INVITE`, or `200 INVITE`.
fn name(message: &Message) -> String {
    match (message.method(), message.status()) {
        (Some(method), _) => method.to_string(),
        (_, Some(status)) => format!("{status} {}", message.cseq().unwrap().method),
        _ => unreachable!("neither request nor response"),
    }
}

/// A request outside a dialog, `branch` as given.
fn request(method: &str, branch: &str) -> Message {
    let text = format!(
        "{method} sip:bob@biloxi.example.com SIP/2.0\r\n\
         Via: SIP/2.0/UDP pc33.atlanta.example.com:5060;branch={branch}\r\n\
         Max-Forwards: 70\r\n\
         To: Bob <sip:bob@biloxi.example.com>\r\n\
         From: Alice <sip:alice@atlanta.example.com>;tag=1928301774\r\n\
         Call-ID: a84b4c76e66710\r\n\
         CSeq: 314159 {method}\r\n\
         Contact: <sip:alice@pc33.atlanta.example.com>\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let message = Message::parse(Bytes::from(text)).unwrap();
    message.check().unwrap();
    message
}

/// The answer to `request`, with a To tag unless it is 100.
fn reply(request: &Message, code: u16) -> Message {
    let status = StatusCode::new(code).unwrap();
    let tag = (code > 100).then_some("8321234356");
    Builder::reply(request, status, status.default_reason(), tag).build()
}
