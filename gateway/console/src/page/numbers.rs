//! Phone numbers: found among many, assigned, named, deleted and restored.

use std::collections::BTreeMap;

use api::{Failure, Operation};
use inventory::object::{AssociationName, NumberStatus, Object, PhoneNumber};
use inventory::{NumberFilter, Ownership, Paging};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::connectors::ROWS;
use super::groups::{known, name_of, name_of_group};
use super::layout::trouble;
use super::{address, done, nothing, shown, wrong};
use crate::form::{Form, escaped};
use crate::route::{Cx, Done};
use crate::ui::{Field, badge, facts, owner, owner_short, pager, proof, select, stamp, tick, wide};

/// What a list is filtered by.
struct Filter<'a> {
    digits: String,
    status: &'a str,
    owner: &'a str,
}

impl Filter<'_> {
    fn read(query: &Form) -> Filter<'_> {
        let digits = query.text("digits").chars().filter(char::is_ascii_digit).take(20).collect();
        Filter { digits, status: query.text("status"), owner: query.text("owner") }
    }

    fn of_inventory(&self) -> NumberFilter {
        let association = (!self.owner.is_empty()).then(|| (kind_of(self.owner), self.owner.to_owned()));
        let digits = (!self.digits.is_empty()).then(|| self.digits.clone());
        NumberFilter { status: self.status.parse().ok(), association, digits, ..NumberFilter::default() }
    }

    fn address(&self) -> String {
        let Filter { digits, status, owner } = self;
        format!("/console/numbers?digits={digits}&status={}&owner={}", escaped(status), escaped(owner))
    }
}

/// Groups have UUIDs, connectors have not.
fn kind_of(owner: &str) -> AssociationName {
    let is_group = owner.len() == 36 && owner.matches('-').count() == 4;
    if is_group { AssociationName::VoiceConnectorGroupId } else { AssociationName::VoiceConnectorId }
}

pub fn list(cx: &Cx<'_>, failure: Option<&Failure>) -> Done {
    cx.operate(Operation::ListPhoneNumbers, &[], json!({ "MaxResults": 1 }))?;
    let filter = Filter::read(&cx.query);
    let paging = Paging { limit: ROWS, after: cx.query.some("after") };
    let page = cx.console.inventory.phone_numbers(cx.when(), &filter.of_inventory(), paging);
    let page = page.map_err(|error| wrong(error.to_string()))?;
    let body = html! {
        div.title {
            h1 { "Numbers" }
            @if cx.may(Operation::CreatePhoneNumberOrder, &[]) { a.button href="/console/orders/new" { "Order numbers" } }
        }
        (trouble(failure))
        (filters(&filter))
        @if page.items.is_empty() { p.empty { "No such number." } }
        @else {
            form method="post" action="/console/numbers/change" {
                (proof(cx))
                (wide("Numbers", table(cx, &page.items)))
                (actions(cx))
            }
            (pager(cx, &filter.address(), page.next.as_deref()))
        }
        (settings(cx))
    };
    shown(cx, "Numbers", "/console/numbers", body)
}

fn filters(filter: &Filter<'_>) -> Markup {
    let mut statuses = vec![("", "Any")];
    statuses.extend(NumberStatus::ALL.iter().map(|status| (status.name(), words(*status))));
    let none = Form::default();
    html! {
        form.filter method="get" action="/console/numbers" role="search" {
            (Field { label: "Digits", name: "digits", value: &filter.digits, ..Field::default() }.show(&none))
            (select("Status", "status", filter.status, &statuses))
            (Field { label: "Connector or group", name: "owner", value: filter.owner, ..Field::default() }.show(&none))
            button.plain type="submit" { "Find" }
        }
    }
}

/// A status in words.
pub fn words(status: NumberStatus) -> &'static str {
    match status {
        NumberStatus::Cancelled => "Port-in cancelled",
        NumberStatus::PortinCancelRequested => "Port-in to be cancelled",
        NumberStatus::PortinInProgress => "Being ported in",
        NumberStatus::AcquireInProgress => "Ordered",
        NumberStatus::AcquireFailed => "Order failed",
        NumberStatus::Unassigned => "Unassigned",
        NumberStatus::Assigned => "Assigned",
        NumberStatus::ReleaseInProgress => "Deletion queue",
        NumberStatus::DeleteInProgress => "Being deleted",
        NumberStatus::ReleaseFailed => "Not given back",
        NumberStatus::DeleteFailed => "Not deleted",
    }
}

fn status(number: &PhoneNumber) -> Markup {
    let kind = match number.status {
        NumberStatus::Assigned => "good",
        NumberStatus::Unassigned => "dull",
        NumberStatus::AcquireFailed | NumberStatus::ReleaseFailed | NumberStatus::DeleteFailed => "bad",
        _ => "warn",
    };
    html! {
        (badge(kind, words(number.status)))
        @if let Some(until) = number.deletion { span.quiet { " until " (stamp(until)) } }
    }
}

fn table(cx: &Cx<'_>, numbers: &[std::sync::Arc<Object<PhoneNumber>>]) -> Markup {
    html! {
        table {
            thead { tr {
                th scope="col" { span.unseen { "Choose" } } th scope="col" { "Number" } th scope="col" { "Status" }
                th scope="col" { "Assigned to" } th scope="col" { "Name" } th scope="col" { "Calling name" } th scope="col" { "Owner" }
            } }
            tbody {
                @for number in numbers {
                    @let value = &number.value;
                    @let id = value.number.as_str();
                    tr {
                        td {
                            @if number.owner == Ownership::Store {
                                input type="checkbox" name="number" value=(id) checked[cx.form.all("number").any(|one| one == id)]
                                    aria-label=(id);
                            }
                        }
                        th scope="row" { a href=(address(&["numbers", id])) { (id) } }
                        td { (status(value)) }
                        td { (assigned(cx, value)) }
                        td { (value.name.as_deref().unwrap_or_default()) }
                        td { (value.calling_name.as_deref().unwrap_or_default()) }
                        td { (owner_short(&number.owner)) }
                    }
                }
            }
        }
    }
}

fn assigned(cx: &Cx<'_>, number: &PhoneNumber) -> Markup {
    let Some(association) = &number.association else { return html! { span.quiet { "nobody" } } };
    let id = association.value.as_str();
    let (place, name) = match association.name {
        AssociationName::VoiceConnectorGroupId => ("groups", name_of_group(cx, id)),
        _ => ("connectors", name_of(cx, id)),
    };
    html! { a href=(address(&[place, id])) { (name) } }
}

/// What is done with the numbers that are ticked.
fn actions(cx: &Cx<'_>) -> Markup {
    // Whether it is allowed for each number shows when it is asked for.
    let sent = &cx.form;
    html! {
        fieldset.card {
            legend { "With the numbers that are ticked" }
            div.row {
                div.field {
                    label for="target" { "Voice connector or group" }
                    input id="target" name="target" value=(sent.text("target")) list="connectors" autocomplete="off" spellcheck="false";
                }
                (tick("Take it from whoever has it", "force", sent.is_ticked("force")))
                button name="action" value="assign" { "Assign" }
                button.plain name="action" value="unassign" { "Unassign" }
            }
            (known(cx))
            div.row {
                (tick("I understand that deleted numbers take no calls", "understood", false))
                button.danger name="action" value="delete" { "Delete" }
                button.plain name="action" value="restore" { "Restore" }
            }
        }
    }
}

/// The calling name of numbers that have none of their own.
fn settings(cx: &Cx<'_>) -> Markup {
    let may = |operation| cx.may(operation, &[]);
    html! {
        @if may(Operation::UpdatePhoneNumberSettings) && may(Operation::GetPhoneNumberSettings) {
            @let name = cx.console.inventory.settings().calling_name.unwrap_or_default();
            section.card {
                h2 { "Calling name of the account" }
                form method="post" action="/console/numbers/settings" {
                    (proof(cx))
                    (Field {
                        label: "Default calling name", name: "calling", value: &name, required: true,
                        hint: "Of numbers that have none of their own. It changes once in seven days.", ..Field::default()
                    }.show(&cx.form))
                    div.actions { button.plain type="submit" { "Save" } }
                }
            }
        }
    }
}

pub fn change_settings(cx: &Cx<'_>) -> Done {
    let input = json!({ "CallingName": cx.form.text("calling") });
    cx.operate(Operation::UpdatePhoneNumberSettings, &[], input)?;
    done("/console/numbers", "saved")
}

pub fn change_many(cx: &Cx<'_>) -> Done {
    use Operation as O;
    let numbers: Vec<&str> = cx.form.all("number").collect();
    if numbers.is_empty() {
        return Err(wrong("Tick the numbers that it is about."));
    }
    match cx.form.text("action") {
        "assign" => {
            let target = cx
                .form
                .some("target")
                .ok_or_else(|| wrong("Write the id of a voice connector or a group."))?;
            let operation = match kind_of(target) {
                AssociationName::VoiceConnectorGroupId => O::AssociatePhoneNumbersWithVoiceConnectorGroup,
                _ => O::AssociatePhoneNumbersWithVoiceConnector,
            };
            let input = json!({ "E164PhoneNumbers": numbers, "ForceAssociate": cx.form.is_ticked("force") });
            each(&cx.operate(operation, &[target], input)?)?;
            done("/console/numbers", "assigned")
        }
        "unassign" => {
            for ((kind, id), numbers) in by_owner(cx, &numbers)? {
                let operation = match kind {
                    AssociationName::VoiceConnectorGroupId => {
                        O::DisassociatePhoneNumbersFromVoiceConnectorGroup
                    }
                    _ => O::DisassociatePhoneNumbersFromVoiceConnector,
                };
                each(&cx.operate(operation, &[&id], json!({ "E164PhoneNumbers": numbers }))?)?;
            }
            done("/console/numbers", "unassigned")
        }
        "delete" if !cx.form.is_ticked("understood") => {
            Err(wrong("Tick the box: nothing is deleted without it."))
        }
        "delete" => {
            each(&cx.operate(O::BatchDeletePhoneNumber, &[], json!({ "PhoneNumberIds": numbers }))?)?;
            done("/console/numbers", "queued")
        }
        "restore" => {
            for number in numbers {
                cx.operate(O::RestorePhoneNumber, &[number], Value::Null)?;
            }
            done("/console/numbers", "restored")
        }
        _ => Err(nothing()),
    }
}

/// An owner: what it is, and its id.
type Owner = (AssociationName, String);

/// Numbers by who has them.
fn by_owner(cx: &Cx<'_>, numbers: &[&str]) -> Result<BTreeMap<Owner, Vec<String>>, Failure> {
    let mut owners = BTreeMap::<_, Vec<String>>::new();
    for number in numbers {
        cx.ask(Operation::GetPhoneNumber, &[number])?;
        let found = cx.console.inventory.phone_number(cx.when(), number)?;
        let Some(association) = &found.value.association else {
            return Err(wrong(format!("{number} is assigned to nobody.")));
        };
        let owner = (association.name, association.value.clone());
        owners.entry(owner).or_default().push((*number).to_owned());
    }
    Ok(owners)
}

/// What the API says of single numbers.
fn each(answer: &Value) -> Result<(), Failure> {
    let errors = answer.get("PhoneNumberErrors").and_then(Value::as_array).into_iter().flatten();
    let text =
        |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let told: Vec<String> = errors
        .take(10)
        .map(|error| format!("{}: {}", text(error, "PhoneNumberId"), text(error, "ErrorMessage")))
        .collect();
    if told.is_empty() { Ok(()) } else { Err(wrong(told.join("; "))) }
}

pub fn show(cx: &Cx<'_>, number: &str, failure: Option<&Failure>) -> Done {
    cx.operate(Operation::GetPhoneNumber, &[number], Value::Null)?;
    let found = cx.console.inventory.phone_number(cx.when(), number);
    let found = found.map_err(|error| wrong(error.to_string()))?;
    let value = &found.value;
    let id = value.number.as_str();
    let may = found.owner == Ownership::Store && cx.may(Operation::UpdatePhoneNumber, &[id]);
    let body = html! {
        h1 { (id) }
        (trouble(failure))
        (owner(&found.owner))
        (facts([
            ("Status", status(value)),
            ("Assigned to", assigned(cx, value)),
            ("Country", html! { (value.country.as_deref().unwrap_or("–")) }),
            ("Type", html! { (value.number_type.map_or("–", |kind| kind.name())) }),
            ("Calling name", html! { (value.calling_name.as_deref().unwrap_or("that of the account")) }),
            ("Created", stamp(found.created)),
            ("Changed", stamp(found.updated)),
        ]))
        @if let Some(order) = &value.order_id {
            p { a href=(address(&["orders", order])) { "Its order" } }
        }
        @if may {
            section.card {
                h2 { "Names" }
                form method="post" action=(address(&["numbers", id, "name"])) {
                    (proof(cx))
                    (Field { label: "Name", name: "name", value: value.name.as_deref().unwrap_or_default(), hint: "For people here.", ..Field::default() }.show(&cx.form))
                    (Field {
                        label: "Calling name", name: "calling", value: value.calling_name.as_deref().unwrap_or_default(),
                        hint: "2 to 15 letters, digits and spaces; shown to whom the number calls.", ..Field::default()
                    }.show(&cx.form))
                    div.actions { button type="submit" { "Save" } }
                }
            }
        }
    };
    shown(cx, id, "/console/numbers", body)
}

pub fn rename(cx: &Cx<'_>, number: &str) -> Done {
    cx.ask(Operation::UpdatePhoneNumber, &[number])?;
    let found = cx.console.inventory.phone_number(cx.when(), number)?;
    // The API takes one at a time.
    let wanted = [("Name", "name", &found.value.name), ("CallingName", "calling", &found.value.calling_name)];
    for (member, field, now) in wanted {
        let text = cx.form.text(field);
        if text != now.as_deref().unwrap_or_default() {
            let mut input = Map::new();
            input.insert(member.to_owned(), json!(text));
            cx.operate(Operation::UpdatePhoneNumber, &[number], Value::Object(input))?;
        }
    }
    done(&address(&["numbers", number]), "saved")
}
