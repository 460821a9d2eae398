//! What the log says of hosts that change health: when a network is gone, thousands do at once.

/// So many are named in a second; of the others there is a count.
const NAMED: u32 = 5;

/// The changes of one second.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// Since the Unix epoch.
    second: u64,
    named: u32,
    /// Those that were not named, by what they have become.
    up: u32,
    down: u32,
}

impl Changes {
    /// A host is up or down now. Says whether to name it.
    pub fn take(&mut self, second: u64, up: bool) -> bool {
        self.pass(second);
        let named = self.named < NAMED;
        self.named += u32::from(named);
        self.up += u32::from(!named && up);
        self.down += u32::from(!named && !up);
        named
    }

    /// Time passes: what was not named in a second that is over is counted in the log.
    pub fn pass(&mut self, second: u64) {
        if second == self.second {
            return;
        }
        let Changes { up, down, .. } = std::mem::replace(self, Changes { second, ..Changes::default() });
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
        let mut changes = Changes::default();
        let named = (0..5_000).filter(|number| changes.take(7, number % 5 == 0)).count();
        assert_eq!((named, changes.up, changes.down), (5, 999, 3_996));
        changes.pass(7);
        assert_eq!(changes.up, 999);
        changes.pass(8);
        assert_eq!((changes.up, changes.down), (0, 0));
        assert!(changes.take(8, true));
    }
}
