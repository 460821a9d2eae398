//! What a call's records say of it: when things happened, which hosts were tried, who ended it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::cx::Cx;
use super::io::{Action, AttemptEnd};
use super::leg::Leg;
use super::setup::{Failed, Route};
use super::sides::Sides;
use super::ways::Ways;
use crate::clock::Now;
use crate::media::Side;
use crate::peer::Party;
use crate::record::{AttemptDetail, EndedBy, Times};
use crate::route::Failover;
use smol_str::{SmolStr, ToSmolStr};

/// An ACK that is not there by then is missing: the 2xx was repeated three times.
const OVERDUE: Duration = Duration::from_secs(4);

/// See the module.
#[derive(Debug)]
pub(super) struct History {
    pub times: Times,
    /// When it was answered, by the clock that nobody sets; `None` also for a call that was taken over.
    pub answered_at: Option<Instant>,
    /// The Call-ID of the a-leg.
    a_call_id: SmolStr,
    /// The Call-ID of each INVITE of ours that began a dialog, and whose host it went to.
    dialled: Vec<(SmolStr, Option<Party>)>,
    /// The same of the parties that came from another call, in the order in which they did.
    came: Vec<(SmolStr, Option<Party>)>,
    /// The carrier that takes the call, or took it.
    pub carrier: Option<SmolStr>,
    /// What is told of every attempt; the last one may still go on.
    pub tried: Vec<AttemptDetail>,
    /// Late 2xx that got ACK and BYE, and whose they were.
    released: (u32, BTreeSet<IpAddr>),
    by: EndedBy,
    reason: Option<SmolStr>,
    /// The caller has said something that only who hears us can know: our tag of a response.
    pub proven: bool,
    /// Nothing else tells that the caller is where it says.
    pub can_be_forged: bool,
    /// Where the legs' parties are.
    endpoints: Sides<Option<IpAddr>>,
    /// How the parties were reached whose legs were left.
    pub ways: Ways,
}

impl History {
    /// Of a call whose caller's INVITE has this Call-ID.
    pub fn new(times: Times, a_call_id: SmolStr) -> Self {
        History {
            times,
            answered_at: None,
            a_call_id,
            dialled: Vec::new(),
            came: Vec::new(),
            carrier: None,
            tried: Vec::new(),
            released: Default::default(),
            by: EndedBy::default(),
            reason: None,
            proven: false,
            can_be_forged: false,
            endpoints: Sides::default(),
            ways: Ways::default(),
        }
    }

    /// The records are written.
    pub fn pack(&mut self) {
        (self.tried, self.reason) = Default::default();
    }

    /// An INVITE of ours begins a dialog.
    pub fn dialled(&mut self, call_id: &str, party: Option<Party>) {
        self.dialled.reserve_exact(1); // Mostly there is only one.
        self.dialled.push((call_id.into(), party));
    }

    /// How many parties came from other calls.
    pub fn newcomers(&self) -> usize {
        self.came.len()
    }

    /// A party comes from another call.
    pub fn comes(&mut self, side: Side, leg: &Leg) {
        self.is_at(side, leg.flow.remote.ip());
        self.came.push((leg.dialog.call_id.clone(), leg.flow.party.clone()));
    }

    /// Whether a party came from another call under this Call-ID.
    pub fn has_come(&self, call_id: &str) -> bool {
        self.came.iter().any(|(known, _)| known == call_id)
    }

    /// Whether our INVITE of this number, from 0, has this Call-ID.
    pub fn has_dialled(&self, index: u32, call_id: &str) -> bool {
        let dialled = usize::try_from(index).ok().and_then(|index| self.dialled.get(index));
        dialled.is_some_and(|(dialled, _)| dialled == call_id)
    }

    /// How many INVITEs of ours began dialogs.
    pub fn dialled_count(&self) -> u32 {
        u32::try_from(self.dialled.len()).unwrap_or(u32::MAX)
    }

    /// The party that was dialled under this Call-ID, or came under it; `None`: there was none.
    pub fn party_of(&self, call_id: &str) -> Option<&Option<Party>> {
        let mut all = self.dialled.iter().chain(&self.came);
        all.find(|(known, _)| known == call_id).map(|(_, party)| party)
    }

    /// The SIP Call-ID of a leg; the b-leg's is that of the newest attempt, the caller's before there is one.
    pub fn call_id(&self, side: Side) -> &SmolStr {
        match (side, self.dialled.last()) {
            (Side::B, Some((dialled, _))) => dialled,
            (Side::A, _) | (Side::B, None) => &self.a_call_id,
        }
    }

    /// Where a leg's party is.
    pub fn endpoint(&self, side: Side) -> Option<IpAddr> {
        *self.endpoints.of(side)
    }

    /// The party of a leg is there.
    pub fn is_at(&mut self, side: Side, address: IpAddr) {
        *self.endpoints.of_mut(side) = Some(address);
    }

    /// Whether the caller's address may be forged, for all we know.
    pub fn is_unproven(&self) -> bool {
        self.can_be_forged && !self.proven
    }

    /// What the record says of a 2xx that was never acknowledged: nobody is billed for what a forger may have asked for.
    pub fn unacknowledged_note(&self, now: Now) -> Option<String> {
        let waited = self.answered_at.is_some_and(|at| now.instant.saturating_duration_since(at) >= OVERDUE);
        (waited && self.is_unproven()).then(|| "the answer was never acknowledged".to_owned())
    }

    /// A party ends the call, and gives this Reason.
    pub fn told(&mut self, side: Side, reason: Option<&str>) {
        self.by = match side {
            Side::A => EndedBy::Caller,
            Side::B => EndedBy::Callee,
        };
        self.reason = reason.map(|reason| sip::text::as_phrase(reason).into());
    }

    /// No party ends the call.
    pub fn is_ended_by(&mut self, by: EndedBy) {
        self.by = by;
    }

    /// The party that ended the call; we did where none said so.
    pub fn by(&self) -> EndedBy {
        self.by
    }

    /// The Reason that it gave.
    pub fn reason(&self) -> Option<SmolStr> {
        self.reason.clone()
    }

    /// A late 2xx of a host was released.
    pub fn released(&mut self, address: IpAddr) {
        self.released.0 += 1;
        self.released.1.insert(address);
    }

    /// What the record says of late answers.
    pub fn released_note(&self) -> Option<String> {
        let (count, addresses) = &self.released;
        let addresses = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match count {
            0 => None,
            1 => Some(format!("late answer of {addresses} released")),
            count => Some(format!("{count} late answers of {addresses} released")),
        }
    }

    /// The carrier that took the call, once one has.
    pub fn taken_by(&self) -> Option<SmolStr> {
        let taken = |attempt: &AttemptDetail| attempt.status == Some(200);
        let took_it = self.times.answered.is_some() || self.tried.last().is_some_and(taken);
        self.carrier.clone().filter(|_| took_it)
    }

    /// When a call ended that ends now. The wall clock may be set while people talk: who pays, pays for what passed.
    pub fn ended(&self, now: Now) -> Duration {
        match (self.times.answered, self.answered_at) {
            (Some(answered), Some(at)) => answered + now.instant.saturating_duration_since(at),
            _ => now.unix,
        }
    }
}

/// What is told of the end of an attempt.
#[derive(Debug, Default)]
pub(super) struct AttemptTold {
    /// The final response; `None`: none came.
    pub status: Option<u16>,
    /// The same, or why there is none, in words.
    pub cause: SmolStr,
    /// The response's Reason.
    pub reason: Option<SmolStr>,
    /// Why it was left.
    pub because: Option<SmolStr>,
}

impl AttemptTold {
    /// Of one that failed.
    pub fn of(failed: &Failed) -> Self {
        let cause = failed.detail.as_str().into();
        AttemptTold { status: failed.status(), cause, reason: failed.reason(), because: None }
    }

    /// Of one that is over without a response.
    pub fn silent(cause: impl Into<SmolStr>) -> Self {
        AttemptTold { cause: cause.into(), ..AttemptTold::default() }
    }
}

impl Cx<'_> {
    /// An attempt at `route` begins.
    ///
    /// - `address`: where its INVITE goes; none where it ends before anything is sent.
    pub fn attempt_begins(&mut self, route: &Route, address: Option<SocketAddr>) {
        let (via, lookup) = (&route.attempt.via, &route.attempt.lookup);
        self.history.tried.reserve_exact(1); // Mostly there is only one.
        self.history.tried.push(AttemptDetail {
            carrier: via.carrier().map(|name| name.as_str().into()),
            voice_connector: via.connector().map(|id| id.as_str().into()),
            host: lookup.host.to_smolstr(),
            address,
            transport: SmolStr::new_static(lookup.transport.parameter()),
            started: milliseconds(self.now),
            ended: None,
            status: None,
            cause: SmolStr::default(),
            reason: None,
            because: None,
        });
        if let Some(address) = address {
            self.act(Action::AttemptBegins { via: via.clone(), address });
        }
    }

    /// The present attempt failed, and is left for the next one or not.
    pub fn attempt_failed(&mut self, failed: &Failed, verdict: Failover) {
        let end = AttemptEnd::Failed { end: failed.end, left: verdict.goes_on() };
        let because = Some(verdict.to_smolstr());
        self.attempt_ends(end, AttemptTold { because, ..AttemptTold::of(failed) });
    }

    /// The present attempt, if there is one, is over.
    pub fn attempt_ends(&mut self, end: AttemptEnd, told: AttemptTold) {
        let tried = self.history.tried.last_mut();
        if let Some(attempt) = tried.filter(|attempt| attempt.ended.is_none()) {
            let AttemptTold { status, cause, reason, because } = told;
            attempt.ended = Some(milliseconds(self.now));
            (attempt.status, attempt.cause, attempt.reason, attempt.because) =
                (status, cause, reason, because);
            let detail = Box::new(attempt.clone());
            self.act(Action::AttemptEnds { detail, end });
        }
    }
}

fn milliseconds(now: Now) -> u64 {
    u64::try_from(now.unix.as_millis()).unwrap_or(u64::MAX)
}
