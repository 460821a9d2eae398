//! RTP without I/O: packets, RTCP, quality figures, source lock, and the relay that joins two legs.
//!
//! One datagram goes in, at most one comes out, changed in place. This crate opens no socket, reads no clock and
//! draws no randomness that it was not handed; it knows nothing of SIP.

pub mod codec;
pub mod dtls;
pub mod ice;
pub mod lock;
pub mod ntp;
pub mod packet;
pub mod quality;
pub mod relay;
pub mod rtcp;
pub mod sender;
pub mod srtp;

#[cfg(test)]
#[path = "../tests/shared/mod.rs"]
mod shared;

/// Where a test's time starts; it goes on by arithmetic.
#[cfg(test)]
#[allow(clippy::disallowed_methods)]
fn test_start() -> std::time::Instant {
    std::time::Instant::now()
}
