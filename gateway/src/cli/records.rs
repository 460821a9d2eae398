//! `voice-connector records`.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use config::Config;
use serde_json::Value;
use streaming::detail::StreamingDetail;

use super::fail;
use super::output::{say, tell};
use crate::direction::Direction;
use crate::record::read::{Folder, Found, InJournal, Shelf, Shelved, Wanted, read, read_streaming};
use crate::record::{CallDetailRecord, Status, rfc3339};

/// Columns of a CSV: the fields of a record, in their order.
const FIELDS: [&str; 24] = [
    "AwsAccountId",
    "TransactionId",
    "CallId",
    "VoiceConnectorId",
    "Status",
    "StatusMessage",
    "SipAuthUser",
    "BillableDurationSeconds",
    "BillableDurationMinutes",
    "SchemaVersion",
    "SourcePhoneNumber",
    "SourcePhoneNumberName",
    "SourceCountry",
    "DestinationPhoneNumber",
    "DestinationPhoneNumberName",
    "DestinationCountry",
    "UsageType",
    "ServiceCode",
    "Direction",
    "StartTimeEpochSeconds",
    "EndTimeEpochSeconds",
    "Region",
    "Streaming",
    "IsProxyCall",
];

/// Which records, from where, and how they are shown.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: super::File,
    /// Calls that began then or later: 2026-11-28, 2026-11-28T08:30:00Z (UTC), or so long ago: 90m, 2d.
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Duration>,
    /// Calls that began before.
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Duration>,
    /// The caller's or the callee's number, or with what it begins or ends.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    number: Option<String>,
    /// The voice connector.
    #[arg(long, value_name = "ID")]
    connector: Option<String>,
    /// Answered or not.
    #[arg(long, value_enum)]
    status: Option<Answered>,
    /// A transaction id or a SIP Call-ID.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Streaming detail records, of calls that were streamed, instead of call detail records.
    #[arg(long, conflicts_with = "number")]
    streaming: bool,
    /// Where they are read: the directory and the journal, or the object store of the sink of that name.
    #[arg(long, value_name = "SINK")]
    sink: Option<String>,
    /// How they are shown.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// So many at most.
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Answered {
    Completed,
    Failed,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for people each.
    Table,
    /// A JSON object on a line each.
    Json,
    /// Comma-separated values (RFC 4180) with a first line of names.
    Csv,
    /// The wide record of each call, a JSON object on a line.
    Wide,
}

/// Prints the records that are wanted, oldest first.
pub(super) fn records(arguments: &Arguments) -> ExitCode {
    let Some(config) = super::load(arguments.file.path()) else { return ExitCode::FAILURE };
    let shelves = match shelves(&config, arguments.sink.as_deref()) {
        Ok(shelves) => shelves,
        Err(error) => return fail(error),
    };
    let wanted = Wanted {
        since: arguments.since,
        until: arguments.until,
        number: arguments.number.clone(),
        connector: arguments.connector.clone(),
        status: arguments.status.map(|status| match status {
            Answered::Completed => Status::Completed,
            Answered::Failed => Status::Failed,
        }),
        call: arguments.call.clone(),
    };
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    if left == 0 {
        return ExitCode::SUCCESS;
    }
    if arguments.streaming {
        return streaming(&shelves, &wanted, arguments.format, left);
    }
    say(heading(arguments.format));
    let (mut told, mut failed) = (BTreeSet::new(), None);
    let found = read(&shelves, &wanted, &mut |found| {
        let again = arguments.format == Format::Wide && !told.insert(found.record.transaction_id.clone());
        if !again {
            left -= 1;
            match text(found, arguments.format) {
                Ok(text) => say(text),
                Err(error) => failed = Some(error),
            }
        }
        left > 0 && failed.is_none()
    });
    ended(failed.map_or(found, Err))
}

/// The same of streaming detail records.
fn streaming(shelves: &[Box<dyn Shelf>], wanted: &Wanted, format: Format, mut left: u64) -> ExitCode {
    match format {
        Format::Table => say(streamed("BEGAN", "SECONDS", ["CONNECTOR", "TRANSACTION", "HOW IT ENDED"])),
        Format::Json => {}
        Format::Csv => say(STREAMING_FIELDS.join(",") + "\r\n"),
        Format::Wide => return fail("a wide record is of a call: leave --streaming out"),
    }
    ended(read_streaming(shelves, wanted, &mut |record| {
        left -= 1;
        say(streaming_line(record, format));
        left > 0
    }))
}

/// Columns of a CSV of streaming detail records.
const STREAMING_FIELDS: [&str; 13] = [
    "SchemaVersion",
    "AwsAccountId",
    "TransactionId",
    "CallId",
    "VoiceConnectorId",
    "StartTimeEpochSeconds",
    "EndTimeEpochSeconds",
    "Status",
    "StatusMessage",
    "ServiceCode",
    "UsageType",
    "BillableDurationSeconds",
    "Region",
];

fn streaming_line(record: &StreamingDetail, format: Format) -> String {
    if format == Format::Table {
        let began = u64::try_from(record.start_time_epoch_seconds).unwrap_or_default();
        let seconds = record.billable_duration_seconds.to_string();
        let (call, how) = (record.transaction_id.to_string(), plain(&record.status_message));
        let whose = [record.voice_connector_id.as_str(), &call, &how];
        return streamed(&rfc3339(Duration::from_secs(began)), &seconds, whose);
    }
    let value = serde_json::to_value(record).unwrap_or_default();
    match format {
        Format::Csv => {
            let cells: Vec<String> = STREAMING_FIELDS.iter().map(|field| cell(value.get(field))).collect();
            cells.join(",") + "\r\n"
        }
        _ => format!("{value}\n"),
    }
}

fn streamed(began: &str, seconds: &str, [connector, transaction, how]: [&str; 3]) -> String {
    format!("{began:<20} {seconds:>7} {connector:<22} {transaction:<36} {how}\n")
}

/// Tells what could not be read.
pub(super) fn ended(found: io::Result<Found>) -> ExitCode {
    match found {
        Ok(found) if found.unreadable == 0 => ExitCode::SUCCESS,
        Ok(found) => {
            tell(format_args!("voice-connector: {} files are no records", found.unreadable));
            ExitCode::SUCCESS
        }
        Err(error) => fail(error),
    }
}

pub(super) fn shelves(config: &Config, sink: Option<&str>) -> Result<Vec<Box<dyn Shelf>>, String> {
    let directory: &Path = &config.records.directory;
    let Some(name) = sink else {
        let journal = InJournal::of(directory).map_err(|error| format!("the journal: {error}"))?;
        return Ok(vec![Box::new(Folder(directory.to_owned())), Box::new(journal)]);
    };
    let sink = config.records.sinks.iter().find(|sink| sink.name == name);
    match sink.map(|sink| &sink.kind) {
        #[cfg(feature = "s3")]
        Some(config::SinkKind::S3(s3)) => {
            let store = crate::record::sink::bucket(s3).map_err(|error| error.to_string())?;
            let bucket = crate::record::read::Bucket::new(store, &s3.prefix);
            Ok(vec![Box::new(bucket.map_err(|error| error.to_string())?)])
        }
        Some(_) => Err(format!("sink {name} keeps nothing that could be read back")),
        None => Err(format!("there is no sink {name}")),
    }
}

/// Since the Unix epoch: a time, a day, or so long ago.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match config::parse_duration(text) {
        Ok(ago) => Ok(now.saturating_sub(ago)),
        Err(_) => moment(text).ok_or_else(|| {
            "write a day (2026-11-28), a time in UTC (2026-11-28T08:30:00Z), or how long ago (90m, 2d)"
                .to_owned()
        }),
    }
}

/// `yyyy-mm-dd[Thh:mm[:ss]][Z]`, UTC.
fn moment(text: &str) -> Option<Duration> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (day, clock) = text.split_once('T').unwrap_or((text, "00:00"));
    let numbers =
        |text: &str, by: char| -> Option<Vec<u16>> { text.split(by).map(|part| part.parse().ok()).collect() };
    let (day, clock) = (numbers(day, '-')?, numbers(clock, ':')?);
    let (&[year, month, day], &[hour, minute, ref second @ ..]) = (day.as_slice(), clock.as_slice()) else {
        return None;
    };
    let second = match *second {
        [] => 0,
        [second] => second,
        _ => return None,
    };
    let small = |number: u16| u8::try_from(number).ok();
    let month = time::Month::try_from(small(month)?).ok()?;
    let date = time::Date::from_calendar_date(year.into(), month, small(day)?).ok()?;
    let at = date.with_hms(small(hour)?, small(minute)?, small(second)?).ok()?;
    u64::try_from(at.assume_utc().unix_timestamp()).ok().map(Duration::from_secs)
}

fn heading(format: Format) -> String {
    match format {
        Format::Table => {
            let (way, who) = (["WAY", "FROM", "TO"], ["CONNECTOR", "TRANSACTION", "HOW IT ENDED"]);
            line("BEGAN", way, ["SECONDS", "MOS", "CODEC"], who)
        }
        Format::Json | Format::Wide => String::new(),
        Format::Csv => FIELDS.join(",") + "\r\n",
    }
}

/// What is said of a record that was found.
fn text(found: &Shelved<'_>, format: Format) -> io::Result<String> {
    let wide = match format {
        Format::Table | Format::Wide => found.wide()?,
        Format::Json | Format::Csv => None,
    };
    Ok(shown(&found.record, wide.as_ref(), format))
}

/// - `wide`: the wide record of the call, if there is one.
fn shown(record: &CallDetailRecord, wide: Option<&Value>, format: Format) -> String {
    match format {
        Format::Table => {
            let began = rfc3339(Duration::from_secs(record.start_time_epoch_seconds));
            let way = match record.direction {
                Direction::Outbound => "out",
                Direction::Inbound => "in",
            };
            let talked = match record.status {
                Status::Completed => record.billable_duration_seconds.to_string(),
                Status::Failed => "-".to_owned(),
            };
            let numbers = [&record.source_phone_number, &record.destination_phone_number];
            let [from, to] = numbers.map(|number| plain(number));
            let how = plain(&record.status_message);
            let (mos, codec) = wide.map(quality).unwrap_or_default();
            let whose = [record.voice_connector_id.as_str(), &record.transaction_id, &how];
            line(&began, [way, &from, &to], [&talked, or_dash(&mos), or_dash(&codec)], whose)
        }
        Format::Wide => wide.map_or_else(String::new, |wide| format!("{wide}\n")),
        Format::Json => serde_json::to_string(record).unwrap_or_default() + "\n",
        Format::Csv => {
            let record = serde_json::to_value(record).unwrap_or_default();
            let cells: Vec<String> = FIELDS.iter().map(|field| cell(record.get(field))).collect();
            cells.join(",") + "\r\n"
        }
    }
}

/// The columns of the table; the last one is as long as it is.
fn line(
    began: &str,
    [way, from, to]: [&str; 3],
    [seconds, mos, codec]: [&str; 3],
    [connector, transaction, how]: [&str; 3],
) -> String {
    format!(
        "{began:<20} {way:<3} {from:<16} {to:<16} {seconds:>7} {mos:>4} {codec:<12} {connector:<22} \
         {transaction:<36} {how}\n"
    )
}

/// Of a wide record: the worst score of any direction, and the codec.
fn quality(wide: &Value) -> (String, String) {
    let legs = ["caller", "callee"].into_iter().filter_map(|party| wide.get("media")?.get(party));
    let ways =
        legs.flat_map(|leg| ["received", "sent"].into_iter().filter_map(|way| leg.get(way)?.get("mos")));
    let mos = ways.filter_map(Value::as_f64).reduce(f64::min);
    let codec = wide.get("callee_leg").and_then(|leg| leg.get("codec")?.as_str());
    (mos.map_or_else(String::new, |mos| format!("{mos:.2}")), plain(codec.unwrap_or_default()))
}

pub(super) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// A file may hold anything.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::{detail, facts};
    use crate::record::{CallFacts, WideRecord};

    #[test]
    fn a_record_in_each_form() {
        let record =
            CallDetailRecord::new(&CallFacts { status_message: "503 No, \"not\" now".into(), ..facts() });
        let wide = serde_json::to_value(WideRecord::of(&detail())).unwrap();
        let rest = "abcdef1ghij2klmno3pqr4 0f8fad5b-d9cb-469f-a165-70867728950e 503 No, \"not\" now\n";
        for (wide, quality) in [(Some(&wide), "4.13 PCMU/8000    "), (None, "   - -            ")] {
            assert_eq!(
                shown(&record, wide, Format::Table),
                format!("2019-08-10T01:13:45Z out +12065550100     +16285551212           6 {quality}{rest}")
            );
        }
        assert_eq!(serde_json::from_str::<Value>(&shown(&record, Some(&wide), Format::Wide)).unwrap(), wide);
        assert_eq!(shown(&record, None, Format::Wide), "");
        let json: Value = serde_json::from_str(&shown(&record, None, Format::Json)).unwrap();
        let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        for field in FIELDS {
            assert!(names.contains(&field), "{field}");
        }
        let csv = shown(&record, None, Format::Csv);
        assert!(csv.contains(",\"503 No, \"\"not\"\" now\",") && csv.ends_with("\r\n"), "{csv}");
        assert_eq!(heading(Format::Csv).split(',').count(), FIELDS.len());
    }

    #[test]
    fn a_streaming_record_in_each_form() {
        let record = crate::record::testing::streamed().over(1_565_399_640_000, Some("away")).record;
        let table = streaming_line(&record, Format::Table);
        let rest = "0 abcdef1ghij2klmno3pqr4 0f8fad5b-d9cb-469f-a165-70867728950e away\n";
        assert_eq!(table, format!("2019-08-10T01:14:00Z       {rest}"));
        let json: Value = serde_json::from_str(&streaming_line(&record, Format::Json)).unwrap();
        let mut names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut fields = STREAMING_FIELDS.to_vec();
        names.sort_unstable();
        fields.sort_unstable();
        assert_eq!(names, fields);
        assert!(streaming_line(&record, Format::Csv).starts_with("1.0,111122223333,0f8fad5b-"));
    }

    #[test]
    fn times_as_people_write_them() {
        for (text, seconds) in [
            ("2019-08-10T01:13:45Z", Some(1_565_399_625)),
            ("2019-08-10T01:13", Some(1_565_399_580)),
            ("2019-08-10", Some(1_565_395_200)),
            ("2019-13-10", None),
            ("yesterday", None),
            ("2019-08-10T25:00", None),
        ] {
            assert_eq!(moment(text), seconds.map(Duration::from_secs), "{text}");
        }
        assert!(time("2d").unwrap() > moment("2019-08-10").unwrap() && time("soon").is_err());
    }
}
