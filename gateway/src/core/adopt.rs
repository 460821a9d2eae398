//! Calls that are up as plain data: written down by one core, gone on with by another.

use std::sync::Arc;

use serde_json::Value;
use sip::auth::Secret;

use super::{CallKey, Core, Live, Slot};
use crate::call::{Call, Leg, LegRef, Profile, Snapshot, orphan_legs};
use crate::clock::Now;
use crate::peer::{Party, Peer};
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
        let credentials = [&snapshot.a, &snapshot.b].map(|leg| credentials_of(&live, leg));
        let call = Call::restore(now, snapshot, credentials).map_err(AdoptError::Version)?;
        for (tag, leg) in call.tags().zip([LegRef::A, LegRef::B(0)]) {
            self.tags.insert(tag.to_owned(), (key, leg));
        }
        self.adopt_tags(&call);
        let permits = self.resume_permits(call.account());
        tracing::info!(transaction_id = %call.transaction_id, "call goes on from its snapshot");
        self.shared.call_began();
        self.calls.insert(key, Slot::new(call, permits));
        self.is_up(key);
        self.next_call = self.next_call.max(key.0);
        self.drain(now, key);
        Ok(())
    }

    /// Sends BYE on both legs of a call that an earlier run left up.
    ///
    /// - `state`: as [`Core::journal`] wrote it.
    pub(super) fn hang_up_orphan(&mut self, now: Now, state: &[u8]) {
        let live = self.live.clone();
        let profile = |flow: &Peer| {
            let known = flow.party.as_ref().and_then(|party| live.profiles.of(party, flow.transport));
            known.unwrap_or_else(|| Arc::new(Profile::unknown()))
        };
        let Some(legs) = orphan_legs(state, profile) else {
            return tracing::error!("a call of an earlier run can't be hung up: its state is not ours");
        };
        let credentials = legs.each_ref().map(|leg| credentials_of(&live, leg));
        let call =
            Call::orphan(now, legs, credentials, &Cause::new(503, "Gateway restarted"), &mut self.tokens);
        self.next_call += 1;
        let key = CallKey(self.next_call);
        self.calls.insert(key, Slot::new(call, Default::default()));
        self.drain(now, key);
    }
}

/// How the challenges of a leg's party are answered: a carrier's.
fn credentials_of(live: &Live, leg: &Leg) -> Option<(String, Secret)> {
    match &leg.flow.party {
        Some(Party::Carrier(name)) => live.carriers.get(name.as_ref()).cloned(),
        _ => None,
    }
}
