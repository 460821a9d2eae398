//! What goes wrong with a packet or a key.

/// Why a packet was not protected or unprotected, or a key not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Key and salt have not the length that the suite asks for.
    #[error("{found} bytes of key and salt instead of {expected}")]
    KeyLength {
        /// What the suite asks for.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// The peer's key is ours: whatever we send could be sent back to us as its own.
    #[error("peer echoes our key")]
    Reflected,
    /// Not (S)RTP version 2, not (S)RTCP, or too short for header and tag.
    #[error("{0} bytes that are no packet")]
    Malformed(usize),
    /// The buffer has no room for what protection adds.
    #[error("{needed} bytes do not fit")]
    NoRoom {
        /// Length that the packet would have.
        needed: usize,
    },
    /// The tag does not match: forged, damaged, of another key, or so late or early that its index was guessed wrong.
    #[error("tag does not match")]
    AuthFailed,
    /// Received: its index was seen before, or is older than the replay window. Sent: the index was used before, and using
    /// it again would give the key away; the repeat is not sent.
    #[error("index was used before")]
    Replayed,
    /// The key has protected all that it may: 2^31 SRTCP packets, or more SSRCs than are remembered.
    #[error("key is exhausted")]
    Exhausted,
}
