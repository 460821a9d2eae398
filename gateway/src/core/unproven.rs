//! Answers that wait for their ACK, by the address of the caller.
//!
//! A datagram's source can be forged, and who forges it hears no answer: an ACK proves that the source did. So a source may
//! have some answers out that are not acknowledged, and more of them the more it has acknowledged of late; the others are
//! held back. Shared by all shards, without a lock, in bounded memory: sources whose hashes agree share a place.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::ids::HashKey;

/// So many answers of any source may wait for their ACK.
const FEW: u64 = 16;
/// One more may wait for so many that were acknowledged of late.
const PROOFS: u64 = 4;
/// A period of "of late": as long as an answer waits (64*T1, RFC 3261 §13.3.1.4). What was acknowledged counts for half in
/// the next.
const PERIOD: u64 = 32;
const PLACES: usize = 4_096;

/// See the module. One place holds:
///
/// ```text
///  63           32 31          16 15           0
/// +---------------+--------------+--------------+
/// | period        | acknowledged | waiting      |
/// +---------------+--------------+--------------+
/// ```
pub struct Unproven {
    key: HashKey,
    places: Box<[AtomicU64]>,
}

impl Unproven {
    /// Nobody has been answered. `key` is secret, so that nobody chooses with whom to share a place.
    pub fn new(key: HashKey) -> Unproven {
        Unproven { key, places: (0..PLACES).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether one more answer may go to `source` now; it waits until [`Unproven::give_back`].
    ///
    /// - `unix`: time since the Unix epoch.
    pub fn take(&self, source: IpAddr, unix: Duration) -> bool {
        self.change(source, unix, |acknowledged, waiting| {
            (waiting < FEW + acknowledged / PROOFS).then_some((acknowledged, waiting + 1))
        })
    }

    /// An answer waits no more: its ACK came, or never will.
    pub fn give_back(&self, source: IpAddr, unix: Duration, acknowledged: bool) {
        self.change(source, unix, |before, waiting| {
            Some(((before + u64::from(acknowledged)).min(0xffff), waiting.saturating_sub(1)))
        });
    }

    fn change(
        &self,
        source: IpAddr,
        unix: Duration,
        change: impl Fn(u64, u64) -> Option<(u64, u64)>,
    ) -> bool {
        let index = usize::try_from(self.hash(source)).unwrap_or(0) % PLACES;
        let Some(place) = self.places.get(index) else { return true };
        let period = (unix.as_secs() / PERIOD) & 0xffff_ffff;
        let changed = place.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |word| {
            let passed = period.wrapping_sub(word >> 32) & 0xffff_ffff;
            // Shards read the clock at different moments: the period before this one is no new one.
            let (period, passed) = if passed > 0xffff_fff0 { (word >> 32, 0) } else { (period, passed) };
            let acknowledged = (word >> 16 & 0xffff) >> passed.min(16);
            let (acknowledged, waiting) = change(acknowledged, word & 0xffff)?;
            Some(period << 32 | acknowledged << 16 | waiting)
        });
        changed.is_ok()
    }

    /// One host of IPv6 may have a whole network: its first 64 bits count.
    fn hash(&self, source: IpAddr) -> u64 {
        match source.to_canonical() {
            IpAddr::V4(v4) => self.key.hash(&v4.octets()),
            IpAddr::V6(v6) => self.key.hash(v6.octets().first_chunk::<8>().map_or(&[], |first| first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn unproven() -> Unproven {
        Unproven::new(HashKey::random(&mut SeededRandom::new(5)))
    }

    fn taken(unproven: &Unproven, source: IpAddr, unix: Duration) -> usize {
        (0..10_000).take_while(|_| unproven.take(source, unix)).count()
    }

    #[test]
    fn a_source_that_acknowledges_nothing_has_few_answers_out() {
        let (unproven, forged) = (unproven(), IpAddr::from([192, 0, 2, 7]));
        assert_eq!(taken(&unproven, forged, NOW), 16);
        assert!(unproven.take(IpAddr::from([192, 0, 2, 8]), NOW), "others are not held back");
        unproven.give_back(forged, NOW, false);
        assert_eq!(taken(&unproven, forged, NOW), 1);
        assert_eq!(
            taken(&unproven, forged, NOW + Duration::from_secs(3_600)),
            0,
            "they wait until they don't"
        );
    }

    #[test]
    fn whoever_acknowledges_much_may_have_more_out_for_a_while() {
        let (unproven, busy) = (unproven(), IpAddr::from([192, 0, 2, 7]));
        for _ in 0..400 {
            assert!(unproven.take(busy, NOW));
            unproven.give_back(busy, NOW, true);
        }
        assert_eq!(taken(&unproven, busy, NOW), 116);
        for _ in 0..116 {
            unproven.give_back(busy, NOW, false);
        }
        assert_eq!(taken(&unproven, busy, NOW + Duration::from_secs(32)), 66);
        for _ in 0..66 {
            unproven.give_back(busy, NOW, false);
        }
        assert_eq!(taken(&unproven, busy, NOW + Duration::from_secs(3_600)), 16);
    }

    #[test]
    fn one_network_of_ipv6_is_one_source() {
        let unproven = unproven();
        let host = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        assert_eq!((0..100).filter(|last| unproven.take(host(*last), NOW)).count(), 16);
    }
}
