//! Which methods a party is told that it may use inside a call, ours, less what the other party does not take; and which
//! extensions.

use std::fmt;

use config::{Prack, Refer};
use serde::{Deserialize, Serialize};
use sip::{Message, Name};
use smol_str::SmolStr;

use super::profile::Profile;
use crate::reply::supported;

/// What is ours to take, whatever the other side can do.
const OURS: [&str; 6] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", PRACK];
/// What crosses to the other side.
const THEIRS: [&str; 3] = ["UPDATE", "INFO", "MESSAGE"];
/// What of a party's methods others are told of: [`THEIRS`], and what crosses where `peer.refer` says so.
const TOLD: [&str; 4] = ["UPDATE", "INFO", "MESSAGE", REFER];
const REFER: &str = "REFER";
const PRACK: &str = "PRACK";

/// What of [`TOLD`] a party takes. RFC 3261 §20.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<SmolStr>", into = "Vec<&'static str>")]
pub struct Allows([bool; TOLD.len()]);

impl Allows {
    /// What is tried with a party that does not say.
    pub(super) const ALL: Allows = Allows([true; TOLD.len()]);

    /// By a message's Allow; `None` where it has none.
    pub(super) fn of(message: &Message) -> Option<Self> {
        message.has(Name::Allow).then(|| {
            let mut allows = Allows([false; TOLD.len()]);
            message.values(Name::Allow).for_each(|method| allows.set(method.trim(), true));
            allows
        })
    }

    /// Whether the party takes `method`, which is one of [`TOLD`].
    pub(super) fn has(self, method: &str) -> bool {
        self.methods().any(|taken| taken == method)
    }

    /// The party does not take `method` after all.
    pub(super) fn remove(&mut self, method: &str) {
        self.set(method, false);
    }

    fn set(&mut self, method: &str, taken: bool) {
        for (told, is_taken) in TOLD.iter().zip(&mut self.0) {
            if told.eq_ignore_ascii_case(method) {
                *is_taken = taken;
            }
        }
    }

    fn methods(self) -> impl Iterator<Item = &'static str> {
        TOLD.into_iter().zip(self.0).filter(|(_, taken)| *taken).map(|(method, _)| method)
    }
}

impl From<Vec<SmolStr>> for Allows {
    fn from(methods: Vec<SmolStr>) -> Self {
        let mut allows = Allows([false; TOLD.len()]);
        methods.iter().for_each(|method| allows.set(method, true));
        allows
    }
}

impl From<Allows> for Vec<&'static str> {
    fn from(allows: Allows) -> Self {
        allows.methods().collect()
    }
}

/// What a party is promised inside a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Promises<'a> {
    /// How it speaks.
    pub to: &'a Profile,
    /// What the other party allows; `None`: it has not said.
    pub other: Option<Allows>,
}

impl Promises<'_> {
    /// The value of Allow.
    pub fn allow(self) -> AllowValue<'static> {
        allow_to(self.to, self.other, None)
    }

    /// Whether a request of this method may cross, as far as the other party has said.
    pub fn crosses(self, method: &str) -> bool {
        self.other.is_none_or(|other| other.has(method))
    }

    /// The value of Supported: extensions of a leg are ours alone. RFC 3261 §20.37.
    pub fn supported(self) -> &'static str {
        supported(self.to.prack, self.to.refer)
    }
}

/// A value of Allow, as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct AllowValue<'a> {
    other: Option<Allows>,
    but: Option<&'a str>,
    prack: bool,
    refer: bool,
}

/// The value of Allow for a party that speaks like `to`, whose REFER we may take ourselves, and its PRACK not.
///
/// - `other`, `but`: as in [`allow`].
pub(super) fn allow_to<'a>(to: &Profile, other: Option<Allows>, but: Option<&'a str>) -> AllowValue<'a> {
    let crosses = || Promises { to, other }.crosses(REFER) && but != Some(REFER);
    AllowValue {
        prack: to.prack != Prack::Off,
        refer: to.refer == Refer::Handle || to.refer == Refer::Pass && crosses(),
        ..allow(other, but)
    }
}

/// The value of Allow for a party.
///
/// - `other`: what of [`THEIRS`] the other party allows; `None`: it has not said.
/// - `but`: a method that was just refused.
pub(super) fn allow(other: Option<Allows>, but: Option<&str>) -> AllowValue<'_> {
    AllowValue { other, but, prack: true, refer: false }
}

impl fmt::Display for AllowValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = OURS.into_iter().filter(|method| self.prack || *method != PRACK);
        let theirs = THEIRS.into_iter().filter(|method| self.other.is_none_or(|other| other.has(method)));
        let refused = |method: &&str| self.but == Some(*method);
        let methods = ours.chain(theirs).filter(|method| !refused(method));
        let mut between = "";
        for method in methods.chain(self.refer.then_some(REFER)) {
            f.write_str(between)?;
            f.write_str(method)?;
            between = ", ";
        }
        Ok(())
    }
}
