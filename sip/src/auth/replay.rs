//! Which nonce counts were used: a sliding window a nonce, and a bound on the number of nonces.

use std::collections::BTreeMap;

use super::nonce::Stamp;

/// The windows of the nonces that were answered correctly.
///
/// Memory is bounded: when it is full the oldest nonce is forgotten, and from then on every nonce as old as that one
/// counts as used up. A client then gets `stale` and a fresh nonce, never a replay its way.
#[derive(Debug)]
pub(super) struct Replay {
    windows: BTreeMap<Stamp, Window>,
    capacity: usize,
    /// Nonces up to this one are known only if they have a window.
    forgotten: Option<Stamp>,
}

/// What became of a nonce count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Its first use.
    Fresh,
    /// Used before, or too far behind the highest to tell.
    Replayed,
    /// The nonce's window is gone.
    Forgotten,
}

/// The highest nonce count and a bit for each of the 64 below and including it: requests over UDP overtake one another.
#[derive(Debug, Clone, Copy)]
struct Window {
    highest: u32,
    /// Bit n: `highest - n` was used.
    used: u64,
}

impl Replay {
    /// - `capacity`: nonces, about 40 bytes each.
    pub fn new(capacity: usize) -> Self {
        Self { windows: BTreeMap::new(), capacity: capacity.max(1), forgotten: None }
    }

    /// Takes one nonce count of a nonce.
    pub fn take(&mut self, nonce: Stamp, count: u32) -> Use {
        if let Some(window) = self.windows.get_mut(&nonce) {
            return if window.take(count) { Use::Fresh } else { Use::Replayed };
        }
        if self.forgotten.is_some_and(|forgotten| nonce <= forgotten) {
            return Use::Forgotten;
        }
        self.windows.insert(nonce, Window { highest: count, used: 1 });
        if self.windows.len() > self.capacity
            && let Some((oldest, _)) = self.windows.pop_first()
        {
            self.forgotten = Some(oldest);
        }
        Use::Fresh
    }

    /// Drops the nonces issued before: they are refused for their age.
    pub fn expire(&mut self, before_ms: u64) {
        while let Some(oldest) = self.windows.first_entry() {
            if oldest.key().issued_ms >= before_ms {
                return;
            }
            let (stamp, _) = oldest.remove_entry();
            // Should the clock be set back, they must not come to life again.
            self.forgotten = self.forgotten.max(Some(stamp));
        }
    }

    pub fn len(&self) -> usize {
        self.windows.len()
    }
}

impl Window {
    fn take(&mut self, count: u32) -> bool {
        if let Some(ahead) = count.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            self.used = self.used.checked_shl(ahead).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let bit = 1_u64.checked_shl(self.highest - count).unwrap_or(0);
        let fresh = bit != 0 && self.used & bit == 0;
        self.used |= bit;
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(issued_ms: u64) -> Stamp {
        Stamp { issued_ms, random: [0; 8] }
    }

    #[test]
    fn each_count_is_taken_once_in_any_order() {
        let mut replay = Replay::new(4);
        let mut check = |count, expect| assert_eq!(replay.take(stamp(1), count), expect, "{count}");
        check(1, Use::Fresh);
        check(1, Use::Replayed);
        check(3, Use::Fresh);
        check(2, Use::Fresh);
        check(2, Use::Replayed);
        check(3, Use::Replayed);
        check(70, Use::Fresh);
        check(7, Use::Fresh); // 63 below the highest.
        check(6, Use::Replayed); // 64 below: nobody knows.
        check(u32::MAX, Use::Fresh);
        check(u32::MAX, Use::Replayed);
        check(70, Use::Replayed);
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_stays_refused() {
        let mut replay = Replay::new(2);
        assert_eq!(replay.take(stamp(10), 1), Use::Fresh);
        assert_eq!(replay.take(stamp(20), 1), Use::Fresh);
        assert_eq!(replay.take(stamp(30), 1), Use::Fresh); // Forgets 10.
        assert_eq!(replay.len(), 2);
        assert_eq!(replay.take(stamp(10), 1), Use::Forgotten);
        assert_eq!(replay.take(stamp(5), 1), Use::Forgotten);
        assert_eq!(replay.take(stamp(20), 1), Use::Replayed);
        assert_eq!(replay.take(stamp(15), 1), Use::Fresh); // Newer than what was forgotten; itself the oldest now.
        assert_eq!(replay.take(stamp(15), 1), Use::Forgotten);
    }

    #[test]
    fn expired_nonces_free_their_memory() {
        let mut replay = Replay::new(10);
        (0..5).for_each(|ms| assert_eq!(replay.take(stamp(ms), 1), Use::Fresh));
        replay.expire(3);
        assert_eq!(replay.len(), 2);
        assert_eq!(replay.take(stamp(2), 1), Use::Forgotten);
        assert_eq!(replay.take(stamp(3), 1), Use::Replayed);
    }
}
