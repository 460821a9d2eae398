//! What operators look at: the metrics as Prometheus reads them, the alert rules, the board, the runbook.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::{
    Authority, Gateway, Media, Net, Office, PATIENCE, Peer, Process, THEIRS, Talk, both_hear, eventually,
    get, missing, status_line,
};

/// A call that is shorter has no quality record.
const SHORTEST: Duration = Duration::from_millis(1_500);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// Runs promtool, which must be content.
fn promtool(arguments: &[&str], directory: &Path, input: &str) {
    let mut command = Command::new("promtool");
    command.args(arguments).current_dir(directory).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "promtool {arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn every_alert_comes_when_it_should_and_not_otherwise() {
    let rules = read("examples/prometheus/voice-connector.rules.yml");
    let tests = read("examples/prometheus/voice-connector.test.yml");
    let (runbook, guide) = (read("docs/runbook.md"), read("docs/metrics.md"));
    let alerts = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<&str> = alerts.collect();
    assert!(alerts.len() > 20, "{alerts:?}");
    for alert in &alerts {
        let link = format!("runbook_url: docs/runbook.md#{}\n", alert.to_lowercase());
        assert!(rules.contains(&link), "{alert} has no link to the runbook");
        assert!(runbook.contains(&format!("\n### {alert}\n")), "{alert} is not in the runbook");
        for name in [format!("{alert}, raised\n"), format!("{alert}, not raised\n")] {
            assert!(tests.contains(&format!("- name: {name}")), "no test {name}");
        }
    }
    let of_alerts = runbook.lines().skip_while(|line| *line != "## Alerts");
    let headings = of_alerts.filter_map(|line| line.strip_prefix("### "));
    for heading in headings {
        assert!(alerts.contains(heading), "the runbook has {heading}, and nobody raises it");
    }
    known(&rules, &guide);
    if missing(&["promtool"]) {
        return;
    }
    let directory = root().join("examples/prometheus");
    promtool(&["check", "rules", "voice-connector.rules.yml"], &directory, "");
    promtool(&["test", "rules", "voice-connector.test.yml"], &directory, "");
}

/// Every metric that a text names is in the guide.
fn known(text: &str, guide: &str) {
    let metric = regex::Regex::new(r"\b(voice_connector|process)_[a-z_]+").unwrap();
    for found in
        metric.find_iter(text).map(|found| found.as_str()).filter(|name| *name != "voice_connector_id")
    {
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| found.strip_suffix(end));
        let is_known = |name: &str| guide.contains(&format!("\n| `{name}` |"));
        assert!(is_known(found) || family.is_some_and(is_known), "there is no {found}");
    }
}

/// Every query of the board's panels.
fn queries(board: &Value) -> Vec<(String, String)> {
    let panels = board["panels"].as_array().unwrap().iter();
    let queries = panels.flat_map(|panel| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().cloned().unwrap_or_default();
        targets.into_iter().map(move |target| (title.clone(), target["expr"].as_str().unwrap().to_owned()))
    });
    queries.collect()
}

#[test]
fn the_board_is_whole() {
    let board: Value = serde_json::from_str(&read("examples/grafana/voice-connector.json")).unwrap();
    assert!(board["schemaVersion"].as_u64().unwrap() >= 36 && board["uid"].is_string());
    let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
    for panel in board["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title} is beyond the edge");
        for (x, y) in
            (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
        {
            assert!(cells.insert((x, y)), "{title} covers another");
        }
        let kinds = ["row", "stat", "timeseries", "state-timeline"];
        let kind = panel["type"].as_str().unwrap();
        assert!(kinds.contains(&kind), "{title}: {kind}");
        assert_eq!(kind == "row", panel["targets"].is_null(), "{title}");
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            // Of several gateways each line is told from the others', or all are one.
            let (query, legend) =
                (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
            let is_one = ["sum(", "sum by", "min(", "max(", "count("].iter().any(|one| query.contains(one));
            assert!(
                is_one || legend.contains("{{instance}}"),
                "{title}: {query} is {legend:?} of every gateway"
            );
        }
    }
    known(&read("examples/grafana/voice-connector.json"), &read("docs/metrics.md"));
}

/// A carrier that has a limit, one that wants a registration and is not there, a TLS listener.
const MORE: &str = r#"
max_calls = 10
[[carrier]]
name = "silent"
priority = 2
register = { user = "u", password = "secret", domain = "carrier.example" }
host = [{ host = "127.0.N.9" }]

[[listen]]
protocol = "tls"
address = "127.0.N.1:5061"
certificate = "CERT.pem"
key = "CERT.key"
"#;

#[test]
fn every_query_of_the_board_finds_something_in_a_running_gateway() {
    if missing(&["prometheus", "promtool"]) {
        return;
    }
    let net = Net(61);
    let directory = tempfile::tempdir().unwrap();
    Authority::new("ours").leaf(&["127.0.0.1"]).write(directory.path(), "gateway");
    let office = Office::new(net, "udp").config();
    let certificate = directory.path().join("gateway").display().to_string();
    let more = MORE.replace("127.0.N", "127.0.61").replace("CERT", &certificate);
    let (limit, more) = more.split_once("[[carrier]]").unwrap();
    let config = office.replace("name = \"carrier\"", &format!("name = \"carrier\"{limit}"));
    let config = format!("{config}\n[[carrier]]{more}");
    let pbx = Peer::udp(net.at(2, 5070), net.gateway());
    let carrier = Peer::udp(net.at(3, 5060), net.gateway());
    let gateway = Gateway::start(net, &config);
    let prometheus = start_prometheus(net, directory.path());

    // The first call makes the series of its connector appear, the second makes them grow.
    for _ in 0..2 {
        let (mut phone, mut other) = (Media::new(net.at(2, 4000), b'a'), Media::new(net.at(3, 4000), b'b'));
        let (talk, answer) = Talk::up(&pbx, &carrier, THEIRS, phone.plain(), |_| other.plain());
        phone.learns(&answer, 0);
        other.learns(&talk.offered, 0);
        // Fewer than 50 have no opinion score, and a call that is shorter has no figures.
        while phone.heard.min(other.heard) < 60 || talk.began.elapsed() < SHORTEST {
            both_hear(&mut phone, &mut other);
        }
        talk.ends();
        gateway.settled();
        // No calling plan has it.
        let abroad = pbx.invite("+442079460000").build();
        pbx.send(&abroad);
        let refusal = pbx.answer_to(&abroad);
        assert_eq!(status_line(&refusal).0, 403);
        pbx.acknowledge(&abroad, &refusal);
        // The carrier's refusal has a cause.
        let refused = Talk::offers(&pbx, &carrier, THEIRS, Some(phone.plain()));
        refused.fails(503, None);
        let attempts = gateway.metrics().sum("call_attempts_total", &[]);
        eventually("a scrape of all that", PATIENCE, || {
            let scraped: f64 = values(net, "sum(voice_connector_call_attempts_total)").iter().sum();
            if scraped == attempts { Ok(()) } else { Err(format!("{scraped} of {attempts}")) }
        });
    }
    let (status, text) = get(net.admin(), "/metrics").unwrap();
    assert_eq!(status, 200);
    promtool(&["check", "metrics"], directory.path(), &text);
    no_label_of_a_peers(&text);

    let board: Value = serde_json::from_str(&read("examples/grafana/voice-connector.json")).unwrap();
    let queries = queries(&board);
    assert!(queries.len() > 40, "{}", queries.len());
    let mut failed = Vec::new();
    for (title, query) in queries {
        let query =
            query.replace("$__rate_interval", "2m").replace("$instance", ".*").replace("$connector", ".*");
        match values(net, &query) {
            none if none.is_empty() => failed.push(format!("{title}: {query}: nothing")),
            // The phones here answer no reports.
            values if query.contains("round_trip") => assert!(values.iter().all(|value| value.is_nan())),
            values if values.iter().all(|value| value.is_nan()) => {
                failed.push(format!("{title}: {query}: {values:?}"));
            }
            values => println!("{title}: {values:?}"),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let rules = json(net, "/api/v1/rules");
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 20);
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule:#}");
    }
    drop(prometheus);
    gateway.stop();
}

/// Where the test's Prometheus listens.
fn web(net: Net) -> std::net::SocketAddr {
    net.at(1, 9099)
}

fn start_prometheus(net: Net, directory: &Path) -> Process {
    let rules = root().join("examples/prometheus/voice-connector.rules.yml").canonicalize().unwrap();
    let config = format!(
        "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n  \
         - job_name: voice-connector\n    static_configs: [{{ targets: [\"{}\"] }}]\n",
        rules.display(),
        net.admin(),
    );
    std::fs::write(directory.join("prometheus.yml"), config).unwrap();
    let mut command = Command::new("prometheus");
    command.current_dir(directory).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    command.arg(format!("--web.listen-address={}", web(net)));
    let process = Process::start("prometheus", command, directory);
    eventually("Prometheus", PATIENCE, || match get(web(net), "/-/ready") {
        Ok((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually("the first scrape", PATIENCE, || match values(net, "up") {
        up if up == [1.0] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    process
}

/// What an instant query finds.
fn values(net: Net, query: &str) -> Vec<f64> {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    let escaped: String = query.bytes().map(escape).collect();
    let answer = json(net, &format!("/api/v1/query?query={escaped}"));
    let result = answer["data"]["result"].as_array().unwrap_or_else(|| panic!("{answer}"));
    result.iter().map(|one| one["value"][1].as_str().unwrap().parse().unwrap()).collect()
}

/// What Prometheus answers.
fn json(net: Net, path: &str) -> Value {
    let (status, answer) = get(web(net), path).unwrap();
    assert_eq!(status, 200, "{path}: {answer}");
    // In chunks where it is long.
    let json = answer.find('{').and_then(|start| answer.get(start..=answer.rfind('}')?)).unwrap_or(&answer);
    let json: String = json.split("\r\n").step_by(if json.contains("\r\n") { 2 } else { 1 }).collect();
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Nothing of what the peers said is a label: no number, no Call-ID, no host of theirs that is not configured.
fn no_label_of_a_peers(text: &str) {
    let series = text.lines().filter(|line| !line.starts_with('#'));
    for line in series {
        assert!(!line.contains("+1") && !line.contains('@'), "{line}");
    }
    assert!(text.lines().count() < 2_000, "{} lines", text.lines().count());
}
