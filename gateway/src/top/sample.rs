//! The gateway's counters at one moment, read from the text of its metrics.

use std::collections::BTreeMap;

/// What is asked for.
pub const FAMILIES: &[&str] = &[
    "voice_connector_call_attempts_total",
    "voice_connector_calls_answered_total",
    "voice_connector_call_failures_total",
    "voice_connector_throttles_total",
    "voice_connector_calls_active",
    "voice_connector_call_duration_seconds_sum",
    "voice_connector_call_duration_seconds_count",
    "voice_connector_call_mos_sum",
    "voice_connector_call_mos_count",
    "voice_connector_carrier_attempts_total",
    "voice_connector_carrier_answers_total",
    "voice_connector_refusals_total",
    "voice_connector_calls_in_progress",
    "voice_connector_ready",
];

/// What is counted for a connector (both directions together) or a carrier, since the gateway began.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Counts {
    /// Calls begun; of a carrier: INVITEs to it.
    pub attempts: f64,
    /// Calls answered.
    pub answered: f64,
    /// Calls refused by a limit.
    pub throttled: f64,
    /// Calls that are up now.
    pub active: f64,
    /// Seconds of talk, and the calls that had them.
    pub talked: f64,
    /// See `talked`.
    pub ended: f64,
    /// Opinion scores, summed over minutes and sides, and how many.
    pub mos: f64,
    /// See `mos`.
    pub scores: f64,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    /// By id.
    pub connectors: BTreeMap<String, Counts>,
    /// By name.
    pub carriers: BTreeMap<String, Counts>,
    /// Requests refused, by cause.
    pub refusals: BTreeMap<String, f64>,
    /// Calls that began and have not ended.
    pub calls: f64,
    /// Whether ordinary calls are taken.
    pub ready: bool,
}

impl Sample {
    /// Takes in one line of the metrics' text; what is not among [`FAMILIES`] is left out.
    pub fn read(&mut self, line: &str) {
        let Some((name, labels, value)) = parsed(line) else { return };
        let of =
            |wanted: &str| labels.iter().find(|(label, _)| *label == wanted).map(|(_, value)| value.clone());
        match name {
            "voice_connector_calls_in_progress" => self.calls = value,
            "voice_connector_ready" => self.ready = value > 0.0,
            "voice_connector_refusals_total" => {
                if let Some(cause) = of("cause") {
                    *self.refusals.entry(cause).or_default() += value;
                }
            }
            _ => {
                let counts = match (of("voice_connector_id"), of("carrier")) {
                    (Some(id), _) => self.connectors.entry(id).or_default(),
                    (None, Some(name)) => self.carriers.entry(name).or_default(),
                    (None, None) => return,
                };
                if let Some(count) = counts.of(name) {
                    *count += value;
                }
            }
        }
    }
}

impl Counts {
    fn of(&mut self, name: &str) -> Option<&mut f64> {
        Some(match name.strip_prefix("voice_connector_")? {
            "call_attempts_total" | "carrier_attempts_total" => &mut self.attempts,
            "calls_answered_total" | "carrier_answers_total" => &mut self.answered,
            "throttles_total" => &mut self.throttled,
            "calls_active" => &mut self.active,
            "call_duration_seconds_sum" => &mut self.talked,
            "call_duration_seconds_count" => &mut self.ended,
            "call_mos_sum" => &mut self.mos,
            "call_mos_count" => &mut self.scores,
            _ => return None,
        })
    }

    /// All fields of both, by `f`.
    pub(super) fn with(self, other: Counts, f: impl Fn(f64, f64) -> f64) -> Counts {
        Counts {
            attempts: f(self.attempts, other.attempts),
            answered: f(self.answered, other.answered),
            throttled: f(self.throttled, other.throttled),
            active: self.active,
            talked: f(self.talked, other.talked),
            ended: f(self.ended, other.ended),
            mos: f(self.mos, other.mos),
            scores: f(self.scores, other.scores),
        }
    }
}

/// Names and values.
type Labels<'a> = Vec<(&'a str, String)>;

/// Name, labels and value of a line in the Prometheus text format.
fn parsed(line: &str) -> Option<(&str, Labels<'_>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else { return Some((series, Vec::new(), value)) };
    let mut rest = labels.strip_suffix('}')?;
    let mut all = Vec::new();
    while let Some((label, after)) = rest.split_once("=\"") {
        let (text, after) = quoted(after)?;
        all.push((label, text));
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    Some((name, all, value))
}

/// The text up to the quote that ends it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((out, text.get(index + 1..)?)),
            '\\' => {
                out.push(characters.next().map(|(_, escaped)| if escaped == 'n' { ' ' } else { escaped })?)
            }
            other => out.push(other),
        }
    }
    None
}
