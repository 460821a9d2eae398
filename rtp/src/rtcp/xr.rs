//! Extended reports: the blocks that are about calls. RFC 3611.

use crate::ntp::{NtpShort, NtpTime};
use crate::packet::Ssrc;

use super::read::word;

const RECEIVER_REFERENCE_TIME: u8 = 4;
const DLRR: u8 = 5;
const VOIP_METRICS: u8 = 7;

/// Not known, of a level, a rating or a score. RFC 3611 §4.7.
const UNAVAILABLE: u8 = 127;

/// A block of an extended report; of a DLRR block, each of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XrBlock {
    /// When the report was sent: asks for a [`XrBlock::Delay`]. RFC 3611 §4.4.
    ReceiverReferenceTime(NtpTime),
    /// The answer to one. RFC 3611 §4.5.
    Delay {
        /// Who sent the reference time.
        ssrc: Ssrc,
        /// Middle bits of it.
        last_rr: NtpShort,
        /// Time between its arrival and this one.
        delay_since_last_rr: NtpShort,
    },
    /// What the reporter thinks of a call's sound.
    VoipMetrics(VoipMetrics),
}

/// What a receiver thinks of a stream of speech. RFC 3611 §4.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoipMetrics {
    /// The stream.
    pub ssrc: Ssrc,
    /// Packets lost, in 1/256.
    pub loss_rate: u8,
    /// Packets that came too late to be played, in 1/256.
    pub discard_rate: u8,
    /// Lost or too late in bursts, in 1/256.
    pub burst_density: u8,
    /// The same between them.
    pub gap_density: u8,
    /// How long a burst was, in milliseconds, in the mean.
    pub burst_duration: u16,
    /// How long a gap was.
    pub gap_duration: u16,
    /// In milliseconds; 0: not known.
    pub round_trip: u16,
    /// From the arrival of a packet to the ear and from the mouth to the departure, in milliseconds.
    pub end_system_delay: u16,
    /// Rating R, 0 to 100; 127: not known.
    pub r_factor: u8,
    /// Score of what is heard, in tenths: 10 to 50; 127: not known.
    pub mos_lq: u8,
    /// The same with delay: of the conversation.
    pub mos_cq: u8,
}

impl VoipMetrics {
    /// The score of the conversation, else of what is heard: 1 to 5.
    pub fn mos(&self) -> Option<f64> {
        let known = |score: u8| (10..=50).contains(&score).then(|| f64::from(score) / 10.0);
        known(self.mos_cq).or(known(self.mos_lq))
    }

    fn parse(body: &[u8]) -> Option<VoipMetrics> {
        let [_, _, _, _, loss_rate, discard_rate, burst_density, gap_density, times @ ..] =
            body.first_chunk::<32>()?;
        let [b0, b1, g0, g1, r0, r1, e0, e1, _, _, _, _, r_factor, _, mos_lq, mos_cq, ..] = *times;
        Some(VoipMetrics {
            ssrc: Ssrc(word(body)?),
            loss_rate: *loss_rate,
            discard_rate: *discard_rate,
            burst_density: *burst_density,
            gap_density: *gap_density,
            burst_duration: u16::from_be_bytes([b0, b1]),
            gap_duration: u16::from_be_bytes([g0, g1]),
            round_trip: u16::from_be_bytes([r0, r1]),
            end_system_delay: u16::from_be_bytes([e0, e1]),
            r_factor,
            mos_lq,
            mos_cq,
        })
    }

    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let [s0, s1, s2, s3] = self.ssrc.0.to_be_bytes();
        let [b0, b1] = self.burst_duration.to_be_bytes();
        let [g0, g1] = self.gap_duration.to_be_bytes();
        let [r0, r1] = self.round_trip.to_be_bytes();
        let [e0, e1] = self.end_system_delay.to_be_bytes();
        let known = [
            s0,
            s1,
            s2,
            s3,
            self.loss_rate,
            self.discard_rate,
            self.burst_density,
            self.gap_density,
            b0,
            b1,
            g0,
            g1,
            r0,
            r1,
            e0,
            e1,
            UNAVAILABLE,
            UNAVAILABLE,
            UNAVAILABLE,
            GMIN,
            self.r_factor,
            UNAVAILABLE,
            self.mos_lq,
            self.mos_cq,
        ];
        // What follows is of a play-out buffer, and here is none.
        bytes.iter_mut().zip(known).for_each(|(byte, known)| *byte = known);
        bytes
    }
}

/// [`quality::GMIN`](crate::quality::GMIN) in a report.
const GMIN: u8 = crate::quality::GMIN as u8;

impl XrBlock {
    /// Type and content.
    pub(super) fn write(&self) -> (u8, [u8; 32], usize) {
        let mut bytes = [0; 32];
        let mut put = |words: &[u32]| {
            let all = words.iter().flat_map(|word| word.to_be_bytes());
            bytes.iter_mut().zip(all).for_each(|(byte, from)| *byte = from);
            words.len() * 4
        };
        match self {
            XrBlock::ReceiverReferenceTime(ntp) => {
                let len = put(&[(ntp.0 >> 32) as u32, ntp.0 as u32]);
                (RECEIVER_REFERENCE_TIME, bytes, len)
            }
            XrBlock::Delay { ssrc, last_rr, delay_since_last_rr } => {
                let len = put(&[ssrc.0, last_rr.0, delay_since_last_rr.0]);
                (DLRR, bytes, len)
            }
            XrBlock::VoipMetrics(metrics) => (VOIP_METRICS, metrics.bytes(), 32),
        }
    }
}

/// The blocks of an extended report, as far as they fit; unknown types are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XrBlocks<'a> {
    rest: &'a [u8],
    /// What is left of a DLRR block.
    delays: &'a [u8],
}

impl<'a> XrBlocks<'a> {
    pub(super) fn new(rest: &'a [u8]) -> XrBlocks<'a> {
        XrBlocks { rest, delays: &[] }
    }
}

impl Iterator for XrBlocks<'_> {
    type Item = XrBlock;

    fn next(&mut self) -> Option<XrBlock> {
        loop {
            if let Some((part, rest)) = self.delays.split_first_chunk::<12>() {
                self.delays = rest;
                return Some(XrBlock::Delay {
                    ssrc: Ssrc(word(part)?),
                    last_rr: NtpShort(word(part.get(4..)?)?),
                    delay_since_last_rr: NtpShort(word(part.get(8..)?)?),
                });
            }
            let ([block_type, _, high, low], rest) = self.rest.split_first_chunk::<4>()?;
            let len = 4 * usize::from(u16::from_be_bytes([*high, *low]));
            let Some((body, rest)) = rest.split_at_checked(len) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            match *block_type {
                RECEIVER_REFERENCE_TIME => {
                    if let (Some(high), Some(low)) = (word(body), body.get(4..).and_then(word)) {
                        let ntp = NtpTime(u64::from(high) << 32 | u64::from(low));
                        return Some(XrBlock::ReceiverReferenceTime(ntp));
                    }
                }
                DLRR => self.delays = body,
                VOIP_METRICS => {
                    if let Some(metrics) = VoipMetrics::parse(body) {
                        return Some(XrBlock::VoipMetrics(metrics));
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::{Compound, Packet, Writer};

    #[test]
    fn what_is_written_is_read() {
        let metrics = VoipMetrics {
            ssrc: Ssrc(7),
            loss_rate: 5,
            discard_rate: 1,
            burst_density: 128,
            gap_density: 3,
            burst_duration: 200,
            gap_duration: 9_000,
            round_trip: 20,
            end_system_delay: 60,
            r_factor: 88,
            mos_lq: 43,
            mos_cq: 42,
        };
        let blocks = [
            XrBlock::ReceiverReferenceTime(NtpTime(0x0102_0304_0506_0708)),
            XrBlock::Delay { ssrc: Ssrc(9), last_rr: NtpShort(8), delay_since_last_rr: NtpShort(7) },
            XrBlock::VoipMetrics(metrics),
        ];
        let mut buffer = [0xee; 256];
        let mut writer = Writer::new(&mut buffer);
        writer.extended_report(Ssrc(1), blocks);
        let len = writer.len();
        assert_eq!(len, 8 + 12 + 16 + 36);
        let read: Vec<_> = Compound::parse(&buffer[..len]).unwrap().collect();
        let [Packet::ExtendedReport { ssrc: Ssrc(1), blocks: read }] = read[..] else { panic!("{read:?}") };
        assert_eq!(read.collect::<Vec<_>>(), blocks);
        assert_eq!(metrics.mos(), Some(4.2));
    }

    /// A block as another program writes it, by hand from RFC 3611: a DLRR of two, an unknown block, VoIP metrics that are too short.
    #[test]
    fn what_others_write_is_read_as_far_as_it_goes() {
        let mut bytes = vec![0x80, 207, 0, 0, 0, 0, 0, 1];
        bytes.extend([5, 0, 0, 6]);
        bytes.extend([0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7]);
        bytes.extend([99, 0, 0, 1, 1, 2, 3, 4]);
        bytes.extend([7, 0, 0, 1, 0, 0, 0, 1]);
        bytes.extend([4, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
        bytes.extend([4, 0, 0, 9]); // longer than the packet
        bytes[3] = (bytes.len() / 4 - 1) as u8;
        let Some(Packet::ExtendedReport { blocks, .. }) = Compound::parse(&bytes).unwrap().next() else {
            panic!("an XR");
        };
        let delay = |ssrc, last_rr, delay| XrBlock::Delay {
            ssrc: Ssrc(ssrc),
            last_rr: NtpShort(last_rr),
            delay_since_last_rr: NtpShort(delay),
        };
        let expect =
            [delay(2, 3, 4), delay(5, 6, 7), XrBlock::ReceiverReferenceTime(NtpTime(0x0000_0001_0000_0002))];
        assert_eq!(blocks.collect::<Vec<_>>(), expect);
    }
}
