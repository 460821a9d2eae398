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
//! A source for which nothing speaks (a stray that came while the phone rang, a stranger who was faster than a phone behind
//! NAT) is never quite locked: whoever fits what was signalled better than all that were heard takes over at any time, the
//! SDP's host before the host of the signalling. A stranger follows on those only by continuing their stream. RFC 7362 §4.

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
    /// The host that the source before was on.
    Familiar,
    /// The host that the signalling comes from.
    Signalling,
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
        if first && self.best < Rank::Signalling {
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
            // Another port of a host that was heard is no better.
            if rank >= Rank::Signalling && rank.min(Rank::Host) > self.best {
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
        } else if rank == Rank::Stranger && (self.reopened || self.best > Rank::Stranger) {
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

    /// Takes `from` as the source, after a judgement that allows it and a packet that keeps to its terms. Returns the stranger
    /// that had been the source, where a host that was signalled takes its place.
    pub fn accept(&mut self, now: Instant, from: SocketAddr, position: Position) -> Option<SocketAddr> {
        if let (Some(source), Learning::Over) = (&mut self.source, self.learning)
            && source.address == from
        {
            (source.position, source.heard) = (position, now); // nearly every packet of a call
            return None;
        }
        // Once learning is over nobody else has come: the peer sends from there still.
        let before = self.source.filter(|source| source.address != from && !source.outdated);
        let stranger =
            before.map(|source| source.address).filter(|before| self.rank(*before) < Rank::Signalling);
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
        stranger.filter(|_| rank >= Rank::Signalling)
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

    /// The source, where it is on a host that was signalled and time to learn is over: nobody else is heard while it sends,
    /// but who fits better still.
    pub fn settled(&self, now: Instant) -> Option<SocketAddr> {
        let is_settled =
            |source: &SocketAddr| !self.is_learning(now) && self.rank(*source) >= Rank::Signalling;
        self.source().filter(is_settled)
    }

    /// The source, once time to learn is over for good: whoever else is heard instead must come and ask.
    pub(crate) fn locked(&self) -> Option<SocketAddr> {
        self.source().filter(|_| matches!(self.learning, Learning::Over))
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
        } else if self.signalling == Some(address.ip()) {
            Rank::Signalling
        } else if self.reopened && source == Some(address.ip()) {
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
mod tests;
