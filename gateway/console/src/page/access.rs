//! Access keys and policies.

use std::time::Duration;

use api::Failure;
use api::access::{ConsoleAction, Policy, ROLES, role};
use inventory::object::AccessKey;
use inventory::{AccessKeyChange, NewAccessKey, Paging, Timestamp};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, json};

use super::layout::trouble;
use super::{address, done, nothing, shown, wrong};
use crate::route::{Cx, Done};
use crate::ui::{Field, badge, pager, proof, stamp, understood, wide};

/// How long the old key still holds where one is rotated.
const OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

/// Policies on the page.
const POLICIES: usize = 200;

pub fn show(cx: &Cx<'_>, failure: Option<&Failure>) -> Done {
    cx.require(ConsoleAction::ReadKeys)?;
    let inventory = &cx.console.inventory;
    let paging = Paging { limit: 50, after: cx.query.some("after") };
    let keys = inventory.access_keys(paging).map_err(|error| wrong(error.to_string()))?;
    let policies = inventory.policies(Paging { limit: POLICIES, after: None });
    let policies = policies.map_err(|error| wrong(error.to_string()))?;
    let names: Vec<&str> = policies.items.iter().map(|policy| policy.value.name.as_str()).collect();
    let may = cx.allows(ConsoleAction::ChangeKeys);
    let body = html! {
        h1 { "Keys and policies" }
        (trouble(failure))
        section {
            h2 { "Access keys" }
            (wide("Access keys", html! {
                table {
                    thead { tr { th scope="col" { "Key" } th scope="col" { "User" } th scope="col" { "May" } th scope="col" { "State" } th scope="col" { "Made" } @if may { th scope="col" { "Change" } } } }
                    tbody {
                        @for key in &keys.items {
                            tr {
                                th scope="row" { code { (key.value.id) } }
                                td { (key.value.user) }
                                td { @if key.value.root { "everything" } @else if key.value.policies.is_empty() { "nothing" } @else { (key.value.policies.join(", ")) } }
                                td { (state(&key.value, cx.when())) }
                                td { (stamp(key.created)) }
                                @if may { td { (changes(cx, &key.value)) } }
                            }
                        }
                    }
                }
            }))
            (pager(cx, "/console/access?", keys.next.as_deref()))
        }
        @if may { (new_key(cx, &names)) }
        section {
            h2 { "Policies" }
            ul.list {
                @for name in &names { li { a href=(address(&["access", "policies", name])) { (name) } } }
                @if names.is_empty() { li.quiet { "None is kept yet." } }
            }
            @if may { (new_policy(cx)) }
        }
    };
    shown(cx, "Keys and policies", "/console/access", body)
}

fn state(key: &AccessKey, now: Timestamp) -> Markup {
    html! {
        @if key.disabled { (badge("warn", "disabled")) }
        @else if !key.holds(now) { (badge("dull", "expired")) }
        @else { (badge("good", "holds")) }
        @if let Some(expires) = key.expires { span.quiet { " until " (stamp(expires)) } }
    }
}

fn changes(cx: &Cx<'_>, key: &AccessKey) -> Markup {
    let button = |part: &str, name: &str, class: &str| {
        html! {
            form.inline method="post" action=(address(&["access", "keys", &key.id, part])) {
                (proof(cx))
                button.(class) type="submit" aria-label=(format!("{name} {}", key.id)) { (name) }
            }
        }
    };
    if key.root {
        return html! { span.quiet { "on the host" } };
    }
    let own = key.id == cx.session.key;
    html! {
        div.actions {
            (button("rotate", "Rotate", "plain"))
            @if !own {
                @if key.disabled { (button("enable", "Enable", "plain")) } @else { (button("disable", "Disable", "plain")) }
                @if key.disabled { (button("delete", "Delete", "danger")) }
            }
        }
    }
}

fn new_key(cx: &Cx<'_>, policies: &[&str]) -> Markup {
    let kept = policies.iter().filter(|name| role(name).is_none());
    let roles = ROLES.iter().map(|(name, _)| name);
    html! {
        section.card {
            h2 { "Make a key" }
            form method="post" action="/console/access/keys" {
                (proof(cx))
                div.row {
                    (Field { label: "User", name: "user", required: true, hint: "Whose it is: letters, digits and +=,.@_-", ..Field::default() }.show(&cx.form))
                    (Field { label: "Days", name: "days", kind: "number", hint: "Without them it never expires.", ..Field::default() }.show(&cx.form))
                }
                fieldset {
                    legend { "It may" }
                    ul.choices {
                        @for name in roles.chain(kept) {
                            li {
                                @let id = format!("policy-{name}");
                                input type="checkbox" id=(id) name="policy" value=(name) checked[cx.form.all("policy").any(|one| one == *name)];
                                label for=(id) { (name) }
                            }
                        }
                    }
                }
                div.actions { button type="submit" { "Make" } }
            }
        }
    }
}

fn new_policy(cx: &Cx<'_>) -> Markup {
    html! {
        form.card method="post" action="/console/access/policies/new/put" {
            h3 { "Add a policy" }
            (proof(cx))
            (Field { label: "Name", name: "name", required: true, ..Field::default() }.show(&cx.form))
            (Field {
                label: "Document", name: "document", required: true, value: role("reader").unwrap_or_default(),
                hint: "JSON: Effect, Action such as chime:Put* or console:ReadCalls, Resource, Condition.", ..Field::default()
            }.show_area(&cx.form, 5))
            div.actions { button type="submit" { "Add" } }
        }
    }
}

/// A new key's secret, once.
fn told(cx: &Cx<'_>, id: &str, secret: &SecretString) -> Done {
    let body = html! {
        h1 { "A new key" }
        p.notice.warn { "The secret is shown now and never again: keep it before you leave this page." }
        dl.facts {
            div { dt { "Access key" } dd { code { (id) } } }
            div { dt { "Secret" } dd { code.secret { (secret.expose_secret()) } } }
        }
        p { a href="/console/access" { "Back to the keys" } }
    };
    shown(cx, "A new key", "/console/access", body)
}

pub fn create(cx: &Cx<'_>) -> Done {
    let form = &cx.form;
    let user = form.text("user");
    let policies: Vec<String> = form.all("policy").map(str::to_owned).collect();
    let days = match form.some("days") {
        Some(days) => Some(days.parse::<u32>().map_err(|_| wrong("Days: write a whole number."))?),
        None => None,
    };
    let life = days.map(|days| Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    let new = NewAccessKey {
        user: user.to_owned(),
        root: false,
        policies: policies.clone(),
        expires: life.map(|life| cx.when().after(life)),
    };
    let said = members([("userName", json!(user)), ("policies", json!(policies)), ("days", json!(days))]);
    let made = act(cx, "CreateAccessKey", &said, || {
        let inventory = &cx.console.inventory;
        for name in &policies {
            if inventory.policy(name).is_err()
                && let Some(document) = role(name)
            {
                inventory.put_policy(cx.when(), name, document)?;
            }
        }
        Ok(inventory.create_access_key(cx.when(), &new)?)
    });
    let (key, secret) = made?;
    told(cx, &key.value.id, &secret)
}

pub fn change(cx: &Cx<'_>, id: &str, part: &str) -> Done {
    let said = members([("accessKeyId", json!(id))]);
    let inventory = &cx.console.inventory;
    // Whoever is logged in does not saw at its own branch.
    let is_other = || match id == cx.session.key {
        true => Err(wrong("You are logged in with this key: change it with another one.")),
        false => Ok(()),
    };
    match part {
        "rotate" => {
            let (key, secret) = act(cx, "RotateAccessKey", &said, || {
                is_changed_here(cx, id)?;
                Ok(inventory.rotate_access_key(cx.when(), id, OVERLAP)?)
            })?;
            told(cx, &key.value.id, &secret)
        }
        "disable" | "enable" => {
            let disabled = Some(part == "disable");
            let change = AccessKeyChange { disabled, ..AccessKeyChange::default() };
            let name = if part == "disable" { "DisableAccessKey" } else { "EnableAccessKey" };
            act(cx, name, &said, || {
                is_other()?;
                is_changed_here(cx, id)?;
                Ok(inventory.update_access_key(cx.when(), id, &change)?)
            })?;
            done("/console/access", "disabled")
        }
        "delete" => {
            act(cx, "DeleteAccessKey", &said, || {
                is_other()?;
                is_changed_here(cx, id)?;
                Ok(inventory.delete_access_key(cx.when(), id)?)
            })?;
            done("/console/access", "deleted")
        }
        _ => Err(nothing()),
    }
}

/// Whether a key is one that the console changes: `console:ChangeKeys` gives everything but the root's place, so it neither
/// takes that away nor gives it back.
fn is_changed_here(cx: &Cx<'_>, id: &str) -> Result<(), Failure> {
    if cx.console.inventory.access_key(id)?.value.root {
        let message = "A root key is made and changed on the gateway's host alone.".to_owned();
        return Err(Failure { status: 403, message });
    }
    Ok(())
}

pub fn policy(cx: &Cx<'_>, name: &str, failure: Option<&Failure>) -> Done {
    cx.require(ConsoleAction::ReadKeys)?;
    let policy = cx.console.inventory.policy(name);
    let policy = policy.map_err(|error| Failure { status: 404, message: error.to_string() })?;
    let may = cx.allows(ConsoleAction::ChangeKeys);
    let body = html! {
        h1 { "Policy " (name) }
        (trouble(failure))
        @if may {
            form.card method="post" action=(address(&["access", "policies", name, "put"])) {
                (proof(cx))
                (Field { label: "Document", name: "document", value: &policy.value.document, required: true, ..Field::default() }.show_area(&cx.form, 12))
                div.actions { button type="submit" { "Save" } }
            }
            section.card.danger {
                h2 { "Delete" }
                form method="post" action=(address(&["access", "policies", name, "delete"])) {
                    (proof(cx))
                    (understood("that it does not come back."))
                    div.actions { button.danger type="submit" { "Delete this policy" } }
                }
            }
        } @else {
            (wide("Document", html! { pre { code { (policy.value.document) } } }))
        }
    };
    shown(cx, name, "/console/access", body)
}

pub fn change_policy(cx: &Cx<'_>, name: &str, part: &str) -> Done {
    let inventory = &cx.console.inventory;
    match part {
        "put" => {
            let name = if name == "new" { cx.form.text("name") } else { name };
            let document = cx.form.text("document");
            document.parse::<Policy>().map_err(|error| wrong(error.to_string()))?;
            let said = members([("policyName", json!(name)), ("document", json!(document))]);
            act(cx, "PutPolicy", &said, || Ok(inventory.put_policy(cx.when(), name, document)?))?;
            done(&address(&["access", "policies", name]), "saved")
        }
        "delete" if !cx.form.is_ticked("understood") => {
            Err(wrong("Tick the box: nothing is deleted without it."))
        }
        "delete" => {
            let said = members([("policyName", json!(name))]);
            act(cx, "DeletePolicy", &said, || Ok(inventory.delete_policy(cx.when(), name)?))?;
            done("/console/access", "deleted")
        }
        _ => Err(nothing()),
    }
}

fn members<const N: usize>(members: [(&str, serde_json::Value); N]) -> Map<String, serde_json::Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn act<T>(
    cx: &Cx<'_>,
    name: &str,
    said: &Map<String, serde_json::Value>,
    act: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    cx.console.api.act(&cx.insider(), ConsoleAction::ChangeKeys, name, said, cx.now, act)
}
