//! SDES keys of one leg: what we offer and answer, what the party offered and answered. RFC 4568.
//!
//! Each leg has keys of its own, so that RTP and SRTP meet in every combination; a key of ours serves one leg and one
//! direction, and stays when the leg is renegotiated, so that the receiver's packet index goes on.

use config::Srtp;
use rtp::srtp::{MasterKey, Mki, SrtpKeys, Suite};
use serde::{Deserialize, Serialize};
use sip::sdp::crypto::{Crypto, InlineKey};
use sip::sdp::{Sdp, Stream, StreamKind};
use smol_str::SmolStr;

use crate::random::Random;
use crate::reply::Cause;

/// A line of the party's that may be taken, its suite and its key.
type Usable = (Crypto, Suite, Theirs);

/// A key of the party's: what it is called in packets, and how many it may protect.
struct Theirs {
    key: MasterKey,
    mki: Option<Mki>,
    lifetime: Option<u64>,
}

/// A key of ours for one suite.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Own {
    tag: u32,
    suite: Suite,
    key: MasterKey,
}

/// The negotiation of one leg. Plain data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sdes {
    policy: Srtp,
    /// The suites that we take and offer, best first.
    suites: Vec<Suite>,
    /// Our keys, one for each suite that was ever offered or taken on this leg.
    own: Vec<Own>,
    /// The line of the party's offer that our answer repeats: its tag, and the suite as it is spelled there.
    taken: Option<(u32, String)>,
    /// What the party's newest description called its transport: our answer repeats it, and an offer of ours asks for
    /// no less.
    protocol: Option<SmolStr>,
    /// What the media workers need; `None`: RTP.
    keys: Option<Box<SrtpKeys>>,
}

impl std::fmt::Debug for Sdes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sdes").field("policy", &self.policy).field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// What a description of ours says of its transport and keys.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// In place of the other leg's transport.
    pub protocol: Option<SmolStr>,
    /// Values of `a=crypto`.
    pub crypto: Vec<String>,
}

impl Sdes {
    /// Nothing negotiated yet.
    ///
    /// - `suites`: those that we take and offer, best first.
    pub fn new(policy: Srtp, suites: &[Suite]) -> Sdes {
        // Without SRTP none is taken.
        let suites = if policy == Srtp::Off { Vec::new() } else { suites.to_vec() };
        Sdes { policy, suites, own: Vec::new(), taken: None, protocol: None, keys: None }
    }

    /// What the media workers need; `None`: RTP.
    pub fn keys(&self) -> Option<&SrtpKeys> {
        self.keys.as_deref()
    }

    /// The stream of the party's offer that is carried: the first that can be taken, but audio with keys ("best effort
    /// SRTP" has one with keys beside one without) goes before audio without. Where none can be taken, the first of
    /// all: its fault is the offer's.
    ///
    /// - `speaks`: whether the other party has a codec of the stream.
    pub fn choose<'a>(&self, offer: &'a Sdp, speaks: impl Fn(&Stream) -> bool) -> Option<&'a Stream> {
        let streams = || offer.streams().iter().filter(|one| one.is_relayed());
        let secured = |one: &Stream| self.usable(one).is_some();
        let fits = |one: &Stream| match (one.is_udptl(), self.policy) {
            (true, policy) => policy != Srtp::Required,
            (false, Srtp::Off) => one.is_plain_rtp(),
            (false, Srtp::Optional) => one.is_plain_rtp() || secured(one),
            (false, Srtp::Required) => secured(one),
        };
        let takeable: Vec<&Stream> = streams().filter(|one| fits(one) && speaks(one)).collect();
        let first = takeable.first().copied();
        let keyed = takeable.iter().copied().find(|one| one.kind == StreamKind::Audio && secured(one));
        let chosen = keyed.filter(|_| first.is_some_and(|first| first.kind == StreamKind::Audio)).or(first);
        chosen.or_else(|| streams().next())
    }

    /// Takes the party's offer of an audio stream.
    ///
    /// # Errors
    /// 488 when the party's offer and our policy do not meet.
    pub fn take_offer(&mut self, stream: &Stream, random: &mut dyn Random) -> Result<(), Cause> {
        self.protocol = Some(stream.protocol.clone());
        let Some((line, suite, receive)) = self.usable(stream) else {
            self.taken = None;
            self.keys = None;
            return match (self.policy, stream.is_srtp()) {
                (Srtp::Required, _) => {
                    Err(Cause::new(488, format!("SRTP is required: {}", self.lacks(stream))))
                }
                (Srtp::Optional, true) => Err(Cause::new(488, self.lacks(stream))),
                (Srtp::Off, true) => Err(Cause::new(488, "SRTP is off for this side")),
                (Srtp::Optional | Srtp::Off, false) => Ok(()),
            };
        };
        let send = self.own_key(suite, random).key;
        self.taken = Some((line.tag, line.suite));
        // Who calls its key by a name looks for one in what it is sent: ours has the same there, of the same length.
        self.keys = Some(Box::new(receive.with(suite, send, receive.mki)));
        Ok(())
    }

    /// Our answer to the offer that was taken.
    pub fn answer(&self) -> Lines {
        let crypto = match (&self.taken, &self.keys) {
            (Some((tag, suite)), Some(keys)) => {
                vec![line(*tag, suite, &keys.send, keys.send_mki)]
            }
            _ => Vec::new(),
        };
        Lines { protocol: self.protocol.clone(), crypto }
    }

    /// Our offer to the party: every suite that we take, each with a key of its own.
    pub fn offer(&mut self, random: &mut dyn Random) -> Lines {
        // A party that has SRTP under the name of SRTP may insist on it.
        let insists = self.protocol.as_deref().is_some_and(sip::sdp::is_srtp) && self.keys.is_some();
        let protocol = match self.policy {
            Srtp::Required => "RTP/SAVP",
            Srtp::Optional if insists => "RTP/SAVP",
            Srtp::Off | Srtp::Optional => "RTP/AVP",
        };
        let crypto = match self.policy {
            Srtp::Off => Vec::new(),
            Srtp::Optional | Srtp::Required => {
                for suite in self.suites.clone() {
                    self.own_key(suite, random);
                }
                // A suite in use comes first: a party that goes on with it need not change its keys.
                let in_use = self.keys.as_ref().map(|keys| keys.suite);
                let mut own: Vec<&Own> = self.own.iter().collect();
                own.sort_by_key(|own| Some(own.suite) != in_use);
                let mki = self.keys.as_ref().and_then(|keys| keys.send_mki);
                own.iter().map(|own| line(own.tag, own.suite.name(), &own.key, mki)).collect()
            }
        };
        Lines { protocol: Some(SmolStr::new_static(protocol)), crypto }
    }

    /// Takes the party's answer to our offer. Returns whether its line has another tag than ours of that suite: RFC
    /// 4568 §5.1.2 wants the same, but each suite was offered once, so there is no doubt which one is meant.
    ///
    /// # Errors
    /// 488 when it leaves out what we require, or chose what we did not offer.
    pub fn take_answer(&mut self, stream: &Stream) -> Result<bool, Cause> {
        let lines = stream.cryptos().into_iter().filter_map(|line| self.usable_line(line));
        let mki = self.keys.as_ref().and_then(|keys| keys.send_mki); // as our offer had it
        let ours = |(line, suite, receive): Usable| {
            let own = self.own.iter().find(|own| own.suite == suite)?;
            Some((own.tag == line.tag, receive.with(suite, own.key.clone(), mki)))
        };
        let lines: Vec<(bool, SrtpKeys)> = lines.filter_map(ours).collect();
        let by_tag = lines.iter().find(|(has_our_tag, _)| *has_our_tag);
        let chosen = by_tag.or(lines.first()).map(|(_, keys)| keys.clone());
        let renumbered = chosen.is_some() && by_tag.is_none() && self.keys.is_none();
        // A party that answers an offer of keys with some sends SRTP under them, whatever the transport is called.
        let keyed = !stream.crypto.is_empty() && self.policy != Srtp::Off;
        match (&chosen, self.policy) {
            (None, _) if keyed => Err(Cause::new(488, "The answer's SRTP key does not fit the offer")),
            (None, policy) if policy == Srtp::Required || stream.is_srtp() => {
                Err(Cause::new(488, "The answer has no SRTP key"))
            }
            _ => {
                self.keys = chosen.map(Box::new);
                self.protocol = Some(stream.protocol.clone());
                Ok(renumbered)
            }
        }
    }

    /// No key of ours is used again: the next description has new ones.
    pub fn forget_own(&mut self) {
        self.own.clear();
    }

    /// Fax has no SRTP.
    ///
    /// # Errors
    /// 488 where SRTP is required.
    pub fn take_fax(&mut self) -> Result<(), Cause> {
        match self.policy {
            Srtp::Required => Err(Cause::new(488, "SRTP is required, and fax has none")),
            _ => Ok(()),
        }
    }

    /// The first line of a stream that we may take.
    fn usable(&self, stream: &Stream) -> Option<Usable> {
        stream.cryptos().into_iter().find_map(|line| self.usable_line(line))
    }

    /// Why no line of a stream can be taken.
    fn lacks(&self, stream: &Stream) -> &'static str {
        let lines = stream.cryptos();
        let known = lines.iter().find_map(|line| Some((line, self.known(&line.suite)?)));
        let Some((line, suite)) = known else {
            return match (stream.crypto.is_empty(), lines.is_empty()) {
                (true, _) => "no key is offered",
                (false, true) => "no crypto line can be read",
                (false, false) => "no crypto suite in common",
            };
        };
        match line.keys.as_slice() {
            [_] if !line.is_plain() => "session parameters of the crypto line are not supported",
            [key] if MasterKey::new(suite, &key.key_and_salt).is_err() => {
                "the key has not its suite's length"
            }
            [key] if key.mki.is_some() && mki(key).is_none() => "the MKI does not fit its length",
            [_] => "the key offered is ours",
            _ => "several keys in one crypto line are not supported",
        }
    }

    /// `line` as it may be taken.
    fn usable_line(&self, line: Crypto) -> Option<Usable> {
        let [key] = line.keys.as_slice() else { return None };
        let suite = self.known(&line.suite)?;
        let (mki, lifetime) = (mki(key), key.lifetime);
        let fits = mki.is_some() == key.mki.is_some();
        let theirs = Theirs { key: MasterKey::new(suite, &key.key_and_salt).ok()?, mki, lifetime };
        // A key of ours that comes back would let everybody send us what we sent.
        let is_ours = self.own.iter().any(|own| own.key == theirs.key);
        let usable = self.policy != Srtp::Off && line.is_plain() && fits && !is_ours;
        usable.then_some((line, suite, theirs))
    }

    /// The suite of this name, if we take it.
    fn known(&self, name: &str) -> Option<Suite> {
        name.parse().ok().filter(|suite| self.suites.contains(suite))
    }

    /// Our key for a suite, made when it is first needed.
    fn own_key(&mut self, suite: Suite, random: &mut dyn Random) -> Own {
        if let Some(own) = self.own.iter().find(|own| own.suite == suite) {
            return own.clone();
        }
        let key = MasterKey::made(suite, |bytes| {
            for chunk in bytes.chunks_mut(8) {
                chunk.iter_mut().zip(random.next_u64().to_ne_bytes()).for_each(|(byte, drawn)| *byte = drawn);
            }
        });
        let tag = u32::try_from(self.own.len() + 1).unwrap_or(u32::MAX);
        let own = Own { tag, suite, key };
        self.own.push(own.clone());
        own
    }
}

impl Theirs {
    /// Both keys of a leg.
    fn with(&self, suite: Suite, send: MasterKey, send_mki: Option<Mki>) -> SrtpKeys {
        let keys = SrtpKeys::new(suite, send, self.key.clone());
        SrtpKeys { send_mki, receive_mki: self.mki, lifetime: self.lifetime, ..keys }
    }
}

/// A line of ours: a key that lives as long as its suite allows.
fn line(tag: u32, suite: &str, key: &MasterKey, mki: Option<Mki>) -> String {
    let mut line = Crypto::new(tag, suite, key.expose());
    let mki = mki.map(|mki| sip::sdp::crypto::Mki { value: mki.value(), length: mki.length() });
    line.keys.iter_mut().for_each(|key| key.mki = mki);
    line.to_string()
}

/// The name of a key in packets; `None`: it has none, or one that does not fit the length that it is said to have.
fn mki(key: &InlineKey) -> Option<Mki> {
    key.mki.and_then(|mki| Mki::new(mki.value, mki.length))
}

#[cfg(test)]
mod tests;
