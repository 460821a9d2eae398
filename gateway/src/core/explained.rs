//! What calls came to nothing of late, and why: kept for a while, in memory alone.
//!
//! Bounded by bytes and by count. The oldest go first, those of a source that has half of the room before those of others; calls
//! alike of one source are one entry with a count. Sources that no allowlist holds are one source here, since an address may be
//! forged, and so are those with wrong credentials.

mod in_call;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU64;

use sip::text::phrase;
use sip::{Message, Method, Name};
use smol_str::SmolStr;
use uuid::Uuid;

use super::asked::Asked;
use super::kept::Kept;
use super::{CallKey, Core};
use crate::admit::{Digest, Refusal, Step};
use crate::clock::Now;
use crate::direction::Direction;
use crate::peer::{Source, Transport};
use crate::record::{EndedBy, Settled};
use crate::reply::Cause;
use crate::route::{RouteEnd, RouteStep};
use crate::why::{
    Crossed, Explanation, Ladder, Leg, Meaning, Told, Tried, Wanted, What, of_attempt, of_end, of_refusal,
    of_registration, of_wrong_credentials,
};

/// Bytes of one shard.
const ROOM: u64 = 4 << 20;
/// So many entries of one shard, at most.
const MOST: u64 = 2_000;
/// An entry counts as so large at least.
const LEAST: u64 = ROOM / MOST;
/// So many calls of an entry are found by their ids.
const IDS: usize = 32;
/// So many are told at one time.
const TOLD: usize = 20;

/// Whose the entries are that belong to sources which no allowlist holds.
const STRANGERS: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
/// Whose the entries are that belong to sources which have not proved who they are.
const UNPROVEN: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// An entry. The number of a younger one is larger, and none comes twice.
pub(super) type EntryId = NonZeroU64;

/// See the module.
pub(super) struct Explained {
    kept: Kept<EntryId>,
    entries: HashMap<EntryId, Entry>,
    /// The entry of calls alike, by a hash of what makes them so.
    alike: HashMap<u64, EntryId>,
    next: EntryId,
}

struct Entry {
    share: IpAddr,
    alike: u64,
    said: Explanation,
    looked: Looked,
    ladder: Ladder,
    /// Ids of the newest calls of the entry, hashed.
    ids: VecDeque<u64>,
}

/// What the policy looked at.
#[derive(Default)]
struct Looked {
    admission: Vec<Step>,
    /// Where no way was found.
    routing: Vec<RouteStep>,
}

impl Looked {
    fn lines(&self) -> Vec<String> {
        let admission = self.admission.iter().map(ToString::to_string);
        admission.chain(self.routing.iter().map(ToString::to_string)).collect()
    }

    fn bytes(&self) -> usize {
        // A step of routing has some words on the heap.
        self.admission.capacity() * size_of::<Step>()
            + self.routing.capacity() * (size_of::<RouteStep>() + 100)
    }
}

impl Default for Explained {
    fn default() -> Self {
        Explained {
            kept: Kept::new(ROOM),
            entries: HashMap::new(),
            alike: HashMap::new(),
            next: EntryId::MIN,
        }
    }
}

/// What makes calls alike, of one source. What was refused is in it where it was no call.
struct Alike<'a>(IpAddr, u16, &'a str, &'a str, &'a str, &'a str);

impl Explained {
    fn hash(&self, alike: &Alike<'_>) -> u64 {
        self.alike.hasher().hash_one((alike.0, alike.1, alike.2, alike.3, alike.4, alike.5))
    }

    fn id(&self, id: &str) -> u64 {
        self.alike.hasher().hash_one(id.to_ascii_lowercase())
    }

    /// One more call like those of an entry; `false`: there is none.
    fn again(&mut self, now: Now, alike: &Alike<'_>, ids: &[&str]) -> bool {
        let Some(id) = self.alike.get(&self.hash(alike)).copied() else { return false };
        let ids: Vec<u64> = ids.iter().map(|id| self.id(id)).collect();
        let Some(mut entry) = self.remove(id) else { return false };
        entry.count(now, ids);
        self.insert(entry);
        true
    }

    /// Keeps an explanation, in place of what is known of calls alike.
    fn keep(
        &mut self,
        now: Now,
        alike: &Alike<'_>,
        said: Explanation,
        looked: Looked,
        ladder: Ladder,
    ) -> EntryId {
        let hash = self.hash(alike);
        let before = self.alike.get(&hash).copied().and_then(|id| self.remove(id));
        let ids = said.call_ids.iter().chain(&said.transaction_id).map(|id| self.id(id)).collect();
        let mut entry = Entry { share: alike.0, alike: hash, said, looked, ladder, ids: VecDeque::new() };
        if let Some(before) = before {
            (entry.said.first, entry.said.times) = (before.said.first, before.said.times);
            entry.ids = before.ids;
        }
        entry.count(now, ids);
        self.insert(entry)
    }

    fn insert(&mut self, entry: Entry) -> EntryId {
        let id = self.next;
        self.next = id.saturating_add(1);
        self.kept.add(id, entry.share, usize::try_from(entry.bytes().max(LEAST)).unwrap_or(usize::MAX));
        self.alike.insert(entry.alike, id);
        self.entries.insert(id, entry);
        while let Some(oldest) = self.kept.too_old() {
            self.remove(oldest);
        }
        id
    }

    fn remove(&mut self, id: EntryId) -> Option<Entry> {
        self.kept.remove(id);
        let entry = self.entries.remove(&id)?;
        self.alike.remove(&entry.alike);
        Some(entry)
    }

    /// What is known of calls with this id, number or source, newest first.
    fn find(&self, wanted: &Wanted) -> Vec<Explanation> {
        let id = self.id(&wanted.0);
        let mine = |entry: &&Entry| entry.ids.contains(&id) || entry.said.is_of(wanted);
        let mut found: Vec<(&EntryId, &Entry)> =
            self.entries.iter().filter(|(_, entry)| mine(entry)).collect();
        found.sort_unstable_by_key(|(id, _)| std::cmp::Reverse(**id));
        found.into_iter().take(TOLD).map(|(_, entry)| entry.explanation()).collect()
    }
}

impl Entry {
    fn count(&mut self, now: Now, ids: Vec<u64>) {
        self.said.times += 1;
        self.said.last = milliseconds(now);
        self.ids.extend(ids);
        let too_many = self.ids.len().saturating_sub(IDS);
        self.ids.drain(..too_many);
    }

    fn bytes(&self) -> u64 {
        let bytes =
            size_of::<Entry>() + self.said.bytes() + self.looked.bytes() + self.ladder.bytes() + 8 * IDS;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn explanation(&self) -> Explanation {
        Explanation { steps: self.looked.lines(), ladder: self.ladder.lines(), ..self.said.clone() }
    }
}

impl Core {
    /// What is known of calls that came to nothing, newest first.
    ///
    /// - `wanted`: a Call-ID of a leg, a transaction id, the number of either party, or the address that the call came from.
    pub(super) fn explained(&self, wanted: &Wanted) -> Vec<Explanation> {
        self.explained.find(wanted)
    }

    /// A call that never began.
    ///
    /// - `refusal`: of the policy; none where the protocol or the gateway's state refused.
    pub(super) fn explain_refusal(
        &mut self,
        now: Now,
        asked: &Asked,
        cause: &Cause,
        refusal: Option<&Refusal>,
        response: &Message,
        transaction_id: Uuid,
    ) {
        let meaning = || match refusal {
            Some(refusal) => of_refusal(refusal),
            None => of_end(EndedBy::Gateway, cause.status.code(), &cause.text, false, false),
        };
        let share = match refusal {
            Some(Refusal::UnknownSource { .. }) => STRANGERS,
            Some(Refusal::Digest { .. } | Refusal::DigestTarget { .. }) => UNPROVEN,
            _ => share_of(asked.from.source.remote.ip()),
        };
        let id = Some(transaction_id).filter(|_| asked.for_itself);
        self.explain(now, asked, share, cause, meaning, response, id);
    }

    /// A call whose caller has shown wrong credentials, and is asked for them again.
    pub(super) fn explain_challenge(&mut self, now: Now, asked: &Asked, response: &Message) {
        if asked.facts.digest != Digest::Wrong {
            return;
        }
        let Some(connector) = asked.connector().map(str::to_owned) else { return };
        let status = response.status().map_or(407, |status| status.code());
        let cause = Cause::new(status, "Wrong credentials");
        self.explain(now, asked, UNPROVEN, &cause, || of_wrong_credentials(&connector), response, None);
    }

    #[allow(clippy::too_many_arguments)]
    fn explain(
        &mut self,
        now: Now,
        asked: &Asked,
        share: IpAddr,
        cause: &Cause,
        meaning: impl FnOnce() -> Meaning,
        response: &Message,
        transaction_id: Option<Uuid>,
    ) {
        let Asked { message, facts, from, .. } = asked;
        let record = message.to().ok().and_then(|to| to.uri.user().map(str::to_owned)).unwrap_or_default();
        let (what, kind, callee) = match message.method() {
            Some(Method::Invite) => (What::Call, "", facts.user.as_str()),
            Some(Method::Register) => (What::Registration, "REGISTER", record.as_str()),
            _ => return,
        };
        let caller = facts.from.as_deref().unwrap_or_default();
        let call_id = message.call_id().unwrap_or_default();
        let alike = Alike(share, cause.status.code(), &cause.text, caller, callee, kind);
        let id = transaction_id.map(|id| id.to_string());
        let ids = [Some(call_id), id.as_deref()];
        if self.explained.again(now, &alike, &ids.into_iter().flatten().collect::<Vec<_>>()) {
            return;
        }
        let mut ladder = Ladder::new(now);
        ladder.note(now, Leg::A, Crossed::Received(&from.source), message);
        ladder.note(now, Leg::A, Crossed::Sent(&from.peer), response);
        let who = match (&asked.carrier, asked.connector()) {
            (Some(carrier), _) => Some(format!("carrier {}", carrier.name)),
            (None, Some(connector)) => Some(format!("voice connector {connector}")),
            (None, None) => None,
        };
        let called = asked.whose.as_ref().filter(|(_, direction)| *direction == Direction::Inbound);
        let said = Explanation {
            what,
            transaction_id: id,
            call_ids: vec![phrase(call_id)],
            caller: phrase(caller),
            callee: phrase(callee),
            from: who,
            to: called.map(|(connector, _)| format!("voice connector {connector}")),
            told: Some(told(response)),
            ..said(now, of_source(&from.source), cause, meaning())
        };
        let looked = Looked { admission: asked.steps.clone(), routing: asked.routes.clone() };
        self.explained.keep(now, &alike, said, looked, ladder);
    }

    /// A REGISTER that was refused.
    ///
    /// - `refusal`: of the policy.
    pub(super) fn explain_register(
        &mut self,
        now: Now,
        asked: &Asked,
        cause: &Cause,
        refusal: Option<&Refusal>,
        response: &Message,
    ) {
        let share = match refusal {
            Some(Refusal::Digest { .. }) => UNPROVEN,
            _ => share_of(asked.from.source.remote.ip()),
        };
        let meaning = || refusal.map_or_else(|| of_registration(cause.status.code()), of_refusal);
        self.explain(now, asked, share, cause, meaning, response, None);
    }

    /// A message that begins nothing, for a fault or for want of room, of a source whose operator will ask why.
    pub(super) fn explain_fault(&mut self, now: Now, source: &Source, message: &Message, cause: &Cause) {
        self.explain_outside(now, source, message, cause, share_of(source.remote.ip()), || {
            of_end(EndedBy::Gateway, cause.status.code(), &cause.text, false, false)
        });
    }

    /// A call of a source that no allowlist holds.
    pub(super) fn explain_stranger(&mut self, now: Now, source: &Source, message: &Message) {
        let refusal = Refusal::UnknownSource { address: source.remote.ip().to_canonical() };
        let cause = Cause::from(refusal.verdict());
        self.explain_outside(now, source, message, &cause, STRANGERS, || of_refusal(&refusal));
    }

    /// Of one source they are all alike, whatever they are about: such messages must cost little.
    fn explain_outside(
        &mut self,
        now: Now,
        source: &Source,
        message: &Message,
        cause: &Cause,
        share: IpAddr,
        meaning: impl FnOnce() -> Meaning,
    ) {
        if message.method() != Some(Method::Invite) {
            return;
        }
        let call_id = message.call_id().unwrap_or_default();
        let alike = Alike(share, cause.status.code(), &cause.text, "", "", "");
        if self.explained.again(now, &alike, &[call_id]) {
            return;
        }
        let facts = super::parties::facts(message, source);
        let mut ladder = Ladder::new(now);
        ladder.note(now, Leg::A, Crossed::Received(source), message);
        let said = Explanation {
            call_ids: vec![phrase(call_id)],
            caller: phrase(facts.from.as_deref().unwrap_or_default()),
            callee: phrase(&facts.user),
            told: Some(Told { status: Some(cause.status.code()), reason: Some(cause.reason()) }),
            ..said(now, of_source(source), cause, meaning())
        };
        self.explained.keep(now, &alike, said, Looked::default(), ladder);
    }

    /// A call that began and ended otherwise than by a party that hung up. What still crosses in it is noted there.
    pub(super) fn explain_end(&mut self, now: Now, key: CallKey, settled: &Settled) {
        let cause = &settled.cause;
        if cause.status.code() == 200 {
            return;
        }
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let ladder = std::mem::replace(&mut slot.ladder, Ladder::new(now));
        let ends = std::mem::take(&mut slot.ends);
        let Some(source) = slot.call.endpoint(crate::media::Side::A) else { return };
        let account = &settled.account;
        let alike =
            Alike(share_of(source), cause.status.code(), &cause.text, &account.caller, &account.callee, "");
        let tried = settled.attempts.last();
        let last_carrier = tried.and_then(|attempt| attempt.carrier.clone());
        let rang = settled.times.ringing.is_some();
        let meaning = match ends.last() {
            // The caller heard what a host said.
            Some(end) if settled.times.answered.is_none() && settled.ended_by != EndedBy::Caller => {
                of_attempt(*end)
            }
            _ => {
                let answered = settled.times.answered.is_some();
                of_end(settled.ended_by, cause.status.code(), &cause.text, answered, rang)
            }
        };
        let mut ends = ends.into_iter();
        let attempts = settled.attempts.iter().map(|detail| Tried {
            detail: detail.clone(),
            to_do: detail.because.as_ref().and_then(|_| ends.next()).map(|end| of_attempt(end).to_do),
        });
        let origin = ladder.origin();
        let (a, b) = (&settled.a_call_id, &settled.b_call_id);
        let said = Explanation {
            what: What::Call,
            transaction_id: Some(settled.transaction_id.to_string()),
            call_ids: [Some(phrase(a)), (a != b).then(|| phrase(b))].into_iter().flatten().collect(),
            caller: phrase(&account.caller),
            callee: phrase(&account.callee),
            source: origin.map(|(source, _)| source),
            transport: origin.map(|(_, transport)| transport.parameter().to_owned()),
            from: party(&account.outbound, &account.carrier),
            to: party(&account.inbound, &last_carrier),
            first: u64::try_from(settled.times.started.as_millis()).unwrap_or(u64::MAX),
            last: milliseconds(now),
            times: 0,
            step: meaning.step.to_owned(),
            status: cause.status.code(),
            cause: cause.text.to_string(),
            ended_by: settled.ended_by,
            told: None,
            to_do: meaning.to_do,
            steps: Vec::new(),
            attempts: attempts.collect(),
            notes: settled
                .notes
                .iter()
                .cloned()
                .chain(settled.reason.as_ref().map(ToString::to_string))
                .collect(),
            ladder: Vec::new(),
        };
        let id = self.explained.keep(now, &alike, said, Looked::default(), ladder);
        if let Some(slot) = self.calls.get_mut(&key) {
            slot.explained = Some(id);
        }
    }

    /// A message of a call came or went: a rung of its ladder, and a line of the SIP log where one is wanted.
    pub(super) fn crossed(&mut self, now: Now, key: CallKey, crossed: Crossed<'_>, message: &Message) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let leg = slot.call.leg_of(message);
        match slot.explained {
            None => slot.ladder.note(now, leg, crossed, message),
            Some(id) => {
                if let Some(entry) = self.explained.entries.get_mut(&id) {
                    entry.ladder.note(now, leg, crossed, message);
                    let says = matches!(crossed, Crossed::Sent(_)) && ends_call(leg, message);
                    if says && entry.said.told.is_none() {
                        entry.said.told = Some(told(message));
                    }
                }
            }
        }
        self.trace(now, key, crossed, message);
        self.log_message(now, key, message);
    }

    /// A host did not take a call.
    pub(super) fn attempt_failed(&mut self, key: CallKey, end: RouteEnd) {
        if let Some(slot) = self.calls.get_mut(&key) {
            slot.ends.push(end);
        }
    }
}

/// Whether the caller is told by it that its call has come to nothing, or a party that it is over.
fn ends_call(leg: Leg, message: &Message) -> bool {
    match message.status() {
        Some(status) => {
            let of_invite = message.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
            leg == Leg::A && of_invite && status.code() >= 300
        }
        None => message.method() == Some(Method::Bye),
    }
}

fn told(message: &Message) -> Told {
    Told {
        status: message.status().map(|status| status.code()),
        reason: message.value(Name::Reason).map(|reason| phrase(&reason)),
    }
}

/// An address; of IPv6, what one customer has of it.
fn share_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

/// Whose side of a call it is, as configured.
fn party(connector: &Option<SmolStr>, carrier: &Option<SmolStr>) -> Option<String> {
    let connector = connector.as_ref().map(|id| format!("voice connector {id}"));
    connector.or_else(|| carrier.as_ref().map(|name| format!("carrier {name}")))
}

fn of_source(source: &Source) -> Option<(SocketAddr, Transport)> {
    Some((source.remote, source.transport))
}

/// Of what has no record of an end, but for what its message says.
///
/// - `origin`: where that came from.
fn said(now: Now, origin: Option<(SocketAddr, Transport)>, cause: &Cause, meaning: Meaning) -> Explanation {
    Explanation {
        what: What::Call,
        transaction_id: None,
        call_ids: Vec::new(),
        caller: String::new(),
        callee: String::new(),
        source: origin.map(|(source, _)| source),
        transport: origin.map(|(_, transport)| transport.parameter().to_owned()),
        from: None,
        to: None,
        first: milliseconds(now),
        last: milliseconds(now),
        times: 0,
        step: meaning.step.to_owned(),
        status: cause.status.code(),
        cause: cause.text.to_string(),
        ended_by: EndedBy::Gateway,
        told: None,
        to_do: meaning.to_do,
        steps: Vec::new(),
        attempts: Vec::new(),
        notes: Vec::new(),
        ladder: Vec::new(),
    }
}

fn milliseconds(now: Now) -> u64 {
    u64::try_from(now.unix.as_millis()).unwrap_or(u64::MAX)
}
