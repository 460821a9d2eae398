//! What a recording client asks inside the session: other streams, other metadata, its end.

use std::time::Duration;

use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::offer_answer::{Carrier, Refusable, Verdict};
use sip::transaction::ServerId;
use sip::{Message, Method, Name};

use super::{ALLOW, Phase, Recording};
use crate::call::body::{Body, SentBody};
use crate::call::cx::Cx;
use crate::call::established::{Handshake, refusal};
use crate::call::sent::Sent;
use crate::call::session::{offering, refreshes, said};
use crate::call::{Next, in_dialog};
use crate::media::Side;
use crate::peer::Source;
use crate::reply::{Cause, demanded_of_recorder};

impl Recording {
    /// A request inside the dialog.
    pub fn handle_request(
        &mut self,
        cx: &mut Cx<'_>,
        server: ServerId,
        message: &Message,
        source: &Source,
    ) -> Next {
        let method = message.method().unwrap_or(Method::Options);
        if !self.leg.may_use(source.transport) && method != Method::Bye {
            let cause = Cause::new(403, format!("This session takes TLS only, not {}", source.transport));
            in_dialog::refuse(cx, server, message, &cause);
            return Next::Stay;
        }
        if let Err(error) = self.leg.dialog.handle_request(message) {
            in_dialog::refuse(cx, server, message, &refusal(&error));
            return Next::Stay;
        }
        self.came_by(cx, source);
        if method == Method::Bye {
            return self.handle_bye(cx, server, message);
        }
        if let Some(demanded) = demanded_of_recorder(message) {
            in_dialog::refuse_demand(cx, server, message, &demanded);
            return Next::Stay;
        }
        if let Some(least) = self.session.answer(&said(message)).err().filter(|_| refreshes(message.method()))
        {
            let reply = Cause::new(422, "Session Interval Too Small").reply(message, None);
            cx.respond(server, reply.header(Name::MinSe, least.to_string()).build());
            return Next::Stay;
        }
        match method {
            Method::Options => cx.respond(server, self.accepting(message).build()),
            Method::Invite | Method::Update if !self.is_up() => {
                let cause = Cause::new(500, "The session is not answered yet").later(Duration::from_secs(1));
                in_dialog::refuse(cx, server, message, &cause);
            }
            Method::Invite => self.handle_invite(cx, server, message),
            Method::Update => self.handle_update(cx, server, message),
            _ => {
                let reply = Cause::new(405, "Method Not Allowed").reply(message, None);
                cx.respond(server, reply.header(Name::Allow, ALLOW).build());
            }
        }
        Next::Stay
    }

    fn came_by(&mut self, cx: &mut Cx<'_>, source: &Source) {
        self.leg.came_by(source.peer());
        cx.history.is_at(Side::A, self.leg.flow.remote.ip());
        cx.caller_is_proven();
    }

    fn handle_bye(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Next {
        // Metadata of the end may come with it. RFC 7866 §9.1.
        self.learn(cx, message);
        in_dialog::respond_ok(cx, server, message, None);
        cx.history.told(Side::A, message.value(Name::Reason).as_deref());
        match self.is_up() {
            true => self.end(cx, false, Cause::new(200, "OK")),
            false => self.give_up(cx, Cause::new(487, "Request Terminated")),
        }
    }

    /// The INVITE that began the session was cancelled.
    pub fn handle_cancel(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) -> Next {
        let (Phase::Asked(asked) | Phase::Accepted(asked, ..)) = &self.phase else { return Next::Stay };
        if asked.server != server {
            return Next::Stay;
        }
        cx.history.told(Side::A, message.value(Name::Reason).as_deref());
        self.give_up(cx, Cause::new(487, "Request Terminated"))
    }

    /// An ACK of a 2xx. Where we had offered, it answers.
    pub fn handle_ack(&mut self, cx: &mut Cx<'_>, message: &Message, source: &Source) -> Next {
        if self.handshake.take_if(|one| one.is_acknowledged_by(message)).is_none() {
            return Next::Stay;
        }
        self.came_by(cx, source);
        let body = Body::read(message).unwrap_or(Body::None);
        match self.leg.offers.take(Remote, Carrier::Ack, body.description()) {
            Verdict::Answer(_) => {
                // What it answers is what it sends from now on, in the places of what was agreed on.
                let mut tracks = self.tracks.clone();
                if let Some(sdp) = body.sdp()
                    && tracks.take(cx, &self.leg.end, sdp).is_ok()
                {
                    tracks.tell(cx, &mut self.leg, sdp);
                    self.tracks = tracks;
                }
                Next::Stay
            }
            Verdict::Missing => self.hang_up(cx, Cause::new(488, "no session description")),
            _ => Next::Stay,
        }
    }

    fn handle_invite(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) {
        if self.handshake.is_some() {
            let wait = Duration::from_secs(1 + cx.tokens.random().below(10));
            let cause = Cause::new(500, "An earlier INVITE is not acknowledged yet").later(wait);
            return in_dialog::refuse(cx, server, message, &cause);
        }
        match self.answered(cx, message, (Carrier::Invite, Carrier::InviteOk)) {
            Ok(body) => {
                self.leg.dialog.refresh_target(message);
                self.leg.heard(message);
                self.learn(cx, message);
                let response = SentBody::attach(body, self.accepting(message)).build();
                let response = self.with_session(cx, message, response);
                self.handshake = Some(Box::new(Handshake::begin(cx, server, response, None)));
            }
            Err(cause) => {
                let _ = self.leg.offers.refused(Remote, Refusable::Invite);
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
    }

    fn handle_update(&mut self, cx: &mut Cx<'_>, server: ServerId, message: &Message) {
        match self.answered(cx, message, (Carrier::Update, Carrier::UpdateOk)) {
            Ok(body) => {
                self.leg.dialog.refresh_target(message);
                self.leg.heard(message);
                self.learn(cx, message);
                let response = SentBody::attach(body, self.accepting(message)).build();
                let response = self.with_session(cx, message, response);
                cx.respond(server, response);
            }
            Err(cause) => {
                let _ = self.leg.offers.refused(Remote, Refusable::Update);
                in_dialog::refuse(cx, server, message, &cause);
            }
        }
    }

    /// What the 2xx describes: an answer; in that to an INVITE without an offer, what holds, as ours.
    fn answered(
        &mut self,
        cx: &mut Cx<'_>,
        message: &Message,
        (came, leaves): (Carrier, Carrier),
    ) -> Result<Option<SentBody>, Cause> {
        let body = Body::read(message)?;
        match self.leg.offers.take(Remote, came, body.description()) {
            Verdict::Offer(_) => {
                let offer = body.sdp().ok_or_else(|| Cause::new(488, "no session description"))?;
                self.answer(cx, offer, leaves).map(Some)
            }
            Verdict::Glare => Err(Cause::new(491, "Request Pending")),
            Verdict::TooEarly => {
                Err(Cause::new(500, "An earlier offer is not answered yet").later(Duration::from_secs(1)))
            }
            _ if came == Carrier::Invite => {
                let held = self.leg.sdp.last.clone();
                let _ = self.leg.offers.take(Local, leaves, Some(held.clone()));
                Ok(Some(SentBody::description(held)))
            }
            _ => Ok(None),
        }
    }

    /// Half of the session interval is over, and the recording client leaves refreshing to us. RFC 4028 §10.
    pub(super) fn send_refresh(&mut self, cx: &mut Cx<'_>) {
        let (builder, hop) = self.leg.request(Method::Update, cx.tokens);
        let builder = offering(builder.header(Name::Allow, ALLOW), &self.session).no_body();
        self.refresh = Some(Sent::new(cx, builder.build(), hop));
    }
}
