//! No request makes the API panic, and each gets a response that clients can read.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]
#![allow(dead_code, reason = "the other tests use the rest of the support")]

#[path = "support/signed.rs"]
mod signed;
mod support;

use std::net::{IpAddr, Ipv4Addr};

use api::{Request, Settings};
use proptest::prelude::*;
use serde_json::Value;
use time::OffsetDateTime;
use time::macros::format_description;

use signed::authorization;
use support::{KEY, READER, world};

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1..200_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop_oneof![Just("US"), Just("UDP"), Just("+12065551000"), Just("198.51.100.0/24"), Just("office")]
            .prop_map(Value::from),
    ];
    let names = prop_oneof![
        Just("Name"),
        Just("RequireEncryption"),
        Just("Termination"),
        Just("Origination"),
        Just("Routes"),
        Just("Host"),
        Just("CidrAllowedList"),
        Just("CallingRegions"),
        Just("CpsLimit"),
        Just("Port"),
        Just("E164PhoneNumbers"),
        Just("ProductType"),
        Just("CallingName"),
        Just("Credentials"),
        Just("Username"),
        Just("Password"),
        Just("Tags"),
        Just("Key"),
        Just("Value"),
        Just("ResourceARN"),
        Just("VoiceConnectorItems"),
        Just("VoiceConnectorId"),
        Just("EmergencyCallingConfiguration"),
        Just("DNIS"),
        Just("StreamingConfiguration"),
        Just("DataRetentionInHours"),
        Just("Disabled"),
        Just("LoggingConfiguration"),
        Just("PhoneNumberIds"),
        Just("UpdatePhoneNumberRequestItems"),
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(names.clone().prop_map(str::to_owned), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("voice-connectors"),
        Just("voice-connector-groups"),
        Just("phone-numbers"),
        Just("phone-number-orders"),
        Just("termination"),
        Just("origination"),
        Just("credentials"),
        Just("tags"),
        Just("settings"),
        Just("office"),
        Just("emergency-calling-configuration"),
        Just("streaming-configuration"),
        Just("logging-configuration"),
        Just("external-systems-configuration"),
        Just("emergency-calling"),
        Just("address"),
        Just("phone-number"),
        Just("sip-rules"),
        Just("search"),
        Just("proxy-sessions"),
        Just("x"),
    ];
    proptest::collection::vec(part, 1..4).prop_map(|parts| format!("/api/{}", parts.join("/")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn signed_requests_of_any_content(
        requests in proptest::collection::vec(
            (
                prop_oneof![Just("GET"), Just("PUT"), Just("POST"), Just("DELETE")],
                path(),
                prop_oneof![Just(""), Just("operation=put"), Just("operation=associate-phone-numbers"), Just("max-results=7"),
                    Just("operation=batch-update"), Just("operation=tag-resource"), Just("type=phone-numbers"), Just("next-token=AAAA")],
                prop_oneof![4 => json().prop_map(|value| value.to_string().into_bytes()), 1 => proptest::collection::vec(any::<u8>(), 0..60)],
                any::<bool>(),
            ),
            1..20,
        ),
    ) {
        let (_, api) = world(Settings { rate: 10_000, burst: 10_000, audit_reads: true, ..Settings::default() });
        let now = OffsetDateTime::now_utc();
        let stamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
        for (method, path, query, body, root) in &requests {
            let key = if *root { KEY } else { READER };
            let authorization = authorization(key, method, path, query, body, &stamp);
            let headers = [("Host", "h"), ("X-Amz-Date", &stamp), ("Authorization", &authorization)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let request = Request { method, path, query, headers: &headers, body, source };
            let response = api.handle(&request, now);
            prop_assert!(response.status != 401, "{:?}", response);
            prop_assert!(response.status != 500, "{:?} {:?}", request, response);
            let error = response.headers.iter().any(|(name, _)| *name == "x-amzn-errortype");
            prop_assert_eq!(error, response.status >= 400, "{:?}", response);
            if response.status == 204 {
                prop_assert!(response.body.is_empty());
            } else {
                let body: Value = serde_json::from_slice(&response.body).unwrap();
                prop_assert!(!error || body["Message"].is_string(), "{}", body);
            }
        }
    }

    #[test]
    fn requests_of_strangers(
        method in "[A-Z]{0,6}", path in ".{0,40}", query in ".{0,40}", body in proptest::collection::vec(any::<u8>(), 0..40),
        headers in proptest::collection::vec((prop_oneof![Just("authorization".to_owned()), Just("x-amz-date".to_owned()), ".{0,8}"], ".{0,60}"), 0..5),
    ) {
        let (host, api) = world(Settings::default());
        let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body, source: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let response = api.handle(&request, OffsetDateTime::now_utc());
        prop_assert_eq!(response.status, 401);
        prop_assert!(host.records.lock().unwrap().is_empty());
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_before_anything_else() {
    let (_, api) = world(Settings::default());
    let body = vec![b' '; api::MAX_BODY + 1];
    let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let request =
        Request { method: "PUT", path: "/api/settings", query: "", headers: &[], body: &body, source };
    assert_eq!(api.handle(&request, OffsetDateTime::now_utc()).status, 400);
}
