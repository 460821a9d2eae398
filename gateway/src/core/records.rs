//! What a call leaves behind: its limits while it lives, counters, log lines, call detail records.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip::Message;

use super::{CallKey, Core, Now, Output, Record};
use crate::call::{Account, Call, Cause, Event, Route, Settled, Times};
use crate::limits::Guard;
use crate::media::{CallStatistics, MediaEvent, Side};
use crate::metrics::ConnectorMetrics;
use crate::record::{AnsweredCall, CallFacts, Direction, FlowFacts, Party, PathFacts, QualityFacts, SipMessageFacts};

/// What the core holds for a call beside the machine; given back when it is settled.
#[derive(Default)]
pub(super) struct Books {
    /// The calling connector's limit.
    pub termination: Option<Guard>,
    /// The present route's.
    pub route: Option<Guard>,
    /// The connector that calls out, and the one that is called.
    outbound: Option<Arc<ConnectorMetrics>>,
    inbound: Option<Arc<ConnectorMetrics>>,
    answered: bool,
}

impl Core {
    /// A call of a connector's customer begins.
    pub(super) fn open_books(&self, account: &Account, termination: Option<Guard>) -> Books {
        let outbound = account.outbound.as_ref().map(|id| self.shared.metrics.connector(id));
        if let Some(outbound) = &outbound {
            outbound.calls(Direction::Outbound).attempt();
        }
        Books { termination, outbound, ..Books::default() }
    }

    /// A route to a connector is tried: an attempt of its own, the one before has failed.
    pub(super) fn offered(&mut self, key: CallKey, connector: &str) {
        let metrics = self.shared.metrics.connector(connector);
        metrics.calls(Direction::Inbound).attempt();
        if let Some(slot) = self.calls.get_mut(&key)
            && let Some(left) = slot.books.inbound.replace(metrics)
        {
            left.calls(Direction::Inbound).failed();
        }
    }

    pub(super) fn count_answered(&mut self, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.books.answered = true;
        for (metrics, direction) in slot.books.sides() {
            metrics.calls(direction).answered();
        }
    }

    /// Takes the limits of a route after giving back those of the route before.
    pub(super) fn admit_route(&mut self, now: Now, key: CallKey, route: &Route, emergency: bool) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        slot.books.route = None;
        let event = match self.shared.take_route(&self.config, now, route, emergency) {
            Ok(guard) => {
                slot.books.route = guard;
                Event::Admitted
            }
            Err(cause) => {
                if let Some(connector) = &route.connector {
                    self.shared.metrics.connector(connector).throttled();
                }
                Event::Limited { cause }
            }
        };
        slot.call.handle(now, &mut self.tokens, event);
    }

    /// The answered call goes into the journal before its 200 leaves.
    pub(super) fn journal(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get(&key) else { return };
        let times = Times { answered: Some(now.unix), ended: None, ..slot.call.times };
        let state = serde_json::to_value(slot.call.answering()).unwrap_or_default();
        let settled = Settled {
            times,
            cause: Cause::new(200, "OK"),
            ..slot.call.so_far()
        };
        let entries = self
            .facts(&settled)
            .into_iter()
            .map(|facts| AnsweredCall { facts, state: state.clone() })
            .collect();
        self.outputs.push_back(Output::Record(Record::Answered { call: key.0, entries }));
    }

    /// The call is over: limits back, counters, one record for each connector that it belongs to.
    pub(super) fn write_records(&mut self, _now: Now, key: CallKey, settled: &Settled) {
        if let Some(slot) = self.calls.get_mut(&key) {
            let books = std::mem::take(&mut slot.books);
            for (metrics, direction) in books.sides() {
                match books.answered {
                    true => metrics.calls(direction).ended(),
                    false => metrics.calls(direction).failed(),
                }
            }
        }
        tracing::info!(
            transaction_id = %settled.transaction_id,
            outbound = settled.account.outbound,
            inbound = settled.account.inbound,
            cause = settled.cause.status.code(),
            text = %settled.cause.text,
            "call ended"
        );
        for facts in self.facts(settled) {
            self.write(Record::Call(Box::new(facts)));
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
            call_id: call_id.to_owned(),
            voice_connector_id: connector.clone(),
            direction,
            status_message: message.clone(),
            sip_auth_user: account.sip_auth_user.clone(),
            source: Party {
                number: account.caller.clone(),
                name: account.caller_name.clone(),
                country: account.caller_country.clone(),
            },
            destination: Party {
                number: account.callee.clone(),
                name: account.callee_name.clone(),
                country: account.callee_country.clone(),
            },
            started_at: settled.times.started,
            answered_at: settled.times.answered,
            ended_at: settled.times.ended.unwrap_or(settled.times.started),
            streaming: false,
            is_proxy_call: false,
        };
        let b_call_id = settled.b_call_id.as_deref().unwrap_or(&settled.a_call_id);
        let outbound = account.outbound.iter().map(|id| facts(id, Direction::Outbound, &settled.a_call_id));
        let inbound = account.inbound.iter().map(|id| facts(id, Direction::Inbound, b_call_id));
        outbound.chain(inbound).collect()
    }

    /// One line in the SIP message log of each connector of the call that wants it.
    pub(super) fn log_message(&mut self, now: Now, key: CallKey, message: &Message) {
        let Some(slot) = self.calls.get(&key) else { return };
        let account = slot.call.account();
        let sides = [(&account.outbound, Side::A), (&account.inbound, Side::B)];
        for (connector, side) in sides {
            let Some(id) = connector else { continue };
            if self.config.connector(id).is_some_and(|connector| connector.logging.sip_messages) {
                let call_id = slot.call.call_id(side).to_owned();
                let line = self.sip_line(now, id.clone(), call_id, message.bytes().clone());
                self.outputs.push_back(Output::Record(Record::SipMessage(Box::new(line))));
            }
        }
    }

    pub(super) fn sip_line(&self, now: Now, connector: String, call_id: String, message: Bytes) -> SipMessageFacts {
        SipMessageFacts {
            voice_connector_id: connector,
            region: self.config.gateway.region.clone(),
            event_timestamp: now.unix,
            call_id,
            message,
        }
    }

    /// News of a call's media; its figures become quality records.
    pub(super) fn handle_media(&mut self, now: Now, event: MediaEvent) {
        let key = CallKey::from(event.key());
        if let MediaEvent::Minute { statistics, .. } = &event
            && let Some(slot) = self.calls.get(&key)
        {
            for facts in self.quality(now, &slot.call, statistics) {
                self.write(Record::Quality(Box::new(facts)));
            }
        }
        self.event(now, key, Event::Media(event));
    }

    /// The minute's figures for each connector of the call that wants them, seen from its customer.
    fn quality(&self, now: Now, call: &Call, statistics: &CallStatistics) -> Vec<QualityFacts> {
        let account = call.account();
        let sides = [(&account.outbound, Side::A), (&account.inbound, Side::B)];
        let wanted = sides.into_iter().filter_map(|(id, side)| {
            let connector = self.config.connector(id.as_ref()?)?;
            connector.logging.media_metrics.then_some((connector, side))
        });
        wanted
            .map(|(connector, side)| {
                let (customer, remote) = match side {
                    Side::A => (&statistics.a, &statistics.b),
                    Side::B => (&statistics.b, &statistics.a),
                };
                QualityFacts {
                    voice_connector_id: connector.id.to_string(),
                    region: self.config.gateway.region.clone(),
                    event_timestamp: now.unix,
                    transaction_id: call.transaction_id.to_string(),
                    from_sip_user: account.caller.clone(),
                    from_country: account.caller_country.clone().unwrap_or_default(),
                    to_sip_user: account.callee.clone(),
                    to_country: account.callee_country.clone().unwrap_or_default(),
                    endpoint_id: customer.source.map(|source| source.to_string()).unwrap_or_default(),
                    cust2vc: flow(&customer.received),
                    vc2cust: flow(&customer.sent),
                    rem2vc: flow(&remote.received),
                    vc2rem: flow(&remote.sent),
                    customer: PathFacts { round_trip: customer.round_trip, mos: customer.mos },
                    remote: PathFacts { round_trip: remote.round_trip, mos: remote.mos },
                }
            })
            .collect()
    }
}

impl Books {
    fn sides(&self) -> impl Iterator<Item = (&Arc<ConnectorMetrics>, Direction)> {
        let outbound = self.outbound.iter().map(|metrics| (metrics, Direction::Outbound));
        outbound.chain(self.inbound.iter().map(|metrics| (metrics, Direction::Inbound)))
    }
}

fn flow(figures: &crate::media::FlowStatistics) -> FlowFacts {
    FlowFacts {
        rtp_packets: figures.rtp_packets,
        rtp_bytes: figures.rtp_bytes,
        rtcp_packets: figures.rtcp_packets,
        rtcp_bytes: figures.rtcp_bytes,
        packets_lost: figures.lost,
        jitter: figures.jitter,
    }
}

/// The longest that a call of nobody's limit may last.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(12 * 60 * 60);
