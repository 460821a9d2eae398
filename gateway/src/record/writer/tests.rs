use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::*;
use crate::direction::Direction;
use crate::metrics::Metrics;
use crate::record::deliveries::FLUSH_DELAY;
use crate::record::recorder::queues;
use crate::record::sink::SinkSetup;
use crate::record::testing::{answered, facts, facts_of};
use crate::record::{CallFacts, QualityFacts, SipMessageFacts};

const LIMIT: u64 = 1 << 20;
const CDRS: &str = "Amazon-Chime-Voice-Connector-CDRs";

struct Bench {
    dir: tempfile::TempDir,
    writer: Writer,
    metrics: Metrics,
    room: Room,
    now: Instant,
}

impl Bench {
    fn new() -> Bench {
        Bench::with_limit(LIMIT)
    }

    fn with_limit(limit: u64) -> Bench {
        Bench::with(limit, Durability::Kernel)
    }

    /// An answered call survives a crash of the host.
    fn on_disk() -> Bench {
        Bench::with(LIMIT, Durability::Disk)
    }

    fn with(limit: u64, durability: Durability) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let metrics = Metrics::new("r");
        let room = Room::new(1 << 20, metrics.records());
        let writer = writer(dir.path(), limit, durability, &metrics, &room);
        Bench { dir, writer, metrics, room, now: Instant::now() }
    }

    /// The program dies here and starts again.
    fn restart(self) -> Bench {
        let Bench { dir, writer, metrics, room, now } = self;
        drop(writer);
        let writer = super::tests::writer(dir.path(), LIMIT, Durability::Kernel, &metrics, &room);
        Bench { dir, writer, metrics, room, now }
    }

    fn handle(&mut self, items: impl IntoIterator<Item = Item>) {
        self.writer.handle_items(self.now, unix(), items);
    }

    fn deliver_all(&mut self) {
        while self.writer.deliver_one(self.now) {}
        self.flush(Ok(()));
    }

    /// The disk has what was delivered, or it fails.
    fn flush(&mut self, result: io::Result<()>) {
        self.now = self.writer.deliveries.flush_due().map_or(self.now, |at| at.max(self.now));
        if let Some(job) = self.writer.poll_flush(self.now) {
            self.writer.handle_flushed(self.now, result.and_then(|()| job.run()));
        }
        self.writer.handle_timeout(self.now, unix());
    }

    /// The disk does what is due.
    fn sync(&mut self) {
        while let Some(job) = self.writer.poll_sync(self.now) {
            let result = job.run();
            self.writer.handle_synced(self.now, &job, result);
        }
    }

    /// The disk fails at what is due.
    fn fail_sync(&mut self) {
        let job = self.writer.poll_sync(self.now).unwrap();
        self.writer.handle_synced(self.now, &job, Err(io::ErrorKind::Other.into()));
    }

    /// Jumps to the next deadline and works there.
    fn step(&mut self) {
        self.now = self.writer.poll_timeout(self.now);
        self.writer.handle_timeout(self.now, unix());
        self.sync();
        self.deliver_all();
    }

    /// Jumps to the next attempt at what could not be delivered.
    fn deliver_again(&mut self) {
        self.now = self.writer.deliveries.due(self.now).unwrap();
        self.deliver_all();
    }

    fn delivered(&self) -> usize {
        count_files(&self.dir.path().join(CDRS))
    }

    fn metric(&self, name: &str) -> String {
        let text = self.metrics.render();
        let line = text.lines().find(|line| line.starts_with(name) && line[name.len()..].starts_with(' '));
        line.unwrap_or_else(|| panic!("no {name}"))[name.len() + 1..].to_owned()
    }
}

fn writer(dir: &Path, limit: u64, durability: Durability, metrics: &Metrics, room: &Room) -> Writer {
    writer_with(dir, limit, durability, metrics, room, &[])
}

fn writer_with(
    dir: &Path,
    limit: u64,
    durability: Durability,
    metrics: &Metrics,
    room: &Room,
    sinks: &[SinkSetup],
) -> Writer {
    let mut journal = Journal::open(&dir.join(".journal")).unwrap();
    let queues = queues(&mut journal, sinks).unwrap();
    Writer::new(journal, limit, durability, Directory::new(dir), queues, metrics.records(), room.clone())
}

fn unix() -> Duration {
    facts().started_at
}

/// Files below that have their names.
fn count_files(path: &Path) -> usize {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let Ok(entries) = fs::read_dir(path) else { return usize::from(path.is_file() && !hidden) };
    entries.map(|entry| count_files(&entry.unwrap().path())).sum()
}

fn cdr(n: u32) -> Item {
    Item::CallDetail { facts: Box::new(facts_of(n)), hanging_up: false, cost: 0 }
}

fn message(phrase: &str) -> Item {
    let facts = SipMessageFacts {
        voice_connector_id: "abc".into(),
        region: "r".into(),
        event_timestamp: unix(),
        call_id: "c".into(),
        message: Bytes::from(format!("SIP/2.0 200 {phrase}\r\n\r\n")),
    };
    Item::SipMessage { facts: Box::new(facts), cost: 0 }
}

type Acks = Arc<Mutex<Vec<(u32, bool)>>>;

fn up(n: u32, acks: &Acks) -> Item {
    let acks = Arc::clone(acks);
    let ack = move |result: Result<(), NotJournaled>| acks.lock().unwrap().push((n, result.is_ok()));
    Item::Answered { call: Box::new(answered(n)), ack: Box::new(ack), cost: 0 }
}

fn taken(acks: &Acks) -> Vec<(u32, bool)> {
    std::mem::take(&mut acks.lock().unwrap())
}

#[test]
fn a_record_goes_through_the_journal_to_the_directory() {
    let mut bench = Bench::new();
    bench.handle([cdr(1)]);
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (1, 0));
    assert_eq!(bench.writer.poll_timeout(bench.now), bench.now);
    assert!(bench.writer.deliver_one(bench.now), "it is with the kernel");
    assert!(!bench.writer.deliver_one(bench.now));
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (1, 1));
    bench.writer.handle_timeout(bench.now, unix());
    assert_eq!(bench.metric("voice_connector_journal_undelivered_records"), "0");
    assert!(bench.writer.poll_flush(bench.now).is_none(), "it waits for company");
    bench.flush(Ok(())); // It is on the disk, and the journal hears of it.
    assert_eq!(bench.writer.journal().undelivered_len(), 0);
    assert_eq!(bench.metric("voice_connector_records_written_total{kind=\"call_detail\"}"), "1");
    bench.sync();
    let idle = bench.writer.look_at.unwrap();
    assert_eq!(bench.writer.poll_timeout(bench.now), idle, "nothing is left but to look around");
}

#[test]
fn a_crash_at_any_point_delivers_each_record_once() {
    // Each is with the kernel, both are on the disk, the journal hears of it.
    for crash in 0..5 {
        let mut bench = Bench::on_disk();
        bench.handle([cdr(1), cdr(2)]);
        for _ in 0..crash.min(2) {
            assert!(bench.writer.deliver_one(bench.now));
        }
        assert_eq!(bench.delivered(), crash.min(2));
        if crash > 2 {
            bench.now += FLUSH_DELAY;
            let result = bench.writer.poll_flush(bench.now).unwrap().run();
            bench.writer.handle_flushed(bench.now, result);
        }
        if crash == 4 {
            bench.writer.handle_timeout(bench.now, unix());
        }
        assert_eq!(bench.writer.journal().undelivered_len(), if crash == 4 { 0 } else { 2 });
        let mut bench = bench.restart();
        bench.deliver_all();
        assert_eq!(bench.delivered(), 2, "crash {crash}");
        assert_eq!(bench.writer.journal().undelivered_len(), 0);
    }
}

/// What the kernel has of a file whose write failed is not what the disk has.
#[test]
fn records_that_the_disk_did_not_take_are_written_again() {
    let mut bench = Bench::new();
    bench.handle([cdr(1)]);
    assert!(bench.writer.deliver_one(bench.now));
    let inode = |bench: &Bench| {
        let day = bench.dir.path().join(CDRS).join("json/abcdef1ghij2klmno3pqr4/2019/08/10");
        fs::read_dir(day).unwrap().next().unwrap().unwrap().metadata().unwrap().ino()
    };
    let suspect = inode(&bench);
    bench.flush(Err(io::ErrorKind::Other.into()));
    assert_eq!(bench.writer.journal().undelivered_len(), 1);
    bench.deliver_again();
    assert_ne!(inode(&bench), suspect);
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (0, 1));
}

/// Neither calls nor deliveries wait for the disk, however long it takes.
#[test]
fn a_disk_that_does_not_answer_keeps_nobody_waiting() {
    let mut bench = Bench::with_limit(8 * LIMIT);
    let acks = Acks::default();
    bench.handle([up(0, &acks), cdr(0)]);
    assert!(bench.writer.deliver_one(bench.now));
    bench.now += FLUSH_DELAY;
    let (sync, flush) = (bench.writer.poll_sync(bench.now).unwrap(), bench.writer.poll_flush(bench.now));
    assert!(flush.is_some());
    for n in 1..2_000 {
        bench.handle([up(n, &acks), cdr(n)]);
        assert!(bench.writer.deliver_one(bench.now) && !bench.writer.deliver_one(bench.now));
        assert!(bench.writer.poll_sync(bench.now).is_none() && bench.writer.poll_flush(bench.now).is_none());
        bench.now += Duration::from_millis(5);
    }
    assert!(taken(&acks).into_iter().eq((0..2_000).map(|n| (n, true))));
    assert_eq!((bench.delivered(), bench.writer.pressure), (2_000, Pressure::None));
    assert!(bench.writer.hangs, "it is said");
    // It answers at last: the journal, grown by dead entries meanwhile, becomes small.
    bench.writer.handle_synced(bench.now, &sync, sync.run());
    bench.writer.handle_flushed(bench.now, flush.unwrap().run());
    for _ in 0..4 {
        bench.step();
    }
    assert_eq!((bench.writer.journal().undelivered_len(), bench.writer.pressure), (0, Pressure::None));
    let mut bench = bench.restart();
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (0, 2_000));
}

#[test]
fn two_records_of_one_name_go_one_after_the_other() {
    let mut bench = Bench::new();
    let inbound = CallFacts { direction: Direction::Inbound, ..facts_of(1) };
    bench.handle([cdr(1), Item::CallDetail { facts: Box::new(inbound), hanging_up: false, cost: 0 }, cdr(1)]);
    bench.deliver_all();
    // The third is the first again.
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (0, 2));
}

/// Whoever reads the records may take them away at once.
#[test]
fn a_record_that_was_taken_away_is_delivered_all_the_same() {
    let mut bench = Bench::new();
    bench.handle([cdr(1), cdr(2)]);
    assert!(bench.writer.deliver_one(bench.now) && bench.writer.deliver_one(bench.now));
    fs::remove_dir_all(bench.dir.path().join(CDRS)).unwrap();
    bench.flush(Ok(()));
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (0, 0));
}

#[test]
fn what_is_in_the_journal_reaches_the_disk_soon() {
    let mut bench = Bench::new();
    let acks = Acks::default();
    bench.handle([cdr(1), up(2, &acks)]);
    assert_eq!(taken(&acks), [(2, true)], "it is with the kernel");
    assert!(bench.writer.deliver_one(bench.now));
    assert!(bench.writer.journal().is_unsynced() && bench.writer.poll_sync(bench.now).is_none());
    assert_eq!(bench.writer.sync_due(bench.now), Some(bench.now + SYNC_DELAY));
    bench.now += SYNC_DELAY;
    bench.sync();
    assert!(!bench.writer.journal().is_unsynced());
}

#[test]
fn with_durability_disk_an_answered_call_waits_for_it() {
    let mut bench = Bench::on_disk();
    let acks = Acks::default();
    bench.handle([cdr(1)]);
    assert!(bench.writer.poll_sync(bench.now).is_none(), "for the end of a call nobody waits");
    bench.handle([up(2, &acks)]);
    let job = bench.writer.poll_sync(bench.now).unwrap();
    bench.handle([up(3, &acks)]);
    assert!(bench.writer.poll_sync(bench.now).is_none(), "one at a time");
    bench.writer.handle_synced(bench.now, &job, job.run());
    assert_eq!(taken(&acks), [(2, true)], "the other came too late for this one");
    bench.sync();
    assert_eq!(taken(&acks), [(3, true)]);
}

#[test]
fn a_journal_that_cannot_be_synced_is_said_at_once_and_written_anew() {
    let mut bench = Bench::on_disk();
    let acks = Acks::default();
    bench.handle([up(1, &acks), cdr(9)]);
    bench.fail_sync();
    bench.handle([up(2, &acks)]); // Before the next attempt.
    assert_eq!(taken(&acks), [(1, false), (2, false)]);
    assert_eq!(bench.writer.pressure, Pressure::Calls);
    let inode = |bench: &Bench| fs::metadata(bench.dir.path().join(".journal/journal")).unwrap().ino();
    let suspect = inode(&bench);
    while bench.writer.pressure != Pressure::None {
        bench.step();
    }
    assert_ne!(inode(&bench), suspect);
    let mut bench = bench.restart();
    bench.deliver_all();
    assert_eq!((bench.writer.journal().open_calls_len(), bench.delivered()), (2, 1));
}

/// Somebody tidies up, moves the directory, puts an old one back, or cuts the file.
#[test]
fn a_journal_that_was_taken_away_is_made_anew_within_a_second() {
    type Deed = fn(&Path);
    let deeds: [(&str, Deed); 6] = [
        ("the file is gone", |dir| fs::remove_file(dir.join(".journal/journal")).unwrap()),
        ("the lock is gone", |dir| fs::remove_file(dir.join(".journal/lock")).unwrap()),
        ("its directory is gone", |dir| fs::remove_dir_all(dir.join(".journal")).unwrap()),
        ("all is gone", |dir| fs::remove_dir_all(dir).unwrap()),
        ("its directory was moved", |dir| {
            fs::rename(dir.join(".journal"), dir.join("moved")).unwrap();
        }),
        ("another one is there", |dir| {
            fs::rename(dir.join(".journal"), dir.join("moved")).unwrap();
            fs::create_dir(dir.join(".journal")).unwrap();
            fs::write(dir.join(".journal/journal"), "of another time\n").unwrap();
        }),
    ];
    for (what, deed) in deeds {
        let mut bench = Bench::new();
        let obstacle = bench.dir.path().join(CDRS);
        fs::write(&obstacle, "not a directory").unwrap();
        bench.handle([up(1, &Acks::default()), cdr(2)]);
        bench.step();
        deed(bench.dir.path());
        let noticed = bench.now + LOOK;
        while bench.now < noticed {
            bench.step();
        }
        bench.handle([up(3, &Acks::default())]);
        let replaced = bench.dir.path().join(".journal/replaced").is_file();
        assert_eq!(replaced, what == "another one is there", "{what}");
        let _ = fs::remove_file(&obstacle);
        let mut bench = bench.restart(); // It crashes.
        assert_eq!(bench.writer.journal().open_calls_len(), 2, "{what}");
        bench.deliver_all();
        assert_eq!(bench.delivered(), 1, "{what}");
    }
}

/// Two gateways in one directory would each lose what the other one writes.
#[test]
fn a_journal_that_another_gateway_has_taken_is_left_to_it() {
    let mut bench = Bench::new();
    let acks = Acks::default();
    fs::rename(bench.dir.path().join(".journal"), bench.dir.path().join("moved")).unwrap();
    let other = Journal::open(&bench.dir.path().join(".journal")).unwrap();
    bench.handle([up(1, &acks)]);
    assert_eq!((taken(&acks), bench.writer.pressure), (vec![(1, false)], Pressure::Calls));
    drop(other);
    bench.step();
    assert_eq!((bench.writer.journal().open_calls_len(), bench.writer.pressure), (1, Pressure::None));
}

#[test]
fn an_answered_call_is_acknowledged_when_it_is_in_the_journal() {
    let mut bench = Bench::new();
    let acks = Acks::default();
    bench.handle([up(1, &acks), up(2, &acks)]);
    assert_eq!(taken(&acks), [(1, true), (2, true)]);
    assert_eq!(bench.writer.journal().open_calls_len(), 2);
    bench.handle([cdr(1)]);
    assert_eq!(bench.writer.journal().open_calls_len(), 1);
    let mut bench = bench.restart();
    assert_eq!(bench.writer.journal().open_calls_len(), 1);
}

#[test]
fn while_calls_are_up_the_journal_hears_so() {
    let mut bench = Bench::new();
    bench.handle([]);
    assert_eq!(bench.writer.heartbeat_at, None);
    bench.handle([up(1, &Acks::default())]);
    bench.step(); // The first beat.
    let start = bench.now;
    bench.now = bench.writer.heartbeat_at.unwrap();
    assert_eq!(bench.now - start, HEARTBEAT);
    assert!(bench.writer.poll_timeout(bench.now) <= bench.now);
    let later = unix() + Duration::from_secs(60);
    bench.writer.handle_timeout(bench.now, later);
    assert_eq!(bench.writer.journal().alive_at(), later);
    bench.handle([cdr(1)]);
    bench.deliver_all();
    assert_eq!(bench.writer.heartbeat_at, None);
}

#[test]
fn a_directory_that_cannot_be_written_fills_the_journal_until_it_can() {
    let mut bench = Bench::new();
    let obstacle = bench.dir.path().join(CDRS);
    fs::write(&obstacle, "not a directory").unwrap();
    bench.handle([cdr(1), cdr(2)]);
    bench.deliver_all();
    let start = bench.now;
    bench.deliver_again();
    bench.deliver_again();
    assert_eq!((bench.now - start).as_secs(), 2); // Tried every second.
    assert_eq!(bench.writer.journal().undelivered_len(), 2);
    assert_eq!(bench.metric("voice_connector_record_errors_total{operation=\"deliver\"}"), "3");
    assert_eq!(bench.metric("voice_connector_journal_undelivered_records"), "2");
    fs::remove_file(&obstacle).unwrap();
    bench.deliver_again();
    assert_eq!((bench.writer.journal().undelivered_len(), bench.delivered()), (0, 2));
}

#[test]
fn one_record_that_cannot_be_delivered_does_not_stop_the_others() {
    let mut bench = Bench::new();
    let obstacle = bench.dir.path().join(CDRS).join("json/other");
    fs::create_dir_all(obstacle.parent().unwrap()).unwrap();
    fs::write(&obstacle, "").unwrap();
    let stuck = CallFacts { voice_connector_id: "other".into(), ..facts_of(1) };
    bench.handle([Item::CallDetail { facts: Box::new(stuck), hanging_up: false, cost: 0 }, cdr(2), cdr(3)]);
    bench.deliver_all();
    bench.deliver_again();
    assert_eq!(bench.delivered(), 3); // The obstacle is one of them.
    assert_eq!(bench.writer.journal().undelivered_len(), 1);
}

#[test]
fn a_broken_journal_is_said_at_once_and_loses_nothing() {
    let mut bench = Bench::new();
    let acks = Acks::default();
    bench.room.set_pressure(Pressure::None);
    bench.writer.journal().break_disk();
    bench.handle([up(1, &acks), cdr(9)]);
    bench.handle([up(2, &acks)]); // Before the next attempt.
    assert_eq!(taken(&acks), [(1, false), (2, false)]);
    assert_eq!(bench.writer.pressure, Pressure::Calls);
    assert_eq!(bench.metric("voice_connector_record_errors_total{operation=\"journal\"}"), "1");
    bench.step();
    assert_eq!(bench.metric("voice_connector_record_errors_total{operation=\"journal\"}"), "2");
    bench.writer.journal().mend_disk();
    bench.step();
    assert_eq!(taken(&acks), []);
    assert_eq!(bench.writer.pressure, Pressure::None);
    assert_eq!(bench.writer.journal().open_calls_len(), 2);
    assert_eq!(bench.delivered(), 1);
}

#[test]
fn a_full_journal_takes_no_calls_until_there_is_room() {
    let mut bench = Bench::with_limit(12_000);
    let obstacle = bench.dir.path().join(CDRS);
    fs::write(&obstacle, "not a directory").unwrap();
    let mut seen = Vec::new();
    for n in 0..40 {
        bench.handle([cdr(n)]);
        bench.deliver_all();
        if seen.last() != Some(&bench.writer.pressure) {
            seen.push(bench.writer.pressure);
        }
    }
    assert_eq!(seen, [Pressure::None, Pressure::Messages, Pressure::Quality, Pressure::Calls]);
    assert_eq!(bench.writer.journal().undelivered_len(), 40);
    fs::remove_file(&obstacle).unwrap();
    bench.deliver_again();
    assert_eq!((bench.writer.pressure, bench.delivered()), (Pressure::None, 40));
}

#[test]
fn lines_wait_for_their_file_in_order() {
    let mut bench = Bench::new();
    let obstacle = bench.dir.path().join("aws");
    fs::write(&obstacle, "not a directory").unwrap();
    bench.handle([message("one")]);
    bench.handle([message("two")]);
    fs::remove_file(&obstacle).unwrap();
    bench.step();
    bench.handle([message("three")]);
    let file = "aws/ChimeVoiceConnectorSipMessages/abc/2019/08/10/01.jsonl";
    let text = fs::read_to_string(bench.dir.path().join(file)).unwrap();
    let messages: Vec<String> = text
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["sip_message"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(messages, ["one", "two", "three"].map(|phrase| format!("SIP/2.0 200 {phrase}\r\n\r\n")));
    assert_eq!(bench.metric("voice_connector_records_written_total{kind=\"sip_message\"}"), "3");
    assert_eq!(bench.metric("voice_connector_record_errors_total{operation=\"append\"}"), "1");
}

#[test]
fn quality_lines_have_a_file_of_their_own() {
    let mut bench = Bench::new();
    let facts = QualityFacts {
        voice_connector_id: "abc".into(),
        event_timestamp: unix(),
        transaction_id: "t".into(),
        ..QualityFacts::default()
    };
    bench.handle([Item::Quality { facts: Box::new(facts.clone()), cost: 0 }]);
    let file = "aws/ChimeVoiceConnectorLogs/abc/2019/08/10/01.jsonl";
    assert_eq!(fs::read_to_string(bench.dir.path().join(file)).unwrap(), facts.line() + "\n");
}

#[test]
fn at_the_end_everything_is_tried_once_more() {
    let mut bench = Bench::new();
    let obstacle = bench.dir.path().join(CDRS);
    fs::write(&obstacle, "not a directory").unwrap();
    bench.writer.journal().break_disk();
    bench.handle([cdr(1)]);
    bench.writer.journal().mend_disk();
    fs::remove_file(&obstacle).unwrap();
    let Bench { dir, writer, now, .. } = bench;
    writer.finish(now, unix());
    assert_eq!(count_files(&dir.path().join(CDRS)), 1);
    assert_eq!(Journal::open(&dir.path().join(".journal")).unwrap().undelivered_len(), 0);
}

#[test]
fn what_is_lost_at_the_end_is_counted() {
    let mut bench = Bench::new();
    bench.writer.journal().break_disk();
    bench.handle([cdr(1)]);
    let Bench { writer, now, metrics, .. } = bench;
    writer.finish(now, unix());
    assert!(metrics.render().contains("voice_connector_records_dropped_total{kind=\"call_detail\"} 1"));
}

mod sinks;
mod streams;
