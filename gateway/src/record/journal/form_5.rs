//! Entries as versions 4 and 5 have them: wide records said less of media then.

use serde::Deserialize;
use smol_str::SmolStr;

use super::entry::Entry;
use crate::record::{
    AnsweredCall, AttemptDetail, AuditRecord, CallDetail, CallDetailRecord, CallFacts, CallKey,
    DetailDirection, DetailTimes, EndedBy, LegDetail, MediaDetail, Opinion, PartyMedia, StreamDetail,
};

/// An entry of version 5; version 4 has all but the last.
#[derive(Deserialize)]
pub enum Entry5 {
    Answered { call: Box<Answered5>, orphan: bool },
    Ended { sequence: u64, key: CallKey, started_ms: u64, record: Box<CallDetailRecord>, orphan: bool },
    Detail { sequence: u64, detail: Box<Detail5> },
    Delivered { sequence: u64 },
    Released { key: CallKey },
    Alive { unix_ms: u64 },
    Taken { sink: String, next: u64 },
    SinkGone { sink: String },
    Audit { sequence: u64, audit: Box<AuditRecord> },
}

#[derive(Deserialize)]
pub struct Answered5 {
    facts: CallFacts,
    detail: Option<Box<Detail5>>,
    state: Vec<u8>,
}

#[derive(Deserialize)]
pub struct Detail5 {
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
    caller_leg: Option<LegDetail>,
    callee_leg: Option<LegDetail>,
    times: DetailTimes,
    ended_by: EndedBy,
    status: u16,
    cause: SmolStr,
    reason: Option<SmolStr>,
    notes: Vec<String>,
    attempts: Vec<AttemptDetail>,
    media: Option<Media5>,
}

#[derive(Deserialize)]
struct Media5 {
    milliseconds: u64,
    caller: Party5,
    callee: Party5,
}

#[derive(Deserialize)]
struct Party5 {
    received: Stream5,
    sent: Stream5,
    round_trip: Option<u32>,
}

#[derive(Deserialize)]
struct Stream5 {
    rtp_packets: u64,
    rtp_bytes: u64,
    rtcp_packets: u64,
    rtcp_bytes: u64,
    udptl_packets: u64,
    udptl_bytes: u64,
    packets_lost: Option<u64>,
    jitter: Option<u32>,
    max_jitter: Option<u32>,
    mos: Option<Opinion>,
}

impl From<Entry5> for Entry {
    fn from(entry: Entry5) -> Entry {
        match entry {
            Entry5::Answered { call, orphan } => Entry::Answered { call: Box::new((*call).into()), orphan },
            Entry5::Ended { sequence, key, started_ms, record, orphan } => {
                Entry::Ended { sequence, key, started_ms, record, orphan }
            }
            Entry5::Detail { sequence, detail } => {
                Entry::Detail { sequence, detail: Box::new((*detail).into()) }
            }
            Entry5::Delivered { sequence } => Entry::Delivered { sequence },
            Entry5::Released { key } => Entry::Released { key },
            Entry5::Alive { unix_ms } => Entry::Alive { unix_ms },
            Entry5::Taken { sink, next } => Entry::Taken { sink, next },
            Entry5::SinkGone { sink } => Entry::SinkGone { sink },
            Entry5::Audit { sequence, audit } => Entry::Audit { sequence, audit },
        }
    }
}

impl From<Answered5> for AnsweredCall {
    fn from(call: Answered5) -> AnsweredCall {
        let Answered5 { facts, detail, state } = call;
        AnsweredCall { facts, detail: detail.map(|detail| Box::new((*detail).into())), state }
    }
}

impl From<Detail5> for CallDetail {
    fn from(detail: Detail5) -> CallDetail {
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
            caller_leg: detail.caller_leg,
            callee_leg: detail.callee_leg,
            times: detail.times,
            ended_by: detail.ended_by,
            status: detail.status,
            cause: detail.cause,
            reason: detail.reason,
            notes: detail.notes,
            attempts: detail.attempts,
            media: detail.media.map(MediaDetail::from),
        }
    }
}

impl From<Media5> for MediaDetail {
    fn from(media: Media5) -> MediaDetail {
        let Media5 { milliseconds, caller, callee } = media;
        MediaDetail { milliseconds, caller: caller.into(), callee: callee.into() }
    }
}

impl From<Party5> for PartyMedia {
    fn from(party: Party5) -> PartyMedia {
        let Party5 { received, sent, round_trip } = party;
        let (received, sent) = (received.into(), sent.into());
        PartyMedia { received, sent, round_trip, one_way_silence: false, srtcp_tag: None }
    }
}

impl From<Stream5> for StreamDetail {
    fn from(stream: Stream5) -> StreamDetail {
        StreamDetail {
            rtp_packets: stream.rtp_packets,
            rtp_bytes: stream.rtp_bytes,
            rtcp_packets: stream.rtcp_packets,
            rtcp_bytes: stream.rtcp_bytes,
            udptl_packets: stream.udptl_packets,
            udptl_bytes: stream.udptl_bytes,
            packets_lost: stream.packets_lost,
            jitter: stream.jitter,
            max_jitter: stream.max_jitter,
            duplicates: 0,
            interruptions: 0,
            loss: None,
            mos: stream.mos,
            wideband_mos: None,
            reported_mos: None,
        }
    }
}
