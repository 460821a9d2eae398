//! What is counted for each carrier, and which hosts answer.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::Counter;

use super::{Metrics, counter};
use crate::route::RouteEnd;

const ATTEMPTS: &str = "voice_connector_carrier_attempts_total";
const ANSWERS: &str = "voice_connector_carrier_answers_total";
const CHALLENGES_REFUSED: &str = "voice_connector_carrier_challenges_refused_total";

/// What is counted for one carrier at each call.
pub(super) struct CarrierCounters {
    attempts: Counter,
    answers: Counter,
    challenges_refused: Counter,
}

impl Metrics {
    /// Makes the counters of these carriers appear, as zeros.
    pub fn configure_carriers<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            let CarrierCounters { attempts, answers, challenges_refused } = &*self.of_carrier(name);
            [attempts, answers, challenges_refused].into_iter().for_each(|counter| counter.increment(0));
        }
    }

    /// An INVITE goes to a host of a carrier's.
    pub fn carrier_attempt(&self, name: &str) {
        self.of_carrier(name).attempts.increment(1);
    }

    /// A carrier took a call.
    pub fn carrier_answered(&self, name: &str) {
        self.of_carrier(name).answers.increment(1);
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
            self.of_carrier(name).challenges_refused.increment(1);
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

    /// The counters of a carrier, made once.
    fn of_carrier(&self, name: &str) -> Arc<CarrierCounters> {
        if let Some(counters) = self.0.carriers.load().get(name) {
            return counters.clone();
        }
        let made = |metric| counter(&self.0.recorder, metric, &[("carrier", name)]);
        let made = Arc::new(CarrierCounters {
            attempts: made(ATTEMPTS),
            answers: made(ANSWERS),
            challenges_refused: made(CHALLENGES_REFUSED),
        });
        self.0.carriers.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(name.to_owned(), made.clone());
            all
        });
        made
    }
}
