//! Streams that the kernel forwards by itself, and counts.

mod entry;
mod program;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bpf::{self, Kind, MapType};
use crate::mapping::Mapping;
use entry::{Key, field};
use program::{Clock, Program};

/// Longest IP packet that is forwarded: what every way takes (RFC 8200 §5). Sound is never longer.
const LONGEST: i32 = 1280;
/// In ns: a packet that comes later than that after the one before ends the flow.
const LONGEST_PAUSE: i32 = 1_000_000_000;
/// A step ahead of so many, or back by more, ends the flow. RFC 3550 A.1.
const MAX_DROPOUT: i32 = 3000;
const MAX_MISORDER: i32 = 100;
/// Looks until the program is out of an entry, which it is in for less than a microsecond.
const LOOKS: usize = 100_000;

/// A stream of RTP packets that the kernel is to send on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Whence packets come.
    pub remote: SocketAddr,
    /// For which address and port of ours.
    pub local: SocketAddr,
    /// From which address and port of ours they go on. All four are of one family.
    pub source: SocketAddr,
    /// Where to.
    pub to: SocketAddr,
    /// The interface that the way there begins at; 0: it ends on this host.
    pub interface: u32,
    /// SSRC of the stream.
    pub ssrc: u32,
    /// Payload type of the stream.
    pub payload_type: u8,
    /// Ticks of its timestamps in a second.
    pub clock_rate: u32,
    /// Where to go on from.
    pub standing: Standing,
}

/// Where a stream stands, and what was counted of it since it became the kernel's. Times are of `CLOCK_MONOTONIC`, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Packets forwarded.
    pub packets: u64,
    /// Bytes of their UDP payloads.
    pub bytes: u64,
    /// Packets whose number had come before.
    pub duplicates: u64,
    /// Highest sequence number, extended.
    pub highest: u64,
    /// Bit `n`: number `highest - n` has come.
    pub seen: u128,
    /// When the last packet came.
    pub heard: u64,
    /// The last packet's sequence number.
    pub seq: u16,
    /// The last packet's timestamp.
    pub timestamp: u32,
    /// Arrival and timestamp of the last packet that was no duplicate.
    pub previous: Option<(u64, u32)>,
    /// RFC 3550's estimate, in 2^-16 ns.
    pub jitter: u64,
    /// Sum of the estimates after each packet since this was last asked, in 2^-8 ns.
    pub jitter_sum: u64,
    /// How many these are.
    pub jitter_count: u64,
    /// The largest of them, in 2^-16 ns.
    pub jitter_max: u64,
    /// The kernel has let go of the stream, or was told to: packets go up.
    pub ended: bool,
}

/// A flow that the kernel has; to be given back by [`Forwarding::end`].
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    index: u32,
    key: [u8; Key::LEN as usize],
}

/// The program at work at interfaces, until it is dropped or the process ends.
#[derive(Debug)]
pub struct Forwarding {
    flows: OwnedFd,
    entries: Mapping<AtomicU64>,
    /// The one that was used last comes last: by then nobody is in it any more.
    vacant: Mutex<VecDeque<u32>>,
    program: OwnedFd,
    links: Vec<OwnedFd>,
}

impl Forwarding {
    /// Loads the program, and attaches it where packets come in at these interfaces (by number). It forwards nothing before
    /// [`Forwarding::begin`].
    ///
    /// - `most`: so many flows at one time.
    ///
    /// # Errors
    /// What the kernel would not do, and why: not permitted, most likely, or older than 6.6.
    pub fn attach(interfaces: &[u32], most: u32) -> io::Result<Self> {
        let mut forwarding = Self::load(Clock::Monotonic, most)?;
        for interface in interfaces {
            let link = bpf::attach(Kind::Ingress, forwarding.program.as_fd(), *interface);
            forwarding.links.push(link.map_err(at("link to an interface"))?);
        }
        Ok(forwarding)
    }

    fn load(clock: Clock, most: u32) -> io::Result<Self> {
        let flows =
            bpf::create_map(MapType::Hash, Key::LEN as u32, 4, most, 0).map_err(at("map of flows"))?;
        let entries = bpf::create_map(MapType::Array, 4, entry::LEN as u32, most, bpf::MMAPABLE)
            .map_err(at("map of entries"))?;
        let program = Program { flows: flows.as_raw_fd(), entries: entries.as_raw_fd(), clock };
        let code = program.assemble().ok_or_else(|| at("program")(io::ErrorKind::InvalidInput.into()))?;
        let program = bpf::load(Kind::Ingress, &code).map_err(at("program"))?;
        let entries =
            Mapping::new(entries.as_fd(), entry::LEN * most as usize).map_err(at("mapping of entries"))?;
        Ok(Self { flows, entries, vacant: Mutex::new((0..most).collect()), program, links: Vec::new() })
    }

    /// From now on the kernel forwards a flow.
    ///
    /// # Errors
    /// There are as many flows as fit, or one from there to there.
    pub fn begin(&self, flow: &Flow) -> io::Result<Place> {
        let families = [flow.local, flow.source, flow.to].map(|address| address.is_ipv4());
        if families != [flow.remote.is_ipv4(); 3] {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let key = Key::bytes(flow.local, flow.remote);
        if bpf::look_up(self.flows.as_fd(), &key, &mut [0; 4]).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let index = self.vacant().pop_front().ok_or(io::ErrorKind::StorageFull)?;
        // But for who is in it: one that was here before may be still.
        for (field, word) in (0..).step_by(8).zip(entry::bytes(flow).as_chunks::<8>().0).skip(2) {
            self.set(index, field, u64::from_ne_bytes(*word));
        }
        let place = Place { index, key };
        match bpf::update(self.flows.as_fd(), &place.key, &index.to_ne_bytes()) {
            Ok(()) => Ok(place),
            Err(error) => {
                self.vacant().push_back(index);
                Err(error)
            }
        }
    }

    /// Where a flow stands. What is counted of jitter begins anew.
    pub fn standing(&self, place: &Place) -> Standing {
        let mut standing = Standing::default();
        for _ in 0..LOOKS {
            let entered = self.get(place.index, field::ENTERED, Ordering::SeqCst);
            standing = self.read(place.index);
            let left = self.get(place.index, field::LEFT, Ordering::SeqCst);
            if entered == left && self.get(place.index, field::ENTERED, Ordering::SeqCst) == entered {
                break;
            }
            std::hint::spin_loop();
        }
        let period = self.get(place.index, field::ASKED, Ordering::Relaxed).wrapping_add(1);
        self.set(place.index, field::ASKED, period);
        standing
    }

    /// The kernel forwards the flow no more: where it stands at last.
    pub fn end(&self, place: Place) -> Standing {
        self.set(place.index, field::ON, 0);
        let standing = self.standing(&place);
        let _ = bpf::delete(self.flows.as_fd(), &place.key);
        self.vacant().push_back(place.index);
        standing
    }

    fn read(&self, index: u32) -> Standing {
        let get = |field| self.get(index, field, Ordering::Relaxed);
        let previous = get(field::PREVIOUS);
        let is_current = get(field::PERIOD) == get(field::ASKED);
        let of_period = |field| if is_current { get(field) } else { 0 };
        Standing {
            packets: get(field::PACKETS),
            bytes: get(field::BYTES),
            duplicates: get(field::DUPLICATES),
            highest: get(field::HIGHEST),
            seen: u128::from(get(field::SEEN_HIGH)) << 64 | u128::from(get(field::SEEN_LOW)),
            heard: get(field::HEARD),
            seq: get(field::SEQ) as u16,
            timestamp: get(field::TIMESTAMP) as u32,
            previous: (previous != 0).then(|| (previous, get(field::PREVIOUS_TIMESTAMP) as u32)),
            jitter: get(field::JITTER),
            jitter_sum: of_period(field::JITTER_SUM),
            jitter_count: of_period(field::JITTER_COUNT),
            jitter_max: of_period(field::JITTER_MAX),
            ended: get(field::ON) == 0,
        }
    }

    fn get(&self, index: u32, field: i16, order: Ordering) -> u64 {
        self.word(index, field).map_or(0, |word| word.load(order))
    }

    fn set(&self, index: u32, field: i16, value: u64) {
        if let Some(word) = self.word(index, field) {
            word.store(value, Ordering::SeqCst);
        }
    }

    fn word(&self, index: u32, field: i16) -> Option<&AtomicU64> {
        self.entries.at(index as usize * entry::LEN + usize::try_from(field).ok()?)
    }

    fn vacant(&self) -> MutexGuard<'_, VecDeque<u32>> {
        self.vacant.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says at what it failed.
fn at(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("BPF {what}: {error}"))
}
