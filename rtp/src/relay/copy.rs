//! Copies of what the parties of a call say, which the relay of a recording session sends on.

use std::time::Instant;

use super::{Forward, Refusal, Relay, Side, StreamKind, codec, format, renamed};
use crate::packet::RtpPacket;

impl Relay {
    /// Each RTP packet is kept for [`Relay::take_copy`] from now on, or not any more. Meanwhile nothing is offloaded.
    pub fn set_copied(&mut self, copied: bool) {
        self.copy = copied.then(Vec::new);
    }

    /// The RTP packet that was taken last, without its encryption and whatever became of it; once. It comes in `buffer`, whose room
    /// is used for the next one.
    ///
    /// `false`: there is none.
    pub fn take_copy(&mut self, buffer: &mut Vec<u8>) -> bool {
        let Some(copy) = self.copy.as_mut().filter(|copy| !copy.is_empty()) else { return false };
        std::mem::swap(copy, buffer);
        copy.clear();
        true
    }

    /// Sends a copy to the peer of a leg: the first `len` bytes of `buffer`, which has room for what protection adds.
    ///
    /// # Errors
    /// The peer takes none now, or the copy can't be protected.
    pub fn handle_copy(
        &mut self,
        now: Instant,
        side: Side,
        buffer: &mut [u8],
        mut len: usize,
    ) -> Result<Forward, Refusal> {
        let leg = self.leg(side);
        let datagram = buffer.get(..len).ok_or(Refusal::Oversized)?;
        let packet = RtpPacket::parse(datagram).map_err(|_| Refusal::Malformed)?;
        let to = leg.destination(StreamKind::Rtp).ok_or(Refusal::Unroutable)?;
        let format = format(leg, leg, packet.payload_type());
        let codec = codec(leg, leg, packet.payload_type(), format);
        let name = leg.name(now, &packet, false)?;
        let packet = match name == packet.ssrc() {
            true => packet,
            false => renamed(buffer, len, name)?,
        };
        leg.send(now, &packet, format, codec);
        len = leg.security.protect_rtp(buffer, len)?;
        leg.meter.sent.rtp.add(len);
        Ok(Forward { to, len })
    }
}
