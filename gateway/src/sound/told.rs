//! What is told of a call that is streamed: an event for each thing that becomes of a stream, and its streaming detail record. Reads no
//! clock.

use std::collections::BTreeMap;

use audio::Party;
use streaming::Outcome;
use streaming::event::{Headers, Sdp, Stream};
use time::OffsetDateTime;

use crate::record::{StreamedCall, StreamingNews};

/// What an INVITE says that its streams' events repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invite {
    /// Its header fields, where the customer sent it.
    pub headers: Option<Headers>,
    /// The metadata of a recording session, XML.
    pub metadata: Option<String>,
    /// Where a recording session has the caller's and the callee's audio.
    pub sdp: [Option<Sdp>; 2],
}

/// Where it is told: says whether there was room for it.
pub(crate) type Tell = Box<dyn FnMut(StreamingNews) -> bool + Send>;

/// A stream: the number of its sink, and whose audio it has.
type Key = (usize, Option<bool>);

/// See the module. One for each connector of a call.
pub(crate) struct Told {
    call: StreamedCall,
    invite: Invite,
    /// The sinks that may still say something.
    sinks: usize,
    /// Those that were told to have started.
    live: BTreeMap<Key, Stream>,
    /// Those that are not there, and why.
    failed: BTreeMap<Key, String>,
    tell: Tell,
}

impl Told {
    /// - `sinks`: how many there are; each is [`done`](Told::done) once.
    pub(crate) fn new(call: StreamedCall, invite: Invite, sinks: usize, tell: Tell) -> Told {
        Told { call, invite, sinks, live: BTreeMap::new(), failed: BTreeMap::new(), tell }
    }

    /// What came of a stream.
    ///
    /// - `at_ms`: now, since the Unix epoch.
    /// - `sink`: its number.
    pub(crate) fn handle(&mut self, at_ms: u64, sink: usize, outcome: &Outcome) {
        match outcome {
            Outcome::Started { party, stream, first_fragment, time_ms } => {
                let key = key(sink, *party);
                let target = stream.as_deref().unwrap_or_default();
                // A session that was renewed goes on with the same stream.
                if self.live.get(&key).is_none_or(|live| live.stream_arn != target) {
                    self.end(at_ms, key);
                    let began = time(time_ms.unwrap_or(at_ms));
                    self.start(at_ms, key, target, first_fragment.as_deref(), began);
                }
            }
            Outcome::Failed { party, cause } => self.fail(at_ms, key(sink, *party), cause),
            Outcome::Ended { party, .. } => self.end(at_ms, key(sink, *party)),
            Outcome::Dropped { .. } | Outcome::Play { .. } | Outcome::Clear { .. } => {}
        }
    }

    /// The call was changed: by a re-INVITE, or by other metadata of a recording session.
    pub(crate) fn update(&mut self, at_ms: u64, headers: Headers, metadata: Option<String>) {
        if !self.live.is_empty() {
            let mut call = self.call.clone();
            let event = call.updated(headers, metadata, at_ms);
            self.say(call, event, false);
        }
    }

    /// The sink has said all. After the last one the call is streamed no more.
    pub(crate) fn done(&mut self, at_ms: u64, sink: usize) {
        let left: Vec<Key> = self.live.keys().filter(|(of, _)| *of == sink).copied().collect();
        // Its last words were lost.
        left.into_iter().for_each(|key| self.fail(at_ms, key, "Internal failure"));
        self.sinks = self.sinks.saturating_sub(1);
        if self.sinks == 0 && self.call.has_events() {
            let failure = self.failed.values().next().map(String::as_str);
            (self.tell)(StreamingNews::Over(self.call.over(at_ms, failure)));
        }
    }

    fn start(&mut self, at_ms: u64, key: Key, target: &str, fragment: Option<&str>, began: OffsetDateTime) {
        let is_caller = key.1;
        let mut stream = Stream::new(&self.call.call, is_caller, target, fragment, began);
        stream.invite_headers.clone_from(&self.invite.headers);
        stream.siprec_metadata.clone_from(&self.invite.metadata);
        let [caller, callee] = &self.invite.sdp;
        stream.sdp = is_caller.and_then(|is_caller| if is_caller { caller.clone() } else { callee.clone() });
        self.failed.remove(&key);
        let mut call = self.call.clone();
        let event = call.started(stream.clone(), at_ms);
        if self.say(call, event, false) {
            self.live.insert(key, stream);
        }
    }

    fn end(&mut self, at_ms: u64, key: Key) {
        if let Some(stream) = self.live.remove(&key) {
            let mut call = self.call.clone();
            let event = call.ended(stream, at_ms);
            self.say(call, event, true);
        }
    }

    fn fail(&mut self, at_ms: u64, key: Key, cause: &str) {
        let mut call = self.call.clone();
        let was_live = self.live.remove(&key).is_some();
        // One that cannot be had is told of once, however often it is tried.
        let is_known = self.failed.insert(key, cause.to_owned()).is_some();
        if was_live {
            let event = call.lost(cause, at_ms);
            self.say(call, event, true);
        } else if !is_known {
            let event = call.failed(cause, at_ms);
            self.say(call, event, false);
        }
    }

    /// Says whether there was room for it; where there was none, nothing has happened.
    fn say(&mut self, call: StreamedCall, event: crate::record::StreamingEvent, is_end: bool) -> bool {
        let told = (self.tell)(StreamingNews::Event { call: call.clone(), event, is_end });
        if told {
            self.call = call;
        }
        told
    }
}

fn key(sink: usize, party: Option<Party>) -> Key {
    (sink, party.map(|party| party == Party::Caller))
}

fn time(unix_ms: u64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
