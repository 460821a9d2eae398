//! One call of one phone: what it heard and gave, and where the call stands.

use std::time::Instant;

use bytes::Bytes;
use sip::dialog::{Dialog, UasAccept};
use sip::transaction::{ClientId, ServerId};
use sip::{Message, Method};

use super::dialogs::Other;
use super::reliable::Progress;
use super::session::Session;
use super::transfer::{Referral, Subscription};
use super::{Phone, Wrap};
use crate::simulation::media::Media;

/// Where a call stands, as a phone sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The INVITE is out or in; not answered.
    Open,
    /// 2xx sent or received.
    Up,
    /// Refused, cancelled, or BYE sent or received.
    Over,
}

/// One call of one phone.
pub(crate) struct PhoneCall {
    pub caller: bool,
    pub stage: Stage,
    /// The INVITE that began it.
    pub invite: Message,
    mark: Option<u32>,
    pub(super) server: Option<ServerId>,
    pub(super) client: Option<ClientId>,
    pub local_tag: String,
    pub dialog: Option<Dialog>,
    /// Other dialogs of the same INVITE: it answered twice, or it was answered twice.
    pub forks: Vec<Dialog>,
    pub(super) accepts: Vec<Accept>,
    pub(super) acks: Vec<(ClientId, String, Message)>,
    /// Re-INVITEs and UPDATEs that the test answers.
    pub asked: Vec<(ServerId, Message)>,
    /// The answer that it gave reliably to the first of these.
    pub(super) rung_again: Option<Bytes>,
    /// The call that it was placed for, in a loop.
    pub sent_for: Option<usize>,
    /// Everything that it heard.
    pub heard: Vec<Message>,
    /// The phone gave up on the INVITE: no answer came.
    pub timed_out: bool,
    pub cancelled: bool,
    /// The re-INVITE or UPDATE of its own that is not answered yet.
    pub(super) offering: Option<ClientId>,
    /// INVITEs without an offer: their ACKs carry the answer.
    pub(super) delayed: Vec<ClientId>,
    pub media: Media,
    /// How it describes its media to the INVITE that came in: the same in each answer.
    pub described: Option<Bytes>,
    /// Status codes of the answers that it gave to its first INVITE.
    pub gave: Vec<u16>,
    /// The phone gave an answer of no use, and was offered anew what held before: its word on that is for nobody else.
    pub spoilt: bool,
    /// What held before has not been offered to it again yet.
    pub out_of_step: bool,
    /// The phone acknowledges 2xx.
    pub acknowledges: bool,
    /// How it wraps its first description, where not as the phone does.
    pub wraps: Option<Wrap>,
    /// The phone went away without a word.
    pub vanished: bool,
    /// Other early dialogs of its INVITE.
    pub others: Vec<Other>,
    /// How far the early dialog is that the call goes by.
    pub progress: Progress,
    /// As it was when the INVITE was sent, for each dialog of it.
    pub first_media: Media,
    /// What must be refreshed.
    pub session: Option<Session>,
    pub(super) sessions: u64,
    /// The phone hung up because nobody refreshed the session.
    pub expired: bool,
    /// So often it was redirected.
    pub(super) hops: u32,
    /// The last re-INVITE or UPDATE of its own: method and direction.
    pub(super) offered: Option<(Method, Option<String>)>,
    /// REFERs of its own.
    pub subscriptions: Vec<Subscription>,
    /// The call in which a REFER asked for this one.
    pub(super) referral: Option<Referral>,
    /// All that it said and heard, in order, without repeats of its own.
    pub trace: Vec<Seen>,
}

/// A message that a phone said or heard.
pub(crate) struct Seen {
    pub at: Instant,
    pub said: bool,
    pub message: Message,
}

impl PhoneCall {
    /// The status codes heard in answer to `method`, in order.
    pub fn statuses(&self, method: &Method) -> Vec<u16> {
        let answers = self.heard.iter().filter(|one| one.cseq().is_ok_and(|cseq| cseq.method == *method));
        answers.filter_map(|one| Some(one.status()?.code())).collect()
    }

    /// The answers to its first INVITE, 100 apart.
    pub fn answers(&self) -> Vec<u16> {
        let first = self.invite.cseq().map_or(0, |cseq| cseq.number);
        let mine = self.heard.iter().filter(|one| {
            one.is_response()
                && one.cseq().is_ok_and(|cseq| cseq.method == Method::Invite && cseq.number == first)
        });
        mine.filter_map(|one| Some(one.status()?.code())).filter(|status| *status != 100).collect()
    }

    /// The requests heard, in order.
    pub fn requests(&self) -> Vec<String> {
        self.heard.iter().filter_map(|one| Some(one.method()?.to_string())).collect()
    }

    /// The newest response heard with `status`.
    pub fn response(&self, status: u16) -> Option<&Message> {
        self.heard.iter().rev().find(|one| one.status().is_some_and(|code| code.code() == status))
    }

    /// The newest request heard of `method`.
    pub fn request(&self, method: &Method) -> Option<&Message> {
        self.heard.iter().rev().find(|one| one.method().as_ref() == Some(method))
    }

    pub fn call_id(&self) -> String {
        self.invite.call_id().unwrap_or_default().to_owned()
    }

    /// Our mark on a call of a simulation, which crosses the gateway as any unknown header does.
    pub fn mark(&self) -> Option<u32> {
        self.mark
    }

    /// Whether a re-INVITE or UPDATE of its own, or an offer in a 2xx that it gave, is not answered yet.
    pub fn is_offering(&self) -> bool {
        self.offering.is_some() || self.media.is_offering()
    }

    /// For a fault: an offer of its own is out.
    pub(super) fn offered_twice(&self) -> bool {
        self.offered.is_some()
    }

    /// Whether it is up, and waits for no answer and no ACK, nor anybody for one of its own.
    pub fn is_settled(&self) -> bool {
        self.stage == Stage::Up && !self.is_offering() && self.asked.is_empty() && self.accepts.is_empty()
    }
}

/// A 2xx that it gave, until its ACK.
pub(super) struct Accept {
    pub(super) server: ServerId,
    pub(super) cseq: u32,
    pub(super) tag: String,
    pub(super) machine: UasAccept<Message>,
}

impl Phone {
    pub(super) fn call(&self, caller: bool, invite: Message, local_tag: String) -> PhoneCall {
        PhoneCall {
            caller,
            stage: Stage::Open,
            mark: invite.value("X-Call".into()).and_then(|mark| mark.parse().ok()),
            invite,
            server: None,
            client: None,
            local_tag,
            dialog: None,
            forks: Vec::new(),
            accepts: Vec::new(),
            acks: Vec::new(),
            asked: Vec::new(),
            rung_again: None,
            sent_for: None,
            heard: Vec::new(),
            timed_out: false,
            cancelled: false,
            offering: None,
            delayed: Vec::new(),
            media: Media::new(self.speaks, self.rekeys),
            described: None,
            gave: Vec::new(),
            acknowledges: true,
            spoilt: false,
            out_of_step: false,
            wraps: None,
            vanished: false,
            others: Vec::new(),
            progress: Progress::default(),
            first_media: Media::new(self.speaks, self.rekeys),
            session: None,
            sessions: 0,
            expired: false,
            hops: 0,
            offered: None,
            subscriptions: Vec::new(),
            referral: None,
            trace: Vec::new(),
        }
    }

    /// Notes a message of a call that it knows.
    pub(super) fn trace(&mut self, at: Instant, said: bool, message: &Message) {
        if let Some(index) = self.party(message, said) {
            self.calls[index].trace.push(Seen { at, said, message: message.clone() });
        }
    }

    /// The call that a message belongs to which came.
    pub(super) fn index_of(&self, message: &Message) -> Option<usize> {
        let last = || self.by_call_id.get(message.call_id().ok()?)?.last().copied();
        self.party(message, false).or_else(last)
    }

    /// A phone that calls itself has two calls of one Call-ID: their tags tell them apart.
    fn party(&self, message: &Message, said: bool) -> Option<usize> {
        let calls = self.by_call_id.get(message.call_id().ok()?)?;
        let own = if message.is_request() == said { message.from_tag() } else { message.to_tag() };
        let is_mine = |index: &&usize| {
            let call = &self.calls[**index];
            match &own {
                Some(tag) => call.has_local_tag(tag),
                None => !call.caller,
            }
        };
        calls.iter().rev().find(is_mine).copied()
    }

    pub(super) fn remember(&mut self, message: &Message, index: usize) {
        let call_id = message.call_id().unwrap_or_default().to_owned();
        self.by_call_id.entry(call_id).or_default().push(index);
    }
}
