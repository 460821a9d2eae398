//! The thread that hears all calls that are listened to.

use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use audio::{Listener, Party, Settings};
use rtp::relay::TapReader;
use smol_str::SmolStr;
use uuid::Uuid;

use super::recording::{Files, Recording};
use super::streams::{Opened, Streams};
use super::{Change, Listen, Streamed};
use crate::clock::Now;
use crate::direction::Direction;

/// How often rings are looked at: nobody wakes this thread for a packet.
const TURN: Duration = Duration::from_millis(20);

/// How often a new configuration is looked for while nobody speaks.
const IDLE: Duration = Duration::from_secs(1);

/// What the engine is told.
pub(super) enum Word {
    Begin(Box<Begun>),
    Change(Uuid, Change),
}

/// A call that is listened to from now on.
pub(super) struct Begun {
    pub listen: Listen,
    /// Where the caller and the callee are heard.
    pub readers: [TapReader; 2],
}

struct Heard {
    transaction_id: Uuid,
    began: Instant,
    readers: [TapReader; 2],
    listener: Listener,
    recordings: Vec<Recording>,
    streams: Vec<Opened>,
}

pub(super) struct Engine {
    inbox: Receiver<Word>,
    files: Files,
    streams: Streams,
    calls: Vec<Heard>,
    /// A payload that was read last.
    payload: Vec<u8>,
}

impl Engine {
    pub fn new(inbox: Receiver<Word>, files: Files, streams: Streams) -> Engine {
        Engine { inbox, files, streams, calls: Vec::new(), payload: Vec::new() }
    }

    /// Runs until nobody can tell it anything any more; then all calls end here.
    pub fn run(mut self) {
        self.streams.look();
        let mut turn = Instant::now();
        loop {
            if self.calls.is_empty() {
                match self.inbox.recv_timeout(IDLE) {
                    Ok(word) => self.obey(word),
                    Err(RecvTimeoutError::Timeout) => {
                        self.streams.look();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return self.end(),
                }
                turn = Instant::now();
            }
            turn += TURN;
            match self.inbox.recv_timeout(turn.saturating_duration_since(Instant::now())) {
                Ok(word) => {
                    self.obey(word);
                    turn -= TURN;
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            self.hear(Instant::now());
            // Where it is behind, it does not try to make up for turns.
            turn = turn.max(Instant::now() - TURN);
        }
    }

    fn obey(&mut self, word: Word) {
        match word {
            Word::Begin(begun) => self.begin(*begun),
            Word::Change(transaction_id, change) => {
                let files = &self.files;
                for call in self.calls.iter_mut().filter(|call| call.transaction_id == transaction_id) {
                    match &change {
                        Change::Updated(update) => call.streams.iter().for_each(|one| one.update(update)),
                        Change::Begin(now, recorded) => {
                            call.recordings.extend(recordings(files, transaction_id, *now, recorded));
                        }
                        Change::End => call.recordings.drain(..).for_each(Recording::end),
                        Change::Pause(paused) => {
                            let at = Instant::now().saturating_duration_since(call.began);
                            call.recordings.iter_mut().for_each(|recording| recording.pause(at, *paused));
                        }
                    }
                }
            }
        }
    }

    fn begin(&mut self, Begun { listen, readers }: Begun) {
        let Listen { transaction_id, now, recorded, streamed, caller, callee, .. } = listen;
        let mut streams = Vec::new();
        for Streamed { connector, call_id, direction, invite } in streamed {
            let call = streaming::Call {
                transaction_id,
                connector,
                call_id,
                direction: match direction {
                    Direction::Inbound => streaming::Direction::Inbound,
                    Direction::Outbound => streaming::Direction::Outbound,
                },
                from: caller.clone(),
                to: callee.clone(),
                answered: UNIX_EPOCH + now.unix,
            };
            streams.extend(self.streams.open(call, invite));
        }
        self.calls.push(Heard {
            transaction_id,
            began: now.instant,
            readers,
            listener: Listener::new(Settings::default()),
            recordings: recordings(&self.files, transaction_id, now, &recorded).collect(),
            streams,
        });
    }

    fn hear(&mut self, now: Instant) {
        let payload = &mut self.payload;
        self.calls.retain_mut(|call| !call.hear(now, payload));
    }

    /// The gateway ends: its calls are over as far as anybody listens.
    fn end(mut self) {
        while let Ok(word) = self.inbox.try_recv().map_err(|_: TryRecvError| ()) {
            self.obey(word);
        }
        let now = Instant::now();
        for mut call in std::mem::take(&mut self.calls) {
            if !call.hear(now, &mut self.payload) {
                call.finish(now);
            }
        }
        self.streams.end();
    }
}

fn recordings(
    files: &Files,
    transaction_id: Uuid,
    now: Now,
    recorded: &[(SmolStr, u32)],
) -> impl Iterator<Item = Recording> {
    let one = move |(connector, rate): &(SmolStr, u32)| {
        Recording::new(files, transaction_id, connector, now.unix, *rate)
    };
    recorded.iter().filter_map(one)
}

impl Heard {
    /// Returns whether the call is over.
    fn hear(&mut self, now: Instant, payload: &mut Vec<u8>) -> bool {
        // Asked first: what was written before the other end went is read.
        let over = self.readers.iter().all(TapReader::is_over);
        for (party, reader) in [Party::Caller, Party::Callee].into_iter().zip(&mut self.readers) {
            while let Some(tapped) = reader.read(payload) {
                self.listener.handle(party, &tapped, payload);
            }
        }
        if over {
            self.finish(now);
            return true;
        }
        self.listener.handle_timeout(now.saturating_duration_since(self.began));
        self.give();
        false
    }

    fn finish(&mut self, now: Instant) {
        self.listener.finish(now.saturating_duration_since(self.began));
        self.give();
        self.recordings.drain(..).for_each(Recording::end);
        self.streams.clear();
    }

    fn give(&mut self) {
        while let Some(happening) = self.listener.poll() {
            for recording in &mut self.recordings {
                recording.take(&happening);
            }
            for input in self.streams.iter().flat_map(|opened| &opened.inputs) {
                // What it has no room for is counted by who hears of the sink.
                input.try_send(happening.clone());
            }
        }
    }
}
