//! The files of recordings, and the thread that writes them: a disk may hang, and nobody waits for it.
//!
//! A file's header is made true again with each chunk, so that what a crash leaves is a file that plays.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use config::Config;
use hound::{SampleFormat, WavSpec, WavWriter};

use super::shelf;
use crate::clock::Now;
use crate::metrics::{Metrics, SoundMetrics};

/// Files to be opened, and chunks, that wait for the disk: a quarter of a minute of fifty calls.
const CHUNKS: usize = 2_048;
/// What a file in this format can hold: its sizes have 32 bits.
const LARGEST: u64 = 4_000_000_000;
/// How often it is looked whether a disk that failed takes files again.
const PROBE: Duration = Duration::from_secs(2);
/// How often old files are removed.
const SWEEP: Duration = Duration::from_secs(3600);

/// Which file; a number of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileId(u64);

/// Whether calls can be recorded. A clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// The last file that was tried could not be written.
    failed: AtomicBool,
    /// A thread that recordings need is gone.
    gone: AtomicBool,
}

/// Kept by a thread that recordings need for as long as it runs.
pub struct Watch(Health);

impl Health {
    /// The last file that was tried could not be written, or a thread that recordings need has panicked: that one for good.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.failed.load(Relaxed) || self.0.gone.load(Relaxed)
    }

    /// A file could not be written, or one could again.
    pub(crate) fn set(&self, broken: bool) {
        self.0.failed.store(broken, Relaxed);
    }

    /// For a thread without which nothing is recorded: a panic of it breaks this.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch(self.clone())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.gone.store(true, Relaxed);
            tracing::error!(
                "a thread of the sound of calls has panicked: no call is recorded or streamed until a restart"
            );
        }
    }
}

/// The way to the files' thread. A clone is the same.
#[derive(Clone)]
pub struct Files {
    to_writer: Sender<Word>,
    waiting: Arc<AtomicUsize>,
    next: Arc<AtomicU64>,
    metrics: Metrics,
}

enum Word {
    Open { file: FileId, name: String, rate: u32, metrics: SoundMetrics },
    Write { file: FileId, silence: usize, samples: Vec<i16> },
    Close { file: FileId },
}

impl Files {
    pub fn new(
        directory: PathBuf,
        config: Arc<ArcSwap<Config>>,
        metrics: Metrics,
        health: Health,
    ) -> (Files, Writer) {
        let (to_writer, inbox) = channel();
        let waiting = Arc::<AtomicUsize>::default();
        let files = Files { to_writer, waiting: waiting.clone(), next: Arc::default(), metrics };
        let (failed, open, sweeping) = (None, HashMap::new(), None);
        (files, Writer { directory, config, inbox, waiting, health, failed, open, sweeping })
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A new file, `name` below the directory. `None`: there is no room for more that waits for the disk; it has failed.
    pub fn open(&self, name: String, rate: u32, metrics: SoundMetrics) -> Option<FileId> {
        if self.is_full() {
            metrics.failed();
            tracing::error!(name, "a call is not recorded: too much waits for the disk");
            return None;
        }
        let file = FileId(self.next.fetch_add(1, Relaxed));
        self.waiting.fetch_add(1, Relaxed);
        let _ = self.to_writer.send(Word::Open { file, name, rate, metrics });
        Some(file)
    }

    /// Samples of both parties in turn, after so many pairs of silence. Returns whether there is room for them.
    pub fn write(&self, file: FileId, silence: usize, samples: Vec<i16>) -> bool {
        if self.is_full() {
            return false;
        }
        self.waiting.fetch_add(1, Relaxed);
        self.to_writer.send(Word::Write { file, silence, samples }).is_ok()
    }

    /// Whether more wait for the disk than there is room for.
    pub fn is_full(&self) -> bool {
        self.waiting.load(Relaxed) >= CHUNKS
    }

    pub fn close(&self, file: FileId) {
        let _ = self.to_writer.send(Word::Close { file });
    }
}

struct Open {
    wav: WavWriter<BufWriter<File>>,
    path: PathBuf,
    metrics: SoundMetrics,
    /// Pairs of samples.
    length: u64,
}

/// What the thread does.
pub struct Writer {
    directory: PathBuf,
    config: Arc<ArcSwap<Config>>,
    inbox: Receiver<Word>,
    waiting: Arc<AtomicUsize>,
    health: Health,
    /// Where a file could not be written, and when to try it again.
    failed: Option<(PathBuf, Instant)>,
    open: HashMap<FileId, Open>,
    /// Who removes old files.
    sweeping: Option<JoinHandle<()>>,
}

impl Writer {
    /// Until nobody can tell it anything any more; what is open then is closed.
    pub fn run(mut self) {
        let mut sweep = Instant::now();
        loop {
            match self.inbox.recv_timeout(PROBE) {
                Ok(word) => self.obey(word),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = Instant::now();
            self.probe(now);
            if sweep <= now {
                sweep = now + SWEEP;
                self.sweep();
            }
        }
        for (_, open) in self.open.drain() {
            close(open);
        }
    }

    /// Removes old files on a thread that ends with that, one at a time: it may take long, and recordings go on.
    fn sweep(&mut self) {
        if self.sweeping.as_ref().is_some_and(|thread| !thread.is_finished()) {
            return;
        }
        let (directory, config) = (self.directory.clone(), self.config.load_full());
        let thread = std::thread::Builder::new().name("old-recordings".to_owned());
        match thread.spawn(move || shelf::sweep(&directory, &config, Now::read().unix)) {
            Ok(thread) => self.sweeping = Some(thread),
            Err(error) => tracing::error!(%error, "there is no thread to remove old recordings"),
        }
    }

    fn obey(&mut self, word: Word) {
        match word {
            Word::Open { file, name, rate, metrics } => {
                self.waiting.fetch_sub(1, Relaxed);
                let path = self.directory.join(name);
                match create(&path, rate) {
                    Ok(wav) => {
                        self.health.set(false);
                        self.failed = None;
                        self.open.insert(file, Open { wav, path, metrics, length: 0 });
                    }
                    Err(error) => self.failed(&path, &metrics, &error),
                }
            }
            Word::Write { file, silence, samples } => {
                self.waiting.fetch_sub(1, Relaxed);
                let Some(open) = self.open.get_mut(&file) else { return };
                if let Err(error) = open.write(silence, &samples)
                    && let Some(open) = self.open.remove(&file)
                {
                    self.failed(&open.path, &open.metrics, &error);
                }
            }
            Word::Close { file } => {
                if let Some(open) = self.open.remove(&file) {
                    close(open);
                }
            }
        }
    }

    fn failed(&mut self, path: &Path, metrics: &SoundMetrics, error: &hound::Error) {
        self.health.set(true);
        self.failed = path.parent().map(|parent| (parent.to_owned(), Instant::now() + PROBE));
        metrics.failed();
        tracing::error!(path = %path.display(), %error, "a call is not recorded any more");
    }

    /// Tries, now and then, whether there is a place to write to again.
    fn probe(&mut self, now: Instant) {
        let Some((directory, at)) = self.failed.as_mut().filter(|(_, at)| *at <= now) else { return };
        let path = directory.join(".probe");
        let takes = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, [0; 4096]));
        let _ = fs::remove_file(&path);
        if takes.is_ok() {
            tracing::info!(directory = %directory.display(), "calls can be recorded again");
            self.health.set(false);
            self.failed = None;
        } else {
            *at = now + PROBE;
        }
    }
}

impl Open {
    /// Samples of both parties in turn, after so many pairs of silence.
    fn write(&mut self, silence: usize, samples: &[i16]) -> Result<(), hound::Error> {
        let before = self.length;
        self.length += (silence + samples.len() / 2) as u64;
        if self.length * 4 > LARGEST {
            if before * 4 <= LARGEST {
                tracing::warn!(path = %self.path.display(), "a recording is as long as its format lets it be");
            }
            return Ok(());
        }
        for sample in std::iter::repeat_n(&0, silence * 2).chain(samples) {
            self.wav.write_sample(*sample)?;
        }
        self.wav.flush()
    }
}

/// What can't be closed has a header that was true with its last chunk.
fn close(open: Open) {
    let path = open.path;
    if let Err(error) = open.wav.finalize() {
        tracing::error!(path = %path.display(), %error, "a recording could not be closed");
    }
}

/// Readable for the gateway's user alone: it is what people said.
fn create(path: &Path, rate: u32) -> Result<WavWriter<BufWriter<File>>, hound::Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(0o640).open(path)?;
    let spec =
        WavSpec { channels: 2, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut wav = WavWriter::new(BufWriter::new(file), spec)?;
    wav.flush()?;
    Ok(wav)
}
