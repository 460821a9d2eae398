//! Calls: what one costs to set up and to tear down.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Result;
use crate::cpu::by_thread;
use crate::daemon::{Daemon, Options, Subject, Transport};
use crate::floor::Forwarder;
use crate::media;
use crate::phones::Phones;
use crate::relay::floor_generator;
use crate::report::Series;

/// Calls before the first measurement.
const WARM_UP: usize = 50;
/// Calls whose media the floor forwards meanwhile.
const FLOOR_CALLS: usize = 200;

/// One daemon under measurement.
struct UnderTest {
    series: Series,
    daemon: Daemon,
    phones: Phones,
    /// Time of its threads during measurements.
    threads: BTreeMap<String, Duration>,
    messages: u64,
}

impl UnderTest {
    fn start(subject: &Subject, transport: Transport, rate: u32) -> Result<UnderTest> {
        let options = Options { transport, ..Options::default() };
        let daemon = Daemon::start(subject, &options)?;
        let mut phones = Phones::new(subject, transport)?;
        phones.churn(WARM_UP, rate)?;
        let series = Series::new(&subject.name);
        Ok(UnderTest { series, daemon, phones, threads: BTreeMap::new(), messages: 0 })
    }

    fn measure(&mut self, calls: usize, rate: u32) -> Result<()> {
        let (before, messages) = (by_thread(self.daemon.process())?, self.phones.messages);
        self.phones.churn(calls, rate)?;
        let mut total = Duration::ZERO;
        for (name, after) in by_thread(self.daemon.process())? {
            let used = after - before.get(&name).copied().unwrap_or_default();
            *self.threads.entry(name).or_default() += used;
            total += used;
        }
        self.series.values.push(micros(total) / calls as f64);
        self.messages += self.phones.messages - messages;
        Ok(())
    }

    /// Which threads the time went to, per call of `calls`.
    fn note(&self, calls: usize) -> String {
        let share = |(name, time): (&String, &Duration)| {
            let each = micros(*time) / calls as f64;
            (each >= 0.5).then(|| format!("{name} {each:.0}"))
        };
        let shares: Vec<String> = self.threads.iter().filter_map(share).collect();
        format!("  ({})", shares.join(", "))
    }
}

/// In µs.
pub fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// CPU of a call that is set up, answered and ended, ports and records on disk included: each subject in turn.
///
/// - `peer`: a proxy beside them, over UDP.
pub fn compare(
    subjects: &[Subject],
    peer: Option<&Subject>,
    calls: usize,
    rate: u32,
    rounds: usize,
) -> Result<()> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let peer = peer.filter(|_| transport == Transport::Udp);
        let start = |subject| UnderTest::start(subject, transport, rate);
        let mut under_test = subjects.iter().chain(peer).map(start).collect::<Result<Vec<_>>>()?;
        let mut floor = Series::new("bare epoll");
        let forwarder = Forwarder::start(FLOOR_CALLS)?;
        let mut generator = floor_generator(&forwarder)?;
        for _ in 0..rounds {
            floor.values.push(media::cost(forwarder.process(), &mut generator)?);
            for one in &mut under_test {
                one.measure(calls, rate)?;
            }
        }
        println!(
            "Call set up and torn down over {}, {rate} a second, median of {rounds} x {calls} calls",
            transport.name().to_uppercase()
        );
        // Half of the messages come in, half go out: a forwarder that sent them on would touch each once.
        let messages = under_test.first().map_or(0, |one| one.messages);
        let forwarded = messages as f64 / (calls * rounds) as f64 / 2.0;
        floor.values.iter_mut().for_each(|value| *value *= forwarded);
        floor.note = format!("  to forward {forwarded:.1} datagrams");
        floor.print("µs/call  ", &[]);
        let mut others = vec![("the floor", floor.median())];
        if peer.is_some()
            && let Some(last) = under_test.last()
        {
            others.push(("Kamailio", last.series.median()));
        }
        for one in &mut under_test {
            one.series.note = one.note(calls * rounds);
            one.series.print("µs/call  ", &others);
        }
        println!();
    }
    Ok(())
}
