//! Which driver the workers get: the one that is asked for, or the best that the host allows.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::MediaDriver;
use fastpath::Steering;
use nix::sys::eventfd::EventFd;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use super::Driver;
use super::claim::{Claim, Kind, claimed};
use super::epoll::EpollDriver;
use super::sk_lookup::{SkLookupDriver, Sockets};
use crate::media::MediaSettings;
use crate::media::ports::pairs;

/// Drivers for all workers.
pub(in crate::media) struct Plan {
    /// The sockets of the workers that have not got them yet.
    shared: Option<(Arc<Steering>, Vec<Sockets>)>,
    /// Ports that are left to other programs.
    pub(in crate::media) excluded: HashSet<u16>,
    /// The driver and why it is this one, for people.
    pub(in crate::media) text: String,
    /// What other gateways see of it.
    pub(in crate::media) claim: Option<Claim>,
    /// See [`MediaSettings::late`].
    late: Duration,
}

/// Whether this host lets us have `sk_lookup`. It is let go at once.
///
/// # Errors
/// Why not.
pub(in crate::media) fn driver_here() -> io::Result<()> {
    Steering::attach(&[IpAddr::from([127, 0, 0, 1])], Sockets::numbers(1)).map(drop)
}

impl Plan {
    /// - `excluded`: ports that are not for media, whichever driver it is.
    ///
    /// # Errors
    /// The settings ask for `sk_lookup` and nothing else, and it is not to be had: why. Or another gateway has some of the ports.
    pub(in crate::media) fn new(
        settings: &MediaSettings,
        workers: usize,
        excluded: &HashSet<u16>,
    ) -> io::Result<Self> {
        let epoll = |text: String| {
            // Where it can't be published, other gateways can't either.
            let claim = Claim::publish(settings, Kind::Binds).ok();
            leave_to_gateways(settings, Kind::Binds)?;
            Ok(Plan { shared: None, excluded: excluded.clone(), text, claim, late: settings.late })
        };
        if settings.driver == MediaDriver::Epoll {
            return epoll("epoll, a socket for each port".to_owned());
        }
        match leasing(settings, || prepare(settings, workers, excluded)) {
            Ok(plan) => Ok(plan),
            Err(error) if settings.driver == MediaDriver::Auto => {
                epoll(format!("epoll, a socket for each port (sk_lookup is not to be had: {error})"))
            }
            Err(error) => Err(io::Error::new(
                error.kind(),
                format!("media.driver = \"sk_lookup\" is not to be had: {error}"),
            )),
        }
    }

    /// Whether each port is a descriptor.
    pub(in crate::media) fn takes_descriptors(&self) -> bool {
        self.shared.is_none()
    }

    /// The driver of the next worker.
    pub(in crate::media) fn driver(&mut self, commands: &EventFd) -> io::Result<Driver> {
        match &mut self.shared {
            None => Ok(Driver::Epoll(EpollDriver::new(commands, self.late)?)),
            Some((steering, sockets)) => {
                let sockets = sockets.pop().ok_or(io::ErrorKind::NotFound)?;
                Ok(Driver::SkLookup(SkLookupDriver::new(steering.clone(), sockets, commands, self.late)?))
            }
        }
    }
}

/// - `prepare`: all that may fail, with no claim published: a gateway that may not lease would turn away one that starts at the
///   same time.
fn leasing(settings: &MediaSettings, prepare: impl FnOnce() -> io::Result<Prepared>) -> io::Result<Plan> {
    let Prepared { steering, sockets, excluded, left } = prepare()?;
    let claim = Some(Claim::publish(settings, Kind::Leases)?);
    leave_to_gateways(settings, Kind::Leases)?;
    let text = format!("sk_lookup, one socket for all ports of a thread{left}");
    Ok(Plan { shared: Some((steering, sockets)), excluded, text, claim, late: settings.late })
}

/// What leases ports, with none leased yet.
struct Prepared {
    steering: Arc<Steering>,
    /// Of each worker.
    sockets: Vec<Sockets>,
    excluded: HashSet<u16>,
    /// How many ports are left, for people; empty where all are.
    left: String,
}

fn prepare(settings: &MediaSettings, workers: usize, excluded: &HashSet<u16>) -> io::Result<Prepared> {
    let problem = |text: String| io::Error::new(io::ErrorKind::Unsupported, text);
    let addresses = &settings.addresses;
    if addresses.is_empty() {
        return Err(problem("media has no address".to_owned()));
    }
    let is_covered = |one: &IpAddr| {
        let covers = |any: &IpAddr| any.is_unspecified() && any != one && any.is_ipv4() == one.is_ipv4();
        addresses.iter().any(covers)
    };
    if let Some(address) = addresses.iter().find(|address| is_covered(address)) {
        return Err(problem(format!("media has {address} and all addresses of its family as well")));
    }
    let (excluded, left) = leave_to_others(settings, excluded)?;
    // Kernels before 5.11 count maps as locked memory. If it may not be raised, the map says so.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let steering = Arc::new(Steering::attach(addresses, Sockets::numbers(workers))?);
    let numbers = 0..u16::try_from(workers).unwrap_or(u16::MAX);
    let sockets = numbers.map(|worker| Sockets::open(&steering, worker)).collect::<io::Result<_>>()?;
    Ok(Prepared { steering, sockets, excluded, left })
}

/// Not even one port may be another gateway's too: each of the two must find its own when it comes again.
fn leave_to_gateways(settings: &MediaSettings, kind: Kind) -> io::Result<()> {
    let others = claimed(settings, kind);
    let Some((first, last)) = others.iter().min().zip(others.iter().max()) else { return Ok(()) };
    let text = format!(
        "another gateway at the same address has ports {first}-{last} of media.ports; give each ports of its own"
    );
    Err(io::Error::new(io::ErrorKind::AddrInUse, text))
}

/// Nothing of ours keeps a port that we lease from being given to another program as its ephemeral port, whose datagrams
/// would then come to us: those are not for media.
fn leave_to_others(settings: &MediaSettings, excluded: &HashSet<u16>) -> io::Result<(HashSet<u16>, String)> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut bounds = text.split_whitespace().map_while(|bound| bound.parse::<u16>().ok());
    let (Some(first), Some(last)) = (bounds.next(), bounds.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "ip_local_port_range can't be read"));
    };
    let ours: HashSet<u16> = excluded.iter().copied().chain(first..=last).collect();
    let (left, of) = (pairs(&settings.ports, &ours).len(), pairs(&settings.ports, excluded).len());
    if left == of {
        return Ok((ours, String::new()));
    }
    let told =
        format!("{left} of {of} pairs of media.ports are outside the host's ephemeral ports {first}-{last}");
    if left == 0 || settings.driver == MediaDriver::Auto && left * 2 < of {
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("only {told}")));
    }
    Ok((ours, format!("; {told}")))
}

/// What this host would leave of the ports by `sk_lookup`, where that is asked for and is not all; for people.
pub(in crate::media) fn doubt(settings: &MediaSettings) -> Option<String> {
    if settings.driver != MediaDriver::SkLookup {
        return None;
    }
    let told = match leave_to_others(settings, &HashSet::new()) {
        Ok((_, told)) => told.strip_prefix("; ")?.to_owned(),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => error.to_string(),
        // A host that says nothing of its ephemeral ports is none to run on.
        Err(_) => return None,
    };
    let remedy = "write others, or narrow net.ipv4.ip_local_port_range of the host";
    Some(format!("media.driver = \"sk_lookup\": {told}; {remedy}"))
}

#[cfg(test)]
mod tests {
    use super::super::claim::claims;
    use super::*;

    /// Gateways that may lease nothing are started at one time, as the demonstrations of a test run are.
    #[test]
    fn who_may_not_lease_turns_nobody_away() {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let settings =
            MediaSettings { addresses: vec![[127, high, low, 6].into()], ..MediaSettings::default() };
        let refused = leasing(&settings, || {
            assert_eq!(claims(&settings, Kind::Leases), 0);
            Err(io::ErrorKind::PermissionDenied.into())
        });
        assert!(refused.is_err());
        assert_eq!(claims(&settings, Kind::Leases), 0);
    }

    /// By epoll nothing would tell that they are taken.
    #[test]
    fn ports_that_another_gateway_leases_are_left_to_it() {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let settings = |ports| MediaSettings {
            ports,
            addresses: vec![[127, high, low, 5].into()],
            ..MediaSettings::default()
        };
        let _its = Claim::of_process(7, &settings(20_000..=20_003), Kind::Leases).unwrap();
        assert!(Plan::new(&settings(20_004..=20_007), 1, &HashSet::new()).is_ok());
        let refused = Plan::new(&settings(20_002..=20_007), 1, &HashSet::new()).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
    }

    /// The range of the host that runs the test, whichever it is.
    #[test]
    fn ephemeral_ports_are_foreseen() {
        let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let bounds: Vec<u16> = text.split_whitespace().map(|bound| bound.parse().unwrap()).collect();
        let (first, last) = (bounds[0], bounds[1]);
        let doubt = |ports, driver| doubt(&MediaSettings { ports, driver, ..MediaSettings::default() });
        let told = doubt(first - 4..=first + 3, MediaDriver::SkLookup).unwrap();
        assert!(
            told.contains(&format!(
                "of 4 pairs of media.ports are outside the host's ephemeral ports {first}-{last}"
            )),
            "{told}"
        );
        assert!(doubt(first..=first + 3, MediaDriver::SkLookup).unwrap().contains("only 0 of"));
        assert_eq!(doubt(first - 8..=first - 1, MediaDriver::SkLookup), None);
        assert_eq!(doubt(first..=first + 3, MediaDriver::Epoll), None);
    }
}
