//! Kinesis Video Streams as a sink of calls.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use audio::{Happening, Party};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::fragments::Lengths;
use super::pool::Pool;
use super::session::{Session, Settings};
use super::stream::{Header, Kept, Source, Stream};
use crate::aws::Error;
use crate::call::Call;
use crate::health::Health;
use crate::rate::Narrowband;
use crate::sink::{Losses, Missed, Open, Outcome, channel};
use crate::spool::Spool;

/// Happenings of one party on their way to its session.
const PARTY: usize = 64;

/// Acknowledgements come every second or two.
const PATIENCE: Duration = Duration::from_secs(15);

/// Calls whose streams are kept apart while files of the spool are delivered.
const CALLS: usize = 4;

/// Between two looks into the spool, while there is nothing or nobody takes it.
const LOOK: Duration = Duration::from_secs(5);

/// A sink of Kinesis Video Streams, for the calls of one voice connector.
#[derive(Debug)]
pub struct Kinesis {
    targets: Vec<Arc<Pool>>,
    health: Arc<Health>,
    lengths: Lengths,
    retained: bool,
    patience: Duration,
    spool: Option<Spool>,
}

impl Kinesis {
    /// - `targets`: in order of priority.
    /// - `fragment`: length of a fragment, 1 to 2 s.
    /// - `kept`: so much audio is kept for a target that is slow or away.
    #[must_use]
    pub fn new(targets: Vec<Arc<Pool>>, fragment: Duration, kept: Duration) -> Self {
        let health = Arc::new(Health::new(targets.len()));
        let retained = targets.iter().all(|pool| pool.control().retention_hours > 0);
        let fragment = fragment.clamp(Duration::from_secs(1), Duration::from_secs(2));
        Self {
            targets,
            health,
            lengths: Lengths { fragment, kept: kept.max(fragment * 2) },
            retained,
            patience: PATIENCE,
            spool: None,
        }
    }

    /// A target that acknowledges nothing of what it was sent for so long is left: 15 s, where nothing
    /// else is said; at least two fragments and a half.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience.max(self.lengths.fragment * 5 / 2);
        self
    }

    /// What no target takes in time is kept there, and delivered by [`Self::backfill`].
    #[must_use]
    pub fn spool(mut self, spool: Spool) -> Self {
        self.spool = Some(spool);
        self
    }

    /// Begins to stream a call. Needs a runtime of tokio.
    #[must_use]
    pub fn open(&self, call: &Arc<Call>) -> Open {
        let (missed, happenings, outcomes, open) = channel();
        let kept = Kept::default();
        let [caller, callee] = [Party::Caller, Party::Callee].map(|party| {
            let (sender, receiver) = mpsc::channel(PARTY);
            let stream = self.stream(party, call.clone(), outcomes.clone(), kept.clone(), false);
            tokio::spawn(stream.run(Source::Live(Some(receiver))));
            sender
        });
        tokio::spawn(divide(happenings, caller, callee, missed));
        open
    }

    /// Whether a call could be streamed now: asks one service after the other what streams there are, the best first.
    ///
    /// # Errors
    /// Why the last one would not say.
    pub async fn probe(&self) -> Result<(), String> {
        let mut why = Err("there is no service".to_owned());
        for pool in &self.targets {
            why = match pool.control().list(pool.prefix()).await {
                // Who may not list can still create.
                Err(Error::Refused { name, .. }) if name == "AccessDeniedException" => Ok(()),
                listed => listed.map(drop).map_err(|error| error.to_string()),
            };
            if why.is_ok() {
                break;
            }
        }
        why
    }

    /// Which targets work. Where none does, a call that must be streamed can be refused.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Delivers what is on disk, the oldest call first, for as long as this future lives.
    pub async fn backfill(&self) {
        let Some(spool) = &self.spool else { return };
        // Files of one call follow each other, or nearly: their streams are kept apart as those of a live one.
        let mut calls: VecDeque<(Uuid, Kept)> = VecDeque::new();
        loop {
            let entry = match spool.oldest() {
                Ok(Some(entry)) if self.health.best(Instant::now().into_std()).is_some() => entry,
                Ok(_) => {
                    sleep(LOOK).await;
                    continue;
                }
                Err(error) => {
                    tracing::warn!(%error, "the spool cannot be read");
                    sleep(LOOK).await;
                    continue;
                }
            };
            let Ok(Header { call, caller }) = serde_json::from_slice(&entry.header) else {
                tracing::warn!("a file of the spool is of another version: it is removed");
                let _ = entry.done();
                continue;
            };
            let party = if caller { Party::Caller } else { Party::Callee };
            // Nobody hears of a call that is over.
            let (outcomes, _) = mpsc::channel(1);
            let known = calls.iter().find(|(id, _)| *id == call.transaction_id).map(|(_, kept)| kept.clone());
            let kept = known.unwrap_or_else(|| {
                let kept = Kept::default();
                calls.push_back((call.transaction_id, kept.clone()));
                kept
            });
            while calls.len() > CALLS {
                calls.pop_front();
            }
            let stream = self.stream(party, Arc::new(call), outcomes, kept, true);
            let source =
                Source::Spooled { entry, next: Instant::now(), until: None, over: false, torn: false };
            let (Source::Spooled { entry, torn, .. }, delivered) = stream.run(source).await else { continue };
            if torn || !delivered {
                tracing::warn!("a file of the spool was not delivered: the others come first");
                entry.put_back();
                sleep(LOOK).await;
            } else if let Err(error) = entry.done() {
                tracing::warn!(%error, "a file of the spool cannot be removed");
                sleep(LOOK).await;
            }
        }
    }

    fn stream(
        &self,
        party: Party,
        call: Arc<Call>,
        outcomes: mpsc::Sender<Outcome>,
        kept: Kept,
        from_disk: bool,
    ) -> Stream {
        let mut spread = [0];
        let _ = getrandom::fill(&mut spread);
        let [spread] = spread;
        let spool = self.spool.clone().filter(|_| !from_disk);
        let mut lengths = self.lengths;
        if from_disk {
            // What comes from disk waits there, and is not thrown away once it was read.
            lengths.kept = lengths.kept.max(lengths.fragment * 16);
        }
        let settings = Settings {
            lengths,
            retained: self.retained,
            patience: self.patience,
            spooled: spool.is_some(),
            spread,
        };
        let name = if party == Party::Caller { "caller" } else { "callee" };
        let now = Instant::now().into_std();
        Stream {
            party,
            targets: self.targets.clone(),
            session: Session::new(now, settings, call.clone(), name, self.health.clone()),
            outcomes,
            kept,
            call,
            spool,
            narrowband: Narrowband::default(),
            losses: Losses::default(),
            writer: None,
        }
    }
}

/// Gives each party's stream its own.
async fn divide(
    mut happenings: mpsc::Receiver<Happening>,
    caller: mpsc::Sender<Happening>,
    callee: mpsc::Sender<Happening>,
    missed: Missed,
) {
    while let Some(happening) = happenings.recv().await {
        let to = if happening.party() == Party::Caller { &caller } else { &callee };
        missed.offer(to, happening);
    }
}
