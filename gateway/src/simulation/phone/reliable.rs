//! Reliable provisional responses, RFC 3262: RSeq, the repeating until the PRACK, and what a PRACK carries.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sip::dialog::Dialog;
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, StatusCode};

use super::abilities::{Pracks, Rel100, requires, says};
use super::chores::Chore;
use super::faults::Fault;
use super::writing::wrapped;
use super::{Phone, Stage};
use crate::random::Random;
use crate::simulation::media::describes;

/// T1 and 64*T1 of RFC 3262 §3.
const FIRST: Duration = Duration::from_millis(500);
const GIVE_UP: Duration = Duration::from_secs(32);

/// How far one early dialog is.
#[derive(Default)]
pub(crate) struct Progress {
    /// The RSeq of the last reliable response that was given, or heard.
    rseq: Option<u32>,
    /// Given, and not acknowledged.
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// Responses that wait for the PRACK of the one before.
    pub(super) waiting: VecDeque<Waiting>,
    /// Offer and answer of the INVITE are done before its 2xx: that says nothing of media any more.
    pub settled: bool,
    /// Heard, and not acknowledged yet: by chance or by habit.
    unpracked: Option<u32>,
    /// A PRACK of its own is on its way.
    pub(super) pracking: bool,
    /// An offer in a PRACK met another one: the next PRACK carries none.
    pub(super) plain: bool,
}

pub(super) struct Unacknowledged {
    rseq: u32,
    response: Message,
    /// The response carries an offer, so the PRACK must answer.
    offers: bool,
    resend: Instant,
    interval: Duration,
    give_up: Instant,
}

pub(super) struct Waiting {
    status: u16,
    with_sdp: bool,
    headers: Vec<(String, String)>,
    tag: String,
}

impl Progress {
    /// The PRACK is refused for the offer in it.
    pub(super) fn refused_offer(&mut self) {
        self.plain = true;
        self.unpracked = self.rseq;
    }

    /// The answer to the INVITE came reliably before this 2xx to it.
    pub(super) fn settled_by_invite(&self, is_first: bool) -> bool {
        is_first && self.settled
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.unacknowledged.as_ref().map(|one| one.resend.min(one.give_up))
    }
}

impl Phone {
    /// Keeps a response back until the PRACK of the one before has come: true.
    pub(super) fn waits_for_prack(
        &mut self,
        index: usize,
        (status, with_sdp): (u16, bool),
        headers: &[(&str, &str)],
        tag: &str,
    ) -> bool {
        let progress = &mut self.calls[index].progress;
        if status >= 300 {
            progress.unacknowledged = None;
            progress.waiting.clear();
            for other in &mut self.calls[index].others {
                other.progress = Progress::default();
            }
            return false;
        }
        // RFC 3262 §3: a 2xx must wait for one that carries a description; these wait for any.
        if progress.unacknowledged.is_none() {
            return false;
        }
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let headers = headers.collect();
        progress.waiting.push_back(Waiting { status, with_sdp, headers, tag: tag.to_owned() });
        true
    }

    /// Whether it gives this provisional response reliably.
    pub(super) fn is_reliable(&self, index: usize, status: u16) -> bool {
        let invite = &self.calls[index].invite;
        let wanted = match self.abilities.rel100 {
            Rel100::Unknown => false,
            Rel100::OnDemand => requires(invite, "100rel"),
            Rel100::Supported | Rel100::Required => says(invite, "100rel"),
        };
        wanted && (101..200).contains(&status) && (status != 199 || requires(invite, "100rel"))
    }

    /// With Require and the next RSeq.
    pub(super) fn numbered(&mut self, index: usize, builder: Builder) -> Builder {
        let first = self.random.below(1 << 30) as u32 + 1;
        let progress = &mut self.calls[index].progress;
        let rseq = progress.rseq.map_or(first, |last| last + 1);
        progress.rseq = Some(rseq);
        builder.header(Name::Require, "100rel").header(Name::RSeq, rseq.to_string())
    }

    /// Repeats `response` until its PRACK.
    pub(super) fn give_reliably(&mut self, now: Instant, index: usize, server: ServerId, response: Message) {
        let call = &mut self.calls[index];
        if call.dialog.is_none() {
            call.dialog = Dialog::uas(&call.invite, &call.local_tag).ok();
        }
        let describes = describes(response.body());
        let offers = describes && call.media.is_offering();
        call.progress.settled |= describes && !offers;
        let rseq = call.progress.rseq.unwrap_or_default();
        call.progress.unacknowledged = Some(Unacknowledged {
            rseq,
            response: response.clone(),
            offers,
            resend: now + FIRST,
            interval: FIRST,
            give_up: now + GIVE_UP,
        });
        self.say(now, server, response);
    }

    pub(super) fn repeat_unacknowledged(&mut self, now: Instant, index: usize) {
        let call = &mut self.calls[index];
        let Some(server) = call.server else { return };
        let (mut again, mut over) = (Vec::new(), false);
        let others = call.others.iter_mut().map(|other| &mut other.progress);
        for progress in others.chain([&mut call.progress]) {
            let Some(one) = &mut progress.unacknowledged else { continue };
            if one.give_up <= now {
                over = true;
            } else if one.resend <= now {
                one.interval *= 2;
                one.resend = now + one.interval;
                again.push(one.response.clone());
            }
        }
        for response in again {
            self.layer.respond(now, server, response);
        }
        if over && self.calls[index].stage == Stage::Open {
            self.respond(now, index, 504, false, &[]);
        }
    }

    /// A caller heard a 1xx in the dialog that it goes by now.
    pub(super) fn heard_provisional(&mut self, now: Instant, index: usize, response: &Message) {
        let rseq = response.value(Name::RSeq).and_then(|value| value.trim().parse::<u32>().ok());
        let Some(rseq) = rseq.filter(|_| requires(response, "100rel")) else { return };
        if self.abilities.rel100 == Rel100::Unknown {
            return;
        }
        let strict = self.habits.strict;
        let call = &mut self.calls[index];
        let delayed = call.client.is_some_and(|id| call.delayed.contains(&id));
        match call.progress.rseq {
            Some(last) if rseq <= last => {
                if call.progress.unpracked == Some(rseq)
                    && (call.progress.plain || self.abilities.pracks == Pracks::AtTheSecondCopy)
                {
                    self.prack(now, index, response);
                }
                return;
            }
            Some(last) if rseq > last + 1 => return,
            _ => {}
        }
        call.progress.rseq = Some(rseq);
        call.progress.unpracked = Some(rseq);
        if describes(response.body()) && !call.progress.settled && !delayed {
            let fits = call.media.take_answer(response.body());
            assert!(fits || !strict, "an answer that does not fit the offer: {response:?}");
            call.progress.settled = true;
        }
        match self.abilities.pracks {
            _ if self.fault == Some(Fault::NeverPracks) => {}
            Pracks::AtOnce => self.prack(now, index, response),
            Pracks::Late(after) => self.do_later(now + after, Chore::Prack(index, response.clone())),
            Pracks::Twice => {
                self.prack(now, index, response);
                self.do_later(now + Duration::from_millis(300), Chore::PrackAgain(index, response.clone()));
            }
            Pracks::AtTheSecondCopy => {}
        }
    }

    /// Acknowledges a reliable response, with whatever of media belongs there.
    pub(super) fn prack(&mut self, now: Instant, index: usize, response: &Message) {
        let call = &mut self.calls[index];
        let tag = response.to_tag().unwrap_or_default();
        if call.is_confirmed() || call.stage != Stage::Open || !call.turn_to(&tag) {
            return;
        }
        call.progress.unpracked = None;
        call.progress.pracking = true;
        let delayed = call.client.is_some_and(|id| call.delayed.contains(&id));
        let terms = self.terms();
        let call = &mut self.calls[index];
        let sdp = if delayed && !call.progress.settled && describes(response.body()) {
            call.progress.settled = true;
            call.media.answer(terms, response.body(), "sendrecv", &mut self.random)
        } else if self.abilities.offers_in_prack
            && call.progress.settled
            && !call.progress.plain
            && !call.is_offering()
        {
            Some(call.media.offer(terms, "sendrecv", &mut self.random))
        } else {
            None
        };
        let offers = call.media.is_offering() && sdp.is_some();
        let (Some(rseq), Ok(cseq)) = (response.value(Name::RSeq), response.cseq()) else { return };
        let rack = format!("{} {} INVITE", rseq.trim(), cseq.number);
        let Some(builder) = self.inside(index, Method::Prack) else { return };
        let mut builder = builder.header(Name::RAck, rack);
        if let Some(sdp) = sdp {
            builder = wrapped(self.wraps, builder, sdp);
        }
        let id = self.send(now, index, builder.build());
        if offers {
            self.calls[index].offering = Some(id);
        }
    }

    /// A PRACK came.
    pub(super) fn pracked(&mut self, now: Instant, index: usize, server: ServerId, prack: &Message) {
        let call = &mut self.calls[index];
        let rack = prack.value(Name::RAck).map(|value| value.into_owned()).unwrap_or_default();
        let mut words = rack.split_whitespace();
        let rseq = words.next().and_then(|word| word.parse::<u32>().ok());
        let cseq = words.next().and_then(|word| word.parse::<u32>().ok());
        let mine =
            call.progress.unacknowledged.as_ref().filter(|one| {
                Some(one.rseq) == rseq && cseq == call.invite.cseq().ok().map(|cseq| cseq.number)
            });
        let Some(offers) = mine.map(|one| one.offers) else {
            return self.reply(now, server, prack, 481);
        };
        let (terms, strict) = (self.terms(), self.habits.strict);
        if !offers && self.calls[index].is_offering() && describes(prack.body()) {
            return self.reply(now, server, prack, 491);
        }
        let call = &mut self.calls[index];
        call.progress.unacknowledged = None;
        let mut sdp = None;
        if offers {
            let fits = describes(prack.body()) && call.media.take_answer(prack.body());
            assert!(fits || !strict, "a PRACK without the answer: {prack:?}");
            call.progress.settled = true;
        } else if describes(prack.body()) {
            sdp = call.media.answer(terms, prack.body(), "sendrecv", &mut self.random);
        }
        let code = StatusCode::new(200).unwrap();
        let mut reply = self.dressed(Builder::reply(prack, code, "OK", None));
        if let Some(sdp) = sdp {
            reply = self.described(reply, sdp);
        }
        self.say(now, server, reply.build());
        while self.calls[index].progress.unacknowledged.is_none()
            && let Some(next) = self.calls[index].progress.waiting.pop_front()
        {
            let headers: Vec<(&str, &str)> =
                next.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            self.respond_as(now, index, next.status, next.with_sdp, &headers, &next.tag);
        }
    }
}
