//! Settings of a peer that are one word of several.

use serde::{Deserialize, Serialize};

use crate::read::Item;

/// `peer.dtmf`: how keys pressed reach this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtmf {
    /// `telephone-event` in RTP.
    Rfc4733,
    /// INFO with `application/dtmf-relay`.
    Info,
    /// Tones in the audio.
    Inband,
}

/// `peer.prack`: reliable provisional responses, RFC 3262.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prack {
    /// Used where the other side can.
    #[default]
    Supported,
    /// Asked for.
    Required,
    /// Never used.
    Off,
}

/// `peer.refer`: what becomes of a transfer, RFC 3515.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refer {
    /// Refused.
    #[default]
    Off,
    /// Carried out here.
    Handle,
    /// Handed to the other side.
    Pass,
}

/// `peer.nat`: whether requests inside a dialog go by the flow that the peer came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Nat {
    /// The route set or Contact; the flow where these lead nowhere from here, or where a connection of the peer's is
    /// open.
    Auto,
    /// Always the route set or Contact.
    Never,
    /// Always the flow.
    Always,
}

/// `peer.registration`: what becomes of a customer's REGISTER.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Registration {
    /// It is refused.
    #[default]
    Off,
    /// It is answered and nothing is kept, for systems that do not call before they have registered.
    Accept,
    /// Calls go where it came from. Needs credentials. RFC 3261 §10, RFC 6140.
    On,
}

impl Registration {
    pub(super) fn read(item: &Item<'_>) -> Option<Self> {
        match item.quiet_string() {
            Some("accept") => Some(Registration::Accept),
            Some(text) if !matches!(text, "true" | "false") => {
                item.wrong(format!("`registration` is {text:?}"), "true, false or \"accept\"");
                None
            }
            _ => item.boolean().map(|on| if on { Registration::On } else { Registration::Off }),
        }
    }
}

/// `peer.privacy`: how a caller that is not to be shown is written in From towards this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// `<sip:anonymous@anonymous.invalid>`, RFC 3323 §4.1.1.3.
    Anonymous,
    /// `<sip:anonymous@...>` of the `from_domain`, for a side that knows its callers by it.
    Domain,
    /// With its number, and `Privacy: id`: for a side that is given identities, and hides the number itself.
    Header,
}

impl Dtmf {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("rfc4733", Dtmf::Rfc4733), ("info", Dtmf::Info), ("inband", Dtmf::Inband)];
}

impl Prack {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("supported", Prack::Supported), ("required", Prack::Required), ("off", Prack::Off)];
}

impl Refer {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("off", Refer::Off), ("handle", Refer::Handle), ("pass", Refer::Pass)];
}

impl Nat {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("auto", Nat::Auto), ("never", Nat::Never), ("always", Nat::Always)];
}

impl Privacy {
    pub(super) const CHOICES: &[(&'static str, Self)] =
        &[("anonymous", Privacy::Anonymous), ("domain", Privacy::Domain), ("header", Privacy::Header)];
}
