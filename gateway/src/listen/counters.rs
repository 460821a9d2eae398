//! What the listeners count; the metrics read it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::HandshakeFault;

/// A number that only grows, or a gauge that goes up and down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn increment(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// Adds `amount`.
    pub fn add(&self, amount: usize) {
        self.0.fetch_add(u64::try_from(amount).unwrap_or(u64::MAX), Relaxed);
    }

    /// Takes one away: gauges only.
    pub fn decrement(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Counters of all listeners, shards and connections together; shared by `Arc`.
#[derive(Debug, Default)]
pub struct ListenCounters {
    /// UDP datagrams received.
    pub datagrams_in: Counter,
    /// Bytes of SIP received, by any transport.
    pub bytes_in: Counter,
    /// UDP datagrams sent.
    pub datagrams_out: Counter,
    /// Bytes of SIP sent, by any transport.
    pub bytes_out: Counter,
    /// SIP messages received whole, by any transport.
    pub messages_in: Counter,
    /// SIP messages handed to the kernel, by any transport.
    pub messages_out: Counter,
    /// Keep-alives: CRLF by UDP or a stream, and runs of zero bytes by UDP.
    pub keepalives_in: Counter,
    /// Datagrams and stream messages that were no SIP.
    pub unparsable: Counter,
    /// Datagrams and connections that met silence because of what their source did before.
    pub silenced: Counter,
    /// Sources that were put to silence.
    pub sources_silenced: Counter,
    /// Messages that belonged to another shard and went there.
    pub hops: Counter,
    /// Messages that belonged to another shard whose mailbox was full.
    pub hops_dropped: Counter,
    /// Events (failed sends, look-ups, media) that found the mailbox of their shard full. Never in good health.
    pub events_dropped: Counter,
    /// Messages that could not be sent: no route, port unreachable, connection failed, lost or overflowed.
    pub send_failures: Counter,
    /// Datagrams not sent because the socket's buffer was full; the transaction repeats them.
    pub send_congested: Counter,
    /// ICMP errors that named a message of ours.
    pub unreachable: Counter,
    /// Connections open now, a gauge.
    pub connections_open: Counter,
    /// Connections that peers opened.
    pub connections_accepted: Counter,
    /// Connections that we opened.
    pub connections_dialled: Counter,
    /// Connections that we could not open.
    pub dials_failed: Counter,
    /// TLS handshakes that failed, whoever dialled.
    pub handshakes_failed: Counter,
    /// The same by cause.
    handshake_faults: [Counter; HandshakeFault::ALL.len()],
    /// Connections turned away at a limit or because the source is silenced.
    pub connections_refused: Counter,
    /// Connections closed because the peer did not read what we wrote.
    pub connections_overflowed: Counter,
    /// Connections closed because nothing, or only half a message, came in time.
    pub connections_timed_out: Counter,
    /// Connections closed because of what came over them: no SIP, too large.
    pub connections_broken: Counter,
}

impl ListenCounters {
    /// A TLS handshake failed.
    pub fn handshake_failed(&self, fault: HandshakeFault) {
        self.handshakes_failed.increment();
        if let Some(counter) = self.handshake_faults.get(fault as usize) {
            counter.increment();
        }
    }

    /// How many failed for this cause.
    pub fn handshakes_failed_for(&self, fault: HandshakeFault) -> u64 {
        self.handshake_faults.get(fault as usize).map_or(0, Counter::value)
    }
}
