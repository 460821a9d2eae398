//! From the INVITE to the answer: ports, routes one after another, and how long each may take.

use std::net::SocketAddr;

use sip::StatusCode;
use sip::dialog::{Dialog, DialogState, Role};

use super::attempt::Attempt;
use super::body::Body;
use super::failure::Failed;
use super::io::{Action, Hop};
use super::leg::{Leg, LegRef};
use super::{Call, LONGEST_SETUP, Phase, due};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::peer::Peer;
use crate::reply::Cause;
use crate::route::RouteEnd;

/// So many addresses of one name are tried before the next route is, best first: each may be silent for seconds, and the
/// caller does not wait for ever. Of an emergency call every address is tried, since the last may be the one that lives.
const MOST_ADDRESSES: usize = 4;

impl Call {
    /// Starts with the first route.
    pub(super) fn begin(&mut self, now: Now, tokens: &mut Tokens) {
        self.a.sdp.session_id = tokens.session_id();
        if !self.account.emergency {
            self.timers.longest_setup = Some(now.instant + LONGEST_SETUP);
        }
        self.next_route(now);
    }

    /// Leaves the present route for the next one; without any, the caller gets the best answer there was.
    pub(super) fn next_route(&mut self, now: Now) {
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
    ///
    /// - `cause`: what the caller hears where there is no next one.
    pub(super) fn handle_limited(&mut self, now: Now, cause: Cause) {
        if matches!(self.phase, Phase::Preparing) {
            let failed = Failed::silent(RouteEnd::NoRoom, cause.text.clone());
            let limited = self.route.as_ref().is_some_and(|route| route.attempt.via.carrier().is_none());
            let cause = match limited {
                true => Cause { text: format!("No route took the call: {}", cause.text), ..cause },
                // What one carrier may take is not a limit of the trunk.
                false => Cause { retry_after: cause.retry_after, ..failed.cause },
            };
            self.attempt_begins(now, None);
            self.skip_route(now, Failed { cause, ..failed });
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
        let reaches = |address: &SocketAddr| self.route.as_ref().is_some_and(|route| route.reaches(*address));
        let addresses = addresses.map(|all| all.into_iter().filter(reaches).collect::<Vec<_>>());
        match addresses {
            Ok(mut addresses) if !addresses.is_empty() => {
                if !self.routes.is_empty() && !self.account.emergency {
                    addresses.truncate(MOST_ADDRESSES);
                }
                self.targets = addresses.into();
                self.try_route(now, tokens);
            }
            Ok(_) => self.unresolved(now, "no address that a listener reaches"),
            Err(text) => self.unresolved(now, &text),
        }
    }

    fn unresolved(&mut self, now: Now, text: &str) {
        let host = self.route.as_ref().map(|route| route.attempt.lookup.host.to_string()).unwrap_or_default();
        let text = format!("{host} does not resolve: {text}");
        self.attempt_begins(now, None);
        self.skip_route(now, Failed::silent(RouteEnd::Unresolved, text));
    }

    /// Sends the INVITE to the next address of the route, once the ports are open.
    pub(super) fn try_route(&mut self, now: Now, tokens: &mut Tokens) {
        if !matches!(self.phase, Phase::Preparing) {
            return;
        }
        let (Some(route), Some(address)) = (&mut self.route, self.targets.front()) else { return };
        route.settle_on(*address);
        if !self.media_is_ready(now) {
            return;
        }
        let Some(address) = self.targets.pop_front() else { return };
        self.open_b_leg(tokens);
        let Some(asked) = self.invite.clone() else { return };
        let body = match Body::read(&asked).and_then(|body| self.cross_offer(tokens, Side::A, &body)) {
            Ok(body) => body,
            // Nothing of the offer may be said to this party: the next one may take more.
            Err(cause) if cause.status == StatusCode::NOT_ACCEPTABLE_HERE => {
                let text = cause.text.clone();
                self.attempt_begins(now, None);
                let failed = Failed { cause, ..Failed::silent(RouteEnd::NotAcceptable, text) };
                return self.skip_route(now, failed);
            }
            Err(cause) => return self.give_up(now, cause),
        };
        let Some((invite, local_tag)) = self.build_invite(tokens, &asked, body) else { return };
        let Some(route) = &self.route else { return };
        let registered = route.attempt.registered.as_ref().and_then(|registered| registered.flow.clone());
        let usual = || Peer::new(route.attempt.lookup.transport, route.local.listener, address);
        let mut flow = registered.unwrap_or_else(usual);
        if route.attempt.lookup.literal().is_none() {
            flow.server_name = Some(route.attempt.lookup.host.clone());
        }
        flow.party = Some(route.attempt.via.party());
        let (local, profile) = (route.local.clone(), route.profile.clone());
        self.timers.wait_for(now, &route.attempt);
        self.phase = Phase::Trying;
        self.actions.push_back(Action::Bind {
            tag: local_tag.clone(),
            leg: LegRef::B(u32::try_from(self.attempts.len()).unwrap_or(u32::MAX)),
        });
        self.attempt_begins(now, Some(address));
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
            proofs: 0,
            heard: false,
            again: false,
            early: None,
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

    /// Deadlines of the set-up.
    pub(super) fn setup_timeouts(&mut self, now: Now, tokens: &mut Tokens) {
        self.proof_timeouts(now);
        if due(&mut self.timers.journal, now) {
            self.handle_journaled(now, tokens);
        }
        if due(&mut self.timers.first_response, now) && matches!(self.phase, Phase::Trying) {
            self.leave_attempt(now, tokens, &Cause::new(408, "No response in time"), RouteEnd::NoResponse);
        }
        // Where there is nobody else to ask, a slow country is waited for.
        if due(&mut self.timers.progress, now) && matches!(self.phase, Phase::Trying) && !self.is_last() {
            self.leave_attempt(now, tokens, &Cause::new(408, "No progress in time"), RouteEnd::NoProgress);
        }
        if due(&mut self.timers.ringing, now) && matches!(self.phase, Phase::Trying) {
            let cause = Cause::new(408, "The callee did not answer");
            match self.account.emergency {
                true => self.leave_attempt(now, tokens, &cause, RouteEnd::NoAnswer),
                false => self.give_up(now, cause),
            }
        }
        if due(&mut self.timers.longest_setup, now) && matches!(self.phase, Phase::Preparing | Phase::Trying)
        {
            self.give_up(now, Cause::new(408, "No answer within five minutes"));
        }
    }

    /// Whether no other address and no other route is left to try.
    pub(super) fn is_last(&self) -> bool {
        self.targets.is_empty() && self.routes.is_empty()
    }

    /// Nothing is waited for any more of the present attempt.
    pub(super) fn stop_ringing(&mut self) {
        self.timers.first_response = None;
        self.timers.progress = None;
        self.timers.ringing = None;
    }
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
