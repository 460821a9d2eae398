//! Voice connector groups.

use api::{Failure, Operation};
use inventory::Ownership;
use inventory::object::GroupItem;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::connectors::{ids, paging};
use super::layout::trouble;
use super::{address, done, nothing, shown, wrong};
use crate::form::Form;
use crate::respond;
use crate::route::{Cx, Done};
use crate::ui::{Field, facts, owner, owner_short, pager, proof, stamp, understood, wide};

/// Connectors of a group.
const MEMBERS: usize = 3;

pub fn list(cx: &Cx<'_>) -> Done {
    let listed = cx.operate(Operation::ListVoiceConnectorGroups, &[], paging(cx))?;
    let (ids, next) = ids(&listed, "VoiceConnectorGroups", "VoiceConnectorGroupId");
    let groups: Vec<_> =
        ids.iter().filter_map(|id| cx.console.inventory.voice_connector_group(id).ok()).collect();
    let body = html! {
        div.title {
            h1 { "Groups" }
            @if cx.may(Operation::CreateVoiceConnectorGroup, &[]) { a.button href="/console/groups/new" { "Create" } }
        }
        @if groups.is_empty() {
            p.empty { "There is no group. In one, calls in go to the next voice connector where the first does not take them." }
        } @else {
            (wide("Groups", html! {
                table {
                    thead { tr { th scope="col" { "Name" } th scope="col" { "Voice connectors" } th scope="col" { "Owner" } th scope="col" { "Changed" } } }
                    tbody {
                        @for group in &groups {
                            tr {
                                th scope="row" { a href=(address(&["groups", &group.value.id])) { (group.value.name) } }
                                td { (members(cx, &group.value.items)) }
                                td { (owner_short(&group.owner)) }
                                td { (stamp(group.updated)) }
                            }
                        }
                    }
                }
            }))
            (pager(cx, "/console/groups?", next.as_deref()))
        }
    };
    shown(cx, "Groups", "/console/groups", body)
}

/// In the order in which they are tried.
fn members(cx: &Cx<'_>, items: &[GroupItem]) -> Markup {
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by_key(|item| item.priority);
    html! {
        @if items.is_empty() { span.quiet { "none" } }
        @for (at, item) in items.iter().enumerate() {
            @if at > 0 { ", " }
            a href=(address(&["connectors", &item.connector])) { (name_of(cx, &item.connector)) }
        }
    }
}

/// A connector's name, for whoever may see it, or else its id.
pub fn name_of(cx: &Cx<'_>, id: &str) -> String {
    let may = cx.may(Operation::GetVoiceConnector, &[id]);
    let found = may.then(|| cx.console.inventory.voice_connector(id).ok()).flatten();
    found.map_or_else(|| id.to_owned(), |found| found.value.name.clone())
}

/// The same of a group.
pub fn name_of_group(cx: &Cx<'_>, id: &str) -> String {
    let may = cx.may(Operation::GetVoiceConnectorGroup, &[id]);
    let found = may.then(|| cx.console.inventory.voice_connector_group(id).ok()).flatten();
    found.map_or_else(|| id.to_owned(), |found| found.value.name.clone())
}

pub fn new(cx: &Cx<'_>, failure: Option<&Failure>) -> Done {
    let body = html! {
        h1 { "Create a group" }
        (trouble(failure))
        form.card method="post" action="/console/groups/new" {
            (proof(cx))
            (fields(cx, "", &[], &cx.form))
            div.actions { button type="submit" { "Create" } a href="/console/groups" { "Cancel" } }
        }
    };
    shown(cx, "Create a group", "/console/groups", body)
}

/// Name and members.
fn fields(cx: &Cx<'_>, name: &str, items: &[GroupItem], sent: &Form) -> Markup {
    let mut sent_ids = sent.all("connector");
    let mut sent_priorities = sent.all("priority");
    let rows = (0..MEMBERS).map(|at| {
        let item = items.get(at);
        let id = sent_ids.next().map(str::to_owned).or_else(|| item.map(|item| item.connector.clone()));
        let priority = sent_priorities.next().map(str::to_owned);
        let priority = priority.or_else(|| item.map(|item| item.priority.to_string()));
        (at, id.unwrap_or_default(), priority.unwrap_or_else(|| (at + 1).to_string()))
    });
    html! {
        (Field { label: "Name", name: "name", value: name, required: true, ..Field::default() }.show(sent))
        p.hint { "The lowest priority is tried first. An empty id removes a row." }
        div.routes {
            @for (at, id, priority) in rows {
                fieldset {
                    legend { "Voice connector " (at + 1) }
                    div.field {
                        label for=(format!("connector-{at}")) { "Id" }
                        input id=(format!("connector-{at}")) name="connector" value=(id) list="connectors" autocomplete="off" spellcheck="false";
                    }
                    div.field {
                        label for=(format!("priority-{at}")) { "Priority" }
                        input id=(format!("priority-{at}")) name="priority" type="number" min="1" max="99" value=(priority);
                    }
                }
            }
        }
        (known(cx))
    }
}

/// Ids to choose from, the first of many.
pub fn known(cx: &Cx<'_>) -> Markup {
    let may = cx.may(Operation::ListVoiceConnectors, &[]);
    let page =
        may.then(|| cx.console.inventory.voice_connectors(inventory::Paging::default()).ok()).flatten();
    let connectors = page.map(|page| page.items).unwrap_or_default();
    html! {
        datalist id="connectors" {
            @for one in &connectors { option value=(one.value.id) { (one.value.name) } }
        }
    }
}

pub fn show(cx: &Cx<'_>, id: &str, failure: Option<&Failure>) -> Done {
    cx.operate(Operation::GetVoiceConnectorGroup, &[id], Value::Null)?;
    let group = cx.console.inventory.voice_connector_group(id).map_err(|error| wrong(error.to_string()))?;
    let may = |operation| group.owner == Ownership::Store && cx.may(operation, &[id]);
    let value = &group.value;
    let sent = if cx.path() == address(&["groups", id, "settings"]) { &cx.form } else { &Form::default() };
    let body = html! {
        div.title {
            h1 { (value.name) }
            a.button.plain href=(format!("/console/numbers?owner={}", crate::form::escaped(id))) { "Its numbers" }
        }
        (trouble(failure))
        (owner(&group.owner))
        (facts([
            ("Id", html! { code { (id) } }),
            ("Voice connectors", members(cx, &value.items)),
            ("Created", stamp(group.created)),
            ("Changed", stamp(group.updated)),
        ]))
        @if may(Operation::UpdateVoiceConnectorGroup) {
            section.card {
                h2 { "Settings" }
                form method="post" action=(address(&["groups", id, "settings"])) {
                    (proof(cx))
                    (fields(cx, &value.name, &value.items, sent))
                    div.actions { button type="submit" { "Save" } }
                }
            }
        }
        @if may(Operation::DeleteVoiceConnectorGroup) {
            section.card.danger {
                h2 { "Delete" }
                form method="post" action=(address(&["groups", id, "delete"])) {
                    (proof(cx))
                    (understood("that it does not come back."))
                    div.actions { button.danger type="submit" { "Delete this group" } }
                }
            }
        }
    };
    shown(cx, &value.name, "/console/groups", body)
}

fn input(cx: &Cx<'_>) -> Result<Value, Failure> {
    let mut items = Vec::new();
    let mut priorities = cx.form.all("priority");
    for connector in cx.form.all("connector") {
        let priority = priorities.next().unwrap_or_default().trim();
        if connector.trim().is_empty() {
            continue;
        }
        let priority: u32 =
            priority.parse().map_err(|_| wrong("Priority: write a whole number from 1 to 99."))?;
        items.push(json!({ "VoiceConnectorId": connector.trim(), "Priority": priority }));
    }
    Ok(json!({ "Name": cx.form.text("name"), "VoiceConnectorItems": items }))
}

pub fn create(cx: &Cx<'_>) -> Done {
    let made = cx.operate(Operation::CreateVoiceConnectorGroup, &[], input(cx)?)?;
    let made = made.get("VoiceConnectorGroup").and_then(|one| one.get("VoiceConnectorGroupId"));
    let address = address(&["groups", made.and_then(Value::as_str).unwrap_or_default()]);
    Ok(respond::see_other(&format!("{address}?done=created")))
}

pub fn change(cx: &Cx<'_>, id: &str, part: &str) -> Done {
    match part {
        "settings" => {
            cx.operate(Operation::UpdateVoiceConnectorGroup, &[id], input(cx)?)?;
            done(&address(&["groups", id]), "saved")
        }
        "delete" if !cx.form.is_ticked("understood") => {
            Err(wrong("Tick the box: nothing is deleted without it."))
        }
        "delete" => {
            cx.operate(Operation::DeleteVoiceConnectorGroup, &[id], Value::Null)?;
            done("/console/groups", "deleted")
        }
        _ => Err(nothing()),
    }
}
