//! What a message means for the offers of its dialog.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Carrier, Side};
use crate::StatusCode;
use crate::dialog::Role;

/// A session description that proposes; only [`OfferAnswer`](super::OfferAnswer) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer<D> {
    pub(super) by: Side,
    pub(super) carrier: Carrier,
    pub(super) description: D,
}

/// A session description that takes up an offer; only [`OfferAnswer`](super::OfferAnswer) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<D> {
    pub(super) by: Side,
    pub(super) offered_in: Carrier,
    pub(super) description: D,
}

impl<D> Offer<D> {
    /// The offerer.
    pub fn by(&self) -> Side {
        self.by
    }

    /// The message that carried the offer, which decides where its answer belongs.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// What is offered.
    pub fn description(&self) -> &D {
        &self.description
    }
}

impl<D> Answer<D> {
    /// The answerer.
    pub fn by(&self) -> Side {
        self.by
    }

    /// The message that carried the offer.
    pub fn offered_in(&self) -> Carrier {
        self.offered_in
    }

    /// What is answered.
    pub fn description(&self) -> &D {
        &self.description
    }
}

/// What holds between the two ends: the last offer with its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed<D> {
    /// What we said last.
    pub local: D,
    /// What the peer said last.
    pub remote: D,
    /// The offerer, which had the other one's description for an answer.
    pub offered_by: Side,
}

impl<D> Agreed<D> {
    pub(super) fn new(offer: Offer<D>, answer: D) -> Self {
        match offer.by {
            Side::Local => Agreed { local: offer.description, remote: answer, offered_by: offer.by },
            Side::Remote => Agreed { local: answer, remote: offer.description, offered_by: offer.by },
        }
    }

    /// What one end said last.
    pub fn of(&self, side: Side) -> &D {
        match side {
            Side::Local => &self.local,
            Side::Remote => &self.remote,
        }
    }
}

/// What a message is in the exchange of offers and answers.
///
/// Of a message that we are about to send, `Glare`, `TooEarly`, `Missing` and `Unexpected` say that it must not be sent
/// like this.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Verdict<D> {
    /// The message describes nothing and owes nothing.
    Nothing,
    /// The message makes an offer, which is open from now on.
    Offer(Offer<D>),
    /// The message answers the open offer: [`agreed`](super::OfferAnswer::agreed) is new.
    Answer(Answer<D>),
    /// The message shows the answer in a response that may be lost: media may flow by it, but the offer stays open until the 2xx,
    /// which must say the same. RFC 6337 §3.1.1.
    Preview(Answer<D>),
    /// The message should say again what a preview said, and says something else. In a 2xx or a reliable 1xx this is the answer,
    /// else it is the preview from now on: a system that put a tone before the callee means what it says last. RFC 6337
    /// §3.1.1 forbids it.
    Changed(Answer<D>),
    /// The message says what its sender has said already: there is nothing to do.
    Repeat,
    /// An offer of the other end is open or asked for: 491. Who was refused waits for [`glare_wait`]. RFC 3261 §14.2,
    /// RFC 3311 §5.2.
    Glare,
    /// An earlier offer or INVITE of the same end is not answered yet, or there is no session yet to change: 500 with a
    /// Retry-After of [`RETRY_AFTER_SECONDS`]. RFC 3261 §14.2, RFC 3311 §5.1-2.
    TooEarly,
    /// An offer or answer was due in it and is not there; no offer is open any more and what was agreed before holds.
    Missing,
    /// A description that has no place in it: in a response and in ACK it is ignored (RFC 3261 §13.2.1), a request is
    /// refused.
    Unexpected,
}

/// The Retry-After of a 500 for [`Verdict::TooEarly`], in seconds: to be chosen at random. RFC 3261 §14.2, RFC 3311 §5.2.
pub const RETRY_AFTER_SECONDS: RangeInclusive<u32> = 0..=10;

impl<D> Verdict<D> {
    /// What a request of this verdict is refused with; `None` where it is not for its timing to be refused.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Verdict::Glare => Some(StatusCode::REQUEST_PENDING),
            Verdict::TooEarly => Some(StatusCode::SERVER_INTERNAL_ERROR),
            _ => None,
        }
    }
}

/// How long to wait after a 491 before the request is said again: to be chosen at random, in steps of 10 ms. The side that
/// chose the Call-ID, which is the one that sent the first INVITE, leaves the other time to go first.
///
/// Source: RFC 3261 §14.1, RFC 3311 §5.3.
pub fn glare_wait(role: Role) -> RangeInclusive<Duration> {
    match role {
        Role::Uac => Duration::from_millis(2_100)..=Duration::from_secs(4),
        Role::Uas => Duration::ZERO..=Duration::from_secs(2),
    }
}

/// What a refusal leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Held {
    /// What was agreed before the refused request.
    Before,
    /// What was agreed inside the refused INVITE, by a confirmed answer or by an UPDATE. The UAS should have accepted it,
    /// and the UAC offers again so that both know what holds. RFC 6141 §3.3-4.
    Within,
}
