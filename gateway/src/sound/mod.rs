//! The sound of calls: taken from the media workers, decoded off them, and given to whoever wants it.
//!
//! ```text
//! media worker -> rtp::relay::Tap -> engine, a thread (audio::Listener) -> sinks
//!                                                                          recording -> files, a thread
//!                                                                          streams -> streaming, a thread
//! ```
//!
//! Nothing here makes a call wait: what a ring, or the files' thread, has no room for is dropped and counted.

mod engine;
mod reach;
mod recording;
mod streams;
pub(crate) mod told;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use config::Config;
use rtp::relay::Tap;
use smol_str::SmolStr;
use streaming::event::Headers;
use uuid::Uuid;

use crate::clock::Now;
use crate::direction::Direction;
use crate::media::{Command, MediaKey};
use crate::metrics::Metrics;
use crate::record::Recorder;
use engine::{Begun, Engine, Word};
pub use reach::{Reach, Reaches};
use recording::Files;
pub use recording::Health;
use streams::Streams;
pub use told::Invite;

/// Room for what a party says: a second and a half of G.711.
const RING: usize = 16 << 10;

/// A call whose sound is wanted from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The call.
    pub transaction_id: Uuid,
    /// Its media.
    pub key: MediaKey,
    /// Now: its time begins here.
    pub now: Now,
    /// The connectors whose recording it is, and the samples a second of their files.
    pub recorded: Vec<(SmolStr, u32)>,
    /// The connectors to whose sinks it is streamed.
    pub streamed: Vec<Streamed>,
    /// Who calls.
    pub caller: SmolStr,
    /// Who is called.
    pub callee: SmolStr,
}

/// A call as one connector has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streamed {
    /// Its id.
    pub connector: SmolStr,
    /// The Call-ID of its customer's leg.
    pub call_id: SmolStr,
    /// Seen from its customer.
    pub direction: Direction,
    /// What its customer's INVITE says.
    pub invite: Invite,
}

/// What becomes of a call that is listened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A connector's customer has changed it, by a re-INVITE or by other metadata of a recording session.
    Updated(Box<Update>),
    /// Its recordings begin, for these connectors and with so many samples a second.
    Begin(Now, Vec<(SmolStr, u32)>),
    /// They end.
    End,
    /// They are silent from now on, or not any more.
    Pause(bool),
}

/// A call was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// When.
    pub now: Now,
    /// Whose customer did it.
    pub connector: SmolStr,
    /// The header fields of its request.
    pub headers: Headers,
    /// The metadata of a recording session, XML.
    pub metadata: Option<String>,
}

/// What an operator wants of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordOrder {
    /// It begins, where it may.
    Start,
    /// It ends; another one may begin.
    Stop,
    /// What is said from now on is silence in it.
    Pause,
    /// It goes on.
    Resume,
}

/// What a media worker is to write to, once.
#[derive(Clone)]
pub struct Ear(Arc<Mutex<Option<Tap>>>);

impl Ear {
    /// The tap, for who comes first.
    pub fn take(&self) -> Option<Tap> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear")
    }
}

impl PartialEq for Ear {
    fn eq(&self, other: &Ear) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Ear {}

/// The way to the engine. A clone is the same.
#[derive(Clone)]
pub struct Sound {
    engine: Sender<Word>,
}

/// The threads behind it. They end when each [`Sound`] is gone, and what they have is written.
pub struct SoundThreads(Vec<JoinHandle<()>>);

impl Sound {
    /// Starts the threads.
    ///
    /// - `directory`: the records', where recordings go.
    /// - `recorder`: hears what becomes of streams.
    /// - `reaches`: learns which sinks take calls, of those that must.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        directory: PathBuf,
        config: Arc<ArcSwap<Config>>,
        metrics: Metrics,
        health: Health,
        recorder: Recorder,
        reaches: Reaches,
    ) -> io::Result<(Sound, SoundThreads)> {
        let streams = Streams::new(config.clone(), metrics.clone(), recorder, reaches);
        let [of_writer, of_engine] = [health.watch(), health.watch()];
        let (files, writer) = Files::new(directory, config, metrics, health);
        let (engine, inbox) = channel();
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let writer = named("recordings").spawn(move || {
            let _watch = of_writer;
            writer.run();
        })?;
        let engine_thread = named("sound").spawn(move || {
            let _watch = of_engine;
            Engine::new(inbox, files, streams).run();
        })?;
        Ok((Sound { engine }, SoundThreads(vec![engine_thread, writer])))
    }

    /// Listens to a call; returns what its media worker has to be told.
    pub fn listen(&self, listen: Listen) -> Command {
        let (tap, readers) = Tap::new(listen.now.instant, RING);
        let key = listen.key;
        // Where the engine is gone, which only a bug can do, the call goes on all the same.
        let _ = self.engine.send(Word::Begin(Box::new(Begun { listen, readers })));
        Command::Listen { key, ear: Ear(Arc::new(Mutex::new(Some(tap)))) }
    }

    /// Changes what becomes of a call that is listened to.
    pub fn change(&self, transaction_id: Uuid, change: Change) {
        let _ = self.engine.send(Word::Change(transaction_id, change));
    }
}

impl SoundThreads {
    /// Waits until all is written, once each [`Sound`] is gone.
    pub fn join(self) {
        for thread in self.0 {
            let _ = thread.join();
        }
    }
}
