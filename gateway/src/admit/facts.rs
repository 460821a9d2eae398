//! What admission looks at.

use std::net::IpAddr;

use crate::peer::Transport;

/// What admission knows of an INVITE, taken from it word for word.
///
/// Plain data: whoever fills it in decides nothing. Names, URIs and digests are checked here, not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Where the message came from.
    pub source: IpAddr,
    /// What carried it.
    pub transport: Transport,
    /// The carrier whose registration of ours the message came by, whatever allowlists say.
    pub registered_with: Option<String>,
    /// Host of the Request-URI, IPv6 with or without brackets; empty for a `tel:` URI.
    pub host: String,
    /// User part of the Request-URI, unescaped, or the number of a `tel:` URI, or the name of an emergency service
    /// (`urn:service:sos`, RFC 5031); empty where there is none.
    pub user: String,
    /// User parts of P-Called-Party-ID and of To, in this order: the number that a carrier called where the Request-URI
    /// has our Contact. RFC 7315 §4.2.
    pub called: Vec<String>,
    /// User part of From, or the number of a `tel:` URI; none where there is none.
    pub from: Option<String>,
    /// Host of From; empty for a `tel:` URI.
    pub from_host: String,
    /// User parts (or `tel:` numbers) of P-Asserted-Identity, in order. RFC 3325.
    pub asserted: Vec<String>,
    /// User parts (or `tel:` numbers) of P-Preferred-Identity, in order. RFC 3325.
    pub preferred: Vec<String>,
    /// User parts of Remote-Party-ID, in order, those that name somebody else than the caller left out.
    pub remote_party: Vec<String>,
    /// User parts of Diversion, in order. RFC 5806.
    pub diversion: Vec<String>,
    /// User parts of History-Info, in order: who was called before, the present target last. RFC 7044.
    pub history: Vec<String>,
    /// Privacy (`id`, `user`, `header`; RFC 3323) or Remote-Party-ID (`privacy=full`) asks that the caller is not shown.
    pub privacy: bool,
    /// What the message's credentials proved.
    pub digest: Digest,
    /// What the message offers.
    pub media: OfferedMedia,
}

impl Facts {
    /// A message of which nothing else is known: no caller, no credentials, no offer.
    ///
    /// - `host`, `user`: of the Request-URI.
    pub fn new(
        source: IpAddr,
        transport: Transport,
        host: impl Into<String>,
        user: impl Into<String>,
    ) -> Facts {
        Facts {
            source,
            transport,
            registered_with: None,
            host: host.into(),
            user: user.into(),
            called: Vec::new(),
            from: None,
            from_host: String::new(),
            asserted: Vec::new(),
            preferred: Vec::new(),
            remote_party: Vec::new(),
            diversion: Vec::new(),
            history: Vec::new(),
            privacy: false,
            digest: Digest::NotAttempted,
            media: OfferedMedia::None,
        }
    }

    /// Whether From says nobody: no user, a word for nobody, or the host of RFC 3323 §4.1.1.3.
    pub fn is_anonymous(&self) -> bool {
        const NOBODY: [&str; 5] = ["anonymous", "restricted", "unavailable", "unknown", "private"];
        let user = self.from.as_deref().unwrap_or_default();
        user.is_empty()
            || NOBODY.iter().any(|word| user.eq_ignore_ascii_case(word))
            || self.from_host.eq_ignore_ascii_case("anonymous.invalid")
    }
}

/// What the credentials of a message proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// There are none, or the connector asks for none.
    NotAttempted,
    /// The credentials are right, and whose they are.
    Verified(String),
    /// The credentials are right for a nonce that is too old or not ours: ask again, saying `stale`.
    Stale,
    /// The credentials are wrong; ask again.
    Wrong,
    /// The credentials are wrong, and have been too often.
    TooMany,
    /// The credentials are right, but were computed for another number than the one that is called.
    OtherTarget,
}

/// What the SDP of a message offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferedMedia {
    /// No SDP: we offer.
    None,
    /// The relayed stream is plain (`RTP/AVP`, `udptl`).
    Plain,
    /// The relayed stream is SRTP (`RTP/SAVP`).
    Srtp,
}
