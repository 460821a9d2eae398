//! Machine against machine: a client table and a server table over a link that loses, repeats and reorders.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::dialog::{UasAccept, UasAcceptOutput};

/// A call or a plain request, as both users saw it.
#[derive(Debug, Default)]
struct Story {
    is_invite: bool,
    requests: usize,
    /// Final responses of 300 and above, timeouts and transport errors at the client.
    ends: usize,
    successes: usize,
    acked: bool,
    gave_up: bool,
}

/// What the link or a user does next.
enum Due {
    ToServer(Message),
    ToClient(Message),
    Respond(ServerId, Message),
    Cancel(ClientId),
}

struct World {
    random: Random,
    reliable: bool,
    loss_percent: u64,
    now: Instant,
    client: Transactions<&'static str>,
    server: Transactions<&'static str>,
    due: BTreeMap<(Instant, u64), Due>,
    accepts: HashMap<String, (ServerId, UasAccept<Message>)>,
    stories: BTreeMap<String, Story>,
    by_client: HashMap<ClientId, String>,
    pending: HashMap<ServerId, Message>,
    serial: u64,
}

#[test]
fn every_request_ends_well_on_both_sides() {
    for seed in 0..60 {
        for (reliable, loss_percent) in [(true, 0), (false, 0), (false, 20), (false, 60), (false, 100)] {
            let mut world = World::new(seed, reliable, loss_percent);
            world.run();
            world.check(&format!("seed {seed}, reliable {reliable}, loss {loss_percent} %"));
        }
    }
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a starting instant")]
    fn new(seed: u64, reliable: bool, loss_percent: u64) -> World {
        World {
            random: Random(seed),
            reliable,
            loss_percent,
            now: Instant::now(),
            client: Transactions::new(Timers::default()),
            server: Transactions::new(Timers::default()),
            due: BTreeMap::new(),
            accepts: HashMap::new(),
            stories: BTreeMap::new(),
            by_client: HashMap::new(),
            pending: HashMap::new(),
            serial: 0,
        }
    }

    fn run(&mut self) {
        for _ in 0..6 {
            self.start();
            self.now += Duration::from_millis(self.random.below(3_000));
            self.settle();
        }
        while let Some(next) = self.next_deadline() {
            self.now = self.now.max(next);
            self.settle();
        }
    }

    /// Begins one request with a branch and a Call-ID of its own.
    fn start(&mut self) {
        self.serial += 1;
        let is_invite = self.random.below(3) > 0;
        let branch = format!("z9hG4bK{}", self.serial);
        let message = request(if is_invite { "INVITE" } else { "INFO" }, &branch);
        let message = message.edit().set(Name::CallId, &branch).build();
        self.stories.insert(branch.clone(), Story { is_invite, ..Story::default() });
        let id = self.client.request(self.now, message, "server", self.reliable);
        self.by_client.insert(id, branch);
        if is_invite && self.random.below(3) == 0 {
            let after_ms = self.random.below(40_000);
            self.later(after_ms, Due::Cancel(id));
        }
        self.drain();
    }

    fn settle(&mut self) {
        while let Some(entry) = self.due.first_entry() {
            if entry.key().0 > self.now {
                break;
            }
            match entry.remove() {
                Due::ToServer(message) => {
                    self.server.handle_message(self.now, message, "client", self.reliable);
                }
                Due::ToClient(message) => {
                    self.client.handle_message(self.now, message, "server", self.reliable);
                }
                Due::Respond(id, message) => self.respond(id, message),
                Due::Cancel(id) => self.client.cancel(self.now, id, &[]),
            }
            self.drain();
        }
        self.client.handle_timeout(self.now);
        self.server.handle_timeout(self.now);
        for (_, accept) in self.accepts.values_mut() {
            accept.handle_timeout(self.now);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Transmit { message, .. } => self.send(message, Due::ToServer),
                Output::Event(event) => self.client_event(event),
            }
        }
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit { message, .. } => self.send(message, Due::ToClient),
                Output::Event(event) => self.server_event(event),
            }
        }
        for (branch, (id, accept)) in &mut self.accepts {
            while let Some(output) = accept.poll_output() {
                match output {
                    UasAcceptOutput::Respond(ok) => self.server.respond(self.now, *id, ok),
                    UasAcceptOutput::NoAck => self.stories.get_mut(branch).unwrap().gave_up = true,
                }
            }
        }
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Transmit { message, .. } => self.send(message, Due::ToClient),
                Output::Event(Event::ServerEnded { .. }) => {} // A reliable transport: answered is over.
                Output::Event(event) => panic!("an answer causes no event: {event:?}"),
            }
        }
    }

    fn client_event(&mut self, event: Event<&'static str>) {
        match event {
            Event::Response { id, message, .. } => {
                let branch = self.by_client[&id].clone();
                let story = self.stories.get_mut(&branch).unwrap();
                let status = message.status().unwrap();
                if status.is_success() {
                    story.successes += 1;
                    if story.is_invite {
                        let ack = request("ACK", &format!("{branch}-ack"));
                        self.send(ack.edit().set(Name::CallId, &branch).build(), Due::ToServer);
                    }
                } else if status.is_final() {
                    story.ends += 1;
                }
            }
            Event::Timeout { id } => self.stories.get_mut(&self.by_client[&id]).unwrap().ends += 1,
            Event::StrayResponse { .. } => {} // Came after everything was over.
            Event::ClientEnded { id } => assert!(self.by_client.contains_key(&id)),
            other => panic!("not for a client: {other:?}"),
        }
    }

    fn server_event(&mut self, event: Event<&'static str>) {
        match event {
            Event::Request { id, message, merged, .. } => {
                assert!(!merged);
                self.stories.get_mut(message.call_id().unwrap()).unwrap().requests += 1;
                self.pending.insert(id, message.clone());
                let after_ms = self.random.below(1_000);
                if self.random.below(2) == 0 {
                    self.later(after_ms, Due::Respond(id, reply(&message, 180)));
                }
                let code = [200, 200, 486, 302, 603][self.random.below(5) as usize];
                let after_ms = after_ms + [0, 100, 20_000, 60_000][self.random.below(4) as usize];
                self.later(after_ms, Due::Respond(id, reply(&message, code)));
            }
            Event::Cancel { invite, .. } => {
                if let Some(message) = self.pending.get(&invite) {
                    let terminated = reply(message, 487);
                    self.respond(invite, terminated);
                }
            }
            Event::Ack { message, .. } => {
                let branch = message.call_id().unwrap();
                self.stories.get_mut(branch).unwrap().acked = true;
                if let Some((_, accept)) = self.accepts.get_mut(branch) {
                    accept.handle_ack();
                }
            }
            Event::NoAck { .. } | Event::ServerEnded { .. } => {}
            other => panic!("not for a server: {other:?}"),
        }
    }

    fn respond(&mut self, id: ServerId, message: Message) {
        let status = message.status().unwrap();
        if !self.pending.contains_key(&id) {
            return; // Answered already, by the 487.
        }
        if status.is_final() {
            self.pending.remove(&id);
        }
        let branch = message.call_id().unwrap().to_owned();
        if status.is_success() && self.stories[&branch].is_invite {
            self.accepts.insert(branch, (id, UasAccept::new(self.now, message, Timers::default())));
        } else {
            self.server.respond(self.now, id, message);
        }
    }

    /// Gives a message to the link.
    fn send(&mut self, message: Message, direction: fn(Message) -> Due) {
        if self.reliable {
            return self.later(20, direction(message));
        }
        let copies = 1 + u64::from(self.random.below(10) == 0);
        for _ in 0..copies {
            if self.random.below(100) >= self.loss_percent {
                let delay_ms = self.random.below(300);
                self.later(delay_ms, direction(message.clone()));
            }
        }
    }

    fn later(&mut self, after_ms: u64, due: Due) {
        self.serial += 1;
        self.due.insert((self.now + Duration::from_millis(after_ms), self.serial), due);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let accepts = self.accepts.values().filter_map(|(_, accept)| accept.poll_timeout());
        let link = self.due.keys().next().map(|(at, _)| *at);
        [self.client.poll_timeout(), self.server.poll_timeout(), link]
            .into_iter()
            .flatten()
            .chain(accepts)
            .min()
    }

    /// The laws.
    fn check(&self, context: &str) {
        let left = (self.client.client_len(), self.server.server_len());
        assert_eq!(left, (0, 0), "{context}: state left after all timers");
        for (branch, story) in &self.stories {
            let context = format!("{context}: {branch} {story:?}");
            assert!(story.requests <= 1, "{context}: a copy was taken for a new request");
            assert!(story.ends <= 1, "{context}: two ends");
            assert!(story.ends == 0 || story.successes == 0, "{context}: a 2xx and another end");
            assert_eq!(story.ends + story.successes.min(1), 1, "{context}: no end");
            assert!(story.is_invite || story.successes <= 1, "{context}: only an INVITE has several 2xx");
            if self.loss_percent == 0 {
                assert_eq!(story.requests, 1, "{context}: lost on a link that loses nothing");
                assert!(!story.gave_up, "{context}: the ACK was lost on a link that loses nothing");
            }
            assert!(!(story.acked && story.gave_up), "{context}: gave up after the ACK");
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}
