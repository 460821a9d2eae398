//! What is counted for each carrier, and which hosts answer.

use std::time::Duration;

use metrics::Counter;

use super::{Metrics, counter, gauge};
use crate::route::{RouteEnd, Via};

const ATTEMPTS: &str = "voice_connector_carrier_attempts_total";
const ANSWERS: &str = "voice_connector_carrier_answers_total";
const CHALLENGES_REFUSED: &str = "voice_connector_carrier_challenges_refused_total";

impl Metrics {
    /// Makes the counters of these carriers appear, as zeros.
    pub fn configure_carriers<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            for metric in [ATTEMPTS, ANSWERS, CHALLENGES_REFUSED] {
                self.carrier(metric, name).increment(0);
            }
        }
    }

    /// An INVITE goes to a host of a carrier's.
    pub fn carrier_attempt(&self, name: &str) {
        self.carrier(ATTEMPTS, name).increment(1);
    }

    /// A carrier took a call.
    pub fn carrier_answered(&self, name: &str) {
        self.carrier(ANSWERS, name).increment(1);
    }

    /// A host of a carrier's did not take a call.
    ///
    /// - `left`: the next host is tried.
    pub fn carrier_failed(&self, name: &str, end: RouteEnd, left: bool) {
        let by_cause = |metric| {
            let labels = [("carrier", name), ("cause", end.as_label())];
            counter(&self.0.recorder, metric, &labels).increment(1);
        };
        by_cause("voice_connector_carrier_failures_total");
        if left {
            by_cause("voice_connector_carrier_failovers_total");
        }
        if let RouteEnd::Answer { status: 401 | 407, .. } = end {
            self.carrier(CHALLENGES_REFUSED, name).increment(1);
        }
    }

    /// A REGISTER of ours was refused, or brought nothing.
    ///
    /// - `cause`: a word of ours.
    pub fn registration_failed(&self, name: &str, cause: &'static str) {
        let labels = [("carrier", name), ("cause", cause)];
        counter(&self.0.recorder, "voice_connector_carrier_registration_failures_total", &labels)
            .increment(1);
    }

    /// How our registration at a host of a carrier's stands.
    ///
    /// - `since`: when that has begun, as time since the Unix epoch.
    pub fn carrier_registered(&self, name: &str, host: &str, transport: &str, up: bool, since: Duration) {
        let labels = [("carrier", name), ("host", host), ("transport", transport)];
        gauge(&self.0.recorder, "voice_connector_carrier_registered", &labels).set(f64::from(u8::from(up)));
        gauge(&self.0.recorder, "voice_connector_carrier_registration_changed_timestamp_seconds", &labels)
            .set(since.as_secs_f64());
    }

    fn carrier(&self, metric: &'static str, name: &str) -> Counter {
        counter(&self.0.recorder, metric, &[("carrier", name)])
    }

    /// Whether any address of a host that is probed answers.
    ///
    /// - `host`: as it is configured, with its port where it has one.
    pub fn host_up(&self, via: &Via, host: &str, transport: &str, up: bool) {
        let whose = match via {
            Via::Carrier(carrier) => ("carrier", carrier.name.as_str()),
            Via::Connector(connector) => ("voice_connector_id", connector.id.as_str()),
        };
        let labels = [whose, ("host", host), ("transport", transport)];
        gauge(&self.0.recorder, "voice_connector_host_up", &labels).set(f64::from(u8::from(up)));
    }
}
