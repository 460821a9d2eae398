//! What crossed in a call, as numbers: a small ring that a call keeps, and the lines that are made of it.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sip::{Message, Method};

use crate::clock::Now;
use crate::peer::{ConnectionId, Peer, Source, Transport};

/// The first messages of a call stay, whatever follows.
const FIRST: u8 = 12;
/// So many messages are known of a call: the first ones, and the newest.
const MOST: u8 = 40;
/// So many ways, each an address and a leg, are told apart in a call.
const WAYS: usize = 16;
/// Room to begin with: a call that is set up, answered and hung up.
const USUAL: usize = 14;

/// Methods by the numbers that stand for them.
static METHODS: [Method; 14] = [
    Method::Invite,
    Method::Ack,
    Method::Bye,
    Method::Cancel,
    Method::Options,
    Method::Register,
    Method::Prack,
    Method::Update,
    Method::Info,
    Method::Message,
    Method::Refer,
    Method::Notify,
    Method::Subscribe,
    Method::Publish,
];

/// Which leg of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Who called us.
    A,
    /// Whom we called.
    B,
    /// A party that came from another call.
    Joined,
}

/// A message that came or went.
#[derive(Debug, Clone, Copy)]
pub enum Crossed<'a> {
    /// From a peer.
    Received(&'a Source),
    /// To a peer.
    Sent(&'a Peer),
    /// A CANCEL, by the way of its INVITE.
    Cancelled,
}

/// What crossed in one call. TLS makes no difference: a message is noted before it is encrypted, and after it was decrypted.
#[derive(Debug, Clone)]
pub struct Ladder {
    began: Instant,
    rungs: Vec<Rung>,
    ways: Ways,
    /// Messages that had to make room.
    left_out: u32,
    /// Where the oldest of those that are not the first ones stands.
    oldest: u8,
}

/// One message, and copies of it that followed at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rung {
    /// Since the call began.
    milliseconds: u32,
    cseq: u32,
    /// Bytes; no more than fit.
    size: u16,
    /// 0: a request.
    status: u16,
    /// An index into [`METHODS`]; any other: a method without a number.
    method: u8,
    way: u8,
    is_sent: bool,
    copies: u8,
}

/// A peer as a leg has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// IPv4 as IPv6.
    address: Ipv6Addr,
    port: u16,
    leg: Leg,
    transport: Transport,
    connection: Option<ConnectionId>,
}

impl Way {
    fn new(leg: Leg, transport: Transport, remote: SocketAddr, connection: Option<ConnectionId>) -> Self {
        let address = match remote.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        Way { address, port: remote.port(), leg, transport, connection }
    }

    fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.address.to_canonical(), self.port)
    }

    /// Whether it leads to the same place: a connection has one other end, whatever address stands beside it.
    fn is(&self, other: &Way) -> bool {
        let same_end = match (self.connection, other.connection) {
            (Some(one), Some(other)) => one == other,
            _ => (self.address, self.port) == (other.address, other.port),
        };
        same_end && self.leg == other.leg && self.transport == other.transport
    }
}

/// The ways of a call: mostly two, which need no room of their own.
#[derive(Debug, Default, Clone)]
struct Ways {
    first: [Option<Way>; 2],
    more: Vec<Way>,
}

impl Ways {
    fn iter(&self) -> impl Iterator<Item = &Way> {
        self.first.iter().flatten().chain(&self.more)
    }

    /// The number of a way; the last one's where there are too many.
    fn number(&mut self, way: Way) -> u8 {
        let known = self.iter().position(|known| known.is(&way));
        let number = known.unwrap_or_else(|| {
            let free = self.first.iter_mut().find(|place| place.is_none());
            match free {
                Some(free) => *free = Some(way),
                None if self.more.len() < WAYS => self.more.push(way),
                None => {}
            }
            self.iter().count() - 1
        });
        u8::try_from(number).unwrap_or(u8::MAX)
    }

    fn get(&self, number: u8) -> Option<&Way> {
        self.iter().nth(usize::from(number))
    }
}

impl Ladder {
    /// Of a call that begins now.
    pub fn new(now: Now) -> Self {
        Ladder { began: now.instant, rungs: Vec::new(), ways: Ways::default(), left_out: 0, oldest: FIRST }
    }

    /// Takes note of a message.
    pub fn note(&mut self, now: Now, leg: Leg, crossed: Crossed<'_>, message: &Message) {
        let (cseq, method) = match message.cseq() {
            Ok(cseq) => (cseq.number, METHODS.iter().position(|known| *known == cseq.method)),
            Err(_) => (0, None),
        };
        let way = match crossed {
            Crossed::Received(&Source { transport, remote, connection, .. }) => {
                self.ways.number(Way::new(leg, transport, remote, connection))
            }
            Crossed::Sent(&Peer { transport, remote, connection, .. }) => {
                self.ways.number(Way::new(leg, transport, remote, connection))
            }
            Crossed::Cancelled => {
                let invite = |rung: &&Rung| rung.cseq == cseq && rung.status == 0 && !rung.is_sent;
                self.rungs.iter().rev().find(invite).map_or(0, |invite| invite.way)
            }
        };
        let rung = Rung {
            milliseconds: millis(now.instant.saturating_duration_since(self.began)),
            cseq,
            size: u16::try_from(message.bytes().len()).unwrap_or(u16::MAX),
            status: message.status().map_or(0, |status| status.code()),
            method: method.and_then(|index| u8::try_from(index).ok()).unwrap_or(u8::MAX),
            way,
            is_sent: matches!(crossed, Crossed::Sent(_)),
            copies: 0,
        };
        self.push(rung);
    }

    fn push(&mut self, rung: Rung) {
        if let Some(same) = self.newest().filter(|newest| newest.is_copy(&rung)) {
            same.copies = same.copies.saturating_add(1);
            return;
        }
        // The transaction layer has acknowledged a refusal before anybody hears of it.
        let mut rung = rung;
        if let Some(acknowledged) = self.newest().filter(|newest| newest.acknowledges(&rung)) {
            std::mem::swap(acknowledged, &mut rung);
        }
        let room = usize::from(MOST).saturating_sub(self.rungs.len());
        if room > 0 {
            if self.rungs.len() == self.rungs.capacity() {
                self.rungs.reserve_exact(USUAL.min(room));
            }
            return self.rungs.push(rung);
        }
        if let Some(oldest) = self.rungs.get_mut(usize::from(self.oldest)) {
            *oldest = rung;
        }
        self.left_out = self.left_out.saturating_add(1);
        self.oldest = if self.oldest + 1 == MOST { FIRST } else { self.oldest + 1 };
    }

    fn newest(&mut self) -> Option<&mut Rung> {
        match self.left_out {
            0 => self.rungs.last_mut(),
            _ => {
                self.rungs.get_mut(usize::from(if self.oldest == FIRST { MOST - 1 } else { self.oldest - 1 }))
            }
        }
    }

    /// Where the message came from that began it; `None`: it was ours.
    pub fn origin(&self) -> Option<(SocketAddr, Transport)> {
        let first = self.rungs.first().filter(|rung| !rung.is_sent)?;
        self.ways.get(first.way).map(|way| (way.remote(), way.transport))
    }

    /// Where a leg's newest message came from.
    pub fn other_end(&self, leg: Leg) -> Option<SocketAddr> {
        let ways = |rung: &&Rung| !rung.is_sent && self.ways.get(rung.way).is_some_and(|way| way.leg == leg);
        let newest = self.rungs.iter().filter(ways).max_by_key(|rung| rung.milliseconds)?;
        self.ways.get(newest.way).map(Way::remote)
    }

    /// The status of the newest response that came on a leg.
    pub fn last_response(&self, leg: Leg) -> Option<u16> {
        let is_of = |rung: &&Rung| {
            !rung.is_sent && rung.status != 0 && self.ways.get(rung.way).is_some_and(|way| way.leg == leg)
        };
        self.rungs.iter().filter(is_of).max_by_key(|rung| rung.milliseconds).map(|rung| rung.status)
    }

    /// What it takes of the heap, in bytes.
    pub fn bytes(&self) -> usize {
        self.rungs.capacity() * size_of::<Rung>() + self.ways.more.capacity() * size_of::<Way>()
    }

    /// What crossed, in order.
    pub fn lines(&self) -> Vec<LadderLine> {
        let (first, rest) = self.rungs.split_at(self.rungs.len().min(usize::from(FIRST)));
        let (newer, older) = rest.split_at(rest.len().min(usize::from(self.oldest - FIRST)));
        let mut left_out = self.left_out;
        let rest = older.iter().chain(newer).map(|rung| (rung, std::mem::take(&mut left_out)));
        let all = first.iter().map(|rung| (rung, 0)).chain(rest);
        all.filter_map(|(rung, left_out)| self.line(rung, left_out)).collect()
    }

    fn line(&self, rung: &Rung, left_out: u32) -> Option<LadderLine> {
        let way = self.ways.get(rung.way)?;
        let method = METHODS.get(usize::from(rung.method)).map_or_else(|| "?".to_owned(), Method::to_string);
        Some(LadderLine {
            milliseconds: rung.milliseconds,
            leg: way.leg,
            sent: rung.is_sent,
            method,
            status: (rung.status != 0).then_some(rung.status),
            cseq: rung.cseq,
            transport: way.transport.parameter().to_owned(),
            remote: way.remote(),
            bytes: u32::from(rung.size),
            copies: u32::from(rung.copies),
            left_out,
        })
    }
}

impl Rung {
    /// Whether it is the ACK of a refusal that is noted after it.
    fn acknowledges(&self, refusal: &Rung) -> bool {
        let is_ack = METHODS.get(usize::from(self.method)) == Some(&Method::Ack) && self.is_sent;
        is_ack
            && refusal.status >= 300
            && !refusal.is_sent
            && (self.way, self.cseq) == (refusal.way, refusal.cseq)
    }

    /// The same said once more, with nothing between.
    fn is_copy(&self, other: &Rung) -> bool {
        let marks = |rung: &Rung| (rung.cseq, rung.size, rung.status, rung.method, rung.way, rung.is_sent);
        marks(self) == marks(other)
    }
}

/// One message of a call's ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LadderLine {
    /// Since the call began.
    pub milliseconds: u32,
    /// Whose leg.
    pub leg: Leg,
    /// By us; otherwise to us.
    pub sent: bool,
    /// Of a request; of a response, that of its CSeq.
    pub method: String,
    /// Of a response.
    pub status: Option<u16>,
    /// The number of CSeq.
    pub cseq: u32,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// Where it came from, or went.
    pub remote: SocketAddr,
    /// Its size.
    pub bytes: u32,
    /// So often it was repeated, with nothing else between.
    pub copies: u32,
    /// So many messages before it are not known any more.
    pub left_out: u32,
}

impl fmt::Display for LadderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.left_out > 0 {
            writeln!(f, "{:>11} {} messages are not known any more", "...", self.left_out)?;
        }
        let seconds = Duration::from_millis(u64::from(self.milliseconds)).as_secs_f64();
        let leg = match self.leg {
            Leg::A => "a",
            Leg::B => "b",
            Leg::Joined => "joined",
        };
        let way = if self.sent { "->" } else { "<-" };
        let what = match self.status {
            Some(status) => format!("{status} ({})", self.method),
            None => self.method.clone(),
        };
        write!(
            f,
            "{seconds:>10.3}s {leg} {way} {:<21} {} {what:<14} CSeq {}, {} bytes",
            self.remote.to_string(),
            self.transport,
            self.cseq,
            self.bytes
        )?;
        match self.copies {
            0 => Ok(()),
            1 => f.write_str(", once more"),
            copies => write!(f, ", {copies} times more"),
        }
    }
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use sip::{Builder, Name};

    use super::*;
    use crate::peer::ListenerId;

    fn now(milliseconds: u64, start: Instant) -> Now {
        let passed = Duration::from_millis(milliseconds);
        Now { instant: start + passed, unix: Duration::from_secs(1_700_000_000) + passed }
    }

    fn request(method: Method, cseq: u32) -> Message {
        let builder = Builder::request(method.clone(), "sip:+12065550100@vc.example.com");
        builder.header(Name::CSeq, format!("{cseq} {method}")).build()
    }

    fn peer(last: u8) -> Peer {
        Peer::new(Transport::Tls, ListenerId(0), SocketAddr::from((IpAddr::from([10, 0, 0, last]), 5061)))
    }

    #[test]
    fn the_first_messages_and_the_newest_are_known_and_how_many_are_not() {
        let start = Instant::now();
        let mut ladder = Ladder::new(now(0, start));
        for number in 0..100_u32 {
            let way = peer(u8::from(number % 2 == 1));
            ladder.note(
                now(u64::from(number) * 1000, start),
                Leg::A,
                Crossed::Sent(&way),
                &request(Method::Info, number),
            );
        }
        let lines = ladder.lines();
        let numbers: Vec<u32> = lines.iter().map(|line| line.cseq).collect();
        let expected: Vec<u32> = (0..u32::from(FIRST)).chain(100 - u32::from(MOST - FIRST)..100).collect();
        assert_eq!(numbers, expected);
        let gaps: Vec<u32> = lines.iter().map(|line| line.left_out).filter(|count| *count > 0).collect();
        assert_eq!((gaps, lines[usize::from(FIRST)].left_out), (vec![60], 60));
        assert!(ladder.bytes() < 1024, "{}", ladder.bytes());
    }

    #[test]
    fn copies_are_counted_also_where_the_ring_has_turned() {
        let start = Instant::now();
        let mut ladder = Ladder::new(now(0, start));
        for number in 0..u32::from(MOST) + 3 {
            for _ in 0..3 {
                ladder.note(now(0, start), Leg::B, Crossed::Sent(&peer(1)), &request(Method::Info, number));
            }
        }
        assert!(ladder.lines().iter().all(|line| line.copies == 2), "{:#?}", ladder.lines());
    }

    #[test]
    fn a_line_tells_when_which_leg_and_what() {
        let start = Instant::now();
        let mut ladder = Ladder::new(now(0, start));
        let invite = request(Method::Invite, 7);
        ladder.note(now(20, start), Leg::B, Crossed::Sent(&peer(1)), &invite);
        let busy = Builder::response(sip::StatusCode::BUSY_HERE, "Busy").header(Name::CSeq, "7 INVITE");
        let source = Source {
            transport: Transport::Tls,
            listener: ListenerId(0),
            local: SocketAddr::from(([192, 0, 2, 1], 5061)),
            remote: peer(1).remote,
            connection: None,
            secured: None,
        };
        ladder.note(now(1_320, start), Leg::B, Crossed::Received(&source), &busy.build());
        let lines: Vec<String> = ladder.lines().iter().map(ToString::to_string).collect();
        assert!(
            lines[0].starts_with("     0.020s b -> 10.0.0.1:5061         tls INVITE         CSeq 7, "),
            "{lines:?}"
        );
        assert!(
            lines[1].starts_with("     1.320s b <- 10.0.0.1:5061         tls 486 (INVITE)   CSeq 7, "),
            "{lines:?}"
        );
        let odd = request(Method::parse("FROB").unwrap(), 8);
        ladder.note(now(1_400, start), Leg::B, Crossed::Sent(&peer(1)), &odd);
        assert_eq!(ladder.lines()[2].method, "?");
    }
}
