//! How a party's systems speak.

use config::{Nat, Pattern, Prack, Refer, Srtp};
use rtp::srtp::Suite;
use serde::{Deserialize, Serialize};
use sip::Name;

use super::rules::{CodeRule, HeaderRule};
pub use crate::local::Local;

/// How a party's systems speak, copied from the configuration: a call keeps what it began with. Plain data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// On which side of us the party is.
    #[serde(default)]
    pub kind: PartyKind,
    /// Whether requests inside the dialog go by the flow that the peer came by.
    pub nat: Nat,
    /// Media goes where it comes from, whatever the SDP says.
    pub symmetric: bool,
    /// It is offered RTP and RTCP on one port. RFC 5761.
    #[serde(default)]
    pub rtcp_mux: bool,
    /// What it says of who calls is believed of a carrier, and what its network says of either; see [`super::headers`].
    #[serde(default)]
    pub believed: bool,
    /// The party is told who calls, and what the other side's network says.
    #[serde(default)]
    pub given: bool,
    /// The party called, and asked not to be shown.
    #[serde(default)]
    pub hidden: bool,
    /// Names of headers that the gateway has no rule for and that pass to this party and from it, in lower case, each with
    /// at most one `*`; `None`: `x-*` of a customer, nothing of a carrier.
    #[serde(default)]
    pub pass_headers: Option<Vec<String>>,
    /// Headers that are not passed on to this party, nor from it.
    pub strip_headers: Vec<String>,
    /// Headers that every request to this party gets.
    pub add_headers: Vec<(String, String)>,
    /// What becomes of single headers, beside that.
    #[serde(default)]
    pub header_rules: Vec<HeaderRule>,
    /// What becomes of final responses to the INVITE that begins a call.
    #[serde(default)]
    pub code_rules: Vec<CodeRule>,
    /// The codecs that this party is offered; `None`: whatever the other side has.
    pub codecs: Option<Vec<String>>,
    /// The session interval that it is asked for, in seconds; `None`: it may ask. RFC 4028.
    #[serde(default)]
    pub session_timer: Option<u32>,
    /// Whether its media is SRTP.
    pub srtp: Srtp,
    /// The suites that it is offered and may offer, best first.
    pub srtp_suites: Vec<Suite>,
    /// What becomes of its REFER.
    #[serde(default)]
    pub refer: Refer,
    /// Whether provisional responses to it and from it are reliable.
    #[serde(default)]
    pub prack: Prack,
}

impl Profile {
    /// Of a party that the configuration does not have any more.
    pub fn unknown() -> Self {
        PLAIN.clone()
    }

    /// Whether a header is not passed on to this party, nor from it. However it is written: compact, or in odd case.
    pub fn strips(&self, name: &Name) -> bool {
        self.strip_headers.iter().any(|stripped| Name::from(stripped.as_str()) == *name)
    }

    /// Whether a header that the gateway has no rule for passes to this party, and from it.
    pub fn passes(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        match &self.pass_headers {
            Some(patterns) => patterns.iter().any(|pattern| Pattern::matched(pattern, &name).is_some()),
            None => self.kind == PartyKind::Customer && name.starts_with("x-"),
        }
    }

    /// Whether requests to this party carry a header of the operator's, which stands in place of any other.
    pub fn adds(&self, name: &Name) -> bool {
        self.add_headers.iter().any(|(added, _)| Name::from(added.as_str()) == *name)
    }
}

/// A party of which nothing special is known.
pub static PLAIN: Profile = Profile {
    kind: PartyKind::Customer,
    nat: Nat::Auto,
    symmetric: false,
    rtcp_mux: false,
    believed: false,
    given: false,
    hidden: false,
    pass_headers: None,
    strip_headers: Vec::new(),
    add_headers: Vec::new(),
    header_rules: Vec::new(),
    code_rules: Vec::new(),
    codecs: None,
    session_timer: None,
    srtp: Srtp::Off,
    srtp_suites: Vec::new(),
    refer: Refer::Off,
    prack: Prack::Supported,
};

/// On which side of us a party is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartyKind {
    /// A voice connector's: what it says of numbers goes by its caller ID rule.
    #[default]
    Customer,
    /// A carrier.
    Carrier,
}
