//! A flood at one port: what does not come from its source is dropped by the kernel for a while.

use std::time::{Duration, Instant};

/// So many datagrams of strangers within [`PERIOD`] are a flood: ten times the packets of a call.
const MOST: u32 = 500;
const PERIOD: Duration = Duration::from_secs(1);
/// Then everybody is heard again, for a phone may have moved; a flood that goes on is soon shed once more.
const SHED: Duration = Duration::from_secs(2);

/// What is known of strangers at one port.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flood {
    /// When counting began.
    began: Option<Instant>,
    refused: u32,
    /// The kernel sheds until then.
    until: Option<Instant>,
}

impl Flood {
    /// A datagram of a stranger was refused at `now`. Returns whether to shed from now on.
    pub(super) fn handle_refusal(&mut self, now: Instant) -> bool {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) > PERIOD) {
            (self.began, self.refused) = (Some(now), 0);
        }
        self.refused += 1;
        if self.refused < MOST || self.until.is_some() {
            return false;
        }
        self.until = Some(now + SHED);
        true
    }

    /// Signalling spoke: whoever it names is to be heard.
    pub(super) fn end(&mut self, now: Instant) {
        self.until = self.until.map(|until| until.min(now));
    }

    /// When to call [`Flood::handle_timeout`].
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.until
    }

    /// Time passed. Returns whether to hear everybody again.
    pub(super) fn handle_timeout(&mut self, now: Instant) -> bool {
        let is_over = self.until.is_some_and(|until| until <= now);
        if is_over {
            *self = Flood::default();
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_shed_for_a_while_and_no_trickle_is() {
        let start = Instant::now();
        let mut flood = Flood::default();
        for packet in 0..2000 {
            assert!(!flood.handle_refusal(start + packet * Duration::from_millis(3))); // 333 a second
        }
        let later = start + Duration::from_secs(60);
        let begins = (0..600).filter(|_| flood.handle_refusal(later)).count();
        assert_eq!((begins, flood.poll_timeout()), (1, Some(later + SHED)));
        assert!(!flood.handle_timeout(later + SHED - Duration::from_millis(1)));
        assert!(flood.handle_timeout(later + SHED));
        assert_eq!(flood.poll_timeout(), None);
        assert_eq!((0..600).filter(|_| flood.handle_refusal(later + SHED)).count(), 1);
        flood.end(later + SHED);
        assert!(flood.handle_timeout(later + SHED));
    }
}
