//! What a restart makes of the calls that were up.

use std::io;
use std::time::Duration;

use smol_str::format_smolstr;

use super::journal::{Entry, Journal};
use super::name::rfc3339;
use super::{AnsweredCall, CallFacts, milliseconds};

/// So long after its answer, the legs of a call that nobody hung up are surely gone.
const ORPHAN_LIFETIME: Duration = Duration::from_secs(48 * 3600);

/// What is said of streams that nobody ended.
const RESTARTED: &str = "Gateway restarted";

/// A call that was up, or rang, when the gateway stopped. Its record is written; its legs may still be up.
///
/// It is returned at every start until [`Recorder::released`](super::Recorder::released) says that
/// both legs are hung up, or two days have passed since its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Orphan {
    /// The call as it was last reported.
    pub call: AnsweredCall,
}

/// Gives every call that was up an end, and its streams theirs, and returns the calls to hang up.
///
/// - `now`: since the Unix epoch.
///
/// A call ended when the gateway was last known to run, so that nobody pays for the outage; the
/// record's status message says between which times the end really was.
///
/// # Errors
/// The journal can't be read or written.
pub fn recover(journal: &mut Journal, now: Duration) -> io::Result<Vec<Orphan>> {
    let last_alive = journal.alive_at();
    let mut orphans = Vec::new();
    let mut entries = Vec::new();
    let mut calls = journal.open_calls()?;
    calls.sort_by_key(|(call, _)| call.facts.started_at);
    for (call, recorded) in calls {
        let age = now.saturating_sub(call.facts.answered_at.unwrap_or(call.facts.started_at));
        if recorded && age > ORPHAN_LIFETIME {
            entries.push(Entry::Released { key: call.facts.key() });
            continue;
        }
        if !recorded {
            let facts = cut_short(&call.facts, last_alive, now);
            entries.push(Entry::ended(journal.take_sequence(), &facts, true));
            if let Some(detail) = &call.detail {
                let mut detail = detail.clone();
                detail.times.end = milliseconds(facts.ended_at);
                (detail.status, detail.cause) = (503, facts.status_message);
                entries.push(Entry::Detail { sequence: journal.take_sequence(), detail });
            }
        }
        orphans.push(Orphan { call });
    }
    for mut call in journal.streamed_calls()? {
        let at = milliseconds(last_alive.min(now));
        call.restarted();
        while call.live > 0 {
            let event = Box::new(call.lost(RESTARTED, at));
            entries.push(Entry::StreamingEvent { sequence: journal.take_sequence(), event });
        }
        let record = Box::new(call.over(at, Some(RESTARTED)));
        entries.push(Entry::StreamingDetail { sequence: journal.take_sequence(), record });
    }
    journal.append(&entries)?;
    journal.sync()?;
    Ok(orphans)
}

fn cut_short(facts: &CallFacts, last_alive: Duration, now: Duration) -> CallFacts {
    // A clock that was ahead then, and is right now, must not bill the difference.
    let ended_at = facts.answered_at.unwrap_or(facts.started_at).max(last_alive.min(now));
    let status_message = format_smolstr!(
        "Gateway restarted; end time unknown, between {} and {}",
        rfc3339(ended_at),
        rfc3339(now.max(ended_at))
    );
    CallFacts { ended_at, status_message, ..facts.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{answered, detail, facts};
    use crate::record::{CallDetailRecord, Status};

    fn record(journal: &Journal, sequence: u64) -> CallDetailRecord {
        match journal.undelivered(sequence).unwrap().unwrap() {
            Entry::Ended { record, .. } => *record,
            entry => panic!("{entry:?}"),
        }
    }

    #[test]
    fn a_call_that_was_up_gets_an_end_once_and_stays_an_orphan_until_released() {
        let dir = tempfile::tempdir().unwrap();
        let answered_at = facts().answered_at.unwrap();
        let alive = answered_at + Duration::from_secs(20);
        let restart = answered_at + Duration::from_secs(300);
        {
            let mut journal = Journal::open(dir.path()).unwrap();
            let entries = [
                Entry::Answered { call: Box::new(answered(1)), orphan: false },
                Entry::Alive { unix_ms: u64::try_from(alive.as_millis()).unwrap() },
            ];
            journal.append(&entries).unwrap();
        }
        for start in 0..2 {
            let mut journal = Journal::open(dir.path()).unwrap();
            assert_eq!(recover(&mut journal, restart).unwrap(), [Orphan { call: answered(1) }], "{start}");
            assert_eq!(journal.undelivered_sequences().collect::<Vec<_>>(), [0]);
            let record = record(&journal, 0);
            assert_eq!(record.status, Status::Completed);
            assert_eq!(
                record.status_message,
                "Gateway restarted; end time unknown, between 2019-08-10T01:14:08Z and 2019-08-10T01:18:48Z"
            );
            assert_eq!(record.end_time_epoch_seconds, alive.as_secs());
            assert_eq!(record.billable_duration_seconds, 24); // 20 s.
        }
        {
            let mut journal = Journal::open(dir.path()).unwrap();
            journal.append(&[Entry::Released { key: answered(1).facts.key() }]).unwrap();
        }
        let mut journal = Journal::open(dir.path()).unwrap();
        assert_eq!(recover(&mut journal, restart).unwrap(), []);
        assert_eq!(journal.undelivered_len(), 1);
    }

    #[test]
    fn a_call_that_was_over_while_a_party_did_not_know_keeps_its_record_and_is_an_orphan() {
        let dir = tempfile::tempdir().unwrap();
        let (call, now) = (answered(1), facts().answered_at.unwrap() + Duration::from_secs(60));
        let mut journal = Journal::open(dir.path()).unwrap();
        let sequence = journal.take_sequence();
        let over = Entry::ended(sequence, &call.facts, true);
        journal.append(&[Entry::Answered { call: Box::new(call.clone()), orphan: false }, over]).unwrap();
        assert_eq!(journal.open_calls_len(), 0);
        for _ in 0..2 {
            drop(journal);
            journal = Journal::open(dir.path()).unwrap();
            assert_eq!(recover(&mut journal, now).unwrap(), [Orphan { call: call.clone() }]);
            assert_eq!((journal.undelivered_len(), journal.open_calls_len()), (1, 0));
            assert_eq!(record(&journal, sequence).status_message, call.facts.status_message);
        }
        journal.append(&[Entry::Released { key: call.facts.key() }]).unwrap();
        assert_eq!(recover(&mut journal, now).unwrap(), []);
    }

    /// Nobody pays for it.
    #[test]
    fn a_call_that_rang_has_failed_and_is_an_orphan_until_released() {
        let dir = tempfile::tempdir().unwrap();
        let mut call = answered(1);
        call.facts.answered_at = None;
        let now = call.facts.started_at + Duration::from_secs(20);
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(&[Entry::Answered { call: Box::new(call.clone()), orphan: false }]).unwrap();
        for _ in 0..2 {
            drop(journal);
            journal = Journal::open(dir.path()).unwrap();
            assert_eq!(recover(&mut journal, now).unwrap(), [Orphan { call: call.clone() }]);
        }
        let record = record(&journal, 0);
        assert_eq!((record.status, record.billable_duration_seconds), (Status::Failed, 0));
        assert!(record.status_message.starts_with("Gateway restarted; end time unknown, between 2019"));
        journal.append(&[Entry::Released { key: call.facts.key() }]).unwrap();
        assert_eq!(recover(&mut journal, now).unwrap(), []);
    }

    #[test]
    fn its_wide_record_says_so_too() {
        let dir = tempfile::tempdir().unwrap();
        let answered_at = facts().answered_at.unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        let call = Box::new(AnsweredCall { detail: Some(Box::new(detail())), ..answered(1) });
        journal.append(&[Entry::Answered { call, orphan: false }]).unwrap();
        recover(&mut journal, answered_at + Duration::from_secs(30)).unwrap();
        let Entry::Detail { detail: found, .. } = journal.undelivered(1).unwrap().unwrap() else { panic!() };
        assert_eq!((found.status, found.times.end), (503, milliseconds(answered_at)));
        assert!(found.cause.starts_with("Gateway restarted; "), "{}", found.cause);
        assert_eq!(found.attempts, detail().attempts);
    }

    #[test]
    fn a_clock_that_was_ahead_bills_nothing_beyond_the_restart() {
        let dir = tempfile::tempdir().unwrap();
        let restart = facts().answered_at.unwrap() + Duration::from_secs(30);
        let mut journal = Journal::open(dir.path()).unwrap();
        let call = Box::new(answered(1));
        journal
            .append(&[Entry::Answered { call, orphan: false }, Entry::Alive { unix_ms: u64::MAX }])
            .unwrap();
        recover(&mut journal, restart).unwrap();
        assert_eq!(record(&journal, 0).billable_duration_seconds, 30);
    }

    #[test]
    fn an_orphan_is_given_up_after_two_days_but_never_without_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let late = facts().started_at + Duration::from_secs(3 * 24 * 3600);
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(&[Entry::Answered { call: Box::new(answered(1)), orphan: false }]).unwrap();
        assert_eq!(recover(&mut journal, late).unwrap().len(), 1);
        assert_eq!(journal.undelivered_len(), 1);
        assert_eq!(recover(&mut journal, late).unwrap().len(), 0);
        assert_eq!((journal.undelivered_len(), journal.open_calls_len()), (1, 0));
    }
}
