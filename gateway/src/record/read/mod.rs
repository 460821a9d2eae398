//! Call detail records, read back with the wide records of their calls: from the directory, the journal and object stores.

mod audit;
mod newest;
mod shelf;

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use serde_json::Value;
use streaming::detail::StreamingDetail;

use super::name::STREAMING;
use super::{CallDetailRecord, Status};

pub use audit::{WantedAudit, read_audit};
pub use newest::{find_call, newest, newest_calls, record};
#[cfg(feature = "s3")]
pub use shelf::Bucket;
pub use shelf::{Folder, InJournal, Shelf};

/// Where the names of all of them begin.
const ROOT: &str = "Amazon-Chime-Voice-Connector-CDRs/json";

/// The same of wide records.
const WIDE_ROOT: &str = "voice-connector-calls";

/// Seconds.
const DAY: u64 = 86_400;

/// Which records are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Calls that began then or later, since the Unix epoch.
    pub since: Option<Duration>,
    /// Calls that began before.
    pub until: Option<Duration>,
    /// Digits that stand in the caller's or the callee's number, from its beginning or to its end.
    pub number: Option<String>,
    /// The connector.
    pub connector: Option<String>,
    /// Answered or not.
    pub status: Option<Status>,
    /// The transaction id or the SIP Call-ID.
    pub call: Option<String>,
}

impl Wanted {
    /// Whether the record is one of them.
    #[must_use]
    pub fn takes(&self, record: &CallDetailRecord) -> bool {
        // A record tells whole seconds.
        let began = Duration::from_secs(record.start_time_epoch_seconds);
        let whole = |since: Duration| Duration::from_secs(since.as_secs());
        let number = |wanted: &String| {
            [&record.source_phone_number, &record.destination_phone_number].into_iter().any(|number| {
                let digits = number.trim_start_matches('+');
                let wanted = wanted.trim_start_matches('+');
                digits.starts_with(wanted) || digits.ends_with(wanted)
            })
        };
        self.since.is_none_or(|since| began >= whole(since))
            && self.until.is_none_or(|until| began < until)
            && self.number.as_ref().is_none_or(number)
            && self.connector.as_ref().is_none_or(|id| *id == *record.voice_connector_id)
            && self.status.is_none_or(|status| record.status == status)
            && self.call.as_ref().is_none_or(|id| *id == *record.transaction_id || *id == *record.call_id)
    }
}

impl Wanted {
    fn takes_streaming(&self, record: &StreamingDetail) -> bool {
        let began = Duration::from_secs(u64::try_from(record.start_time_epoch_seconds).unwrap_or_default());
        let status = match &*record.status {
            "Completed" => Status::Completed,
            _ => Status::Failed,
        };
        self.since.is_none_or(|since| began >= Duration::from_secs(since.as_secs()))
            && self.until.is_none_or(|until| began < until)
            && self.connector.as_ref().is_none_or(|id| *id == *record.voice_connector_id)
            && self.status.is_none_or(|wanted| wanted == status)
            && self
                .call
                .as_ref()
                .is_none_or(|id| *id == record.transaction_id.to_string() || *id == *record.call_id)
    }
}

/// Whether a record of that day may be of that time; `day`: `yyyy/mm/dd`.
fn reaches(day: &str, since: Option<Duration>, until: Option<Duration>) -> bool {
    let Some(begins) = begin_of(day) else { return false };
    since.is_none_or(|since| begins + DAY > since.as_secs())
        && until.is_none_or(|until| Duration::from_secs(begins) < until)
}

/// Seconds since the Unix epoch at which `yyyy/mm/dd` begins; `None`: it is no day.
fn begin_of(day: &str) -> Option<u64> {
    let mut parts = day.split('/');
    let (year, month, of_month) = (parts.next()?, parts.next()?, parts.next()?);
    let month = time::Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = time::Date::from_calendar_date(year.parse().ok()?, month, of_month.parse().ok()?).ok()?;
    u64::try_from(date.midnight().assume_utc().unix_timestamp()).ok()
}

/// A record that was found.
pub struct Shelved<'a> {
    /// The record.
    pub record: CallDetailRecord,
    shelves: &'a [Box<dyn Shelf>],
    /// Where the wide record of the call is, but for its kind.
    name: String,
}

impl Shelved<'_> {
    /// The wide record of its call; `None`: it is not there, or can't be read as one.
    ///
    /// # Errors
    /// A shelf can't be read.
    pub fn wide(&self) -> io::Result<Option<Value>> {
        let body = body_of(self.shelves, &format!("{WIDE_ROOT}/{}.json", self.name))?;
        Ok(body.and_then(|body| serde_json::from_slice(&body).ok()))
    }
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// So many were handed over.
    pub records: u64,
    /// So many could not be read as records.
    pub unreadable: u64,
}

/// Hands over the records that are wanted, in the order in which their calls began, a day at a time; each once, whichever
/// shelves have it.
///
/// - `take`: says whether to go on.
///
/// # Errors
/// A shelf can't be read.
pub fn read(
    shelves: &[Box<dyn Shelf>],
    wanted: &Wanted,
    take: &mut dyn FnMut(&Shelved<'_>) -> bool,
) -> io::Result<Found> {
    let mut found = Found::default();
    walk(shelves, ROOT, wanted, &mut |name, body| match serde_json::from_slice::<CallDetailRecord>(body) {
        Ok(record) if wanted.takes(&record) => {
            found.records += 1;
            take(&Shelved { record, shelves, name: name.to_owned() })
        }
        Ok(_) => true,
        Err(_) => {
            found.unreadable += 1;
            true
        }
    })?;
    Ok(found)
}

/// The same of streaming detail records, in the order in which their streams began. Of `wanted` their connector, call, status and
/// times count.
///
/// # Errors
/// A shelf can't be read.
pub fn read_streaming(
    shelves: &[Box<dyn Shelf>],
    wanted: &Wanted,
    take: &mut dyn FnMut(&StreamingDetail) -> bool,
) -> io::Result<Found> {
    let mut found = Found::default();
    walk(shelves, STREAMING, wanted, &mut |_, body| match serde_json::from_slice::<StreamingDetail>(body) {
        Ok(record) if wanted.takes_streaming(&record) => {
            found.records += 1;
            take(&record)
        }
        Ok(_) => true,
        Err(_) => {
            found.unreadable += 1;
            true
        }
    })?;
    Ok(found)
}

/// Visits what lies by connector and day below a root, day after day, in the order of the names.
///
/// - `visit`: is given the day with the name, and the content; says whether to go on.
fn walk(
    shelves: &[Box<dyn Shelf>],
    root: &str,
    wanted: &Wanted,
    visit: &mut dyn FnMut(&str, &[u8]) -> bool,
) -> io::Result<()> {
    let connectors = match &wanted.connector {
        Some(id) => BTreeSet::from([id.clone()]),
        None => list(shelves, root)?,
    };
    let mut days = BTreeSet::new();
    for connector in &connectors {
        for year in list(shelves, &format!("{root}/{connector}"))? {
            for month in list(shelves, &format!("{root}/{connector}/{year}"))? {
                for day in list(shelves, &format!("{root}/{connector}/{year}/{month}"))? {
                    days.insert(format!("{year}/{month}/{day}"));
                }
            }
        }
    }
    for day in days.iter().filter(|day| reaches(day, wanted.since, wanted.until)) {
        let mut names = Vec::new();
        for connector in &connectors {
            let path = format!("{root}/{connector}/{day}");
            names.extend(list(shelves, &path)?.into_iter().map(|name| (name, path.clone())));
        }
        names.sort();
        for (name, path) in names {
            let Some(body) = body_of(shelves, &format!("{path}/{name}"))? else { continue };
            if !visit(&format!("{day}/{name}"), &body) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What stands below a path on any shelf, but for hidden names.
fn list(shelves: &[Box<dyn Shelf>], path: &str) -> io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for shelf in shelves {
        names.extend(shelf.list(path)?.into_iter().filter(|name| !name.starts_with('.')));
    }
    Ok(names)
}

/// `None`: it has been taken away meanwhile.
fn body_of(shelves: &[Box<dyn Shelf>], path: &str) -> io::Result<Option<Vec<u8>>> {
    for shelf in shelves {
        if let Some(body) = shelf.read(path)? {
            return Ok(Some(body));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
