//! The API over many connectors and numbers: the start, each operation, and changes while calls are up.

mod client;
mod fill;
mod operations;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::Result;
use crate::daemon::{Options, Subject, Transport};
use crate::phones::Phones;
use crate::report::percentile;
use crate::start::{Started, begin};
use client::Client;
pub use client::Key;

/// Calls that are up while the API changes things, and how many are placed or hung up in a second.
const CALLS: usize = 500;
const RATE: u32 = 50;

/// How much of what.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub connectors: usize,
    pub numbers: usize,
    /// How often each operation is asked for.
    pub cycles: usize,
    /// Clients that change things at one time.
    pub writers: usize,
}

/// Fails where a call is disturbed.
pub fn run(subject: &Subject, size: Size) -> Result<()> {
    let files = tempfile::tempdir()?;
    let api: SocketAddr = (subject.address(1), 8443).into();
    let begun = Instant::now();
    let connectors = fill::fill(&files.path().join("api"), size.connectors, size.numbers)?;
    println!(
        "The API over {} connectors and {} numbers (written in {:.1} s)",
        connectors.len(),
        size.numbers,
        begun.elapsed().as_secs_f64()
    );
    let config = crate::configuration::configuration(subject, Some("epoll"), &Options::default());
    let config = format!(
        "{config}\n[api]\naddress = \"{api}\"\ndirectory = \"api\"\nrate = 10000\nnumber_pool = \"pool.csv\"\n"
    );
    std::fs::write(files.path().join("gateway.toml"), config)?;
    std::fs::write(files.path().join("pool.csv"), fill::pool(size.cycles))?;
    let file = subject.file().ok_or("no daemon")?;
    let made =
        Command::new(file).args(["keys", "create", "gateway.toml"]).current_dir(files.path()).output()?;
    let key = Key::read(&String::from_utf8_lossy(&made.stdout)).ok_or("no key was made")?;
    let Started { wall, used, child: _daemon } = begin(subject, files.path())?;
    println!("  until it is ready: {:.0} ms, of processor {:.0} ms", millis(wall), millis(used));

    // What was signed in the second in which the daemon began may have been taken by one before it.
    std::thread::sleep(Duration::from_millis(1_100));
    operations(api, &key, &connectors, size.cycles)?;
    changes(subject, api, &key, &connectors, size.writers)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Every operation once in a cycle, each cycle with another connector; over one connection.
fn operations(api: SocketAddr, key: &Key, connectors: &[String], cycles: usize) -> Result<()> {
    let mut client = Client::connect(api, key)?;
    let mut times = BTreeMap::<&str, Vec<Duration>>::new();
    for (cycle, pair) in connectors.chunks_exact(2).take(cycles).enumerate() {
        let [connector, other] = pair else { continue };
        let mut things = operations::Things::new(cycle, connector, other);
        for operation in operations::CYCLE {
            let request = (operation.request)(&things);
            let begun = Instant::now();
            let (status, body) = client.ask(&request)?;
            let took = begun.elapsed();
            if !(200..300).contains(&status) {
                return Err(format!("{}: {status} {body}", operation.name).into());
            }
            things.learn(operation.name, &body);
            times.entry(operation.name).or_default().push(took);
        }
    }
    let mut all = Vec::new();
    println!("  {} operations, {cycles} times each: p50, p99 in ms", times.len());
    for (name, times) in &mut times {
        times.sort_unstable();
        println!(
            "    {name:<56} {:>8.2} {:>8.2}",
            millis(percentile(times, 0.5)),
            millis(percentile(times, 0.99))
        );
        all.extend(times.iter().copied());
    }
    all.sort_unstable();
    println!(
        "    {:<56} {:>8.2} {:>8.2}",
        "all",
        millis(percentile(&all, 0.5)),
        millis(percentile(&all, 0.99))
    );
    Ok(())
}

/// Changes, as many as there can be, while calls are up, begin and end.
fn changes(
    subject: &Subject,
    api: SocketAddr,
    key: &Key,
    connectors: &[String],
    writers: usize,
) -> Result<()> {
    let mut phones = Phones::new(subject, Transport::Udp)?;
    phones.place(CALLS, 200)?;
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let write = |connector: &str| -> std::result::Result<(), String> {
        let mut client = Client::connect(api, key).map_err(|error| error.to_string())?;
        let mut at = 0_u64;
        while !over.load(Ordering::Relaxed) {
            at += 1;
            let request = operations::rename(connector, &format!("Name {at}"));
            match client.ask(&request).map_err(|error| error.to_string())? {
                (200, _) => done.fetch_add(1, Ordering::Relaxed),
                (status, body) => return Err(format!("{status} {body}")),
            };
        }
        Ok(())
    };
    let (called, rate) = std::thread::scope(|scope| {
        let write = &write;
        let threads: Vec<_> =
            connectors.iter().take(writers).map(|connector| scope.spawn(move || write(connector))).collect();
        let begun = Instant::now();
        let called = phones.place(CALLS / 2, RATE).and_then(|()| phones.hang_up(RATE));
        let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
        over.store(true, Ordering::Relaxed);
        let failed = threads.into_iter().find_map(|thread| match thread.join() {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some("a writer panicked".to_owned()),
        });
        (failed.map_or(called, |error| Err(error.into())), rate)
    });
    called?;
    let delays = phones.delays();
    println!(
        "  {rate:.0} changes a second by {writers} clients while {CALLS} calls were up, {} began and all ended at {RATE} a second: \
         none failed; 200 after {:.0} ms (p50), {:.0} ms (p99)\n",
        CALLS / 2,
        millis(percentile(&delays, 0.5)),
        millis(percentile(&delays, 0.99))
    );
    Ok(())
}
