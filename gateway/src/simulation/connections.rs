//! TCP connections between phones and the gateway, whoever opened them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use sip::Message;
use sip::transaction::Owner;

use super::world::PhoneId;
use crate::listen::stream::Pending;
use crate::peer::ConnectionId;

/// The first port that a phone connects from.
pub(crate) const FIRST_PORT: u16 = 40_000;

/// The connections that are open; nobody ever gets the number of another one.
#[derive(Default)]
pub(crate) struct Connections {
    open: BTreeMap<ConnectionId, Connection>,
    opened: u64,
}

/// One connection, as the gateway sees it.
pub(crate) struct Connection {
    pub phone: PhoneId,
    /// The phone's end.
    pub remote: SocketAddr,
    /// The gateway opened it.
    pub dialled: bool,
    /// The gateway's requests that were not finally answered.
    pub pending: Pending,
}

impl Connections {
    /// The gateway connects to `phone` at `remote`.
    pub fn dial(&mut self, phone: PhoneId, remote: SocketAddr) -> ConnectionId {
        self.insert(phone, remote, true)
    }

    /// The connection of `phone`'s own, opened from any port of `from` where there is none.
    pub fn of(&mut self, phone: PhoneId, from: SocketAddr) -> ConnectionId {
        let own = self.open.iter().rev().find(|(_, one)| one.phone == phone && !one.dialled);
        if let Some((id, _)) = own {
            return *id;
        }
        let port = FIRST_PORT + u16::try_from(self.opened).unwrap();
        self.insert(phone, SocketAddr::new(from.ip(), port), false)
    }

    /// A connection that the gateway dialled to `remote` before.
    pub fn dialled(&self, remote: SocketAddr) -> Option<ConnectionId> {
        let same = self.open.iter().find(|(_, one)| one.dialled && one.remote == remote);
        same.map(|(id, _)| *id)
    }

    pub fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.open.get(&id)
    }

    /// The gateway sent a request.
    pub fn sent(&mut self, id: ConnectionId, message: &Message, owner: Owner, shard: u16) {
        if let Some(connection) = self.open.get_mut(&id) {
            connection.pending.sent(message, owner, shard);
        }
    }

    /// The gateway got a message; false where the connection was closed before.
    pub fn received(&mut self, id: ConnectionId, message: &Message) -> bool {
        let connection = self.open.get_mut(&id);
        connection.map(|connection| connection.pending.received(message)).is_some()
    }

    /// All connections of `phone` are gone: whose requests were not finally answered.
    pub fn close(&mut self, phone: PhoneId) -> Vec<(Owner, u16)> {
        let (gone, left) =
            std::mem::take(&mut self.open).into_iter().partition(|(_, one)| one.phone == phone);
        self.open = left;
        let gone: BTreeMap<ConnectionId, Connection> = gone;
        gone.into_values().flat_map(|mut one| one.pending.drain().collect::<Vec<_>>()).collect()
    }

    /// The process died.
    pub fn close_all(&mut self) {
        self.open.clear();
    }

    fn insert(&mut self, phone: PhoneId, remote: SocketAddr, dialled: bool) -> ConnectionId {
        let id = ConnectionId(self.opened);
        self.opened += 1;
        self.open.insert(id, Connection { phone, remote, dialled, pending: Pending::default() });
        id
    }
}
