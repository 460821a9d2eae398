//! `[[records.s3]]`, `[[records.webhook]]`, `[[records.nats]]`, and those that take events alone: where records go beside the directory.

use std::path::PathBuf;

use super::aws::{EventBridge, Sns, Sqs, keys};
use super::nats::Nats;
use crate::Secret;
use crate::read::{Item, Table};
use crate::value::{HttpUrl, ValueError};

/// Where records go beside the directory.
#[derive(Debug, Clone)]
pub struct Sink {
    /// 1 to 64 letters, digits, `-` or `_`. The journal keeps under it how far the sink is, and metrics have it as a label.
    pub name: String,
    /// What goes there. Default: call detail records, wide records, and calls of the API.
    pub records: Vec<RecordClass>,
    /// Whether the journal rather fills up than that this sink misses a record. Default: false.
    pub must_have: bool,
    /// What it is.
    pub kind: SinkKind,
}

/// What a sink is.
#[derive(Debug, Clone)]
pub enum SinkKind {
    /// `[[records.s3]]`.
    S3(S3),
    /// `[[records.webhook]]`.
    Webhook(Webhook),
    /// `[[records.nats]]`.
    Nats(Nats),
    /// `[[records.eventbridge]]`. As the two below it gets events of streams alone.
    EventBridge(EventBridge),
    /// `[[records.sns]]`.
    Sns(Sns),
    /// `[[records.sqs]]`.
    Sqs(Sqs),
}

/// A kind of record that sinks get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordClass {
    /// Call detail records, one for each connector of a call.
    CallDetail,
    /// The wide record of each call.
    Call,
    /// Lines of the quality log, where `logging.media_metrics` wants them.
    Quality,
    /// Lines of the SIP message log, where `logging.sip_messages` wants them.
    SipMessage,
    /// Calls of the API, one record each.
    Audit,
    /// What became of a stream of a call: STARTED, UPDATED, ENDED, FAILED.
    StreamingEvent,
    /// Streaming detail records, one for each connector of a call that was streamed.
    StreamingDetail,
}

impl RecordClass {
    const CHOICES: &[(&'static str, Self)] = &[
        ("call_detail", RecordClass::CallDetail),
        ("call", RecordClass::Call),
        ("quality", RecordClass::Quality),
        ("sip_message", RecordClass::SipMessage),
        ("audit", RecordClass::Audit),
        ("streaming_event", RecordClass::StreamingEvent),
        ("streaming_detail", RecordClass::StreamingDetail),
    ];
}

/// `[[records.webhook]]`: an HTTP server that records are posted to.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where to.
    pub url: HttpUrl,
    /// What signs the requests.
    pub secret: Secret,
    /// Most records of a request. Default: 100.
    pub batch: usize,
    /// Trust anchors, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
}

/// `[[records.s3]]`: a bucket of an object store that speaks S3.
#[derive(Debug, Clone)]
pub struct S3 {
    /// Its name.
    pub bucket: String,
    /// Its region. Default: `us-east-1`.
    pub region: String,
    /// Where the store is. Default: AWS's in the region.
    pub endpoint: Option<HttpUrl>,
    /// What stands before the name of each record; ends with `/` unless empty. Default: empty.
    pub prefix: String,
    /// Who we are there, and what proves it. Default: whom the machine's metadata service says.
    pub keys: Option<(String, Secret)>,
    /// Whether the bucket's owner gets all rights on what we write. Default: false.
    pub bucket_owner_full_control: bool,
    /// How the store encrypts what it keeps. Default: as the bucket says.
    pub encryption: Option<Encryption>,
    /// Whether the bucket stands in the path instead of the host's name. Default: true with an `endpoint`, else false.
    pub path_style: bool,
    /// Trust anchors, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
}

/// Server-side encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// With the store's keys, SSE-S3.
    Aes256,
    /// With a key of the key management service: SSE-KMS. Its id or ARN.
    Kms(String),
}

/// All sinks, in the order of their kinds.
pub(super) fn read(records: &Table<'_>) -> Vec<Sink> {
    let tables = |key: &'static str| records.get(key).map(|item| item.tables(key)).unwrap_or_default();
    let s3 = tables("s3").into_iter().filter_map(|table| sink(&table, S3::read(&table).map(SinkKind::S3)));
    let webhooks = tables("webhook")
        .into_iter()
        .filter_map(|table| sink(&table, Webhook::read(&table).map(SinkKind::Webhook)));
    let nats =
        tables("nats").into_iter().filter_map(|table| sink(&table, Nats::read(&table).map(SinkKind::Nats)));
    let buses = tables("eventbridge")
        .into_iter()
        .filter_map(|table| sink(&table, EventBridge::read(&table).map(SinkKind::EventBridge)));
    let topics =
        tables("sns").into_iter().filter_map(|table| sink(&table, Sns::read(&table).map(SinkKind::Sns)));
    let queues =
        tables("sqs").into_iter().filter_map(|table| sink(&table, Sqs::read(&table).map(SinkKind::Sqs)));
    let (mut sinks, mut names) = (Vec::<Sink>::new(), Vec::new());
    let all = s3.chain(webhooks).chain(nats).chain(buses).chain(topics).chain(queues);
    for (sink, name) in all.collect::<Vec<_>>() {
        if names.contains(&sink.name) {
            let remedy = "another name, as the journal knows each sink by its own";
            name.wrong(format!("there is another sink {:?}", sink.name), remedy);
        }
        names.push(sink.name.clone());
        sinks.push(sink);
    }
    sinks
}

/// A sink, and where its name stands.
fn sink<'a>(table: &Table<'a>, kind: Option<SinkKind>) -> Option<(Sink, Item<'a>)> {
    let item = table.required("name", "name = \"archive\"")?;
    let name = crate::gateway::label(&item);
    let records = table.get("records").and_then(|item| {
        let list = item.list()?;
        if list.is_empty() {
            item.wrong("`records` is empty", "[\"call_detail\", \"call\"] or one of them");
        }
        Some(list.iter().filter_map(|item| item.choice(RecordClass::CHOICES)).collect())
    });
    let kind = kind?;
    let otherwise = match kind {
        SinkKind::EventBridge(_) | SinkKind::Sns(_) | SinkKind::Sqs(_) => vec![RecordClass::StreamingEvent],
        _ => vec![RecordClass::CallDetail, RecordClass::Call, RecordClass::Audit],
    };
    let sink = Sink {
        name: name?,
        records: records.unwrap_or(otherwise),
        must_have: table.get("must_have").and_then(|item| item.boolean()).unwrap_or(false),
        kind,
    };
    Some((sink, item))
}

/// A URL; a warning where what goes there can be read on the way.
pub(super) fn url(item: &Item<'_>) -> Option<HttpUrl> {
    let url: HttpUrl = item.parse()?;
    if !url.is_private() {
        let text = format!(
            "`{}` is not encrypted: who is on the way reads who called whom; write https",
            item.name()
        );
        item.reader().warn(item.at(), text);
    }
    Some(url)
}

impl Webhook {
    fn read(table: &Table<'_>) -> Option<Self> {
        let at =
            table.required("url", "url = \"https://records.example.com/calls\"").and_then(|item| url(&item));
        let secret = table.required("secret", "secret = { file = \"webhook.key\" }");
        let secret = secret.and_then(|item| Secret::read(&item));
        let batch = table.get("batch").and_then(|item| item.integer(1, 1_000));
        let ca = table.get("ca").and_then(|item| item.needed_file());
        Some(Self { url: at?, secret: secret?, batch: batch.unwrap_or(100), ca })
    }
}

impl S3 {
    fn read(table: &Table<'_>) -> Option<Self> {
        let bucket = table.required("bucket", "bucket = \"call-records\"").and_then(|item| item.text(bucket));
        let region = table.get("region").and_then(|item| crate::gateway::label(&item));
        let endpoint = table.get("endpoint").and_then(|item| url(&item));
        let prefix = table.get("prefix").and_then(|item| item.text(prefix));
        let keys = keys(table);
        let kms = table.get("kms_key").and_then(|item| item.name_text().map(str::to_owned));
        let encryption = table.get("encryption");
        let word = encryption.as_ref().and_then(|item| item.choice(&[("AES256", false), ("aws:kms", true)]));
        let encryption = match (word, kms, encryption) {
            (Some(true), Some(key), _) => Some(Encryption::Kms(key)),
            (Some(true), None, Some(item)) => {
                item.error("`encryption` names no key", "write kms_key = \"...\" beside it");
                None
            }
            (Some(false), None, _) => Some(Encryption::Aes256),
            (Some(false), Some(_), Some(item)) => {
                item.wrong("`kms_key` has no part in AES256", "\"aws:kms\", or remove `kms_key`");
                None
            }
            (_, Some(_), None) => {
                let remedy = "write encryption = \"aws:kms\" beside it";
                table.reader().error(table.at(), "there is a `kms_key` and no `encryption`", remedy);
                None
            }
            _ => None,
        };
        let path_style = table.get("path_style").and_then(|item| item.boolean());
        Some(Self {
            bucket: bucket?,
            region: region.unwrap_or_else(|| "us-east-1".into()),
            path_style: path_style.unwrap_or(endpoint.is_some()),
            endpoint,
            prefix: prefix.unwrap_or_default(),
            keys,
            bucket_owner_full_control: table
                .get("bucket_owner_full_control")
                .and_then(|item| item.boolean())
                .unwrap_or(false),
            encryption,
            ca: table.get("ca").and_then(|item| item.needed_file()),
        })
    }
}

/// Source: Amazon S3 User Guide, bucket naming rules.
fn bucket(text: &str) -> Result<String, ValueError> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if (3..=63).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(ValueError::new(format!("{text:?} is no bucket"), "3 to 63 lower-case letters, digits, `-` or `.`"))
}

fn prefix(text: &str) -> Result<String, ValueError> {
    let fits = |part: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(fits)
    };
    let parts = text.strip_suffix('/').unwrap_or(text);
    if text.len() <= 256 && parts.split('/').all(fits) {
        return Ok(format!("{parts}/"));
    }
    Err(ValueError::new(
        format!("{text:?} is no prefix"),
        "it as in \"gateways/one\": letters, digits, `-`, `_` or `.`",
    ))
}
