//! What a packet costs that the kernel forwards.
//!
//! The program runs in the time of who sends, which over loopback is the generator. So what the same phones cost when they
//! send to each other, in the same round, is taken off the generator's time, and the daemon's is added.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::Result;
use crate::cpu::run_time;
use crate::daemon::Subject;
use crate::generator::{Generator, Way, phone_port};
use crate::relay::{Load, Relay, WARM_UP};
use crate::report::Series;

/// Until the kernel has what it is offered, which is done with our reports. It gives up what was silent since the last round.
const TAKEN: Duration = Duration::from_secs(12);
/// Hosts of the phones that have no relay.
const PHONES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 102, 2), Ipv4Addr::new(127, 0, 102, 3)];

/// The forwarder and the kernel in turn.
pub fn compare(load: &Load, window: Duration, rounds: usize) -> Result<()> {
    let mut relay =
        Relay::gateway(&Subject::ours("the kernel", 5, "epoll")?, &Load { kernel: true, ..*load })?;
    if let Some(line) = relay.said("is not to be had")? {
        println!("Not measured: {}\n", line.trim());
        return Ok(());
    }
    let mut floor = Relay::floor(load)?;
    let mut phones = straight(load)?;
    let mut series = Series::new("the kernel");
    let (own, daemon) = (std::process::id(), relay.process);
    for _ in 0..rounds {
        floor.measure(window)?;
        let alone = cost(&[own], &mut phones, WARM_UP, window)?;
        series.values.push(cost(&[own, daemon], &mut relay.generator, TAKEN, window)? - alone);
    }
    println!(
        "Relayed packet, RTP both ways by the kernel, {} calls, median of {rounds} x {window:.1?}",
        load.calls
    );
    let base = floor.series.median();
    floor.print(&[])?;
    let lost = relay.generator.settle()?;
    series.note = format!("  lost {lost} of {}", relay.generator.sent);
    series.print("µs/packet", &[("the floor", base)]);
    println!();
    Ok(())
}

/// CPU of these processes for each packet, in µs.
fn cost(processes: &[u32], generator: &mut Generator, warm_up: Duration, window: Duration) -> Result<f64> {
    let used = || processes.iter().map(|process| run_time(*process)).sum::<Result<Duration>>();
    generator.run(warm_up)?;
    let before = used()?;
    let packets = generator.run(window)?;
    let used = used()? - before;
    generator.settle()?;
    Ok(used.as_secs_f64() * 1e6 / packets as f64)
}

/// The phones of as many calls, each of which sends to the other.
fn straight(load: &Load) -> Result<Generator> {
    let [customer, carrier] = PHONES;
    let way = |call| Way::plain((carrier, phone_port(call)).into(), (customer, phone_port(call)).into());
    let ways: Vec<Way> = (0..load.calls).map(way).collect();
    let mut generator = Generator::new(customer, carrier, &ways)?;
    generator.set_period(load.period);
    Ok(generator)
}
