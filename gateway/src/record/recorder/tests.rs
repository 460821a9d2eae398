use std::fs;

use bytes::Bytes;

use super::*;
use crate::metrics::Metrics;
use crate::record::sink::http::HttpClient;
use crate::record::sink::testing::{Answer, Server};
use crate::record::sink::webhook::Webhook;
use crate::record::sink::{Sink, SinkRecord, Taking};
use crate::record::testing::{answered, audit, facts, facts_of};
use crate::record::{LogGroup, hourly};

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
        voice_connector_id: "abc".into(),
        region: "r".into(),
        event_timestamp: Duration::ZERO,
        call_id: "c".into(),
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
    let opened = open_before(&settings(dir.path()), &[], Metrics::new("r").records(), hangs).unwrap();
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
    let opened = open_before(&settings(dir.path()), &[], metrics.records(), slow).unwrap();
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
    let opened = open_before(&settings, &[], Metrics::new("r").records(), hangs).unwrap();
    let (done, wait) = mpsc::channel();
    opened.recorder.answered(answered(1), Box::new(move |result| done.send(result).unwrap()));
    disk.recv().unwrap();
    assert!(wait.try_recv().is_err());
    drop(go_on);
    assert_eq!(wait.recv(), Ok(Ok(())));
    opened.writer.close();
}

/// One sink is a server, another one never answers, a third one panics: neither of these holds up anything, nor the end.
#[test]
fn a_sink_has_what_was_recorded_whatever_the_others_do() {
    struct Hangs;
    impl Sink for Hangs {
        fn take<'a>(&'a self, _: &'a [SinkRecord]) -> Taking<'a> {
            Box::pin(std::future::pending())
        }
    }
    struct Panics;
    impl Sink for Panics {
        fn take<'a>(&'a self, _: &'a [SinkRecord]) -> Taking<'a> {
            Box::pin(async { panic!("a sink's own fault") })
        }
    }
    let (told, heard) = mpsc::channel();
    let server = Server::start(move |request| {
        let _ = told.send(request.body.clone());
        Answer::status(200)
    });
    let metrics = Metrics::new("r");
    let client = HttpClient::new(None).unwrap();
    let webhook = Webhook::new(client, &server.url("/"), "s".into());
    let sinks: [(&str, Arc<dyn Sink>); 3] =
        [("hangs", Arc::new(Hangs)), ("panics", Arc::new(Panics)), ("server", Arc::new(webhook))];
    let sinks = sinks.map(|(name, sink)| SinkSetup {
        name: name.to_owned(),
        kinds: vec![RecordKind::CallDetail],
        batch: 10,
        must_have: true,
        metrics: metrics.sink(name),
        sink,
    });
    let dir = tempfile::tempdir().unwrap();
    let opened = open_with(&settings(dir.path()), &sinks, metrics.records()).unwrap();
    opened.recorder.record(Record::CallDetail(Box::new(facts()))).unwrap();
    let body = heard.recv_timeout(Duration::from_secs(30)).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["records"][0]["record"]["TransactionId"], facts().transaction_id.as_str());
    let name = body["records"][0]["name"].as_str().unwrap().to_owned();
    opened.recorder.flush();
    opened.writer.close();
    assert!(dir.path().join(name).is_file(), "the directory has it under the same name");
}

/// A server that takes all, the sink that sends it records of one kind, and what came.
fn webhook(metrics: &Metrics, kind: RecordKind) -> (Server, SinkSetup, mpsc::Receiver<Vec<u8>>) {
    let (told, heard) = mpsc::channel();
    let server = Server::start(move |request| {
        let _ = told.send(request.body.clone());
        Answer::status(200)
    });
    let webhook = Webhook::new(HttpClient::new(None).unwrap(), &server.url("/"), "s".into());
    let setup = SinkSetup {
        name: "server".to_owned(),
        kinds: vec![kind],
        batch: 10,
        must_have: true,
        metrics: metrics.sink("server"),
        sink: Arc::new(webhook),
    };
    (server, setup, heard)
}

/// A sink that was away for hours has the lines of their logs from the directory, without anybody's recording anything.
#[test]
fn a_sink_has_the_logs_of_the_hours_that_it_was_away() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let metrics = Metrics::new("r");
    let (_server, setup, heard) = webhook(&metrics, RecordKind::SipMessage);
    let dir = tempfile::tempdir().unwrap();
    let then = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - 3 * HOUR;
    let line = "{\"sip_message\":\"BYE\"}\n";
    for (hours, text) in [(0, line), (1, ""), (3, "{\"not\":\"over\"}\n")] {
        let file = dir.path().join(hourly(LogGroup::SipMessages, "abc", then + hours * HOUR));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    std::fs::create_dir(dir.path().join(".sinks")).unwrap();
    let at = format!("{{\"hour\":{},\"file\":\"\",\"offset\":0}}", then.as_secs() / 3_600);
    std::fs::write(dir.path().join(".sinks/server"), at).unwrap();
    let opened = open_with(&settings(dir.path()), &[setup], metrics.records()).unwrap();
    let body = heard.recv_timeout(Duration::from_secs(30)).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["records"][0]["lines"], serde_json::json!([{ "sip_message": "BYE" }]));
    assert_eq!(body["records"].as_array().unwrap().len(), 1);
    opened.writer.close();
    assert!(heard.try_recv().is_err(), "nothing but that");
}

/// The call of the API is in the directory, and every sink that wants such calls has it under the same name.
#[test]
fn calls_of_the_api_go_through_the_journal_to_directory_and_sinks() {
    let metrics = Metrics::new("r");
    let (_server, setup, heard) = webhook(&metrics, RecordKind::Audit);
    let dir = tempfile::tempdir().unwrap();
    let opened = open_with(&settings(dir.path()), &[setup], metrics.records()).unwrap();
    for changes in [true, false] {
        let at_ms = audit(true).at_ms + u64::from(changes);
        opened.recorder.record(Record::Audit(Box::new(AuditRecord { at_ms, ..audit(changes) }))).unwrap();
    }
    let mut records = Vec::new();
    while records.len() < 2 {
        let body = heard.recv_timeout(Duration::from_secs(30)).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        records.extend(body["records"].as_array().unwrap().iter().cloned());
    }
    opened.recorder.flush();
    opened.writer.close();
    for (record, changes) in records.iter().zip([true, false]) {
        assert_eq!(record["kind"], "audit", "{record}");
        let sent: serde_json::Value = serde_json::from_str(&audit(changes).body).unwrap();
        assert_eq!(record["record"], sent);
        let kept = fs::read(dir.path().join(record["name"].as_str().unwrap())).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&kept).unwrap(), sent);
    }
}

#[test]
fn what_of_the_api_only_reads_goes_with_the_messages_and_a_change_after_all_else_but_calls() {
    use Pressure::{Calls, Messages, None, Quality};
    let [change, read] = [true, false].map(|changes| Record::Audit(Box::new(audit(changes))));
    let admitted = |record: &Record| {
        [None, Messages, Quality, Calls].map(|pressure| pressure.admits(record.given_up_with()))
    };
    assert_eq!(admitted(&change), [true, true, true, false]);
    assert_eq!(admitted(&read), [true, false, false, false]);
    assert_eq!(admitted(&Record::CallDetail(Box::new(facts()))), [true; 4]);
}
