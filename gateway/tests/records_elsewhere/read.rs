//! Records are read back by the command, as it is built.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::peers;
use super::support::{Gateway, Net, Office, status_line};

/// What `voice-connector records` prints, where the configuration is; `Err`: what it complains of.
fn records(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    command.args(["records", "--config", "gateway.toml"]).args(arguments).current_dir(directory);
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn transactions(directory: &Path, arguments: &[&str]) -> BTreeSet<String> {
    let lines = records(directory, &[arguments, &["--format", "json"]].concat()).unwrap();
    let transaction = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["TransactionId"].as_str().unwrap().to_owned()
    };
    let found: Vec<String> = lines.lines().map(transaction).collect();
    let each: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(each.len(), found.len(), "{found:?}");
    each
}

#[test]
fn records_are_read_back_while_the_gateway_runs_and_when_it_has_ended() {
    let net = Net(24);
    let [phone, _carrier] = peers(net);
    let gateway = Gateway::start(net, &Office::new(net, "udp").config());
    for number in ["+33123456789", "+33123456789", "+33199999999"] {
        assert_eq!(status_line(&phone.ask(phone.invite(number))).0, 403);
    }
    let all: BTreeSet<String> = gateway
        .call_details(3)
        .iter()
        .map(|record| record["TransactionId"].as_str().unwrap().to_owned())
        .collect();
    let folder = gateway.config().parent().unwrap().to_owned();
    assert_eq!(transactions(&folder, &[]), all);
    assert_eq!(transactions(&folder, &["--number", "+33199999999"]).len(), 1);
    assert_eq!(transactions(&folder, &["--status", "failed", "--connector", "office", "--since", "1h"]), all);
    assert_eq!(transactions(&folder, &["--limit", "2"]).len(), 2);
    for none in [["--status", "completed"], ["--until", "1h"], ["--connector", "branch"]] {
        assert_eq!(transactions(&folder, &none), BTreeSet::new(), "{none:?}");
    }
    let one = all.first().unwrap().clone();
    assert_eq!(transactions(&folder, &["--call", &one]), BTreeSet::from([one]));

    let directory = gateway.stop();
    assert_eq!(transactions(directory.path(), &[]), all);
    let csv = records(directory.path(), &["--format", "csv"]).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("AwsAccountId,TransactionId,") && lines.len() == 4, "{csv}");
    let table = records(directory.path(), &[]).unwrap();
    assert_eq!(table.matches("+33123456789 ").count(), 2, "{table}");
    for (wrong, said) in
        [(["--since", "yesterday"], "--since"), (["--sink", "archive"], "there is no sink archive")]
    {
        let error = records(directory.path(), &wrong).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
}
