//! Directions of calls that the kernel forwards: offered by the relay, taken here, and counted by the program of
//! `fastpath`. What the kernel forwards wakes no thread; all else comes to the worker as ever.

mod flows;
mod route;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::MediaKernel;
use fastpath::{Forwarding, Standing};
use nix::time::{ClockId, clock_gettime};
use rtp::quality::Spread;
use rtp::relay::{Counts, Flow};

pub(super) use flows::{Flows, Forwarded};
use route::{Destination, Routes};

/// Flows that the kernel has at one time, of all workers; others stay with these.
const MOST: u32 = 16_384;

/// What the workers share of it.
pub(super) struct Kernel {
    forwarding: Forwarding,
    /// At which interfaces packets may come in and leave.
    interfaces: BTreeSet<u32>,
    /// The same moment as the program tells it.
    epoch: (Instant, Duration),
}

impl Kernel {
    /// Starts it as the settings say. Returns with it what there is of it and why, for people.
    pub(super) fn start(wanted: MediaKernel) -> (Option<Arc<Self>>, String) {
        if wanted == MediaKernel::Off {
            return (None, "by the media threads".to_owned());
        }
        match Self::attach() {
            Ok(kernel) => {
                let count = kernel.interfaces.len();
                let text = format!("by the kernel where they are steady (interfaces: {count})");
                (Some(Arc::new(kernel)), text)
            }
            Err(error) => (None, format!("by the media threads (the kernel is not to be had: {error})")),
        }
    }

    fn attach() -> io::Result<Self> {
        let interfaces = Routes::new()?.interfaces()?;
        let numbers: Vec<u32> = interfaces.iter().copied().collect();
        let forwarding = Forwarding::attach(&numbers, MOST)?;
        let since_boot = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
        Ok(Self { forwarding, interfaces, epoch: (Instant::now(), since_boot.into()) })
    }

    /// One worker's hold of it.
    pub(super) fn hand(self: &Arc<Self>) -> Option<Hand> {
        Some(Hand { kernel: self.clone(), routes: Routes::new().ok()?, taken: Cell::new(0) })
    }

    fn nanos(&self, at: Instant) -> u64 {
        let (instant, since_boot) = self.epoch;
        let later = at.saturating_duration_since(instant);
        let earlier = instant.saturating_duration_since(at);
        (since_boot + later).saturating_sub(earlier).as_nanos() as u64
    }

    fn instant(&self, nanos: u64) -> Instant {
        let (instant, since_boot) = self.epoch;
        let at = Duration::from_nanos(nanos);
        let later = instant + at.saturating_sub(since_boot);
        later.checked_sub(since_boot.saturating_sub(at)).unwrap_or(instant)
    }

    fn standing(&self, counts: &Counts) -> Standing {
        Standing {
            highest: counts.highest,
            seen: counts.seen,
            heard: self.nanos(counts.heard),
            previous: counts.previous.map(|(at, timestamp)| (self.nanos(at), timestamp)),
            jitter: (counts.jitter * JITTER) as u64,
            ..Standing::default()
        }
    }

    fn counts(&self, standing: &Standing) -> Counts {
        let sum = standing.jitter_sum as f64 / JITTER_SUM;
        let max = standing.jitter_max as f64 / JITTER;
        Counts {
            packets: standing.packets,
            bytes: standing.bytes,
            duplicates: standing.duplicates,
            highest: standing.highest,
            seen: standing.seen,
            heard: self.instant(standing.heard),
            seq: standing.seq,
            timestamp: standing.timestamp,
            previous: standing.previous.map(|(at, timestamp)| (self.instant(at), timestamp)),
            jitter: standing.jitter as f64 / JITTER,
            period: Spread::new(sum, standing.jitter_count, max),
            ended: standing.ended,
        }
    }
}

/// Units of a second in which the program counts jitter, and sums it.
const JITTER: f64 = 65_536.0 * 1e9;
const JITTER_SUM: f64 = 256.0 * 1e9;

/// A worker's hold of the kernel.
pub(super) struct Hand {
    kernel: Arc<Kernel>,
    routes: Routes,
    /// How many flows are this worker's.
    taken: Cell<u64>,
}

impl Hand {
    /// How many flows the kernel has of this worker's calls.
    pub(super) fn flows(&self) -> u64 {
        self.taken.get()
    }

    /// How the kernel is to forward a flow; `None`: it cannot.
    ///
    /// - `local`: address and port of ours that it comes to, perhaps all addresses of the host.
    /// - `source`: the same of the leg that it leaves by.
    fn plan(&mut self, flow: &Flow, local: SocketAddr, source: SocketAddr) -> Option<fastpath::Flow> {
        let now = Instant::now();
        let back = self.routes.find(now, local.ip(), flow.from.ip())?;
        let way = self.routes.find(now, source.ip(), flow.to.ip())?;
        let interface = match (way.destination, back.destination) {
            // What comes by loopback may stay there. Elsewhere the kernel takes nothing that says to come from itself.
            (Destination::Here, Destination::Here) => 0,
            (Destination::Here, Destination::Interface(_)) => return None,
            (Destination::Interface(number), _) => number,
        };
        if interface != 0 && !self.kernel.interfaces.contains(&interface) {
            return None;
        }
        let named = |address: SocketAddr, otherwise: Option<IpAddr>| match address.ip().is_unspecified() {
            true => Some(SocketAddr::new(otherwise?, address.port())),
            false => Some(address),
        };
        Some(fastpath::Flow {
            remote: flow.from,
            local: named(local, back.source)?,
            source: named(source, way.source)?,
            to: flow.to,
            interface,
            ssrc: flow.ssrc.0,
            payload_type: flow.payload_type.0,
            clock_rate: flow.clock_rate,
            standing: self.kernel.standing(&flow.counts),
        })
    }
}
