//! What is counted for each connector.

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{Metrics, as_f64, counter, gauge};
use crate::direction::Direction;

/// One connector's calls, by direction.
pub struct ConnectorMetrics {
    inbound: CallMetrics,
    outbound: CallMetrics,
    emergencies: Counter,
}

impl ConnectorMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, id: &str, region: &str) -> ConnectorMetrics {
        let calls = |direction| CallMetrics::new(recorder, id, region, direction);
        let labels = [("voice_connector_id", id), ("region", region)];
        ConnectorMetrics {
            inbound: calls(Direction::Inbound),
            outbound: calls(Direction::Outbound),
            emergencies: counter(recorder, "voice_connector_emergency_calls_total", &labels),
        }
    }

    /// An emergency call began.
    pub fn emergency(&self) {
        self.emergencies.increment(1);
    }

    /// The calls of one direction.
    #[must_use]
    pub fn calls(&self, direction: Direction) -> &CallMetrics {
        match direction {
            Direction::Inbound => &self.inbound,
            Direction::Outbound => &self.outbound,
        }
    }
}

impl Metrics {
    /// How many contacts of a connector's customer are registered.
    pub fn registered_contacts(&self, id: &str, contacts: usize) {
        let labels = [("voice_connector_id", id), ("region", &*self.0.region)];
        gauge(&self.0.recorder, "voice_connector_registered_contacts", &labels).set(as_f64(contacts));
    }

    /// A customer's REGISTER was answered, and how: a word of ours.
    pub fn register_answered(&self, id: &str, result: &'static str) {
        let labels = [("voice_connector_id", id), ("region", &*self.0.region), ("result", result)];
        counter(&self.0.recorder, "voice_connector_register_requests_total", &labels).increment(1);
    }
}

/// Calls of one connector in one direction.
pub struct CallMetrics {
    attempts: Counter,
    failures: Counter,
    answered: Counter,
    active: Gauge,
    throttles: Counter,
}

impl CallMetrics {
    fn new(recorder: &PrometheusRecorder, id: &str, region: &str, direction: Direction) -> CallMetrics {
        let labels = [("voice_connector_id", id), ("region", region), ("direction", direction.as_label())];
        CallMetrics {
            attempts: counter(recorder, "voice_connector_call_attempts_total", &labels),
            failures: counter(recorder, "voice_connector_call_failures_total", &labels),
            answered: counter(recorder, "voice_connector_calls_answered_total", &labels),
            active: gauge(recorder, "voice_connector_calls_active", &labels),
            throttles: counter(recorder, "voice_connector_throttles_total", &labels),
        }
    }

    /// A call began.
    pub fn attempt(&self) {
        self.attempts.increment(1);
    }

    /// A call ended without an answer: refused, failed or given up.
    pub fn failed(&self) {
        self.failures.increment(1);
    }

    /// A call was answered, and is active until [`ended`](CallMetrics::ended).
    pub fn answered(&self) {
        self.answered.increment(1);
        self.active.increment(1.0);
    }

    /// A call that was answered before is taken over: active until [`ended`](CallMetrics::ended).
    pub fn resumed(&self) {
        self.active.increment(1.0);
    }

    /// An answered call is over.
    pub fn ended(&self) {
        self.active.decrement(1.0);
    }

    /// A call was refused by a limit (calls per second, calls at one time).
    pub fn throttled(&self) {
        self.throttles.increment(1);
    }
}
