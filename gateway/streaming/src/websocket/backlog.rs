//! What waits for a WebSocket: a few seconds of audio, the oldest thrown away beyond that.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use audio::{Happening, Party};

use crate::rate::Narrowband;

/// Digits and the like are few; so many wait at most.
const OTHERS: usize = 256;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Samples of one party, 8000 in a second.
    Audio {
        /// Whose.
        party: Party,
        /// Time since the call was answered.
        start: Duration,
        /// Mono.
        samples: Arc<[i16]>,
    },
    /// Samples of both, caller first, one by one.
    Stereo {
        /// Time since the call was answered.
        start: Duration,
        /// Interleaved.
        samples: Arc<[i16]>,
    },
    /// A key was pressed.
    Digit {
        /// By whom.
        party: Party,
        /// Time since the call was answered.
        start: Duration,
        /// Which.
        digit: char,
        /// How long.
        duration: Duration,
    },
    /// A party was put on hold, or is back.
    Hold {
        /// Who.
        party: Party,
        /// Time since the call was answered.
        start: Duration,
        /// Whether it is held from here on.
        held: bool,
    },
    /// Audio is missing.
    Dropped {
        /// Whose.
        party: Party,
        /// Time since the call was answered.
        start: Duration,
        /// How long.
        duration: Duration,
    },
}

/// How long a party's audio is waited for by the other's.
const SKEW: usize = 8 * 200;

/// The queue.
#[derive(Debug)]
pub struct Backlog {
    items: VecDeque<Item>,
    /// Of all its audio, counted once for stereo.
    samples: usize,
    /// Most samples.
    limit: usize,
    others: usize,
    narrowband: [Narrowband; 2],
    stereo: Option<Stereo>,
}

/// Puts both parties' samples side by side.
#[derive(Debug, Default)]
struct Stereo {
    /// The number of the first sample of either queue, from the beginning of the call.
    at: Option<usize>,
    queues: [VecDeque<i16>; 2],
}

impl Backlog {
    /// - `kept`: of each party's audio.
    /// - `stereo`: both parties in one.
    #[must_use]
    pub fn new(kept: Duration, stereo: bool) -> Self {
        let kept = usize::try_from(kept.as_millis()).unwrap_or(usize::MAX).saturating_mul(8);
        let (limit, stereo) =
            if stereo { (kept, Some(Stereo::default())) } else { (kept.saturating_mul(2), None) };
        Self { items: VecDeque::new(), samples: 0, limit, others: 0, narrowband: Default::default(), stereo }
    }

    /// Takes what was heard. Returns what had to go: whose, from when, how long.
    pub fn push(&mut self, happening: Happening) -> Vec<(Party, Duration, Duration)> {
        match happening {
            Happening::Frame { party, start, rate, samples, .. } => {
                let narrowband =
                    if party == Party::Caller { &mut self.narrowband[0] } else { &mut self.narrowband[1] };
                let Some(samples) = narrowband.take(rate, samples) else { return Vec::new() };
                match &mut self.stereo {
                    None => self.add(Item::Audio { party, start, samples }),
                    Some(stereo) => {
                        if let Some((start, samples)) = stereo.take(party, start, &samples) {
                            self.add(Item::Stereo { start, samples });
                        }
                    }
                }
            }
            Happening::Digit { party, start, digit, duration } => {
                self.add(Item::Digit { party, start, digit, duration });
            }
            Happening::Hold { party, start, held } => self.add(Item::Hold { party, start, held }),
            Happening::Dropped { party, start, duration } => {
                self.add(Item::Dropped { party, start, duration })
            }
        }
        self.make_room()
    }

    fn add(&mut self, item: Item) {
        match item.length() {
            0 if self.others >= OTHERS => return,
            0 => self.others += 1,
            length => self.samples += length,
        }
        self.items.push_back(item);
    }

    /// What is sent next.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        match item.length() {
            0 => self.others -= 1,
            length => self.samples -= length,
        }
        Some(item)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn make_room(&mut self) -> Vec<(Party, Duration, Duration)> {
        let mut lost: Vec<(Party, Duration, Duration)> = Vec::new();
        let mut kept = Vec::new();
        let mut lose = |party: Party, start: Duration, samples: usize| {
            let duration = Duration::from_micros(samples as u64 * 125);
            match lost.iter_mut().find(|(other, ..)| *other == party) {
                Some((.., sum)) => *sum += duration,
                None => lost.push((party, start, duration)),
            }
        };
        while self.samples > self.limit {
            match self.items.pop_front() {
                Some(Item::Audio { party, start, samples }) => {
                    self.samples -= samples.len();
                    lose(party, start, samples.len());
                }
                Some(Item::Stereo { start, samples }) => {
                    self.samples -= samples.len() / 2;
                    lose(Party::Caller, start, samples.len() / 2);
                    lose(Party::Callee, start, samples.len() / 2);
                }
                Some(other) => kept.push(other),
                None => break,
            }
        }
        // The gap is told where it is, behind what was told before it.
        for (party, start, duration) in &lost {
            let (party, start, duration) = (*party, *start, *duration);
            let before = self.items.iter_mut().chain(&mut kept).find_map(|item| match item {
                Item::Dropped { party: other, start, duration: sum } if *other == party => Some((start, sum)),
                _ => None,
            });
            match before {
                Some((first, sum)) => {
                    *first = start.min(*first);
                    *sum += duration;
                }
                None if self.others < OTHERS => {
                    self.others += 1;
                    kept.push(Item::Dropped { party, start, duration });
                }
                None => {}
            }
        }
        for item in kept.into_iter().rev() {
            self.items.push_front(item);
        }
        lost
    }
}

impl Item {
    /// Samples of one party; 0: it is no audio.
    fn length(&self) -> usize {
        match self {
            Self::Audio { samples, .. } => samples.len(),
            Self::Stereo { samples, .. } => samples.len() / 2,
            Self::Digit { .. } | Self::Hold { .. } | Self::Dropped { .. } => 0,
        }
    }
}

impl Stereo {
    fn take(&mut self, party: Party, start: Duration, samples: &[i16]) -> Option<(Duration, Arc<[i16]>)> {
        let place = usize::try_from(start.as_micros() / 125).ok()?;
        let at = *self.at.get_or_insert(place);
        let [caller, callee] = &mut self.queues;
        let (own, other) =
            if party == Party::Caller { (&mut *caller, &mut *callee) } else { (&mut *callee, &mut *caller) };
        let end = at + own.len();
        // A gap is silence, unless it is so long that it is no gap: then the time jumps. What is late is left out.
        let missing = place.saturating_sub(end);
        if missing > 60 * 8_000 {
            own.clear();
            other.clear();
            self.at = Some(place);
        } else {
            own.extend(std::iter::repeat_n(0, if missing > 1 { missing } else { 0 }));
        }
        let late = if end > place + 1 { end - place } else { 0 };
        own.extend(samples.iter().skip(late));
        // Who is far behind, is silent.
        if own.len() > other.len() + SKEW {
            other.extend(std::iter::repeat_n(0, own.len() - SKEW - other.len()));
        }
        let ready = own.len().min(other.len());
        if ready == 0 {
            return None;
        }
        let start = Duration::from_micros(self.at? as u64 * 125);
        let pairs = caller.drain(..ready).zip(callee.drain(..ready));
        let samples: Arc<[i16]> = pairs.flat_map(|(caller, callee)| [caller, callee]).collect();
        self.at = self.at.map(|at| at + ready);
        Some((start, samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn frame(party: Party, ms: u64, value: i16) -> Happening {
        Happening::Frame {
            party,
            start: MS(ms),
            rate: 8_000,
            samples: vec![value; 160].into(),
            concealed: false,
        }
    }

    fn digit(ms: u64) -> Happening {
        Happening::Digit { party: Party::Caller, start: MS(ms), digit: '5', duration: MS(100) }
    }

    #[test]
    fn the_oldest_audio_goes_and_that_is_said_once_where_the_gap_is() {
        let mut backlog = Backlog::new(MS(1_000), false);
        backlog.push(digit(0));
        let mut lost = Duration::ZERO;
        for ms in (0..600_000).step_by(20) {
            for (party, value) in [(Party::Caller, 1), (Party::Callee, -1)] {
                let gone = backlog.push(frame(party, ms, value));
                lost += gone.into_iter().map(|(.., length)| length).sum::<Duration>();
            }
        }
        assert_eq!(lost, MS(2 * 599_000));
        assert!(backlog.items.len() <= 103, "{}", backlog.items.len());
        assert!(matches!(backlog.pop(), Some(Item::Digit { .. })), "keys are not lost");
        for party in [Party::Caller, Party::Callee] {
            let Some(Item::Dropped { party: of, start, duration }) = backlog.pop() else { panic!() };
            assert_eq!((of, start, duration), (party, MS(0), MS(599_000)));
        }
        assert!(matches!(backlog.pop(), Some(Item::Audio { start, .. }) if start == MS(599_000)));
    }

    #[test]
    fn keys_pressed_all_the_time_are_bounded() {
        let mut backlog = Backlog::new(MS(1_000), false);
        for ms in 0..100_000 {
            backlog.push(digit(ms));
        }
        assert_eq!(backlog.items.len(), OTHERS);
    }

    #[test]
    fn both_parties_are_side_by_side_in_time() {
        let mut backlog = Backlog::new(MS(10_000), true);
        // The callee begins 40 ms later, and is 60 ms late on the way.
        let mut out = Vec::new();
        for ms in (0..2_000).step_by(20) {
            backlog.push(frame(Party::Caller, ms, 1));
            if ms >= 100 {
                backlog.push(frame(Party::Callee, ms - 60, 2));
            }
        }
        while let Some(Item::Stereo { start, samples }) = backlog.pop() {
            assert_eq!(usize::try_from(start.as_micros() / 125).unwrap() * 2, out.len());
            out.extend_from_slice(&samples);
        }
        assert_eq!(out.len() / 16, 2_000 - 60);
        for (at, pair) in out.as_chunks::<2>().0.iter().enumerate() {
            assert_eq!(*pair, [1, if at < 40 * 8 { 0 } else { 2 }], "{at}");
        }
    }

    #[test]
    fn who_says_nothing_is_silent_beside_the_other() {
        let mut backlog = Backlog::new(MS(10_000), true);
        for ms in (0..1_000).step_by(20) {
            backlog.push(frame(Party::Callee, ms, 2));
        }
        let mut count = 0;
        while let Some(Item::Stereo { samples, .. }) = backlog.pop() {
            assert!(samples.as_chunks::<2>().0.iter().all(|pair| *pair == [0, 2]));
            count += samples.len() / 16;
        }
        assert_eq!(count, 800);
    }
}
