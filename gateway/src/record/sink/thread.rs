//! A thread for each sink: whatever one does, it keeps nobody else waiting.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::feed::LogFeed;
use super::{Batch, Outcome, Sink};

/// A sink that has not answered by then is asked again, later.
const LIMIT: Duration = Duration::from_secs(60);

/// Hands batches to a sink.
pub struct SinkThread(UnboundedSender<Batch>);

impl SinkThread {
    /// Starts the thread, which ends when this is dropped, and what it is doing is done.
    ///
    /// - `logs`: what it gets beside its batches.
    /// - `told`: what became of each batch.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(
        name: &str,
        sink: Arc<dyn Sink>,
        logs: Option<LogFeed>,
        told: impl Fn(Outcome) + Send + 'static,
    ) -> io::Result<SinkThread> {
        let (batches, mut inbox) = mpsc::unbounded_channel::<Batch>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(format!("sink-{name}")).spawn(move || {
            // Within the runtime, so that connections live on while nothing is to be sent.
            runtime.block_on(async {
                if let Some(logs) = logs {
                    tokio::spawn(logs.run(sink.clone()));
                }
                while let Some(batch) = inbox.recv().await {
                    told(ask(sink.clone(), batch).await);
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(SinkThread(batches))
    }

    /// A batch to take; one at a time.
    pub fn send(&self, batch: Batch) {
        let _ = self.0.send(batch); // The thread ends with this only.
    }
}

/// A panic of the sink's is its own.
pub(super) async fn ask(sink: Arc<dyn Sink>, batch: Batch) -> Outcome {
    let mut task = tokio::spawn(async move { sink.take(&batch).await });
    match tokio::time::timeout(LIMIT, &mut task).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => Outcome::Later(format!("a fault of ours: {error}")),
        Err(_) => {
            task.abort();
            Outcome::Later(format!("no answer within {} s", LIMIT.as_secs()))
        }
    }
}
