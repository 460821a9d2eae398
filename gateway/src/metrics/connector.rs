//! What is counted for each connector.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::quality::SideQuality;
use super::{ByClass, Metrics, counter, gauge, histogram};
use crate::direction::Direction;

/// One connector's calls, by direction.
pub struct ConnectorMetrics {
    /// The label's value.
    pub(super) id: String,
    inbound: CallMetrics,
    outbound: CallMetrics,
    emergencies: Counter,
    responses: ByClass,
    /// Of the customer's side and the remote one, once there was media.
    pub(super) quality: OnceLock<[SideQuality; 2]>,
}

impl ConnectorMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, id: &str, region: &str) -> ConnectorMetrics {
        let calls = |direction| CallMetrics::new(recorder, id, region, direction);
        let labels = [("voice_connector_id", id), ("region", region)];
        let responses = ByClass::new(|class| {
            let [id, region] = labels;
            counter(recorder, "voice_connector_call_sip_responses_total", &[id, region, ("class", class)])
        });
        ConnectorMetrics {
            id: id.to_owned(),
            responses,
            quality: OnceLock::new(),
            inbound: calls(Direction::Inbound),
            outbound: calls(Direction::Outbound),
            emergencies: counter(recorder, "voice_connector_emergency_calls_total", &labels),
        }
    }

    /// An emergency call began.
    pub fn emergency(&self) {
        self.emergencies.increment(1);
    }

    /// A SIP response went out or came in on the connector's own leg.
    ///
    /// - `status`: 100 to 699; others are not counted.
    pub fn sip_response(&self, status: u16) {
        self.responses.count(status);
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
    post_dial_delay: Histogram,
    duration: Histogram,
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
            post_dial_delay: histogram(recorder, "voice_connector_call_post_dial_delay_seconds", &labels),
            duration: histogram(recorder, "voice_connector_call_duration_seconds", &labels),
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

    /// The caller of a call that is over had heard it ring, or answered, so long after its INVITE.
    pub fn post_dial_delay(&self, delay: Duration) {
        self.post_dial_delay.record(delay.as_secs_f64());
    }

    /// A call that is over was up for so long.
    pub fn lasted(&self, duration: Duration) {
        self.duration.record(duration.as_secs_f64());
    }

    /// A call was refused by a limit (calls per second, calls at one time).
    pub fn throttled(&self) {
        self.throttles.increment(1);
    }
}
