//! Who may do what: policies, roles, and the decision.
//!
//! A key may do what one of its policies allows and none denies; without any it may do nothing. The root key is asked
//! nothing.

mod condition;
mod console;
mod glob;
mod kept;
mod policy;
mod roles;
#[cfg(test)]
mod tests;

pub use console::ConsoleAction;
pub(crate) use kept::Kept;
pub use policy::{Policy, PolicyError};
pub use roles::{ROLES, role};

use std::net::IpAddr;

/// One operation on one resource, as policies see it.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `chime:<Operation>`.
    pub action: &'a str,
    /// Its ARN; `*` where an operation has none.
    pub resource: &'a str,
    /// Who is connected.
    pub source: IpAddr,
    /// The resource's tags: key and value.
    pub resource_tags: &'a [(String, String)],
    /// The tags that the request would give.
    pub request_tags: &'a [(String, String)],
}

/// What policies say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// One allows it and none denies it.
    Allowed,
    /// One denies it, whatever others say.
    Denied,
    /// None says anything of it.
    Unmentioned,
}

/// Decides. The order of policies and statements is of no account.
pub fn decide<'p>(policies: impl IntoIterator<Item = &'p Policy>, asked: &Asked<'_>) -> Decision {
    let effects = policies.into_iter().flat_map(|policy| policy.effects(asked));
    effects.fold(Decision::Unmentioned, |decision, allows| match (decision, allows) {
        (Decision::Denied, _) | (_, false) => Decision::Denied,
        (_, true) => Decision::Allowed,
    })
}
