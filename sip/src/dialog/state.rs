//! The state of one dialog, and the requests and ACKs inside of it. RFC 3261 §12.

use std::fmt::{Display, Write as _};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::DialogError;
use super::route::request_target;
use crate::{HeaderError, HeaderFault, Message, Method, Name, NameAddr};

/// One side of a dialog: plain data that can be stored, moved to another machine and gone on with.
///
/// It is the caller's to find the dialog of a message ([`matches`](Self::matches)) and to end it.
///
/// Source: RFC 3261 §12.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dialog {
    /// Our role: whether we sent the INVITE.
    pub role: Role,
    /// Whether a 2xx was sent or received.
    pub state: DialogState,
    /// Call-ID, as it came.
    pub call_id: SmolStr,
    /// Our tag.
    pub local_tag: SmolStr,
    /// The peer's tag; empty for an RFC 2543 peer that gave none (RFC 3261 §12.1.1).
    pub remote_tag: SmolStr,
    /// Our From or To: display name, URI and parameters, without the tag.
    pub local_uri: SmolStr,
    /// The peer's From or To: display name, URI and parameters, without the tag.
    pub remote_uri: SmolStr,
    /// Where requests go in the end: the URI of the peer's Contact.
    pub remote_target: SmolStr,
    /// The proxies on the way, nearest first, as values of Route.
    pub route_set: Vec<SmolStr>,
    /// The number of our last request; 0 before the first.
    pub local_cseq: u32,
    /// The highest number of the peer's requests; `None` before the first.
    pub remote_cseq: Option<u32>,
    /// The INVITE went to a `sips:` URI.
    pub secure: bool,
}

/// Which side of the INVITE we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// We sent the INVITE.
    Uac,
    /// The peer sent it.
    Uas,
}

/// How far a dialog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DialogState {
    /// Begun by a 1xx.
    Early,
    /// Begun or confirmed by a 2xx.
    Confirmed,
}

impl Dialog {
    /// The dialog of a request that we answer with `local_tag` in To; early until [`confirm`](Self::confirm).
    ///
    /// Fails if Contact, From, To, Call-ID or CSeq is missing or broken: answer 400.
    ///
    /// Source: RFC 3261 §12.1.1.
    pub fn uas(request: &Message, local_tag: &str) -> Result<Dialog, DialogError> {
        let (from, to) = (request.from()?, request.to()?);
        Ok(Dialog {
            role: Role::Uas,
            state: DialogState::Early,
            call_id: request.call_id()?.into(),
            local_tag: local_tag.into(),
            remote_tag: tag(&from),
            local_uri: without_tag(to),
            remote_uri: without_tag(from),
            remote_target: contact(request)?.ok_or(MISSING_CONTACT)?,
            route_set: record_route(request),
            local_cseq: 0,
            remote_cseq: Some(request.cseq()?.number),
            secure: is_secure(request),
        })
    }

    /// The dialog that `response`, 101 to 299, begins for the `request` that we sent.
    ///
    /// A 2xx of an RFC 2543 peer may lack the To tag. A response without Contact, which no peer should but some do
    /// send, or with a broken one leaves the Request-URI as the target: such a dialog can be ended all the same.
    ///
    /// Source: RFC 3261 §12.1.2.
    ///
    /// # Errors
    /// The response begins no dialog.
    pub fn uac(request: &Message, response: &Message) -> Result<Dialog, DialogError> {
        let state = match response.status().map(|status| status.code()) {
            Some(101..=199) => DialogState::Early,
            Some(200..=299) => DialogState::Confirmed,
            _ => return Err(DialogError::NoDialog),
        };
        let (from, to) = (request.from()?, response.to()?);
        if state == DialogState::Early && to.tag().is_none() {
            return Err(DialogError::NoTag);
        }
        let request_uri = SmolStr::from(request.request_uri().ok_or(DialogError::NoDialog)?);
        Ok(Dialog {
            role: Role::Uac,
            state,
            call_id: request.call_id()?.into(),
            local_tag: tag(&from),
            remote_tag: tag(&to),
            local_uri: without_tag(from),
            remote_uri: without_tag(to),
            remote_target: contact(response).ok().flatten().unwrap_or(request_uri),
            route_set: reversed(record_route(response)),
            local_cseq: request.cseq()?.number,
            remote_cseq: None,
            secure: is_secure(request),
        })
    }

    /// We sent a 2xx to the INVITE.
    pub fn confirm(&mut self) {
        self.state = DialogState::Confirmed;
    }

    /// Takes a request inside the dialog: checks that its CSeq is not older than one before, and that its Contact can
    /// be read where it would be the peer's new one. ACK and CANCEL are outside this count, and a BYE is taken whatever
    /// its number: its sender is gone.
    ///
    /// On an error the dialog is as before; answer by [`DialogError::status`].
    ///
    /// Source: RFC 3261 §12.2.2.
    ///
    /// # Errors
    /// The request is out of order, or nobody can tell.
    pub fn handle_request(&mut self, request: &Message) -> Result<(), DialogError> {
        let cseq = request.cseq()?;
        if matches!(cseq.method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        let older = self.remote_cseq.filter(|highest| cseq.number < *highest);
        if let Some(highest) = older.filter(|_| cseq.method != Method::Bye) {
            return Err(DialogError::OutOfOrder { received: cseq.number, highest });
        }
        if refreshes_target(&cseq.method) {
            contact(request)?;
        }
        self.remote_cseq = self.remote_cseq.max(Some(cseq.number));
        Ok(())
    }

    /// We answer `request` with a 2xx: where it is INVITE, UPDATE, SUBSCRIBE or NOTIFY, its Contact is the peer's from
    /// now on. What is refused leaves the target as it was.
    ///
    /// Source: RFC 6141 §4.3, RFC 3311 §5.2, RFC 6665 §4.4.1.
    pub fn refresh_target(&mut self, request: &Message) {
        if request.cseq().is_ok_and(|cseq| refreshes_target(&cseq.method))
            && let Ok(Some(target)) = contact(request)
        {
            self.remote_target = target;
        }
    }

    /// Takes a response to a request that we sent inside the dialog or that began it: a 2xx to INVITE confirms it and
    /// settles the route set; a 2xx to INVITE, UPDATE or SUBSCRIBE, and any response to the first INVITE, brings the
    /// peer's new Contact. A response of another fork changes nothing, nor does a broken one.
    ///
    /// Source: RFC 3261 §12.2.1.2, §13.2.2.4.
    pub fn handle_response(&mut self, response: &Message) {
        let (Some(status), Ok(cseq)) = (response.status(), response.cseq()) else { return };
        if status.code() == 100
            || status.is_failure()
            || response.to_tag().unwrap_or_default() != self.remote_tag.as_str()
        {
            return;
        }
        let first_invite =
            self.role == Role::Uac && self.state == DialogState::Early && cseq.method == Method::Invite;
        if first_invite && status.is_success() {
            self.route_set = reversed(record_route(response));
            self.confirm();
        }
        if (first_invite || (status.is_success() && refreshes_target(&cseq.method)))
            && let Ok(Some(target)) = contact(response)
        {
            self.remote_target = target;
        }
    }

    /// Whether a message that came from the peer belongs here: Call-ID and both tags. RFC 3261 §12.
    pub fn matches(&self, message: &Message) -> bool {
        matches(message, &self.call_id, &self.local_tag, &self.remote_tag)
    }

    /// What tells it from others.
    pub fn id(&self) -> DialogId {
        let Dialog { call_id, local_tag, remote_tag, .. } = self;
        DialogId { call_id: call_id.clone(), local_tag: local_tag.clone(), remote_tag: remote_tag.clone() }
    }
}

/// What tells a dialog from others, for who has no more to say in it. RFC 3261 §12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogId {
    /// Call-ID, as it came.
    pub call_id: SmolStr,
    /// Our tag.
    pub local_tag: SmolStr,
    /// The peer's tag; empty where it gave none.
    pub remote_tag: SmolStr,
}

impl DialogId {
    /// Whether a message that came from the peer belongs to the dialog.
    pub fn matches(&self, message: &Message) -> bool {
        matches(message, &self.call_id, &self.local_tag, &self.remote_tag)
    }
}

fn matches(message: &Message, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
    if message.call_id() != Ok(call_id) {
        return false;
    }
    let (from, to) = (message.from_tag().unwrap_or_default(), message.to_tag().unwrap_or_default());
    let (local, remote) = if message.is_request() { (to, from) } else { (from, to) };
    local == local_tag && remote == remote_tag
}

const MISSING_CONTACT: HeaderError = HeaderError { name: Name::Contact, fault: HeaderFault::Missing };

fn refreshes_target(method: &Method) -> bool {
    matches!(method, Method::Invite | Method::Update | Method::Subscribe | Method::Notify)
}

/// The tag, or the empty string of RFC 3261 §12.1.1 for a peer that gave none.
fn tag(address: &NameAddr) -> SmolStr {
    address.tag().unwrap_or_default().into()
}

fn without_tag(mut address: NameAddr) -> SmolStr {
    address.params.remove("tag");
    written(&address)
}

/// An address as text.
fn written(address: &impl Display) -> SmolStr {
    let mut text = String::with_capacity(128);
    // Writing to memory cannot fail.
    let _ = write!(text, "{address}");
    text.into()
}

/// The URI of the Contact, fit for a request line.
fn contact(message: &Message) -> Result<Option<SmolStr>, HeaderError> {
    Ok(message.contact()?.map(|contact| written(&request_target(contact.uri))))
}

fn record_route(message: &Message) -> Vec<SmolStr> {
    message.values(Name::RecordRoute).map(SmolStr::from).collect()
}

fn reversed(mut routes: Vec<SmolStr>) -> Vec<SmolStr> {
    routes.reverse();
    routes
}

fn is_secure(request: &Message) -> bool {
    request
        .request_uri()
        .and_then(|uri| uri.get(..5))
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:"))
}

#[cfg(test)]
mod tests;
