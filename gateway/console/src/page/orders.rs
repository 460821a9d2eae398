//! Orders of numbers, with the states of those that are ported in.

use api::{Failure, Operation};
use inventory::object::{Order, OrderStatus, OrderType};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::connectors::{ids, paging};
use super::layout::trouble;
use super::{address, shown, wrong};
use crate::form::Form;
use crate::respond;
use crate::route::{Cx, Done};
use crate::ui::{Field, badge, facts, pager, proof, select, stamp, wide};

/// Numbers of a search.
const FOUND: usize = 100;

/// The way of a port-in, as far as it goes well.
const PORTING: [(OrderStatus, &str); 4] = [
    (OrderStatus::PendingDocuments, "Papers wanted"),
    (OrderStatus::Submitted, "Submitted"),
    (OrderStatus::Foc, "Day confirmed"),
    (OrderStatus::Successful, "Ported"),
];

pub fn list(cx: &Cx<'_>) -> Done {
    let listed = cx.operate(Operation::ListPhoneNumberOrders, &[], paging(cx))?;
    let (ids, next) = ids(&listed, "PhoneNumberOrders", "PhoneNumberOrderId");
    let orders: Vec<_> =
        ids.iter().filter_map(|id| cx.console.inventory.phone_number_order(id).ok()).collect();
    let body = html! {
        div.title {
            h1 { "Orders" }
            @if cx.may(Operation::CreatePhoneNumberOrder, &[]) { a.button href="/console/orders/new" { "Order numbers" } }
        }
        @if orders.is_empty() { p.empty { "Nothing was ordered." } }
        @else {
            (wide("Orders", html! {
                table {
                    thead { tr { th scope="col" { "Order" } th scope="col" { "Kind" } th scope="col" { "State" } th.number scope="col" { "Numbers" } th scope="col" { "Ordered" } th scope="col" { "Changed" } } }
                    tbody {
                        @for order in &orders {
                            tr {
                                th scope="row" { a href=(address(&["orders", &order.value.id])) { code { (order.value.id) } } }
                                td { (kind(&order.value)) }
                                td { (state(order.value.status)) }
                                td.number { (order.value.numbers.len()) }
                                td { (stamp(order.created)) }
                                td { (stamp(order.updated)) }
                            }
                        }
                    }
                }
            }))
            (pager(cx, "/console/orders?", next.as_deref()))
        }
    };
    shown(cx, "Orders", "/console/orders", body)
}

fn kind(order: &Order) -> &'static str {
    match order.order_type {
        OrderType::New => "New numbers",
        OrderType::Porting => "Port-in",
    }
}

fn state(status: OrderStatus) -> Markup {
    let (kind, words) = match status {
        OrderStatus::Processing => ("warn", "In progress"),
        OrderStatus::Successful => ("good", "Done"),
        OrderStatus::Failed => ("bad", "Failed"),
        OrderStatus::Partial => ("warn", "In part"),
        OrderStatus::PendingDocuments => ("warn", "Papers wanted"),
        OrderStatus::Submitted => ("warn", "Submitted"),
        OrderStatus::Foc => ("warn", "Day confirmed"),
        OrderStatus::ChangeRequested => ("warn", "Another day asked for"),
        OrderStatus::Exception => ("bad", "Something is wrong in what was said"),
        OrderStatus::CancelRequested => ("warn", "To be cancelled"),
        OrderStatus::Cancelled => ("dull", "Cancelled"),
    };
    badge(kind, words)
}

pub fn show(cx: &Cx<'_>, id: &str) -> Done {
    cx.operate(Operation::GetPhoneNumberOrder, &[id], Value::Null)?;
    let order = cx.console.inventory.phone_number_order(id).map_err(|error| wrong(error.to_string()))?;
    let value = &order.value;
    let body = html! {
        h1 { "Order" }
        (facts([
            ("Id", html! { code { (id) } }),
            ("Kind", html! { (kind(value)) }),
            ("State", state(value.status)),
            ("Day", html! { (value.foc_date.as_deref().unwrap_or("–")) }),
            ("Ordered", stamp(order.created)),
            ("Changed", stamp(order.updated)),
        ]))
        @if value.order_type == OrderType::Porting {
            @let at = PORTING.iter().position(|(status, _)| *status == value.status);
            ol.way aria-label="The way of a port-in" {
                @for (step, (_, words)) in PORTING.iter().enumerate() {
                    li aria-current=[(at == Some(step)).then_some("step")] .past[at.is_some_and(|at| step < at)] { (words) }
                }
            }
        }
        h2 { "Numbers" }
        table {
            thead { tr { th scope="col" { "Number" } th scope="col" { "State" } } }
            tbody {
                @for number in &value.numbers {
                    tr {
                        th scope="row" { a href=(address(&["numbers", number.number.as_str()])) { (number.number.as_str()) } }
                        td { (number.status.name()) }
                    }
                }
            }
        }
    };
    shown(cx, "Order", "/console/orders", body)
}

pub fn new(cx: &Cx<'_>, failure: Option<&Failure>) -> Done {
    let asked = if failure.is_some() { &cx.form } else { &cx.query };
    let found = if asked.is_ticked("search") { Some(search(cx, asked)?) } else { None };
    let body = html! {
        h1 { "Order numbers" }
        (trouble(failure))
        form.filter method="get" action="/console/orders/new" role="search" {
            input type="hidden" name="search" value="1";
            (Field { label: "Country", name: "country", value: "", ..Field::default() }.show(asked))
            (Field { label: "State", name: "state", value: "", ..Field::default() }.show(asked))
            (Field { label: "City", name: "city", value: "", ..Field::default() }.show(asked))
            (Field { label: "Area code", name: "area", value: "", ..Field::default() }.show(asked))
            (select("Type", "type", asked.text("type"), &[("", "Any"), ("Local", "Local"), ("TollFree", "Toll-free")]))
            button.plain type="submit" { "Search" }
        }
        @match &found {
            None => p.quiet { "Search the numbers that the gateway has in its pool." },
            Some(found) if found.is_empty() => p.empty { "No number of the pool is so." },
            Some(found) => form method="post" action="/console/orders/new" {
                (proof(cx))
                @for name in ["search", "country", "state", "city", "area", "type"] {
                    input type="hidden" name=(name) value=(asked.text(name));
                }
                fieldset.card {
                    legend { "Numbers that can be had" }
                    ul.choices {
                        @for number in found {
                            li {
                                input type="checkbox" id=(number) name="number" value=(number) checked[cx.form.all("number").any(|one| one == number)];
                                label for=(number) { (number) }
                            }
                        }
                    }
                    div.actions { button type="submit" { "Order those that are ticked" } }
                }
            },
        }
    };
    shown(cx, "Order numbers", "/console/orders", body)
}

fn search(cx: &Cx<'_>, asked: &Form) -> Result<Vec<String>, Failure> {
    let mut input = Map::new();
    input.insert("MaxResults".to_owned(), json!(FOUND));
    let members = [
        ("Country", "country"),
        ("State", "state"),
        ("City", "city"),
        ("AreaCode", "area"),
        ("PhoneNumberType", "type"),
    ];
    for (member, field) in members {
        if let Some(text) = asked.some(field) {
            input.insert(member.to_owned(), json!(text));
        }
    }
    let found = cx.operate(Operation::SearchAvailablePhoneNumbers, &[], Value::Object(input))?;
    let found = found.get("E164PhoneNumbers").and_then(Value::as_array).into_iter().flatten();
    Ok(found.filter_map(|number| number.as_str().map(str::to_owned)).collect())
}

pub fn create(cx: &Cx<'_>) -> Done {
    let numbers: Vec<&str> = cx.form.all("number").collect();
    if numbers.is_empty() {
        return Err(wrong("Tick the numbers that you want."));
    }
    let input = json!({ "ProductType": "VoiceConnector", "E164PhoneNumbers": numbers });
    let made = cx.operate(Operation::CreatePhoneNumberOrder, &[], input)?;
    let id = made.get("PhoneNumberOrder").and_then(|order| order.get("PhoneNumberOrderId"));
    let address = address(&["orders", id.and_then(Value::as_str).unwrap_or_default()]);
    Ok(respond::see_other(&format!("{address}?done=ordered")))
}
