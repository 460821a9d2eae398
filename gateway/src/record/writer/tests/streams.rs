//! Streams that start, fail and end while the program is killed at any moment: what their events say in the end.

use std::collections::{BTreeMap, VecDeque};

use audio::Party;
use serde_json::Value;
use streaming::Outcome as Came;

use super::sinks::{setup, with_sinks};
use super::*;
use crate::random::{Random, SeededRandom};
use crate::record::recovery::recover;
use crate::record::sink::{Outcome, SinkRecord};
use crate::record::testing::streamed;
use crate::record::{StreamedCall, StreamingNews};
use crate::sound::told::{Invite, Told};

/// The calls of one run, and what they have told that is not with the writer yet.
struct Calls {
    told: Vec<Told>,
    news: Arc<Mutex<VecDeque<StreamingNews>>>,
}

impl Calls {
    /// - `first`: the number of the first one.
    fn new(first: u64) -> Calls {
        let news: Arc<Mutex<VecDeque<StreamingNews>>> = Arc::default();
        let told = (first..first + 3).map(|number| {
            let mut call = streamed().call;
            call.transaction_id = uuid::Uuid::from_u128(number.into());
            let news = news.clone();
            let tell = Box::new(move |one| {
                news.lock().unwrap().push_back(one);
                true
            });
            Told::new(StreamedCall::new(call, "1", "us-east-1"), Invite::default(), 2, tell)
        });
        Calls { told: told.collect(), news }
    }

    /// Something becomes of a stream.
    fn happens(&mut self, random: &mut SeededRandom, at: u64) {
        let Some(told) = self.told.get_mut(random.below(3) as usize) else { return };
        let sink = random.below(2) as usize;
        let party = [Some(Party::Caller), Some(Party::Callee), None][random.below(3) as usize];
        match random.below(10) {
            0..5 => {
                let stream = Some(format!("arn:{}", random.below(2)));
                told.handle(
                    at,
                    sink,
                    &Came::Started { party, stream, first_fragment: None, time_ms: Some(at) },
                );
            }
            5 | 6 => told.handle(at, sink, &Came::Failed { party, cause: "away".to_owned() }),
            7 | 8 => told.handle(at, sink, &Came::Ended { party, dropped: Duration::ZERO }),
            _ => told.update(at, [("Subject", "hold")].into_iter().collect(), None),
        }
    }

    fn items(&self) -> Vec<Item> {
        let news = self.news.lock().unwrap().drain(..).map(Box::new).collect::<Vec<_>>();
        news.into_iter().map(|news| Item::Streaming { news, cost: 0 }).collect()
    }
}

/// By call: the events in the order in which the sink has them, each once; and how many records.
#[derive(Default)]
struct Taken(BTreeMap<String, (Vec<Value>, usize)>);

impl Taken {
    fn take(&mut self, record: &SinkRecord) {
        let body: Value = serde_json::from_slice(&record.body).unwrap();
        if record.kind == RecordKind::StreamingDetail {
            self.0.entry(body["TransactionId"].as_str().unwrap().to_owned()).or_default().1 += 1;
            return;
        }
        let events =
            &mut self.0.entry(body["detail"]["transactionId"].as_str().unwrap().to_owned()).or_default().0;
        match events.iter().find(|event| event["id"] == body["id"]) {
            Some(before) => assert_eq!(*before, body, "the same id, the same event"),
            None => events.push(body),
        }
    }
}

fn run(seed: u64) {
    let mut random = SeededRandom::new(seed);
    let kinds = vec![RecordKind::StreamingEvent, RecordKind::StreamingDetail];
    let mut bench = Bench::new();
    let sinks = [SinkSetup { kinds, ..setup("bus", &bench.metrics) }];
    let (mut taken, mut at, mut away) = (Taken::default(), 1_565_399_640_000, false);
    for life in 0..4 {
        bench = with_sinks(bench, LIMIT, &sinks);
        let mut calls = Calls::new(life * 10);
        let killed_after = random.below(60);
        for _ in 0..killed_after {
            at += random.below(30_000);
            calls.happens(&mut random, at);
            bench.writer.handle_items(bench.now, Duration::from_millis(at), calls.items());
            away ^= random.below(8) == 0;
            bench.now += Duration::from_secs(200);
            bench.offer(&mut |_, batch| {
                if away {
                    return Outcome::Later("away".to_owned());
                }
                batch.iter().for_each(|record| taken.take(record));
                Outcome::Done
            });
        }
        if random.below(3) == 0 {
            // This one ends in peace.
            for told in &mut calls.told {
                [0, 1].into_iter().for_each(|sink| told.done(at, sink));
            }
            bench.writer.handle_items(bench.now, Duration::from_millis(at), calls.items());
        }
        let Bench { dir, writer, metrics, room, now } = bench;
        drop(writer);
        let path = dir.path().join(".journal");
        let mut journal = Journal::open(&path).unwrap();
        at += 60_000;
        recover(&mut journal, Duration::from_millis(at)).unwrap();
        assert!(journal.streamed_calls().unwrap().is_empty());
        drop(journal);
        let writer = super::writer_with(dir.path(), LIMIT, Durability::Kernel, &metrics, &room, &sinks);
        bench = Bench { dir, writer, metrics, room, now };
    }
    bench.now += Duration::from_secs(200);
    bench.offer(&mut |_, batch| {
        batch.iter().for_each(|record| taken.take(record));
        Outcome::Done
    });
    for (call, (events, records)) in &taken.0 {
        assert_eq!(*records, 1, "records of {call}");
        let (mut started, mut ended, mut failed) = (0, 0, 0);
        for event in events {
            match event["detail"]["streamingStatus"].as_str().unwrap() {
                "STARTED" => started += 1,
                "ENDED" => ended += 1,
                "FAILED" => failed += 1,
                _ => assert!(started > 0, "changed before it started: {call}"),
            }
            assert!(ended <= started, "ended before it started: {call}");
        }
        assert!(started <= ended + failed, "{started} of {call} started, {ended} ended and {failed} failed");
    }
}

/// The kernel has what was handed to it.
#[test]
fn no_stream_has_started_without_an_end_wherever_the_program_is_killed() {
    (0..12).for_each(run);
}

/// A gateway with a full journal says of no stream that it started, unless it can say that it is over.
#[test]
fn what_finds_no_room_has_not_happened() {
    let heard: Arc<Mutex<Vec<StreamingNews>>> = Arc::default();
    let full = Arc::new(Mutex::new(true));
    let tell = {
        let (heard, full) = (heard.clone(), full.clone());
        Box::new(move |news: StreamingNews| {
            let taken = !*full.lock().unwrap() || matches!(news, StreamingNews::Event { is_end: true, .. });
            if taken {
                heard.lock().unwrap().push(news);
            }
            taken
        })
    };
    let mut told =
        Told::new(StreamedCall::new(streamed().call, "1", "us-east-1"), Invite::default(), 1, tell);
    let start =
        |party| Came::Started { party: Some(party), stream: None, first_fragment: None, time_ms: None };
    let end = |party| Came::Ended { party: Some(party), dropped: Duration::ZERO };
    told.handle(1, 0, &start(Party::Caller));
    *full.lock().unwrap() = false;
    told.handle(2, 0, &start(Party::Callee));
    *full.lock().unwrap() = true;
    told.handle(3, 0, &end(Party::Caller));
    told.handle(4, 0, &end(Party::Callee));
    let heard = heard.lock().unwrap();
    let statuses = heard.iter().map(|news| match news {
        StreamingNews::Event { event, call, .. } => {
            let body: Value = serde_json::from_str(&event.body).unwrap();
            (body["detail"]["streamingStatus"].as_str().unwrap().to_owned(), call.live)
        }
        StreamingNews::Over(_) => panic!(),
    });
    assert_eq!(statuses.collect::<Vec<_>>(), [("STARTED".to_owned(), 1), ("ENDED".to_owned(), 0)]);
}
