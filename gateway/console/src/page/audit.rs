//! Who asked for what, and what came of it.

use api::access::ConsoleAction;
use maud::html;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::shown;
use crate::form::{Form, escaped};
use crate::host::AuditWanted;
use crate::route::{Cx, Done};
use crate::ui::{Field, badge, moment, wide};

/// Lines of a page.
const ROWS: usize = 50;

pub fn show(cx: &Cx<'_>) -> Done {
    cx.require(ConsoleAction::ReadAudit)?;
    let wanted = AuditWanted {
        user: cx.query.text("user").to_owned(),
        operation: cx.query.text("operation").to_owned(),
        before: OffsetDateTime::parse(cx.query.text("before"), &Rfc3339).ok(),
        most: ROWS,
    };
    let page = cx.console.host.audit(&wanted);
    let none = Form::default();
    let body = html! {
        h1 { "Audit" }
        form.filter method="get" action="/console/audit" role="search" {
            (Field { label: "User or key", name: "user", value: &wanted.user, ..Field::default() }.show(&none))
            (Field { label: "Operation", name: "operation", value: &wanted.operation, ..Field::default() }.show(&none))
            button.plain type="submit" { "Find" }
        }
        @match &page {
            Err(trouble) => p.notice.bad { (trouble) },
            Ok(page) if page.lines.is_empty() => p.empty { "Nothing of the kind is on record." },
            Ok(page) => {
                (wide("Audit", html! {
                    table {
                        thead { tr { th scope="col" { "When" } th scope="col" { "Who" } th scope="col" { "From" } th scope="col" { "What" } th scope="col" { "Came to" } th scope="col" { "Parameters" } } }
                        tbody {
                            @for line in &page.lines {
                                tr {
                                    td { (moment(line.at)) }
                                    td { (line.user) br; code.quiet { (line.key) } }
                                    td { @if let Some(source) = line.source { code { (source) } } }
                                    th scope="row" { (line.operation) }
                                    td { @if let Some(error) = &line.error { (badge("bad", error)) } @else { (badge("good", "done")) } }
                                    td.long { code { (line.parameters) } }
                                }
                            }
                        }
                    }
                }))
                @if let Some(last) = page.lines.last().filter(|_| page.more) {
                    nav.pager aria-label="Pages" {
                        a rel="next" href=(format!(
                            "/console/audit?user={}&operation={}&before={}", escaped(&wanted.user), escaped(&wanted.operation),
                            escaped(&last.at.format(&Rfc3339).unwrap_or_default())
                        )) { "Older" }
                    }
                }
            }
        }
    };
    shown(cx, "Audit", "/console/audit", body)
}
