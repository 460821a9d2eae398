//! A PBX or a carrier: a SIP user agent that does what it is told, and keeps what it heard.
//!
//! It stands on the project's own transactions and dialogs, so that a test says `answer` and not which bytes;
//! what the gateway must never see from a sane peer is sent as raw messages by the test itself.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use sip::dialog::{Dialog, UasAccept, UasAcceptOutput};
use sip::transaction::{ClientId, Event, Output, ServerId, Timers, Transactions};
use sip::{Builder, Message, Method, Name, StatusCode};

use super::media::{Media, Speaks, Terms, describes};
use crate::listen::{ConnectionId, Transport};
use crate::random::{Random, SeededRandom};

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

/// Where a call stands, as a phone sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The INVITE is out or in; not answered.
    Open,
    /// 2xx sent or received.
    Up,
    /// Refused, cancelled, or BYE sent or received.
    Over,
}

/// What a phone does by itself.
#[derive(Debug, Clone)]
pub(crate) struct Habits {
    /// Answer re-INVITE and UPDATE with this; `None`: the test answers.
    pub renegotiates: Option<u16>,
    /// Answer INFO and MESSAGE inside dialogs with this; `None`: silence.
    pub informed: Option<u16>,
    /// Answer OPTIONS outside of calls with this; `None`: silence.
    pub probed: Option<u16>,
    /// Challenge requests inside dialogs that carry no credentials.
    pub challenges: bool,
    /// So many answers to its challenges are stale.
    pub stale: u32,
    /// Hear nothing at all.
    pub deaf: bool,
    /// A message with a fault fails the test; else it is ignored.
    pub strict: bool,
}

impl Default for Habits {
    fn default() -> Habits {
        Habits {
            renegotiates: Some(200),
            informed: Some(200),
            probed: Some(200),
            challenges: false,
            stale: 0,
            deaf: false,
            strict: true,
        }
    }
}

/// One call of one phone.
pub(crate) struct PhoneCall {
    pub caller: bool,
    pub stage: Stage,
    /// The INVITE that began it.
    pub invite: Message,
    server: Option<ServerId>,
    client: Option<ClientId>,
    pub local_tag: String,
    pub dialog: Option<Dialog>,
    /// Other dialogs of the same INVITE: it answered twice, or it was answered twice.
    pub forks: Vec<Dialog>,
    accepts: Vec<Accept>,
    acks: Vec<(ClientId, String, Message)>,
    /// Re-INVITEs and UPDATEs that the test answers.
    pub asked: Vec<(ServerId, Message)>,
    /// Everything that it heard.
    pub heard: Vec<Message>,
    /// It gave up on the INVITE: no answer came.
    pub timed_out: bool,
    pub cancelled: bool,
    /// The re-INVITE or UPDATE of its own that is not answered yet.
    offering: Option<ClientId>,
    /// INVITEs without an offer: their ACKs carry the answer.
    delayed: Vec<ClientId>,
    pub media: Media,
    /// How it describes its media to the INVITE that came in: the same in each answer.
    pub described: Option<Bytes>,
    /// Status codes of the answers that it gave to its first INVITE.
    pub gave: Vec<u16>,
    /// It acknowledges 2xx.
    pub acknowledges: bool,
    /// How it wraps its first description, where not as the phone does.
    pub wraps: Option<Wrap>,
    /// It went away without a word.
    pub vanished: bool,
}

impl PhoneCall {
    /// The status codes heard in answer to `method`, in order.
    pub fn statuses(&self, method: &Method) -> Vec<u16> {
        let answers = self.heard.iter().filter(|one| one.cseq().is_ok_and(|cseq| cseq.method == *method));
        answers.filter_map(|one| Some(one.status()?.code())).collect()
    }

    /// The answers to its first INVITE, 100 apart.
    pub fn answers(&self) -> Vec<u16> {
        let first = self.invite.cseq().map_or(0, |cseq| cseq.number);
        let mine = self.heard.iter().filter(|one| {
            one.is_response()
                && one.cseq().is_ok_and(|cseq| cseq.method == Method::Invite && cseq.number == first)
        });
        mine.filter_map(|one| Some(one.status()?.code())).filter(|status| *status != 100).collect()
    }

    /// The requests heard, in order.
    pub fn requests(&self) -> Vec<String> {
        self.heard.iter().filter_map(|one| Some(one.method()?.to_string())).collect()
    }

    /// The newest response heard with `status`.
    pub fn response(&self, status: u16) -> Option<&Message> {
        self.heard.iter().rev().find(|one| one.status().is_some_and(|code| code.code() == status))
    }

    /// The newest request heard of `method`.
    pub fn request(&self, method: &Method) -> Option<&Message> {
        self.heard.iter().rev().find(|one| one.method().as_ref() == Some(method))
    }

    pub fn call_id(&self) -> String {
        self.invite.call_id().unwrap_or_default().to_owned()
    }

    /// Our mark on a call of a simulation, which crosses the gateway as any unknown header does.
    pub fn mark(&self) -> Option<u32> {
        self.invite.value("X-Call".into())?.parse().ok()
    }

    /// Whether a re-INVITE or UPDATE of its own, or an offer in a 2xx that it gave, is not answered yet.
    pub fn is_offering(&self) -> bool {
        self.offering.is_some() || self.media.is_offering()
    }

    /// Whether it is up, and waits for no answer and no ACK, nor anybody for one of its own.
    pub fn is_settled(&self) -> bool {
        self.stage == Stage::Up && !self.is_offering() && self.asked.is_empty() && self.accepts.is_empty()
    }
}

/// A 2xx that it gave, until its ACK.
struct Accept {
    server: ServerId,
    cseq: u32,
    tag: String,
    machine: UasAccept<Message>,
}

/// Something that the owner of a phone may want to react to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum News {
    /// A call came in.
    Incoming(usize),
    /// The call that it placed was answered.
    Answered(usize),
    /// The 2xx that it gave was acknowledged.
    Acknowledged(usize),
}

/// See the module.
pub(crate) struct Phone {
    pub name: &'static str,
    pub address: SocketAddr,
    pub transport: Transport,
    pub habits: Habits,
    pub calls: Vec<PhoneCall>,
    pub news: VecDeque<News>,
    layer: Transactions<Flow>,
    by_call_id: HashMap<String, usize>,
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
}

impl Phone {
    pub fn new(name: &'static str, address: SocketAddr, transport: Transport, seed: u64) -> Phone {
        Phone {
            name,
            address,
            transport,
            habits: Habits::default(),
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
        }
    }

    /// The next message for the gateway, and the connection that it should take; none: one of its own.
    pub fn poll_output(&mut self) -> Option<(Message, Flow)> {
        self.outbox.pop_front()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let calls = self.calls.iter().filter(|call| !call.accepts.is_empty());
        let accepts = calls.flat_map(|call| call.accepts.iter().filter_map(|one| one.machine.poll_timeout()));
        accepts.chain(self.layer.poll_timeout()).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.layer.handle_timeout(now);
        for index in 0..self.calls.len() {
            if !self.calls[index].accepts.is_empty() {
                self.drain_accepts(now, index);
            }
        }
        self.pump(now);
    }

    /// A message came from the gateway.
    pub fn handle_message(&mut self, now: Instant, message: Message, flow: Flow) {
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
        self.layer.handle_message(now, message, flow, self.transport.is_reliable());
        self.pump(now);
    }

    // What a phone is told to do.

    /// Ends an early dialog by BYE, RFC 3261 §15.
    pub fn early_bye(&mut self, now: Instant, index: usize) {
        let call = &self.calls[index];
        let ringing = call.response(180).unwrap();
        let dialog = Dialog::uac(&call.invite, ringing).unwrap();
        self.calls[index].dialog = Some(dialog);
        self.request(now, index, Method::Bye, None);
    }

    /// Vanishes from a call without a word.
    pub fn vanish(&mut self, index: usize) {
        let call_id = self.calls[index].call_id();
        self.gone.insert(call_id);
        self.calls[index].stage = Stage::Over;
        self.calls[index].vanished = true;
        self.calls[index].accepts.clear();
    }

    /// Gives up its own re-INVITE.
    pub fn cancel_offer(&mut self, now: Instant, index: usize) {
        if let Some(id) = self.calls[index].offering {
            self.layer.cancel(now, id, &[]);
        }
        self.pump(now);
    }

    /// Builds an INVITE; the test may change it before [`Phone::place`].
    pub fn invite(&mut self, host: &str, from: &str, number: &str, offer: bool) -> Builder {
        let (tag, branch, call) = (self.token(), self.branch(), self.token());
        let builder = Builder::request(Method::Invite, &format!("sip:{number}@{host}"))
            .header(Name::Via, self.via(&branch))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("\"Phone\" <sip:{from}@{}>;tag={tag}", self.address.ip()))
            .header(Name::To, format!("<sip:{number}@{host}>"))
            .header(Name::CallId, format!("{call}@{}", self.address.ip()))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, self.contact());
        let mut media = Media::new(self.speaks, self.rekeys);
        let builder = match offer {
            true => {
                let sdp = media.offer(self.terms(), "sendrecv", &mut self.random);
                self.described(builder, sdp)
            }
            false => builder,
        };
        self.dialling = Some(media);
        builder
    }

    /// Sends an INVITE that begins a call.
    pub fn place(&mut self, now: Instant, invite: Message) -> usize {
        let index = self.calls.len();
        let local_tag = invite.from_tag().unwrap();
        let delayed = !invite.body().windows(3).any(|three| three == b"v=0");
        let id = self.layer.request(now, invite.clone(), None, self.transport.is_reliable());
        self.clients.insert(id, index);
        self.by_call_id.insert(invite.call_id().unwrap().to_owned(), index);
        self.calls.push(self.call(true, invite, local_tag));
        let call = &mut self.calls[index];
        call.client = Some(id);
        call.delayed.extend(delayed.then_some(id));
        if let Some(media) = self.dialling.take() {
            call.media = media;
        }
        self.pump(now);
        index
    }

    pub fn cancel(&mut self, now: Instant, index: usize) {
        self.cancel_saying(now, index, &[]);
    }

    /// Gives up its INVITE, with these headers on the CANCEL.
    pub fn cancel_saying(&mut self, now: Instant, index: usize, headers: &[(Name, String)]) {
        let call = &mut self.calls[index];
        call.cancelled = true;
        if let Some(id) = call.client {
            self.layer.cancel(now, id, headers);
        }
        self.pump(now);
    }

    /// Answers the INVITE of a call: 1xx, 2xx (repeated until the ACK) or a refusal.
    pub fn respond(
        &mut self,
        now: Instant,
        index: usize,
        status: u16,
        with_sdp: bool,
        headers: &[(&str, &str)],
    ) {
        let tag = self.calls[index].local_tag.clone();
        self.respond_as(now, index, status, with_sdp, headers, &tag);
    }

    /// The same under another To tag: a fork.
    pub fn respond_as(
        &mut self,
        now: Instant,
        index: usize,
        status: u16,
        with_sdp: bool,
        headers: &[(&str, &str)],
        tag: &str,
    ) {
        let call = &self.calls[index];
        let Some(server) = call.server else { return };
        let invite = call.invite.clone();
        let code = StatusCode::new(status).unwrap();
        let mut reply = Builder::reply(&invite, code, code.default_reason(), Some(tag));
        if status < 300 {
            reply = reply.record_routes(&invite).header(Name::Contact, self.contact());
        }
        for (name, value) in headers {
            reply = reply.raw(name, value);
        }
        if with_sdp {
            let Some(sdp) = self.first_description(index) else {
                return self.respond_as(now, index, 488, false, &[], tag);
            };
            reply = wrapped(self.calls[index].wraps.or(self.wraps), reply, sdp);
        }
        let response = reply.build();
        self.calls[index].gave.push(status);
        if status < 200 {
            self.layer.respond(now, server, response);
        } else if status < 300 {
            let mut dialog = Dialog::uas(&invite, tag).unwrap();
            dialog.confirm();
            let call = &mut self.calls[index];
            if call.local_tag == tag {
                call.dialog = Some(dialog);
                if call.stage == Stage::Open {
                    call.stage = Stage::Up;
                }
            } else {
                call.forks.push(dialog);
            }
            self.accept(now, index, server, invite.cseq().unwrap().number, response);
        } else {
            self.calls[index].stage = Stage::Over;
            self.layer.respond(now, server, response);
        }
        self.pump(now);
    }

    /// What it says of its media to the INVITE that began the call; `None`: the offer does not suit.
    fn first_description(&mut self, index: usize) -> Option<Bytes> {
        let terms = self.terms();
        let call = &mut self.calls[index];
        if call.described.is_none() {
            let offer = call.invite.body();
            call.described = match describes(offer) {
                false => Some(call.media.offer(terms, "sendrecv", &mut self.random)),
                true => call.media.answer(terms, offer, "sendrecv", &mut self.random),
            };
        }
        call.described.clone()
    }

    /// Sends any request inside the call's dialog; INVITE and UPDATE with an offer unless `body` is empty.
    pub fn request(&mut self, now: Instant, index: usize, method: Method, body: Option<&str>) {
        let (via, contact) = (self.branch(), self.contact());
        let via = self.via(&via);
        let requires = self.requires;
        let call = &mut self.calls[index];
        let Some(dialog) = &mut call.dialog else { return };
        let offers = matches!(method, Method::Invite | Method::Update);
        let builder = dialog
            .request(method.clone())
            .prepend(Name::Via, via)
            .header(Name::MaxForwards, "70")
            .header(Name::Contact, contact);
        let mut builder = self.dressed(builder);
        if let Some(required) = requires {
            builder = builder.header(Name::Require, required);
        }
        match (body, offers) {
            (Some(direction), true) => {
                let terms = self.terms();
                let sdp = self.calls[index].media.offer(terms, direction, &mut self.random);
                builder = self.described(builder, sdp);
            }
            (Some(text), false) => {
                let content_type = if text.starts_with("v=0") { "application/sdp" } else { "text/plain" };
                builder = builder.body(content_type, Bytes::copy_from_slice(text.as_bytes()))
            }
            _ => {}
        }
        let id = self.layer.request(now, builder.build(), None, self.transport.is_reliable());
        self.clients.insert(id, index);
        let call = &mut self.calls[index];
        if offers {
            call.offering = Some(id);
        }
        if method == Method::Invite {
            call.delayed.extend(body.is_none().then_some(id));
            call.client = Some(id);
        }
        if method == Method::Bye {
            call.stage = Stage::Over;
            call.accepts.clear();
        }
        self.pump(now);
    }

    /// Sends an ACK again, or at last, where the habit is not to.
    pub fn acknowledge(&mut self, now: Instant, index: usize) {
        let Some(response) = self.calls[index].response(200).cloned() else { return };
        let Some(id) = self.calls[index].client else { return };
        self.ack(index, id, &response);
        self.pump(now);
    }

    pub fn via(&self, branch: &str) -> String {
        format!("SIP/2.0/{} {};branch={branch};rport", self.transport.via(), self.address)
    }

    pub fn contact(&self) -> String {
        if let Some(uri) = self.contact_uri {
            return format!("<{uri}>");
        }
        let host = self.contact_host.map_or_else(|| self.address.to_string(), str::to_owned);
        match self.transport {
            Transport::Udp => format!("<sip:{}@{host}>", self.name),
            _ => format!("<sip:{}@{host};transport=tcp>", self.name),
        }
    }

    pub fn branch(&mut self) -> String {
        format!("z9hG4bK{}", self.token())
    }

    pub fn token(&mut self) -> String {
        format!("{:012x}", self.random.next_u64() >> 16)
    }

    fn terms(&self) -> Terms {
        Terms { ip: self.address.ip(), streams: self.streams, host: self.media_host, at: self.media_at }
    }

    /// With a session description, wrapped as the phone wraps them.
    fn described(&self, builder: Builder, sdp: Bytes) -> Builder {
        wrapped(self.wraps, builder, sdp)
    }

    /// With what it says on all that it sends inside dialogs.
    fn dressed(&self, builder: Builder) -> Builder {
        self.says.iter().fold(builder, |builder, (name, value)| builder.raw(name, value))
    }

    // What comes in.

    fn call(&self, caller: bool, invite: Message, local_tag: String) -> PhoneCall {
        PhoneCall {
            caller,
            stage: Stage::Open,
            invite,
            server: None,
            client: None,
            local_tag,
            dialog: None,
            forks: Vec::new(),
            accepts: Vec::new(),
            acks: Vec::new(),
            asked: Vec::new(),
            heard: Vec::new(),
            timed_out: false,
            cancelled: false,
            offering: None,
            delayed: Vec::new(),
            media: Media::new(self.speaks, self.rekeys),
            described: None,
            gave: Vec::new(),
            acknowledges: true,
            wraps: None,
            vanished: false,
        }
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
                        self.layer.respond(now, server, reply.build());
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
                if let Some(index) = self.clients.get(&id).copied()
                    && self.calls[index].client == Some(id)
                    && self.calls[index].stage == Stage::Open
                {
                    self.calls[index].timed_out = true;
                    self.calls[index].stage = Stage::Over;
                }
            }
            Event::ClientEnded { id } => {
                self.clients.remove(&id);
            }
            Event::NoAck { .. } | Event::ServerTransport { .. } | Event::ServerEnded { .. } => {}
        }
    }

    fn index_of(&self, message: &Message) -> Option<usize> {
        self.by_call_id.get(message.call_id().ok()?).copied()
    }

    fn asked(&mut self, now: Instant, server: ServerId, message: Message) {
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

    fn renegotiate(
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

    fn reply(&mut self, now: Instant, server: ServerId, request: &Message, status: u16) {
        let code = StatusCode::new(status).unwrap();
        let tag = self.token();
        let reply = Builder::reply(request, code, code.default_reason(), Some(&tag));
        self.layer.respond(now, server, self.dressed(reply).build());
    }

    /// Sends a 2xx and repeats it until the ACK.
    fn accept(&mut self, now: Instant, index: usize, server: ServerId, cseq: u32, response: Message) {
        let tag = response.to_tag().unwrap_or_default();
        let machine = UasAccept::new(now, response, Timers::default());
        self.calls[index].accepts.push(Accept { server, cseq, tag, machine });
        self.drain_accepts(now, index);
    }

    fn drain_accepts(&mut self, now: Instant, index: usize) {
        let mut responses = Vec::new();
        for accept in &mut self.calls[index].accepts {
            accept.machine.handle_timeout(now);
            while let Some(output) = accept.machine.poll_output() {
                match output {
                    UasAcceptOutput::Respond(response) => responses.push((accept.server, response)),
                    UasAcceptOutput::NoAck => {}
                }
            }
        }
        self.calls[index].accepts.retain(|accept| accept.machine.is_waiting());
        for (server, response) in responses {
            self.layer.respond(now, server, response);
        }
    }

    fn acknowledged(&mut self, message: &Message) {
        let Some(index) = self.index_of(message) else { return self.strays.push(message.clone()) };
        let cseq = message.cseq().unwrap().number;
        let call = &mut self.calls[index];
        call.heard.push(message.clone());
        let tag = message.to_tag().unwrap_or_default();
        let before = call.accepts.len();
        call.accepts.retain(|one| one.cseq != cseq || one.tag != tag);
        if call.accepts.len() < before && tag == call.local_tag {
            if !message.body().is_empty() {
                let fits = call.media.take_answer(message.body());
                assert!(fits || !self.habits.strict, "an answer that does not fit the offer: {message:?}");
            }
            self.news.push_back(News::Acknowledged(index));
        }
    }

    fn answered(&mut self, now: Instant, id: ClientId, message: Message) {
        let Some(index) = self.clients.get(&id).copied() else { return self.strays.push(message) };
        self.calls[index].heard.push(message.clone());
        let status = message.status().unwrap();
        let Ok(cseq) = message.cseq() else { return };
        if status.is_provisional() {
            return;
        }
        let call = &mut self.calls[index];
        // Not where it is a repeated answer.
        let offers = call.offering == Some(id) || call.client == Some(id) && call.dialog.is_none();
        call.offering = call.offering.filter(|offering| *offering != id);
        if offers && !status.is_success() {
            call.media.refused();
        } else if offers && !call.delayed.contains(&id) && !message.body().is_empty() {
            let fits = call.media.take_answer(message.body());
            assert!(fits || !self.habits.strict, "an answer that does not fit the offer: {message:?}");
        }
        if cseq.method != Method::Invite {
            return;
        }
        let call = &mut self.calls[index];
        if !status.is_success() {
            if call.dialog.is_none() {
                call.stage = Stage::Over;
            }
            return;
        }
        let first = call.dialog.is_none();
        match &mut call.dialog {
            None => call.dialog = Some(Dialog::uac(&call.invite, &message).unwrap()),
            Some(dialog) => dialog.handle_response(&message),
        }
        if first && call.stage == Stage::Open {
            call.stage = Stage::Up;
            self.news.push_back(News::Answered(index));
        }
        let mut suits = true;
        if self.calls[index].acknowledges {
            suits = self.ack(index, id, &message);
        }
        // RFC 3261 §15: the answer crossed our CANCEL.
        if first && self.calls[index].cancelled || !suits {
            self.request(now, index, Method::Bye, None);
        }
    }

    /// Acknowledges a 2xx: the kept ACK where there is one. False: it carries an offer that does not suit.
    fn ack(&mut self, index: usize, id: ClientId, response: &Message) -> bool {
        let tag = response.to_tag().unwrap_or_default();
        let mut suits = true;
        let kept = self.calls[index].acks.iter().find(|(of, to, _)| *of == id && *to == tag);
        let ack = match kept {
            Some((_, _, ack)) => ack.clone(),
            None => {
                let branch = self.branch();
                let (via, contact) = (self.via(&branch), self.contact());
                let Some(dialog) = &self.calls[index].dialog else { return true };
                let cseq = response.cseq().unwrap().number;
                let builder = dialog
                    .ack(cseq)
                    .prepend(Name::Via, via)
                    .header(Name::MaxForwards, "70")
                    .header(Name::Contact, contact);
                let mut builder = self.dressed(builder);
                if self.calls[index].delayed.contains(&id) {
                    let (terms, media) = (self.terms(), &mut self.calls[index].media);
                    match media.answer(terms, response.body(), "sendrecv", &mut self.random) {
                        Some(answer) => {
                            builder = wrapped(self.calls[index].wraps.or(self.wraps), builder, answer);
                        }
                        None => suits = false,
                    }
                }
                let ack = builder.build();
                self.calls[index].acks.push((id, tag, ack.clone()));
                ack
            }
        };
        self.outbox.push_back((ack, None));
        suits
    }
}

fn wrapped(wraps: Option<Wrap>, builder: Builder, sdp: Bytes) -> Builder {
    let Some(wraps) = wraps else { return builder.body("application/sdp", sdp) };
    let (content_type, body) = wraps(&sdp);
    let builder = builder.body(&content_type, body);
    if content_type.is_empty() { builder.remove(Name::ContentType) } else { builder }
}
