//! TCP (and TLS, as another kind of stream): connections, whoever opened them. RFC 3261 §18, RFC 5626 §4.4.1.
//!
//! ```text
//! shard --Outgoing--> table --Write--> connection ~~~ peer
//! shard <--------mailbox (messages, failures)--------'
//! ```
//!
//! A transport thread with its own runtime owns every connection. The table knows them all and decides which one
//! carries what; each connection is a task that frames, times and writes. Every queue is bounded; shards never wait
//! for the table, the table never waits for a connection, and only a connection waits for a shard, which is how a
//! busy shard slows its peers down instead of losing their messages.

mod accept;
mod connection;
mod dial_key;
mod gives_way;
mod handle;
mod limits;
pub(super) mod open;
mod pending;
mod start;
mod table;
mod troubles;

pub use limits::StreamLimits;
#[cfg(test)]
pub(crate) use pending::Pending;
pub use start::{StreamSetup, StreamThread, start};

use std::net::TcpListener;

use sip::Message;
use sip::transaction::Owner;
use tokio::sync::mpsc;
use tokio::sync::mpsc::PermitIterator;

use super::Listener;
use crate::peer::{ConnectionId, ListenerId, Peer};

/// A message on its way to a connection.
#[derive(Debug)]
pub struct Outgoing {
    /// The message.
    pub message: Message,
    /// Where to.
    pub peer: Peer,
    /// Who hears of a failure.
    pub owner: Owner,
    /// Where that owner lives.
    pub shard: u16,
}

/// What a shard wants of the connections.
#[derive(Debug)]
pub(super) enum Order {
    Send(Outgoing),
    /// Tell the shard when the connection ends.
    Watch(ConnectionId, u16),
    /// Take connections by a new listener, and open them from its address.
    Listen(Listener, Option<TcpListener>),
    /// Take no more connections by a listener.
    Retire(ListenerId),
    /// Nobody needs a listener any more.
    Forget(ListenerId),
}

/// The transport thread has too much to do, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the transport thread takes no more")]
pub struct Overloaded;

/// A shard's way to the connections; cheap to clone.
#[derive(Debug, Clone)]
pub struct Streams(mpsc::Sender<Order>);

impl Streams {
    /// Sends a message by the connection of its peer. Never waits; what fails later comes back to the shard by
    /// [`Sink::send_failed`](super::Sink::send_failed).
    ///
    /// # Errors
    ///
    /// The message was not taken.
    pub fn send(&self, outgoing: Outgoing) -> Result<(), Overloaded> {
        self.0.try_send(Order::Send(outgoing)).map_err(|_| Overloaded)
    }

    /// Has a shard told, by `Sink::connection_ended`, when a connection ends; at once where it has. Never waits: while
    /// there is too much to do it is not told.
    pub fn watch(&self, connection: ConnectionId, shard: u16) {
        let _ = self.0.try_send(Order::Watch(connection, shard));
    }

    /// Room for so many orders of the operator, which are carried out then without fail.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn reserve(&self, orders: usize) -> Result<Reserved<'_>, Overloaded> {
        self.0.try_reserve_many(orders).map(Reserved).map_err(|_| Overloaded)
    }
}

/// See [`Streams::reserve`]. An order for which no room was asked is not carried out.
pub struct Reserved<'a>(PermitIterator<'a, Order>);

impl Reserved<'_> {
    /// Takes connections by a new listener, by its socket where it is one of streams.
    pub fn listen(&mut self, listener: Listener, socket: Option<TcpListener>) {
        self.send(Order::Listen(listener, socket));
    }

    /// Takes no more connections by a listener; those that there are go on, and others may be opened from its address.
    pub fn retire(&mut self, listener: ListenerId) {
        self.send(Order::Retire(listener));
    }

    /// Opens no more connections from the address of a listener.
    pub fn forget(&mut self, listener: ListenerId) {
        self.send(Order::Forget(listener));
    }

    fn send(&mut self, order: Order) {
        if let Some(permit) = self.0.next() {
            permit.send(order);
        }
    }
}
