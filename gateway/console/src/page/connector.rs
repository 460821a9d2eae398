//! One voice connector: all of it, each part with its form.

use api::{Failure, Operation};
use inventory::Ownership;
use inventory::object::{Connector, Object, Origination, OriginationRoute, Termination};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::connectors::{origination as is_on, termination as is_out_on};
use super::layout::trouble;
use super::{address, done, nothing, shown, wrong};
use crate::form::Form;
use crate::route::{Cx, Done};
use crate::ui::{Field, facts, moment, owner, proof, stamp, tick, understood};

/// Empty rows for more routes.
const MORE_ROUTES: usize = 2;

pub fn show(cx: &Cx<'_>, id: &str, failure: Option<&Failure>) -> Done {
    cx.operate(Operation::GetVoiceConnector, &[id], Value::Null)?;
    let connector = cx.console.inventory.voice_connector(id).map_err(|error| wrong(error.to_string()))?;
    let page = Page { cx, connector: &connector, id };
    let name = &connector.value.name;
    let body = html! {
        div.title {
            h1 { (name) }
            a.button.plain href=(format!("/console/numbers?owner={}", crate::form::escaped(id))) { "Its numbers" }
        }
        (trouble(failure))
        (owner(&connector.owner))
        (page.head())
        (page.settings())
        (page.termination())
        (page.credentials())
        (page.origination())
        (page.logging())
        (page.emergency())
        (page.deletion())
    };
    shown(cx, name, "/console/connectors", body)
}

struct Page<'a> {
    cx: &'a Cx<'a>,
    connector: &'a Object<Connector>,
    id: &'a str,
}

impl Page<'_> {
    /// Whether a form for it is shown.
    fn may(&self, operation: Operation) -> bool {
        self.connector.owner == Ownership::Store && self.cx.may(operation, &[self.id])
    }

    fn form(&self, part: &str, content: &Markup) -> Markup {
        html! {
            form method="post" action=(address(&["connectors", self.id, part])) { (proof(self.cx)) (content) }
        }
    }

    /// What was sent, for the form that it came from; nothing for all others.
    fn sent(&self, part: &str) -> Form {
        let path = address(&["connectors", self.id, part]);
        if self.cx.path() == path { self.cx.form.clone() } else { Form::default() }
    }

    fn head(&self) -> Markup {
        let Connector { id, require_encryption, region, .. } = &self.connector.value;
        let domain = &self.cx.console.settings.domain;
        facts([
            ("Id", html! { code { (id) } }),
            ("Outbound host name", html! { code { (id) "." (domain) } }),
            ("Encryption", html! { @if *require_encryption { "TLS and SRTP" } @else { "none" } }),
            ("Outbound", is_out_on(self.cx, &self.connector.value)),
            ("Inbound", is_on(self.cx, &self.connector.value)),
            ("Last OPTIONS", self.health()),
            ("Region", html! { (region) }),
            ("Created", stamp(self.connector.created)),
            ("Changed", stamp(self.connector.updated)),
        ])
    }

    fn health(&self) -> Markup {
        let told =
            self.cx.operate(Operation::GetVoiceConnectorTerminationHealth, &[self.id], Value::Null).ok();
        let health = told.as_ref().and_then(|told| told.get("TerminationHealth"));
        let text = |name| health.and_then(|health| health.get(name)).and_then(Value::as_str);
        let at = text("Timestamp").and_then(|at| {
            time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).ok()
        });
        match (at, text("Source")) {
            (Some(at), Some(source)) => html! { (moment(at)) " from " code { (source) } },
            _ => html! { span.quiet { "none yet" } },
        }
    }

    fn settings(&self) -> Markup {
        if !self.may(Operation::UpdateVoiceConnector) {
            return html! {};
        }
        let sent = self.sent("settings");
        let Connector { name, require_encryption, .. } = &self.connector.value;
        let form = html! {
            (Field { label: "Name", name: "name", value: name, required: true, ..Field::default() }.show(&sent))
            (tick("Require encryption", "encryption", *require_encryption))
            div.actions { button type="submit" { "Save" } }
        };
        html! { section.card { h2 { "Settings" } (self.form("settings", &form)) } }
    }

    fn termination(&self) -> Markup {
        if !self.cx.may(Operation::GetVoiceConnectorTermination, &[self.id]) {
            return html! {};
        }
        let is_new = self.connector.value.termination.is_none();
        let now = self.connector.value.termination.clone().unwrap_or_default();
        let sent = self.sent("termination");
        html! {
            section.card {
                h2 { "Termination " span.quiet { "calls out" } }
                @if self.may(Operation::PutVoiceConnectorTermination) {
                    (self.form("termination", &termination_form(&now, is_new, &sent)))
                } @else if is_new {
                    p.quiet { "Not set up: no calls out." }
                } @else {
                    (facts([
                        ("Takes calls", html! { @if now.disabled { "no" } @else { "yes" } }),
                        ("Allowed addresses", html! { (now.cidr_allowed_list.join(", ")) }),
                        ("Countries", html! { (now.calling_regions.join(", ")) }),
                        ("New calls a second", html! { (now.cps_limit.unwrap_or(1)) }),
                        ("Default caller", html! { (now.default_phone_number.as_deref().unwrap_or("none")) }),
                    ]))
                }
            }
        }
    }

    fn credentials(&self) -> Markup {
        if !self.cx.may(Operation::ListVoiceConnectorTerminationCredentials, &[self.id]) {
            return html! {};
        }
        let users = self.connector.value.credentials.iter().map(|login| &login.username);
        let add = html! {
            div.row {
                (Field { label: "User", name: "username", required: true, ..Field::default() }.show(&Form::default()))
                (Field { label: "Password", name: "password", kind: "password", required: true, ..Field::default() }.show(&Form::default()))
            }
            div.actions { button type="submit" { "Add" } }
        };
        html! {
            section.card {
                h2 { "Credentials " span.quiet { "digest users for calls out" } }
                @if self.connector.value.credentials.is_empty() {
                    p.quiet { "None: an allowed address is enough." }
                }
                ul.list {
                    @for user in users {
                        li {
                            code { (user) }
                            @if self.may(Operation::DeleteVoiceConnectorTerminationCredentials) {
                                (self.form("remove-credential", &html! {
                                    input type="hidden" name="username" value=(user);
                                    button.plain type="submit" aria-label=(format!("Remove {user}")) { "Remove" }
                                }))
                            }
                        }
                    }
                }
                @if self.may(Operation::PutVoiceConnectorTerminationCredentials) { (self.form("add-credential", &add)) }
            }
        }
    }

    fn origination(&self) -> Markup {
        if !self.cx.may(Operation::GetVoiceConnectorOrigination, &[self.id]) {
            return html! {};
        }
        let now = self.connector.value.origination.clone().unwrap_or_default();
        let may = self.may(Operation::PutVoiceConnectorOrigination);
        html! {
            section.card {
                h2 { "Origination " span.quiet { "calls in" } }
                @if may { (self.form("origination", &origination_form(&now))) }
                @else if now.routes.is_empty() { p.quiet { "Not set up: no calls in." } }
                @else {
                    table {
                        thead { tr { th scope="col" { "Host" } th scope="col" { "Transport" } th.number scope="col" { "Priority" } th.number scope="col" { "Weight" } } }
                        tbody {
                            @for route in &now.routes {
                                tr {
                                    th scope="row" { code { (route.host) @if let Some(port) = route.port { ":" (port) } } }
                                    td { (route.protocol.map_or("UDP", |protocol| protocol.name())) }
                                    td.number { (route.priority.unwrap_or(1)) }
                                    td.number { (route.weight.unwrap_or(1)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    fn logging(&self) -> Markup {
        let sees = self.cx.may(Operation::GetVoiceConnectorLoggingConfiguration, &[self.id]);
        if !sees || !self.may(Operation::PutVoiceConnectorLoggingConfiguration) {
            return html! {};
        }
        let now = self.connector.value.logging;
        let form = html! {
            (tick("Keep SIP messages, masked", "sip", now.sip_logs))
            (tick("Keep the quality of each minute", "media", now.media_metric_logs))
            div.actions { button type="submit" { "Save" } }
        };
        html! { section.card { h2 { "Logging" } (self.form("logging", &form)) } }
    }

    fn emergency(&self) -> Markup {
        if !self.cx.may(Operation::GetVoiceConnectorEmergencyCallingConfiguration, &[self.id]) {
            return html! {};
        }
        let Some(emergency) = &self.connector.value.emergency else { return html! {} };
        html! {
            section.card {
                h2 { "Emergency calls" }
                (facts(emergency.iter().map(|one| {
                    (one.calling_country.as_str(), html! { code { (one.emergency_phone_number) } })
                })))
            }
        }
    }

    fn deletion(&self) -> Markup {
        if !self.may(Operation::DeleteVoiceConnector) {
            return html! {};
        }
        let form = html! {
            (understood("that its calls are refused from then on, and that it does not come back."))
            div.actions { button.danger type="submit" { "Delete this voice connector" } }
        };
        html! { section.card.danger { h2 { "Delete" } (self.form("delete", &form)) } }
    }
}

fn termination_form(now: &Termination, is_new: bool, sent: &Form) -> Markup {
    let limit = now.cps_limit.unwrap_or(1).to_string();
    html! {
        (tick("Take calls out", "enabled", is_new || !now.disabled))
        (Field {
            label: "Allowed addresses", name: "allowed", required: true, value: &now.cidr_allowed_list.join("\n"),
            hint: "Networks of the phone system, one a line, such as 203.0.113.0/27. Nobody else may call.", ..Field::default()
        }.show_area(sent, 3))
        (Field {
            label: "Countries that may be called", name: "countries", required: true, value: &now.calling_regions.join(" "),
            hint: "Two letters each, such as US CA DE.", ..Field::default()
        }.show(sent))
        div.row {
            (Field { label: "New calls a second", name: "cps", value: &limit, required: true, kind: "number", ..Field::default() }.show(sent))
            (Field {
                label: "Default caller", name: "caller", value: now.default_phone_number.as_deref().unwrap_or_default(),
                hint: "Shown instead of any other, such as +12065550100.", ..Field::default()
            }.show(sent))
        }
        div.actions { button type="submit" { "Save" } }
    }
}

fn origination_form(now: &Origination) -> Markup {
    let empty =
        OriginationRoute { host: String::new(), port: None, protocol: None, priority: None, weight: None };
    let rows = now.routes.iter().chain(std::iter::repeat_n(&empty, MORE_ROUTES));
    html! {
        (tick("Send calls in on", "enabled", !now.disabled))
        p.hint { "The lowest priority is tried first; weights share the calls of one priority. An empty host removes a row." }
        div.routes {
            @for (at, route) in rows.enumerate() {
                fieldset {
                    legend { "Route " (at + 1) }
                    (cell("Host", "host", at, "text", &route.host))
                    (cell("Port", "port", at, "number", &route.port.map_or_else(String::new, |port| port.to_string())))
                    div.field {
                        label for=(format!("protocol-{at}")) { "Transport" }
                        select id=(format!("protocol-{at}")) name="protocol" {
                            @for name in ["UDP", "TCP"] {
                                option value=(name) selected[route.protocol.is_some_and(|protocol| protocol.name() == name)] { (name) }
                            }
                        }
                    }
                    (cell("Priority", "priority", at, "number", &route.priority.unwrap_or(1).to_string()))
                    (cell("Weight", "weight", at, "number", &route.weight.unwrap_or(1).to_string()))
                }
            }
        }
        div.actions { button type="submit" { "Save" } }
    }
}

fn cell(label: &str, name: &str, at: usize, kind: &str, value: &str) -> Markup {
    let id = format!("{name}-{at}");
    html! {
        div.field { label for=(id) { (label) } input id=(id) name=(name) type=(kind) value=(value) autocomplete="off" spellcheck="false"; }
    }
}

pub fn change(cx: &Cx<'_>, id: &str, part: &str) -> Done {
    use Operation as O;
    let form = &cx.form;
    let here = address(&["connectors", id]);
    match part {
        "settings" => {
            let input =
                json!({ "Name": form.text("name"), "RequireEncryption": form.is_ticked("encryption") });
            cx.operate(O::UpdateVoiceConnector, &[id], input)?;
        }
        "termination" => {
            let mut termination = Map::new();
            termination.insert("CpsLimit".to_owned(), number(form.text("cps"), "New calls a second")?);
            termination.insert("CallingRegions".to_owned(), json!(form.words("countries")));
            termination.insert("CidrAllowedList".to_owned(), json!(form.words("allowed")));
            termination.insert("Disabled".to_owned(), json!(!form.is_ticked("enabled")));
            if let Some(caller) = form.some("caller") {
                termination.insert("DefaultPhoneNumber".to_owned(), json!(caller));
            }
            cx.operate(O::PutVoiceConnectorTermination, &[id], json!({ "Termination": termination }))?;
        }
        "add-credential" => {
            let password = form.first("password").unwrap_or_default();
            let one = json!({ "Username": form.text("username"), "Password": password });
            cx.operate(O::PutVoiceConnectorTerminationCredentials, &[id], json!({ "Credentials": [one] }))?;
        }
        "remove-credential" => {
            let input = json!({ "Usernames": [form.text("username")] });
            cx.operate(O::DeleteVoiceConnectorTerminationCredentials, &[id], input)?;
        }
        "origination" => {
            let input =
                json!({ "Origination": { "Routes": routes(form)?, "Disabled": !form.is_ticked("enabled") } });
            cx.operate(O::PutVoiceConnectorOrigination, &[id], input)?;
        }
        "logging" => {
            let input = json!({ "LoggingConfiguration": {
                "EnableSIPLogs": form.is_ticked("sip"), "EnableMediaMetricLogs": form.is_ticked("media"),
            } });
            cx.operate(O::PutVoiceConnectorLoggingConfiguration, &[id], input)?;
        }
        "delete" => {
            if !form.is_ticked("understood") {
                return Err(wrong("Tick the box: nothing is deleted without it."));
            }
            cx.operate(O::DeleteVoiceConnector, &[id], Value::Null)?;
            return done("/console/connectors", "deleted");
        }
        _ => return Err(nothing()),
    }
    done(&here, "saved")
}

fn number(text: &str, label: &str) -> Result<Value, Failure> {
    text.parse::<u32>().map(Value::from).map_err(|_| wrong(format!("{label}: write a whole number.")))
}

/// The rows of a form that name a host.
fn routes(form: &Form) -> Result<Vec<Value>, Failure> {
    let mut columns = ["port", "protocol", "priority", "weight"].map(|name| form.all(name));
    let mut routes = Vec::new();
    for host in form.all("host") {
        let [port, protocol, priority, weight] =
            columns.each_mut().map(|column| column.next().unwrap_or_default().trim());
        let host = host.trim();
        if host.is_empty() {
            continue;
        }
        let mut route = Map::new();
        route.insert("Host".to_owned(), json!(host));
        route.insert("Protocol".to_owned(), json!(protocol));
        route.insert("Priority".to_owned(), number(priority, "Priority")?);
        route.insert("Weight".to_owned(), number(weight, "Weight")?);
        if !port.is_empty() {
            route.insert("Port".to_owned(), number(port, "Port")?);
        }
        routes.push(Value::Object(route));
    }
    Ok(routes)
}
