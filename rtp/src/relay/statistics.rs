//! What was measured, per leg and direction.

use std::time::Duration;

/// Why a datagram was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Not from the locked source.
    Source,
    /// From a new address after silence, without continuing SSRC and sequence.
    Discontinuous,
    /// Not RTP version 2, or not RTCP, or cut short.
    Malformed,
    /// Larger than a worker's buffer.
    Oversized,
    /// SRTP or SRTCP whose tag does not match, or whose key has not come yet.
    Unauthenticated,
    /// SRTP or SRTCP seen before, or older than the replay window. RTP that SRTP on the other leg has sent before.
    Replayed,
    /// The other leg has said no address to send to, or no key to send under.
    Unroutable,
    /// RTP of one more SSRC than may begin just then, where SRTP on the other leg remembers each; or of a peer that has not
    /// said what it sends.
    Surplus,
    /// The kernel would not take it: send buffer full, network unreachable.
    Unsent,
    /// From a media or signalling port of the gateway's own: it would go round for ever.
    Looped,
    /// Sound that waited behind other datagrams until it was too late to be played.
    Late,
    /// Never read: our own socket was full.
    Unread,
    /// Never read: a flood of strangers at one port, which the kernel sheds.
    Shed,
}

impl Refusal {
    /// Every cause, in the order of [`Refusals::iter`].
    pub const ALL: [Refusal; 13] = [
        Refusal::Source,
        Refusal::Discontinuous,
        Refusal::Malformed,
        Refusal::Oversized,
        Refusal::Unauthenticated,
        Refusal::Replayed,
        Refusal::Unroutable,
        Refusal::Surplus,
        Refusal::Unsent,
        Refusal::Looped,
        Refusal::Late,
        Refusal::Unread,
        Refusal::Shed,
    ];

    /// The cause as a metric label: lower-case letters.
    pub fn label(self) -> &'static str {
        match self {
            Refusal::Source => "source",
            Refusal::Discontinuous => "discontinuous",
            Refusal::Malformed => "malformed",
            Refusal::Oversized => "oversized",
            Refusal::Unauthenticated => "unauthenticated",
            Refusal::Replayed => "replayed",
            Refusal::Unroutable => "unroutable",
            Refusal::Surplus => "surplus",
            Refusal::Unsent => "unsent",
            Refusal::Looped => "looped",
            Refusal::Late => "late",
            Refusal::Unread => "unread",
            Refusal::Shed => "shed",
        }
    }
}

/// Refused datagrams by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refusals([u64; Refusal::ALL.len()]);

impl Refusals {
    /// Counts one more.
    pub fn add(&mut self, cause: Refusal) {
        self.add_many(cause, 1);
    }

    /// Counts `many` more.
    pub fn add_many(&mut self, cause: Refusal, many: u64) {
        if let Some(count) = self.0.get_mut(cause as usize) {
            *count += many;
        }
    }

    /// How many were refused for `cause`.
    pub fn of(&self, cause: Refusal) -> u64 {
        self.0.get(cause as usize).copied().unwrap_or(0)
    }

    /// How many were refused for any cause.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every cause with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.into_iter().zip(self.0)
    }

    /// What was added since `earlier`.
    pub fn since(&self, earlier: &Refusals) -> Refusals {
        let mut difference = *self;
        for (count, before) in difference.0.iter_mut().zip(earlier.0) {
            *count = count.saturating_sub(before);
        }
        difference
    }
}

/// One direction of one leg over a period (a minute, or the whole call).
///
/// Bytes are whole UDP payloads, headers included. RTCP that we receive ends here and RTCP that we send is our own, so
/// the two sides of a call are independent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FlowStatistics {
    /// RTP packets accepted, or sent.
    pub rtp_packets: u64,
    /// Bytes of those.
    pub rtp_bytes: u64,
    /// RTCP datagrams accepted, or sent.
    pub rtcp_packets: u64,
    /// Bytes of those.
    pub rtcp_bytes: u64,
    /// UDPTL packets accepted, or sent.
    pub udptl_packets: u64,
    /// Bytes of those.
    pub udptl_bytes: u64,
    /// RTP packets lost on this leg's own path. Received: counted by us, RFC 3550 A.3, less repeats, and less what our
    /// own socket dropped ([`Refusal::Unread`]). Sent: what the
    /// peer reported, less the gaps that we forwarded to it; 0 while it has reported nothing.
    pub packets_lost: u64,
    /// Repeated RTP packets (received only).
    pub duplicates: u64,
    /// Mean over the period of the interarrival jitter, RFC 3550 A.8. Sent: the peer's figure, which is end to end: it
    /// holds the other leg's jitter too. `None`: no figure.
    pub jitter: Option<Duration>,
    /// Largest value of that jitter in the period.
    pub max_jitter: Option<Duration>,
    /// Listening quality of this direction, 1 to 4.5, by the E-model. `None`: nothing to go by.
    pub mos: Option<f64>,
}

/// One leg over a period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LegStatistics {
    /// From the peer to us.
    pub received: FlowStatistics,
    /// From us to the peer.
    pub sent: FlowStatistics,
    /// Round trip between us and the peer, mean of the period. `None`: its reports answered none of ours.
    pub round_trip: Option<Duration>,
    /// The lower of both directions' MOS.
    pub mos: Option<f64>,
    /// What was refused on this leg's ports, by cause.
    pub refused: Refusals,
    /// For at least the inactivity timeout, off hold, this leg was silent while the other was heard.
    pub one_way_silence: bool,
}

/// Both legs of a call over a period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CallStatistics {
    /// How long the period was.
    pub period: Duration,
    /// The a-leg.
    pub a: LegStatistics,
    /// The b-leg.
    pub b: LegStatistics,
}
