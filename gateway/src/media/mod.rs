//! Media: port pairs, and worker threads that relay datagrams between the two legs of each call.
//!
//! The signalling side sends [`Command`]s and hears [`MediaEvent`]s; it never touches a media socket. Both legs of a
//! call live on one worker, which owns their sockets outright: between two sockets there is no lock, no allocation, no
//! copy and no log line.

mod bell;
mod call;
mod calls;
mod command;
mod copies;
mod counters;
mod driver;
mod event;
mod export;
mod flood;
mod kernel;
mod no_room;
mod own;
mod ports;
mod ready;
mod settings;
mod worker;

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SendError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rtp::ntp::NtpClock;
use rtp::relay::RelaySettings;
pub use rtp::relay::{
    CallStatistics, FlowStatistics, LegStatistics, Refusal, Refusals, Remote, Side, StreamKind,
};

use crate::clock::Now;
use crate::peer::Party;
use crate::pulse::Pulse;
use crate::random::SystemRandom;
use bell::Bell;
use call::OpenError;
pub use command::{Command, MediaKey};
use counters::Counters;
pub use counters::{FlowGauges, MediaGauges, SideGauges};
use driver::{Claim, Plan};
pub use event::{MediaEvent, Ports};
pub use export::export;
use kernel::Kernel;
pub use no_room::NoRoom;
pub use own::OwnAddresses;
pub use ports::PortCounts;
use ports::{Claim as PortClaim, PortPools};
pub use settings::MediaSettings;
use worker::{Order, Shared, Worker};

/// Commands that may wait for a worker before new calls are refused. Calls that are open are always heard: each can add
/// only as many commands as its signalling carries.
const BACKLOG: u64 = 4096;
/// Commands that a worker is not woken for, until so many wait.
const UNHURRIED: u64 = 16;

/// What this host would leave of the media ports that a configuration asks for: for the operator.
pub fn doubt(config: &config::Config) -> Option<String> {
    let (ports, driver) = (config.media.ports.first()..=config.media.ports.last(), config.media.driver);
    driver::doubt(&MediaSettings { ports, driver, ..MediaSettings::default() })
}

/// Whether one socket serves all media ports of a thread on this host.
///
/// # Errors
/// Why not.
pub fn driver_here() -> io::Result<()> {
    driver::driver_here()
}

/// Where events go: called on a worker's thread with the shard of the call, so it must not block.
type EventSink = dyn Fn(u16, MediaEvent) + Send + Sync;

/// The media side of the daemon. Dropping it closes every call and ends the workers.
pub struct Media {
    workers: Vec<Handle>,
    room: Arc<Room>,
    events: Arc<EventSink>,
    /// What the workers' driver is, and why.
    driver: String,
    /// Who forwards steady streams, and why.
    forwards: String,
    /// Whether each port is a descriptor.
    takes_descriptors: bool,
    /// What other gateways see of our ports.
    _claim: Option<Claim>,
}

/// What signalling knows of the media side.
#[derive(Debug, Clone)]
pub struct MediaRoom {
    /// Where no media may go.
    pub own: Arc<OwnAddresses>,
    /// How many ordinary calls find ports at one time, each with both legs on one address: as many as there are ports and
    /// open files.
    pub calls: usize,
}

/// The ports, shared by the workers.
struct Room {
    pools: Mutex<PortPools>,
    /// For whoever draws without a worker; taken while `pools` is held.
    random: Mutex<SystemRandom>,
    own: Arc<OwnAddresses>,
    /// Where it forwards what is steady.
    kernel: Option<Arc<Kernel>>,
}

impl Room {
    fn pools(&self) -> MutexGuard<'_, PortPools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Handle {
    inbox: Sender<Order>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Media {
    /// Starts the workers.
    ///
    /// - `events`: hears of each call, with the shard of its key; called on the workers' threads and, for a call that is
    ///   refused at once, on the thread that sends the command. It must not block.
    ///
    /// Fails when the kernel gives no thread, event or epoll descriptor, or not the driver that the settings insist on.
    pub fn start(
        settings: &MediaSettings,
        events: impl Fn(u16, MediaEvent) + Send + Sync + 'static,
    ) -> io::Result<Media> {
        let workers = worker_count(settings);
        let mut plan = Plan::new(settings, workers, &excluded(settings))?;
        let pools = Mutex::new(PortPools::new(
            &settings.ports,
            &plan.excluded,
            settings.emergency_ports,
            settings.quarantine,
            if plan.takes_descriptors() { settings.sockets } else { usize::MAX },
            if plan.takes_descriptors() { settings.kept } else { 0 },
        ));
        let own = Arc::new(OwnAddresses::new(settings, own::host_addresses()));
        let (kernel, forwards) = Kernel::start(settings.kernel);
        let room = Arc::new(Room { pools, random: Mutex::new(SystemRandom::new()), own, kernel });
        let now = Now::read();
        let relay = RelaySettings {
            inactivity_timeout: settings.inactivity_timeout,
            hold_timeout: settings.hold_timeout,
            clock: NtpClock::new(now.instant, now.unix),
        };
        let mut media = Media {
            workers: Vec::new(),
            room,
            events: Arc::new(events),
            driver: plan.text.clone(),
            forwards,
            takes_descriptors: plan.takes_descriptors(),
            _claim: plan.claim.take(),
        };
        for index in 0..workers {
            let handle = media.start_worker(index, &mut plan, relay)?;
            media.workers.push(handle);
        }
        Ok(media)
    }

    /// Sends a command to the worker of its call; never waits. The answer comes as an event.
    pub fn send(&self, command: Command) {
        let key = command.key();
        let Some((index, worker)) = self.worker(key) else { return };
        let bell = &worker.shared.bell;
        let is_open = matches!(command, Command::Open { .. });
        if is_open && bell.queued() >= BACKLOG {
            return (self.events)(key.shard(), OpenError::Overloaded.event(key));
        }
        // What only matters once a datagram comes is found by who reads that.
        let mut is_urgent =
            !matches!(command, Command::ExpectSrtp { .. } | Command::Remote { hurry: false, .. });
        let (mut order, mut opened) = (Order::Command(command), None);
        if let Order::Command(Command::Open { key, a, b, emergency, party }) = &order
            && let Some((drawn, event)) = self.draw(index, *key, [*a, *b], party.clone(), *emergency)
        {
            (order, opened, is_urgent) = (drawn, Some(event), false);
        }
        let queued = bell.queue();
        match worker.inbox.send(order) {
            Ok(()) => {
                if is_urgent || queued >= UNHURRIED {
                    bell.ring();
                }
                if let Some(opened) = opened {
                    (self.events)(key.shard(), opened);
                }
            }
            // The worker is gone, which only a bug can do. Nobody waits for its answers in vain.
            Err(SendError(Order::Open { .. } | Order::Command(Command::Open { .. }))) => {
                (self.events)(key.shard(), OpenError::Overloaded.event(key));
            }
            Err(SendError(Order::Command(Command::Close { .. }))) => {
                let statistics = Box::default();
                (self.events)(key.shard(), MediaEvent::Closed { key, statistics });
            }
            Err(SendError(Order::Command(Command::Report { .. }))) => {
                (self.events)(key.shard(), MediaEvent::Report { key, statistics: None });
            }
            Err(SendError(Order::Command(
                Command::Remote { .. }
                | Command::ExpectSrtp { .. }
                | Command::Tap { .. }
                | Command::Listen { .. }
                | Command::StopListening { .. }
                | Command::Copy { .. }
                | Command::Reports { .. },
            ))) => {}
        }
    }

    /// Pairs for a call, where the worker has some open and nobody has to wait: what it is to do, and what it would say.
    fn draw(
        &self,
        worker: usize,
        key: MediaKey,
        [a, b]: [IpAddr; 2],
        party: Option<Party>,
        emergency: bool,
    ) -> Option<(Order, MediaEvent)> {
        let (claim, now) = (PortClaim::new(party, emergency), Instant::now());
        let mut pools = self.room.pools.try_lock().ok()?;
        let mut random = self.room.random.try_lock().ok()?;
        let drawn_a = pools.draw_open(now, a, &claim, &mut *random, worker)?;
        let Some(drawn_b) = pools.draw_open(now, b, &claim, &mut *random, worker) else {
            pools.give_back(a, drawn_a.pair, &claim, drawn_a.kept);
            return None;
        };
        let ports = |rtp| Ports { rtp, rtcp: rtp | 1 };
        let event = MediaEvent::Opened { key, a: ports(drawn_a.pair), b: ports(drawn_b.pair) };
        Some((Order::Open { key, claim, a: (a, drawn_a), b: (b, drawn_b) }, event))
    }

    /// What all workers have counted, and the state of the ports.
    pub fn gauges(&self) -> MediaGauges {
        let mut gauges = MediaGauges { ports: self.room.pools().counts(), ..MediaGauges::default() };
        for worker in &self.workers {
            gauges.queued += worker.shared.bell.queued();
            worker.shared.counters.add_to(&mut gauges);
        }
        gauges
    }

    /// The state of the ports of each address that a call has used so far.
    pub fn ports(&self) -> BTreeMap<IpAddr, PortCounts> {
        self.room.pools().by_address().collect()
    }

    /// How many calls each worker has.
    pub fn calls_of_workers(&self) -> impl Iterator<Item = u64> + '_ {
        self.workers.iter().map(|worker| {
            let mut gauges = MediaGauges::default();
            worker.shared.counters.add_to(&mut gauges);
            gauges.calls
        })
    }

    /// Why an ordinary call would not find its ports.
    pub fn no_room(&self) -> Option<NoRoom> {
        self.room.pools().no_room(Instant::now())
    }

    /// The signs of life of the workers.
    pub fn pulses(&self) -> impl Iterator<Item = Pulse> {
        self.workers.iter().map(|worker| worker.shared.pulse.clone())
    }

    /// What there is room for, and where no media goes.
    pub fn room(&self) -> MediaRoom {
        let own = self.room.own.clone();
        MediaRoom { calls: self.room.pools().calls(own.media_addresses()), own }
    }

    /// How many workers run.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// How datagrams reach the workers and why not otherwise, for people.
    pub fn driver(&self) -> &str {
        &self.driver
    }

    /// Who forwards steady streams, and why not the kernel, for people.
    pub fn kernel(&self) -> &str {
        &self.forwards
    }

    /// Whether each port in use is an open file.
    pub fn takes_descriptors(&self) -> bool {
        self.takes_descriptors
    }

    fn start_worker(&self, index: usize, plan: &mut Plan, relay: RelaySettings) -> io::Result<Handle> {
        let (inbox, commands) = channel();
        let name = format!("media-{index}");
        let shared = Arc::new(Shared {
            bell: Bell::new()?,
            stop: AtomicBool::new(false),
            pulse: Pulse::new(name.as_str()),
            counters: Counters::default(),
        });
        let driver = plan.driver(shared.bell.event())?;
        let (shared_too, room, events) = (shared.clone(), self.room.clone(), self.events.clone());
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            Worker::new(index, driver, &shared_too, commands, events, &room, relay).run();
        })?;
        Ok(Handle { inbox, shared, thread: Some(thread) })
    }

    /// The worker of a call: the same for all its commands, and any for the next one.
    fn worker(&self, key: MediaKey) -> Option<(usize, &Handle)> {
        let mixed = key.place().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        let count = u64::try_from(self.workers.len()).ok().filter(|count| *count > 0)?;
        let index = usize::try_from(mixed % count).ok()?;
        Some((index, self.workers.get(index)?))
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.shared.stop.store(true, Ordering::Release);
            worker.shared.bell.queue(); // Whoever is about to sleep looks for it, and finds that it is to stop.
            worker.shared.bell.ring();
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn worker_count(settings: &MediaSettings) -> usize {
    match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

/// Ports that are not ours to take: the listeners', and those that the host's operator has reserved.
fn excluded(settings: &MediaSettings) -> HashSet<u16> {
    let reserved = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    let mut ports = ports::parse_reserved(&reserved);
    ports.extend(&settings.excluded_ports);
    ports
}
