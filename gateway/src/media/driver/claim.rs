//! Which gateway has which ports of this network namespace.
//!
//! A port that is leased by `sk_lookup` is bound by nobody, so another gateway at the same address could take it as well, and
//! then hears nothing: its datagrams go to the first. So each gateway holds a socket whose name says what it has, an abstract one
//! of unix(7): `/proc/net/unix` shows it to the others of the namespace, and it is gone with the process, however that ends.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::media::MediaSettings;
use crate::random::{Random, SystemRandom};

const PREFIX: &str = "voice-connector";

/// No process id: in containers that share the host's network all may be 1.
static PROCESS: LazyLock<u64> = LazyLock::new(|| SystemRandom::new().next_u64());

/// How a gateway takes the ports that it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By binding each.
    Binds,
    /// By a table that other programs do not see.
    Leases,
}

/// What this gateway has, for others to see until it is dropped.
#[derive(Debug)]
pub(in crate::media) struct Claim {
    _names: Vec<UnixDatagram>,
}

impl Claim {
    /// Tells others of the addresses and ports of `settings`.
    ///
    /// # Errors
    /// The kernel's; where sockets of this family are forbidden, for one.
    pub(super) fn publish(settings: &MediaSettings, kind: Kind) -> io::Result<Claim> {
        Claim::of_process(*PROCESS, settings, kind)
    }

    /// - `process`: whose it is.
    pub(super) fn of_process(process: u64, settings: &MediaSettings, kind: Kind) -> io::Result<Claim> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (first, last) = (settings.ports.start(), settings.ports.end());
        let names = settings.addresses.iter().map(|address| {
            let (number, kind) = (NEXT.fetch_add(1, Ordering::Relaxed), kind.word());
            let name = format!("{PREFIX}/{kind}/{process:x}/{number}/{first}-{last}/{address}");
            UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
        });
        Ok(Claim { _names: names.collect::<io::Result<_>>()? })
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Binds => "binds",
            Kind::Leases => "leases",
        }
    }

    /// Whether a gateway of the one kind can take a port that one of the other kind has.
    fn clashes(self, other: Kind) -> bool {
        self == Kind::Leases || other == Kind::Leases
    }
}

/// Ports of `settings` that other gateways have and that a gateway of `kind` would not find taken.
pub(super) fn claimed(settings: &MediaSettings, kind: Kind) -> HashSet<u16> {
    let others = seen().into_iter().filter(|other| {
        let same = |own: &IpAddr| overlap(*own, other.address);
        other.process != *PROCESS && kind.clashes(other.kind) && settings.addresses.iter().any(same)
    });
    others.flat_map(|other| other.ports).filter(|port| settings.ports.contains(port)).collect()
}

/// How many claims of a kind there are to the addresses of `settings`, whosever they are.
#[cfg(test)]
pub(super) fn claims(settings: &MediaSettings, kind: Kind) -> usize {
    seen().iter().filter(|claim| claim.kind == kind && settings.addresses.contains(&claim.address)).count()
}

/// The claims that there are.
fn seen() -> Vec<Other> {
    let sockets = std::fs::read_to_string("/proc/thread-self/net/unix").unwrap_or_default();
    let names = sockets.lines().filter_map(|line| line.rsplit(' ').next()?.strip_prefix('@'));
    names.filter_map(read).collect()
}

struct Other {
    kind: Kind,
    process: u64,
    ports: RangeInclusive<u16>,
    address: IpAddr,
}

fn read(name: &str) -> Option<Other> {
    let mut words = name.strip_prefix(PREFIX)?.strip_prefix('/')?.split('/');
    let word = words.next()?;
    let kind = [Kind::Binds, Kind::Leases].into_iter().find(|kind| kind.word() == word)?;
    let process = u64::from_str_radix(words.next()?, 16).ok()?;
    let (first, last) = words.nth(1)?.split_once('-')?;
    let ports = first.parse().ok()?..=last.parse().ok()?;
    Some(Other { kind, process, ports, address: words.next()?.parse().ok()? })
}

fn overlap(one: IpAddr, other: IpAddr) -> bool {
    one == other || one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address that no other run of the tests has.
    fn settings(number: u8, ports: RangeInclusive<u16>) -> MediaSettings {
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let addresses = vec![[127, high, low, number].into()];
        MediaSettings { ports, addresses, ..MediaSettings::default() }
    }

    #[test]
    fn what_another_gateway_leases_is_not_taken_as_well() {
        let (own, its) = (settings(1, 20_000..=20_007), settings(1, 20_004..=20_011));
        assert_eq!(claimed(&own, Kind::Leases), HashSet::new());
        let claim = Claim::of_process(7, &its, Kind::Leases).unwrap();
        for kind in [Kind::Binds, Kind::Leases] {
            assert_eq!(claimed(&own, kind), (20_004..=20_007).collect());
            assert_eq!(claimed(&settings(2, 20_000..=20_007), kind), HashSet::new());
        }
        drop(claim);
        assert_eq!(claimed(&own, Kind::Leases), HashSet::new());
    }

    #[test]
    fn what_another_gateway_binds_is_left_to_it_by_who_leases() {
        let (own, its) = (settings(3, 20_000..=20_007), settings(3, 20_000..=20_003));
        let _claim = Claim::of_process(7, &its, Kind::Binds).unwrap();
        assert_eq!(claimed(&own, Kind::Binds), HashSet::new());
        assert_eq!(claimed(&own, Kind::Leases), (20_000..=20_003).collect());
    }

    #[test]
    fn a_process_has_no_claim_against_itself() {
        let own = settings(4, 20_000..=20_007);
        let _claim = Claim::publish(&own, Kind::Leases).unwrap();
        assert_eq!(claimed(&own, Kind::Leases), HashSet::new());
    }

    #[test]
    fn all_addresses_overlap_with_each_of_their_family() {
        let [any, one, other, any_of_six] =
            ["0.0.0.0", "192.0.2.1", "192.0.2.2", "::"].map(|ip| ip.parse().unwrap());
        assert!(overlap(any, one) && overlap(one, any) && overlap(one, one));
        assert!(!overlap(one, other) && !overlap(any_of_six, one) && !overlap(any, any_of_six));
    }

    #[test]
    fn names_of_others_are_passed_over() {
        for name in
            ["", "voice-connector", "voice-connector/leases/x/0/1-2/::", "voice-connector/leases/1/0/1/::"]
        {
            assert!(read(name).is_none(), "{name}");
        }
        assert!(read("voice-connector/leases/1/0/1-2/::").is_some());
    }
}
