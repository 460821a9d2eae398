//! SRTP and SRTCP: RTP and RTCP, encrypted and authenticated in place. RFC 3711, RFC 6188, RFC 7714.
//!
//! A [`Protect`] has one direction's key and encrypts what we send; an [`Unprotect`] has the other's and opens what we
//! receive; a [`Session`] is both for one leg and knows how to change keys in mid-call. No packet allocates. Nothing is
//! kept for an SSRC before a packet of it has authenticated, and what is kept after is bounded.
//!
//! Keys come by SDES (RFC 4568), from signalling: nothing here negotiates. Not supported: key derivation rates other than 0, and
//! several keys at a time.
//!
//! ```
//! use rtp::srtp::{MasterKey, Protect, Suite, Unprotect};
//!
//! let suite = Suite::AesCm128HmacSha1_80;
//! let key = MasterKey::new(suite, &[7; 30])?; // as in `a=crypto`: 16 bytes of key, 14 of salt
//! let (mut ours, mut theirs) = (Protect::new(suite, &key)?, Unprotect::new(suite, &key)?);
//!
//! let mut buffer = [0; 256];
//! buffer[0] = 0x80; // RTP version 2
//! let protected = ours.protect_rtp(&mut buffer, 172)?;
//! assert_eq!(protected, 172 + 10);
//! let unprotected = theirs.unprotect_rtp(&mut buffer, protected)?;
//! assert_eq!((unprotected.len, buffer[0]), (172, 0x80));
//! # Ok::<(), rtp::srtp::SrtpError>(())
//! ```

mod cipher;
mod derivation;
mod error;
mod index;
mod key;
mod mki;
mod protect;
mod replay;
mod session;
mod snapshot;
mod streams;
mod suite;
mod unprotect;
#[cfg(test)]
mod vectors;

pub use error::SrtpError;
pub use index::{PacketIndex, Roc, SrtcpIndex};
pub use key::MasterKey;
pub use mki::Mki;
pub use protect::Protect;
pub use session::{Session, SrtpKeys};
pub use snapshot::{DirectionSnapshot, SessionSnapshot, StreamSnapshot};
pub use suite::{SrtcpTag, Suite, UnknownSuite};
pub use unprotect::{Unprotect, Unprotected};
