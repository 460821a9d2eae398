//! The media of a call's newest minutes, in few bytes: there are many calls, and few are asked about.

use std::collections::VecDeque;

use rtp::relay::CallStatistics;

use crate::question::{MediaView, StreamView};

/// So many minutes are kept.
const KEPT: usize = 30;

/// See the module.
#[derive(Default)]
pub(in crate::core) struct Minutes {
    newest: VecDeque<Minute>,
    /// From each party, since the call began.
    scores: [Scores; 2],
}

/// Opinion scores of one direction.
#[derive(Clone, Copy, Default)]
struct Scores {
    /// In hundredths.
    sum: u32,
    count: u32,
}

struct Minute {
    milliseconds: u32,
    streams: [Stream; 2],
}

/// What came from one party in a minute.
struct Stream {
    packets: u32,
    lost: u32,
    /// Microseconds; `u32::MAX`: nothing tells.
    jitter: u32,
    /// In hundredths; 0: nothing tells.
    mos: u16,
}

impl Minutes {
    /// One more minute is over.
    pub fn add(&mut self, statistics: &CallStatistics) {
        if self.newest.len() == KEPT {
            self.newest.pop_front();
        }
        let MediaView { milliseconds, caller, callee } = MediaView::of(statistics);
        let minute = Minute {
            milliseconds: u32::try_from(milliseconds).unwrap_or(u32::MAX),
            streams: [caller, callee].map(Stream::of),
        };
        for (scores, stream) in self.scores.iter_mut().zip(&minute.streams) {
            scores.add(stream.mos);
        }
        self.newest.push_back(minute);
    }

    /// Oldest first.
    pub fn views(&self) -> Vec<MediaView> {
        self.newest.iter().map(Minute::view).collect()
    }

    /// The mean opinion score of all minutes, of the direction that is worse.
    pub fn mos(&self) -> Option<f64> {
        self.scores.iter().filter_map(|scores| scores.mean()).reduce(f64::min)
    }
}

impl Scores {
    /// - `mos`: as in [`Stream`].
    fn add(&mut self, mos: u16) {
        self.sum = self.sum.saturating_add(mos.into());
        self.count = self.count.saturating_add(u32::from(mos > 0));
    }

    fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| f64::from(self.sum) / f64::from(self.count) / 100.0)
    }
}

impl Minute {
    fn view(&self) -> MediaView {
        let [caller, callee] = self.streams.each_ref().map(Stream::view);
        MediaView { milliseconds: self.milliseconds.into(), caller, callee }
    }
}

impl Stream {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn of(view: StreamView) -> Self {
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        Stream {
            packets: count(view.packets),
            lost: count(view.lost),
            jitter: view.jitter.unwrap_or(u32::MAX),
            mos: view.mos.map_or(0, |mos| (mos.clamp(0.0, 5.0) * 100.0).round() as u16),
        }
    }

    fn view(&self) -> StreamView {
        StreamView {
            packets: self.packets.into(),
            lost: self.lost.into(),
            jitter: (self.jitter != u32::MAX).then_some(self.jitter),
            mos: (self.mos > 0).then(|| f64::from(self.mos) / 100.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_newest_minutes_are_told_as_they_were() {
        let mut minutes = Minutes::default();
        let mut statistics = CallStatistics { period: Duration::from_secs(60), ..CallStatistics::default() };
        for number in 0..100 {
            statistics.a.received.rtp_packets = 3_000 + number;
            statistics.a.received.packets_lost = Some(7);
            statistics.a.received.jitter = Some(Duration::from_micros(1_250));
            statistics.a.mos = Some(4.357);
            minutes.add(&statistics);
        }
        let views = minutes.views();
        let caller = StreamView { packets: 3_099, lost: 7, jitter: Some(1_250), mos: Some(4.36) };
        let last = MediaView { milliseconds: 60_000, caller, callee: StreamView::default() };
        assert_eq!((views.len(), views.last()), (KEPT, Some(&last)));
        assert_eq!(views[0].caller.packets, 3_070);
    }

    #[test]
    fn the_score_is_the_mean_of_all_minutes_where_it_is_worse() {
        let mut minutes = Minutes::default();
        assert_eq!(minutes.mos(), None);
        let mut minute = |caller, callee| {
            let mut statistics = CallStatistics::default();
            (statistics.a.mos, statistics.b.mos) = (caller, callee);
            minutes.add(&statistics);
            minutes.mos()
        };
        assert_eq!(minute(Some(4.4), None), Some(4.4));
        assert_eq!(minute(None, Some(4.0)), Some(4.0));
        assert_eq!(minute(Some(2.0), Some(4.0)), Some(3.2));
        for _ in 0..97 {
            minute(Some(3.2), Some(4.0));
        }
        assert_eq!(minute(None, None), Some(3.2));
    }
}
