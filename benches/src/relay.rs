//! One relay under measurement: a forwarder, the daemon or a peer, with its calls.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::Result;
use crate::cpu::{run_time, unread, wait_time};
use crate::daemon::{Daemon, Options, Subject, Transport};
use crate::floor::{self, Forwarder};
use crate::generator::{Generator, PTIME};
use crate::peers::rtpengine::{self, Rtpengine};
use crate::phones::Phones;
use crate::report::Series;

/// Before a measurement, so that sources are locked and caches warm.
pub const WARM_UP: Duration = Duration::from_millis(400);
/// Calls a second that are placed and ended around it.
const RATE: u32 = 200;

/// What is relayed.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// At one time.
    pub calls: usize,
    /// The carrier's side speaks SRTP.
    pub srtp: bool,
    /// Milliseconds from one packet of a stream to its next.
    pub period: usize,
    /// The kernel forwards what is steady.
    pub kernel: bool,
    /// Where the daemon runs, as `taskset` has it.
    pub cores: &'static str,
}

impl Load {
    /// 50 packets a second of each stream.
    pub fn new(calls: usize, srtp: bool) -> Load {
        Load { calls, srtp, period: PTIME, kernel: false, cores: Options::default().cores }
    }

    /// 50 packets a second of each stream, or fewer where that would be more than `packets` of all together.
    pub fn bounded(calls: usize, packets: usize) -> Load {
        let period = (2 * calls * 1000).div_ceil(packets.max(1));
        Load { period: period.max(PTIME), ..Load::new(calls, false) }
    }
}

/// One relay under measurement, with all that keeps its calls up.
pub struct Relay {
    pub series: Series,
    pub process: u32,
    pub generator: Generator,
    addresses: [Ipv4Addr; 3],
    /// Datagrams that nobody read in time: at the relay, at the generator.
    pub unread: [u64; 2],
    load: f64,
    /// Packets a second, in the slowest measurement.
    rate: f64,
    /// The part of the time that it could have run and others did, in the worst measurement.
    denied: f64,
    keep: Keep,
}

#[expect(clippy::large_enum_variant, reason = "there are a few of them")]
enum Keep {
    Forwarder(#[expect(dead_code, reason = "runs until it is dropped")] Forwarder),
    Rtpengine(#[expect(dead_code, reason = "runs until it is dropped")] Rtpengine),
    Calls(Daemon, Phones),
}

impl Relay {
    pub fn floor(load: &Load) -> Result<Relay> {
        let forwarder = Forwarder::start(load.calls)?;
        let generator = floor_generator(&forwarder)?;
        let addresses = [floor::LOCAL, floor::CUSTOMER, floor::CARRIER];
        let (process, series) = (forwarder.process(), Series::new("bare epoll"));
        Relay::new(load, series, process, generator, addresses, Keep::Forwarder(forwarder))
    }

    pub fn rtpengine(load: &Load) -> Result<Relay> {
        let rtpengine = Rtpengine::start(load.calls, load.srtp)?;
        let addresses = [rtpengine::LOCAL, rtpengine::CUSTOMER, rtpengine::CARRIER];
        let [_, customer, carrier] = addresses;
        let generator = Generator::new(customer, carrier, &rtpengine.ways)?;
        let (process, series) = (rtpengine.process(), Series::new("rtpengine"));
        Relay::new(load, series, process, generator, addresses, Keep::Rtpengine(rtpengine))
    }

    pub fn gateway(subject: &Subject, load: &Load) -> Result<Relay> {
        let options =
            Options { srtp: load.srtp, kernel: load.kernel, cores: load.cores, ..Options::default() };
        let daemon = Daemon::start(subject, &options)?;
        let addresses = [1, 2, 3].map(|host| subject.address(host));
        let mut phones = Phones::new(subject, Transport::Udp)?;
        phones.place(load.calls, RATE)?;
        let [_, customer, carrier] = addresses;
        let ways = phones.ways()?;
        if load.srtp && ways.iter().any(|way| !way.srtp) {
            return Err("the gateway offered no SRTP keys".into());
        }
        let generator = Generator::new(customer, carrier, &ways)?;
        let series = Series::new(&subject.name);
        Relay::new(load, series, daemon.process(), generator, addresses, Keep::Calls(daemon, phones))
    }

    /// A line of the daemon's that has these words.
    pub fn said(&self, words: &str) -> Result<Option<String>> {
        let Keep::Calls(daemon, _) = &self.keep else { return Ok(None) };
        let log = std::fs::read_to_string(daemon.folder().join("log"))?;
        Ok(log.lines().find(|line| line.contains(words)).map(str::to_owned))
    }

    /// Hangs its calls up. Returns the daemon, which has their records.
    pub fn hang_up(&mut self) -> Result<Option<&Daemon>> {
        let Keep::Calls(daemon, phones) = &mut self.keep else { return Ok(None) };
        phones.hang_up(RATE)?;
        Ok(Some(daemon))
    }

    fn new(
        load: &Load,
        series: Series,
        process: u32,
        mut generator: Generator,
        addresses: [Ipv4Addr; 3],
        keep: Keep,
    ) -> Result<Relay> {
        generator.set_period(load.period);
        Ok(Relay {
            series,
            process,
            generator,
            addresses,
            unread: [0; 2],
            load: 0.0,
            rate: f64::INFINITY,
            denied: 0.0,
            keep,
        })
    }

    pub fn measure(&mut self, window: Duration) -> Result<()> {
        let drops = self.drops()?;
        self.generator.run(WARM_UP)?;
        let (before, waited, start) = (run_time(self.process)?, wait_time(self.process)?, Instant::now());
        let packets = self.generator.run(window)?;
        let used = run_time(self.process)? - before;
        let elapsed = start.elapsed().as_secs_f64();
        let denied = wait_time(self.process)? - waited;
        self.load = self.load.max(used.as_secs_f64() / elapsed);
        self.denied = self.denied.max(denied.as_secs_f64() / elapsed);
        self.rate = self.rate.min(packets as f64 / elapsed);
        self.series.values.push(used.as_secs_f64() * 1e6 / packets as f64);
        self.generator.settle()?;
        let since = self.drops()?;
        for (sum, (now, then)) in self.unread.iter_mut().zip(since.iter().zip(drops)) {
            *sum += now - then;
        }
        Ok(())
    }

    /// Packets that waited too long at the relay's and at the generator's sockets, since these were opened.
    fn drops(&self) -> Result<[u64; 2]> {
        let [relay, customer, carrier] = self.addresses;
        Ok([unread(relay)?, unread(customer)? + unread(carrier)?])
    }

    pub fn print(&mut self, others: &[(&str, f64)]) -> Result<()> {
        let lost = self.generator.settle()?;
        let Generator { sent, late, .. } = &self.generator;
        let [relay, generator] = self.unread;
        let (load, rate) = (self.load * 100.0, self.rate);
        let mut note = format!("  load {load:.0} % at {rate:.0} packets/s, lost {lost} of {sent}");
        if lost > 0 {
            let denied = self.denied * 100.0;
            note.push_str(&format!(" (unread: {relay} at the relay, {generator} at the generator;"));
            note.push_str(&format!(" others had the relay's core for {denied:.0} % of the time)"));
        }
        if *late > 0 {
            note.push_str(&format!(", {late} slots were late"));
        }
        self.series.note = note;
        self.series.print("µs/packet", others);
        Ok(())
    }
}

/// The phones of a forwarder.
pub fn floor_generator(forwarder: &Forwarder) -> Result<Generator> {
    Generator::new(floor::CUSTOMER, floor::CARRIER, &forwarder.ways)
}
