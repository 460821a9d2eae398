//! Bytes in and out: sockets, connections, flood guards. Nothing here knows what a call is.

pub mod peer;

pub use peer::{ConnectionId, ListenerId, Peer, Source, Transport};
