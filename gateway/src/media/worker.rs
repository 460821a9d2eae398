//! A media worker: one thread that waits for its calls' ports and never for anything else.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rtp::relay::{CallStatistics, Refusal, Relay, RelaySettings, Side};

use super::bell::Bell;
use super::call::{LegPorts, OpenCall, OpenError};
use super::calls::Calls;
use super::counters::Counters;
use super::driver::Driver;
use super::kernel::Flows;
use super::ports::{Claim, Drawn};
use super::ready::Kept;
use super::{Command, EventSink, MediaEvent, MediaKey, Room};
use crate::clock::Now;
use crate::pulse::{self, Pulse};
use crate::random::{Random, SystemRandom};

/// Commands that are obeyed before ports are looked at again.
const COMMANDS: usize = 32;
/// How often it is asked whether kept sockets have to go.
const RECLAIM: Duration = Duration::from_millis(250);
/// Kept sockets that nobody needs for so long are closed.
const UNUSED: Duration = Duration::from_secs(2);
/// A last minute shorter than this is left out of the quality records.
const SHORTEST_MINUTE: Duration = Duration::from_secs(1);

/// What a worker shares with the rest of the process.
pub(super) struct Shared {
    pub(super) bell: Bell,
    pub(super) stop: AtomicBool,
    pub(super) pulse: Pulse,
    pub(super) counters: Counters,
}

/// What a worker is told.
#[derive(Debug)]
pub(super) enum Order {
    Command(Command),
    /// Opens a call with pairs that were drawn for it and are open already. Whoever sent it has told of it.
    Open {
        key: MediaKey,
        claim: Claim,
        a: (IpAddr, Drawn),
        b: (IpAddr, Drawn),
    },
}

pub(super) struct Worker<'a> {
    /// Its number.
    index: usize,
    driver: Driver,
    calls: Calls<'a>,
    shared: &'a Shared,
    inbox: Receiver<Order>,
    room: &'a Room,
    settings: RelaySettings,
    random: SystemRandom,
    /// When to look whether sockets that are kept have to go.
    reclaim_at: Instant,
    /// When to close those that were not needed for [`UNUSED`].
    unused_at: Instant,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        index: usize,
        driver: Driver,
        shared: &'a Shared,
        inbox: Receiver<Order>,
        events: Arc<EventSink>,
        room: &'a Room,
        settings: RelaySettings,
    ) -> Worker<'a> {
        Worker {
            index,
            driver,
            calls: Calls::new(shared, events, room),
            shared,
            inbox,
            room,
            settings,
            random: SystemRandom::new(),
            reclaim_at: Instant::now(),
            unused_at: Instant::now(),
        }
    }

    /// Runs until told to stop, then closes what is open.
    pub(super) fn run(mut self) {
        let mut pending = false;
        while !self.shared.stop.load(Ordering::Acquire) {
            let sleeps = !pending && self.shared.bell.may_sleep();
            self.driver.wait(if sleeps { self.timeout() } else { Duration::ZERO });
            self.shared.bell.is_awake();
            self.shared.pulse.beat();
            let now = Now::read();
            // Commands first: a caller that has our 200 may talk at once, and the callee's address came before it.
            pending = self.handle_commands();
            self.driver.serve(now, &mut self.calls);
            self.calls.send_copies(&mut self.driver);
            self.calls.handle_timeouts(&mut self.driver);
            self.close_kept(now.instant);
        }
        self.calls.keys().into_iter().for_each(|key| self.close(key));
    }

    fn timeout(&self) -> Duration {
        let wake = self.calls.poll_timeout();
        let wait = wake.map(|wake| wake.saturating_duration_since(Instant::now()));
        wait.map_or(pulse::PERIOD, |wait| wait.min(pulse::PERIOD))
    }

    /// Obeys some commands; returns whether more wait.
    fn handle_commands(&mut self) -> bool {
        for _ in 0..COMMANDS {
            let Ok(order) = self.inbox.try_recv() else { return false };
            self.shared.bell.taken();
            let command = match order {
                Order::Command(command) => command,
                Order::Open { key, claim, a, b } => {
                    self.open_drawn(key, &claim, a, b);
                    continue;
                }
            };
            match command {
                Command::Open { key, a, b, emergency, party } => {
                    let claim = Claim::new(party, emergency);
                    match self.open(key, a, b, &claim) {
                        Ok(opened) => self.calls.tell(opened),
                        Err(error) => self.calls.tell(error.event(key)),
                    }
                }
                Command::ExpectSrtp { key, side, only } => {
                    self.calls.change(key, |call| call.relay.expect_srtp(side, only));
                }
                Command::Remote { key, side, remote, .. } => self.calls.change(key, |call| {
                    call.leg_mut(side).set_customer(remote.customer);
                    let now = Instant::now();
                    call.relay.handle_remote(now, side, &remote);
                    call.floods().for_each(|(_, flood)| flood.end(now));
                }),
                Command::Report { key } => self.report(key),
                Command::Tap { key, tap } => self.calls.change(key, |call| call.look(tap)),
                Command::Listen { key, ear } => self.calls.change(key, |call| {
                    if let Some(tap) = ear.take() {
                        call.relay.listen(Instant::now(), tap);
                    }
                }),
                Command::StopListening { key } => {
                    self.calls.change(key, |call| call.relay.stop_listening());
                }
                Command::Reports { key, reports } => {
                    self.calls.change(key, |call| call.tell_reports(reports))
                }
                Command::Copy { key, to } => self.calls.change(key, |call| {
                    call.copies = to;
                    call.relay.set_copied(to.is_some());
                }),
                Command::Close { key } => self.close(key),
            }
        }
        true
    }

    fn open(&mut self, key: MediaKey, a: IpAddr, b: IpAddr, claim: &Claim) -> Result<MediaEvent, OpenError> {
        if self.calls.has(key) {
            return Err(OpenError::Open);
        }
        let place = self.calls.next_place() as u32;
        let Worker { index, driver, room, random, .. } = self;
        let mut a = LegPorts::open(room, driver, (a, claim), random, *index, (place, Side::A))?;
        let b = LegPorts::open(room, driver, (b, claim), random, *index, (place, Side::B));
        let b = b.inspect_err(|_| {
            a.close(driver, *index);
            a.forget();
        })?;
        let opened = MediaEvent::Opened { key, a: a.ports(), b: b.ports() };
        self.insert(key, a, b);
        Ok(opened)
    }

    fn open_drawn(&mut self, key: MediaKey, claim: &Claim, a: (IpAddr, Drawn), b: (IpAddr, Drawn)) {
        let place = self.calls.next_place() as u32;
        let Worker { driver, room, .. } = self;
        let mut open = |(address, drawn), side| {
            LegPorts::open_drawn(room, driver, (address, claim), drawn, (place, side))
        };
        // Both are opened, so that both are given back where something is wrong, which only a bug can do.
        match (open(a, Side::A), open(b, Side::B)) {
            (Ok(a), Ok(b)) if !self.calls.has(key) => self.insert(key, a, b),
            (a, b) => {
                let error = [a.as_ref().err(), b.as_ref().err()].into_iter().flatten().next();
                tracing::error!(
                    call = key.0,
                    error = error.map(tracing::field::display),
                    "a call has no media ports"
                );
                a.into_iter().chain(b).for_each(|mut leg| leg.close(&mut self.driver, self.index));
            }
        }
    }

    fn insert(&mut self, key: MediaKey, a: LegPorts<'a>, b: LegPorts<'a>) {
        let now = Instant::now();
        let relay = Relay::new(now, self.settings, self.random.next_u64());
        self.calls.insert(now, |minute| OpenCall {
            key,
            a,
            b,
            relay,
            flows: Flows::default(),
            tap: None,
            reports: None,
            copies: None,
            minute,
            wake: minute,
        });
    }

    /// Closes kept ports: those of which strangers make too much use, and all of them where sockets or ports run short.
    fn close_kept(&mut self, now: Instant) {
        let noisy = self.calls.take_noisy();
        if noisy.is_empty() && self.reclaim_at > now {
            return;
        }
        let mut pools = self.room.pools();
        let mut closed = Vec::new();
        for (address, port) in noisy {
            closed.extend(pools.reclaim_one(address, port & !1, self.index));
        }
        if self.reclaim_at <= now {
            self.reclaim_at = now + RECLAIM;
            closed.extend(pools.reclaim(self.index));
            if self.unused_at <= now {
                self.unused_at = now + UNUSED;
                closed.extend(pools.take_unused(now, self.index));
            }
        }
        drop(pools);
        for port in closed.iter().flat_map(|Kept { ports, .. }| ports) {
            self.driver.close_kept(*port);
        }
    }

    fn report(&mut self, key: MediaKey) {
        let mut statistics = None;
        self.calls.change(key, |call| {
            statistics = Some(Box::new(call.relay.call_statistics(Instant::now())));
        });
        self.calls.tell(MediaEvent::Report { key, statistics });
    }

    fn close(&mut self, key: MediaKey) {
        let mut statistics = CallStatistics::default();
        if let Some(mut call) = self.calls.remove(key) {
            let now = Instant::now();
            self.calls.say_goodbye(now, &mut call, &mut self.driver);
            let minute = call.relay.minute_statistics(now);
            if minute.period >= SHORTEST_MINUTE {
                self.calls.tell(MediaEvent::Minute { key, statistics: Box::new(minute) });
            }
            statistics = call.relay.call_statistics(now);
            let shed = call.floods().map(|(port, _)| self.driver.calm(port)).sum();
            self.shared.counters.refused_many(Refusal::Shed, shed);
            call.a.close(&mut self.driver, self.index);
            call.b.close(&mut self.driver, self.index);
        }
        self.calls.tell(MediaEvent::Closed { key, statistics: Box::new(statistics) });
    }
}
