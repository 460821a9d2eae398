//! Events to EventBridge, SNS and SQS, by requests of ours.
//!
//! A batch is delivered in its order. What follows an event that was not taken may be delivered again: at least once each, and
//! never a later event of a call without the earlier ones.

use std::collections::BTreeSet;

use bytes::Bytes;
use hyper::header::HeaderName;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Event;
use crate::aws::{Aws, Error};
use crate::http::short;

/// All three take ten in a request.
const MOST: usize = 10;

/// All three take 256 KiB in a request, with what stands around the events.
const SIZE: usize = 240 << 10;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// So many of the first events are taken.
    pub taken: usize,
    /// What is the matter with the next one; `None`: there is none.
    pub problem: Option<Problem>,
}

/// What is the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Not now: nobody answers, or lets us in. Why.
    Later(String),
    /// That event will never be taken. Why.
    Never(String),
}

/// Who takes events.
pub trait Sender: Send + Sync {
    /// Delivers events in their order.
    fn deliver(&self, batch: &[Event]) -> impl Future<Output = Delivered> + Send;
}

/// A bus of EventBridge.
#[derive(Debug, Clone)]
pub struct Bus {
    aws: Aws,
    endpoint: String,
    name: String,
}

/// A topic of SNS.
#[derive(Debug, Clone)]
pub struct Topic {
    aws: Aws,
    endpoint: String,
    arn: String,
}

/// A queue of SQS.
#[derive(Debug, Clone)]
pub struct Queue {
    aws: Aws,
    endpoint: String,
    url: String,
}

fn endpoint(aws: &Aws, service: &str, given: Option<&str>) -> String {
    let regional = || format!("https://{service}.{}.amazonaws.com", aws.region());
    given.map_or_else(regional, |given| given.trim_end_matches('/').to_owned())
}

impl Bus {
    /// - `endpoint`: of the service; `None`: the region's.
    /// - `name`: of the bus, or its ARN.
    #[must_use]
    pub fn new(aws: Aws, endpoint: Option<&str>, name: &str) -> Self {
        let endpoint = self::endpoint(&aws, "events", endpoint);
        Self { aws, endpoint, name: name.to_owned() }
    }
}

impl Topic {
    /// - `endpoint`: of the service; `None`: the region's.
    #[must_use]
    pub fn new(aws: Aws, endpoint: Option<&str>, arn: &str) -> Self {
        let endpoint = self::endpoint(&aws, "sns", endpoint);
        Self { aws, endpoint, arn: arn.to_owned() }
    }
}

impl Queue {
    /// - `endpoint`: of the service; `None`: the region's.
    #[must_use]
    pub fn new(aws: Aws, endpoint: Option<&str>, url: &str) -> Self {
        let endpoint = self::endpoint(&aws, "sqs", endpoint);
        Self { aws, endpoint, url: url.to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    entries: Vec<PutEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutEntry {
    error_code: Option<String>,
    error_message: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    #[serde(default)]
    failed: Vec<SentEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SentEntry {
    id: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    sender_fault: bool,
}

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

impl Ask for Bus {
    async fn ask(&self, part: &[Event], bodies: &[String]) -> Result<Failed, Error> {
        let entries: Vec<Value> = part
            .iter()
            .zip(bodies)
            .map(|(event, _)| {
                json!({
                    "Time": seconds(event),
                    "Source": event.source,
                    "DetailType": super::DETAIL_TYPE,
                    "Detail": serde_json::to_string(&event.detail).unwrap_or_default(),
                    "EventBusName": self.name,
                })
            })
            .collect();
        let body = json!({ "Entries": entries }).to_string();
        let url = format!("{}/", self.endpoint);
        let answer = self
            .aws
            .post(
                "events",
                &url,
                &[(TARGET, "AWSEvents.PutEvents")],
                "application/x-amz-json-1.1",
                body.into(),
            )
            .await?;
        let put: Put = read(&answer)?;
        let failed = put.entries.iter().position(|entry| entry.error_code.is_some());
        Ok(failed.map(|index| {
            let entry = put.entries.get(index);
            let said = |of: fn(&PutEntry) -> &Option<String>| entry.and_then(|entry| of(entry).clone());
            let code = said(|entry| &entry.error_code).unwrap_or_default();
            let message = said(|entry| &entry.error_message).unwrap_or_default();
            let never =
                matches!(code.as_str(), "MalformedDetail" | "InvalidArgument" | "NotAuthorizedForSource");
            (index, never, short(&format!("{code} {message}")))
        }))
    }
}

impl Ask for Topic {
    async fn ask(&self, part: &[Event], bodies: &[String]) -> Result<Failed, Error> {
        let in_order = self.arn.ends_with(".fifo");
        let mut form = Form::default();
        form.field("Action", "PublishBatch");
        form.field("Version", "2010-03-31");
        form.field("TopicArn", &self.arn);
        for (index, (event, body)) in part.iter().zip(bodies).enumerate() {
            let name = |field: &str| format!("PublishBatchRequestEntries.member.{}.{field}", index + 1);
            form.field(&name("Id"), &index.to_string());
            form.field(&name("Message"), body);
            if in_order {
                form.field(&name("MessageGroupId"), &event.detail.common.transaction_id.to_string());
                form.field(&name("MessageDeduplicationId"), &event.id.to_string());
            }
        }
        let url = format!("{}/", self.endpoint);
        let answer =
            self.aws.post("sns", &url, &[], "application/x-www-form-urlencoded", form.0.into()).await?;
        // `<Failed><member><Id>3</Id><Code>..`: nothing in it is ours but the ids.
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let failed = text.split_once("<Failed>").and_then(|(_, rest)| rest.split_once("</Failed>"));
        let ids = failed.map(|(failed, _)| elements(failed, "Id")).unwrap_or_default();
        let first = ids.iter().filter_map(|id| id.parse::<usize>().ok()).min();
        Ok(first.map(|index| {
            let fault = failed.is_some_and(|(failed, _)| elements(failed, "SenderFault").contains(&"true"));
            let code = failed.and_then(|(failed, _)| elements(failed, "Code").first().copied());
            (index, fault, short(code.unwrap_or("failed")))
        }))
    }
}

impl Ask for Queue {
    async fn ask(&self, part: &[Event], bodies: &[String]) -> Result<Failed, Error> {
        let in_order = self.url.ends_with(".fifo");
        let entries = part.iter().zip(bodies).enumerate().map(|(index, (event, body))| {
            let mut entry = json!({ "Id": index.to_string(), "MessageBody": body });
            if in_order && let Value::Object(entry) = &mut entry {
                let group = event.detail.common.transaction_id.to_string();
                entry.insert("MessageGroupId".to_owned(), group.into());
                entry.insert("MessageDeduplicationId".to_owned(), event.id.to_string().into());
            }
            entry
        });
        let body = json!({ "QueueUrl": self.url, "Entries": entries.collect::<Vec<_>>() }).to_string();
        let url = format!("{}/", self.endpoint);
        let answer = self
            .aws
            .post(
                "sqs",
                &url,
                &[(TARGET, "AmazonSQS.SendMessageBatch")],
                "application/x-amz-json-1.0",
                body.into(),
            )
            .await?;
        let sent: Sent = read(&answer)?;
        let failed = sent.failed.iter().filter_map(|entry| Some((entry.id.parse::<usize>().ok()?, entry)));
        Ok(failed
            .min_by_key(|(index, _)| *index)
            .map(|(index, entry)| (index, entry.sender_fault, short(&entry.code))))
    }
}

/// One request.
trait Ask: Send + Sync {
    /// - `bodies`: the events as JSON.
    fn ask(&self, part: &[Event], bodies: &[String]) -> impl Future<Output = Result<Failed, Error>> + Send;
}

impl<T: Ask> Sender for T {
    async fn deliver(&self, batch: &[Event]) -> Delivered {
        in_parts(self, batch).await
    }
}

/// The first event of a request that was not taken: which, whether it never will be, and why.
type Failed = Option<(usize, bool, String)>;

/// Delivers in parts that a request can hold, one after another.
async fn in_parts(to: &impl Ask, batch: &[Event]) -> Delivered {
    let mut taken = 0;
    let problem = loop {
        let Some(rest) = batch.get(taken..).filter(|rest| !rest.is_empty()) else { break None };
        let mut bodies = Vec::new();
        let mut size = 0;
        for event in rest.iter().take(MOST) {
            let Ok(body) = serde_json::to_string(event) else { break };
            size += body.len();
            if !bodies.is_empty() && size > SIZE {
                break;
            }
            bodies.push(body);
        }
        let part = rest.get(..bodies.len()).unwrap_or_default();
        match to.ask(part, &bodies).await {
            Ok(None) => taken += part.len(),
            Ok(Some((index, never, why))) => {
                taken += index.min(part.len());
                break Some(if never { Problem::Never(why) } else { Problem::Later(why) });
            }
            // One event alone that is refused for its content will be refused again; of several, who knows which.
            Err(Error::Refused { status: 400 | 413, name, message })
                if part.len() == 1 && is_content(&name) =>
            {
                break Some(Problem::Never(format!("{name}: {message}")));
            }
            Err(Error::Refused { status: 400 | 413, name, .. }) if is_content(&name) => {
                match one_by_one(to, part, &bodies).await {
                    (count, None) => taken += count,
                    (count, problem) => {
                        taken += count;
                        break problem;
                    }
                }
            }
            Err(error) => break Some(Problem::Later(error.to_string())),
        }
    };
    Delivered { taken, problem }
}

async fn one_by_one(to: &impl Ask, part: &[Event], bodies: &[String]) -> (usize, Option<Problem>) {
    for (index, (event, body)) in part.chunks(1).zip(bodies.chunks(1)).enumerate() {
        let problem = match to.ask(event, body).await {
            Ok(None) => continue,
            Ok(Some((_, false, why))) => Problem::Later(why),
            Ok(Some((_, true, why))) => Problem::Never(why),
            Err(Error::Refused { status: 400 | 413, name, message }) if is_content(&name) => {
                Problem::Never(format!("{name}: {message}"))
            }
            Err(error) => Problem::Later(error.to_string()),
        };
        return (index, Some(problem));
    }
    (part.len(), None)
}

/// Whether an error is about what was sent, not about who sent it, where to, or how often.
fn is_content(name: &str) -> bool {
    const CONTENT: [&str; 7] = [
        "ValidationException",
        "InvalidMessageContents",
        "BatchRequestTooLong",
        "InvalidParameter",
        "InvalidParameterValue",
        "RequestEntityTooLarge",
        "MalformedDetail",
    ];
    CONTENT.contains(&name)
}

fn read<'a, T: Deserialize<'a>>(answer: &'a hyper::Response<Bytes>) -> Result<T, Error> {
    serde_json::from_slice(answer.body()).map_err(|error| Error::Refused {
        status: answer.status().as_u16(),
        name: "Garbage".to_owned(),
        message: short(&error.to_string()),
    })
}

/// When, in seconds since the Unix epoch.
fn seconds(event: &Event) -> Option<i64> {
    let time = time::PrimitiveDateTime::parse(&event.time, super::SECONDS).ok()?;
    Some(time.assume_utc().unix_timestamp())
}

/// The contents of elements of that name.
fn elements<'a>(text: &'a str, name: &str) -> BTreeSet<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    text.split(&*open)
        .skip(1)
        .filter_map(|rest| rest.split_once(&*close))
        .map(|(content, _)| content)
        .collect()
}

/// `application/x-www-form-urlencoded`.
#[derive(Default)]
struct Form(String);

impl Form {
    fn field(&mut self, name: &str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.encode(name);
        self.0.push('=');
        self.encode(value);
    }

    fn encode(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    self.0.push(byte.into())
                }
                byte => self.0.push_str(&format!("%{byte:02X}")),
            }
        }
    }
}
