//! How long a start takes, with many customers and numbers.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::time::ClockId;
use nix::unistd::Pid;

use crate::Result;
use crate::daemon::Subject;
use crate::report::Series;

/// What the daemon says when it serves.
const READY: &str = "Ready.";

/// Wall-clock and CPU time until the daemon says that it is ready: each subject in turn.
pub fn run(subjects: &[Subject], connectors: usize, numbers: usize, rounds: usize) -> Result<()> {
    let named = |what: &str, subject: &Subject| Series::new(&format!("{} {what}", subject.name));
    let mut series: Vec<[Series; 2]> =
        subjects.iter().map(|subject| [named("wall", subject), named("CPU", subject)]).collect();
    for _ in 0..rounds {
        for (subject, [wall, used]) in subjects.iter().zip(&mut series) {
            let times = attempt(subject, connectors, numbers)?;
            for (series, time) in [wall, used].into_iter().zip(times) {
                series.values.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    println!("Start until it is ready, {connectors} connectors, {numbers} numbers, median of {rounds}");
    for series in series.iter().flatten() {
        series.print("ms", &[]);
    }
    println!();
    Ok(())
}

/// Wall-clock time, CPU time of all threads.
fn attempt(subject: &Subject, connectors: usize, numbers: usize) -> Result<[Duration; 2]> {
    let files = tempfile::tempdir()?;
    std::fs::write(files.path().join("gateway.toml"), configuration(subject, connectors))?;
    std::fs::write(files.path().join("numbers.csv"), inventory(connectors, numbers))?;
    let started = begin(subject, files.path())?;
    Ok([started.wall, started.used])
}

/// A daemon that is ready.
pub struct Started {
    /// Until it was, and the processor's time.
    pub wall: Duration,
    pub used: Duration,
    pub child: Running,
}

/// Ends in order when it is dropped.
pub struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(process) = i32::try_from(self.0.id()) {
            let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
        }
        let _ = self.0.wait();
    }
}

/// Starts the daemon on the `gateway.toml` of a folder, and waits until it says that it is ready.
pub fn begin(subject: &Subject, folder: &Path) -> Result<Started> {
    let Some(program) = subject.file() else { return Err("no daemon".into()) };
    let begun = Instant::now();
    let mut child = Command::new("taskset")
        .args(["--cpu-list", "1"])
        .arg(program)
        .args(["run", "--drain", "1", "--log-format", "human", "--config", "gateway.toml"])
        .current_dir(folder)
        .env("VOICE_CONNECTOR_LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let process = Pid::from_raw(i32::try_from(child.id())?);
    let output = child.stdout.take().ok_or("no output")?;
    let child = Running(child);
    let mut lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
    let ready = lines.any(|line| line.starts_with(READY));
    let wall = begun.elapsed();
    let used = ClockId::pid_cpu_clock_id(process)?.now()?;
    if ready {
        Ok(Started { wall, used: used.into(), child })
    } else {
        Err(format!("{} did not start", subject.name).into())
    }
}

/// Each customer has an address and a route; nobody is at home there.
fn configuration(subject: &Subject, connectors: usize) -> String {
    let (gateway, admin) = (subject.gateway(), subject.address(1));
    let mut text = format!(
        "[gateway]\nphone_numbers = \"numbers.csv\"\n\n[[listen]]\nprotocol = \"udp\"\naddress = \"{gateway}\"\n\n\
         [admin]\naddress = \"{admin}:9090\"\n\n"
    );
    for connector in 0..connectors {
        let host = format!("127.{}.{}.2", 110 + connector / 250, connector % 250);
        let _ = write!(
            text,
            "[[voice_connector]]\nid = \"office{connector}\"\ntermination = {{ allowlist = [\"{host}/32\"], \
             calling_plan = [\"US\"] }}\norigination = {{ route = [{{ host = \"{host}\", port = 5060 }}] }}\n\n"
        );
    }
    let carrier = subject.address(3);
    let _ = write!(
        text,
        "[[carrier]]\nname = \"carrier\"\nallowlist = [\"{carrier}/32\"]\nhost = [{{ host = \"{carrier}\", port = \
         5060 }}]\n"
    );
    text
}

fn inventory(connectors: usize, numbers: usize) -> String {
    let mut text = String::from("number,voice_connector,voice_connector_group,calling_name\n");
    for number in 0..numbers {
        let _ = writeln!(text, "+1206{},office{},,", 2_000_000 + number, number % connectors.max(1));
    }
    text
}
