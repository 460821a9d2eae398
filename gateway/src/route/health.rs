//! Which hosts answer, and which of them rest.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::peer::Transport;
use crate::resolve::Lookup;

/// No host rests longer than this, whatever its Retry-After says.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// One address of a host, by one transport: what is probed and tried by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HostKey {
    /// The address.
    pub address: SocketAddr,
    /// By which transport.
    pub transport: Transport,
}

/// What came of a probe (OPTIONS) or of an INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeResult {
    /// A final answer: its status, and its Retry-After where it has one.
    Answer {
        /// Status code.
        status: u16,
        /// Retry-After.
        retry_after: Option<Duration>,
    },
    /// No answer, or it could not be sent.
    Silence,
}

/// Which hosts answer. Plain data: it is told what happened, and forgets nothing by itself.
///
/// A host that was never heard of counts as alive.
#[derive(Debug, Clone, Default)]
pub struct Health {
    hosts: HashMap<HostKey, State>,
    names: HashMap<Lookup, Vec<SocketAddr>>,
}

/// How a host is, for people. Displays as a verb with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing bad was heard of it: it counts as alive.
    Unknown,
    /// It answers.
    Alive,
    /// It does not answer probes.
    Silent,
    /// It wants no calls for so long.
    Resting {
        /// Seconds.
        seconds: u64,
    },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Unknown => f.write_str("counts as alive: nothing says otherwise"),
            Standing::Alive => f.write_str("answers"),
            Standing::Silent => f.write_str("does not answer probes"),
            Standing::Resting { seconds } => write!(f, "wants no calls for another {seconds} s"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Alive,
    Dead,
    /// Asked by 503 with Retry-After to be left alone.
    Resting {
        until: Instant,
    },
}

impl Health {
    /// Nothing known: everybody is alive.
    pub fn new() -> Health {
        Health::default()
    }

    /// Takes a probe's result. Returns whether the host is alive where that has changed.
    ///
    /// 408, 503 and silence are dead, any other answer is alive; 503 with Retry-After rests the host for so long
    /// (an hour at most). Source: design §4.
    pub fn handle_probe(&mut self, now: Instant, host: HostKey, result: ProbeResult) -> Option<bool> {
        let before = self.is_alive(now, &host);
        let state = match result {
            ProbeResult::Answer { status: 503, retry_after: Some(rest) } if !rest.is_zero() => {
                State::Resting { until: now + rest.min(LONGEST_REST) }
            }
            ProbeResult::Answer { status: 408 | 503, .. } | ProbeResult::Silence => State::Dead,
            ProbeResult::Answer { .. } => State::Alive,
        };
        self.hosts.insert(host, state);
        let after = self.is_alive(now, &host);
        (before != after).then_some(after)
    }

    /// Takes the final answer to an INVITE: 503 with Retry-After rests the host; any answer but 408 and 503 shows
    /// that it is alive. One failed call does not make a host dead: that is for the probes to say.
    pub fn handle_answer(&mut self, now: Instant, host: HostKey, status: u16, retry_after: Option<Duration>) {
        match (status, retry_after) {
            (503, Some(_)) => {
                self.handle_probe(now, host, ProbeResult::Answer { status, retry_after });
            }
            (408 | 503, _) => {}
            _ => {
                self.hosts.insert(host, State::Alive);
            }
        }
    }

    /// Remembers the addresses behind a name, so that the name is dead when all of them are.
    pub fn handle_resolved(&mut self, lookup: Lookup, addresses: Vec<SocketAddr>) {
        self.names.insert(lookup, addresses);
    }

    /// Whether these are the addresses that are remembered behind a name.
    pub fn knows(&self, lookup: &Lookup, addresses: &[SocketAddr]) -> bool {
        self.names.get(lookup).is_some_and(|known| known == addresses)
    }

    /// Whether `address` is one of those behind the names that were looked up.
    pub fn is_behind_a_name(&self, address: IpAddr) -> bool {
        let same = |known: &SocketAddr| known.ip().to_canonical() == address.to_canonical();
        self.names.values().flatten().any(same)
    }

    /// Forgets everything but these hosts and names: the configuration has changed.
    pub fn retain(&mut self, hosts: &HashSet<HostKey>, names: &HashSet<Lookup>) {
        self.hosts.retain(|host, _| hosts.contains(host));
        self.names.retain(|name, _| names.contains(name));
    }

    /// Whether one address answers.
    pub fn is_alive(&self, now: Instant, host: &HostKey) -> bool {
        match self.hosts.get(host) {
            None | Some(State::Alive) => true,
            Some(State::Dead) => false,
            Some(State::Resting { until }) => *until <= now,
        }
    }

    /// The addresses behind a name, as it was looked up last.
    pub fn addresses(&self, lookup: &Lookup) -> &[SocketAddr] {
        self.names.get(lookup).map_or(&[], Vec::as_slice)
    }

    /// How one address is.
    pub fn standing(&self, now: Instant, host: &HostKey) -> Standing {
        match self.hosts.get(host) {
            None => Standing::Unknown,
            Some(State::Dead) => Standing::Silent,
            Some(State::Resting { until }) if *until > now => {
                Standing::Resting { seconds: (*until - now).as_secs() }
            }
            Some(State::Alive | State::Resting { .. }) => Standing::Alive,
        }
    }

    /// Whether any address behind a host answers; a name that was not looked up yet counts as alive.
    pub fn is_usable(&self, now: Instant, lookup: &Lookup) -> bool {
        let alive = |address: &SocketAddr| {
            self.is_alive(now, &HostKey { address: *address, transport: lookup.transport })
        };
        match lookup.literal() {
            Some(address) => alive(&address),
            None => self
                .names
                .get(lookup)
                .is_none_or(|addresses| addresses.is_empty() || addresses.iter().any(alive)),
        }
    }

    /// The addresses of one host in the order in which to try them: those that answer first, the others last
    /// rather than never; within both, the order that they came in.
    pub fn ordered(
        &self,
        now: Instant,
        mut addresses: Vec<SocketAddr>,
        transport: Transport,
    ) -> Vec<SocketAddr> {
        addresses.sort_by_key(|address| !self.is_alive(now, &HostKey { address: *address, transport }));
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> HostKey {
        HostKey { address: text.parse().unwrap(), transport: Transport::Udp }
    }

    fn answer(status: u16) -> ProbeResult {
        ProbeResult::Answer { status, retry_after: None }
    }

    #[test]
    fn only_408_503_and_silence_are_dead() {
        let now = Instant::now();
        for (result, alive) in [
            (answer(200), true),
            (answer(404), true),
            (answer(405), true),
            (answer(486), true),
            (answer(500), true),
            (answer(501), true),
            (answer(603), true),
            (answer(408), false),
            (answer(503), false),
            (ProbeResult::Silence, false),
        ] {
            let mut health = Health::new();
            let host = host("192.0.2.1:5060");
            health.handle_probe(now, host, result);
            assert_eq!(health.is_alive(now, &host), alive, "{result:?}");
            assert_eq!(health.handle_probe(now, host, answer(200)), (!alive).then_some(true), "{result:?}");
        }
    }

    #[test]
    fn a_host_rests_as_long_as_it_asks() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut health = Health::new();
        let host = host("192.0.2.1:5060");
        health.handle_answer(now, host, 503, Some(5 * second));
        assert!(!health.is_alive(now + 4 * second, &host));
        assert!(health.is_alive(now + 5 * second, &host));
        health.handle_answer(now, host, 503, Some(Duration::from_secs(u64::MAX / 4)));
        assert!(!health.is_alive(now + 3_599 * second, &host));
        assert!(health.is_alive(now + 3_600 * second, &host));
    }

    #[test]
    fn one_failed_call_is_no_proof_and_one_answered_call_is() {
        let now = Instant::now();
        let mut health = Health::new();
        let host = host("192.0.2.1:5060");
        health.handle_answer(now, host, 503, None);
        assert!(health.is_alive(now, &host));
        health.handle_probe(now, host, ProbeResult::Silence);
        health.handle_answer(now, host, 408, None);
        assert!(!health.is_alive(now, &host));
        health.handle_answer(now, host, 486, None);
        assert!(health.is_alive(now, &host));
    }

    #[test]
    fn a_name_is_usable_while_one_address_is() {
        let now = Instant::now();
        let mut health = Health::new();
        let lookup = Lookup { host: "sbc.example.com".into(), port: None, transport: Transport::Udp };
        let (one, two) = (host("192.0.2.1:5060"), host("192.0.2.2:5060"));
        assert!(health.is_usable(now, &lookup));
        health.handle_resolved(lookup.clone(), vec![one.address, two.address]);
        health.handle_probe(now, one, ProbeResult::Silence);
        assert!(health.is_usable(now, &lookup));
        let ordered = health.ordered(now, vec![one.address, two.address], Transport::Udp);
        assert_eq!(ordered, [two.address, one.address]);
        health.handle_probe(now, two, ProbeResult::Silence);
        assert!(!health.is_usable(now, &lookup));
        let literal = Lookup { host: "192.0.2.2".into(), port: None, transport: Transport::Udp };
        assert!(!health.is_usable(now, &literal));
        health.retain(&HashSet::new(), &HashSet::new());
        assert!(health.is_usable(now, &literal));
    }
}
