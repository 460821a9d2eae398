//! One INVITE towards one address, and the route that it belongs to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::auth::Secret;
use sip::dialog::{EarlyDialogs, SessionTimer};
use sip::transaction::Timers;
use sip::{Message, Name};
use smol_str::SmolStr;

use super::reliable::Reliable;
use crate::call::cx::Cx;
use crate::call::io::Action;
use crate::call::leg::{End, Leg};
use crate::call::profile::{Local, Profile};
use crate::call::requests::Left;
use crate::call::sent::Sent;
use crate::call::sides::Sides;
use crate::call::{TIMER_C, due};
use crate::clock::Now;
use crate::local::Locals;
use crate::media::{Remote, Side};
use crate::route;

/// So many early dialogs of one INVITE are kept apart.
const MOST_FORKS: usize = 16;

/// Provisional responses are repeated each minute, since proxies forget what says nothing for three. RFC 3261 §13.3.1.1.
const A_MINUTE: Duration = Duration::from_secs(60);

/// One place that the b-leg may be tried at, and how we speak there.
#[derive(Debug, Clone)]
pub struct Route {
    /// Where, and the numbers as that side wants them.
    pub attempt: Arc<route::Attempt>,
    /// What we are towards it: towards the address that is tried, once that is known.
    pub local: Local,
    /// What we are towards any address of it.
    pub locals: Arc<Locals>,
    /// How it speaks.
    pub profile: Arc<Profile>,
    /// The user part of From; `None`: the caller is anonymous.
    pub caller_user: Option<String>,
    /// The caller is not to be shown.
    pub hidden: bool,
    /// The caller, asserted to a party that we trust: a header and its value (RFC 3325).
    pub asserted: Option<(Name, String)>,
    /// For the carrier's digest challenge: user and secret.
    pub credentials: Option<(String, Secret)>,
}

impl Route {
    /// What we are towards an address behind its host, under the name that we have there; `None` where no listener has the
    /// transport and the address family.
    fn local_at(&self, address: SocketAddr) -> Option<Local> {
        let local = match self.attempt.registered.as_ref().and_then(|registered| registered.flow.as_ref()) {
            Some(flow) => self.locals.by(flow.listener, flow.remote.ip(), flow.local),
            None => self.locals.towards(self.attempt.lookup.transport, address.ip()),
        };
        let local = local?;
        Some(local.named(self.attempt.via.peer().contact.as_ref()))
    }

    /// Whether a listener reaches `address`.
    pub(super) fn reaches(&self, address: SocketAddr) -> bool {
        self.local_at(address).is_some()
    }

    /// `address` is tried now.
    pub(super) fn is_tried_at(&mut self, address: SocketAddr) {
        if let Some(local) = self.local_at(address) {
            self.local = local;
        }
    }

    /// The connector whose customer is called; `None` at a carrier.
    pub fn connector(&self) -> Option<&str> {
        self.attempt.via.connector().map(|id| id.as_str())
    }
}

/// What one early dialog of the callee's side is to both legs: an answer never changes within one dialog, so that each
/// fork has its own dialog with the caller too.
#[derive(Debug, Clone)]
pub(super) struct Fork {
    pub a: Leg,
    pub b: End,
    /// The fork has a dialog with the caller.
    pub has_tag: bool,
    pub reliable: Reliable,
    /// What the media workers were told in it of both parties.
    pub told: Sides<Option<Remote>>,
}

impl Fork {
    /// Its dialogs have described something.
    pub(super) fn described(&mut self, cx: &Cx<'_>) {
        let remote = |side| cx.media.remote(side).cloned();
        self.told = Sides { a: remote(Side::A), b: remote(Side::B) };
    }

    /// The fork goes on, and others may have described something since.
    pub(super) fn takes_media(&self, cx: &mut Cx<'_>) {
        for side in [Side::A, Side::B] {
            let now = cx.media.remote(side);
            let named = cx.media.host(side).is_some();
            let is_known =
                |told: &Remote| now.is_some_and(|now| told == now || named && is_located(told, now));
            if let Some(remote) = self.told.of(side).clone().filter(|remote| !is_known(remote)) {
                *cx.media.host_mut(side) = None;
                cx.tell_remote(side, remote);
            }
        }
    }
}

/// Whether `now` is what was told, after the name that stood there was looked up.
fn is_located(told: &Remote, now: &Remote) -> bool {
    let port = |remote: &Remote| remote.rtp.map(|rtp| rtp.port());
    let located = Remote { rtp: now.rtp, rtcp: now.rtcp, symmetric: now.symmetric, ..told.clone() };
    port(told) == port(now) && located == *now
}

/// An INVITE that went out, and the dialogs that it has begun.
#[derive(Debug)]
pub(super) struct SentInvite {
    pub sent: Sent,
    pub address: SocketAddr,
    pub forks: EarlyDialogs<Fork>,
    /// Its INVITE says that we take reliable provisional responses.
    pub reliable: bool,
    /// The session timer of whichever dialog is confirmed.
    pub session: SessionTimer,
    /// A response came.
    pub heard: bool,
    /// The journal knows that this INVITE may ring.
    journaled: bool,
    /// The provisional response that the caller heard last and that may have been lost, and when it is repeated.
    ringing: Option<(Instant, Box<Message>)>,
    /// The callee as it was when the INVITE left: what a late 2xx is released to.
    end: Box<End>,
    timers: Deadlines,
}

/// Until when an INVITE is waited for; each is `None` when it does not run.
#[derive(Debug, Default)]
struct Deadlines {
    /// When to give up on a host that has said nothing.
    first_response: Option<Instant>,
    /// When to give up on a host that does not ring.
    progress: Option<Instant>,
    /// When to stop ringing (Timer C).
    ringing: Option<Instant>,
}

/// What has not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    FirstResponse,
    Progress,
    Answer,
}

impl SentInvite {
    /// An INVITE that leaves now.
    pub fn new(now: Now, sent: Sent, address: SocketAddr, fork: Fork, attempt: &route::Attempt) -> Self {
        let (end, session) = (Box::new(fork.b.without_media()), fork.b.session_timer());
        let supported = [Name::Supported, Name::Require]
            .map(|name| sent.message.values(name).any(|tag| tag.eq_ignore_ascii_case("100rel")));
        let reliable = supported.contains(&true);
        let forks = EarlyDialogs::new(MOST_FORKS, fork, Timers::default());
        let (heard, timers) = (false, Deadlines::default());
        let (ringing, journaled) = (None, false);
        let mut this =
            SentInvite { sent, address, forks, reliable, session, heard, journaled, ringing, end, timers };
        this.wait(now, attempt);
        this
    }

    /// The INVITE leaves now, for the first time or again.
    pub fn wait(&mut self, now: Now, attempt: &route::Attempt) {
        self.timers.first_response = Some(now.instant + attempt.first_response_timeout());
        self.timers.progress = Some(now.instant + attempt.progress_timeout());
    }

    /// A provisional response came. Timer C starts again with each 101-199. RFC 3261 §16.7.
    ///
    /// - `progress`: it is more than 100 and 199, which ends one of several early dialogs (RFC 6228 §4).
    pub fn heard(&mut self, now: Now, progress: bool) {
        self.heard = true;
        self.timers.first_response = None;
        let timer_c = now.instant + TIMER_C;
        match progress {
            true => self.timers.ringing = Some(timer_c),
            false => {
                self.timers.ringing.get_or_insert(timer_c);
            }
        }
    }

    /// The INVITE has left, as it is now. Of a call for help the journal knows at once: its record is wanted most.
    pub fn leaves(&mut self, cx: &mut Cx<'_>) {
        self.journaled = false;
        if cx.account.emergency {
            self.may_ring(cx);
        }
    }

    /// Whoever has the INVITE may ring: should this run die, the next one tells both sides. A host that has said nothing, or
    /// refuses at once, costs the journal nothing.
    pub fn may_ring(&mut self, cx: &mut Cx<'_>) {
        if !std::mem::replace(&mut self.journaled, true) {
            cx.act(Action::JournalRinging);
        }
    }

    /// The callee's side rings.
    pub fn rings(&mut self) {
        self.timers.progress = None;
    }

    /// The caller heard `response`, which may be lost.
    pub fn said(&mut self, now: Now, response: &Message) {
        self.ringing = Some((now.instant + A_MINUTE, Box::new(response.clone())));
    }

    /// What the caller is told again.
    pub fn repeat(&mut self, now: Now) -> Option<Message> {
        let (at, response) = self.ringing.as_mut().filter(|(at, _)| *at <= now.instant)?;
        *at = now.instant + A_MINUTE;
        Some(response.as_ref().clone())
    }

    /// What has not come in time.
    pub fn missed(&mut self, now: Now) -> Option<Missed> {
        let timers = &mut self.timers;
        if due(&mut timers.first_response, now) {
            return Some(Missed::FirstResponse);
        }
        if due(&mut timers.progress, now) {
            return Some(Missed::Progress);
        }
        due(&mut timers.ringing, now).then_some(Missed::Answer)
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let Deadlines { first_response, progress, ringing } = self.timers;
        let again = self.ringing.as_ref().map(|(at, _)| *at);
        [first_response, progress, ringing, again].into_iter().flatten().min()
    }

    /// The party that it went to, without media.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// How we speak where it went.
    pub fn local(&self) -> &Local {
        &self.end.local
    }

    /// Nobody waits for it any more; a late 2xx is released.
    ///
    /// - `taken`: the To tag that became a leg of the call.
    /// - `over`: its final response came, or none ever will.
    pub fn leave(
        self,
        cx: &mut Cx<'_>,
        login: &Option<(String, Secret)>,
        taken: Option<SmolStr>,
        over: bool,
    ) {
        let SentInvite { sent, address, end, .. } = self;
        cx.requests.leave(Left::new(&sent, end, login.clone(), address, taken, over));
    }
}

/// The longest that a call is set up; an emergency call may take longer.
pub const LONGEST_SETUP: Duration = Duration::from_secs(300);
