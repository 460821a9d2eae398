//! Packets: what one costs to relay, and whether all arrive.

use std::time::Duration;

use crate::Result;
use crate::cpu::run_time;
use crate::daemon::Subject;
use crate::generator::Generator;
use crate::relay::{Load, Relay, WARM_UP};

/// CPU of one packet that `process` forwards, in µs: a short measurement.
pub fn cost(process: u32, generator: &mut Generator) -> Result<f64> {
    generator.run(WARM_UP)?;
    let before = run_time(process)?;
    let packets = generator.run(Duration::from_secs(1))?;
    Ok((run_time(process)? - before).as_secs_f64() * 1e6 / packets as f64)
}

/// CPU of a relayed packet: the forwarder, each subject and, with `peer`, rtpengine in turn. Returns each one's name and
/// median.
pub fn compare(
    subjects: &[Subject],
    peer: bool,
    load: &Load,
    window: Duration,
    rounds: usize,
) -> Result<Vec<(String, f64)>> {
    let mut relays = vec![Relay::floor(load)?];
    for subject in subjects {
        relays.push(Relay::gateway(subject, load)?);
    }
    if peer {
        relays.push(Relay::rtpengine(load)?);
    }
    for _ in 0..rounds {
        for relay in &mut relays {
            relay.measure(window)?;
        }
    }
    let what = if load.srtp { "RTP to SRTP and back" } else { "RTP both ways" };
    println!(
        "Relayed packet, {what}, {} calls at {:.0} packets a second, median of {rounds} x {window:.1?}",
        load.calls,
        1000.0 / load.period as f64
    );
    let mut others: Vec<(&str, f64)> = Vec::new();
    if let Some(floor) = relays.first() {
        others.push(("the floor", floor.series.median()));
    }
    if let Some(last) = relays.last().filter(|_| peer) {
        others.push(("rtpengine", last.series.median()));
    }
    for (index, relay) in relays.iter_mut().enumerate() {
        relay.print(if index == 0 { &[] } else { &others })?;
    }
    println!();
    Ok(relays.iter().map(|relay| (relay.series.name.clone(), relay.series.median())).collect())
}

/// Relays for a while; an error when a packet was lost that had reached the gateway, or never reached it.
///
/// - `part`: of a core that the daemon is to be loaded with, by as many packets as that takes; `None`: 50 a second.
pub fn hold(subjects: &[Subject], calls: usize, window: Duration, part: Option<f64>) -> Result<()> {
    let mut lost_of_all = 0;
    for subject in subjects {
        let mut relay = Relay::gateway(subject, &Load::new(calls, false))?;
        if let Some(part) = part {
            load_with(&mut relay, calls, part)?;
        }
        relay.measure(window)?;
        println!("Relayed for {window:.0?}, RTP both ways, {calls} calls");
        relay.print(&[])?;
        let lost = relay.generator.settle()?;
        let [_, at_the_generator] = relay.unread;
        relay.hang_up()?;
        lost_of_all += lost.saturating_sub(at_the_generator);
    }
    if lost_of_all > 0 { Err(format!("{lost_of_all} packets lost").into()) } else { Ok(()) }
}

/// Has the streams send so often that `part` of a core is busy. What a packet costs falls with the load, so that the second
/// look is from nearer.
fn load_with(relay: &mut Relay, calls: usize, part: f64) -> Result<()> {
    for _ in 0..2 {
        let micros = cost(relay.process, &mut relay.generator)?;
        let packets = part.clamp(0.05, 0.95) * 1e6 / micros;
        relay.generator.set_period((2000.0 * calls as f64 / packets).round() as usize);
    }
    Ok(())
}
