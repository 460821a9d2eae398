//! A recording session of ours beside a call: what its parties say is sent to a recording server (RFC 7866), with who they are
//! (RFC 7865). One dialog, which we begin, and two streams of copies; the call itself knows nothing of it.
//!
//! ```text
//! server after server: address -> ports -> INVITE -> 2xx -> copies flow -> BYE, when the call is over
//! ```
//!
//! Whatever becomes of it disturbs the call in nothing: who wants no call without a recording has the core hang it up.

mod offer;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::dialog::Dialog;
use sip::sdp::Sdp;
use sip::siprec::{self, Metadata};
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name};
use smol_str::SmolStr;

use super::body::Body;
use super::cx::Cx;
use super::ended::Ended;
use super::established::{FarInvite, refusal};
use super::history::History;
use super::io::{Action, Failure, Hop, RequestId};
use super::leg::{End, Leg, LegRef};
use super::media::MediaSession;
use super::profile::Profile;
use super::requests::{Left, reason_of};
use super::sent::Sent;
use super::{Call, Next, due, in_dialog};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::local::Locals;
use crate::media::{Command, MediaKey, Side};
use crate::peer::{Party, Peer, Source};
use crate::record::{Account, Times, rfc3339};
use crate::reply::Cause;
use crate::resolve::Lookup;
pub use offer::LABELS;
use offer::Streams;

/// How long a server may take to accept.
const PATIENCE: Duration = Duration::from_secs(8);
/// What a recording server may ask inside the session.
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE";

/// A recording server.
#[derive(Debug, Clone)]
pub struct RecordingServer {
    /// Where it is.
    pub lookup: Lookup,
    /// Its URI.
    pub uri: String,
}

/// What the core knows of a call when it has it recorded.
pub struct NewCopy {
    /// The call's id.
    pub transaction_id: uuid::Uuid,
    /// The call's media session.
    pub copied: MediaKey,
    /// Where it may be recorded, best first.
    pub servers: Vec<RecordingServer>,
    /// The connector whose servers they are.
    pub party: Party,
    /// What we are towards each.
    pub locals: Arc<Locals>,
    /// How they speak.
    pub profile: Arc<Profile>,
    /// What either party was told of the media that it sends to.
    pub told: [Sdp; 2],
    /// Who they are; the streams are labelled `1` and `2`.
    pub metadata: Metadata,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Copying {
    copied: MediaKey,
    /// The servers that were not tried yet.
    servers: VecDeque<RecordingServer>,
    /// The one that is tried, or records.
    server: Option<RecordingServer>,
    /// Its addresses that were not tried yet.
    addresses: VecDeque<SocketAddr>,
    party: Party,
    locals: Arc<Locals>,
    profile: Arc<Profile>,
    told: [Sdp; 2],
    metadata: Metadata,
    phase: Phase,
    /// Why the last server does not record.
    fault: Option<Cause>,
}

#[derive(Debug)]
enum Phase {
    /// The addresses of a name are asked for, by this question.
    Asked(u32),
    /// Ports are.
    Opening(Box<End>),
    /// An INVITE is out, until it is given up.
    Dialled(Box<Dialled>),
    /// The server records.
    Up(Box<Up>),
    /// Nothing can be tried any more.
    Over,
}

#[derive(Debug)]
struct Dialled {
    sent: Sent,
    end: End,
    streams: Streams,
    give_up: Instant,
}

#[derive(Debug)]
struct Up {
    leg: Leg,
    /// News of ours that wait for their response.
    news: Option<Sent>,
}

impl Call {
    /// Begins to have a call recorded.
    pub fn copy(now: Now, new: NewCopy, tokens: &mut Tokens) -> Call {
        let times = Times { started: now.unix, ringing: None, answered: None, ended: None };
        let account = Account { recording: true, ..Account::default() };
        let media = MediaSession::new(new.copied.recorder());
        let history = History::new(times, SmolStr::default());
        let mut call = Call::over(new.transaction_id, account, history, media);
        let mut copying = Box::new(Copying {
            copied: new.copied,
            servers: new.servers.into(),
            server: None,
            addresses: VecDeque::new(),
            party: new.party,
            locals: new.locals,
            profile: new.profile,
            told: new.told,
            metadata: new.metadata,
            phase: Phase::Over,
            fault: None,
        });
        call.step(now, tokens, |_, cx| match copying.try_next(cx) {
            Next::Stay => Next::Copying(copying),
            next => next,
        });
        call
    }
}

impl Copying {
    /// The leg of the server that records.
    pub fn leg(&self) -> Option<&Leg> {
        match &self.phase {
            Phase::Up(up) => Some(&up.leg),
            _ => None,
        }
    }

    /// The next address, of the next server where there is none.
    fn try_next(&mut self, cx: &mut Cx<'_>) -> Next {
        loop {
            if let (Some(address), Some(server)) = (self.addresses.pop_front(), &self.server) {
                let transport = server.lookup.transport;
                let Some(local) = self.locals.towards(transport, address.ip()) else { continue };
                let mut flow = Peer::new(transport, local.listener, address);
                if server.lookup.literal().is_none() {
                    flow.server_name = Some(server.lookup.host.clone());
                }
                flow.party = Some(self.party.clone());
                let media = local.media;
                let mut end = End::new(flow, local, self.profile.clone());
                end.sdp.session_id = cx.tokens.session_id();
                end.contact_user = SmolStr::new_static("recorder");
                let ready = cx.media_is_ready([media; 2], &mut end);
                self.phase = Phase::Opening(Box::new(end));
                return if ready { self.handle_ports(cx) } else { Next::Stay };
            }
            let Some(server) = self.servers.pop_front() else {
                self.phase = Phase::Over;
                let cause = self.fault.take();
                return Next::down(
                    cause.unwrap_or_else(|| Cause::new(503, "No recording server can be reached")),
                );
            };
            let lookup = server.lookup.clone();
            self.server = Some(server);
            match lookup.literal() {
                Some(address) => self.addresses.push_back(address),
                None => {
                    let query = cx.requests.query();
                    cx.act(Action::Resolve { query, lookup });
                    self.phase = Phase::Asked(query);
                    return Next::Stay;
                }
            }
        }
    }

    /// The server that is tried does not record.
    fn failed(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        let transaction_id = cx.id;
        let server = self.server.as_ref().map(|server| server.uri.as_str());
        tracing::warn!(%transaction_id, server, cause = %cause.text, "a recording server does not record a call");
        self.fault = Some(cause);
        self.try_next(cx)
    }

    /// The addresses behind a server's name.
    pub fn handle_resolved(
        &mut self,
        cx: &mut Cx<'_>,
        query: u32,
        addresses: Result<Vec<SocketAddr>, String>,
    ) -> Next {
        if !matches!(self.phase, Phase::Asked(asked) if asked == query) {
            return Next::Stay;
        }
        match addresses {
            Ok(addresses) => {
                self.addresses = addresses.into();
                self.try_next(cx)
            }
            Err(text) => self.failed(cx, Cause::new(503, text)),
        }
    }

    /// The ports are open: the server is asked.
    pub fn handle_ports(&mut self, cx: &mut Cx<'_>) -> Next {
        let Phase::Opening(end) = std::mem::replace(&mut self.phase, Phase::Over) else { return Next::Stay };
        let mut end = *end;
        let uri = self.server.as_ref().map(|server| server.uri.clone()).unwrap_or_default();
        let mut streams = Streams::new(&end);
        let described = match streams.offer(cx, &mut end, &self.told) {
            Ok(described) => described,
            Err(cause) => {
                self.phase = Phase::Over;
                return Next::down(cause);
            }
        };
        let (tag, boundary) = (cx.tokens.tag(), cx.tokens.tag());
        let (content_type, body) = siprec::with_metadata(&boundary, &described, &self.metadata.to_xml());
        let host = end.local.host();
        let invite = Builder::request(Method::Invite, &uri)
            .shown(Name::Via, end.local.via(cx.tokens.branch()))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:recorder@{host}>;tag={tag}"))
            .header(Name::To, format!("<{uri}>"))
            .shown(Name::CallId, cx.tokens.call_id(&host))
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, format!("{};{}", end.contact(), siprec::SRC_FEATURE))
            .header(Name::Require, siprec::OPTION_TAG)
            .header(Name::Allow, ALLOW)
            .header(Name::Accept, "application/sdp, application/rs-metadata-request")
            .body(&content_type, body.into())
            .build();
        cx.bind(&tag, LegRef::A);
        cx.history.dialled(invite.call_id().unwrap_or_default(), end.flow.party.clone());
        cx.history.is_at(Side::B, end.flow.remote.ip());
        let sent = Sent::new(cx, invite, Hop::Peer(end.flow.clone()));
        let give_up = cx.now.instant + PATIENCE;
        self.phase = Phase::Dialled(Box::new(Dialled { sent, end, streams, give_up }));
        Next::Stay
    }

    /// A response to a request of ours. `None`: the request is none that is under way.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        let status = message.status()?;
        match &mut self.phase {
            Phase::Dialled(dialled) if dialled.sent.id == request => {
                if status.is_provisional() {
                    return Some(Next::Stay);
                }
                let Phase::Dialled(dialled) = std::mem::replace(&mut self.phase, Phase::Over) else {
                    return None;
                };
                Some(match status.is_success() {
                    true => self.accepted(cx, *dialled, message),
                    false => {
                        let text = format!("{} {}", status.code(), super::addresses::phrase(message));
                        self.failed(cx, Cause::new(503, text))
                    }
                })
            }
            Phase::Up(up) if up.news.as_ref().is_some_and(|sent| sent.id == request) => {
                if status.is_final() {
                    up.news = None;
                }
                if status.is_success() {
                    up.leg.dialog.handle_response(message);
                }
                // RFC 3261 §12.2.1.2
                Some(match status.code() {
                    481 => self.lost(cx, Cause::new(480, "the recording server lost the session")),
                    408 => self.lost(cx, says_nothing()),
                    _ => Next::Stay,
                })
            }
            _ => None,
        }
    }

    /// The server accepts: it may take one stream, or both.
    fn accepted(&mut self, cx: &mut Cx<'_>, dialled: Dialled, message: &Message) -> Next {
        let Dialled { sent, end, mut streams, .. } = dialled;
        let tag = message.to_tag().as_deref().map(SmolStr::new);
        let (late, address) = (Box::new(end.without_media()), end.flow.remote);
        cx.requests.leave(Left::new(&sent, late, None, address, tag, true));
        let dialog = match Dialog::uac(&sent.message, message) {
            Ok(dialog) => dialog,
            Err(error) => return self.failed(cx, Cause::new(502, error.to_string())),
        };
        let mut leg = Leg { dialog, end };
        leg.heard(message);
        let answer = Body::read(message).ok().and_then(|body| body.sdp().cloned());
        let taken = answer.ok_or_else(|| Cause::new(502, "no session description"));
        let taken = taken.and_then(|answer| streams.take_answer(cx, &mut leg.end, &answer));
        let mut invite = FarInvite::new(&sent);
        invite.acknowledge(cx, &leg, None);
        if let Err(cause) = taken {
            cx.bye(leg, None, reason_of(&cause));
            return self.failed(cx, cause);
        }
        cx.history.times.answered = Some(cx.now.unix);
        let to = Some(cx.media.key);
        cx.act(Action::Media(Command::Copy { key: self.copied, to }));
        let transaction_id = cx.id;
        let server = self.server.as_ref().map(|server| server.uri.as_str());
        tracing::info!(%transaction_id, server, "a call is recorded by a recording server");
        self.phase = Phase::Up(Box::new(Up { leg, news: None }));
        Next::Stay
    }

    /// No response will come to a request of ours.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        match &mut self.phase {
            Phase::Dialled(dialled) if dialled.sent.id == request => {
                let text = match lost {
                    Failure::Timeout => "the recording server says nothing",
                    Failure::Transport => "the recording server can't be reached",
                };
                Some(self.failed(cx, Cause::new(503, text)))
            }
            Phase::Up(up) if up.news.as_ref().is_some_and(|sent| sent.id == request) => {
                let Up { leg, news } = &mut **up;
                let silent = lost == Failure::Timeout;
                let again = news.as_mut().is_some_and(|sent| sent.repeat_in(cx, leg, silent));
                Some(match lost {
                    _ if again => Next::Stay,
                    Failure::Timeout => self.lost(cx, says_nothing()),
                    Failure::Transport => {
                        self.lost(cx, Cause::new(480, "the recording server can't be reached"))
                    }
                })
            }
            _ => None,
        }
    }

    /// The server that records is gone in the middle of the call: another one may go on.
    fn lost(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        if let Phase::Up(up) = std::mem::replace(&mut self.phase, Phase::Over) {
            cx.act(Action::Media(Command::Copy { key: self.copied, to: None }));
            cx.bye(up.leg, None, reason_of(&cause));
        }
        self.failed(cx, cause)
    }

    /// A party of the call holds the other one, or does not any more: who hears whom has changed. RFC 7865 §6.8.
    pub fn handle_held(&mut self, cx: &mut Cx<'_>, side: Side, held: bool) {
        offer::hear(&mut self.metadata, side, !held);
        self.tell(cx, offer::who_hears(&self.metadata));
    }

    /// Somebody else is on that side of the call now.
    pub fn handle_comes(&mut self, cx: &mut Cx<'_>, side: Side, aor: String) {
        let random = cx.tokens.random();
        let bytes = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
        let id = siprec::id(uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid().into_bytes());
        let news = offer::comes(&mut self.metadata, side, (id, aor), &rfc3339(cx.now.unix));
        self.tell(cx, news);
    }

    /// Tells the server what is new.
    fn tell(&mut self, cx: &mut Cx<'_>, news: Metadata) {
        let Phase::Up(up) = &mut self.phase else { return };
        // Who takes no UPDATE hears it with the BYE.
        if up.leg.allows_update() == Some(false) {
            return;
        }
        let (builder, hop) = up.leg.request(Method::Update, cx.tokens);
        let builder = builder
            .header(Name::Require, siprec::OPTION_TAG)
            .raw("Content-Disposition", "recording-session")
            .body(siprec::MEDIA_TYPE, news.to_xml().into());
        up.news = Some(Sent::new(cx, builder.build(), hop));
    }

    /// A request of the server's.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        server: ServerId,
        message: &Message,
        source: &Source,
    ) -> Next {
        let Phase::Up(up) = &mut self.phase else {
            in_dialog::refuse(cx, server, message, &Cause::new(481, "Call Does Not Exist"));
            return Next::Stay;
        };
        if let Err(error) = up.leg.dialog.handle_request(message) {
            in_dialog::refuse(cx, server, message, &refusal(&error));
            return Next::Stay;
        }
        up.leg.came_by(source.peer());
        let ok = || in_dialog::ok(message, None).header(Name::Allow, ALLOW).build();
        match message.method() {
            Some(Method::Bye) => {
                cx.respond(server, ok());
                cx.act(Action::Media(Command::Copy { key: self.copied, to: None }));
                // Another one may go on.
                return self.failed(cx, Cause::new(480, "the recording server hung up"));
            }
            Some(Method::Options) => cx.respond(server, ok()),
            Some(Method::Update) if siprec::asks_for_snapshot(message) || message.body().is_empty() => {
                cx.respond(server, ok());
                if siprec::asks_for_snapshot(message) {
                    self.tell(cx, self.metadata.clone());
                }
            }
            Some(Method::Invite | Method::Update) => {
                in_dialog::refuse(cx, server, message, &Cause::new(488, "Not Acceptable Here"));
            }
            _ => {
                let reply = Cause::new(405, "Method Not Allowed").reply(message, None);
                cx.respond(server, reply.header(Name::Allow, ALLOW).build());
            }
        }
        Next::Stay
    }

    /// The call is over, or we end the recording.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Up(up) => {
                cx.act(Action::Media(Command::Copy { key: self.copied, to: None }));
                cx.bye(up.leg, None, reason_of(&cause));
            }
            Phase::Dialled(dialled) => leave(cx, *dialled),
            Phase::Asked(_) | Phase::Opening(_) | Phase::Over => {}
        }
        Next::Ended(Ended::default(), cause)
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        let Phase::Dialled(dialled) = &mut self.phase else { return Next::Stay };
        let mut give_up = Some(dialled.give_up);
        if !due(&mut give_up, cx.now) {
            return Next::Stay;
        }
        if let Phase::Dialled(dialled) = std::mem::replace(&mut self.phase, Phase::Over) {
            leave(cx, *dialled);
        }
        self.failed(cx, Cause::new(503, "the recording server does not accept"))
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Dialled(dialled) => Some(dialled.give_up),
            _ => None,
        }
    }
}

fn says_nothing() -> Cause {
    Cause::new(480, "the recording server says nothing")
}

/// Nobody waits for the INVITE any more: a late 2xx is hung up.
fn leave(cx: &mut Cx<'_>, dialled: Dialled) {
    let Dialled { sent, end, .. } = dialled;
    let address = end.flow.remote;
    cx.act(Action::Cancel { request: sent.id, says: Vec::new(), left: false });
    cx.requests.leave(Left::new(&sent, Box::new(end.without_media()), None, address, None, false));
}
