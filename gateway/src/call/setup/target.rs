//! Where the call goes next: the route, its limits, its addresses, the ports.

use std::collections::VecDeque;
use std::net::SocketAddr;

use sip::StatusCode;
use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::Local;

use super::attempt::{Fork, SentInvite};
use super::client_invite::ClientInvite;
use super::dialled::Dialled;
use super::reliable::Reliable;
use super::{Failed, Setup, Target, Trying};
use crate::call::cx::Cx;
use crate::call::io::{Action, Hop};
use crate::call::leg::{End, LegRef};
use crate::call::negotiation::Bridge;
use crate::call::sent::Sent;
use crate::call::sides::Sides;
use crate::call::{Next, session};
use crate::media::Side;
use crate::peer::Peer;
use crate::reply::Cause;
use crate::route::RouteEnd;
use smol_str::{SmolStr, format_smolstr};

/// So many addresses of one name are tried before the next route is, best first: each may be silent for seconds, and the
/// caller does not wait for ever. Of an emergency call every address is tried, since the last may be the one that lives.
const MOST_ADDRESSES: usize = 4;

impl Setup {
    /// Leaves the present route for the next one; without any, the caller gets the best refusal there was.
    pub(super) fn next_route(&mut self, cx: &mut Cx<'_>) -> Next {
        self.trying = Trying::Nothing;
        let Some(route) = self.routes.pop_front() else { return self.exhausted(cx) };
        // Whose system sent the call on was called all the same.
        let sent_on = route.connector().is_none() && !cx.account.forwards.is_empty();
        if cx.account.inbound.as_deref() != route.connector() && !sent_on {
            cx.account.inbound = route.connector().map(SmolStr::from);
            let connector = cx.account.inbound.clone();
            cx.act(Action::Offered { connector });
        }
        cx.history.carrier = route.connector().is_none().then(|| route.attempt.via.name().into());
        let emergency = cx.account.emergency;
        cx.act(Action::Admit { attempt: route.attempt.clone(), emergency });
        self.prepared(Target { route, addresses: Default::default() })
    }

    /// The route has room for the call.
    pub fn handle_admitted(&mut self, cx: &mut Cx<'_>) -> Next {
        self.with_prepared(|this, mut target| match target.route.attempt.lookup.literal() {
            Some(address) => {
                target.addresses.push_back(address);
                this.try_route(cx, target)
            }
            None => {
                let (query, lookup) = (cx.requests.query(), target.route.attempt.lookup.clone());
                cx.act(Action::Resolve { query, lookup });
                this.prepared(target)
            }
        })
    }

    /// The route has no room: the next one.
    ///
    /// - `cause`: what the caller hears where there is no next one.
    pub fn handle_limited(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        self.with_prepared(|this, target| {
            let failed = Failed::silent(RouteEnd::NoRoom, cause.text.clone());
            let cause = match target.route.attempt.via.carrier() {
                None => Cause { text: format_smolstr!("No route took the call: {}", cause.text), ..cause },
                // What one carrier may take is not a limit of the trunk.
                Some(_) => Cause { retry_after: cause.retry_after, ..failed.cause },
            };
            cx.attempt_begins(&target.route, None);
            this.skip_route(cx, Failed { cause, ..failed })
        })
    }

    /// The addresses behind the route's name.
    pub fn handle_resolved(
        &mut self,
        cx: &mut Cx<'_>,
        query: u32,
        addresses: Result<Vec<SocketAddr>, String>,
    ) -> Next {
        let all = self.routes.is_empty() || cx.account.emergency;
        let newest = query == cx.requests.last_query();
        self.with_prepared(|this, mut target| {
            if !newest {
                return this.prepared(target);
            }
            let reaches = |address: &SocketAddr| target.route.reaches(*address);
            let addresses = addresses.map(|all| all.into_iter().filter(reaches).collect::<Vec<_>>());
            match addresses {
                Ok(mut addresses) if !addresses.is_empty() => {
                    if !all {
                        addresses.truncate(MOST_ADDRESSES);
                    }
                    target.addresses = addresses.into();
                    this.try_route(cx, target)
                }
                Ok(_) => this.unresolved(cx, &target, "no address that a listener reaches"),
                Err(text) => this.unresolved(cx, &target, &text),
            }
        })
    }

    fn unresolved(&mut self, cx: &mut Cx<'_>, target: &Target, text: &str) -> Next {
        let text = format!("{} does not resolve: {text}", target.route.attempt.lookup.host);
        cx.attempt_begins(&target.route, None);
        self.skip_route(cx, Failed::silent(RouteEnd::Unresolved, text))
    }

    /// Ports are open.
    pub fn handle_ports(&mut self, cx: &mut Cx<'_>) -> Next {
        self.with_prepared(|this, target| this.try_route(cx, target))
    }

    /// Sends the INVITE to the next address of `target`, once its name has been looked up and the ports are open.
    pub(super) fn try_route(&mut self, cx: &mut Cx<'_>, mut target: Target) -> Next {
        let Some(address) = target.addresses.front().copied() else { return self.prepared(target) };
        let caller = &mut self.caller;
        target.route.is_tried_at(address);
        let addresses = [caller.leg.local.media, target.route.local.media];
        if !cx.media_is_ready(addresses, &mut caller.leg.end) {
            return self.prepared(target);
        }
        target.addresses.pop_front();
        let route = &target.route;
        let mut to = callee(cx, route, address);
        let mut bridge = Bridge { from: &mut caller.leg.end, to: &mut to, side: Side::A };
        let offered = caller.body.as_ref().map_err(Clone::clone).and_then(|body| {
            match bridge.from.offers.open().cloned() {
                Some(offer) => {
                    let sent = bridge.anchor_offer(cx, body, &offer)?;
                    Ok((Some(body.with_sdp(sent.clone())), Some(sent)))
                }
                None => Ok((body.as_is(), None)),
            }
        });
        let (body, description) = match offered {
            Ok(offered) => offered,
            // Nothing of the offer may be said to this party: the next one may take more.
            Err(cause) if cause.status == StatusCode::NOT_ACCEPTABLE_HERE => {
                cx.attempt_begins(route, None);
                let text = cause.text.clone();
                let failed = Failed { cause, ..Failed::silent(RouteEnd::NotAcceptable, text) };
                return self.skip_route(cx, failed);
            }
            Err(cause) => return self.give_up(cx, cause),
        };
        if caller.server.is_none() {
            cx.is_elsewhere(Side::A);
        }
        // What is offered in a reliable response needs the caller's answer in a PRACK. RFC 3262 §5.
        let reliably = description.is_some() || caller.takes_reliable();
        let _ = to.offers.take(Local, Carrier::Invite, description);
        let local_tag = cx.tokens.tag();
        let invite = ClientInvite {
            asked: &caller.invite,
            from: &caller.leg.end,
            to: &to,
            route,
            account: cx.account,
            redirections: &self.diverted,
            back: caller.back.as_deref().filter(|back| route.attempt.via.party() == back.party),
            reliably,
        };
        let invite = invite.build(cx.tokens, &local_tag, body);
        // Silence of its media ends a call for help, and nothing else that a party may forget.
        let invite = match cx.account.emergency {
            true => invite,
            false => session::offering(invite, &to.session_timer()),
        };
        let invite = invite.build();
        cx.bind(&local_tag, LegRef::B(cx.history.dialled_count()));
        cx.history.dialled(invite.call_id().unwrap_or_default(), to.flow.party.clone());
        cx.history.is_at(Side::B, address.ip());
        cx.attempt_begins(route, Some(address));
        let hop = Hop::Peer(to.flow.clone());
        let sent = Sent::new(cx, invite, hop);
        let fork = Fork {
            a: caller.leg.clone(),
            b: to,
            has_tag: false,
            reliable: Reliable::default(),
            told: Sides { a: cx.media.remote(Side::A).cloned(), b: None },
        };
        let mut attempt = SentInvite::new(cx.now, sent, address, fork, &route.attempt);
        attempt.leaves(cx);
        self.dialled(Dialled::new(target, attempt))
    }

    /// Whether no other address and no other route is left to try.
    pub(super) fn is_last(&self) -> bool {
        let addresses = match &self.trying {
            Trying::Nothing => None,
            Trying::Prepared(target) => Some(&target.addresses),
            Trying::Dialled(dialled) => Some(&dialled.target.addresses),
        };
        self.routes.is_empty() && addresses.is_none_or(VecDeque::is_empty)
    }
}

/// The party at `address`, as it is before its dialog is.
fn callee(cx: &mut Cx<'_>, route: &super::Route, address: SocketAddr) -> End {
    let registered = route.attempt.registered.as_ref().and_then(|registered| registered.flow.clone());
    let usual = || Peer::new(route.attempt.lookup.transport, route.local.listener, address);
    let mut flow = registered.unwrap_or_else(usual);
    if route.attempt.lookup.literal().is_none() {
        flow.server_name = Some(route.attempt.lookup.host.clone());
    }
    flow.party = Some(route.attempt.via.party());
    let mut end = End::new(flow, route.local.clone(), route.profile.clone());
    end.sdp.session_id = cx.tokens.session_id();
    end.contact_user = route.caller_user.as_deref().unwrap_or_default().into();
    end
}
