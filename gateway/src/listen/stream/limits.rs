//! How much a peer may take.

use std::time::Duration;

/// Limits on connections and on what comes over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Connections at one time, whoever opened them. 8,192.
    pub connections: usize,
    /// Connections that one listed address may have open to us; for one more its own that was silent for longest is closed. 512.
    pub per_address: usize,
    /// Connections that one address which no allowlist names may have open to us. 16; all such addresses together
    /// may hold a quarter of `connections`, so strangers cannot shut customers out.
    pub per_stranger: usize,
    /// Bytes of start line and headers. 32 KiB.
    pub header_bytes: usize,
    /// Bytes of a body. 128 KiB.
    pub body_bytes: usize,
    /// Bytes that may wait to be written; one more message closes the connection. 1 MiB.
    pub queue_bytes: usize,
    /// Bytes of messages that a connection may have in the shards' hands, and that may wait to be written, for it to be
    /// read on: who asks faster than it takes the answers is read no faster. 128 KiB.
    pub in_hand_bytes: usize,
    /// How long we wait for a peer that we dial. 3 s.
    pub connect_timeout: Duration,
    /// How long who connects to us may take for the TLS handshake. 5 s; when we dial, `connect_timeout` holds for both.
    pub handshake_timeout: Duration,
    /// How long a new connection may go without a complete message, and any connection with half of one. 10 s.
    pub message_timeout: Duration,
    /// How long a connection may be silent both ways. 30 min: a call's only way back to a peer behind NAT may be the
    /// connection that it opened, and TCP keep-alive notices a dead one within two minutes anyway.
    pub idle_timeout: Duration,
    /// The same for an address which no allowlist names. 60 s.
    pub stranger_idle_timeout: Duration,
    /// How long a peer may refuse to read. 15 s.
    pub write_timeout: Duration,
}

impl Default for StreamLimits {
    fn default() -> StreamLimits {
        StreamLimits {
            connections: 8_192,
            per_address: 512,
            per_stranger: 16,
            header_bytes: 32 << 10,
            body_bytes: 128 << 10,
            queue_bytes: 1 << 20,
            in_hand_bytes: 128 << 10,
            connect_timeout: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(5),
            message_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30 * 60),
            stranger_idle_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(15),
        }
    }
}
