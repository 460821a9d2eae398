//! The daemon, as it is built.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use super::metrics::get;
use super::{Metrics, Net, PATIENCE, Process, call_details, eventually};

/// How long the daemon may gather lines of its log before it writes them.
const LINES: Duration = Duration::from_millis(150);

/// The longest life of a transaction once it is answered: 64 × T1 on UDP, and its last messages.
const LAST_TIMER: Duration = Duration::from_secs(34);

/// How many signalling threads a daemon gets whose test does not say; without it, one per core.
const SHARDS: &str = "VOICE_CONNECTOR_SHARDS";

/// A running daemon with its files.
pub struct Gateway {
    witness: Witness,
    pub net: Net,
    process: Process,
    directory: TempDir,
    options: Vec<String>,
    /// What it logs.
    filter: &'static str,
}

impl Gateway {
    /// Starts the daemon with this configuration and waits until it is ready.
    pub fn start(net: Net, config: &str) -> Gateway {
        Gateway::start_with(net, &["--drain", "5"], config)
    }

    /// The same with everything logged that its own code has to say.
    pub fn start_verbose(net: Net, config: &str) -> Gateway {
        Gateway::start_as(net, &["--drain", "5"], "info,gateway=trace,sip=trace,rtp=trace", config)
    }

    /// The same with so many signalling threads.
    pub fn start_sharded(net: Net, shards: u16, config: &str) -> Gateway {
        Gateway::start_with(net, &["--drain", "5", "--shards", &shards.to_string()], config)
    }

    /// The same with these options of `run`.
    pub fn start_with(net: Net, options: &[&str], config: &str) -> Gateway {
        Gateway::start_as(net, options, "info", config)
    }

    fn start_as(net: Net, options: &[&str], filter: &'static str, config: &str) -> Gateway {
        let mut options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        if let Ok(shards) = std::env::var(SHARDS)
            && !options.iter().any(|option| option == "--shards")
        {
            options.extend(["--shards".to_owned(), shards]);
        }
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("gateway.toml"), config).unwrap();
        let process = run(directory.path(), &options, filter);
        let mut gateway =
            Gateway { witness: Witness { admin: net.admin() }, net, process, directory, options, filter };
        gateway.is_ready();
        gateway
    }

    /// Waits until it is.
    pub fn is_ready(&mut self) {
        let admin = self.net.admin();
        eventually("/readyz", PATIENCE, || {
            assert!(self.process.ended().is_none(), "the gateway ended: {}", self.process.output());
            match get(admin, "/readyz") {
                Ok((200, _)) => Ok(()),
                Ok((_, why)) => Err(why),
                Err(error) => Err(error.to_string()),
            }
        });
    }

    /// Kills it, and starts it again with the same files.
    pub fn restart(&mut self) {
        self.kill_and_run();
        self.is_ready();
    }

    /// The same without waiting until it is ready. Returns when it was dead, since the Unix epoch.
    pub fn kill_and_run(&mut self) -> Duration {
        if self.process.ended().is_none() {
            self.process.signal("KILL");
            self.process.wait(PATIENCE);
        }
        let dead = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        self.process = run(self.directory.path(), &self.options, self.filter);
        dead
    }

    /// Ends it in order; [`restart`](Gateway::restart) starts it again.
    pub fn ends(&mut self) {
        self.terminate();
        let status = self.process.wait(PATIENCE);
        assert!(status.success(), "the gateway ended with {status}");
    }

    /// Asks it to end in order.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal, by its name without SIG.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its configuration, for commands that read the same.
    pub fn config(&self) -> PathBuf {
        self.directory.path().join("gateway.toml")
    }

    pub fn records(&self) -> PathBuf {
        self.directory.path().join("records")
    }

    pub fn metrics(&self) -> Metrics {
        Metrics::read(self.net.admin())
    }

    /// How many files and sockets it has open.
    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }

    /// Memory that it holds.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What it logged so far, but for lines that it may still hold; see [`tells`](Gateway::tells).
    pub fn log(&self) -> String {
        std::thread::sleep(LINES);
        self.process.output()
    }

    /// Its log, once that has this; for its lines are written some time after they are said.
    pub fn tells(&self, what: &str) -> String {
        eventually("the log", PATIENCE, || {
            let log = self.process.output();
            if log.contains(what) { Ok(log) } else { Err(format!("no {what}: {log}")) }
        })
    }

    /// Its call detail records, once there are so many; more are a failure.
    pub fn call_details(&self, count: usize) -> Vec<Value> {
        let records = eventually("call detail records", PATIENCE, || {
            let records = call_details(&self.records());
            if records.len() < count { Err(format!("{} of {count}", records.len())) } else { Ok(records) }
        });
        assert_eq!(records.len(), count, "call detail records: {records:#?}");
        records
    }

    /// Waits until no call is up and every port is back.
    pub fn settled(&self) {
        eventually("all calls over", PATIENCE, || {
            let metrics = self.metrics();
            let left = ["calls_active", "media_ports_in_use", "journal_open_calls"]
                .map(|name| metrics.sum(name, &[]));
            if left == [0.0; 3] { Ok(()) } else { Err(format!("calls, ports, journalled calls: {left:?}")) }
        });
    }

    /// Waits until the journal keeps no call that is over: both parties of each have heard so.
    pub fn let_go(&self) {
        eventually("no call is being hung up", PATIENCE, || {
            let left = self.metrics().sum("journal_hanging_up", &[]);
            if left == 0.0 { Ok(()) } else { Err(format!("{left} are hung up")) }
        });
    }

    /// Waits until the last timer of every transaction and dialog has run out: nothing may be left then.
    pub fn forgotten(&self) {
        self.settled();
        eventually("no transaction and no dialog left", LAST_TIMER + PATIENCE, || {
            let metrics = self.metrics();
            let left = ["transactions", "dialogs"].map(|name| metrics.sum(name, &[]));
            if left == [0.0; 2] { Ok(()) } else { Err(format!("transactions, dialogs: {left:?}")) }
        });
    }

    /// Ends it in order. Its files stay until the returned directory is dropped.
    pub fn stop(mut self) -> TempDir {
        if self.process.ended().is_none() {
            self.terminate();
        }
        self.stopped()
    }

    /// Waits for its end, in order.
    pub fn stopped(mut self) -> TempDir {
        let status = self.process.wait(PATIENCE);
        assert!(status.success(), "the gateway ended with {status}");
        let log = self.log();
        let bad = log.lines().find(|line| line.contains(" ERROR ") || line.contains("panicked"));
        assert_eq!(bad, None);
        self.directory
    }
}

/// Tells, when a test fails, what the daemon had counted by then.
struct Witness {
    admin: SocketAddr,
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let Ok((200, metrics)) = get(self.admin, "/metrics") else { return };
        let counted =
            |line: &&str| !line.starts_with('#') && !line.contains("_bucket") && !line.ends_with(" 0");
        let counted: Vec<&str> = metrics.lines().filter(counted).collect();
        eprintln!("---- what the gateway had counted:\n{}\n----", counted.join("\n"));
    }
}

fn run(directory: &Path, options: &[String], filter: &str) -> Process {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    command.args(["run", "--config", "gateway.toml"]).args(options);
    if !options.iter().any(|option| option == "--log-format") {
        command.args(["--log-format", "human"]);
    }
    command.current_dir(directory).env("VOICE_CONNECTOR_LOG", filter);
    Process::start("gateway", command, directory)
}
