//! How often a source may be wrong as it logs in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use time::{Duration, OffsetDateTime};

/// Wrong tries that a source has at once.
const BURST: i32 = 5;
/// One more comes back after so long.
const EACH: Duration = Duration::seconds(20);
/// More sources than that are not remembered: then nobody new may try until one of them is forgotten.
const MOST: usize = 4096;

/// Wrong tries by source, and since when they count.
#[derive(Debug, Default)]
pub struct Tries(HashMap<IpAddr, OffsetDateTime>);

impl Tries {
    /// Whether a source may try.
    pub fn may(&mut self, source: IpAddr, now: OffsetDateTime) -> bool {
        if self.0.len() >= MOST {
            self.0.retain(|_, free| *free > now);
        }
        match self.0.get(&whole(source)) {
            Some(free) => *free <= now + EACH * (BURST - 1),
            None => self.0.len() < MOST,
        }
    }

    /// A source was wrong.
    pub fn failed(&mut self, source: IpAddr, now: OffsetDateTime) {
        let free = self.0.entry(whole(source)).or_insert(now);
        *free = (*free).max(now) + EACH;
    }
}

/// Whoever has one address of IPv6 has its whole network of 64 bits.
fn whole(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_is_wrong_too_often_waits_and_no_other_does() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut tries = Tries::default();
        let (guesser, other): (IpAddr, IpAddr) =
            ("2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap());
        for _ in 0..BURST {
            assert!(tries.may(guesser, now));
            tries.failed(guesser, now);
        }
        assert!(!tries.may(guesser, now));
        assert!(!tries.may("2001:db8::ffff".parse().unwrap(), now), "the same network");
        assert!(tries.may(other, now));
        assert!(!tries.may(guesser, now + EACH - Duration::seconds(1)));
        assert!(tries.may(guesser, now + EACH), "one try is back");
        for number in 0..2 * MOST {
            let source = IpAddr::from(std::net::Ipv4Addr::from_bits(number.try_into().unwrap()));
            if tries.may(source, now) {
                tries.failed(source, now);
            }
        }
        assert!(tries.0.len() <= MOST);
        assert!(tries.may(other, now + EACH * 100), "those that have waited are forgotten");
    }
}
