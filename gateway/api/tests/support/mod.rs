//! An unmodified boto3 whose requests come by a pipe instead of a socket.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::audit::Record;
use api::{Api, Grant, Health, Host, Key, Request, Response, Settings};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::Config;
use inventory::{Inventory, Limits, Memory, Pool, Setup, Timestamp};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The interpreter with boto3; `None`, with the reason told, where it cannot be made and this is not CI.
pub fn python() -> Option<PathBuf> {
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // Another version of any client is another number: see .ci/clients.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../clients-1/python");
    let made = Command::new(root.join(".ci/clients")).arg("python").arg(&folder).status();
    let python = folder.join("bin/python");
    if made.is_ok_and(|status| status.success()) && python.exists() {
        return Some(python);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no boto3 (.ci/setup test)");
    eprintln!("skipped: boto3 cannot be installed here");
    None
}

/// Runs a script of `tests/clients`, answering what its clients ask, until it ends. Its assertions are ours.
pub fn run(
    python: &Path,
    script: &str,
    environment: &[(&str, &str)],
    mut handle: impl FnMut(&Request<'_>) -> Response,
) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let mut child = Command::new(python)
        .arg(&script)
        .env_remove("AWS_PROFILE")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = child.stdin.take().unwrap();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let asked: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let headers: HashMap<String, String> = serde_json::from_value(asked["headers"].clone()).unwrap();
        let headers: Vec<(String, String)> = headers.into_iter().collect();
        let body = STANDARD.decode(asked["body"].as_str().unwrap()).unwrap();
        let response = handle(&Request {
            method: asked["method"].as_str().unwrap(),
            path: asked["path"].as_str().unwrap(),
            query: asked["query"].as_str().unwrap(),
            headers: &headers,
            body: &body,
            source: IpAddr::V4(Ipv4Addr::LOCALHOST),
        });
        let headers: HashMap<_, _> = response.headers.into_iter().collect();
        let answer =
            json!({ "status": response.status, "headers": headers, "body": STANDARD.encode(response.body) });
        writeln!(answers, "{answer}").unwrap();
    }
    drop(answers);
    assert!(child.wait().unwrap().success(), "{} failed: see above", script.display());
}

/// The id of the root key.
pub const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
/// Its secret.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// A key that may read from loopback, and change what is tagged so.
pub const READER: &str = "AKIAREADERREADERREAD";

/// A host with keys of its own, which keeps records in memory.
#[derive(Default)]
pub struct TestHost {
    counter: AtomicU64,
    /// What was recorded.
    pub records: Mutex<Vec<Record>>,
}

impl Host for TestHost {
    fn key(&self, id: &str) -> Option<Key> {
        let key = |user: &str, grant| Key {
            user: user.to_owned(),
            secret: SECRET.to_owned().into(),
            token: None,
            expires: None,
            grant,
        };
        match id {
            KEY => Some(key("root", Grant::Root)),
            READER => {
                let reads = api::access::role("reader").unwrap().to_owned();
                let tagged = json!({ "Statement": {
                    "Effect": "Allow", "Action": "chime:*VoiceConnector*", "Resource": "arn:aws:chime:*:*:vc/*",
                    "Condition": { "StringEquals": { "aws:ResourceTag/env": "test" }, "IpAddress": { "aws:SourceIp": "127.0.0.0/8" } },
                } });
                Some(key("reader", Grant::Policies(vec![reads, tagged.to_string()])))
            }
            "AKIAEXPIREDEXPIREDEX" => {
                let expires = Some(OffsetDateTime::now_utc() - Duration::from_secs(1));
                Some(Key { expires, ..key("late", Grant::Root) })
            }
            "ASIATEMPORARYTEMPORA" => {
                Some(Key { token: Some("a token/of+one=".to_owned().into()), ..key("guest", Grant::Root) })
            }
            "AKIANOTHINGNOTHINGNO" => Some(key("nobody", Grant::Policies(Vec::new()))),
            _ => None,
        }
    }

    fn random(&self) -> [u8; 16] {
        u128::from(self.counter.fetch_add(1, Ordering::Relaxed)).to_be_bytes()
    }

    fn termination_health(&self, _connector: &str) -> Option<Health> {
        let source = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        Some(Health { at: OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap(), source })
    }

    fn record(&self, record: Record) {
        self.records.lock().unwrap().push(record);
    }
}

/// An inventory in memory, beside files that own a connector and a number; and an API.
pub fn world(settings: Settings) -> (Arc<TestHost>, Api) {
    let files = r#"
[gateway]
region = "eu-central-1"
account = "111122223333"
domain = "trunk.example.com"
[[listen]]
address = "192.0.2.1"
[[voice_connector]]
id = "office"
[[phone_number]]
number = "+12065550199"
voice_connector = "office"
"#;
    let (files, _) =
        Config::parse(files, Path::new("gateway.toml")).map_err(|errors| errors.to_string()).unwrap();
    let mut seed = 1_u64;
    let random = Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (seed >> 33) as u8;
        }
    });
    let setup = Setup { store: Box::<Memory>::default(), seal: [3; 32], random, limits: Limits::default() };
    let now = OffsetDateTime::now_utc();
    let inventory =
        Inventory::open(setup, Arc::new(files), Timestamp(now.unix_timestamp() as u64 * 1000)).unwrap();
    let pool: String =
        (1_000..3_000).map(|number| format!("+1206555{number},US,Local,WA,Seattle\n")).collect();
    inventory.set_pool(
        Pool::parse(&format!("number,country,type,state,city\n{pool}+18005550100,US,,,\n")).unwrap(),
    );
    let host = Arc::new(TestHost::default());
    let settings = Settings {
        base_path: "/api".to_owned(),
        domain: "trunk.example.com".to_owned(),
        region: "eu-central-1".to_owned(),
        account: "111122223333".to_owned(),
        ..settings
    };
    let api = Api::new(settings, Arc::new(inventory), host.clone(), now - Duration::from_secs(60));
    (host, api)
}
