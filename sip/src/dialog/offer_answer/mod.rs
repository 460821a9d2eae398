//! Offer and answer of one dialog as a state: the only place that knows whether a session description is an offer.

mod carrier;
#[cfg(test)]
mod tests;
mod verdict;

pub use carrier::{Carrier, Refusable, Side};
pub use verdict::{Agreed, Answer, Held, Offer, RETRY_AFTER_SECONDS, Verdict, glare_wait};

/// The offers and answers of one dialog: which is open, and what holds.
///
/// ```text
///             INVITE, UPDATE, PRACK that describe; 1xx-rel, 2xx to an INVITE that does not
///            --------------------------------------------------------------------------->
///    Stable(agreed)                                                  Offered(offer, before) --+ 18x: a preview
///            <---------------------------------------------------------------------------  ^--+ INVITE, UPDATE: 491, 500
///             its answer: agreed is new; refused, or no answer where one is due: before holds
/// ```
///
/// | Offer in | Answer in | Refused by |
/// | --- | --- | --- |
/// | INVITE | 2xx, 1xx-rel | 300 and above |
/// | 2xx | ACK | - |
/// | 1xx-rel | PRACK | - |
/// | PRACK | its 2xx | 300 and above |
/// | UPDATE | its 2xx | 300 and above |
///
/// Every INVITE, its responses but 100, and every ACK, PRACK and UPDATE with its 2xx are [taken](Self::take) in the order in
/// which they are sent and received, whether they describe a session or not; a request that had no 2xx is
/// [refused](Self::refused). Repeats that a transaction absorbs are no messages, nor is a PRACK whose RAck names no response to
/// the INVITE under way. A 2xx to PRACK or UPDATE is that of the newest: there is one of each at a time (RFC 3262 §3,
/// RFC 3311 §5.2). `D` is whatever the owner remembers of a
/// description; equal ones say the same. Each early dialog of a forked INVITE has a state of its own, a clone of what the
/// INVITE left.
///
/// Source: RFC 3264 §4, RFC 6337 §2.2 table 1, RFC 3262 §5, RFC 3311 §5, RFC 6141 §3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferAnswer<D> {
    exchange: Exchange<D>,
    /// The INVITE without final response, if there is one.
    invite: Option<Box<Invite<D>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exchange<D> {
    /// No offer is open; nothing is agreed before the first answer.
    Stable(Option<Agreed<D>>),
    /// `preview` is what an unreliable response to the INVITE showed of the answer.
    Offered { offer: Offer<D>, preview: Option<D>, before: Option<Agreed<D>> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Invite<D> {
    by: Side,
    progress: Progress<D>,
}

/// How far the offer and answer of an INVITE are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress<D> {
    /// The INVITE describes nothing: the first reliable response offers.
    WantsOffer,
    /// The offer of the INVITE, or that of a reliable 1xx, is open.
    Offered,
    /// A reliable 1xx has brought the answer and waits for its PRACK. `before` held when the INVITE came.
    Answered { before: Option<Agreed<D>> },
    /// The PRACK is on its way, with the answer or for it, and its 2xx is due.
    Acknowledged { before: Option<Agreed<D>> },
    /// Both ends know that both have the answer: it holds whatever becomes of the INVITE.
    Committed,
}

impl<D> Default for OfferAnswer<D> {
    /// Before the first INVITE.
    fn default() -> Self {
        OfferAnswer { exchange: Exchange::Stable(None), invite: None }
    }
}

impl<D: Clone + PartialEq> OfferAnswer<D> {
    /// Says what a message is and takes note of it.
    ///
    /// - `from`: whose message; [`Side::Local`] for one that we are about to send.
    /// - `description`: its session description, if it has one.
    ///
    /// `Glare`, `TooEarly` and `Unexpected` change no exchange: of such a request there is nothing to be
    /// [`refused`](Self::refused) either.
    pub fn take(&mut self, from: Side, carrier: Carrier, description: Option<D>) -> Verdict<D> {
        match carrier {
            Carrier::Invite => self.take_invite(from, description),
            Carrier::Provisional => self.take_provisional(from, description),
            Carrier::ReliableProvisional => self.take_reliable(from, description),
            Carrier::InviteOk => self.take_invite_ok(from, description),
            Carrier::Prack => self.take_prack(from, description),
            Carrier::Update => self.take_update(from, description),
            Carrier::Ack => self.take_answer(from, Carrier::InviteOk, description),
            Carrier::UpdateOk => self.take_answer(from, Carrier::Update, description),
            Carrier::PrackOk => {
                let verdict = self.take_answer(from, Carrier::Prack, description);
                if let Some(invite) = self.invite.as_mut().filter(|invite| invite.by != from)
                    && let Progress::Acknowledged { .. } = invite.progress
                {
                    invite.progress = Progress::Committed;
                }
                verdict
            }
        }
    }

    /// A request of `by`'s was refused, or had no response at all: its offer is gone, and what was agreed before holds
    /// unless a confirmed answer changed it inside the INVITE.
    ///
    /// Source: RFC 3261 §14.1, RFC 3311 §5.2-3, RFC 6141 §3.
    pub fn refused(&mut self, by: Side, request: Refusable) -> Held {
        match request {
            Refusable::Invite => return self.invite_refused(by),
            Refusable::Prack => self.close(by.other(), Carrier::Prack),
            Refusable::Update => self.close(by.other(), Carrier::Update),
        };
        Held::Before
    }

    /// What holds now, also while a new offer is open; `None` before the first answer.
    pub fn agreed(&self) -> Option<&Agreed<D>> {
        match &self.exchange {
            Exchange::Stable(agreed) => agreed.as_ref(),
            Exchange::Offered { before, .. } => before.as_ref(),
        }
    }

    /// The offer that waits for its answer.
    pub fn open(&self) -> Option<&Offer<D>> {
        match &self.exchange {
            Exchange::Stable(_) => None,
            Exchange::Offered { offer, .. } => Some(offer),
        }
    }

    /// Whether the INVITE under way has changed what holds, and should be accepted therefore. RFC 6141 §3.3.
    pub fn is_committed(&self) -> bool {
        self.invite.as_ref().is_some_and(|invite| matches!(invite.progress, Progress::Committed))
    }

    fn take_invite(&mut self, from: Side, description: Option<D>) -> Verdict<D> {
        let busy = self.invite.as_ref().map(|invite| invite.by).or(self.open().map(Offer::by));
        if let Some(by) = busy {
            return blocked(by, from);
        }
        let progress = if description.is_some() { Progress::Offered } else { Progress::WantsOffer };
        self.invite = Some(Box::new(Invite { by: from, progress }));
        match description {
            Some(description) => self.offer(from, Carrier::Invite, description),
            None => Verdict::Nothing,
        }
    }

    /// A response that may be lost carries no offer (RFC 3261 §13.2.1) and no answer but as a preview.
    fn take_provisional(&mut self, from: Side, description: Option<D>) -> Verdict<D> {
        let Some(description) = description else { return Verdict::Nothing };
        match &mut self.exchange {
            Exchange::Offered { offer, preview, .. }
                if offer.carrier == Carrier::Invite && offer.by != from =>
            {
                let shown = preview.replace(description.clone());
                if shown.as_ref() == Some(&description) {
                    return Verdict::Repeat;
                }
                let answer = Answer { by: from, offered_in: Carrier::Invite, description };
                if shown.is_some() { Verdict::Changed(answer) } else { Verdict::Preview(answer) }
            }
            _ => self.again(from, &description),
        }
    }

    /// A reliable 1xx brings the answer, or the offer that the INVITE left to it; one without description leaves that to
    /// a later response, though RFC 3262 §5 wants the offer in the first.
    fn take_reliable(&mut self, from: Side, description: Option<D>) -> Verdict<D> {
        let Some(description) = description else { return Verdict::Nothing };
        let Some(invite) = self.invite.as_mut().filter(|invite| invite.by != from) else {
            return self.again(from, &description);
        };
        match invite.progress {
            Progress::WantsOffer => {
                invite.progress = Progress::Offered;
                self.offer(from, Carrier::ReliableProvisional, description)
            }
            _ => match self.close(from, Carrier::Invite) {
                Some(closed) => {
                    let before = closed.before.clone();
                    self.progress(Progress::Answered { before });
                    self.answer(from, closed, description)
                }
                None => self.again(from, &description),
            },
        }
    }

    /// The 2xx ends the INVITE. Where it describes nothing, what was shown before was the answer (RFC 3261 §13.2.1).
    fn take_invite_ok(&mut self, from: Side, description: Option<D>) -> Verdict<D> {
        // What a reliable 1xx of ours described is not to be overtaken: RFC 3262 §3.
        if from == Side::Local && self.awaits_prack(from) {
            return Verdict::TooEarly;
        }
        let wants_offer = match self.invite.take_if(|invite| invite.by != from) {
            Some(invite) => matches!(invite.progress, Progress::WantsOffer),
            None => {
                return description.map_or(Verdict::Nothing, |description| self.again(from, &description));
            }
        };
        match (description, self.close(from, Carrier::Invite)) {
            (Some(description), Some(closed)) => self.answer(from, closed, description),
            (None, Some(mut closed)) => match closed.preview.take() {
                Some(shown) => self.answer(from, closed, shown),
                None => Verdict::Missing,
            },
            (Some(description), None) if wants_offer => self.offer(from, Carrier::InviteOk, description),
            (Some(description), None) => self.again(from, &description),
            (None, None) if wants_offer => Verdict::Missing,
            (None, None) => Verdict::Nothing,
        }
    }

    /// PRACK answers the offer of a reliable 1xx, or may offer anew after the answer of one. RFC 3262 §5.
    fn take_prack(&mut self, from: Side, description: Option<D>) -> Verdict<D> {
        if let Some(closed) = self.close(from, Carrier::ReliableProvisional) {
            let before = closed.before.clone();
            return match description {
                Some(description) => {
                    self.progress(Progress::Acknowledged { before });
                    self.answer(from, closed, description)
                }
                None => {
                    self.progress(Progress::WantsOffer);
                    Verdict::Missing
                }
            };
        }
        let mut may_offer = false;
        if let Some(invite) = self.invite.as_mut().filter(|invite| invite.by == from) {
            if let Progress::Answered { before } = &mut invite.progress {
                invite.progress = Progress::Acknowledged { before: before.take() };
            }
            may_offer = matches!(invite.progress, Progress::Acknowledged { .. } | Progress::Committed);
        }
        match (description, self.open().map(Offer::by)) {
            (None, _) => Verdict::Nothing,
            (Some(_), _) if !may_offer => Verdict::Unexpected,
            (Some(_), Some(by)) => blocked(by, from),
            (Some(description), None) => self.offer(from, Carrier::Prack, description),
        }
    }

    fn take_update(&mut self, from: Side, description: Option<D>) -> Verdict<D> {
        let Some(description) = description else { return Verdict::Nothing };
        // An INVITE that leaves the offer to the other end has asked for it already.
        let wants_offer = |invite: &&Invite<D>| matches!(invite.progress, Progress::WantsOffer);
        let asking = self.invite.as_deref().filter(wants_offer).map(|invite| invite.by);
        if let Some(by) = self.open().map(Offer::by).or(asking) {
            return blocked(by, from);
        }
        if self.agreed().is_none() || self.awaits_prack(from) {
            return Verdict::TooEarly;
        }
        self.offer(from, Carrier::Update, description)
    }

    /// The message in which the answer to an offer in `offered_in` is due, if that is the open one.
    fn take_answer(&mut self, from: Side, offered_in: Carrier, description: Option<D>) -> Verdict<D> {
        match (self.close(from, offered_in), description) {
            (Some(closed), Some(description)) => {
                // What an UPDATE or PRACK agreed on inside an INVITE was built on its first answer.
                if offered_in != Carrier::InviteOk {
                    self.progress(Progress::Committed);
                }
                self.answer(from, closed, description)
            }
            (Some(_), None) => Verdict::Missing,
            (None, Some(description)) => self.again(from, &description),
            (None, None) => Verdict::Nothing,
        }
    }

    fn invite_refused(&mut self, by: Side) -> Held {
        let Some(invite) = self.invite.take_if(|invite| invite.by == by) else { return Held::Before };
        self.close(by.other(), Carrier::Invite);
        self.close(by, Carrier::ReliableProvisional);
        match invite.progress {
            Progress::Committed => return Held::Within,
            // The refusal may have been sent before the PRACK came: RFC 3262 §3 lets the UAS.
            Progress::Answered { before: old } | Progress::Acknowledged { before: old } => {
                match &mut self.exchange {
                    Exchange::Stable(held) | Exchange::Offered { before: held, .. } => *held = old,
                }
            }
            Progress::WantsOffer | Progress::Offered => {}
        }
        Held::Before
    }

    /// Opens an offer; only where none is open.
    fn offer(&mut self, by: Side, carrier: Carrier, description: D) -> Verdict<D> {
        let offer = Offer { by, carrier, description };
        let before = self.agreed().cloned();
        self.exchange = Exchange::Offered { offer: offer.clone(), preview: None, before };
        Verdict::Offer(offer)
    }

    /// Closes the open offer if it was carried by `carrier` and is `by`'s to answer: what held before holds.
    fn close(&mut self, by: Side, carrier: Carrier) -> Option<Closed<D>> {
        match &mut self.exchange {
            Exchange::Offered { offer, preview, before } if offer.carrier == carrier && offer.by != by => {
                let closed = Closed { offer: offer.clone(), preview: preview.take(), before: before.clone() };
                self.exchange = Exchange::Stable(before.take());
                Some(closed)
            }
            _ => None,
        }
    }

    fn answer(&mut self, by: Side, closed: Closed<D>, description: D) -> Verdict<D> {
        let Closed { offer, preview, .. } = closed;
        let answer = Answer { by, offered_in: offer.carrier, description: description.clone() };
        let changed = preview.is_some_and(|shown| shown != description);
        self.exchange = Exchange::Stable(Some(Agreed::new(offer, description)));
        if changed { Verdict::Changed(answer) } else { Verdict::Answer(answer) }
    }

    /// A description where neither an offer nor an answer is due.
    fn again(&self, from: Side, description: &D) -> Verdict<D> {
        let open = self.open().filter(|offer| offer.by == from).map(Offer::description);
        let said = open.or(self.agreed().map(|agreed| agreed.of(from)));
        if said == Some(description) { Verdict::Repeat } else { Verdict::Unexpected }
    }

    fn progress(&mut self, progress: Progress<D>) {
        if let Some(invite) = &mut self.invite {
            invite.progress = progress;
        }
    }

    /// Whether a reliable 1xx of `from`'s has described something and has had no PRACK.
    fn awaits_prack(&self, from: Side) -> bool {
        let answered = self
            .invite
            .as_ref()
            .is_some_and(|invite| invite.by != from && matches!(invite.progress, Progress::Answered { .. }));
        let offered = |offer: &Offer<D>| offer.by == from && offer.carrier == Carrier::ReliableProvisional;
        answered || self.open().is_some_and(offered)
    }
}

/// An offer that is open no more.
struct Closed<D> {
    offer: Offer<D>,
    preview: Option<D>,
    before: Option<Agreed<D>>,
}

/// A request of `from`'s while an offer or an INVITE of `by`'s is open.
fn blocked<D>(by: Side, from: Side) -> Verdict<D> {
    if by == from { Verdict::TooEarly } else { Verdict::Glare }
}
