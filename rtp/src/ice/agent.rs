//! One leg's agent.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

use super::stun::Message;
use crate::relay::Component;

/// Ways of a component that are remembered: a peer has some interfaces, each with IPv4 and IPv6.
const MOST_WAYS: usize = 16;

/// The name and password of one side, in a description. RFC 8839 §5.4. Wiped when dropped; `Debug` hides the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    ufrag: String,
    password: String,
}

/// Name or password are too short, too long, or have letters that are none of ICE's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ice-ufrag or ice-pwd cannot be read")]
pub struct CredentialsError;

impl Credentials {
    /// - `ufrag`: 4 to 256 letters of ICE: letters, digits, `+`, `/`.
    /// - `password`: 22 to 256.
    ///
    /// # Errors
    /// [`CredentialsError`]
    pub fn new(ufrag: &str, password: &str) -> Result<Self, CredentialsError> {
        let fits = |text: &str, least: usize| {
            (least..=256).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        };
        match fits(ufrag, 4) && fits(password, 22) {
            true => Ok(Credentials { ufrag: ufrag.to_owned(), password: password.to_owned() }),
            false => Err(CredentialsError),
        }
    }

    /// New ones: 48 bits of name, 144 of password, of what nobody can guess. RFC 8445 §5.3 wants 24 and 128.
    pub fn made(random: [u8; 32]) -> Self {
        const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let letter =
            |byte: &u8| LETTERS.get(usize::from(byte & 63)).map_or('A', |letter| char::from(*letter));
        let (ufrag, password) = random.split_at(8);
        let word = |bytes: &[u8]| bytes.iter().map(letter).collect();
        Credentials { ufrag: word(ufrag), password: word(password) }
    }

    /// `a=ice-ufrag`
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// `a=ice-pwd`: secret.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl Drop for Credentials {
    fn drop(&mut self) {
        self.password.zeroize();
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, ***)", self.ufrag)
    }
}

/// What a datagram of STUN was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// The first so many bytes of the buffer go back to where it came from.
    Answer {
        /// Of the response.
        len: usize,
        /// Media goes another way from now on.
        selected: bool,
    },
    /// Nothing is answered: it keeps a way open.
    Kept,
    /// Its sender does not know the password.
    Unauthenticated,
    /// It is no check of ICE.
    Malformed,
}

/// Who answers the checks of one leg's peer, which is a full agent.
///
/// A way is good once a check with the right password has come by it. Media goes the way that the peer nominated last, or
/// before that the last one that was good.
#[derive(Debug, Clone)]
pub struct Agent {
    own: Credentials,
    /// The peer's name, once its description has come.
    peer: Option<String>,
    rtp: Ways,
    rtcp: Ways,
}

/// Where one component can be reached.
#[derive(Debug, Clone, Default)]
struct Ways {
    /// The newest last.
    good: VecDeque<SocketAddr>,
    nominated: Option<SocketAddr>,
    /// After a restart: the way of before holds until there is another one. RFC 8445 §2.4.
    before: Option<SocketAddr>,
}

impl Ways {
    fn selected(&self) -> Option<SocketAddr> {
        self.nominated.or(self.good.back().copied()).or(self.before)
    }

    fn has(&self, address: SocketAddr) -> bool {
        self.good.contains(&address) || self.before == Some(address)
    }

    /// Returns whether another way is taken by it.
    fn take(&mut self, from: SocketAddr, nominates: bool) -> bool {
        let before = self.selected();
        if !self.good.contains(&from) {
            if self.good.len() >= MOST_WAYS {
                self.good.pop_front();
            }
            self.good.push_back(from);
        }
        if nominates {
            self.nominated = Some(from);
        }
        before != self.selected()
    }

    fn restart(&mut self) {
        *self = Ways { before: self.selected(), ..Ways::default() };
    }
}

impl Agent {
    /// - `own`: what our description says of us.
    pub fn new(own: Credentials) -> Self {
        Agent { own, peer: None, rtp: Ways::default(), rtcp: Ways::default() }
    }

    /// What our description says now; other words than before restart ICE. RFC 8839 §4.4.1.1.1.
    pub fn handle_own(&mut self, own: &Credentials) {
        if self.own != *own {
            self.own = own.clone();
            self.peer = None;
            self.rtp.restart();
            self.rtcp.restart();
        }
    }

    /// The peer's description has come, with its name.
    pub fn handle_peer(&mut self, ufrag: &str) {
        self.peer = Some(ufrag.to_owned());
    }

    /// Where media of a component goes; `None`: no check has come yet.
    pub fn selected(&self, component: Component) -> Option<SocketAddr> {
        self.ways(component).selected()
    }

    /// Whether an address has shown that it may send.
    pub fn is_good(&self, component: Component, address: SocketAddr) -> bool {
        self.ways(component).has(address)
    }

    /// Takes a datagram whose first byte says STUN; `out` has room for 256 bytes.
    pub fn handle_datagram(
        &mut self,
        component: Component,
        from: SocketAddr,
        datagram: &[u8],
        out: &mut [u8],
    ) -> Checked {
        let request = match Message::parse(datagram) {
            Some(Message::Request(request)) => request,
            Some(Message::Indication) => return Checked::Kept,
            None => return Checked::Malformed,
        };
        let password = self.own.password.as_bytes();
        // A way to guess passwords at the price of a datagram each would be to be told that it was wrong: nothing is said.
        if !self.names_us(request.username) || !request.is_authentic(password) {
            return Checked::Unauthenticated;
        }
        let failed = match &request {
            request if !request.unknown.is_empty() => Some((420, "Unknown Attribute")),
            // A lite agent is always the controlled one: its peer is full. RFC 8445 §6.1.1, §7.3.1.1.
            request if request.is_controlled => Some((487, "Role Conflict")),
            _ => None,
        };
        if let Some((code, reason)) = failed {
            let len = request.fail(code, reason, password, out);
            return len.map_or(Checked::Malformed, |len| Checked::Answer { len, selected: false });
        }
        let Some(len) = request.succeed(from, password, out) else { return Checked::Malformed };
        let nominates = request.use_candidate;
        let selected = self.ways_mut(component).take(from, nominates);
        Checked::Answer { len, selected }
    }

    /// Whether USERNAME is our name and the peer's. RFC 8445 §7.2.2.
    fn names_us(&self, username: &[u8]) -> bool {
        let Some(at) = username.iter().position(|byte| *byte == b':') else { return false };
        let Some((ours, [_, theirs @ ..])) = username.split_at_checked(at) else { return false };
        let peer = self.peer.as_deref();
        bool::from(ours.ct_eq(self.own.ufrag.as_bytes())) && peer.is_none_or(|peer| peer.as_bytes() == theirs)
    }

    fn ways(&self, component: Component) -> &Ways {
        match component {
            Component::Rtp => &self.rtp,
            Component::Rtcp => &self.rtcp,
        }
    }

    fn ways_mut(&mut self, component: Component) -> &mut Ways {
        match component {
            Component::Rtp => &mut self.rtp,
            Component::Rtcp => &mut self.rtcp,
        }
    }
}
