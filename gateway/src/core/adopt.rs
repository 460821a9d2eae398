//! Calls that are up as plain data: written down by one core, gone on with by another.

use std::sync::Arc;

use serde_json::Value;
use sip::Message;
use sip::auth::Secret;

use super::flow::Flow;
use super::{CallKey, Client, Core, Effect, Live, OrphanCall, Slot};
use crate::call::{Call, Leg, LegRef, Profile, Rang, RequestId, Snapshot, orphan_legs, rang};
use crate::clock::Now;
use crate::peer::{Party, Peer};
use crate::record;
use crate::reply::Cause;

/// Why a call can't be gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The bytes are no snapshot.
    #[error("not a snapshot: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another build wrote it.
    #[error("snapshot of version {0}, which this build cannot read")]
    Version(u32),
    /// Its tags name another shard.
    #[error("the call belongs to shard {0}")]
    Shard(u16),
    /// The call is here already.
    #[error("the call is here already")]
    Known,
}

impl Core {
    /// The calls that are up on both legs, each as plain, versioned data for [`Core::adopt`]. They hold SRTP keys:
    /// keep them as you keep a private key.
    pub fn snapshots(&self) -> Vec<Value> {
        let all = self.calls.values().filter_map(|slot| slot.call.snapshot());
        all.filter_map(|snapshot| serde_json::to_value(snapshot).ok()).collect()
    }

    /// Goes on with a call that another core of the same shard number had: requests inside its dialogs are its own
    /// from now on, its limits, gauges, longest duration and record too. Its media session must be open.
    ///
    /// A 2xx that was not acknowledged and a request that was not answered when the snapshot was taken are not
    /// repeated; their senders repeat them.
    ///
    /// # Errors
    /// [`AdoptError`]; nothing has changed then.
    pub fn adopt(&mut self, now: Now, snapshot: Value) -> Result<(), AdoptError> {
        let snapshot: Snapshot = serde_json::from_value(snapshot)?;
        if snapshot.media.shard() != self.tokens.shard() {
            return Err(AdoptError::Shard(snapshot.media.shard()));
        }
        let key = CallKey::from(snapshot.media);
        if self.calls.contains_key(&key) {
            return Err(AdoptError::Known);
        }
        let live = self.live.clone();
        let credentials = [&snapshot.a, &snapshot.b].map(|leg| credentials_of(&live, &leg.flow));
        let call = Call::restore(now, snapshot, credentials).map_err(AdoptError::Version)?;
        for (tag, leg) in call.tags().zip([LegRef::A, LegRef::B(0)]) {
            self.tags.insert(tag.clone(), (key, leg));
        }
        self.adopt_tags(&call);
        let permits = self.resume_permits(now, call.account());
        tracing::info!(transaction_id = %call.transaction_id, "call goes on from its snapshot");
        self.shared.call_began();
        self.calls.insert(key, Slot::new(now, call, permits));
        self.is_up(key);
        self.next_call = self.next_call.max(key.0);
        self.drain(now, key);
        Ok(())
    }

    /// Sends BYE on both legs of a call that an earlier run left up. Until both are answered, or given up, the next start
    /// would have to do so again.
    pub(super) fn hang_up_orphan(&mut self, now: Now, orphan: OrphanCall) {
        let OrphanCall { state, entries } = orphan;
        let live = self.live.clone();
        let profile = |flow: &Peer| {
            let known = flow.party.as_ref().and_then(|party| live.profiles.of(party, flow.transport));
            known.unwrap_or_else(|| Arc::new(Profile::unknown()))
        };
        if let Some(rang) = rang(&state, profile) {
            return self.end_rang(now, rang, entries);
        }
        let Some(legs) = orphan_legs(&state, profile) else {
            tracing::error!("a call of an earlier run can't be hung up: its state is not ours");
            return self.effect(Effect::HungUp { entries });
        };
        let with_login = |leg: Leg| {
            let login = credentials_of(&live, &leg.flow);
            (leg, login)
        };
        let legs = legs.into_iter().map(with_login).collect();
        let call = Call::orphan(now, legs, &restarted(), &mut self.tokens);
        self.take_orphan(now, call, entries);
    }

    /// Ends a call that rang: the caller hears the final response, the callee CANCEL.
    fn end_rang(&mut self, now: Now, rang: Rang, entries: Vec<record::CallKey>) {
        if let Some((invite, peer)) = &rang.caller {
            let (flow, reliable) = (Flow::back(peer.clone(), invite), peer.transport.is_reliable());
            let server = self.transactions.resume_server(now.instant, invite, flow, reliable);
            if let Some(server) = server {
                // A tag of this run's, so that the ACK finds this shard.
                let response = restarted().reply(invite, Some(&self.tokens.tag())).build();
                self.answer(now, server, response);
            }
        }
        let login = credentials_of(&self.live, rang.flow());
        let call = Call::cancelled(now, rang, login, &restarted(), &mut self.tokens);
        self.take_orphan(now, call, entries);
    }

    /// - `entries`: what the journal has of it until it is hung up.
    fn take_orphan(&mut self, now: Now, call: Call, entries: Vec<record::CallKey>) {
        self.next_call += 1;
        let key = CallKey(self.next_call);
        let mut slot = Slot::new(now, call, Default::default());
        slot.hanging_up = entries;
        self.calls.insert(key, slot);
        self.drain(now, key);
    }

    /// Takes an INVITE of an earlier run's for one of a call's.
    pub(super) fn resume_invite(&mut self, key: CallKey, request: RequestId, invite: Message, peer: Peer) {
        let reliable = peer.transport.is_reliable();
        let id = self.transactions.resume_client(invite, Flow::to(peer), reliable);
        self.clients.insert(id, Client::Call(key, request));
        if let Some(slot) = self.calls.get_mut(&key) {
            slot.requests.insert(request, id);
        }
    }
}

/// What the parties of an earlier run's calls are told.
fn restarted() -> Cause {
    Cause::new(503, "Gateway restarted")
}

/// How the challenges of a party are answered: a carrier's.
fn credentials_of(live: &Live, flow: &Peer) -> Option<(String, Secret)> {
    match &flow.party {
        Some(Party::Carrier(name)) => live.carriers.get(name.as_ref()).cloned(),
        _ => None,
    }
}
