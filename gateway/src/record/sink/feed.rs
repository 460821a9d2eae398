//! Logs on their way to a sink, beside its records and on its thread.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::backoff::Backoff;
use super::logs::Chunk;
use super::thread::ask;
use super::{Logs, Outcome, Sink, SinkSetup};
use crate::clock::Now;
use crate::metrics::SinkMetrics;
use crate::random::Random;

/// How often it is looked whether an hour is over.
const LOOK: Duration = Duration::from_secs(30);

/// See the module.
pub struct LogFeed {
    sink: String,
    logs: Logs,
    metrics: SinkMetrics,
    backoff: Backoff,
    random: Box<dyn Random>,
}

impl LogFeed {
    /// What a sink wants of the logs below `root`, the records directory; `None`: nothing.
    pub(in crate::record) fn new(root: &Path, setup: &SinkSetup, random: Box<dyn Random>) -> Option<LogFeed> {
        let logs = Logs::open(root, &setup.name, &setup.kinds, Now::read().unix)?;
        Some(LogFeed {
            sink: setup.name.clone(),
            logs,
            metrics: setup.metrics.clone(),
            backoff: Backoff::default(),
            random,
        })
    }

    /// Never ends.
    pub(super) async fn run(mut self, sink: Arc<dyn Sink>) {
        loop {
            let now = Now::read();
            self.metrics.set_log_lag(self.logs.lag(now.unix));
            match self.logs.next(now.unix) {
                Ok(None) => tokio::time::sleep(LOOK).await,
                Err(error) => self.failed(&error.to_string()).await,
                Ok(Some(chunk)) => {
                    let outcome = ask(sink.clone(), [chunk.record.clone()].into()).await;
                    self.handle(chunk, outcome).await;
                }
            }
        }
    }

    async fn handle(&mut self, chunk: Chunk, outcome: Outcome) {
        match outcome {
            Outcome::Done => {
                if self.backoff.succeeded() {
                    info!(sink = self.sink, "log lines go to the sink again");
                }
                self.metrics.taken(chunk.lines);
            }
            Outcome::Later(why) => return self.failed(&why).await,
            Outcome::Never(why) => {
                let (file, lines) = (chunk.record.name(0), chunk.lines);
                error!(
                    sink = self.sink,
                    file, lines, why, "the sink refused log lines; the directory has them"
                );
                self.metrics.lost(chunk.lines);
            }
        }
        if let Err(error) = self.logs.taken(chunk.next) {
            warn!(sink = self.sink, %error, "how far a sink is with the logs can't be written down");
        }
    }

    async fn failed(&mut self, why: &str) {
        self.metrics.failed();
        if self.backoff.failed(Instant::now(), self.random.as_mut()) {
            warn!(sink = self.sink, why, "log lines wait for the sink; the directory keeps them");
        }
        if let Some(at) = self.backoff.at() {
            tokio::time::sleep_until(at.into()).await;
        }
    }
}
