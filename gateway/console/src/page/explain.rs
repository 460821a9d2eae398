//! What would become of a call that nobody has made.

use api::access::ConsoleAction;
use maud::html;

use super::shown;
use crate::form::{Form, escaped};
use crate::host::Question;
use crate::route::{Cx, Done};
use crate::ui::{Field, select};

/// The page's address for a question.
pub fn link(question: &Question) -> String {
    let Question { from, to, source, transport, connector } = question;
    let parts =
        [("from", from), ("to", to), ("source", source), ("transport", transport), ("connector", connector)];
    let parts: Vec<String> = parts.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    format!("/console/explain?{}", parts.join("&"))
}

pub fn show(cx: &Cx<'_>) -> Done {
    cx.require(ConsoleAction::ReadCalls)?;
    let asked = &cx.query;
    let text = |name: &str| asked.text(name).to_owned();
    let question = Question {
        from: text("from"),
        to: text("to"),
        source: text("source"),
        transport: asked.some("transport").unwrap_or("udp").to_owned(),
        connector: text("connector"),
    };
    let answer = asked.is_ticked("to").then(|| cx.console.host.explain(&question));
    let none = Form::default();
    let body = html! {
        h1 { "Would this call pass?" }
        p.hint { "The rules, limits and health of this moment decide, as for a real call. Nothing is called." }
        form.card method="get" action="/console/explain" {
            div.row {
                (Field { label: "Caller", name: "from", value: &question.from, required: true, hint: "+12065550100, 1001 or anonymous", ..Field::default() }.show(&none))
                (Field { label: "Callee", name: "to", value: &question.to, required: true, hint: "+14155550123 or 911", ..Field::default() }.show(&none))
            }
            div.row {
                (Field { label: "Address it comes from", name: "source", value: &question.source, required: true, hint: "203.0.113.5: of the phone system, or of a carrier", ..Field::default() }.show(&none))
                (select("Transport", "transport", &question.transport, &[("udp", "UDP"), ("tcp", "TCP"), ("tls", "TLS")]))
                (Field { label: "Voice connector that is called by name", name: "connector", value: &question.connector, hint: "Its id; without one, the bare domain.", ..Field::default() }.show(&none))
            }
            div.actions { button type="submit" { "Ask" } }
        }
        @match &answer {
            None => {},
            Some(Err(trouble)) => p.notice.bad role="alert" { (trouble) },
            Some(Ok(explained)) => {
                section aria-label="Answer" {
                    @if explained.admitted { p.notice.good role="status" { "It would pass." } }
                    @else { p.notice.bad role="status" { "It would be refused." } }
                    ol.steps { @for step in &explained.steps { li { (step) } } }
                }
            }
        }
    };
    shown(cx, "Would this call pass?", "/console/explain", body)
}
