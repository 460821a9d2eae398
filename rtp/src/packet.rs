//! The RTP header, read in place.

use std::fmt;

/// A synchronisation source: names a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Ssrc(pub u32);

impl fmt::Display for Ssrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

/// A payload type, 0 to 127.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PayloadType(pub u8);

impl PayloadType {
    /// Comfort noise. RFC 3389.
    pub const COMFORT_NOISE: PayloadType = PayloadType(13);
}

/// Why a datagram is no RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Shorter than the header that it announces.
    #[error("{0} bytes are too short for the header")]
    Short(usize),
    /// The first two bits are not 2.
    #[error("version {0} instead of 2")]
    Version(u8),
    /// The padding count is 0 or more than the payload holds.
    #[error("padding of {0} bytes does not fit")]
    Padding(u8),
}

/// A view of one RTP packet.
///
/// ```text
///  0                   1                   2                   3
///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// |V=2|P|X|  CC   |M|     PT      |       sequence number         |
/// |                           timestamp                           |
/// |           synchronization source (SSRC) identifier            |
/// |            contributing source (CSRC) identifiers ...         |
/// +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
/// ```
///
/// Source: RFC 3550 §5.1, extension §5.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpPacket<'a> {
    bytes: &'a [u8],
    fixed: &'a [u8; 12],
    header_len: usize,
    padding: usize,
}

impl<'a> RtpPacket<'a> {
    /// Reads the header of `bytes`, one whole UDP payload, and checks that CSRCs, extension and padding fit.
    ///
    /// SRTP parses too: its header is in the clear and its padding count is not, so use [`RtpPacket::parse_header`].
    ///
    /// # Errors
    /// The bytes are no RTP packet.
    pub fn parse(bytes: &'a [u8]) -> Result<RtpPacket<'a>, PacketError> {
        let mut packet = RtpPacket::parse_header(bytes)?;
        if packet.fixed[0] & 0x20 != 0 {
            let count = bytes.last().copied().unwrap_or(0);
            if count == 0 || usize::from(count) > bytes.len() - packet.header_len {
                return Err(PacketError::Padding(count));
            }
            packet.padding = usize::from(count);
        }
        Ok(packet)
    }

    /// Reads the header alone; the padding, which may be encrypted, counts as payload.
    ///
    /// # Errors
    /// The bytes are no RTP packet.
    pub fn parse_header(bytes: &'a [u8]) -> Result<RtpPacket<'a>, PacketError> {
        let short = PacketError::Short(bytes.len());
        let fixed = bytes.first_chunk::<12>().ok_or(short)?;
        let version = fixed[0] >> 6;
        if version != 2 {
            return Err(PacketError::Version(version));
        }
        let mut header_len = 12 + 4 * usize::from(fixed[0] & 0x0f);
        if fixed[0] & 0x10 != 0 {
            let Some([_, _, high, low]) = bytes.get(header_len..).and_then(|rest| rest.first_chunk::<4>())
            else {
                return Err(short);
            };
            header_len += 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
        }
        if header_len > bytes.len() {
            return Err(short);
        }
        Ok(RtpPacket { bytes, fixed, header_len, padding: 0 })
    }

    /// The marker bit: for audio, the first packet of a talkspurt. RFC 3551 §4.1.
    pub fn marker(&self) -> bool {
        self.fixed[1] & 0x80 != 0
    }

    /// The payload type.
    pub fn payload_type(&self) -> PayloadType {
        PayloadType(self.fixed[1] & 0x7f)
    }

    /// The sequence number; wraps after 65535.
    pub fn seq(&self) -> u16 {
        u16::from_be_bytes([self.fixed[2], self.fixed[3]])
    }

    /// The timestamp, in ticks of the payload type's clock.
    pub fn timestamp(&self) -> u32 {
        u32::from_be_bytes([self.fixed[4], self.fixed[5], self.fixed[6], self.fixed[7]])
    }

    /// The stream.
    pub fn ssrc(&self) -> Ssrc {
        Ssrc(u32::from_be_bytes([self.fixed[8], self.fixed[9], self.fixed[10], self.fixed[11]]))
    }

    /// Bytes before the payload: fixed header, CSRCs, extension.
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// The payload without padding.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.header_len..self.bytes.len() - self.padding).unwrap_or(&[])
    }

    /// The whole packet.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// Changes the payload type of the packet in `bytes`, keeping the marker. Does nothing to fewer than two bytes.
pub fn set_payload_type(bytes: &mut [u8], payload_type: PayloadType) {
    if let Some(byte) = bytes.get_mut(1) {
        *byte = *byte & 0x80 | payload_type.0 & 0x7f;
    }
}

/// Whether a datagram that came to a muxed port is RTCP: version 2 and a second byte of 192 to 223.
///
/// Source: RFC 5761 §4.
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 14] = [0x80, 0x80, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef, 1, 2];

    #[test]
    fn reads_every_field() {
        let packet = RtpPacket::parse(&PLAIN).unwrap();
        assert!(packet.marker());
        assert_eq!(packet.payload_type(), PayloadType(0));
        assert_eq!((packet.seq(), packet.timestamp()), (0x1234, 160));
        assert_eq!(packet.ssrc(), Ssrc(0xdead_beef));
        assert_eq!(packet.payload(), [1, 2]);
    }

    #[test]
    fn skips_csrcs_extension_and_padding() {
        let mut bytes = vec![0x80 | 0x20 | 0x10 | 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1];
        bytes.extend([0; 8]); // two CSRCs
        bytes.extend([0xbe, 0xde, 0, 1, 9, 9, 9, 9]); // one extension word
        bytes.extend([7, 7, 7, 0, 2]); // three bytes of payload, two of padding
        let packet = RtpPacket::parse(&bytes).unwrap();
        assert_eq!(packet.header_len(), 28);
        assert_eq!(packet.payload(), [7, 7, 7]);
        assert_eq!(RtpPacket::parse_header(&bytes).unwrap().payload(), [7, 7, 7, 0, 2]);
    }

    #[test]
    fn refuses_what_does_not_fit() {
        let check = |bytes: &[u8], error| assert_eq!(RtpPacket::parse(bytes), Err(error), "{bytes:?}");
        check(&[], PacketError::Short(0));
        check(&PLAIN[..11], PacketError::Short(11));
        check(&[0; 12], PacketError::Version(0));
        check(&[0x81; 12], PacketError::Short(12));
        check(&[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], PacketError::Short(15));
        check(&[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], PacketError::Short(16));
        check(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], PacketError::Padding(0));
        check(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], PacketError::Padding(2));
    }

    #[test]
    fn the_payload_type_changes_in_place() {
        let mut bytes = PLAIN;
        set_payload_type(&mut bytes, PayloadType(101));
        let packet = RtpPacket::parse(&bytes).unwrap();
        assert_eq!((packet.payload_type(), packet.marker()), (PayloadType(101), true));
    }

    #[test]
    fn tells_rtcp_from_rtp_on_one_port() {
        assert!(is_rtcp(&[0x80, 200, 0, 6]));
        assert!(!is_rtcp(&PLAIN));
        assert!(!is_rtcp(&[0, 200]));
    }
}
