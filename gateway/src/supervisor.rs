//! The service manager that started the process, as systemd does: it is told when the gateway is ready, reads its configuration
//! again, ends, and that its threads live. sd_notify(3).
//!
//! Nothing here waits: what the manager does not take at once is lost, and a sign of life follows soon.

use std::env;
use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{fmt, io, process};

use nix::time::ClockId;

/// The service manager. A clone is the same; the default is none, and what it is told is lost.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    manager: Option<Arc<Manager>>,
    /// Without a sign of life for so long it takes the process for dead.
    patience: Option<Duration>,
}

#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    /// It was told that the gateway ends.
    knows_the_end: AtomicBool,
}

impl Supervisor {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    ///
    /// # Errors
    /// Its socket can't be reached.
    pub fn from_environment() -> io::Result<Supervisor> {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Ok(Supervisor::default()) };
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let is_for_us = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(process::id()));
        let patience = number("WATCHDOG_USEC").filter(|_| is_for_us).map(Duration::from_micros);
        Supervisor::at(&name, patience)
    }

    /// - `name`: the path of its socket, or with an `@` before it an abstract one.
    fn at(name: &OsStr, patience: Option<Duration>) -> io::Result<Supervisor> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            path => SocketAddr::from_pathname(OsStr::from_bytes(path))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        let manager = Manager { socket, knows_the_end: AtomicBool::default() };
        Ok(Supervisor { manager: Some(Arc::new(manager)), patience })
    }

    /// Everything is there.
    pub fn ready(&self) {
        self.tell(format_args!("READY=1"));
    }

    /// Reads the configuration again by `reload`, and tells the manager before and after, unless it knows that the gateway ends:
    /// then it would believe that it does not.
    pub(crate) fn during_reload<T>(&self, reload: impl FnOnce() -> T) -> T {
        let ends = || self.manager.as_ref().is_some_and(|manager| manager.knows_the_end.load(Relaxed));
        if !ends() {
            // Where the clock can't be read, the manager does without its time.
            let now = ClockId::CLOCK_MONOTONIC.now().map_or(Duration::ZERO, Duration::from);
            self.tell(format_args!("RELOADING=1\nMONOTONIC_USEC={}", now.as_micros()));
        }
        let reloaded = reload();
        if !ends() {
            self.ready();
        }
        reloaded
    }

    /// The gateway drains, and ends then.
    pub fn stopping(&self) {
        if let Some(manager) = &self.manager {
            manager.knows_the_end.store(true, Relaxed);
        }
        self.tell(format_args!("STOPPING=1\nSTATUS=Draining"));
    }

    fn tell(&self, state: fmt::Arguments<'_>) {
        if let Some(manager) = &self.manager {
            let _ = manager.socket.send(state.to_string().as_bytes());
        }
    }
}

/// When the next sign of life is due.
#[derive(Debug)]
pub(crate) struct SignsOfLife {
    supervisor: Supervisor,
    next: Instant,
}

impl SignsOfLife {
    pub(crate) fn new(supervisor: Supervisor, now: Instant) -> SignsOfLife {
        SignsOfLife { supervisor, next: now }
    }

    /// All threads live: to be called several times a second, and not while one of them does not.
    ///
    /// - `calls`: how many are up, for whoever asks the manager.
    /// - `trouble`: what stands between the gateway and new calls.
    pub(crate) fn give(&mut self, now: Instant, calls: usize, trouble: Option<&str>) {
        let Some(patience) = self.supervisor.patience.filter(|_| now >= self.next) else { return };
        self.next = now + patience / 4;
        let trouble = trouble.map(|trouble| format!("; {trouble}")).unwrap_or_default();
        self.supervisor.tell(format_args!("WATCHDOG=1\nSTATUS={calls} calls{trouble}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_manager_hears_by_a_path_or_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("voice-connector-test-{}", process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (socket, name) in [(by_path, path.into_os_string()), (by_name, format!("@{name}").into())] {
            let manager = Supervisor::at(&name, None).unwrap();
            manager.ready();
            manager.during_reload(|| ());
            manager.stopping();
            manager.during_reload(|| ());
            assert_eq!(heard(&socket), "READY=1");
            let reloading = heard(&socket);
            let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
            assert!(time.parse::<u64>().unwrap() > 0);
            assert_eq!(heard(&socket), "READY=1");
            assert_eq!(heard(&socket), "STOPPING=1\nSTATUS=Draining");
            SignsOfLife::new(manager, Instant::now()).give(Instant::now(), 0, None);
            socket.set_nonblocking(true).unwrap();
            assert!(socket.recv(&mut [0; 9]).is_err(), "who has no patience to lose wants no signs of life");
        }
        assert!(Supervisor::at(OsStr::new("/nowhere/notify"), None).is_err());
    }

    #[test]
    fn signs_of_life_come_several_times_within_its_patience() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Supervisor::at(path.as_os_str(), Some(Duration::from_secs(20))).unwrap();
        let start = Instant::now();
        let mut signs = SignsOfLife::new(manager, start);
        for quarter in 0..=40_u32 {
            signs.give(start + Duration::from_millis(250) * quarter, 3, Some("draining: so"));
        }
        socket.set_nonblocking(true).unwrap();
        let told: Vec<String> = (0..3).map(|_| heard(&socket)).collect();
        assert_eq!(told, ["WATCHDOG=1\nSTATUS=3 calls; draining: so"; 3]);
        assert!(socket.recv(&mut [0; 9]).is_err(), "a sign every five seconds is enough");
    }

    /// A manager that reads nothing holds nobody up.
    #[test]
    fn what_is_not_taken_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _socket = UnixDatagram::bind(&path).unwrap();
        let manager = Supervisor::at(path.as_os_str(), None).unwrap();
        (0..5_000).for_each(|_| manager.ready());
    }
}
