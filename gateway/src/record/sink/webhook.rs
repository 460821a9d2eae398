//! Records for an HTTP server, in batches that are signed.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, USER_AGENT};
use hyper::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::value::RawValue;
use sha2::Sha256;

use super::http::{HttpClient, reason};
use super::{Outcome, Sink, SinkRecord, Taking};
use crate::record::LogGroup;

/// Proves who sends a request: `t=<seconds since the Unix epoch>,v1=<hex of the HMAC-SHA256 of "<t>.<body>">`.
pub const SIGNATURE: &str = "Voice-Connector-Signature";

/// An HTTP server that gets batches by POST.
pub struct Webhook {
    client: HttpClient,
    url: String,
    secret: SecretString,
}

#[derive(Serialize)]
struct Body<'a> {
    records: Vec<Element<'a>>,
}

#[derive(Serialize)]
struct Element<'a> {
    kind: &'static str,
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
    /// Of a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<Vec<&'a RawValue>>,
}

impl Webhook {
    /// - `url`: where to.
    /// - `secret`: signs each request.
    #[must_use]
    pub fn new(client: HttpClient, url: &str, secret: SecretString) -> Webhook {
        Webhook { client, url: url.to_owned(), secret }
    }

    async fn post(&self, batch: &[SinkRecord]) -> Outcome {
        let body = match body(batch) {
            Ok(body) => body,
            Err(error) => return Outcome::Never(error.to_string()),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let request = Request::builder()
            .method(Method::POST)
            .uri(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("voice-connector/", env!("CARGO_PKG_VERSION")))
            .header(SIGNATURE, signature(self.secret.expose_secret(), now, &body))
            .body(Full::from(body));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Outcome::Later(error.to_string()),
        };
        match self.client.ask(request).await {
            Ok(answer) if answer.status().is_success() => Outcome::Done,
            Ok(answer) if matches!(answer.status().as_u16(), 400 | 413 | 415 | 422) => {
                Outcome::Never(answer.status().to_string())
            }
            Ok(answer) => Outcome::Later(answer.status().to_string()),
            Err(error) => Outcome::Later(reason(error.as_ref())),
        }
    }
}

impl Sink for Webhook {
    fn take<'a>(&'a self, batch: &'a [SinkRecord]) -> Taking<'a> {
        Box::pin(self.post(batch))
    }
}

fn body(batch: &[SinkRecord]) -> serde_json::Result<Vec<u8>> {
    let element = |record: &'_ SinkRecord| -> serde_json::Result<(String, String, &'static str)> {
        Ok((record.id(), record.name(0), record.kind.as_label()))
    };
    let records = batch.iter().map(|record| {
        let (id, name, kind) = element(record)?;
        let (record, lines) = match LogGroup::of(record.kind) {
            None => (Some(serde_json::from_slice(&record.body)?), None),
            Some(_) => (None, Some(lines(&record.body))),
        };
        Ok(Element { kind, id, name, record, lines })
    });
    serde_json::to_vec(&Body { records: records.collect::<serde_json::Result<_>>()? })
}

/// Those that are whole: a crash may have cut one short.
fn lines(body: &[u8]) -> Vec<&RawValue> {
    body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The value of [`SIGNATURE`].
pub(crate) fn signature(secret: &str, time: u64, body: &[u8]) -> String {
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()) else {
        return String::new(); // A key of any length will do.
    };
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Server, batch};
    use super::*;

    fn ask(server: &Server, batch: &[SinkRecord]) -> Outcome {
        let webhook =
            Webhook::new(HttpClient::new(None).unwrap(), &server.url("/calls?of=1"), "s3cret".into());
        server.runtime.block_on(webhook.take(batch))
    }

    #[test]
    fn a_batch_is_one_signed_request() {
        let server = Server::start(|_| Answer::status(204));
        let batch = batch(2);
        assert_eq!(ask(&server, &batch), Outcome::Done);
        let request = server.requests().remove(0);
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/calls?of=1"));
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let records = body["records"].as_array().unwrap();
        assert_eq!(records.len(), 2);
        for (element, record) in records.iter().zip(&batch) {
            assert_eq!(element["kind"], "call_detail");
            assert_eq!(
                (element["id"].as_str(), element["name"].as_str()),
                (Some(&*record.id()), Some(&*record.name(0)))
            );
            let whole: serde_json::Value = serde_json::from_slice(&record.body).unwrap();
            assert_eq!(element["record"], whole);
        }
        let signed = request.header(SIGNATURE).unwrap();
        let time: u64 = signed.split(['=', ',']).nth(1).unwrap().parse().unwrap();
        assert_eq!(signed, signature("s3cret", time, &request.body));
        assert_ne!(signed, signature("s3cret", time + 1, &request.body));
        assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - time < 60);
    }

    #[test]
    fn lines_of_a_log_are_a_list() {
        let body = "{\"a\":1}\n{\"a\":2}\n{\"torn".into();
        let hour = std::time::Duration::from_secs(3_600 * 500_000);
        let record = SinkRecord::of_log(LogGroup::Media, "abc".into(), hour, 7, body);
        let body: serde_json::Value =
            serde_json::from_slice(&super::body(std::slice::from_ref(&record)).unwrap()).unwrap();
        let element = &body["records"][0];
        assert_eq!(element["kind"], "quality");
        assert_eq!(element["lines"], serde_json::json!([{ "a": 1 }, { "a": 2 }]));
        assert!(element.get("record").is_none(), "{element}");
        let name = "aws/ChimeVoiceConnectorLogs/abc/2027/01/15/08-7.jsonl";
        assert_eq!(element["name"], name);
        assert!(element["id"].as_str().unwrap().starts_with(name));
        let other = SinkRecord { body: "{}".into(), ..record.clone() };
        assert_ne!(other.id(), record.id(), "of another gateway");
    }

    /// `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`
    #[test]
    fn a_signature_is_that_of_other_programs() {
        assert_eq!(
            signature("key", 1_700_000_000, b"{}"),
            "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
    }

    #[test]
    fn statuses_say_whether_to_come_again() {
        for (status, later) in [
            (500, true),
            (503, true),
            (401, true),
            (404, true),
            (429, true),
            (302, true),
            (400, false),
            (413, false),
            (422, false),
        ] {
            let server = Server::start(move |_| Answer::status(status));
            let outcome = ask(&server, &batch(1));
            assert_eq!(matches!(outcome, Outcome::Later(_)), later, "{outcome:?}");
            assert_ne!(outcome, Outcome::Done);
        }
    }

    #[test]
    fn who_is_away_is_asked_later() {
        let server = Server::start(|_| Answer::Close);
        assert!(matches!(ask(&server, &batch(1)), Outcome::Later(_)));
        let webhook = Webhook::new(HttpClient::new(None).unwrap(), "http://127.0.0.1:9/", "s".into());
        let Outcome::Later(why) = server.runtime.block_on(webhook.take(&batch(1))) else { panic!() };
        assert!(why.contains("refused"), "{why}");
    }
}
