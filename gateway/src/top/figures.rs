//! What two samples say of the time between them.

use std::collections::VecDeque;
use std::time::Duration;

use super::sample::{Counts, Sample};

/// The shares and means are those of so long.
const WINDOW: Duration = Duration::from_secs(300);

/// Calls per second are those of so long.
const RATE: Duration = Duration::from_secs(10);

/// Samples are kept so far apart, but for the newest ones.
const STEP: Duration = Duration::from_secs(2);

/// The samples of the last minutes. Times are those since the first.
#[derive(Debug, Default)]
pub struct History(VecDeque<(Duration, Sample)>);

/// What is shown of a connector, a carrier, or all. `None`: nothing to tell it by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Calls that are up now.
    pub active: f64,
    /// Calls begun per second.
    pub cps: f64,
    /// Answer-seizure ratio: the share of calls that were answered, in percent.
    pub asr: Option<f64>,
    /// Average call duration, in seconds.
    pub acd: Option<f64>,
    /// Mean opinion score.
    pub mos: Option<f64>,
    /// Calls refused by a limit.
    pub throttled: f64,
}

impl History {
    /// One more sample. Where a counter has gone back the gateway began anew, and what was before counts no more.
    pub fn push(&mut self, at: Duration, sample: Sample) {
        let attempts =
            |sample: &Sample| sample.connectors.values().map(|counts| counts.attempts).sum::<f64>();
        if self.0.back().is_some_and(|(_, last)| attempts(last) > attempts(&sample)) {
            self.0.clear();
        }
        let crowded =
            self.0.len() > 1 && self.0.get(self.0.len() - 2).is_some_and(|(before, _)| at < *before + STEP);
        if crowded {
            self.0.pop_back();
        }
        self.0.push_back((at, sample));
        while self.0.get(1).is_some_and(|(second, _)| *second + WINDOW <= at) {
            self.0.pop_front();
        }
    }

    /// The newest sample.
    #[must_use]
    pub fn newest(&self) -> Option<&Sample> {
        self.0.back().map(|(_, sample)| sample)
    }

    /// How long is looked back; none: to the beginning of the gateway.
    #[must_use]
    pub fn window(&self) -> Option<Duration> {
        let (first, last) = (self.0.front()?.0, self.0.back()?.0);
        Some(last - first).filter(|window| *window >= Duration::from_secs(60))
    }

    /// Whether there is a time to count calls in.
    #[must_use]
    pub fn is_rate(&self) -> bool {
        self.0.len() > 1
    }

    /// What of `counts` has changed.
    ///
    /// - `of`: the same counts of any sample.
    #[must_use]
    pub fn figures(&self, of: impl Fn(&Sample) -> Counts) -> Figures {
        let Some((last, newest)) = self.0.back() else { return Figures::default() };
        let now = of(newest);
        let past =
            self.window().and_then(|_| self.0.front()).map(|(_, sample)| of(sample)).unwrap_or_default();
        let since = now.with(past, |now, past| (now - past).max(0.0));
        let before = self.0.iter().rev().find(|(at, _)| *at + RATE <= *last).or(self.0.front());
        let cps = before.map_or(0.0, |(at, sample)| {
            let seconds = (*last - *at).as_secs_f64();
            if seconds > 0.0 { (now.attempts - of(sample).attempts).max(0.0) / seconds } else { 0.0 }
        });
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
        Figures {
            active: now.active,
            cps,
            asr: share(since.answered * 100.0, since.attempts).map(|asr| asr.min(100.0)),
            acd: share(since.talked, since.ended),
            mos: share(since.mos, since.scores),
            throttled: since.throttled,
        }
    }

    /// The same of all connectors together.
    #[must_use]
    pub fn all(&self) -> Figures {
        self.figures(|sample| {
            let sum = |all: Counts, one: &Counts| Counts {
                active: all.active + one.active,
                ..all.with(*one, |all, one| all + one)
            };
            sample.connectors.values().fold(Counts::default(), sum)
        })
    }

    /// Requests refused, by cause, the most first.
    #[must_use]
    pub fn refusals(&self) -> Vec<(String, f64)> {
        let past = self.window().and_then(|_| self.0.front()).map(|(_, sample)| &sample.refusals);
        let since = |(cause, count): (&String, &f64)| {
            let before = past.and_then(|past| past.get(cause)).copied().unwrap_or_default();
            (cause.clone(), (count - before).max(0.0))
        };
        let newest = self.newest().map(|sample| sample.refusals.iter().map(since).collect::<Vec<_>>());
        let mut all = newest.unwrap_or_default();
        all.retain(|(_, count)| *count > 0.0);
        all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        all
    }
}
