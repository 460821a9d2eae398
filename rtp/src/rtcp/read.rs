//! Reading: takes what the field sends, and never reads past a packet's own length.

use super::{
    BYE, EXTENDED_REPORT, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo,
    XrBlocks,
};
use crate::ntp::{NtpShort, NtpTime};
use crate::packet::Ssrc;

/// Why a datagram is no RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtcpError {
    /// Not even one whole packet.
    #[error("{0} bytes are too short for an RTCP packet")]
    Short(usize),
    /// The first two bits are not 2.
    #[error("version {0} instead of 2")]
    Version(u8),
    /// The first packet's type is none of RTCP's, 192 to 223.
    #[error("packet type {0} is not RTCP")]
    Type(u8),
}

/// A datagram of RTCP packets.
///
/// Tolerant: the first packet need not be a report (RFC 5506), unknown types are passed over as [`Packet::Other`], and
/// reading ends quietly at the first packet that does not fit, so what came before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

/// One packet of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// SR: what the sender says of its stream and of those that it receives.
    SenderReport {
        /// The stream that it sends.
        ssrc: Ssrc,
        /// Its counts and clocks.
        info: SenderInfo,
        /// Streams that it receives.
        reports: ReportBlocks<'a>,
    },
    /// RR: the same from one that sends nothing.
    ReceiverReport {
        /// The reporter.
        ssrc: Ssrc,
        /// Streams that it receives.
        reports: ReportBlocks<'a>,
    },
    /// SDES: the CNAME of the first chunk, where it has one.
    SourceDescription {
        /// Whom it describes; `None`: no chunk.
        ssrc: Option<Ssrc>,
        /// Its canonical name as it came, perhaps not UTF-8.
        cname: Option<&'a [u8]>,
    },
    /// BYE: these streams end.
    Bye {
        /// The streams.
        ssrcs: Ssrcs<'a>,
        /// Why, as it came.
        reason: Option<&'a [u8]>,
    },
    /// XR: what a report has no room for. RFC 3611.
    ExtendedReport {
        /// The reporter.
        ssrc: Ssrc,
        /// What it says.
        blocks: XrBlocks<'a>,
    },
    /// Any other type: APP, feedback.
    Other {
        /// The packet type.
        packet_type: u8,
    },
}

impl<'a> Compound<'a> {
    /// Checks that `bytes`, one whole UDP payload, begins with an RTCP packet. RFC 3550 A.2, less its strictness.
    ///
    /// # Errors
    /// The bytes are no RTCP packet.
    pub fn parse(bytes: &'a [u8]) -> Result<Compound<'a>, RtcpError> {
        let Some([first, packet_type, ..]) = bytes.first_chunk::<4>() else {
            return Err(RtcpError::Short(bytes.len()));
        };
        if first >> 6 != 2 {
            return Err(RtcpError::Version(first >> 6));
        }
        if !(192..=223).contains(packet_type) {
            return Err(RtcpError::Type(*packet_type));
        }
        let compound = Compound { rest: bytes };
        if compound.clone().next().is_none() {
            return Err(RtcpError::Short(bytes.len()));
        }
        Ok(compound)
    }

    /// The sender: the SSRC that begins its first packet.
    pub fn sender(&self) -> Option<Ssrc> {
        self.rest.get(4..).and_then(word).map(Ssrc)
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let [first, packet_type, high, low] = self.rest.first_chunk::<4>()?;
        if first >> 6 != 2 {
            return None;
        }
        let len = 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
        let (packet, rest) = self.rest.split_at_checked(len)?;
        let body = packet.get(4..)?;
        let parsed = parse_packet(*packet_type, usize::from(first & 0x1f), body);
        self.rest = if parsed.is_some() { rest } else { &[] };
        parsed
    }
}

fn parse_packet(packet_type: u8, count: usize, body: &[u8]) -> Option<Packet<'_>> {
    Some(match packet_type {
        SENDER_REPORT => Packet::SenderReport {
            ssrc: Ssrc(word(body)?),
            info: SenderInfo {
                ntp: NtpTime(u64::from(word(body.get(4..)?)?) << 32 | u64::from(word(body.get(8..)?)?)),
                rtp_timestamp: word(body.get(12..)?)?,
                packets: word(body.get(16..)?)?,
                bytes: word(body.get(20..)?)?,
            },
            reports: ReportBlocks::new(count, body.get(24..)?),
        },
        RECEIVER_REPORT => Packet::ReceiverReport {
            ssrc: Ssrc(word(body)?),
            reports: ReportBlocks::new(count, body.get(4..)?),
        },
        SOURCE_DESCRIPTION => {
            let ssrc = if count > 0 { word(body).map(Ssrc) } else { None };
            let cname = if ssrc.is_some() { body.get(4..).and_then(cname) } else { None };
            Packet::SourceDescription { ssrc, cname }
        }
        BYE => {
            let (ssrcs, rest) = body.split_at_checked(4 * count)?;
            let reason = match rest {
                [len, text @ ..] => text.get(..usize::from(*len)),
                [] => None,
            };
            Packet::Bye { ssrcs: Ssrcs { bytes: ssrcs }, reason }
        }
        EXTENDED_REPORT => {
            Packet::ExtendedReport { ssrc: Ssrc(word(body)?), blocks: XrBlocks::new(body.get(4..)?) }
        }
        _ => Packet::Other { packet_type },
    })
}

/// The first CNAME item (type 1) of a chunk, up to the item that ends it (type 0).
fn cname(mut items: &[u8]) -> Option<&[u8]> {
    loop {
        let [item, len, rest @ ..] = items else { return None };
        let (text, after) = rest.split_at_checked(usize::from(*len))?;
        match item {
            0 => return None,
            1 => return Some(text),
            _ => items = after,
        }
    }
}

/// The report blocks of an SR or RR; as many as were announced and fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlocks<'a> {
    bytes: &'a [u8],
}

impl<'a> ReportBlocks<'a> {
    fn new(count: usize, bytes: &'a [u8]) -> ReportBlocks<'a> {
        ReportBlocks { bytes: bytes.get(..24 * count).unwrap_or(bytes) }
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.bytes.split_first_chunk::<24>()?;
        self.bytes = rest;
        let lost = word(block.get(4..)?)?;
        Some(ReportBlock {
            ssrc: Ssrc(word(block)?),
            fraction_lost: (lost >> 24) as u8,
            // Shifting up and back down spreads the sign of the 24 bits.
            cumulative_lost: ((lost << 8) as i32) >> 8,
            highest_seq: word(block.get(8..)?)?,
            jitter: word(block.get(12..)?)?,
            last_sr: NtpShort(word(block.get(16..)?)?),
            delay_since_last_sr: NtpShort(word(block.get(20..)?)?),
        })
    }
}

/// The streams that a BYE names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ssrcs<'a> {
    bytes: &'a [u8],
}

impl Iterator for Ssrcs<'_> {
    type Item = Ssrc;

    fn next(&mut self) -> Option<Ssrc> {
        let ssrc = word(self.bytes)?;
        self.bytes = self.bytes.get(4..)?;
        Some(Ssrc(ssrc))
    }
}

pub(super) fn word(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<4>().map(|word| u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_broken_tail_does_not_spoil_the_head() {
        let mut bytes = vec![0x80, 201, 0, 1, 0, 0, 0, 9];
        bytes.extend([0x81, 200, 0, 50, 1, 2, 3]);
        let packets: Vec<_> = Compound::parse(&bytes).unwrap().collect();
        assert_eq!(packets, [Packet::ReceiverReport { ssrc: Ssrc(9), reports: ReportBlocks { bytes: &[] } }]);
    }

    #[test]
    fn a_count_beyond_the_packet_yields_the_blocks_that_are_there() {
        let mut bytes = vec![0x80 | 31, 201, 0, 7, 0, 0, 0, 9];
        bytes.extend([0, 0, 0, 5, 3, 0xff, 0xff, 0xfe]);
        bytes.extend([0; 16]);
        let Some(Packet::ReceiverReport { mut reports, .. }) = Compound::parse(&bytes).unwrap().next() else {
            panic!("an RR");
        };
        let block = reports.next().unwrap();
        assert_eq!((block.ssrc, block.fraction_lost, block.cumulative_lost), (Ssrc(5), 3, -2));
        assert_eq!(reports.next(), None);
    }

    #[test]
    fn what_is_not_rtcp_is_refused() {
        assert_eq!(Compound::parse(&[]), Err(RtcpError::Short(0)));
        assert_eq!(Compound::parse(&[0x40, 200, 0, 0]), Err(RtcpError::Version(1)));
        assert_eq!(Compound::parse(&[0x80, 0, 0, 0]), Err(RtcpError::Type(0)));
        assert_eq!(Compound::parse(&[0x80, 201, 0, 1]), Err(RtcpError::Short(4)));
        assert_eq!(Compound::parse(&[0x80, 200, 0, 1, 0, 0, 0, 1]), Err(RtcpError::Short(8)));
    }

    #[test]
    fn feedback_first_is_taken() {
        let compound = Compound::parse(&[0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]).unwrap();
        assert_eq!(compound.sender(), Some(Ssrc(1)));
        assert_eq!(compound.collect::<Vec<_>>(), [Packet::Other { packet_type: 205 }]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(compound) = Compound::parse(&bytes) {
                prop_assert!(compound.count() <= bytes.len() / 4);
            }
        }
    }
}
