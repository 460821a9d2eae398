//! What became of configurations, and what the operator has taken out of service.

use super::{Metrics, counter, gauge};

impl Metrics {
    /// A configuration was read, at the start or since, and taken or not. Whether calls are taken does not depend on it: the one
    /// before holds.
    pub fn configuration_read(&self, taken: bool) {
        let outcome = if taken { "taken" } else { "refused" };
        counter(&self.0.recorder, "voice_connector_configurations_total", &[("outcome", outcome)])
            .increment(1);
        let valid = gauge(&self.0.recorder, "voice_connector_configuration_valid", &[]);
        valid.set(f64::from(u8::from(taken)));
    }

    /// So many parts of a kind take no new calls.
    ///
    /// - `kind`: a word of ours.
    pub fn draining(&self, kind: &'static str, count: usize) {
        let gauge = gauge(&self.0.recorder, "voice_connector_draining", &[("kind", kind)]);
        gauge.set(u32::try_from(count).unwrap_or(u32::MAX));
    }
}
