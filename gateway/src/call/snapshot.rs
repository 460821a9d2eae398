//! A confirmed call as plain, versioned data: another process can go on with it.
//!
//! It holds what the dialogs need, SRTP keys too: whoever stores it must keep it as he keeps a private key.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip::auth::Secret;

use super::{Call, Leg};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::{MediaKey, Ports, Side};
use crate::record::{Account, Times};
use crate::reply::Cause;

/// The version that this build writes, and the only one that it reads.
const VERSION: u32 = 1;

/// A call that is up. No reference to the configuration, no `Instant`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    version: u32,
    /// Our id for the call.
    pub transaction_id: uuid::Uuid,
    /// The caller's leg.
    pub a: Leg,
    /// The callee's leg.
    pub b: Leg,
    /// Who is billed.
    pub account: Account,
    /// When it began and was answered.
    pub times: Times,
    /// The media session: key, bound addresses, ports of both legs.
    pub media: MediaKey,
    pub addresses: [IpAddr; 2],
    pub ports: [Ports; 2],
    /// The carrier that took the call; `None`: a connector did.
    pub carrier: Option<String>,
    /// When it must end at the latest, as time since the Unix epoch.
    pub expires: Duration,
}

impl Call {
    /// The call as plain data; `None` unless it is up on both legs.
    pub fn snapshot(&self) -> Option<Snapshot> {
        if !matches!(self.phase, super::Phase::Established) {
            return None;
        }
        let (media, addresses, ports) = self.media.opened()?;
        Some(Snapshot {
            version: VERSION,
            transaction_id: self.transaction_id,
            a: self.a.clone(),
            b: self.b.clone()?,
            account: self.account.clone(),
            times: self.times,
            media,
            addresses,
            ports,
            carrier: self.carrier.clone(),
            expires: self.times.answered? + self.max_duration,
        })
    }

    /// Goes on with a call from its snapshot: both dialogs as they were, their CSeq skipped ahead of whatever was
    /// sent since it was taken. The media session and limits are the caller's to restore.
    ///
    /// - `credentials`: how the challenges of each leg's party are answered.
    ///
    /// # Errors
    /// The version of a snapshot that this build can't read.
    pub fn restore(
        now: Now,
        mut snapshot: Snapshot,
        credentials: [Option<(String, Secret)>; 2],
    ) -> Result<Call, u32> {
        if snapshot.version != VERSION {
            return Err(snapshot.version);
        }
        for leg in [&mut snapshot.a, &mut snapshot.b] {
            leg.skip_ahead();
            leg.lost_connection();
        }
        let left = snapshot.expires.saturating_sub(now.unix);
        let mut call = Call::empty(snapshot.transaction_id, snapshot.a, snapshot.account, snapshot.times);
        call.b = Some(snapshot.b);
        call.carrier = snapshot.carrier;
        [call.caller_credentials, call.credentials] = credentials;
        call.media = super::media::MediaSession::restored(snapshot.media, snapshot.addresses, snapshot.ports);
        call.phase = super::Phase::Established;
        call.caller_was_proven();
        call.max_duration = snapshot.expires.saturating_sub(snapshot.times.answered.unwrap_or(now.unix));
        call.timers.max_duration = Some(now.instant + left);
        Ok(call)
    }

    /// A call that an earlier run left up: both legs are hung up, its connections being gone with that run. It has no
    /// media and no record of its own, and is over once its BYEs are.
    ///
    /// - `legs`: as [`Call::legs`] gave them.
    /// - `credentials`: how the challenges of each leg's party are answered.
    pub fn orphan(
        legs: [Leg; 2],
        credentials: [Option<(String, Secret)>; 2],
        cause: &Cause,
        tokens: &mut Tokens,
    ) -> Call {
        let [a, b] = legs.map(|mut leg| {
            leg.skip_ahead();
            leg.lost_connection();
            leg
        });
        let times = Times { started: Duration::ZERO, ringing: None, answered: None, ended: None };
        let mut call = Call::empty(uuid::Uuid::nil(), a, Account::default(), times);
        call.b = Some(b);
        [call.caller_credentials, call.credentials] = credentials;
        call.phase = super::Phase::Ended;
        for side in [Side::A, Side::B] {
            call.bye(tokens, side, super::ending::reason_of(cause));
        }
        call
    }
}
