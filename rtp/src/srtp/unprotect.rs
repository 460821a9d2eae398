//! Opening what we receive.

use super::cipher::{Cipher, OnFailure, RtcpTrailer};
use super::protect::sender;
use super::replay::ReplayWindow;
use super::snapshot::{DirectionSnapshot, StreamSnapshot};
use super::streams::Streams;
use super::{MasterKey, Mki, PacketIndex, Roc, SrtcpTag, SrtpError, Suite};
use crate::packet::{RtpPacket, Ssrc};

/// SSRCs that are remembered.
const MOST_STREAMS: usize = 64;

/// What came out of an unprotected packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unprotected {
    /// Length of the packet in the clear.
    pub len: usize,
    /// Its index is above all that were authenticated before: the sender has moved on, nobody replays it.
    pub above_highest: bool,
}

/// Authenticates and decrypts the packets of one direction.
///
/// An SSRC is remembered from its first authentic packet on. Of more than 64 the one that was silent for longest is
/// forgotten, and with it which of its packets were seen: only the holder of the key can bring that about.
pub struct Unprotect {
    suite: Suite,
    master: MasterKey,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    rtcp_streams: Streams,
    /// Under the key before this one: where the rollover counter of an SSRC may go on.
    carried: Streams,
    /// What this key has opened of streams that have moved on under another: see [`Unprotect::come_back_after`].
    seen: Streams,
    /// The key's name in each packet.
    mki: Option<Mki>,
    /// As the first authentic packet has it; `None`: none has come yet, and the suite knows two.
    srtcp_tag: Option<SrtcpTag>,
    /// Packets that the peer said that the key protects, of RTP or of RTCP.
    lifetime: Option<u64>,
    /// Packets that it has protected, of RTP and of RTCP.
    opened: (u64, u64),
}

impl Unprotect {
    /// A key that has opened nothing so far.
    ///
    /// Fails with [`SrtpError::KeyLength`] if the key is another suite's.
    pub fn new(suite: Suite, master: &MasterKey) -> Result<Unprotect, SrtpError> {
        Ok(Unprotect {
            suite,
            master: master.clone(),
            rtp: Cipher::rtp(suite, master)?,
            rtcp: Cipher::rtcp(suite, master)?,
            streams: Streams::default(),
            rtcp_streams: Streams::default(),
            carried: Streams::default(),
            seen: Streams::default(),
            mki: None,
            srtcp_tag: suite.other_srtcp_tag().is_none().then(|| suite.srtcp_tag()),
            lifetime: None,
            opened: (0, 0),
        })
    }

    /// The key's name, which each packet must have from now on, or none; and how many packets of RTP or of RTCP the peer said that it
    /// protects, which is the sender's to keep: more are opened all the same. RFC 4568 §6.1.
    pub fn set_terms(&mut self, mki: Option<Mki>, lifetime: Option<u64>) {
        (self.mki, self.lifetime) = (mki, lifetime);
    }

    /// How long the tags of the peer's SRTCP are; `None`: it has sent none that authenticates, and the suite knows two.
    pub fn srtcp_tag(&self) -> Option<SrtcpTag> {
        self.srtcp_tag
    }

    /// The key has protected as many packets as its peer said that it may, or more.
    pub fn is_used_up(&self) -> bool {
        let (rtp, rtcp) = self.opened;
        self.lifetime.is_some_and(|lifetime| rtp.max(rtcp) >= lifetime)
    }

    /// The same direction under the key that follows.
    ///
    /// The rollover counter of an SSRC that goes on may go on too (RFC 3711 §3.3.1) or begin at 0 (peers that build their
    /// session anew): the first packet that authenticates decides.
    ///
    /// # Errors
    /// The key is another suite's.
    pub fn rekeyed(&self, suite: Suite, master: &MasterKey) -> Result<Unprotect, SrtpError> {
        Ok(Unprotect { carried: self.carry(), ..Unprotect::new(suite, master)? })
    }

    /// The key follows one that followed it. What it has opened stays opened; a stream that has moved on meanwhile may go on
    /// from there, or from where it was.
    pub fn come_back_after(&mut self, between: &Unprotect) {
        self.carried = between.carry();
        for (ssrc, window) in self.carried.iter() {
            if self.streams.find(ssrc).is_some_and(|own| own.highest() < window.highest())
                && let Some(own) = self.streams.remove(ssrc)
            {
                self.seen.replace(ssrc, own, MOST_STREAMS);
            }
        }
    }

    /// Where each stream has got to, for the key that follows.
    fn carry(&self) -> Streams {
        let mut carried = self.carried.clone();
        for (ssrc, window) in self.streams.iter() {
            carried.replace(ssrc, window, MOST_STREAMS);
        }
        carried
    }

    /// Opens the SRTP packet in the first `len` bytes of `buffer`, in place.
    ///
    /// After [`SrtpError::AuthFailed`] the payload may be spoilt; the packet is not to be used.
    ///
    /// # Errors
    /// The packet is not authentic, was seen before, or is none.
    pub fn unprotect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<Unprotected, SrtpError> {
        self.open_rtp(buffer, len, OnFailure::Spoil)
    }

    /// Opens the SRTCP packet in the first `len` bytes of `buffer`, in place.
    ///
    /// After [`SrtpError::AuthFailed`] the payload may be spoilt; the packet is not to be used.
    ///
    /// # Errors
    /// The packet is not authentic, was seen before, or is none.
    pub fn unprotect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<Unprotected, SrtpError> {
        self.open_rtcp(buffer, len, OnFailure::Spoil)
    }

    pub(super) fn open_rtp(
        &mut self,
        buffer: &mut [u8],
        len: usize,
        on_failure: OnFailure,
    ) -> Result<Unprotected, SrtpError> {
        let malformed = SrtpError::Malformed(len);
        let packet = buffer.get_mut(..len).ok_or(malformed)?;
        let header = RtpPacket::parse_header(packet).map_err(|_| malformed)?;
        let (ssrc, seq, header_len) = (header.ssrc(), header.seq(), header.header_len());
        if len < header_len + self.suite.rtp_growth() + Mki::len_of(self.mki) {
            return Err(malformed);
        }
        let mki = self.mki;
        let (index, clear_len) = match self.streams.find(ssrc) {
            Some(window) => {
                let index = PacketIndex(window.highest()).estimate(seq);
                if !window.is_free(index.0) {
                    return Err(SrtpError::Replayed);
                }
                (index, self.rtp.open_rtp(ssrc, index, header_len, packet, mki, on_failure)?)
            }
            None => self.open_first(ssrc, seq, header_len, packet)?,
        };
        let above_highest = self.streams.mark(ssrc, index.0, MOST_STREAMS);
        self.opened.0 += 1;
        Ok(Unprotected { len: clear_len, above_highest })
    }

    /// A packet of an SSRC that is not known under this key: which rollover counter it authenticates with decides.
    ///
    /// A stream that began near the end of the numbers may have wrapped before its first packet that could be opened.
    fn open_first(
        &mut self,
        ssrc: Ssrc,
        seq: u16,
        header_len: usize,
        packet: &mut [u8],
    ) -> Result<(PacketIndex, usize), SrtpError> {
        let after = |window: ReplayWindow| PacketIndex(window.highest()).estimate(seq);
        let (carried, seen) = (self.carried.find(ssrc).copied(), self.seen.find(ssrc).copied());
        let first = PacketIndex::new(Roc(0), seq);
        let wrapped = (seq < 0x8000).then(|| PacketIndex::new(Roc(1), seq));
        let guesses = [carried.map(after), seen.map(after), Some(first), wrapped];
        let mut error = SrtpError::AuthFailed;
        for index in guesses.into_iter().flatten() {
            if seen.is_some_and(|seen| !seen.is_free(index.0)) {
                error = SrtpError::Replayed;
                continue;
            }
            match self.rtp.open_rtp(ssrc, index, header_len, packet, self.mki, OnFailure::Keep) {
                Err(SrtpError::AuthFailed) => {}
                Err(error) => return Err(error),
                Ok(len) => {
                    if let Some(seen) = self.seen.remove(ssrc) {
                        self.streams.insert(ssrc, seen, MOST_STREAMS);
                    }
                    return Ok((index, len));
                }
            }
        }
        Err(error)
    }

    pub(super) fn open_rtcp(
        &mut self,
        buffer: &mut [u8],
        len: usize,
        on_failure: OnFailure,
    ) -> Result<Unprotected, SrtpError> {
        let malformed = SrtpError::Malformed(len);
        let packet = buffer.get_mut(..len).ok_or(malformed)?;
        let ssrc = sender(packet).ok_or(malformed)?;
        let trailer = RtcpTrailer { tag: self.suite.srtcp_tag(), mki: self.mki };
        match self.srtcp_tag == Some(trailer.tag) {
            true => self.open_rtcp_with(ssrc, packet, trailer, on_failure),
            false => self.open_rtcp_of_either(ssrc, packet),
        }
    }

    /// SRTCP of a peer whose tags may be of two lengths: the first packet that authenticates under one of them decides, and none
    /// that does not decides anything. The standard's is decided for good; the short one until a packet has the long one, for who
    /// is on the way can cut a tag short, and cannot make one longer.
    fn open_rtcp_of_either(&mut self, ssrc: Ssrc, packet: &mut [u8]) -> Result<Unprotected, SrtpError> {
        let mut error = SrtpError::Malformed(packet.len());
        for tag in [Some(self.suite.srtcp_tag()), self.suite.other_srtcp_tag()].into_iter().flatten() {
            let trailer = RtcpTrailer { tag, mki: self.mki };
            match self.open_rtcp_with(ssrc, packet, trailer, OnFailure::Keep) {
                Ok(unprotected) => {
                    self.srtcp_tag = Some(tag);
                    return Ok(unprotected);
                }
                Err(_) if error == SrtpError::Replayed => {}
                Err(cause) => error = cause,
            }
        }
        Err(error)
    }

    fn open_rtcp_with(
        &mut self,
        ssrc: Ssrc,
        packet: &mut [u8],
        trailer: RtcpTrailer,
        on_failure: OnFailure,
    ) -> Result<Unprotected, SrtpError> {
        let malformed = SrtpError::Malformed(packet.len());
        if packet.len() < 8 + trailer.len() {
            return Err(malformed);
        }
        let index = u64::from(self.rtcp.srtcp_index(packet, trailer).ok_or(malformed)?.0);
        if self.rtcp_streams.find(ssrc).is_some_and(|window| !window.is_free(index)) {
            return Err(SrtpError::Replayed);
        }
        let len = self.rtcp.open_rtcp(ssrc, packet, trailer, on_failure)?;
        let above_highest = self.rtcp_streams.mark(ssrc, index, MOST_STREAMS);
        self.opened.1 += 1;
        Ok(Unprotected { len, above_highest })
    }

    /// Whether it opens what is protected under that key.
    pub fn has_key(&self, suite: Suite, master: &MasterKey) -> bool {
        self.suite == suite && self.master == *master
    }

    /// The rollover counter of an SSRC that was received.
    pub fn roc(&mut self, ssrc: Ssrc) -> Option<Roc> {
        self.streams.find(ssrc).map(|window| PacketIndex(window.highest()).roc())
    }

    /// How many SSRCs are remembered, of RTP and of RTCP: only those of which a packet has authenticated.
    pub fn streams_len(&self) -> (usize, usize) {
        (self.streams.len(), self.rtcp_streams.len())
    }

    /// What another node needs to go on from here.
    pub fn snapshot(&self) -> DirectionSnapshot {
        DirectionSnapshot {
            suite: self.suite,
            master: self.master.clone(),
            streams: self.streams.iter().chain(self.seen.iter()).map(StreamSnapshot::new).collect(),
            rtcp: self.rtcp_streams.iter().map(StreamSnapshot::new).collect(),
            mki: self.mki,
            srtcp_tag: self.srtcp_tag,
            lifetime: self.lifetime,
            opened: self.opened.0.max(self.opened.1),
        }
    }

    /// Goes on from a snapshot that may be some time old: what came up to it is not taken again. The rollover counter holds
    /// if the snapshot is younger than 2^15 packets, eleven minutes of ordinary speech.
    ///
    /// # Errors
    /// The snapshot does not fit the key.
    pub fn restore(snapshot: &DirectionSnapshot) -> Result<Unprotect, SrtpError> {
        let mut unprotect = Unprotect::new(snapshot.suite, &snapshot.master)?;
        let fill = |streams: &mut Streams, snapshots: &[StreamSnapshot]| {
            for stream in snapshots.iter().take(MOST_STREAMS) {
                streams.insert(Ssrc(stream.ssrc), ReplayWindow::after(stream.index), MOST_STREAMS);
            }
        };
        fill(&mut unprotect.streams, &snapshot.streams);
        fill(&mut unprotect.rtcp_streams, &snapshot.rtcp);
        unprotect.set_terms(snapshot.mki, snapshot.lifetime);
        unprotect.srtcp_tag = unprotect.srtcp_tag.or(snapshot.srtcp_tag);
        unprotect.opened = (snapshot.opened, 0);
        Ok(unprotect)
    }
}
