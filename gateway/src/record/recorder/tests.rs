use std::fs;

use bytes::Bytes;

use super::*;
use crate::metrics::Metrics;
use crate::record::testing::{answered, facts, facts_of};

/// Far longer than the writer needs when it does not wait for the disk.
const PATIENCE: Duration = Duration::from_secs(20);

fn settings(dir: &Path) -> RecorderSettings {
    RecorderSettings::new(dir)
}

/// A recorder whose thread never gets to work: what is sent stays in the queue.
fn stalled(limit: usize, metrics: &Metrics) -> (Recorder, Inbox<Message>) {
    let (messages, receiver) = inbox();
    let room = Room::new(limit, metrics.records());
    (Recorder { messages, room, metrics: metrics.records() }, receiver)
}

fn call_detail() -> Record {
    Record::CallDetail(Box::new(facts()))
}

fn quality() -> Record {
    Record::Quality(Box::default())
}

fn message(length: usize) -> Record {
    Record::SipMessage(Box::new(SipMessageFacts {
        voice_connector_id: "abc".to_owned(),
        region: "r".to_owned(),
        event_timestamp: Duration::ZERO,
        call_id: "c".to_owned(),
        message: Bytes::from(vec![b'x'; length]),
    }))
}

#[test]
fn when_the_queue_is_full_messages_go_first_then_quality_and_call_details_never() {
    let metrics = Metrics::new("r");
    let (recorder, _queue) = stalled(64 << 10, &metrics);
    let filler = 1_024 - MESSAGE_COST;
    let messages = (0..1_000).take_while(|_| recorder.record(message(filler)).is_ok()).count();
    assert_eq!(messages, 31); // Half of 64 KiB.
    let qualities = (0..1_000).take_while(|_| recorder.record(quality()).is_ok()).count();
    assert_eq!(qualities, 16); // Another quarter.
    assert_eq!(recorder.record(message(0)), Err(Full));
    assert!(recorder.accepts_calls());
    for _ in 0..1_000 {
        recorder.record(call_detail()).unwrap();
    }
    assert!(!recorder.accepts_calls());
    let text = metrics.render();
    assert!(text.contains(&format!("voice_connector_record_queue_bytes {}\n", recorder.room.used())));
    assert!(text.contains("voice_connector_records_dropped_total{kind=\"sip_message\"} 2"));
    assert!(text.contains("voice_connector_records_dropped_total{kind=\"quality\"} 1"));
    assert!(text.contains("voice_connector_records_dropped_total{kind=\"call_detail\"} 0"));
}

#[test]
fn a_batch_takes_no_more_than_it_hands_out() {
    let (messages, receiver) = inbox();
    let first = || Ok(Message::Stop);
    for _ in 0..BATCH + 1 {
        messages.send(Message::Stop).unwrap();
    }
    assert_eq!(batch(first(), &receiver).filter(Result::is_ok).count(), BATCH);
    assert_eq!(std::iter::from_fn(|| receiver.next_now().ok()).count(), 2);

    // One that arrives just as the batch ends is the next batch's.
    let mut ending = batch(first(), &receiver);
    assert!(ending.next().unwrap().is_ok());
    assert!(ending.next().unwrap().is_err());
    messages.send(Message::Stop).unwrap();
    drop(ending);
    assert_eq!(std::iter::from_fn(|| receiver.next_now().ok()).count(), 1);
}

#[test]
fn room_comes_back_when_records_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(&settings(dir.path()), Metrics::new("r").records()).unwrap();
    opened.recorder.record(message(100)).unwrap();
    opened.recorder.record(quality()).unwrap();
    opened.recorder.record(call_detail()).unwrap();
    opened.recorder.answered(answered(1), Box::new(|_| {}));
    opened.recorder.flush();
    assert_eq!(opened.recorder.room.used(), 0);
}

#[test]
fn closing_writes_everything() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Metrics::new("r");
    let Opened { recorder, writer, orphans } = open(&settings(dir.path()), metrics.records()).unwrap();
    assert_eq!(orphans, []);
    for n in 0..200 {
        recorder.record(Record::CallDetail(Box::new(facts_of(n)))).unwrap();
    }
    writer.close();
    let day = "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/08/10";
    assert_eq!(fs::read_dir(dir.path().join(day)).unwrap().count(), 200);
    assert!(recorder.accepts_calls());
    assert_eq!(recorder.record(call_detail()), Err(Full));
    assert!(!recorder.accepts_calls());
    let (done, wait) = mpsc::channel();
    recorder.answered(answered(1), Box::new(move |result| done.send(result).unwrap()));
    assert_eq!(wait.recv(), Ok(Err(NotJournaled)));
    recorder.flush();
}

#[test]
fn an_answered_call_survives_a_crash_as_an_orphan() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Metrics::new("r");
    let Opened { recorder, writer, .. } = open(&settings(dir.path()), metrics.records()).unwrap();
    let (done, wait) = mpsc::channel();
    recorder.answered(answered(1), Box::new(move |result| done.send(result).unwrap()));
    assert_eq!(wait.recv(), Ok(Ok(())));
    writer.close(); // Without the call's end: to the journal it is as good as a crash.

    let Opened { recorder, writer, orphans } = open(&settings(dir.path()), metrics.records()).unwrap();
    assert_eq!(orphans, [Orphan { call: answered(1) }]);
    recorder.flush();
    let name = super::super::call_detail(
        &facts().voice_connector_id,
        facts().started_at,
        &facts_of(1).transaction_id,
    );
    let record = fs::read_to_string(dir.path().join(name)).unwrap();
    assert!(record.contains("\"StatusMessage\":\"Gateway restarted; end time unknown, between "));
    recorder.released(answered(1).facts.key());
    writer.close();

    let opened = open(&settings(dir.path()), metrics.records()).unwrap();
    assert_eq!(opened.orphans, []);
}

#[test]
fn a_second_gateway_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let metrics = Metrics::new("r");
    let first = open(&settings(dir.path()), metrics.records()).unwrap();
    let error = open(&settings(dir.path()), metrics.records()).unwrap_err();
    assert!(matches!(error, JournalError::Locked(_)));
    assert!(error.to_string().ends_with("another gateway keeps its records here"), "{error}");
    drop(first);
    open(&settings(dir.path()), metrics.records()).unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error_with_its_path() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = open(&settings(&dir.path().join("file")), Metrics::new("r").records()).unwrap_err();
    assert!(error.to_string().contains("file/.journal"), "{error}");
}

/// The threads that wait for the disk hang, for ever: calls are answered and records delivered all the same.
#[test]
fn a_disk_that_hangs_slows_no_call_and_no_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let (go_on, gate) = mpsc::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let hangs = move || gate.lock().unwrap().recv().unwrap_or_default();
    let opened = open_before(&settings(dir.path()), Metrics::new("r").records(), hangs).unwrap();
    let (done, wait) = mpsc::channel();
    for n in 0..500 {
        let done = done.clone();
        opened.recorder.answered(answered(n), Box::new(move |result| done.send(result).unwrap()));
        assert_eq!(wait.recv_timeout(PATIENCE), Ok(Ok(())), "call {n} waits for the disk");
        opened.recorder.record(Record::CallDetail(Box::new(facts_of(n)))).unwrap();
    }
    opened.recorder.flush();
    let day = "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/08/10";
    assert_eq!(fs::read_dir(dir.path().join(day)).unwrap().count(), 500);
    drop(go_on);
    opened.writer.close();
}

/// A disk that takes 3 ms for each flush: the journal is put there many calls at a time, and so are the records, while
/// others come.
#[test]
fn a_slow_disk_delivers_records_as_fast_as_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let (asked, flushes) = mpsc::channel();
    let slow = move || {
        asked.send(()).unwrap_or_default();
        thread::sleep(Duration::from_millis(3));
    };
    let metrics = Metrics::new("r");
    let opened = open_before(&settings(dir.path()), metrics.records(), slow).unwrap();
    for n in 0..4_000 {
        opened.recorder.answered(answered(n), Box::new(|result| result.unwrap()));
        opened.recorder.record(Record::CallDetail(Box::new(facts_of(n)))).unwrap();
    }
    opened.recorder.flush();
    let day = "Amazon-Chime-Voice-Connector-CDRs/json/abcdef1ghij2klmno3pqr4/2019/08/10";
    assert_eq!(fs::read_dir(dir.path().join(day)).unwrap().count(), 4_000);
    opened.writer.close();
    let flushes = flushes.try_iter().count();
    assert!(
        flushes < 400,
        "{flushes}: at 125 a second it would take half a minute for as many as there are records"
    );
}

/// With `durability = "disk"` the caller waits.
#[test]
fn a_disk_that_hangs_holds_back_who_waits_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let (go_on, gate) = mpsc::channel::<()>();
    let (asked, disk) = mpsc::channel();
    let gate = Arc::new(std::sync::Mutex::new(gate));
    let hangs = move || {
        asked.send(()).unwrap_or_default();
        gate.lock().unwrap().recv().unwrap_or_default();
    };
    let settings = RecorderSettings { durability: Durability::Disk, ..settings(dir.path()) };
    let opened = open_before(&settings, Metrics::new("r").records(), hangs).unwrap();
    let (done, wait) = mpsc::channel();
    opened.recorder.answered(answered(1), Box::new(move |result| done.send(result).unwrap()));
    disk.recv().unwrap();
    assert!(wait.try_recv().is_err());
    drop(go_on);
    assert_eq!(wait.recv(), Ok(Ok(())));
    opened.writer.close();
}
