//! The daemon under test.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Result;

/// The generator runs on core 0, see the Makefile; what is measured runs here.
const CORE: &str = "1";

/// A build of the daemon, with addresses of its own: 127.0.N.1 to .3.
#[derive(Debug, Clone)]
pub struct Subject {
    pub name: String,
    program: PathBuf,
    net: u8,
    /// How media reaches it; `None`: as its build has it.
    driver: Option<&'static str>,
}

impl Subject {
    /// The build beside this program, and the one that it is compared with.
    pub fn list(against: Option<&Path>) -> Result<Vec<Subject>> {
        let ours = std::env::current_exe()?.with_file_name("voice-connector");
        let of =
            |name: &str, net, driver| Subject { name: name.to_owned(), program: ours.clone(), net, driver };
        let mut subjects = vec![of("voice-connector", 1, Some("epoll"))];
        if let Some(program) = against {
            let name = "the other build".to_owned();
            subjects.push(Subject { name, program: program.to_owned(), net: 2, driver: None });
        }
        Ok(subjects)
    }

    /// The same and the build beside this program with one socket for all media; where that is not to be had it says why.
    pub fn list_with_drivers(against: Option<&Path>) -> Result<Vec<Subject>> {
        let mut subjects = Subject::list(against)?;
        let program = std::env::current_exe()?.with_file_name("voice-connector");
        let one = Subject { name: "sk_lookup".to_owned(), program, net: 3, driver: Some("sk_lookup") };
        match Daemon::start(&one, Transport::Udp, false) {
            Ok(_) => subjects.push(one),
            Err(error) => println!("Not measured: {}\n", error.to_string().trim_end()),
        }
        Ok(subjects)
    }

    /// The host of a part: 1 the gateway, 2 the customer, 3 the carrier.
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

/// Puts a program on the core of what is measured.
pub fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", CORE]).arg(program);
    command
}

/// A running daemon. Ends when dropped.
pub struct Daemon {
    child: Child,
    _files: TempDir,
}

impl Daemon {
    /// Starts one and waits until it serves.
    pub fn start(subject: &Subject, transport: Transport, srtp: bool) -> Result<Daemon> {
        let files = tempfile::tempdir()?;
        let config = files.path().join("gateway.toml");
        std::fs::write(&config, configuration(subject, transport, srtp))?;
        let log = std::fs::File::create(files.path().join("log"))?;
        let child = pinned(&subject.program)
            .args(["run", "--drain", "1", "--config"])
            .arg(&config)
            .current_dir(files.path())
            .env("VOICE_CONNECTOR_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut daemon = Daemon { child, _files: files };
        let admin = SocketAddr::from((subject.address(1), 9090));
        let until = Instant::now() + Duration::from_secs(15);
        while TcpStream::connect(admin).is_err() {
            if daemon.child.try_wait()?.is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(daemon._files.path().join("log"))?;
                return Err(format!("{} did not start: {log}", subject.program.display()).into());
            }
            sleep(Duration::from_millis(20));
        }
        sleep(Duration::from_millis(300)); // its own beginnings are nobody's call
        Ok(daemon)
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn descriptors(&self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.process()))?.count())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(subject: &Subject, transport: Transport, srtp: bool) -> String {
    let (protocol, gateway) = (transport.name(), subject.gateway());
    let (admin, customer, carrier) = (subject.address(1), subject.address(2), subject.address(3));
    let driver = subject.driver.map_or(String::new(), |driver| format!("driver = \"{driver}\""));
    let srtp = if srtp {
        "[carrier.peer]\nsrtp = \"required\"\nsrtp_suites = [\"AES_CM_128_HMAC_SHA1_80\"]"
    } else {
        ""
    };
    format!(
        r#"
[[listen]]
protocol = "{protocol}"
address = "{gateway}"

[admin]
address = "{admin}:9090"

[media]
ports = [10000, 65534]
{driver}

[[voice_connector]]
id = "office"

[voice_connector.termination]
allowlist = ["{customer}/32"]
calling_plan = ["US"]
cps_limit = 10000
max_calls = 10000

[[phone_number]]
number = "+12065550100"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}/32"]
{srtp}

[[carrier.host]]
host = "{carrier}"
port = 5060
protocol = "{protocol}"
"#
    )
}
