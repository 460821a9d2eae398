//! A PBX or a carrier: a SIP user agent that does what it is told, and keeps what it heard.
//!
//! It stands on the project's own transactions and dialogs, so that a test says `answer` and not which bytes;
//! what the gateway must never see from a sane peer is sent as raw messages by the test itself. Nothing here stands on
//! the machines that the gateway is made of (offers, reliable responses, timers, REFER): one fault on both sides would
//! hide.
//!
//! A phone does plain calls unless a scenario says more ([`Abilities`]). `trunk` is a [`Trunk`](super::trunk::Trunk),
//! `a` the caller's call and `b` the callee's, as `dial`, `incoming` and `connect` give them:
//!
//! ```text
//! // Reliable provisional responses, on one side or on both. A 200 waits for the PRACK by itself.
//! trunk.able(trunk.pbx, Abilities { rel100: Rel100::Required, ..Abilities::default() });
//! trunk.able(trunk.east, Abilities { rel100: Rel100::Supported, pracks: Pracks::Late(SECOND), ..Abilities::default() });
//! trunk.respond(b, 183);                                    // with RSeq; the answer, or the offer where there was none
//!
//! // UPDATE, before the answer and after: with an offer of that direction, or without a description.
//! trunk.able(trunk.east, Abilities { update: true, offers_again: true, ..Abilities::default() });
//! trunk.request(b, Method::Update, Some("sendonly"));
//! trunk.request(b, Method::Update, None);
//!
//! // Session timers: what it asks for, what it takes at least, who refreshes and how. It hangs up at expiry.
//! let timer = Some(TimerHabit { expires: 120, min: 90, refreshes: Some(true), by_update: false });
//! trunk.able(trunk.pbx, Abilities { timer, ..Abilities::default() });
//! assert!(trunk.call(a).session.as_ref().is_some_and(|session| session.ours));
//!
//! // Forks: a callee that is a forking proxy. Each tag is a dialog with a description of its own.
//! let (one, two) = (trunk.phone(trunk.east).fork_tag(), trunk.phone(trunk.east).fork_tag());
//! trunk.respond_as(b, 183, &one);
//! trunk.respond_as(b, 200, &two);                           // `Phone::end_early` says 199 of a tag
//!
//! // Redirection; a caller that follows by itself has `follows: 5`.
//! trunk.redirect(b, 302, &["sip:+12125550188@10.0.1.1", "sip:+12125550189@10.0.1.1"]);
//!
//! // A re-INVITE at once after the own 200; offerless; given up; answered with nothing of use.
//! trunk.respond(b, 200);
//! trunk.request(b, Method::Invite, Some("sendrecv"));       // `None`: without an offer
//! trunk.world.with(b.0, |phone, now| phone.cancel_offer(now, b.1));
//! trunk.phone(a.0).abilities.spoils = 1;                    // its next answer inside a call has port 0
//!
//! // Both at once, which meets 491; `offers_again` comes back at the time of RFC 3261 §14.1.
//! trunk.request(a, Method::Invite, Some("sendonly"));
//! trunk.request(b, Method::Invite, Some("sendonly"));
//!
//! // Transfers: who refers, who takes a REFER that the gateway passes, who takes INVITE with Replaces.
//! trunk.able(trunk.branch, Abilities { refer: true, replaces: true, ..Abilities::default() });
//! trunk.refer(a, "sip:+12125550177@vc.example.com");        // a number that nobody else calls: its truth is checked
//! assert_eq!(trunk.call(a).subscriptions[0].outcome(), Some(200));
//!
//! // Who holds what to be agreed on, at both ends.
//! trunk.assert_agreed(a, b);
//! ```
//!
//! When a scenario is over, `Trunk::check` holds each leg against the laws of [`legs`](super::legs). A phone that a test
//! wants to break them has [`Phone::fault`], or sends raw messages. A new ability: a field of [`Abilities`], a file here,
//! chance in [`whims`](super::whims), and a run of `between_phones`.

mod abilities;
mod again;
mod answering;
mod asked;
mod asking;
mod call;
mod chores;
mod dialling;
mod dialogs;
mod faults;
mod habits;
mod registering;
mod reliable;
mod ringing_again;
mod session;
mod transfer;
mod writing;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use sip::transaction::{ClientId, Event, Output, Timers, Transactions};
use sip::{Builder, Message, Method, StatusCode};

pub(crate) use self::abilities::{Abilities, Pracks, Rel100, TimerHabit};
pub(crate) use self::call::{PhoneCall, Seen, Stage};
use self::chores::Chore;
pub(crate) use self::faults::Fault;
pub(crate) use self::habits::Habits;
pub(crate) use self::session::expires;
pub(crate) use self::transfer::Subscription;
use super::media::{Media, Speaks};
use crate::peer::{ConnectionId, Transport};
use crate::random::SeededRandom;

/// What a phone that challenges says.
pub(crate) const CHALLENGE: &str = "Digest realm=\"carrier\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"";

/// What it says to an answer whose nonce is too old.
pub(crate) const STALE: &str =
    "Digest realm=\"carrier\", nonce=\"def\", algorithm=MD5, qop=\"auth\", stale=true";

/// What a phone offers: PCMU and telephone events.
pub(crate) const STREAMS: &str =
    "m=audio 40000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

/// The connection that something came by; datagrams have none.
type Flow = Option<ConnectionId>;

/// Makes a body of a session description: Content-Type and bytes.
pub(crate) type Wrap = fn(&[u8]) -> (String, Bytes);

/// Something that the owner of a phone may want to react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// A call came in.
    Incoming(usize),
    /// The call that it placed was answered.
    Answered(usize),
    /// The 2xx that it gave was acknowledged.
    Acknowledged(usize),
    /// The call that it placed was refused.
    Refused(usize),
}

/// See the module.
pub(crate) struct Phone {
    pub name: &'static str,
    pub address: SocketAddr,
    pub transport: Transport,
    pub habits: Habits,
    /// What it can do beyond a plain call.
    pub abilities: Abilities,
    /// A fault that a test planted in it.
    pub fault: Option<Fault>,
    pub calls: Vec<PhoneCall>,
    pub news: VecDeque<News>,
    layer: Transactions<Flow>,
    /// What it has put off.
    chores: BTreeMap<(Instant, u64), Chore>,
    serial: u64,
    /// When it was last told the time.
    now: Option<Instant>,
    by_call_id: HashMap<String, Vec<usize>>,
    clients: HashMap<ClientId, usize>,
    random: SeededRandom,
    outbox: VecDeque<(Message, Flow)>,
    /// Calls of which it hears nothing more, by Call-ID.
    pub gone: HashSet<String>,
    /// New INVITEs that it does not even hear.
    pub ignores: Option<fn(&Phone, &Message) -> bool>,
    /// What its wits go by.
    pub seed: u64,
    /// What stands in its Contact in place of its address.
    pub contact_host: Option<&'static str>,
    /// What stands in its Contact in place of its URI.
    pub contact_uri: Option<&'static str>,
    /// Where it wants its media, if that is not its own address.
    pub media_at: Option<SocketAddr>,
    /// The name of its media's host, in place of an address.
    pub media_host: Option<&'static str>,
    /// What it can speak, as lines of its session descriptions.
    pub streams: &'static str,
    /// How it wraps its session descriptions.
    pub wraps: Option<Wrap>,
    /// How it writes what it sends, as one datagram.
    pub writes: Option<fn(&Message) -> Bytes>,
    /// Headers of all that it sends inside dialogs, answers too.
    pub says: &'static [(&'static str, &'static str)],
    /// What its requests inside dialogs demand.
    pub requires: Option<&'static str>,
    /// Whether its media is SRTP, and whether each of its descriptions has new keys.
    pub speaks: Speaks,
    pub rekeys: bool,
    /// Of the INVITE that is built and not placed yet.
    dialling: Option<Media>,
    /// Requests that belong to no call, answered statelessly by the gateway or outside dialogs: what came back.
    pub strays: Vec<Message>,
    /// The REGISTERs that came, and what the next ones are told: status (0: nothing) and what goes with it.
    pub registers: Vec<Message>,
    pub registrar_says: VecDeque<(u16, &'static str)>,
}

impl Phone {
    pub fn new(name: &'static str, address: SocketAddr, transport: Transport, seed: u64) -> Phone {
        Phone {
            name,
            address,
            transport,
            habits: Habits::default(),
            abilities: Abilities::default(),
            fault: None,
            chores: BTreeMap::new(),
            serial: 0,
            now: None,
            calls: Vec::new(),
            news: VecDeque::new(),
            layer: Transactions::new(Timers::default()),
            by_call_id: HashMap::new(),
            clients: HashMap::new(),
            random: SeededRandom::new(seed),
            outbox: VecDeque::new(),
            gone: HashSet::new(),
            ignores: None,
            seed,
            contact_host: None,
            contact_uri: None,
            media_at: None,
            media_host: None,
            streams: STREAMS,
            wraps: None,
            writes: None,
            says: &[],
            requires: None,
            speaks: Speaks::default(),
            rekeys: false,
            dialling: None,
            strays: Vec::new(),
            registers: Vec::new(),
            registrar_says: VecDeque::new(),
        }
    }

    /// The next message for the gateway, and the connection that it should take; none: one of its own.
    pub fn poll_output(&mut self) -> Option<(Message, Flow)> {
        self.outbox.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.iter().filter(|call| !call.accepts.is_empty());
        let accepts = calls.flat_map(|call| call.accepts.iter().filter_map(|one| one.machine.poll_timeout()));
        let progress = self.calls.iter().filter(|call| call.stage == Stage::Open).flat_map(|call| {
            call.others
                .iter()
                .map(|other| &other.progress)
                .chain([&call.progress])
                .filter_map(|one| one.poll_timeout())
        });
        let chores = self.chores.first_key_value().map(|((at, _), _)| *at);
        accepts.chain(progress).chain(chores).chain(self.layer.poll_timeout()).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = Some(now);
        self.layer.handle_timeout(now);
        for index in 0..self.calls.len() {
            if !self.calls[index].accepts.is_empty() {
                self.drain_accepts(now, index);
            }
            if self.calls[index].stage == Stage::Open {
                self.repeat_unacknowledged(now, index);
            }
        }
        self.do_chores(now);
        self.pump(now);
    }

    /// A message came from the gateway.
    pub fn handle_message(&mut self, now: Instant, message: Message, flow: Flow) {
        self.now = Some(now);
        if self.habits.deaf {
            return;
        }
        let call_id = message.call_id().unwrap_or_default();
        if self.gone.contains(call_id) {
            return;
        }
        if message.method() == Some(Method::Invite)
            && message.to_tag().is_none()
            && self.ignores.is_some_and(|ignores| ignores(self, &message))
        {
            self.gone.insert(call_id.to_owned());
            return;
        }
        if let Err(fault) = message.check() {
            assert!(!self.habits.strict, "{fault:?} in {message:?}");
            return;
        }
        let reliable = flow.is_some() || self.transport.is_reliable();
        self.layer.handle_message(now, message, flow, reliable);
        self.pump(now);
    }

    /// Vanishes from a call without a word.
    pub fn vanish(&mut self, index: usize) {
        let call_id = self.calls[index].call_id();
        self.gone.insert(call_id);
        self.calls[index].stage = Stage::Over;
        self.calls[index].vanished = true;
        self.calls[index].accepts.clear();
    }

    fn pump(&mut self, now: Instant) {
        while let Some(output) = self.layer.poll_output() {
            match output {
                Output::Transmit { message, to, .. } => self.outbox.push_back((message, to)),
                Output::Event(event) => self.event(now, event),
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event<Flow>) {
        if let Event::Request { message, .. }
        | Event::Cancel { message, .. }
        | Event::Ack { message, .. }
        | Event::Response { message, .. } = &event
        {
            self.trace(now, false, message);
        }
        match event {
            Event::Request { id, message, .. } => self.asked(now, id, message),
            Event::Cancel { message, .. } => {
                if let Some(index) = self.index_of(&message) {
                    self.calls[index].heard.push(message.clone());
                    if let Some(at) = self.calls[index].asked.iter().position(|(_, asked)| {
                        asked.method() == Some(Method::Invite)
                            && asked.cseq().ok().map(|c| c.number) == message.cseq().ok().map(|c| c.number)
                    }) {
                        let (server, asked) = self.calls[index].asked.remove(at);
                        let reply = Builder::reply(
                            &asked,
                            StatusCode::REQUEST_TERMINATED,
                            "Request Terminated",
                            None,
                        );
                        self.say(now, server, reply.build());
                    } else if self.calls[index].stage == Stage::Open {
                        self.respond(now, index, 487, false, &[]);
                        self.calls[index].cancelled = true;
                    }
                }
            }
            Event::Ack { message, .. } => self.acknowledged(&message),
            Event::Response { id, message, .. } => self.answered(now, id, message),
            Event::StrayResponse { message, .. } => self.strays.push(message),
            Event::Timeout { id } | Event::ClientTransport { id } => {
                if self.abilities.any() {
                    self.unanswered(now, id);
                }
                if let Some(index) = self.clients.get(&id).copied()
                    && self.calls[index].client == Some(id)
                    && self.calls[index].stage == Stage::Open
                {
                    self.calls[index].timed_out = true;
                    self.calls[index].stage = Stage::Over;
                    self.notify(now, index, 408);
                }
            }
            Event::ClientEnded { id } => {
                self.clients.remove(&id);
            }
            Event::NoAck { .. } | Event::ServerTransport { .. } | Event::ServerEnded { .. } => {}
        }
    }
}
