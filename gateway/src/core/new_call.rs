//! A new INVITE: whose it is, whether it may be, where it goes.

use std::sync::Arc;
use std::time::Duration;

use sip::auth::{AuthFailure, Credentials, Protection};
use sip::text::phrase;
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::asked::Asked;
use super::fault::{Asks, protocol_fault, session_fault};
use super::flow::Flow;
use super::parties::{account, asserted, facts, offered, redirections};
use super::recording::asks_to_record;
use super::refuse::algorithms;
use super::{CallKey, Core, Live, Slot, sound};
use crate::admit::{self, Admitted, Digest, Facts, OfferedMedia, Origin, Outcome, Refusal};
use crate::call::{Body, Call, NewCall, Profile, Route, caller_user, heard};
use crate::clock::Now;
use crate::limits::Permit;
use crate::peer::Peer;
use crate::reply::Cause;
use crate::route::{self, Attempt, RouteFacts, RouteStep, Via};
use crate::why::Crossed;

/// So many steps of routing are kept of a call that finds no way.
const MOST_STEPS: usize = 50;

/// A call from a carrier has no connector's `max_duration` until it is routed: the default holds.
const INBOUND_MAX_DURATION: Duration = Duration::from_secs(12 * 60 * 60);

/// What a call needs of the gateway to begin.
pub(super) struct Room {
    /// Its connector's place, and that among the calls which are not up yet.
    pub permits: [Permit; 2],
    /// Where it may be tried, best first. Never empty.
    pub routes: Vec<Route>,
}

/// The longest that a call of this party may last.
pub(super) fn max_duration(origin: &Origin) -> Duration {
    match origin {
        Origin::Connector(connector) => connector.termination.max_duration,
        Origin::Carrier(_) => INBOUND_MAX_DURATION,
    }
}

impl Core {
    /// An INVITE outside any dialog, from a listed source.
    pub(super) fn new_invite(
        &mut self,
        now: Now,
        server: ServerId,
        message: Message,
        from: Flow,
        merged: bool,
    ) {
        let live = self.live.clone();
        let registered_with = self.registered_with(&from.source);
        let body = Body::read(&message);
        let media = body.as_ref().map_or(OfferedMedia::None, offered);
        let facts = Facts { media, registered_with, ..facts(&message, &from.source) };
        let identified = admit::source(&live.config, &facts);
        let mut asked = Asked::new(server, message, from, facts, &identified);
        let origin = match &identified.outcome {
            Ok(origin) => origin.clone(),
            Err(refusal) => {
                let refusal = refusal.clone();
                asked.steps = identified.steps;
                return self.refuse(now, &asked, &refusal);
            }
        };
        // Who calls for help has unreliable ringing and no timer instead.
        let for_help = || admit::is_for_help(&live.config, &origin, &asked.facts);
        let reliable = origin.peer().prack != config::Prack::Off || for_help();
        let recorder = match &origin {
            Origin::Connector(connector) if asks_to_record(&asked.message) && !for_help() => Some(connector),
            _ => None,
        };
        let asks = match recorder.is_some_and(|connector| connector.siprec.accept) {
            true => Asks::ToRecord,
            false => Asks::ToCall { reliable },
        };
        let fault = protocol_fault(&asked.message, merged, asks);
        if let Some(fault) = fault.or_else(|| session_fault(&asked.message).filter(|_| !for_help())) {
            return self.reject(now, &asked, &fault);
        }
        if let Some(heard) = heard(&asked.message, origin.peer()) {
            asked.facts = Facts { media, ..self::facts(&heard, &asked.from.source) };
        }
        asked.facts.digest = self.digest(now, &live, &origin, &asked);
        if let Some(connector) = recorder {
            return self.record(now, &live, &asked, connector, body);
        }
        if asked.message.has(Name::Replaces) && !admit::is_for_help(&live.config, &origin, &asked.facts) {
            asked.for_itself = false;
            return self.take_place(now, &live, &asked, &origin);
        }
        let mut decision = admit::decide(&live.config, &asked.facts, identified);
        asked.decided(&mut decision);
        match decision.outcome {
            Outcome::Challenge(challenge) => self.challenge(now, &live, &asked, challenge.stale),
            Outcome::Refuse(refusal) => self.refuse(now, &asked, &refusal),
            Outcome::Admit(admitted) => self.admitted(now, &live, &mut asked, &admitted, body),
        }
    }

    /// The call is allowed: is there room, and a way?
    ///
    /// - `body`: what the INVITE carries.
    fn admitted(
        &mut self,
        now: Now,
        live: &Live,
        asked: &mut Asked,
        admitted: &Admitted,
        body: Result<Body, Cause>,
    ) {
        self.watch_for_emergency(now, admitted, &asked.message);
        if let Some(cause) = self.closed(admitted.emergency.is_some()) {
            return self.turn_away(now, asked, &cause);
        }
        if let Some(part) = self.shared.drains.caller(admitted) {
            return self.refuse(now, asked, &Refusal::Draining { what: part.to_string() });
        }
        if let Origin::Connector(connector) = &admitted.origin
            && admitted.emergency.is_none()
            && let Some(refusal) = self.shared.refuses_unheard(connector)
        {
            return self.refuse(now, asked, &refusal);
        }
        let Room { permits, routes } = match self.room(now, live, admitted) {
            Ok(room) => room,
            Err(refusal) => {
                asked.routes = self.no_way(now, live, admitted, &refusal);
                return self.refuse(now, asked, &refusal);
            }
        };
        let (message, source) = (&asked.message, asked.from.source);
        let account = account(live, admitted);
        let party = admitted.origin.party();
        let profile = live.profiles.of(&party, source.transport);
        // A new configuration may have fewer listeners than the sockets that are still bound. A call for help that came there is
        // carried on by another.
        let peer = source.remote.ip();
        let by_another =
            || admitted.emergency.as_ref().and_then(|_| self.locals.towards(source.transport, peer));
        let local = self.locals.by(source.listener, peer, Some(source.local.ip())).or_else(by_another);
        let (Some(local), Some(profile)) = (local, profile) else {
            let cause = Cause::new(503, "The listener is not configured any more");
            return self.turn_away(now, asked, &cause);
        };
        let local = local.named(admitted.origin.peer().contact.as_ref());
        let hidden = admitted.caller.private && admitted.emergency.is_none();
        let profile = match hidden {
            true => Arc::new(Profile { hidden, ..Profile::clone(&profile) }),
            false => profile,
        };
        let credentials = match &admitted.origin {
            Origin::Connector(_) => None,
            Origin::Carrier(carrier) => live.carriers.get(carrier.name.as_str()).cloned(),
        };
        self.next_call += 1;
        let key = CallKey(self.next_call);
        let transaction_id = self.transaction_id();
        tracing::info!(
            %transaction_id,
            call_id = phrase(message.call_id().unwrap_or_default()),
            connector = asked.connector(),
            calling_carrier = match &admitted.origin {
                Origin::Connector(_) => None,
                Origin::Carrier(carrier) => Some(carrier.name.as_str()),
            },
            direction = admitted.direction.as_label(),
            emergency = admitted.emergency.is_some(),
            routes = routes.len(),
            "call begins"
        );
        let invite = heard(message, admitted.origin.peer()).unwrap_or_else(|| message.clone());
        let new = NewCall {
            transaction_id,
            redirections: redirections(live, admitted, &invite),
            invite,
            body,
            server: Some(asked.server),
            flow: Peer { remote: source.remote, party: Some(party), ..asked.from.peer.clone() },
            local_tag: self.tokens.tag(),
            local,
            profile,
            credentials,
            routes,
            back: None,
            account,
            media: key.media(),
            set_aside: permits.iter().any(Permit::is_set_aside),
            max_duration: max_duration(&admitted.origin),
        };
        let streamed = new.account.outbound.as_deref();
        let streamed = streamed.and_then(|id| sound::invite(&live.config, id, message, None));
        let permits = self.open_permits(&new.account, permits);
        match Call::new(now, new, &mut self.tokens) {
            Ok(call) => {
                self.shared.call_began();
                let mut slot = Slot::new(now, call, permits);
                slot.invite = Some(asked.server);
                slot.keep_invite(streamed);
                self.calls.insert(key, slot);
                self.servers.insert(asked.server, key);
                self.crossed(now, key, Crossed::Received(&source), message);
                self.drain(now, key);
            }
            Err(cause) => self.turn_away(now, asked, &cause),
        }
    }

    /// The places that a call of an admitted party takes, and where it may go.
    pub(super) fn room(&mut self, now: Now, live: &Live, admitted: &Admitted) -> Result<Room, Refusal> {
        let permit = self.calling_place(now, admitted)?;
        let unanswered = self.shared.limits.unanswered(admitted, self.shared.media.calls, now.unix)?;
        Ok(Room { permits: [permit, unanswered], routes: self.routes(now, live, admitted)? })
    }

    /// What routing looked at where it found no way, for who asks why.
    fn no_way(&self, now: Now, live: &Live, admitted: &Admitted, refusal: &Refusal) -> Vec<RouteStep> {
        if !refusal.is_of_routing() {
            return Vec::new();
        }
        let (health, registrar) = (self.shared.health(), &self.shared.registrar);
        let facts = RouteFacts { admitted, draw: 0, now: now.instant, registrar };
        let mut steps = route::route(&live.config, &health, &facts).steps;
        steps.truncate(MOST_STEPS);
        steps
    }

    /// Where a call of an admitted party may be tried, best first. Never empty.
    pub(super) fn routes(
        &mut self,
        now: Now,
        live: &Live,
        admitted: &Admitted,
    ) -> Result<Vec<Route>, Refusal> {
        let draw = self.tokens.random().next_u64();
        let health = self.shared.health();
        let registrar = &self.shared.registrar;
        let routed = RouteFacts { admitted, draw, now: now.instant, registrar };
        let attempts = route::attempts(&live.config, &health, &routed)?;
        let attempts = self.shared.drains.keep(attempts, admitted.emergency.is_some());
        if attempts.is_empty() {
            return Err(Refusal::every_way_drains(&admitted.number));
        }
        let mut unheard = None;
        let attempts: Vec<_> = attempts
            .into_iter()
            .filter(|attempt| match &attempt.via {
                Via::Connector(connector) if admitted.emergency.is_none() => {
                    let refusal = self.shared.refuses_unheard(connector);
                    let is_placed = refusal.is_none();
                    unheard = refusal.or(unheard.take());
                    is_placed
                }
                _ => true,
            })
            .collect();
        if let Some(refusal) = unheard.filter(|_| attempts.is_empty()) {
            return Err(refusal);
        }
        let routes: Vec<Route> =
            attempts.into_iter().filter_map(|attempt| self.call_route(live, admitted, attempt)).collect();
        if routes.is_empty() {
            return Err(Refusal::NoListener { number: admitted.number.clone() });
        }
        Ok(routes)
    }

    /// An attempt with what we are and say there; none where no listener has its transport.
    pub(super) fn call_route(&self, live: &Live, admitted: &Admitted, attempt: Attempt) -> Option<Route> {
        let transport = attempt.lookup.transport;
        let flow = attempt.registered.as_ref().and_then(|registered| registered.flow.as_ref());
        let local = match (flow, attempt.lookup.literal()) {
            (Some(flow), _) => self.locals.by(flow.listener, flow.remote.ip(), flow.local),
            (None, Some(address)) => self.locals.towards(transport, address.ip()),
            (None, None) => self.locals.first(transport),
        };
        let speech = attempt.via.peer();
        let local = local?.named(speech.contact.as_ref());
        let hidden = admitted.caller.private && admitted.emergency.is_none();
        let asserted = speech.give_identity.then(|| asserted(live, admitted, &attempt)).flatten();
        let credentials = match &attempt.via {
            Via::Carrier(carrier) => live.carriers.get(carrier.name.as_str()).cloned(),
            Via::Connector(_) => None,
        };
        let caller_user = caller_user(speech, &attempt.caller, hidden);
        let profile = live.profiles.of(&attempt.via.party(), transport)?;
        let locals = self.locals.clone();
        Some(Route {
            local,
            locals,
            profile,
            caller_user,
            hidden,
            asserted,
            credentials,
            attempt: attempt.into(),
        })
    }

    pub(super) fn transaction_id(&mut self) -> uuid::Uuid {
        let random = self.tokens.random();
        let bytes = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
        uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }

    /// What the credentials of an INVITE or a REGISTER prove. Whoever calls for help may have had the emergency digits put
    /// in place of what was dialled, by a machine behind the one that knows the password.
    pub(super) fn digest(&mut self, now: Now, live: &Live, origin: &Origin, asked: &Asked) -> Digest {
        let Asked { message, facts, .. } = asked;
        let Origin::Connector(connector) = origin else { return Digest::NotAttempted };
        let source = facts.source;
        let users = live.users.get(connector.id.as_str()).map_or(&[][..], |users| users.as_slice());
        if users.is_empty() {
            return Digest::NotAttempted;
        }
        let call_id = || phrase(message.call_id().unwrap_or_default());
        let realm = live.config.gateway.realm.as_str();
        // Some clients answer a 407 as if it were a 401.
        let lines = [Name::ProxyAuthorization, Name::Authorization].map(|name| message.lines(name));
        let lines: Vec<_> = lines.into_iter().flatten().collect();
        let mut given = lines.iter().filter_map(|line| Credentials::parse(line).ok());
        let Some(credentials) = given.find(|credentials| credentials.realm == realm) else {
            return Digest::NotAttempted;
        };
        let username = credentials.username.as_str();
        let asks_for_help =
            || message.method() == Some(Method::Invite) && admit::is_for_help(&live.config, origin, facts);
        let locked = self.shared.guard.is_guessing(now.instant, source, username);
        if locked
            && (self.shared.guard.is_guessing_for_help(now.instant, source, username) || !asks_for_help())
        {
            return Digest::TooMany;
        }
        let lookup =
            |user: &str| users.iter().find(|(name, _)| name == user).map(|(_, secrets)| secrets.as_slice());
        let algorithms = algorithms(&connector.termination);
        let protection = Protection { realm, algorithms: &algorithms };
        let method = message.method().unwrap_or(Method::Invite).to_string();
        match self.nonces.verify(now.unix, source, &credentials, &method, protection, lookup) {
            Ok(_)
                if !message.target().is_ok_and(|target| credentials.is_for(&target)) && !asks_for_help() =>
            {
                if self.tells_of_login(now, source) {
                    tracing::warn!(%source, connector = %connector.id, call_id = call_id(), "credentials for another number");
                }
                Digest::OtherTarget
            }
            Ok(user) => {
                self.shared.guard.right_credentials(now.instant, source, &user);
                Digest::Verified(user)
            }
            Err(failure) if failure.is_stale() => Digest::Stale,
            // Made-up names have no count of their own that would stop them.
            Err(AuthFailure::UnknownUser) if locked => Digest::TooMany,
            Err(failure) => {
                if self.tells_of_login(now, source) {
                    let user = phrase(username);
                    let (connector, call_id) = (&connector.id, call_id());
                    tracing::warn!(%source, %connector, user, call_id, %failure, "wrong credentials");
                }
                if !matches!(failure, AuthFailure::Malformed) {
                    self.shared.guard.wrong_credentials(now.instant, source, username);
                }
                self.shared.metrics.refusal("digest");
                if self.shared.guard.is_guessing(now.instant, source, username) {
                    Digest::TooMany
                } else {
                    Digest::Wrong
                }
            }
        }
    }
}
