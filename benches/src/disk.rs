//! Calls whose records are on a slow disk: every flush of it takes so long.
//!
//! `strace` holds the calls to the kernel that wait for the disk up, and no other.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::daemon::{Daemon, Options, Subject, Transport};
use crate::peers::is_installed;
use crate::phones::Phones;
use crate::records;
use crate::report::percentile;

/// What waits for the disk.
const FLUSHES: &str = "fsync,fdatasync,syncfs";
/// Records that are not there by then are said to be missing.
const PATIENCE: Duration = Duration::from_secs(60);

/// Calls at `rate` for a while, with both durabilities and each delay of a flush; zero is the disk as it is.
pub fn run(subject: &Subject, rate: u32, duration: Duration, delays: &[u64]) -> Result<()> {
    if !is_installed("strace") {
        println!("Not measured: strace, which makes the disk slow, is not installed\n");
        return Ok(());
    }
    println!("Calls over UDP, {rate} a second for {duration:.0?}, by what a flush of the disk takes longer");
    for durability in ["kernel", "disk"] {
        for delay in delays {
            let outcome = attempt(subject, rate, duration, durability, *delay)?;
            println!("  {durability:<7} {delay:>5} ms   {outcome}");
        }
    }
    println!();
    Ok(())
}

fn attempt(
    subject: &Subject,
    rate: u32,
    duration: Duration,
    durability: &'static str,
    delay: u64,
) -> Result<String> {
    let wrapper = if delay == 0 { Vec::new() } else { slow(delay) };
    let options = Options { durability: Some(durability), wrapper, ..Options::default() };
    let daemon = Daemon::start(subject, &options)?;
    let mut phones = Phones::new(subject, Transport::Udp)?;
    let count = (f64::from(rate) * duration.as_secs_f64()) as usize;
    let begun = Instant::now();
    phones.churn_counting(count, rate)?;
    let (elapsed, over) = (begun.elapsed(), phones.over());
    let ended = Instant::now();
    let mut delivered = records::calls(daemon.folder())?;
    let at_the_end = delivered;
    while delivered < over && ended.elapsed() < PATIENCE {
        sleep(Duration::from_millis(20));
        delivered = records::calls(daemon.folder())?;
    }
    let delays = phones.delays();
    let [half, most, all] = [0.5, 0.99, 1.0].map(|part| percentile(&delays, part));
    Ok(format!(
        "{over} of {count} calls, {:.0} a second; {}; answered after {half:.1?}, 99 % within {most:.1?}, all within \
         {all:.1?}; records in place: {at_the_end} with the last BYE, {delivered} {:.1?} later",
        over as f64 / elapsed.as_secs_f64(),
        phones.tally,
        ended.elapsed(),
    ))
}

/// Makes each flush of what it runs longer. The tracer is no parent of that, so that a server's process is the one that
/// was started.
fn slow(millis: u64) -> Vec<String> {
    let inject = format!("inject={FLUSHES}:delay_enter={}", millis * 1000);
    let trace = format!("trace={FLUSHES}");
    let arguments =
        ["strace", "-D", "-f", "-q", "--seccomp-bpf", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}
