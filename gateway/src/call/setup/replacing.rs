//! The caller wants its place taken while the callee still rings: the transfer waits until the callee accepts, and the caller may
//! leave before. RFC 5589 §7.6.
//!
//! Only a dialog that its party has begun may be replaced so early (RFC 3891 §3): the callee's is not named.

use sip::StatusCode;
use sip::header::Replaces;

use super::{Setup, Trying};
use crate::call::Next;
use crate::call::cx::Cx;
use crate::call::io::Action;
use crate::call::leg::{LegRef, names};
use crate::media::Side;
use crate::peer::Party;
use crate::reply::Cause;

impl Setup {
    /// Whether Replaces names a dialog with the caller.
    pub fn is_named(&self, leg: LegRef, replaces: &Replaces) -> bool {
        let early = match &self.trying {
            Trying::Dialled(dialled) => Some(&dialled.attempt.forks),
            Trying::Nothing | Trying::Prepared(_) => None,
        };
        let caller = &self.caller;
        let mut early = early.into_iter().flat_map(|forks| forks.iter());
        let named =
            names(replaces, &caller.leg.dialog) || early.any(|fork| names(replaces, &fork.data.a.dialog));
        leg == LegRef::A && caller.server.is_some() && named
    }

    /// The caller asks, in another call, that the other party of that one take its place.
    pub fn handle_replace(&mut self, cx: &mut Cx<'_>, by: Option<&Party>) {
        let caller = &mut self.caller;
        if by.is_none() || caller.leg.flow.party.as_ref() != by || caller.emergency {
            return cx.act(Action::Progress { status: StatusCode::FORBIDDEN });
        }
        caller.replaced = true;
        if caller.rang {
            cx.act(Action::Progress { status: StatusCode::RINGING });
        }
    }

    /// Nobody comes.
    pub fn handle_abandoned(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        self.caller.replaced = false;
        match self.caller.server {
            Some(_) => Next::Stay,
            None => self.give_up(cx, cause),
        }
    }

    /// The caller gives up, and the callee rings on for who takes its place. `false`: nobody does.
    pub(super) fn goes_on_without_caller(&mut self, cx: &mut Cx<'_>) -> bool {
        let Trying::Dialled(dialled) = &mut self.trying else { return false };
        if !self.caller.replaced || dialled.accepting.is_some() {
            return false;
        }
        let Some(server) = self.caller.server.take() else { return false };
        self.caller.replaced = false;
        dialled.end_crossings(cx);
        for fork in dialled.attempt.forks.iter_mut() {
            fork.data.reliable.to_caller = None;
        }
        let caller = &self.caller;
        cx.refuse(server, &caller.invite, &caller.leg, &Cause::new(487, "Request Terminated"));
        // It has shown that it hears us.
        cx.history.proven = true;
        cx.is_elsewhere(Side::A);
        true
    }
}
