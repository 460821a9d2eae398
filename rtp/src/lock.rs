//! Source lock: from which address a leg's packets are accepted, and where we send.
//!
//! Two values, not one. We *accept* from one source at a time, learned from the packets themselves; we *send* to the
//! address in the peer's SDP, unless that address is private (a phone behind NAT) or the peer is configured as
//! symmetric: then the destination follows the source.
//!
//! ```text
//!            first packet                      3 s, or a packet from the SDP address
//! (nothing) -------------> learning, source X ----------------------------> locked, source X
//!                            ^  better source Y                                |
//!                            |  takes over at once                             | 1 s without X: Y takes over
//!                            +------------------ reopen() --------------------+  if it continues SSRC and sequence
//! ```
//!
//! A source for which nothing speaks (a stray that came while the phone rang) is never quite locked: while nobody was
//! heard from the host of the SDP, a packet from there takes over at any time.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::packet::Ssrc;
use crate::quality::MAX_DROPOUT;

/// How long a new source can be bettered, from its first packet.
const LEARNING: Duration = Duration::from_secs(3);
/// A source that is silent for this long may be followed by another.
const SILENCE: Duration = Duration::from_secs(1);

/// What names a stream and a place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// RTP: the packet's. RTCP: the sender's. UDPTL: zero.
    pub ssrc: Ssrc,
    /// RTP's or UDPTL's sequence number; `None` for RTCP.
    pub seq: Option<u16>,
}

impl Position {
    /// Whether this position is of the same stream as `before` and after it.
    fn continues(&self, before: &Position) -> bool {
        let ahead = match (self.seq, before.seq) {
            (Some(seq), Some(before)) => (1..MAX_DROPOUT).contains(&seq.wrapping_sub(before)),
            _ => true,
        };
        self.ssrc == before.ssrc && ahead
    }
}

/// What the lock says of a packet's source address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The source. Pass the packet, then call [`SourceLock::accept`].
    Accept,
    /// May become the source if its packet is sound (and authentic, with SRTP): then call [`SourceLock::accept`].
    Learn,
    /// May become the source only if the packet continues the stream: [`SourceLock::continues`], or with SRTP an
    /// authentic packet above the highest index.
    Continue,
    /// Not the source: refuse the packet.
    Refuse,
}

/// How well an address fits what was signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Stranger,
    /// The host that the signalling comes from, or that the source before was on.
    Familiar,
    /// The host of the SDP, another port.
    Host,
    /// The address of the SDP.
    Exact,
}

#[derive(Debug, Clone, Copy)]
enum Learning {
    /// No packet since learning opened.
    Waiting,
    /// First packet at this time.
    Since(Instant),
    Over,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    address: SocketAddr,
    position: Position,
    heard: Instant,
    /// Learned before the SDP changed: one that fits as well may replace it.
    outdated: bool,
}

/// The source lock of one component (RTP or RTCP) of one leg.
#[derive(Debug, Clone)]
pub struct SourceLock {
    /// Last usable address of the SDP.
    signalled: Option<SocketAddr>,
    signalling: Option<IpAddr>,
    /// The destination follows the source.
    follows: bool,
    source: Option<Source>,
    learning: Learning,
    /// A source was there when learning opened: strangers must continue its stream.
    reopened: bool,
    /// The best that was heard since the SDP named its address.
    best: Rank,
    destination: Option<SocketAddr>,
}

impl Default for SourceLock {
    fn default() -> SourceLock {
        SourceLock::new()
    }
}

impl SourceLock {
    /// Learning, nothing signalled yet: accepts from anywhere, sends nowhere.
    pub fn new() -> SourceLock {
        SourceLock {
            signalled: None,
            signalling: None,
            follows: false,
            source: None,
            learning: Learning::Waiting,
            reopened: false,
            best: Rank::Stranger,
            destination: None,
        }
    }

    /// The peer spoke (answer, new To tag, re-INVITE, UPDATE): learning opens again.
    ///
    /// - `signalled`: the address of the SDP. `None`, port 0 or the unspecified address (old-style hold): we send nothing,
    ///   and what was learned stays.
    /// - `symmetric`: send to the source whatever the SDP says.
    /// - `signalling`: where the peer's signalling comes from.
    ///
    /// The source so far is accepted until a better one speaks. If the SDP's address has changed, one that fits as well
    /// is better (the answer comes from another machine than early media did); if not (hold and resume), only one that
    /// fits better, or one from a known host once the source is silent.
    pub fn reopen(&mut self, signalled: Option<SocketAddr>, symmetric: bool, signalling: Option<IpAddr>) {
        let usable = signalled.filter(|address| is_usable(*address));
        self.signalling = signalling.or(self.signalling);
        self.learning = Learning::Waiting;
        let Some(address) = usable else {
            self.destination = None;
            self.reopened = self.source.is_some();
            return;
        };
        let changed = self.signalled != usable;
        self.signalled = usable;
        self.follows = symmetric || is_private(address.ip());
        self.reopened = self.source.is_some() && !changed;
        if changed {
            self.best = Rank::Stranger;
        }
        if let Some(source) = &mut self.source {
            source.outdated |= changed;
        }
        let learned = self.source.filter(|_| self.follows && !changed).map(|source| source.address);
        self.destination = learned.or(usable);
    }

    /// The far side answered: learning opens again, with what was signalled before, unless the address of the SDP was heard.
    ///
    /// - `first`: it had said nothing before, so that nothing went through the call. Whoever was heard by then may be a stray,
    ///   and its stream binds nobody.
    pub fn reopen_by_answer(&mut self, now: Instant, first: bool) {
        if self.best == Rank::Exact {
            return;
        }
        self.reopened |= self.source.is_some() && !self.is_learning(now);
        if first && self.best < Rank::Host {
            self.reopened = false;
        }
        self.learning = Learning::Waiting;
    }

    /// Judges a packet that came `from` an address at `now`. Changes nothing.
    pub fn judge(&self, now: Instant, from: SocketAddr) -> Judgement {
        if !is_usable(from) {
            return Judgement::Refuse; // A source port of 0 cannot be answered, so it is nobody's.
        }
        let Some(source) = &self.source else { return Judgement::Learn };
        if source.address == from {
            return Judgement::Accept;
        }
        let silent = now.saturating_duration_since(source.heard) >= SILENCE;
        let (rank, rank_before) = (self.rank(from), self.rank(source.address));
        if !self.is_learning(now) {
            if self.best < Rank::Host && rank >= Rank::Host {
                return Judgement::Learn;
            }
            return match (silent, rank) {
                (true, Rank::Exact) => Judgement::Learn,
                (true, _) => Judgement::Continue,
                (false, _) => Judgement::Refuse,
            };
        }
        if rank > rank_before || source.outdated && rank == rank_before {
            Judgement::Learn
        } else if !silent {
            Judgement::Refuse
        } else if self.reopened && rank == Rank::Stranger {
            Judgement::Continue
        } else {
            Judgement::Learn
        }
    }

    /// Whether `position` continues the stream of the source.
    pub fn continues(&self, position: &Position) -> bool {
        self.source.as_ref().is_some_and(|source| position.continues(&source.position))
    }

    /// Whether an address is on the host of the SDP.
    pub fn is_on_signalled_host(&self, address: SocketAddr) -> bool {
        self.rank(address) >= Rank::Host
    }

    /// Whether an address is on the host of the source, of the SDP or of the signalling.
    pub fn is_on_known_host(&self, address: SocketAddr) -> bool {
        let source = self.source().is_some_and(|source| source.ip() == address.ip());
        source || self.rank(address) > Rank::Stranger
    }

    /// Takes `from` as the source, after a judgement that allows it and a packet that keeps to its terms.
    pub fn accept(&mut self, now: Instant, from: SocketAddr, position: Position) {
        if let (Some(source), Learning::Over) = (&mut self.source, self.learning)
            && source.address == from
        {
            (source.position, source.heard) = (position, now); // nearly every packet of a call
            return;
        }
        // Once learning is over nobody else has come: the peer sends from there still.
        let outdated = self.is_learning(now)
            && self.source.is_some_and(|source| source.address == from && source.outdated);
        self.source = Some(Source { address: from, position, heard: now, outdated });
        let rank = self.rank(from);
        self.best = self.best.max(rank);
        if rank == Rank::Exact || !self.is_learning(now) {
            self.learning = Learning::Over; // Nothing can better it, or time is up.
        } else if let Learning::Waiting = self.learning {
            self.learning = Learning::Since(now);
        }
        // What trails after a move draws us back only where the SDP's address is none that we reach.
        let follows =
            self.follows && (!outdated || self.signalled.is_some_and(|address| is_private(address.ip())));
        if follows && self.destination.is_some() {
            self.destination = Some(from);
        }
    }

    /// Where we send; `None`: nowhere yet, or not while held.
    pub fn destination(&self) -> Option<SocketAddr> {
        self.destination
    }

    /// The last usable address of the SDP.
    pub fn signalled(&self) -> Option<SocketAddr> {
        self.signalled
    }

    /// From where we accept; `None`: nothing came yet.
    pub fn source(&self) -> Option<SocketAddr> {
        self.source.map(|source| source.address)
    }

    fn is_learning(&self, now: Instant) -> bool {
        match self.learning {
            Learning::Waiting => true,
            Learning::Since(first) => now.saturating_duration_since(first) < LEARNING,
            Learning::Over => false,
        }
    }

    fn rank(&self, address: SocketAddr) -> Rank {
        let source = self.source.map(|source| source.address.ip());
        if self.signalled == Some(address) {
            Rank::Exact
        } else if self.signalled.is_some_and(|signalled| signalled.ip() == address.ip()) {
            Rank::Host
        } else if self.signalling == Some(address.ip()) || self.reopened && source == Some(address.ip()) {
            Rank::Familiar
        } else {
            Rank::Stranger
        }
    }
}

/// Whether a packet can be sent there.
fn is_usable(address: SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified()
}

/// Whether an address means nothing outside its own network: RFC 1918, RFC 6598, RFC 3927, RFC 4193, link-local.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || first == 100 && second & 0xc0 == 64
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: &str = "203.0.113.5:4000";
    const PRIVATE: &str = "192.168.1.9:4000";
    const NAT: &str = "198.51.100.7:61000";
    const NAT_REBOUND: &str = "198.51.100.7:62000";
    const SERVER: &str = "203.0.113.77:9000";
    const ATTACKER: &str = "192.0.2.66:1234";

    enum Step {
        /// SDP with this address.
        Sdp(&'static str),
        /// SDP of a symmetric peer.
        Symmetric(&'static str),
        /// A packet at ms, from, SSRC, seq: passed or not.
        Rtp(u64, &'static str, u32, u16, bool),
        /// Where we send now.
        SendsTo(Option<&'static str>),
    }
    use Step::{Rtp, Sdp, SendsTo, Symmetric};

    fn run(name: &str, steps: &[Step]) {
        let start = crate::test_start();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mut lock = SourceLock::new();
        for (n, step) in steps.iter().enumerate() {
            match step {
                Sdp(sdp) => lock.reopen(Some(address(sdp)), false, None),
                Symmetric(sdp) => lock.reopen(Some(address(sdp)), true, None),
                Rtp(ms, from, ssrc, seq, passed) => {
                    let (now, from) = (start + Duration::from_millis(*ms), address(from));
                    let position = Position { ssrc: Ssrc(*ssrc), seq: Some(*seq) };
                    let accept = match lock.judge(now, from) {
                        Judgement::Accept | Judgement::Learn => true,
                        Judgement::Continue => lock.continues(&position),
                        Judgement::Refuse => false,
                    };
                    assert_eq!(accept, *passed, "{name}, step {n}: {from} at {ms} ms");
                    if accept {
                        lock.accept(now, from, position);
                    }
                }
                SendsTo(to) => assert_eq!(lock.destination(), to.map(address), "{name}, step {n}"),
            }
        }
    }

    #[test]
    fn scenarios() {
        run(
            "an ordinary call",
            &[
                SendsTo(None),
                Sdp(PHONE),
                SendsTo(Some(PHONE)),
                Rtp(0, PHONE, 1, 1, true),
                Rtp(20, ATTACKER, 9, 1, false),
                Rtp(20, PHONE, 1, 2, true),
                SendsTo(Some(PHONE)),
            ],
        );
        run(
            "a public phone that sends from another address keeps its destination",
            &[Sdp(PHONE), Rtp(0, SERVER, 1, 1, true), SendsTo(Some(PHONE))],
        );
        run(
            "the SDP's address beats any other while learning, and only then",
            &[
                Sdp(PHONE),
                Rtp(0, ATTACKER, 9, 1, true),
                Rtp(20, ATTACKER, 9, 2, true),
                Rtp(100, PHONE, 1, 1, true),
                Rtp(120, ATTACKER, 9, 3, false),
                SendsTo(Some(PHONE)),
            ],
        );
        run(
            "a stray that came while the phone rang does not keep the caller out",
            &[
                Sdp(PHONE),
                Rtp(0, ATTACKER, 9, 1, true),
                Rtp(20_000, ATTACKER, 9, 1_000, true),
                Rtp(20_010, NAT, 3, 1, false), // whom nothing speaks for
                Rtp(20_020, PHONE, 1, 1, true),
                Rtp(20_040, ATTACKER, 9, 1_001, false),
                Rtp(22_000, ATTACKER, 9, 1_099, false),
            ],
        );
        run(
            "nor the SDP's host",
            &[
                Sdp(PHONE),
                Rtp(0, ATTACKER, 9, 1, true),
                Rtp(20_000, ATTACKER, 9, 1_000, true),
                Rtp(20_020, "203.0.113.5:4444", 1, 1, true),
                Rtp(20_040, PHONE, 2, 1, false), // another port of one that fits
                Rtp(20_040, ATTACKER, 9, 1_001, false),
            ],
        );
        run(
            "the phone that moved on is not thrown out in the name of where it was",
            &[
                Sdp(PHONE),
                Rtp(0, PHONE, 1, 1, true),
                Rtp(1_000, NAT, 1, 51, true),
                Rtp(1_020, PHONE, 2, 1, false),
                Rtp(2_000, NAT, 1, 101, true),
                Rtp(3_001, PHONE, 2, 50, true), // it fell silent; the SDP needs no continuity
            ],
        );
        run(
            "the SDP's host beats a stranger",
            &[
                Sdp(PHONE),
                Rtp(0, ATTACKER, 9, 1, true),
                Rtp(20, "203.0.113.5:4444", 1, 1, true),
                Rtp(40, ATTACKER, 9, 2, false),
                Rtp(60, PHONE, 2, 1, true),
            ],
        );
        run(
            "a phone behind NAT is followed",
            &[
                Sdp(PRIVATE),
                SendsTo(Some(PRIVATE)),
                Rtp(0, NAT, 1, 1, true),
                SendsTo(Some(NAT)),
                Rtp(20, ATTACKER, 9, 1, false),
                SendsTo(Some(NAT)),
            ],
        );
        run(
            "a symmetric peer is followed from a public address too",
            &[Symmetric(PHONE), SendsTo(Some(PHONE)), Rtp(0, NAT, 1, 1, true), SendsTo(Some(NAT))],
        );
        run(
            "early media from another address, answer from a third",
            &[
                Rtp(0, SERVER, 1, 1, true), // before any SDP
                SendsTo(None),
                Sdp(PHONE), // 183
                Rtp(20, SERVER, 1, 2, true),
                SendsTo(Some(PHONE)),
                Sdp("203.0.113.90:7000"), // 200 with a new To tag
                SendsTo(Some("203.0.113.90:7000")),
                Rtp(40, SERVER, 1, 3, true), // its last packets
                Rtp(60, "203.0.113.91:7002", 2, 1, true),
                Rtp(80, SERVER, 1, 4, false),
                Rtp(100, "203.0.113.90:7000", 2, 2, true),
                SendsTo(Some("203.0.113.90:7000")),
            ],
        );
        run(
            "a symmetric peer moves, and what trails after it does not draw us back",
            &[
                Symmetric(PHONE),
                Rtp(0, NAT, 1, 1, true),
                SendsTo(Some(NAT)),
                Rtp(4_000, NAT, 1, 200, true),
                Symmetric(SERVER),
                SendsTo(Some(SERVER)),
                Rtp(4_020, NAT, 1, 201, true),
                SendsTo(Some(SERVER)), // which may wait for us to speak first
                Rtp(4_040, SERVER, 2, 1, true),
                SendsTo(Some(SERVER)),
                Rtp(4_060, NAT, 1, 202, false),
            ],
        );
        run(
            "a symmetric peer that does not move after all",
            &[
                Symmetric(PHONE),
                Rtp(0, NAT, 1, 1, true),
                Symmetric(SERVER),
                Rtp(20, NAT, 1, 2, true),
                SendsTo(Some(SERVER)),
                Rtp(3_020, NAT, 1, 152, true),
                SendsTo(Some(NAT)),
            ],
        );
        run(
            "behind NAT there is nowhere else to send to",
            &[
                Sdp(PRIVATE),
                Rtp(0, NAT, 1, 1, true),
                Sdp("192.168.1.9:4002"),
                SendsTo(Some("192.168.1.9:4002")),
                Rtp(20, NAT, 1, 2, true),
                SendsTo(Some(NAT)),
                Rtp(40, NAT_REBOUND, 1, 3, true),
                SendsTo(Some(NAT_REBOUND)),
            ],
        );
        run(
            "hold and resume",
            &[
                Sdp(PRIVATE),
                Rtp(0, NAT, 1, 1, true),
                Sdp("0.0.0.0:4000"),
                SendsTo(None),
                Rtp(20, NAT, 1, 2, true),
                Rtp(1_020, ATTACKER, 9, 1, false),
                Rtp(1_040, NAT_REBOUND, 3, 1, true), // music from the same house
                SendsTo(None),
                Sdp(PRIVATE),
                SendsTo(Some(NAT_REBOUND)),
                Rtp(9_000, ATTACKER, 9, 2, false),
                Rtp(9_010, NAT, 4, 1, true),
                SendsTo(Some(NAT)),
            ],
        );
        run(
            "a rebind of NAT that nobody signalled",
            &[
                Sdp(PRIVATE),
                Rtp(0, NAT, 1, 65530, true),
                Rtp(3_500, NAT, 1, 65535, true),
                Rtp(3_520, NAT_REBOUND, 1, 0, false), // too early
                Rtp(4_499, NAT_REBOUND, 1, 48, false),
                Rtp(4_500, ATTACKER, 9, 49, false),    // another stream
                Rtp(4_500, ATTACKER, 1, 65535, false), // does not continue
                Rtp(4_500, NAT_REBOUND, 1, 49, true),
                SendsTo(Some(NAT_REBOUND)),
                Rtp(4_520, NAT, 1, 50, false),
            ],
        );
        run(
            "learning ends, spray or not",
            &[
                Sdp(PRIVATE),
                Rtp(0, NAT, 1, 1, true),
                Rtp(500, ATTACKER, 9, 1, false),
                Rtp(1_000, NAT, 1, 50, true),
                Rtp(2_000, NAT, 1, 100, true),
                Rtp(3_000, NAT, 1, 150, true),
                Rtp(3_999, ATTACKER, 9, 2, false),
                Rtp(4_500, ATTACKER, 9, 3, false),
                Rtp(4_520, NAT, 1, 200, true),
            ],
        );
    }

    #[test]
    fn the_host_of_the_signalling_beats_a_stranger() {
        let now = crate::test_start();
        let mut lock = SourceLock::new();
        let (nat, attacker): (SocketAddr, SocketAddr) = (NAT.parse().unwrap(), ATTACKER.parse().unwrap());
        lock.reopen(PRIVATE.parse().ok(), false, Some(nat.ip()));
        let position = Position { ssrc: Ssrc(9), seq: Some(1) };
        lock.accept(now, attacker, position);
        assert_eq!(lock.judge(now, nat), Judgement::Learn);
        lock.accept(now, nat, position);
        assert_eq!(lock.judge(now, attacker), Judgement::Refuse);
    }

    #[test]
    fn learning_opens_again_when_the_far_side_answers() {
        let start = crate::test_start();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let at = |seconds| start + Duration::from_secs(seconds);
        let position = |seq| Position { ssrc: Ssrc(9), seq: Some(seq) };
        let rung = || {
            let mut lock = SourceLock::new();
            lock.reopen(Some(address(PRIVATE)), false, Some(address(NAT).ip()));
            lock.accept(at(0), address(ATTACKER), position(1));
            lock
        };
        // It rang for long: a talking stray is the source, and nobody else.
        let mut lock = rung();
        lock.accept(at(20), address(ATTACKER), position(2));
        assert_eq!(lock.judge(at(20), address(NAT)), Judgement::Refuse);
        lock.reopen_by_answer(at(20), true);
        assert_eq!(lock.judge(at(20), address(NAT)), Judgement::Learn);
        assert_eq!(lock.judge(at(20), address(SERVER)), Judgement::Refuse);
        // A silent one gives way to whoever speaks first, as if it had never been; later on, only to its own stream.
        assert_eq!(lock.judge(at(21), address(SERVER)), Judgement::Learn);
        lock.accept(at(21), address(NAT), position(3));
        lock.accept(at(30), address(NAT), position(4));
        lock.reopen_by_answer(at(30), false);
        assert_eq!(lock.judge(at(31), address(SERVER)), Judgement::Continue);

        // A phone that was heard from where it said is in no doubt.
        let mut lock = rung();
        lock.accept(at(1), address(PRIVATE), position(1));
        lock.reopen_by_answer(at(20), true);
        assert_eq!(lock.judge(at(20), address(NAT)), Judgement::Continue);
    }

    #[test]
    fn what_counts_as_private() {
        for private in
            ["10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "169.254.1.1", "fd00::1", "fe80::1"]
        {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["127.0.0.1", "172.32.0.1", "100.128.0.1", "203.0.113.1", "2001:db8::1", "::1"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
