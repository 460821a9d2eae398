//! Writing into a buffer of the caller's: no allocation.

use super::{
    BYE, EXTENDED_REPORT, RECEIVER_REPORT, ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, SenderInfo,
    XrBlock,
};
use crate::packet::Ssrc;

/// Appends packets to a buffer; a packet that does not fit whole is left out.
///
/// A compound begins with a report and holds a CNAME: call [`Writer::sender_report`] or [`Writer::receiver_report`],
/// then [`Writer::cname`]. RFC 3550 §6.1.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts an empty compound.
    pub fn new(buffer: &'a mut [u8]) -> Writer<'a> {
        Writer { buffer, len: 0 }
    }

    /// An SR; of `reports`, the first 31.
    pub fn sender_report(&mut self, ssrc: Ssrc, info: &SenderInfo, reports: &[ReportBlock]) {
        let count = reports.len().min(31);
        self.packet(SENDER_REPORT, count, |out| {
            out.word(ssrc.0);
            out.word((info.ntp.0 >> 32) as u32);
            out.word(info.ntp.0 as u32);
            out.word(info.rtp_timestamp);
            out.word(info.packets);
            out.word(info.bytes);
            out.blocks(reports);
        });
    }

    /// An RR; of `reports`, the first 31.
    pub fn receiver_report(&mut self, ssrc: Ssrc, reports: &[ReportBlock]) {
        let count = reports.len().min(31);
        self.packet(RECEIVER_REPORT, count, |out| {
            out.word(ssrc.0);
            out.blocks(reports);
        });
    }

    /// An SDES with one CNAME; of `cname`, the first 255 bytes.
    pub fn cname(&mut self, ssrc: Ssrc, cname: &[u8]) {
        let cname = cname.get(..255).unwrap_or(cname);
        self.packet(SOURCE_DESCRIPTION, 1, |out| {
            out.word(ssrc.0);
            out.bytes(&[1, cname.len() as u8]);
            out.bytes(cname);
            out.bytes(&[0]); // At least one zero ends the items; the rest is padding.
        });
    }

    /// An XR; nothing without blocks. RFC 3611 §2.
    pub fn extended_report(&mut self, ssrc: Ssrc, blocks: impl IntoIterator<Item = XrBlock>) {
        let mut blocks = blocks.into_iter().peekable();
        if blocks.peek().is_none() {
            return;
        }
        self.packet(EXTENDED_REPORT, 0, |out| {
            out.word(ssrc.0);
            for (block_type, bytes, len) in blocks.map(|block| block.write()) {
                out.bytes(&[block_type, 0, 0, (len / 4) as u8]);
                out.bytes(bytes.get(..len).unwrap_or_default());
            }
        });
    }

    /// A BYE without a reason; of `ssrcs`, the first 31.
    pub fn bye(&mut self, ssrcs: &[Ssrc]) {
        let count = ssrcs.len().min(31);
        self.packet(BYE, count, |out| ssrcs.iter().take(count).for_each(|ssrc| out.word(ssrc.0)));
    }

    /// How many bytes of the buffer are the compound.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn packet(&mut self, packet_type: u8, count: usize, body: impl FnOnce(&mut Body<'_>)) {
        let Some(room) = self.buffer.get_mut(self.len..) else { return };
        let mut out = Body { room, len: 0, full: false };
        out.bytes(&[0x80 | count as u8, packet_type, 0, 0]);
        body(&mut out);
        while !out.len.is_multiple_of(4) {
            out.bytes(&[0]);
        }
        let (len, full) = (out.len, out.full);
        let words = u16::try_from(len / 4).unwrap_or(0).saturating_sub(1).to_be_bytes();
        if let (false, Some([_, _, high, low])) = (full, room.first_chunk_mut::<4>()) {
            [*high, *low] = words;
            self.len += len;
        }
    }
}

/// One packet under construction.
struct Body<'a> {
    room: &'a mut [u8],
    len: usize,
    full: bool,
}

impl Body<'_> {
    fn bytes(&mut self, bytes: &[u8]) {
        match self.room.get_mut(self.len..self.len + bytes.len()) {
            Some(room) => room.copy_from_slice(bytes),
            None => self.full = true,
        }
        self.len += bytes.len();
    }

    fn word(&mut self, word: u32) {
        self.bytes(&word.to_be_bytes());
    }

    fn blocks(&mut self, reports: &[ReportBlock]) {
        for block in reports.iter().take(31) {
            self.word(block.ssrc.0);
            let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
            self.word(u32::from(block.fraction_lost) << 24 | lost as u32 & 0xff_ffff);
            self.word(block.highest_seq);
            self.word(block.jitter);
            self.word(block.last_sr.0);
            self.word(block.delay_since_last_sr.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compound, Packet};
    use super::*;
    use crate::ntp::{NtpShort, NtpTime};
    use proptest::prelude::*;

    fn block(lost: i32) -> ReportBlock {
        ReportBlock {
            ssrc: Ssrc(7),
            fraction_lost: 5,
            cumulative_lost: lost,
            highest_seq: 0x0001_0002,
            jitter: 160,
            last_sr: NtpShort(0xb705_2000),
            delay_since_last_sr: NtpShort(0x0005_4000),
        }
    }

    #[test]
    fn reading_is_the_inverse_of_writing() {
        let info = SenderInfo { ntp: NtpTime(0xb44d_b705_2000_0000), rtp_timestamp: 1, packets: 2, bytes: 3 };
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer);
        writer.sender_report(Ssrc(1), &info, &[block(-3)]);
        writer.cname(Ssrc(1), b"x7@gw");
        writer.bye(&[Ssrc(1), Ssrc(2)]);
        let len = writer.len();
        let packets: Vec<_> = Compound::parse(&buffer[..len]).unwrap().collect();
        let [
            Packet::SenderReport { ssrc: Ssrc(1), info: read, reports },
            Packet::SourceDescription { ssrc: Some(Ssrc(1)), cname: Some(b"x7@gw") },
            Packet::Bye { ssrcs, reason: None },
        ] = packets[..]
        else {
            panic!("{packets:?}");
        };
        assert_eq!(read, info);
        assert_eq!(reports.collect::<Vec<_>>(), [block(-3)]);
        assert_eq!(ssrcs.collect::<Vec<_>>(), [Ssrc(1), Ssrc(2)]);
    }

    #[test]
    fn cumulative_loss_is_clamped_to_24_bits() {
        for (lost, wire) in [(0x100_0000, 0x7f_ffff), (-0x100_0000, -0x80_0000), (-1, -1)] {
            let mut buffer = [0; 64];
            let mut writer = Writer::new(&mut buffer);
            writer.receiver_report(Ssrc(1), &[block(lost)]);
            let len = writer.len();
            let Some(Packet::ReceiverReport { mut reports, .. }) =
                Compound::parse(&buffer[..len]).unwrap().next()
            else {
                panic!("an RR");
            };
            assert_eq!(reports.next().unwrap().cumulative_lost, wire);
        }
    }

    proptest! {
        #[test]
        fn a_short_buffer_leaves_out_whole_packets(room in 0_usize..100, name in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut buffer = vec![0; room];
            let mut writer = Writer::new(&mut buffer);
            writer.receiver_report(Ssrc(1), &[block(1)]);
            writer.cname(Ssrc(1), &name);
            let len = writer.len();
            prop_assert!(len <= room && len.is_multiple_of(4));
            if len > 0 {
                prop_assert!(Compound::parse(&buffer[..len]).unwrap().count() >= 1);
            }
        }
    }
}
