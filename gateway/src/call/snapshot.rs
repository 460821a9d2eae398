//! A confirmed call as plain, versioned data: another process can go on with it.
//!
//! It holds what the dialogs need, SRTP keys too: whoever stores it must keep it as he keeps a private key.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip::auth::Secret;
use sip::dialog::SessionTerms;
use smol_str::SmolStr;

use super::established::Established;
use super::history::History;
use super::media::MediaSession;
use super::requests::reason_of;
use super::sent::Login;
use super::sides::Sides;
use super::{Call, Leg, Next, Stage};
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
    /// What was agreed of the session timer of either leg, if anything.
    #[serde(default)]
    pub sessions: [Option<SessionTerms>; 2],
    /// The parties, and the connectors that are billed.
    pub account: Account,
    /// When it began and was answered.
    pub times: Times,
    /// The media session: key, bound addresses, ports of both legs.
    pub media: MediaKey,
    pub addresses: [IpAddr; 2],
    pub ports: [Ports; 2],
    /// The carrier that took the call; `None`: a connector did.
    pub carrier: Option<SmolStr>,
    /// When it must end at the latest, as time since the Unix epoch.
    pub expires: Duration,
}

impl Call {
    /// The call as plain data; `None` unless it is up on both legs.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let Stage::Established(up) = &self.stage else { return None };
        let (media, addresses, ports) = self.media.opened()?;
        Some(Snapshot {
            version: VERSION,
            transaction_id: self.transaction_id,
            a: up.legs.a.clone(),
            b: up.legs.b.clone(),
            sessions: [up.sessions.a.terms(), up.sessions.b.terms()],
            account: self.account.clone(),
            times: self.history.times,
            media,
            addresses,
            ports,
            carrier: self.history.carrier.clone(),
            expires: self.history.times.answered? + up.max_duration,
        })
    }

    /// Goes on with a call from its snapshot: both dialogs as they were, their CSeq skipped ahead of whatever was
    /// sent since it was taken. The media session and limits are the caller's to restore.
    ///
    /// - `credentials`: how the challenges of each leg's party are met.
    ///
    /// # Errors
    /// The version of a snapshot that this build can't read.
    pub fn restore(
        now: Now,
        snapshot: Snapshot,
        credentials: [Option<(String, Secret)>; 2],
    ) -> Result<Call, u32> {
        if snapshot.version != VERSION {
            return Err(snapshot.version);
        }
        let times = snapshot.times;
        let media = MediaSession::restored(snapshot.media, snapshot.addresses, snapshot.ports);
        let legs = [snapshot.a, snapshot.b];
        let (mut call, legs) = taken_over(snapshot.transaction_id, snapshot.account, times, media, legs);
        call.history.carrier = snapshot.carrier;
        call.history.proven = true;
        let max_duration = snapshot.expires.saturating_sub(times.answered.unwrap_or(now.unix));
        let mut up = Established::new(legs, logins(credentials), max_duration);
        up.resume_sessions(now, snapshot.sessions);
        up.lasts_until(now.instant + snapshot.expires.saturating_sub(now.unix));
        call.stage = Stage::Established(Box::new(up));
        Ok(call)
    }

    /// A call that an earlier run left up: its legs are hung up, its connections being gone with that run. It has no
    /// media and no record of its own, and is over once its BYEs are.
    ///
    /// - `legs`: as [`orphan_legs`](super::orphan_legs) gave them, and how the challenges of each leg's party are met.
    pub fn orphan(
        now: Now,
        legs: Vec<(Leg, Option<(String, Secret)>)>,
        cause: &Cause,
        tokens: &mut Tokens,
    ) -> Call {
        let mut call = Call::of_nobody();
        for ((mut leg, login), side) in legs.into_iter().zip([Side::A, Side::B]) {
            go_on_with(&mut leg);
            call.requests.bound(&leg.dialog.local_tag);
            call.history.is_at(side, leg.flow.remote.ip());
            call.step(now, tokens, |_, cx| {
                cx.bye(leg, login, reason_of(cause));
                Next::Stay
            });
        }
        call
    }
}

/// Another run had the leg.
fn go_on_with(leg: &mut Leg) {
    leg.skip_ahead();
    leg.lost_connection();
}

impl Call {
    /// A call that is over and nobody's, for a party that comes back to one that was forgotten: [`super::Event::Returned`].
    pub fn of_nobody() -> Call {
        let times = Times { started: Duration::ZERO, ringing: None, answered: None, ended: None };
        let (history, media) = (History::new(times, SmolStr::default()), MediaSession::new(MediaKey(0)));
        Call::over(uuid::Uuid::nil(), Account::default(), history, media)
    }
}

/// A call that another run began, and its legs as they are to be gone on with.
fn taken_over(
    transaction_id: uuid::Uuid,
    account: Account,
    times: Times,
    media: MediaSession,
    legs: [Leg; 2],
) -> (Call, Sides<Leg>) {
    let [a, b] = legs.map(|mut leg| {
        go_on_with(&mut leg);
        leg
    });
    let mut history = History::new(times, a.dialog.call_id.clone());
    history.dialled(&b.dialog.call_id, b.flow.party.clone());
    history.is_at(Side::A, a.flow.remote.ip());
    history.is_at(Side::B, b.flow.remote.ip());
    let mut call = Call::over(transaction_id, account, history, media);
    for leg in [&a, &b] {
        call.requests.bound(&leg.dialog.local_tag);
    }
    (call, Sides { a, b })
}

fn logins([a, b]: [Option<(String, Secret)>; 2]) -> Sides<Login> {
    Sides { a, b }
}
