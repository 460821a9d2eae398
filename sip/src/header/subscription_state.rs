//! Subscription-State. RFC 6665 §8.2.3.

use std::fmt;

use super::HeaderFault;
use crate::grammar::{is_token, number, split_around, trim};
use crate::params::Params;

/// How a subscription stands, as a NOTIFY says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Nobody has decided on it yet. A state that we have no word for counts as this.
    Pending {
        /// How long it lasts from now on, in seconds.
        expires: Option<u32>,
    },
    /// Accepted.
    Active {
        /// How long it lasts from now on, in seconds.
        expires: Option<u32>,
    },
    /// Over.
    Terminated(TerminatedReason),
}

/// Why a subscription is over. RFC 6665 §4.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TerminatedReason {
    /// There is nothing more to report.
    NoResource,
    /// The subscription was not refreshed, or given up.
    Timeout,
    /// No reason, or any other.
    Other,
}

impl SubscriptionState {
    /// Reads `state;expires=n` or `terminated;reason=x`. A broken `expires` counts as not given.
    ///
    /// # Errors
    /// There is no state.
    pub fn parse(text: &str) -> Result<SubscriptionState, HeaderFault> {
        let at = text.bytes().position(|byte| byte == b';').unwrap_or(text.len());
        let (state, params) = split_around(text, at);
        let (state, params) = (trim(state), Params::parse(params)?);
        if state.is_empty() {
            return Err(HeaderFault::Empty);
        }
        if !is_token(state.as_bytes()) {
            return Err(HeaderFault::Trailing(state.to_owned()));
        }
        let expires = params.value("expires").and_then(number);
        let is = |word: &str| state.eq_ignore_ascii_case(word);
        let reason = params.value("reason").map(str::to_ascii_lowercase);
        Ok(match reason.as_deref() {
            Some("noresource") if is("terminated") => {
                SubscriptionState::Terminated(TerminatedReason::NoResource)
            }
            Some("timeout") if is("terminated") => SubscriptionState::Terminated(TerminatedReason::Timeout),
            _ if is("terminated") => SubscriptionState::Terminated(TerminatedReason::Other),
            _ if is("active") => SubscriptionState::Active { expires },
            _ => SubscriptionState::Pending { expires },
        })
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (state, expires) = match self {
            SubscriptionState::Pending { expires } => ("pending", expires),
            SubscriptionState::Active { expires } => ("active", expires),
            SubscriptionState::Terminated(reason) => {
                return f.write_str(match reason {
                    TerminatedReason::NoResource => "terminated;reason=noresource",
                    TerminatedReason::Timeout => "terminated;reason=timeout",
                    TerminatedReason::Other => "terminated",
                });
            }
        };
        match expires {
            Some(expires) => write!(f, "{state};expires={expires}"),
            None => f.write_str(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("active;expires=60", Some("active;expires=60")),
            (" Active ; x ; Expires=060", Some("active;expires=60")),
            ("active;expires=soon", Some("active")),
            ("pending", Some("pending")),
            ("waiting;expires=5", Some("pending;expires=5")),
            ("terminated;reason=noresource", Some("terminated;reason=noresource")),
            ("TERMINATED;Reason=Timeout;expires=0", Some("terminated;reason=timeout")),
            ("terminated;reason=giveup;retry-after=5", Some("terminated")),
            ("terminated", Some("terminated")),
            ("active now", None),
            (";expires=1", None),
            ("", None),
        ] {
            let read = SubscriptionState::parse(text).ok();
            assert_eq!(read.map(|value| value.to_string()).as_deref(), written, "{text:?}");
        }
    }
}
