//! The server under test: the daemon, or a peer in its place.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::Result;
use crate::configuration::configuration;
use crate::peers::kamailio;

/// The generator runs on core 0, see the Makefile; what is measured runs here.
const CORE: &str = "1";
/// How long a server may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A server, with addresses of its own: 127.0.N.1 to .3.
#[derive(Debug, Clone)]
pub struct Subject {
    pub name: String,
    program: Program,
    net: u8,
}

#[derive(Debug, Clone)]
enum Program {
    /// A build of the daemon, and how media reaches it; `None`: as the build has it.
    Gateway { file: PathBuf, driver: Option<&'static str> },
    /// A stateful proxy without media.
    Kamailio,
}

impl Subject {
    /// The build beside this program, and the one that it is compared with.
    pub fn list(against: Option<&Path>) -> Result<Vec<Subject>> {
        let mut subjects = vec![Subject::ours("voice-connector", 1, "epoll")?];
        if let Some(file) = against {
            let program = Program::Gateway { file: file.to_owned(), driver: None };
            subjects.push(Subject { name: "the other build".to_owned(), program, net: 2 });
        }
        Ok(subjects)
    }

    /// The same and the build beside this program with one socket for all media; where that is not to be had it says why.
    pub fn list_with_drivers(against: Option<&Path>) -> Result<Vec<Subject>> {
        let mut subjects = Subject::list(against)?;
        let one = Subject::ours("sk_lookup", 3, "sk_lookup")?;
        match Daemon::start(&one, &Options::default()) {
            Ok(_) => subjects.push(one),
            Err(error) => println!("Not measured: {}\n", error.to_string().trim_end()),
        }
        Ok(subjects)
    }

    /// The build beside this program.
    pub fn ours(name: &str, net: u8, driver: &'static str) -> Result<Subject> {
        let file = std::env::current_exe()?.with_file_name("voice-connector");
        let program = Program::Gateway { file, driver: Some(driver) };
        Ok(Subject { name: name.to_owned(), program, net })
    }

    /// Kamailio as a proxy between the same phones.
    pub fn kamailio() -> Subject {
        Subject { name: "Kamailio".to_owned(), program: Program::Kamailio, net: 4 }
    }

    /// The daemon's program; none of a peer.
    pub fn file(&self) -> Option<&Path> {
        match &self.program {
            Program::Gateway { file, .. } => Some(file),
            Program::Kamailio => None,
        }
    }

    /// The host of a part: 1 the server, 2 the customer, 3 the carrier.
    pub fn address(&self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, 0, self.net, host)
    }

    pub fn gateway(&self) -> SocketAddr {
        (self.address(1), 5060).into()
    }

    pub fn customer(&self) -> SocketAddr {
        (self.address(2), 5060).into()
    }

    pub fn carrier(&self) -> SocketAddr {
        (self.address(3), 5060).into()
    }

    fn admin(&self) -> SocketAddr {
        (self.address(1), 9090).into()
    }

    /// How it is run in a folder, whose files this writes.
    fn command(&self, folder: &Path, options: &Options) -> Result<Command> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", options.cores]).args(&options.wrapper);
        match &self.program {
            Program::Gateway { file, driver } => {
                let config = folder.join("gateway.toml");
                std::fs::write(&config, configuration(self, *driver, options))?;
                command.arg(file).args(["run", "--drain", "1", "--config"]).arg(config);
            }
            Program::Kamailio => {
                let config = folder.join("kamailio.cfg");
                std::fs::write(&config, kamailio::configuration(self.gateway(), self.carrier()))?;
                command.args(kamailio::ARGUMENTS).arg(config).arg("-Y").arg(folder).arg("-w").arg(folder);
            }
        }
        command.current_dir(folder).env("VOICE_CONNECTOR_LOG", "warn").stdin(Stdio::null());
        Ok(command)
    }

    fn serves(&self) -> bool {
        match self.program {
            Program::Gateway { .. } => TcpStream::connect(self.admin()).is_ok(),
            Program::Kamailio => kamailio::answers(self.address(2), self.gateway()),
        }
    }
}

/// How the phones reach the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

impl Transport {
    pub fn name(self) -> &'static str {
        match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        }
    }
}

/// How a server is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The kernel forwards what is steady.
    pub kernel: bool,
    pub transport: Transport,
    /// The carrier's side speaks SRTP.
    pub srtp: bool,
    /// As `taskset` has it.
    pub cores: &'static str,
    /// `records.durability`, where it is not the default.
    pub durability: Option<&'static str>,
    /// A program and its arguments that runs the server, and becomes it.
    pub wrapper: Vec<String>,
}

impl Default for Options {
    fn default() -> Options {
        let (transport, durability, wrapper) = (Transport::Udp, None, Vec::new());
        Options { transport, kernel: false, srtp: false, cores: CORE, durability, wrapper }
    }
}

/// Puts a program on the core of what is measured.
pub fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", CORE]).arg(program);
    command
}

/// A running server. Ends when dropped.
pub struct Daemon {
    child: Child,
    files: TempDir,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts one and waits until it serves.
    pub fn start(subject: &Subject, options: &Options) -> Result<Daemon> {
        let files = tempfile::tempdir()?;
        let log = std::fs::File::create(files.path().join("log"))?;
        let mut command = subject.command(files.path(), options)?;
        let child = command.stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut daemon = Daemon { child, files, admin: subject.admin() };
        let until = Instant::now() + PATIENCE;
        while !subject.serves() {
            if daemon.child.try_wait()?.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(daemon.folder().join("log"))?;
                return Err(format!("{} did not start: {log}", subject.name).into());
            }
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(300)); // its own beginnings are nobody's call
        Ok(daemon)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Where it runs, and keeps its records.
    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    /// Where it tells its metrics.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.process()))?.count())
    }
}

impl Drop for Daemon {
    /// The processes of a peer end with it when it is asked to, and not when it is killed.
    fn drop(&mut self) {
        if let Ok(process) = i32::try_from(self.process()) {
            let _ = kill(Pid::from_raw(process), Signal::SIGTERM);
        }
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
