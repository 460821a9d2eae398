//! The recording of one call: both parties, side by side, to a file.

mod files;
mod shelf;
#[cfg(test)]
mod tests;

use std::time::Duration;

use audio::{Happening, Party, Resampled};
use uuid::Uuid;

use crate::metrics::{Sound, SoundMetrics};
use crate::record;
pub use files::Health;
pub(super) use files::{FileId, Files};

/// What is gathered before it goes to the files' thread.
const CHUNK: Duration = Duration::from_millis(400);

/// See the module.
pub struct Recording {
    files: Files,
    file: FileId,
    metrics: SoundMetrics,
    rate: u32,
    caller: Channel,
    callee: Channel,
    paused: bool,
    /// What was said before is not in it, if it is not written yet: time since the call was answered.
    resumed: Duration,
    /// Samples of each channel that found no room, to be silence before what is given next.
    owed: usize,
}

struct Channel {
    resampled: Resampled,
    samples: Vec<i16>,
}

impl Channel {
    fn new(rate: u32) -> Channel {
        Channel { resampled: Resampled::new(rate), samples: Vec::new() }
    }
}

impl Recording {
    /// Begins one for a connector.
    ///
    /// - `began`: now, since the Unix epoch: the file is named by it.
    ///
    /// `None`: too much waits for the disk already; that is counted as a failure.
    pub fn new(
        files: &Files,
        transaction_id: Uuid,
        connector: &str,
        began: Duration,
        rate: u32,
    ) -> Option<Recording> {
        let name = record::recording_name(connector, began, &record::transaction_id(transaction_id));
        let metrics = files.metrics().sound(connector, Sound::Recording);
        let file = files.open(name, rate, metrics.clone())?;
        metrics.started(Duration::ZERO);
        let (caller, callee) = (Channel::new(rate), Channel::new(rate));
        let (files, resumed) = (files.clone(), Duration::ZERO);
        Some(Recording { files, file, metrics, rate, caller, callee, paused: false, resumed, owed: 0 })
    }

    /// From now on silence, or no more. What was said in a pause is heard here when it is over already, and stays silence.
    ///
    /// - `at`: now, since the call was answered.
    pub fn pause(&mut self, at: Duration, paused: bool) {
        if self.paused && !paused {
            self.resumed = at;
        }
        self.paused = paused;
    }

    /// What a party's stream says.
    pub fn take(&mut self, happening: &Happening) {
        match happening {
            Happening::Frame { party, start, rate, samples, .. } => {
                let channel = match party {
                    Party::Caller => &mut self.caller,
                    Party::Callee => &mut self.callee,
                };
                // Made silent before it is resampled: nothing of it is left in the filter.
                let mut samples = if self.paused || *start < self.resumed {
                    channel.resampled.take(*rate, &vec![0; samples.len()])
                } else {
                    channel.resampled.take(*rate, samples)
                };
                channel.samples.append(&mut samples);
                if self.has_whole_chunk() {
                    self.give();
                }
            }
            Happening::Dropped { duration, .. } => self.metrics.dropped(*duration),
            Happening::Digit { .. } | Happening::Hold { .. } => {}
        }
    }

    /// The call is over, or is not recorded any more.
    pub fn end(mut self) {
        self.give();
        self.files.close(self.file);
        self.metrics.ended();
    }

    fn has_whole_chunk(&self) -> bool {
        let whole = self.rate as usize * CHUNK.as_millis() as usize / 1000;
        self.caller.samples.len().min(self.callee.samples.len()) >= whole
    }

    fn give(&mut self) {
        let length = self.caller.samples.len().min(self.callee.samples.len());
        let both = self.caller.samples.drain(..length).zip(self.callee.samples.drain(..length));
        let samples: Vec<i16> = both.flat_map(|(caller, callee)| [caller, callee]).collect();
        if self.files.write(self.file, self.owed, samples) {
            self.owed = 0;
        } else {
            self.owed += length;
            let lost = Duration::from_secs_f64(length as f64 / f64::from(self.rate));
            // Of both parties.
            self.metrics.dropped(lost * 2);
        }
    }
}
