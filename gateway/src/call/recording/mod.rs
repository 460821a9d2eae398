//! A recording session: a customer's system sends us copies of what the parties of a call of its own say (RFC 7866), and who
//! they are (RFC 7865). One dialog and two streams; there is no other party, and nothing is sent back.
//!
//! ```text
//! INVITE -> Asked (ports) -> Accepted (journal) -> Up (re-INVITE, UPDATE, metadata) -> Ended
//! ```

mod asked;
mod streams;

use std::time::{Duration, Instant};

use sip::dialog::offer_answer::Carrier;
use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::{Dialog, SessionTimer, SessionTimerOutput};
use sip::sdp::Sdp;
use sip::siprec::{self, Metadata, Participant};
use sip::text::phrase;
use sip::transaction::ServerId;
use sip::{Builder, Message, Name, StatusCode};
use smol_str::SmolStr;

use super::body::{Body, SentBody};
use super::clearance::{Clearance, Cleared};
use super::cx::Cx;
use super::ended::{Ended, Waiting};
use super::established::Handshake;
use super::history::History;
use super::io::{Action, Failure, RequestId};
use super::leg::{Leg, LegRef};
use super::media::MediaSession;
use super::profile::Profile;
use super::requests::reason_of;
use super::sent::Sent;
use super::session::{answering, said};
use super::ways::Way;
use super::{Call, Local as OurLocal, Next, due};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::{MediaKey, Side};
use crate::peer::Transport;
use crate::record::{Account, Times};
use crate::reply::Cause;
use streams::Tracks;

/// What a recording client may ask inside the session.
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE";

/// What the core knows of an INVITE that begins a recording session: everything is admitted.
pub struct NewRecording {
    /// Our id for the session, in every record, log line and event.
    pub transaction_id: uuid::Uuid,
    /// The INVITE as it came.
    pub invite: Message,
    /// What [`Body::read`] found in the INVITE: a session description.
    pub body: Body,
    /// Its server transaction.
    pub server: ServerId,
    /// Where responses and requests to the recording client go.
    pub flow: crate::peer::Peer,
    /// Our tag.
    pub local_tag: SmolStr,
    /// What we are towards the recording client.
    pub local: OurLocal,
    /// How it speaks.
    pub profile: std::sync::Arc<Profile>,
    /// Who is recorded, and the connector that it is recorded for.
    pub account: Account,
    /// What it says of who is recorded.
    pub metadata: Metadata,
    /// The media session's key.
    pub media: MediaKey,
    /// The longest that the session may last.
    pub max_duration: Duration,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Recording {
    leg: Leg,
    tracks: Tracks,
    metadata: Metadata,
    phase: Phase,
    session: SessionTimer,
    /// A refresh of ours that waits for its response.
    refresh: Option<Sent>,
    /// A 2xx of ours that waits for the ACK, and whether that has an answer.
    handshake: Option<Box<Handshake>>,
    max_duration: Duration,
    /// When it has lasted long enough.
    expires: Option<Instant>,
}

#[derive(Debug)]
enum Phase {
    /// Ports are asked for.
    Asked(Box<Asked>),
    /// The 2xx waits for the journal.
    Accepted(Box<Asked>, Message, Clearance),
    Up,
}

/// The INVITE that began the session.
#[derive(Debug)]
struct Asked {
    server: ServerId,
    invite: Message,
    offer: Sdp,
}

impl Call {
    /// Starts a recording session.
    ///
    /// # Errors
    /// What is wrong with an INVITE that can't open a dialog (RFC 3261 §12.1.1), or offers nothing.
    pub fn record(now: Now, new: NewRecording, tokens: &mut Tokens) -> Result<Call, Cause> {
        let offer = new.body.sdp().cloned();
        let offer = offer.ok_or_else(|| Cause::new(488, "A recording session begins with an offer"))?;
        let dialog = Dialog::uas(&new.invite, &new.local_tag)
            .map_err(|error| Cause::new(error.status().code(), error.to_string()))?;
        let times = Times { started: now.unix, ringing: None, answered: None, ended: None };
        let mut history = History::new(times, dialog.call_id.clone());
        history.can_be_forged = new.local.transport == Transport::Udp && new.account.sip_auth_user.is_none();
        history.is_at(Side::A, new.flow.remote.ip());
        history.ways.a = Some(Way::of_peer(&new.flow));
        let mut call = Call::over(new.transaction_id, new.account, history, MediaSession::new(new.media));
        let mut leg = Leg::new(dialog, new.flow, new.local, new.profile);
        leg.contact_user = call.account.callee.as_str().into();
        leg.heard(&new.invite);
        let _ = leg.offers.take(Remote, Carrier::Invite, new.body.description());
        let asked = Box::new(Asked { server: new.server, invite: new.invite, offer });
        let mut recording = Box::new(Recording {
            session: leg.session_timer(),
            leg,
            tracks: Tracks::default(),
            metadata: new.metadata,
            phase: Phase::Asked(asked),
            refresh: None,
            handshake: None,
            max_duration: new.max_duration,
            expires: None,
        });
        call.step(now, tokens, |_, cx| {
            cx.bind(&recording.leg.dialog.local_tag.clone(), LegRef::A);
            recording.leg.sdp.session_id = cx.tokens.session_id();
            let address = recording.leg.local.media;
            cx.media_is_ready([address; 2], &mut recording.leg.end);
            Next::Recording(recording)
        });
        Ok(call)
    }
}

impl Recording {
    /// The leg of the recording client.
    pub fn leg(&self) -> &Leg {
        &self.leg
    }

    /// Whether the recording client knows that it is accepted.
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// The ports are open: the offer is answered.
    pub fn handle_ports(&mut self, cx: &mut Cx<'_>) -> Next {
        let Phase::Asked(asked) = &self.phase else { return Next::Stay };
        let (server, invite, offer) = (asked.server, asked.invite.clone(), asked.offer.clone());
        match self.answer(cx, &offer, Carrier::InviteOk) {
            Ok(body) => {
                let response = self.accepting(&invite).record_routes(&invite);
                let response = SentBody::attach(Some(body), response).build();
                let asked = Box::new(Asked { server, invite, offer });
                self.phase = Phase::Accepted(asked, response, Clearance::begin(cx));
                Next::Stay
            }
            Err(cause) => self.give_up(cx, cause),
        }
    }

    /// The session is in the journal.
    pub fn handle_journaled(&mut self, cx: &mut Cx<'_>) -> Next {
        let Phase::Accepted(_, _, clearance) = &mut self.phase else { return Next::Stay };
        let cleared = clearance.handle_journaled(cx);
        self.cleared(cx, cleared)
    }

    /// The response to [`Action::AskToAnswer`].
    pub fn handle_may_answer(&mut self, cx: &mut Cx<'_>, may: bool) -> Next {
        let Phase::Accepted(_, _, clearance) = &mut self.phase else { return Next::Stay };
        let cleared = clearance.handle_may_answer(cx, may);
        self.cleared(cx, cleared)
    }

    fn cleared(&mut self, cx: &mut Cx<'_>, cleared: Cleared) -> Next {
        match cleared {
            Cleared::Yes => self.begin(cx),
            Cleared::NotYet => {}
            Cleared::Never(cause) => return self.give_up(cx, cause),
        }
        Next::Stay
    }

    /// The recording client is told of the 2xx now.
    fn begin(&mut self, cx: &mut Cx<'_>) {
        let Phase::Accepted(asked, response, _) = std::mem::replace(&mut self.phase, Phase::Up) else {
            return;
        };
        self.leg.dialog.confirm();
        cx.history.times.answered = Some(cx.now.unix);
        cx.history.answered_at = Some(cx.now.instant);
        self.expires = Some(cx.now.instant + self.max_duration);
        cx.act(Action::Answered);
        cx.watch_for_silence();
        let response = self.with_session(cx, &asked.invite, response);
        self.handshake = Some(Box::new(Handshake::begin(cx, asked.server, response, None)));
    }

    /// The streams of `offer` as they are taken from now on. An offer that can't be taken changes nothing.
    fn answer(&mut self, cx: &mut Cx<'_>, offer: &Sdp, leaves: Carrier) -> Result<SentBody, Cause> {
        let mut tracks = self.tracks.clone();
        tracks.take(cx, &self.leg.end, offer)?;
        let answer = tracks.answer(cx, &mut self.leg, offer)?;
        let _ = self.leg.offers.take(Local, leaves, Some(answer.clone()));
        tracks.tell(cx, &mut self.leg, offer);
        self.tracks = tracks;
        Ok(SentBody::description(answer))
    }

    /// A 2xx of ours, without a body.
    fn accepting(&self, request: &Message) -> Builder {
        Builder::reply(request, StatusCode::OK, "OK", Some(&self.leg.dialog.local_tag))
            .header(Name::Contact, format!("{};{}", self.leg.contact(), siprec::SRS_FEATURE))
            .header(Name::Allow, ALLOW)
            .header(Name::Supported, "timer")
            .header(Name::Accept, format!("application/sdp, multipart/mixed, {}", siprec::MEDIA_TYPE))
    }

    /// A 2xx of ours with what it says of the session timer.
    fn with_session(&mut self, cx: &Cx<'_>, asked: &Message, response: Message) -> Message {
        match self.session.answer(&said(asked)) {
            Ok(answer) => {
                self.session.handle_accepted(cx.now.instant, answer);
                answering(&response, answer)
            }
            Err(_) => response,
        }
    }

    /// What a message says of who is recorded. What can't be read changes nothing: the recording goes on.
    fn learn(&mut self, cx: &Cx<'_>, message: &Message) {
        let transaction_id = cx.id;
        match Metadata::of(message) {
            Some(Ok(metadata)) => {
                self.metadata.update(metadata);
                let participants = self.metadata.participants.len();
                tracing::debug!(%transaction_id, participants, "a recording session has new metadata");
            }
            Some(Err(error)) => {
                tracing::warn!(%transaction_id, %error, "the metadata of a recording session can't be read");
            }
            None => {}
        }
    }

    /// Whose voice each stream has, the caller's first.
    pub fn notes(&self) -> Vec<String> {
        let note = |side: Side| {
            let label = self.tracks.label(side)?;
            let speaker = self.metadata.speaker(label).and_then(Participant::aor).unwrap_or("somebody");
            Some(phrase(&format!("records {speaker} by stream {label}")))
        };
        [Side::A, Side::B].into_iter().filter_map(note).collect()
    }

    /// We end it.
    pub fn hang_up(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        match self.is_up() {
            true => self.end(cx, true, cause),
            false => self.give_up(cx, cause),
        }
    }

    /// The INVITE that began it is refused.
    fn give_up(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        if let Phase::Asked(asked) | Phase::Accepted(asked, ..) = &self.phase {
            cx.refuse(asked.server, &asked.invite, &self.leg, &cause);
        }
        Next::down(cause)
    }

    /// - `bye`: the recording client has not hung up itself.
    fn end(&mut self, cx: &mut Cx<'_>, bye: bool, cause: Cause) -> Next {
        let says = bye.then(|| reason_of(&cause));
        let leg = self.leg.clone();
        let waiting = match (self.handshake.take(), says) {
            (Some(handshake), bye) => {
                vec![Waiting { side: Side::A, leg, login: None, handshake: *handshake, bye }]
            }
            (None, Some(says)) => {
                cx.bye(leg, None, says);
                Vec::new()
            }
            (None, None) => Vec::new(),
        };
        Next::Ended(Ended::new(waiting), cause)
    }

    /// A response to a request of ours. `None`: the request is none of the session's that are under way.
    pub fn handle_response(
        &mut self,
        cx: &mut Cx<'_>,
        request: RequestId,
        message: &Message,
    ) -> Option<Next> {
        let sent = self.refresh.take_if(|sent| sent.id == request)?;
        let status = message.status()?;
        if status.is_provisional() {
            self.refresh = Some(sent);
            return Some(Next::Stay);
        }
        if status.is_success() {
            self.leg.dialog.handle_response(message);
            self.leg.heard(message);
            self.session.handle_success(cx.now.instant, said(message).expires);
            return Some(Next::Stay);
        }
        Some(self.not_refreshed(cx, status))
    }

    /// No response will come to it.
    pub fn handle_failed(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> Option<Next> {
        let mut sent = self.refresh.take_if(|sent| sent.id == request)?;
        if lost == Failure::Transport && sent.repeat_in(cx, &mut self.leg, false) {
            self.refresh = Some(sent);
            return Some(Next::Stay);
        }
        Some(self.not_refreshed(cx, StatusCode::REQUEST_TIMEOUT))
    }

    fn not_refreshed(&mut self, cx: &mut Cx<'_>, status: StatusCode) -> Next {
        self.session.handle_failure(cx.now.instant, status);
        match self.session.poll_output() {
            Some(SessionTimerOutput::Expired) => {
                self.hang_up(cx, Cause::new(408, "A session refresh was not answered"))
            }
            _ => Next::Stay,
        }
    }

    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Next {
        if let Phase::Accepted(_, _, clearance) = &mut self.phase {
            let cleared = clearance.handle_timeout(cx);
            return self.cleared(cx, cleared);
        }
        if self.handshake.as_mut().is_some_and(|handshake| handshake.handle_timeout(cx)) {
            self.handshake = None;
            return self.hang_up(cx, Cause::new(408, "ACK missing"));
        }
        self.session.handle_timeout(cx.now.instant);
        match self.session.poll_output() {
            Some(SessionTimerOutput::Refresh) => self.send_refresh(cx),
            Some(SessionTimerOutput::Expired) => {
                return self.hang_up(cx, Cause::new(408, "Session timer expired"));
            }
            None => {}
        }
        match due(&mut self.expires, cx.now) {
            true => self.hang_up(cx, Cause::new(480, "Maximum call duration reached")),
            false => Next::Stay,
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let clearance = match &self.phase {
            Phase::Accepted(_, _, clearance) => clearance.poll_timeout(),
            Phase::Asked(_) | Phase::Up => None,
        };
        let handshake = self.handshake.as_ref().and_then(|handshake| handshake.poll_timeout());
        [clearance, handshake, self.session.poll_timeout(), self.expires].into_iter().flatten().min()
    }
}
