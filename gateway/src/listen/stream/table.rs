//! The table of connections: which one carries what. RFC 3261 §18.2.2, RFC 5923.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::Duration;

use sip::Message;
use sip::transaction::Owner;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::accept::{Accepted, accept};
use super::connection::{Connection, Identity, Shared};
use super::dial_key::DialKey;
use super::gives_way::{Place, gives_way};
use super::handle::{Handle, Refused};
use super::open;
use super::troubles::Who;
use super::{Order, Outgoing};
use crate::listen::Listener;
use crate::listen::bind::tune_stream;
use crate::peer::{ConnectionId, ListenerId, Transport};

/// Strangers together may hold this part of all connections.
const STRANGERS_SHARE: usize = 4;
/// So many may be on their way out for others; beyond these a newcomer waits for nobody.
const LEAVING: usize = 64;
/// Connections accepted and not yet in the table.
const ACCEPTED: usize = 64;
/// How long connections may take to write what is left when we stop.
const GRACE: Duration = Duration::from_secs(2);

/// A connection as the table knows it.
struct Entry {
    handle: Handle,
    remote: IpAddr,
    accepted: bool,
    stranger: bool,
    dialled: Option<DialKey>,
    /// It gives way to another.
    leaving: bool,
    /// The shards that are told when it ends.
    watched_by: Vec<u16>,
}

/// All connections. A task of the transport thread owns it.
pub(super) struct Table {
    shared: Shared,
    listeners: Vec<Listener>,
    /// The tasks that take connections from the sockets of listeners.
    accepting: HashMap<ListenerId, AbortHandle>,
    to_accepted: mpsc::Sender<Accepted>,
    accepted_connections: mpsc::Receiver<Accepted>,
    entries: HashMap<ConnectionId, Entry>,
    dialled: HashMap<DialKey, ConnectionId>,
    /// Connections that peers opened, by address.
    accepted: HashMap<IpAddr, usize>,
    strangers: usize,
    /// Connections that give way to others, and have not ended.
    leaving: usize,
    next_id: u64,
    ended: (mpsc::Sender<ConnectionId>, mpsc::Receiver<ConnectionId>),
}

impl Table {
    pub(super) fn new(shared: Shared) -> Table {
        let (to_accepted, accepted_connections) = mpsc::channel(ACCEPTED);
        Table {
            shared,
            listeners: Vec::new(),
            accepting: HashMap::new(),
            to_accepted,
            accepted_connections,
            entries: HashMap::new(),
            dialled: HashMap::new(),
            accepted: HashMap::new(),
            strangers: 0,
            leaving: 0,
            next_id: 0,
            ended: mpsc::channel(1_024),
        }
    }

    /// Takes connections by a listener, where it has a socket for streams, and opens them from its address. Within the runtime that
    /// will serve it.
    pub(super) fn listen(&mut self, listener: Listener, socket: Option<TcpListener>) -> io::Result<()> {
        if let Some(socket) = socket {
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let accepts = accept(socket, listener, self.shared.clone(), self.to_accepted.clone());
            self.accepting.insert(listener.id, tokio::spawn(accepts).abort_handle());
        }
        self.listeners.retain(|other| other.id != listener.id);
        self.listeners.push(listener);
        Ok(())
    }

    fn retire(&mut self, listener: ListenerId) {
        if let Some(task) = self.accepting.remove(&listener) {
            task.abort();
        }
    }

    /// Serves until `stopped`, then gives the connections `GRACE` to write what they have.
    pub(super) async fn run(mut self, mut orders: mpsc::Receiver<Order>, stopped: impl Future<Output = ()>) {
        tokio::pin!(stopped);
        loop {
            tokio::select! {
                Some(id) = self.ended.1.recv() => self.forget(id),
                Some(order) = orders.recv() => self.carry_out(order),
                Some(accepted) = self.accepted_connections.recv() => self.accept(accepted),
                () = &mut stopped => break,
            }
        }
        while let Ok(order) = orders.try_recv() {
            self.carry_out(order);
        }
        self.entries.values().for_each(|entry| entry.handle.finish());
        let _ = tokio::time::timeout(GRACE, self.all_ended()).await;
    }

    async fn all_ended(&mut self) {
        while !self.entries.is_empty() {
            match self.ended.1.recv().await {
                Some(id) => self.forget(id),
                None => return,
            }
        }
    }

    fn accept(&mut self, accepted: Accepted) {
        let Accepted { stream, listener, remote } = accepted;
        if self.strangers >= self.shared.limits.connections / STRANGERS_SHARE {
            self.recognise();
        }
        let stranger = !self.shared.guard.lists(Instant::now().into_std(), remote.ip());
        if !self.has_room(remote.ip(), stranger) && (stranger || !self.make_room(remote.ip())) {
            self.shared.counters.connections_refused.increment();
            tracing::debug!(%remote, "turning a connection away");
            return;
        }
        let Ok(local) = stream.local_addr() else { return };
        tune_stream(&stream);
        let (transport, listener) = (listener.transport, listener.id);
        let how = match transport {
            Transport::Tls => match self.shared.tls.server(listener) {
                Some(how) => Some(how),
                None => return,
            },
            Transport::Udp | Transport::Tcp => None,
        };
        self.shared.counters.connections_accepted.increment();
        *self.accepted.entry(remote.ip()).or_insert(0) += 1;
        self.strangers += usize::from(stranger);
        let (connection, ended) = self.insert(transport, listener, remote, stranger, None);
        let id = connection.id;
        let limit = self.shared.limits.handshake_timeout;
        let task = match how {
            Some(how) => tokio::spawn(connection.open(open::accept_tls(stream, local, how, limit))),
            None => tokio::spawn(connection.serve(stream, local)),
        };
        watch(id, task, ended);
    }

    fn has_room(&self, remote: IpAddr, stranger: bool) -> bool {
        let limits = &self.shared.limits;
        let of_this = self.accepted.get(&remote).copied().unwrap_or(0);
        let (per_address, strangers) = if stranger {
            (limits.per_stranger, limits.connections / STRANGERS_SHARE)
        } else {
            (limits.per_address, usize::MAX)
        };
        self.has_place() && of_this < per_address && self.strangers < strangers
    }

    /// Who has shown its password meanwhile is no stranger any more.
    fn recognise(&mut self) {
        let now = Instant::now().into_std();
        for entry in self.entries.values_mut().filter(|entry| entry.stranger && !entry.leaving) {
            if self.shared.guard.lists(now, entry.remote) {
                entry.stranger = false;
                self.strangers -= 1;
            }
        }
    }

    fn has_place(&self) -> bool {
        self.entries.len() - self.leaving < self.shared.limits.connections
    }

    /// Closes a connection for one of `newcomer`, a listed address: its call may be for help. Calls outlive their connections.
    fn make_room(&mut self, newcomer: IpAddr) -> bool {
        if self.leaving >= LEAVING {
            return false;
        }
        self.recognise();
        let has_place = self.has_place();
        let staying = self.entries.iter().filter(|(_, entry)| !entry.leaving);
        // Who has as many as one address may have loses one of its own.
        let yielding = staying.filter(|(_, entry)| !has_place || entry.accepted && entry.remote == newcomer);
        let places: Vec<Place> = yielding
            .map(|(id, Entry { handle, remote, stranger, .. })| Place {
                id: *id,
                remote: *remote,
                stranger: *stranger,
                active: handle.active_at(),
            })
            .collect();
        let Some(id) = gives_way(newcomer, &places) else { return false };
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        tracing::debug!(remote = %entry.remote, %newcomer, "a connection gives way to another");
        self.shared.counters.connections_refused.increment();
        entry.handle.close();
        entry.leaving = true;
        self.leaving += 1;
        let (remote, accepted, stranger) = (entry.remote, entry.accepted, entry.stranger);
        self.uncount(remote, accepted, stranger);
        true
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Send(outgoing) => self.send(outgoing),
            Order::Watch(id, shard) => match self.entries.get_mut(&id) {
                Some(entry) if entry.watched_by.contains(&shard) => {}
                Some(entry) => entry.watched_by.push(shard),
                None => self.shared.sink.connection_ended(shard, id),
            },
            Order::Listen(listener, socket) => {
                if let Err(error) = self.listen(listener, socket) {
                    tracing::error!(address = %listener.address, %error, "a new listener is not served");
                }
            }
            Order::Retire(listener) => self.retire(listener),
            Order::Forget(listener) => {
                self.retire(listener);
                self.listeners.retain(|other| other.id != listener);
            }
        }
    }

    fn send(&mut self, outgoing: Outgoing) {
        let Outgoing { mut message, peer, owner, shard } = outgoing;
        let key = DialKey::of(&peer);
        // The flow of the peer, then a connection that we dialled before; either may have ended a moment ago.
        let known = [peer.connection, self.dialled.get(&key).copied()];
        for id in known.into_iter().flatten() {
            match self.send_by(id, message, owner, shard) {
                Ok(()) => return,
                Err(Refused::Gone(unsent)) => message = unsent,
                Err(Refused::Overflow) => return self.overflow(id, owner, shard),
            }
        }
        // A peer that asks without waiting for answers is not run after: what was kept of its request may be, for a call's sake.
        if owner == Owner::Stateless && message.is_response() && peer.connection.is_some() {
            return self.shared.failed(owner, shard);
        }
        match self.dial(key).map(|id| (id, self.send_by(id, message, owner, shard))) {
            Some((_, Ok(()))) => {}
            Some((id, Err(Refused::Overflow))) => self.overflow(id, owner, shard),
            Some((_, Err(Refused::Gone(_)))) | None => self.shared.failed(owner, shard),
        }
    }

    fn send_by(&self, id: ConnectionId, message: Message, owner: Owner, shard: u16) -> Result<(), Refused> {
        match self.entries.get(&id) {
            Some(entry) => entry.handle.send(message, owner, shard, self.shared.limits.queue_bytes),
            None => Err(Refused::Gone(message)),
        }
    }

    /// The peer does not read: whatever waits for it fails now, and the next message dials anew.
    fn overflow(&mut self, id: ConnectionId, owner: Owner, shard: u16) {
        self.shared.counters.connections_overflowed.increment();
        self.shared.failed(owner, shard);
        let Some(entry) = self.entries.get(&id) else { return };
        let who = entry.dialled.clone().map_or(Who::Connects(entry.remote), Who::Dialled);
        let told = self.shared.troubles.of(Instant::now().into_std(), &who, "does not read");
        if let Some(repeats) = told {
            tracing::warn!(remote = %entry.remote, repeats, "closing a connection whose peer does not read");
        }
        entry.handle.close();
        if let Some(key) = &entry.dialled {
            self.dialled.remove(key);
        }
    }

    /// `None` where we cannot even try.
    fn dial(&mut self, key: DialKey) -> Option<ConnectionId> {
        let listener = *self.listeners.iter().find(|listener| listener.id == key.listener)?;
        let local = listener.address.ip();
        let secure = key.trust.as_ref().and_then(|trust| {
            let how = self.shared.tls.client(trust.party.as_ref(), key.remote.ip())?;
            Some((trust.name.clone()?, how))
        });
        if !self.has_place() && !self.make_room(key.remote.ip())
            || local.is_ipv4() != key.remote.is_ipv4()
            || key.transport == Transport::Udp
            || key.trust.is_some() != secure.is_some()
        {
            let (remote, transport) = (key.remote, key.transport);
            let told = self.shared.troubles.of(Instant::now().into_std(), &Who::Dialled(key), "no way");
            if let Some(repeats) = told {
                tracing::warn!(%remote, %transport, %local, repeats, "cannot dial this peer from this listener");
            }
            return None;
        }
        self.shared.counters.connections_dialled.increment();
        let remote = key.remote;
        let limit = self.shared.limits.connect_timeout;
        let (connection, ended) = self.insert(key.transport, key.listener, remote, false, Some(key));
        let id = connection.id;
        let task = match secure {
            Some((name, how)) => {
                tokio::spawn(connection.open(open::connect_tls(local, remote, name, how, limit)))
            }
            None => tokio::spawn(connection.open(open::connect(local, remote, limit))),
        };
        watch(id, task, ended);
        Some(id)
    }

    fn insert(
        &mut self,
        transport: Transport,
        listener: ListenerId,
        remote: SocketAddr,
        stranger: bool,
        dialled: Option<DialKey>,
    ) -> (Connection, mpsc::Sender<ConnectionId>) {
        let id = ConnectionId(self.next_id);
        self.next_id += 1;
        let accepted = dialled.is_none();
        let identity = Identity { id, transport, listener, remote, stranger, dialled: dialled.clone() };
        let (connection, handle) = Connection::new(identity, self.shared.clone());
        if let Some(key) = &dialled {
            self.dialled.insert(key.clone(), id);
        }
        self.entries.insert(
            id,
            Entry {
                handle,
                remote: remote.ip(),
                accepted,
                stranger,
                dialled,
                leaving: false,
                watched_by: Vec::new(),
            },
        );
        (connection, self.ended.0.clone())
    }

    fn forget(&mut self, id: ConnectionId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        for shard in &entry.watched_by {
            self.shared.sink.connection_ended(*shard, id);
        }
        if let Some(key) = &entry.dialled
            && self.dialled.get(key) == Some(&id)
        {
            self.dialled.remove(key);
        }
        match entry.leaving {
            true => self.leaving -= 1,
            false => self.uncount(entry.remote, entry.accepted, entry.stranger),
        }
    }

    /// A connection of `remote` counts no more.
    fn uncount(&mut self, remote: IpAddr, accepted: bool, stranger: bool) {
        if !accepted {
            return;
        }
        self.strangers -= usize::from(stranger);
        if let Some(count) = self.accepted.get_mut(&remote) {
            *count -= 1;
            if *count == 0 {
                self.accepted.remove(&remote);
            }
        }
    }
}

/// Tells the table when a connection has ended, even by a panic: that costs its peer the connection, nobody else.
fn watch(id: ConnectionId, task: JoinHandle<()>, ended: mpsc::Sender<ConnectionId>) {
    tokio::spawn(async move {
        if let Err(error) = task.await {
            tracing::error!(%error, "a connection's task failed");
        }
        let _ = ended.send(id).await;
    });
}
