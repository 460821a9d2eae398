//! A customer's REGISTER: RFC 3261 §10.3, with RFC 3327, RFC 5626 and RFC 6140.

use std::sync::Arc;
use std::time::Duration;

use config::{Registration, VoiceConnector};
use sip::registration::{Asked, Change, UpdateError};
use sip::text::phrase;
use sip::transaction::ServerId;
use sip::{Builder, Message, Name, StatusCode, Uri};
use time::OffsetDateTime;

use super::asked::Asked as Request;
use super::fault::registration_fault;
use super::flow::Flow;
use super::parties::facts;
use super::{Core, Live, Output};
use crate::admit::{self, Origin, Refusal};
use crate::clock::Now;
use crate::direction::Direction;
use crate::peer::{Party, Peer, Source, Transport};
use crate::registrar::{self, SHORTEST, Way};
use crate::reply::Cause;

impl Core {
    /// Whether a REGISTER of this sender is looked at; else it is answered without keeping anything.
    pub(super) fn takes_register(&self, source: &Source, message: &Message) -> bool {
        let mut facts = facts(message, source);
        facts.registered_with = self.registered_with(source);
        admit::registering(&self.live.config, &facts).is_some()
    }

    /// A REGISTER from a listed source. Its transaction is kept, for a repeat of it must not be taken for a replay.
    pub(super) fn register(
        &mut self,
        now: Now,
        server: ServerId,
        message: Message,
        from: Flow,
        merged: bool,
    ) {
        let live = self.live.clone();
        let mut facts = facts(&message, &from.source);
        facts.registered_with = self.registered_with(&from.source);
        let registering = admit::registering(&live.config, &facts);
        let mut request = Request {
            server,
            message,
            from,
            facts,
            carrier: None,
            whose: None,
            numbering: None,
            for_itself: true,
            steps: Vec::new(),
            routes: Vec::new(),
            help: None,
        };
        let connector = match registering {
            Some(Ok(connector)) => connector,
            Some(Err(refusal)) => {
                let verdict = refusal.verdict();
                return self.refuse_register(now, &request, verdict.cause, &verdict.into(), Some(&refusal));
            }
            // The configuration has changed since it came in.
            None => {
                let cause = Cause::new(405, "Method Not Allowed");
                return self.refuse_register(now, &request, "registration", &cause, None);
            }
        };
        request.whose = Some((connector.id.clone(), Direction::Outbound));
        if let Some(fault) = registration_fault(&request.message, merged, &SUPPORTED) {
            self.shared.metrics.refusal("protocol");
            let reply = fault.reply(&request.message, &self.tokens.tag());
            let response = self.answer_register(now, &request, reply);
            return self.explain_register(now, &request, fault.cause(), None, &response);
        }
        request.facts.digest = self.digest(now, &live, &Origin::Connector(connector.clone()), &request);
        let user = match admit::registrant(&live.config, &connector, &request.facts) {
            Ok(Ok(user)) => user,
            Ok(Err(challenge)) => return self.challenge(now, &live, &request, challenge.stale),
            Err(refusal) => {
                let verdict = refusal.verdict();
                return self.refuse_register(now, &request, verdict.cause, &verdict.into(), Some(&refusal));
            }
        };
        let party = Some(Party::VoiceConnector(connector.id.as_str().into()));
        let flow = Peer { party, ..came_by(&request.from, &request.message) };
        match self.registered(now, &live, &connector, &request.message, user, &flow) {
            Ok(reply) => {
                self.shared.metrics.register_answered(connector.id.as_str(), "accepted");
                self.answer_register(now, &request, reply);
            }
            Err((cause, headers)) => {
                self.tell_of_register(now, &request, &cause);
                self.shared.metrics.refusal("registration");
                self.shared.metrics.register_answered(connector.id.as_str(), "refused");
                let reply = cause.reply(&request.message, Some(&self.tokens.tag()));
                let reply = headers.into_iter().fold(reply, |reply, (name, value)| reply.header(name, value));
                let response = self.answer_register(now, &request, reply);
                self.explain_register(now, &request, &cause, None, &response);
            }
        }
    }

    /// Carries out what a user asks for, and says what is registered then.
    fn registered(
        &mut self,
        now: Now,
        live: &Live,
        connector: &VoiceConnector,
        message: &Message,
        user: Option<String>,
        flow: &Peer,
    ) -> Result<Builder, (Cause, Vec<(Name, String)>)> {
        let refused = |status: u16, text: String| (Cause::new(status, text), Vec::new());
        let mut asked =
            Asked::read(message).map_err(|fault| refused(fault.status().code(), fault.to_string()))?;
        let keeps = connector.peer.registration == Registration::On;
        let user = user.unwrap_or_default();
        let record = record_of(message).unwrap_or_else(|| user.clone());
        if keeps && !admit::may_register_as(&live.config, connector, &user, &record) {
            return Err(refused(404, format!("{user} is not {record}")));
        }
        let outbound = outbound(message, &mut asked)?;
        let lasts =
            registrar::granted(&asked, |contact| Way::is_behind_nat(contact, flow)).map_err(|brief| {
                let cause = Cause::new(423, format!("{} seconds are too brief", brief.0));
                (cause, vec![(Name::MinExpires, SHORTEST.to_string())])
            })?;
        let mut reply = Builder::reply(message, StatusCode::OK, "OK", Some(&self.tokens.tag()));
        if keeps {
            let (owner, record): (Arc<str>, Arc<str>) = (user.into(), record.into());
            let way = |contact: &_| Way::new(connector.peer.nat, &asked, contact, flow.clone());
            let id = connector.id.as_str();
            let bindings = self
                .shared
                .registrar
                .update(now.instant, id, (&owner, &record), &asked, &lasts, way)
                .map_err(|error| match error {
                    UpdateError::OutOfOrder => refused(500, error.to_string()),
                    _ => refused(403, error.to_string()),
                })?;
            if let Some(connection) = flow.connection {
                self.outputs.push_back(Output::Watch(connection));
            }
            let mut contacts = 0;
            for binding in bindings.of(now.instant, &owner, &record) {
                contacts += 1;
                let left = binding.until.saturating_duration_since(now.instant).as_secs();
                reply = reply.header(Name::Contact, format!("{};expires={left}", binding.contact));
                if binding.since == now.instant && self.login_lines.take(now.instant, flow.remote.ip()) {
                    tracing::info!(
                        connector = id,
                        user = phrase(&owner),
                        record = self.shown(&record),
                        source = %flow.remote,
                        transport = %flow.transport,
                        seconds = left,
                        "a contact is registered"
                    );
                }
            }
            tracing::debug!(connector = id, user = phrase(&owner), contacts, "registration");
        } else if let Change::Contacts(all) = &asked.change {
            for (contact, lasts) in all.iter().zip(&lasts).filter(|(_, lasts)| !lasts.is_zero()) {
                reply = reply.header(Name::Contact, format!("{contact};expires={}", lasts.as_secs()));
            }
        }
        for path in &asked.path {
            reply = reply.header(Name::Path, path);
        }
        if outbound && keeps {
            let lives = if flow.transport == Transport::Udp { FLOW_TIMER_UDP } else { FLOW_TIMER };
            reply = reply.header(Name::Require, "outbound").raw("Flow-Timer", lives.to_string());
        }
        Ok(reply.header(Name::Supported, SUPPORTED.join(", ")).header(Name::Date, date(now.unix)))
    }

    /// Why a listed peer's phone does not register: its operator will ask.
    fn tell_of_register(&mut self, now: Now, request: &Request, cause: &Cause) {
        if self.refusal_lines.take(now.instant, request.facts.source) {
            tracing::info!(
                source = %request.facts.source,
                connector = request.connector().unwrap_or_default(),
                call_id = phrase(request.message.call_id().unwrap_or_default()),
                status = cause.status.code(),
                cause = self.shown(&cause.text),
                "registration refused"
            );
        }
    }

    fn refuse_register(
        &mut self,
        now: Now,
        request: &Request,
        label: &'static str,
        cause: &Cause,
        refusal: Option<&Refusal>,
    ) {
        self.tell_of_register(now, request, cause);
        self.shared.metrics.refusal(label);
        let reply = cause.reply(&request.message, Some(&self.tokens.tag()));
        let response = self.answer_register(now, request, reply);
        self.explain_register(now, request, cause, refusal, &response);
    }

    fn answer_register(&mut self, now: Now, request: &Request, reply: Builder) -> Message {
        let response = reply.build();
        self.tell_outside(now, None, &request.from.source, &request.message, &response);
        self.log_outside(now, request.connector(), &request.message, &[&request.message, &response]);
        self.answer(now, request.server, response.clone());
        response
    }
}

/// Seconds within which a phone whose flow is kept says something by it: most NATs forget a connection after minutes, and the way of
/// datagrams after half of one. RFC 5626 §5.4.
const FLOW_TIMER: u32 = 120;
const FLOW_TIMER_UDP: u32 = 29;

/// What a registrar of ours can do.
const SUPPORTED: [&str; 3] = ["path", "outbound", "gin"];

/// `SIP-date`: `Sat, 13 Nov 2010 23:29:00 GMT`. RFC 3261 §25.1.
fn date(unix: Duration) -> String {
    let seconds = i64::try_from(unix.as_secs()).unwrap_or_default();
    let date = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let first = |word: String| word.chars().take(3).collect::<String>();
    let (weekday, month) = (first(date.weekday().to_string()), first(date.month().to_string()));
    let (hour, minute, second) = date.to_hms();
    format!("{weekday}, {:02} {month} {} {hour:02}:{minute:02}:{second:02} GMT", date.day(), date.year())
}

/// The flow of a REGISTER. A phone that asks for no `rport` listens at the port that its Via names (RFC 3261 §18.2.2); but
/// not where a NAT lies between, which alone knows what leads to it.
fn came_by(flow: &Flow, message: &Message) -> Peer {
    let source = flow.source.remote.ip().to_canonical();
    let sent_by = message.via().ok().and_then(|via| via.host.address());
    let translated = sent_by.is_none_or(|ip| ip.to_canonical() != source);
    match flow.peer.transport {
        Transport::Udp if translated => Peer { remote: flow.source.remote, ..flow.peer.clone() },
        _ => flow.peer.clone(),
    }
}

/// The address of record: the user part of To.
fn record_of(message: &Message) -> Option<String> {
    match message.to().ok()?.uri {
        Uri::Sip(uri) => uri.user_unescaped(),
        Uri::Tel(uri) => Some(uri.number.into()),
        _ => None,
    }
}

/// Whether the phone's flows are kept apart: it asks for that, and nothing between us and it would make one of several.
/// A `reg-id` counts for nothing otherwise. RFC 5626 §6.
fn outbound(message: &Message, asked: &mut Asked) -> Result<bool, (Cause, Vec<(Name, String)>)> {
    let supported = message
        .values(Name::Supported)
        .chain(message.values(Name::Require))
        .any(|tag| tag.eq_ignore_ascii_case("outbound"));
    let first_path_has_ob =
        asked.path.last().is_some_and(|path| path.split(['<', '>', ';']).any(|part| part == "ob"));
    let direct = message.vias().count() == 1 || first_path_has_ob;
    let Change::Contacts(contacts) = &mut asked.change else { return Ok(false) };
    if !supported {
        contacts.iter_mut().for_each(|contact| contact.reg_id = None);
    }
    let asks = contacts.iter().any(|contact| contact.reg_id.is_some());
    match asks && !direct {
        true => Err((Cause::new(439, "First Hop Lacks Outbound Support"), Vec::new())),
        false => Ok(asks),
    }
}
