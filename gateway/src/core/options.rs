//! Requests outside a dialog that begin no call.

use config::{Prack, Refer};
use sip::{Builder, Message, Method, Name, StatusCode, Uri};

use super::Core;
use super::fault::{BODIES, terminal_fault};
use crate::clock::Now;
use crate::peer::Source;
use crate::reply::{ALLOW, Cause, supported};
use crate::termination_health::Heard;

impl Core {
    /// OPTIONS is answered as an INVITE would be (RFC 3261 §11.2), but for its hops: it ends here. What we don't do is
    /// said so. Nothing is kept: repeats get the same answer, and copies by another way their own.
    ///
    /// What is not taken is refused with a true Allow (405, 501). So is a SUBSCRIBE or PUBLISH: 489 is the word of one who
    /// takes them for other events (RFC 6665 §7.4, RFC 3903 §6). And a REGISTER of whom nobody lets register: 403 would have
    /// a phone ask its user for another password.
    pub(super) fn answer_outside(&mut self, now: Now, source: &Source, message: &Message) {
        let tag = self.stateless_tag(message);
        let fault = match message.method() {
            Some(Method::Options) => terminal_fault(message),
            _ => None,
        };
        if let Some(fault) = fault {
            self.shared.metrics.refusal("protocol");
            return self.send_stateless(now, source, message, fault.reply(message, &tag));
        }
        if message.method() == Some(Method::Options) {
            self.note_health(now, source, message);
        }
        let (prack, refer) = self.keys_of(source);
        let allow = || {
            let methods = match prack {
                Prack::Off => ALLOW.replace(", PRACK", ""),
                Prack::Supported | Prack::Required => ALLOW.to_owned(),
            };
            match self.takes_register(source, message) {
                true => format!("{methods}, REGISTER"),
                false => methods,
            }
        };
        let reply = match message.method() {
            Some(Method::Options) => match self.would_refuse() {
                Some(cause) => cause.reply(message, Some(&tag)),
                None => self.known_as(source, Builder::reply(message, StatusCode::OK, "OK", Some(&tag))),
            }
            .header(Name::Accept, BODIES)
            .header(Name::Allow, allow())
            .header(Name::Supported, supported(prack, refer)),
            // A dialog of ours would have been found.
            Some(Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify) => {
                Cause::new(481, "Call/Transaction Does Not Exist").reply(message, Some(&tag))
            }
            Some(Method::Other(_)) => {
                Cause::new(501, "Not Implemented").reply(message, Some(&tag)).header(Name::Allow, allow())
            }
            _ => {
                Cause::new(405, "Method Not Allowed").reply(message, Some(&tag)).header(Name::Allow, allow())
            }
        };
        self.send_stateless(now, source, message, reply);
    }

    /// A customer is there: the connector that it names, or all that know its address.
    fn note_health(&self, now: Now, source: &Source, message: &Message) {
        let address = source.remote.ip().to_canonical();
        let named = match message.target() {
            Ok(Uri::Sip(uri)) => uri.host.to_string(),
            _ => String::new(),
        };
        let domain = self.live.config.gateway.domain.as_str();
        let is_named = |id: &str| {
            named.strip_prefix(id).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| rest == domain)
        };
        let heard = Heard { at: now.unix, source: address };
        let one = self.live.config.connectors_at(address).find(|connector| is_named(connector.id.as_str()));
        let all = self.live.config.connectors_at(address).filter(|_| one.is_none());
        for connector in one.into_iter().chain(all) {
            self.shared.termination_health.note(connector.id.as_str(), heard);
        }
    }

    /// What the parties of that source may do with PRACK and REFER: these are off only where they are for all of them.
    fn keys_of(&self, source: &Source) -> (Prack, Refer) {
        let mut pracks = self.peers_at(source).map(|peer| peer.prack);
        let prack = match pracks.next() {
            Some(Prack::Off) => pracks.find(|prack| *prack != Prack::Off).unwrap_or(Prack::Off),
            Some(prack) => prack,
            None => Prack::Supported,
        };
        let handles = self.peers_at(source).any(|peer| peer.refer == Refer::Handle);
        (prack, if handles { Refer::Handle } else { Refer::Off })
    }

    /// How the parties speak that may be at that source.
    fn peers_at(&self, source: &Source) -> impl Iterator<Item = &config::Peer> {
        let address = source.remote.ip().to_canonical();
        let carrier = self.live.config.carrier_at(address).map(|carrier| &carrier.peer);
        let connectors = self.live.config.connectors_at(address).map(|connector| &connector.peer);
        carrier.into_iter().chain(connectors)
    }

    /// A response with our Contact, where a party of that source is to know us by a name (RFC 3261 §11.2).
    fn known_as(&self, source: &Source, reply: Builder) -> Builder {
        let address = source.remote.ip().to_canonical();
        let mut names = self.peers_at(source).filter_map(|peer| peer.contact.as_ref());
        let local = self.locals.by(source.listener, address, Some(source.local.ip()));
        match names.next().zip(local) {
            Some((name, local)) => reply.shown(Name::Contact, local.named(Some(name)).contact("")),
            None => reply,
        }
    }
}
