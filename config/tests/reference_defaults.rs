//! The defaults that the reference names are those that hold: written out, they change nothing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::path::Path;

use config::Config;

const README: &str = include_str!("../README.md");

/// A configuration with every table; `#` and the table's name is where a key of it goes.
const EVERY_TABLE: &str = r#"
[gateway]
#[gateway]
[[listen]]
address = "192.0.2.10"
#[[listen]]
[[listen]]
protocol = "tls"
address = "192.0.2.10"
certificate = "c"
key = "k"
[media]
#[media]
[[network]]
name = "inside"
#[[network]]
[records]
#[records]
[[records.s3]]
name = "store"
bucket = "calls"
#[[records.s3]]
[[records.webhook]]
name = "hook"
url = "https://records.example.com/calls"
secret = "it is one"
#[[records.webhook]]
[[records.nats]]
name = "stream"
servers = "tls://nats.example.com"
#[[records.nats]]
[[records.eventbridge]]
name = "bus"
region = "us-east-1"
#[[records.eventbridge]]
[[records.sns]]
name = "topic"
topic = "arn:aws:sns:us-east-1:111122223333:streams"
#[[records.sns]]
[[records.sqs]]
name = "queue"
queue = "https://sqs.us-east-1.amazonaws.com/111122223333/streams"
region = "us-east-1"
#[[records.sqs]]
[[records.hep]]
name = "homer"
address = "homer.example.com:9060"
#[[records.hep]]
[admin]
#[admin]
[api]
address = "127.0.0.1:8443"
directory = "api"
#[api]
[[voice_connector]]
id = "office"
#[[voice_connector]]
[voice_connector.termination]
#[voice_connector.termination]
[voice_connector.origination]
#[voice_connector.origination]
[[voice_connector.origination.route]]
host = "192.0.2.20"
#[[voice_connector.origination.route]]
[voice_connector.peer]
#[voice_connector.peer]
[[voice_connector.emergency]]
country = "US"
digits = ["911"]
routing_number = "+15105550111"
#[[voice_connector.emergency]]
[voice_connector.logging]
#[voice_connector.logging]
[[voice_connector.streaming.sink]]
name = "transcriber"
kind = "kinesis"
region = "us-east-1"
#[[voice_connector.streaming.sink]]
[voice_connector.siprec]
#[voice_connector.siprec]
[voice_connector.recording]
calls = "all"
#[voice_connector.recording]
[[voice_connector_group]]
id = "all"
members = [{ voice_connector = "office" }]
#[[voice_connector_group]]
[[phone_number]]
number = "+12065550100"
voice_connector = "office"
#[[phone_number]]
[[carrier]]
name = "west"
#[[carrier]]
[[carrier.host]]
host = "192.0.2.30"
"#;

/// What a text means.
fn parsed(text: &str) -> Result<String, String> {
    let (config, _) = Config::parse(text, Path::new("f.toml")).map_err(|errors| errors.to_string())?;
    Ok(format!("{config:#?}"))
}

/// What a cell says, where that is a value as it would be written in the file.
fn literal(cell: &str) -> Option<&str> {
    let value = cell.trim().strip_prefix('`')?.strip_suffix('`')?;
    let is_value = value.starts_with(['"', '[', '{', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        || ["true", "false"].contains(&value);
    (is_value && !value.contains('`')).then_some(value)
}

#[test]
fn each_default_that_is_written_out_changes_nothing() {
    let expected = Ok(parsed(EVERY_TABLE).unwrap());
    let (mut checked, mut wrong) = (0, Vec::new());
    for part in README.split("\n## ") {
        let heading = part.lines().next().unwrap();
        let Some(table) = heading.split('`').nth(1).filter(|table| table.starts_with('[')) else { continue };
        let place = format!("#{table}\n");
        let rows =
            part.lines().skip_while(|line| !line.starts_with("| ")).take_while(|line| line.starts_with('|'));
        for row in rows {
            let cells: Vec<&str> = row.split(" | ").collect();
            let [key, default, ..] = cells.as_slice() else { continue };
            let Some(value) = literal(default) else { continue };
            let key = key.trim_matches(['|', ' ', '`']);
            assert!(EVERY_TABLE.contains(&place), "{heading}");
            if key == "client_names" {
                continue; // Only beside a client_ca.
            }
            let text = EVERY_TABLE.replacen(&place, &format!("{key} = {value}\n"), 1);
            let found = parsed(&text);
            if found != expected {
                wrong.push(format!(
                    "{table} {key} = {value}: {}",
                    found.err().unwrap_or("not the default".to_owned())
                ));
            }
            checked += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(checked >= 50, "{checked}");
}
