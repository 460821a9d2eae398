use crate::{Message, Method, Name};

/// What a response must share with our request. RFC 3261 §17.1.3.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ClientKey {
    branch: Box<str>,
    method: Method,
}

impl ClientKey {
    /// The key of a request that we send; without a usable Via it gets an empty branch, which no response carries.
    pub(super) fn of_request(request: &Message) -> ClientKey {
        ClientKey {
            branch: request.branch().unwrap_or_default().into(),
            method: request.method().unwrap_or(Method::Options),
        }
    }

    /// The key of a response: the branch of the topmost Via, and the method of CSeq.
    pub(super) fn of_response(response: &Message) -> Option<ClientKey> {
        Some(ClientKey { branch: response.branch()?.into(), method: response.cseq().ok()?.method })
    }
}

/// What a repeated request, an ACK or a CANCEL must share with the first request. RFC 3261 §17.2.3.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum ServerKey {
    /// The branch begins with the magic cookie, so it should be unique among those of one sender. For those that keep one
    /// branch for all that they send, CSeq and From tag tell a new request from a repeat.
    Branch { branch: Box<str>, sent_by: Box<str>, method: Method, number: u32, from_tag: Option<Box<str>> },
    /// The newest INVITE under a branch.
    Newest { branch: Box<str>, sent_by: Box<str> },
    /// An RFC 2543 peer: everything that stays the same when the request is sent again.
    Legacy(Box<LegacyKey>),
}

/// The topmost Via, the Request-URI, the tags, Call-ID and CSeq of a request of an RFC 2543 peer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct LegacyKey {
    via: Box<str>,
    uri: Box<str>,
    from_tag: Option<String>,
    to_tag: Option<String>,
    call_id: Box<str>,
    number: u32,
    method: Method,
}

impl ServerKey {
    /// The key under which `request` would be found if its method were `method`: INVITE to find what a CANCEL
    /// gives up. `None` if a header is missing that [`Message::check`] demands.
    pub(super) fn of(request: &Message, method: Method) -> Option<ServerKey> {
        let via = request.via().ok()?;
        // A bare cookie identifies nothing: such a peer is matched as one of RFC 2543.
        match via.branch().filter(|_| via.has_cookie()) {
            Some(branch) => Some(ServerKey::Branch {
                branch: branch.into(),
                sent_by: match via.port {
                    Some(port) => format!("{}:{port}", via.host),
                    None => via.host.to_string(),
                }
                .to_ascii_lowercase()
                .into(),
                method,
                number: request.cseq().ok()?.number,
                from_tag: request.from_tag().map(Into::into),
            }),
            None => Some(ServerKey::Legacy(Box::new(LegacyKey {
                via: top_via(request)?.into(),
                uri: request.request_uri()?.into(),
                from_tag: request.from_tag(),
                to_tag: request.to_tag(),
                call_id: request.call_id().ok()?.into(),
                number: request.cseq().ok()?.number,
                method,
            }))),
        }
    }

    /// The key by which a CANCEL finds an INVITE whose CSeq or From tag it does not repeat, as it must (RFC 3261 §9.1).
    /// `None` for an RFC 2543 peer.
    pub(super) fn newest(&self) -> Option<ServerKey> {
        let ServerKey::Branch { branch, sent_by, .. } = self else { return None };
        Some(ServerKey::Newest { branch: branch.clone(), sent_by: sent_by.clone() })
    }

    /// The key of the CANCEL of the INVITE of this key.
    pub(super) fn cancel(&self) -> ServerKey {
        let mut key = self.clone();
        match &mut key {
            ServerKey::Branch { method, .. } => *method = Method::Cancel,
            ServerKey::Legacy(key) => key.method = Method::Cancel,
            ServerKey::Newest { .. } => {}
        }
        key
    }

    /// The key of an ACK. With the cookie it is that of the INVITE; without, the To tag is that of our response.
    pub(super) fn of_ack(ack: &Message) -> Option<ServerKey> {
        match ServerKey::of(ack, Method::Invite)? {
            ServerKey::Legacy(key) => {
                Some(ServerKey::Legacy(Box::new(LegacyKey { method: Method::Ack, ..*key })))
            }
            key => Some(key),
        }
    }

    /// The further key by which an RFC 2543 peer acknowledges `response`; `self` is the key of the INVITE.
    pub(super) fn legacy_ack(&self, response: &Message) -> Option<ServerKey> {
        let ServerKey::Legacy(key) = self else { return None };
        let to_tag = response.to_tag();
        Some(ServerKey::Legacy(Box::new(LegacyKey { to_tag, method: Method::Ack, ..(**key).clone() })))
    }
}

/// What two copies of one request share that came by different ways. RFC 3261 §8.2.2.2.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct MergeKey {
    from_tag: Option<String>,
    call_id: Box<str>,
    number: u32,
    method: Method,
}

impl MergeKey {
    /// `None` for a request inside a dialog, which cannot be merged.
    pub(super) fn of(request: &Message) -> Option<MergeKey> {
        if request.to_tag().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        Some(MergeKey {
            from_tag: request.from_tag(),
            call_id: request.call_id().ok()?.into(),
            number: cseq.number,
            method: cseq.method,
        })
    }
}

/// The topmost Via as text.
pub(super) fn top_via(message: &Message) -> Option<String> {
    message.values(Name::Via).next().map(|via| via.to_string())
}
