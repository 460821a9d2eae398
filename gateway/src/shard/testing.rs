//! What tests of listeners and shards have in common: a gateway whose machines answer everything with 200.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use sip::transaction::{Owner, Transactions};
use sip::{Builder, Message, StatusCode};
use tokio::sync::mpsc;

use super::{Effects, Mailboxes, ShardSetup, ShardThread, mailboxes};
use crate::clock::Now;
use crate::core::{Effect, Input, Machine, Output};
use crate::ids::{HashKey, Ownership};
use crate::listen::stream::{StreamLimits, StreamSetup, StreamThread};
use crate::listen::{Guard, GuardLimits, ListenCounters, Listener, Tls, bind};
use crate::peer::{ListenerId, Peer, Transport};
use crate::pulse::Pulse;
use crate::random::SeededRandom;
use crate::resolve::{Answer, Lookup, Resolve, ResolveError};

/// `N` different owners: client transactions of a layer that exists for this only.
pub(crate) fn clients<const N: usize>() -> [Owner; N] {
    let mut transactions = Transactions::new(Default::default());
    std::array::from_fn(|n| {
        let request = options("TCP", "1@gateway", &format!("z9hG4bK{n}"), None);
        Owner::Client(transactions.request(Instant::now(), request, (), true))
    })
}

/// An OPTIONS request.
pub(crate) fn options(transport: &str, call_id: &str, branch: &str, to_tag: Option<&str>) -> Message {
    let to_tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    build("OPTIONS", transport, call_id, branch, &to_tag, "")
}

/// Any request, outside a dialog.
pub(crate) fn request(
    method: &str,
    transport: &str,
    call_id: &str,
    branch: &str,
    body: Option<&str>,
) -> Message {
    build(method, transport, call_id, branch, "", body.unwrap_or_default())
}

fn build(method: &str, transport: &str, call_id: &str, branch: &str, to_tag: &str, body: &str) -> Message {
    let length = body.len();
    let text = format!(
        "{method} sip:gateway.example SIP/2.0\r\nVia: SIP/2.0/{transport} phone.example;branch={branch}\r\n\
         From: <sip:phone@phone.example>;tag=1\r\nTo: <sip:gateway.example>{to_tag}\r\nCall-ID: {call_id}\r\n\
         CSeq: 1 {method}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    Message::parse(text.into()).unwrap()
}

/// The result of `future`, or a failed test rather than a hanging one.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("this should have happened by now")
}

/// What may differ from test to test.
pub(crate) struct Setup {
    pub(crate) guard: GuardLimits,
    pub(crate) streams: StreamLimits,
    pub(crate) listed: Vec<IpNet>,
    pub(crate) tls: Tls,
}

/// A running gateway of sockets, shards and machines that answer.
pub(crate) struct Gateway {
    pub(crate) ownership: Ownership,
    pub(crate) counters: Arc<ListenCounters>,
    listeners: Vec<Listener>,
    mailboxes: Mailboxes,
    orders: Vec<Arc<Mutex<Orders>>>,
    inputs: mpsc::UnboundedReceiver<(u16, Input)>,
    effects: mpsc::UnboundedReceiver<Effect>,
    shards: Vec<ShardThread>,
    streams: StreamThread,
}

/// What a test wants a machine to do.
#[derive(Default)]
struct Orders {
    outputs: VecDeque<Output>,
    wake_after: Option<Duration>,
}

impl Gateway {
    pub(crate) fn new(shards: u16, listeners: &[(Transport, &str)]) -> Gateway {
        Gateway::with(shards, listeners, |_| {})
    }

    pub(crate) fn with(
        shards: u16,
        listeners: &[(Transport, &str)],
        change: impl FnOnce(&mut Setup),
    ) -> Gateway {
        let mut setup = Setup {
            guard: GuardLimits::default(),
            streams: StreamLimits::default(),
            listed: Vec::new(),
            tls: Tls::none(),
        };
        change(&mut setup);
        let listeners: Vec<Listener> = (0..)
            .zip(listeners)
            .map(|(id, (transport, address))| Listener {
                id: ListenerId(id),
                transport: *transport,
                address: address.parse().unwrap(),
            })
            .collect();
        let bound = bind(&listeners, shards).unwrap();
        let key = HashKey::random(&mut SeededRandom::new(1));
        let ownership = Ownership::new(0, shards, key);
        let counters = Arc::<ListenCounters>::default();
        let guard = Arc::new(Guard::new(setup.guard, key, Instant::now(), counters.clone()));
        guard.exempt(setup.listed);
        let (mailboxes, inboxes) = mailboxes(ownership, counters.clone());
        let (streams, stream_thread) = crate::listen::stream::start(StreamSetup {
            listeners: bound.listeners.clone(),
            sockets: bound.streams,
            sink: Arc::new(mailboxes.clone()),
            ownership: *mailboxes.ownership(),
            guard: guard.clone(),
            counters: counters.clone(),
            tls: Arc::new(setup.tls),
            limits: setup.streams,
        })
        .unwrap();
        let (to_inputs, inputs) = mpsc::unbounded_channel();
        let (to_effects, effects) = mpsc::unbounded_channel();
        let orders: Vec<Arc<Mutex<Orders>>> = (0..shards).map(|_| Arc::default()).collect();
        let mut threads = Vec::new();
        for ((shard, udp), (inbox, orders)) in (0..).zip(bound.udp).zip(inboxes.into_iter().zip(&orders)) {
            let setup = ShardSetup {
                shard,
                udp,
                inbox,
                mailboxes: mailboxes.clone(),
                streams: streams.clone(),
                resolver: Arc::new(Literals),
                guard: guard.clone(),
                counters: counters.clone(),
            };
            let (heard, orders, to_effects) = (to_inputs.clone(), orders.clone(), to_effects.clone());
            let build = move || {
                let machine = Echo { shard, heard, orders, outputs: VecDeque::new(), wake_at: None };
                let effects: Effects = Box::new(move |effect| to_effects.send(effect).unwrap());
                (machine, effects)
            };
            threads.push(super::start(setup, build).unwrap());
        }
        Gateway {
            ownership,
            counters,
            listeners: bound.listeners,
            mailboxes,
            orders,
            inputs,
            effects,
            shards: threads,
            streams: stream_thread,
        }
    }

    pub(crate) fn address(&self, listener: usize) -> SocketAddr {
        self.listeners[listener].address
    }

    pub(crate) fn id(&self, listener: usize) -> ListenerId {
        self.listeners[listener].id
    }

    /// What a machine heard next, but for the wake-ups of this module.
    pub(crate) async fn input(&mut self) -> (u16, Input) {
        within(self.inputs.recv()).await.unwrap()
    }

    /// What a machine did that is not the driver's business.
    pub(crate) async fn effect(&mut self) -> Effect {
        within(self.effects.recv()).await.unwrap()
    }

    /// From now on a machine that puts out an effect panics.
    pub(crate) fn refuse_effects(&mut self) {
        self.effects.close();
    }

    /// Waits for a condition on the counters.
    pub(crate) async fn until(&self, condition: impl Fn(&ListenCounters) -> bool) {
        within(async {
            while !condition(&self.counters) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// The 200 to a request.
    pub(crate) fn reply(&self, request: &Message) -> Message {
        Builder::reply(request, StatusCode::OK, "OK", Some("remote")).build()
    }

    /// Lets the machine of `shard` transmit.
    pub(crate) fn transmit(&self, shard: u16, message: Message, peer: Peer, owner: Owner) {
        self.output(shard, Output::Transmit { message, peer, owner });
    }

    /// Lets the machine of `shard` put out `output`.
    pub(crate) fn output(&self, shard: u16, output: Output) {
        self.orders[usize::from(shard)].lock().unwrap().outputs.push_back(output);
        self.mailboxes.post_event(shard, Input::Drain);
    }

    /// Lets the machine of shard 0 wake after a while, and put out `Drained` then.
    pub(crate) fn wake_after(&self, after: Duration) {
        self.orders[0].lock().unwrap().wake_after = Some(after);
        self.mailboxes.post_event(0, Input::Drain);
    }

    /// From now on the machine of `shard` hangs, until what is returned is dropped.
    pub(crate) fn hang(&self, shard: u16) -> impl Drop {
        let held = self.orders[usize::from(shard)].lock().unwrap();
        self.mailboxes.post_event(shard, Input::Drain);
        held
    }

    /// The sign of life of `shard`.
    pub(crate) fn pulse(&self, shard: u16) -> &Pulse {
        &self.shards[usize::from(shard)].pulse
    }

    pub(crate) fn stop(self) {
        self.shards.into_iter().for_each(ShardThread::stop);
        self.streams.stop();
    }
}

/// Knows addresses only.
struct Literals;

impl Resolve for Literals {
    fn resolve(&self, lookup: Lookup, answer: Answer) {
        let literal = lookup.literal().map(|address| vec![address]);
        answer(literal.ok_or(ResolveError::NotFound(lookup.host)));
    }
}

/// Answers every request but ACK with 200 and the number of its shard; `Drain` means new orders.
struct Echo {
    shard: u16,
    heard: mpsc::UnboundedSender<(u16, Input)>,
    orders: Arc<Mutex<Orders>>,
    outputs: VecDeque<Output>,
    wake_at: Option<Instant>,
}

impl Machine for Echo {
    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Drain => {
                let mut orders = self.orders.lock().unwrap();
                self.outputs.append(&mut orders.outputs);
                if let Some(after) = orders.wake_after.take() {
                    self.wake_at = Some(now.instant + after);
                }
                return;
            }
            Input::Message { source, ref message } if message.is_request() => {
                let reply = Builder::reply(message, StatusCode::OK, "OK", Some("echo"));
                self.outputs.push_back(Output::Transmit {
                    message: reply.raw("X-Shard", self.shard.to_string()).build(),
                    peer: source.peer(),
                    owner: Owner::Stateless,
                });
            }
            _ => {}
        }
        let _ = self.heard.send((self.shard, input));
    }

    fn handle_timeout(&mut self, now: Now) {
        if self.wake_at.is_some_and(|at| at <= now.instant) {
            self.wake_at = None;
            self.outputs.push_back(Output::Effect(Effect::Drained));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.wake_at
    }
}
