//! Voice connectors: all of them, and a new one.

use api::{Failure, Operation};
use inventory::object::{Connector, Object};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::layout::trouble;
use super::{address, shown};
use crate::respond;
use crate::route::{Cx, Done};
use crate::ui::{Field, badge, owner_short, pager, proof, stamp, tick, wide};

/// Rows of a page.
pub const ROWS: usize = 50;

/// What a list is asked for.
pub fn paging(cx: &Cx<'_>) -> Value {
    let mut input = Map::new();
    input.insert("MaxResults".to_owned(), json!(ROWS));
    if let Some(after) = cx.query.some("after") {
        input.insert("NextToken".to_owned(), json!(after));
    }
    Value::Object(input)
}

/// The ids of a list that the API gave, and where it goes on.
pub fn ids(listed: &Value, list: &str, id: &str) -> (Vec<String>, Option<String>) {
    let items = listed.get(list).and_then(Value::as_array).into_iter().flatten();
    let ids = items.filter_map(|item| item.get(id)?.as_str().map(str::to_owned)).collect();
    (ids, listed.get("NextToken").and_then(Value::as_str).map(str::to_owned))
}

pub fn list(cx: &Cx<'_>) -> Done {
    let listed = cx.operate(Operation::ListVoiceConnectors, &[], paging(cx))?;
    let (ids, next) = ids(&listed, "VoiceConnectors", "VoiceConnectorId");
    let connectors: Vec<_> =
        ids.iter().filter_map(|id| cx.console.inventory.voice_connector(id).ok()).collect();
    let body = html! {
        div.title {
            h1 { "Voice connectors" }
            @if cx.may(Operation::CreateVoiceConnector, &[]) {
                a.button href="/console/connectors/new" { "Create" }
            }
        }
        @if connectors.is_empty() {
            p.empty { "There is no voice connector yet. One is a trunk between a phone system and the carriers." }
        } @else {
            (wide("Voice connectors", table(cx, &connectors)))
            (pager(cx, "/console/connectors?", next.as_deref()))
        }
    };
    shown(cx, "Voice connectors", "/console/connectors", body)
}

fn table(cx: &Cx<'_>, connectors: &[std::sync::Arc<Object<Connector>>]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { "Name" } th scope="col" { "Id" } th scope="col" { "Outbound" } th scope="col" { "Inbound" }
                th scope="col" { "Encryption" } th scope="col" { "Owner" } th scope="col" { "Changed" }
            } }
            tbody {
                @for connector in connectors {
                    @let value = &connector.value;
                    tr {
                        th scope="row" { a href=(address(&["connectors", &value.id])) { (value.name) } }
                        td { code { (value.id) } }
                        td { (termination(cx, value)) }
                        td { (origination(cx, value)) }
                        td { @if value.require_encryption { "TLS and SRTP" } @else { "none" } }
                        td { (owner_short(&connector.owner)) }
                        td { (stamp(connector.updated)) }
                    }
                }
            }
        }
    }
}

/// Whether calls out are taken.
pub fn termination(cx: &Cx<'_>, connector: &Connector) -> Markup {
    match &connector.termination {
        _ if !cx.may(Operation::GetVoiceConnectorTermination, &[&connector.id]) => unseen(),
        None => badge("dull", "not set up"),
        Some(termination) if termination.disabled => badge("warn", "off"),
        Some(_) => badge("good", "on"),
    }
}

/// Whether calls in are sent on.
pub fn origination(cx: &Cx<'_>, connector: &Connector) -> Markup {
    match &connector.origination {
        _ if !cx.may(Operation::GetVoiceConnectorOrigination, &[&connector.id]) => unseen(),
        None => badge("dull", "not set up"),
        Some(origination) if origination.disabled => badge("warn", "off"),
        Some(_) => badge("good", "on"),
    }
}

/// What the policies of a key keep from it.
fn unseen() -> Markup {
    html! { span.quiet { "not for your key" } }
}

pub fn new(cx: &Cx<'_>, failure: Option<&Failure>) -> Done {
    let sent = &cx.form;
    let encrypted = failure.is_none() || sent.is_ticked("encryption");
    let body = html! {
        h1 { "Create a voice connector" }
        (trouble(failure))
        form.card method="post" action="/console/connectors/new" {
            (proof(cx))
            (Field { label: "Name", name: "name", required: true, hint: "Letters, digits, spaces and _ . - ; for people.", ..Field::default() }.show(sent))
            (tick("Require encryption: TLS for signalling, SRTP for media", "encryption", encrypted))
            div.actions { button type="submit" { "Create" } a href="/console/connectors" { "Cancel" } }
        }
        p.hint { "After that: who may call out (termination), and where calls in go (origination)." }
    };
    shown(cx, "Create a voice connector", "/console/connectors", body)
}

pub fn create(cx: &Cx<'_>) -> Done {
    let input = json!({ "Name": cx.form.text("name"), "RequireEncryption": cx.form.is_ticked("encryption") });
    let made = cx.operate(Operation::CreateVoiceConnector, &[], input)?;
    let id = made.get("VoiceConnector").and_then(|one| one.get("VoiceConnectorId")).and_then(Value::as_str);
    let address = address(&["connectors", id.unwrap_or_default()]);
    Ok(respond::see_other(&format!("{address}?done=created")))
}
