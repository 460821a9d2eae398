//! The replay window.

/// Which of the last 128 indices were used. RFC 3711 §3.3.2 asks for at least 64.
///
/// An index is free if it is above all others, or in the window and not marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReplayWindow {
    highest: u64,
    /// Bit `n`: index `highest - n` was used.
    used: u128,
}

impl ReplayWindow {
    /// Begins with `first` as the only index that was used.
    pub(super) fn new(first: u64) -> ReplayWindow {
        ReplayWindow { highest: first, used: 1 }
    }

    /// Continues after `highest`: no index up to it is free.
    pub(super) fn after(highest: u64) -> ReplayWindow {
        ReplayWindow { highest, used: u128::MAX }
    }

    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether `index` was not used and is not too old to tell.
    pub(super) fn is_free(&self, index: u64) -> bool {
        match self.highest.checked_sub(index) {
            None => true,
            Some(age) => age < 128 && self.used >> age & 1 == 0,
        }
    }

    /// Whether `index` is too old to tell.
    pub(super) fn is_past(&self, index: u64) -> bool {
        self.highest.checked_sub(index).is_some_and(|age| age >= 128)
    }

    /// Marks `index` as used; returns whether it is above all others.
    pub(super) fn mark(&mut self, index: u64) -> bool {
        match index.checked_sub(self.highest) {
            None | Some(0) => {
                let age = self.highest - index;
                if age < 128 {
                    self.used |= 1 << age;
                }
                false
            }
            Some(ahead) => {
                self.used = if ahead < 128 { self.used << ahead | 1 } else { 1 };
                self.highest = index;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_window_is_128_wide() {
        let mut window = ReplayWindow::new(1000);
        assert!(!window.is_free(1000));
        assert!(window.is_free(1000 - 127) && !window.is_free(1000 - 128));
        assert!(!window.mark(1000 - 127));
        assert!(!window.is_free(1000 - 127));
        assert!(window.mark(1001));
        assert!(!window.is_free(1000) && window.is_free(999) && !window.is_free(1000 - 127));
        assert!(window.mark(u64::MAX));
        assert!(window.is_free(u64::MAX - 127));
        assert!(!ReplayWindow::after(5).is_free(0) && ReplayWindow::after(5).is_free(6));
    }

    proptest! {
        #[test]
        fn no_index_is_free_twice(steps in prop::collection::vec((0u64..400, 0u64..200), 1..300)) {
            let mut window = ReplayWindow::new(1000);
            let mut used = HashSet::from([1000]);
            for (ahead, behind) in steps {
                let index = window.highest() + ahead / 3 - behind;
                let free = window.is_free(index);
                prop_assert_eq!(free, !used.contains(&index) && index + 128 > window.highest());
                if free {
                    let above = index > window.highest();
                    prop_assert_eq!(window.mark(index), above);
                    used.insert(index);
                }
            }
        }
    }
}
