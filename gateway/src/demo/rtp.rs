//! RTP and RTCP as a simple phone writes and reads them. RFC 3550 §5.1, §6.4.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Bytes of an RTP header without extensions.
const HEADER: usize = 12;
/// Seconds from 1900 to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;
const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;

/// The fixed header of a packet, and its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Payload type; 0 is PCMU.
    pub payload_type: u8,
    /// Sequence number.
    pub seq: u16,
    /// In samples.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// What is carried.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// As it goes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER + self.payload.len());
        bytes.extend([0x80, self.payload_type]);
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.timestamp.to_be_bytes());
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(self.payload);
        bytes
    }

    /// `None` where it is no packet of version 2 with a plain header.
    pub fn parse(bytes: &'a [u8]) -> Option<Packet<'a>> {
        let (&[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], payload) =
            bytes.split_first_chunk::<HEADER>()?;
        (first == 0x80).then_some(Packet {
            payload_type: second & 0x7f,
            seq: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload,
        })
    }
}

/// What a stream that arrives is like. RFC 3550 A.1, A.8, without the cases that loopback never shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reception {
    /// Packets so far.
    pub packets: u32,
    first: Option<u16>,
    highest: u16,
    cycles: u32,
    transit: Option<f64>,
    jitter: f64,
}

impl Reception {
    /// A packet arrived.
    ///
    /// - `at_ticks`: when, in samples since anything.
    pub fn handle_packet(&mut self, packet: &Packet<'_>, at_ticks: f64) {
        self.packets += 1;
        if self.first.is_none() {
            self.first = Some(packet.seq);
            self.highest = packet.seq;
        }
        let ahead = packet.seq.wrapping_sub(self.highest);
        if ahead < 0x8000 {
            self.cycles += u32::from(packet.seq < self.highest);
            self.highest = packet.seq;
        }
        let transit = at_ticks - f64::from(packet.timestamp);
        if let Some(before) = self.transit.replace(transit) {
            self.jitter += ((transit - before).abs() - self.jitter) / 16.0;
        }
    }

    fn extended(&self) -> u32 {
        (self.cycles << 16) + u32::from(self.highest)
    }

    fn lost(&self) -> u32 {
        let first = self.first.map_or(0, u32::from);
        (self.extended() + 1).saturating_sub(first).saturating_sub(self.packets)
    }
}

/// When the far end's last sender report came. RFC 3550 §6.4.1, LSR and DLSR.
#[derive(Debug, Clone, Copy)]
pub struct LastReport {
    /// Whose it was.
    pub ssrc: u32,
    /// The middle of its NTP time.
    pub middle: u32,
    /// How long ago it came.
    pub age: Duration,
}

/// A sender report with one report block and a CNAME, as one datagram.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Ours.
    pub ssrc: u32,
    /// Wall clock time.
    pub now: SystemTime,
    /// The RTP timestamp of now.
    pub timestamp: u32,
    /// Packets that we sent.
    pub packets: u32,
    /// Bytes of payload that we sent.
    pub bytes: u32,
    /// What we received.
    pub reception: Reception,
    /// The report that this answers.
    pub last: LastReport,
}

impl Report {
    /// As it goes on the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let since = self.now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = (since.as_secs() + NTP_EPOCH) & 0xffff_ffff;
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        let delay = self.last.age.as_micros() * 65_536 / 1_000_000;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
        let jitter = self.reception.jitter as u32;
        let mut words = vec![self.ssrc];
        words.extend([seconds, fraction].map(|word| u32::try_from(word).unwrap_or(0)));
        words.extend([self.timestamp, self.packets, self.bytes]);
        words.extend([
            self.last.ssrc,
            self.reception.lost() & 0x00ff_ffff,
            self.reception.extended(),
            jitter,
        ]);
        words.extend([self.last.middle, u32::try_from(delay).unwrap_or(u32::MAX)]);
        let mut bytes = vec![0x81, SENDER_REPORT, 0, 12];
        bytes.extend(words.into_iter().flat_map(u32::to_be_bytes));
        bytes.extend([0x81, SOURCE_DESCRIPTION, 0, 3]);
        bytes.extend(self.ssrc.to_be_bytes());
        bytes.extend(b"\x01\x04demo\0\0");
        bytes
    }
}

/// What a phone wants to know of a compound of RTCP: the sender report in it, if there is one.
///
/// Returns the sender's SSRC and the middle 32 bits of its NTP time; `None` where there is no sender report.
pub fn sender_report(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes;
    loop {
        let (&[_, kind, l0, l1], _) = rest.split_first_chunk::<4>()?;
        let length = 4 * (usize::from(u16::from_be_bytes([l0, l1])) + 1);
        if kind == SENDER_REPORT {
            let word = |at: usize| Some(u32::from_be_bytes(rest.get(at..at + 4)?.try_into().ok()?));
            return Some((word(4)?, (word(8)? << 16) | (word(12)? >> 16)));
        }
        rest = rest.get(length..)?;
    }
}

/// Whether a compound of RTCP reports on what was sent to its author, in a sender or receiver report.
pub fn reports_reception(bytes: &[u8]) -> bool {
    matches!(bytes, [first, SENDER_REPORT | RECEIVER_REPORT, ..] if first & 0x1f > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_cross() {
        let packet =
            Packet { payload_type: 0, seq: 65_535, timestamp: 7, ssrc: 0xdead_beef, payload: b"abc" };
        assert_eq!(Packet::parse(&packet.bytes()), Some(packet));
        assert_eq!(Packet::parse(b"\x80\0"), None);
        assert_eq!(Packet::parse(&[0; 12]), None);
    }

    #[test]
    fn loss_and_wrap_are_counted() {
        let mut reception = Reception::default();
        for (n, seq) in [65_534, 65_535, 1, 2].into_iter().enumerate() {
            let packet = Packet { payload_type: 0, seq, timestamp: n as u32 * 160, ssrc: 1, payload: &[] };
            reception.handle_packet(&packet, n as f64 * 160.0);
        }
        assert_eq!((reception.packets, reception.lost(), reception.extended()), (4, 1, 65_538));
        assert!(reception.jitter.abs() < f64::EPSILON);
    }

    #[test]
    fn a_report_is_found_by_another_phone() {
        let report = Report {
            ssrc: 5,
            now: UNIX_EPOCH + Duration::from_millis(1_500),
            timestamp: 0,
            packets: 1,
            bytes: 160,
            reception: Reception::default(),
            last: LastReport { ssrc: 6, middle: 7, age: Duration::from_millis(500) },
        };
        let bytes = report.bytes();
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(sender_report(&bytes), Some((5, (2_208_988_801_u32 << 16) | 0x8000)));
        assert!(reports_reception(&bytes));
        assert_eq!(bytes.get(48..52), Some([0, 0, 0x80, 0].as_slice()));
        assert_eq!(sender_report(&bytes[52..]), None);
    }
}
