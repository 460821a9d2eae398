//! A customer's phones and a carrier's, which call each other through the daemon and are bent on the way.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gateway::random::{Random, SeededRandom};
use sip::{Message, Method};

use super::body::{self, EMPTY};
use super::leg::{Leg, Stage};
use super::mutate::bend;

/// Of a hundred messages, so many are bent.
const BENT: u64 = 12;

/// A leg: whose it is (0: the customer's, 1: the carrier's), and its place.
type LegId = (usize, usize);

/// What a phone does later.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    /// Says these bytes again.
    Repeat(Vec<u8>),
    /// Answers the INVITE that came first.
    Answer(u16),
    /// Asks something inside the dialog.
    Ask(&'static str),
    Cancel,
    HangUp,
}

/// See the module.
pub struct Exchange {
    random: SeededRandom,
    sockets: [UdpSocket; 2],
    addresses: [SocketAddr; 2],
    gateway: SocketAddr,
    /// Of the customer, and of somebody behind the carrier.
    pub numbers: [&'static str; 2],
    legs: [Vec<Leg>; 2],
    by_call_id: [HashMap<String, usize>; 2],
    later: BinaryHeap<Reverse<(Instant, LegId, Later)>>,
    honest: bool,
    placed: usize,
    up: usize,
    bent: usize,
}

impl Exchange {
    pub fn new(seed: u64, addresses: [SocketAddr; 2], gateway: SocketAddr) -> Exchange {
        let sockets = addresses.map(|address| {
            let socket = UdpSocket::bind(address).unwrap_or_else(|error| panic!("{address}: {error}"));
            socket.set_nonblocking(true).unwrap();
            socket
        });
        Exchange {
            random: SeededRandom::new(seed),
            sockets,
            addresses,
            gateway,
            numbers: [""; 2],
            legs: Default::default(),
            by_call_id: Default::default(),
            later: BinaryHeap::new(),
            honest: false,
            placed: 0,
            up: 0,
            bent: 0,
        }
    }

    /// Calls that were placed.
    pub fn placed(&self) -> usize {
        self.placed
    }

    /// Calls whose caller heard a 2xx.
    pub fn up(&self) -> usize {
        self.up
    }

    /// Messages that were changed.
    pub fn bent(&self) -> usize {
        self.bent
    }

    /// Places `rate` calls a second for so long.
    pub fn run(&mut self, time: Duration, rate: u32) {
        let end = Instant::now() + time;
        let mut next = Instant::now();
        while Instant::now() < end {
            if next <= Instant::now() {
                next += Duration::from_secs(1) / rate;
                let whose = usize::from(self.random.below(4) == 0);
                self.place(whose);
            }
            self.turn();
        }
    }

    /// Stops bending, and ends whatever it knows of.
    pub fn hang_up(&mut self, time: Duration) {
        self.honest = true;
        self.later.clear();
        for whose in 0..2 {
            for at in 0..self.legs[whose].len() {
                // An answer that was bent beyond reading is said once more, as any phone does: else the call still rings.
                if let Some(answered) = self.legs[whose][at].answered.clone() {
                    self.send((whose, at), answered);
                }
                let later = match (self.legs[whose][at].stage, self.legs[whose][at].caller) {
                    (Stage::Over, _) => continue,
                    (Stage::Open, true) => Later::Cancel,
                    (Stage::Open, false) => Later::Answer(480),
                    (Stage::Up, _) => Later::HangUp,
                };
                let when = Instant::now() + Duration::from_millis(self.random.below(1_000));
                for again in 0..3 {
                    self.later.push(Reverse((
                        when + Duration::from_millis(500) * again,
                        (whose, at),
                        later.clone(),
                    )));
                }
            }
        }
        self.answer(time);
    }

    /// Goes on for so long without new calls.
    pub fn answer(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn();
        }
    }

    /// One call from the customer that nothing is done to: whether its caller hears a 2xx in so long.
    pub fn calls_plainly(&mut self, time: Duration) -> bool {
        let (before, end) = (self.up, Instant::now() + time);
        self.honest = true;
        self.place(0);
        while self.up == before && Instant::now() < end {
            self.turn();
        }
        self.up > before
    }

    /// All that was said in calls that came up or are open, for whoever looks for what is left.
    pub fn ladders(&self) -> String {
        let mut text = String::new();
        for leg in self.legs.iter().flatten() {
            let _ =
                writeln!(text, "==== {} {:?} caller: {}\n{}", leg.call_id, leg.stage, leg.caller, leg.ladder);
        }
        text
    }

    fn turn(&mut self) {
        let mut idle = true;
        while let Some(Reverse((when, ..))) = self.later.peek()
            && *when <= Instant::now()
            && let Some(Reverse((_, id, later))) = self.later.pop()
        {
            self.act(id, later);
        }
        for whose in 0..2 {
            let mut buffer = [0; 65_536];
            while let Ok((length, _)) = self.sockets[whose].recv_from(&mut buffer) {
                idle = false;
                self.heard(whose, &buffer[..length]);
            }
        }
        if idle {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A body with a session description, of any kind that phones write; from an honest phone of the plainest.
    fn body(&mut self, host: &str, answers: bool) -> String {
        match self.honest {
            true => body::with("application/sdp", &body::plain(host)),
            false => body::body(&mut self.random, host, answers),
        }
    }

    fn in_a_while(&mut self, id: LegId, most_ms: u64, later: Later) {
        let when = Instant::now() + Duration::from_millis(self.random.below(most_ms));
        self.later.push(Reverse((when, id, later)));
    }

    fn send(&mut self, id: LegId, message: Vec<u8>) {
        let bends = !self.honest && self.random.below(100) < BENT;
        let message = if bends { bend(&mut self.random, message) } else { message };
        self.bent += usize::from(bends);
        let leg = &mut self.legs[id.0][id.1];
        let _ = writeln!(leg.ladder, "---> {}", String::from_utf8_lossy(&message));
        let times = match self.random.below(40) {
            _ if self.honest => 1,
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let _ = self.sockets[id.0].send_to(&message, self.gateway);
        }
    }

    fn place(&mut self, whose: usize) {
        let fresh = self.random.next_u64();
        let numbers = [self.numbers[whose], self.numbers[1 - whose]];
        let leg = Leg::caller(self.addresses[whose], self.gateway, numbers, fresh);
        let at = self.legs[whose].len();
        self.by_call_id[whose].insert(leg.call_id.clone(), at);
        self.legs[whose].push(leg);
        self.placed += 1;
        let id = (whose, at);
        self.ask(id, "INVITE");
        if self.random.below(8) == 0 && !self.honest {
            self.in_a_while(id, 400, Later::Cancel);
        }
    }

    /// A request of this leg, and once more a little later where it is an INVITE, as the network does.
    fn ask(&mut self, id: LegId, method: &'static str) {
        let host = self.addresses[id.0].ip().to_string();
        let rest = match method {
            "INVITE" | "UPDATE" => self.body(&host, false),
            "INFO" => body::with("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"),
            "MESSAGE" => body::with("text/plain", "hello"),
            _ => EMPTY.to_owned(),
        };
        let fresh = self.random.next_u64();
        let message = self.legs[id.0][id.1].request(method, fresh, &rest);
        if method == "INVITE" && self.random.below(4) == 0 {
            self.in_a_while(id, 900, Later::Repeat(message.clone()));
        }
        self.send(id, message);
    }

    fn act(&mut self, id: LegId, later: Later) {
        let stage = self.legs[id.0][id.1].stage;
        match later {
            Later::Repeat(message) => self.send(id, message),
            Later::Answer(status) => self.answer_first(id, status),
            Later::Ask(method) if stage == Stage::Up => self.ask(id, method),
            Later::Cancel if stage == Stage::Open => {
                let message = self.legs[id.0][id.1].request("CANCEL", 0, EMPTY);
                self.send(id, message);
            }
            Later::HangUp if stage == Stage::Up => {
                self.legs[id.0][id.1].stage = Stage::Over;
                self.ask(id, "BYE");
            }
            Later::Ask(_) | Later::Cancel | Later::HangUp => {}
        }
    }

    fn answer_first(&mut self, id: LegId, status: u16) {
        let leg = &self.legs[id.0][id.1];
        let (Some(invite), Stage::Open) = (leg.asked.clone(), leg.stage) else { return };
        let host = self.addresses[id.0].ip().to_string();
        let rest = match status {
            183 | 200 => self.body(&host, true),
            401 | 407 => format!(
                "{}-Authenticate: Digest realm=\"m\", nonce=\"n\"\r\n{EMPTY}",
                if status == 401 { "WWW" } else { "Proxy" }
            ),
            302 => format!("Contact: <sip:+16285551213@{host}>\r\n{EMPTY}"),
            503 => format!("Retry-After: 0\r\n{EMPTY}"),
            _ => EMPTY.to_owned(),
        };
        let leg = &mut self.legs[id.0][id.1];
        let message = leg.respond(&invite, status, "M", &rest);
        if status >= 200 {
            leg.stage = if status < 300 { Stage::Up } else { Stage::Over };
            leg.answered = Some(message.clone());
        }
        self.send(id, message.clone());
        if status == 200 {
            self.in_a_while(id, 1_000, Later::Repeat(message));
            self.talk(id);
        }
    }

    /// What is said in a call that is up, and its end.
    fn talk(&mut self, id: LegId) {
        for _ in 0..self.random.below(3) {
            let methods = ["INVITE", "INVITE", "UPDATE", "INFO", "MESSAGE", "OPTIONS", "REFER", "PRACK"];
            let method = methods[usize::try_from(self.random.below(methods.len() as u64)).unwrap()];
            self.in_a_while(id, 1_500, Later::Ask(method));
        }
        if self.random.below(3) > 0 {
            self.in_a_while(id, 3_000, Later::HangUp);
        }
    }

    fn heard(&mut self, whose: usize, bytes: &[u8]) {
        let shown = String::from_utf8_lossy(bytes);
        let message = Message::parse(Bytes::copy_from_slice(bytes))
            .unwrap_or_else(|error| panic!("the daemon sent what nobody can read: {error}\n{shown}"));
        // A refusal repeats what was wrong with its request.
        let repeats = message.status().is_some_and(|status| !status.is_success());
        if let Err(error) = message.check()
            && !repeats
        {
            panic!("the daemon sent what is wrong: {error}\n{shown}");
        }
        let Ok(call_id) = message.call_id().map(str::to_owned) else { return };
        let known = self.by_call_id[whose].get(&call_id).copied();
        let known = known.or_else(|| self.begins(whose, &message));
        let Some(at) = known else { return self.stray(whose, &message) };
        let _ = writeln!(self.legs[whose][at].ladder, "<--- {shown}");
        match message.is_request() {
            true => self.asked((whose, at), &message),
            false => self.answered((whose, at), &message),
        }
    }

    /// A call comes in.
    fn begins(&mut self, whose: usize, message: &Message) -> Option<usize> {
        if message.method() != Some(Method::Invite) || message.to_tag().is_some() {
            return None;
        }
        let leg = Leg::callee(self.addresses[whose], message, self.random.next_u64());
        let at = self.legs[whose].len();
        self.by_call_id[whose].insert(leg.call_id.clone(), at);
        self.legs[whose].push(leg);
        let id = (whose, at);
        if self.honest {
            self.later.push(Reverse((Instant::now(), id, Later::Answer(200))));
            return Some(at);
        }
        let provisional = [100, 180, 180, 183, 183, 181, 199];
        for _ in 0..self.random.below(3) {
            let status = provisional[usize::try_from(self.random.below(7)).unwrap()];
            self.in_a_while(id, 200, Later::Answer(status));
        }
        let refusals = [486, 404, 503, 500, 603, 302, 401, 407, 488, 408, 480];
        let refusal = refusals[usize::try_from(self.random.below(11)).unwrap()];
        let status = if self.random.below(4) == 0 { refusal } else { 200 };
        if self.random.below(20) > 0 {
            let when = Instant::now() + Duration::from_millis(200 + self.random.below(400));
            self.later.push(Reverse((when, id, Later::Answer(status))));
        }
        Some(at)
    }

    fn asked(&mut self, id: LegId, message: &Message) {
        let method = message.method().unwrap();
        let silent = !self.honest && self.random.below(12) == 0;
        let leg = &mut self.legs[id.0][id.1];
        match method {
            Method::Invite if message.to_tag().is_none() => {
                let again = leg.answered.clone();
                return again.into_iter().for_each(|answer| self.send(id, answer));
            }
            Method::Ack => return,
            Method::Cancel => {
                let response = leg.respond(message, 200, "OK", EMPTY);
                self.send(id, response);
                return self.answer_first(id, 487);
            }
            Method::Bye => leg.stage = Stage::Over,
            _ => {}
        }
        if silent {
            return;
        }
        let host = self.addresses[id.0].ip().to_string();
        let refuses = !self.honest && self.random.below(8) == 0;
        let (status, rest) = match method {
            _ if refuses => {
                ([481, 488, 491, 500][usize::try_from(self.random.below(4)).unwrap()], EMPTY.to_owned())
            }
            Method::Invite | Method::Update if !message.body().is_empty() => (200, self.body(&host, true)),
            Method::Invite => (200, self.body(&host, false)),
            _ => (200, EMPTY.to_owned()),
        };
        self.legs[id.0][id.1].learn(message);
        let response = self.legs[id.0][id.1].respond(message, status, "M", &rest);
        self.send(id, response);
    }

    fn answered(&mut self, id: LegId, message: &Message) {
        let (Some(status), Ok(cseq)) = (message.status(), message.cseq()) else { return };
        if cseq.method != Method::Invite || status.is_provisional() {
            return;
        }
        let first = self.legs[id.0][id.1].stage == Stage::Open;
        let acknowledges = self.honest || self.random.below(20) > 0;
        let leg = &mut self.legs[id.0][id.1];
        if status.is_success() {
            leg.learn(message);
            if first && leg.caller {
                leg.stage = Stage::Up;
                self.up += 1;
                self.talk(id);
            }
        } else if first && leg.caller {
            leg.stage = Stage::Over;
        }
        if acknowledges {
            let host = self.addresses[id.0].ip().to_string();
            let rest = match self.random.below(30) {
                0 if !self.honest => self.body(&host, true),
                _ => EMPTY.to_owned(),
            };
            let fresh = self.random.next_u64();
            let message = self.legs[id.0][id.1].ack(status.is_success(), fresh, &rest);
            self.send(id, message);
        }
    }

    /// A request of no call that it knows: a probe, or what is left of a call whose Call-ID was bent.
    fn stray(&mut self, whose: usize, message: &Message) {
        if message.is_response() || message.method() == Some(Method::Ack) {
            return;
        }
        let leg = Leg::callee(self.addresses[whose], message, self.random.next_u64());
        let response = leg.respond(message, 200, "OK", EMPTY);
        let _ = self.sockets[whose].send_to(&response, self.gateway);
    }
}
