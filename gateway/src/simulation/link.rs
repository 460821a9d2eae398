//! The network between the gateway and the phones: what becomes of each message, by seed.

use std::time::Duration;

use crate::random::{Random, SeededRandom};

/// How a datagram network treats messages. A stream loses nothing and keeps the order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    /// Of a thousand datagrams, so many are lost.
    pub lost: u64,
    /// Of a thousand datagrams, so many arrive twice.
    pub repeated: u64,
    /// The shortest way.
    pub delay: Duration,
    /// So much longer may each one take: what exceeds the time between two messages swaps them.
    pub jitter: Duration,
}

impl Link {
    /// Ten milliseconds, always.
    pub const PERFECT: Link =
        Link { lost: 0, repeated: 0, delay: Duration::from_millis(10), jitter: Duration::ZERO };

    /// A bad day on the Internet.
    pub const LOSSY: Link =
        Link { lost: 80, repeated: 50, delay: Duration::from_millis(5), jitter: Duration::from_millis(400) };

    /// When the copies of one datagram arrive; none: it is lost.
    pub fn fate(&self, random: &mut SeededRandom) -> Vec<Duration> {
        if random.below(1000) < self.lost {
            return Vec::new();
        }
        let copies = if random.below(1000) < self.repeated { 2 } else { 1 };
        (0..copies).map(|_| self.delay + self.late(random)).collect()
    }

    /// Most are nearly on time; one in eight uses the whole of the jitter.
    fn late(&self, random: &mut SeededRandom) -> Duration {
        let micros = u64::try_from(self.jitter.as_micros()).unwrap_or(u64::MAX);
        let most = if random.below(8) == 0 { micros } else { micros / 20 };
        Duration::from_micros(random.below(most + 1))
    }
}
