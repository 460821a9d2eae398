//! The driver of one shard.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::UdpSocket;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sip::Message;
use sip::transaction::Owner;
use tokio::sync::{Notify, oneshot};
use tokio::task::{AbortHandle, LocalSet};

use super::mailbox::{Inbox, Mail, Mailboxes};
use super::outbox::{Outbox, Waiting};
use super::recent::{Recent, quoted_branch};
use crate::abort::AbortOnPanic;
use crate::clock::Now;
use crate::core::{Effect, Input, Machine, Output};
use crate::listen::stream::{Outgoing, Streams};
use crate::listen::udp::{BUFFER, SendError, UdpPort};
use crate::listen::udp_batch::{BATCH, Batch, Datagram};
use crate::listen::{Guard, ListenCounters, Listener, stun};
use crate::peer::{ListenerId, Peer, Source, Transport};
use crate::pulse::Pulse;
use crate::resolve::Resolve;

/// Timers that are due so close together are looked after in one turn: none is as short as a hundred of these.
const GRID: Duration = Duration::from_millis(5);

/// What a shard is given to start with.
pub struct ShardSetup {
    /// Its number.
    pub shard: u16,
    /// Its own sockets, one for each UDP listener.
    pub udp: Vec<(Listener, UdpSocket)>,
    /// Its mailbox.
    pub inbox: Inbox,
    /// The way to the other shards.
    pub mailboxes: Mailboxes,
    /// The way to TCP and TLS connections.
    pub streams: Streams,
    /// Looks up names.
    pub resolver: Arc<dyn Resolve>,
    /// The flood guard.
    pub guard: Arc<Guard>,
    /// What is counted.
    pub counters: Arc<ListenCounters>,
}

/// Does what the driver does not do itself: media commands, records, the news that the shard is drained. Called on
/// the shard's thread, so it must not wait.
pub type Effects = Box<dyn FnMut(Effect)>;

/// A running shard. Dropping it lets the shard run on for ever; [`ShardThread::stop`] ends it.
#[derive(Debug)]
pub struct ShardThread {
    /// Its sign of life.
    pub pulse: Pulse,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ShardThread {
    /// Ends the shard as it stands and waits until its thread is gone. Its calls should have ended before
    /// ([`Input::Drain`], [`Effect::Drained`]).
    pub fn stop(self) {
        let _ = self.stop.send(());
        // The thread cannot have panicked: that ends the process.
        let _ = self.thread.join();
    }
}

/// Starts a shard's thread; `build` makes the machine on it, so neither need be `Send`.
///
/// # Errors
///
/// The thread, its runtime or its sockets could not be set up.
pub fn start<M, B>(setup: ShardSetup, build: B) -> io::Result<ShardThread>
where
    M: Machine + 'static,
    B: FnOnce() -> (M, Effects) + Send + 'static,
{
    let (stop, stopped) = oneshot::channel();
    let (started, has_started) = std::sync::mpsc::sync_channel(1);
    let name = format!("shard-{}", setup.shard);
    let pulse = Pulse::new(name.as_str());
    let beats = pulse.clone();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let _abort = AbortOnPanic;
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        LocalSet::new().block_on(&runtime, async move {
            let (machine, effects) = build();
            match Driver::new(setup, machine, effects) {
                Ok((driver, inbox)) => {
                    let _ = started.send(Ok(()));
                    tokio::task::spawn_local(beats.keep());
                    driver.run(inbox, stopped).await;
                }
                Err(error) => {
                    let _ = started.send(Err(error));
                }
            }
        });
    })?;
    has_started.recv().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
    Ok(ShardThread { pulse, stop, thread })
}

/// A socket, and the task that reads it.
struct Served {
    port: Rc<UdpPort>,
    task: AbortHandle,
}

struct Driver<M> {
    shard: u16,
    machine: RefCell<M>,
    effects: RefCell<Effects>,
    ports: RefCell<Vec<Served>>,
    /// Datagrams of this turn, which leave at its end.
    outbox: RefCell<Outbox>,
    recent: RefCell<Recent>,
    mailboxes: Mailboxes,
    streams: Streams,
    resolver: Arc<dyn Resolve>,
    guard: Arc<Guard>,
    counters: Arc<ListenCounters>,
    /// When the timer task will wake, and how to tell it to wake earlier.
    armed: Cell<Option<Instant>>,
    /// The beginning of time for [`Driver::grid`].
    began: Instant,
    rearm: Notify,
}

impl<M: Machine + 'static> Driver<M> {
    fn new(setup: ShardSetup, machine: M, effects: Effects) -> io::Result<(Rc<Driver<M>>, Inbox)> {
        let driver = Driver {
            shard: setup.shard,
            machine: RefCell::new(machine),
            effects: RefCell::new(effects),
            ports: RefCell::default(),
            outbox: RefCell::default(),
            recent: RefCell::default(),
            mailboxes: setup.mailboxes,
            streams: setup.streams,
            resolver: setup.resolver,
            guard: setup.guard,
            counters: setup.counters,
            armed: Cell::new(None),
            began: Instant::now(),
            rearm: Notify::new(),
        };
        let driver = Rc::new(driver);
        for (listener, socket) in setup.udp {
            driver.open(listener, socket)?;
        }
        Ok((driver, setup.inbox))
    }

    /// Reads and sends by a socket from now on.
    fn open(self: &Rc<Self>, listener: Listener, socket: UdpSocket) -> io::Result<()> {
        let port = Rc::new(UdpPort::new(listener, socket)?);
        let task = tokio::task::spawn_local(self.clone().serve_port(port.clone())).abort_handle();
        self.ports.borrow_mut().push(Served { port, task });
        Ok(())
    }

    /// Closes the sockets of a listener once what waits has left by them.
    fn close(&self, listener: ListenerId) {
        self.flush();
        self.ports.borrow_mut().retain(|served| {
            let stays = served.port.listener() != listener;
            if !stays {
                served.task.abort();
            }
            stays
        });
    }

    async fn run(self: Rc<Self>, inbox: Inbox, stopped: oneshot::Receiver<()>) {
        tokio::task::spawn_local(self.clone().serve_inbox(inbox));
        tokio::task::spawn_local(self.clone().serve_timer());
        self.drain();
        self.flush();
        // A dropped sender means that nobody will ever stop us.
        if stopped.await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn serve_port(self: Rc<Self>, port: Rc<UdpPort>) {
        let _abort = AbortOnPanic;
        let (mut quote, mut batch) = (vec![0; BUFFER], Batch::default());
        loop {
            let errors = || self.read_errors(&port, &mut quote);
            let datagrams = |thorough| self.read_batch(&port, &mut batch, thorough);
            match port.ready(errors, datagrams).await {
                // More is there; the others have their turn first.
                Ok(false) => tokio::task::yield_now().await,
                Ok(true) => {}
                Err(_) => break,
            }
        }
    }

    async fn serve_inbox(self: Rc<Self>, mut inbox: Inbox) {
        let _abort = AbortOnPanic;
        while let Some(first) = inbox.next().await {
            self.take(first);
            let more = (1..BATCH).map_while(|_| inbox.next_now()).map(|mail| self.take(mail)).count();
            self.flush();
            if more + 1 == BATCH {
                tokio::task::yield_now().await;
            }
        }
    }

    fn take(self: &Rc<Self>, mail: Mail) {
        match mail {
            Mail::Open { listener, socket } => {
                let (address, shard) = (listener.address, self.shard);
                if let Err(error) = self.open(listener, socket) {
                    tracing::error!(%address, shard, %error, "a new listener is not served");
                }
            }
            Mail::Close(listener) => self.close(listener),
            Mail::Input { input, .. } => self.handle(Now::read(), input),
            Mail::Unreachable { remote, quote } => self.unreachable(remote, &quote),
        }
    }

    async fn serve_timer(self: Rc<Self>) {
        let _abort = AbortOnPanic;
        loop {
            let next = self.machine.borrow().poll_timeout();
            self.armed.set(next);
            let Some(at) = next else {
                self.rearm.notified().await;
                continue;
            };
            tokio::select! {
                () = self.rearm.notified() => continue,
                () = tokio::time::sleep_until(self.grid(at).into()) => {}
            }
            let now = Now::read();
            self.machine.borrow_mut().handle_timeout(now);
            self.drain();
            self.flush();
            // A machine that is late with many timers must not keep the sockets waiting.
            if self.machine.borrow().poll_timeout().is_some_and(|next| next <= now.instant) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// When a timer that is due at `at` is looked after: some together, none more than [`GRID`] late.
    fn grid(&self, at: Instant) -> Instant {
        let age = at.saturating_duration_since(self.began).as_nanos();
        let ticks = age.div_ceil(GRID.as_nanos());
        u32::try_from(ticks).map_or(at, |ticks| self.began + GRID * ticks)
    }

    /// Whether nothing is left to read.
    ///
    /// - `thorough`: a batch that is not full does not say so.
    fn read_batch(&self, port: &UdpPort, batch: &mut Batch, thorough: bool) -> bool {
        let now = Now::read();
        if let Err(error) = port.receive(batch) {
            // The echo of an ICMP error, whose story the error queue tells.
            tracing::trace!(%error, "receiving a datagram");
            return false;
        }
        for (datagram, payload) in batch.iter() {
            self.datagram(now, port, datagram, payload);
        }
        // What is in the mailbox has its turn before this thread sleeps, and what comes of it leaves with the rest: the INVITE
        // with the 100, where media ports were at hand.
        if self.mailboxes.depth(self.shard) == 0 {
            self.flush();
        }
        batch.is_empty() || !(thorough || batch.is_full())
    }

    fn read_errors(&self, port: &UdpPort, buffer: &mut [u8]) -> bool {
        for _ in 0..BATCH {
            let Some(error) = port.receive_error(buffer) else { return true };
            let quote = buffer.get(..error.length).unwrap_or_default();
            // The kernel picks the socket of a shared port by addresses alone, so this may be another shard's.
            match quoted_branch(quote) {
                Some(branch) if branch.shard == self.shard => self.unreachable(error.remote, quote),
                Some(branch) => self.mailboxes.post_unreachable(branch.shard, error.remote, quote),
                None => {}
            }
        }
        false
    }

    fn datagram(&self, now: Now, port: &UdpPort, datagram: Datagram, payload: &[u8]) {
        self.counters.datagrams_in.increment();
        self.counters.bytes_in.add(payload.len());
        let remote = datagram.remote.ip();
        if self.guard.silenced(now.instant, remote) {
            self.counters.silenced.increment();
            return;
        }
        // Phones keep a NAT open with CRLFs, and some with zero bytes.
        if payload.iter().all(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
            self.counters.keepalives_in.increment();
            return;
        }
        if let Some(response) = stun::response(payload, datagram.remote) {
            self.counters.keepalives_in.increment();
            // Whose address may be forged gets nothing to send on.
            if self.guard.lists(now.instant, remote) {
                let _ = port.send(&response, datagram.remote, Some(datagram.local.ip()));
            }
            return;
        }
        let Ok(message) = Message::parse(Bytes::copy_from_slice(payload)) else {
            self.counters.unparsable.increment();
            self.guard.refused(now.instant, remote);
            return;
        };
        self.counters.messages_in.increment();
        let source = Source {
            transport: Transport::Udp,
            listener: port.listener(),
            local: datagram.local,
            remote: datagram.remote,
            connection: None,
            secured: None,
        };
        match self.mailboxes.ownership().owner(&message) {
            owner if owner == self.shard => self.handle(now, Input::Message { source, message }),
            owner => self.mailboxes.post_message(owner, source, message),
        }
    }

    fn handle(&self, now: Now, input: Input) {
        self.machine.borrow_mut().handle(now, input);
        self.drain();
    }

    fn drain(&self) {
        loop {
            let output = self.machine.borrow_mut().poll_output();
            match output {
                None => break,
                Some(Output::Transmit { message, peer, owner }) => self.transmit(message, peer, owner),
                Some(Output::Resolve { query, lookup }) => {
                    let (mailboxes, shard) = (self.mailboxes.clone(), self.shard);
                    let answer = move |result| mailboxes.post_event(shard, Input::Resolved { query, result });
                    self.resolver.resolve(lookup, Box::new(answer));
                }
                Some(Output::MakeRoom { asked }) => {
                    let shards = self.mailboxes.ownership().shards();
                    if asked < shards {
                        let next = (self.shard + 1) % shards;
                        self.mailboxes.post_event(next, Input::MakeRoom { asked });
                    }
                }
                Some(Output::Watch(connection)) => self.streams.watch(connection, self.shard),
                Some(Output::Effect(effect)) => (self.effects.borrow_mut())(effect),
            }
        }
        let next = self.machine.borrow().poll_timeout();
        if next.is_some_and(|next| self.armed.get().is_none_or(|armed| next < armed)) {
            self.armed.set(next);
            self.rearm.notify_one();
        }
    }

    fn transmit(&self, message: Message, peer: Peer, owner: Owner) {
        if peer.transport == Transport::Udp {
            self.transmit_datagram(&message, &peer, owner);
        } else if self.streams.send(Outgoing { message, peer, owner, shard: self.shard }).is_err() {
            self.failed(owner);
        }
    }

    fn transmit_datagram(&self, message: &Message, peer: &Peer, owner: Owner) {
        let found = self
            .ports
            .borrow()
            .iter()
            .find(|served| served.port.listener() == peer.listener)
            .map(|served| served.port.clone());
        let Some(port) = found else {
            tracing::warn!(listener = peer.listener.0, remote = %peer.remote, "no such UDP listener to send from");
            return self.failed(owner);
        };
        let waiting =
            Waiting { port, payload: message.bytes().clone(), remote: peer.remote, local: peer.local, owner };
        let is_full = self.outbox.borrow_mut().push(waiting);
        if is_full {
            self.flush();
        }
    }

    /// Sends the datagrams of this turn.
    fn flush(&self) {
        self.outbox.borrow_mut().send(|sent, result| self.sent(sent, result));
    }

    fn sent(&self, sent: Waiting, result: Result<(), SendError>) {
        let Waiting { payload, remote, owner, .. } = sent;
        match result {
            Ok(()) => {
                self.counters.datagrams_out.increment();
                self.counters.messages_out.increment();
                self.counters.bytes_out.add(payload.len());
                if matches!(owner, Owner::Client(_)) {
                    self.recent.borrow_mut().sent(remote, payload, owner);
                }
            }
            // As good as lost on the way: the transaction sends it again.
            Err(SendError::Congested) => self.counters.send_congested.increment(),
            Err(SendError::Failed(error)) => {
                tracing::debug!(%remote, %error, "sending a datagram failed");
                self.failed(owner);
            }
        }
    }

    fn unreachable(&self, remote: std::net::SocketAddr, quote: &[u8]) {
        if let Some(owner) = self.recent.borrow_mut().unreachable(remote, quote) {
            tracing::debug!(%remote, "the network says that the peer cannot be reached");
            self.counters.unreachable.increment();
            self.failed(owner);
        }
    }

    /// By way of the mailbox: the machine is being drained, and hears of it in its turn.
    fn failed(&self, owner: Owner) {
        self.counters.send_failures.increment();
        if owner != Owner::Stateless {
            self.mailboxes.post_event(self.shard, Input::SendFailed { owner });
        }
    }
}
