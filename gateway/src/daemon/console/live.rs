//! Calls that go on, and calls that came to nothing lately, as pages show them.

use ::console::{Attempt, Call, CallLine, Fact, Leg, Minute, Question, Refused, Rung, Side, Stream};

use super::seconds;
use crate::question::{self, CallView, LegView, MediaView, StreamView};
use crate::record::AttemptDetail;
use crate::why::{self, Explanation, LadderLine, Tried};

/// A call in a list.
pub(super) fn line(call: &question::CallLine) -> CallLine {
    CallLine {
        id: call.id.clone(),
        state: call.state.name().to_owned(),
        caller: call.caller.clone(),
        callee: call.callee.clone(),
        from: call.from().to_owned(),
        to: call.to().to_owned(),
        started: call.started,
        seconds: call.seconds,
        mos: call.mos,
        emergency: call.emergency,
    }
}

/// A call that goes on.
pub(super) fn call(view: &CallView) -> Call {
    let CallView { ringing, answered, caller, callee, attempts, notes, ladder, minutes, media, .. } = view;
    let mut facts = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell("Ringing after", ringing.map(seconds));
    tell("Answered after", answered.map(seconds));
    tell("Packets from the caller", media.map(|media| media.caller.packets.to_string()));
    tell("Packets from the callee", media.map(|media| media.callee.packets.to_string()));
    let question = caller.as_ref().map(|leg| Question {
        from: view.line.caller.clone(),
        to: view.line.callee.clone(),
        source: leg.remote.ip().to_string(),
        transport: leg.transport.clone(),
        connector: view.line.calling_voice_connector.clone().unwrap_or_default(),
    });
    Call {
        line: line(&view.line),
        live: true,
        facts,
        legs: [caller, callee].into_iter().flatten().map(leg).collect(),
        ladder: ladder.iter().map(rung).collect(),
        minutes: minutes.iter().map(minute).collect(),
        attempts: attempts.iter().map(|detail| attempt(detail, None)).collect(),
        notes: notes.clone(),
        question,
        ..Call::default()
    }
}

fn leg(leg: &LegView) -> Leg {
    let mut facts: Vec<Fact> = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell("Party", leg.party.clone());
    tell("Signalling", Some(format!("{} {}", leg.remote, leg.transport)));
    tell("TLS", leg.tls.clone());
    tell("Codec", leg.codec.clone());
    tell("SRTP", leg.srtp.clone());
    tell("Media to", leg.media.map(|address| address.to_string()));
    tell("On hold", leg.on_hold.then(|| "holds the other party".to_owned()));
    tell("Call-ID", Some(leg.call_id.clone()));
    Leg { facts }
}

/// A message. TLS makes no difference: it was noted before encryption, or after.
pub(super) fn rung(line: &LadderLine) -> Rung {
    let what = match line.status {
        Some(status) => format!("{status} {}", line.method),
        None => line.method.clone(),
    };
    Rung {
        milliseconds: line.milliseconds.into(),
        side: if line.leg == why::Leg::A { Side::Caller } else { Side::Callee },
        sent: line.sent,
        what,
        peer: format!("{} {}", line.remote, line.transport),
        copies: line.copies,
        left_out: line.left_out,
    }
}

fn minute(media: &MediaView) -> Minute {
    Minute { caller: stream(media.caller), callee: stream(media.callee) }
}

fn stream(stream: StreamView) -> Stream {
    let StreamView { packets, lost, jitter, mos } = stream;
    Stream { packets, lost, jitter: jitter.map(|jitter| f64::from(jitter) / 1000.0), mos }
}

/// A host that was tried.
pub(super) fn attempt(detail: &AttemptDetail, to_do: Option<&str>) -> Attempt {
    let whose = match (&detail.carrier, &detail.voice_connector) {
        (Some(carrier), _) => format!("carrier {carrier}"),
        (None, Some(connector)) => format!("voice connector {connector}"),
        (None, None) => "nobody".to_owned(),
    };
    let address = detail.address.map(|address| format!(" ({address} {})", detail.transport));
    let because = detail.because.as_ref().map(|because| format!("; {because}"));
    Attempt {
        whose,
        host: format!("{}{}", detail.host, address.unwrap_or_default()),
        status: detail.status,
        cause: format!("{}{}", detail.cause, because.unwrap_or_default()),
        to_do: to_do.map(str::to_owned),
    }
}

/// A call that came to nothing, in a list.
pub(super) fn refused(call: &Explanation) -> Refused {
    let id = call.transaction_id.as_ref().or(call.call_ids.first());
    Refused {
        id: id.cloned().unwrap_or_default(),
        caller: call.caller.clone(),
        callee: call.callee.clone(),
        source: call.source.map(|source| source.to_string()).unwrap_or_default(),
        at: call.last,
        times: call.times,
        status: call.status,
        cause: call.cause.clone(),
        step: call.step.clone(),
        to_do: call.to_do.clone(),
    }
}

/// A call that came to nothing.
pub(super) fn failed(call: &Explanation) -> Call {
    let mut facts: Vec<Fact> = Vec::new();
    let mut tell = |name: &str, value: Option<String>| {
        facts.extend(value.map(|value| (name.to_owned(), value)));
    };
    tell("Refused with", Some(format!("{} {}", call.status, call.cause)));
    tell("Step that said no", Some(call.step.clone()));
    tell("Ended by", Some(format!("the {}", call.ended_by.as_label())));
    tell("Source", call.source.map(|source| source.to_string()));
    tell("Times", (call.times > 1).then(|| call.times.to_string()));
    tell("Reason told", call.told.as_ref().and_then(|told| told.reason.clone()));
    let question = call.source.map(|source| Question {
        from: call.caller.clone(),
        to: call.callee.clone(),
        source: source.ip().to_string(),
        transport: call.transport.clone().unwrap_or_else(|| "udp".to_owned()),
        connector: String::new(),
    });
    let party = |party: &Option<String>| party.clone().unwrap_or_else(|| "-".to_owned());
    Call {
        line: CallLine {
            id: call.transaction_id.as_ref().or(call.call_ids.first()).cloned().unwrap_or_default(),
            state: "Failed".to_owned(),
            caller: call.caller.clone(),
            callee: call.callee.clone(),
            from: party(&call.from),
            to: party(&call.to),
            started: call.first,
            seconds: if call.times > 1 { 0 } else { call.last.saturating_sub(call.first) / 1000 },
            mos: None,
            emergency: false,
        },
        facts,
        ladder: call.ladder.iter().map(rung).collect(),
        attempts: call
            .attempts
            .iter()
            .map(|Tried { detail, to_do }| attempt(detail, to_do.as_deref()))
            .collect(),
        steps: call.steps.clone(),
        to_do: Some(call.to_do.clone()),
        notes: call.notes.clone(),
        question,
        ..Call::default()
    }
}
