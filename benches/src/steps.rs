//! Calls to the kernel of a call that is set up and torn down, by `strace`.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;
use crate::daemon::{Daemon, Options, Subject, Transport};
use crate::peers::is_installed;
use crate::phones::Phones;

/// Before the count, so that what is done once is done.
const WARM_UP: usize = 50;
/// How long a tracer may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);
/// After the last call, for records.
const SETTLE: Duration = Duration::from_secs(1);

/// Counts of each subject, by thread and by name.
pub fn run(subjects: &[Subject], calls: usize, rate: u32) -> Result<()> {
    if !is_installed("strace") {
        println!("System calls a call: not counted, strace is not installed\n");
        return Ok(());
    }
    println!("System calls of a call over UDP, {rate} a second, mean of {calls} calls, traced");
    for subject in subjects {
        let daemon = Daemon::start(subject, &Options::default())?;
        let mut phones = Phones::new(subject, Transport::Udp)?;
        phones.churn(WARM_UP, rate)?;
        let trace = Trace::attach(&daemon)?;
        let begun = Instant::now();
        phones.churn(calls, rate)?;
        sleep(SETTLE);
        let busy = trace.detach()?;
        // Nobody calls for as long: what would have been anyway.
        let trace = Trace::attach(&daemon)?;
        let took = begun.elapsed();
        sleep(took);
        let idle = trace.detach()?;
        let total = |counts: &Counts| counts.values().flat_map(BTreeMap::values).sum::<usize>();
        println!(
            "  {:<18} {:.1} a call, and {:.1} that are made without calls, too",
            subject.name,
            total(&busy).saturating_sub(total(&idle)) as f64 / calls as f64,
            total(&idle) as f64 / calls as f64
        );
        for (thread, names) in &busy {
            let sum: usize = names.values().sum();
            let mut names: Vec<(&String, &usize)> = names.iter().collect();
            names.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            let each = |count: usize| count as f64 / calls as f64;
            let names: Vec<String> =
                names.iter().take(8).map(|(name, count)| format!("{name} {:.1}", each(**count))).collect();
            if each(sum) >= 0.05 {
                println!("    {thread:<16} {:>5.1}  ({})", each(sum), names.join(", "));
            }
        }
    }
    println!(
        "  Allocations of a call are counted by tests: cargo test --package gateway --test allocations\n"
    );
    Ok(())
}

/// By the thread's name, and the call's.
type Counts = BTreeMap<String, BTreeMap<String, usize>>;

/// A tracer of all threads of a daemon.
struct Trace<'a> {
    daemon: &'a Daemon,
    tracer: Child,
}

impl Trace<'_> {
    fn attach(daemon: &Daemon) -> Result<Trace<'_>> {
        let tracer = Command::new("strace")
            .args(["-f", "-q", "-s", "0", "-e", "raw=all", "-o"])
            .arg(daemon.folder().join("trace"))
            .args(["-p", &daemon.process().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let trace = Trace { daemon, tracer };
        let until = Instant::now() + PATIENCE;
        while !trace.has_all()? {
            if Instant::now() > until {
                return Err("strace could not attach".into());
            }
            sleep(Duration::from_millis(20));
        }
        Ok(trace)
    }

    /// Whether each thread is traced.
    fn has_all(&self) -> Result<bool> {
        for thread in fs::read_dir(format!("/proc/{}/task", self.daemon.process()))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            if status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|by| by.trim() == "0")) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Lets the daemon go, and counts.
    fn detach(mut self) -> Result<Counts> {
        kill(Pid::from_raw(i32::try_from(self.tracer.id())?), Signal::SIGINT)?;
        self.tracer.wait()?;
        let mut counts = Counts::new();
        for line in fs::read_to_string(self.daemon.folder().join("trace"))?.lines() {
            // `1234  read(...) = 1`; not `<... read resumed>`, signals and ends.
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let Some((name, _)) = rest.trim_start().split_once('(') else { continue };
            if name.starts_with(|c: char| c.is_ascii_lowercase()) {
                let comm = format!("/proc/{}/task/{thread}/comm", self.daemon.process());
                let thread = fs::read_to_string(comm).unwrap_or_else(|_| "ended".to_owned());
                let of_thread = counts.entry(thread.trim().to_owned()).or_default();
                *of_thread.entry(name.to_owned()).or_default() += 1;
            }
        }
        Ok(counts)
    }
}

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        let _ = self.tracer.kill();
        let _ = self.tracer.wait();
    }
}
