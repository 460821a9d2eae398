//! Records for NATS JetStream: a message each.

use std::future::IntoFuture;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{ConnectOptions, HeaderMap, ServerAddr};
use config::NatsSubject;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use super::http::{Fault, reason};
use super::{Outcome, Sink, SinkRecord, Taking};

/// A server that has not said by then that it has a message is away.
const LIMIT: Duration = Duration::from_secs(10);

/// The header that has a record's name in the directory.
const NAME: &str = "Voice-Connector-Record";

/// A stream.
pub struct Nats {
    options: Options,
    servers: Vec<ServerAddr>,
    subject: NatsSubject,
    /// The connection that there is. After a failure there is none, so that nothing waits in it that is sent anew.
    context: Mutex<Option<Context>>,
}

/// How we connect.
struct Options {
    login: Option<Login>,
    ca: Option<std::path::PathBuf>,
    servers: usize,
}

/// Who we are, read from where it is kept.
pub(super) enum Login {
    User(String, SecretString),
    Token(SecretString),
    Nkey(SecretString),
    Credentials(SecretString),
}

impl Options {
    fn build(&self) -> std::io::Result<ConnectOptions> {
        let options = ConnectOptions::new()
            .name(concat!("voice-connector/", env!("CARGO_PKG_VERSION")))
            .ignore_discovered_servers()
            // Each server once: whoever is away is asked again by the queue.
            .max_reconnects(self.servers)
            .retain_servers_order();
        let options = match &self.ca {
            Some(ca) => options.add_root_certificates(ca.clone()),
            None => options,
        };
        Ok(match &self.login {
            None => options,
            Some(Login::User(user, password)) => {
                options.user_and_password(user.clone(), password.expose_secret().to_owned())
            }
            Some(Login::Token(token)) => options.token(token.expose_secret().to_owned()),
            Some(Login::Nkey(seed)) => options.nkey(seed.expose_secret().to_owned()),
            Some(Login::Credentials(text)) => options.credentials(text.expose_secret())?,
        })
    }
}

impl Nats {
    /// - `login`: of the configured one.
    ///
    /// # Errors
    /// The credentials are none.
    pub(super) fn new(config: &config::Nats, login: Option<Login>) -> Result<Nats, Fault> {
        let options = Options { login, ca: config.ca.clone(), servers: config.servers.len() };
        options.build()?;
        let servers =
            config.servers.iter().map(|server| server.to_string().parse()).collect::<Result<_, _>>()?;
        Ok(Nats { options, servers, subject: config.subject.clone(), context: Mutex::default() })
    }

    async fn connect(&self) -> Result<Context, Fault> {
        let client = self.options.build()?.connect(self.servers.clone()).await?;
        let context = jetstream::context::ContextBuilder::new().timeout(LIMIT);
        Ok(context.build(client))
    }

    async fn publish_all(&self, batch: &[SinkRecord]) -> Outcome {
        let mut kept = self.context.lock().await;
        let alive = kept.take().filter(|context| context.client().connection_state() == State::Connected);
        let context = match alive {
            Some(context) => context,
            None => match self.connect().await {
                Ok(context) => context,
                Err(error) => return Outcome::Later(reason(error.as_ref())),
            },
        };
        let outcome = self.publish(&context, batch).await;
        if !matches!(outcome, Outcome::Later(_)) {
            *kept = Some(context);
        }
        outcome
    }

    /// All are on their way before the first is waited for.
    async fn publish(&self, context: &Context, batch: &[SinkRecord]) -> Outcome {
        let mut waiting = Vec::with_capacity(batch.len());
        for record in batch {
            let subject = self.subject.of(record.kind.as_label(), record.voice_connector_id.as_deref());
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, record.id());
            headers.insert(NAME, record.name(0));
            match context.publish_with_headers(subject.clone(), headers, record.body.clone()).await {
                Ok(ack) => waiting.push((subject, ack)),
                Err(error) => return outcome_of(&subject, &error),
            }
        }
        for (subject, ack) in waiting {
            if let Err(error) = ack.into_future().await {
                return outcome_of(&subject, &error);
            }
        }
        Outcome::Done
    }
}

impl Sink for Nats {
    fn take<'a>(&'a self, batch: &'a [SinkRecord]) -> Taking<'a> {
        Box::pin(self.publish_all(batch))
    }
}

fn outcome_of(subject: &str, error: &PublishError) -> Outcome {
    let refused =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<jetstream::Error>());
    let code = refused.map(jetstream::Error::error_code);
    let too_large = [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM];
    match error.kind() {
        PublishErrorKind::StreamNotFound => Outcome::Later(format!(
            "no stream takes the subject {subject}: make one, or JetStream is not enabled there"
        )),
        PublishErrorKind::MaxPayloadExceeded => Outcome::Never(reason(error)),
        _ if code.is_some_and(|code| too_large.contains(&code)) => Outcome::Never(reason(error)),
        _ => Outcome::Later(reason(error)),
    }
}
