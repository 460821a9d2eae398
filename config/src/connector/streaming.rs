//! Where the sound of a connector's calls is streamed while they last.

use std::path::PathBuf;
use std::time::Duration;

use super::OnFailure;
use crate::Secret;
use crate::read::{Item, Table};
use crate::value::{HttpUrl, ValueError, parse_size};

/// `[voice_connector.streaming]`: each call, from its answer on.
#[derive(Debug, Clone, Default)]
pub struct Streaming {
    /// `[[voice_connector.streaming.sink]]`. Each has all of it. Default: none.
    pub sinks: Vec<StreamingSink>,
}

/// Where calls are streamed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamingSink {
    /// 1 to 64 letters, digits, `-` or `_`: what it is called in the log.
    pub name: String,
    /// So much sound is kept for one that is slow or away; the oldest is thrown away first. Default: 30 s; 5 s for a WebSocket.
    pub kept: Duration,
    /// Trust anchors, PEM. Default: the system's.
    pub ca: Option<PathBuf>,
    /// What becomes of a call that can't be streamed to it. Default: it is placed.
    pub on_failure: OnFailure,
    /// What it is.
    pub kind: StreamingKind,
}

/// What a sink of sound is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamingKind {
    /// `kind = "kinesis"`.
    Kinesis(Kinesis),
    /// `kind = "websocket"`.
    WebSocket(WebSocket),
}

/// WebSockets, one or two for each call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocket {
    /// Where the servers are, the best first: `http` stands for `ws`, `https` for `wss`.
    pub servers: Vec<HttpUrl>,
    /// What is written. Default: messages of Twilio's Media Streams.
    pub format: StreamFormat,
    /// What signs the requests. Default: nothing.
    pub secret: Option<Secret>,
}

/// What is written to a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamFormat {
    /// Messages of Twilio's Media Streams.
    #[default]
    Twilio,
    /// A JSON header, then binary 16-bit samples of both parties in turn.
    Stereo,
    /// The same, with a WebSocket for each party.
    Mono,
}

/// Kinesis Video Streams: a stream for each party, from a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kinesis {
    /// The region.
    pub region: String,
    /// Where the service is, the best first. Default: AWS's in the region.
    pub endpoints: Vec<HttpUrl>,
    /// Who we are there, and what proves it. Default: what the host has.
    pub keys: Option<(String, Secret)>,
    /// How long streams keep what they get, in hours. Default: 0, not at all.
    pub retention_hours: u32,
    /// Most streams in use at one time, two a call. Default: 1000.
    pub streams: usize,
    /// Length of a fragment. Default: 1 s.
    pub fragment: Duration,
    /// Most bytes on disk of what no service took in time, to be delivered later. Default: nothing is kept.
    pub spool: Option<u64>,
}

impl Streaming {
    pub(crate) fn read(table: &Table<'_>) -> Self {
        let tables = table.get("sink").map(|item| item.tables("streaming_sink")).unwrap_or_default();
        let mut sinks = Vec::<StreamingSink>::new();
        for table in &tables {
            let Some((sink, name)) = StreamingSink::read(table) else { continue };
            if sinks.iter().any(|other| other.name == sink.name) {
                name.wrong(format!("there is another sink {:?}", sink.name), "another name");
            }
            sinks.push(sink);
        }
        Self { sinks }
    }
}

impl StreamingSink {
    fn read<'a>(table: &Table<'a>) -> Option<(Self, Item<'a>)> {
        let item = table.required("name", "name = \"transcriber\"");
        let kinds = [("kinesis", Kind::Kinesis), ("websocket", Kind::WebSocket)];
        let kind = table.required("kind", "kind = \"websocket\"").and_then(|item| item.choice(&kinds));
        let name = item.as_ref().and_then(crate::gateway::label);
        let kept = table.get("kept").and_then(|item| item.duration("2s", "5m"));
        let ca = table.get("ca").and_then(|item| item.needed_file());
        let (foreign, kept_else): (&[&'static str], _) = match kind? {
            Kind::Kinesis => (WebSocket::KEYS, Duration::from_secs(30)),
            Kind::WebSocket => (Kinesis::KEYS, Duration::from_secs(5)),
        };
        for item in foreign.iter().filter_map(|key| table.get(key)) {
            item.error(format!("`{}` has no part in this kind of sink", item.name()), "remove the line");
        }
        let kind = match kind? {
            Kind::Kinesis => Kinesis::read(table).map(StreamingKind::Kinesis),
            Kind::WebSocket => WebSocket::read(table).map(StreamingKind::WebSocket),
        };
        let on_failure = OnFailure::read(table);
        let sink = Self { name: name?, kept: kept.unwrap_or(kept_else), ca, on_failure, kind: kind? };
        Some((sink, item?))
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Kinesis,
    WebSocket,
}

impl WebSocket {
    /// Its own.
    const KEYS: &[&'static str] = &["url", "format", "secret"];

    fn read(table: &Table<'_>) -> Option<Self> {
        let servers = table.required("url", "url = \"wss://bot.example.com/calls\"").map(|item| {
            let urls = item.one_or_list().unwrap_or_default();
            urls.iter().filter_map(server).collect()
        });
        let formats = [
            ("twilio", StreamFormat::Twilio),
            ("stereo", StreamFormat::Stereo),
            ("mono", StreamFormat::Mono),
        ];
        let format = table.get("format").and_then(|item| item.choice(&formats));
        let secret = table.get("secret").and_then(|item| Secret::read(&item));
        Some(Self { servers: servers?, format: format.unwrap_or_default(), secret })
    }
}

/// A WebSocket server; a warning where what goes there can be heard on the way.
fn server(item: &Item<'_>) -> Option<HttpUrl> {
    let url = item.text(websocket_url)?;
    if !url.is_private() {
        let text = "`url` is not encrypted: who is on the way hears the calls; write wss";
        item.reader().warn(item.at(), text);
    }
    Some(url)
}

fn websocket_url(text: &str) -> Result<HttpUrl, ValueError> {
    let url = text.strip_prefix("ws").and_then(|rest| format!("http{rest}").parse().ok());
    let remedy = "it as in \"wss://bot.example.com/calls\", without a user";
    url.ok_or_else(|| ValueError::new("that is no URL of a WebSocket server", remedy))
}

impl Kinesis {
    /// Its own.
    const KEYS: &[&'static str] = &[
        "region",
        "endpoint",
        "access_key",
        "secret_key",
        "retention_hours",
        "streams",
        "fragment",
        "spool",
    ];

    fn read(table: &Table<'_>) -> Option<Self> {
        let region = table.required("region", "region = \"us-east-1\"");
        let region = region.and_then(|item| crate::gateway::label(&item));
        let endpoints = table.get("endpoint").map(|item| {
            let urls = item.one_or_list().unwrap_or_default();
            urls.iter().filter_map(|item| item.text(http_url)).collect()
        });
        let keys = crate::records::keys(table);
        let retention_hours = table.get("retention_hours").and_then(|item| item.integer(0, 87_600));
        let streams = table.get("streams").and_then(|item| item.integer(2, 100_000));
        let spool = table.get("spool").and_then(|item| {
            let size = item.text(parse_size)?;
            if size < 1 << 20 {
                item.wrong("`spool` has no room for sound", "a size from \"1 MiB\" on");
            }
            Some(size)
        });
        let fragment = table.get("fragment").and_then(|item| item.duration("1s", "2s"));
        Some(Self {
            region: region?,
            endpoints: endpoints.unwrap_or_default(),
            keys,
            retention_hours: retention_hours.unwrap_or(0),
            streams: streams.unwrap_or(1_000),
            fragment: fragment.unwrap_or(Duration::from_secs(1)),
            spool,
        })
    }
}

fn http_url(text: &str) -> Result<HttpUrl, ValueError> {
    text.parse()
}
