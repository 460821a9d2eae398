//! The pages.

mod access;
mod audit;
mod call;
mod calls;
mod connector;
mod connectors;
mod explain;
mod groups;
mod layout;
mod numbers;
mod orders;
mod overview;
mod plot;

use api::{Failure, Response};
use maud::html;

use crate::form::escaped;
use crate::respond;
use crate::route::{Cx, Done};

use layout::shell;
pub use layout::{ICON, STYLE, login, plain};

/// The page that a request is for.
pub fn of(cx: &Cx<'_>, sent: bool, parts: &[&str]) -> Response {
    let done = if sent { post(cx, parts) } else { get(cx, parts, None) };
    match done {
        Ok(response) => response,
        // What could not be done is told on the page where it was asked for.
        Err(failure) if sent => {
            let shown = get(cx, before(parts), Some(&failure));
            let mut page = shown.unwrap_or_else(|_| failed(cx, &failure));
            page.status = failure.status;
            page
        }
        Err(failure) => failed(cx, &failure),
    }
}

fn get(cx: &Cx<'_>, parts: &[&str], failure: Option<&Failure>) -> Done {
    match parts {
        [] | ["" | "login"] => overview::show(cx),
        ["connectors"] => connectors::list(cx),
        ["connectors", "new"] => connectors::new(cx, failure),
        ["connectors", id] => connector::show(cx, id, failure),
        ["groups"] => groups::list(cx),
        ["groups", "new"] => groups::new(cx, failure),
        ["groups", id] => groups::show(cx, id, failure),
        ["numbers"] => numbers::list(cx, failure),
        ["numbers", number] => numbers::show(cx, number, failure),
        ["orders"] => orders::list(cx),
        ["orders", "new"] => orders::new(cx, failure),
        ["orders", id] => orders::show(cx, id),
        ["calls"] => calls::list(cx),
        ["calls", id] => call::show(cx, id),
        ["explain"] => explain::show(cx),
        ["audit"] => audit::show(cx),
        ["access"] => access::show(cx, failure),
        ["access", "policies", name] => access::policy(cx, name, failure),
        _ => Err(nothing()),
    }
}

fn post(cx: &Cx<'_>, parts: &[&str]) -> Done {
    match parts {
        ["connectors", "new"] => connectors::create(cx),
        ["connectors", id, part] => connector::change(cx, id, part),
        ["groups", "new"] => groups::create(cx),
        ["groups", id, part] => groups::change(cx, id, part),
        ["numbers", "change"] => numbers::change_many(cx),
        ["numbers", "settings"] => numbers::change_settings(cx),
        ["numbers", number, "name"] => numbers::rename(cx, number),
        ["orders", "new"] => orders::create(cx),
        ["access", "keys"] => access::create(cx),
        ["access", "keys", id, part] => access::change(cx, id, part),
        ["access", "policies", name, part] => access::change_policy(cx, name, part),
        _ => Err(nothing()),
    }
}

/// The page from which something was sent.
fn before<'p>(parts: &'p [&'p str]) -> &'p [&'p str] {
    match parts {
        [_, "new"] => parts,
        ["numbers" | "access", ..] if parts.len() < 4 && parts.get(2) != Some(&"name") => {
            parts.get(..1).unwrap_or_default()
        }
        ["access", "keys", ..] => parts.get(..1).unwrap_or_default(),
        [first @ .., _] => first,
        [] => parts,
    }
}

fn nothing() -> Failure {
    Failure { status: 404, message: "There is no such page.".to_owned() }
}

fn wrong(message: impl Into<String>) -> Failure {
    Failure { status: 400, message: message.into() }
}

fn failed(cx: &Cx<'_>, failure: &Failure) -> Response {
    let title = match failure.status {
        403 => "Not allowed",
        404 => "Not found",
        _ => "This did not work",
    };
    let body = html! {
        h1 { (title) }
        p { (failure.message) }
        p { a href="/" { "Go to the overview" } }
    };
    respond::page(failure.status, shell(cx, title, "", body))
}

/// A page that is shown.
fn shown(cx: &Cx<'_>, title: &str, place: &str, body: maud::Markup) -> Done {
    Ok(respond::page(200, shell(cx, title, place, body)))
}

/// Back to a page, with a word about what was done.
fn done(address: &str, what: &str) -> Done {
    Ok(respond::see_other(&format!("{address}?done={what}")))
}

/// Below `/console`, from parts that are escaped here.
fn address(parts: &[&str]) -> String {
    parts.iter().fold("/console".to_owned(), |path, part| path + "/" + &escaped(part))
}

/// A page that reads itself anew, where it was asked for by `follow`.
fn following(cx: &Cx<'_>, mut page: Response) -> Response {
    if cx.query.is_ticked("follow") {
        page.headers.push(("refresh", "5".to_owned()));
    }
    page
}
