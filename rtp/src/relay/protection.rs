//! The place where a leg's packets are unprotected on their way in and protected on their way out.

use super::Refusal;

/// What came out of [`Protection::unprotect_rtp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unprotected {
    /// Length of the packet in the clear.
    pub len: usize,
    /// Its index is above all that were authenticated before: the sender has moved on, nobody replays it.
    pub above_highest: bool,
}

/// The cryptographic state of one leg, both directions. SRTP is one; a leg without it speaks in the clear.
///
/// Every method works in place: `buffer` holds the packet in its first `len` bytes and has room behind it for what
/// protection adds. Nothing is kept for an SSRC before a packet of it has authenticated. Refusals are
/// [`Refusal::Malformed`], [`Refusal::Unauthenticated`], [`Refusal::Replayed`] and, without room, [`Refusal::Oversized`].
pub trait Protection: Send {
    /// Authenticates and decrypts an SRTP packet.
    fn unprotect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<Unprotected, Refusal>;

    /// Authenticates and decrypts an SRTCP packet.
    fn unprotect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<Unprotected, Refusal>;

    /// Encrypts and authenticates an RTP packet; returns its new length.
    fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, Refusal>;

    /// Encrypts and authenticates an RTCP packet; returns its new length.
    fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, Refusal>;
}
