//! What a peer said about its media.

use std::net::{IpAddr, SocketAddr};

use crate::codec::Codec;
use crate::srtp::SrtpKeys;

/// One of the two legs of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The a-leg: whoever called us.
    A,
    /// The b-leg: whom we called.
    B,
}

impl Side {
    /// The leg across.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// What flows on the relayed stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StreamKind {
    /// RTP with RTCP beside it. RFC 3550.
    #[default]
    Rtp,
    /// T.38 over UDPTL: relayed opaque, no RTCP. ITU-T T.38 Annex D.
    Udptl,
}

/// The blocks of RTCP XR that a peer asks for by `a=rtcp-xr`. RFC 3611 §5.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtendedReports {
    /// `rcvr-rtt`: it answers a receiver reference time, by which who sends no media learns of the round trip, too.
    pub receiver_reference_time: bool,
    /// `voip-metrics`: what we think of its stream.
    pub voip_metrics: bool,
}

/// The media description that a peer sent last: where it wants its media and how to read what it sends.
///
/// Comes from SDP; the default is a peer that has said nothing yet. Build it as `Remote { rtp, ..Remote::default() }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remote {
    /// Where it wants RTP (or UDPTL): `c=` and the port of `m=`. `None`: port 0, or no SDP.
    pub rtp: Option<SocketAddr>,
    /// Where it wants RTCP: `a=rtcp`, else the port after RTP's; with `mux` this is not looked at.
    pub rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port. RFC 5761.
    pub mux: bool,
    /// It has said sendonly or inactive, or an address of zeros: it is sent nothing, and silence is expected. RFC 3264 §8.4.
    pub on_hold: bool,
    /// Both legs are streams of one peer that we only listen to: what comes from it is measured and goes no further.
    pub ends_here: bool,
    /// Send to where its packets come from, whatever the SDP says.
    pub symmetric: bool,
    /// RTP or T.38.
    pub kind: StreamKind,
    /// Clock rate in Hz of each payload type in the SDP; a static type that is absent has RFC 3551's.
    pub clock_rates: Vec<(u8, u32)>,
    /// Codec of each payload type in the SDP; a static type that is absent is RFC 3551's.
    pub codecs: Vec<(u8, Codec)>,
    /// Milliseconds of sound in a packet that it wants: `a=ptime`.
    pub packet_ms: Option<u32>,
    /// Payload types of telephone-event. RFC 4733.
    pub events: Vec<u8>,
    /// Payload types of comfort noise; 13 counts always. RFC 3389.
    pub comfort_noise: Vec<u8>,
    /// The extended reports that it asked for.
    pub extended: ExtendedReports,
    /// The keys of SRTP; `None`: RTP. Keys that are the same as before go on as they were, others follow on: see
    /// [`Session::rekey`](crate::srtp::Session::rekey).
    pub srtp: Option<Box<SrtpKeys>>,
    /// It is the customer's, not a carrier's: under which side the gateway's totals count it.
    pub customer: bool,
    /// Address that its signalling comes from, where known: it decides between strangers while the lock learns.
    pub signalling: Option<IpAddr>,
}
