//! What all sinks have in common: how audio gets in, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use audio::{Happening, Party};
use tokio::sync::mpsc;

/// Happenings that wait for a sink: more than a second of two parties. Sinks read at once, so that only a host that is
/// overloaded fills it.
const HAPPENINGS: usize = 256;

/// Outcomes that wait for the gateway.
const OUTCOMES: usize = 64;

/// What comes of a call's audio at a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The target takes the audio.
    Started {
        /// Whose; `None`: of both, as one stream.
        party: Option<Party>,
        /// The stream's ARN, or the target's address.
        stream: Option<String>,
        /// The number of the first fragment.
        first_fragment: Option<String>,
        /// The first fragment's time, milliseconds since the Unix epoch.
        time_ms: Option<u64>,
    },
    /// Audio does not come in time: the target was too slow, away, or refused it.
    Dropped {
        /// Whose.
        party: Party,
        /// Where the gap begins: time since the call was answered.
        start: Duration,
        /// How long it is.
        duration: Duration,
        /// Whether it waits on disk to be delivered later. Otherwise it is lost.
        on_disk: bool,
    },
    /// A stream that had started failed, or none could be had. Another one may start later.
    Failed {
        /// Whose; `None`: of both, as one stream.
        party: Option<Party>,
        /// Why: short, without control characters.
        cause: String,
    },
    /// There is no more audio, and what the target acknowledges is acknowledged. The last outcome of that party.
    Ended {
        /// Whose; `None`: of both, as one stream.
        party: Option<Party>,
        /// Audio that was lost in all.
        dropped: Duration,
    },
    /// Audio for a party, of 20 ms, to be played now: mono, linear.
    Play {
        /// To whom.
        party: Party,
        /// Samples per second.
        rate: u32,
        /// The samples.
        samples: Arc<[i16]>,
    },
    /// What waits to be played to the party is not wanted any more.
    Clear {
        /// To whom.
        party: Party,
    },
}

/// Audio that a sink had no room for, and of which none of its outcomes tells. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Missed(Arc<AtomicU64>);

/// The tap's end of a sink.
#[derive(Debug)]
pub struct Input {
    happenings: mpsc::Sender<Happening>,
    missed: Missed,
}

/// A sink that was opened.
#[derive(Debug)]
pub struct Open {
    /// For the tap. When it is dropped, the call is over for the sink.
    pub input: Input,
    /// What comes of it, in order for each party. It ends with [`Outcome::Ended`] for each party, or for both.
    pub outcomes: mpsc::Receiver<Outcome>,
}

impl Input {
    /// Hands over what was heard. Never waits: what there is no room for is thrown away and counted.
    ///
    /// Returns whether it was taken.
    pub fn try_send(&self, happening: Happening) -> bool {
        self.missed.offer(&self.happenings, happening)
    }

    /// What there was no room for, here or further on.
    #[must_use]
    pub fn missed(&self) -> Missed {
        self.missed.clone()
    }
}

impl Missed {
    /// How much audio it is, of both parties together, since this was last asked.
    #[must_use]
    pub fn take(&self) -> Duration {
        Duration::from_micros(self.0.swap(0, Ordering::Relaxed))
    }

    /// Hands a happening on, where there is room for it. Returns whether there was.
    pub(crate) fn offer(&self, to: &mpsc::Sender<Happening>, happening: Happening) -> bool {
        let Err(error) = to.try_send(happening) else { return true };
        let audio = match error.into_inner() {
            Happening::Frame { rate, samples, .. } => {
                samples.len() as u64 * 1_000_000 / u64::from(rate.max(1))
            }
            Happening::Dropped { duration, .. } => u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            Happening::Digit { .. } | Happening::Hold { .. } => 0,
        };
        self.0.fetch_add(audio, Ordering::Relaxed);
        false
    }
}

/// Audio that was lost, told at most once a second, and never waited for.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// Of the caller, of the callee: from when, how long.
    pending: [Option<(Duration, Duration)>; 2],
    told: Option<Instant>,
    /// In all.
    pub(crate) sum: Duration,
}

/// Between two outcomes of this kind.
const TOLD: Duration = Duration::from_secs(1);

impl Losses {
    pub(crate) fn add(&mut self, party: Party, start: Duration, duration: Duration) {
        self.sum += duration;
        let [caller, callee] = &mut self.pending;
        let pending = if party == Party::Caller { caller } else { callee };
        pending.get_or_insert((start, Duration::ZERO)).1 += duration;
    }

    /// Tells what is not told yet.
    ///
    /// - `now`: `None` in the end, when the rest is told.
    pub(crate) fn tell(&mut self, now: Option<Instant>, outcomes: &mpsc::Sender<Outcome>) {
        if let (Some(now), Some(told)) = (now, self.told)
            && now < told + TOLD
        {
            return;
        }
        for (pending, party) in self.pending.iter_mut().zip([Party::Caller, Party::Callee]) {
            if let Some((start, duration)) = *pending
                && outcomes.try_send(Outcome::Dropped { party, start, duration, on_disk: false }).is_ok()
            {
                *pending = None;
                self.told = now;
            }
        }
    }
}

pub(crate) fn channel() -> (Missed, mpsc::Receiver<Happening>, mpsc::Sender<Outcome>, Open) {
    let (happenings, receiver) = mpsc::channel(HAPPENINGS);
    let (sender, outcomes) = mpsc::channel(OUTCOMES);
    let missed = Missed::default();
    (missed.clone(), receiver, sender, Open { input: Input { happenings, missed }, outcomes })
}
