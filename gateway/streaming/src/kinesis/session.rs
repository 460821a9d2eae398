//! One party's audio on its way to a stream: sessions one after another, until the call is over and the service has all of it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::acknowledgement::Acknowledgement;
use super::fragments::{Fragments, Lengths, Lost, Next};
use super::verdict::Verdict;
use crate::backoff::Backoff;
use crate::call::Call;
use crate::health::Health;
use crate::mkv;
use crate::spool::Piece;

/// The service closes a session after 45 minutes: a new one is begun before.
const RENEWAL: Duration = Duration::from_secs(40 * 60);

/// To get a stream and a connection.
const CONNECT: Duration = Duration::from_secs(20);

/// The service closes a session after 30 s without data: without audio for so long, we do.
const IDLE: Duration = Duration::from_secs(10);

/// For the last acknowledgements, once the stream's body has ended.
const FINISH: Duration = Duration::from_secs(5);

/// After the call, what the service has not acknowledged is tried for so long; and for so long where the rest is kept on disk.
const LINGER: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(5)];

/// So many failures in a row without a fragment acknowledged, and another target is taken.
const FAILURES: u32 = 3;

/// What the driver is to do or to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Get a session of a stream of that target.
    Connect {
        /// By its place in the order of priority.
        target: usize,
        /// What of the last session may not be used again: [`Verdict::Endpoint`] or [`Verdict::OtherStream`].
        without: Verdict,
    },
    /// End the body of the session: there is nothing more.
    Finish,
    /// Close the session, whatever it is doing.
    Abort,
    /// The service has begun to take the audio.
    Started {
        /// The first fragment's number.
        fragment: String,
        /// Its time, milliseconds since the Unix epoch.
        time_ms: u64,
    },
    /// Audio is lost: the service was too slow, away, or refused it.
    Dropped {
        /// From when, how long.
        lost: Lost,
        /// What may still be kept elsewhere; nothing where it was refused, or nobody would.
        audio: Vec<Piece>,
    },
    /// The stream has failed, or none could be had.
    Failed {
        /// Why.
        cause: String,
    },
    /// All is said and done.
    Ended,
}

/// How the audio is sent.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Of fragments, and of what is kept.
    pub lengths: Lengths,
    /// Whether the streams keep what they get: a fragment is safe when it is persisted, not when it is received.
    pub retained: bool,
    /// A service that acknowledges nothing of what it was sent for so long is away.
    pub patience: Duration,
    /// Whether audio that is lost is wanted elsewhere.
    pub spooled: bool,
    /// Random: spreads the waits of many sessions.
    pub spread: u8,
}

#[derive(Debug)]
enum State {
    /// There is nothing to send.
    Idle,
    /// The last try failed.
    Waiting {
        until: Instant,
    },
    Connecting {
        give_up: Instant,
    },
    Open {
        head: Option<Bytes>,
        rate: u32,
        since: Instant,
        heard: Instant,
        idle: bool,
    },
    /// The body has ended: the last acknowledgements may come.
    Finishing {
        give_up: Instant,
    },
    Over,
}

/// The machine.
#[derive(Debug)]
pub struct Session {
    settings: Settings,
    call: Arc<Call>,
    name: &'static str,
    health: Arc<Health>,
    fragments: Fragments,
    state: State,
    target: usize,
    without: Verdict,
    backoff: Backoff,
    /// The stream was told to have started.
    started: bool,
    /// Targets left since one worked.
    left: usize,
    /// That no target works was told.
    told: bool,
    last_audio: Instant,
    /// The call is over: no more audio comes. When the rest is given up.
    over: Option<Instant>,
    /// Audio was given up that the service has not refused.
    has_lost: bool,
    outputs: VecDeque<Output>,
}

impl Session {
    /// - `name`: of the track.
    /// - `health`: of the targets.
    #[must_use]
    pub fn new(
        now: Instant,
        settings: Settings,
        call: Arc<Call>,
        name: &'static str,
        health: Arc<Health>,
    ) -> Self {
        Self {
            settings,
            call,
            name,
            health,
            fragments: if settings.spooled {
                Fragments::new(settings.lengths).keeping_gone()
            } else {
                Fragments::new(settings.lengths)
            },
            state: State::Idle,
            target: 0,
            without: Verdict::Again,
            backoff: Backoff::default(),
            started: false,
            left: 0,
            told: false,
            last_audio: now,
            over: None,
            has_lost: false,
            outputs: VecDeque::new(),
        }
    }

    /// Audio came.
    pub fn handle_audio(&mut self, now: Instant, start: Duration, rate: u32, samples: Arc<[i16]>) {
        self.last_audio = now;
        if let Some(lost) = self.fragments.push(start, rate, samples) {
            self.has_lost = true;
            let audio = self.fragments.take_gone();
            self.outputs.push_back(Output::Dropped { lost, audio });
        }
        match &mut self.state {
            State::Idle => self.take_best(now),
            State::Open { idle, .. } => *idle = false,
            _ => {}
        }
    }

    /// No more audio comes: the call is over, or not streamed any more.
    pub fn handle_end(&mut self, now: Instant) {
        self.fragments.finish();
        let [linger, spooled] = LINGER;
        self.over.get_or_insert(now + if self.settings.spooled { spooled } else { linger });
        if matches!(self.state, State::Idle) {
            self.end();
        }
    }

    /// There is a session to write to.
    ///
    /// - `uid`: random, names the segment.
    pub fn handle_open(&mut self, now: Instant, uid: [u8; 16]) {
        if !matches!(self.state, State::Connecting { .. }) {
            return;
        }
        self.fragments.rewind();
        self.without = Verdict::Again;
        let rate = self.fragments.rate().unwrap_or(8_000);
        let head = Some(mkv::head(uid, self.name, rate));
        self.state = State::Open { head, rate, since: now, heard: now, idle: false };
    }

    /// The service said something.
    pub fn handle_acknowledgement(&mut self, now: Instant, acknowledgement: Acknowledgement) {
        match &mut self.state {
            State::Open { heard, .. } => *heard = now,
            State::Finishing { .. } => {}
            _ => return,
        }
        match acknowledgement {
            Acknowledgement::Buffering(fragment) => {
                if !self.started {
                    self.started = true;
                    let (fragment, time_ms) = (fragment.number, fragment.time_ms);
                    self.outputs.push_back(Output::Started { fragment, time_ms });
                }
            }
            Acknowledgement::Received(fragment) if !self.settings.retained => {
                self.acknowledged(fragment.time_ms)
            }
            Acknowledgement::Persisted(fragment) => self.acknowledged(fragment.time_ms),
            Acknowledgement::Received(_) | Acknowledgement::Idle => {}
            Acknowledgement::Error { time_ms, id, code } => {
                let verdict = Verdict::of_id(id);
                if verdict == Verdict::WithoutFragment
                    && let Some(time_ms) = time_ms
                    && let Some(lost) = self.fragments.refused(time_ms, |start| self.call.epoch_ms(start))
                {
                    self.outputs.push_back(Output::Dropped { lost, audio: Vec::new() });
                }
                self.fail(now, verdict, format!("{id} {code}"));
            }
        }
    }

    fn acknowledged(&mut self, time_ms: u64) {
        self.fragments.acknowledged(time_ms, |start| self.call.epoch_ms(start));
        self.backoff.succeeded();
        self.health.succeeded(self.target);
        self.told = false;
        self.left = 0;
    }

    /// The session was closed after its last word, as after the end of its body.
    pub fn handle_closed(&mut self, now: Instant) {
        match self.state {
            State::Finishing { .. } => self.finished(now),
            State::Open { .. } | State::Connecting { .. } => {
                self.fail(now, Verdict::Again, "the service closed the session".to_owned());
            }
            State::Idle | State::Waiting { .. } | State::Over => {}
        }
    }

    /// No session could be had, or it broke.
    pub fn handle_failure(&mut self, now: Instant, verdict: Verdict, cause: String) {
        match self.state {
            // All was said: what is not acknowledged is said again.
            State::Finishing { .. } if verdict == Verdict::Again => self.finished(now),
            State::Connecting { .. } | State::Open { .. } | State::Finishing { .. } => {
                self.fail(now, verdict, cause);
            }
            State::Idle | State::Waiting { .. } | State::Over => {}
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.over.is_some_and(|give_up| give_up <= now) && !matches!(self.state, State::Over) {
            self.outputs.push_back(Output::Abort);
            return self.end();
        }
        match &mut self.state {
            State::Open { heard, .. } if *heard + self.settings.patience <= now => {
                self.fail(now, Verdict::Target, "nothing was acknowledged in time".to_owned());
            }
            State::Open { idle, .. } => *idle |= self.last_audio + IDLE <= now,
            State::Waiting { until } if *until <= now => self.take_best(now),
            State::Connecting { give_up } if *give_up <= now => {
                self.fail(now, Verdict::Again, "no session in time".to_owned());
            }
            State::Finishing { give_up } if *give_up <= now => {
                self.outputs.push_back(Output::Abort);
                self.finished(now);
            }
            _ => {}
        }
    }

    /// When to come back; `None`: not before something happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let state = match self.state {
            State::Idle | State::Over => None,
            State::Waiting { until } => Some(until),
            State::Connecting { give_up } | State::Finishing { give_up } => Some(give_up),
            State::Open { heard, idle: true, .. } => Some(heard + self.settings.patience),
            State::Open { heard, .. } => Some((heard + self.settings.patience).min(self.last_audio + IDLE)),
        };
        let over = self.over.filter(|_| !matches!(self.state, State::Over));
        state.into_iter().chain(over).min()
    }

    /// What to do or to tell next; `None`: nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What to write next, when there is room for it; `None`: nothing yet. Outputs may follow from it.
    pub fn poll_write(&mut self, now: Instant) -> Option<Bytes> {
        let State::Open { head, rate, since, idle, .. } = &mut self.state else { return None };
        if let Some(head) = head.take() {
            return Some(head);
        }
        let (rate, since, idle) = (*rate, *since, *idle);
        let old = since + RENEWAL <= now && self.fragments.at_boundary();
        let all = (idle || self.over.is_some()) && self.fragments.written();
        if !(old || all) {
            let tags = [
                ("TransactionId", &*self.call.transaction_id.to_string()),
                ("VoiceConnectorId", &*self.call.connector),
            ];
            match self.fragments.next(rate, |start| self.call.epoch_ms(start), &tags)? {
                Next::Bytes(bytes) => return Some(bytes),
                Next::OtherRate(_) => {}
            }
        }
        if idle {
            self.fragments.finish();
        }
        self.state = State::Finishing { give_up: now + FINISH };
        self.outputs.push_back(Output::Finish);
        Some(mkv::end_of_fragment())
    }

    /// How many fragments are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.fragments.len()
    }

    /// Whether audio was given up that the service has not refused: it may take it another time.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.has_lost
    }

    fn take_best(&mut self, now: Instant) {
        // A stream that goes on stays where it is, while that works.
        let target = if self.started { Some(self.target) } else { self.health.best(now) };
        match target {
            Some(target) => {
                self.target = target;
                self.state = State::Connecting { give_up: now + CONNECT };
                self.outputs.push_back(Output::Connect { target, without: self.without });
            }
            None => {
                // Calls of other sinks may have made it fail since.
                let until = self.health.next(now).unwrap_or(now + CONNECT);
                self.state = State::Waiting { until };
                self.tell("no target works".to_owned());
            }
        }
    }

    fn fail(&mut self, now: Instant, verdict: Verdict, cause: String) {
        self.outputs.push_back(Output::Abort);
        let until = self.backoff.failed(now, self.settings.spread);
        self.without = verdict;
        if verdict == Verdict::Target || self.backoff.failures() > FAILURES {
            self.health.failed(self.target, now, self.settings.spread);
            self.leave(now, cause);
            return;
        }
        if verdict == Verdict::OtherStream && self.started {
            self.started = false;
            self.outputs.push_back(Output::Failed { cause });
        }
        self.state = State::Waiting { until };
    }

    /// The target is of no use: the next one by priority is.
    fn leave(&mut self, now: Instant, cause: String) {
        self.backoff = Backoff::default();
        self.without = Verdict::Again;
        self.left += 1;
        if self.started {
            self.started = false;
            self.told = true;
            self.outputs.push_back(Output::Failed { cause });
        } else if self.left >= self.health.targets() || self.health.best(now).is_none() {
            self.tell(cause);
        }
        self.take_best(now);
    }

    fn tell(&mut self, cause: String) {
        if !std::mem::replace(&mut self.told, true) {
            self.outputs.push_back(Output::Failed { cause });
        }
    }

    /// A session is over as it should be.
    fn finished(&mut self, now: Instant) {
        match (self.over, self.fragments.unacknowledged()) {
            (Some(_), None) => self.end(),
            (None, None) => self.state = State::Idle,
            (None, Some(_)) if self.last_audio + IDLE > now => self.take_best(now),
            (over, Some(_)) => {
                let until = self.backoff.failed(now, self.settings.spread);
                if self.backoff.failures() <= FAILURES {
                    self.state = State::Waiting { until };
                } else if over.is_some() {
                    self.end();
                } else {
                    self.give_up();
                    self.state = State::Idle;
                }
            }
        }
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.give_up();
        self.outputs.push_back(Output::Ended);
    }

    fn give_up(&mut self) {
        if let Some(lost) = self.fragments.give_up() {
            self.has_lost = true;
            let audio = self.fragments.take_gone();
            self.outputs.push_back(Output::Dropped { lost, audio });
        }
    }
}

#[cfg(test)]
mod tests;
