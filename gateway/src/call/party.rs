//! How the parties of a call stand in the INVITE of the b-leg.

use std::fmt::{self, Write as _};

use config::{Peer, Privacy};
use sip::uri::escape_user;

use super::setup::Route;
use crate::number::is_phone;

/// The user part of From towards a side; none where the caller is not to be shown, and the side does not hide it itself.
///
/// - `caller`: as that side is told it.
pub fn caller_user(speech: &Peer, caller: &str, hidden: bool) -> Option<String> {
    let is_hidden_there = speech.privacy == Privacy::Header && speech.give_identity;
    (!hidden || is_hidden_there).then(|| escape_user(caller).into_owned())
}

/// The value of From towards a side, without its tag.
///
/// - `user`: of [`caller_user`];
/// - `own_host`: the domain where none is configured;
/// - `name`: the caller's.
pub fn from(
    speech: &Peer,
    user: Option<&str>,
    hidden: bool,
    own_host: &str,
    name: Option<&str>,
) -> impl fmt::Display {
    let domain = fmt::from_fn(move |f| match &speech.from_domain {
        Some(domain) => write!(f, "{domain}"),
        None => f.write_str(own_host),
    });
    let name = if hidden { Some("Anonymous") } else { name };
    let name = fmt::from_fn(move |f| name.map_or(Ok(()), |name| quoted(f, name)));
    fmt::from_fn(move |f| match (speech.from_user.as_ref(), user) {
        // Who pays is known there by this user alone.
        (Some(trunk), _) => write!(f, "{name}<sip:{}@{domain}>", escape_user(trunk)),
        (None, Some(user)) => write!(f, "{name}<sip:{user}@{domain}{}>", phone(speech, user)),
        (None, None) if speech.privacy == Privacy::Domain => {
            write!(f, "\"Anonymous\" <sip:anonymous@{domain}>")
        }
        // RFC 3323 §4.1.1.3.
        (None, None) => f.write_str("\"Anonymous\" <sip:anonymous@anonymous.invalid>"),
    })
}

/// A name as it stands before an address.
fn quoted(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    f.write_char('"')?;
    for letter in name.chars() {
        match letter {
            '"' | '\\' => write!(f, "\\{letter}")?,
            _ if letter.is_control() => f.write_char('?')?,
            _ => f.write_char(letter)?,
        }
    }
    f.write_str("\" ")
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
    pub(super) fn from(&self, own_host: &str, name: Option<&str>) -> impl fmt::Display {
        let (speech, user) = (self.attempt.via.peer(), self.caller_user.as_deref());
        from(speech, user, self.hidden, own_host, name)
    }
}
