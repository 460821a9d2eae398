//! How many calls fit. The processor is asked how long it takes to receive and send a datagram: a relayed packet takes a little
//! more than that, whatever the machine.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use config::Config;
use nix::sys::resource::{Resource, getrlimit};

use super::{Capacity, Finding, Wanted};

/// How long is measured.
const TIME: Duration = Duration::from_millis(200);
/// Packets that go together, as the workers take them.
const BURST: u32 = 16;
/// What a relayed packet costs, in bare receptions and sendings (`make bench`).
const RELAYED: f64 = 1.4;
/// What a call's set-up and end cost, likewise (`make bench`, of the same machine).
const SET_UP: f64 = 200.0;
/// Packets of a call in a second: G.711, 20 ms, both ways.
const PACKETS: f64 = 100.0;
/// So much of the processor is used; the rest is for bursts.
const LOAD: f64 = 0.7;

pub(super) fn look(config: &Config, wanted: Wanted) -> (Capacity, Vec<Finding>) {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(1_024, |(_, hard)| hard);
    let files = usize::try_from(files.saturating_sub(1_024) / 4).unwrap_or(usize::MAX);
    let pairs =
        usize::from(config.media.ports.pairs()).saturating_sub(usize::from(config.media.emergency_ports) / 2);
    let ports = pairs * config.media_addresses().len().max(1) / 2;
    let by_files = if crate::media::driver_here().is_ok() { usize::MAX } else { files };
    let calls_by_room = ports.min(by_files);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let seconds = datagram().map_or(1.0, |time| time.as_secs_f64());
    #[allow(clippy::cast_precision_loss)] // Cores are few.
    let processor = cores as f64 * LOAD / seconds;
    let capacity = Capacity {
        calls_by_room,
        calls_by_processor: whole(processor / (RELAYED * PACKETS)),
        calls_per_second: whole(processor / SET_UP),
    };
    let text = format!("{cores} cores, {:.1} µs to receive and send a datagram", seconds * 1e6);
    let finding = match wanted.calls {
        Some(expected) if expected > capacity.calls_by_processor => {
            let remedy = "more cores; media.kernel = \"auto\" where the host allows it; or a second gateway";
            Finding::warning("processor", format!("{text}: too slow for {expected} calls"), remedy)
        }
        Some(_) => Finding::good("processor", text),
        None => Finding::note("processor", text),
    };
    (capacity, vec![finding])
}

/// How long it takes to send a datagram and to receive one, on loopback: in the best of many bursts, since others may be busy.
fn datagram() -> Option<Duration> {
    let [one, other] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0"));
    let (one, other) = (one.ok()?, other.ok()?);
    other.set_read_timeout(Some(TIME)).ok()?;
    one.connect(other.local_addr().ok()?).ok()?;
    let (payload, mut buffer, mut best) = ([0; 172], [0; 512], TIME);
    let until = Instant::now() + TIME;
    while Instant::now() < until {
        let began = Instant::now();
        for _ in 0..BURST {
            one.send(&payload).ok()?;
        }
        for _ in 0..BURST {
            other.recv(&mut buffer).ok()?;
        }
        best = best.min(began.elapsed());
    }
    Some(best / BURST)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Estimates, far below 2^53 and not negative.
fn whole(estimate: f64) -> usize {
    estimate as usize
}
