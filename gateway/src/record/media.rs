//! What a wide record says of a call's media: the figures of its media worker, of the whole call.

use std::time::Duration;

use rtp::relay::{CallStatistics, FlowStatistics, LegStatistics, LossPattern};
use rtp::srtp::SrtcpTag;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Both parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaDetail {
    /// How long ports were open, in milliseconds.
    pub milliseconds: u64,
    /// Between the caller and us.
    pub caller: PartyMedia,
    /// Between the callee and us.
    pub callee: PartyMedia,
}

/// What crossed between one party and us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyMedia {
    /// What came from the party.
    pub received: StreamDetail,
    /// What was sent to it.
    pub sent: StreamDetail,
    /// From us to the party and back, the mean, in microseconds; null where it sent no RTCP to tell.
    pub round_trip: Option<u32>,
    /// For the media timeout the party was not heard while the other was.
    pub one_way_silence: bool,
    /// Bits of the tags of its SRTCP, by its own packets; null for RTP, and where none came.
    pub srtcp_tag: Option<u8>,
}

/// One direction. Bytes are those of the datagrams, headers of RTP included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamDetail {
    /// RTP packets.
    pub rtp_packets: u64,
    /// Bytes of those.
    pub rtp_bytes: u64,
    /// RTCP datagrams.
    pub rtcp_packets: u64,
    /// Bytes of those.
    pub rtcp_bytes: u64,
    /// Datagrams of fax by T.38.
    pub udptl_packets: u64,
    /// Bytes of those.
    pub udptl_bytes: u64,
    /// RTP packets that were lost on the way between the party and us; of what was sent, as the party reports, null where it does
    /// not.
    pub packets_lost: Option<u64>,
    /// Interarrival jitter, the mean, in microseconds; null where nothing tells.
    pub jitter: Option<u32>,
    /// Its largest value.
    pub max_jitter: Option<u32>,
    /// RTP packets that came again; of what was received.
    pub duplicates: u64,
    /// Silences of five seconds and more that nobody announced; of what was received.
    pub interruptions: u64,
    /// How the losses lie; of what was sent, as the party reports; null where nobody knows.
    pub loss: Option<LossDetail>,
    /// Mean opinion score; null where too little crossed, or was reported, to go by.
    pub mos: Option<Opinion>,
    /// The same on the scale of wideband speech; null for other codecs than G.722 and Opus.
    pub wideband_mos: Option<Opinion>,
    /// What the party itself thinks of what was sent, by RTCP XR; null where it does not say.
    pub reported_mos: Option<Opinion>,
}

/// Bursts and gaps. RFC 3611 §4.7.2, with a Gmin of 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossDetail {
    /// How many bursts there were; null where the party does not report it.
    pub bursts: Option<u64>,
    /// Share of packets lost in bursts.
    pub burst_density: Share,
    /// Milliseconds of a burst, the mean.
    pub burst_duration: u32,
    /// Share of packets lost between them.
    pub gap_density: Share,
    /// Milliseconds of a gap, the mean.
    pub gap_duration: u32,
}

/// A share, 0 to 1: ten-thousandths in the journal, a number with four decimals in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share(u16);

/// A mean opinion score, 1.00 to 4.50: hundredths in the journal, a number with two decimals in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opinion(u16);

impl MediaDetail {
    /// What the media worker has counted.
    #[must_use]
    pub fn of(statistics: &CallStatistics) -> Self {
        MediaDetail {
            milliseconds: super::milliseconds(statistics.period),
            caller: PartyMedia::of(&statistics.a),
            callee: PartyMedia::of(&statistics.b),
        }
    }
}

impl PartyMedia {
    fn of(leg: &LegStatistics) -> Self {
        PartyMedia {
            received: StreamDetail::of(&leg.received),
            sent: StreamDetail::of(&leg.sent),
            round_trip: leg.round_trip.map(microseconds),
            one_way_silence: leg.one_way_silence,
            srtcp_tag: leg.srtcp_tag.map(SrtcpTag::bits),
        }
    }
}

impl StreamDetail {
    fn of(flow: &FlowStatistics) -> Self {
        StreamDetail {
            rtp_packets: flow.rtp_packets,
            rtp_bytes: flow.rtp_bytes,
            rtcp_packets: flow.rtcp_packets,
            rtcp_bytes: flow.rtcp_bytes,
            udptl_packets: flow.udptl_packets,
            udptl_bytes: flow.udptl_bytes,
            packets_lost: flow.packets_lost,
            jitter: flow.jitter.map(microseconds),
            max_jitter: flow.max_jitter.map(microseconds),
            duplicates: flow.duplicates,
            interruptions: flow.interruptions.0,
            loss: flow.pattern.map(LossDetail::of),
            mos: flow.mos.map(Opinion::of),
            wideband_mos: flow.wideband_mos.map(Opinion::of),
            reported_mos: flow.reported_mos.map(Opinion::of),
        }
    }
}

impl LossDetail {
    /// As it was counted, or reported.
    #[must_use]
    pub fn of(pattern: LossPattern) -> Self {
        let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        LossDetail {
            bursts: pattern.bursts,
            burst_density: Share::of(pattern.burst_density),
            burst_duration: milliseconds(pattern.burst_duration),
            gap_density: Share::of(pattern.gap_density),
            gap_duration: milliseconds(pattern.gap_duration),
        }
    }
}

impl Share {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn of(share: f64) -> Self {
        Share((share.clamp(0.0, 1.0) * 10_000.0).round() as u16)
    }

    /// From 0 to 1.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_f64(self.value()),
            false => serializer.serialize_u16(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => f64::deserialize(deserializer).map(Share::of),
            false => u16::deserialize(deserializer).map(Share),
        }
    }
}

impl Opinion {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    fn of(score: f64) -> Self {
        Opinion((score.clamp(1.0, 4.5) * 100.0).round() as u16)
    }

    /// The score.
    #[must_use]
    pub fn score(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl Serialize for Opinion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_f64(self.score()),
            false => serializer.serialize_u16(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Opinion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.is_human_readable() {
            true => f64::deserialize(deserializer).map(Opinion::of),
            false => u16::deserialize(deserializer).map(Opinion),
        }
    }
}

fn microseconds(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
