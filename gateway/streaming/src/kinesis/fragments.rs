//! The audio of one party as fragments, kept until the service has them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::mkv;
use crate::spool::Piece;

/// The longest gap that is filled with silence; after a longer one the time in the stream jumps.
const LONGEST_FILL: Duration = Duration::from_secs(60);

/// Silence comes in blocks of so many milliseconds.
const FILL_MS: u32 = 20;

/// One fragment: a cluster of the stream.
#[derive(Debug)]
struct Fragment {
    start: Duration,
    rate: u32,
    blocks: Vec<Block>,
    /// Nothing is added any more.
    whole: bool,
    /// The service has it: the next one in line may be forgotten with it.
    acknowledged: bool,
}

#[derive(Debug)]
struct Block {
    start: Duration,
    samples: Arc<[i16]>,
}

impl Block {
    fn piece(&self, rate: u32) -> Piece {
        Piece { start: self.start, rate, samples: self.samples.clone() }
    }
}

/// What was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Where the gap begins: time since the call was answered.
    pub start: Duration,
    /// How long it is.
    pub duration: Duration,
}

/// How fragments are made.
#[derive(Debug, Clone, Copy)]
pub struct Lengths {
    /// Of a fragment: 1 to 2 s.
    pub fragment: Duration,
    /// Of all that is kept: beyond it the oldest fragment is thrown away.
    pub kept: Duration,
}

/// What is to be sent, in order, from the first fragment that the service has not acknowledged.
#[derive(Debug)]
pub struct Fragments {
    lengths: Lengths,
    fragments: VecDeque<Fragment>,
    /// Where the last block ends.
    end: Option<Duration>,
    /// The next to be written: which fragment, and which of its blocks.
    next: (usize, usize),
    silence: Option<(u32, Arc<[i16]>)>,
    /// What was thrown away since it was last asked for, should somebody keep it elsewhere.
    gone: Option<Vec<Piece>>,
}

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// The next fragment is of another sampling rate than `rate`: it needs a session of its own.
    OtherRate(u32),
    /// Bytes of the stream; and whether a fragment has begun with them.
    Bytes(Bytes),
}

impl Fragments {
    /// Nothing yet.
    #[must_use]
    pub fn new(lengths: Lengths) -> Self {
        Self { lengths, fragments: VecDeque::new(), end: None, next: (0, 0), silence: None, gone: None }
    }

    /// What is thrown away can be asked for ([`Self::take_gone`]).
    #[must_use]
    pub fn keeping_gone(mut self) -> Self {
        self.gone = Some(Vec::new());
        self
    }

    /// The audio that was thrown away since this was last asked.
    pub fn take_gone(&mut self) -> Vec<Piece> {
        self.gone.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Takes a frame. Returns what had to go to make room.
    pub fn push(&mut self, start: Duration, rate: u32, samples: Arc<[i16]>) -> Option<Lost> {
        if rate == 0 || samples.is_empty() {
            return None;
        }
        if let Some(end) = self.end {
            // What overlaps by less than a millisecond is a matter of rounding; what came before is too late.
            if start + Duration::from_millis(1) < end {
                return None;
            }
            if start - end.min(start) <= LONGEST_FILL {
                self.fill(end, start, rate);
            }
        }
        self.append(start, rate, samples);
        self.make_room()
    }

    /// Silence from `from` to `to`, so that who puts the blocks one behind the other stays in time.
    fn fill(&mut self, mut from: Duration, to: Duration, rate: u32) {
        let step = Duration::from_millis(FILL_MS.into());
        while from + step <= to {
            let silence = match &self.silence {
                Some((of, silence)) if *of == rate => silence.clone(),
                _ => {
                    let silence: Arc<[i16]> = vec![0; (rate * FILL_MS / 1_000) as usize].into();
                    self.silence.insert((rate, silence)).1.clone()
                }
            };
            self.append(from, rate, silence);
            from += step;
        }
    }

    fn append(&mut self, start: Duration, rate: u32, samples: Arc<[i16]>) {
        let length = Duration::from_nanos(samples.len() as u64 * 1_000_000_000 / u64::from(rate));
        let length_of_fragment = self.lengths.fragment;
        match self.fragments.back_mut() {
            Some(last) if !last.whole && last.rate == rate && start < last.start + length_of_fragment => {
                last.blocks.push(Block { start, samples });
            }
            last => {
                if let Some(last) = last {
                    last.whole = true;
                }
                let blocks = vec![Block { start, samples }];
                self.fragments.push_back(Fragment { start, rate, blocks, whole: false, acknowledged: false });
            }
        }
        self.end = Some(start + length);
    }

    fn make_room(&mut self) -> Option<Lost> {
        let mut lost: Option<Lost> = None;
        let end = self.end?;
        while self.fragments.len() > 1
            && let Some(first) = self.fragments.front()
            && end > first.start + self.lengths.kept
        {
            let known = first.acknowledged;
            let (start, gap) = (first.start, self.duration_of_first());
            if !known && let Some(gone) = &mut self.gone {
                gone.extend(first.blocks.iter().map(|block| block.piece(first.rate)));
            }
            self.forget_first();
            if !known {
                let lost = lost.get_or_insert(Lost { start, duration: Duration::ZERO });
                lost.duration += gap;
            }
        }
        lost
    }

    fn duration_of_first(&self) -> Duration {
        let after = self.fragments.get(1).map(|next| next.start).or(self.end);
        match (self.fragments.front(), after) {
            (Some(first), Some(after)) => after.saturating_sub(first.start),
            _ => Duration::ZERO,
        }
    }

    fn forget_first(&mut self) {
        self.fragments.pop_front();
        // In the middle of a fragment that is gone: the next one begins a cluster of its own.
        self.next = match self.next {
            (0, _) => (0, 0),
            (index, block) => (index - 1, block),
        };
    }

    /// A new session: all that is not acknowledged is written again.
    pub fn rewind(&mut self) {
        self.next = (0, 0);
        while self.fragments.front().is_some_and(|first| first.acknowledged) {
            self.forget_first();
        }
    }

    /// The sampling rate of what is to be written next; `None` while there is nothing.
    #[must_use]
    pub fn rate(&self) -> Option<u32> {
        let (index, block) = self.next;
        let fragment = self.fragments.get(index)?;
        if block < fragment.blocks.len() {
            Some(fragment.rate)
        } else {
            self.fragments.get(index + 1).map(|f| f.rate)
        }
    }

    /// What is to be written next to a session of `rate`; `None` while there is nothing.
    ///
    /// - `epoch_ms`: the time of a fragment, from its start.
    /// - `tags`: of each fragment.
    pub fn next(
        &mut self,
        rate: u32,
        epoch_ms: impl Fn(Duration) -> u64,
        tags: &[(&str, &str)],
    ) -> Option<Next> {
        let (mut index, mut block) = self.next;
        let mut fragment = self.fragments.get(index)?;
        if block >= fragment.blocks.len() {
            fragment = self.fragments.get(index + 1)?;
            (index, block) = (index + 1, 0);
        }
        if fragment.rate != rate {
            return Some(Next::OtherRate(fragment.rate));
        }
        let content = fragment.blocks.get(block)?;
        let time_ms = epoch_ms(fragment.start);
        let offset = epoch_ms(content.start).saturating_sub(time_ms);
        let bytes = mkv::block(i16::try_from(offset).unwrap_or(i16::MAX), &content.samples);
        let bytes = if block == 0 { [mkv::fragment(time_ms, tags), bytes].concat().into() } else { bytes };
        self.next = (index, block + 1);
        Some(Next::Bytes(bytes))
    }

    /// Whether the next block that is written begins a fragment.
    #[must_use]
    pub fn at_boundary(&self) -> bool {
        let (index, block) = self.next;
        self.fragments
            .get(index)
            .is_none_or(|fragment| block == 0 || (fragment.whole && block >= fragment.blocks.len()))
    }

    /// The service has the fragment of that time: it and all before it need not be kept.
    pub fn acknowledged(&mut self, time_ms: u64, epoch_ms: impl Fn(Duration) -> u64) {
        for fragment in self.fragments.iter_mut().filter(|fragment| epoch_ms(fragment.start) <= time_ms) {
            fragment.acknowledged = true;
        }
        // The one that is being written stays until the writer has left it.
        while self.next.0 > 0 && self.fragments.front().is_some_and(|first| first.acknowledged) {
            self.forget_first();
        }
        if let Some(first) = self.fragments.front()
            && first.acknowledged
            && first.whole
            && self.next.1 >= first.blocks.len()
        {
            self.forget_first();
        }
    }

    /// The service will never take the fragment of that time.
    pub fn refused(&mut self, time_ms: u64, epoch_ms: impl Fn(Duration) -> u64) -> Option<Lost> {
        let index = self.fragments.iter().position(|fragment| epoch_ms(fragment.start) == time_ms)?;
        if self.fragments.get(index)?.acknowledged {
            return None;
        }
        let after = self.fragments.get(index + 1).map(|next| next.start).or(self.end)?;
        let fragment = self.fragments.get_mut(index)?;
        fragment.acknowledged = true;
        fragment.whole = true;
        let lost = Lost { start: fragment.start, duration: after.saturating_sub(fragment.start) };
        Some(lost)
    }

    /// No more audio comes.
    pub fn finish(&mut self) {
        if let Some(last) = self.fragments.back_mut() {
            last.whole = true;
        }
    }

    /// Whether all was written.
    #[must_use]
    pub fn written(&self) -> bool {
        self.rate().is_none()
    }

    /// How much of what was written is not acknowledged, or not written at all.
    #[must_use]
    pub fn unacknowledged(&self) -> Option<Lost> {
        let first = self.fragments.iter().find(|fragment| !fragment.acknowledged)?;
        Some(Lost { start: first.start, duration: self.end?.saturating_sub(first.start) })
    }

    /// Throws away all that is not acknowledged.
    pub fn give_up(&mut self) -> Option<Lost> {
        let lost = self.unacknowledged();
        if let Some(gone) = &mut self.gone {
            for fragment in self.fragments.iter().filter(|fragment| !fragment.acknowledged) {
                gone.extend(fragment.blocks.iter().map(|block| block.piece(fragment.rate)));
            }
        }
        self.fragments.clear();
        self.next = (0, 0);
        lost
    }

    /// How many fragments are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fragments.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fragments.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;
    const LENGTHS: Lengths = Lengths { fragment: Duration::from_secs(1), kept: Duration::from_secs(4) };

    fn epoch(start: Duration) -> u64 {
        1_700_000_000_000 + u64::try_from(start.as_millis()).unwrap()
    }

    fn push(fragments: &mut Fragments, ms: std::ops::Range<u64>) -> Duration {
        let lost = ms.step_by(20).filter_map(|ms| fragments.push(MS(ms), 8_000, vec![1; 160].into()));
        lost.map(|lost| lost.duration).sum()
    }

    fn write(fragments: &mut Fragments) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(Next::Bytes(bytes)) = fragments.next(8_000, epoch, &[]) {
            out.extend_from_slice(&bytes);
        }
        out
    }

    /// The times of the clusters in a stream.
    fn clusters(bytes: &[u8]) -> Vec<u64> {
        let at =
            bytes.windows(14).filter(|window| window[..4] == [0x1F, 0x43, 0xB6, 0x75] && window[12] == 0xE7);
        let at: Vec<usize> = at.map(|window| window.as_ptr() as usize - bytes.as_ptr() as usize).collect();
        at.iter()
            .map(|at| u64::from_be_bytes(bytes[at + 14..at + 22].try_into().unwrap()) - 1_700_000_000_000)
            .collect()
    }

    #[test]
    fn audio_is_cut_into_fragments_which_are_kept_until_they_are_acknowledged() {
        let mut fragments = Fragments::new(LENGTHS);
        push(&mut fragments, 0..2_500);
        assert_eq!(clusters(&write(&mut fragments)), [0, 1_000, 2_000]);
        assert!(fragments.written() && fragments.len() == 3);
        fragments.acknowledged(epoch(MS(0)), epoch);
        assert_eq!(fragments.len(), 2);
        fragments.rewind();
        push(&mut fragments, 2_500..3_500);
        assert_eq!(clusters(&write(&mut fragments)), [1_000, 2_000, 3_000]);
        fragments.acknowledged(epoch(MS(3_000)), epoch);
        push(&mut fragments, 3_500..4_500);
        assert_eq!(
            clusters(&write(&mut fragments)),
            [4_000],
            "the rest of a fragment that was acknowledged early"
        );
        assert_eq!(fragments.unacknowledged(), Some(Lost { start: MS(4_000), duration: MS(500) }));
    }

    #[test]
    fn the_oldest_goes_when_there_is_too_much() {
        let mut fragments = Fragments::new(LENGTHS);
        let lost = push(&mut fragments, 0..60_000);
        assert_eq!(lost, MS(56_000));
        assert!(fragments.len() <= 5, "{}", fragments.len());
        assert_eq!(clusters(&write(&mut fragments)), [56_000, 57_000, 58_000, 59_000]);
    }

    #[test]
    fn what_goes_while_it_is_written_leaves_whole_clusters_behind() {
        let mut fragments = Fragments::new(LENGTHS);
        push(&mut fragments, 0..500);
        write(&mut fragments);
        push(&mut fragments, 500..9_000);
        assert_eq!(clusters(&write(&mut fragments)), [5_000, 6_000, 7_000, 8_000]);
    }

    #[test]
    fn gaps_are_silence_up_to_a_limit_and_what_is_late_is_left_out() {
        let mut fragments = Fragments::new(Lengths { kept: Duration::from_secs(600), ..LENGTHS });
        push(&mut fragments, 0..100);
        push(&mut fragments, 3_000..3_100);
        push(&mut fragments, 1_000..1_100);
        assert_eq!(clusters(&write(&mut fragments)), [0, 1_000, 2_000, 3_000]);
        let blocks: usize = fragments.fragments.iter().map(|fragment| fragment.blocks.len()).sum();
        assert_eq!(blocks, 3_100 / 20);
        push(&mut fragments, 500_000..500_100);
        assert_eq!(clusters(&write(&mut fragments)), [500_000]);
    }

    #[test]
    fn another_rate_needs_another_session() {
        let mut fragments = Fragments::new(LENGTHS);
        push(&mut fragments, 0..100);
        fragments.push(MS(100), 16_000, vec![0; 320].into());
        assert_eq!(clusters(&write(&mut fragments)), [0]);
        assert_eq!(fragments.next(8_000, epoch, &[]), Some(Next::OtherRate(16_000)));
        assert!(matches!(fragments.next(16_000, epoch, &[]), Some(Next::Bytes(_))));
    }

    #[test]
    fn a_refused_fragment_is_not_sent_again() {
        let mut fragments = Fragments::new(LENGTHS);
        push(&mut fragments, 0..2_500);
        write(&mut fragments);
        assert_eq!(fragments.refused(epoch(MS(0)), epoch), Some(Lost { start: MS(0), duration: MS(1_000) }));
        assert_eq!(fragments.refused(epoch(MS(0)), epoch), None, "told once");
        fragments.rewind();
        assert_eq!(clusters(&write(&mut fragments)), [1_000, 2_000]);
    }
}
