use std::fs;

use smol_str::SmolStr;

use super::compaction::SLACK;
use super::*;
use crate::record::testing::{answered, audit, detail, facts_of, streamed};
use crate::record::{CallDetail, CallDetailRecord};

fn open(dir: &Path) -> Journal {
    Journal::open(dir).unwrap()
}

fn up(n: u32) -> Entry {
    Entry::Answered { call: Box::new(answered(n)), orphan: false }
}

fn ended(sequence: u64, n: u32) -> Entry {
    Entry::ended(sequence, &facts_of(n), false)
}

/// Transaction ids of the calls without an end, and the records that wait.
fn content(journal: &Journal) -> (Vec<SmolStr>, Vec<u64>) {
    let mut calls: Vec<SmolStr> =
        journal.open_calls().unwrap().into_iter().map(|(call, _)| call.facts.transaction_id).collect();
    calls.sort();
    (calls, journal.undelivered_sequences().collect())
}

fn ids(calls: &[u32]) -> Vec<SmolStr> {
    calls.iter().map(|&n| facts_of(n).transaction_id).collect()
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut journal = open(dir.path());
        journal.append(&[up(1), up(2), ended(0, 1), ended(1, 9), up(3)]).unwrap();
        journal
            .append(&[Entry::Delivered { sequence: 0 }, Entry::Alive { unix_ms: 2_000_000_000_000 }])
            .unwrap();
        assert_eq!(content(&journal), (ids(&[2, 3]), vec![1]));
    }
    let mut journal = open(dir.path());
    assert_eq!(content(&journal), (ids(&[2, 3]), vec![1]));
    assert_eq!(journal.alive_at(), Duration::from_secs(2_000_000_000));
    assert_eq!(journal.take_sequence(), 2);
    let Some(Ok(Entry::Ended { record, .. })) = journal.undelivered(1) else { panic!() };
    assert_eq!(*record, CallDetailRecord::new(&facts_of(9)));
    assert!(journal.undelivered(0).is_none());
}

#[test]
fn a_file_cut_anywhere_keeps_every_whole_entry() {
    let source = tempfile::tempdir().unwrap();
    let mut journal = open(source.path());
    let start = journal.length();
    journal.append(&[up(1)]).unwrap();
    let first = journal.length();
    journal.append(&[ended(0, 1)]).unwrap();
    let mut bytes = fs::read(source.path().join("journal")).unwrap();
    bytes.truncate(usize::try_from(journal.length()).unwrap()); // Zeros follow.
    for cut in (start..=bytes.len() as u64).step_by(7).chain([first - 1, first, first + 1]) {
        let dir = tempfile::tempdir().unwrap();
        let mut cut_short = bytes[..usize::try_from(cut).unwrap()].to_vec();
        // Room that was there already, or not.
        cut_short.resize(cut_short.len() + if cut % 2 == 0 { 0 } else { 4_096 }, 0);
        fs::write(dir.path().join("journal"), cut_short).unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.damaged(), 0);
        let expect = match cut {
            // The zero behind an entry may be one of the room.
            _ if cut < first - cut % 2 => (vec![], vec![]),
            _ if cut < bytes.len() as u64 - cut % 2 => (ids(&[1]), vec![]),
            _ => (vec![], vec![0]),
        };
        assert_eq!(content(&journal), expect, "cut at {cut}");
        // And it goes on from there.
        journal.append(&[up(2)]).unwrap();
        drop(journal);
        assert!(content(&open(dir.path())).0.contains(&facts_of(2).transaction_id));
    }
}

#[test]
fn what_must_be_on_the_disk_is_written_within_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let size = || fs::metadata(dir.path().join("journal")).unwrap().len();
    journal.append(&[up(0)]).unwrap();
    let (first, mut growths) = (size(), 0);
    for n in 1..1_000 {
        let before = size();
        journal.append(&[up(n)]).unwrap();
        growths += u32::from(size() != before);
        assert!(journal.length() < size(), "zeros follow");
    }
    assert!(first > GROWTH && (1..4).contains(&growths), "{growths}");
    drop(journal);
    let journal = open(dir.path());
    assert_eq!((journal.open_calls_len(), journal.damaged()), (1_000, 0));
}

#[test]
fn a_damaged_entry_is_set_aside_and_the_rest_kept() {
    let dir = tempfile::tempdir().unwrap();
    let damage_at = {
        let mut journal = open(dir.path());
        journal.append(&[up(1)]).unwrap();
        let at = journal.length();
        journal.append(&[up(2), up(3)]).unwrap();
        at
    };
    let path = dir.path().join("journal");
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(damage_at).unwrap() + 40] ^= 1;
    bytes.extend([0; 4096]); // What some file systems leave after a power cut.
    fs::write(&path, bytes).unwrap();
    let journal = open(dir.path());
    assert_eq!(journal.damaged(), 1);
    assert_eq!(content(&journal).0, ids(&[1, 3]));
    let aside = fs::read(dir.path().join("damaged")).unwrap();
    assert!(aside.windows(15).any(|text| text == b"pbx.example.com"));
    drop(journal);
    assert_eq!(open(dir.path()).damaged(), 0);
}

#[test]
fn two_gateways_cannot_share_it() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    assert!(matches!(Journal::open(dir.path()), Err(JournalError::Locked(_))));
    drop(journal);
    assert!(Journal::open(dir.path()).is_ok());
}

#[test]
fn what_is_not_of_ours_or_newer_is_not_touched() {
    let newer = String::from_utf8(version::first_line()).unwrap();
    let newer = newer.replace(&format!("\"version\":{}", version::VERSION), "\"version\":99");
    let sum = format!("{:016x}", entry::checksum(newer[17..].trim_end().as_bytes()));
    let newer = format!("{sum}{}", &newer[16..]);
    for (text, says) in [
        (newer.as_str(), "the journal has version 99, this program knows 7"),
        ("Dear diary,\n", "this is no journal of a gateway's; move it away"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal"), text).unwrap();
        let Err(error) = Journal::open(dir.path()) else { panic!("{text}") };
        assert!(error.to_string().ends_with(says), "{error}");
        assert_eq!(fs::read_to_string(dir.path().join("journal")).unwrap(), text);
    }
}

/// Whoever changes what an entry looks like makes a version of it, and goes on reading this one.
#[test]
fn the_form_of_this_version_stays_as_it_is() {
    let wide = AnsweredCall { detail: Some(Box::new(detail())), ..answered(1) };
    let mut file = version::first_line();
    for entry in [
        Entry::Answered { call: Box::new(wide), orphan: true },
        ended(7, 1),
        Entry::Detail { sequence: 8, detail: Box::new(detail()) },
        Entry::Delivered { sequence: u64::MAX },
        Entry::Released { key: facts_of(1).key() },
        Entry::Alive { unix_ms: 1 },
        Entry::Taken { sink: "archive".to_owned(), next: 7 },
        Entry::SinkGone { sink: "archive".to_owned() },
        Entry::Audit { sequence: 9, audit: Box::new(audit(true)) },
        Entry::Streamed { call: Box::new(streamed()) },
        Entry::StreamingEvent { sequence: 10, event: Box::new(streamed().lost("x", 1)) },
        Entry::StreamingDetail { sequence: 11, record: Box::new(streamed().over(1, None)) },
    ] {
        entry.encode(&mut file);
    }
    assert!(file == include_bytes!("version_7"));
}

/// Version 6 has all but what is streamed.
#[test]
fn a_journal_of_version_6_is_read_and_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("journal"), include_bytes!("version_6")).unwrap();
    for start in 0..2 {
        let journal = open(dir.path());
        assert_eq!((journal.undelivered_len(), journal.damaged()), (3, 0), "{start}");
        let Some(Ok(Entry::Detail { detail: found, .. })) = journal.undelivered(8) else { panic!() };
        assert_eq!(*found, detail(), "{start}");
    }
    assert!(fs::read(dir.path().join("journal")).unwrap().starts_with(&version::first_line()));
}

/// What versions 2 and 3 say of a call: nothing of its legs and its media.
fn detail_before() -> CallDetail {
    let mut before = CallDetail { schema: 1, caller_leg: None, callee_leg: None, media: None, ..detail() };
    before.attempts.iter_mut().for_each(|attempt| attempt.reason = None);
    before
}

#[test]
fn a_journal_of_the_versions_before_is_read_and_written_anew() {
    for (version, file) in [(2, include_bytes!("version_2").as_slice()), (3, include_bytes!("version_3"))] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal"), file).unwrap();
        for start in 0..2 {
            let journal = open(dir.path());
            assert_eq!((journal.undelivered_len(), journal.damaged()), (2, 0), "{version}, {start}");
            let Some(Ok(Entry::Detail { detail: found, .. })) = journal.undelivered(8) else { panic!() };
            assert_eq!(*found, detail_before(), "{version}, {start}");
            let Some(Ok(Entry::Ended { record, .. })) = journal.undelivered(7) else { panic!() };
            assert_eq!(*record, CallDetailRecord::new(&facts_of(1)), "{version}, {start}");
        }
        assert!(fs::read(dir.path().join("journal")).unwrap().starts_with(&version::first_line()));
    }
}

/// What versions 4 and 5 say of a call: less of its media.
fn detail_of_5() -> CallDetail {
    let mut before = CallDetail { schema: 2, ..detail() };
    for party in before.media.iter_mut().flat_map(|media| [&mut media.caller, &mut media.callee]) {
        party.srtcp_tag = None;
        let received = &mut party.received;
        (received.duplicates, received.interruptions, received.loss) = (0, 0, None);
    }
    before
}

/// Version 4 has no calls of the API.
#[test]
fn a_journal_of_versions_4_and_5_is_read_and_written_anew() {
    for (file, undelivered) in [(include_bytes!("version_4").as_slice(), 2), (include_bytes!("version_5"), 3)]
    {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("journal"), file).unwrap();
        for start in 0..2 {
            let journal = open(dir.path());
            assert_eq!((journal.undelivered_len(), journal.damaged()), (undelivered, 0), "{start}");
            let Some(Ok(Entry::Detail { detail: found, .. })) = journal.undelivered(8) else { panic!() };
            assert_eq!(*found, detail_of_5(), "{start}");
        }
        assert!(fs::read(dir.path().join("journal")).unwrap().starts_with(&version::first_line()));
        let first = file.split_inclusive(|byte| *byte == entry::END).next().unwrap();
        fs::write(dir.path().join("journal"), first).unwrap();
        for _ in 0..2 {
            let journal = open(dir.path());
            let wide = AnsweredCall { detail: Some(Box::new(detail_of_5())), ..answered(1) };
            assert_eq!((journal.open_calls().unwrap(), journal.damaged()), (vec![(wide, true)], 0));
        }
    }
}

/// As a gateway of that version left it when it was killed with the call up.
#[test]
fn a_call_that_was_up_in_the_versions_before_is_known() {
    for file in [include_bytes!("version_2").as_slice(), include_bytes!("version_3")] {
        let dir = tempfile::tempdir().unwrap();
        let first = file.split_inclusive(|byte| *byte == entry::END).next().unwrap();
        fs::write(dir.path().join("journal"), first).unwrap();
        for _ in 0..2 {
            let journal = open(dir.path());
            let wide = AnsweredCall { detail: Some(Box::new(detail_before())), ..answered(1) };
            assert_eq!((journal.open_calls().unwrap(), journal.damaged()), (vec![(wide, true)], 0));
        }
    }
}

/// As a gateway of the version of lines left it when it was killed with two calls up and their third on its way.
#[test]
fn a_journal_of_lines_is_read_and_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let lines = include_bytes!("version_1");
    let mut torn = lines.to_vec();
    torn.extend(b"0123456789abcdef {\"entry\":\"ali");
    torn.extend([0; 4_096]);
    fs::write(dir.path().join("journal"), torn).unwrap();
    for start in 0..2 {
        let journal = open(dir.path());
        let up: Vec<_> =
            journal.open_calls().unwrap().into_iter().map(|(call, _)| call.facts.call_id).collect();
        assert_eq!(
            (up, journal.undelivered_len(), journal.damaged()),
            (vec!["call2".into()], 2, 0),
            "{start}"
        );
        let waiting: Vec<_> = journal.undelivered_sequences().collect();
        for sequence in waiting {
            let entry = journal.undelivered(sequence).unwrap().unwrap();
            assert!(matches!(entry, Entry::Ended { .. } | Entry::Detail { .. }));
        }
    }
    let anew = fs::read(dir.path().join("journal")).unwrap();
    assert!(anew.starts_with(&version::first_line()));
    let (call, _) = open(dir.path()).open_calls().unwrap().remove(0);
    assert!(call.state.starts_with(b"[{\"dialog\":"), "as the core wrote it then");
    let length = usize::try_from(open(dir.path()).length()).unwrap();
    assert!(length < lines.len() * 2 / 3, "{length} of {}", lines.len());
}

#[test]
fn a_failed_write_counts_for_nothing_and_can_be_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    journal.append(&[up(1)]).unwrap();
    journal.break_disk();
    assert!(journal.append(&[up(2)]).is_err());
    assert_eq!(content(&journal).0, ids(&[1]));
    // Half an entry, and a whole one that nobody was told of.
    journal.mend_disk();
    let mut torn = Vec::new();
    up(7).encode(&mut torn);
    torn.extend_from_slice(b"0123");
    journal.file.write_all_at(&torn, journal.length).unwrap();
    journal.append(&[up(3)]).unwrap();
    assert_eq!(content(&journal).0, ids(&[1, 3]));
    drop(journal);
    let journal = open(dir.path());
    assert_eq!((content(&journal).0, journal.damaged()), (ids(&[1, 3]), 0));
}

#[test]
fn it_stays_small_while_calls_come_and_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[up(0), ended(0, 99)]).unwrap();
    let mut compactions = 0;
    for n in 1..4_000 {
        let sequence = u64::from(n);
        journal.append(&[up(n), ended(sequence, n), Entry::Delivered { sequence }]).unwrap();
        if journal.wants_compaction() {
            journal.compact().unwrap();
            compactions += 1;
        }
        assert!(journal.length() < 2 * SLACK);
    }
    assert!((2..10).contains(&compactions), "{compactions}");
    assert_eq!(content(&journal), (ids(&[0]), vec![0]));
    drop(journal);
    assert_eq!(content(&open(dir.path())), (ids(&[0]), vec![0]));
}

#[test]
fn state_that_changes_replaces_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    journal.append(&[up(1)]).unwrap();
    let pledged = journal.pledged();
    let mut call = answered(1);
    call.state = b"cseq 2".to_vec();
    journal.append(&[up(1), Entry::Answered { call: Box::new(call.clone()), orphan: false }]).unwrap();
    assert!(journal.pledged() < pledged);
    assert_eq!(journal.open_calls().unwrap(), [(call, false)]);
}

/// While a smaller file is on its way to the disk, both are written, and either tells all after a crash.
#[test]
fn nothing_is_lost_while_it_is_written_anew() {
    for steps in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path());
        journal.append(&[up(1), up(2), ended(0, 1)]).unwrap();
        journal.begin_anew().unwrap();
        journal.append(&[up(3), Entry::Delivered { sequence: 0 }, ended(1, 2)]).unwrap();
        for step in 0..steps {
            let job = journal.sync_job().unwrap().unwrap();
            journal.append(&[up(4 + step), up(3)]).unwrap();
            journal.handle_synced(&job, job.run()).unwrap();
        }
        let calls = [3, 4, 5, 6].into_iter().take(1 + steps as usize).collect::<Vec<_>>();
        assert_eq!(content(&journal), (ids(&calls), vec![1]), "{steps}");
        let Some(Ok(Entry::Ended { record, .. })) = journal.undelivered(1) else { panic!() };
        assert_eq!(*record, CallDetailRecord::new(&facts_of(2)));
        drop(journal);
        assert_eq!(content(&open(dir.path())), (ids(&calls), vec![1]), "{steps}");
    }
}

#[test]
fn a_sync_tells_only_of_what_was_written_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    assert!(journal.sync_job().unwrap().is_none());
    journal.append(&[up(1)]).unwrap();
    let job = journal.sync_job().unwrap().unwrap();
    journal.append(&[up(2)]).unwrap();
    journal.handle_synced(&job, Ok(())).unwrap();
    assert_eq!(journal.written() - journal.synced(), 1);
    // What a broken disk has is anyone's guess: a new file, then its name.
    let job = journal.sync_job().unwrap().unwrap();
    assert!(journal.handle_synced(&job, Err(io::ErrorKind::Other.into())).is_err());
    let mut steps = 0;
    while let Some(job) = journal.sync_job().unwrap() {
        journal.handle_synced(&job, job.run()).unwrap();
        steps += 1;
    }
    assert_eq!((steps, journal.written() - journal.synced(), journal.is_sound()), (2, 0, true));
}

#[test]
fn what_was_cut_off_does_not_take_the_rest_along() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    journal.append(&[up(1)]).unwrap();
    let length = journal.length();
    journal.append(&[up(2)]).unwrap();
    File::options().write(true).open(dir.path().join("journal")).unwrap().set_len(length + 5).unwrap();
    assert!(!journal.is_in_place());
    journal.put_back().unwrap();
    journal.append(&[up(3)]).unwrap();
    assert!(journal.is_in_place());
    assert_eq!(content(&journal).0, ids(&[1, 3]));
    drop(journal);
    let journal = open(dir.path());
    assert_eq!((content(&journal).0, journal.damaged()), (ids(&[1, 3]), 0));
}

/// More than is read and written at once, with what is dead in between.
#[test]
fn what_is_alive_is_carried_over_and_no_damage_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    for n in 0..600 {
        let sequence = u64::from(n);
        journal.append(&[up(n), ended(sequence, n)]).unwrap();
        match n % 3 {
            0 => journal.append(&[Entry::Delivered { sequence }]).unwrap(),
            1 if n % 100 == 1 => journal.append(&[up(1_000 + n)]).unwrap(), // 1 and 301.
            _ => {}
        }
    }
    let Position { offset, .. } = journal.records.get(301).unwrap().position;
    let mut byte = [0];
    journal.file.read_exact_at(&mut byte, offset + 20).unwrap();
    let changed = if byte == [1] { [2] } else { byte.map(|byte| byte ^ 1) };
    journal.file.write_all_at(&changed, offset + 20).unwrap();
    journal.compact().unwrap();
    let calls = ids(&[1_001, 1_301]);
    let records: Vec<u64> = (0..600).filter(|n| n % 3 != 0 && *n != 301).collect();
    assert_eq!(content(&journal), (calls.clone(), records.clone()));
    for sequence in &records {
        let Some(Ok(Entry::Ended { record, .. })) = journal.undelivered(*sequence) else { panic!() };
        assert_eq!(*record, CallDetailRecord::new(&facts_of(u32::try_from(*sequence).unwrap())));
    }
    drop(journal);
    let journal = open(dir.path());
    assert_eq!((content(&journal), journal.damaged()), ((calls, records), 0));
}
