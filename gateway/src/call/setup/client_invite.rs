//! The INVITE of the b-leg: who calls, and what of the caller's INVITE crosses.

use sip::{Builder, HeaderError, Message, Method, Name, NameAddr};
use smol_str::{SmolStr, format_smolstr};

use super::Route;
use crate::call::allow::allow_to;
use crate::call::body::SentBody;
use crate::call::headers::{self, is_let_through};
use crate::call::io::Back;
use crate::call::leg::End;
use crate::call::rules::{self, Way};
use crate::ids::Tokens;
use crate::record::Account;
use config::Prack;

/// What an INVITE of ours is made of.
pub(super) struct ClientInvite<'a> {
    pub asked: &'a Message,
    /// The caller, and the callee.
    pub from: &'a End,
    pub to: &'a End,
    pub route: &'a Route,
    pub account: &'a Account,
    pub redirections: &'a [(Name, String)],
    /// The words of the target itself.
    pub back: Option<&'a Back>,
    /// We can take reliable provisional responses to it.
    pub reliably: bool,
}

impl ClientInvite<'_> {
    /// The INVITE, but for what it says of a session timer.
    ///
    /// - `local_tag`: ours, in From.
    pub fn build(&self, tokens: &mut Tokens, local_tag: &str, body: Option<SentBody>) -> Builder {
        let (asked, route) = (self.asked, self.route);
        let (target, number) = (&route.attempt.target, &route.attempt.number);
        let own_host = route.local.host();
        let phone = route.phone();
        let name = self.display_name();
        let from = route.from(&own_host, name.as_deref());
        let max_forwards = asked.max_forwards().ok().flatten().unwrap_or(70).saturating_sub(1);
        let usual = || format_smolstr!("{}{phone}", target.request_uri(number));
        let request_uri = self.back.map_or_else(usual, |back| back.uri.as_str().into());
        let mut builder = Builder::request(Method::Invite, &request_uri)
            .shown(Name::Via, route.local.via(tokens.branch()))
            .shown(Name::MaxForwards, max_forwards);
        for hop in &target.route {
            builder = builder.header(Name::Route, hop);
        }
        builder = builder.shown(Name::From, format_args!("{from};tag={local_tag}"));
        builder = match self.back {
            Some(back) => builder.shown(Name::To, format_args!("<{}>", back.uri)),
            None => builder.shown(Name::To, format_args!("<{}{phone}>", target.to_uri(Some(number)))),
        };
        builder = builder
            .shown(Name::CallId, tokens.call_id(&own_host))
            .header(Name::CSeq, "1 INVITE")
            .shown(Name::Contact, self.to.contact())
            .shown(Name::Allow, allow_to(&route.profile, self.from.allows, None));
        builder = headers::cross(asked, builder, &self.from.profile, &route.profile);
        if self.account.emergency {
            builder = builder.remove(Name::Privacy); // Help must know whom to call back.
        }
        builder = self.identify(builder);
        if let Some(connector) = route.connector() {
            builder = builder.raw("X-VoiceConnector-ID", connector);
        }
        if let Some(Back { replaces, referred_by, .. }) = self.back {
            for (name, value) in [
                (Name::Replaces, replaces.as_ref().map(ToString::to_string)),
                (Name::ReferredBy, referred_by.clone()),
            ] {
                builder =
                    value.into_iter().fold(builder, |builder, value| builder.header(name.clone(), value));
            }
        }
        if let Some(name) = self.asks_reliably() {
            builder = builder.header(name, "100rel");
        }
        for (name, value) in &route.profile.add_headers {
            builder = builder.set(name.as_str().into(), value);
        }
        builder = rules::obey(builder, &route.profile.header_rules, Way::To);
        SentBody::attach(body, builder)
    }

    /// The header in which our INVITE says `100rel`.
    fn asks_reliably(&self) -> Option<Name> {
        match self.route.profile.prack {
            Prack::Off => None,
            _ if !self.reliably => None,
            Prack::Required => Some(Name::Require),
            Prack::Supported => Some(Name::Supported),
        }
    }

    /// What is said of the caller beside From, and of who sent the call on: nothing that we do not know, or that was not
    /// checked. RFC 3325 §7.
    fn identify(&self, mut builder: Builder) -> Builder {
        let (asked, route) = (self.asked, self.route);
        let (from, to) = (&self.from.profile, &route.profile);
        let passes = |name: &Name| is_let_through(name, from, to) && !to.adds(name);
        for (name, value) in self.redirections.iter().filter(|(name, _)| passes(name)) {
            builder = builder.header(name.clone(), value);
        }
        if asked.has(Name::Identity) && passes(&Name::Identity) && is_as_signed(asked, route) {
            for line in asked.lines(Name::Identity) {
                builder = builder.header(Name::Identity, line.as_bytes());
            }
        }
        let asserted = route.asserted.as_ref().filter(|(name, _)| !to.strips(name));
        if let Some((name, value)) = asserted {
            builder = builder.header(name.clone(), value);
        }
        // The number is for those that we trust, and they must know that it goes no further: RFC 3325 §7.
        let is_told = asserted.is_some_and(|(name, _)| *name == Name::PAssertedIdentity);
        let hides = route.hidden && (is_told || route.caller_user.is_some());
        match hides && !to.strips(&Name::Privacy) {
            true => builder.set(Name::Privacy, hidden(asked)),
            false => builder,
        }
    }

    /// The caller's name for the far side's From: the inventory's, else what the caller said.
    fn display_name(&self) -> Option<SmolStr> {
        let name = self.account.caller_name.as_deref().map(SmolStr::from);
        let name = name.or_else(|| self.asked.from().ok().and_then(|from| from.display_name));
        name.filter(|name| !name.is_empty())
    }
}

/// Whether a caller's signature still holds: it speaks of the digits of From and To (RFC 8224 §8.3). An older one (with
/// Identity-Info) speaks of Call-ID and Contact too, which are ours now (RFC 4474 §9).
fn is_as_signed(asked: &Message, route: &Route) -> bool {
    let Some(shown) = &route.caller_user else { return false };
    let holds = |signed: Option<String>, sent: &str| {
        let digits = signed.as_deref().and_then(canonical);
        digits.is_some() && digits == canonical(sent)
    };
    let user = |address: Result<NameAddr, HeaderError>| {
        Some(sip::uri::unescape(address.ok()?.uri.user()?).into_owned())
    };
    route.attempt.via.peer().from_user.is_none()
        && !asked.has(Name::IdentityInfo)
        && holds(user(asked.from()), shown)
        && holds(user(asked.to()), route.attempt.target.to_user(&route.attempt.number))
}

/// The digits of a telephone number; none where it is no number. RFC 8224 §8.3.
fn canonical(user: &str) -> Option<String> {
    let digits: String = user.chars().filter(|letter| !"+-.()".contains(*letter)).collect();
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// The Privacy of a caller that is not to be shown, with what it asked for itself. RFC 3323 §4.2.
fn hidden(asked: &Message) -> String {
    let asks = asked.value(Name::Privacy).unwrap_or_default();
    let is = |word: &str| word.eq_ignore_ascii_case("id") || word.eq_ignore_ascii_case("none");
    match asks.split(';').any(|word| is(word.trim())) {
        true => asks.into_owned(),
        false if asks.is_empty() => "id".to_owned(),
        false => format!("{asks};id"),
    }
}
