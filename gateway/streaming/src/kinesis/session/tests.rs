use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use uuid::Uuid;

use super::super::acknowledgement::Fragment;
use super::*;
use crate::call::Direction;

const EPOCH: u64 = 1_700_000_000_000;

/// A session and a service that does what a test says, in virtual time.
struct World {
    start: Instant,
    now: Instant,
    session: Session,
    /// Per session of the service: its target, when it was opened, and the clusters that it got.
    sessions: Vec<(usize, Duration, Vec<u64>)>,
    open: bool,
    verdicts: Vec<Verdict>,
    told: Vec<Output>,
    /// Fragments that the service has, with how often it got each.
    stored: BTreeMap<u64, usize>,
    acknowledges: bool,
    reads: bool,
    /// Fails to connect.
    away: Vec<usize>,
    speaks: bool,
    /// Length of a frame.
    frame: Duration,
}

impl World {
    fn new(targets: usize) -> Self {
        let start = Instant::now();
        let call = Call {
            transaction_id: Uuid::nil(),
            connector: "vc".into(),
            call_id: "c@x".into(),
            direction: Direction::Inbound,
            from: "+1".into(),
            to: "+2".into(),
            answered: UNIX_EPOCH + Duration::from_millis(EPOCH),
        };
        let lengths = Lengths { fragment: Duration::from_secs(1), kept: Duration::from_secs(10) };
        let settings = Settings {
            lengths,
            retained: false,
            patience: Duration::from_secs(15),
            spooled: true,
            spread: 0,
        };
        let session = Session::new(start, settings, Arc::new(call), "caller", Arc::new(Health::new(targets)));
        Self {
            start,
            now: start,
            session,
            sessions: Vec::new(),
            open: false,
            verdicts: Vec::new(),
            told: Vec::new(),
            stored: BTreeMap::new(),
            acknowledges: true,
            reads: true,
            away: Vec::new(),
            speaks: true,
            frame: Duration::from_millis(100),
        }
    }

    /// Drains the machine.
    fn settle(&mut self) {
        loop {
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Connect { target, without } => {
                        self.verdicts.push(without);
                        if self.away.contains(&target) {
                            self.session.handle_failure(
                                self.now,
                                Verdict::Again,
                                format!("{target} is away"),
                            );
                        } else {
                            self.sessions.push((target, self.now - self.start, Vec::new()));
                            self.open = true;
                            self.session.handle_open(self.now, [7; 16]);
                        }
                    }
                    Output::Abort => self.open = false,
                    Output::Finish => {
                        if self.acknowledges {
                            self.acknowledge(true);
                            self.open = false;
                            self.session.handle_closed(self.now);
                        }
                    }
                    output => self.told.push(output),
                }
            }
            let Some(bytes) =
                (if self.open && self.reads { self.session.poll_write(self.now) } else { None })
            else {
                if self.session.outputs.is_empty() {
                    return;
                }
                continue;
            };
            self.sessions.last_mut().unwrap().2.extend(clusters(&bytes));
            if self.acknowledges {
                self.acknowledge(false);
            }
        }
    }

    /// Acknowledges each cluster when another one follows, or the body has ended.
    fn acknowledge(&mut self, ended: bool) {
        let times = &self.sessions.last().unwrap().2;
        let whole = if ended { &times[..] } else { times.split_last().map_or(&[][..], |(_, whole)| whole) };
        let fragment = |time_ms| Fragment { time_ms, number: time_ms.to_string() };
        let mut say = Vec::new();
        if let Some(first) = times.first() {
            say.push(Acknowledgement::Buffering(fragment(*first)));
        }
        for time in whole.iter().rev().take(2) {
            say.push(Acknowledgement::Received(fragment(*time)));
            *self.stored.entry(*time - EPOCH).or_default() += 1;
        }
        for said in say {
            self.session.handle_acknowledgement(self.now, said);
        }
    }

    /// Time passes in steps of a frame.
    fn run(&mut self, length: Duration) {
        let until = self.now + length;
        while self.now < until {
            if self.speaks {
                let start = self.now - self.start;
                let samples = vec![1; usize::try_from(self.frame.as_millis() * 8).unwrap()];
                self.session.handle_audio(self.now, start, 8_000, samples.into());
            }
            self.settle();
            self.now += self.frame;
            let mut woken = 0;
            while self.session.poll_timeout().is_some_and(|at| at <= self.now) {
                self.session.handle_timeout(self.now);
                self.settle();
                woken += 1;
                assert!(woken < 10, "woken again and again: {:?}", self.session.state);
            }
        }
        assert!(self.session.kept() <= 12, "{} fragments kept", self.session.kept());
    }

    fn end(&mut self) {
        self.session.handle_end(self.now);
        self.settle();
        self.speaks = false;
        self.run(Duration::from_secs(40));
        assert_eq!(self.told.iter().filter(|told| **told == Output::Ended).count(), 1, "{:?}", self.told);
        assert_eq!(self.session.poll_timeout(), None);
    }

    fn dropped(&self) -> Duration {
        let lost = self.told.iter().filter_map(|told| match told {
            Output::Dropped { lost, .. } => Some(lost.duration),
            _ => None,
        });
        lost.sum()
    }

    /// What could be kept elsewhere, in milliseconds.
    fn spooled(&self) -> Vec<u128> {
        let audio = self.told.iter().filter_map(|told| match told {
            Output::Dropped { audio, .. } => Some(audio),
            _ => None,
        });
        audio.flatten().map(|piece| piece.start.as_millis()).collect()
    }

    fn failures(&self) -> Vec<&str> {
        let failed = self.told.iter().filter_map(|told| match told {
            Output::Failed { cause } => Some(cause.as_str()),
            _ => None,
        });
        failed.collect()
    }

    fn started(&self) -> usize {
        self.told.iter().filter(|told| matches!(told, Output::Started { .. })).count()
    }
}

fn clusters(bytes: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = bytes[at..].windows(4).position(|window| window == [0x1F, 0x43, 0xB6, 0x75]) {
        let time = at + step + 14;
        if let Some(time) = bytes.get(time..time + 8) {
            found.push(u64::from_be_bytes(time.try_into().unwrap()));
        }
        at += step + 4;
    }
    found
}

#[test]
fn a_session_is_renewed_before_45_minutes_and_no_fragment_is_missed_or_sent_twice() {
    let mut world = World::new(1);
    world.frame = Duration::from_millis(200);
    world.run(Duration::from_secs(100 * 60));
    world.end();
    assert_eq!(world.sessions.len(), 3);
    for pair in world.sessions.windows(2) {
        assert!(pair[1].1 - pair[0].1 < Duration::from_secs(41 * 60));
    }
    let expected: Vec<u64> = (0..6_000).map(|second| second * 1_000).collect();
    assert_eq!(world.stored.keys().copied().collect::<Vec<_>>(), expected);
    let first = world.sessions.iter().flat_map(|session| session.2.clone()).collect::<Vec<_>>();
    assert!(first.windows(2).all(|pair| pair[0] < pair[1]), "nothing is sent twice");
    assert_eq!((world.started(), world.dropped()), (1, Duration::ZERO));
    assert_eq!(world.told.len(), 2, "{:?}", world.told);
}

#[test]
fn a_session_that_breaks_goes_on_from_what_was_not_acknowledged() {
    let mut world = World::new(1);
    world.run(Duration::from_millis(5_500));
    world.open = false;
    world.session.handle_failure(world.now, Verdict::Again, "reset".to_owned());
    world.run(Duration::from_secs(5));
    world.end();
    assert_eq!(world.sessions[1].2.first(), Some(&(EPOCH + 5_000)));
    assert_eq!(world.stored.len(), 11);
    assert_eq!((world.started(), world.dropped(), world.failures().len()), (1, Duration::ZERO, 0));
}

#[test]
fn a_service_that_reads_nothing_costs_no_more_than_a_few_seconds_of_audio() {
    let mut world = World::new(1);
    world.reads = false;
    world.run(Duration::from_secs(3_600));
    assert!(world.dropped() > Duration::from_secs(3_580), "{:?}", world.dropped());
    assert_eq!(world.failures().len(), 1, "told once");
    assert!(world.sessions.len() < 400, "{} tries in an hour", world.sessions.len());
    world.reads = true;
    world.run(Duration::from_secs(60));
    assert_eq!(world.started(), 1);
    let (spooled, back) = (world.spooled(), *world.stored.keys().next().unwrap());
    let expected: Vec<u128> = (0..u128::from(back)).step_by(100).collect();
    assert!(spooled == expected, "all that was thrown away can be kept elsewhere, in order, once");
    let back = *world.stored.keys().next().unwrap();
    assert!((3_580_000..3_660_000).contains(&back), "{back}");
    world.end();
}

#[test]
fn a_service_that_acknowledges_nothing_is_left_and_said_to_have_failed() {
    let mut world = World::new(2);
    world.acknowledges = false;
    world.run(Duration::from_secs(120));
    let targets: Vec<usize> = world.sessions.iter().map(|session| session.0).collect();
    assert!(targets.contains(&0) && targets.contains(&1), "{targets:?}");
    assert_eq!(world.started(), 0);
    world.run(Duration::from_secs(120));
    assert_eq!(world.failures(), ["nothing was acknowledged in time"]);
    world.end();
}

#[test]
fn the_next_target_by_priority_takes_over_and_each_failure_is_told_once() {
    let mut world = World::new(2);
    world.away = vec![0];
    world.run(Duration::from_secs(20));
    assert_eq!(world.sessions.last().map(|session| session.0), Some(1));
    assert_eq!((world.started(), world.failures().len()), (1, 0));
    assert_eq!(world.dropped(), Duration::ZERO, "what was said meanwhile is sent");
    world.away = vec![0, 1];
    world.open = false;
    world.session.handle_failure(world.now, Verdict::Again, "reset".to_owned());
    world.run(Duration::from_secs(300));
    assert_eq!(world.failures(), ["1 is away"], "the stream that had started failed: {:?}", world.told);
    world.away.clear();
    world.run(Duration::from_secs(60));
    assert_eq!(world.started(), 2);
    world.end();
    assert!(matches!(world.told.last(), Some(Output::Ended)));
}

#[test]
fn each_error_of_the_service_has_its_consequence() {
    // The id; whether the stream goes on without a word; whether the fragment is given up.
    for (id, goes_on, gives_up) in [
        (4000, true, false),
        (4001, true, true),
        (4002, true, true),
        (4003, true, false),
        (4004, true, true),
        (4005, false, false),
        (4006, true, true),
        (4007, false, false),
        (4008, false, false),
        (4009, true, true),
        (4010, false, false),
        (4011, true, true),
        (4012, false, false),
        (4500, false, false),
        (4501, false, false),
        (4502, false, false),
        (4503, false, false),
        (4504, false, false),
        (4505, false, false),
        (4506, false, false),
        (4507, false, false),
        (5000, true, false),
        (5001, true, false),
        (4999, true, false),
    ] {
        let mut world = World::new(2);
        world.run(Duration::from_millis(3_500));
        let time_ms = Some(EPOCH + 3_000);
        let code = "CODE".to_owned();
        world.session.handle_acknowledgement(world.now, Acknowledgement::Error { time_ms, id, code });
        world.run(Duration::from_secs(10));
        assert_eq!(world.failures().is_empty(), goes_on, "{id}: {:?}", world.told);
        assert_eq!(world.started(), if goes_on { 1 } else { 2 }, "{id}");
        assert_eq!(world.dropped() > Duration::ZERO, gives_up, "{id}: {:?}", world.told);
        let target = world.sessions[1].0;
        let stays = goes_on || matches!(id, 4008 | 4507);
        assert_eq!(target == 0, stays, "{id} leads to target {target}");
        if matches!(id, 4008 | 4507) {
            assert_eq!(world.verdicts[1], Verdict::OtherStream);
        }
        world.end();
        assert_eq!(world.stored.len(), if gives_up { 13 } else { 14 }, "{id}");
        assert!(!world.session.has_lost(), "{id}: the service would never take what it refused");
    }
}

#[test]
fn without_audio_the_session_is_closed_before_the_service_does_and_begun_again() {
    let mut world = World::new(1);
    world.run(Duration::from_secs(5));
    world.speaks = false;
    world.run(Duration::from_secs(25));
    assert!(!world.open, "closed");
    assert_eq!(world.stored.len(), 5);
    world.speaks = true;
    world.run(Duration::from_secs(5));
    world.end();
    assert_eq!(world.sessions.len(), 2);
    assert_eq!((world.started(), world.failures().len()), (1, 0));
}

#[test]
fn a_service_that_never_confirms_the_end_is_given_up() {
    let mut world = World::new(1);
    world.run(Duration::from_secs(5));
    world.acknowledges = false;
    world.end();
    assert!(world.dropped() <= Duration::from_secs(2) && world.dropped() > Duration::ZERO);
    assert!(world.session.has_lost());
    let mut silent = World::new(1);
    silent.end();
    assert!(silent.sessions.is_empty() && silent.told == [Output::Ended]);
}

#[test]
fn with_retention_a_fragment_is_kept_until_it_is_persisted() {
    let mut world = World::new(1);
    world.session.settings.retained = true;
    world.run(Duration::from_millis(2_500));
    let kept = world.session.kept();
    assert_eq!(kept, 3);
    let fragment = Fragment { time_ms: EPOCH + 1_000, number: "1".to_owned() };
    world.session.handle_acknowledgement(world.now, Acknowledgement::Persisted(fragment));
    assert_eq!(world.session.kept(), 1);
}
