//! The INVITE that is out, with its route and with what hangs on its early dialogs.

use std::time::Instant;

use sip::dialog::Early;
use sip::{Message, Name, StatusCode};
use smol_str::SmolStr;

use super::accept::Accepting;
use super::attempt::{Fork, SentInvite};
use super::reliable::OwnPrack;
use super::{Caller, Target};
use crate::call::cx::Cx;
use crate::call::established::{Crossing, FarInvite};
use crate::call::io::Action;
use crate::call::leg::LegRef;
use crate::call::sent::Login;
use crate::call::session;

/// See the module.
#[derive(Debug)]
pub(super) struct Dialled {
    pub target: Target,
    pub attempt: SentInvite,
    /// The callee's 2xx, which waits for a PRACK of the caller's.
    pub accepting: Option<Box<Accepting>>,
    /// PRACKs of ours that are not answered.
    pub pracks: Vec<OwnPrack>,
    /// Requests inside the early dialogs that crossed and are not answered, each with the callee's tag.
    pub crossings: Vec<(SmolStr, Crossing)>,
}

/// One early dialog on both legs.
pub(super) struct EarlyCall<'a> {
    pub caller: &'a Caller,
    pub fork: &'a mut Early<Fork>,
    pub login: &'a Login,
    pub pracks: &'a mut Vec<OwnPrack>,
    pub crossings: &'a mut Vec<(SmolStr, Crossing)>,
}

impl Dialled {
    /// `attempt` has left by the route of `target`.
    pub fn new(target: Target, attempt: SentInvite) -> Box<Self> {
        Box::new(Self { target, attempt, accepting: None, pracks: Vec::new(), crossings: Vec::new() })
    }

    /// How the callee's challenges are met.
    pub fn login(&self) -> &Login {
        &self.target.route.credentials
    }

    /// The early dialog that is `mine`, or the one that is being accepted.
    pub fn early<'a>(
        &'a mut self,
        caller: &'a Caller,
        mine: impl Fn(&Early<Fork>) -> bool,
    ) -> Option<EarlyCall<'a>> {
        let Self { target, attempt, accepting, pracks, crossings } = self;
        let accepting = accepting.iter_mut().map(|accepting| &mut accepting.fork);
        let fork = accepting.chain(attempt.forks.iter_mut()).find(|fork| mine(fork))?;
        Some(EarlyCall { caller, fork, login: &target.route.credentials, pracks, crossings })
    }

    /// The early dialogs, the one that is being accepted among them.
    pub fn forks(&self) -> impl Iterator<Item = &Early<Fork>> {
        self.accepting.iter().map(|accepting| &accepting.fork).chain(self.attempt.forks.iter())
    }

    /// Whether `message`, whose To tag is ours on `leg`, is inside one of the dialogs.
    pub fn is_dialog_of(&self, leg: LegRef, message: &Message) -> bool {
        match leg {
            LegRef::A => self.forks().any(|fork| fork.data.a.dialog.matches(message)),
            // A request may come before the response that begins its dialog: the Call-ID must do, with our tag.
            LegRef::B(_) => {
                let call_id = self.attempt.sent.message.call_id();
                call_id.is_ok_and(|own| message.call_id() == Ok(own))
            }
        }
    }

    /// Sends the INVITE again with credentials for a carrier's challenge. RFC 3261 §22.2-3.
    pub fn authenticate(&mut self, cx: &mut Cx<'_>, message: &Message) -> bool {
        let (route, attempt) = (&self.target.route, &mut self.attempt);
        let number = attempt.sent.cseq().saturating_add(1);
        let met = attempt.sent.authenticate(cx, message, &route.credentials, &route.local, number);
        if met {
            attempt.wait(cx.now, &route.attempt);
            attempt.leaves(cx);
        }
        met
    }

    /// Sends the INVITE again with the session interval that its receiver bears. RFC 4028 §7.3.
    pub fn ask_for_longer_session(&mut self, cx: &mut Cx<'_>, message: &Message) -> bool {
        let (route, SentInvite { sent, session, .. }) = (&self.target.route, &mut self.attempt);
        let longer = session.handle_too_small(session::said(message).min_se);
        if longer {
            let number = sent.cseq().saturating_add(1);
            sent.change(cx, &route.local, number, |again| session::asking(again, session));
            self.attempt.wait(cx.now, &route.attempt);
            self.attempt.leaves(cx);
        }
        longer
    }

    /// 503 with Retry-After: the host wants no calls for a while. RFC 3261 §21.5.4.
    pub fn rest_host(&self, cx: &mut Cx<'_>, message: &Message) {
        if let (Some(503), Some(rest)) = (message.status().map(StatusCode::code), message.retry_after()) {
            let transport = self.target.route.attempt.lookup.transport;
            cx.act(Action::Rest { address: self.attempt.address, transport, rest });
        }
    }

    /// When the set-up has something to do for it.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let reliable = self.forks().filter_map(|fork| fork.data.reliable.poll_timeout());
        let attempt = self.accepting.is_none().then(|| self.attempt.poll_timeout()).flatten();
        let crossings = self.crossings.iter().map(|(_, crossing)| crossing.give_up);
        reliable.chain(attempt).chain(crossings).min()
    }

    /// Nobody answers any more what crossed in these dialogs.
    pub fn end_crossings(&mut self, cx: &mut Cx<'_>) {
        self.pracks.clear();
        for (_, crossing) in std::mem::take(&mut self.crossings) {
            crossing.end(cx);
        }
    }

    /// What crossed in the dialog of this tag.
    pub fn crossings_of(&mut self, tag: &str) -> Vec<Crossing> {
        let mine = self.crossings.extract_if(.., |(own, _)| own == tag);
        mine.map(|(_, crossing)| crossing).collect()
    }

    /// The INVITE has its final response, or none will come; returns the route.
    pub fn over(mut self: Box<Self>, cx: &mut Cx<'_>) -> Target {
        self.end_crossings(cx);
        self.attempt.leave(cx, &None, None, true);
        self.target
    }

    /// Cancels the INVITE; a late 2xx is released. Returns the route.
    ///
    /// - `says`: what the CANCEL says.
    /// - `left`: for another host, so that this one must not get its INVITE again.
    pub fn leave(mut self: Box<Self>, cx: &mut Cx<'_>, says: Vec<(Name, String)>, left: bool) -> Target {
        self.end_crossings(cx);
        let Dialled { target, attempt, accepting, .. } = *self;
        let login = &target.route.credentials;
        match accepting {
            Some(accepting) => {
                let (leg, invite) = (accepting.leg(), FarInvite::new(&attempt.sent));
                let tag = leg.dialog.remote_tag.clone();
                cx.acknowledge(&leg, invite.parts(), None);
                let says =
                    says.into_iter().map(|(name, value)| (name.as_str().to_owned(), value.into_bytes()));
                cx.bye(leg, login.clone(), says.collect());
                attempt.leave(cx, login, Some(tag), true);
            }
            None => {
                cx.act(Action::Cancel { request: attempt.sent.id, says, left });
                attempt.leave(cx, login, None, false);
            }
        }
        target
    }
}
