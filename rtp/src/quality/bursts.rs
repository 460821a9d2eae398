//! Whether loss is scattered or comes in bursts.

/// A packet lost between so many that came, on either side, is lost by itself. RFC 3611 §4.7.2.
pub const GMIN: u64 = 16;

/// Bursts and gaps of a stream, and how its losses lie together.
///
/// A burst begins and ends with a lost packet and holds no [`GMIN`] or more that came one after the other; a packet that is lost by
/// itself is no burst. All else is gap. Each packet is in one burst or in one gap. Everything but the numbers that are named
/// otherwise is in packets. RFC 3611 §4.7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BurstCounts {
    /// How many bursts there were.
    pub bursts: u64,
    /// In bursts, lost or not.
    pub burst_packets: u64,
    /// Lost in bursts.
    pub burst_lost: u64,
    /// How many gaps there were.
    pub gaps: u64,
    /// In gaps, lost or not.
    pub gap_packets: u64,
    /// Lost in gaps.
    pub gap_lost: u64,
    /// How often packets were lost one after the other, if only one.
    pub runs: u64,
    /// Lost in those: all that were.
    pub lost: u64,
}

impl BurstCounts {
    /// The share of packets that were lost in bursts, 0 to 1; 0 without one.
    pub fn burst_density(&self) -> f64 {
        share(self.burst_lost, self.burst_packets)
    }

    /// The share of packets that were lost in gaps, 0 to 1.
    pub fn gap_density(&self) -> f64 {
        share(self.gap_lost, self.gap_packets)
    }

    /// Packets of a burst, in the mean; 0 without one.
    pub fn burst_length(&self) -> f64 {
        share(self.burst_packets, self.bursts)
    }

    /// Packets of a gap, in the mean.
    pub fn gap_length(&self) -> f64 {
        share(self.gap_packets, self.gaps)
    }

    /// How much longer packets were lost one after the other than if each were lost by itself: `BurstR` of ITU-T G.107 §7.5, 1 or more.
    ///
    /// - `apart`: runs, and the packets lost in them, that are rated otherwise.
    pub fn burst_ratio(&self, apart: (u64, u64)) -> f64 {
        let (runs, lost) = (self.runs.saturating_sub(apart.0), self.lost.saturating_sub(apart.1));
        let packets = (self.burst_packets + self.gap_packets).saturating_sub(apart.1);
        // Of losses that are independent a run is 1/(1 - loss) packets long.
        (share(lost, runs) * (1.0 - share(lost, packets))).max(1.0)
    }

    pub(crate) fn add(&mut self, other: &BurstCounts) {
        self.each(other, |one, other| *one += other);
    }

    pub(crate) fn since(mut self, earlier: &BurstCounts) -> BurstCounts {
        self.each(earlier, |one, earlier| *one = one.saturating_sub(earlier));
        self
    }

    fn each(&mut self, other: &BurstCounts, act: impl Fn(&mut u64, u64)) {
        act(&mut self.bursts, other.bursts);
        act(&mut self.burst_packets, other.burst_packets);
        act(&mut self.burst_lost, other.burst_lost);
        act(&mut self.gaps, other.gaps);
        act(&mut self.gap_packets, other.gap_packets);
        act(&mut self.gap_lost, other.gap_lost);
        act(&mut self.runs, other.runs);
        act(&mut self.lost, other.lost);
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Takes what became of each packet, in the order of their numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Bursts {
    done: BurstCounts,
    /// The gap of now is counted.
    in_gap: bool,
    /// What may become a burst: packets from its first to its last loss, and how many of them were lost.
    open: (u64, u64),
    /// Came one after the other since.
    received: u64,
}

impl Bursts {
    /// So many came.
    pub(super) fn received(&mut self, count: u64) {
        self.received += count;
    }

    /// So many were lost, one after the other.
    pub(super) fn lost(&mut self, count: u64) {
        if count == 0 {
            return;
        }
        if self.received >= GMIN || self.open.1 == 0 {
            self.settle();
        }
        self.done.runs += u64::from(self.received > 0 || self.open.1 == 0);
        self.done.lost += count;
        self.open.0 += self.received + count;
        self.open.1 += count;
        self.received = 0;
    }

    /// What follows has nothing to do with what was before.
    pub(super) fn settle(&mut self) {
        let (packets, lost) = std::mem::take(&mut self.open);
        if lost > 1 {
            self.done.bursts += 1;
            self.done.burst_packets += packets;
            self.done.burst_lost += lost;
            self.in_gap = false;
        } else {
            self.gap(packets, lost);
        }
        let received = std::mem::take(&mut self.received);
        self.gap(received, 0);
    }

    fn gap(&mut self, packets: u64, lost: u64) {
        if packets > 0 {
            self.done.gaps += u64::from(!self.in_gap);
            self.in_gap = true;
        }
        self.done.gap_packets += packets;
        self.done.gap_lost += lost;
    }

    /// The counts as of now: nothing is lost before and behind.
    pub(super) fn counts(&self) -> BurstCounts {
        let mut now = self.clone();
        now.settle();
        now.done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by the definition, from a list of what came (`true`), as who reads it would do it by hand.
    fn by_hand(came: &[bool]) -> BurstCounts {
        let losses: Vec<usize> = (0..came.len()).filter(|at| !came[*at]).collect();
        let mut groups: Vec<(usize, usize, u64)> = Vec::new();
        for at in losses {
            match groups.last_mut() {
                Some((_, last, count)) if at - *last - 1 < 16 => (*last, *count) = (at, *count + 1),
                _ => groups.push((at, at, 1)),
            }
        }
        let mut counts = BurstCounts::default();
        let mut in_burst = vec![false; came.len()];
        for (first, last, lost) in groups.iter().filter(|(.., lost)| *lost > 1) {
            counts.bursts += 1;
            counts.burst_packets += (last - first + 1) as u64;
            counts.burst_lost += lost;
            in_burst[*first..=*last].fill(true);
        }
        for at in 0..came.len() {
            counts.lost += u64::from(!came[at]);
            counts.runs += u64::from(!came[at] && (at == 0 || came[at - 1]));
            if !in_burst[at] {
                counts.gap_packets += 1;
                counts.gap_lost += u64::from(!came[at]);
                counts.gaps += u64::from(at == 0 || in_burst[at - 1]);
            }
        }
        counts
    }

    fn counted(came: &[bool]) -> BurstCounts {
        let mut bursts = Bursts::default();
        for came in came {
            if *came { bursts.received(1) } else { bursts.lost(1) }
        }
        bursts.counts()
    }

    fn pattern(text: &str) -> Vec<bool> {
        text.chars().map(|letter| letter == '.').collect()
    }

    #[test]
    fn bursts_and_gaps_of_a_few() {
        let gap = ".".repeat(16);
        let near = ".".repeat(15);
        let check = |text: &str, bursts: (u64, u64, u64), gaps: (u64, u64, u64)| {
            let counts = counted(&pattern(text));
            assert_eq!((counts.bursts, counts.burst_packets, counts.burst_lost), bursts, "{text}");
            assert_eq!((counts.gaps, counts.gap_packets, counts.gap_lost), gaps, "{text}");
            assert_eq!(counts, by_hand(&pattern(text)), "{text}");
        };
        check("", (0, 0, 0), (0, 0, 0));
        check("....", (0, 0, 0), (1, 4, 0));
        check(&format!("{gap}x{gap}"), (0, 0, 0), (1, 33, 1));
        check(&format!("{gap}x{gap}x{gap}"), (0, 0, 0), (1, 50, 2));
        check(&format!("{gap}x{near}x{gap}"), (1, 17, 2), (2, 32, 0));
        check(&format!("{gap}xx{gap}"), (1, 2, 2), (2, 32, 0));
        check("xx", (1, 2, 2), (0, 0, 0));
        check(&format!("{gap}xx.x{gap}x{gap}xxx"), (2, 7, 6), (2, 49, 1));
    }

    #[test]
    fn the_figures_of_a_burst() {
        // 50 that came, a burst of 10 with 5 lost, 50 that came with one lost in the middle.
        let text = format!("{}x.x.x.x..x{}x{}", ".".repeat(50), ".".repeat(25), ".".repeat(24));
        let counts = counted(&pattern(&text));
        assert_eq!((counts.burst_density(), counts.burst_length()), (0.5, 10.0));
        assert_eq!((counts.gap_density(), counts.gap_length()), (0.01, 50.0));
        assert_eq!(counts.burst_ratio((0, 0)), 1.0); // each lost by itself
    }

    #[test]
    fn a_burst_ratio_is_one_by_chance_and_more_in_bursts() {
        let in_fours: Vec<bool> = (0..1000).map(|at| at % 100 >= 4).collect();
        assert!((counted(&in_fours).burst_ratio((0, 0)) - 4.0 * 0.96).abs() < 1e-9);
        assert_eq!(BurstCounts::default().burst_ratio((0, 0)), 1.0);
        let mut random = 1_u64;
        let by_chance: Vec<bool> = (0..100_000)
            .map(|_| {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (random >> 33) % 100 >= 20
            })
            .collect();
        let ratio = counted(&by_chance).burst_ratio((0, 0));
        assert!(ratio < 1.02, "{ratio}");
    }

    proptest! {
        #[test]
        fn the_same_as_by_hand(came in prop::collection::vec(prop::bool::weighted(0.9), 0..600)) {
            prop_assert_eq!(counted(&came), by_hand(&came));
        }
    }
}
