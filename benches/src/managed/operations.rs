//! Operations of the API in an order in which each finds what it needs.

use serde_json::{Value, json};

use super::client::Request;

/// What a cycle works with.
pub struct Things {
    cycle: usize,
    connector: String,
    other: String,
    made: String,
    group: String,
    order: String,
    numbers: [String; 2],
}

impl Things {
    /// - `connector`, `other`: there are, and have numbers of their own.
    pub fn new(cycle: usize, connector: &str, other: &str) -> Things {
        let number = |at: usize| format!("+1425{:07}", 2_000_000 + 2 * cycle + at);
        Things {
            cycle,
            connector: connector.to_owned(),
            other: other.to_owned(),
            made: String::new(),
            group: String::new(),
            order: String::new(),
            numbers: [number(0), number(1)],
        }
    }

    /// Keeps the id of what was made.
    pub fn learn(&mut self, operation: &str, body: &str) {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let id = |path: &str| body.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        match operation {
            "CreateVoiceConnector" => self.made = id("/VoiceConnector/VoiceConnectorId"),
            "CreateVoiceConnectorGroup" => self.group = id("/VoiceConnectorGroup/VoiceConnectorGroupId"),
            "CreatePhoneNumberOrder" => self.order = id("/PhoneNumberOrder/PhoneNumberOrderId"),
            _ => {}
        }
    }

    fn arn(&self) -> String {
        format!("arn:aws:chime:us-east-1:000000000000:vc/{}", self.made)
    }

    fn of(&self, what: &str) -> String {
        format!("/voice-connectors/{}{what}", self.made)
    }

    fn group(&self) -> String {
        format!("/voice-connector-groups/{}", self.group)
    }

    fn number(&self) -> String {
        format!("/phone-numbers/%2B{}", self.numbers[0].trim_start_matches('+'))
    }

    fn both(&self) -> Value {
        json!({ "E164PhoneNumbers": self.numbers })
    }
}

/// One operation.
pub struct Operation {
    pub name: &'static str,
    pub request: fn(&Things) -> Request,
}

fn request(method: &'static str, path: impl Into<String>, query: &'static str, body: Value) -> Request {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    Request { method, path: path.into(), query, body }
}

/// A change that costs little beside the change itself.
pub fn rename(connector: &str, name: &str) -> Request {
    let body = json!({ "Name": name, "RequireEncryption": false });
    request("PUT", format!("/voice-connectors/{connector}"), "", body)
}

macro_rules! operations {
    ($($name:ident: $method:literal $path:expr, $query:literal, $body:expr;)*) => {
        &[$(Operation {
            name: stringify!($name),
            request: |t| request($method, ($path as fn(&Things) -> String)(t), $query, ($body as fn(&Things) -> Value)(t)),
        }),*]
    };
}

/// Nothing is sent.
const NONE: fn(&Things) -> Value = |_| Value::Null;

/// All of a cycle. What it makes it takes away again.
pub const CYCLE: &[Operation] = operations! {
    ListAvailableVoiceConnectorRegions: "GET" |_| "/voice-connector-regions".into(), "", NONE;
    ListVoiceConnectors: "GET" |_| "/voice-connectors".into(), "max-results=100", NONE;
    ListVoiceConnectorGroups: "GET" |_| "/voice-connector-groups".into(), "max-results=100", NONE;
    ListPhoneNumbers: "GET" |_| "/phone-numbers".into(), "max-results=100", NONE;
    ListPhoneNumberOrders: "GET" |_| "/phone-number-orders".into(), "max-results=100", NONE;
    ListSupportedPhoneNumberCountries: "GET" |_| "/phone-number-countries".into(), "product-type=VoiceConnector", NONE;
    GetGlobalSettings: "GET" |_| "/settings".into(), "", NONE;
    GetPhoneNumberSettings: "GET" |_| "/settings/phone-number".into(), "", NONE;
    UpdateGlobalSettings: "PUT" |_| "/settings".into(), "", |t| json!({ "VoiceConnector": { "CdrBucket": format!("bucket-{}", t.cycle) } });
    CreateVoiceConnector: "POST" |_| "/voice-connectors".into(), "",
        |t| json!({ "Name": format!("Cycle {}", t.cycle), "RequireEncryption": false, "AwsRegion": "us-east-1" });
    GetVoiceConnector: "GET" |t| t.of(""), "", NONE;
    UpdateVoiceConnector: "PUT" |t| t.of(""), "", |_| json!({ "Name": "Another", "RequireEncryption": false });
    TagResource: "POST" |_| "/tags".into(), "operation=tag-resource",
        |t| json!({ "ResourceARN": t.arn(), "Tags": [{ "Key": "team", "Value": "voice" }] });
    UntagResource: "POST" |_| "/tags".into(), "operation=untag-resource", |t| json!({ "ResourceARN": t.arn(), "TagKeys": ["team"] });
    PutVoiceConnectorTermination: "PUT" |t| t.of("/termination"), "",
        |_| json!({ "Termination": { "CallingRegions": ["US"], "CidrAllowedList": ["198.51.100.0/28"], "CpsLimit": 1, "Disabled": false } });
    GetVoiceConnectorTermination: "GET" |t| t.of("/termination"), "", NONE;
    PutVoiceConnectorTerminationCredentials: "POST" |t| t.of("/termination/credentials"), "operation=put",
        |_| json!({ "Credentials": [{ "Username": "alice", "Password": "correct horse" }] });
    ListVoiceConnectorTerminationCredentials: "GET" |t| t.of("/termination/credentials"), "", NONE;
    DeleteVoiceConnectorTerminationCredentials: "POST" |t| t.of("/termination/credentials"), "operation=delete",
        |_| json!({ "Usernames": ["alice"] });
    PutVoiceConnectorOrigination: "PUT" |t| t.of("/origination"), "", |_| json!({ "Origination": { "Routes":
        [{ "Host": "203.0.113.9", "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 1 }], "Disabled": false } });
    GetVoiceConnectorOrigination: "GET" |t| t.of("/origination"), "", NONE;
    PutVoiceConnectorStreamingConfiguration: "PUT" |t| t.of("/streaming-configuration"), "",
        |_| json!({ "StreamingConfiguration": { "DataRetentionInHours": 0, "Disabled": true } });
    GetVoiceConnectorStreamingConfiguration: "GET" |t| t.of("/streaming-configuration"), "", NONE;
    DeleteVoiceConnectorStreamingConfiguration: "DELETE" |t| t.of("/streaming-configuration"), "", NONE;
    PutVoiceConnectorLoggingConfiguration: "PUT" |t| t.of("/logging-configuration"), "",
        |_| json!({ "LoggingConfiguration": { "EnableSIPLogs": false, "EnableMediaMetricLogs": true } });
    GetVoiceConnectorLoggingConfiguration: "GET" |t| t.of("/logging-configuration"), "", NONE;
    PutVoiceConnectorEmergencyCallingConfiguration: "PUT" |t| t.of("/emergency-calling-configuration"), "",
        |_| json!({ "EmergencyCallingConfiguration": { "DNIS": [{ "EmergencyPhoneNumber": "+12065550911", "CallingCountry": "US" }] } });
    GetVoiceConnectorEmergencyCallingConfiguration: "GET" |t| t.of("/emergency-calling-configuration"), "", NONE;
    DeleteVoiceConnectorEmergencyCallingConfiguration: "DELETE" |t| t.of("/emergency-calling-configuration"), "", NONE;
    PutVoiceConnectorExternalSystemsConfiguration: "PUT" |t| t.of("/external-systems-configuration"), "",
        |_| json!({ "SessionBorderControllerTypes": ["CISCO_UNIFIED_BORDER_ELEMENT"] });
    GetVoiceConnectorExternalSystemsConfiguration: "GET" |t| t.of("/external-systems-configuration"), "", NONE;
    DeleteVoiceConnectorExternalSystemsConfiguration: "DELETE" |t| t.of("/external-systems-configuration"), "", NONE;
    SearchAvailablePhoneNumbers: "GET" |_| "/search".into(), "area-code=425&country=US&max-results=100&type=phone-numbers", NONE;
    CreatePhoneNumberOrder: "POST" |_| "/phone-number-orders".into(), "",
        |t| json!({ "ProductType": "VoiceConnector", "E164PhoneNumbers": t.numbers });
    GetPhoneNumberOrder: "GET" |t| format!("/phone-number-orders/{}", t.order), "", NONE;
    GetPhoneNumber: "GET" |t| t.number(), "", NONE;
    UpdatePhoneNumber: "POST" |t| t.number(), "", |_| json!({ "Name": "front-desk" });
    BatchUpdatePhoneNumber: "POST" |_| "/phone-numbers".into(), "operation=batch-update",
        |t| json!({ "UpdatePhoneNumberRequestItems": [{ "PhoneNumberId": t.numbers[1], "Name": "back-office" }] });
    AssociatePhoneNumbersWithVoiceConnector: "POST" |t| t.of(""), "operation=associate-phone-numbers", |t| t.both();
    DisassociatePhoneNumbersFromVoiceConnector: "POST" |t| t.of(""), "operation=disassociate-phone-numbers", |t| t.both();
    CreateVoiceConnectorGroup: "POST" |_| "/voice-connector-groups".into(), "", |t| json!({ "Name": format!("Group {}", t.cycle),
        "VoiceConnectorItems": [{ "VoiceConnectorId": t.connector, "Priority": 1 }, { "VoiceConnectorId": t.other, "Priority": 2 }] });
    GetVoiceConnectorGroup: "GET" |t| t.group(), "", NONE;
    AssociatePhoneNumbersWithVoiceConnectorGroup: "POST" |t| t.group(), "operation=associate-phone-numbers", |t| t.both();
    DisassociatePhoneNumbersFromVoiceConnectorGroup: "POST" |t| t.group(), "operation=disassociate-phone-numbers", |t| t.both();
    UpdateVoiceConnectorGroup: "PUT" |t| t.group(), "", |_| json!({ "Name": "Empty", "VoiceConnectorItems": [] });
    DeleteVoiceConnectorGroup: "DELETE" |t| t.group(), "", NONE;
    DeletePhoneNumber: "DELETE" |t| t.number(), "", NONE;
    RestorePhoneNumber: "POST" |t| t.number(), "operation=restore", NONE;
    BatchDeletePhoneNumber: "POST" |_| "/phone-numbers".into(), "operation=batch-delete", |t| json!({ "PhoneNumberIds": t.numbers });
    DeleteVoiceConnectorOrigination: "DELETE" |t| t.of("/origination"), "", NONE;
    DeleteVoiceConnectorTermination: "DELETE" |t| t.of("/termination"), "", NONE;
    DeleteVoiceConnector: "DELETE" |t| t.of(""), "", NONE;
};
