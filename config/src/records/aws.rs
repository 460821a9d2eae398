//! `[[records.eventbridge]]`, `[[records.sns]]`, `[[records.sqs]]`: who is told what becomes of streams, at AWS or at what speaks like it.

use std::path::PathBuf;

use crate::Secret;
use crate::read::Table;
use crate::value::{HttpUrl, ValueError};

/// Where a service of AWS is, and who we are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsService {
    /// The region.
    pub region: String,
    /// Where the service is. Default: AWS's in the region.
    pub endpoint: Option<HttpUrl>,
    /// Who we are there, and what proves it. Default: what the host has.
    pub keys: Option<(String, Secret)>,
    /// Trust anchors, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
}

/// `[[records.eventbridge]]`: a bus of EventBridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventBridge {
    /// Its name or ARN. Default: `default`.
    pub bus: String,
    /// Where the events come from, as they say. Default: `voice-connector`.
    pub source: String,
    /// Where it is.
    pub service: AwsService,
}

/// `[[records.sns]]`: a topic of SNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sns {
    /// Its ARN.
    pub topic: String,
    /// Where it is: in the region of the ARN.
    pub service: AwsService,
}

/// `[[records.sqs]]`: a queue of SQS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sqs {
    /// Its URL.
    pub queue: String,
    /// Where it is.
    pub service: AwsService,
}

/// `access_key` and `secret_key`; `None`: neither, or one alone, which is an error.
pub(crate) fn keys(table: &Table<'_>) -> Option<(String, Secret)> {
    match (table.get("access_key"), table.get("secret_key")) {
        (Some(access), Some(secret)) => access.name_text().map(str::to_owned).zip(Secret::read(&secret)),
        (Some(one), None) | (None, Some(one)) => {
            one.error(
                "one key alone opens nothing",
                "write `access_key` and `secret_key`, or neither of them",
            );
            None
        }
        (None, None) => None,
    }
}

impl AwsService {
    fn read(table: &Table<'_>, region: Option<String>) -> Option<Self> {
        let endpoint = table.get("endpoint").and_then(|item| super::sink::url(&item));
        let (keys, ca) = (keys(table), table.get("ca").and_then(|item| item.needed_file()));
        Some(Self { region: region?, endpoint, keys, ca })
    }

    fn in_a_region(table: &Table<'_>) -> Option<Self> {
        let region = table.required("region", "region = \"us-east-1\"");
        Self::read(table, region.and_then(|item| crate::gateway::label(&item)))
    }
}

impl EventBridge {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let text = |key| table.get(key).and_then(|item| item.name_text().map(str::to_owned));
        let source = table.get("source").and_then(|item| item.text(source));
        Some(Self {
            bus: text("bus").unwrap_or_else(|| "default".to_owned()),
            source: source.unwrap_or_else(|| "voice-connector".to_owned()),
            service: AwsService::in_a_region(table)?,
        })
    }
}

impl Sns {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let topic = table.required("topic", "topic = \"arn:aws:sns:us-east-1:111122223333:streams\"");
        let (topic, region) = topic.and_then(|item| item.text(topic_arn)).unzip();
        let service = AwsService::read(table, region);
        Some(Self { topic: topic?, service: service? })
    }
}

impl Sqs {
    pub(super) fn read(table: &Table<'_>) -> Option<Self> {
        let remedy = "queue = \"https://sqs.us-east-1.amazonaws.com/111122223333/streams\"";
        let queue = table.required("queue", remedy).and_then(|item| super::sink::url(&item));
        let service = AwsService::in_a_region(table);
        Some(Self { queue: queue?.as_str().to_owned(), service: service? })
    }
}

/// A bus has 256 characters for it.
fn source(text: &str) -> Result<String, ValueError> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    if (1..=256).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(ValueError::new(
        format!("{text:?} is no source of events"),
        "it as in \"voice-connector\": letters, digits, `.`, `_`, `-` or `/`",
    ))
}

/// The ARN, and its region.
fn topic_arn(text: &str) -> Result<(String, String), ValueError> {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && part.bytes().all(fits)
    };
    match parts.as_slice() {
        ["arn", partition, "sns", region, account, name]
            if [partition, region, account, name].into_iter().all(|part| fits(part)) && text.len() <= 512 =>
        {
            Ok((text.to_owned(), (*region).to_owned()))
        }
        _ => Err(ValueError::new(
            format!("{text:?} is no ARN of a topic"),
            "it as in \"arn:aws:sns:us-east-1:111122223333:streams\"",
        )),
    }
}
