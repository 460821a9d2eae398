//! Datagrams that leave together, at the end of a shard's turn.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use bytes::Bytes;
use sip::transaction::Owner;

use crate::listen::udp::{Outgoing, SendError, UdpPort};

/// So many wait at most.
const ROOM: usize = 64;

/// A datagram that waits for the end of the turn.
pub(super) struct Waiting {
    /// Which of the shard's sockets it leaves by.
    pub port: Rc<UdpPort>,
    pub payload: Bytes,
    pub remote: SocketAddr,
    /// The address to speak from, where the listener has several.
    pub local: Option<IpAddr>,
    /// Who hears of a failure.
    pub owner: Owner,
}

/// The datagrams of one turn, in the order in which they leave.
#[derive(Default)]
pub(super) struct Outbox(Vec<Waiting>);

impl Outbox {
    /// Returns whether no more may wait.
    pub fn push(&mut self, waiting: Waiting) -> bool {
        self.0.push(waiting);
        self.0.len() >= ROOM
    }

    /// - `sent`: how it went with each.
    pub fn send(&mut self, mut sent: impl FnMut(Waiting, Result<(), SendError>)) {
        let mut results = Vec::with_capacity(self.0.len());
        for alike in self.0.chunk_by(|one, next| Rc::ptr_eq(&one.port, &next.port)) {
            let Some(Waiting { port, .. }) = alike.first() else { continue };
            let outgoing: Vec<_> = alike
                .iter()
                .map(|one| Outgoing { payload: &one.payload, remote: one.remote, local: one.local })
                .collect();
            port.send_all(&outgoing, |_, result| results.push(result));
        }
        self.0.drain(..).zip(results).for_each(|(one, result)| sent(one, result));
    }
}
