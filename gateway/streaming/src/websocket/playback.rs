//! Audio that a server sends back, on its way to a party at the pace that it is heard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// 8000 samples a second, in frames of 20 ms.
const FRAME: usize = 160;

/// Length of a frame.
const PACE: Duration = Duration::from_millis(20);

/// So much may wait to be played: a minute.
const LIMIT: usize = 60 * 8_000;

/// So many marks may wait.
const MARKS: usize = 256;

/// The longest name of a mark, in bytes.
const NAME: usize = 256;

/// The queue of one party.
#[derive(Debug, Default)]
pub struct Playback {
    samples: VecDeque<i16>,
    /// Marks by the number of the sample that they stand before.
    marks: VecDeque<(u64, String)>,
    /// Samples played, or cleared, so far.
    played: u64,
    next: Option<Instant>,
    refused: u64,
}

/// What is to be done now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// A frame to play.
    pub frame: Option<Arc<[i16]>>,
    /// Marks that were reached.
    pub marks: Vec<String>,
}

impl Playback {
    /// Audio came. What does not fit is refused, and counted.
    pub fn push(&mut self, now: Instant, samples: &[i16]) {
        let room = LIMIT - self.samples.len().min(LIMIT);
        self.samples.extend(samples.iter().take(room));
        self.refused += samples.len().saturating_sub(room) as u64;
        if !self.samples.is_empty() {
            self.next.get_or_insert(now);
        }
    }

    /// A mark came: it is told when what came before it has been played. Returns it if that is now.
    pub fn mark(&mut self, name: &str) -> Option<String> {
        if self.samples.is_empty() && name.len() <= NAME {
            return Some(name.to_owned());
        }
        if self.marks.len() < MARKS && name.len() <= NAME {
            self.marks.push_back((self.played + self.samples.len() as u64, name.to_owned()));
        }
        None
    }

    /// What waits is not wanted any more. Returns its marks: they are told at once.
    pub fn clear(&mut self) -> Vec<String> {
        self.played += self.samples.len() as u64;
        self.samples.clear();
        self.next = None;
        self.marks.drain(..).map(|(_, name)| name).collect()
    }

    /// When something is due; `None`: nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// What is due.
    pub fn handle_timeout(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        let Some(at) = self.next.filter(|at| *at <= now) else { return due };
        let length = FRAME.min(self.samples.len());
        if length > 0 {
            let mut frame: Vec<i16> = self.samples.drain(..length).collect();
            frame.resize(FRAME, 0);
            due.frame = Some(frame.into());
            self.played += length as u64;
        }
        while let Some((place, _)) = self.marks.front()
            && *place <= self.played
        {
            due.marks.extend(self.marks.pop_front().map(|(_, name)| name));
        }
        // Who was held up does not play the rest faster.
        self.next = if self.samples.is_empty() { None } else { Some((at + PACE).max(now)) };
        due
    }

    /// Audio that there was no room for.
    #[must_use]
    pub fn refused(&self) -> Duration {
        Duration::from_micros(self.refused * 125)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_is_played_at_its_pace_and_marks_are_told_when_they_are_reached() {
        let start = Instant::now();
        let mut playback = Playback::default();
        assert_eq!(playback.mark("before"), Some("before".to_owned()));
        playback.push(start, &[1; 400]);
        assert_eq!(playback.mark("middle"), None);
        playback.push(start, &[2; 160]);
        assert_eq!(playback.mark("end"), None);
        let (mut told, mut heard) = (Vec::new(), Vec::new());
        while let Some(at) = playback.poll_timeout() {
            let due = playback.handle_timeout(at);
            told.extend(due.marks.into_iter().map(|name| (name, (at - start).as_millis())));
            heard.extend(due.frame.iter().flat_map(|frame| frame.to_vec()));
        }
        assert_eq!(told, [("middle".to_owned(), 40), ("end".to_owned(), 60)]);
        assert_eq!(heard, [[1; 400].to_vec(), [2; 160].to_vec(), [0; 80].to_vec()].concat());
    }

    #[test]
    fn what_is_cleared_is_not_heard_and_its_marks_are_told_at_once() {
        let start = Instant::now();
        let mut playback = Playback::default();
        playback.push(start, &[1; 1_600]);
        playback.mark("end");
        assert!(playback.handle_timeout(start).frame.is_some());
        assert_eq!(playback.clear(), ["end"]);
        assert_eq!(playback.poll_timeout(), None);
        playback.push(start + PACE, &[3; 160]);
        assert_eq!(playback.mark("next"), None);
        let due = playback.handle_timeout(start + PACE);
        assert_eq!(due, Due { frame: Some(vec![3; 160].into()), marks: vec!["next".to_owned()] });
    }

    #[test]
    fn a_flood_is_bounded_and_said() {
        let start = Instant::now();
        let mut playback = Playback::default();
        for _ in 0..1_000 {
            playback.push(start, &[1; 8_000]);
            playback.mark(&"m".repeat(200));
            assert_eq!(playback.mark(&"m".repeat(1_000_000)), None);
        }
        assert_eq!((playback.samples.len(), playback.marks.len()), (LIMIT, MARKS));
        assert_eq!(playback.refused(), Duration::from_secs(940));
    }
}
