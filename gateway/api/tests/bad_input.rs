//! What no client sends by itself: each is a clear error or a right answer, and nothing is half written.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]
#![allow(dead_code, reason = "the other tests use the rest of the support")]

#[path = "support/signed.rs"]
mod signed;
mod support;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Barrier;
use std::sync::atomic::{AtomicI64, Ordering};

use api::{Api, Request, Settings};
use serde_json::{Value, json};
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

use signed::authorization;
use support::{KEY, world};

struct Client {
    api: Api,
    /// Two requests that are alike must not be signed in one second.
    second: AtomicI64,
}

impl Client {
    fn new() -> Client {
        let (_, api) = world(Settings { rate: 1_000_000, burst: 1_000_000, ..Settings::default() });
        Client { api, second: AtomicI64::new(0) }
    }

    /// Status and body of the answer to a request that is signed as it should be.
    fn ask(&self, method: &str, path: &str, query: &str, body: &[u8]) -> (u16, Value) {
        let now =
            OffsetDateTime::now_utc() + Duration::seconds(self.second.fetch_add(1, Ordering::Relaxed) % 200);
        let stamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap();
        let path = format!("/api{path}");
        let authorization = authorization(KEY, method, &path, query, body, &stamp);
        let headers = [("Host", "h"), ("X-Amz-Date", &stamp), ("Authorization", &authorization)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let response =
            self.api.handle(&Request { method, path: &path, query, headers: &headers, body, source }, now);
        let body = if response.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&response.body).unwrap()
        };
        (response.status, body)
    }

    fn make(&self, name: &str) -> String {
        let body = json!({ "Name": name, "RequireEncryption": false }).to_string();
        let (status, made) = self.ask("POST", "/voice-connectors", "", body.as_bytes());
        assert_eq!(status, 201, "{made}");
        made["VoiceConnector"]["VoiceConnectorId"].as_str().unwrap().to_owned()
    }

    /// How many connectors there are.
    fn connectors(&self) -> usize {
        self.ask("GET", "/voice-connectors", "max-results=100", b"").1["VoiceConnectors"]
            .as_array()
            .unwrap()
            .len()
    }
}

#[test]
fn bodies_that_are_no_input() {
    let client = Client::new();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_member = format!(r#"{{"Name":"x","RequireEncryption":false,"Tags":{deep}}}"#);
    for (body, why) in [
        (&b"{"[..], "JSON that ends early"),
        (b"[]", "no object"),
        (b"\xff\xfe", "no UTF-8"),
        (b"{\"Name\":\"\xc3\x28\",\"RequireEncryption\":false}", "no UTF-8 in a text"),
        (deep.as_bytes(), "deep"),
        (deep_member.as_bytes(), "deep in a member"),
        (b"{\"Name\":7,\"RequireEncryption\":false}", "a number for a text"),
        (b"{\"Name\":\"x\",\"RequireEncryption\":\"false\"}", "a text for a flag"),
        (b"{\"Name\":\"x\",\"RequireEncryption\":false,\"Tags\":{}}", "an object for a list"),
        (b"{\"Name\":\"x\",\"RequireEncryption\":false,\"Tags\":[\"k\"]}", "a text for an object"),
        (b"{\"Name\":null,\"RequireEncryption\":false}", "null for what must be there"),
        (b"{\"Name\":\"x\\u0000y\",\"RequireEncryption\":false}", "a control character"),
    ] {
        let (status, said) = client.ask("POST", "/voice-connectors", "", body);
        assert_eq!((status, said["Code"].as_str()), (400, Some("BadRequest")), "{why}: {said}");
    }
    assert_eq!(client.connectors(), 1, "nothing but what the files have");
    let more = br#"{"Name":"x","RequireEncryption":false,"Colour":{"is":["unknown"]},"Tags":null}"#;
    assert_eq!(client.ask("POST", "/voice-connectors", "", more).0, 201, "what is unknown is ignored");
}

#[test]
fn ids_that_lead_elsewhere() {
    let client = Client::new();
    let id = client.make("x");
    for path in [
        "/voice-connectors/..".to_owned(),
        "/voice-connectors/../settings".to_owned(),
        "/voice-connectors/%2e%2e".to_owned(),
        "/voice-connectors/%2e%2e%2fsettings".to_owned(),
        format!("/voice-connectors/{id}/../{id}"),
        format!("/voice-connectors//{id}"),
        format!("/voice-connectors/{id}%00"),
        format!("/voice-connectors/{}", "a".repeat(5_000)),
        "/phone-numbers/%2B1206555%2F0100".to_owned(),
    ] {
        let (status, said) = client.ask("GET", &path, "", b"");
        // The signature is of another path where it has to be escaped: none of these is ever served.
        assert!(matches!(status, 400 | 401 | 404), "{path}: {status} {said}");
    }
    assert_eq!(client.ask("GET", &format!("/voice-connectors/{id}"), "", b"").0, 200);
}

#[test]
fn many_at_one_object() {
    let client = Client::new();
    let (id, start) = (client.make("x"), Barrier::new(8));
    let numbers = [client.make("a"), client.make("b")];
    let order = json!({ "ProductType": "VoiceConnector", "E164PhoneNumbers": ["+12065551000"] }).to_string();
    let delete = || {
        start.wait();
        client.ask("DELETE", &format!("/voice-connectors/{id}"), "", b"").0
    };
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(delete)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404, 404, 404, 404, 404, 404, 404]);

    // A number that eight order is one's; one that two connectors want is one's.
    let take = || {
        start.wait();
        let (status, order) = client.ask("POST", "/phone-number-orders", "", order.as_bytes());
        assert_eq!(status, 201, "{order}");
        order["PhoneNumberOrder"]["Status"].as_str().unwrap().to_owned()
    };
    let mut orders: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    orders.sort_unstable();
    assert_eq!(orders.iter().filter(|status| *status == "Successful").count(), 1, "{orders:?}");
    let wants = |id: &str| {
        start.wait();
        let body = json!({ "E164PhoneNumbers": ["+12065551000"] }).to_string();
        let (path, query) = (format!("/voice-connectors/{id}"), "operation=associate-phone-numbers");
        let (status, answer) = client.ask("POST", &path, query, body.as_bytes());
        assert_eq!(status, 200, "{answer}");
        answer["PhoneNumberErrors"].as_array().unwrap().len()
    };
    let (wants, numbers) = (&wants, &numbers);
    let errors: Vec<usize> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|at| scope.spawn(move || wants(&numbers[at % 2]))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(errors.contains(&0) && errors.contains(&1), "one of the two has it: {errors:?}");
    let (_, listed) = client.ask("GET", "/phone-numbers", "max-results=100", b"");
    let of = |number: &&Value| number["PhoneNumberId"] == "+12065551000";
    let number = listed["PhoneNumbers"].as_array().unwrap().iter().find(of).unwrap();
    let owners = number["Associations"].as_array().unwrap();
    assert!(owners.len() == 1 && numbers.iter().any(|id| owners[0]["Value"] == id.as_str()), "{number}");
}

#[test]
fn ten_thousand_connectors_are_listed_each_once() {
    let client = Client::new();
    let made: BTreeSet<String> = (0..10_000).map(|at| client.make(&format!("c {at}"))).collect();
    assert_eq!(made.len(), 10_000);
    let (mut seen, mut token) = (BTreeSet::new(), String::new());
    loop {
        let query = if token.is_empty() {
            "max-results=100".to_owned()
        } else {
            format!("max-results=100&next-token={token}")
        };
        let (status, page) = client.ask("GET", "/voice-connectors", &query, b"");
        assert_eq!(status, 200, "{page}");
        for connector in page["VoiceConnectors"].as_array().unwrap() {
            let id = connector["VoiceConnectorId"].as_str().unwrap().to_owned();
            assert!(seen.insert(id), "{connector} is there twice");
        }
        match page["NextToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    seen.remove("office");
    assert_eq!(seen, made);
    // A token of another list, or one that was touched.
    for (path, token) in [
        ("/voice-connector-groups", token.clone()),
        ("/phone-numbers", token.clone()),
        ("/voice-connectors", format!("{token}A")),
        ("/voice-connectors", token.chars().rev().collect()),
        ("/voice-connectors", "..".to_owned()),
    ] {
        let (status, said) = client.ask("GET", path, &format!("next-token={token}"), b"");
        assert_eq!(status, 400, "{path}: {said}");
    }
}
