//! Sequence numbers: order, gaps, repeats, restarts.

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
        gap: u16,
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
}

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
            self.advance(step);
            return Arrived::Ahead { gap: step - 1 };
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

    /// The stream was suspended by agreement (hold, T.38): whatever gap comes next is no loss.
    pub fn pause(&mut self) {
        self.paused = true;
    }

    /// So many numbers of the last gap did reach us, and were not read.
    pub fn excuse(&mut self, count: u64) {
        self.excused += count;
    }

    /// Highest number and the last 128, where nothing but gaps and late packets may come next: from there another can go on.
    pub(crate) fn state(&self) -> Option<(u64, u128)> {
        let is_plain = self.restart_at.is_none() && !self.paused;
        // What is late then is behind the first number by far.
        (is_plain && self.highest - self.base >= u64::from(u128::BITS)).then_some((self.highest, self.seen))
    }

    /// Goes on from where another that began with [`Sequence::state`] has come, with so many packets more.
    pub(crate) fn go_on(&mut self, (highest, seen): (u64, u128), received: u64, duplicates: u64) {
        (self.highest, self.seen) = (highest.max(self.highest), seen);
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

    /// Expected less received as a report carries it: 24 bits signed, negative after repeats. RFC 3550 A.3.
    pub fn cumulative_lost(&self) -> i32 {
        let lost = i128::from(self.expected()) - i128::from(self.received);
        lost.clamp(-0x80_0000, 0x7f_ffff) as i32
    }

    fn advance(&mut self, step: u16) {
        self.highest += u64::from(step);
        self.seen = self.seen.checked_shl(u32::from(step)).unwrap_or(0) | 1;
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
            self.advance(step);
            return Arrived::Ahead { gap: 0 };
        }
        self.restart(seq, 1);
        Arrived::Restart
    }

    /// Begins a run at `seq`, of which `came` packets are known by the end of this step.
    fn restart(&mut self, seq: u16, came: u64) {
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
