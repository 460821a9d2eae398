//! What an alert may be about, as it is at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use config::Config;

use super::Sources;
use super::book::Key;
use crate::clock::Now;
use crate::listen::Expiry;
use crate::minutes::is_used_up;
use crate::readiness::Obstacle;

/// A certificate that ends within that time is told.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub carriers_down: Vec<String>,
    /// What stands between the gateway and new calls.
    pub obstacles: Vec<Obstacle>,
    pub journal_fills_up: bool,
    pub certificates: Vec<Expiry>,
    /// Connectors without a minute left, and how many they had.
    pub used_up: Vec<(String, u32)>,
}

impl Seen {
    pub fn at(now: Now, Sources { shared, tls, recorder }: &Sources, config: &Config) -> Seen {
        let used_up = config.voice_connector.iter().filter_map(|connector| {
            let (id, limit) = (connector.id.as_str(), connector.termination.daily_minutes?);
            is_used_up(shared.minutes.used(now, id), limit).then(|| (id.to_owned(), limit))
        });
        Seen {
            carriers_down: shared.hosts.carriers_down().into_keys().collect(),
            obstacles: shared.readiness.all().filter_map(|(one, stands)| stands.then_some(one)).collect(),
            journal_fills_up: recorder.fills_up(),
            certificates: tls.expiries(),
            used_up: used_up.collect(),
        }
    }

    /// All of it that is wrong, in words.
    ///
    /// - `unix`: time since the Unix epoch.
    pub fn wrong(self, unix: Duration) -> BTreeMap<Key, String> {
        let mut wrong = BTreeMap::new();
        let mut tell = |kind, subject: &str, text| {
            wrong.insert(Key { kind, subject: subject.to_owned() }, text);
        };
        for carrier in &self.carriers_down {
            tell("carrier_down", carrier, format!("no host of carrier {carrier} answers"));
        }
        for obstacle in self.obstacles {
            // What the operator has done is no news.
            if !matches!(obstacle, Obstacle::Starting | Obstacle::Draining) {
                let text = format!("no new calls but emergencies: {}", obstacle.sentence());
                tell("not_ready", obstacle.name(), text);
            }
        }
        if self.journal_fills_up {
            tell("journal_fills_up", "", "four fifths of the records journal are spoken for".to_owned());
        }
        for expiry in self.certificates {
            let left = expiry.at.saturating_sub(unix);
            if left < SOON {
                let file = expiry.file.display().to_string();
                let text = format!("{file} expires within {} days", left.as_secs().div_ceil(86_400));
                tell("certificate_expires", &file, text);
            }
        }
        for (id, limit) in &self.used_up {
            let text = format!("voice connector {id} has used all {limit} minutes of this day: no new calls");
            tell("fraud_stop", id, text);
        }
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn each_kind_is_told_in_words_and_what_is_well_is_not() {
        let now = DAY * 20_000;
        let certificate = |file: &str, at| Expiry { file: file.into(), shown_as: "server", at };
        let seen = Seen {
            carriers_down: vec!["east".to_owned()],
            obstacles: vec![Obstacle::Starting, Obstacle::Draining, Obstacle::Records],
            journal_fills_up: true,
            certificates: vec![
                certificate("late.pem", now + DAY * 14),
                certificate("soon.pem", now + DAY * 13 + DAY / 2),
                certificate("over.pem", now - DAY),
            ],
            used_up: vec![("office".to_owned(), 100)],
        };
        let wrong = seen.wrong(now);
        let told: Vec<_> =
            wrong.iter().map(|(key, text)| format!("{} {}: {text}", key.kind, key.subject)).collect();
        let records =
            format!("not_ready records: no new calls but emergencies: {}", Obstacle::Records.sentence());
        assert_eq!(
            told,
            [
                "carrier_down east: no host of carrier east answers",
                "certificate_expires over.pem: over.pem expires within 0 days",
                "certificate_expires soon.pem: soon.pem expires within 14 days",
                "fraud_stop office: voice connector office has used all 100 minutes of this day: no new calls",
                "journal_fills_up : four fifths of the records journal are spoken for",
                records.as_str(),
            ]
        );
        assert!(Seen::default().wrong(now).is_empty());
    }
}
