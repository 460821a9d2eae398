//! The end of a call: both legs down, ports back, records written, exactly once.

use std::time::Duration;

use sip::auth::Secret;
use sip::{Message, Method, Name};

use super::handshake::{MOST_PROOFS, authenticated};
use super::headers::Lines;
use super::io::{Action, AttemptEnd, Failure, Hop, RequestId};
use super::leg::{Leg, renewed};
use super::{Call, Phase};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::Side;
use crate::record::EndedBy;
use crate::reply::Cause;

/// What is kept for and after the end.
#[derive(Debug, Default)]
pub(super) struct Ending {
    deferred: [Option<Lines>; 2],
    byes: Vec<Bye>,
    by: EndedBy,
    reason: Option<String>,
    /// The callee has hung up before the caller was told of its answer, saying this.
    callee_left: Option<Lines>,
}

/// A BYE of ours, should it be challenged or not be delivered.
#[derive(Debug)]
struct Bye {
    request: RequestId,
    message: Message,
    to: Receiver,
}

/// Who gets a BYE of ours, and how.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Without its media.
    pub leg: Leg,
    pub hop: Hop,
    pub credentials: Option<(String, Secret)>,
    /// How many challenges were answered.
    pub proofs: u8,
    /// How often it was sent again, where it could not be delivered.
    pub tries: u8,
}

impl Receiver {
    /// The party of `leg`, whose next hop is `hop`.
    pub fn new(leg: &Leg, hop: Hop, credentials: Option<(String, Secret)>) -> Receiver {
        Receiver { leg: leg.without_media(), hop, credentials, proofs: 0, tries: 0 }
    }
}

impl Ending {
    /// A party ends the call, and gives this Reason.
    pub fn told(&mut self, side: Side, reason: Option<&str>) {
        self.by = match side {
            Side::A => EndedBy::Caller,
            Side::B => EndedBy::Callee,
        };
        self.reason = reason.map(sip::text::phrase);
    }

    /// Who ended the call; we did where no party said so.
    pub fn by(&self) -> EndedBy {
        self.by
    }

    /// The Reason that it gave.
    pub fn reason(&self) -> Option<String> {
        self.reason.clone()
    }

    /// A BYE that has to wait for the leg's ACK.
    pub fn defer_bye(&mut self, side: Side, says: Lines) {
        let [a, b] = &mut self.deferred;
        match side {
            Side::A => *a = Some(says),
            Side::B => *b = Some(says),
        }
    }

    /// The BYE that waited: what it says.
    pub fn take_bye(&mut self, side: Side) -> Option<Lines> {
        let [a, b] = &mut self.deferred;
        match side {
            Side::A => a.take(),
            Side::B => b.take(),
        }
    }

    /// Whether a BYE waits.
    pub fn has_deferred_bye(&self) -> bool {
        self.deferred.iter().any(Option::is_some)
    }

    /// The callee has hung up before the caller was told of its answer.
    pub fn callee_left(&mut self, says: Lines) {
        self.callee_left.get_or_insert(says);
    }

    /// Whether it has, and what its BYE said.
    pub fn take_callee_left(&mut self) -> Option<Lines> {
        self.callee_left.take()
    }

    /// A party has hung up itself, by `bye`: one of ours that did not reach it is not sent again.
    pub fn forget_bye_of(&mut self, bye: &Message) {
        self.byes.retain(|ours| !ours.to.leg.dialog.matches(bye));
    }

    /// The BYE of this request, to be sent again.
    fn take_sent_bye(&mut self, request: RequestId) -> Option<Bye> {
        let index = self.byes.iter().position(|bye| bye.request == request)?;
        Some(self.byes.swap_remove(index))
    }
}

impl Call {
    /// Ends the call from our side, whatever its state.
    pub(super) fn hang_up(&mut self, now: Now, tokens: &mut Tokens, cause: Cause) {
        match self.phase {
            Phase::Ended => {}
            Phase::Preparing | Phase::Trying => self.give_up(now, cause),
            // The caller is told so, and hung up.
            Phase::Answering if self.ending.callee_left.is_some() => self.answer_caller(now, tokens),
            Phase::Answering => {
                self.release_b(tokens, Some(&cause));
                self.give_up(now, cause);
            }
            Phase::Established => {
                self.acknowledge_all(tokens, Side::B);
                self.bye(tokens, Side::A, reason_of(&cause));
                self.release_b(tokens, Some(&cause));
                self.end(now, cause);
            }
        }
    }

    /// Takes down the b-leg, which is up, unless it has hung up itself. Its ACK goes first, if it has not had it.
    pub(super) fn release_b(&mut self, tokens: &mut Tokens, cause: Option<&Cause>) {
        if self.ending.take_callee_left().is_some() {
            return;
        }
        self.acknowledge_all(tokens, Side::A);
        self.bye(tokens, Side::B, cause.map(reason_of).unwrap_or_default());
    }

    /// Sends BYE on a leg whose dialog is confirmed; later where its ACK is still awaited.
    ///
    /// - `says`: headers of it.
    pub(super) fn bye(&mut self, tokens: &mut Tokens, side: Side, says: Lines) {
        if self.awaits_ack(side) {
            return self.ending.defer_bye(side, says);
        }
        let credentials = self.credentials_of(side);
        let Some(leg) = self.leg_mut(side) else { return };
        let (builder, hop) = leg.request(Method::Bye, tokens);
        let builder = says.iter().fold(builder, |builder, (name, value)| builder.raw(name, value)).no_body();
        let receiver = Receiver::new(leg, hop, credentials);
        self.send_bye(builder.build(), receiver);
    }

    /// Sends a BYE, and keeps it for what may become of it.
    pub(super) fn send_bye(&mut self, message: Message, to: Receiver) {
        let request = self.send(message.clone(), to.hop.clone());
        self.ending.byes.push(Bye { request, message, to });
    }

    /// The ACK came or never will: the BYE that waited for it may go.
    pub(super) fn send_deferred_bye(&mut self, tokens: &mut Tokens, side: Side) {
        if let Some(says) = self.ending.take_bye(side) {
            self.bye(tokens, side, says);
        }
    }

    /// A carrier challenged our BYE, the last request of its dialog.
    pub(super) fn authenticate_bye(&mut self, tokens: &mut Tokens, request: RequestId, response: &Message) {
        let Some(Bye { message, to, .. }) = self.ending.take_sent_bye(request) else { return };
        if to.proofs >= MOST_PROOFS {
            return;
        }
        let (who, number) = (to.credentials.as_ref(), after(&message));
        if let Some(again) = authenticated(&message, response, who, &to.leg.local, number, tokens) {
            self.send_bye(again, Receiver { proofs: to.proofs + 1, ..to });
        }
    }

    /// Our BYE could not be delivered, or nobody answered it: the peer must hear it, or its side of the call stays up.
    pub(super) fn repeat_bye(&mut self, tokens: &mut Tokens, request: RequestId, lost: Failure) {
        let Some(Bye { message, mut to, .. }) = self.ending.take_sent_bye(request) else { return };
        // Where there is silence nothing is gained by a new connection.
        to.tries = to.tries.max(u8::from(lost == Failure::Timeout));
        let Some(hop) = to.leg.after_failure(&to.hop, to.tries) else { return };
        let again = renewed(&message, after(&message), &to.leg.local, tokens).build();
        self.send_bye(again, Receiver { hop, tries: to.tries + 1, ..to });
    }

    /// Acknowledges what the other leg answered of `from`'s INVITEs: a dialog that is up can only be ended after it.
    fn acknowledge_all(&mut self, tokens: &mut Tokens, from: Side) {
        for (request, cseq) in self.unacknowledged(from) {
            self.acknowledge(tokens, from, request, cseq, None);
        }
    }

    /// Everything that a call holds goes back, and its record is written. Only the first end counts.
    pub(super) fn end(&mut self, now: Now, cause: Cause) {
        if matches!(self.phase, Phase::Ended) {
            return;
        }
        self.phase = Phase::Ended;
        self.times.ended = Some(self.ended(now));
        self.stop_ringing();
        self.timers.longest_setup = None;
        self.attempt_ends(now, AttemptEnd::GivenUp, None, cause.text.clone(), None);
        self.timers.max_duration = None;
        self.timers.journal = None;
        self.routes.clear();
        self.targets.clear();
        self.drop_unanswered_handshakes();
        self.end_exchanges();
        self.close_media(now);
        self.proof.again = None;
        let mut settled = self.settled(cause);
        if let Some(note) = self.unacknowledged_note(now) {
            settled.times.answered = None;
            settled.notes.push(note);
        }
        self.actions.push_back(Action::Settle(Box::new(settled)));
    }

    /// When a call ended that ends now. The wall clock may be set while people talk: who pays, pays for what passed.
    fn ended(&self, now: Now) -> Duration {
        match (self.times.answered, self.answered_at) {
            (Some(answered), Some(at)) => answered + now.instant.saturating_duration_since(at),
            _ => now.unix,
        }
    }
}

/// The CSeq number that follows a request's.
fn after(request: &Message) -> u32 {
    request.cseq().map_or(1, |cseq| cseq.number).saturating_add(1)
}

pub(super) fn reason_of(cause: &Cause) -> Lines {
    vec![(Name::Reason.as_str().to_owned(), cause.reason().into_bytes())]
}
