//! How the media side is set up.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{MediaDriver, MediaKernel};

/// What `Media::start` needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaSettings {
    /// UDP ports for media. Pairs start on even ports; an odd first or even last port is left out.
    pub ports: RangeInclusive<u16>,
    /// Local addresses of media; `0.0.0.0` and `::` are every address of the host.
    pub addresses: Vec<IpAddr>,
    /// What session descriptions say instead of those.
    pub advertised: Vec<IpAddr>,
    /// Where signalling is listened for, as bound and as advertised.
    pub listeners: Vec<SocketAddr>,
    /// How datagrams reach the workers.
    pub driver: MediaDriver,
    /// Whether the kernel forwards what is steady.
    pub kernel: MediaKernel,
    /// Worker threads; 0: one per core.
    pub workers: usize,
    /// Both legs silent, neither on hold: the call is reported `Silent`.
    pub inactivity_timeout: Duration,
    /// The same with a leg on hold.
    pub hold_timeout: Duration,
    /// Ports (not pairs) of each address that only emergency calls may take.
    pub emergency_ports: u16,
    /// Media sockets that ordinary calls may hold at one time, four a call: the others of the process's open files are set
    /// aside.
    pub sockets: usize,
    /// Pairs of ports that may stay open while no call has them, two sockets each, so that the next calls find them open. They
    /// are closed where the sockets that ordinary calls may hold run short.
    pub kept: usize,
    /// Ports never taken: those of the listeners and of the admin server.
    pub excluded_ports: Vec<u16>,
    /// How long a port rests after a call, so that the last packets of one call do not reach the next.
    pub quarantine: Duration,
    /// Sound that waited longer than this behind other datagrams is not played any more.
    pub late: Duration,
}

impl Default for MediaSettings {
    fn default() -> MediaSettings {
        MediaSettings {
            ports: 5000..=65000,
            addresses: Vec::new(),
            advertised: Vec::new(),
            listeners: Vec::new(),
            driver: MediaDriver::Epoll,
            kernel: MediaKernel::Off,
            workers: 0,
            inactivity_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(30 * 60),
            emergency_ports: 20,
            sockets: usize::MAX,
            kept: 0,
            excluded_ports: Vec::new(),
            quarantine: Duration::from_secs(10),
            late: Duration::from_millis(250),
        }
    }
}
