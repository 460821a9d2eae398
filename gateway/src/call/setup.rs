//! From the INVITE to the answer: ports, routes one after another, provisional answers, the end of trying.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use sip::dialog::{Dialog, DialogState, Role};
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::attempt::{Attempt, Route};
use super::body::{Body, Sent};
use super::io::{Action, Cause, Failure as Lost, Hop, RequestId};
use super::leg::{Leg, LegRef, Profile, renewed};
use super::{Call, LONGEST_RINGING, Phase, TIMER_C, crossing, due};
use crate::core::{ALLOW, Now};
use crate::ids::Tokens;
use crate::listen::peer::{Peer, Transport};
use crate::media::Side;
use crate::route::{RouteEnd, last_answer, next_route};

/// How long an answered call waits for the journal before it goes on without.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(1);

/// A route that did not take the call.
#[derive(Debug)]
pub(super) struct Failed {
    end: RouteEnd,
    /// What it said.
    answer: Option<Message>,
    /// Why, in words of ours.
    cause: Cause,
}

impl Failed {
    fn answered(message: &Message) -> Failed {
        let status = message.status().map_or(500, |status| status.code());
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default());
        Failed {
            end: RouteEnd::Answer { status, q850: q850(message) },
            answer: Some(message.clone()),
            cause: Cause::new(status, reason),
        }
    }

    fn silent(end: RouteEnd, text: impl Into<String>) -> Failed {
        Failed { end, answer: None, cause: Cause::new(503, text) }
    }
}

/// The cause of a `Reason: Q.850;cause=N` header. RFC 3326.
fn q850(message: &Message) -> Option<u16> {
    message.values(Name::Reason).find_map(|value| {
        let mut fields = value.split(';').map(str::trim);
        if !fields.next()?.eq_ignore_ascii_case("Q.850") {
            return None;
        }
        fields.find_map(|field| field.strip_prefix("cause=")?.trim().parse().ok())
    })
}

impl Call {
    /// Starts with the first route.
    pub(super) fn begin(&mut self, now: Now, tokens: &mut Tokens) {
        self.a.sdp.session_id = tokens.session_id();
        self.next_route(now);
    }

    /// Leaves the present route for the next one; without any, the caller gets the best answer there was.
    fn next_route(&mut self, now: Now) {
        let Some(route) = self.routes.pop_front() else { return self.exhausted(now) };
        if self.account.inbound.as_deref() != route.connector() {
            self.account.inbound = route.connector().map(str::to_owned);
            self.actions.push_back(Action::Offered { connector: self.account.inbound.clone() });
        }
        self.targets.clear();
        self.phase = Phase::Preparing;
        self.carrier = route.connector().is_none().then(|| route.attempt.via.name().to_owned());
        self.credentials = route.credentials.clone();
        let emergency = self.account.emergency;
        self.actions.push_back(Action::Admit { attempt: Box::new(route.attempt.clone()), emergency });
        self.route = Some(route);
    }

    /// The route has room for the call.
    pub(super) fn handle_admitted(&mut self, now: Now, tokens: &mut Tokens) {
        if !matches!(self.phase, Phase::Preparing) {
            return;
        }
        let Some(route) = &self.route else { return };
        match route.attempt.lookup.literal() {
            Some(address) => {
                self.targets.push_back(address);
                self.try_route(now, tokens);
            }
            None => {
                self.next_query += 1;
                let lookup = route.attempt.lookup.clone();
                self.actions.push_back(Action::Resolve { query: self.next_query, lookup });
            }
        }
    }

    /// The route has no room: the next one.
    pub(super) fn handle_limited(&mut self, now: Now, cause: Cause) {
        if matches!(self.phase, Phase::Preparing) {
            self.failed.push(Failed { end: RouteEnd::NoResponse, answer: None, cause });
            self.next_route(now);
        }
    }

    /// The addresses behind the route's name.
    pub(super) fn handle_resolved(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        query: u32,
        addresses: Result<Vec<SocketAddr>, String>,
    ) {
        if query != self.next_query || !matches!(self.phase, Phase::Preparing) {
            return;
        }
        match addresses {
            Ok(addresses) if !addresses.is_empty() => {
                self.targets = addresses.into();
                self.try_route(now, tokens);
            }
            Ok(_) => self.unresolved(now, "no address"),
            Err(text) => self.unresolved(now, &text),
        }
    }

    fn unresolved(&mut self, now: Now, text: &str) {
        let host = self.route.as_ref().map(|route| route.attempt.lookup.host.to_string()).unwrap_or_default();
        let text = format!("{host} does not resolve: {text}");
        self.failed.push(Failed::silent(RouteEnd::TransportFailure, text));
        self.next_route(now);
    }

    /// Sends the INVITE to the next address of the route, once the ports are open.
    pub(super) fn try_route(&mut self, now: Now, tokens: &mut Tokens) {
        if !matches!(self.phase, Phase::Preparing) || self.targets.is_empty() || !self.media_is_ready(now) {
            return;
        }
        let Some(address) = self.targets.pop_front() else { return };
        self.open_b_leg(tokens);
        let Some(asked) = self.invite.clone() else { return };
        let body = match Body::read(&asked).and_then(|body| self.cross_body(tokens, Side::A, &body, true)) {
            Ok(body) => body,
            // Nothing of the offer may be said to this party: the next one may take more.
            Err(cause) if cause.status == StatusCode::NOT_ACCEPTABLE_HERE => {
                self.failed.push(Failed { end: RouteEnd::NoResponse, answer: None, cause });
                return self.next_route(now);
            }
            Err(cause) => return self.give_up(now, cause),
        };
        let Some((invite, local_tag)) = self.build_invite(tokens, &asked, body) else { return };
        let Some(route) = &self.route else { return };
        let mut flow = Peer::new(route.attempt.lookup.transport, route.local.listener, address);
        if route.attempt.lookup.literal().is_none() {
            flow.server_name = Some(route.attempt.lookup.host.clone());
        }
        flow.party = Some(route.attempt.via.party());
        let (local, profile) = (route.local.clone(), route.profile.clone());
        self.timers.first_response = Some(now.instant + route.attempt.first_response_timeout());
        self.phase = Phase::Trying;
        self.actions.push_back(Action::Bind {
            tag: local_tag.clone(),
            leg: LegRef::B(u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)),
        });
        let request = self.send(invite.clone(), Hop::Peer(flow.clone()));
        self.attempts.reserve_exact(1); // Mostly there is only one.
        self.attempts.push(Attempt {
            request,
            invite,
            local_tag,
            flow,
            address,
            local,
            profile,
            credentials: self.credentials.clone(),
            abandoned: false,
            released: 0,
            over: false,
            authenticated: false,
            heard: false,
            again: false,
        });
    }

    /// The b-leg's side of SDP and headers exists before its dialog does.
    fn open_b_leg(&mut self, tokens: &mut Tokens) {
        let Some(route) = &self.route else { return };
        let flow = Peer::new(route.attempt.lookup.transport, route.local.listener, route.local.advertise);
        let mut leg = Leg::new(unanswered(), flow, route.local.clone(), route.profile.clone());
        leg.sdp.session_id = tokens.session_id();
        leg.contact_user = route.caller_user.clone().unwrap_or_default();
        self.b = Some(leg);
    }

    /// The INVITE of the b-leg, and our tag in it.
    fn build_invite(
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
        if let Some((content_type, body)) = body {
            builder = builder.body(&content_type, body);
        }
        Some((builder.build(), local_tag))
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

    /// A response to one of our requests.
    pub(super) fn handle_response(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        request: RequestId,
        message: Message,
        flow: Peer,
    ) {
        let Some(index) = self.attempts.iter().position(|attempt| attempt.request == request) else {
            return self.handle_dialog_response(now, tokens, request, message);
        };
        let Some(status) = message.status() else { return };
        if status.is_provisional() {
            return self.handle_provisional(now, tokens, index, status, &message);
        }
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        let repeated = std::mem::replace(&mut attempt.over, true);
        let abandoned = attempt.abandoned;
        if status.is_success() {
            if repeated && self.acknowledge_again(request, &message) {
                return;
            }
            if repeated || abandoned || !matches!(self.phase, Phase::Trying) {
                return self.release_late_answer(tokens, index, &message);
            }
            return self.answered(now, tokens, index, message, flow);
        }
        if abandoned || !matches!(self.phase, Phase::Trying) {
            return;
        }
        let challenged = matches!(status.code(), 401 | 407);
        if challenged && self.answer_challenge(now, tokens, index, &message) {
            return;
        }
        self.rest_host(index, &message);
        self.route_failed(now, tokens, Failed::answered(&message));
    }

    /// No response will come.
    pub(super) fn handle_failed(&mut self, now: Now, tokens: &mut Tokens, request: RequestId, lost: Lost) {
        let Some(index) = self.attempts.iter().position(|attempt| attempt.request == request) else {
            return self.handle_dialog_failed(now, tokens, request, lost);
        };
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        attempt.over = true;
        // What it says later is not about the attempt that follows.
        if std::mem::replace(&mut attempt.abandoned, true) || !matches!(self.phase, Phase::Trying) {
            return;
        }
        let address = attempt.address;
        if lost == Lost::Transport && self.ask_again(tokens, index) {
            return;
        }
        let failed = match lost {
            Lost::Timeout => Failed::silent(RouteEnd::NoResponse, format!("no response from {address}")),
            Lost::Transport => {
                Failed::silent(RouteEnd::TransportFailure, format!("{address} can't be reached"))
            }
        };
        self.route_failed(now, tokens, failed);
    }

    /// A connection that was idle for long is often dead, and nobody knows before it is used. Where there is nobody else
    /// to ask, the same INVITE goes out once more by a new one; who did get the first knows it by its Call-ID and CSeq
    /// (RFC 3261 §8.2.2.2), so that nobody rings twice.
    fn ask_again(&mut self, tokens: &mut Tokens, index: usize) -> bool {
        let alone = self.targets.is_empty() && self.routes.is_empty();
        let Some(attempt) = self.attempts.get(index).filter(|_| alone) else { return false };
        if attempt.heard || attempt.again || !attempt.local.transport.is_reliable() {
            return false;
        }
        let number = attempt.invite.cseq().map_or(1, |cseq| cseq.number);
        let invite = renewed(&attempt.invite, number, &attempt.local, tokens).build();
        let flow = attempt.flow.clone();
        let request = self.send(invite.clone(), Hop::Peer(flow));
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.request = request;
            attempt.invite = invite;
            attempt.over = false;
            attempt.abandoned = false;
            attempt.again = true;
        }
        true
    }

    fn handle_provisional(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        index: usize,
        status: StatusCode,
        message: &Message,
    ) {
        let newest = index + 1 == self.attempts.len();
        let Some(attempt) = self.attempts.get_mut(index) else { return };
        attempt.heard = true;
        let abandoned = attempt.abandoned;
        if !newest || abandoned || !matches!(self.phase, Phase::Trying) {
            return;
        }
        self.timers.first_response = None;
        self.timers.ringing.get_or_insert(now.instant + TIMER_C);
        if status.code() == 100 {
            return;
        }
        // Timer C starts again with each 101-199. RFC 3261 §16.7.
        self.timers.ringing = Some(now.instant + TIMER_C);
        if !self.account.emergency {
            self.timers.longest_ringing.get_or_insert(now.instant + LONGEST_RINGING);
        }
        let Some(server) = self.server else { return };
        let body = Body::read(message)
            .and_then(|body| self.cross_body(tokens, Side::B, &body, false))
            .ok()
            .flatten();
        self.rang |= matches!(status.code(), 180..=189);
        let Some(invite) = self.invite.clone() else { return };
        let response = self.cross_response(Side::B, message, body, &invite);
        self.respond(server, response);
    }

    /// A response of `from`'s, as the other leg gets it in answer to its `request`.
    pub(super) fn cross_response(
        &self,
        from: Side,
        message: &Message,
        body: Option<Sent>,
        request: &Message,
    ) -> Message {
        let status = message.status().unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default()).into_owned();
        let empty = &super::leg::PLAIN;
        let (from_leg, to_leg) = (self.leg(from), self.leg(from.other()));
        let from_profile = from_leg.map_or(empty, |leg| &leg.profile);
        let to_profile = to_leg.map_or(empty, |leg| &leg.profile);
        let tag = to_leg.map(|leg| leg.dialog.local_tag.as_str());
        let mut builder = Builder::reply(request, status, &reason, tag);
        builder = crossing::cross(message, builder, from_profile, to_profile);
        if status.code() < 300 {
            builder = builder.record_routes(request);
            if let Some(leg) = to_leg {
                builder = builder.header(Name::Contact, leg.local.contact(&leg.contact_user));
            }
            builder = builder.header(Name::Allow, ALLOW);
        } else if !message.has(Name::Reason) {
            builder = builder.header(Name::Reason, Cause::new(status.code(), reason).reason());
        }
        if status.code() == 405 {
            builder = builder.header(Name::Allow, allowed_but(request));
        }
        if let Some((content_type, body)) = body {
            builder = builder.body(&content_type, body);
        }
        builder.build()
    }

    /// The present address is lost: the next one, the next route, or the end.
    fn route_failed(&mut self, now: Now, tokens: &mut Tokens, failed: Failed) {
        self.timers.first_response = None;
        self.stop_ringing();
        let named = self.route.as_ref().map_or(&[][..], |route| route.attempt.failover_on());
        let verdict = next_route(failed.end, self.rang, named, self.account.emergency);
        if !verdict.goes_on() {
            // Its word is the last one, whatever others said before.
            return self.conclude(now, failed.answer.as_ref(), &failed.cause);
        }
        self.failed.push(failed);
        self.phase = Phase::Preparing;
        if self.targets.is_empty() {
            self.next_route(now);
        } else {
            self.try_route(now, tokens);
        }
    }

    /// No route is left: the caller gets the last answer that says something, else 503.
    fn exhausted(&mut self, now: Now) {
        let failed = std::mem::take(&mut self.failed);
        let ends: Vec<RouteEnd> = failed.iter().map(|failed| failed.end).collect();
        let answer =
            last_answer(&ends).and_then(|index| failed.get(index)).and_then(|one| one.answer.as_ref());
        let cause = failed.last().map_or_else(|| Cause::new(503, "none was usable"), |one| one.cause.clone());
        self.conclude(now, answer, &cause);
    }

    /// Gives the caller the answer that counts; without one, 503 and why.
    fn conclude(&mut self, now: Now, answer: Option<&Message>, cause: &Cause) {
        let Some(message) = answer else {
            if cause.status == StatusCode::NOT_ACCEPTABLE_HERE {
                return self.give_up(now, cause.clone());
            }
            let text = format!("No route took the call: {}", cause.text);
            return self.give_up(now, Cause { retry_after: cause.retry_after, ..Cause::new(503, text) });
        };
        let status = message.status().map_or(503, |status| status.code());
        match status {
            // Its challenge is for us, who have no answer; the caller's would be of no use.
            401 | 407 => self.give_up(now, Cause::new(503, "The carrier refused our credentials")),
            // A redirection names a target that the caller could not be held to.
            300..=399 => self.give_up(now, Cause::new(480, format!("Redirected ({status}), not followed"))),
            _ => self.relay_failure(now, message),
        }
    }

    fn relay_failure(&mut self, now: Now, message: &Message) {
        if let (Some(server), Some(invite)) = (self.server.take(), self.invite.clone()) {
            let response = self.cross_response(Side::B, message, None, &invite);
            self.respond(server, response);
        }
        let status = message.status().map_or(503, |status| status.code());
        let reason = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default()).into_owned();
        self.end(now, Cause::new(status, reason));
    }

    /// Refuses the caller's INVITE and ends the call.
    pub(super) fn give_up(&mut self, now: Now, cause: Cause) {
        self.abandon_attempt(Some(cause.reason()));
        self.refuse_invite(&cause);
        self.end(now, cause);
    }

    /// Answers the caller's INVITE, unless it has its final answer.
    fn refuse_invite(&mut self, cause: &Cause) {
        if let (Some(server), Some(invite)) = (self.server.take(), self.invite.clone()) {
            let tag = self.a.dialog.local_tag.clone();
            self.refuse(server, &invite, &tag, cause);
        }
    }

    /// Cancels what is out, if anything; a late answer is released.
    pub(super) fn abandon_attempt(&mut self, reason: Option<String>) {
        if let Some(attempt) = self.attempts.last_mut()
            && !attempt.over
            && !attempt.abandoned
        {
            attempt.abandoned = true;
            let request = attempt.request;
            self.actions.push_back(Action::Cancel { request, reason });
        }
    }

    /// The caller gave up.
    pub(super) fn handle_cancel(
        &mut self,
        now: Now,
        tokens: &mut Tokens,
        server: ServerId,
        reason: Option<String>,
    ) {
        if self.server != Some(server) {
            return self.handle_exchange_cancel(server, reason);
        }
        let passes = |profile: &Profile| !profile.strips(&Name::Reason);
        let to = self.attempts.last().map(|attempt| &attempt.profile);
        let reason = reason.filter(|_| passes(&self.a.profile) && to.is_none_or(passes));
        self.abandon_attempt(reason);
        let cause = Cause::new(487, "Request Terminated");
        self.refuse_invite(&cause);
        if matches!(self.phase, Phase::Answering) {
            self.release_b(tokens, Some(&cause));
        }
        self.end(now, cause);
    }

    /// Answers a carrier's digest challenge once. RFC 3261 §22.2-3.
    fn answer_challenge(&mut self, now: Now, tokens: &mut Tokens, index: usize, message: &Message) -> bool {
        let Some(route) = &self.route else { return false };
        let Some(attempt) = self.attempts.get_mut(index) else { return false };
        if std::mem::replace(&mut attempt.authenticated, true) {
            return false;
        }
        let credentials = self.credentials.clone();
        let local = attempt.local.clone();
        let number = attempt.invite.cseq().map_or(1, |cseq| cseq.number).saturating_add(1);
        let (asked, who) = (&attempt.invite, credentials.as_ref());
        let Some(invite) = super::handshake::authenticated(asked, message, who, &local, number, tokens)
        else {
            return false;
        };
        let flow = attempt.flow.clone();
        self.timers.first_response = Some(now.instant + route.attempt.first_response_timeout());
        let request = self.send(invite.clone(), Hop::Peer(flow));
        if let Some(attempt) = self.attempts.get_mut(index) {
            attempt.request = request;
            attempt.invite = invite;
            attempt.over = false;
        }
        true
    }

    /// The callee took the call: remember both legs, then ask the journal.
    fn answered(&mut self, now: Now, tokens: &mut Tokens, index: usize, message: Message, flow: Peer) {
        self.timers.first_response = None;
        self.stop_ringing();
        let Some(asked) = self.invite.clone() else { return };
        let Some(attempt) = self.attempts.get(index) else { return };
        let request = attempt.request;
        let cseq = attempt.invite.cseq().map_or(1, |cseq| cseq.number);
        let dialog = match Dialog::uac(&attempt.invite, &message) {
            Ok(dialog) => dialog,
            Err(error) => return self.answered_badly(now, tokens, &error.to_string()),
        };
        if let Some(leg) = &mut self.b {
            leg.dialog = dialog;
            leg.flow = attempt.flow.clone();
            leg.moved(flow);
        }
        let handshake = super::handshake::Handshake::awaiting(Side::A, request, &attempt.invite);
        let offered = Body::read(&asked).is_ok_and(|body| body.sdp().is_some());
        let body = Body::read(&message).and_then(|body| self.cross_body(tokens, Side::B, &body, !offered));
        self.handshakes.push(handshake);
        let body = match body {
            Ok(body) => body,
            Err(cause) => {
                self.release_b(tokens, Some(&cause));
                self.drop_unanswered_handshakes();
                return self.answered_badly(now, tokens, &cause.text);
            }
        };
        if offered {
            self.acknowledge(tokens, Side::A, request, cseq, None);
        }
        self.answer = Some(self.cross_response(Side::B, &message, body, &asked));
        self.phase = Phase::Answering;
        self.timers.journal = Some(now.instant + JOURNAL_TIMEOUT);
        self.actions.push_back(Action::Journal);
    }

    /// The callee took the call with an answer that nobody can use. Who needs help is put through to the next one.
    fn answered_badly(&mut self, now: Now, tokens: &mut Tokens, text: &str) {
        let cause = Cause::new(502, format!("The callee's answer: {text}"));
        if !self.account.emergency {
            return self.give_up(now, cause);
        }
        let end = RouteEnd::Answer { status: 502, q850: None };
        self.route_failed(now, tokens, Failed { end, answer: None, cause });
    }

    /// The answered call is safe on disk: the caller may know.
    pub(super) fn handle_journaled(&mut self, now: Now) {
        self.timers.journal = None;
        if !matches!(self.phase, Phase::Answering) {
            return;
        }
        let (Some(server), Some(answer)) = (self.server.take(), self.answer.take()) else { return };
        self.phase = Phase::Established;
        self.routes = VecDeque::new(); // No other is tried any more.
        self.a.dialog.confirm();
        self.times.answered = Some(now.unix);
        self.answered_at = Some(now.instant);
        self.timers.max_duration = Some(now.instant + self.max_duration);
        self.actions.push_back(Action::Answered);
        self.watch_for_silence();
        self.accept(now, Side::A, server, answer);
    }

    /// Deadlines of the set-up.
    pub(super) fn setup_timeouts(&mut self, now: Now, tokens: &mut Tokens) {
        if due(&mut self.timers.journal, now) {
            self.handle_journaled(now);
        }
        if due(&mut self.timers.first_response, now) && matches!(self.phase, Phase::Trying) {
            self.leave_attempt(now, tokens, &Cause::new(408, "No response in time"), "no response from");
        }
        if due(&mut self.timers.ringing, now) && matches!(self.phase, Phase::Trying) {
            let cause = Cause::new(408, "The callee did not answer");
            match self.account.emergency {
                true => self.leave_attempt(now, tokens, &cause, "no answer from"),
                false => self.give_up(now, cause),
            }
        }
        if due(&mut self.timers.longest_ringing, now) && matches!(self.phase, Phase::Trying) {
            self.give_up(now, Cause::new(408, "No answer within five minutes of ringing"));
        }
    }

    /// Cancels the present attempt and goes on.
    fn leave_attempt(&mut self, now: Now, tokens: &mut Tokens, cause: &Cause, what: &str) {
        self.abandon_attempt(Some(cause.reason()));
        let address = self.attempts.last().map(|attempt| attempt.address.to_string()).unwrap_or_default();
        let text = format!("{what} {address} in time");
        self.route_failed(now, tokens, Failed::silent(RouteEnd::NoResponse, text));
    }

    /// Nothing rings any more.
    pub(super) fn stop_ringing(&mut self) {
        self.timers.ringing = None;
        self.timers.longest_ringing = None;
    }

    /// 503 with Retry-After: the host wants no calls for a while. RFC 3261 §21.5.4.
    fn rest_host(&mut self, index: usize, message: &Message) {
        let (Some(attempt), Some(route)) = (self.attempts.get(index), &self.route) else { return };
        let after = message.value(Name::RetryAfter).and_then(|value| {
            let digits: String = value.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok().map(Duration::from_secs)
        });
        if let (Some(503), Some(rest)) = (message.status().map(StatusCode::code), after) {
            self.actions.push_back(Action::Rest {
                address: attempt.address,
                transport: route.attempt.lookup.transport,
                rest,
            });
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

/// What a 405 to `request` allows: ours, less what the other side has just refused. RFC 3261 §21.4.6.
fn allowed_but(request: &Message) -> String {
    let refused = request.method().map(|method| method.to_string()).unwrap_or_default();
    let others: Vec<_> = ALLOW.split(", ").filter(|method| *method != refused).collect();
    others.join(", ")
}

/// What stands in the b-leg's place of a dialog until one is answered. Nothing is sent in it.
fn unanswered() -> Dialog {
    Dialog {
        role: Role::Uac,
        state: DialogState::Early,
        call_id: String::new(),
        local_tag: String::new(),
        remote_tag: String::new(),
        local_uri: String::new(),
        remote_uri: String::new(),
        remote_target: String::new(),
        route_set: Vec::new(),
        local_cseq: 1,
        remote_cseq: None,
        secure: false,
    }
}
