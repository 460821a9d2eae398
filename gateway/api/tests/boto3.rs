//! Unmodified boto3 against the API.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use api::Settings;
use serde_json::Value;
use time::OffsetDateTime;

use support::{KEY, READER, SECRET, TestHost, python, run, world};

fn play(script: &str, settings: Settings, check: impl FnOnce(&TestHost)) {
    let Some(python) = python() else { return };
    let (host, api) = world(settings);
    let environment = [("KEY", KEY), ("READER", READER), ("SECRET", SECRET)];
    run(&python, script, &environment, |request| api.handle(request, OffsetDateTime::now_utc()));
    check(&host);
}

fn busy() -> Settings {
    Settings { rate: 100_000, burst: 100_000, ..Settings::default() }
}

#[test]
fn signatures_and_clocks() {
    play("signed.py", busy(), |_| {});
}

#[test]
fn the_life_of_a_trunk() {
    play("life.py", Settings { audit_reads: true, ..busy() }, |host| {
        let records = host.records.lock().unwrap();
        let all = serde_json::to_string(&*records).unwrap();
        for secret in [SECRET, "correct horse", "Baker Street"] {
            assert!(!all.contains(secret), "{secret} is in the records");
        }
        let find = |name: &str, failed: bool| {
            let found = records
                .iter()
                .find(|record| record.event_name == name && record.error_code.is_some() == failed);
            serde_json::to_value(found.unwrap_or_else(|| panic!("no record of {name}"))).unwrap()
        };
        let mut put = find("PutVoiceConnectorTerminationCredentials", false);
        assert_eq!(put["requestParameters"]["credentials"][0]["password"], "***", "{put}");
        assert_eq!(put["requestParameters"]["credentials"][0]["username"], "alice", "{put}");
        for name in ["eventTime", "requestID", "eventID", "userAgent", "requestParameters"] {
            assert!(put.as_object_mut().unwrap().remove(name).is_some(), "{name}");
        }
        let expected = serde_json::json!({
            "eventVersion": "1.05",
            "userIdentity": {
                "type": "Root", "principalId": KEY, "arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333",
                "accessKeyId": KEY, "userName": "root", "sessionContext": null,
            },
            "eventSource": "chime.amazonaws.com",
            "eventName": "PutVoiceConnectorTerminationCredentials",
            "awsRegion": "eu-central-1",
            "sourceIPAddress": "127.0.0.1",
            "responseElements": null,
            "eventType": "AwsApiCall",
            "recipientAccountId": "111122223333",
        });
        assert_eq!(put, expected);
        let created = find("CreateVoiceConnector", false);
        assert_eq!(created["responseElements"]["voiceConnector"]["name"], "trunk", "{created}");
        assert_eq!(find("GetVoiceConnector", false)["responseElements"], Value::Null);
        let denied = find("DeleteVoiceConnector", true);
        assert_eq!(denied["errorCode"], "AccessDeniedException", "{denied}");
        assert_eq!(denied["userIdentity"]["type"], "IAMUser", "{denied}");
        find("ValidateE911Address", false);
    });
}

#[test]
fn every_operation_with_a_valid_and_with_invalid_inputs() {
    play("model.py", busy(), |_| {});
}

#[test]
fn a_key_that_asks_too_often_waits_and_a_twin_is_signed_anew() {
    play("throttled.py", Settings { rate: 5, burst: 5, ..Settings::default() }, |_| {});
}
