//! Calls from one source at one rate for a long time, and the highest rate at which all goes well.

use std::time::{Duration, Instant};

use crate::Result;
use crate::cpu::run_time;
use crate::daemon::{Daemon, Options, Subject, Transport};
use crate::phones::Phones;
use crate::report::percentile;
use crate::signalling::micros;

/// Rates are halved towards each other so often.
const STEPS: usize = 8;
/// Rates that are nearer than this to each other are one.
const NEAR: u32 = 10;
/// The generator may be so much slower than it was to be.
const SLOW: f64 = 0.97;
/// Before a measurement.
const WARM_UP: usize = 50;

/// What came of calls at one rate.
struct Outcome {
    text: String,
    /// Nothing failed, nothing was said twice.
    clean: bool,
    /// The generator called as often as it was to.
    reached: bool,
    /// CPU of a call.
    cost: Duration,
}

/// Places `rate` calls a second for a while, with each subject in turn; counts what goes wrong.
pub fn run(subjects: &[Subject], rate: u32, duration: Duration) -> Result<()> {
    println!("Calls from one source over UDP, {rate} a second for {duration:.0?}, on one core");
    for subject in subjects {
        println!("  {:<18} {}", subject.name, attempt(subject, rate, duration, false)?.text);
    }
    println!();
    Ok(())
}

/// Looks for the highest rate without a failure or a message that is said twice, by halving; each rate for `duration`, on
/// a server that was started anew. The time is bounded by the steps.
pub fn highest(subjects: &[Subject], duration: Duration) -> Result<()> {
    println!(
        "Highest rate from one source over UDP at which nothing is said twice for {duration:.0?}, on one core"
    );
    for subject in subjects {
        let cost = attempt(subject, 200, Duration::from_secs(2), false)?.cost;
        // A busy server serves many at one time, and each costs less.
        let (mut good, mut bad) = (0, (2.5 / cost.as_secs_f64()) as u32);
        let (mut best, mut limit) = (String::from("none"), "");
        for _ in 0..STEPS {
            if bad - good <= NEAR {
                break;
            }
            let rate = (good + bad) / 2;
            let outcome = attempt(subject, rate, duration, true)?;
            if outcome.clean && outcome.reached {
                good = rate;
                best = outcome.text;
            } else {
                bad = rate;
                limit = if outcome.clean { " (as often the generator did not call)" } else { "" };
            }
        }
        println!("  {:<18} {good} a second; not {bad}{limit}. At {good}: {best}", subject.name);
    }
    println!();
    Ok(())
}

fn attempt(subject: &Subject, rate: u32, duration: Duration, stop_at_trouble: bool) -> Result<Outcome> {
    let daemon = Daemon::start(subject, &Options::default())?;
    let mut phones = Phones::new(subject, Transport::Udp)?;
    phones.churn(WARM_UP, 200)?;
    phones.stop_at_trouble = stop_at_trouble;
    let count = (f64::from(rate) * duration.as_secs_f64()) as usize;
    let (used, begun, over) = (run_time(daemon.process())?, Instant::now(), phones.over());
    let took = phones.churn_counting(count, rate)?;
    let (used, elapsed) = (run_time(daemon.process())? - used, begun.elapsed());
    let over = phones.over() - over;
    let cost = used / u32::try_from(over.max(1))?;
    let asked = count as f64 / took.as_secs_f64();
    let delays = phones.delays();
    let [half, most, all] = [0.5, 0.99, 1.0].map(|part| percentile(&delays, part));
    let text = format!(
        "{over} of {count} calls, asked for at {:.0} a second; {}; {:.0} µs/call, load {:.0} %; answered after \
         {half:.1?}, 99 % within {most:.1?}, all within {all:.1?}",
        asked,
        phones.tally,
        micros(cost),
        used.as_secs_f64() / elapsed.as_secs_f64() * 100.0,
    );
    let clean = phones.tally.is_clean() && over == count;
    Ok(Outcome { text, clean, reached: asked >= f64::from(rate) * SLOW, cost })
}
