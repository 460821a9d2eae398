//! One call: live, or after.

use api::access::ConsoleAction;
use inventory::Timestamp;
use maud::{Markup, html};

use super::calls::{state, unknown};
use super::explain::link;
use super::{address, following, plot, shown};
use crate::host::{Attempt, Call, Leg, Minute, Rung, Side};
use crate::route::{Cx, Done};
use crate::ui::{badge, clock, figure, stamp, wide};

pub fn show(cx: &Cx<'_>, id: &str) -> Done {
    cx.require(ConsoleAction::ReadCalls)?;
    let call = cx.console.host.call(id).map_err(|message| api::Failure { status: 503, message })?;
    let call = call.ok_or_else(unknown)?;
    let line = &call.line;
    let title = format!("{} → {}", line.caller, line.callee);
    let body = html! {
        div.title {
            h1 { (line.caller) " → " (line.callee) }
            @if call.live { (super::overview::follow(cx, &address(&["calls", id]))) }
        }
        @if let Some(to_do) = &call.to_do { p.notice.warn { strong { "What to do: " } (to_do) } }
        (head(&call))
        div.columns {
            @for (name, leg) in ["Caller's leg", "Callee's leg"].iter().zip(&call.legs) { (leg_of(name, leg)) }
        }
        section { h2 { "Signalling" } (ladder(&call.ladder)) }
        section { h2 { "Quality by minute" } (quality(&call.minutes)) }
        section {
            h2 { "Routing" }
            (routing(&call))
        }
        @if !call.notes.is_empty() {
            section { h2 { "Notes" } ul { @for note in &call.notes { li { (note) } } } }
        }
        @if let Some(record) = &call.record {
            section {
                h2 { "Record" }
                details { summary { "The call's record as it is delivered" } (wide("Record", html! { pre { code { (record) } } })) }
            }
        }
    };
    Ok(following(cx, shown(cx, &title, "/console/calls", body)?))
}

fn head(call: &Call) -> Markup {
    let line = &call.line;
    html! {
        dl.facts {
            div { dt { "State" } dd { (state(&line.state)) @if line.emergency { " " (badge("bad", "emergency")) } } }
            div { dt { "From" } dd { (line.from) } }
            div { dt { "To" } dd { (line.to) } }
            div { dt { "Began" } dd { (stamp(Timestamp(line.started))) } }
            div { dt { @if call.live { "Lasts" } @else { "Lasted" } } dd { (clock(line.seconds)) } }
            div { dt { "MOS" } dd { (figure(line.mos, 2)) } }
            @for (name, value) in &call.facts { div { dt { (name) } dd { (value) } } }
            div { dt { "Transaction id" } dd { code { (line.id) } } }
        }
    }
}

fn leg_of(name: &str, leg: &Leg) -> Markup {
    html! {
        @if !leg.facts.is_empty() {
            section.card { h2 { (name) } dl.facts { @for (label, value) in &leg.facts { div { dt { (label) } dd { (value) } } } } }
        }
    }
}

/// Messages as arrows: the caller on the left, the gateway in the middle, the callee on the right.
fn ladder(ladder: &[Rung]) -> Markup {
    html! {
        @if ladder.is_empty() { p.quiet { "What crossed is known while a call goes on, of those that came to nothing lately, and where SIP logs are kept." } }
        @else {
            (wide("Signalling", html! {
                table.ladder {
                    thead { tr {
                        th scope="col" { "Seconds" }
                        th scope="col" { span.end { "Caller" } }
                        th scope="col" { span.middle { "Gateway" } span.end.last { "Callee" } }
                    } }
                    tbody { @for rung in ladder { (row(rung)) } }
                }
            }))
        }
    }
}

fn row(rung: &Rung) -> Markup {
    let right = (rung.side == Side::Caller) != rung.sent;
    let way = match (rung.side, rung.sent) {
        (Side::Caller, false) => "from the caller",
        (Side::Caller, true) => "to the caller",
        (Side::Callee, true) => "to the callee",
        (Side::Callee, false) => "from the callee",
    };
    let status = rung.what.chars().next().filter(char::is_ascii_digit);
    let kind = match status {
        Some('1') => "ringing",
        Some('2') => "fine",
        Some(_) => "failed",
        None => "request",
    };
    #[allow(clippy::cast_precision_loss, reason = "shown in milliseconds")]
    let seconds = rung.milliseconds as f64 / 1000.0;
    let arrow = html! {
        div.arrow.(kind).right[right].left[!right] title=(rung.peer) {
            span.unseen { (way) ": " }
            (rung.what)
            @if rung.copies > 0 { span.quiet { " ×" (rung.copies + 1) } }
        }
    };
    html! {
        @if rung.left_out > 0 { tr { td {} td.quiet colspan="2" { (rung.left_out) " messages before are not known any more" } } }
        tr {
            td.number { (format!("{seconds:.3}")) }
            @if rung.side == Side::Caller { td { (arrow) } td {} } @else { td {} td { (arrow) } }
        }
    }
}

fn quality(minutes: &[Minute]) -> Markup {
    html! {
        @if minutes.is_empty() { p.quiet { "No whole minute of media is known." } }
        @else {
            (plot::opinions(minutes))
            (wide("Quality by minute", html! {
                table {
                    caption.unseen { "Quality by minute" }
                    thead { tr {
                        th scope="col" { "Minute" }
                        th.number scope="col" { "MOS from caller" } th.number scope="col" { "from callee" }
                        th.number scope="col" { "Jitter from caller, ms" } th.number scope="col" { "from callee, ms" }
                        th.number scope="col" { "Lost from caller" } th.number scope="col" { "from callee" }
                    } }
                    tbody {
                        @for (at, minute) in minutes.iter().enumerate() {
                            tr {
                                th scope="row" { (at + 1) }
                                td.number { (figure(minute.caller.mos, 2)) } td.number { (figure(minute.callee.mos, 2)) }
                                td.number { (figure(minute.caller.jitter, 1)) } td.number { (figure(minute.callee.jitter, 1)) }
                                td.number { (lost(minute.caller.lost, minute.caller.packets)) } td.number { (lost(minute.callee.lost, minute.callee.packets)) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

fn lost(lost: u64, packets: u64) -> String {
    let all = lost.saturating_add(packets);
    if all == 0 {
        return "–".to_owned();
    }
    let thousandths = lost.saturating_mul(1000) / all;
    format!("{lost} ({}.{} %)", thousandths / 10, thousandths % 10)
}

fn routing(call: &Call) -> Markup {
    html! {
        @if call.steps_of_now { p.quiet { "As the same call would be decided now:" } }
        @if !call.steps.is_empty() { ol.steps { @for step in &call.steps { li { (step) } } } }
        @if !call.attempts.is_empty() {
            (wide("Hosts that were tried", attempts(&call.attempts)))
        }
        @if call.steps.is_empty() && call.attempts.is_empty() { p.quiet { "No host was tried." } }
        @if let Some(question) = &call.question {
            p { a href=(link(question)) { "Ask what would become of the same call now" } }
        }
    }
}

fn attempts(attempts: &[Attempt]) -> Markup {
    html! {
        table {
            thead { tr { th scope="col" { "Tried" } th scope="col" { "Host" } th.number scope="col" { "Status" } th scope="col" { "How it ended" } } }
            tbody {
                @for attempt in attempts {
                    tr {
                        th scope="row" { (attempt.whose) }
                        td { code { (attempt.host) } }
                        td.number { @if let Some(status) = attempt.status { (status) } @else { "–" } }
                        td.long { (attempt.cause) @if let Some(to_do) = &attempt.to_do { br; span.quiet { (to_do) } } }
                    }
                }
            }
        }
    }
}
