//! Protecting what we send.

use super::cipher::{Cipher, RtcpTrailer};
use super::replay::ReplayWindow;
use super::snapshot::{DirectionSnapshot, StreamSnapshot};
use super::streams::Streams;
use super::{MasterKey, Mki, PacketIndex, Roc, SrtcpIndex, SrtcpTag, SrtpError, Suite};
use crate::packet::{RtpPacket, Ssrc};

/// SSRCs that one session may send under. None may ever be forgotten: were it to come back, its indices would be used
/// again under the same key.
const MOST_STREAMS: usize = 1024;
/// SRTCP packets that one key may protect. RFC 3711 §9.2.
const MOST_RTCP: u32 = 1 << 31;
/// How far an adopted SRTCP index leaps, past whatever was sent after the snapshot: days of reports.
const LEAP: u32 = 1 << 20;

/// Encrypts and authenticates the packets of one direction.
///
/// **No index is used twice under one key**, since whoever sees two packets under the same keystream can read both: a
/// sequence number that was sent before is refused, also if the packet differs, and so is one from before the last 128.
/// The index follows the sequence numbers as the receiver will follow them (RFC 3711 §3.3.1), so a sender that leaps back in
/// its sequence under the same SSRC is refused here rather than there.
pub struct Protect {
    suite: Suite,
    master: MasterKey,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    /// The index of the next SRTCP packet. One for all SSRCs: each sees it grow, which is all that is asked for.
    next_rtcp: SrtcpIndex,
    /// The key's name in each packet.
    mki: Option<Mki>,
    /// As the peer has it.
    srtcp_tag: SrtcpTag,
}

impl Protect {
    /// A key that has protected nothing so far.
    ///
    /// Fails with [`SrtpError::KeyLength`] if the key is another suite's.
    pub fn new(suite: Suite, master: &MasterKey) -> Result<Protect, SrtpError> {
        Ok(Protect {
            suite,
            master: master.clone(),
            rtp: Cipher::rtp(suite, master)?,
            rtcp: Cipher::rtcp(suite, master)?,
            streams: Streams::default(),
            next_rtcp: SrtcpIndex(0),
            mki: None,
            srtcp_tag: suite.srtcp_tag(),
        })
    }

    /// Puts the key's name into each packet from now on, or none.
    pub fn set_mki(&mut self, mki: Option<Mki>) {
        self.mki = mki;
    }

    /// Ends SRTCP with such tags from now on: what the peer has. One that the suite does not know changes nothing.
    pub fn set_srtcp_tag(&mut self, tag: SrtcpTag) {
        if tag == self.suite.srtcp_tag() || Some(tag) == self.suite.other_srtcp_tag() {
            self.srtcp_tag = tag;
        }
    }

    /// Takes over from the key before: every SSRC keeps its rollover counter, as RFC 3711 §3.3.1 has it, and SRTCP its
    /// index. What this key has sent already stays sent.
    pub fn go_on_after(&mut self, before: &Protect) {
        for (ssrc, window) in before.streams.iter() {
            match self.streams.find(ssrc) {
                Some(own) if own.highest() >= window.highest() => {}
                Some(own) => *own = ReplayWindow::after(window.highest()),
                None => self.streams.insert(ssrc, window, usize::MAX),
            }
        }
        self.next_rtcp = self.next_rtcp.max(before.next_rtcp);
    }

    /// Protects the RTP packet in the first `len` bytes of `buffer`, in place; returns its new length, larger by
    /// [`Suite::rtp_growth`] and the MKI.
    ///
    /// # Errors
    /// The packet is none, the buffer is too short, or the key's life is over.
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let (packet, trailer, needed) = room(buffer, len, self.suite.rtp_growth() + Mki::len_of(self.mki))?;
        let header = RtpPacket::parse_header(packet).map_err(|_| SrtpError::Malformed(len))?;
        let (ssrc, seq, header_len) = (header.ssrc(), header.seq(), header.header_len());
        let index = self.free_index(ssrc, seq)?;
        // Marked before anything can fail: an index that may have been used is used.
        self.streams.mark(ssrc, index.0, usize::MAX);
        self.rtp.seal_rtp(ssrc, index, header_len, packet, trailer, self.mki)?;
        Ok(needed)
    }

    /// Protects the RTCP compound in the first `len` bytes of `buffer`, in place; returns its new length, larger by
    /// the word of the index, the MKI and the tag.
    ///
    /// # Errors
    /// The packet is none, the buffer is too short, or the key's life is over.
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        let shape = RtcpTrailer { tag: self.srtcp_tag, mki: self.mki };
        let (packet, trailer, needed) = room(buffer, len, shape.len())?;
        let ssrc = sender(packet).ok_or(SrtpError::Malformed(len))?;
        let index = self.next_rtcp;
        if index.0 >= MOST_RTCP {
            return Err(SrtpError::Exhausted);
        }
        self.next_rtcp = SrtcpIndex(index.0 + 1);
        self.rtcp.seal_rtcp(ssrc, index, packet, trailer, shape)?;
        Ok(needed)
    }

    /// Whether [`Protect::protect_rtp`] would take a packet with that number: [`SrtpError::Replayed`] or
    /// [`SrtpError::Exhausted`] if not.
    ///
    /// # Errors
    /// [`Protect::protect_rtp`] would fail.
    pub fn check_rtp(&mut self, ssrc: Ssrc, seq: u16) -> Result<(), SrtpError> {
        self.free_index(ssrc, seq).map(|_| ())
    }

    /// Whether a packet with that number is from before the last 128: no packet of a stream that goes on comes so late.
    pub fn has_left_behind(&mut self, ssrc: Ssrc, seq: u16) -> bool {
        self.streams
            .find(ssrc)
            .is_some_and(|window| window.is_past(PacketIndex(window.highest()).estimate(seq).0))
    }

    /// Whether a packet of that SSRC was sent.
    pub fn has_sent(&mut self, ssrc: Ssrc) -> bool {
        self.streams.find(ssrc).is_some()
    }

    /// Whether it protects under that key.
    pub fn has_key(&self, suite: Suite, master: &MasterKey) -> bool {
        self.suite == suite && self.master == *master
    }

    /// The rollover counter of an SSRC that was sent.
    pub fn roc(&mut self, ssrc: Ssrc) -> Option<Roc> {
        self.streams.find(ssrc).map(|window| PacketIndex(window.highest()).roc())
    }

    /// What another node needs to go on from here.
    pub fn snapshot(&self) -> DirectionSnapshot {
        DirectionSnapshot {
            suite: self.suite,
            master: self.master.clone(),
            streams: self.streams.iter().map(StreamSnapshot::new).collect(),
            rtcp: vec![StreamSnapshot { ssrc: 0, index: u64::from(self.next_rtcp.0) }],
            mki: self.mki,
            srtcp_tag: Some(self.srtcp_tag),
            lifetime: None,
            opened: 0,
        }
    }

    /// Goes on from a snapshot that may be some time old.
    ///
    /// No index up to the snapshot's is used again, and SRTCP leaps 2^20 indices ahead. RTP cannot leap, for its numbers
    /// are the far sender's: what that sent is not sent again by it. The rollover counter holds if the snapshot is younger
    /// than 2^15 packets, eleven minutes of ordinary speech.
    ///
    /// # Errors
    /// The snapshot does not fit the key.
    pub fn restore(snapshot: &DirectionSnapshot) -> Result<Protect, SrtpError> {
        let mut protect = Protect::new(snapshot.suite, &snapshot.master)?;
        protect.set_mki(snapshot.mki);
        snapshot.srtcp_tag.into_iter().for_each(|tag| protect.set_srtcp_tag(tag));
        for stream in snapshot.streams.iter().take(MOST_STREAMS) {
            protect.streams.insert(Ssrc(stream.ssrc), ReplayWindow::after(stream.index), usize::MAX);
        }
        let highest = snapshot.rtcp.iter().map(|stream| stream.index).max().unwrap_or(0);
        let next = u32::try_from(highest).unwrap_or(MOST_RTCP).saturating_add(LEAP);
        protect.next_rtcp = SrtcpIndex(next.min(MOST_RTCP));
        Ok(protect)
    }

    /// The index of a packet that was not sent yet.
    fn free_index(&mut self, ssrc: Ssrc, seq: u16) -> Result<PacketIndex, SrtpError> {
        let known = self.streams.len();
        match self.streams.find(ssrc) {
            Some(window) => {
                let index = PacketIndex(window.highest()).estimate(seq);
                if window.is_free(index.0) { Ok(index) } else { Err(SrtpError::Replayed) }
            }
            None if known >= MOST_STREAMS => Err(SrtpError::Exhausted),
            None => Ok(PacketIndex::new(Roc(0), seq)),
        }
    }
}

/// The packet, and the bytes behind it that protection fills.
fn room(buffer: &mut [u8], len: usize, growth: usize) -> Result<(&mut [u8], &mut [u8], usize), SrtpError> {
    let needed = len.saturating_add(growth);
    let (packet, rest) = buffer.split_at_mut_checked(len).ok_or(SrtpError::NoRoom { needed })?;
    let trailer = rest.get_mut(..growth).ok_or(SrtpError::NoRoom { needed })?;
    Ok((packet, trailer, needed))
}

/// The sender of an RTCP compound: the SSRC of its first packet, which stays in the clear.
pub(super) fn sender(packet: &[u8]) -> Option<Ssrc> {
    let [first, _, _, _, ssrc @ ..] = packet.first_chunk::<8>()?;
    (first >> 6 == 2).then(|| Ssrc(u32::from_be_bytes(*ssrc)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, seq: u16) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[0] = 0x80;
        bytes[2..4].copy_from_slice(&seq.to_be_bytes());
        bytes[8..12].copy_from_slice(&ssrc.to_be_bytes());
        bytes
    }

    fn protect() -> Protect {
        let suite = Suite::AesCm128HmacSha1_80;
        Protect::new(suite, &MasterKey::new(suite, &[3; 30]).unwrap()).unwrap()
    }

    #[test]
    fn no_index_is_used_twice() {
        let mut protect = protect();
        let mut send = |ssrc, seq| protect.protect_rtp(&mut packet(ssrc, seq), 32);
        assert_eq!(send(1, 500), Ok(42));
        assert_eq!(send(1, 500), Err(SrtpError::Replayed));
        assert_eq!(send(1, 502), Ok(42));
        assert_eq!(send(1, 501), Ok(42)); // late
        assert_eq!(send(1, 501), Err(SrtpError::Replayed));
        assert_eq!(send(1, 502 - 128), Err(SrtpError::Replayed));
        assert_eq!(send(2, 501), Ok(42)); // another SSRC, another keystream
    }

    #[test]
    fn the_number_of_streams_is_bounded() {
        let mut protect = protect();
        for ssrc in 0..MOST_STREAMS as u32 {
            assert_eq!(protect.protect_rtp(&mut packet(ssrc, 1), 32), Ok(42));
        }
        assert_eq!(protect.protect_rtp(&mut packet(u32::MAX, 1), 32), Err(SrtpError::Exhausted));
        assert_eq!(protect.protect_rtp(&mut packet(0, 1), 32), Err(SrtpError::Replayed));
        assert_eq!(protect.protect_rtp(&mut packet(0, 2), 32), Ok(42));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let mut protect = protect();
        assert_eq!(protect.protect_rtp(&mut packet(1, 1), 60), Err(SrtpError::NoRoom { needed: 70 }));
        assert_eq!(protect.protect_rtp(&mut packet(1, 1), 99), Err(SrtpError::NoRoom { needed: 109 }));
        assert_eq!(protect.protect_rtp(&mut packet(1, 1), 11), Err(SrtpError::Malformed(11)));
        assert_eq!(protect.protect_rtcp(&mut packet(1, 1), 7), Err(SrtpError::Malformed(7)));
        assert_eq!(protect.protect_rtcp(&mut [0; 64], 8), Err(SrtpError::Malformed(8)));
        assert_eq!(protect.protect_rtp(&mut packet(1, 1), 54), Ok(64)); // none of those used the index
    }

    #[test]
    fn the_srtcp_index_counts_up_to_its_end() {
        let mut protect = protect();
        let mut buffer = packet(1, 0);
        let len = protect.protect_rtcp(&mut buffer, 8).unwrap();
        assert_eq!(buffer[8..12], [0x80, 0, 0, 0]);
        assert_eq!(len, 22);
        let mut snapshot = protect.snapshot();
        assert_eq!(snapshot.rtcp[0].index, 1);
        snapshot.rtcp[0].index = u64::from(MOST_RTCP - LEAP - 1);
        let mut adopted = Protect::restore(&snapshot).unwrap();
        assert_eq!(adopted.protect_rtcp(&mut packet(1, 0), 8), Ok(22));
        assert_eq!(adopted.protect_rtcp(&mut packet(1, 0), 8), Err(SrtpError::Exhausted));
    }
}
