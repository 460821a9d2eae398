//! What a call leaves behind: its limits while it lives, counters, log lines, call detail records.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use config::Config;
use serde_json::Value;
use sip::Message;
use sip::text::phrase;

use super::{CallKey, Core, Output};
use crate::call::{Account, Call, Event, Settled, Times};
use crate::clock::Now;
use crate::direction::Direction;
use crate::limits::Permit;
use crate::media::{CallStatistics, FlowStatistics, MediaEvent, Side};
use crate::metrics::{ConnectorMetrics, RecordKind};
use crate::record::{
    AnsweredCall, CallFacts, FlowFacts, Party, PathFacts, QualityFacts, Record, SipMessageFacts,
};
use crate::reply::Cause;
use crate::route::Attempt;

/// So many refused calls of one connector are written down in a second, by one shard: whoever may call could fill the
/// disk with calls that never were.
const REFUSALS_A_SECOND: u32 = 50;

/// Which refused calls are written down.
#[derive(Default)]
pub(super) struct RefusalRecords {
    /// Since the Unix epoch.
    second: u64,
    /// In this second, by connector.
    written: HashMap<String, u32>,
    left_out: u64,
}

impl RefusalRecords {
    /// Whether one more refused call of `connector` is written down.
    fn take(&mut self, now: Now, connector: &str) -> bool {
        let second = now.unix.as_secs();
        if second != self.second {
            if self.left_out > 0 {
                tracing::warn!(left_out = self.left_out, "refused calls were not written down");
            }
            *self = RefusalRecords { second, ..RefusalRecords::default() };
        }
        let written = self.written.entry(connector.to_owned()).or_default();
        let taken = *written < REFUSALS_A_SECOND;
        *written += u32::from(taken);
        self.left_out += u64::from(!taken);
        taken
    }
}

/// What the core holds for a call beside the machine; given back when it is settled.
#[derive(Default)]
pub(super) struct Books {
    /// The calling connector's place; given back when dropped.
    _termination: Option<Permit>,
    /// The present route's.
    route: Option<Permit>,
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
    lost: Lost,
}

impl Core {
    /// A call of a connector's customer begins.
    ///
    /// - `permits`: its connector's, and that of calls which are not up yet.
    pub(super) fn open_books(&self, account: &Account, permits: [Permit; 2]) -> Books {
        let outbound = account.outbound.as_ref().map(|id| self.shared.metrics.connector(id));
        if let Some(outbound) = &outbound {
            outbound.calls(Direction::Outbound).attempt();
        }
        let [termination, unanswered] = permits.map(Some);
        Books { _termination: termination, unanswered, outbound, ..Books::default() }
    }

    /// A call that was answered elsewhere is taken over.
    pub(super) fn resume_books(&self, account: &Account) -> Books {
        let [termination, route] =
            self.shared.limits.resume(account.outbound.as_deref(), account.inbound.as_deref());
        let metrics = |id: &Option<String>| id.as_ref().map(|id| self.shared.metrics.connector(id));
        let books = Books {
            _termination: Some(termination),
            route: Some(route),
            outbound: metrics(&account.outbound),
            inbound: metrics(&account.inbound),
            answered: true,
            ..Books::default()
        };
        for (metrics, direction) in books.sides() {
            metrics.calls(direction).resumed();
        }
        books
    }

    /// A route to a connector is tried: an attempt of its own, the one before has failed.
    pub(super) fn offered(&mut self, key: CallKey, connector: Option<&str>) {
        let metrics = connector.map(|connector| self.shared.metrics.connector(connector));
        if let Some(metrics) = &metrics {
            metrics.calls(Direction::Inbound).attempt();
        }
        if let Some(slot) = self.calls.get_mut(&key)
            && let Some(left) = std::mem::replace(&mut slot.books.inbound, metrics)
        {
            left.calls(Direction::Inbound).failed();
        }
    }

    pub(super) fn count_answered(&mut self, key: CallKey) {
        self.is_up(key);
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.books.answered = true;
        slot.books.unanswered = slot.books.unanswered.take().filter(|_| !slot.call.is_proven());
        for (metrics, direction) in slot.books.sides() {
            metrics.calls(direction).answered();
        }
    }

    /// Both parties have a call up from now on.
    pub(super) fn is_up(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.books.parties = [Side::A, Side::B].map(|side| slot.call.endpoint(side));
        slot.books.parties.iter().flatten().for_each(|party| self.shared.calls_up.begin(*party));
    }

    /// Whether the caller's answer may leave, or its source has too many that are not acknowledged.
    pub(super) fn ask_to_answer(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let source = slot.call.endpoint(Side::A).filter(|_| !slot.call.is_proven());
        let may = source.is_none_or(|source| self.shared.unproven.take(source, now.unix));
        slot.books.unproven = source.filter(|_| may);
        slot.call.handle(now, &mut self.tokens, Event::MayAnswer { may });
    }

    /// The caller hears us: its ACK came, or another request with our tag.
    pub(super) fn caller_is_proven(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        if slot.books.answered {
            slot.books.unanswered = None;
        }
        if let Some(source) = slot.books.unproven.take() {
            self.shared.unproven.give_back(source, now.unix, true);
        }
    }

    /// Takes the limits of an attempt, after giving back those of another side.
    pub(super) fn admit_attempt(&mut self, now: Now, key: CallKey, attempt: &Attempt, emergency: bool) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let covered = slot.books.route.as_ref().is_some_and(|permit| permit.covers(&attempt.via));
        if !covered {
            slot.books.route = None;
        }
        let taken = match covered {
            true => Ok(None),
            false => self.shared.limits.attempt(attempt, emergency, now.unix).map(Some),
        };
        let event = match taken {
            Ok(permit) => {
                if permit.is_some() {
                    slot.books.route = permit;
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
        };
        slot.call.handle(now, &mut self.tokens, event);
    }

    /// The answered call goes into the journal before its 200 leaves.
    pub(super) fn journal(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get(&key) else { return };
        let times = Times { answered: Some(now.unix), ended: None, ..slot.call.times };
        // Its text at once: a tree of values would cost an allocation for each of some hundred fields.
        let state = serde_json::to_string(&slot.call.legs()).map_or(Value::Null, Value::String);
        let settled = Settled { times, ..slot.call.settled(Cause::new(200, "OK")) };
        let mut detail = Some(Box::new(self.detail(&settled)));
        let entry = |facts| AnsweredCall { facts, detail: detail.take(), state: state.clone() };
        let entries: Vec<_> = self.facts(&settled).into_iter().map(entry).collect();
        if entries.is_empty() {
            return self.event(now, key, Event::Journaled);
        }
        self.outputs.push_back(Output::Answered { call: key.0, entries });
    }

    /// The call is over: limits back, counters, one record for each connector that it belongs to.
    pub(super) fn write_records(&mut self, now: Now, key: CallKey, settled: &Settled) {
        self.shared.call_ended();
        let mut refused = None;
        if let Some(slot) = self.calls.get_mut(&key) {
            let books = std::mem::take(&mut slot.books);
            books.parties.iter().flatten().for_each(|party| self.shared.calls_up.end(*party));
            if let Some(source) = books.unproven {
                self.shared.unproven.give_back(source, now.unix, false);
            }
            refused =
                slot.call.endpoint(Side::A).filter(|_| !books.answered && settled.cause.status.code() == 503);
            for (metrics, direction) in books.sides() {
                match books.answered {
                    true => metrics.calls(direction).ended(),
                    false => metrics.calls(direction).failed(),
                }
            }
        }
        let times = settled.times;
        let talked = times.answered.and_then(|answered| Some(times.ended?.saturating_sub(answered)));
        // A flood of calls that find no room is told of once.
        if refused.is_none_or(|source| self.refusal_lines.has_line(source)) {
            tracing::info!(
                transaction_id = %settled.transaction_id,
                outbound = settled.account.outbound,
                inbound = settled.account.inbound,
                calling_carrier = settled.account.carrier,
                carrier = settled.carrier,
                by = settled.ended_by.as_label(),
                seconds = talked.map(|talked| talked.as_secs_f64()),
                cause = settled.cause.status.code(),
                text = self.shown(&settled.cause.text),
                reason = settled.reason.as_deref().map(|reason| self.shown(reason)),
                "call ended"
            );
        }
        self.watch_for_unanswered_emergency(settled);
        self.write(Record::Detail(Box::new(self.detail(settled))));
        for facts in self.facts(settled) {
            self.write(Record::CallDetail(Box::new(facts)));
        }
    }

    /// Writes down a call of `connector` that never began, unless there are too many of them, or no room. Both are
    /// counted.
    pub(super) fn write_refusal(&mut self, now: Now, connector: &str, settled: &Settled) {
        let facts = self.facts(settled);
        if !self.shared.records_accept_calls() || !self.refusals.take(now, connector) {
            let dropped = facts.len() as u64;
            return self.shared.metrics.records().dropped(RecordKind::CallDetail, dropped);
        }
        self.write(Record::Detail(Box::new(self.detail(settled))));
        for facts in facts {
            self.write(Record::CallDetail(Box::new(facts)));
        }
    }

    /// One set of facts for each connector of the call.
    pub(super) fn facts(&self, settled: &Settled) -> Vec<CallFacts> {
        let account = &settled.account;
        let mut message = match settled.cause.status.code() {
            200 => "OK".to_owned(),
            code => format!("{code} {}", settled.cause.text),
        };
        for note in &settled.notes {
            message.push_str("; ");
            message.push_str(note);
        }
        let facts = |connector: &String, direction: Direction, call_id: &str| CallFacts {
            account: self.config.gateway.account.clone().unwrap_or_default(),
            region: self.config.gateway.region.clone(),
            transaction_id: settled.transaction_id.to_string(),
            call_id: phrase(call_id),
            voice_connector_id: connector.clone(),
            direction,
            status_message: message.clone(),
            // The caller's login is no business of whom it calls.
            sip_auth_user: account
                .sip_auth_user
                .as_deref()
                .filter(|_| direction == Direction::Outbound)
                .map(phrase),
            source: Party {
                number: phrase(&account.caller),
                name: account.caller_name.clone(),
                country: account.caller_country.clone(),
            },
            destination: Party {
                number: phrase(&account.callee),
                name: account.callee_name.clone(),
                country: account.callee_country.clone(),
            },
            started_at: settled.times.started,
            answered_at: settled.times.answered,
            ended_at: settled.times.ended.unwrap_or(settled.times.started),
            streaming: false,
            is_proxy_call: false,
        };
        let b_call_id = settled.b_call_id.as_str();
        let outbound = account.outbound.iter().map(|id| facts(id, Direction::Outbound, &settled.a_call_id));
        let inbound = account.inbound.iter().map(|id| facts(id, Direction::Inbound, b_call_id));
        outbound.chain(inbound).collect()
    }

    /// One line in the SIP message log of the connector that the message's leg belongs to, if it wants it.
    pub(super) fn log_message(&mut self, now: Now, key: CallKey, message: &Message) {
        let Some((connector, call_id)) = self.calls.get(&key).and_then(|slot| slot.call.log_of(message))
        else {
            return;
        };
        if self.config.connector(connector).is_some_and(|connector| connector.logging.sip_messages) {
            let line = self.sip_line(now, connector.to_owned(), call_id, message.bytes().clone());
            self.outputs.push_back(Output::Record(Record::SipMessage(Box::new(line))));
        }
    }

    /// The same for messages of a call that never began.
    pub(super) fn log_outside(
        &mut self,
        now: Now,
        connector: Option<&str>,
        request: &Message,
        messages: &[&Message],
    ) {
        let Some(connector) = connector.and_then(|id| self.config.connector(id)) else {
            return;
        };
        if !connector.logging.sip_messages {
            return;
        }
        let id = connector.id.to_string();
        let call_id = request.call_id().unwrap_or_default();
        for message in messages {
            let line = self.sip_line(now, id.clone(), call_id, message.bytes().clone());
            self.write(Record::SipMessage(Box::new(line)));
        }
    }

    fn sip_line(&self, now: Now, connector: String, call_id: &str, message: Bytes) -> SipMessageFacts {
        SipMessageFacts {
            voice_connector_id: connector,
            region: self.config.gateway.region.clone(),
            event_timestamp: now.unix,
            call_id: phrase(call_id),
            message,
        }
    }

    /// News of a call's media; its figures become quality records.
    pub(super) fn handle_media(&mut self, now: Now, event: MediaEvent) {
        let key = CallKey::from(event.key());
        self.hear_media(now, &event);
        if let MediaEvent::Minute { statistics, .. } = &event
            && let Some(slot) = self.calls.get_mut(&key)
        {
            slot.books.lost.add(statistics);
            let facts = quality(&self.config, now, &slot.call, statistics, &slot.books.lost);
            for facts in facts {
                self.write(Record::Quality(Box::new(facts)));
            }
        }
        self.event(now, key, Event::Media(event));
    }
}

/// The minute's figures for each connector of the call that wants them, seen from its customer. Loss is that of the
/// whole call so far, as in Voice Connector's own metrics (reference §11).
fn quality(
    config: &Config,
    now: Now,
    call: &Call,
    statistics: &CallStatistics,
    lost: &Lost,
) -> Vec<QualityFacts> {
    let account = call.account();
    let legs = [(&statistics.a, lost.a), (&statistics.b, lost.b)];
    let [a, b] = legs;
    let sides = [(&account.outbound, Side::A, a, b), (&account.inbound, Side::B, b, a)];
    let wanted = sides.into_iter().filter_map(|(id, side, customer, remote)| {
        let connector = config.connector(id.as_ref()?)?;
        connector.logging.media_metrics.then_some((connector, side, customer, remote))
    });
    wanted
        .map(|(connector, side, (customer, customer_lost), (remote, remote_lost))| QualityFacts {
            voice_connector_id: connector.id.to_string(),
            region: config.gateway.region.clone(),
            event_timestamp: now.unix,
            transaction_id: call.transaction_id.to_string(),
            from_sip_user: phrase(&account.caller),
            from_country: account.caller_country.clone().unwrap_or_default(),
            to_sip_user: phrase(&account.callee),
            to_country: account.callee_country.clone().unwrap_or_default(),
            endpoint_id: call.endpoint(side).map(|address| address.to_string()).unwrap_or_default(),
            cust2vc: flow(&customer.received, customer_lost.0),
            vc2cust: flow(&customer.sent, customer_lost.1),
            rem2vc: flow(&remote.received, remote_lost.0),
            vc2rem: flow(&remote.sent, remote_lost.1),
            customer: PathFacts { round_trip: customer.round_trip, mos: customer.mos },
            remote: PathFacts { round_trip: remote.round_trip, mos: remote.mos },
        })
        .collect()
}

/// Packets lost on each leg since the call began: received, sent.
#[derive(Default)]
struct Lost {
    a: (u64, u64),
    b: (u64, u64),
}

impl Lost {
    fn add(&mut self, minute: &CallStatistics) {
        for (total, leg) in [(&mut self.a, &minute.a), (&mut self.b, &minute.b)] {
            total.0 += leg.received.packets_lost;
            total.1 += leg.sent.packets_lost;
        }
    }
}

impl Books {
    fn sides(&self) -> impl Iterator<Item = (&Arc<ConnectorMetrics>, Direction)> {
        let outbound = self.outbound.iter().map(|metrics| (metrics, Direction::Outbound));
        outbound.chain(self.inbound.iter().map(|metrics| (metrics, Direction::Inbound)))
    }
}

fn flow(figures: &FlowStatistics, packets_lost: u64) -> FlowFacts {
    FlowFacts {
        rtp_packets: figures.rtp_packets,
        rtp_bytes: figures.rtp_bytes,
        rtcp_packets: figures.rtcp_packets,
        rtcp_bytes: figures.rtcp_bytes,
        packets_lost,
        jitter: figures.jitter.unwrap_or_default(),
    }
}
