//! How often a source gave wrong credentials of late. Bounded: a stranger can't fill it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// So long a wrong answer counts.
const WINDOW: Duration = Duration::from_secs(300);

/// So many sources are remembered; beyond, the oldest are forgotten.
const CAPACITY: usize = 4096;

/// Wrong answers by source.
#[derive(Debug, Default)]
pub(super) struct WrongAnswers {
    sources: HashMap<IpAddr, (u32, Instant)>,
}

impl WrongAnswers {
    /// How many there were within the window that the last one began or went on.
    pub fn count(&self, now: Instant, source: IpAddr) -> u32 {
        match self.sources.get(&source) {
            Some((count, last)) if now.duration_since(*last) < WINDOW => *count,
            _ => 0,
        }
    }

    /// One more.
    pub fn add(&mut self, now: Instant, source: IpAddr) {
        let count = self.count(now, source) + 1;
        if self.sources.len() >= CAPACITY && !self.sources.contains_key(&source) {
            self.sources.retain(|_, (_, last)| now.duration_since(*last) < WINDOW);
            let oldest = self.sources.iter().min_by_key(|(_, (_, last))| *last).map(|(source, _)| *source);
            if let Some(oldest) = oldest.filter(|_| self.sources.len() >= CAPACITY) {
                self.sources.remove(&oldest);
            }
        }
        self.sources.insert(source, (count, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_count_within_the_window_and_the_table_is_bounded() {
        let start = Instant::now();
        let mut wrong = WrongAnswers::default();
        let source = IpAddr::from([192, 0, 2, 1]);
        wrong.add(start, source);
        wrong.add(start + WINDOW / 2, source);
        assert_eq!(wrong.count(start + WINDOW, source), 2);
        assert_eq!(wrong.count(start + WINDOW * 2, source), 0);
        for number in 0..10_000_u32 {
            wrong.add(start, IpAddr::from(number.to_be_bytes()));
        }
        assert!(wrong.sources.len() <= CAPACITY);
    }
}
