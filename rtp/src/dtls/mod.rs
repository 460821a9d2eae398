//! DTLS-SRTP: keys of SRTP by a handshake on the media's own path. RFC 5763, RFC 5764.
//!
//! Whose certificate it is that the peer shows, the fingerprint in its SDP says (RFC 8122); nobody else vouches for it. The
//! handshake is dimpl's, of DTLS 1.2, its cryptography ring's.

mod association;
mod endpoint;
mod fingerprint;
mod provider;

pub use association::{Association, Failure, Role};
pub use endpoint::{Endpoint, EndpointError};
pub use fingerprint::{Fingerprint, FingerprintError, Hash};

/// What a datagram is by its first byte, where several protocols share a port. RFC 7983 §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demultiplexed {
    /// 0 to 3.
    Stun,
    /// 20 to 63.
    Dtls,
    /// 128 to 191: RTP and RTCP, protected or not.
    Rtp,
    /// Of no use here: ZRTP, TURN channels, nothing at all.
    Other,
}

impl Demultiplexed {
    /// Looks at the first byte.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0..=3) => Demultiplexed::Stun,
            Some(20..=63) => Demultiplexed::Dtls,
            Some(128..=191) => Demultiplexed::Rtp,
            _ => Demultiplexed::Other,
        }
    }
}

#[cfg(test)]
mod tests;
