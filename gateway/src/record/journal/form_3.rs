//! Entries as versions 2 and 3 have them: wide records said nothing of legs and media then, and attempts had no Reason.

use std::net::SocketAddr;

use serde::Deserialize;
use smol_str::SmolStr;

use super::entry::Entry;
use crate::record::{
    AnsweredCall, AttemptDetail, CallDetail, CallDetailRecord, CallFacts, CallKey, DetailDirection,
    DetailTimes, EndedBy,
};

/// An entry of version 3; version 2 has all but the last two.
#[derive(Deserialize)]
pub enum Entry3 {
    Answered { call: Box<Answered3>, orphan: bool },
    Ended { sequence: u64, key: CallKey, started_ms: u64, record: Box<CallDetailRecord>, orphan: bool },
    Detail { sequence: u64, detail: Box<Detail3> },
    Delivered { sequence: u64 },
    Released { key: CallKey },
    Alive { unix_ms: u64 },
    Taken { sink: String, next: u64 },
    SinkGone { sink: String },
}

#[derive(Deserialize)]
pub struct Answered3 {
    facts: CallFacts,
    detail: Option<Box<Detail3>>,
    state: Vec<u8>,
}

#[derive(Deserialize)]
pub struct Detail3 {
    schema: u32,
    transaction_id: SmolStr,
    region: SmolStr,
    direction: DetailDirection,
    caller: SmolStr,
    callee: SmolStr,
    calling_voice_connector: Option<SmolStr>,
    called_voice_connector: Option<SmolStr>,
    calling_carrier: Option<SmolStr>,
    carrier: Option<SmolStr>,
    emergency: bool,
    routing_number: Option<SmolStr>,
    caller_call_id: SmolStr,
    callee_call_id: Option<SmolStr>,
    times: DetailTimes,
    ended_by: EndedBy,
    status: u16,
    cause: SmolStr,
    reason: Option<SmolStr>,
    notes: Vec<String>,
    attempts: Vec<Attempt3>,
}

#[derive(Deserialize)]
struct Attempt3 {
    carrier: Option<SmolStr>,
    voice_connector: Option<SmolStr>,
    host: SmolStr,
    address: Option<SocketAddr>,
    transport: SmolStr,
    started: u64,
    ended: Option<u64>,
    status: Option<u16>,
    cause: SmolStr,
    because: Option<SmolStr>,
}

impl From<Entry3> for Entry {
    fn from(entry: Entry3) -> Entry {
        match entry {
            Entry3::Answered { call, orphan } => Entry::Answered { call: Box::new((*call).into()), orphan },
            Entry3::Ended { sequence, key, started_ms, record, orphan } => {
                Entry::Ended { sequence, key, started_ms, record, orphan }
            }
            Entry3::Detail { sequence, detail } => {
                Entry::Detail { sequence, detail: Box::new((*detail).into()) }
            }
            Entry3::Delivered { sequence } => Entry::Delivered { sequence },
            Entry3::Released { key } => Entry::Released { key },
            Entry3::Alive { unix_ms } => Entry::Alive { unix_ms },
            Entry3::Taken { sink, next } => Entry::Taken { sink, next },
            Entry3::SinkGone { sink } => Entry::SinkGone { sink },
        }
    }
}

impl From<Answered3> for AnsweredCall {
    fn from(call: Answered3) -> AnsweredCall {
        let Answered3 { facts, detail, state } = call;
        AnsweredCall { facts, detail: detail.map(|detail| Box::new((*detail).into())), state }
    }
}

impl From<Detail3> for CallDetail {
    fn from(detail: Detail3) -> CallDetail {
        CallDetail {
            schema: detail.schema,
            transaction_id: detail.transaction_id,
            region: detail.region,
            direction: detail.direction,
            caller: detail.caller,
            callee: detail.callee,
            calling_voice_connector: detail.calling_voice_connector,
            called_voice_connector: detail.called_voice_connector,
            calling_carrier: detail.calling_carrier,
            carrier: detail.carrier,
            emergency: detail.emergency,
            routing_number: detail.routing_number,
            caller_call_id: detail.caller_call_id,
            callee_call_id: detail.callee_call_id,
            caller_leg: None,
            callee_leg: None,
            times: detail.times,
            ended_by: detail.ended_by,
            status: detail.status,
            cause: detail.cause,
            reason: detail.reason,
            notes: detail.notes,
            attempts: detail.attempts.into_iter().map(AttemptDetail::from).collect(),
            media: None,
        }
    }
}

impl From<Attempt3> for AttemptDetail {
    fn from(attempt: Attempt3) -> AttemptDetail {
        AttemptDetail {
            carrier: attempt.carrier,
            voice_connector: attempt.voice_connector,
            host: attempt.host,
            address: attempt.address,
            transport: attempt.transport,
            started: attempt.started,
            ended: attempt.ended,
            status: attempt.status,
            cause: attempt.cause,
            reason: None,
            because: attempt.because,
        }
    }
}
