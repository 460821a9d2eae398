//! What the log says of hosts that change health: when a network is gone, thousands do at once.

use std::time::{Duration, Instant};

/// So many are named in a second; of the others there is a count.
const NAMED: u32 = 5;

const SECOND: Duration = Duration::from_secs(1);

/// The changes of one second.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// When the second is over; `None`: no host changed since the last one.
    until: Option<Instant>,
    named: u32,
    /// The hosts that were not named, by what they have become.
    up: u32,
    down: u32,
}

impl Changes {
    /// A host is up or down now. Says whether to name it.
    pub fn take(&mut self, now: Instant, up: bool) -> bool {
        self.handle_timeout(now);
        self.until.get_or_insert(now + SECOND);
        let named = self.named < NAMED;
        self.named += u32::from(named);
        self.up += u32::from(!named && up);
        self.down += u32::from(!named && !up);
        named
    }

    /// When to call [`Changes::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.until
    }

    /// What was not named in a second that is over is counted in the log.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.until.is_none_or(|until| until > now) {
            return;
        }
        let Changes { up, down, .. } = std::mem::take(self);
        if up + down > 0 {
            tracing::warn!(up, down, "more hosts changed health");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_second_are_named_and_the_others_counted() {
        let (mut changes, start) = (Changes::default(), Instant::now());
        let named = (0..5_000).filter(|number| changes.take(start, number % 5 == 0)).count();
        assert_eq!((named, changes.up, changes.down), (5, 999, 3_996));
        let end = changes.poll_timeout().unwrap();
        assert_eq!(end, start + SECOND, "nobody else need change for the count to be told");
        changes.handle_timeout(end - Duration::from_millis(1));
        assert_eq!(changes.up, 999);
        changes.handle_timeout(end);
        assert_eq!((changes.up, changes.down, changes.poll_timeout()), (0, 0, None));
        assert!(changes.take(end, true));
    }
}
