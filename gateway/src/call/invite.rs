//! The INVITE of the b-leg: who calls, and what of the caller's INVITE crosses.

use sip::{Builder, Message, Method, Name};

use super::attempt::Route;
use super::body::Sent;
use super::{Call, crossing};
use crate::core::ALLOW;
use crate::ids::Tokens;
use crate::listen::peer::Transport;

impl Call {
    /// The INVITE of the b-leg, and our tag in it.
    pub(super) fn build_invite(
        &mut self,
        tokens: &mut Tokens,
        asked: &Message,
        body: Option<Sent>,
    ) -> Option<(Message, String)> {
        let route = self.route.as_ref()?;
        let leg = self.b.as_ref()?;
        let host = match route.attempt.port {
            Some(port) => format!("{}:{port}", route.attempt.host),
            None => route.attempt.host.clone(),
        };
        let transport = match route.attempt.lookup.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
            Transport::Tls => ";transport=tls",
        };
        let own_host = route.local.advertise.ip();
        let own_host = sip::Host::from(own_host);
        let local_tag = tokens.tag();
        let uri = format!("sip:{}@{host}{transport}", route.attempt.number);
        let from = match &route.caller_user {
            Some(user) => format!("{}<sip:{user}@{own_host}>;tag={local_tag}", self.display_name(asked)),
            // RFC 3323 §4.1.1.3.
            None => format!("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag={local_tag}"),
        };
        let max_forwards = asked.max_forwards().ok().flatten().unwrap_or(70).saturating_sub(1);
        let mut builder = Builder::request(Method::Invite, &uri)
            .header(Name::Via, route.local.via(&tokens.branch()))
            .header(Name::MaxForwards, max_forwards.to_string())
            .header(Name::From, from)
            .header(Name::To, format!("<sip:{}@{host}>", route.attempt.number))
            .header(Name::CallId, tokens.call_id(&own_host.to_string()))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, leg.local.contact(&leg.contact_user))
            .header(Name::Allow, ALLOW);
        builder = crossing::cross(asked, builder, &self.a.profile, &route.profile);
        if self.account.emergency {
            builder = builder.remove(Name::Privacy); // Help must know whom to call back.
        }
        builder = self.identify(builder, asked, route);
        if let Some(connector) = route.connector() {
            builder = builder.raw("X-VoiceConnector-ID", connector);
        }
        for (name, value) in &route.profile.add_headers {
            builder = builder.set(name.as_str().into(), value);
        }
        Some((Sent::attach(body, builder).build(), local_tag))
    }

    /// Who calls, for a party that we trust: what the caller's side asserts where we believe it, else what we know.
    fn identify(&self, mut builder: Builder, asked: &Message, route: &Route) -> Builder {
        let believed = self.a.profile.trusted && route.profile.trusted;
        let asserted = route.asserted.clone().filter(|(name, _)| !(believed && asked.has(name.clone())));
        let passed = believed && asked.has(Name::PAssertedIdentity);
        let told = passed || asserted.as_ref().is_some_and(|(name, _)| *name == Name::PAssertedIdentity);
        if let Some((name, value)) = asserted {
            builder = builder.header(name, value);
        }
        // The number is for those that we trust, and they must know that it goes no further: RFC 3325 §7.
        if told && route.caller_user.is_none() && !route.profile.strips(&Name::Privacy) {
            builder = builder.set(Name::Privacy, hidden(asked));
        }
        builder
    }

    /// The caller's name for the far side's From: the inventory's, else what the caller said.
    fn display_name(&self, asked: &Message) -> String {
        let name = self.account.caller_name.clone();
        let name = name.or_else(|| asked.from().ok().and_then(|from| from.display_name));
        match name {
            Some(name) if !name.is_empty() => {
                format!("\"{}\" ", name.replace('\\', "\\\\").replace('"', "\\\""))
            }
            _ => String::new(),
        }
    }
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
