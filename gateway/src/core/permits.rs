//! What the core holds for a call, its limits and its counters, and gives back once.

use std::net::IpAddr;
use std::sync::Arc;

use super::{CallKey, Core};
use crate::admit::{Admitted, Refusal};
use crate::call::Event;
use crate::clock::Now;
use crate::direction::Direction;
use crate::limits::Permit;
use crate::media::Side;
use crate::metrics::ConnectorMetrics;
use crate::minutes::Ledger;
use crate::record::{Account, Settled, Times};
use crate::route::Attempt;

/// What the core holds for a call beside the machine; given back when it is settled.
#[derive(Default)]
pub(super) struct Permits {
    /// The calling connector's place; given back when dropped.
    _termination: Option<Permit>,
    /// The present route's.
    route: Option<Permit>,
    /// The connectors that sent the call on.
    pub(super) forwards: Vec<(Permit, Payer)>,
    /// The connector that calls out.
    outbound: Option<Payer>,
    /// The counters of the one that is called.
    inbound: Option<Arc<ConnectorMetrics>>,
    answered: bool,
    /// Whom the call is up with.
    parties: [Option<IpAddr>; 2],
    /// Its place among the calls that are not up yet.
    unanswered: Option<Permit>,
    /// Whose answer waits for its ACK.
    unproven: Option<IpAddr>,
}

/// A connector for whom a call goes out.
pub(super) struct Payer {
    metrics: Arc<ConnectorMetrics>,
    /// Where its minutes are booked; those of a call for help, or of a recording session, are not.
    ledger: Option<Arc<Ledger>>,
}

impl Payer {
    /// A call begins for it.
    pub(super) fn attempt(&self) {
        self.metrics.calls(Direction::Outbound).attempt();
    }
}

impl Permits {
    fn payers(&self) -> impl Iterator<Item = &Payer> {
        self.outbound.iter().chain(self.forwards.iter().map(|(_, payer)| payer))
    }

    fn sides(&self) -> impl Iterator<Item = (&Arc<ConnectorMetrics>, Direction)> {
        let outbound = self.payers().map(|payer| (&payer.metrics, Direction::Outbound));
        outbound.chain(self.inbound.iter().map(|metrics| (metrics, Direction::Inbound)))
    }

    fn ledgers(&self) -> impl Iterator<Item = &Ledger> {
        self.payers().filter_map(|payer| payer.ledger.as_deref())
    }
}

impl Core {
    /// A place among the calls of an admitted party, which has minutes left.
    ///
    /// # Errors
    /// The limit that leaves none.
    pub(super) fn calling_place(&self, now: Now, admitted: &Admitted) -> Result<Permit, Refusal> {
        self.shared.minutes.check(admitted, now)?;
        self.shared.limits.call(admitted, now.unix)
    }

    pub(super) fn payer(&self, connector: &str, is_free: bool) -> Payer {
        let ledger = (!is_free).then(|| self.shared.minutes.ledger(connector));
        Payer { metrics: self.shared.metrics.connector(connector), ledger }
    }

    /// A call of a connector's customer begins.
    ///
    /// - `permits`: its connector's, and that of calls which are not up yet.
    pub(super) fn open_permits(&self, account: &Account, permits: [Permit; 2]) -> Permits {
        let outbound =
            account.outbound.as_ref().map(|id| self.payer(id, account.emergency || account.recording));
        if let Some(outbound) = &outbound {
            outbound.attempt();
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
            && let Some((_, payer)) = slot.permits.forwards.pop()
        {
            payer.metrics.calls(Direction::Outbound).failed();
        }
    }

    /// A call that was answered elsewhere is taken over.
    pub(super) fn resume_permits(&self, now: Now, account: &Account) -> Permits {
        let [termination, route] =
            self.shared.limits.resume(account.outbound.as_deref(), account.inbound.as_deref());
        let permits = Permits {
            _termination: Some(termination),
            route: Some(route),
            outbound: account
                .outbound
                .as_ref()
                .map(|id| self.payer(id, account.emergency || account.recording)),
            inbound: account.inbound.as_ref().map(|id| self.shared.metrics.connector(id)),
            answered: true,
            ..Permits::default()
        };
        permits.ledgers().for_each(|ledger| ledger.begin(now));
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

    pub(super) fn count_answered(&mut self, now: Now, key: CallKey) {
        self.is_up(key);
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.permits.answered = true;
        slot.permits.unanswered = slot.permits.unanswered.take().filter(|_| !slot.call.is_proven());
        for (metrics, direction) in slot.permits.sides() {
            metrics.calls(direction).answered();
        }
        slot.permits.ledgers().for_each(|ledger| ledger.begin(now));
        self.listen(now, key);
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
        if permits.answered {
            permits.ledgers().for_each(|ledger| ledger.end(now));
        }
        for (metrics, direction) in permits.sides() {
            let calls = metrics.calls(direction);
            match permits.answered {
                true => calls.ended(),
                false => calls.failed(),
            }
            let Times { started, ringing, answered, ended } = settled.times;
            if let Some(heard) = ringing.or(answered) {
                calls.post_dial_delay(heard.saturating_sub(started));
            }
            if let (true, Some(answered), Some(ended)) = (permits.answered, answered, ended) {
                calls.lasted(ended.saturating_sub(answered));
            }
        }
        slot.call.endpoint(Side::A).filter(|_| !permits.answered && settled.cause.status.code() == 503)
    }
}
