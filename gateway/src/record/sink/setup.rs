//! The sinks of a configuration.

use std::sync::Arc;

use config::{RecordClass, SecretError, SinkKind};

use super::events::{self, EVENTS, Events};
use super::http::HttpClient;
use super::webhook::Webhook;
use super::{Sink, SinkSetup};
use crate::listen::{TlsError, client_config};
use crate::metrics::{Metrics, RecordKind};

/// Most records of a batch for an object store: as many as are put within the time that a batch has.
const OBJECTS: usize = 100;

/// Most records of a batch for a stream: all are on their way at once.
#[cfg(feature = "nats")]
const MESSAGES: usize = 256;

/// Why a sink can't be had.
#[derive(Debug, thiserror::Error)]
#[error("sink {name}: {why}")]
pub struct SinkError {
    /// The sink's.
    name: String,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Aws(#[from] streaming::aws::Error),
    #[cfg(feature = "s3")]
    #[error(transparent)]
    S3(#[from] object_store::Error),
    #[cfg(not(feature = "s3"))]
    #[error("this program was built without S3")]
    NoS3,
    #[cfg(feature = "nats")]
    #[error("{}", super::http::reason(.0.as_ref()))]
    Nats(super::http::Fault),
    #[cfg(feature = "nats")]
    #[error("{}: {error}", path.display())]
    Credentials { path: std::path::PathBuf, error: std::io::Error },
    #[cfg(not(feature = "nats"))]
    #[error("this program was built without NATS")]
    NoNats,
}

/// Each configured sink, ready to be given records. Nobody is asked yet.
///
/// # Errors
/// A secret or a file of trust anchors can't be read.
pub fn of(records: &config::Records, metrics: &Metrics) -> Result<Vec<SinkSetup>, SinkError> {
    let setup = |configured: &config::Sink| {
        let (batch, sink) =
            sink(&configured.kind).map_err(|why| SinkError { name: configured.name.clone(), why })?;
        Ok(SinkSetup {
            name: configured.name.clone(),
            kinds: configured.records.iter().copied().map(kind).collect(),
            batch,
            must_have: configured.must_have,
            metrics: metrics.sink(&configured.name),
            sink,
        })
    };
    records.sinks.iter().map(setup).collect()
}

fn kind(class: RecordClass) -> RecordKind {
    match class {
        RecordClass::CallDetail => RecordKind::CallDetail,
        RecordClass::Call => RecordKind::Detail,
        RecordClass::Quality => RecordKind::Quality,
        RecordClass::SipMessage => RecordKind::SipMessage,
        RecordClass::Audit => RecordKind::Audit,
        RecordClass::StreamingEvent => RecordKind::StreamingEvent,
        RecordClass::StreamingDetail => RecordKind::StreamingDetail,
    }
}

/// Its batches' size, and the sink.
fn sink(kind: &SinkKind) -> Result<(usize, Arc<dyn Sink>), Why> {
    match kind {
        SinkKind::Webhook(webhook) => {
            let client = HttpClient::new(webhook.ca.as_deref())?;
            let sink = Webhook::new(client, webhook.url.as_str(), webhook.secret.resolve()?);
            Ok((webhook.batch, Arc::new(sink)))
        }
        #[cfg(feature = "s3")]
        SinkKind::S3(s3) => Ok((OBJECTS, Arc::new(super::s3::S3::new(store(s3)?, &s3.prefix)))),
        #[cfg(not(feature = "s3"))]
        SinkKind::S3(_) => Err(Why::NoS3),
        #[cfg(feature = "nats")]
        SinkKind::Nats(nats) => Ok((MESSAGES, Arc::new(stream(nats)?))),
        #[cfg(not(feature = "nats"))]
        SinkKind::Nats(_) => Err(Why::NoNats),
        SinkKind::EventBridge(bridge) => {
            let bus = events::bus(aws(&bridge.service)?, bridge);
            Ok((EVENTS, Arc::new(Events::new(bus, Some(&bridge.source)))))
        }
        SinkKind::Sns(sns) => {
            Ok((EVENTS, Arc::new(Events::new(events::topic(aws(&sns.service)?, sns), None))))
        }
        SinkKind::Sqs(sqs) => {
            Ok((EVENTS, Arc::new(Events::new(events::queue(aws(&sqs.service)?, sqs), None))))
        }
    }
}

fn aws(service: &config::AwsService) -> Result<streaming::aws::Aws, Why> {
    let secret = service.keys.as_ref().map(|(_, secret)| secret.resolve()).transpose()?;
    Ok(events::aws(service, client_config(service.ca.as_deref())?, secret)?)
}

#[cfg(feature = "s3")]
fn store(s3: &config::S3) -> Result<Arc<dyn object_store::ObjectStore>, Why> {
    let client = HttpClient::new(s3.ca.as_deref())?;
    let secret = s3.keys.as_ref().map(|(_, secret)| secret.resolve()).transpose()?;
    Ok(super::s3::store(client, s3, secret.as_ref())?)
}

#[cfg(feature = "nats")]
fn stream(nats: &config::Nats) -> Result<super::nats::Nats, Why> {
    use super::nats::{Login, Nats};
    use config::NatsLogin;
    let login = match &nats.login {
        None => None,
        Some(NatsLogin::User(user, password)) => Some(Login::User(user.clone(), password.resolve()?)),
        Some(NatsLogin::Token(token)) => Some(Login::Token(token.resolve()?)),
        Some(NatsLogin::Nkey(seed)) => Some(Login::Nkey(seed.resolve()?)),
        Some(NatsLogin::Credentials(path)) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| Why::Credentials { path: path.clone(), error })?;
            Some(Login::Credentials(text.into()))
        }
    };
    // The client reads it when it connects; whether it can be used is said now.
    client_config(nats.ca.as_deref())?;
    Nats::new(nats, login).map_err(Why::Nats)
}

/// A configured bucket, to read from.
///
/// # Errors
/// Its secret or its trust anchors can't be read.
#[cfg(feature = "s3")]
pub fn bucket(s3: &config::S3) -> Result<Arc<dyn object_store::ObjectStore>, SinkError> {
    store(s3).map_err(|why| SinkError { name: s3.bucket.clone(), why })
}
