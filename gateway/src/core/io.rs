//! What goes into a shard's machine and what comes out of it.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use sip::Message;
use sip::transaction::Owner;
use uuid::Uuid;

use super::{Live, Word};
use crate::clock::Now;
use crate::media::{Command, MediaEvent};
use crate::peer::{ConnectionId, Peer, Source};
use crate::question::{Answer, Question, QuestionId};
use crate::record::{AnsweredCall, CallKey, Record};
use crate::resolve::{Lookup, ResolveError};
use crate::sound::{Change, Listen};

/// Which question an answer belongs to; the machine's own numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueryId(pub u64);

/// A call that was up when an earlier run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrphanCall {
    /// Its legs, as [`Effect::Answered`] gave them.
    pub state: Vec<u8>,
    /// What the journal has of it, an entry for each connector.
    pub entries: Vec<CallKey>,
}

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// A message of this shard's, structurally whole: neither `check`ed nor marked with `received` yet.
    Message {
        /// Where it came from.
        source: Source,
        /// The message as it came.
        message: Message,
    },
    /// A message that another shard handed on: [`Effect::Forward`].
    HandedOn {
        /// Where it came from.
        source: Source,
        /// The message as it came.
        message: Message,
        /// How many shards have handed it on.
        hops: u8,
    },
    /// A message of `owner` could not be sent, or the connection that carried a request was lost before its final
    /// response: no route, port unreachable, connection refused, lost or overflowed. May name a transaction that
    /// ended meanwhile. Never [`Owner::Stateless`].
    SendFailed {
        /// The transaction that asked for the sending.
        owner: Owner,
    },
    /// A connection of [`Output::Watch`] has ended, or had already.
    ConnectionEnded(ConnectionId),
    /// The answer to [`Output::Resolve`].
    Resolved {
        /// The question.
        query: QueryId,
        /// Addresses in the order in which they should be tried; never empty.
        result: Result<Vec<SocketAddr>, ResolveError>,
    },
    /// A word from the media workers.
    Media(MediaEvent),
    /// [`Output::MakeRoom`] of another shard.
    MakeRoom {
        /// So many shards had no call that could give way.
        asked: u16,
    },
    /// An [`Effect::Answered`] is in the journal, or can't be: the call goes on either way.
    Journaled {
        /// The call, as it was given.
        call: u64,
    },
    /// A new configuration holds for what begins from now on.
    Configuration {
        /// The configuration.
        live: Arc<Live>,
        /// Gone once it holds: whoever has the other end may wait for that.
        taken: Option<mpsc::Sender<()>>,
    },
    /// What another shard tells by [`Effect::Tell`] or [`Effect::Left`].
    Word(Word),
    /// An [`Effect::Tell`] of this shard's that could not be delivered.
    Untold(Word),
    /// A call that an earlier run left up: hang its legs up, and say so by [`Effect::HungUp`].
    Orphan(OrphanCall),
    /// What an operator asks; answered by [`Effect::Answer`]: in the same turn, but where media workers have to be asked.
    Question {
        /// Comes back with the answer.
        id: QuestionId,
        /// The question.
        question: Question,
    },
    /// No new calls from now on but emergencies; [`Effect::Drained`] when the last call is gone.
    Drain,
    /// Hang up whatever is left, with a reason; then [`Effect::Drained`].
    Stop,
}

/// What the outside is asked to do.
#[derive(Debug)]
pub enum Output {
    /// Send a message.
    Transmit {
        /// The message.
        message: Message,
        /// Where to.
        peer: Peer,
        /// Who hears of a failure; [`Owner::Stateless`]: nobody.
        owner: Owner,
    },
    /// Look up a name; always answered by [`Input::Resolved`].
    Resolve {
        /// Comes back with the answer.
        query: QueryId,
        /// The question.
        lookup: Lookup,
    },
    /// An emergency call finds no media ports, and no call of this shard can give way: the next shard hears
    /// [`Input::MakeRoom`], until all were asked.
    MakeRoom {
        /// So many shards had none, this one too.
        asked: u16,
    },
    /// Tell when a connection ends: answered by [`Input::ConnectionEnded`], once for each connection.
    Watch(ConnectionId),
    /// Do what the driver does not do itself.
    Effect(Effect),
}

/// What a machine wants of the outside beside messages and names.
#[derive(Debug)]
pub enum Effect {
    /// A word to the media workers.
    Media(Command),
    /// The sound of a call is wanted from now on.
    Listen(Box<Listen>),
    /// What becomes of a call that is listened to changes.
    Recordings {
        /// The call.
        transaction_id: Uuid,
        /// How.
        change: Change,
    },
    /// Write something down.
    Record(Record),
    /// Put an answered call into the journal, one entry for each connector; always answered by
    /// [`Input::Journaled`], upon which its 200 leaves.
    Answered {
        /// The call, in this core's own numbering.
        call: u64,
        /// What a restart must know.
        entries: Vec<AnsweredCall>,
    },
    /// Put a call that rings into the journal, one entry for each connector: nobody waits for it, and it may be left out where
    /// there is no room.
    Rings {
        /// Whether it is a call for help, which is never left out.
        emergency: bool,
        /// What a restart must know. Replaced by [`Effect::Answered`], ended by the record.
        entries: Vec<AnsweredCall>,
    },
    /// An [`Input::Orphan`], or a call that ended by [`Record::HangingUp`], is hung up: both parties have answered their BYE or
    /// will not, so no later start need try.
    HungUp {
        /// What the journal has of it.
        entries: Vec<CallKey>,
    },
    /// Tell another shard something: [`Input::Word`] there, in the order in which it was told; or [`Input::Untold`] here.
    Tell {
        /// The shard.
        shard: u16,
        /// The word.
        word: Word,
    },
    /// Tell every shard that the leg with this tag is over: [`Word::Left`].
    Left {
        /// The tag.
        tag: String,
    },
    /// Hand a message on to another shard, as [`Input::HandedOn`]; here, with all hops, where there is no such shard.
    Forward {
        /// The shard.
        shard: u16,
        /// Where the message came from.
        source: Source,
        /// The message as it came.
        message: Message,
        /// How many shards have handed it on, this one included.
        hops: u8,
    },
    /// What is said to an [`Input::Question`].
    Answer {
        /// The question.
        question: QuestionId,
        /// What it asked for.
        answer: Box<Answer>,
    },
    /// After [`Input::Drain`]: the last call is gone.
    Drained,
}

/// A sans-IO machine as the driver of a shard sees it.
///
/// After every `handle_*` the driver calls `poll_output` until it gives `None`, then waits for the next input or for
/// the instant of `poll_timeout`.
pub trait Machine {
    /// Something happened.
    fn handle(&mut self, now: Now, input: Input);
    /// Time passed; early or repeated calls are harmless.
    fn handle_timeout(&mut self, now: Now);
    /// The next thing to do; drained to `None` after every mutation.
    fn poll_output(&mut self) -> Option<Output>;
    /// When to wake; `None` when idle.
    fn poll_timeout(&self) -> Option<Instant>;
}
