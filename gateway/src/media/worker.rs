//! A media worker: one thread that waits for its calls' ports and never for anything else.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::eventfd::EventFd;
use rtp::relay::{CallStatistics, Refusal, Relay, RelaySettings, Side};

use super::call::{LegPorts, OpenCall, OpenError};
use super::calls::Calls;
use super::counters::Counters;
use super::driver::Driver;
use super::pace::Pace;
use super::ports::Claim;
use super::{Command, EventSink, MediaEvent, MediaKey, Room};
use crate::clock::Now;
use crate::pulse::{self, Pulse};
use crate::random::{Random, SystemRandom};

/// Commands that are obeyed before ports are looked at again.
const COMMANDS: usize = 32;
/// A last minute shorter than this is left out of the quality records.
const SHORTEST_MINUTE: Duration = Duration::from_secs(1);

/// What a worker shares with the rest of the process.
pub(super) struct Shared {
    pub(super) commands: EventFd,
    pub(super) queued: AtomicU64,
    pub(super) stop: AtomicBool,
    pub(super) pulse: Pulse,
    pub(super) counters: Counters,
}

pub(super) struct Worker<'a> {
    driver: Driver,
    calls: Calls<'a>,
    shared: &'a Shared,
    inbox: Receiver<Command>,
    room: &'a Room,
    settings: RelaySettings,
    random: SystemRandom,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        driver: Driver,
        shared: &'a Shared,
        inbox: Receiver<Command>,
        events: Arc<EventSink>,
        room: &'a Room,
        settings: RelaySettings,
    ) -> Worker<'a> {
        Worker {
            driver,
            calls: Calls::new(shared, events, room),
            shared,
            inbox,
            room,
            settings,
            random: SystemRandom::new(),
        }
    }

    /// Runs until told to stop, then closes what is open.
    pub(super) fn run(mut self) {
        let mut pending = false;
        let mut pace = Pace::new(Instant::now());
        while !self.shared.stop.load(Ordering::Acquire) {
            let most = if pending { Duration::ZERO } else { self.timeout() };
            let told = self.driver.wait(most);
            self.shared.pulse.beat();
            let now = Now::read();
            pace.wake(now.instant);
            // Commands first: a caller that has our 200 may talk at once, and the callee's address came before it.
            if pending || told {
                pending = self.handle_commands();
            }
            self.driver.serve(now, &mut self.calls);
            self.calls.handle_timeouts(&mut self.driver);
            if !pending {
                thread::sleep(pace.rest(Instant::now()));
            }
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
            let Ok(command) = self.inbox.try_recv() else { return false };
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
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
                Command::Remote { key, side, remote } => self.calls.change(key, |call| {
                    call.leg_mut(side).set_customer(remote.customer);
                    let now = Instant::now();
                    call.relay.handle_remote(now, side, &remote);
                    call.floods().for_each(|(_, flood)| flood.end(now));
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
        let Worker { driver, room, random, .. } = self;
        let mut a = LegPorts::open(room, driver, a, claim, random, (place, Side::A))?;
        let b = LegPorts::open(room, driver, b, claim, random, (place, Side::B)).inspect_err(|_| {
            a.close(driver);
            a.forget();
        })?;
        let opened = MediaEvent::Opened { key, a: a.ports(), b: b.ports() };
        let now = Instant::now();
        let relay = Relay::new(now, self.settings, self.random.next_u64());
        self.calls.insert(now, |minute| OpenCall { key, a, b, relay, minute, wake: minute });
        Ok(opened)
    }

    fn close(&mut self, key: MediaKey) {
        let mut statistics = CallStatistics::default();
        if let Some(mut call) = self.calls.remove(key) {
            let now = Instant::now();
            let minute = call.relay.minute_statistics(now);
            if minute.period >= SHORTEST_MINUTE {
                self.calls.tell(MediaEvent::Minute { key, statistics: Box::new(minute) });
            }
            statistics = call.relay.call_statistics(now);
            let shed = call.floods().map(|(port, _)| self.driver.calm(port)).sum();
            self.shared.counters.refused_many(Refusal::Shed, shed);
            call.a.close(&mut self.driver);
            call.b.close(&mut self.driver);
        }
        self.calls.tell(MediaEvent::Closed { key, statistics: Box::new(statistics) });
    }
}
