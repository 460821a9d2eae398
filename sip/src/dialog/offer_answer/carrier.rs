//! The messages that carry offers and answers. RFC 6337 §2.2.

use crate::{Method, StatusCode};

/// One of the two ends of a dialog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// We: the message is one that we are about to send.
    Local,
    /// The peer: the message has come.
    Remote,
}

impl Side {
    /// The other end.
    #[must_use]
    pub fn other(self) -> Side {
        match self {
            Side::Local => Side::Remote,
            Side::Remote => Side::Local,
        }
    }
}

/// A message in which a session description has a meaning. RFC 6337 §2.2 table 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// INVITE, the first or a later one.
    Invite,
    /// 101 to 199 to INVITE that may be lost.
    Provisional,
    /// 101 to 199 to INVITE with `Require: 100rel`, which a PRACK acknowledges. RFC 3262.
    ReliableProvisional,
    /// 2xx to INVITE.
    InviteOk,
    /// ACK of a 2xx.
    Ack,
    /// PRACK.
    Prack,
    /// 2xx to PRACK.
    PrackOk,
    /// UPDATE.
    Update,
    /// 2xx to UPDATE.
    UpdateOk,
}

impl Carrier {
    /// What a message is to offer and answer.
    ///
    /// - `method`: of the request, or of the CSeq of a response.
    /// - `status`: of a response; `None` for a request.
    /// - `reliable`: whether the response has `Require: 100rel` and `RSeq`; of no account elsewhere.
    ///
    /// `None` where a session description has no meaning: other methods, 100, and 300 and above, which
    /// [`refused`](super::OfferAnswer::refused) takes.
    pub fn of(method: &Method, status: Option<StatusCode>, reliable: bool) -> Option<Carrier> {
        match (method, status.map(StatusCode::code)) {
            (Method::Invite, None) => Some(Carrier::Invite),
            (Method::Invite, Some(101..=199)) if reliable => Some(Carrier::ReliableProvisional),
            (Method::Invite, Some(101..=199)) => Some(Carrier::Provisional),
            (Method::Invite, Some(200..=299)) => Some(Carrier::InviteOk),
            (Method::Ack, None) => Some(Carrier::Ack),
            (Method::Prack, None) => Some(Carrier::Prack),
            (Method::Prack, Some(200..=299)) => Some(Carrier::PrackOk),
            (Method::Update, None) => Some(Carrier::Update),
            (Method::Update, Some(200..=299)) => Some(Carrier::UpdateOk),
            _ => None,
        }
    }
}

/// A request that may carry an offer and may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusable {
    /// INVITE.
    Invite,
    /// PRACK.
    Prack,
    /// UPDATE.
    Update,
}
