//! SIPp, one side of some calls.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::traced::{Traced, traced};
use super::{PATIENCE, Process, Script, Socket, eventually};

/// How long a run may take beyond its calls.
const LIMIT: Duration = Duration::from_secs(120);

/// How much of the messages of a run that failed is shown.
const SHOWN: usize = 20_000;

/// Where its messages are, of a run of one call.
const MESSAGES: &str = "messages";

/// A run to be.
pub struct Sipp {
    name: String,
    script: Script,
    calls: u32,
    traced: bool,
    limit: Duration,
    local: SocketAddr,
    socket: Socket,
    command: Command,
}

impl Sipp {
    /// - `name`: of its files.
    /// - `local`: where it is; calls come and go here.
    /// - `transport`: `u1`, `t1` (one connection for all calls) or `tn` (one each).
    pub fn new(name: &str, script: Script, local: SocketAddr, transport: &str) -> Sipp {
        let ip = local.ip().to_string();
        let mut command = Command::new("sipp");
        command.args([
            "-i",
            &ip,
            "-mi",
            &ip,
            "-p",
            &local.port().to_string(),
            "-t",
            transport,
            "-bind_local",
        ]);
        command.args(["-nostdin", "-trace_err", "-trace_stat", "-timeout_error", "-max_socket", "512"]);
        command.env("TZ", "UTC"); // Its times are read.
        // An unexpected message fails the call; answers that we did not write would hide it.
        command.args(["-default_behaviors", "bye,abortunexp"]);
        let name = format!("{name}-{ip}");
        let socket = if transport.starts_with('u') { Socket::Udp } else { Socket::Tcp };
        Sipp { name, script, calls: 1, traced: false, limit: LIMIT, local, socket, command }
    }

    /// How many calls to place, or to take at least; one unless told.
    pub fn calls(self, calls: u32) -> Sipp {
        Sipp { calls, ..self }
    }

    /// Has all messages [told](SippRun::messages), which those of one call are anyway.
    pub fn traced(self) -> Sipp {
        Sipp { traced: true, ..self }
    }

    /// How long the whole run may take, where that is more than two minutes.
    pub fn lasting(self, limit: Duration) -> Sipp {
        Sipp { limit, ..self }
    }

    /// Calls a second.
    pub fn rate(self, rate: u32) -> Sipp {
        self.args(&["-r", &rate.to_string(), "-l", "1000"])
    }

    /// How long `<pause/>` is.
    pub fn hold(self, hold: Duration) -> Sipp {
        self.args(&["-d", &hold.as_millis().to_string()])
    }

    /// `[service]`: the number that is called.
    pub fn to(self, number: &str) -> Sipp {
        self.args(&["-s", number])
    }

    /// `[key]` in the scenario.
    pub fn key(self, key: &str, value: &str) -> Sipp {
        self.args(&["-key", key, value])
    }

    /// More of SIPp's own arguments.
    pub fn args(mut self, arguments: &[&str]) -> Sipp {
        self.command.args(arguments);
        self
    }

    /// Waits for calls until it is told to [stop](SippRun::stop).
    pub fn listen(self) -> SippRun {
        let (socket, local) = (self.socket, self.local);
        let mut run = self.run();
        eventually("SIPp listens", PATIENCE, || {
            if socket.is_at(local) {
                return Ok(());
            }
            assert!(run.process.ended().is_none(), "{} ended: {}", run.name, run.process.output());
            Err(format!("{socket:?} {local}"))
        });
        run
    }

    /// Places calls through `gateway`.
    pub fn call(self, gateway: SocketAddr) -> SippRun {
        let calls = self.calls.to_string();
        self.args(&["-m", &calls, &gateway.to_string()]).run()
    }

    fn run(mut self) -> SippRun {
        // A process that another test starts just now may hold the socket that was here for a moment.
        eventually("an address", PATIENCE, || {
            if self.socket.is_at(self.local) { Err(self.local.to_string()) } else { Ok(()) }
        });
        if self.calls == 1 || self.traced {
            self = self.args(&["-trace_msg", "-message_file", MESSAGES]);
        }
        self.command.args(["-timeout", &self.limit.as_secs().to_string()]);
        let files = tempfile::tempdir().unwrap();
        let directory = files.path();
        let scenario = directory.join(format!("{}.xml", self.name));
        std::fs::write(&scenario, self.script.xml(&self.name)).unwrap();
        self.command.arg("-sf").arg(scenario);
        let statistics = directory.join(format!("{}.csv", self.name));
        let errors = directory.join(format!("{}.errors", self.name));
        self.command.arg("-stf").arg(&statistics).arg("-error_file").arg(&errors).current_dir(directory);
        let process = Process::start(&self.name, self.command, directory);
        SippRun { name: self.name, calls: self.calls, process, statistics, errors, files }
    }
}

/// A run. A test that panics gets its messages shown.
pub struct SippRun {
    name: String,
    calls: u32,
    process: Process,
    statistics: PathBuf,
    errors: PathBuf,
    files: TempDir,
}

impl SippRun {
    /// Has one that listens finish its calls and end; see [`succeeded`](SippRun::succeeded).
    pub fn stop(self) -> SippRun {
        self.process.signal("USR1");
        self.succeeded()
    }

    /// Waits for its end: every call must have gone by the script.
    pub fn succeeded(mut self) -> SippRun {
        let status = self.process.wait(LIMIT + Duration::from_secs(10));
        let errors = std::fs::read_to_string(&self.errors).unwrap_or_default();
        let errors: String = errors.chars().take(4_000).collect();
        assert!(status.success(), "{} ended with {status}\n{errors}", self.name);
        let succeeded = self.statistic("SuccessfulCall(C)");
        assert!(succeeded >= self.calls, "{}: {succeeded} of {} calls\n{errors}", self.name, self.calls);
        assert_eq!(self.statistic("FailedCall(C)"), 0, "{}\n{errors}", self.name);
        self
    }

    /// Has it begin no more calls, waits until those that are there have come to any end, and tells all that crossed.
    ///
    /// - `limit`: how long they may last.
    pub fn ends(mut self, limit: Duration) -> Vec<Traced> {
        if self.process.ended().is_none() {
            self.process.signal("USR1");
        }
        self.process.wait(limit);
        traced(&String::from_utf8_lossy(&std::fs::read(self.files.path().join(MESSAGES)).unwrap()))
    }

    /// A cumulative number of its last statistics.
    pub fn statistic(&self, name: &str) -> u32 {
        let text = std::fs::read_to_string(&self.statistics).unwrap();
        let column = text.lines().next().unwrap().split(';').position(|column| column == name);
        let last = text.lines().last().unwrap();
        last.split(';').nth(column.unwrap_or_else(|| panic!("no {name}"))).unwrap().parse().unwrap()
    }
}

impl Drop for SippRun {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let messages = std::fs::read(self.files.path().join(MESSAGES)).unwrap_or_default();
            let shown = String::from_utf8_lossy(messages.get(..SHOWN).unwrap_or(&messages)).into_owned();
            eprintln!("---- the messages of {}:\n{shown}\n----", self.name);
        }
    }
}
