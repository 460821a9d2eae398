//! Calls: those that go on, those that came to nothing, and those that are over.

use api::Failure;
use api::access::ConsoleAction;
use inventory::Timestamp;
use maud::{Markup, html};

use super::{address, following, shown};
use crate::form::Form;
use crate::host::{CallLine, Refused};
use crate::route::{Cx, Done};
use crate::ui::{Field, badge, clock, figure, stamp, wide};

/// Calls of each kind on the page.
const MOST: usize = 50;

pub fn list(cx: &Cx<'_>) -> Done {
    cx.require(ConsoleAction::ReadCalls)?;
    let host = &cx.console.host;
    let number: String =
        cx.query.text("number").chars().filter(|one| one.is_ascii_digit() || *one == '+').take(20).collect();
    let (live, refused, ended) =
        (host.calls(&number, MOST), host.refused(&number, MOST), host.ended(&number, MOST));
    let here = format!("/console/calls?number={}", crate::form::escaped(&number));
    let body = html! {
        div.title {
            h1 { "Calls" }
            @if cx.query.is_ticked("follow") { a.button.plain href=(here) { "Stop following" } }
            @else { a.button.plain href=(format!("{here}&follow")) { "Follow" } }
        }
        form.filter method="get" action="/console/calls" role="search" {
            (Field { label: "Number", name: "number", value: &number, ..Field::default() }.show(&Form::default()))
            button.plain type="submit" { "Find" }
        }
        section {
            h2 id="live" { "Going on" }
            (told(&live, |live| html! {
                @if live.is_empty() { p.quiet { "No call goes on." } }
                @else { (wide("Calls that go on", lines(live, "Lasts"))) }
            }))
        }
        section {
            h2 id="refused" { "Came to nothing" }
            (told(&refused, |refused| html! {
                @if refused.is_empty() { p.quiet { "No call came to nothing of late." } }
                @else { (wide("Calls that came to nothing", failures(refused))) }
            }))
        }
        section {
            h2 id="over" { "Over" }
            (told(&ended, |ended| html! {
                @if ended.is_empty() { p.quiet { "None is on record." } }
                @else { (wide("Calls that are over", lines(ended, "Lasted"))) }
            }))
        }
    };
    Ok(following(cx, shown(cx, "Calls", "/console/calls", body)?))
}

fn told<T>(told: &Result<T, String>, show: impl Fn(&T) -> Markup) -> Markup {
    match told {
        Ok(told) => show(told),
        Err(trouble) => html! { p.notice.bad { (trouble) } },
    }
}

/// A call's state as a badge.
pub fn state(state: &str) -> Markup {
    let kind = match state {
        "up" | "Completed" => "good",
        "Failed" => "bad",
        "dialling" | "ringing" | "accepted" | "handed" => "warn",
        _ => "dull",
    };
    badge(kind, state)
}

fn lines(calls: &[CallLine], time: &str) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Call" } th scope="col" { "State" } th scope="col" { "From" } th scope="col" { "To" }
                th.number scope="col" { (time) } th.number scope="col" { "MOS" } th scope="col" { "Began" }
            } }
            tbody {
                @for call in calls {
                    tr {
                        th scope="row" {
                            a href=(address(&["calls", &call.id])) { (call.caller) " → " (call.callee) }
                            @if call.emergency { " " (badge("bad", "emergency")) }
                        }
                        td { (state(&call.state)) }
                        td { (call.from) }
                        td { (call.to) }
                        td.number { (clock(call.seconds)) }
                        td.number { (figure(call.mos, 2)) }
                        td { (stamp(Timestamp(call.started))) }
                    }
                }
            }
        }
    }
}

fn failures(refused: &[Refused]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Call" } th scope="col" { "Refused with" } th scope="col" { "What to do" }
                th scope="col" { "Source" } th.number scope="col" { "Times" } th scope="col" { "Last" }
            } }
            tbody {
                @for call in refused {
                    tr {
                        th scope="row" {
                            @if call.id.is_empty() { (call.caller) " → " (call.callee) }
                            @else { a href=(address(&["calls", &call.id])) { (call.caller) " → " (call.callee) } }
                        }
                        td { strong { (call.status) } " " (call.cause) @if !call.step.is_empty() { br; span.quiet { (call.step) } } }
                        td.long { (call.to_do) }
                        td { code { (call.source) } }
                        td.number { (call.times) }
                        td { (stamp(Timestamp(call.at))) }
                    }
                }
            }
        }
    }
}

/// What is said where a call is not known.
pub fn unknown() -> Failure {
    Failure {
        status: 404,
        message: "Nothing is known of such a call: it never was, or its records are kept elsewhere."
            .to_owned(),
    }
}
