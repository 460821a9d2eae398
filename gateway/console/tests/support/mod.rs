//! A console over a store in memory and a host that tells what a test gave it, and a browser without a screen.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, and not every one uses all of it"
)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use api::audit::Record;
use api::{Api, Grant, Health, Key, Request, Response};
use config::Config;
use console::{
    Attempt, AuditLine, AuditPage, AuditWanted, Call, CallLine, Carrier, Certificate, Console, Explained,
    Host, Leg, Minute, Overview, Question, Refused, Rung, Settings, Side, Stream,
};
use inventory::{Inventory, Limits, Memory, NewAccessKey, Pool, Setup, Timestamp};
use secrecy::ExposeSecret;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// When all of it happens.
pub const NOW: OffsetDateTime = datetime!(2026-11-28 12:00 UTC);

/// The key that may do everything.
pub const ROOT: &str = "AKIAROOTROOTROOTROOT";
/// The secret of every key of the host.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// A key with the role `reader`.
pub const READER: &str = "AKIAREADERREADERREAD";
/// A key with no policy.
pub const NOBODY: &str = "AKIANOBODYNOBODYNOBO";

/// Keys of its own, those of the inventory beside them, and the records.
#[derive(Default)]
pub struct Keys {
    inventory: Mutex<Option<Arc<Inventory>>>,
    counter: AtomicU64,
    pub records: Mutex<Vec<Record>>,
    /// Ids that are refused from now on.
    pub gone: Mutex<Vec<String>>,
}

impl api::Host for Keys {
    fn key(&self, id: &str) -> Option<Key> {
        if self.gone.lock().unwrap().iter().any(|gone| gone == id) {
            return None;
        }
        let key = |user: &str, grant| Key {
            user: user.to_owned(),
            secret: SECRET.to_owned().into(),
            token: None,
            expires: None,
            grant,
        };
        match id {
            ROOT => Some(key("root", Grant::Root)),
            READER => {
                let reads = api::access::role("reader").unwrap().to_owned();
                Some(key("reader", Grant::Policies(vec![reads])))
            }
            NOBODY => Some(key("nobody", Grant::Policies(Vec::new()))),
            _ => {
                let inventory = self.inventory.lock().unwrap().clone()?;
                let (made, secret) = inventory.access_key_secret(id).ok()?;
                let made = &made.value;
                let documents =
                    made.policies.iter().map(|name| inventory.policy(name).unwrap().value.document.clone());
                let grant = if made.root { Grant::Root } else { Grant::Policies(documents.collect()) };
                let secret = secret.expose_secret().to_owned().into();
                (!made.disabled).then(|| Key { secret, ..key(&made.user, grant) })
            }
        }
    }

    fn random(&self) -> [u8; 16] {
        u128::from(self.counter.fetch_add(1, Relaxed)).to_be_bytes()
    }

    fn termination_health(&self, _connector: &str) -> Option<Health> {
        Some(Health { at: NOW - Duration::seconds(42), source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)) })
    }

    fn record(&self, record: Record) {
        self.records.lock().unwrap().push(record);
    }
}

/// A gateway in which every text is the same one, or where there is none, one with a day's work behind it.
#[derive(Default)]
pub struct Gateway {
    text: Option<String>,
    counter: AtomicU64,
}

impl Gateway {
    pub fn saying(text: &str) -> Gateway {
        Gateway { text: Some(text.to_owned()), ..Gateway::default() }
    }

    fn say(&self, usual: &str) -> String {
        self.text.clone().unwrap_or_else(|| usual.to_owned())
    }

    fn line(&self, id: &str, state: &str, seconds: u64) -> CallLine {
        CallLine {
            id: self.say(id),
            state: self.say(state),
            caller: self.say("+12065550100"),
            callee: self.say("+14155550123"),
            from: self.say("office"),
            to: self.say("west"),
            started: (NOW.unix_timestamp() as u64 - seconds) * 1000,
            seconds,
            mos: Some(4.31),
            emergency: self.text.is_some(),
        }
    }

    fn refusal(&self) -> Refused {
        Refused {
            id: self.say("b3f2a8d6-1f40-4a77-9f0e-2a1f3c4d5e6f"),
            caller: self.say("+12065550100"),
            callee: self.say("+447700900123"),
            source: self.say("203.0.113.5:5060"),
            at: NOW.unix_timestamp() as u64 * 1000,
            times: 3,
            status: 403,
            cause: self.say("Destination not allowed"),
            step: self.say("calling plan"),
            to_do: self.say(
                "add GB to termination.calling_regions of voice connector office, if its calls may go there",
            ),
        }
    }
}

impl Host for Gateway {
    fn random(&self) -> [u8; 16] {
        u128::from(self.counter.fetch_add(1, Relaxed)).to_be_bytes()
    }

    fn overview(&self) -> Overview {
        let carrier =
            |name: &str, up, active, asr| Carrier { name: self.say(name), up, active, cps: Some(1.5), asr };
        let certificate = |name: &str, days| Certificate { name: self.say(name), days };
        Overview {
            obstacles: self.text.iter().cloned().collect(),
            calls: 1_283,
            cps: Some(14.2),
            asr: Some(71.4),
            mos: Some(4.27),
            throttled: 12,
            minutes: Some(5),
            refusals: vec![
                (self.say("destination_not_allowed"), 214),
                (self.say("unknown_source"), 77),
                (self.say("cps_limit"), 12),
            ],
            carriers: vec![
                carrier("west", Some(true), 1_021, Some(73.0)),
                carrier("east", Some(false), 0, None),
                carrier("north", None, 262, Some(64.2)),
            ],
            certificates: vec![
                certificate("/etc/voice-connector/tls/sip.pem", 63),
                certificate("/etc/voice-connector/tls/old.pem", 9),
                certificate("/etc/voice-connector/tls/gone.pem", -3),
            ],
        }
    }

    fn calls(&self, _number: &str, _most: usize) -> Result<Vec<CallLine>, String> {
        Ok(vec![
            self.line("5d7b5ab6-91c5-4f0c-8a7e-0d0f60f6a001", "up", 754),
            self.line("5d7b5ab6-91c5-4f0c-8a7e-0d0f60f6a002", "ringing", 8),
        ])
    }

    fn ended(&self, _number: &str, _most: usize) -> Result<Vec<CallLine>, String> {
        Ok(vec![
            self.line("5d7b5ab6-91c5-4f0c-8a7e-0d0f60f6a003", "Completed", 3_700),
            self.line("5d7b5ab6-91c5-4f0c-8a7e-0d0f60f6a004", "Failed", 0),
        ])
    }

    fn refused(&self, _number: &str, _most: usize) -> Result<Vec<Refused>, String> {
        match &self.text {
            Some(text) if text.len() % 2 == 1 => Err(text.clone()),
            _ => Ok(vec![self.refusal()]),
        }
    }

    fn call(&self, id: &str) -> Result<Option<Call>, String> {
        if id == "unknown" {
            return Ok(None);
        }
        let rung = |milliseconds, side, sent, what: &str, copies| Rung {
            milliseconds,
            side,
            sent,
            what: self.say(what),
            peer: self.say("203.0.113.5:5060 udp"),
            copies,
            left_out: 0,
        };
        let stream = |mos, lost| Stream { packets: 3_000, lost, jitter: Some(2.34), mos };
        let minute = |mos: f64| Minute {
            caller: stream(Some(mos), 3),
            callee: stream(Some((mos + 0.2).min(4.41)), 0),
        };
        let fact = |name: &str, value: &str| (self.say(name), self.say(value));
        Ok(Some(Call {
            line: self.line(id, "up", 754),
            live: true,
            facts: vec![fact("Ringing after", "1.2 s"), fact("Answered after", "6.4 s")],
            legs: vec![
                Leg {
                    facts: vec![
                        fact("Party", "voice connector office"),
                        fact("Signalling", "203.0.113.5:5060 udp"),
                        fact("Codec", "PCMU/8000"),
                    ],
                },
                Leg {
                    facts: vec![
                        fact("Party", "carrier west"),
                        fact("Signalling", "198.51.100.20:5060 udp"),
                        fact("Codec", "PCMU/8000"),
                    ],
                },
            ],
            ladder: vec![
                rung(0, Side::Caller, false, "INVITE", 0),
                rung(1, Side::Caller, true, "100 INVITE", 0),
                rung(4, Side::Callee, true, "INVITE", 1),
                rung(31, Side::Callee, false, "100 INVITE", 0),
                rung(1_208, Side::Callee, false, "180 INVITE", 0),
                rung(1_209, Side::Caller, true, "180 INVITE", 0),
                rung(6_401, Side::Callee, false, "200 INVITE", 0),
                rung(6_402, Side::Caller, true, "200 INVITE", 0),
                rung(6_440, Side::Caller, false, "ACK", 0),
                Rung { left_out: 2, ..rung(6_441, Side::Callee, true, "ACK", 0) },
                rung(6_800, Side::Caller, false, "404 INFO", 0),
            ],
            minutes: [4.4, 4.38, 4.35, 3.1, 3.6, 4.2, 4.39, 4.4, 4.4, 4.37, 4.4, 4.39].map(minute).to_vec(),
            attempts: vec![
                Attempt {
                    whose: self.say("carrier east"),
                    host: self.say("east.example.net (198.51.100.9:5060)"),
                    status: Some(503),
                    cause: self.say("Service Unavailable"),
                    to_do: Some(self.say("ask the carrier")),
                },
                Attempt {
                    whose: self.say("carrier west"),
                    host: self.say("west.example.net (198.51.100.20:5060)"),
                    status: Some(200),
                    cause: self.say("answered"),
                    to_do: None,
                },
            ],
            steps: [
                "source 203.0.113.5 is on the allowlist of voice connector office",
                "destination +14155550123 is in US, which may be called",
                "carriers by priority: east, west",
            ]
            .map(|step| self.say(step))
            .to_vec(),
            steps_of_now: true,
            to_do: self.text.clone(),
            notes: vec![self.say("the first host was left for the next one")],
            record: Some(self.say(
                "{\n  \"transaction_id\": \"5d7b5ab6-91c5-4f0c-8a7e-0d0f60f6a001\",\n  \"status\": 200\n}",
            )),
            question: Some(Question {
                from: self.say("+12065550100"),
                to: self.say("+14155550123"),
                source: self.say("203.0.113.5"),
                transport: self.say("udp"),
                connector: self.say("office"),
            }),
        }))
    }

    fn explain(&self, question: &Question) -> Result<Explained, String> {
        if self.text.is_none() && question.source.parse::<IpAddr>().is_err() {
            return Err("the address is none: write one like 203.0.113.5".to_owned());
        }
        let steps = [
            "source: 203.0.113.5 is on the allowlist of voice connector office",
            "destination: +447700900123 is in GB, which may not be called",
            "refused: 403 Destination not allowed",
            "do: add GB to termination.calling_regions",
        ];
        Ok(Explained {
            admitted: question.to.starts_with("+1"),
            steps: steps.map(|step| self.say(step)).to_vec(),
        })
    }

    fn audit(&self, wanted: &AuditWanted) -> Result<AuditPage, String> {
        let line = |minutes, operation: &str, error: Option<&str>| AuditLine {
            at: NOW - Duration::minutes(minutes),
            user: self.say("ada"),
            key: self.say("AKIAQ7Y5N2V4K6M8P0R1"),
            source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 44))),
            operation: self.say(operation),
            error: error.map(|error| self.say(error)),
            parameters: self
                .say(r#"{"voiceConnectorId":"abcdef1ghij2klmno3pqr4","termination":{"cpsLimit":5}}"#),
        };
        let lines = vec![
            line(1, "PutVoiceConnectorTermination", None),
            line(7, "DeleteVoiceConnector", Some("ConflictException")),
        ];
        Ok(AuditPage { lines, more: wanted.before.is_none() })
    }
}

impl World {
    /// Makes a key of the inventory with a policy of its own; no policy: a root key.
    pub fn key(&self, user: &str, policy: Option<&str>) -> (String, String) {
        let now = Timestamp(NOW.unix_timestamp() as u64 * 1000);
        if let Some(document) = policy {
            self.inventory.put_policy(now, user, document).unwrap();
        }
        let policies = policy.iter().map(|_| user.to_owned()).collect();
        let new = NewAccessKey { user: user.to_owned(), root: policy.is_none(), policies, expires: None };
        let (key, secret) = self.inventory.create_access_key(now, &new).unwrap();
        (key.value.id.clone(), secret.expose_secret().to_owned())
    }

    /// A browser that is logged in with such a key.
    pub fn browser(&self, user: &str, policy: &str) -> Browser<'_> {
        let (id, secret) = self.key(user, Some(policy));
        let mut browser = Browser::new(&self.console);
        let page = browser.send("/console/login", &[("key", &id), ("secret", &secret)]);
        assert_eq!(page.status, 303, "{}", page.text);
        browser
    }
}

/// All of it.
pub struct World {
    pub console: Console,
    pub inventory: Arc<Inventory>,
    pub keys: Arc<Keys>,
}

/// - `gateway`: what the pages about calls tell.
/// - `secure`: whether browsers come by TLS.
pub fn world(gateway: Gateway, secure: bool) -> World {
    let files = r#"
[gateway]
region = "eu-central-1"
account = "111122223333"
domain = "trunk.example.com"
[[listen]]
address = "192.0.2.1"
[[voice_connector]]
id = "office"
[voice_connector.termination]
allowlist = ["203.0.113.0/24"]
[[phone_number]]
number = "+12065550199"
voice_connector = "office"
"#;
    let file = Path::new("/etc/voice-connector/voice-connector.toml");
    let (files, _) = Config::parse(files, file).map_err(|errors| errors.to_string()).unwrap();
    let mut seed = 1_u64;
    let random = Box::new(move |bytes: &mut [u8]| {
        for byte in bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (seed >> 33) as u8;
        }
    });
    let setup = Setup { store: Box::<Memory>::default(), seal: [3; 32], random, limits: Limits::default() };
    let now = Timestamp(NOW.unix_timestamp() as u64 * 1000);
    let inventory = Arc::new(Inventory::open(setup, Arc::new(files), now).unwrap());
    let pool: String =
        (1_000..1_400).map(|number| format!("+1206555{number},US,Local,WA,Seattle\n")).collect();
    inventory.set_pool(Pool::parse(&format!("number,country,type,state,city\n{pool}")).unwrap());
    let keys = Arc::new(Keys::default());
    *keys.inventory.lock().unwrap() = Some(inventory.clone());
    let settings = api::Settings {
        domain: "trunk.example.com".to_owned(),
        region: "eu-central-1".to_owned(),
        account: "111122223333".to_owned(),
        rate: 10_000,
        burst: 10_000,
        ..api::Settings::default()
    };
    let api = Arc::new(Api::new(settings, inventory.clone(), keys.clone(), NOW - Duration::seconds(60)));
    let settings = Settings { secure, domain: "trunk.example.com".to_owned() };
    let console = Console::new(settings, api, inventory.clone(), Arc::new(gateway));
    World { console, inventory, keys }
}

/// A browser that keeps its cookie.
pub struct Browser<'a> {
    console: &'a Console,
    pub cookie: Option<String>,
    pub source: IpAddr,
    pub now: OffsetDateTime,
}

/// What came back.
pub struct Page {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub text: String,
}

impl Page {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.as_str())
    }

    /// What proves that a form is of this session.
    pub fn proof(&self) -> String {
        between(&self.text, "name=\"form\" value=\"", "\"").unwrap_or_default().to_owned()
    }
}

pub fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

impl From<Response> for Page {
    fn from(response: Response) -> Page {
        Page {
            status: response.status,
            headers: response.headers,
            text: String::from_utf8(response.body).unwrap(),
        }
    }
}

impl<'a> Browser<'a> {
    pub fn new(console: &'a Console) -> Browser<'a> {
        Browser { console, cookie: None, source: IpAddr::V4(Ipv4Addr::LOCALHOST), now: NOW }
    }

    /// One that is logged in.
    pub fn of(console: &'a Console, key: &str) -> Browser<'a> {
        let mut browser = Browser::new(console);
        let page = browser.send("/console/login", &[("key", key), ("secret", SECRET)]);
        assert_eq!(page.status, 303, "{}", page.text);
        browser
    }

    pub fn get(&mut self, address: &str) -> Page {
        self.ask("GET", address, &[], b"")
    }

    /// Sends a form as its page would.
    pub fn post(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let proof = self.get("/").proof();
        let fields: Vec<_> = fields.iter().copied().chain([("form", proof.as_str())]).collect();
        self.send(address, &fields)
    }

    /// Sends a form from a page of the console, without anything that proves it.
    pub fn send(&mut self, address: &str, fields: &[(&str, &str)]) -> Page {
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        let headers =
            [("sec-fetch-site", "same-origin"), ("content-type", "application/x-www-form-urlencoded")];
        self.ask("POST", address, &headers, body.join("&").as_bytes())
    }

    pub fn ask(&mut self, method: &str, address: &str, headers: &[(&str, &str)], body: &[u8]) -> Page {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut headers: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        headers.push(("host".to_owned(), "console.example".to_owned()));
        headers.push(("user-agent".to_owned(), "test".to_owned()));
        if let Some(cookie) = &self.cookie {
            headers.push(("cookie".to_owned(), cookie.clone()));
        }
        let request = Request { method, path, query, headers: &headers, body, source: self.source };
        let page = Page::from(self.console.handle(&request, self.now));
        if let Some(cookie) = page.header("set-cookie") {
            self.cookie = cookie.split(';').next().filter(|pair| !pair.ends_with('=')).map(str::to_owned);
        }
        page
    }
}

pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}
