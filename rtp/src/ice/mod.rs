//! ICE-lite: checks of the peer's are answered, none are made. RFC 8445 §2.5, §7.3.
//!
//! A gateway with an address of its own needs no more: the peer finds out which way leads there, and says which one it takes.
//! We gather nothing, check nothing and keep no way alive; we send to no address that has not shown the password of this
//! session.

mod agent;
mod stun;

use crate::dtls::Demultiplexed;

pub use agent::{Agent, Checked, Credentials, CredentialsError};

/// Whether a datagram is of STUN: by its first byte (RFC 7983 §7) and the magic cookie, for fax has no first byte of its own.
pub fn is_stun(datagram: &[u8]) -> bool {
    Demultiplexed::of(datagram) == Demultiplexed::Stun
        && datagram.get(4..8) == Some(&stun::COOKIE.to_be_bytes())
}

#[cfg(test)]
mod tests;
