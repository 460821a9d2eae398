//! Both directions of one leg, and the change of its keys.

use serde::{Deserialize, Serialize};

use super::cipher::OnFailure;
use super::snapshot::SessionSnapshot;
use super::{MasterKey, Mki, Protect, SrtcpTag, SrtpError, Suite, Unprotect, Unprotected};
use crate::packet::Ssrc;

/// Packets that authenticate under a new key before the old one is dropped: those that were on their way when the peer
/// changed over come late by less than this.
const OLD_KEY_LASTS: u32 = 64;
/// Keys of ours that are remembered: more than there are suites, each of which has one key a leg.
const MOST_RETIRED: usize = 16;
/// Keys of the peer's that are remembered: one that comes back is that of a moment ago, most often.
const MOST_BEFORE: usize = 4;

/// What SDES has agreed on for a leg. RFC 4568.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SrtpKeys {
    /// The suite of both directions.
    pub suite: Suite,
    /// Ours: in the `a=crypto` that we sent. Chosen at random for each leg, and never for a second session.
    pub send: MasterKey,
    /// The peer's: in the `a=crypto` that it sent. Not ours.
    pub receive: MasterKey,
    /// The name of ours in each packet that we send, where our `a=crypto` has one.
    #[serde(default)]
    pub send_mki: Option<Mki>,
    /// The name of the peer's in each packet that it sends, where its `a=crypto` has one.
    #[serde(default)]
    pub receive_mki: Option<Mki>,
    /// How many packets the peer's protects, of RTP or of RTCP, by the peer's own word; `None`: as many as the suite allows.
    #[serde(default)]
    pub lifetime: Option<u64>,
}

impl SrtpKeys {
    /// Keys without names, for as long as the suite allows.
    pub fn new(suite: Suite, send: MasterKey, receive: MasterKey) -> SrtpKeys {
        SrtpKeys { suite, send, receive, send_mki: None, receive_mki: None, lifetime: None }
    }
}

/// SRTP on one leg.
pub struct Session {
    protect: Protect,
    unprotect: Unprotect,
    /// What we have sent under before: should such a key come back, its indices go on.
    retired: Vec<Protect>,
    /// What we have received under before, the latest last: should such a key come back, what was seen stays seen.
    before: Vec<Unprotect>,
    /// While packets under the latest of those are still taken: how many have come under the new key.
    opened: Option<u32>,
}

impl Session {
    /// A session that has sent and received nothing.
    ///
    /// Fails with [`SrtpError::KeyLength`] if a key is another suite's, with [`SrtpError::Reflected`] if the peer's is ours.
    pub fn new(keys: &SrtpKeys) -> Result<Session, SrtpError> {
        refuse_reflection(keys)?;
        let mut session = Session {
            protect: Protect::new(keys.suite, &keys.send)?,
            unprotect: Unprotect::new(keys.suite, &keys.receive)?,
            retired: Vec::new(),
            before: Vec::new(),
            opened: None,
        };
        session.set_terms(keys);
        Ok(session)
    }

    fn set_terms(&mut self, keys: &SrtpKeys) {
        self.protect.set_mki(keys.send_mki);
        self.unprotect.set_terms(keys.receive_mki, keys.lifetime);
    }

    /// How long the tags of the peer's SRTCP are, and so ours; `None`: it has sent none that authenticates, and the suite knows two.
    pub fn srtcp_tag(&self) -> Option<SrtcpTag> {
        self.unprotect.srtcp_tag()
    }

    /// The peer's key has protected as many packets as the peer said: [`Unprotect::is_used_up`].
    pub fn is_used_up(&self) -> bool {
        self.unprotect.is_used_up()
    }

    /// The peer spoke again: goes on with those keys.
    ///
    /// - `moved`: its media goes elsewhere now, most likely to another machine. One that has seen nothing of our streams
    ///   takes their rollover counters for 0, so they begin again, if the key that we send under is a new one. Under the
    ///   same key, or one that comes back, they go on: RFC 3711 §9.1 forbids to use an index twice.
    ///
    /// A direction whose key is the same goes on as it was; what was seen under a key that comes back is not taken again, with
    /// the last four keys. Packets under the old key are taken until 64 have come under
    /// the new one. Fails, and changes nothing, like [`Session::new`], or with [`SrtpError::Exhausted`] at the
    /// 18th key to send under.
    pub fn rekey(&mut self, keys: &SrtpKeys, moved: bool) -> Result<(), SrtpError> {
        refuse_reflection(keys)?;
        // Both keys are tried before either is taken.
        let comes_back = self.before.iter().position(|before| before.has_key(keys.suite, &keys.receive));
        let unprotect = match self.unprotect.has_key(keys.suite, &keys.receive) || comes_back.is_some() {
            true => None,
            false => Some(self.unprotect.rekeyed(keys.suite, &keys.receive)?),
        };
        if !self.protect.has_key(keys.suite, &keys.send) {
            let known = self.retired.iter().position(|retired| retired.has_key(keys.suite, &keys.send));
            let mut protect = match known {
                Some(place) => self.retired.swap_remove(place),
                None if self.retired.len() >= MOST_RETIRED => return Err(SrtpError::Exhausted),
                None => Protect::new(keys.suite, &keys.send)?,
            };
            if !moved {
                protect.go_on_after(&self.protect);
            }
            // The same peer, most likely: its first packet under the new key will tell.
            self.srtcp_tag().into_iter().for_each(|tag| protect.set_srtcp_tag(tag));
            self.retired.push(std::mem::replace(&mut self.protect, protect));
        }
        let unprotect = unprotect.or_else(|| {
            // The offer of the key between was refused, say.
            let mut back = self.before.remove(comes_back?);
            back.come_back_after(&self.unprotect);
            Some(back)
        });
        if let Some(unprotect) = unprotect {
            if self.before.len() >= MOST_BEFORE {
                self.before.remove(0);
            }
            self.before.push(std::mem::replace(&mut self.unprotect, unprotect));
            self.opened = Some(0);
        }
        self.set_terms(keys);
        Ok(())
    }

    /// Opens an SRTP packet: [`Unprotect::unprotect_rtp`].
    ///
    /// # Errors
    /// As of [`Unprotect::unprotect_rtp`].
    pub fn unprotect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<Unprotected, SrtpError> {
        self.unprotect(buffer, len, Unprotect::open_rtp)
    }

    /// Opens an SRTCP packet: [`Unprotect::unprotect_rtcp`].
    ///
    /// # Errors
    /// As of [`Unprotect::unprotect_rtcp`].
    pub fn unprotect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<Unprotected, SrtpError> {
        let unprotected = self.unprotect(buffer, len, Unprotect::open_rtcp)?;
        self.srtcp_tag().into_iter().for_each(|tag| self.protect.set_srtcp_tag(tag));
        Ok(unprotected)
    }

    /// Whether a packet may be protected, before anything is done about it: [`Protect::check_rtp`].
    ///
    /// # Errors
    /// As of [`Protect::check_rtp`].
    pub fn check_rtp(&mut self, ssrc: Ssrc, seq: u16) -> Result<(), SrtpError> {
        self.protect.check_rtp(ssrc, seq)
    }

    /// Whether a number is behind all that could be late: [`Protect::has_left_behind`].
    pub fn has_left_behind(&mut self, ssrc: Ssrc, seq: u16) -> bool {
        self.protect.has_left_behind(ssrc, seq)
    }

    /// Whether a packet of that SSRC was sent under the key of now: [`Protect::has_sent`].
    pub fn has_sent(&mut self, ssrc: Ssrc) -> bool {
        self.protect.has_sent(ssrc)
    }

    /// Protects an RTP packet: [`Protect::protect_rtp`].
    ///
    /// # Errors
    /// As of [`Protect::protect_rtp`].
    pub fn protect_rtp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        self.protect.protect_rtp(buffer, len)
    }

    /// Protects an RTCP packet: [`Protect::protect_rtcp`].
    ///
    /// # Errors
    /// As of [`Protect::protect_rtcp`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], len: usize) -> Result<usize, SrtpError> {
        self.protect.protect_rtcp(buffer, len)
    }

    /// What another node needs to go on from here. An old key is left out.
    pub fn snapshot(&self) -> SessionSnapshot {
        SessionSnapshot { send: self.protect.snapshot(), receive: self.unprotect.snapshot() }
    }

    /// Goes on from a snapshot: [`Protect::restore`], [`Unprotect::restore`].
    ///
    /// # Errors
    /// The snapshot holds keys that do not fit their suite.
    pub fn restore(snapshot: &SessionSnapshot) -> Result<Session, SrtpError> {
        Ok(Session {
            protect: Protect::restore(&snapshot.send)?,
            unprotect: Unprotect::restore(&snapshot.receive)?,
            retired: Vec::new(),
            before: Vec::new(),
            opened: None,
        })
    }

    fn unprotect(
        &mut self,
        buffer: &mut [u8],
        len: usize,
        open: fn(&mut Unprotect, &mut [u8], usize, OnFailure) -> Result<Unprotected, SrtpError>,
    ) -> Result<Unprotected, SrtpError> {
        let (Some(opened), Some(old)) = (self.opened, self.before.last_mut()) else {
            return open(&mut self.unprotect, buffer, len, OnFailure::Spoil);
        };
        match open(&mut self.unprotect, buffer, len, OnFailure::Keep) {
            Ok(unprotected) => {
                self.opened = Some(opened + 1).filter(|opened| *opened < OLD_KEY_LASTS);
                Ok(unprotected)
            }
            // With another suite the tag may be shorter, so a packet that is too short for one may be whole for the other.
            Err(error) => {
                let unprotected = open(old, buffer, len, OnFailure::Spoil).map_err(|_| error)?;
                // Once the peer has changed over this one is late, and no proof that its sender moves.
                Ok(Unprotected { above_highest: unprotected.above_highest && opened == 0, ..unprotected })
            }
        }
    }
}

fn refuse_reflection(keys: &SrtpKeys) -> Result<(), SrtpError> {
    if keys.send == keys.receive { Err(SrtpError::Reflected) } else { Ok(()) }
}
