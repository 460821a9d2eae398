//! What a call takes and what it puts out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sip::header::Replaces;
use sip::transaction::ServerId;
use sip::{Message, Name, StatusCode};
use smol_str::SmolStr;

use super::{GivenBack, Leg, LegRef, Lent, Newcomer, Route};
use crate::media::{Command, MediaEvent, Side};
use crate::peer::{Party, Peer, Source, Transport};
use crate::record::{AttemptDetail, EndedBy, Forward, Settled};
use crate::reply::Cause;
use crate::resolve::Lookup;
use crate::route::{RouteEnd, Via};

/// A client transaction, as the call numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u32);

/// Something that happened to a call.
#[derive(Debug)]
pub enum Event {
    /// A request inside one of the call's dialogs; never ACK or CANCEL.
    Request { leg: LegRef, server: ServerId, message: Message, source: Source },
    /// The INVITE of this server transaction was cancelled, by this CANCEL, which is answered.
    Cancelled { server: ServerId, message: Message },
    /// An ACK that belongs to a 2xx.
    Ack { leg: LegRef, message: Message, source: Source },
    /// A response to one of our requests, provisional and repeated ones too.
    Response { request: RequestId, message: Message, flow: Peer },
    /// No response will come.
    Failed { request: RequestId, cause: Failure },
    /// The client transaction is over; nothing more comes of it.
    Done { request: RequestId },
    /// The media workers' word.
    Media(MediaEvent),
    /// The addresses behind a name, best first; empty when there are none.
    Resolved { query: u32, addresses: Result<Vec<SocketAddr>, String> },
    /// The addresses behind a name in a session description; none: it is not known.
    MediaLocated { query: u32, addresses: Vec<SocketAddr> },
    /// The answered call is in the journal.
    Journaled,
    /// The answer to [`Action::AskToAnswer`].
    MayAnswer { may: bool },
    /// In the call that this one has recorded, the party of `side` holds the other one, or does not any more.
    Held { side: Side, held: bool },
    /// In that call somebody else is on that side now, whom this URI names.
    Comes { side: Side, aor: String },
    /// The newest [`Action::Admit`] was granted.
    Admitted,
    /// The newest [`Action::Admit`] was refused: the route has no room.
    Limited { cause: Cause },
    /// An INVITE with Replaces that names a dialog of this call.
    Newcomer(Box<Newcomer>),
    /// The REFER of [`Action::PassRefer`] goes on to the other party, which would dial this.
    PassesRefer { user: String },
    /// The call that a REFER in this one asked for came so far. 2xx: who is transferred has joined it; another final status:
    /// it failed.
    Progress { status: StatusCode },
    /// That call was accepted: it wants who is transferred.
    Taken,
    /// That call is over, for this cause.
    Over { cause: Cause },
    /// Who is transferred comes from the other call, to one that a REFER asked for and was accepted, or after
    /// [`Event::Replace`]. A 2xx
    /// [`Action::Progress`] once it has joined, or [`Action::GiveBack`].
    Joined(Box<Lent>),
    /// Who is transferred did not join, and is in this call again.
    Returned(Box<GivenBack>),
    /// It hung up, by this BYE, on its way to the other call.
    LeftOnTheWay { bye: Box<Message> },
    /// Nobody waits any more for what a REFER asked for, or comes after [`Event::Replace`].
    Abandoned { cause: Cause },
    /// In another call the party of `leg` has its dialog here named: the other party of that call is to take its place.
    /// RFC 5589 §7. [`Action::Taken`] when that may come, or a final [`Action::Progress`].
    Replace { leg: LegRef, replaces: Box<Replaces>, by: Option<Party> },
    /// Where the call goes that a host sent on, or why it may not.
    Redirected { sent_on: Result<SentOn, Cause> },
    /// An operator, a stop of the daemon or a call for help ends the call.
    HangUp { cause: Cause, by: EndedBy },
}

/// Why no response will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Timer B or F.
    Timeout,
    /// The transport could not take the request, or lost its connection.
    Transport,
}

/// Something that a call wants done.
#[derive(Debug)]
pub enum Action {
    /// Index our tag of a leg: requests that carry it are this call's.
    Bind { tag: SmolStr, leg: LegRef },
    /// Answer a request.
    Respond { server: ServerId, response: Message },
    /// Send a request; its transaction reports under `request`.
    Request { request: RequestId, message: Message, hop: Hop },
    /// Cancel an INVITE of ours (RFC 3261 §9.1), saying this; `left`: for another host, so that it is not repeated any
    /// more.
    Cancel { request: RequestId, says: Vec<(Name, String)>, left: bool },
    /// Go on with an INVITE that an earlier run of the program sent, to cancel it: its transaction reports under `request`.
    Resume { request: RequestId, invite: Message, peer: Peer },
    /// Send an ACK to a 2xx, which is no transaction.
    Transmit { message: Message, hop: Hop },
    /// Look up where a route's host is.
    Resolve { query: u32, lookup: Lookup },
    /// Look up where a host is that a session description names.
    LocateMedia { query: u32, lookup: Lookup },
    /// Take the limits of a route, all in one step, and give back those of the route before: [`Event::Admitted`] or
    /// [`Event::Limited`] comes back.
    Admit { attempt: Arc<crate::route::Attempt>, emergency: bool },
    /// A word to the media workers.
    Media(Command),
    /// An emergency call finds no ports: an ordinary call that is not answered yet gives way.
    MakeRoom,
    /// Put the answered call into the journal before its 200 leaves.
    Journal,
    /// Put the call into the journal whose INVITE may ring; nobody waits for that.
    JournalRinging,
    /// An INVITE goes to another host.
    AttemptBegins { via: Via, address: SocketAddr },
    /// What became of it, or of one that never left.
    AttemptEnds { detail: Box<AttemptDetail>, end: AttemptEnd },
    /// A route to one of our connectors is tried for the first time; `None`: a carrier's after a connector's.
    Offered { connector: Option<SmolStr> },
    /// The 200 leaves for the caller: the call counts as answered.
    Answered,
    /// A host wants no calls for a while (503 with Retry-After).
    Rest { address: SocketAddr, transport: Transport, rest: Duration },
    /// A REFER that is for the other party: [`Event::PassesRefer`] comes back.
    PassRefer(Box<Passing>),
    /// A REFER asks for a call, or for a place in one: [`Event::Progress`], [`Event::Taken`] and [`Event::Over`] come back.
    Refer(Box<Referred>),
    /// To the call in which a REFER asked for this one: [`Event::Progress`].
    Progress { status: StatusCode },
    /// To the call in which a REFER asked for this one: [`Event::Taken`]; [`Event::Joined`] comes back.
    Taken,
    /// To the call that a REFER asked for, which was accepted: who is transferred.
    HandOver(Box<Lent>),
    /// To the call in which a REFER asked for this one: [`Event::Returned`].
    GiveBack(Box<GivenBack>),
    /// To the same: [`Event::LeftOnTheWay`].
    LeftOnTheWay { bye: Box<Message> },
    /// To the call that a REFER asked for: [`Event::Abandoned`].
    Abandon { cause: Cause },
    /// The party of this side has left its place to somebody else: the call that it came from, if any, is over.
    Replaced { side: Side },
    /// A host sends the call on: [`Event::Redirected`] comes back.
    Redirect(Box<Redirected>),
    /// May the answer go to a caller whose address may be forged? [`Event::MayAnswer`] comes back.
    AskToAnswer,
    /// The caller hears us. Once.
    Proven,
    /// The call ended: release its limits, write its record.
    Settle(Box<Settled>),
}

/// A call that a REFER asks for.
#[derive(Debug)]
pub struct Referred {
    /// The user part of Refer-To, unescaped.
    pub user: String,
    /// The dialog that is to be replaced: whoever else has it is the target.
    pub replaces: Option<Box<Replaces>>,
    /// The URI of Refer-To without what it brings along, where it says more than the number does: the dialog that is to be
    /// replaced may be one of others, or it names no number.
    pub uri: String,
    /// Who asked, in its own words (RFC 3892).
    pub referred_by: Option<String>,
    /// Who asked, who pays for the call and whose rules hold for it.
    pub by: Peer,
    /// The number of who asked.
    pub caller: String,
    /// It is not to be shown.
    pub hidden: bool,
    /// The INVITE that is as if who is transferred had sent it.
    pub invite: Message,
    /// The leg of who is transferred.
    pub leg: Leg,
}

/// A REFER on its way to the other party.
#[derive(Debug)]
pub struct Passing {
    /// The user part of Refer-To, unescaped.
    pub user: String,
    /// Who asks.
    pub by: Option<Party>,
    /// Who is asked.
    pub to: Option<Party>,
    /// The dialog with us that who is asked is to replace.
    pub replaces: Option<Replaces>,
}

/// A target that means something to the party alone which names it: a dialog that it has with others, or one of its users.
#[derive(Debug)]
pub struct Back {
    /// To whom the call goes, and nobody else.
    pub party: Party,
    /// Its words: Request-URI and To.
    pub uri: String,
    /// The dialog that the call is to replace.
    pub replaces: Option<Box<Replaces>>,
    /// Who asked.
    pub referred_by: Option<String>,
}

/// A 3xx of a host.
#[derive(Debug)]
pub struct Redirected {
    /// Whose the host is.
    pub by: Party,
    /// The user parts of its Contacts, best first.
    pub users: Vec<String>,
    /// The caller, as the records have it.
    pub caller: String,
    /// Whether that is not to be shown.
    pub hidden: bool,
    /// The status.
    pub status: u16,
}

/// Where a call goes that was sent on.
#[derive(Debug)]
pub struct SentOn {
    /// Best first. Never empty.
    pub routes: Vec<Route>,
    /// The number, as the record has it, and its country.
    pub callee: SmolStr,
    pub country: Option<SmolStr>,
    /// The connector that pays for it, where that is another than who called.
    pub forward: Option<Forward>,
    /// The Diversion that tells who sent it on. RFC 5806.
    pub diversion: String,
    /// The users that were not looked at: where to try next, if that does not take the call.
    pub left: Vec<String>,
}

/// How an attempt at a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The host took the call.
    Answered,
    /// The host did not take the call; `left`: the next one is tried.
    Failed { end: RouteEnd, left: bool },
    /// The caller gave up, or we ended the call.
    GivenUp,
}

/// Where a request goes.
#[derive(Debug, Clone)]
pub enum Hop {
    /// Straight to an address or flow.
    Peer(Peer),
    /// To a name that must be looked up; `fallback` when there is nothing behind it.
    Name { lookup: Lookup, fallback: Peer },
}
