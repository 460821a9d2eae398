//! Thousands of calls whose messages are bent on the way, against the running daemon for a minute: INVITEs, answers,
//! ACKs, BYEs, re-INVITEs, session descriptions and multipart bodies that are nearly right, inside dialogs that are.
//!
//! Laws: the daemon lives; all that it sends is well formed; a good part of the calls comes up; and once the phones have
//! hung up whatever they know of, every gauge goes back to zero by the daemon's own timers.
//!
//! ```text
//! SEED=7 cargo test -p gateway --test mutated_dialogs          # another run
//! FUZZ_SECONDS=600 SEED=7 cargo test -p gateway --test mutated_dialogs
//! ```

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

#[path = "../support/mod.rs"]
mod support;

mod body;
mod exchange;
mod leg;
mod mutate;

use std::time::Duration;

use exchange::Exchange;
use support::{Gateway, Net, OURS, Office, THEIRS};

/// New calls each second.
const RATE: u32 = 40;

/// What is left to the daemon once the phones have said their last word: 32 s for whoever does not answer, silence before
/// that for whoever says nothing.
const FORGETS: Duration = Duration::from_secs(150);

/// Of a hundred calls, so many must have come up at the caller's: else little was tried inside dialogs.
const UP: usize = 35;

const MORE: &str = r#"
[media]
ports = [20000, 59999]
inactivity_timeout = "3s"
hold_timeout = "5s"
"#;

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}={value}")))
}

#[test]
fn nothing_is_left_of_calls_whose_messages_were_bent() {
    let (seed, seconds) = (from_environment("SEED", 1), from_environment("FUZZ_SECONDS", 60));
    let net = Net(91);
    let termination = "cps_limit = 10000\nmax_calls = 10000";
    let gateway =
        Gateway::start(net, &Office { termination, more: MORE, ..Office::new(net, "udp") }.config());

    let mut exchange = Exchange::new(seed, [net.at(2, 5070), net.at(3, 5060)], net.gateway());
    exchange.numbers = [OURS, THEIRS];
    exchange.run(Duration::from_secs(seconds), RATE);
    exchange.hang_up(Duration::from_secs(3));
    let (placed, up) = (exchange.placed(), exchange.up());
    println!("seed {seed}: {placed} calls, {up} came up, {} messages bent", exchange.bent());

    let held = ["calls_active", "media_ports_in_use", "journal_open_calls", "transactions", "dialogs"];
    let clock = std::time::Instant::now();
    let left = || {
        let metrics = gateway.metrics();
        let left: Vec<_> = held.iter().map(|name| (*name, metrics.sum(name, &[]))).collect();
        if left.iter().all(|(_, value)| *value == 0.0) { Ok(()) } else { Err(format!("{left:?}")) }
    };
    // Whoever asks yet is answered, as an honest phone would.
    while left().is_err() && clock.elapsed() < FORGETS {
        exchange.answer(Duration::from_millis(250));
    }
    if let Err(left) = left() {
        let kept = std::env::temp_dir().join(format!("mutated-dialogs-{}.txt", std::process::id()));
        std::fs::write(&kept, exchange.ladders()).unwrap();
        panic!("seed {seed}: after {FORGETS:?} the daemon still holds {left}; ladders: {}", kept.display());
    }
    assert!(up * 100 >= placed * UP, "only {up} of {placed} calls came up");

    assert!(exchange.calls_plainly(Duration::from_secs(15)), "the daemon takes no call any more");
    exchange.hang_up(Duration::from_secs(1));
    gateway.stop();
}
