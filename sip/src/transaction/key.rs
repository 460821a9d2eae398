use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, RandomState};

use crate::header::Via;
use crate::uri::Host;
use crate::{Message, Method, Name};

/// A hash of 128 bits under keys that nobody knows, in place of what would be many bytes: two things that differ do not
/// agree in it, neither by chance nor by anybody's choice.
type Print = (u64, u64);

/// Roles that need no hash. No hash is one of them but by a chance of one in 2^61.
const NEWEST: u64 = 0;
const INVITE: u64 = 1;
const ACK: u64 = 2;
const BYE: u64 = 3;
const CANCEL: u64 = 4;

/// Makes the keys of one table.
#[derive(Debug, Default)]
pub(super) struct Keys {
    one: RandomState,
    two: RandomState,
}

/// What a response must share with our request. RFC 3261 §17.1.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ClientKey(Print);

/// What a repeated request, an ACK or a CANCEL must share with the first request. RFC 3261 §17.2.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ServerKey {
    /// What the messages of one transaction share. With the magic cookie: branch and sent-by, which should be unique; and
    /// CSeq and From tag, for those that keep one branch for all that they send. Without it, from an RFC 2543 peer: the
    /// topmost Via, the Request-URI, the From tag, Call-ID and CSeq.
    shared: Print,
    /// The method; of an RFC 2543 peer's with the To tag.
    role: u64,
    legacy: bool,
}

/// What an INVITE shares with its copies and with its CANCEL: for who keeps no transaction of it, but knows who does. The same
/// table gives the same mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct InviteMark(ServerKey);

/// What two copies of one request share that came by different ways. RFC 3261 §8.2.2.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct MergeKey(Print);

impl Keys {
    /// The key of a request that we send; without a usable Via it gets an empty branch, which no response carries.
    pub(super) fn of_our_request(&self, request: &Message) -> ClientKey {
        let branch = request.branch().unwrap_or_default();
        ClientKey(self.print((branch, request.method().unwrap_or(Method::Options))))
    }

    /// The key of a response: the branch of the topmost Via, and the method of CSeq.
    pub(super) fn of_response(&self, response: &Message) -> Option<ClientKey> {
        Some(ClientKey(self.print((response.branch()?, response.cseq().ok()?.method))))
    }

    /// The key under which `request` would be found if its method were `method`: INVITE to find what a CANCEL
    /// gives up. `None` if a header is missing that [`Message::check`] demands.
    pub(super) fn of_request(&self, request: &Message, method: &Method) -> Option<ServerKey> {
        let (number, from_tag) = (request.cseq().ok()?.number, request.from_tag());
        if let Some(shared) = self.of_mark(request, (number, from_tag.as_deref())) {
            return Some(ServerKey { shared, role: self.role(method, None), legacy: false });
        }
        let (uri, call_id) = (request.request_uri()?, request.call_id().ok()?);
        let shared = self.print((top_via(request)?, uri, from_tag, call_id, number));
        Some(ServerKey { shared, role: self.role(method, request.to_tag()), legacy: true })
    }

    /// The key by which a CANCEL finds an INVITE whose CSeq or From tag it does not repeat, as it must (RFC 3261 §9.1):
    /// that of the newest INVITE under its branch. `None` for an RFC 2543 peer.
    pub(super) fn newest(&self, request: &Message) -> Option<ServerKey> {
        Some(ServerKey { shared: self.of_mark(request, ())?, role: NEWEST, legacy: false })
    }

    /// The print of branch and sent-by, and of what else is asked for.
    fn of_mark(&self, request: &Message, more: impl Hash) -> Option<Print> {
        let via = request.elements(Name::Via).next()?;
        // A bare cookie identifies nothing: such a peer is matched as one of RFC 2543.
        let (host, port, branch) = Via::mark_in(&via)?;
        let host = match host {
            Host::Name(name) => Host::Name(name.to_ascii_lowercase().into()),
            address => address,
        };
        Some(self.print((branch, host, port, more)))
    }

    /// See [`InviteMark`]; `request` is an INVITE or a CANCEL.
    pub(super) fn mark(&self, request: &Message) -> Option<InviteMark> {
        self.newest(request).or_else(|| self.of_request(request, &Method::Invite)).map(InviteMark)
    }

    /// The key of the one CANCEL that the INVITE of `key` may have.
    ///
    /// - `cancel`: that of the CANCEL that came.
    pub(super) fn of_cancel(&self, key: &ServerKey, cancel: ServerKey) -> ServerKey {
        if key.legacy { cancel } else { ServerKey { role: cancel.role, ..*key } }
    }

    /// The key of an ACK. With the cookie it is that of the INVITE; without, the To tag is that of our response.
    pub(super) fn of_ack(&self, ack: &Message) -> Option<ServerKey> {
        let key = self.of_request(ack, &Method::Invite)?;
        Some(if key.legacy { self.acknowledging(&key, ack) } else { key })
    }

    /// The further key by which an RFC 2543 peer acknowledges `response`; `key` is that of the INVITE.
    pub(super) fn legacy_ack(&self, key: &ServerKey, response: &Message) -> Option<ServerKey> {
        key.legacy.then(|| self.acknowledging(key, response))
    }

    fn acknowledging(&self, key: &ServerKey, tagged: &Message) -> ServerKey {
        ServerKey { role: self.role(&Method::Ack, tagged.to_tag()), ..*key }
    }

    /// `None` for a request inside a dialog, which cannot be merged.
    pub(super) fn merge(&self, request: &Message) -> Option<MergeKey> {
        if request.to_tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        let identity = (request.from_tag(), request.call_id().ok()?, cseq.number, cseq.method);
        Some(MergeKey(self.print(identity)))
    }

    fn role(&self, method: &Method, to_tag: Option<Cow<'_, str>>) -> u64 {
        match (method, to_tag) {
            (Method::Invite, None) => INVITE,
            (Method::Ack, None) => ACK,
            (Method::Bye, None) => BYE,
            (Method::Cancel, None) => CANCEL,
            (method, to_tag) => self.one.hash_one((method, to_tag)),
        }
    }

    fn print(&self, parts: impl Hash) -> Print {
        (self.one.hash_one(&parts), self.two.hash_one(&parts))
    }
}

/// The topmost Via as text.
pub(super) fn top_via(message: &Message) -> Option<Cow<'_, str>> {
    message.values(Name::Via).next()
}
