//! What a stage of a call works with beside its own data.

use std::collections::VecDeque;

use sip::Message;
use sip::transaction::ServerId;
use smol_str::SmolStr;

use super::history::History;
use super::io::{Action, Hop, RequestId};
use super::leg::{Leg, LegRef};
use super::media::MediaSession;
use super::requests::Requests;
use super::response;
use crate::clock::Now;
use crate::ids::Tokens;
use crate::record::Account;
use crate::reply::Cause;

/// The time, the randomness, and what a call has at every stage.
pub(super) struct Cx<'a> {
    pub now: Now,
    pub tokens: &'a mut Tokens,
    pub id: uuid::Uuid,
    pub account: &'a mut Account,
    pub history: &'a mut History,
    pub media: &'a mut MediaSession,
    pub requests: &'a mut Requests,
    pub out: &'a mut VecDeque<Action>,
}

impl Cx<'_> {
    pub fn act(&mut self, action: Action) {
        self.out.push_back(action);
    }

    /// Sends a request that a client transaction carries; the call outlives it.
    pub fn send(&mut self, message: Message, hop: Hop) -> RequestId {
        let request = self.requests.open();
        self.act(Action::Request { request, message, hop });
        request
    }

    pub fn respond(&mut self, server: ServerId, response: Message) {
        self.act(Action::Respond { server, response });
    }

    /// A refusal of ours of the INVITE that began the call, its cause in the reason phrase and in `Reason`.
    pub fn refuse(&mut self, server: ServerId, request: &Message, to: &Leg, cause: &Cause) {
        self.respond(server, response::refusal(to, request, cause));
    }

    /// Requests with `tag` in To are this call's.
    pub fn bind(&mut self, tag: &SmolStr, leg: LegRef) {
        self.requests.bound(tag);
        self.act(Action::Bind { tag: tag.clone(), leg });
    }
}
