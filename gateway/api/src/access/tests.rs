use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const CONNECTOR: &str = "arn:aws:chime:us-east-1:111122223333:vc/abcdefghijklmnopqrstuv";

fn policy(document: &serde_json::Value) -> Policy {
    document.to_string().parse().unwrap()
}

fn asked<'a>(action: &'a str, resource: &'a str, source: &str, tags: &'a [(String, String)]) -> Asked<'a> {
    let source = source.parse::<IpAddr>().unwrap();
    Asked { action, resource, source, resource_tags: tags, request_tags: tags }
}

#[test]
fn what_a_policy_allows() {
    use Decision::{Allowed, Denied, Unmentioned};
    let statement = |more: serde_json::Value| {
        let mut statement = json!({ "Effect": "Allow", "Action": "chime:*", "Resource": "*" });
        statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "Version": "2012-10-17", "Statement": statement })
    };
    let tags = [("env".to_owned(), "prod".to_owned())];
    let get = "chime:GetVoiceConnector";
    let put = "chime:PutVoiceConnectorTermination";
    for (more, action, source, decision) in [
        (json!({}), get, "192.0.2.1", Allowed),
        (json!({ "Action": "*" }), get, "192.0.2.1", Allowed),
        (json!({ "Action": "chime:Put*" }), get, "192.0.2.1", Unmentioned),
        (json!({ "Action": "chime:Put*" }), put, "192.0.2.1", Allowed),
        (json!({ "Action": "CHIME:put*" }), put, "192.0.2.1", Allowed),
        (json!({ "Action": ["chime:Put*", "chime:Get??iceConnector"] }), get, "192.0.2.1", Allowed),
        (json!({ "Effect": "Deny", "Action": "chime:Put*" }), put, "192.0.2.1", Denied),
        (json!({ "Effect": "Deny", "Action": "chime:Put*" }), get, "192.0.2.1", Unmentioned),
        (json!({ "Resource": CONNECTOR }), get, "192.0.2.1", Allowed),
        (json!({ "Resource": "arn:aws:chime:*:*:vc/*" }), get, "192.0.2.1", Allowed),
        (json!({ "Resource": "arn:aws:chime:*:*:vcg/*" }), get, "192.0.2.1", Unmentioned),
        (
            json!({ "Resource": ["arn:x", "arn:aws:chime:us-east-1:111122223333:vc/?*"] }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } } }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } } }),
            get,
            "::ffff:192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "IpAddress": { "aws:sourceip": ["2001:db8::/32"] } } }),
            get,
            "2001:db8::1",
            Allowed,
        ),
        (
            json!({ "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } } }),
            get,
            "198.51.100.1",
            Unmentioned,
        ),
        (json!({ "Condition": { "IpAddress": { "aws:SourceIp": [] } } }), get, "192.0.2.1", Unmentioned),
        (
            json!({ "Condition": { "NotIpAddress": { "aws:SourceIp": "192.0.2.1" } } }),
            get,
            "192.0.2.1",
            Unmentioned,
        ),
        (
            json!({ "Condition": { "NotIpAddress": { "aws:SourceIp": "192.0.2.1" } } }),
            get,
            "192.0.2.2",
            Allowed,
        ),
        (
            json!({ "Condition": { "StringEquals": { "aws:ResourceTag/env": "prod" } } }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "StringEquals": { "aws:RequestTag/env": ["test", "prod"] } } }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "StringEquals": { "aws:ResourceTag/env": "p*" } } }),
            get,
            "192.0.2.1",
            Unmentioned,
        ),
        (
            json!({ "Condition": { "StringLike": { "aws:ResourceTag/env": "p*" } } }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "StringNotLike": { "aws:ResourceTag/env": "p*" } } }),
            get,
            "192.0.2.1",
            Unmentioned,
        ),
        (
            json!({ "Condition": { "StringEquals": { "aws:ResourceTag/team": "a" } } }),
            get,
            "192.0.2.1",
            Unmentioned,
        ),
        (
            json!({ "Condition": { "StringNotEquals": { "aws:ResourceTag/team": "a" } } }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "StringEqualsIfExists": { "aws:ResourceTag/team": "a" } } }),
            get,
            "192.0.2.1",
            Allowed,
        ),
        (
            json!({ "Condition": { "IpAddress": { "aws:SourceIp": "192.0.2.0/24" }, "StringEquals": { "aws:ResourceTag/env": "test" } } }),
            get,
            "192.0.2.1",
            Unmentioned,
        ),
    ] {
        let document = statement(more);
        assert_eq!(
            decide([&policy(&document)], &asked(action, CONNECTOR, source, &tags)),
            decision,
            "{document}"
        );
    }
    for (members, action, decision) in [
        (json!({ "NotAction": "chime:Put*", "Resource": "*" }), get, Allowed),
        (json!({ "NotAction": "chime:Put*", "Resource": "*" }), put, Unmentioned),
        (json!({ "Action": "*", "NotResource": "arn:aws:chime:*:vc/*" }), get, Unmentioned),
        (json!({ "Action": "*", "NotResource": "arn:aws:chime:*:vcg/*" }), get, Allowed),
    ] {
        let mut statement = members;
        statement["Effect"] = json!("Allow");
        let document = json!({ "Statement": [statement] });
        assert_eq!(
            decide([&policy(&document)], &asked(action, CONNECTOR, "192.0.2.1", &tags)),
            decision,
            "{document}"
        );
    }
    assert_eq!(decide([], &asked(get, CONNECTOR, "192.0.2.1", &tags)), Unmentioned);
}

#[test]
fn what_is_not_understood_is_refused() {
    let valid = json!({ "Effect": "Allow", "Action": "chime:*", "Resource": "*" });
    for (name, value) in [
        ("Effect", json!("allow")),
        ("Effect", json!(null)),
        ("Action", json!([])),
        ("Action", json!(1)),
        ("Action", json!("chime:PutVoiceConnectorTerminatoin")),
        ("Action", json!("s3:*")),
        ("Action", json!(["chime:*", 7])),
        ("NotAction", json!("chime:*")),
        ("Resource", json!("vc/*")),
        ("Resource", json!([])),
        ("Principal", json!("*")),
        ("Condition", json!([])),
        ("Condition", json!({ "IpAddress": "192.0.2.1" })),
        ("Condition", json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/33" } })),
        ("Condition", json!({ "IpAddress": { "aws:ResourceTag/x": "192.0.2.0/24" } })),
        ("Condition", json!({ "StringEquals": { "aws:SourceIp": "192.0.2.1" } })),
        ("Condition", json!({ "StringEquals": { "aws:ResourceTag/": "x" } })),
        ("Condition", json!({ "StringEquals": { "aws:username": "x" } })),
        ("Condition", json!({ "StringEquals": { "aws:RequestTag/x": { "y": 1 } } })),
        ("Condition", json!({ "DateGreaterThan": { "aws:CurrentTime": "2026-01-01" } })),
        ("Condition", json!({ "Bool": { "aws:SecureTransport": "true" } })),
    ] {
        let mut statement = valid.clone();
        statement[name] = value;
        let document = json!({ "Statement": statement }).to_string();
        assert!(document.parse::<Policy>().is_err(), "{document}");
    }
    for document in ["", "[]", "{}", r#"{"Statement":[]}"#, r#"{"Statement":[1]}"#] {
        assert!(document.parse::<Policy>().is_err(), "{document}");
    }
    let with = |version: &str| json!({ "Version": version, "Statement": valid }).to_string();
    assert!(with("2012-10-17").parse::<Policy>().is_ok());
    assert!(with("2008-10-17").parse::<Policy>().is_err());
    assert_eq!(with(&" ".repeat(20_000)).parse::<Policy>(), Err(PolicyError::TooLong));
}

#[test]
fn roles_are_what_their_names_say() {
    let allowed: Vec<(usize, bool, bool)> = ROLES
        .iter()
        .map(|(name, _)| {
            let policy: Policy = role(name).unwrap().parse().unwrap();
            let actions = crate::operation::OPERATIONS.iter().map(|row| (row, row.operation.action()));
            let decide =
                |action: &str| decide([&policy], &asked(action, "*", "192.0.2.1", &[])) == Decision::Allowed;
            let allowed: Vec<_> = actions.filter(|(_, action)| decide(action)).collect();
            (
                allowed.len(),
                allowed.iter().any(|(row, _)| row.changes()),
                decide("chime:PutVoiceConnectorTerminationCredentials"),
            )
        })
        .collect();
    let all = crate::operation::OPERATIONS.len();
    assert_eq!(allowed[0], (all, true, true));
    assert!(!allowed[1].1 && !allowed[1].2 && allowed[1].0 > 30, "{allowed:?}");
    assert!(allowed[2].1 && !allowed[2].2, "{allowed:?}");
    assert!(allowed[3].1 && allowed[3].2, "{allowed:?}");
    assert_eq!(role("king"), None);
}

fn statement() -> impl Strategy<Value = serde_json::Value> {
    let condition = prop_oneof![
        Just(json!({})),
        Just(json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } })),
        Just(json!({ "NotIpAddress": { "aws:SourceIp": "192.0.2.0/24" } })),
        Just(json!({ "StringEquals": { "aws:ResourceTag/env": "prod" } })),
    ];
    let action =
        prop_oneof![Just("*"), Just("chime:Get*"), Just("chime:Put*"), Just("chime:GetVoiceConnector")];
    let resource = prop_oneof![Just("*"), Just(CONNECTOR), Just("arn:aws:chime:*:vcg/*")];
    (any::<bool>(), action, resource, condition).prop_map(|(allows, action, resource, condition)| {
        let effect = if allows { "Allow" } else { "Deny" };
        json!({ "Effect": effect, "Action": action, "Resource": resource, "Condition": condition })
    })
}

proptest! {
    #[test]
    fn a_denial_wins_and_order_is_of_no_account(
        mut statements in proptest::collection::vec(statement(), 1..8),
        turn in 0..8_usize,
        split in 0..8_usize,
        put: bool,
        near: bool,
    ) {
        let action = if put { "chime:PutVoiceConnectorOrigination" } else { "chime:GetVoiceConnector" };
        let source = if near { "192.0.2.9" } else { "203.0.113.9" };
        let tags = [("env".to_owned(), "prod".to_owned())];
        let asked = asked(action, CONNECTOR, source, &tags);
        let whole = policy(&json!({ "Statement": statements }));
        let alone: Vec<Decision> =
            statements.iter().map(|one| decide([&policy(&json!({ "Statement": one }))], &asked)).collect();
        let expected = if alone.contains(&Decision::Denied) {
            Decision::Denied
        } else if alone.contains(&Decision::Allowed) {
            Decision::Allowed
        } else {
            Decision::Unmentioned
        };
        prop_assert_eq!(decide([&whole], &asked), expected);
        let length = statements.len();
        statements.rotate_left(turn % length);
        let (one, other) = statements.split_at(split % length);
        let parts: Vec<Policy> =
            [other, one].iter().filter(|part| !part.is_empty()).map(|part| policy(&json!({ "Statement": part }))).collect();
        prop_assert_eq!(decide(&parts, &asked), expected);
    }
}
