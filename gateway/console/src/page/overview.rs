//! How things are.

use api::Operation;
use api::access::ConsoleAction;
use maud::{Markup, html};

use super::{following, shown};
use crate::host::{Carrier, Certificate, Overview};
use crate::route::{Cx, Done};
use crate::ui::{badge, figure, grouped, wide};

/// A certificate with fewer days left is told in colour.
const SOON: i64 = 30;

pub fn show(cx: &Cx<'_>) -> Done {
    if !cx.allows(ConsoleAction::ReadCalls) {
        let body = html! {
            h1 { "Overview" }
            p { "Your key shows no calls and figures: it lacks " code { "console:ReadCalls" } ". What it shows is at the top." }
        };
        return shown(cx, "Overview", "/", body);
    }
    let overview = cx.console.host.overview();
    let body = html! {
        div.title {
            h1 { "Overview" }
            (follow(cx, "/"))
        }
        (state(&overview))
        (tiles(&overview))
        div.columns {
            section { h2 { "Carriers" } (carriers(&overview.carriers)) }
            section { h2 { "Refusals by cause" } (refusals(&overview)) }
            section { h2 { "Certificates" } (certificates(&overview.certificates)) }
            @if cx.may(Operation::CreateVoiceConnector, &[]) {
                section {
                    h2 { "Next" }
                    ul.links {
                        li { a href="/console/connectors/new" { "Create a voice connector" } }
                        li { a href="/console/numbers?status=Unassigned" { "Assign numbers" } }
                        li { a href="/console/explain" { "Ask whether a call would pass" } }
                    }
                }
            }
        }
    };
    Ok(following(cx, shown(cx, "Overview", "/", body)?))
}

/// The link by which a page reads itself anew every five seconds, or stops that.
pub fn follow(cx: &Cx<'_>, address: &str) -> Markup {
    html! {
        @if cx.query.is_ticked("follow") { a.button.plain href=(address) { "Stop following" } }
        @else { a.button.plain href=(format!("{address}?follow")) { "Follow" } }
    }
}

fn state(overview: &Overview) -> Markup {
    html! {
        @if overview.obstacles.is_empty() {
            p.notice.good { "The gateway takes calls." }
        } @else {
            div.notice.bad {
                p { "The gateway takes no calls but emergencies:" }
                ul { @for obstacle in &overview.obstacles { li { (obstacle) } } }
            }
        }
    }
}

fn tiles(overview: &Overview) -> Markup {
    let since = match overview.minutes {
        Some(1) => "in the last minute".to_owned(),
        Some(minutes) => format!("in the last {minutes} minutes"),
        None => "since the gateway began".to_owned(),
    };
    html! {
        ul.tiles aria-label="Figures" {
            (tile("Calls now", &grouped(overview.calls), "/console/calls", ""))
            (tile("New calls a second", &figure(overview.cps, 1), "", ""))
            (tile("Answered", &overview.asr.map_or_else(|| "–".to_owned(), |asr| format!("{asr:.0} %")), "", &since))
            (tile("Opinion score (MOS)", &figure(overview.mos, 2), "", &since))
            (tile("Refused by a limit", &grouped(overview.throttled), "", &since))
        }
    }
}

fn tile(name: &str, value: &str, address: &str, note: &str) -> Markup {
    html! {
        li.tile {
            span.name { @if address.is_empty() { (name) } @else { a href=(address) { (name) } } }
            span.value { (value) }
            @if !note.is_empty() { span.quiet { (note) } }
        }
    }
}

fn refusals(overview: &Overview) -> Markup {
    let most = overview.refusals.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
    html! {
        @if overview.refusals.is_empty() { p.quiet { "Nothing was refused." } }
        @else {
            table.bars {
                thead { tr { th scope="col" { "Cause" } th.number scope="col" { "Requests" } th scope="col" { span.unseen { "Share" } } } }
                tbody {
                    @for (cause, count) in &overview.refusals {
                        tr {
                            th scope="row" { (cause.replace('_', " ")) }
                            td.number { (grouped(*count)) }
                            td {
                                svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
                                    rect width=(count * 100 / most) height="8" rx="1" {}
                                }
                            }
                        }
                    }
                }
            }
            p { a href="/console/calls#refused" { "See which calls" } }
        }
    }
}

fn carriers(carriers: &[Carrier]) -> Markup {
    html! {
        @if carriers.is_empty() { p.quiet { "No carrier is configured." } }
        @else {
            (wide("Carriers", html! {
                table {
                    thead { tr {
                        th scope="col" { "Carrier" } th scope="col" { "Health" }
                        th.number scope="col" { "Calls" } th.number scope="col" { "CPS" } th.number scope="col" { "Answered" }
                    } }
                    tbody {
                        @for carrier in carriers {
                            tr {
                                th scope="row" { (carrier.name) }
                                td { (health(carrier.up)) }
                                td.number { (grouped(carrier.active)) }
                                td.number { (figure(carrier.cps, 1)) }
                                td.number { (carrier.asr.map_or_else(|| "–".to_owned(), |asr| format!("{asr:.0} %"))) }
                            }
                        }
                    }
                }
            }))
        }
    }
}

fn health(up: Option<bool>) -> Markup {
    match up {
        Some(true) => badge("good", "answers"),
        Some(false) => badge("bad", "does not answer"),
        None => badge("dull", "not probed"),
    }
}

fn certificates(certificates: &[Certificate]) -> Markup {
    html! {
        @if certificates.is_empty() { p.quiet { "No certificate is configured." } }
        @else {
            table {
                thead { tr { th scope="col" { "File" } th.number scope="col" { "Days left" } } }
                tbody {
                    @for certificate in certificates {
                        tr {
                            th scope="row" { code { (certificate.name) } }
                            td.number {
                                @match certificate.days {
                                    i64::MIN..0 => (badge("bad", "expired")),
                                    0..SOON => (badge("warn", &certificate.days.to_string())),
                                    _ => (certificate.days),
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
