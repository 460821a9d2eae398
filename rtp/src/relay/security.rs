//! Whether a leg's media is RTP or SRTP, and what protects it.

use super::Refusal;
use crate::packet::Ssrc;
use crate::srtp::{Session, SrtpError, SrtpKeys, Unprotected};

/// The cryptographic state of one leg, both directions.
///
/// A session outlives a change to RTP: should its keys come back, its packet indices go on.
#[derive(Default)]
pub(super) struct Security {
    state: State,
    session: Option<Box<Session>>,
    /// It was told that the peer's key has had its life.
    is_told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    /// RTP.
    #[default]
    Clear,
    /// SRTP whose keys are not known yet: nothing passes.
    Awaited,
    /// SRTP.
    Protected,
}

impl Security {
    /// An offer went out. `only`: SRTP was offered and nothing else; the peer's key comes with its answer.
    pub(super) fn expect(&mut self, only: bool) {
        self.state = match self.state {
            State::Protected => State::Protected,
            State::Clear | State::Awaited if only => State::Awaited,
            State::Clear | State::Awaited => State::Clear,
        };
    }

    /// The peer spoke. `moved`: its media goes elsewhere than before.
    pub(super) fn handle_keys(&mut self, keys: Option<&SrtpKeys>, moved: bool) {
        let Some(keys) = keys else {
            self.state = State::Clear;
            return;
        };
        let taken = match &mut self.session {
            Some(session) => session.rekey(keys, moved),
            none => Session::new(keys).map(|session| *none = Some(Box::new(session))),
        };
        self.is_told = self.session.as_deref().is_some_and(Session::is_used_up) && self.is_told;
        // Keys that do not fit their suite, or that echo ours, open nothing and close nothing.
        self.state = if taken.is_ok() { State::Protected } else { State::Awaited };
    }

    /// Opens a packet that came in; `None`: it was in the clear, as it should be.
    pub(super) fn unprotect_rtp(
        &mut self,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Option<Unprotected>, Refusal> {
        let session = self.session(Refusal::Unauthenticated)?;
        Ok(session.map(|session| session.unprotect_rtp(buffer, len)).transpose()?)
    }

    /// The same of RTCP.
    pub(super) fn unprotect_rtcp(
        &mut self,
        buffer: &mut [u8],
        len: usize,
    ) -> Result<Option<Unprotected>, Refusal> {
        let session = self.session(Refusal::Unauthenticated)?;
        Ok(session.map(|session| session.unprotect_rtcp(buffer, len)).transpose()?)
    }

    /// Whether a packet of that number may go out.
    pub(super) fn check_rtp(&mut self, ssrc: Ssrc, seq: u16) -> Result<(), Refusal> {
        let session = self.session(Refusal::Unroutable)?;
        Ok(session.map_or(Ok(()), |session| session.check_rtp(ssrc, seq))?)
    }

    /// Whether the number is too far behind what was sent to be a late one.
    pub(super) fn has_left_behind(&mut self, ssrc: Ssrc, seq: u16) -> bool {
        self.session.as_mut().is_some_and(|session| session.has_left_behind(ssrc, seq))
    }

    /// Whether a packet of that SSRC would be the first of a stream that is to be remembered.
    pub(super) fn would_begin(&mut self, ssrc: Ssrc) -> bool {
        let protected = self.state == State::Protected;
        self.session.as_mut().filter(|_| protected).is_some_and(|session| !session.has_sent(ssrc))
    }

    /// Protects a packet that goes out; returns its length on the wire.
    pub(super) fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, Refusal> {
        let session = self.session(Refusal::Unroutable)?;
        Ok(session.map_or(Ok(len), |session| session.protect_rtp(buffer, len))?)
    }

    /// The same of RTCP.
    pub(super) fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, Refusal> {
        let session = self.session(Refusal::Unroutable)?;
        Ok(session.map_or(Ok(len), |session| session.protect_rtcp(buffer, len))?)
    }

    /// Whether the peer's key has protected as much as the peer said; once for each key.
    pub(super) fn take_used_up(&mut self) -> bool {
        let is_used_up = self.active().is_some_and(Session::is_used_up);
        is_used_up && !std::mem::replace(&mut self.is_told, is_used_up)
    }

    /// Whether it is RTP and nothing else.
    pub(super) fn is_clear(&self) -> bool {
        self.state == State::Clear
    }

    /// The session of SRTP.
    pub(super) fn active(&self) -> Option<&Session> {
        self.session.as_deref().filter(|_| self.state == State::Protected)
    }

    fn session(&mut self, awaited: Refusal) -> Result<Option<&mut Session>, Refusal> {
        match (self.state, &mut self.session) {
            (State::Clear, _) => Ok(None),
            (State::Protected, Some(session)) => Ok(Some(session)),
            (State::Protected | State::Awaited, _) => Err(awaited),
        }
    }
}

impl From<SrtpError> for Refusal {
    fn from(error: SrtpError) -> Refusal {
        match error {
            SrtpError::Malformed(_) => Refusal::Malformed,
            SrtpError::NoRoom { .. } => Refusal::Oversized,
            SrtpError::AuthFailed | SrtpError::KeyLength { .. } | SrtpError::Reflected => {
                Refusal::Unauthenticated
            }
            SrtpError::Replayed | SrtpError::Exhausted => Refusal::Replayed,
        }
    }
}
