//! A call that a REFER in another call asks for: admitted, limited, routed and billed like any other call of the party that
//! asked; or, with Replaces, a place in a call that is up. What the two calls tell each other is in `kin.rs`.

use std::net::IpAddr;

use config::ConnectorId;
use sip::StatusCode;
use sip::header::Replaces;
use smol_str::SmolStr;

use super::kin::{Kin, Named, Word};
use super::new_call::Room;
use super::parties::account;
use super::{CallKey, Core, Effect, Live, Slot};
use crate::admit::{self, Admitted, Decision, Facts, Identified, Origin, Outcome};
use crate::call::{Back, Body, Call, Event, NewCall, Referred};
use crate::clock::Now;
use crate::direction::Direction;
use crate::peer::Party;
use crate::record::{Account, EndedBy, Settled, Times, transaction_id};
use crate::reply::Cause;

impl Core {
    /// Begins the call that a REFER in the call `key` asks for; what it hears at once if there is none.
    pub(super) fn refer(&mut self, now: Now, key: CallKey, mut referred: Referred) -> Option<Event> {
        match referred.replaces.take().map(|replaces| (self.named(&replaces), replaces)) {
            Some((Named::Foreign, replaces)) => referred.replaces = Some(replaces),
            Some((named, replaces)) => {
                return self.refer_to_dialog(key, named, replaces, referred.by.party);
            }
            None => {}
        }
        let call_id = SmolStr::from(referred.invite.call_id().unwrap_or_default());
        let live = self.live.clone();
        let Some(decision) = referral_decision(&live, &referred) else {
            return Some(Event::Progress { status: StatusCode::FORBIDDEN });
        };
        let whose = decision.connector.clone().zip(decision.direction);
        let began = match decision.outcome {
            Outcome::Admit(admitted) => self.begin_referred(now, key, &live, &admitted, &referred),
            Outcome::Refuse(refusal) => {
                self.shared.metrics.refusal(refusal.verdict().cause);
                Err(refusal.verdict().into())
            }
            Outcome::Challenge(_) => Err(Cause::new(403, "No credentials can be asked for")),
        };
        let cause = began.err()?;
        if let Some(transaction_id) = self.tells_of_call(now, key) {
            tracing::info!(
                %transaction_id,
                connector = whose.as_ref().map(|(id, _)| id.as_str()),
                number = self.shown(&referred.user),
                status = cause.status.code(),
                cause = self.shown(&cause.text),
                "a transfer is refused"
            );
        }
        if let Some((connector, direction)) = whose {
            self.record_refused_referral(now, &connector, direction, (&referred, call_id), &cause);
        }
        Some(Event::Progress { status: cause.status })
    }

    /// A REFER asks for the place of its sender in a dialog.
    fn refer_to_dialog(
        &mut self,
        key: CallKey,
        named: Named,
        replaces: Box<Replaces>,
        by: Option<Party>,
    ) -> Option<Event> {
        let asked = match named {
            Named::Dialog(call, leg) => {
                self.ask_for_place(key, (call, leg), replaces, by).map(|()| Some(call))
            }
            Named::Elsewhere(shard) => {
                self.effect(Effect::Tell { shard, word: Word::Place { from: key, replaces, by } });
                Ok(None)
            }
            Named::Gone | Named::Foreign => Err(StatusCode::CALL_DOES_NOT_EXIST),
        };
        match asked {
            Ok(call) => {
                if let Some(slot) = self.calls.get_mut(&key) {
                    slot.kin.asked_for = call;
                }
                None
            }
            Err(status) => Some(Event::Progress { status }),
        }
    }

    fn begin_referred(
        &mut self,
        now: Now,
        parent: CallKey,
        live: &Live,
        admitted: &Admitted,
        referred: &Referred,
    ) -> Result<(), Cause> {
        self.watch_for_emergency(now, admitted, &referred.invite);
        if let Some(cause) = self.closed(admitted.emergency.is_some()) {
            return Err(cause);
        }
        let back = back(referred);
        let Room { permits, mut routes } = self.room(now, live, admitted).map_err(|refusal| {
            self.shared.metrics.refusal(refusal.verdict().cause);
            Cause::from(refusal.verdict())
        })?;
        if let Some(back) = &back {
            routes.retain(|route| route.attempt.via.party() == back.party);
        }
        if routes.is_empty() {
            return Err(Cause::new(481, "The target is known to nobody whom the number leads to"));
        }
        self.next_call += 1;
        let key = CallKey(self.next_call);
        let transaction_id = self.transaction_id();
        tracing::info!(
            %transaction_id,
            transfer_of = self.calls.get(&parent).map(|slot| slot.call.transaction_id.to_string()),
            connector = admitted.connector.as_str(),
            direction = admitted.direction.as_label(),
            emergency = admitted.emergency.is_some(),
            routes = routes.len(),
            "call begins"
        );
        let leg = &referred.leg;
        let new = NewCall {
            transaction_id,
            invite: referred.invite.clone(),
            body: Body::read(&referred.invite),
            server: None,
            flow: leg.flow.clone(),
            local_tag: self.tokens.tag(),
            local: leg.local.clone(),
            profile: leg.profile.clone(),
            credentials: None,
            routes,
            redirections: Vec::new(),
            back: back.map(Box::new),
            account: account(live, admitted),
            media: key.media(),
            set_aside: permits.iter().any(crate::limits::Permit::is_set_aside),
            max_duration: super::new_call::max_duration(&admitted.origin),
        };
        let permits = self.open_permits(&new.account, permits);
        let call = Call::new(now, new, &mut self.tokens)?;
        self.shared.call_began();
        let mut slot = Slot::new(now, call, permits);
        slot.kin = Kin::of(parent);
        self.calls.insert(key, slot);
        if let Some(slot) = self.calls.get_mut(&parent) {
            slot.kin.asked_for = Some(key);
        }
        self.drain(now, key);
        Ok(())
    }

    /// A call that was asked for in a call that is up, and never began.
    fn record_refused_referral(
        &mut self,
        now: Now,
        connector: &ConnectorId,
        direction: Direction,
        (referred, call_id): (&Referred, SmolStr),
        cause: &Cause,
    ) {
        let calls = self.shared.metrics.connector(connector.as_str());
        calls.calls(direction).attempt();
        calls.calls(direction).failed();
        let mut account = Account {
            caller: referred.caller.as_str().into(),
            callee: sip::text::as_phrase(&referred.user).into(),
            ..Account::default()
        };
        match direction {
            Direction::Outbound => account.outbound = Some(connector.as_str().into()),
            Direction::Inbound => account.inbound = Some(connector.as_str().into()),
        }
        let mut settled = Settled {
            transaction_id: transaction_id(self.transaction_id()),
            account,
            times: Times { started: now.unix, ringing: None, answered: None, ended: Some(now.unix) },
            a_call_id: call_id.clone(),
            b_call_id: call_id,
            cause: cause.clone(),
            notes: Vec::new(),
            carrier: None,
            ended_by: EndedBy::Gateway,
            reason: None,
            attempts: Vec::new(),
            streamed: Vec::new(),
            caller_leg: None,
            callee_leg: None,
        };
        self.write_refusal(now, connector.as_str(), &mut settled);
    }
}

/// The words in which the target is called, where they mean something to nobody but the party that asks for it.
fn back(referred: &Referred) -> Option<Back> {
    let Referred { uri, referred_by, .. } = referred;
    if uri.is_empty() {
        return None;
    }
    let replaces = referred.replaces.clone();
    Some(Back {
        party: referred.by.party.clone()?,
        uri: uri.clone(),
        replaces,
        referred_by: referred_by.clone(),
    })
}

/// Whether a party may have its call transferred to a target: as a call of its own, which a carrier's is only to a number of
/// ours. `None`: nobody knows the party any more.
fn referral_decision(live: &Live, referred: &Referred) -> Option<Decision> {
    let config = &live.config;
    let (source, transport): (IpAddr, _) = (referred.by.remote.ip(), referred.by.transport);
    let mut facts = Facts::new(source, transport, config.gateway.domain.as_str(), referred.user.as_str());
    facts.from = Some(referred.caller.clone());
    facts.privacy = referred.hidden;
    match referred.by.party.as_ref()? {
        Party::VoiceConnector(id) => {
            Some(admit::admit_target(config, &config.connector(id)?.id.clone(), &facts))
        }
        Party::Carrier(name) => {
            let outcome = Ok(Origin::Carrier(config.carrier(name)?.clone()));
            let identified = Identified { steps: Vec::new(), connector: None, outcome };
            Some(admit::decide(config, &facts, identified))
        }
    }
}
