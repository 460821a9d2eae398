//! The dialogs of one INVITE: each remote tag that a caller hears, each To tag that a forking callee gives.
//!
//! A call goes by one of them at a time; the others wait, with all that belongs to a dialog and not to the call.

use std::mem;
use std::time::Instant;

use bytes::Bytes;
use sip::Message;
use sip::dialog::{Dialog, DialogState};
use sip::transaction::ClientId;

use super::Phone;
use super::call::PhoneCall;
use super::reliable::Progress;
use crate::simulation::media::Media;

/// One dialog that the call does not go by now.
#[derive(Default)]
pub(crate) struct Other {
    pub dialog: Option<Dialog>,
    pub media: Media,
    local_tag: String,
    described: Option<Bytes>,
    offering: Option<ClientId>,
    pub(super) progress: Progress,
}

impl PhoneCall {
    /// Whether a 2xx was given or heard.
    pub fn is_confirmed(&self) -> bool {
        self.dialog.as_ref().is_some_and(|dialog| dialog.state == DialogState::Confirmed)
    }

    pub(super) fn has_local_tag(&self, tag: &str) -> bool {
        self.local_tag == tag
            || self.others.iter().any(|other| other.local_tag == tag)
            || self.forks.iter().any(|fork| fork.local_tag == tag)
    }

    /// The tag that tells the dialogs of the INVITE apart: the callee's.
    fn tag(&self) -> &str {
        match self.caller {
            true => self.dialog.as_ref().map_or("", |dialog| &dialog.remote_tag),
            false => &self.local_tag,
        }
    }

    /// Goes by the dialog of the callee's `tag` from now on. False: there is none.
    pub(super) fn turn_to(&mut self, tag: &str) -> bool {
        if self.tag() == tag {
            return true;
        }
        let caller = self.caller;
        let at = self.others.iter().position(|other| match caller {
            true => other.dialog.as_ref().is_some_and(|dialog| dialog.remote_tag == tag),
            false => other.local_tag == tag,
        });
        let Some(at) = at else { return false };
        self.swap(at);
        true
    }

    /// Begins a dialog of its own for `tag`, which the call goes by from now on.
    pub(super) fn begin(&mut self, tag: &str) {
        if self.turn_to(tag) {
            return;
        }
        if !self.tag().is_empty() && !self.is_untouched() {
            self.others.push(Other { local_tag: self.local_tag.clone(), ..Other::default() });
            self.swap(self.others.len() - 1);
            self.media = self.first_media.clone();
        }
        if !self.caller {
            self.local_tag = tag.to_owned();
        }
    }

    /// Nothing was said in it yet.
    fn is_untouched(&self) -> bool {
        self.dialog.is_none() && self.gave.is_empty()
    }

    /// Whether nothing of its early dialog is on its way: no PRACK, and none that is waited for.
    pub fn is_at_rest_early(&self) -> bool {
        !self.progress.pracking && self.progress.unacknowledged.is_none()
    }

    fn swap(&mut self, at: usize) {
        let other = &mut self.others[at];
        mem::swap(&mut self.dialog, &mut other.dialog);
        mem::swap(&mut self.media, &mut other.media);
        mem::swap(&mut self.local_tag, &mut other.local_tag);
        mem::swap(&mut self.described, &mut other.described);
        mem::swap(&mut self.offering, &mut other.offering);
        mem::swap(&mut self.progress, &mut other.progress);
    }

    /// Goes by the dialog that a request or response belongs to, where there is such a one.
    pub(super) fn turn_to_that_of(&mut self, message: &Message) {
        let callee = if self.caller == message.is_request() { message.from_tag() } else { message.to_tag() };
        self.turn_to(&callee.unwrap_or_default());
    }

    /// A 2xx settles which dialog it is.
    pub(super) fn settle_dialog(&mut self) {
        self.others.clear();
    }

    /// The early dialog is over: 199, RFC 6228.
    fn drop_dialog(&mut self, tag: &str) {
        if self.tag() != tag {
            return self.others.retain(|other| match self.caller {
                true => other.dialog.as_ref().is_none_or(|dialog| dialog.remote_tag != tag),
                false => other.local_tag != tag,
            });
        }
        if let Some(last) = self.others.len().checked_sub(1) {
            self.swap(last);
            self.others.pop();
        }
    }
}

impl Phone {
    /// A callee that is a forking proxy: a new To tag, for [`Phone::respond_as`]. One tag after the other, or several
    /// at a time, each with a description of its own.
    pub fn fork_tag(&mut self) -> String {
        self.token()
    }

    /// The early dialog of `tag` is over, says a 199 where the caller knows it.
    pub fn end_early(&mut self, now: Instant, index: usize, tag: &str) {
        if super::abilities::says(&self.calls[index].invite, "199") {
            self.respond_as(now, index, 199, false, &[], tag);
        }
        self.calls[index].drop_dialog(tag);
    }

    /// A caller hears a 1xx: it keeps the dialog of its To tag.
    pub(super) fn progress(&mut self, now: Instant, index: usize, id: ClientId, response: &Message) {
        let (Some(tag), Some(status)) = (response.to_tag(), response.status()) else { return };
        let call = &mut self.calls[index];
        if !self.abilities.any() || status.code() == 100 || call.client != Some(id) || call.is_confirmed() {
            return;
        }
        if status.code() == 199 {
            return call.drop_dialog(&tag);
        }
        call.begin(&tag);
        match &mut call.dialog {
            Some(dialog) => dialog.handle_response(response),
            None => call.dialog = Dialog::uac(&call.invite, response).ok(),
        }
        self.heard_provisional(now, index, response);
    }
}
