//! How the parties of a call stand in the INVITE of the b-leg.

use config::{Peer, Privacy};
use sip::uri::escape_user;

use super::setup::Route;
use crate::number::is_phone;

/// The user part of From towards a side; none where the caller is not to be shown, and the side does not hide it itself.
///
/// - `caller`: as that side is told it.
pub fn caller_user(speech: &Peer, caller: &str, hidden: bool) -> Option<String> {
    let is_hidden_there = speech.privacy == Privacy::Header && speech.give_identity;
    (!hidden || is_hidden_there).then(|| escape_user(caller))
}

/// The value of From towards a side, without its tag.
///
/// - `user`: of [`caller_user`];
/// - `own_host`: the domain where none is configured;
/// - `name`: the caller's, as it stands before the address.
pub fn from(speech: &Peer, user: Option<&str>, hidden: bool, own_host: &str, name: &str) -> String {
    let domain = || speech.from_domain.as_ref().map_or_else(|| own_host.to_owned(), ToString::to_string);
    let name = if hidden { "\"Anonymous\" " } else { name };
    // Who pays is known there by this user alone.
    if let Some(trunk) = speech.from_user.as_ref() {
        return format!("{name}<sip:{}@{}>", escape_user(trunk), domain());
    }
    match user {
        Some(user) => format!("{name}<sip:{user}@{}{}>", domain(), phone(speech, user)),
        None if speech.privacy == Privacy::Domain => format!("\"Anonymous\" <sip:anonymous@{}>", domain()),
        // RFC 3323 §4.1.1.3.
        None => "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
    }
}

/// What a URI of `user` towards a side says of it: RFC 3261 §19.1.1.
pub fn phone(speech: &Peer, user: &str) -> &'static str {
    if speech.user_phone && is_phone(user) { ";user=phone" } else { "" }
}

impl Route {
    /// What the URIs of whom we call say of it.
    pub(super) fn phone(&self) -> &'static str {
        match self.attempt.target.names_the_number() {
            true => phone(self.attempt.via.peer(), &self.attempt.number),
            false => "",
        }
    }

    /// The value of From, without its tag.
    pub(super) fn from(&self, own_host: &str, name: &str) -> String {
        let (speech, user) = (self.attempt.via.peer(), self.caller_user.as_deref());
        from(speech, user, self.hidden, own_host, name)
    }
}
