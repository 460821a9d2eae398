//! What a phone can do beyond a plain call: all off unless a scenario, or chance, switches it on.

use std::time::Duration;

use sip::{Builder, Message, Name};

use super::Phone;
use super::call::PhoneCall;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(crate) struct Abilities {
    /// Reliable provisional responses, RFC 3262, in either role.
    pub rel100: Rel100,
    /// How it acknowledges those that it hears.
    pub pracks: Pracks,
    /// Puts a new offer into a PRACK, where it may.
    pub offers_in_prack: bool,
    /// Takes UPDATE, RFC 3311, and says so in Allow.
    pub update: bool,
    /// Says in Allow what it takes; else it has no Allow at all.
    pub allow: bool,
    /// Session timers, RFC 4028; `None`: it knows nothing of them.
    pub timer: Option<TimerHabit>,
    /// Takes REFER, RFC 3515, and calls whom it is told to.
    pub refer: bool,
    /// Takes an INVITE with Replaces, RFC 3891.
    pub replaces: bool,
    /// Knows 199, RFC 6228.
    pub early_end: bool,
    /// Calls again by the Contact of a 3xx, so many times in a call.
    pub follows: u32,
    /// Offers again what was refused by 491, and by 500 with Retry-After, at the time of RFC 3261 §14.1.
    pub offers_again: bool,
    /// So many of its next answers inside calls are of no use: a stream with port 0.
    pub spoils: u32,
    /// Its descriptions carry a mark that tells them apart.
    pub marks: bool,
    /// Says the same again under the same version.
    pub repeats: bool,
}

/// What a phone makes of 100rel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Rel100 {
    #[default]
    Unknown,
    /// As caller it says that it supports it; as callee it uses it where it is required.
    OnDemand,
    /// The same, and as callee it uses it where the caller supports it.
    Supported,
    /// As caller it requires it; as callee like `Supported`.
    Required,
}

/// When a phone sends the PRACK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Pracks {
    #[default]
    AtOnce,
    /// The first copy of the response was as good as lost.
    AtTheSecondCopy,
    Late(Duration),
    /// A second PRACK, of its own CSeq, for the same response.
    Twice,
}

/// How a phone keeps session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerHabit {
    /// What it asks for, in seconds.
    pub expires: u32,
    /// What it takes at least, in seconds.
    pub min: u32,
    /// `Some(true)`: it wants to refresh itself; `None`: whichever.
    pub refreshes: Option<bool>,
    /// By UPDATE where the peer allows it; else by re-INVITE.
    pub by_update: bool,
}

impl Abilities {
    /// Whether anything is on: then the phone keeps early dialogs.
    pub fn any(&self) -> bool {
        let Abilities { rel100, update, timer, refer, replaces, early_end, marks, offers_again, .. } = self;
        *rel100 != Rel100::Unknown
            || *update
            || timer.is_some()
            || *refer
            || *replaces
            || *early_end
            || *marks
            || *offers_again
    }

    fn supported(&self) -> Vec<&'static str> {
        let one = |on: bool, tag: &'static str| on.then_some(tag);
        let all = [
            one(self.rel100 != Rel100::Unknown, "100rel"),
            one(self.timer.is_some(), "timer"),
            one(self.replaces, "replaces"),
            one(self.early_end, "199"),
        ];
        all.into_iter().flatten().collect()
    }

    fn allow(&self) -> String {
        let mut all = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, MESSAGE".to_owned();
        for (on, method) in [
            (self.rel100 != Rel100::Unknown, ", PRACK"),
            (self.update, ", UPDATE"),
            (self.refer, ", REFER, NOTIFY"),
        ] {
            all.push_str(if on { method } else { "" });
        }
        all
    }
}

impl Phone {
    /// With Allow and Supported, where the phone has abilities.
    pub(super) fn able(&self, mut builder: Builder) -> Builder {
        if self.abilities.allow {
            builder = builder.header(Name::Allow, self.abilities.allow());
        }
        let supported = self.abilities.supported();
        if supported.is_empty() { builder } else { builder.header(Name::Supported, supported.join(", ")) }
    }
}

impl PhoneCall {
    /// Whether the newest Allow that it heard names `method`; `None`: it heard no Allow.
    pub fn is_allowed(&self, method: &str) -> Option<bool> {
        let allow = self.heard.iter().rev().find(|one| one.has(Name::Allow))?;
        Some(allow.values(Name::Allow).any(|one| one == method))
    }
}

/// Whether a message says that its sender supports, or requires, what goes by `tag`.
pub(super) fn says(message: &Message, tag: &str) -> bool {
    requires(message, tag) || message.values(Name::Supported).any(|one| one.eq_ignore_ascii_case(tag))
}

pub(super) fn requires(message: &Message, tag: &str) -> bool {
    message.values(Name::Require).any(|one| one.eq_ignore_ascii_case(tag))
}
