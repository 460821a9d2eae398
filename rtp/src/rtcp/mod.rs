//! RTCP: compound packets, read tolerantly and written strictly. RFC 3550 §6.

mod read;
mod write;
mod xr;

pub use read::{Compound, Packet, ReportBlocks, RtcpError, Ssrcs};
pub use write::Writer;
pub use xr::{VoipMetrics, XrBlock, XrBlocks};

use crate::ntp::{NtpShort, NtpTime};
use crate::packet::Ssrc;

/// Packet type of a sender report.
pub const SENDER_REPORT: u8 = 200;
/// Packet type of a receiver report.
pub const RECEIVER_REPORT: u8 = 201;
/// Packet type of a source description.
pub const SOURCE_DESCRIPTION: u8 = 202;
/// Packet type of a goodbye.
pub const BYE: u8 = 203;
/// Packet type of an extended report. RFC 3611 §2.
pub const EXTENDED_REPORT: u8 = 207;

/// What a sender says of its own stream. RFC 3550 §6.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// When the report was sent.
    pub ntp: NtpTime,
    /// The same moment in ticks of the stream's clock.
    pub rtp_timestamp: u32,
    /// RTP packets sent since the stream began; wraps.
    pub packets: u32,
    /// Payload bytes sent, without headers and padding; wraps.
    pub bytes: u32,
}

/// What a receiver says of one stream. RFC 3550 §6.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    /// The stream.
    pub ssrc: Ssrc,
    /// Loss since its last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the stream began, 24 bits signed; negative after repeats.
    pub cumulative_lost: i32,
    /// Cycles above, highest sequence number below.
    pub highest_seq: u32,
    /// Interarrival jitter in ticks of the stream's clock.
    pub jitter: u32,
    /// Middle bits of the NTP time in the last sender report; 0: none came.
    pub last_sr: NtpShort,
    /// Time between that report's arrival and this one.
    pub delay_since_last_sr: NtpShort,
}
