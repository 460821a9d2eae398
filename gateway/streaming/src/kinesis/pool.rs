//! Streams used again and again: one party of one call at a time.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use uuid::Uuid;

use super::control::{Control, Stream};
use super::verdict::Verdict;
use crate::aws::Error;

/// The service asks to look up the address again after so long.
const ENDPOINT: Duration = Duration::from_secs(45 * 60);

/// A stream that somebody else writes to is not tried again before.
const ALONE: Duration = Duration::from_secs(60);

/// The streams of one voice connector at one target.
#[derive(Debug)]
pub struct Pool {
    control: Control,
    prefix: String,
    /// Most streams that may be in use at one time: two for each call.
    limit: usize,
    /// Of an earlier run: they are looked for once.
    listed: OnceCell<()>,
    streams: Mutex<Streams>,
}

#[derive(Debug, Default)]
struct Streams {
    free: VecDeque<Stream>,
    aside: VecDeque<(Instant, Stream)>,
    in_use: usize,
    endpoints: HashMap<String, (Instant, String)>,
}

/// A stream that nobody else of ours writes to. Dropped, it is free again.
#[derive(Debug)]
pub struct Lease {
    pool: Arc<Pool>,
    stream: Stream,
    /// What becomes of the stream afterwards.
    after: AtomicU8,
}

const FREE: u8 = 0;
const ASIDE: u8 = 1;
const GONE: u8 = 2;

impl Pool {
    /// - `connector`: whose streams they are.
    /// - `limit`: most streams in use at one time.
    #[must_use]
    pub fn new(control: Control, connector: &str, limit: usize) -> Arc<Self> {
        Arc::new(Self {
            control,
            prefix: format!("ChimeVoiceConnector-{connector}-"),
            limit,
            listed: OnceCell::new(),
            streams: Mutex::default(),
        })
    }

    /// The service.
    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// What the names of its streams begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A stream that is free, or a new one.
    ///
    /// # Errors
    /// The service is away or refuses, or all that may be used are.
    pub async fn lease(self: &Arc<Self>) -> Result<Lease, Error> {
        // Who may not list can still create.
        self.listed
            .get_or_init(|| async {
                match self.control.list(&self.prefix).await {
                    Ok(found) => self.lock().free.extend(found.into_iter().take(self.limit)),
                    Err(error) => tracing::info!(%error, "streams of an earlier run are not used again"),
                }
            })
            .await;
        let free = {
            let mut streams = self.lock();
            if streams.in_use >= self.limit {
                return Err(Error::Refused {
                    status: 429,
                    name: "ClientLimitExceededException".to_owned(),
                    message: format!("all {} streams are in use", self.limit),
                });
            }
            streams.in_use += 1;
            let now = Instant::now();
            while streams.aside.front().is_some_and(|(at, _)| *at + ALONE <= now) {
                let back = streams.aside.pop_front();
                streams.free.extend(back.map(|(_, stream)| stream));
            }
            streams.free.pop_front()
        };
        // Dropped, should it not become a stream, it is not counted any more.
        let mut lease = Lease { pool: self.clone(), stream: Stream::default(), after: AtomicU8::new(GONE) };
        lease.stream = match free {
            Some(stream) => stream,
            None => self.control.create(&format!("{}{}", self.prefix, random_id())).await?,
        };
        lease.after = AtomicU8::new(FREE);
        Ok(lease)
    }

    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    /// The stream.
    #[must_use]
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Where to send the audio.
    ///
    /// # Errors
    /// The service is away or refuses.
    pub async fn endpoint(&self) -> Result<String, Error> {
        let name = &self.stream.name;
        let known = self.pool.lock().endpoints.get(name).cloned();
        if let Some((at, endpoint)) = known
            && at.elapsed() < ENDPOINT
        {
            return Ok(endpoint);
        }
        let endpoint = self.pool.control.put_media_endpoint(name).await?;
        self.pool.lock().endpoints.insert(name.clone(), (Instant::now(), endpoint.clone()));
        Ok(endpoint)
    }

    /// The address is not the stream's any more.
    pub fn forget_endpoint(&self) {
        self.pool.lock().endpoints.remove(&self.stream.name);
    }

    /// Somebody else writes to the stream: it is left alone for a while.
    pub fn set_aside(&self) {
        self.after.store(ASIDE, Ordering::Relaxed);
    }

    /// There is no such stream any more.
    pub fn set_gone(&self) {
        self.after.store(GONE, Ordering::Relaxed);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let stream = mem::take(&mut self.stream);
        let mut streams = self.pool.lock();
        streams.in_use -= 1;
        match self.after.load(Ordering::Relaxed) {
            FREE => streams.free.push_back(stream),
            ASIDE => streams.aside.push_back((Instant::now(), stream)),
            _ => drop(streams.endpoints.remove(&stream.name)),
        }
    }
}

/// What a refusal of the control plane means for the party's audio.
#[must_use]
pub fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Credentials(_) | Error::Request(_) => Verdict::Target,
        Error::Unanswered(_) => Verdict::Again,
        Error::Refused { status, name, .. } => Verdict::of_answer(*status, name),
    }
}

fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    // Without randomness from the system nothing else works either; the time keeps names apart.
    if getrandom::fill(&mut bytes).is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes = now.as_nanos().to_be_bytes();
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
