//! Session descriptions on their way from one leg to the other: whether one is an offer or an answer is asked of the
//! dialog that it came in, and what leaves is said in the dialog that it leaves by. Each names our ports.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sip::Method;
use sip::dialog::offer_answer::Side::{Local, Remote};
use sip::dialog::offer_answer::{
    Answer, Carrier, Offer, OfferAnswer, RETRY_AFTER_SECONDS, Refusable, Verdict,
};
use sip::sdp::{Anchor, AnchorError, Codec, Direction, Sdp, Stream, is_srtp};
use sip::text::word;

use super::body::{Body, SentBody};
use super::cx::Cx;
use super::io::Action;
use super::leg::End;
use super::rtcp::RtcpTerms;
use super::sdes::{Lines, Sdes};
use crate::media::{self, Command, Side};
use crate::reply::Cause;

/// Two ends, and which of them says something to the other.
pub(super) struct Bridge<'a> {
    pub from: &'a mut End,
    pub to: &'a mut End,
    /// The leg of `from`.
    pub side: Side,
}

/// Why what a message describes can't cross.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refused {
    /// The other side has an offer open: 491.
    Glare,
    /// An earlier offer of the same side's is not answered yet: 500.
    TooEarly,
    /// What is wrong with it.
    Cause(Cause),
}

impl Refused {
    /// The refusal of a request.
    pub fn cause(self, cx: &mut Cx<'_>) -> Cause {
        match self {
            Refused::Glare => Cause::new(491, "Request Pending"),
            Refused::TooEarly => {
                let longest = u64::from(*RETRY_AFTER_SECONDS.end());
                let after = Duration::from_secs(1 + cx.tokens.random().below(longest));
                Cause::new(500, "An earlier offer is not answered yet").later(after)
            }
            Refused::Cause(cause) => cause,
        }
    }

    /// Whether it is only the moment that is wrong.
    pub fn is_untimely(&self) -> bool {
        matches!(self, Refused::Glare | Refused::TooEarly)
    }

    /// What is wrong with a description that can't be refused.
    pub fn text(self) -> Cause {
        match self {
            Refused::Cause(cause) => cause,
            Refused::Glare | Refused::TooEarly => Cause::new(488, "a description out of turn"),
        }
    }
}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Refused {
        Refused::Cause(cause)
    }
}

/// What held on both legs before an offer.
#[derive(Debug)]
pub(super) struct Before {
    from: (Sdes, RtcpTerms, bool),
    to: Sdes,
    remote: Option<media::Remote>,
}

impl Bridge<'_> {
    /// Carries what a message describes from `from` to `to`; what describes no session passes as it is.
    ///
    /// - `came`, `leaves`: the message that it came in and the one that it leaves in.
    ///
    /// # Errors
    /// Nothing may leave; an offer is open on neither leg then.
    pub fn cross(
        &mut self,
        cx: &mut Cx<'_>,
        body: &Body,
        came: Carrier,
        leaves: Carrier,
    ) -> Result<Option<SentBody>, Refused> {
        let usable = |sdp: &Sdp| is_request(came) || sdp.relayed_stream().is_some();
        let described = body.sdp().filter(|sdp| usable(sdp)).and_then(|_| body.description());
        let silent = described.is_none();
        match self.from.offers.take(Remote, came, described) {
            Verdict::Offer(offer) => {
                // At the wrong time for `to` nothing of it may change what `to` was told.
                let timely = takes(&mut self.to.offers.clone(), leaves, offer.description().clone());
                let sent = timely.and_then(|_| Ok(self.anchor_offer(cx, body, &offer)?));
                let sent = sent.and_then(|sent| self.say(leaves, sent));
                if sent.is_err()
                    && let Some(request) = came_in(came)
                {
                    let _ = self.from.offers.refused(Remote, request);
                }
                sent.map(|sent| Some(body.with_sdp(sent)))
            }
            // What was shown while it rang is the answer; RFC 3261 §13.2.1.
            Verdict::Answer(_) if silent => Ok(self.say_again(leaves).map(SentBody::description)),
            Verdict::Answer(answer) | Verdict::Preview(answer) | Verdict::Changed(answer) => {
                let sent = self.anchor_answer(cx, body, &answer)?;
                self.say(leaves, sent).map(|sent| Some(body.with_sdp(sent)))
            }
            Verdict::Repeat => Ok(self.say_again(leaves).map(|last| body.with_sdp(last))),
            // Of a description where there is no place for one nothing crosses.
            Verdict::Unexpected if is_request(came) => {
                Err(Cause::new(488, "A session description has no place here").into())
            }
            Verdict::Nothing | Verdict::Unexpected if self.owes(leaves) => {
                Ok(self.say_again(leaves).map(SentBody::description))
            }
            Verdict::Nothing | Verdict::Unexpected => match self.to.offers.take(Local, leaves, None) {
                Verdict::Glare => Err(Refused::Glare),
                Verdict::TooEarly => Err(Refused::TooEarly),
                _ => Ok(body.as_is()),
            },
            Verdict::Glare => Err(Refused::Glare),
            Verdict::TooEarly => Err(Refused::TooEarly),
            Verdict::Missing => Err(match body.sdp() {
                Some(_) => refused(AnchorError::NoStream),
                None => Cause::new(488, "no session description"),
            }
            .into()),
        }
    }

    /// Whether `to` has an offer open that is answered in `leaves` at the latest.
    fn owes(&self, leaves: Carrier) -> bool {
        let open = self.to.offers.open();
        let asks = |offer: &Offer<Bytes>| offer.by() == Remote && offer.carrier() == Carrier::Invite;
        leaves == Carrier::InviteOk && open.is_some_and(asks)
    }

    /// Takes note of what leaves to `to`.
    fn say(&mut self, leaves: Carrier, sent: Bytes) -> Result<Bytes, Refused> {
        takes(&mut self.to.offers, leaves, sent)
    }

    /// What `to` was told last, once more.
    fn say_again(&mut self, leaves: Carrier) -> Option<Bytes> {
        let last = self.to.sdp.last.clone();
        match self.to.offers.take(Local, leaves, Some(last.clone())) {
            Verdict::Unexpected => None,
            _ => Some(last).filter(|last| !last.is_empty()),
        }
    }

    /// What `to` is offered when `from` makes this offer, which only names what both take.
    ///
    /// # Errors
    /// 488 for media that we can't carry.
    pub fn anchor_offer(&mut self, cx: &mut Cx<'_>, body: &Body, _: &Offer<Bytes>) -> Result<Bytes, Cause> {
        let Some(sdp) = body.sdp() else { return Err(Cause::new(488, "no session description")) };
        self.anchor_offered(cx, sdp)
    }

    /// What `from` said last and what holds is offered to `to` again, in an INVITE of ours.
    ///
    /// # Errors
    /// An offer can't be made now, or nothing holds that could be said again.
    pub fn offer_again(&mut self, cx: &mut Cx<'_>) -> Result<Bytes, Refused> {
        takes(&mut self.to.offers.clone(), Carrier::Invite, Bytes::new())?;
        let said = self.from.offers.agreed().and_then(|agreed| Sdp::parse(&agreed.remote).ok());
        let said = said.ok_or_else(|| Cause::new(488, "nothing was agreed on"))?;
        let sent = self.anchor_offered(cx, &said)?;
        self.say(Carrier::Invite, sent)
    }

    /// What holds is offered to `to` in the words in which it knows it: nothing changes. RFC 4028 §7.4.
    ///
    /// # Errors
    /// An offer can't be made now, or nothing was said that could be said again.
    pub fn offer_same(&mut self) -> Result<Bytes, Refused> {
        let held = self.to.offers.agreed().map(|agreed| agreed.local.clone());
        // A call that is gone on with knows only what was said last.
        let held = held.unwrap_or_else(|| self.to.sdp.last.clone());
        if held.is_empty() {
            return Err(Cause::new(488, "nothing was agreed on").into());
        }
        let sent = self.say(Carrier::Invite, held)?;
        self.to.sdp.last = sent.clone();
        Ok(sent)
    }

    /// Takes `from`'s answer to an offer of our own, of which `to` knows nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn take_answer(&mut self, cx: &mut Cx<'_>, body: &Body) -> Result<(), Cause> {
        if body.sdp().is_none_or(|sdp| sdp.relayed_stream().is_none()) {
            return Err(Cause::new(488, "no session description"));
        }
        let _ = self.from.offers.take(Remote, Carrier::InviteOk, body.description());
        let sdp = self.answered(cx, body)?;
        let stream = carried(&sdp)?;
        cx.learn_remote(self.side, self.from, stream);
        cx.media.agreed_on(stream);
        Ok(())
    }

    fn anchor_offered(&mut self, cx: &mut Cx<'_>, sdp: &Sdp) -> Result<Bytes, Cause> {
        let codecs = both(self.from.profile.codecs.clone(), self.to.profile.codecs.clone());
        let takes = |stream: &Stream| stream.has_codec(|codec| codec.is_among(codecs.as_deref()));
        let stream = self.from.sdes.choose(sdp, takes).ok_or_else(|| refused(AnchorError::NoStream))?;
        let random = cx.tokens.random();
        let lines = match kind(stream)? {
            Kind::Fax => self.fax()?,
            Kind::Rtp => {
                self.from.sdes.take_offer(stream, random)?;
                self.from.rtcp = RtcpTerms::offered(stream);
                self.to.sdes.offer(random)
            }
        };
        let sent = self.offer(cx, sdp, stream, lines, codecs)?;
        cx.learn_remote(self.side, self.from, stream);
        Ok(sent)
    }

    fn offer(
        &mut self,
        cx: &mut Cx<'_>,
        sdp: &Sdp,
        stream: &Stream,
        lines: Lines,
        codecs: Option<Vec<String>>,
    ) -> Result<Bytes, Cause> {
        // Until the answer brings the party's key, what it sends early cannot be read.
        let only = lines.protocol.as_deref().is_some_and(is_srtp);
        let sent = self.describe(cx, sdp, stream, lines, codecs, Saying::Offer)?;
        let side = self.side.other();
        if cx.media.expect_srtp(side, only) {
            let key = cx.media.key;
            cx.act(Action::Media(Command::ExpectSrtp { key, side, only }));
        }
        Ok(sent)
    }

    /// What `to`, who comes from another call, is offered in an INVITE of ours: what `from` has described, of whom nothing is
    /// asked.
    ///
    /// # Errors
    /// Nothing may leave.
    pub fn offer_anew(&mut self, cx: &mut Cx<'_>, sdp: &Sdp) -> Result<Bytes, Refused> {
        takes(&mut self.to.offers.clone(), Carrier::Invite, Bytes::new())?;
        let codecs = both(self.from.profile.codecs.clone(), self.to.profile.codecs.clone());
        let stream = carried(sdp)?;
        let lines = match kind(stream)? {
            Kind::Fax => self.fax()?,
            Kind::Rtp => self.to.sdes.offer(cx.tokens.random()),
        };
        let sent = self.offer(cx, sdp, stream, lines, codecs)?;
        self.say(Carrier::Invite, sent)
    }

    /// Both have offered, each in an INVITE of its own that is accepted: either is answered with what the other one offered, as far
    /// as both speak it. What `to` is told, and what `from` is.
    ///
    /// - `body`: of `from`'s INVITE, which has just come.
    /// - `offer`: what `to` offered, and was taken when it came.
    ///
    /// # Errors
    /// 488 where that makes no answer on either side.
    pub fn answer_both(&mut self, cx: &mut Cx<'_>, body: &Body, offer: &Sdp) -> Result<[Bytes; 2], Cause> {
        let Some(said) = body.sdp() else { return Err(Cause::new(488, "no session description")) };
        let codecs = both(self.from.profile.codecs.clone(), self.to.profile.codecs.clone());
        let speaks = |stream: &Stream| stream.has_codec(|codec| codec.is_among(codecs.as_deref()));
        let chosen = self.from.sdes.choose(said, speaks).ok_or_else(|| refused(AnchorError::NoStream))?;
        let theirs = self.to.sdes.choose(offer, speaks).ok_or_else(|| refused(AnchorError::NoStream))?;
        let plain = |one: &Stream| one.direction == Direction::SendRecv && !one.is_hold();
        if !(matches!((kind(chosen)?, kind(theirs)?), (Kind::Rtp, Kind::Rtp))
            && plain(chosen)
            && plain(theirs))
        {
            return Err(Cause::new(488, "Both offer something else than speech in both directions"));
        }
        let shared = |codec: &Codec| theirs.codecs.iter().any(|one| one.is_same(codec));
        let names = chosen.codecs.iter().filter(|codec| shared(codec) && codec.is_among(codecs.as_deref()));
        let names: Vec<String> = names.map(|codec| codec.name.to_string()).collect();
        self.from.sdes.take_offer(chosen, cx.tokens.random())?;
        (self.from.rtcp, self.to.rtcp) = (RtcpTerms::offered(chosen), RtcpTerms::offered(theirs));
        let answer = |bridge: &mut Bridge<'_>, said: &Sdp, offer: &Sdp| {
            let answer = said.answering(offer).map_err(refused)?;
            let stream = carried(&answer)?;
            let lines = bridge.to.sdes.answer();
            bridge.describe(cx, &answer, stream, lines, Some(names.clone()), Saying::Answer)
        };
        let to_other = answer(self, said, offer)?;
        let side = self.side.other();
        let to_sender = answer(&mut Bridge { from: self.to, to: self.from, side }, offer, said)?;
        let _ = self.from.offers.take(Remote, Carrier::Invite, body.description());
        let unusable = |refusal: Refused| refusal.text();
        let to_other = takes(&mut self.to.offers, Carrier::InviteOk, to_other).map_err(unusable)?;
        let to_sender = takes(&mut self.from.offers, Carrier::InviteOk, to_sender).map_err(unusable)?;
        cx.learn_remote(self.side, self.from, chosen);
        cx.learn_remote(side, self.to, theirs);
        cx.media.speaks(chosen.codecs.iter().filter(|codec| shared(codec)));
        Ok([to_other, to_sender])
    }

    /// What `to` is answered when `from` gives this answer, which has the streams of the offer (RFC 3264 §6).
    ///
    /// # Errors
    /// 488 for media that we can't carry.
    fn anchor_answer(&mut self, cx: &mut Cx<'_>, body: &Body, _: &Answer<Bytes>) -> Result<Bytes, Cause> {
        let sdp = self.answered(cx, body)?;
        let stream = carried(&sdp)?;
        let lines = match kind(stream)? {
            Kind::Fax => self.fax()?,
            Kind::Rtp => self.to.sdes.answer(),
        };
        let sent = self.describe(cx, &sdp, stream, lines, None, Saying::Answer)?;
        cx.learn_remote(self.side, self.from, stream);
        cx.media.agreed_on(stream);
        Ok(sent)
    }

    /// The answer of `from`'s as it holds.
    fn answered<'b>(&mut self, cx: &Cx<'_>, body: &'b Body) -> Result<Cow<'b, Sdp>, Cause> {
        let Some(said) = body.sdp() else { return Err(Cause::new(488, "no session description")) };
        let offered = Sdp::parse(&self.from.sdp.last).map_err(|_| Cause::new(488, "nothing was offered"))?;
        let sdp = said.answering(&offered).map_err(refused)?;
        let stream = carried(&sdp)?;
        match kind(stream)? {
            Kind::Fax => self.from.sdes.take_fax()?,
            Kind::Rtp => {
                self.from.rtcp = RtcpTerms::answered(stream, offered.streams().get(stream.index));
                if self.from.sdes.take_answer(stream)? {
                    let transaction_id = cx.id;
                    tracing::info!(%transaction_id, "an SRTP answer's crypto tag is not that of the offer: taken by its suite");
                }
            }
        }
        Ok(sdp)
    }

    fn fax(&mut self) -> Result<Lines, Cause> {
        self.from.sdes.take_fax()?;
        self.to.sdes.take_fax().map(|()| Lines::default())
    }

    /// The description that `to` gets, with our ports; of a new version where it says something new.
    fn describe(
        &mut self,
        cx: &Cx<'_>,
        sdp: &Sdp,
        stream: &Stream,
        lines: Lines,
        codecs: Option<Vec<String>>,
        saying: Saying,
    ) -> Result<Bytes, Cause> {
        let ports = cx.media.ports(self.side.other());
        let ports = ports.ok_or_else(|| Cause::new(500, "No media ports are open"))?;
        let (address, own) = (self.to.local.media_advertise, &mut self.to.sdp);
        let mut anchor = Anchor::new(own.session_id, own.version, SocketAddr::new(address, ports.rtp));
        anchor.rtcp.set_port(ports.rtcp);
        anchor.stream = Some(stream.index);
        anchor.codecs = codecs;
        anchor.protocol = lines.protocol;
        anchor.crypto = lines.crypto;
        self.to.rtcp.write(&mut anchor, saying == Saying::Offer, self.to.profile.rtcp_mux);
        let describe = |anchor: &Anchor| match sdp.anchored(anchor) {
            Ok(anchored) => Ok(anchored.to_bytes()),
            Err(error) => Err(refused(error)),
        };
        if !own.last.is_empty() {
            let repeated = describe(&anchor)?;
            if own.last == repeated {
                return Ok(repeated);
            }
        }
        anchor.version += 1;
        let changed = describe(&anchor)?;
        own.version = anchor.version;
        own.last = changed.clone();
        Ok(changed)
    }

    /// What holds now, before an offer of `from`'s.
    pub fn before(&self, cx: &Cx<'_>) -> Before {
        Before {
            from: (self.from.sdes.clone(), self.from.rtcp, self.from.on_hold),
            to: self.to.sdes.clone(),
            remote: cx.media.remote(self.side).cloned(),
        }
    }

    /// The offer of `from`'s was refused: what held before holds on. RFC 3264 §5, RFC 3261 §14.1.
    pub fn restore(&mut self, cx: &mut Cx<'_>, before: Option<Before>) {
        let Some(before) = before else { return };
        (self.from.sdes, self.from.rtcp, self.from.on_hold) = before.from;
        self.to.sdes = before.to;
        // The next offer is a new one to it, whatever it says.
        self.to.sdp.last.clear();
        *cx.media.host_mut(self.side) = None;
        let now = cx.media.remote(self.side);
        if let Some(remote) = before.remote.filter(|remote| now != Some(remote)) {
            cx.tell_remote(self.side, remote);
        }
    }
}

/// What a description is to whom it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saying {
    Offer,
    Answer,
}

/// The stream that is carried.
fn carried(sdp: &Sdp) -> Result<&Stream, Cause> {
    sdp.relayed_stream().ok_or_else(|| refused(AnchorError::NoStream))
}

/// What a stream that can be carried is.
enum Kind {
    Rtp,
    Fax,
}

fn kind(stream: &Stream) -> Result<Kind, Cause> {
    if stream.is_udptl() {
        return Ok(Kind::Fax);
    }
    match stream.is_plain_rtp() || stream.is_srtp() {
        true => Ok(Kind::Rtp),
        false => Err(Cause::new(488, format!("Media transport {} is not supported", word(&stream.protocol)))),
    }
}

/// Takes note of a description that leaves, where it may.
fn takes(offers: &mut OfferAnswer<Bytes>, leaves: Carrier, sent: Bytes) -> Result<Bytes, Refused> {
    match offers.take(Local, leaves, Some(sent.clone())) {
        Verdict::Glare => Err(Refused::Glare),
        Verdict::TooEarly => Err(Refused::TooEarly),
        Verdict::Missing | Verdict::Unexpected => {
            Err(Cause::new(488, "The other side expects no session description").into())
        }
        _ => Ok(sent),
    }
}

fn is_request(carrier: Carrier) -> bool {
    matches!(carrier, Carrier::Invite | Carrier::Ack | Carrier::Prack | Carrier::Update)
}

/// What a request is when it is refused.
pub(super) fn refusable(method: &Method) -> Option<Refusable> {
    Carrier::of(method, None, false).and_then(came_in)
}

fn came_in(carrier: Carrier) -> Option<Refusable> {
    match carrier {
        Carrier::Invite => Some(Refusable::Invite),
        Carrier::Prack => Some(Refusable::Prack),
        Carrier::Update => Some(Refusable::Update),
        _ => None,
    }
}

/// The codecs that two parties may speak with each other; `None`: any.
fn both(from: Option<Vec<String>>, to: Option<Vec<String>>) -> Option<Vec<String>> {
    match (from, to) {
        (Some(mut from), Some(to)) => {
            from.retain(|name| to.iter().any(|other| other.eq_ignore_ascii_case(name)));
            Some(from)
        }
        (from, to) => from.or(to),
    }
}

/// The refusal of a description that can't be anchored.
pub(super) fn refused(error: AnchorError) -> Cause {
    Cause::new(488, error.to_string())
}
