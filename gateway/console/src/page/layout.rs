//! What all pages have around them.

use api::Response;
use api::access::ConsoleAction;
use maud::{DOCTYPE, Markup, html};

use crate::respond;
use crate::route::Cx;
use crate::ui::proof;

/// The style of all pages.
pub const STYLE: &str = include_str!("../style.css");

/// The picture in the browser's tab.
pub const ICON: &str = include_str!("../icon.svg");

/// Words for what was done, by the word of the address; nothing else of an address is ever shown so.
const DONE: [(&str, &str); 9] = [
    ("created", "Created. It holds from now on."),
    ("saved", "Saved. It holds from now on; calls in progress keep what they began with."),
    ("deleted", "Deleted."),
    ("assigned", "Assigned."),
    ("unassigned", "Unassigned."),
    ("queued", "In the deletion queue: the numbers can be restored for 7 days."),
    ("restored", "Restored."),
    ("ordered", "Ordered."),
    ("disabled", "The key is changed."),
];

/// Address, name, and whether somebody sees it.
fn places(cx: &Cx<'_>) -> Vec<(&'static str, &'static str)> {
    let calls = cx.allows(ConsoleAction::ReadCalls);
    let mut places = vec![
        ("/", "Overview", true),
        ("/console/connectors", "Connectors", true),
        ("/console/groups", "Groups", true),
        ("/console/numbers", "Numbers", true),
        ("/console/orders", "Orders", true),
        ("/console/calls", "Calls", calls),
        ("/console/explain", "Would it pass?", calls),
        ("/console/audit", "Audit", cx.allows(ConsoleAction::ReadAudit)),
        ("/console/access", "Keys", cx.allows(ConsoleAction::ReadKeys)),
    ];
    places.retain(|(_, _, seen)| *seen);
    places.into_iter().map(|(address, name, _)| (address, name)).collect()
}

/// The style's address, another one whenever it changes.
fn style_address() -> String {
    // FNV-1a: no secret, only another name for other bytes.
    let hash = STYLE.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("/console/style.css?{hash:016x}")
}

fn document(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · voice-connector" }
                link rel="icon" href="/console/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href=(style_address());
            }
            body { (body) }
        }
    }
}

/// A page of somebody who is logged in.
///
/// - `place`: its address among the places of the top.
pub fn shell(cx: &Cx<'_>, title: &str, place: &str, content: Markup) -> Markup {
    let done = DONE.iter().find(|(word, _)| *word == cx.query.text("done"));
    document(
        title,
        &html! {
            a.skip href="#main" { "Skip to content" }
            header.top {
                div.brand { a href="/" { "voice-connector" } }
                nav aria-label="Main" {
                    ul {
                        @for (address, name) in places(cx) {
                            li { a href=(address) aria-current=[(address == place).then_some("page")] { (name) } }
                        }
                    }
                }
                form.who method="post" action="/console/logout" {
                    (proof(cx))
                    span title=(cx.session.key) { (cx.user) }
                    button.plain type="submit" { "Log out" }
                }
            }
            main id="main" {
                @if let Some((_, words)) = done { p.notice.good role="status" { (words) } }
                (content)
            }
        },
    )
}

/// What was not done, and why.
pub fn trouble(failure: Option<&api::Failure>) -> Markup {
    html! {
        @if let Some(failure) = failure { p.notice.bad role="alert" { (failure.message) } }
    }
}

/// The page on which one logs in.
///
/// - `to`: where to go then; empty: to the overview.
pub fn login(status: u16, wrong: Option<&str>, to: &str) -> Response {
    let body = html! {
        main.login id="main" {
            h1 { "voice-connector" }
            @if let Some(wrong) = wrong { p.notice.bad role="alert" { (wrong) } }
            form method="post" action="/console/login" {
                @if !to.is_empty() { input type="hidden" name="to" value=(to); }
                div.field {
                    label for="key" { "Access key" }
                    input id="key" name="key" required autocomplete="username" spellcheck="false" autofocus;
                }
                div.field {
                    label for="secret" { "Secret" }
                    input id="secret" name="secret" type="password" required autocomplete="current-password";
                }
                button type="submit" { "Log in" }
            }
            p.hint { "A key is made on the gateway's host: " code { "voice-connector keys create" } }
        }
    };
    respond::page(status, document("Log in", &body))
}

/// A page for who may not be logged in.
pub fn plain(status: u16, sentence: &str) -> Response {
    let body = html! {
        main.login id="main" {
            h1 { "voice-connector" }
            p.notice.bad role="alert" { (sentence) }
            p { a href="/" { "Go to the overview" } }
        }
    };
    respond::page(status, document("Not done", &body))
}
