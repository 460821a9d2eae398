//! One record for each call: who asked for what, from where, and what came of it.
//!
//! Source: the behaviour reference, section 12. Calls whose signature proves nothing leave none: a stranger would fill
//! the journal.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::serve::timestamp;
use crate::shape::{Member, Shape};

/// The longest text that is taken over of a client.
const LONGEST_AGENT: usize = 256;
/// Parameters or elements longer than that, in bytes of JSON, are shortened value by value.
const LONGEST_WHOLE: usize = 65_536;
/// What is then left of a text, in bytes; ids and ARNs are shorter than the second.
const LONGEST_TEXT: usize = 1_024;
/// The same of a text in a list.
const LONGEST_ITEM_TEXT: usize = 128;
/// What is then left of a list, in bytes of JSON: room for as many items as a request may have.
const LONGEST_LIST: usize = 49_152;
/// Stands for a value that is not of the shape that its member has: the request was refused for it.
const OTHER_SHAPE: &str = "(of another shape)";

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

/// Where people live: nobody who reads records should see it.
const ADDRESS: [&str; 6] = ["StreetNumber", "StreetInfo", "City", "State", "PostalCode", "Country"];

/// The parameters as records have them: names begin with a small letter, what is hidden is `***`, and what the operation does
/// not take is left out, for it would be room to hide in.
///
/// - `path`: the parameters of the path, by their names.
/// - `members`: what the operation takes beside them.
pub(crate) fn parameters(
    path: Vec<(String, String)>,
    members: &[Member],
    input: &Map<String, Value>,
    hide_address: bool,
) -> Value {
    let mut all = modelled_members(members, input, hide_address);
    all.extend(path.into_iter().map(|(name, value)| (name, Value::from(value))));
    Value::Object(all)
}

/// The same of what no operation stands for.
pub(crate) fn said_of(said: &Map<String, Value>) -> Value {
    masked(&Value::Object(said.clone()))
}

fn modelled_members(
    members: &[Member],
    input: &Map<String, Value>,
    hide_address: bool,
) -> Map<String, Value> {
    let modelled = members.iter().filter_map(|member| {
        let value = input.get(member.name)?;
        let hidden = member.name == "Password" || hide_address && ADDRESS.contains(&member.name);
        let value = if hidden { json!("***") } else { modelled(&member.shape, value) };
        Some((small(member.name), value))
    });
    modelled.collect()
}

fn modelled(shape: &Shape, value: &Value) -> Value {
    match (shape, value) {
        (Shape::Structure(structure), Value::Object(object)) => {
            Value::Object(modelled_members(structure.members, object, false))
        }
        (Shape::List(of, _), Value::Array(items)) => items.iter().map(|item| modelled(of, item)).collect(),
        (Shape::Bool, Value::Bool(_))
        | (Shape::Integer(_), Value::Number(_))
        | (Shape::Plain | Shape::Text(_), Value::String(_))
        | (_, Value::Null) => value.clone(),
        _ => json!(OTHER_SHAPE),
    }
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
    if value.to_string().len() > LONGEST_WHOLE { shortened(value, LONGEST_TEXT) } else { value }
}

/// Each value by itself, so that a long one takes no other with it.
fn shortened(value: Value, longest: usize) -> Value {
    match value {
        Value::String(text) => Value::String(start_of(text, longest)),
        Value::Array(items) => shortened_list(items),
        Value::Object(members) => Value::Object(
            members.into_iter().map(|(name, value)| (name, shortened(value, longest))).collect(),
        ),
        other => other,
    }
}

fn shortened_list(items: Vec<Value>) -> Value {
    let (count, mut kept, mut length) = (items.len(), Vec::new(), 0);
    for item in items {
        let item = shortened(item, LONGEST_ITEM_TEXT);
        length += item.to_string().len();
        if length > LONGEST_LIST {
            kept.push(json!(format!("(and {} more)", count - kept.len())));
            break;
        }
        kept.push(item);
    }
    Value::Array(kept)
}

fn start_of(text: String, longest: usize) -> String {
    if text.len() <= longest {
        return text;
    }
    let end = text.floor_char_boundary(longest);
    format!("{}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{OPERATIONS, Operation};

    fn recorded(operation: Operation, input: &Value) -> Value {
        let row = OPERATIONS.iter().find(|row| row.operation == operation).unwrap();
        let path = vec![("voiceConnectorId".to_owned(), "abc".to_owned())];
        bounded(parameters(path, row.input, input.as_object().unwrap(), false))
    }

    #[test]
    fn padding_blinds_nobody() {
        let padding = "x".repeat(1_000_000);
        let put = recorded(
            Operation::PutVoiceConnectorTermination,
            &json!({
                "Padding": padding, "voiceConnectorId": "another", "Termination": {
                    "Padding": padding, "CidrAllowedList": ["203.0.113.0/24"], "DefaultPhoneNumber": padding, "CpsLimit": "five",
                },
            }),
        );
        assert_eq!(put["voiceConnectorId"], "abc");
        assert_eq!(put["termination"]["cidrAllowedList"], json!(["203.0.113.0/24"]));
        assert_eq!(put["termination"]["cpsLimit"], OTHER_SHAPE);
        let number = put["termination"]["defaultPhoneNumber"].as_str().unwrap();
        assert!(number.ends_with("x… (1000000 bytes)") && number.len() < 1_100, "{number}");
        assert_eq!(put["termination"].as_object().unwrap().len(), 3, "what the model has: {put}");
    }

    #[test]
    fn each_of_as_many_as_a_request_may_have_is_told() {
        let items: Vec<Value> = (0..100)
            .map(|at| json!({ "PhoneNumberId": format!("+1206555{at:04}"), "Name": "ä".repeat(256), "CallingName": "x".repeat(15) }))
            .collect();
        let said = recorded(
            Operation::BatchUpdatePhoneNumber,
            &json!({ "UpdatePhoneNumberRequestItems": items, "Padding": ["+12065550099"] }),
        );
        let told = said["updatePhoneNumberRequestItems"].as_array().unwrap();
        assert_eq!((told.len(), &told[99]["phoneNumberId"]), (100, &json!("+12065550099")));
        let many: Vec<String> = (0..50_000).map(|at| format!("+1206{at:07}")).collect();
        let said = recorded(Operation::BatchDeletePhoneNumber, &json!({ "PhoneNumberIds": many }));
        let told = said["phoneNumberIds"].as_array().unwrap();
        assert!(told.len() > 3_000 && said.to_string().len() < LONGEST_WHOLE, "{}", told.len());
        assert_eq!(told.last().unwrap(), &json!(format!("(and {} more)", 50_000 - (told.len() - 1))));
    }

    #[test]
    fn what_is_secret_is_nowhere() {
        let said = recorded(
            Operation::PutVoiceConnectorTerminationCredentials,
            &json!({ "Credentials": [{ "Username": "pbx", "Password": "hunter2" }, "pbx:hunter2"], "Password": "hunter2" }),
        );
        assert_eq!(said["credentials"], json!([{ "username": "pbx", "password": "***" }, OTHER_SHAPE]));
        assert!(!said.to_string().contains("hunter2"), "{said}");
    }
}
