//! The call's media: ports on both legs, and session descriptions rewritten to name them.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rtp::srtp::{MasterKey, SrtpError, SrtpKeys, Suite};
use sip::sdp::{Anchor, AnchorError, Sdp, Stream, is_srtp};
use sip::text::word;

use super::body::{Body, Sent};
use super::media_host::MediaHost;
use super::sdes::{Keys, Lines, Sdes};
use super::{Action, Call, due};
use crate::clock::Now;
use crate::ids::Tokens;
use crate::media::{Command, MediaEvent, MediaKey, NoRoom, Ports, Remote, Side};
use crate::reply::Cause;

/// How long the media workers may take to open the ports before the call is refused.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the media workers may take to close before the call is forgotten without their figures.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// When to come again where no ports were left.
const RETRY_MEDIA: Duration = Duration::from_secs(5);

/// What two legs agreed on before an offer.
#[derive(Debug)]
pub struct Agreed {
    from: Option<(Sdes, bool)>,
    to: Option<Sdes>,
    remote: Option<Remote>,
}

/// Where the call's media stands.
#[derive(Debug)]
pub struct MediaSession {
    key: MediaKey,
    state: State,
    /// The workers heard nothing before the call was up; they tell it once for each description.
    was_silent: bool,
    /// The newest description, to make them watch again.
    last_remote: Option<Command>,
    /// What the workers were told of each leg.
    a_remote: Option<Remote>,
    b_remote: Option<Remote>,
    /// The legs that were offered SRTP and nothing else, as the workers know it.
    expects_srtp: [bool; 2],
    /// The hosts that the parties' newest descriptions name.
    hosts: [Option<MediaHost>; 2],
    /// So often a stranger's media was taken for a party's.
    strangers: u32,
}

#[derive(Debug)]
enum State {
    /// Nothing asked for yet.
    Idle,
    /// Ports are being opened on these addresses.
    Opening { a: IpAddr, b: IpAddr },
    /// Ports are open.
    Open { a: IpAddr, b: IpAddr, ports: [Ports; 2] },
    /// Close was sent; the last figures are on their way.
    Closing,
    /// Nothing is held any more.
    Closed,
}

impl MediaSession {
    pub fn new(key: MediaKey) -> MediaSession {
        MediaSession {
            key,
            state: State::Idle,
            was_silent: false,
            last_remote: None,
            a_remote: None,
            b_remote: None,
            expects_srtp: [false; 2],
            hosts: [None, None],
            strangers: 0,
        }
    }

    /// A session that was open when it was written down.
    pub fn restored(key: MediaKey, addresses: [IpAddr; 2], ports: [Ports; 2]) -> MediaSession {
        let [a, b] = addresses;
        let state = State::Open { a, b, ports };
        MediaSession { state, ..MediaSession::new(key) }
    }

    /// Key, bound addresses and ports while open.
    pub fn opened(&self) -> Option<(MediaKey, [IpAddr; 2], [Ports; 2])> {
        match self.state {
            State::Open { a, b, ports } => Some((self.key, [a, b], ports)),
            _ => None,
        }
    }

    /// What a leg is offered; returns whether that is news to the workers.
    fn expect_srtp(&mut self, side: Side, only: bool) -> bool {
        let [a, b] = &mut self.expects_srtp;
        let expects = match side {
            Side::A => a,
            Side::B => b,
        };
        std::mem::replace(expects, only) != only
    }

    /// What the record says of strangers.
    pub fn strangers_note(&self) -> Option<String> {
        match self.strangers {
            0 => None,
            1 => Some("media of a stranger was taken for a party's".to_owned()),
            count => Some(format!("media of strangers was taken for a party's {count} times")),
        }
    }

    pub(super) fn host(&self, side: Side) -> Option<&MediaHost> {
        let [a, b] = &self.hosts;
        match side {
            Side::A => a.as_ref(),
            Side::B => b.as_ref(),
        }
    }

    pub(super) fn host_mut(&mut self, side: Side) -> &mut Option<MediaHost> {
        let [a, b] = &mut self.hosts;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    pub(super) fn remote(&self, side: Side) -> Option<&Remote> {
        match side {
            Side::A => self.a_remote.as_ref(),
            Side::B => self.b_remote.as_ref(),
        }
    }

    /// Whether the workers hold nothing for this call any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Idle | State::Closed)
    }

    /// The workers have answered, or never will.
    pub fn closed(&mut self) {
        self.state = State::Closed;
    }

    fn is_open_on(&self, a_address: IpAddr, b_address: IpAddr) -> bool {
        matches!(self.state, State::Open { a, b, .. } if (a, b) == (a_address, b_address))
    }

    fn ports(&self, side: Side) -> Option<Ports> {
        match (&self.state, side) {
            (State::Open { ports: [a, _], .. }, Side::A) => Some(*a),
            (State::Open { ports: [_, b], .. }, Side::B) => Some(*b),
            _ => None,
        }
    }
}

impl Call {
    /// Whether the ports that the current route needs are open; asks for them when they are not.
    pub(super) fn media_is_ready(&mut self, now: Now) -> bool {
        let Some(route) = &self.route else { return false };
        let (a, b) = (self.a.local.media, route.local.media);
        if self.media.is_open_on(a, b) {
            return true;
        }
        match self.media.state {
            State::Idle => {
                self.media.state = State::Opening { a, b };
                self.timers.media_open = Some(now.instant + OPEN_TIMEOUT);
                let emergency = self.account.emergency;
                let (key, party) = (self.media.key, self.a.flow.party.clone());
                self.actions.push_back(Action::Media(Command::Open { key, a, b, emergency, party }));
            }
            // The next route is of the other address family: start again on its addresses. The old session's last
            // word comes under its old key and is ignored.
            State::Open { .. } => {
                self.actions.push_back(Action::Media(Command::Close { key: self.media.key }));
                // The new session begins its packet indices anew, so it must not have a key of the old one's.
                self.a.sdes.forget_own();
                self.media.key = self.media.key.next();
                self.media.state = State::Idle;
                self.media.expects_srtp = [false; 2];
                return self.media_is_ready(now);
            }
            State::Opening { .. } | State::Closing | State::Closed => {}
        }
        false
    }

    /// The media workers' word.
    pub(super) fn handle_media(&mut self, now: Now, tokens: &mut Tokens, event: MediaEvent) {
        match event {
            MediaEvent::Opened { key, a: a_ports, b: b_ports } if key == self.media.key => {
                if let State::Opening { a, b } = self.media.state {
                    self.media.state = State::Open { a, b, ports: [a_ports, b_ports] };
                    self.timers.media_open = None;
                    self.try_route(now, tokens);
                }
            }
            MediaEvent::OpenFailed { key, cause, .. } if key == self.media.key => {
                self.media.state = State::Closed;
                self.give_up(now, no_media(cause));
            }
            // A call may ring in silence, whatever descriptions came with the ringing.
            MediaEvent::Silent { key } if key == self.media.key && !self.is_up() => {
                self.media.was_silent = true;
            }
            MediaEvent::Silent { key } if key == self.media.key => {
                self.hang_up(now, tokens, Cause::new(408, "Media inactivity"));
            }
            MediaEvent::Displaced { key, .. } if key == self.media.key => self.media.strangers += 1,
            MediaEvent::Closed { key, .. } if key == self.media.key => {
                self.media.closed();
                self.timers.media_close = None;
            }
            _ => {}
        }
    }

    /// The call is up: silence counts from now, also where it was told while it rang.
    pub(super) fn watch_for_silence(&mut self) {
        if std::mem::take(&mut self.media.was_silent) {
            self.actions.extend(self.media.last_remote.take().map(Action::Media));
        }
    }

    fn is_up(&self) -> bool {
        matches!(self.phase, super::Phase::Established)
    }

    /// The media workers never said whether there are ports.
    pub(super) fn media_timeouts(&mut self, now: Now) {
        if due(&mut self.timers.media_open, now) && matches!(self.media.state, State::Opening { .. }) {
            self.give_up(now, no_media(NoRoom::System));
        }
        if due(&mut self.timers.media_close, now) {
            self.media.closed();
        }
    }

    /// Gives the ports back; the figures come with [`MediaEvent::Closed`].
    pub(super) fn close_media(&mut self, now: Now) {
        self.timers.media_open = None;
        match self.media.state {
            State::Opening { .. } | State::Open { .. } => {
                self.media.state = State::Closing;
                self.timers.media_close = Some(now.instant + CLOSE_TIMEOUT);
                self.actions.push_back(Action::Media(Command::Close { key: self.media.key }));
            }
            State::Idle => self.media.state = State::Closed,
            State::Closing | State::Closed => {}
        }
    }

    /// Carries a request's body across from `from`: a session description as an offer, anything else as it is.
    ///
    /// # Errors
    /// 488 for media that we can't carry.
    pub(super) fn cross_offer(
        &mut self,
        tokens: &mut Tokens,
        from: Side,
        body: &Body,
    ) -> Result<Option<Sent>, Cause> {
        match body.sdp() {
            Some(_) => self.cross_description(tokens, from, body, true).map(Some),
            None => Ok(body.as_is()),
        }
    }

    /// Carries the session description of a body across from `from`: its media is sent to our ports, and `from`'s
    /// address is told to the workers.
    ///
    /// `offer`: whether the description is an offer, which only names what the receiver takes. Else it answers what
    /// `from` was sent last, and has the streams of that (RFC 3264 §6).
    ///
    /// # Errors
    /// 488 for a body without a description, and for media that we can't carry.
    pub(super) fn cross_description(
        &mut self,
        tokens: &mut Tokens,
        from: Side,
        body: &Body,
        offer: bool,
    ) -> Result<Sent, Cause> {
        let Some(sdp) = body.sdp() else { return Err(Cause::new(488, "no session description")) };
        let (party, other) = (self.leg(from), self.leg(from.other()));
        let (Some(party), Some(other)) = (party, other) else {
            return Err(Cause::new(500, "There is no other leg"));
        };
        let codecs = both(party.profile.codecs.clone(), other.profile.codecs.clone()).filter(|_| offer);
        let answer;
        let (sdp, stream) = if offer {
            let takes = |stream: &Stream| stream.has_codec(|codec| codec.is_among(codecs.as_deref()));
            (sdp, party.sdes.choose(sdp, takes))
        } else {
            let offered = Sdp::parse(&party.sdp.last).map_err(|_| Cause::new(488, "nothing was offered"))?;
            answer = sdp.answering(&offered).map_err(refused)?;
            (&answer, answer.relayed_stream())
        };
        let Some(stream) = stream else { return Err(refused(AnchorError::NoStream)) };
        let lines = self.cross_keys(tokens, from, &stream, offer)?;
        let to = from.other();
        let Some(ports) = self.media.ports(to) else {
            return Err(Cause::new(500, "No media ports are open"));
        };
        let Some(leg) = self.leg_mut(to) else { return Err(Cause::new(500, "There is no other leg")) };
        let address = leg.local.media_advertise;
        let rtp = SocketAddr::new(address, ports.rtp);
        // Until the answer brings the party's key, what it sends early cannot be read.
        let srtp_only = lines.protocol.as_deref().is_some_and(is_srtp);
        let mut anchor = Anchor::new(leg.sdp.session_id, leg.sdp.version, rtp);
        anchor.rtcp.set_port(ports.rtcp);
        anchor.stream = Some(stream.index);
        anchor.codecs = codecs;
        anchor.protocol = lines.protocol;
        anchor.crypto = lines.crypto;
        let describe = |anchor: &Anchor| match sdp.anchored(anchor) {
            Ok(anchored) => Ok(anchored.to_bytes()),
            Err(error) => Err(refused(error)),
        };
        let repeated = match leg.sdp.last.is_empty() {
            true => None,
            false => Some(describe(&anchor)?).filter(|description| leg.sdp.last == *description),
        };
        let sent = match repeated {
            Some(repeated) => repeated,
            None => {
                anchor.version += 1;
                leg.sdp.version = anchor.version;
                let changed = describe(&anchor)?;
                leg.sdp.last = changed.to_vec();
                changed
            }
        };
        if offer && self.media.expect_srtp(to, srtp_only) {
            let (key, only) = (self.media.key, srtp_only);
            self.actions.push_back(Action::Media(Command::ExpectSrtp { key, side: to, only }));
        }
        self.learn_remote(from, &stream);
        Ok(body.with_sdp(sent))
    }

    /// The keys of `from`'s description are taken, and those of ours for the other leg made.
    fn cross_keys(
        &mut self,
        tokens: &mut Tokens,
        from: Side,
        stream: &Stream,
        offer: bool,
    ) -> Result<Lines, Cause> {
        let fax = stream.is_udptl();
        if !fax && !stream.is_plain_rtp() && !stream.is_srtp() {
            return Err(Cause::new(
                488,
                format!("Media transport {} is not supported", word(&stream.protocol)),
            ));
        }
        let mut renumbered = false;
        if let Some(leg) = self.leg_mut(from) {
            match (fax, offer) {
                (true, _) => leg.sdes.take_fax()?,
                (false, true) => leg.sdes.take_offer(stream, tokens.random())?,
                (false, false) => renumbered = leg.sdes.take_answer(stream)?,
            }
        }
        if renumbered {
            let transaction_id = self.transaction_id;
            tracing::info!(%transaction_id, "an SRTP answer's crypto tag is not that of the offer: taken by its suite");
        }
        let Some(leg) = self.leg_mut(from.other()) else { return Ok(Lines::default()) };
        match (fax, offer) {
            (true, _) => leg.sdes.take_fax().map(|()| Lines::default()),
            (false, true) => Ok(leg.sdes.offer(tokens.random())),
            (false, false) => Ok(leg.sdes.answer()),
        }
    }

    /// What `from` and the other leg have agreed on so far, before a new offer of `from`'s.
    pub(super) fn agreed(&self, from: Side) -> Agreed {
        Agreed {
            from: self.leg(from).map(|leg| (leg.sdes.clone(), leg.on_hold)),
            to: self.leg(from.other()).map(|leg| leg.sdes.clone()),
            remote: self.media.remote(from).cloned(),
        }
    }

    /// The offer of `from` was refused: what was agreed before holds on. RFC 3264 §5, RFC 3261 §14.1.
    pub(super) fn restore_agreed(&mut self, from: Side, agreed: Option<Agreed>) {
        let Some(agreed) = agreed else { return };
        if let (Some(leg), Some((sdes, on_hold))) = (self.leg_mut(from), agreed.from) {
            leg.sdes = sdes;
            leg.on_hold = on_hold;
        }
        if let (Some(leg), Some(sdes)) = (self.leg_mut(from.other()), agreed.to) {
            leg.sdes = sdes;
            // The next offer is a new one to it, whatever it says.
            leg.sdp.last.clear();
        }
        *self.media.host_mut(from) = None;
        let now = self.media.remote(from);
        if let Some(remote) = agreed.remote.filter(|remote| now != Some(remote)) {
            self.tell_remote(from, remote);
        }
    }

    /// Tells the workers where `side`'s media is, as its newest description says.
    fn learn_remote(&mut self, side: Side, stream: &Stream) {
        let customer = match side {
            Side::A => self.account.outbound.is_some(),
            Side::B => self.account.inbound.is_some(),
        };
        let Some(leg) = self.leg_mut(side) else { return };
        // A stream that is held by its party is expected to be silent; RFC 3264 §8.4.
        leg.on_hold = stream.is_hold();
        let mut remote = remote(stream);
        remote.on_hold = leg.on_hold;
        remote.symmetric = leg.profile.symmetric;
        remote.customer = customer;
        remote.signalling = Some(leg.flow.remote.ip());
        // Only suites that the workers know are negotiated, with keys of their length.
        let Ok(srtp) = leg.sdes.keys().map(srtp_keys).transpose() else { return };
        remote.srtp = srtp;
        self.locate_media(side, stream, &mut remote);
        self.tell_remote(side, remote);
    }

    pub(super) fn tell_remote(&mut self, side: Side, remote: Remote) {
        match side {
            Side::A => self.media.a_remote = Some(remote.clone()),
            Side::B => self.media.b_remote = Some(remote.clone()),
        }
        let command = Command::Remote { key: self.media.key, side, remote };
        self.media.last_remote = (!self.is_up()).then(|| command.clone());
        self.actions.push_back(Action::Media(command));
    }
}

/// Somebody has to hang up first, and its ports to rest.
fn no_media(cause: NoRoom) -> Cause {
    Cause::new(503, cause.to_string()).later(RETRY_MEDIA)
}

fn srtp_keys(keys: &Keys) -> Result<SrtpKeys, SrtpError> {
    let unknown = SrtpError::KeyLength { expected: 0, found: keys.send.len() };
    let suite: Suite = keys.suite.parse().map_err(|_| unknown)?;
    let (send, receive) = (MasterKey::new(suite, &keys.send)?, MasterKey::new(suite, &keys.receive)?);
    Ok(SrtpKeys { suite, send, receive })
}

fn remote(stream: &Stream) -> Remote {
    let mut remote = Remote::default();
    if stream.is_udptl() {
        remote.kind = crate::media::StreamKind::Udptl;
    }
    remote.rtp = stream.rtp().filter(|_| !stream.is_black_hole());
    // Never muxed: our descriptions do not say `a=rtcp-mux` (RFC 5761 §5.1.1).
    remote.rtcp = remote.rtp.and(stream.rtcp);
    for codec in &stream.codecs {
        remote.clock_rates.push((codec.payload_type, codec.clock_rate));
        if codec.is_telephone_event() {
            remote.events.push(codec.payload_type);
        } else if codec.is_comfort_noise() {
            remote.comfort_noise.push(codec.payload_type);
        }
    }
    remote
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

fn refused(error: AnchorError) -> Cause {
    Cause::new(488, error.to_string())
}
