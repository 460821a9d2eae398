//! A daemon with something of everything, and the law that every refusal obeys.

use std::cell::RefCell;
use std::process::Command;

use sip::{Builder, Message, Name};

use crate::support::{Gateway, Net, PATIENCE, Peer, call_details, eventually, status_line};

/// `{ip}` stands for the first three numbers of the test's addresses.
const CONFIG: &str = r#"
[gateway]
domain = "trunk.example.com"

[[listen]]
protocol = "udp"
address = "{ip}.1:5060"

[[listen]]
protocol = "tcp"
address = "{ip}.1:5060"

[media]
address = "{ip}.1"
ports = [20000, 20999]

[admin]
address = "{ip}.1:9090"

[[voice_connector]]
id = "office"
[voice_connector.termination]
allowlist = ["{ip}.2", "{ip}.77"]
calling_plan = ["US", "CA", "JM", "GB", "FR"]
denied_prefixes = ["+1876"]
[[voice_connector.origination.route]]
host = "{ip}.2"
port = 5060
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"
test_digits = ["933"]
test_routing_number = "+15105550112"

[[voice_connector]]
id = "locked"
encryption = true
[voice_connector.termination]
allowlist = ["{ip}.5"]
calling_plan = ["US"]

[[voice_connector]]
id = "digest"
[voice_connector.termination]
allowlist = ["{ip}.7"]
calling_plan = ["US"]
credentials = [
  { username = "desk", password = "a password" },
  { username = "new", ha1 = "4c989429f51604114424424dfd57d47b7ce7bc7aa01173741bf77d49bccb73ed" },
]

[[voice_connector]]
id = "off"
[voice_connector.termination]
enabled = false
allowlist = ["{ip}.8"]
[voice_connector.origination]
enabled = false

[[voice_connector]]
id = "slow"
[voice_connector.termination]
allowlist = ["{ip}.9"]
calling_plan = ["US"]
caller_id_policy = "any"
cps_limit = 1

[[voice_connector]]
id = "narrow"
[voice_connector.termination]
allowlist = ["{ip}.10"]
calling_plan = ["US"]
caller_id_policy = "any"
max_calls = 1
[voice_connector.origination]
max_calls = 1
[[voice_connector.origination.route]]
host = "{ip}.10"
port = 5060
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"

[[voice_connector]]
id = "branch"
[voice_connector.termination]
allowlist = ["{ip}.11"]
calling_plan = ["US"]
[[voice_connector.origination.route]]
host = "{ip}.11"
port = 5060

[[voice_connector_group]]
id = "main"
members = [{ voice_connector = "office", priority = 1 }, { voice_connector = "branch", priority = 2 }]

[[phone_number]]
number = "+12065550100"
voice_connector = "office"
[[phone_number]]
number = "+12065550101"
voice_connector = "branch"
[[phone_number]]
number = "+12065550102"
voice_connector = "off"
[[phone_number]]
number = "+12065550103"
voice_connector = "narrow"
[[phone_number]]
number = "+12065550104"
voice_connector = "digest"
[[phone_number]]
number = "+12065550199"
voice_connector_group = "main"

[[carrier]]
name = "west"
allowlist = ["{ip}.3"]
prefixes = ["+1"]
priority = 1
[[carrier.host]]
host = "{ip}.3"
port = 5060

[[carrier]]
name = "east"
allowlist = ["{ip}.4"]
prefixes = ["+1"]
priority = 2
[[carrier.host]]
host = "{ip}.4"
port = 5060

[[carrier]]
name = "dead"
prefixes = ["+44"]
[[carrier.host]]
host = "{ip}.200"
port = 5060
protocol = "tcp"
"#;

/// The daemon of one test, and the records that its calls must leave.
pub struct Trunk {
    pub net: Net,
    pub gateway: Gateway,
    /// The carriers, in their order. They are there before the daemon, which asks at once whether they live.
    pub west: Peer,
    pub east: Peer,
    records: RefCell<Vec<String>>,
}

/// A call, and what must become of it.
pub struct Refusal {
    invite: Builder,
    status: u16,
    phrase: String,
    counter: &'static str,
    record: Option<(&'static str, &'static str)>,
    question: Option<[String; 3]>,
}

/// A call that is answered with this status and reason phrase.
pub fn refused(invite: Builder, status: u16, phrase: impl Into<String>) -> Refusal {
    Refusal { invite, status, phrase: phrase.into(), counter: "", record: None, question: None }
}

impl Refusal {
    /// It is counted under this cause.
    pub fn counted(mut self, cause: &'static str) -> Refusal {
        self.counter = cause;
        self
    }

    /// It leaves a record; without this, none.
    pub fn recorded(mut self, connector: &'static str, direction: &'static str) -> Refusal {
        self.record = Some((connector, direction));
        self
    }

    /// `explain` says the same of a call from `from` to `to`, sent by the phone to this connector's host name, or to
    /// the bare domain where it is empty.
    pub fn explained(mut self, from: &str, to: &str, connector: &str) -> Refusal {
        self.question = Some([from, to, connector].map(str::to_owned));
        self
    }
}

impl Trunk {
    pub fn start(net: Net) -> Trunk {
        Trunk::start_by(net, |config| Gateway::start(net, config))
    }

    /// The same with so many signalling threads.
    pub fn start_sharded(net: Net, shards: u16) -> Trunk {
        Trunk::start_by(net, |config| Gateway::start_sharded(net, shards, config))
    }

    fn start_by(net: Net, start: impl FnOnce(&str) -> Gateway) -> Trunk {
        let ip = net.ip(1).to_string();
        let config = CONFIG.replace("{ip}", ip.trim_end_matches(".1"));
        let [west, east] = [3, 4].map(|host| Peer::udp(net.at(host, 5060), net.gateway()));
        let gateway = start(&config);
        Trunk { net, gateway, west, east, records: RefCell::default() }
    }

    /// A phone at one of the test's addresses.
    pub fn phone(&self, host: u8) -> Peer {
        Peer::udp(self.net.at(host, 5060), self.net.gateway())
    }

    /// The same on a connection.
    pub fn connected_phone(&self, host: u8) -> Peer {
        Peer::tcp(self.net.at(host, 0), self.net.gateway())
    }

    /// Places the call and holds all that it leaves behind to what was told. Returns the answer.
    pub fn refuses(&self, phone: &Peer, refusal: Refusal) -> Message {
        let before = self.counts(&refusal);
        let answer = phone.ask(refusal.invite.clone());
        self.judge(phone, &refusal, &answer);
        let recorded = f64::from(u8::from(refusal.record.is_some()));
        // What is counted follows what is said.
        eventually("refusals, attempts, failures", PATIENCE, || {
            let after = self.counts(&refusal);
            let moved: Vec<f64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
            if moved == [1.0, recorded, recorded] {
                Ok(())
            } else {
                Err(format!("{moved:?}: {}", refusal.phrase))
            }
        });
        answer
    }

    /// The same for an answer that came already; counters are the caller's to look at.
    pub fn judge(&self, phone: &Peer, refusal: &Refusal, answer: &Message) {
        let (status, phrase) = (refusal.status, refusal.phrase.as_str());
        assert_eq!(status_line(answer), (status, phrase.to_owned()));
        let text = phrase.replace('\\', "\\\\").replace('"', "\\\"");
        let reason = format!("SIP;cause={status};text=\"{text}\"");
        assert_eq!(answer.value(Name::Reason).as_deref(), Some(reason.as_str()));
        if let Some((connector, direction)) = refusal.record {
            self.expect_record(connector, direction, "Failed", &format!("{status} {phrase}"));
        }
        if let Some([from, to, connector]) = &refusal.question {
            let (code, text) = self.explain(phone, from, to, connector);
            assert_eq!(code, 1, "{text}");
            let last = format!("refused: {status} {phrase}\n  Reason: {reason}\n  to do: ");
            assert!(text.contains(&last), "not {last} but\n{text}");
        }
    }

    /// A record that must be there in the end.
    pub fn expect_record(&self, connector: &str, direction: &str, status: &str, message: &str) {
        self.records.borrow_mut().push(format!("{connector} {direction} {status} {message}"));
    }

    /// What `voice-connector explain` says of a call from the phone's address: exit code and text.
    pub fn explain(&self, phone: &Peer, from: &str, to: &str, connector: &str) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
        command.arg("explain").arg("--config").arg(self.gateway.config());
        command.args(["--from", from, "--to", to, "--source", &phone.local.ip().to_string()]);
        command.args(["--transport", if phone.is_connected() { "tcp" } else { "udp" }]);
        if !connector.is_empty() {
            command.args(["--connector", connector]);
        }
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    fn counts(&self, refusal: &Refusal) -> [f64; 3] {
        let metrics = self.gateway.metrics();
        let (connector, direction) = refusal.record.unwrap_or_default();
        let direction = direction.to_ascii_lowercase();
        let mut labels = vec![("voice_connector_id", connector), ("direction", &*direction)];
        if refusal.record.is_none() {
            labels.clear(); // Nobody's counter may move.
        }
        [
            metrics.sum("refusals_total", &[("cause", refusal.counter)]),
            metrics.sum("call_attempts_total", &labels),
            metrics.sum("call_failures_total", &labels),
        ]
    }

    /// Ends the daemon: every record that was told must be there, and no other.
    pub fn close(self) {
        let directory = self.gateway.stop();
        let text = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap().to_owned();
        let mut found: Vec<String> = call_details(&directory.path().join("records"))
            .iter()
            .map(|record| {
                ["VoiceConnectorId", "Direction", "Status", "StatusMessage"]
                    .map(|key| text(record, key))
                    .join(" ")
            })
            .collect();
        let mut expected = self.records.into_inner();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}
