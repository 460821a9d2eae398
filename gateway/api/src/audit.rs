//! One record for each call: who asked for what, from where, and what came of it.
//!
//! Source: the behaviour reference, section 12. Calls whose signature proves nothing leave none: a stranger would fill
//! the journal.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::serve::timestamp;

/// The longest text that is taken over of a client.
const LONGEST_AGENT: usize = 256;
/// Parameters or elements longer than that, in bytes of JSON, are left out.
const LONGEST_VALUE: usize = 65_536;

/// A call, written as JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the reference")]
pub struct Record {
    pub event_version: &'static str,
    pub user_identity: Identity,
    /// UTC.
    pub event_time: String,
    pub event_source: &'static str,
    pub event_name: String,
    pub aws_region: String,
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: IpAddr,
    pub user_agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Secrets and addresses of people as `***`.
    pub request_parameters: Value,
    /// `null` for what only reads, and for failures.
    pub response_elements: Value,
    #[serde(rename = "requestID")]
    pub request_id: String,
    #[serde(rename = "eventID")]
    pub event_id: String,
    pub event_type: &'static str,
    pub recipient_account_id: String,
    /// Whether the call changes something, or tried to. Not written.
    #[serde(skip)]
    pub changes: bool,
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the reference")]
pub struct Identity {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub principal_id: String,
    pub arn: String,
    pub account_id: String,
    pub access_key_id: String,
    pub user_name: String,
    pub session_context: Value,
}

/// What is known of a call before anything comes of it.
#[derive(Debug)]
pub(crate) struct Facts {
    pub identity: Identity,
    pub name: String,
    pub region: String,
    pub source: IpAddr,
    pub agent: Option<String>,
    pub parameters: Value,
    /// Whether it may have changed something.
    pub changes: bool,
    pub at: OffsetDateTime,
}

impl Record {
    /// - `elements`: what the client gets, where it changed something.
    /// - `error`: exception and message.
    pub(crate) fn new(
        facts: Facts,
        elements: Option<&Value>,
        error: Option<(&str, &str)>,
        request_id: String,
        event_id: String,
    ) -> Record {
        Record {
            event_version: "1.05",
            event_time: timestamp(facts.at, false),
            event_source: "chime.amazonaws.com",
            event_name: facts.name,
            aws_region: facts.region,
            source_ip_address: facts.source.to_canonical(),
            user_agent: plain(facts.agent.as_deref().unwrap_or_default()),
            error_code: error.map(|(code, _)| code.to_owned()),
            error_message: error.map(|(_, message)| message.to_owned()),
            request_parameters: bounded(facts.parameters),
            response_elements: elements.map_or(Value::Null, |elements| bounded(masked(elements))),
            request_id,
            event_id,
            event_type: "AwsApiCall",
            recipient_account_id: facts.identity.account_id.clone(),
            changes: facts.changes,
            user_identity: facts.identity,
        }
    }
}

/// What somebody did on the gateway's host, beside the API: to keys and policies.
#[derive(Debug)]
pub struct OnHost<'a> {
    /// `eventName`.
    pub name: &'a str,
    /// The gateway's.
    pub region: &'a str,
    /// Twelve digits.
    pub account: &'a str,
    /// What was asked for, without secrets.
    pub parameters: Value,
    /// What came of it, without secrets.
    pub elements: Value,
    /// Why nothing was done.
    pub error: Option<String>,
    /// Request and event: UUIDs.
    pub ids: [String; 2],
    /// When.
    pub at: OffsetDateTime,
}

impl Record {
    /// The record of what was done on the host.
    #[must_use]
    pub fn on_host(done: OnHost<'_>) -> Record {
        let [request_id, event_id] = done.ids;
        Record {
            event_version: "1.05",
            user_identity: Identity {
                kind: "Root",
                principal_id: "host".to_owned(),
                arn: format!("arn:aws:iam::{}:root", done.account),
                account_id: done.account.to_owned(),
                access_key_id: String::new(),
                user_name: "host".to_owned(),
                session_context: Value::Null,
            },
            event_time: timestamp(done.at, false),
            event_source: "iam.amazonaws.com",
            event_name: done.name.to_owned(),
            aws_region: done.region.to_owned(),
            source_ip_address: IpAddr::from([127, 0, 0, 1]),
            user_agent: "voice-connector".to_owned(),
            error_code: done.error.as_ref().map(|_| "InvalidInput".to_owned()),
            error_message: done.error,
            request_parameters: bounded(done.parameters),
            response_elements: bounded(done.elements),
            request_id,
            event_id,
            event_type: "AwsApiCall",
            recipient_account_id: done.account.to_owned(),
            changes: true,
        }
    }
}

/// Members of inputs that nobody who reads records should see: secrets, and where people live.
const HIDDEN: [&str; 11] = [
    "Password",
    "StreetNumber",
    "StreetInfo",
    "City",
    "State",
    "PostalCode",
    "Country",
    "streetNumber",
    "streetInfo",
    "streetName",
    "postalCode",
];

/// The parameters as records have them: names begin with a small letter, and what is hidden is `***`.
///
/// - `path`: the parameters of the path, by their names.
pub(crate) fn parameters(
    path: Vec<(String, String)>,
    input: &Map<String, Value>,
    hide_address: bool,
) -> Value {
    let mut all: Map<String, Value> =
        path.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    for (name, value) in input {
        let hidden = if hide_address { HIDDEN.contains(&name.as_str()) } else { name == "Password" };
        let value = if hidden { json!("***") } else { masked(value) };
        all.insert(small(name), value);
    }
    Value::Object(all)
}

fn masked(value: &Value) -> Value {
    match value {
        Value::Object(object) => Value::Object(
            object
                .iter()
                .map(|(name, value)| {
                    (small(name), if name == "Password" { json!("***") } else { masked(value) })
                })
                .collect(),
        ),
        Value::Array(values) => Value::Array(values.iter().map(masked).collect()),
        other => other.clone(),
    }
}

fn small(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(LONGEST_AGENT).collect()
}

fn bounded(value: Value) -> Value {
    if value.to_string().len() > LONGEST_VALUE { json!("(too long to be kept)") } else { value }
}
