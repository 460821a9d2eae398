//! What the core holds for a call, its limits and its counters, and gives back once.

use std::net::IpAddr;
use std::sync::Arc;

use super::{CallKey, Core};
use crate::call::Event;
use crate::clock::Now;
use crate::direction::Direction;
use crate::limits::Permit;
use crate::media::Side;
use crate::metrics::ConnectorMetrics;
use crate::record::{Account, Settled};
use crate::route::Attempt;

/// What the core holds for a call beside the machine; given back when it is settled.
#[derive(Default)]
pub(super) struct Permits {
    /// The calling connector's place; given back when dropped.
    _termination: Option<Permit>,
    /// The present route's.
    route: Option<Permit>,
    /// Of the connectors that sent the call on, and their counters.
    pub(super) forwards: Vec<(Permit, Arc<ConnectorMetrics>)>,
    /// The connector that calls out, and the one that is called.
    outbound: Option<Arc<ConnectorMetrics>>,
    inbound: Option<Arc<ConnectorMetrics>>,
    answered: bool,
    /// Whom the call is up with.
    parties: [Option<IpAddr>; 2],
    /// Its place among the calls that are not up yet.
    unanswered: Option<Permit>,
    /// Whose answer waits for its ACK.
    unproven: Option<IpAddr>,
}

impl Permits {
    fn sides(&self) -> impl Iterator<Item = (&Arc<ConnectorMetrics>, Direction)> {
        let outbound = self.outbound.iter().map(|metrics| (metrics, Direction::Outbound));
        let forwards = self.forwards.iter().map(|(_, metrics)| (metrics, Direction::Outbound));
        outbound.chain(forwards).chain(self.inbound.iter().map(|metrics| (metrics, Direction::Inbound)))
    }
}

impl Core {
    /// A call of a connector's customer begins.
    ///
    /// - `permits`: its connector's, and that of calls which are not up yet.
    pub(super) fn open_permits(&self, account: &Account, permits: [Permit; 2]) -> Permits {
        let outbound = account.outbound.as_ref().map(|id| self.shared.metrics.connector(id));
        if let Some(outbound) = &outbound {
            outbound.calls(Direction::Outbound).attempt();
        }
        let [termination, unanswered] = permits.map(Some);
        Permits { _termination: termination, unanswered, outbound, ..Permits::default() }
    }

    /// Nothing came of where the last connectors sent the call on to.
    ///
    /// - `left`: how many of them the call still owes to.
    pub(super) fn give_back_forwards(&mut self, key: CallKey, left: usize) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        while slot.permits.forwards.len() > left
            && let Some((_, metrics)) = slot.permits.forwards.pop()
        {
            metrics.calls(Direction::Outbound).failed();
        }
    }

    /// A call that was answered elsewhere is taken over.
    pub(super) fn resume_permits(&self, account: &Account) -> Permits {
        let [termination, route] =
            self.shared.limits.resume(account.outbound.as_deref(), account.inbound.as_deref());
        let metrics = |id: &Option<String>| id.as_ref().map(|id| self.shared.metrics.connector(id));
        let permits = Permits {
            _termination: Some(termination),
            route: Some(route),
            outbound: metrics(&account.outbound),
            inbound: metrics(&account.inbound),
            answered: true,
            ..Permits::default()
        };
        for (metrics, direction) in permits.sides() {
            metrics.calls(direction).resumed();
        }
        permits
    }

    /// A route to a connector is tried: an attempt of its own, the one before has failed.
    pub(super) fn offered(&mut self, key: CallKey, connector: Option<&str>) {
        let metrics = connector.map(|connector| self.shared.metrics.connector(connector));
        if let Some(metrics) = &metrics {
            metrics.calls(Direction::Inbound).attempt();
        }
        if let Some(slot) = self.calls.get_mut(&key)
            && let Some(left) = std::mem::replace(&mut slot.permits.inbound, metrics)
        {
            left.calls(Direction::Inbound).failed();
        }
    }

    pub(super) fn count_answered(&mut self, key: CallKey) {
        self.is_up(key);
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.permits.answered = true;
        slot.permits.unanswered = slot.permits.unanswered.take().filter(|_| !slot.call.is_proven());
        for (metrics, direction) in slot.permits.sides() {
            metrics.calls(direction).answered();
        }
    }

    /// Both parties have a call up from now on.
    pub(super) fn is_up(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.permits.parties = [Side::A, Side::B].map(|side| slot.call.endpoint(side));
        slot.permits.parties.iter().flatten().for_each(|party| self.shared.calls_up.begin(*party));
    }

    /// Whether the caller's answer may leave, or its source has too many that are not acknowledged.
    pub(super) fn ask_to_answer(&mut self, now: Now, key: CallKey) -> Option<Event> {
        let slot = self.calls.get_mut(&key)?;
        let source = slot.call.endpoint(Side::A).filter(|_| !slot.call.is_proven());
        let may = source.is_none_or(|source| self.shared.unproven.take(source, now.unix));
        slot.permits.unproven = source.filter(|_| may);
        Some(Event::MayAnswer { may })
    }

    /// The caller hears us: its ACK came, or another request with our tag.
    pub(super) fn caller_is_proven(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        if slot.permits.answered {
            slot.permits.unanswered = None;
        }
        if let Some(source) = slot.permits.unproven.take() {
            self.shared.unproven.give_back(source, now.unix, true);
        }
    }

    /// Takes the limits of an attempt, after giving back those of another side.
    pub(super) fn admit_attempt(
        &mut self,
        now: Now,
        key: CallKey,
        attempt: &Attempt,
        emergency: bool,
    ) -> Option<Event> {
        let slot = self.calls.get_mut(&key)?;
        let covered = slot.permits.route.as_ref().is_some_and(|permit| permit.covers(&attempt.via));
        if !covered {
            slot.permits.route = None;
        }
        let taken = match covered {
            true => Ok(None),
            false => self.shared.limits.attempt(attempt, emergency, now.unix).map(Some),
        };
        Some(match taken {
            Ok(permit) => {
                if permit.is_some() {
                    slot.permits.route = permit;
                }
                Event::Admitted
            }
            Err(refusal) => {
                let verdict = refusal.verdict();
                self.shared.metrics.refusal(verdict.cause);
                if let Some(connector) = attempt.via.connector() {
                    self.shared.metrics.connector(connector.as_str()).calls(Direction::Inbound).throttled();
                }
                Event::Limited { cause: verdict.into() }
            }
        })
    }

    /// A call is over: its limits are given back, its counters told. Returns the source of a call that found no room.
    pub(super) fn close_permits(&mut self, now: Now, key: CallKey, settled: &Settled) -> Option<IpAddr> {
        self.shared.call_ended();
        let slot = self.calls.get_mut(&key)?;
        let permits = std::mem::take(&mut slot.permits);
        permits.parties.iter().flatten().for_each(|party| self.shared.calls_up.end(*party));
        if let Some(source) = permits.unproven {
            self.shared.unproven.give_back(source, now.unix, false);
        }
        for (metrics, direction) in permits.sides() {
            match permits.answered {
                true => metrics.calls(direction).ended(),
                false => metrics.calls(direction).failed(),
            }
        }
        slot.call.endpoint(Side::A).filter(|_| !permits.answered && settled.cause.status.code() == 503)
    }
}
