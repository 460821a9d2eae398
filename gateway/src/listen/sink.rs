//! Where messages go that came by a stream, and the news of those that could not be sent.

use std::pin::Pin;

use sip::Message;
use sip::transaction::Owner;
use tokio::sync::OwnedSemaphorePermit;

use crate::peer::{ConnectionId, Source};

/// A [`Sink`] that is still busy with a message.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// What stands behind the connections: the shards and their mailboxes.
pub trait Sink: Send + Sync {
    /// Takes a message, whoever owns it; waits where there is no room, for nobody repeats what came by a stream.
    ///
    /// - `in_hand`: given back when the message was handled, and its response is on its way, if it has one at once.
    fn deliver(&self, source: Source, message: Message, in_hand: OwnedSemaphorePermit) -> Delivery<'_>;

    /// A message of a shard was not sent, or the connection of a request was lost before its final response. Never
    /// waits.
    ///
    /// - `owner`: the shard's transaction; never [`Owner::Stateless`].
    fn send_failed(&self, shard: u16, owner: Owner);

    /// A connection that a shard watches has ended. Never waits.
    fn connection_ended(&self, shard: u16, connection: ConnectionId);
}
