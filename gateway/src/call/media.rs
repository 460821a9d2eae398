//! The call's media session: ports on both legs, and where the media workers send.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rtp::packet::PayloadType;
use rtp::srtp::SrtpKeys;
use sip::sdp::{Codec, Direction, Stream};
use sip::text::shared_phrase;
use smol_str::{SmolStr, format_smolstr};

use super::cx::Cx;
use super::leg::End;
use super::media_host::MediaHost;
use super::{Action, due};
use crate::clock::Now;
use crate::media::{Command, MediaEvent, MediaKey, NoRoom, Ports, Remote, Side};
use crate::peer::Party;
use crate::reply::Cause;

/// How long the media workers may take to open the ports before the call is refused.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the media workers may take to close before the call's records are written without their figures.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// An emergency call that found no ports asks again so much later, for so long: meanwhile an ordinary call gives way.
const ASK_AGAIN: Duration = Duration::from_millis(200);
const ASK_FOR: Duration = Duration::from_secs(2);

/// When to come again where no ports were left.
const RETRY_MEDIA: Duration = Duration::from_secs(5);

/// So many ordinary calls give way to one emergency call, at most.
const MOST_GIVE_WAY: u8 = 3;

/// Ports that an emergency call asks for.
#[derive(Debug)]
struct Wanted {
    open: Command,
    /// When to ask again.
    again: Option<Instant>,
    /// How often another call was asked to give way.
    made_room: u8,
}

/// Where the call's media stands.
#[derive(Debug)]
pub struct MediaSession {
    pub(super) key: MediaKey,
    state: State,
    /// What is set aside for emergency calls is for this one.
    set_aside: bool,
    /// The ports that an emergency call wants and has not got.
    wanted: Option<Box<Wanted>>,
    /// Both legs are up: silence ends the call.
    up: bool,
    /// When to give up on ports, or to go on without the workers' last word.
    give_up: Option<Instant>,
    /// The workers heard nothing before the call was up; they tell it once for each description.
    was_silent: bool,
    /// Whose description was the newest, to make them watch again by it.
    last_told: Option<Side>,
    /// What the workers were told of each leg.
    a_remote: Option<Box<Remote>>,
    b_remote: Option<Box<Remote>>,
    /// The legs that were offered SRTP and nothing else, as the workers know it.
    expects_srtp: [bool; 2],
    /// The hosts that the parties' newest descriptions name.
    hosts: [Option<Box<MediaHost>>; 2],
    /// What the parties agreed on, as records tell it.
    codec: Option<SmolStr>,
    /// So often a stranger's media was taken for a party's.
    strangers: u32,
    /// The legs whose parties have sent under an SRTP key for longer than they said, as the log has it.
    used_up: [bool; 2],
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
            set_aside: false,
            wanted: None,
            up: false,
            give_up: None,
            was_silent: false,
            last_told: None,
            a_remote: None,
            b_remote: None,
            expects_srtp: [false; 2],
            hosts: [None, None],
            codec: None,
            strangers: 0,
            used_up: [false; 2],
        }
    }

    /// The same, of an emergency call that may use what is set aside for such.
    pub fn set_aside(self, set_aside: bool) -> MediaSession {
        MediaSession { set_aside, ..self }
    }

    /// A session that was open when it was written down.
    pub fn restored(key: MediaKey, addresses: [IpAddr; 2], ports: [Ports; 2]) -> MediaSession {
        let [a, b] = addresses;
        let state = State::Open { a, b, ports };
        MediaSession { state, up: true, ..MediaSession::new(key) }
    }

    /// The call is over: nothing is said of a party's media any more.
    pub(super) fn pack(&mut self) {
        (self.a_remote, self.b_remote, self.hosts) = Default::default();
    }

    /// Key, bound addresses and ports while open.
    pub fn opened(&self) -> Option<(MediaKey, [IpAddr; 2], [Ports; 2])> {
        match self.state {
            State::Open { a, b, ports } => Some((self.key, [a, b], ports)),
            _ => None,
        }
    }

    /// What a leg is offered; returns whether that is news to the workers.
    pub(super) fn expect_srtp(&mut self, side: Side, only: bool) -> bool {
        let [a, b] = &mut self.expects_srtp;
        let expects = match side {
            Side::A => a,
            Side::B => b,
        };
        std::mem::replace(expects, only) != only
    }

    /// An answer has come: its first codec is what both speak. RFC 3264 §6.1.
    pub(super) fn agreed_on(&mut self, answer: &Stream) {
        match answer.is_udptl() {
            true => self.codec = Some(SmolStr::new_static("T.38")),
            false => self.speaks(answer.codecs.iter()),
        }
    }

    /// The parties agreed on these codecs, best first.
    pub(super) fn speaks<'c>(&mut self, mut codecs: impl Iterator<Item = &'c Codec>) {
        let codec = codecs.find(|codec| !codec.is_companion() && !codec.name.is_empty());
        self.codec = codec.map(|codec| {
            shared_phrase(&format_smolstr!("{}/{}{}", codec.name, codec.clock_rate, channels(codec)))
        });
    }

    /// The codec that the parties agreed on.
    pub fn codec(&self) -> Option<&SmolStr> {
        self.codec.as_ref()
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
            Side::A => a.as_deref(),
            Side::B => b.as_deref(),
        }
    }

    pub(super) fn host_mut(&mut self, side: Side) -> &mut Option<Box<MediaHost>> {
        let [a, b] = &mut self.hosts;
        match side {
            Side::A => a,
            Side::B => b,
        }
    }

    pub(super) fn remote(&self, side: Side) -> Option<&Remote> {
        match side {
            Side::A => self.a_remote.as_deref(),
            Side::B => self.b_remote.as_deref(),
        }
    }

    /// Whether the workers hold nothing for this call any more.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Idle | State::Closed)
    }

    /// When [`MediaSession::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let again = self.wanted.as_deref().and_then(|wanted| wanted.again);
        again.into_iter().chain(self.give_up).min()
    }

    /// Whether the workers never said that there are ports; without their last word the session is closed.
    pub fn handle_timeout(&mut self, now: Now) -> Option<Cause> {
        if !due(&mut self.give_up, now) {
            return None;
        }
        match self.state {
            State::Opening { .. } if self.wanted.is_some() => Some(no_media(NoRoom::Ports)),
            State::Opening { .. } => Some(no_media(NoRoom::System)),
            _ => {
                self.state = State::Closed;
                None
            }
        }
    }

    fn is_open_on(&self, a_address: IpAddr, b_address: IpAddr) -> bool {
        matches!(self.state, State::Open { a, b, .. } if (a, b) == (a_address, b_address))
    }

    pub(super) fn ports(&self, side: Side) -> Option<Ports> {
        match (&self.state, side) {
            (State::Open { ports: [a, _], .. }, Side::A) => Some(*a),
            (State::Open { ports: [_, b], .. }, Side::B) => Some(*b),
            _ => None,
        }
    }
}

/// What the media workers' word means for the call.
pub(super) enum MediaNews {
    /// Ports are open.
    Opened,
    /// There are none.
    NoPorts(Cause),
    /// Both parties are silent, and the call is up.
    Silent,
    /// Nothing more than for the session itself.
    None,
}

impl Cx<'_> {
    /// Whether ports are open on these addresses of the legs; asks for them when they are not.
    ///
    /// - `caller`: for whom they are.
    pub fn media_is_ready(&mut self, [a, b]: [IpAddr; 2], caller: &mut End) -> bool {
        if self.media.is_open_on(a, b) {
            return true;
        }
        // The next route is of the other address family: start again on its addresses. The old session's last word comes
        // under its old key and is ignored.
        if let State::Open { .. } = self.media.state {
            self.act(Action::Media(Command::Close { key: self.media.key }));
            // The new session begins its packet indices anew, so it must not have a key of the old one's.
            caller.sdes.forget_own();
            self.media.key = self.media.key.next();
            self.media.state = State::Idle;
            self.media.expects_srtp = [false; 2];
        }
        if let State::Idle = self.media.state {
            self.open_media([a, b], caller.flow.party.clone());
        }
        false
    }

    fn open_media(&mut self, [a, b]: [IpAddr; 2], party: Option<Party>) {
        self.media.state = State::Opening { a, b };
        self.media.give_up = Some(self.now.instant + OPEN_TIMEOUT);
        let (key, emergency) = (self.media.key, self.account.emergency);
        let party = party.filter(|_| !self.media.set_aside);
        let open = Command::Open { key, a, b, emergency, party };
        self.media.wanted =
            emergency.then(|| Box::new(Wanted { open: open.clone(), again: None, made_room: 0 }));
        self.act(Action::Media(open));
    }

    /// Asks once more for ports that an emergency call did not get.
    pub fn ask_for_media_again(&mut self) {
        let Some(wanted) = self.media.wanted.as_deref_mut() else { return };
        if due(&mut wanted.again, self.now) {
            let open = wanted.open.clone();
            self.act(Action::Media(open));
        }
    }

    /// The media workers' word.
    pub fn media_news(&mut self, event: MediaEvent) -> MediaNews {
        let media = &mut *self.media;
        match event {
            MediaEvent::Opened { key, a: a_ports, b: b_ports } if key == media.key => {
                let State::Opening { a, b } = media.state else { return MediaNews::None };
                media.state = State::Open { a, b, ports: [a_ports, b_ports] };
                media.give_up = None;
                media.wanted = None;
                return MediaNews::Opened;
            }
            MediaEvent::OpenFailed { key, cause, .. } if key == media.key => {
                let now = self.now.instant;
                let Some(wanted) = media.wanted.as_deref_mut() else {
                    media.state = State::Closed;
                    return MediaNews::NoPorts(no_media(cause));
                };
                wanted.again = Some(now + ASK_AGAIN);
                media.give_up = media.give_up.map(|at| at.min(now + ASK_FOR));
                if wanted.made_room < MOST_GIVE_WAY {
                    wanted.made_room += 1;
                    self.act(Action::MakeRoom);
                }
            }
            MediaEvent::Silent { key } if key == media.key && media.up => return MediaNews::Silent,
            // A call may ring in silence, whatever descriptions came with the ringing.
            MediaEvent::Silent { key } if key == media.key => media.was_silent = true,
            // It is the party's promise, and many write one by habit: its call goes on.
            MediaEvent::KeyUsedUp { key, side } if key == media.key => {
                let [a, b] = &mut media.used_up;
                let told = match side {
                    Side::A => a,
                    Side::B => b,
                };
                if !std::mem::replace(told, true) {
                    let transaction_id = self.id;
                    tracing::info!(%transaction_id, ?side, "a party sends under an SRTP key for longer than it said");
                }
            }
            MediaEvent::Displaced { key, .. } if key == media.key => media.strangers += 1,
            MediaEvent::Closed { key, .. } if key == media.key => {
                media.state = State::Closed;
                media.give_up = None;
            }
            _ => {}
        }
        MediaNews::None
    }

    /// The call is up: silence counts from now, also where it was told while it rang.
    pub fn watch_for_silence(&mut self) {
        self.media.up = true;
        if std::mem::take(&mut self.media.was_silent) {
            let told = self.media.last_told.take();
            let told = told.and_then(|side| Some((side, self.media.remote(side)?.clone())));
            if let Some((side, remote)) = told {
                let key = self.media.key;
                self.act(Action::Media(Command::Remote { key, side, remote, hurry: true }));
            }
        }
    }

    /// Silence is in order: a party waits for another call.
    pub fn bear_silence(&mut self) {
        self.media.up = false;
    }

    /// Gives the ports back; the figures come with [`MediaEvent::Closed`].
    pub fn close_media(&mut self) {
        self.media.give_up = None;
        self.media.wanted = None;
        match self.media.state {
            State::Opening { .. } | State::Open { .. } => {
                self.media.state = State::Closing;
                self.media.give_up = Some(self.now.instant + CLOSE_TIMEOUT);
                self.act(Action::Media(Command::Close { key: self.media.key }));
            }
            State::Idle => self.media.state = State::Closed,
            State::Closing | State::Closed => {}
        }
    }

    /// Tells the workers where `side`'s media is, as its newest description says.
    pub fn learn_remote(&mut self, side: Side, end: &mut End, stream: &Stream) {
        let customer = match side {
            Side::A => self.account.outbound.is_some(),
            Side::B => self.account.inbound.is_some(),
        };
        // A stream that is held by its party is expected to be silent; RFC 3264 §8.4.
        end.on_hold = stream.is_hold();
        let mut remote = remote(stream);
        remote.mux = end.rtcp.mux && stream.is_rtp();
        remote.extended = end.rtcp.extended();
        remote.on_hold = end.on_hold;
        remote.symmetric = end.profile.symmetric;
        remote.customer = customer;
        remote.signalling = Some(end.flow.remote.ip());
        remote.srtp = end.sdes.keys().cloned().map(Box::new);
        self.locate_media(side, stream, &mut remote);
        self.tell_remote(side, remote);
    }

    /// Tells the workers where a stream comes from that we only listen to. Returns whether its sender sends nothing now.
    pub fn listen_to(&mut self, side: Side, end: &End, keys: Option<SrtpKeys>, stream: &Stream) -> bool {
        let mut remote = remote(stream);
        remote.on_hold = matches!(stream.direction, Direction::RecvOnly | Direction::Inactive);
        remote.ends_here = true;
        remote.symmetric = end.profile.symmetric;
        remote.customer = true;
        remote.signalling = Some(end.flow.remote.ip());
        remote.srtp = keys.map(Box::new);
        let holds = remote.on_hold;
        self.locate_media(side, stream, &mut remote);
        self.tell_remote(side, remote);
        holds
    }

    /// Tells the workers where copies of what `side` says go.
    pub fn record_at(&mut self, side: Side, end: &End, keys: Option<SrtpKeys>, stream: &Stream) {
        let mut remote = remote(stream);
        remote.ends_here = true; // Nobody there has anything to say.
        remote.on_hold = stream.is_hold();
        remote.signalling = Some(end.flow.remote.ip());
        remote.srtp = keys.map(Box::new);
        self.locate_media(side, stream, &mut remote);
        self.tell_remote(side, remote);
    }

    /// Nothing is sent to `side`'s party, whatever was described: it is elsewhere.
    pub fn is_elsewhere(&mut self, side: Side) {
        self.tell_remote(side, Remote { on_hold: true, ..Remote::default() });
    }

    pub fn tell_remote(&mut self, side: Side, remote: Remote) {
        let told = match side {
            Side::A => &mut self.media.a_remote,
            Side::B => &mut self.media.b_remote,
        };
        // Before the first word of a leg nothing is relayed to it.
        let hurry = told.replace(Box::new(remote.clone())).is_some();
        self.media.last_told = (!self.media.up).then_some(side);
        self.act(Action::Media(Command::Remote { key: self.media.key, side, remote, hurry }));
    }
}

/// As `a=rtpmap` writes it. RFC 8866 §6.6.
fn channels(codec: &Codec) -> SmolStr {
    match codec.channels {
        1 => SmolStr::default(),
        channels => format_smolstr!("/{channels}"),
    }
}

/// Somebody has to hang up first, and its ports to rest.
fn no_media(cause: NoRoom) -> Cause {
    Cause::new(503, cause.to_string()).later(RETRY_MEDIA)
}

fn remote(stream: &Stream) -> Remote {
    let mut remote = Remote::default();
    if stream.is_udptl() {
        remote.kind = crate::media::StreamKind::Udptl;
    }
    remote.rtp = stream.rtp().filter(|_| !stream.is_black_hole());
    remote.rtcp = remote.rtp.and(stream.rtcp);
    remote.packet_ms = stream.ptime;
    for codec in &stream.codecs {
        remote.clock_rates.push((codec.payload_type, codec.clock_rate));
        let named = rtp::codec::Codec::named(&codec.name);
        if named != rtp::codec::Codec::from_static(PayloadType(codec.payload_type)) {
            remote.codecs.push((codec.payload_type, named));
        }
        if codec.is_telephone_event() {
            remote.events.push(codec.payload_type);
        } else if codec.is_comfort_noise() {
            remote.comfort_noise.push(codec.payload_type);
        }
    }
    remote
}
