//! What the core asks of a call.

use sip::Message;
use sip::header::Replaces;

use super::door::is_dialog_of;
use super::{Account, Call, Cause, LegRef, Party, Settled, Side, Stage, Times, leg, settled};

impl Call {
    /// Whether the call has ended and nothing of it is left to wait for: forget it.
    pub fn is_over(&self) -> bool {
        let ended = matches!(&self.stage, Stage::Ended(ended) if ended.is_over());
        ended && self.requests.are_over() && self.media.is_closed()
    }

    /// Whether the call still costs somebody something: set-up or talk, not the wait for late messages.
    pub fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Ended(_))
    }

    /// Whether it is an ordinary call that holds ports and is not answered yet, so that it may give way to one for help.
    pub fn may_give_way(&self) -> bool {
        matches!(self.stage, Stage::Setup(_)) && !self.account.emergency && self.media.opened().is_some()
    }

    /// Whether the parties know that it has ended, as far as we can tell them: no BYE waits to be sent, and no INVITE
    /// that was cancelled for its final response.
    pub fn is_down(&self) -> bool {
        let ended = match &self.stage {
            Stage::Ended(ended) => !ended.has_deferred_bye(),
            Stage::Handed(handed) => handed.is_down(),
            Stage::Setup(_) | Stage::Accepted(_) | Stage::Established(_) => false,
        };
        ended && !self.requests.await_cancelled()
    }

    /// The parties and connectors of the call.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// When things happened.
    pub fn times(&self) -> Times {
        self.history.times
    }

    /// Whether the caller has shown that it hears us.
    pub fn is_proven(&self) -> bool {
        self.history.proven
    }

    /// Our tags on all legs, as the core's index knows them.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.requests.tags()
    }

    /// Whether `message`, whose To tag is ours on `leg`, is inside that leg's dialog, or one that an INVITE of ours
    /// began which was left.
    pub fn is_dialog_of(&self, leg: LegRef, message: &Message) -> bool {
        is_dialog_of(&self.stage, leg, message)
            || self.requests.is_dialog_of(message)
            || self.is_left(leg, message)
    }

    /// Whether Replaces names the dialog of `leg`.
    pub fn is_named(&self, leg: LegRef, replaces: &Replaces) -> bool {
        match &self.stage {
            Stage::Accepted(accepted) => leg::names(replaces, &accepted.up().legs.of(leg.side()).dialog),
            Stage::Established(up) => leg::names(replaces, &up.legs.of(leg.side()).dialog),
            Stage::Setup(setup) => setup.is_named(leg, replaces),
            Stage::Handed(_) | Stage::Ended(_) => false,
        }
    }

    /// Whether a party waits for another call, or a place in one, that it asked for here.
    pub fn asks_for_another(&self) -> bool {
        matches!(&self.stage, Stage::Established(up) if up.asks_for_another())
    }

    fn is_left(&self, leg: LegRef, message: &Message) -> bool {
        let call_id = message.call_id().unwrap_or_default();
        matches!(leg, LegRef::B(index) if self.history.has_dialled(index, call_id))
    }

    /// The SIP Call-ID of a leg; the b-leg's is that of the newest attempt, the caller's before there is one.
    pub fn call_id(&self, side: Side) -> &str {
        self.history.call_id(side)
    }

    /// The connector whose SIP log a message of this call belongs to, and the Call-ID of that connector's leg.
    ///
    /// A leg of a connector's customer is that connector's alone; a leg of a carrier is the other side's.
    pub fn log_of<'a>(&'a self, message: &'a Message) -> Option<(&'a str, &'a str)> {
        let call_id = message.call_id().ok()?;
        let account = &self.account;
        if call_id == self.call_id(Side::A) {
            return match &account.outbound {
                Some(own) => Some((own, call_id)),
                None => Some((account.inbound.as_deref()?, self.call_id(Side::B))),
            };
        }
        match self.history.party_of(call_id)?.as_ref()? {
            Party::VoiceConnector(own) => Some((own, call_id)),
            Party::Carrier(_) => Some((account.outbound.as_deref()?, self.call_id(Side::A))),
        }
    }

    /// Where a leg's party is.
    pub fn endpoint(&self, side: Side) -> Option<std::net::IpAddr> {
        self.history.endpoint(side)
    }

    /// What its record would say if the call ended now.
    pub fn settled(&self, cause: Cause) -> Settled {
        settled(self.transaction_id, &self.account, &self.history, &self.media, cause)
    }
}
