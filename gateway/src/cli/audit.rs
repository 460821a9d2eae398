//! `voice-connector audit`: calls of the API, read back.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::fail;
use super::output::say;
use super::records::{ended, or_dash, plain, shelves, time};
use crate::record::read::{WantedAudit, read_audit};

/// Which calls, from where, and how they are shown.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: super::File,
    /// Calls that were answered then or later: 2026-11-28, 2026-11-28T08:30:00Z (UTC), or so long ago: 90m, 2d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Duration>,
    /// Calls that were answered before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Duration>,
    /// The access key's id, or the user that it names.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The operation, such as PutVoiceConnectorTermination; with * at its end all that begin so.
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// The id, number, name or ARN of what was asked for, or came of it.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    resource: Option<String>,
    /// Where they are read: the directory and the journal, or the object store of the sink of that name.
    #[arg(long, value_name = "SINK")]
    sink: Option<String>,
    /// How they are shown.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// So many at most.
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for people each.
    Table,
    /// A JSON object on a line each.
    Json,
}

/// Prints the calls that are wanted, the oldest first.
pub(super) fn audit(arguments: &Arguments) -> ExitCode {
    let Some(config) = super::load(arguments.file.path()) else { return ExitCode::FAILURE };
    let shelves = match shelves(&config, arguments.sink.as_deref()) {
        Ok(shelves) => shelves,
        Err(error) => return fail(error),
    };
    let Arguments { since, until, key, operation, resource, .. } = arguments;
    let wanted = WantedAudit {
        since: *since,
        until: *until,
        key: key.clone(),
        operation: operation.clone(),
        resource: resource.clone(),
    };
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    if left == 0 {
        return ExitCode::SUCCESS;
    }
    let json = arguments.json || arguments.format == Format::Json;
    let found = read_audit(&shelves, &wanted, &mut |record| {
        say(if json { format!("{record}\n") } else { line(record) });
        left -= 1;
        left > 0
    });
    ended(found)
}

/// When, who, whence, what, on what, and what came of it.
fn line(record: &Value) -> String {
    let text = |path: &str| plain(record.pointer(path).and_then(Value::as_str).unwrap_or_default());
    let parameters = record.get("requestParameters").and_then(Value::as_object);
    let ids =
        parameters.into_iter().flatten().filter(|(name, _)| name.ends_with("Id") || name.ends_with("ARN"));
    let on = ids.filter_map(|(_, value)| value.as_str()).map(plain).collect::<Vec<_>>().join(",");
    let came = match text("/errorCode") {
        code if code.is_empty() => "ok".to_owned(),
        code => format!("{code}: {}", text("/errorMessage")),
    };
    format!(
        "{:<20} {:<16} {:<20} {:<15} {:<47} {:<22} {came}\n",
        text("/eventTime"),
        text("/userIdentity/userName"),
        or_dash(&text("/userIdentity/accessKeyId")),
        text("/sourceIPAddress"),
        text("/eventName"),
        or_dash(&on),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_a_line() {
        let record = serde_json::json!({
            "eventTime": "2026-11-28T08:30:00Z", "sourceIPAddress": "192.0.2.7", "eventName": "DeleteVoiceConnector",
            "userIdentity": { "userName": "alice", "accessKeyId": "AKIAALICE" },
            "requestParameters": { "voiceConnectorId": "abc\u{1b}d", "name": "x" },
            "errorCode": "ConflictException", "errorMessage": "in use",
        });
        assert_eq!(
            line(&record),
            format!(
                "2026-11-28T08:30:00Z alice            AKIAALICE            192.0.2.7       {:<47} {:<22} \
                 ConflictException: in use\n",
                "DeleteVoiceConnector", "abcd"
            )
        );
        assert!(line(&serde_json::json!({})).ends_with(" ok\n"));
    }
}
