//! EventBridge, SNS and SQS as sinks: they take events of streams, and nothing else.

use std::sync::Arc;

use smol_str::SmolStr;
use streaming::aws::{Aws, Error, Keys};
use streaming::event::{Bus, Event, Problem, Sender, Topic};
use streaming::http::Client;

use super::{Outcome, Sink, SinkRecord, Taking};

/// Most events of a batch: as many as a request takes.
pub const EVENTS: usize = 10;

/// See the module.
pub struct Events<S> {
    sender: S,
    /// Where they come from, where it is not said as AWS does: a real bus takes that from nobody else.
    source: Option<SmolStr>,
}

impl<S> Events<S> {
    /// - `source`: what the events are to say of where they come from.
    pub fn new(sender: S, source: Option<&str>) -> Events<S> {
        Events { sender, source: source.map(SmolStr::from) }
    }
}

/// Who asks a service.
///
/// # Errors
/// The host has no keys, and none are given.
pub(super) fn aws(
    service: &config::AwsService,
    tls: rustls::ClientConfig,
    secret: Option<secrecy::SecretString>,
) -> Result<Aws, Error> {
    let keys = match (&service.keys, secret) {
        (Some((id, _)), Some(secret)) => Keys::These { id: id.clone(), secret, token: None },
        _ => Keys::Host,
    };
    Aws::new(Client::new(Arc::new(tls)), &service.region, &keys)
}

/// The endpoint as the senders take it.
pub(super) fn endpoint(service: &config::AwsService) -> Option<&str> {
    service.endpoint.as_ref().map(config::HttpUrl::as_str)
}

/// The sender of each kind of service.
pub(super) fn bus(aws: Aws, bridge: &config::EventBridge) -> Bus {
    Bus::new(aws, endpoint(&bridge.service), &bridge.bus)
}

/// The same of a topic.
pub(super) fn topic(aws: Aws, sns: &config::Sns) -> Topic {
    Topic::new(aws, endpoint(&sns.service), &sns.topic)
}

/// The same of a queue. Where the queue's URL names the host, that is asked.
pub(super) fn queue(aws: Aws, sqs: &config::Sqs) -> streaming::event::Queue {
    streaming::event::Queue::new(aws, endpoint(&sqs.service), &sqs.queue)
}

impl<S: Sender + 'static> Sink for Events<S> {
    fn take<'a>(&'a self, batch: &'a [SinkRecord]) -> Taking<'a> {
        Box::pin(async move {
            let read = |record: &SinkRecord| {
                let mut event: Event = serde_json::from_slice(&record.body).ok()?;
                if let Some(source) = &self.source {
                    event.source = source.clone();
                }
                Some(event)
            };
            let events: Option<Vec<Event>> = batch.iter().map(read).collect();
            let Some(events) = events else { return Outcome::Never("it is no event of a stream".to_owned()) };
            match self.sender.deliver(&events).await.problem {
                None => Outcome::Done,
                Some(Problem::Later(why)) => Outcome::Later(why),
                Some(Problem::Never(why)) => Outcome::Never(why),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Server};
    use super::*;
    use crate::metrics::RecordKind;
    use crate::record::journal::Entry;
    use crate::record::testing::streamed;

    fn batch(count: u64) -> Vec<SinkRecord> {
        let mut call = streamed();
        let events = (0..count).map(|sequence| {
            let event = Box::new(call.failed("away", 1_565_399_640_000));
            SinkRecord::of(&Entry::StreamingEvent { sequence, event }).unwrap().unwrap()
        });
        events.collect()
    }

    fn text(body: &str) -> Answer {
        Answer::Status(200, Vec::new(), body.as_bytes().to_vec())
    }

    fn service(server: &Server) -> config::AwsService {
        let secret = config::Secret::Literal("hunter2".to_owned().into());
        let keys = Some(("AKIDEXAMPLE".to_owned(), secret));
        let endpoint = Some(server.url("").parse().unwrap());
        config::AwsService { region: "us-east-1".to_owned(), endpoint, keys, ca: None }
    }

    fn asker(service: &config::AwsService) -> Aws {
        aws(service, crate::listen::client_config(None).unwrap(), Some("hunter2".to_owned().into())).unwrap()
    }

    /// A bus hears a source that it takes, whatever the directory has; one that is away keeps them; one that refuses an event alone is
    /// not asked for it again.
    #[test]
    fn a_bus_takes_events_under_a_name_of_their_own() {
        let server = Server::start(|_| text(r#"{"FailedEntryCount":0,"Entries":[{},{}]}"#));
        let service = service(&server);
        let bridge = config::EventBridge { bus: "calls".into(), source: "voice.example".into(), service };
        let sink = Events::new(bus(asker(&bridge.service), &bridge), Some(&bridge.source));
        assert_eq!(server.runtime.block_on(sink.take(&batch(2))), Outcome::Done);
        let requests = server.requests();
        let body: serde_json::Value = serde_json::from_slice(&requests[0].body).unwrap();
        for entry in body["Entries"].as_array().unwrap() {
            assert_eq!(
                (&entry["Source"], &entry["EventBusName"]),
                (&"voice.example".into(), &"calls".into())
            );
            assert_eq!(entry["DetailType"], "Chime VoiceConnector Streaming Status");
        }
        let mut foreign = batch(1);
        foreign[0].body = "{}".into();
        assert!(matches!(server.runtime.block_on(sink.take(&foreign)), Outcome::Never(_)));
        assert_eq!(batch(1)[0].kind, RecordKind::StreamingEvent);

        let away = Server::start(|_| Answer::status(503));
        let bridge = config::EventBridge { service: self::service(&away), ..bridge };
        let sink = Events::new(bus(asker(&bridge.service), &bridge), None);
        assert!(matches!(away.runtime.block_on(sink.take(&batch(1))), Outcome::Later(_)));
        let garbage = Server::start(|_| text("<html>"));
        let bridge = config::EventBridge { service: self::service(&garbage), ..bridge };
        let sink = Events::new(bus(asker(&bridge.service), &bridge), None);
        assert!(matches!(garbage.runtime.block_on(sink.take(&batch(1))), Outcome::Later(_)));
    }
}
