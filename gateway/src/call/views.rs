//! What the core asks of a call.

use sip::Message;
use sip::header::Replaces;
use sip::sdp::{Sdp, StreamKind};
use smol_str::SmolStr;

use super::door::is_dialog_of;
use super::{Account, Call, Cause, LegRef, Party, Settled, Side, Stage, Times, leg, settled};
use crate::media::MediaKey;
use crate::question::CallState;

impl Call {
    /// Whether the call has ended and nothing of it is left to wait for: forget it.
    pub fn is_over(&self) -> bool {
        let ended = matches!(&self.stage, Stage::Ended(ended) if ended.is_over());
        ended && self.requests.are_over() && self.media.is_closed()
    }

    /// Whether the media workers hold nothing for it any more: no figures will come.
    pub fn has_no_media(&self) -> bool {
        self.media.is_closed()
    }

    /// Whether that is its media session, and not one that it had before.
    pub fn has_media(&self, key: MediaKey) -> bool {
        self.media.key == key
    }

    /// Whether the call still costs somebody something: set-up or talk, not the wait for late messages.
    pub fn is_live(&self) -> bool {
        !matches!(self.stage, Stage::Ended(_))
    }

    /// How far it is.
    pub fn state(&self) -> CallState {
        match &self.stage {
            Stage::Setup(_) if self.history.times.ringing.is_none() => CallState::Dialling,
            Stage::Setup(_) => CallState::Ringing,
            Stage::Accepted(_) => CallState::Accepted,
            Stage::Established(_) => CallState::Up,
            Stage::Handed(_) => CallState::Handed,
            Stage::Recording(recording) if recording.is_up() => CallState::Up,
            Stage::Recording(_) => CallState::Accepted,
            Stage::Copying(copying) if copying.leg().is_some() => CallState::Up,
            Stage::Copying(_) => CallState::Dialling,
            Stage::Ended(_) => CallState::Over,
        }
    }

    /// The carrier that is tried now, or took the call.
    pub fn carrier(&self) -> Option<&str> {
        self.history.carrier.as_deref()
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
            Stage::Setup(_) | Stage::Accepted(_) | Stage::Established(_) | Stage::Recording(_) => false,
            Stage::Copying(_) => false,
        };
        ended && !self.requests.await_cancelled()
    }

    /// Whether each party has hung up itself, or has answered our BYE or CANCEL, or never will.
    pub fn is_hung_up(&self) -> bool {
        matches!(&self.stage, Stage::Ended(ended) if !ended.has_deferred_bye())
            && self.requests.byes_are_answered()
            && !self.requests.await_cancelled()
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
    pub fn tags(&self) -> impl Iterator<Item = &SmolStr> {
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
            Stage::Handed(_) | Stage::Recording(_) | Stage::Copying(_) | Stage::Ended(_) => false,
        }
    }

    /// The numbers of the parties that are connected now.
    pub fn connected(&self) -> Option<[SmolStr; 2]> {
        let Stage::Established(up) = &self.stage else { return None };
        let Account { caller, callee, .. } = &self.account;
        let number = |leg: &leg::Leg, own: &SmolStr| leg.number.as_ref().unwrap_or(own).clone();
        Some([number(&up.legs.a, caller), number(&up.legs.b, callee)])
    }

    /// What either party was told of the media that it sends to, and the media session; none where it sends no sound.
    pub fn described_to_both(&self) -> Option<(MediaKey, [Sdp; 2])> {
        let Stage::Established(up) = &self.stage else { return None };
        let told = |leg: &leg::Leg| {
            let sdp = Sdp::parse(&leg.sdp.last).ok()?;
            let is_sound =
                sdp.relayed_stream().is_some_and(|one| one.kind == StreamKind::Audio && one.is_rtp());
            is_sound.then_some(sdp)
        };
        Some((self.media.key, [told(&up.legs.a)?, told(&up.legs.b)?]))
    }

    /// Whether its parties have agreed, and one of them was told of no stream that it could send to.
    pub fn has_agreed_on_nothing(&self) -> bool {
        let Stage::Established(up) = &self.stage else { return false };
        let is_told =
            |leg: &leg::Leg| Sdp::parse(&leg.sdp.last).is_ok_and(|sdp| sdp.relayed_stream().is_some());
        up.has_agreed() && !(is_told(&up.legs.a) && is_told(&up.legs.b))
    }

    /// What a recording session records, the caller's stream first; nothing of a call.
    pub fn recorded(&self) -> Vec<String> {
        match &self.stage {
            Stage::Recording(recording) => recording.notes(),
            _ => Vec::new(),
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

    /// Whether an operator means it.
    pub fn is_wanted(&self, wanted: &crate::why::Wanted) -> bool {
        let account = &self.account;
        if matches!(self.stage, Stage::Copying(_)) {
            return false; // The call that it has recorded is meant.
        }
        wanted.is_number(&account.caller)
            || wanted.is_number(&account.callee)
            || [Side::A, Side::B].iter().any(|side| wanted.is_id(self.call_id(*side)))
            || wanted.is_id(&self.transaction_id.to_string())
    }

    /// Whose leg a message crosses.
    pub fn leg_of(&self, message: &Message) -> crate::why::Leg {
        match message.call_id() {
            Ok(call_id) if call_id == self.call_id(Side::A) => crate::why::Leg::A,
            Ok(call_id) if self.history.has_come(call_id) => crate::why::Leg::Joined,
            _ => crate::why::Leg::B,
        }
    }

    /// Where a leg's party is.
    pub fn endpoint(&self, side: Side) -> Option<std::net::IpAddr> {
        self.history.endpoint(side)
    }

    /// What its record would say if the call ended now.
    pub fn settled(&self, cause: Cause) -> Settled {
        let (history, ways) = (&self.history, self.ways());
        let settled = settled(self.transaction_id, &self.account, (history, &ways), &self.media, cause);
        Settled { attempts: self.history.tried.clone(), ..settled }
    }
}
