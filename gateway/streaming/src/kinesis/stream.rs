//! One party's audio on its way to its stream: the sockets, the disk and the clock around [`Session`].

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audio::{Happening, Party};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fragments::Lost;
use super::pool::{Lease, Pool};
use super::put_media::{self, Event};
use super::session::{Output, Session};
use super::verdict::Verdict;
use crate::call::Call;
use crate::http::Task;
use crate::rate::Narrowband;
use crate::sink::{Losses, Outcome};
use crate::spool::{Entry, Piece, Spool, Writer};

/// Fragments that are read ahead from disk.
const AHEAD: usize = 6;

/// The service takes five fragments of a stream in a second.
const FRAGMENT: Duration = Duration::from_millis(250);

/// Most streams that a call keeps, of those that it went through.
const KEPT: usize = 8;

/// One party's stream.
pub(super) struct Stream {
    pub(super) party: Party,
    pub(super) targets: Vec<Arc<Pool>>,
    pub(super) session: Session,
    pub(super) outcomes: mpsc::Sender<Outcome>,
    /// Streams that this call went through.
    pub(super) kept: Kept,
    pub(super) call: Arc<Call>,
    /// Where audio is kept that no target takes in time.
    pub(super) spool: Option<Spool>,
    pub(super) narrowband: Narrowband,
    pub(super) losses: Losses,
    pub(super) writer: Option<Writer>,
}

/// Streams of one call.
pub(super) type Kept = Arc<Mutex<VecDeque<Arc<Lease>>>>;

/// What a file of the spool says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) call: Call,
    pub(super) caller: bool,
}

/// Where a stream's audio comes from.
pub(super) enum Source {
    /// From the tap; `None`: it has ended.
    Live(Option<mpsc::Receiver<Happening>>),
    /// From disk, not faster than the service takes fragments.
    Spooled {
        entry: Entry,
        /// When the next piece is read.
        next: Instant,
        /// Where the fragment ends that it belongs to.
        until: Option<Duration>,
        /// All was read.
        over: bool,
        /// Not all could be read.
        torn: bool,
    },
}

impl Source {
    /// What comes next; `None`: nothing any more. Waits for ever after that.
    ///
    /// - `fragments`: so many wait for the service.
    async fn next(&mut self, fragments: usize) -> Option<Happening> {
        match self {
            Self::Live(receiver) => {
                let Some(open) = receiver else { return std::future::pending().await };
                let happening = open.recv().await;
                if happening.is_none() {
                    *receiver = None;
                }
                happening
            }
            Self::Spooled { over: true, .. } => std::future::pending().await,
            Self::Spooled { .. } if fragments >= AHEAD => std::future::pending().await,
            Self::Spooled { entry, next, until, over, torn } => {
                sleep_until(*next).await;
                let piece = entry.next_piece();
                *torn = piece.is_err();
                let Ok(Some(Piece { start, rate, samples })) = piece else {
                    *over = true;
                    return None;
                };
                if until.is_none_or(|until| start >= until) {
                    *until = Some(start + Duration::from_secs(1));
                    *next = Instant::now() + FRAGMENT;
                }
                Some(Happening::Frame { party: Party::Caller, start, rate, samples, concealed: false })
            }
        }
    }
}

/// A session of the service: what comes of it, and the task that runs it.
type Events = Option<(mpsc::Receiver<Event>, Task)>;

impl Stream {
    /// Until all is said. Returns the source, and whether the service has all of it that it would take.
    pub(super) async fn run(mut self, mut source: Source) -> (Source, bool) {
        let mut events: Events = None;
        let mut body: Option<mpsc::Sender<Bytes>> = None;
        let mut leases: HashMap<usize, Arc<Lease>> = HashMap::new();
        let mut target = 0;
        loop {
            let now = Instant::now().into_std();
            let mut full = false;
            if let Some(body) = &body {
                loop {
                    let Ok(permit) = body.try_reserve() else {
                        // Who closed it will say so.
                        full = !body.is_closed();
                        break;
                    };
                    let Some(bytes) = self.session.poll_write(now) else { break };
                    permit.send(bytes);
                }
            }
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Connect { target: to, without } => {
                        target = to;
                        let lease = leases.remove(&to).filter(|_| without != Verdict::OtherStream);
                        if without == Verdict::Endpoint
                            && let Some(lease) = &lease
                        {
                            lease.forget_endpoint();
                        }
                        // Streams of other targets are free again.
                        leases.clear();
                        leases.extend(lease.clone().map(|lease| (to, lease)));
                        let Some(pool) = self.targets.get(to).cloned() else { return (source, false) };
                        let (sender, receiver) = mpsc::channel(16);
                        body = None;
                        events = Some((receiver, Task(tokio::spawn(put_media::run(pool, lease, sender)))));
                    }
                    Output::Finish => body = None,
                    // The task goes first: an end of the body alone would look as if all had been said.
                    Output::Abort => (events, body) = (None, None),
                    Output::Started { fragment, time_ms } => {
                        let stream = leases.get(&target).map(|lease| lease.stream().arn.clone());
                        let (party, first_fragment) = (Some(self.party), Some(fragment));
                        self.tell(Outcome::Started { party, stream, first_fragment, time_ms: Some(time_ms) })
                            .await;
                    }
                    Output::Dropped { lost, audio } => {
                        if !self.keep_on_disk(lost, &audio) {
                            self.losses.add(self.party, lost.start, lost.duration);
                        }
                    }
                    Output::Failed { cause } => {
                        self.tell(Outcome::Failed { party: Some(self.party), cause }).await;
                    }
                    Output::Ended => {
                        self.losses.tell(None, &self.outcomes);
                        self.tell(Outcome::Ended { party: Some(self.party), dropped: self.losses.sum }).await;
                        return (source, !self.session.has_lost());
                    }
                }
            }
            self.losses.tell(Some(now), &self.outcomes);
            let (timeout, fragments) = (self.session.poll_timeout(), self.session.kept());
            tokio::select! {
                happening = source.next(fragments) => match happening {
                    Some(happening) => self.take(happening),
                    None => self.session.handle_end(Instant::now().into_std()),
                },
                event = next(&mut events) => {
                    let now = Instant::now().into_std();
                    match event {
                        Some(Event::Leased(lease)) => {
                            self.keep(lease.clone());
                            leases.insert(target, lease);
                        }
                        Some(Event::Open(sender)) => {
                            let mut uid = [0; 16];
                            let _ = getrandom::fill(&mut uid);
                            body = Some(sender);
                            self.session.handle_open(now, uid);
                        }
                        Some(Event::Said(said)) => self.session.handle_acknowledgement(now, said),
                        Some(Event::Closed) | None => {
                            (events, body) = (None, None);
                            self.session.handle_closed(now);
                        }
                        Some(Event::Failed(verdict, cause)) => {
                            (events, body) = (None, None);
                            self.session.handle_failure(now, verdict, cause);
                        }
                    }
                }
                () = room(body.as_ref()), if full => {}
                () = sleep_until(timeout.unwrap_or_else(std::time::Instant::now).into()), if timeout.is_some() => {
                    self.session.handle_timeout(Instant::now().into_std());
                }
            }
        }
    }

    fn take(&mut self, happening: Happening) {
        let now = Instant::now().into_std();
        match happening {
            Happening::Frame { start, rate, samples, .. } => {
                if let Some(samples) = self.narrowband.take(rate, samples) {
                    self.session.handle_audio(now, start, Narrowband::RATE, samples);
                }
            }
            Happening::Dropped { party, start, duration } => self.losses.add(party, start, duration),
            Happening::Digit { .. } | Happening::Hold { .. } => {}
        }
    }

    /// A stream of this call is nobody's before both parties are done: the other one's audio, of the same times, must not
    /// follow in it.
    fn keep(&self, lease: Arc<Lease>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.iter().any(|other| Arc::ptr_eq(other, &lease)) {
            kept.push_back(lease);
        }
        while kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// Whether the audio is safe on disk.
    fn keep_on_disk(&mut self, lost: Lost, audio: &[Piece]) -> bool {
        let Some(spool) = self.spool.as_ref().filter(|_| !audio.is_empty()) else { return false };
        let writer = match self.writer.take() {
            Some(writer) => Ok(writer),
            None => {
                let header = Header { call: (*self.call).clone(), caller: self.party == Party::Caller };
                let header = serde_json::to_vec(&header).unwrap_or_default();
                spool.begin(self.call.epoch_ms(Duration::ZERO), &header)
            }
        };
        let kept = writer.and_then(|mut writer| {
            let pushed = audio.iter().try_for_each(|piece| writer.push(piece));
            self.writer = Some(writer);
            pushed
        });
        match &kept {
            Err(error) => tracing::warn!(%error, "audio cannot be kept on disk"),
            Ok(()) => {
                let (party, start, duration) = (self.party, lost.start, lost.duration);
                // A gateway that does not listen is not waited for.
                let _ = self.outcomes.try_send(Outcome::Dropped { party, start, duration, on_disk: true });
            }
        }
        kept.is_ok()
    }

    async fn tell(&self, outcome: Outcome) {
        // Nobody listens any more: then nobody needs to know.
        let _ = self.outcomes.send(outcome).await;
    }
}

/// What the session of the service says next.
async fn next(events: &mut Events) -> Option<Event> {
    match events {
        Some((events, _)) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// There is room for another part of the body, or it is closed.
async fn room(body: Option<&mpsc::Sender<Bytes>>) {
    match body {
        Some(body) => drop(body.reserve().await),
        None => std::future::pending().await,
    }
}
