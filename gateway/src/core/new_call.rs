//! A new INVITE: whose it is, whether it may be, where it goes; and what a refusal leaves behind.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use config::{ConnectorId, IdentityHeader, Nat as ConfiguredNat, Peer as Speech, Protocol, Srtp};
use sip::auth::{AuthFailure, Credentials};
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, Uri};

use super::{CallKey, Core, Draining, Live, Now, Slot};
use crate::admit::{self, Admitted, Decision, Digest, Facts, OfferedMedia, Origin, Outcome, Refusal};
use crate::call::{Account, Call, Cause, Local, Nat, NewCall, Policy, Profile, Route, Settled, Times};
use crate::listen::{ListenerId, Party, Peer, Source, Transport};
use crate::record::Direction;
use crate::route::{self, Attempt, RouteFacts, Via};

/// A call from a carrier has no connector's `max_duration` until it is routed: the default holds.
const INBOUND_MAX_DURATION: Duration = Duration::from_secs(12 * 60 * 60);

impl Core {
    /// A request outside any dialog, from a listed source.
    pub(super) fn new_request(
        &mut self,
        now: Now,
        server: ServerId,
        message: Message,
        from: Peer,
        merged: bool,
    ) {
        if message.method() != Some(Method::Invite) {
            return self.answer_outside(now, server, &message, merged);
        }
        let source = self.arrived;
        let live = self.shared.live();
        let mut facts = facts(&message, &source);
        let identified = admit::source(&live.config, &facts);
        let who = match &identified.outcome {
            Ok(origin) => origin.clone(),
            Err(refusal) => {
                let direction = identified.connector.is_some().then_some(Direction::Outbound);
                let decision = Decision {
                    steps: identified.steps,
                    connector: identified.connector,
                    direction,
                    outcome: Outcome::Refuse(refusal.clone()),
                };
                return self.refuse(now, server, &message, &facts, &decision, &refusal.clone());
            }
        };
        if let Some(reply) = protocol_fault(&message, merged) {
            return self.reject(now, server, &message, &facts, identified.connector.as_ref(), reply);
        }
        facts.digest = self.digest(now, &live, &who, &message, source.remote.ip());
        let decision = admit::admit(&live.config, &facts);
        match &decision.outcome {
            Outcome::Challenge(challenge) => {
                self.challenge(now, &live, server, &message, &decision, challenge.stale)
            }
            Outcome::Refuse(refusal) => self.refuse(now, server, &message, &facts, &decision, refusal),
            Outcome::Admit(admitted) => {
                let admitted = admitted.clone();
                self.admitted(now, &live, server, message, from, &facts, &decision, &admitted);
            }
        }
    }

    /// The call is allowed: is there room, and a way?
    #[expect(clippy::too_many_arguments, reason = "one step of one path, cut out for its length")]
    fn admitted(
        &mut self,
        now: Now,
        live: &Arc<Live>,
        server: ServerId,
        message: Message,
        from: Peer,
        facts: &Facts,
        decision: &Decision,
        admitted: &Admitted,
    ) {
        if let Some(cause) = self.closed(admitted.emergency.is_some()) {
            return self.turn_away(now, server, &message, facts, decision, &cause);
        }
        let permit = match self.shared.limits.call(admitted, now.unix) {
            Ok(permit) => permit,
            Err(refusal) => return self.refuse(now, server, &message, facts, decision, &refusal),
        };
        let draw = self.tokens.random().next_u64();
        let health = self.shared.health();
        let plan = route::route(&live.config, &health, &RouteFacts { admitted, draw, now: now.instant });
        let attempts = match plan.attempts {
            Ok(attempts) => attempts,
            Err(refusal) => return self.refuse(now, server, &message, facts, decision, &refusal),
        };
        let account = account(live, admitted);
        let source = self.arrived;
        // A new configuration may have fewer listeners than the sockets that are still bound.
        let Some(local) = self.local(live, source.listener, source.remote.ip()) else {
            let cause = Cause::new(503, "The listener is not configured any more");
            return self.turn_away(now, server, &message, facts, decision, &cause);
        };
        let profile = match &admitted.origin {
            Origin::Connector(connector) => profile(&connector.peer, connector.encryption, source.transport),
            Origin::Carrier(carrier) => profile(&carrier.peer, false, source.transport),
        };
        let party = match &admitted.origin {
            Origin::Connector(connector) => Party::VoiceConnector(connector.id.as_str().into()),
            Origin::Carrier(carrier) => Party::Carrier(carrier.name.as_str().into()),
        };
        let routes: Vec<Route> =
            attempts.into_iter().filter_map(|attempt| self.call_route(live, admitted, attempt)).collect();
        if routes.is_empty() {
            let cause = Cause::new(503, "No listener has the transport of any route");
            return self.turn_away(now, server, &message, facts, decision, &cause);
        }
        self.next_call += 1;
        let key = CallKey(self.next_call);
        let transaction_id = self.transaction_id();
        tracing::info!(
            %transaction_id,
            connector = decision.connector.as_ref().map(|id| id.as_str()),
            direction = admitted.direction.as_label(),
            emergency = admitted.emergency.is_some(),
            routes = routes.len(),
            "call begins"
        );
        let new = NewCall {
            transaction_id,
            invite: message.clone(),
            server,
            flow: Peer { remote: source.remote, party: Some(party), ..from },
            local_tag: self.tokens.tag(),
            local,
            profile,
            routes,
            account,
            media: key.media(),
            max_duration: match &admitted.origin {
                Origin::Connector(connector) => connector.termination.max_duration,
                Origin::Carrier(_) => INBOUND_MAX_DURATION,
            },
        };
        let books = self.open_books(&new.account, Some(permit));
        match Call::new(now, new, &mut self.tokens) {
            Ok(call) => {
                let slot = Slot { call, wakeup: None, requests: Default::default(), books };
                self.shared.call_began();
                self.calls.insert(key, Box::new(slot));
                self.servers.insert(server, key);
                self.log_message(now, key, &message);
                self.settle(now, key);
            }
            Err(cause) => self.turn_away(now, server, &message, facts, decision, &cause),
        }
    }

    /// Why no new calls are taken at all. Emergencies are until the very end, when nobody would hang them up.
    fn closed(&self, emergency: bool) -> Option<Cause> {
        let mut cause = match self.draining {
            Draining::Stopped => Cause::new(503, "Gateway is shutting down"),
            _ if emergency => return None,
            Draining::No if self.shared.records_accept_calls() => return None,
            Draining::No => Cause::new(503, "Call records can't be written"),
            Draining::Yes => Cause::new(503, "Gateway is draining"),
        };
        cause.retry_after = Some(Duration::from_secs(30));
        Some(cause)
    }

    /// What we are towards a party that is reached by a listener.
    pub(super) fn local(&self, live: &Live, listener: ListenerId, peer: IpAddr) -> Option<Local> {
        let configured = live.config.listen.get(usize::from(listener.0))?;
        let bound = self.shared.bound.get(usize::from(listener.0)).copied().unwrap_or(configured.address);
        let addresses = &live.config.media.address;
        let family = |address: &&IpAddr| address.is_ipv4() == peer.to_canonical().is_ipv4();
        let media = *addresses.iter().find(family).or(addresses.first())?;
        Some(Local {
            listener,
            transport: configured.protocol.into(),
            advertise: configured.advertise.unwrap_or(bound),
            media,
            media_advertise: live.config.media.advertised(media),
        })
    }

    /// An attempt with what we are and say there; none where no listener has its transport.
    pub(super) fn call_route(&self, live: &Live, admitted: &Admitted, attempt: Attempt) -> Option<Route> {
        let address = attempt.lookup.literal().map(|address| address.ip());
        let listener = self.listener_for(live, attempt.lookup.transport, address)?;
        let peer = address.unwrap_or_else(|| self.bound_ip(live, listener));
        let local = self.local(live, listener, peer)?;
        let speech = attempt.via.peer();
        let hidden = admitted.caller.private && admitted.emergency.is_none();
        let asserted = speech.trusted.then(|| asserted(live, admitted, &attempt)).flatten();
        let credentials = match &attempt.via {
            Via::Carrier(carrier) => live.carriers.get(carrier.name.as_str()).cloned(),
            Via::Connector(_) => None,
        };
        let caller_user = (!hidden).then(|| sip_user(&attempt.caller));
        let encryption = match &attempt.via {
            Via::Connector(connector) => connector.encryption,
            Via::Carrier(_) => false,
        };
        let profile = profile(speech, encryption, attempt.lookup.transport);
        Some(Route { local, profile, caller_user, asserted, credentials, attempt })
    }

    /// The listener that speaks `transport`, of the address's family where there is one.
    pub(super) fn listener_for(
        &self,
        live: &Live,
        transport: Transport,
        address: Option<IpAddr>,
    ) -> Option<ListenerId> {
        let listeners = || {
            live.config
                .listen
                .iter()
                .enumerate()
                .filter(|(_, listen)| Transport::from(listen.protocol) == transport)
        };
        let family = |ip: IpAddr| listeners().find(|(_, listen)| listen.address.is_ipv4() == ip.is_ipv4());
        let (index, _) = match address {
            Some(ip) => family(ip.to_canonical())?,
            None => listeners().next()?,
        };
        u16::try_from(index).ok().map(ListenerId)
    }

    fn bound_ip(&self, live: &Live, listener: ListenerId) -> IpAddr {
        let listen = live.config.listen.get(usize::from(listener.0));
        listen.map_or(IpAddr::from([127, 0, 0, 1]), |listen| listen.address.ip())
    }

    fn transaction_id(&mut self) -> uuid::Uuid {
        let random = self.tokens.random();
        let bytes = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
        uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }

    /// What the credentials of an INVITE prove.
    fn digest(&mut self, now: Now, live: &Live, who: &Origin, message: &Message, source: IpAddr) -> Digest {
        let Origin::Connector(connector) = who else { return Digest::NotAttempted };
        let users = live.users.get(connector.id.as_str()).map_or(&[][..], Vec::as_slice);
        if users.is_empty() {
            return Digest::NotAttempted;
        }
        let realm = live.config.gateway.realm.as_str();
        let lines: Vec<_> = message.lines(Name::ProxyAuthorization).collect();
        let mut given = lines.iter().filter_map(|line| Credentials::parse(line).ok());
        let Some(credentials) = given.find(|credentials| credentials.realm == realm) else {
            return Digest::NotAttempted;
        };
        if self.shared.guard.is_guessing(now.instant, source) {
            return Digest::TooMany;
        }
        let lookup =
            |user: &str| users.iter().find(|(name, _)| name == user).map(|(_, secrets)| secrets.as_slice());
        match self.nonces.verify(now.unix, source, &credentials, "INVITE", realm, lookup) {
            Ok(user) => Digest::Verified(user),
            Err(failure) if failure.is_stale() => Digest::Stale,
            Err(failure) => {
                tracing::warn!(%source, connector = %connector.id, %failure, "wrong credentials");
                if !matches!(failure, AuthFailure::Malformed) {
                    self.shared.guard.wrong_credentials(now.instant, source);
                }
                self.shared.metrics.refusal("digest");
                if self.shared.guard.is_guessing(now.instant, source) {
                    Digest::TooMany
                } else {
                    Digest::Wrong
                }
            }
        }
    }

    /// 407 with a challenge for each algorithm that the connector's users can answer. No call yet: no record.
    fn challenge(
        &mut self,
        now: Now,
        live: &Live,
        server: ServerId,
        message: &Message,
        decision: &Decision,
        stale: bool,
    ) {
        let users = decision.connector.as_ref().and_then(|id| live.users.get(id.as_str()));
        let secrets: Vec<_> =
            users.into_iter().flatten().flat_map(|(_, secrets)| secrets.iter().cloned()).collect();
        let random = self.tokens.random().next_u64().to_be_bytes();
        let realm = live.config.gateway.realm.as_str();
        let source = self.arrived.remote.ip();
        let challenges = self.nonces.challenges(now.unix, random, source, realm, &secrets, stale);
        let text = if stale { "Credentials are stale" } else { "Proxy Authentication Required" };
        let tag = self.tokens.tag();
        let mut reply = Cause::new(407, text).reply(message, Some(&tag));
        for challenge in challenges {
            reply = reply.header(Name::ProxyAuthenticate, challenge.to_string());
        }
        let response = reply.build();
        let connector = decision.connector.as_ref().map(|id| id.as_str());
        self.log_outside(now, connector, message, &[message, &response]);
        self.transactions.respond(now.instant, server, response);
    }

    /// A refusal of the policy: its verdict says what the peer hears and what is counted.
    fn refuse(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        decision: &Decision,
        refusal: &Refusal,
    ) {
        let verdict = refusal.verdict();
        self.shared.metrics.refusal(verdict.cause);
        if verdict.throttle
            && let (Some(connector), Some(direction)) = (&decision.connector, decision.direction)
        {
            self.shared.metrics.connector(connector.as_str()).calls(direction).throttled();
        }
        if verdict.silence {
            self.shared.refused(now, facts.source);
        }
        self.turn_away(now, server, message, facts, decision, &Cause::from(verdict));
    }

    /// A fault of the request itself.
    fn reject(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        connector: Option<&ConnectorId>,
        fault: Fault,
    ) {
        self.shared.metrics.refusal("protocol");
        let tag = self.tokens.tag();
        let mut reply = fault.cause.reply(message, Some(&tag));
        for (name, value) in fault.headers {
            reply = reply.header(name, value);
        }
        let whose = connector.map(|id| (id.clone(), Direction::Outbound));
        self.finish_refusal(now, server, message, facts, whose, &fault.cause, reply);
    }

    fn turn_away(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        decision: &Decision,
        cause: &Cause,
    ) {
        let tag = self.tokens.tag();
        let reply = cause.reply(message, Some(&tag));
        let whose = decision.connector.clone().zip(decision.direction);
        self.finish_refusal(now, server, message, facts, whose, cause, reply);
    }

    /// Answers, counts, logs and records a call that never began.
    ///
    /// - `whose`: the connector that it is recorded for, where it is known and the source is listed.
    #[expect(clippy::too_many_arguments, reason = "one step of one path, cut out for its length")]
    fn finish_refusal(
        &mut self,
        now: Now,
        server: ServerId,
        message: &Message,
        facts: &Facts,
        whose: Option<(ConnectorId, Direction)>,
        cause: &Cause,
        reply: Builder,
    ) {
        let response = reply.build();
        let connector = whose.as_ref().map(|(id, _)| id.as_str());
        self.log_outside(now, connector, message, &[message, &response]);
        self.transactions.respond(now.instant, server, response);
        tracing::info!(
            source = %facts.source,
            connector,
            status = cause.status.code(),
            cause = %masked(&cause.text),
            "call refused"
        );
        let Some((connector, direction)) = whose else { return };
        let calls = self.shared.metrics.connector(connector.as_str());
        calls.calls(direction).attempt();
        calls.calls(direction).failed();
        let number = |user: &str| crate::number::dialled_number(user);
        let caller = facts.from.clone().unwrap_or_default();
        let country = |user: &str| number(user).and_then(|number| crate::number::country(&number));
        let mut account = Account {
            caller_country: country(&caller).map(|country| country.to_string()),
            callee_country: country(&facts.user).map(|country| country.to_string()),
            caller,
            callee: facts.user.clone(),
            ..Account::default()
        };
        match direction {
            Direction::Outbound => account.outbound = Some(connector.to_string()),
            Direction::Inbound => account.inbound = Some(connector.to_string()),
        }
        let call_id = message.call_id().unwrap_or_default().to_owned();
        let settled = Settled {
            transaction_id: self.transaction_id(),
            account,
            times: Times { started: now.unix, answered: None, ended: Some(now.unix) },
            a_call_id: call_id.clone(),
            b_call_id: call_id,
            cause: cause.clone(),
            notes: Vec::new(),
        };
        self.write_refusal(now, connector.as_str(), &settled);
    }
}

/// A fault that is answered by the protocol's own rules.
pub(super) struct Fault {
    cause: Cause,
    headers: Vec<(Name, String)>,
}

impl Fault {
    /// The answer.
    pub(super) fn reply(&self, request: &Message, to_tag: &str) -> Builder {
        let reply = self.cause.reply(request, Some(to_tag));
        self.headers.iter().fold(reply, |reply, (name, value)| reply.header(name.clone(), value))
    }

    fn new(status: u16, text: impl Into<String>) -> Fault {
        Fault { cause: Cause::new(status, text), headers: Vec::new() }
    }

    fn with(mut self, name: Name, value: impl Into<String>) -> Fault {
        self.headers.push((name, value.into()));
        self
    }
}

/// What is wrong with an INVITE: URI scheme, Max-Forwards, merged, Require, body; in this order (RFC 3261 §8.2,
/// §16.3).
fn protocol_fault(message: &Message, merged: bool) -> Option<Fault> {
    let hops = || (message.max_forwards() == Ok(Some(0))).then(|| Fault::new(483, "Too Many Hops"));
    scheme_fault(message)
        .or_else(hops)
        .or_else(|| merged_fault(merged))
        .or_else(|| require_fault(message))
        .or_else(|| body_fault(message))
}

/// What is wrong with a request that ends here, so that hops and body do not matter.
pub(super) fn terminal_fault(message: &Message, merged: bool) -> Option<Fault> {
    scheme_fault(message).or_else(|| merged_fault(merged)).or_else(|| require_fault(message))
}

fn scheme_fault(message: &Message) -> Option<Fault> {
    match message.target() {
        Ok(Uri::Sip(_) | Uri::Tel(_)) => None,
        Ok(other) => Some(Fault::new(416, format!("URI scheme {} is not supported", other.scheme()))),
        Err(error) => Some(Fault::new(400, format!("Request-URI: {error}"))),
    }
}

fn merged_fault(merged: bool) -> Option<Fault> {
    merged.then(|| Fault::new(482, "Merged request"))
}

fn require_fault(message: &Message) -> Option<Fault> {
    let required: Vec<_> = message.values(Name::Require).map(|tag| tag.into_owned()).collect();
    let unsupported = (!required.is_empty()).then(|| required.join(", "))?;
    let fault = Fault::new(420, format!("Not supported: {unsupported}"));
    Some(fault.with(Name::Unsupported, unsupported))
}

fn body_fault(message: &Message) -> Option<Fault> {
    const TYPES: &str = "application/sdp, multipart/mixed";
    if !message.body().is_empty() {
        let encoding = message.value(Name::ContentEncoding).unwrap_or_default();
        if !encoding.trim().is_empty() && !encoding.trim().eq_ignore_ascii_case("identity") {
            let fault = Fault::new(415, format!("Content-Encoding {encoding} is not supported"));
            return Some(fault.with(Name::AcceptEncoding, "identity"));
        }
        let media_type = message.content_type().unwrap_or_default().to_ascii_lowercase();
        if !matches!(media_type.as_str(), "application/sdp" | "multipart/mixed") {
            let fault = Fault::new(415, format!("Content-Type {media_type} is not supported"));
            return Some(fault.with(Name::Accept, TYPES));
        }
    }
    let accepted: Vec<_> = message.values(Name::Accept).collect();
    let takes_sdp = accepted.iter().any(|range| {
        let range = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(range.as_str(), "application/sdp" | "application/*" | "*/*")
    });
    if message.has(Name::Accept) && !takes_sdp {
        return Some(Fault::new(406, "Accept leaves out application/sdp"));
    }
    None
}

/// What admission looks at, word for word.
pub(super) fn facts(message: &Message, source: &Source) -> Facts {
    let (host, user) = match message.target() {
        Ok(Uri::Sip(uri)) => (uri.host.to_string(), uri.user_unescaped().unwrap_or_default()),
        Ok(Uri::Tel(uri)) => (String::new(), uri.number),
        _ => (String::new(), String::new()),
    };
    let user_of = |uri: &Uri| match uri {
        Uri::Sip(uri) => uri.user_unescaped(),
        Uri::Tel(uri) => Some(uri.number.clone()),
        _ => None,
    };
    let users = |name: Name| -> Vec<String> {
        message.addresses(name).filter_map(Result::ok).filter_map(|address| user_of(&address.uri)).collect()
    };
    let mut facts = Facts::new(source.remote.ip(), source.transport, &host, &user);
    if let Ok(from) = message.from() {
        facts.from = user_of(&from.uri);
        facts.from_host = from.uri.host().map(ToString::to_string).unwrap_or_default();
    }
    facts.asserted = users(Name::PAssertedIdentity);
    facts.remote_party = users(Name::RemotePartyId).into_iter().next();
    facts.diversion = users(Name::Diversion);
    facts.privacy = message.values(Name::Privacy).any(|value| {
        value
            .split(';')
            .any(|word| matches!(word.trim().to_ascii_lowercase().as_str(), "id" | "user" | "header"))
    });
    let offered = crate::call::offered_streams(message);
    facts.media = match offered.is_empty() {
        true => OfferedMedia::None,
        // Keys beside `RTP/AVP` offer SRTP too. Whether they are of use is seen when they are taken.
        false if offered.iter().any(|stream| stream.is_srtp() || !stream.crypto.is_empty()) => {
            OfferedMedia::Srtp
        }
        false => OfferedMedia::Plain,
    };
    facts
}

fn account(live: &Live, admitted: &Admitted) -> Account {
    let config = &live.config;
    let caller = admitted.caller.number.as_ref();
    let country = |number| crate::number::country(number).map(|country| country.to_string());
    let outbound = match admitted.direction {
        Direction::Outbound => Some(admitted.connector.to_string()),
        Direction::Inbound => None,
    };
    Account {
        caller: admitted.caller.text.clone(),
        callee: admitted.dialled.clone(),
        caller_name: caller.and_then(|number| admit::calling_name(config, number)).map(str::to_owned),
        callee_name: admit::calling_name(config, &admitted.number).map(str::to_owned),
        caller_country: caller.and_then(country),
        callee_country: country(&admitted.number),
        outbound,
        inbound: None,
        sip_auth_user: admitted.digest_user.clone(),
        emergency: admitted.emergency.is_some(),
    }
}

/// How a party speaks, whose signalling goes by `transport`.
fn profile(speech: &Speech, encryption: bool, transport: Transport) -> Profile {
    let protocol = match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp => Protocol::Tcp,
        Transport::Tls => Protocol::Tls,
    };
    Profile {
        nat: match speech.nat {
            ConfiguredNat::Auto => Nat::Auto,
            ConfiguredNat::Always => Nat::Always,
            ConfiguredNat::Never => Nat::Never,
        },
        symmetric: speech.symmetric,
        trusted: speech.trusted,
        strip_headers: speech.strip_headers.clone(),
        add_headers: speech.add_headers.clone(),
        codecs: speech.codecs.clone(),
        srtp: match speech.srtp(encryption, protocol) {
            Srtp::Off => Policy::Off,
            Srtp::Optional => Policy::Optional,
            Srtp::Required => Policy::Required,
        },
        srtp_suites: speech.srtp_suites.iter().map(|suite| suite.name().to_owned()).collect(),
    }
}

/// How the caller is asserted to a trusted side: as the connector's `identity_header` says; a carrier's caller by
/// P-Asserted-Identity.
fn asserted(live: &Live, admitted: &Admitted, attempt: &Attempt) -> Option<(Name, String)> {
    admitted.caller.number.as_ref()?;
    let uri = format!("<sip:{}@{}>", sip_user(&attempt.caller), live.config.gateway.domain);
    let header = match &admitted.origin {
        Origin::Connector(connector) => connector.termination.identity_header,
        Origin::Carrier(_) => IdentityHeader::PAssertedIdentity,
    };
    match header {
        IdentityHeader::PAssertedIdentity => Some((Name::PAssertedIdentity, uri)),
        IdentityHeader::RemotePartyId => {
            let privacy = if admitted.caller.private { "full" } else { "off" };
            Some((Name::RemotePartyId, format!("{uri};party=calling;screen=yes;privacy={privacy}")))
        }
        IdentityHeader::From => None,
    }
}

/// A user part as it may stand in a URI. RFC 3261 §25.1, `user`.
fn sip_user(text: &str) -> String {
    text.bytes().fold(String::new(), |mut user, byte| {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => user.push(char::from(byte)),
            b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' | b'&' | b'=' | b'+' | b'$' => {
                user.push(char::from(byte));
            }
            other => user.push_str(&format!("%{other:02X}")),
        }
        user
    })
}

/// Text for the log, subscriber numbers cut to their first digits.
pub(super) fn masked(text: &str) -> String {
    const SHOWN: usize = 4;
    let mut run = 0;
    let mask = |letter: char| {
        run = if letter.is_ascii_digit() { run + 1 } else { 0 };
        if run > SHOWN { 'x' } else { letter }
    };
    text.chars().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_in_the_log() {
        assert_eq!(
            masked("403 Caller Id +12065550100 is not valid"),
            "403 Caller Id +1206xxxxxxx is not valid"
        );
        assert_eq!(masked("No route at 192.0.2.30:5060"), "No route at 192.0.2.30:5060");
    }
}
