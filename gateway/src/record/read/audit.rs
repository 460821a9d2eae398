//! Records of calls of the API, read back.

use std::io;
use std::time::Duration;

use serde_json::Value;

use super::{Found, Shelf, body_of, list, reaches};
use crate::record::name::AUDIT;

/// Which calls of the API are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WantedAudit {
    /// Calls that were answered then or later, since the Unix epoch.
    pub since: Option<Duration>,
    /// Calls that were answered before.
    pub until: Option<Duration>,
    /// An access key's id, or the user that it names.
    pub key: Option<String>,
    /// An operation; with `*` at its end all that begin so. Without regard to case.
    pub operation: Option<String>,
    /// An id, number, name or ARN that stands in what was asked for or in what came of it.
    pub resource: Option<String>,
}

impl WantedAudit {
    /// Whether the record is one of them, its time aside.
    fn takes(&self, record: &Value) -> bool {
        let member = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
        let identity =
            |name: &str| record.get("userIdentity").and_then(|identity| identity.get(name)?.as_str());
        let key = |wanted: &String| {
            ["accessKeyId", "userName"].into_iter().any(|name| identity(name) == Some(wanted.as_str()))
        };
        let operation = |wanted: &String| {
            let (name, wanted) = (member("eventName").to_ascii_lowercase(), wanted.to_ascii_lowercase());
            wanted.strip_suffix('*').map_or(name == wanted, |start| name.starts_with(start))
        };
        let resource = |wanted: &String| {
            ["requestParameters", "responseElements"]
                .into_iter()
                .any(|name| record.get(name).is_some_and(|value| names(value, wanted)))
        };
        self.key.as_ref().is_none_or(key)
            && self.operation.as_ref().is_none_or(operation)
            && self.resource.as_ref().is_none_or(resource)
    }
}

/// Whether a text in it is `wanted`, or an ARN of it.
fn names(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => {
            text.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        }
        Value::Array(values) => values.iter().any(|value| names(value, wanted)),
        Value::Object(members) => members.values().any(|value| names(value, wanted)),
        _ => false,
    }
}

/// Hands over the records that are wanted, the oldest first, each once, whichever shelves have it.
///
/// - `take`: says whether to go on.
///
/// # Errors
/// A shelf can't be read.
pub fn read_audit(
    shelves: &[Box<dyn Shelf>],
    wanted: &WantedAudit,
    take: &mut dyn FnMut(&Value) -> bool,
) -> io::Result<Found> {
    let mut found = Found::default();
    for year in list(shelves, AUDIT)? {
        for month in list(shelves, &format!("{AUDIT}/{year}"))? {
            for day in list(shelves, &format!("{AUDIT}/{year}/{month}"))? {
                let day = format!("{year}/{month}/{day}");
                if !reaches(&day, wanted.since, wanted.until) {
                    continue;
                }
                for name in list(shelves, &format!("{AUDIT}/{day}"))? {
                    if !is_within(&day, &name, wanted) {
                        continue;
                    }
                    let Some(body) = body_of(shelves, &format!("{AUDIT}/{day}/{name}"))? else { continue };
                    match serde_json::from_slice::<Value>(&body) {
                        Ok(record) if wanted.takes(&record) => {
                            found.records += 1;
                            if !take(&record) {
                                return Ok(found);
                            }
                        }
                        Ok(_) => {}
                        Err(_) => found.unreadable += 1,
                    }
                }
            }
        }
    }
    Ok(found)
}

/// By the time in its name; one without is looked at.
fn is_within(day: &str, name: &str, wanted: &WantedAudit) -> bool {
    let Some(at) = at(day, name) else { return true };
    wanted.since.is_none_or(|since| at >= since) && wanted.until.is_none_or(|until| at < until)
}

/// Since the Unix epoch; `name`: `HH.MM.SS.mmm_...`.
fn at(day: &str, name: &str) -> Option<Duration> {
    let (clock, _) = name.split_once('_')?;
    let numbers: Vec<u64> = clock.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let &[hours, minutes, seconds, milliseconds] = numbers.as_slice() else { return None };
    let begun = Duration::from_secs(super::begin_of(day)?);
    let seconds = hours.checked_mul(3_600)?.checked_add(minutes.checked_mul(60)?)?.checked_add(seconds)?;
    Some(begun + Duration::from_secs(seconds) + Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Folder, InJournal};
    use super::*;
    use crate::record::AuditRecord;
    use crate::record::journal::{Entry, Journal};

    /// So many seconds after 2019-08-10T01:13:45.042Z.
    fn record(n: u64, seconds: u64, user: &str, operation: &str, connector: &str) -> AuditRecord {
        let body = serde_json::json!({
            "userIdentity": { "accessKeyId": format!("AKIA{user}"), "userName": user },
            "eventName": operation,
            "requestParameters": { "voiceConnectorId": connector, "e164PhoneNumbers": ["+12065550100"] },
            "responseElements": { "arn": format!("arn:aws:chime:here:1:vc/{connector}") },
            "n": n,
        });
        AuditRecord {
            event_id: format!("event-{n}").into(),
            at_ms: 1_565_399_625_042 + seconds * 1_000,
            changes: true,
            body: body.to_string(),
        }
    }

    #[test]
    fn calls_of_the_api_come_by_time_and_as_they_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let all = [
            record(1, 100_000, "alice", "DeleteVoiceConnector", "abc"),
            record(2, 0, "alice", "PutVoiceConnectorTermination", "abc"),
            record(3, 10, "bob", "PutVoiceConnectorOrigination", "abcd"),
        ];
        for audit in &all[..2] {
            let path = dir.path().join(crate::record::audit(audit.at(), &audit.event_id));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, &audit.body).unwrap();
        }
        fs::write(dir.path().join(format!("{AUDIT}/2019/08/10/00.00.00.000_x.json")), "{").unwrap();
        let mut journal = Journal::open(&dir.path().join(".journal")).unwrap();
        let entry = |(sequence, audit): (u64, &AuditRecord)| Entry::Audit {
            sequence,
            audit: Box::new(audit.clone()),
        };
        journal.append(&(1..).zip(&all[1..]).map(entry).collect::<Vec<_>>()).unwrap();
        let shelves: [Box<dyn Shelf>; 2] =
            [Box::new(Folder(dir.path().to_owned())), Box::new(InJournal::of(dir.path()).unwrap())];
        let numbers = |wanted: &WantedAudit| {
            let mut numbers = Vec::new();
            let found = read_audit(&shelves, wanted, &mut |record| {
                numbers.push(record["n"].as_u64().unwrap());
                true
            });
            (numbers, found.unwrap().unreadable)
        };
        let any = WantedAudit::default();
        let some = |text: &str| Some(text.to_owned());
        let begun = all[1].at();
        for (wanted, expect) in [
            (any.clone(), vec![2, 3, 1]),
            (WantedAudit { key: some("alice"), ..any.clone() }, vec![2, 1]),
            (WantedAudit { key: some("AKIAbob"), ..any.clone() }, vec![3]),
            (WantedAudit { key: some("ali"), ..any.clone() }, vec![]),
            (WantedAudit { operation: some("putvoiceconnector*"), ..any.clone() }, vec![2, 3]),
            (WantedAudit { operation: some("PutVoiceConnector"), ..any.clone() }, vec![]),
            (WantedAudit { resource: some("abc"), ..any.clone() }, vec![2, 1]),
            (WantedAudit { resource: some("arn:aws:chime:here:1:vc/abcd"), ..any.clone() }, vec![3]),
            (WantedAudit { resource: some("+12065550100"), ..any.clone() }, vec![2, 3, 1]),
            (WantedAudit { resource: some("bcd"), ..any.clone() }, vec![]),
            (WantedAudit { since: Some(begun + Duration::from_secs(1)), ..any.clone() }, vec![3, 1]),
            (WantedAudit { until: Some(begun + Duration::from_secs(10)), ..any.clone() }, vec![2]),
        ] {
            assert_eq!(numbers(&wanted).0, expect, "{wanted:?}");
        }
        assert_eq!(numbers(&any).1, 1);
    }
}
