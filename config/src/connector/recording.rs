//! What of a connector's calls is recorded.

use std::time::Duration;

use crate::read::Table;

/// `[voice_connector.recording]`: the sound of calls, a file for each, in the records' directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recording {
    /// Which calls. Default: none.
    pub calls: Recorded,
    /// Samples a second of the files. Default: 8000.
    pub rate: SampleRate,
    /// How long files are kept. Default: for ever.
    pub retention: Option<Duration>,
    /// What becomes of calls that can't be recorded. Default: they are placed.
    pub on_failure: OnFailure,
}

/// Which calls are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Recorded {
    /// None, and none can be.
    #[default]
    None,
    /// Those of which the operator says so, from then on.
    OnDemand,
    /// Each, from its answer on.
    All,
}

/// Samples a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SampleRate {
    /// 8 kHz, as telephones have it.
    #[default]
    Narrow,
    /// 16 kHz.
    Wide,
}

/// What becomes of a call whose sound can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// It is placed all the same.
    #[default]
    Continue,
    /// It is refused.
    Refuse,
}

impl SampleRate {
    /// As a number.
    #[must_use]
    pub const fn hertz(self) -> u32 {
        match self {
            SampleRate::Narrow => 8000,
            SampleRate::Wide => 16_000,
        }
    }
}

impl OnFailure {
    /// The key `on_failure`.
    pub(super) fn read(table: &Table<'_>) -> Self {
        let choices = [("continue", OnFailure::Continue), ("refuse", OnFailure::Refuse)];
        table.get("on_failure").and_then(|item| item.choice(&choices)).unwrap_or_default()
    }
}

impl Recording {
    pub(crate) fn read(table: &Table<'_>) -> Self {
        let calls = [("none", Recorded::None), ("on_demand", Recorded::OnDemand), ("all", Recorded::All)];
        let calls = table.required("calls", "calls = \"all\"").and_then(|item| item.choice(&calls));
        let rate = table.get("rate").and_then(|item| {
            let rate = item.integer(8000, 16_000)?;
            match rate {
                8000 => Some(SampleRate::Narrow),
                16_000 => Some(SampleRate::Wide),
                _ => {
                    item.wrong(format!("files have no {rate} samples a second"), "8000 or 16000");
                    None
                }
            }
        });
        Self {
            calls: calls.unwrap_or_default(),
            rate: rate.unwrap_or_default(),
            retention: table.get("retention").and_then(|item| item.duration("1h", "3650d")),
            on_failure: OnFailure::read(table),
        }
    }
}
