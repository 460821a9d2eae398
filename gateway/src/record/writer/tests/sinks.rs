//! Sinks that are away, come back, refuse, or are forgotten, in virtual time.

use super::*;
use crate::metrics::RecordKind;
use crate::random::{Random, SeededRandom};
use crate::record::sink::{Outcome, Sink, SinkRecord, Taking};

/// The test itself takes the batches.
struct Nobody;

impl Sink for Nobody {
    fn take<'a>(&'a self, _: &'a [SinkRecord]) -> Taking<'a> {
        Box::pin(std::future::pending())
    }
}

pub(super) fn setup(name: &str, metrics: &Metrics) -> SinkSetup {
    SinkSetup {
        name: name.to_owned(),
        kinds: vec![RecordKind::CallDetail],
        batch: 10,
        must_have: true,
        metrics: metrics.sink(name),
        sink: Arc::new(Nobody),
    }
}

/// A bench with these sinks.
pub(super) fn with_sinks(bench: Bench, limit: u64, sinks: &[SinkSetup]) -> Bench {
    let Bench { dir, writer, metrics, room, now } = bench;
    drop(writer);
    let writer = writer_with(dir.path(), limit, Durability::Kernel, &metrics, &room, sinks);
    Bench { dir, writer, metrics, room, now }
}

impl Bench {
    /// Each sink is asked for as long as something is due; returns what was offered.
    pub(super) fn offer(&mut self, answer: &mut dyn FnMut(usize, &[SinkRecord]) -> Outcome) -> usize {
        let mut offered = 0;
        while let Some((sink, batch)) = self.writer.poll_sinks(self.now) {
            offered += 1;
            let outcome = answer(sink, &batch);
            self.writer.handle_taken(self.now, sink, outcome);
        }
        self.writer.handle_timeout(self.now, unix());
        offered
    }

    fn lag(&self, sink: &str) -> String {
        self.metric(&format!("voice_connector_sink_lag_records{{sink=\"{sink}\"}}"))
    }
}

fn numbers(batch: &[SinkRecord]) -> Vec<u32> {
    batch.iter().map(|record| record.transaction_id[24..].parse().unwrap()).collect()
}

/// One sink is away for an hour, in which the gateway crashes and starts again twice; the other one and the directory have
/// everything at once.
#[test]
fn away_for_an_hour_it_has_every_record_once_afterwards() {
    let metrics = Metrics::new("r");
    let setups = [setup("away", &metrics), setup("there", &metrics)];
    let mut bench = Bench { metrics, ..Bench::with_limit(8 * LIMIT) };
    bench = with_sinks(bench, 8 * LIMIT, &setups);
    let (start, mut asked) = (bench.now, 0);
    let (mut away, mut there) = (Vec::new(), Vec::new());
    for n in 0..720 {
        bench.now = start + Duration::from_secs(5) * n;
        bench.handle([cdr(n)]);
        bench.offer(&mut |sink, batch| match sink {
            0 => {
                asked += 1;
                Outcome::Later("connection refused".to_owned())
            }
            _ => {
                there.extend(numbers(batch));
                Outcome::Done
            }
        });
        bench.deliver_all();
        if n % 250 == 249 {
            bench = with_sinks(bench, 8 * LIMIT, &setups);
        }
    }
    assert!(there.iter().copied().eq(0..720));
    assert_eq!((bench.delivered(), bench.writer.journal().held_len()), (720, 720));
    assert!((40..100).contains(&asked), "it was asked {asked} times");
    assert_eq!((bench.lag("away"), bench.lag("there")), ("720".to_owned(), "0".to_owned()));
    bench.now += Duration::from_secs(120);
    bench.offer(&mut |_, batch| {
        away.extend(numbers(batch));
        Outcome::Done
    });
    assert!(away.iter().copied().eq(0..720), "{away:?}");
    assert_eq!((bench.writer.journal().held_len(), bench.lag("away").as_str()), (0, "0"));
    // Nor once more after another start.
    let mut bench = with_sinks(bench, LIMIT, &setups);
    assert_eq!(bench.offer(&mut |_, _| Outcome::Done), 0);
}

/// The answer comes when the program is gone.
#[test]
fn what_it_took_before_a_crash_comes_again_under_the_same_id() {
    let metrics = Metrics::new("r");
    let setups = [setup("a", &metrics)];
    let mut bench = with_sinks(Bench { metrics, ..Bench::new() }, LIMIT, &setups);
    bench.handle([cdr(1), cdr(2)]);
    let (_, before) = bench.writer.poll_sinks(bench.now).unwrap();
    assert!(bench.writer.poll_sinks(bench.now).is_none(), "one batch at a time");
    bench.deliver_all();
    let mut bench = with_sinks(bench, LIMIT, &setups);
    let (_, after) = bench.writer.poll_sinks(bench.now).unwrap();
    let ids =
        |batch: &[SinkRecord]| batch.iter().map(|record| (record.id(), record.name(0))).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&after));
}

#[test]
fn one_record_that_it_refuses_does_not_stop_the_others() {
    let metrics = Metrics::new("r");
    let setups = [setup("a", &metrics)];
    let mut bench = with_sinks(Bench { metrics, ..Bench::new() }, LIMIT, &setups);
    bench.handle((0..8).map(cdr));
    let mut has = Vec::new();
    bench.offer(&mut |_, batch| match numbers(batch) {
        numbers if numbers.contains(&3) => Outcome::Never("400 Bad Request".to_owned()),
        numbers => {
            has.extend(numbers);
            Outcome::Done
        }
    });
    assert_eq!(has, [0, 1, 2, 4, 5, 6, 7]);
    assert_eq!(bench.metric("voice_connector_sink_lost_records_total{sink=\"a\"}"), "1");
}

/// What the directory has and a sink need not have makes room; no call waits for that sink.
#[test]
fn a_sink_that_is_away_for_ever_stops_no_calls_unless_it_must_have_all() {
    for must_have in [false, true] {
        let metrics = Metrics::new("r");
        let setups = [SinkSetup { must_have, ..setup("a", &metrics) }];
        let mut bench = with_sinks(Bench { metrics, ..Bench::new() }, 40_000, &setups);
        let mut highest = Pressure::None;
        for n in 0..300 {
            bench.handle([cdr(n)]);
            bench.offer(&mut |_, _| Outcome::Later(String::new()));
            bench.deliver_all();
            highest = highest.max(bench.writer.pressure);
        }
        assert_eq!(bench.delivered(), 300);
        let lost: u32 = bench.metric("voice_connector_sink_lost_records_total{sink=\"a\"}").parse().unwrap();
        assert!(bench.writer.near, "it is said that the journal fills up");
        match must_have {
            true => assert_eq!((lost, highest), (0, Pressure::Calls)),
            false => assert!(lost > 150 && highest <= Pressure::Messages, "{lost} {highest:?}"),
        }
    }
}

#[test]
fn a_sink_that_is_no_more_holds_nothing_and_a_new_one_begins_now() {
    let metrics = Metrics::new("r");
    let (old, new) = (setup("old", &metrics), setup("new", &metrics));
    let mut bench = with_sinks(Bench { metrics, ..Bench::new() }, LIMIT, &[old]);
    bench.handle([cdr(1)]);
    bench.deliver_all();
    assert_eq!(bench.writer.journal().held_len(), 1);
    let mut bench = with_sinks(bench, LIMIT, &[new]);
    assert_eq!(bench.writer.journal().held_len(), 0);
    bench.handle([cdr(2)]);
    let (_, batch) = bench.writer.poll_sinks(bench.now).unwrap();
    assert_eq!(numbers(&batch), [2]);
}

/// Records come, go to the directory, are taken or not, the file is written anew, the program dies: at the end each sink has
/// had every record, and the journal is empty.
#[test]
fn at_random_nothing_is_lost_and_nothing_stays() {
    for seed in 0..5 {
        let mut random = SeededRandom::new(seed);
        let metrics = Metrics::new("r");
        let setups = ["a", "b", "c"].map(|name| SinkSetup { batch: 3, ..setup(name, &metrics) });
        let mut bench = with_sinks(Bench { metrics, ..Bench::with_limit(64 * LIMIT) }, 64 * LIMIT, &setups);
        let (mut next, mut has) = (0, [const { Vec::new() }; 3]);
        for _ in 0..400 {
            bench.now += Duration::from_millis(random.below(2_000));
            match random.below(12) {
                0..4 => {
                    bench.handle([cdr(next)]);
                    next += 1;
                }
                4 => bench.deliver_all(),
                5 => bench.writer.journal().compact().unwrap(),
                6 if random.below(4) == 0 => bench = with_sinks(bench, 64 * LIMIT, &setups),
                _ => {
                    let works = random.below(2) == 0;
                    bench.offer(&mut |sink, batch| match works {
                        true => {
                            has[sink].extend(numbers(batch));
                            Outcome::Done
                        }
                        false => Outcome::Later(String::new()),
                    });
                }
            }
        }
        bench.now += Duration::from_secs(300);
        bench.offer(&mut |sink, batch| {
            has[sink].extend(numbers(batch));
            Outcome::Done
        });
        bench.deliver_all();
        for one in &mut has {
            one.dedup(); // What was taken as the program died comes again.
            one.sort_unstable();
            one.dedup();
            assert!(one.iter().copied().eq(0..next), "seed {seed}: {one:?}");
        }
        let journal = bench.writer.journal();
        assert_eq!((journal.held_len(), journal.undelivered_len()), (0, 0), "seed {seed}");
    }
}
