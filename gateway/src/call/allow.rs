//! Which methods a party is told that it may use inside a call, ours, less what the other party does not take; and which
//! extensions.

use config::{Prack, Refer};
use sip::{Message, Name};
use smol_str::SmolStr;

use super::profile::Profile;
use crate::reply::supported;

/// What is ours to take, whatever the other side can do.
const OURS: [&str; 6] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK"];
/// What crosses to the other side.
const THEIRS: [&str; 3] = ["UPDATE", "INFO", "MESSAGE"];
/// What of a party's methods others are told of: [`THEIRS`], and what crosses where `peer.refer` says so.
const TOLD: [&str; 4] = ["UPDATE", "INFO", "MESSAGE", REFER];
const REFER: &str = "REFER";

/// What of [`TOLD`] a message's Allow has; `None` where it does not say. RFC 3261 §20.5.
pub(super) fn allowed_by(message: &Message) -> Option<Vec<SmolStr>> {
    let has = |method: &&str| {
        message.values(Name::Allow).any(|allowed| allowed.trim().eq_ignore_ascii_case(method))
    };
    let methods = || {
        let mut methods = Vec::with_capacity(TOLD.iter().filter(|method| has(method)).count());
        methods.extend(TOLD.iter().filter(|method| has(method)).copied().map(SmolStr::from));
        methods
    };
    message.has(Name::Allow).then(methods)
}

/// What of [`TOLD`] is tried with a party that does not say.
pub(super) fn allowed_by_default() -> Vec<SmolStr> {
    TOLD.map(SmolStr::from).to_vec()
}

/// What a party is promised inside a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promises<'a> {
    /// How it speaks.
    pub to: &'a Profile,
    /// What the other party allows; `None`: it has not said.
    pub other: Option<&'a [SmolStr]>,
}

impl Promises<'_> {
    /// The value of Allow.
    pub fn allow(self) -> String {
        allow_to(self.to, self.other, None)
    }

    /// Whether a request of this method may cross, as far as the other party has said.
    pub fn crosses(self, method: &str) -> bool {
        self.other.is_none_or(|other| other.iter().any(|allowed| allowed == method))
    }

    /// The value of Supported: extensions of a leg are ours alone. RFC 3261 §20.37.
    pub fn supported(self) -> String {
        supported(self.to.prack, self.to.refer)
    }
}

/// The value of Allow for a party that speaks like `to`, whose REFER we may take ourselves, and its PRACK not.
///
/// - `other`, `but`: as in [`allow`].
pub(super) fn allow_to(to: &Profile, other: Option<&[SmolStr]>, but: Option<&str>) -> String {
    let mut methods = match to.prack {
        Prack::Off => allow(other, but).replace(", PRACK", ""),
        Prack::Supported | Prack::Required => allow(other, but),
    };
    let crosses = || Promises { to, other }.crosses(REFER) && but != Some(REFER);
    if to.refer == Refer::Handle || to.refer == Refer::Pass && crosses() {
        methods.push_str(", ");
        methods.push_str(REFER);
    }
    methods
}

/// The value of Allow for a party.
///
/// - `other`: what of [`THEIRS`] the other party allows; `None`: it has not said.
/// - `but`: a method that was just refused.
pub(super) fn allow(other: Option<&[SmolStr]>, but: Option<&str>) -> String {
    let taken = |method: &&str| other.is_none_or(|other| other.iter().any(|allowed| allowed == *method));
    let methods = OURS.into_iter().chain(THEIRS.into_iter().filter(taken));
    let mut value = String::with_capacity(96);
    for method in methods.filter(|method| but != Some(*method)) {
        if !value.is_empty() {
            value.push_str(", ");
        }
        value.push_str(method);
    }
    value
}
