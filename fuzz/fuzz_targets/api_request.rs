//! A signed request of any content has a response that clients can read, and so has one of a stranger.
//!
//! The first line of the data is method, path and query with spaces between them; the rest is the body.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use api::audit::Record;
use api::{Api, Grant, Health, Host, Key, Request, Settings};
use config::Config;
use inventory::{Inventory, Limits, Memory, Setup, Timestamp};
use libfuzzer_sys::fuzz_target;
use ring::{digest, hmac};
use time::OffsetDateTime;

struct OneKey;

impl Host for OneKey {
    fn key(&self, _id: &str) -> Option<Key> {
        let (user, secret) = ("someone".to_owned(), "secret".to_owned().into());
        Some(Key { user, secret, token: None, expires: None, grant: Grant::Root })
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }

    fn termination_health(&self, _connector: &str) -> Option<Health> {
        None
    }

    fn record(&self, record: Record) {
        assert!(serde_json::to_string(&record).is_ok());
    }
}

static API: LazyLock<Api> = LazyLock::new(|| {
    let files = "[[listen]]\naddress = \"192.0.2.1\"\n[[voice_connector]]\nid = \"office\"\n";
    let (files, _) = Config::parse(files, Path::new("f.toml")).unwrap();
    let mut counter = 0_u8;
    let random = Box::new(move |bytes: &mut [u8]| {
        counter = counter.wrapping_add(1);
        bytes.fill(counter);
    });
    let setup = Setup { store: Box::<Memory>::default(), seal: [0; 32], random, limits: Limits::default() };
    let inventory = Inventory::open(setup, Arc::new(files), Timestamp(0)).unwrap();
    let settings = Settings { rate: u32::MAX, burst: u32::MAX, audit_reads: true, ..Settings::default() };
    Api::new(settings, Arc::new(inventory), Arc::new(OneKey), OffsetDateTime::UNIX_EPOCH)
});

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fuzz_target!(|data: &[u8]| {
    let line = data.split(|byte| *byte == b'\n').next().unwrap();
    let body = data.get(line.len() + 1..).unwrap_or_default();
    let Ok(line) = std::str::from_utf8(line) else { return };
    let mut words = line.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let query = words.next().unwrap_or_default();
    let (stamp, scope) = ("19700101T000100Z", "19700101/local/chime/aws4_request");
    let canonical =
        format!("{method}\n{path}\n{query}\nhost:h\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{}", sha256(body));
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, b"AWS4secret");
    for part in scope.split('/') {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
    }
    let signature = hex(hmac::sign(&key, text.as_bytes()).as_ref());
    let authorization =
        format!("AWS4-HMAC-SHA256 Credential=A/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}");
    let now = OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(60);
    for authorization in [authorization.as_str(), line] {
        let headers = [("host", "h"), ("x-amz-date", stamp), ("authorization", authorization)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let source = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let response = API.handle(&Request { method, path, query, headers: &headers, body, source }, now);
        assert!(response.status != 500);
        assert!(response.body.is_empty() || serde_json::from_slice::<serde_json::Value>(&response.body).is_ok());
        assert!(response.headers.iter().all(|(_, value)| !value.contains(['\r', '\n'])));
    }
});
