//! What was measured, per leg and direction.

use std::time::Duration;

use crate::codec::Codec;
use crate::srtp::SrtcpTag;

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
    /// The other leg has said no address to send to, no key to send under, or that it takes nothing of the kind now.
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
    /// Something was played to the other party in its place.
    Replaced,
}

impl Refusal {
    /// Every cause, in the order of [`Refusals::iter`].
    pub const ALL: [Refusal; 14] = [
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
        Refusal::Replaced,
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
            Refusal::Replaced => "replaced",
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
    /// own socket dropped ([`Refusal::Unread`]); what a minute has booked stays booked, though it may come late. Sent: what the
    /// peer reported, less the gaps that we forwarded to it. `None`: no packet came yet, or the peer has reported nothing.
    pub packets_lost: Option<u64>,
    /// Repeated RTP packets (received only).
    pub duplicates: u64,
    /// Silences of five seconds and more that nobody announced and that passed over numbers (received only): how many ended, and the
    /// packets lost in them, which `packets_lost` holds too.
    pub interruptions: (u64, u64),
    /// Mean over the period of the interarrival jitter, RFC 3550 A.8. Sent: the peer's figure, which is end to end: it
    /// holds the other leg's jitter too. `None`: no figure.
    pub jitter: Option<Duration>,
    /// Largest value of that jitter in the period.
    pub max_jitter: Option<Duration>,
    /// How the losses lie. Received: counted by us. Sent: as the peer reports it of the whole call by RTCP XR. `None`: nobody knows.
    pub pattern: Option<LossPattern>,
    /// How speech is coded: of the last packet. `None`: no packet came, or the peer has reported nothing.
    pub codec: Option<Codec>,
    /// Listening quality of this direction, 1 to 4.5, by the E-model. `None`: nothing to go by.
    pub mos: Option<f64>,
    /// The same on the scale of wideband speech (ITU-T G.107.1), of codecs that have it.
    pub wideband_mos: Option<f64>,
    /// What the peer thinks of the stream, 1 to 5: its MOS-CQ by RTCP XR, else its MOS-LQ (sent only).
    pub reported_mos: Option<f64>,
}

/// Bursts and gaps: [`BurstCounts`](crate::quality::BurstCounts) in figures.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossPattern {
    /// How many bursts there were; `None`: not known.
    pub bursts: Option<u64>,
    /// Share of packets lost in them, 0 to 1.
    pub burst_density: f64,
    /// How long one lasted, in the mean.
    pub burst_duration: Duration,
    /// Share of packets lost between them, 0 to 1.
    pub gap_density: f64,
    /// How long a gap lasted, in the mean.
    pub gap_duration: Duration,
    /// `BurstR` of ITU-T G.107, interruptions left out; `None`: not known.
    pub burst_ratio: Option<f64>,
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
    /// How long the tags of the peer's SRTCP are, by its own packets; `None`: none has come, or it is RTP.
    pub srtcp_tag: Option<SrtcpTag>,
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
