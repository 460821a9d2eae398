//! One association: a handshake, and the keys that come of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use dimpl::{Dtls, KeyingMaterial, SrtpProfile};
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::fingerprint::Fingerprint;
use crate::srtp::{MasterKey, SrtpKeys, Suite};

/// Datagrams that one association takes until its keys are there: a handshake has some ten, and a flood makes no work beyond.
const MOST_DATAGRAMS: u32 = 200;
/// And so many after that: the peer may not have heard the end, and says its last flight again.
const MOST_LATER: u32 = 50;
/// The longest datagram that is sent.
const LONGEST: usize = 2048;

/// Who says the first word. RFC 5763 §5, RFC 4145.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Role {
    /// The client: we begin. `a=setup:active` of ours.
    Active,
    /// The server: the peer does. `a=setup:passive` of ours.
    Passive,
}

/// Why an association has no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Whoever shook hands is not whom signalling named: somebody sits between, or signalling was changed on its way.
    #[error("the certificate is not that of the fingerprint in the SDP")]
    Fingerprint,
    /// RFC 5764 §4.1: no `use_srtp` that we know.
    #[error("no SRTP profile in common")]
    NoProfile,
    /// A flight of ours was not answered, or the whole took too long.
    #[error("the handshake was not finished in time")]
    TimedOut,
    /// What else is wrong with it, in words without secrets.
    #[error("the handshake failed: {0}")]
    Refused(String),
}

enum State {
    Shaking,
    /// Keys are there, and nobody has said yet whose certificate the peer must show.
    Unproven(Box<SrtpKeys>),
    Done,
    Failed,
}

/// A handshake of DTLS 1.2 with SRTP's extension. RFC 5764.
///
/// It may begin before the peer's fingerprint is known, which comes with its answer: until then its keys are held back.
/// Retransmission goes by [`Association::poll_timeout`].
pub struct Association {
    dtls: Option<Dtls>,
    role: Role,
    signalled: Vec<Fingerprint>,
    certificate: Vec<u8>,
    state: State,
    wake: Option<Instant>,
    /// Datagrams that may come yet.
    left: u32,
    /// What it has come to, until that is taken.
    outcome: Option<Result<Box<SrtpKeys>, Failure>>,
    /// What is to be sent.
    datagrams: VecDeque<Vec<u8>>,
}

impl Association {
    /// A handshake that has not begun. It draws its keys by itself, from the system.
    pub fn new(now: Instant, endpoint: &Endpoint, role: Role) -> Association {
        let mut dtls = Dtls::new_12(Arc::clone(&endpoint.config), endpoint.certificate.clone(), now);
        dtls.set_active(role == Role::Active);
        let mut association = Association {
            dtls: Some(dtls),
            role,
            signalled: Vec::new(),
            certificate: Vec::new(),
            state: State::Shaking,
            wake: None,
            left: MOST_DATAGRAMS,
            outcome: None,
            datagrams: VecDeque::new(),
        };
        if role == Role::Active {
            association.handle_timeout(now);
        }
        association
    }

    /// Ours.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Signalling has told whose certificate the peer must show; at least one.
    pub fn handle_fingerprints(&mut self, signalled: &[Fingerprint]) {
        self.signalled = signalled.to_vec();
        if matches!(self.state, State::Unproven(_)) {
            self.prove();
        }
    }

    /// Takes a datagram of the peer's. What is no DTLS of this association is passed over, as RFC 6347 §4.1.2.7 has it.
    ///
    /// Returns whether it was looked at: beyond so many none is.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &[u8]) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        let Some(dtls) = &mut self.dtls else { return false };
        self.left = left;
        let taken = dtls.handle_timeout(now).and_then(|()| dtls.handle_packet(datagram));
        self.drain(taken);
        true
    }

    /// Time passed: flights that were not answered go again.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(dtls) = &mut self.dtls else { return };
        let taken = dtls.handle_timeout(now);
        self.drain(taken);
    }

    /// The next datagram to send, written to `buffer`, of 2,048 bytes at least; its length. Drain to `None`.
    pub fn poll_transmit(&mut self, buffer: &mut [u8]) -> Option<usize> {
        while let Some(datagram) = self.datagrams.pop_front() {
            if let Some(room) = buffer.get_mut(..datagram.len()) {
                room.copy_from_slice(&datagram);
                return Some(datagram.len());
            }
        }
        None
    }

    /// Whether [`Association::poll_transmit`] has something.
    pub fn has_to_send(&self) -> bool {
        !self.datagrams.is_empty()
    }

    /// What the handshake has come to: keys of whom the fingerprint names, or why there are none. Once.
    pub fn take_outcome(&mut self) -> Option<Result<Box<SrtpKeys>, Failure>> {
        self.outcome.take()
    }

    /// When to call [`Association::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.wake
    }

    fn drain(&mut self, taken: Result<(), dimpl::Error>) {
        if let Err(error) = taken {
            return self.fail(refused(&error));
        }
        let mut buffer = [0; LONGEST];
        self.wake = None;
        let mut connected = false;
        while let Some(dtls) = &mut self.dtls {
            match dtls.poll_output(&mut buffer) {
                dimpl::Output::Packet(datagram) => self.datagrams.push_back(datagram.to_vec()),
                dimpl::Output::PeerCert(certificate) => self.certificate = certificate.to_vec(),
                dimpl::Output::KeyingMaterial(material, profile) => self.handle_keys(&material, profile),
                dimpl::Output::Connected => connected = true,
                // It is a time far off where nothing waits.
                dimpl::Output::Timeout(_) if connected && matches!(self.state, State::Shaking) => {
                    return self.fail(Failure::NoProfile);
                }
                dimpl::Output::Timeout(at) => {
                    self.wake = Some(at).filter(|_| !matches!(self.state, State::Done));
                    return;
                }
                dimpl::Output::BufferTooSmall { .. } => {
                    return self.fail(Failure::Refused("a datagram is too long".to_owned()));
                }
                dimpl::Output::CloseNotify => return self.dtls = None,
                _ => {}
            }
        }
    }

    fn handle_keys(&mut self, material: &KeyingMaterial, profile: SrtpProfile) {
        if !matches!(self.state, State::Shaking) {
            return;
        }
        match keys(self.role, material, profile) {
            Some(keys) => {
                self.state = State::Unproven(Box::new(keys));
                self.left = MOST_LATER;
                if !self.signalled.is_empty() {
                    self.prove();
                }
            }
            None => self.fail(Failure::NoProfile),
        }
    }

    fn prove(&mut self) {
        if !Fingerprint::verify(&self.signalled, &self.certificate) {
            return self.fail(Failure::Fingerprint);
        }
        if let State::Unproven(keys) = std::mem::replace(&mut self.state, State::Done) {
            self.outcome = Some(Ok(keys));
        }
    }

    /// Once the keys are there nothing that comes takes them away: it may be forged.
    fn fail(&mut self, failure: Failure) {
        let proven = matches!(self.state, State::Done);
        let unproven = matches!(self.state, State::Unproven(_)) && failure != Failure::Fingerprint;
        (self.dtls, self.wake) = (None, None);
        if !proven && !unproven && !matches!(self.state, State::Failed) {
            self.state = State::Failed;
            self.outcome = Some(Err(failure));
        }
    }
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Shaking => "shaking hands",
            State::Unproven(_) => "unproven",
            State::Done => "done",
            State::Failed => "failed",
        };
        f.debug_struct("Association").field("role", &self.role).field("state", &state).finish_non_exhaustive()
    }
}

fn refused(error: &dimpl::Error) -> Failure {
    match error {
        dimpl::Error::Timeout(_) => Failure::TimedOut,
        other => Failure::Refused(other.to_string()),
    }
}

/// The keys of both directions out of the exported material: the client's key, the server's, the client's salt, the
/// server's. RFC 5764 §4.2.
fn keys(role: Role, material: &KeyingMaterial, profile: SrtpProfile) -> Option<SrtpKeys> {
    let suite = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Suite::AesCm128HmacSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Suite::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Suite::AeadAes256Gcm,
        _ => return None,
    };
    let (client_key, rest) = material.split_at_checked(suite.key_len())?;
    let (server_key, rest) = rest.split_at_checked(suite.key_len())?;
    let (client_salt, rest) = rest.split_at_checked(suite.salt_len())?;
    let (server_salt, _) = rest.split_at_checked(suite.salt_len())?;
    let master = |key: &[u8], salt: &[u8]| MasterKey::new(suite, &Zeroizing::new([key, salt].concat())).ok();
    let (client, server) = (master(client_key, client_salt)?, master(server_key, server_salt)?);
    Some(match role {
        Role::Active => SrtpKeys::new(suite, client, server),
        Role::Passive => SrtpKeys::new(suite, server, client),
    })
}
