//! Random operations at random times on a table of transactions.
//!
//! Laws: no panic; every deadline is in the future once the due ones have fired; every client transaction ends once
//! (several 2xx to one INVITE are one end); when the user has answered everything and hung up, the table drains to
//! empty, and every transaction was said to be over exactly once.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip::transaction::{ClientId, Event, Output, Owner, ServerId, Timers, Transactions};
use sip::{Builder, Message, Name, StatusCode};

const METHODS: [&str; 6] = ["INVITE", "ACK", "CANCEL", "BYE", "INFO", "OPTIONS"];

fuzz_target!(|data: &[u8]| {
    let mut user = User::new();
    let mut data = data.iter().copied();
    while let (Some(operation), Some(argument)) = (data.next(), data.next()) {
        user.act(operation, argument, &mut data);
    }
    user.answer_and_hang_up();
    user.run(None);
    user.check();
});

struct User {
    transactions: Transactions<u8>,
    now: Instant,
    clients: Vec<(ClientId, bool)>,
    servers: Vec<(ServerId, Message)>,
    finals: HashMap<ClientId, Vec<u16>>,
    ended: HashSet<Owner>,
}

impl User {
    fn new() -> User {
        User {
            transactions: Transactions::new(Timers::default()),
            now: Instant::now(),
            clients: Vec::new(),
            servers: Vec::new(),
            finals: HashMap::new(),
            ended: HashSet::new(),
        }
    }

    fn act(&mut self, operation: u8, argument: u8, more: &mut impl Iterator<Item = u8>) {
        let now = self.now;
        let reliable = argument & 0x80 != 0;
        match operation % 9 {
            0 => self.transactions.handle_message(now, request(argument), argument, reliable),
            1 => {
                let response = reply(&request(argument), more.next().unwrap_or_default());
                self.transactions.handle_message(now, response, argument, reliable);
            }
            2 if method(argument) != "ACK" => {
                let id = self.transactions.request(now, request(argument), argument, reliable);
                self.clients.push((id, method(argument) == "INVITE"));
            }
            3 => {
                if let Some((id, request)) = pick(&self.servers, argument) {
                    let response = reply(request, more.next().unwrap_or_default());
                    self.transactions.respond(now, *id, response);
                }
            }
            4 => {
                if let Some((id, _)) = pick(&self.clients, argument) {
                    self.transactions.cancel(now, *id, &[(Name::Reason, "SIP;cause=200".to_owned())]);
                }
            }
            5 => {
                if let Some((id, _)) = pick(&self.clients, argument) {
                    self.transactions.handle_client_error(now, *id);
                }
            }
            6 => {
                if let Some((id, _)) = pick(&self.servers, argument) {
                    self.transactions.handle_server_error(now, *id);
                }
            }
            7 => self.run(Some(now + Duration::from_millis(u64::from(argument).pow(2)))),
            _ => {
                // Late: everything that fell due meanwhile fires at once.
                self.now += Duration::from_millis(u64::from(argument).pow(2));
                self.transactions.handle_timeout(self.now);
            }
        }
        self.drain();
    }

    /// Lets time pass until `until`, or until no timer runs.
    fn run(&mut self, until: Option<Instant>) {
        let due = |transactions: &Transactions<u8>| {
            transactions.poll_timeout().filter(|due| until.is_none_or(|until| *due <= until))
        };
        while let Some(next) = due(&self.transactions) {
            self.now = self.now.max(next);
            self.transactions.handle_timeout(self.now);
            self.drain();
            assert!(
                self.transactions.poll_timeout().is_none_or(|next| next > self.now),
                "a deadline that does not move"
            );
        }
        self.now = until.map_or(self.now, |until| self.now.max(until));
    }

    fn drain(&mut self) {
        while let Some(output) = self.transactions.poll_output() {
            match output {
                Output::Transmit { message, owner, .. } => {
                    assert!(!self.ended.contains(&owner), "the dead send");
                    let again = Message::parse(message.bytes().clone()).expect("we send what can be read");
                    assert_eq!(again.check(), Ok(()));
                }
                Output::Event(Event::Request { id, message, .. }) => self.servers.push((id, message)),
                Output::Event(Event::Response { id, message, .. }) => {
                    if let Some(status) = message.status().filter(|status| status.is_final()) {
                        self.finals.entry(id).or_default().push(status.code());
                    }
                }
                Output::Event(Event::Timeout { id } | Event::ClientTransport { id }) => {
                    self.finals.entry(id).or_default().push(0);
                }
                Output::Event(Event::ClientEnded { id }) => assert!(self.ended.insert(Owner::Client(id))),
                Output::Event(Event::ServerEnded { id }) => assert!(self.ended.insert(Owner::Server(id))),
                Output::Event(
                    Event::Cancel { .. }
                    | Event::Ack { .. }
                    | Event::StrayResponse { .. }
                    | Event::NoAck { .. }
                    | Event::ServerTransport { .. },
                ) => {}
            }
        }
    }

    fn answer_and_hang_up(&mut self) {
        for (id, request) in &self.servers {
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            let response = Builder::reply(request, status, status.default_reason(), Some("t")).build();
            self.transactions.respond(self.now, *id, response);
        }
        for (id, _) in &self.clients {
            self.transactions.cancel(self.now, *id, &[]);
        }
        self.drain();
    }

    fn check(&self) {
        assert_eq!(
            (self.transactions.client_len(), self.transactions.server_len()),
            (0, 0),
            "state left behind"
        );
        for (id, is_invite) in &self.clients {
            let finals = self.finals.get(id).map(Vec::as_slice).unwrap_or_default();
            // 2xx are repeated, and may come after the connection broke (0).
            let is_2xx = |(at, code): (usize, &u16)| (200..300).contains(code) || (at, *code) == (0, 0);
            let repeated_2xx = *is_invite && finals.iter().enumerate().all(is_2xx);
            assert!(finals.len() == 1 || (repeated_2xx && !finals.is_empty()), "{id} ended by {finals:?}");
            assert!(self.ended.contains(&Owner::Client(*id)));
        }
        for (id, _) in &self.servers {
            assert!(self.ended.contains(&Owner::Server(*id)));
        }
    }
}

fn method(argument: u8) -> &'static str {
    METHODS[usize::from(argument & 7) % METHODS.len()]
}

/// Four branches, one of them without the magic cookie; one bit decides whether there is a To tag.
fn request(argument: u8) -> Message {
    let method = method(argument);
    let cookie = if argument & 0x18 == 0 { "" } else { "z9hG4bK" };
    let (branch, to_tag) = (argument >> 3 & 3, if argument & 0x20 == 0 { "" } else { ";tag=t" });
    let text = format!(
        "{method} sip:bob@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch={cookie}{branch}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:alice@192.0.2.1>;tag=f\r\nTo: <sip:bob@192.0.2.2>{to_tag}\r\n\
         Call-ID: 1\r\nCSeq: 1 {method}\r\nContact: <sip:alice@192.0.2.1>\r\nContent-Length: 0\r\n\r\n"
    );
    Message::parse(Bytes::from(text)).expect("written by us")
}

fn reply(request: &Message, code: u8) -> Message {
    let code = [100, 180, 200, 302, 404, 500][usize::from(code) % 6];
    let status = StatusCode::new(code).expect("a status code");
    Builder::reply(request, status, status.default_reason(), (code > 100).then_some("t")).build()
}

/// Counted from the newest.
fn pick<T>(items: &[T], argument: u8) -> Option<&T> {
    items.iter().rev().nth(usize::from(argument & 7))
}
