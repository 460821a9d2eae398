//! Sequence numbers: order, gaps, repeats, restarts.

use super::BurstCounts;
use super::bursts::Bursts;

/// A step forward of this many or more is no gap but a jump. RFC 3550 A.1.
pub const MAX_DROPOUT: u16 = 3000;
/// A step backward of more than this is no reordering but a jump. RFC 3550 A.1.
pub const MAX_MISORDER: u16 = 100;

/// How a packet fits into what came before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// Ahead of all others, after `gap` numbers that did not come (0: the next one).
    Ahead {
        /// Numbers passed over.
        gap: u64,
    },
    /// Late: it fills a gap.
    Late,
    /// Seen before.
    Duplicate,
    /// Too far away to be of this run; not counted until the next number confirms it.
    Jump,
    /// The second packet in a row after a jump: the sender has begun anew.
    Restart,
}

/// The sequence numbers of one stream.
///
/// RFC 3550 A.1 with these differences: a new source counts from its first packet (the source lock has judged it, so
/// `MIN_SEQUENTIAL` applies to jumps only); repeats are told apart by a bitmap of the last 128 numbers; a restart keeps
/// the totals of what went before and counts both of the packets that proved it; and a gap that follows [`pause`],
/// or is known to be our own doing ([`excuse`]), is not loss.
///
/// [`pause`]: Sequence::pause
/// [`excuse`]: Sequence::excuse
#[derive(Debug, Clone)]
pub struct Sequence {
    /// Highest number, extended: cycles above the low 16 bits.
    highest: u64,
    /// Lowest number of this run, extended.
    base: u64,
    /// Bit `n`: `highest - n` has come.
    seen: u128,
    /// What must come next to prove a restart.
    restart_at: Option<u16>,
    /// The next gap was announced.
    paused: bool,
    /// Numbers of this run that were skipped in pauses, or dropped by us.
    excused: u64,
    /// Expected in earlier runs.
    earlier: u64,
    received: u64,
    duplicates: u64,
    /// What became of the numbers before the last 128.
    bursts: Bursts,
    /// Lost just before those: the gap that the last step has left, for so long as it may turn out to be our own doing.
    passed_over: u64,
    /// Bit `n`: `highest - n` did not come, and is nobody's loss.
    skipped: u128,
    /// Somebody else has counted losses, and nobody knows where they lie.
    is_unplaced: bool,
}

/// Numbers that may still come late.
const WINDOW: u64 = 128;

/// Extended numbers start one cycle up, so that a late packet before the first has a number too.
const FIRST_CYCLE: u64 = 1 << 16;

impl Sequence {
    /// A stream that starts with `seq`.
    pub fn new(seq: u16) -> Sequence {
        let first = FIRST_CYCLE + u64::from(seq);
        Sequence {
            highest: first,
            base: first,
            seen: 1,
            restart_at: None,
            paused: false,
            excused: 0,
            earlier: 0,
            received: 1,
            duplicates: 0,
            bursts: Bursts::default(),
            passed_over: 0,
            skipped: 0,
            is_unplaced: false,
        }
    }

    /// Places the next packet.
    pub fn handle_seq(&mut self, seq: u16) -> Arrived {
        let step = seq.wrapping_sub(self.highest as u16);
        if std::mem::take(&mut self.paused) && step != 0 {
            return self.resume(seq, step);
        }
        if (1..MAX_DROPOUT).contains(&step) {
            self.restart_at = None;
            self.advance(u64::from(step));
            return Arrived::Ahead { gap: u64::from(step - 1) };
        }
        let behind = self.highest as u16;
        let behind = behind.wrapping_sub(seq);
        if behind <= MAX_MISORDER {
            return self.fill(u32::from(behind));
        }
        if self.restart_at == Some(seq) {
            self.restart(seq.wrapping_sub(1), 2);
            self.advance(1);
            return Arrived::Restart;
        }
        self.restart_at = Some(seq.wrapping_add(1));
        Arrived::Jump
    }

    /// Places a packet after so many that did not come, where that is known from elsewhere: a step beyond [`MAX_DROPOUT`] says by
    /// itself nothing.
    pub fn pass_over(&mut self, gap: u64) -> Arrived {
        (self.restart_at, self.paused) = (None, false);
        self.advance(gap + 1);
        Arrived::Ahead { gap }
    }

    /// The stream was suspended by agreement (hold, T.38): whatever gap comes next is no loss.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// So many numbers of the last gap did reach us, and were not read.
    pub fn excuse(&mut self, count: u64) {
        self.excused += count;
        let behind = count.min(self.passed_over);
        self.passed_over -= behind;
        let gap = (self.seen >> 1).trailing_zeros();
        self.skip(u64::from(gap).min(count - behind));
    }

    /// The last numbers before the highest are nobody's loss.
    fn skip(&mut self, count: u64) {
        let all = u32::try_from(count).ok().and_then(|count| 1_u128.checked_shl(count));
        self.skipped |= all.map_or(u128::MAX, |bit| bit - 1) << 1;
    }

    /// Highest number and the last 128, where nothing but gaps and late packets may come next: from there another can go on.
    pub(crate) fn state(&self) -> Option<(u64, u128)> {
        let is_plain = self.restart_at.is_none() && !self.paused;
        // What is late then is behind the first number by far.
        (is_plain && self.highest - self.base >= u64::from(u128::BITS)).then_some((self.highest, self.seen))
    }

    /// Goes on from where another that began with [`Sequence::state`] has come, with so many packets more.
    pub(crate) fn go_on(&mut self, (highest, seen): (u64, u128), received: u64, duplicates: u64) {
        let highest = highest.max(self.highest);
        // It began with a window that was full, and it has a full one.
        let step = highest - self.highest;
        let (known, left) = ((self.seen | self.skipped).count_ones(), seen.count_ones());
        let came = (received.saturating_sub(duplicates) + u64::from(known)).saturating_sub(u64::from(left));
        let lost = step.saturating_sub(came);
        // Of those of the window that are too old now it is known which; of what has come and gone since, if none is lost.
        let past = u32::try_from(WINDOW - step.min(WINDOW)).ok();
        let known_lost = past.and_then(|past| (!(self.seen | self.skipped)).checked_shr(past)).unwrap_or(0);
        self.is_unplaced |= lost != u64::from(known_lost.count_ones());
        self.tell(step.min(WINDOW));
        self.bursts.received(step.saturating_sub(WINDOW));
        (self.highest, self.seen, self.skipped) = (highest, seen, 0);
        self.received += received;
        self.duplicates += duplicates;
    }

    /// Highest number so far: cycles above, sequence number below, as a report carries it.
    pub fn highest(&self) -> u32 {
        (self.highest - FIRST_CYCLE) as u32
    }

    /// Packets that should have come: RFC 3550 A.3, over all runs, less the pauses.
    pub fn expected(&self) -> u64 {
        self.earlier + (self.highest - self.base + 1).saturating_sub(self.excused)
    }

    /// Packets that came, repeats included, jumps that proved nothing excluded. RFC 3550 A.3.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Packets that came more than once.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Packets that never came. Repeats do not make up for them, unlike in [`Sequence::cumulative_lost`].
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received - self.duplicates)
    }

    /// How the losses lie; `None`: somebody else has counted them, and does not know.
    pub fn bursts(&self) -> Option<BurstCounts> {
        if self.is_unplaced {
            return None;
        }
        let mut now = self.clone();
        now.tell(WINDOW);
        Some(now.bursts.counts())
    }

    /// Expected less received as a report carries it: 24 bits signed, negative after repeats. RFC 3550 A.3.
    pub fn cumulative_lost(&self) -> i32 {
        let lost = i128::from(self.expected()) - i128::from(self.received);
        lost.clamp(-0x80_0000, 0x7f_ffff) as i32
    }

    /// What became of the oldest numbers of the window is known, for so many more come.
    fn tell(&mut self, step: u64) {
        let lost = std::mem::take(&mut self.passed_over);
        self.bursts.lost(lost);
        for age in (WINDOW.saturating_sub(step)..WINDOW).rev() {
            let is_of_this_run = self.highest - self.base >= age;
            match is_of_this_run {
                true if self.seen >> age & 1 == 1 => self.bursts.received(1),
                true if self.skipped >> age & 1 == 0 => self.bursts.lost(1),
                _ => {}
            }
        }
        self.passed_over = step.saturating_sub(WINDOW);
    }

    fn advance(&mut self, step: u64) {
        self.tell(step);
        self.skipped = u32::try_from(step).ok().and_then(|step| self.skipped.checked_shl(step)).unwrap_or(0);
        self.highest += step;
        self.seen = u32::try_from(step).ok().and_then(|step| self.seen.checked_shl(step)).unwrap_or(0) | 1;
        self.received += 1;
    }

    fn fill(&mut self, behind: u32) -> Arrived {
        self.received += 1;
        let bit = 1_u128.checked_shl(behind).unwrap_or(0);
        if self.seen & bit != 0 {
            self.duplicates += 1;
            return Arrived::Duplicate;
        }
        self.seen |= bit;
        // Reordered at the very start: the run began earlier than we thought.
        self.base = self.base.min(self.highest - u64::from(behind));
        Arrived::Late
    }

    fn resume(&mut self, seq: u16, step: u16) -> Arrived {
        self.restart_at = None;
        if step < 0x8000 {
            self.excused += u64::from(step - 1);
            self.advance(u64::from(step));
            self.passed_over = 0;
            self.skip(u64::from(step - 1));
            return Arrived::Ahead { gap: 0 };
        }
        self.restart(seq, 1);
        Arrived::Restart
    }

    /// Begins a run at `seq`, of which `came` packets are known by the end of this step.
    fn restart(&mut self, seq: u16, came: u64) {
        self.tell(WINDOW);
        self.bursts.settle();
        self.skipped = 0;
        self.earlier = self.expected();
        self.received += came - u64::from(came > 1); // advance() counts the second
        self.highest = FIRST_CYCLE + u64::from(seq);
        self.base = self.highest;
        self.seen = 1;
        self.restart_at = None;
        self.excused = 0;
    }
}

/// The fraction lost of a report block, in 1/256: 0 when repeats outweigh the loss, 255 when everything was lost.
///
/// Source: RFC 3550 A.3, which would let 256 overflow to 0.
pub(super) fn fraction_lost(expected: u64, received: u64) -> u8 {
    let lost = expected.saturating_sub(received);
    u8::try_from((lost << 8).checked_div(expected).unwrap_or(0)).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Arrived::{Ahead, Duplicate, Jump, Late, Restart};

    /// Feeds `seqs` (the first starts the stream); returns the verdicts and (expected, received, lost, cumulative).
    fn run(seqs: &[u16]) -> (Vec<Arrived>, (u64, u64, u64, i32)) {
        let mut sequence = Sequence::new(seqs[0]);
        let verdicts = seqs[1..].iter().map(|seq| sequence.handle_seq(*seq)).collect();
        let figures = (sequence.expected(), sequence.received(), sequence.lost(), sequence.cumulative_lost());
        (verdicts, figures)
    }

    #[test]
    fn verdicts_and_figures() {
        let next = Ahead { gap: 0 };
        type Case<'a> = (&'a [u16], &'a [Arrived], (u64, u64, u64, i32));
        let cases: &[Case<'_>] = &[
            (&[1, 2, 3], &[next, next], (3, 3, 0, 0)),
            (&[1, 4], &[Ahead { gap: 2 }], (4, 2, 2, 2)),
            (&[1, 4, 2], &[Ahead { gap: 2 }, Late], (4, 3, 1, 1)),
            (&[1, 2, 2, 1], &[next, Duplicate, Duplicate], (2, 4, 0, -2)),
            (&[1, 3, 3], &[Ahead { gap: 1 }, Duplicate], (3, 3, 1, 0)),
            (&[65534, 65535, 0, 1], &[next, next, next], (4, 4, 0, 0)),
            (&[0, 65535], &[Late], (2, 2, 0, 0)),
            (&[5, 3004], &[Ahead { gap: 2998 }], (3000, 2, 2998, 2998)),
            (&[5, 3005], &[Jump], (1, 1, 0, 0)),
            (&[5, 3005, 6], &[Jump, next], (2, 2, 0, 0)),
            (&[5, 9000, 9001, 9002], &[Jump, Restart, next], (4, 4, 0, 0)),
            (&[5, 9000, 9002, 9003], &[Jump, Jump, Restart], (3, 3, 0, 0)),
            (&[500, 400], &[Late], (101, 2, 99, 99)),
            (&[500, 399], &[Jump], (1, 1, 0, 0)),
        ];
        for (seqs, verdicts, figures) in cases {
            assert_eq!(run(seqs), (verdicts.to_vec(), *figures), "{seqs:?}");
        }
    }

    /// Bursts and gaps are those of the numbers, in their order, whatever the order of arrival: as who looks at them afterwards would
    /// count them.
    #[test]
    fn bursts_are_those_of_the_numbers() {
        let is_lost = |n: u32| n % 100 < 3 || (700..712).contains(&n) || n % 97 == 5;
        let mut numbers: Vec<u32> = (1..1500).filter(|n| !is_lost(*n) || *n < 20).collect();
        let mut by_number = Bursts::default();
        let end = *numbers.last().unwrap();
        (1..=end).for_each(|n| if numbers.contains(&n) { by_number.received(1) } else { by_number.lost(1) });
        // Late by up to a hundred.
        (0..numbers.len() - 60).step_by(61).for_each(|at| numbers[at + 1..at + 60].rotate_left(1));
        let mut sequence = Sequence::new(65_500);
        for n in &numbers[1..] {
            sequence.handle_seq(65_499_u16.wrapping_add(*n as u16));
        }
        assert_eq!(sequence.lost(), by_number.counts().lost);
        assert_eq!(sequence.bursts(), Some(by_number.counts()));
        assert!(sequence.bursts().is_some_and(|counts| counts.bursts > 10 && counts.gap_lost > 0));
    }

    #[test]
    fn what_is_no_loss_is_in_no_burst() {
        let mut sequence = Sequence::new(0);
        (1..200).for_each(|seq| _ = sequence.handle_seq(seq));
        sequence.pause();
        sequence.handle_seq(5_000);
        (5_001..5_010).for_each(|seq| _ = sequence.handle_seq(seq));
        assert_eq!(sequence.handle_seq(5_040), Ahead { gap: 30 });
        sequence.excuse(28);
        (5_041..5_300).for_each(|seq| _ = sequence.handle_seq(seq));
        let counts = sequence.bursts().unwrap();
        assert_eq!((counts.lost, counts.runs), (2, 1));
        assert_eq!(
            (counts.lost, counts.burst_packets + counts.gap_packets),
            (sequence.lost(), sequence.expected())
        );
        // A gap that is longer than what may come late.
        assert_eq!(sequence.handle_seq(5_600), Ahead { gap: 300 });
        sequence.excuse(290);
        (5_601..5_900).for_each(|seq| _ = sequence.handle_seq(seq));
        assert_eq!((sequence.bursts().unwrap().lost, sequence.lost()), (12, 12));
        // The numbers jump: nothing is lost by it.
        (20_000..20_300).for_each(|seq| _ = sequence.handle_seq(seq));
        let counts = sequence.bursts().unwrap();
        assert_eq!(counts.lost, 12);
        assert_eq!(counts.burst_packets + counts.gap_packets, sequence.expected());
    }

    #[test]
    fn what_somebody_else_has_counted_lies_where_it_can_be_known() {
        let mut whole = Sequence::new(0);
        (1..300).filter(|seq| *seq != 200).for_each(|seq| _ = whole.handle_seq(seq));
        let (highest, _) = whole.state().unwrap();
        // 250 numbers more, of which the last of late are still missing.
        let mut sequence = whole.clone();
        sequence.go_on((highest + 250, !(0b11 << 3)), 248, 0);
        let counts = sequence.bursts().unwrap();
        assert_eq!((counts.lost, sequence.lost()), (3, 3));
        assert_eq!(counts.burst_packets + counts.gap_packets, sequence.expected());
        assert_eq!((counts.bursts, counts.burst_lost), (1, 2));
        // Few enough for all to be known, and one that was missing came late.
        let mut sequence = whole.clone();
        sequence.go_on((highest + 20, u128::MAX), 21, 0);
        assert_eq!((sequence.bursts().unwrap().lost, sequence.lost()), (0, 0));
        // Three of them were lost a while ago, somewhere.
        whole.go_on((highest + 250, u128::MAX), 247, 0);
        assert_eq!((whole.bursts(), whole.lost()), (None, 4));
    }

    #[test]
    fn the_highest_number_counts_cycles() {
        let mut sequence = Sequence::new(65535);
        assert_eq!(sequence.highest(), 65535);
        sequence.handle_seq(0);
        assert_eq!(sequence.highest(), 65536);
        assert_eq!(sequence.handle_seq(65535), Duplicate);
        assert_eq!(sequence.highest(), 65536);
    }

    #[test]
    fn a_gap_after_a_pause_is_no_loss() {
        let mut sequence = Sequence::new(10);
        sequence.pause();
        assert_eq!(sequence.handle_seq(5010), Ahead { gap: 0 });
        assert_eq!(sequence.handle_seq(5012), Ahead { gap: 1 });
        assert_eq!((sequence.expected(), sequence.lost(), sequence.highest()), (4, 1, 5012));
        sequence.pause();
        assert_eq!(sequence.handle_seq(20), Restart);
        assert_eq!((sequence.expected(), sequence.received(), sequence.lost()), (5, 4, 1));
    }

    #[test]
    fn fractions_of_the_standard() {
        for (expected, received, fraction) in [
            (250, 245, 5),
            (256, 255, 1),
            (100, 50, 128),
            (100, 99, 2),
            (100, 102, 0),
            (1, 0, 255),
            (0, 0, 0),
        ] {
            assert_eq!(fraction_lost(expected, received), fraction, "{received} of {expected}");
        }
    }
}
