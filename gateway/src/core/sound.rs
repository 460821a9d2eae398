//! Whose calls' sound goes where.

use config::{Config, OnFailure, Recorded, VoiceConnector};
use sip::siprec::metadata_in;
use sip::text::{as_phrase, phrase, shared_phrase};
use sip::{Message, Method, Name};
use smol_str::SmolStr;
use streaming::event::{Headers, Sdp};

use super::{CallKey, Core, Effect, Shared, Slot};
use crate::admit::Refusal;
use crate::call::{Body, LegRef};
use crate::clock::Now;
use crate::direction::Direction;
use crate::media::{Command, Side};
use crate::record::Account;
use crate::sound::{Change, Invite, Listen, RecordOrder, Streamed, Update};

/// Where the sound of a call goes.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// It is recorded now.
    recorded: bool,
    /// It goes to sinks of other kinds, too, as long as it lasts.
    streams: bool,
    /// The connectors whose sinks it went to, all in all.
    pub streamed: Vec<SmolStr>,
    /// What the INVITE said that began it, until it is listened to.
    invite: Option<Box<Invite>>,
}

/// The connectors to whose sinks each call of this account goes.
pub(super) fn streamed<'c>(config: &'c Config, account: &'c Account) -> impl Iterator<Item = SmolStr> + 'c {
    let streams = sinks(config, account).map(|(id, ..)| id.clone());
    recorded(config, account).map(|(id, _)| id).chain(streams)
}

/// The connectors that have sinks to stream to, and their legs.
fn sinks<'c>(
    config: &'c Config,
    account: &'c Account,
) -> impl Iterator<Item = (&'c SmolStr, Direction, Side)> + 'c {
    let outbound = account.outbound.iter().map(|id| (id, Direction::Outbound, Side::A));
    let inbound = account.inbound.iter().map(|id| (id, Direction::Inbound, Side::B));
    let has_some = |id: &str| config.connector(id).is_some_and(|one| !one.streaming.sinks.is_empty());
    outbound.chain(inbound).filter(move |(id, ..)| has_some(id))
}

/// The connectors that record each call of this account, and with how many samples a second.
fn recorded<'c>(config: &'c Config, account: &'c Account) -> impl Iterator<Item = (SmolStr, u32)> + 'c {
    recording(config, account, |recorded| recorded == Recorded::All)
}

fn recording<'c>(
    config: &'c Config,
    account: &'c Account,
    is_meant: impl Fn(Recorded) -> bool + 'c,
) -> impl Iterator<Item = (SmolStr, u32)> + 'c {
    account.outbound.iter().chain(&account.inbound).filter_map(move |id| {
        let recording = config.connector(id)?.recording;
        is_meant(recording.calls).then(|| (id.clone(), recording.rate.hertz()))
    })
}

/// What is kept of an INVITE of `connector`'s customer for the events of its streams; `None`: there will be none.
///
/// - `session`: of a recording session, its description.
pub(super) fn invite(
    config: &Config,
    connector: &str,
    message: &Message,
    session: Option<&Body>,
) -> Option<Box<Invite>> {
    if config.connector(connector).is_none_or(|one| one.streaming.sinks.is_empty()) {
        return None;
    }
    let mut places =
        session.into_iter().flat_map(Body::relayed_streams).enumerate().map(|(index, stream)| {
            let media_label = stream.label.as_deref().unwrap_or_default().into();
            Sdp { media_index: u32::try_from(index).unwrap_or(u32::MAX), media_label }
        });
    let invite = Invite {
        headers: Some(headers(message)),
        metadata: session.and_then(|_| metadata_in(message)).map(text),
        sdp: [places.next(), places.next()],
    };
    Some(Box::new(invite))
}

/// Header fields as events have them: nothing that proves who somebody is.
fn headers(message: &Message) -> Headers {
    let secret = |name: &Name| matches!(name, Name::Authorization | Name::ProxyAuthorization);
    let fields = message.headers().filter(|header| !secret(&header.name));
    let fields: Vec<(String, String)> =
        fields.map(|header| (header.name.to_string(), phrase(&header.text()))).collect();
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Most bytes of a recording session's metadata in an event: a bus takes 256 KiB for one.
const METADATA: usize = 64 << 10;

fn text(metadata: &[u8]) -> String {
    String::from_utf8_lossy(metadata.get(..METADATA).unwrap_or(metadata)).into_owned()
}

impl Slot {
    /// What the INVITE says that began it is kept until it is listened to.
    pub(super) fn keep_invite(&mut self, invite: Option<Box<Invite>>) {
        if invite.is_some() {
            self.sound.get_or_insert_default().invite = invite;
        }
    }
}

impl Sound {
    fn begins(&mut self, recorded: &[(SmolStr, u32)], streamed: &[Streamed]) {
        self.recorded |= !recorded.is_empty();
        self.streams |= !streamed.is_empty();
        let connectors = recorded.iter().map(|(id, _)| id).chain(streamed.iter().map(|one| &one.connector));
        for connector in connectors {
            if !self.streamed.contains(connector) {
                self.streamed.push(connector.clone());
            }
        }
    }
}

impl Shared {
    /// Why no call of a connector is placed: what of it should be kept, or streamed, could not be.
    pub(crate) fn refuses_unheard(&self, connector: &VoiceConnector) -> Option<Refusal> {
        let recording = connector.recording;
        if recording.calls == Recorded::All
            && recording.on_failure == OnFailure::Refuse
            && self.recordings.is_broken()
        {
            return Some(Refusal::Unrecorded { connector: connector.id.clone() });
        }
        let mut must = connector.streaming.sinks.iter().filter(|sink| sink.on_failure == OnFailure::Refuse);
        let away = must.find(|sink| !self.sinks.of(connector.id.as_str(), &sink.name).takes())?;
        Some(Refusal::Unstreamed { connector: connector.id.clone(), sink: away.name.clone() })
    }
}

impl Core {
    /// The call is answered: what is to hear it hears it from now on.
    pub(super) fn listen(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let mut invite = slot.sound.as_mut().and_then(|sound| sound.invite.take());
        let account = slot.call.account();
        let recorded = recorded(&self.live.config, account).collect();
        let streamed = sinks(&self.live.config, account).map(|(id, direction, side)| Streamed {
            connector: id.clone(),
            call_id: as_phrase(slot.call.call_id(side)).into(),
            direction,
            // The other party's INVITE is no business of a customer who is called.
            invite: match direction {
                Direction::Outbound => invite.take().map(|invite| *invite).unwrap_or_default(),
                Direction::Inbound => Invite::default(),
            },
        });
        let streamed = streamed.collect();
        self.begin_listening(now, key, recorded, streamed);
    }

    /// A request came inside of a call: one that changes it is told of where the call is streamed, as it was asked for.
    pub(super) fn hear_change(&mut self, now: Now, key: CallKey, leg: LegRef, message: &Message) {
        let Some(slot) = self.calls.get(&key) else { return };
        if !slot.sound.as_ref().is_some_and(|sound| sound.streams) {
            return;
        }
        let metadata = metadata_in(message);
        if message.method() != Some(Method::Invite) && metadata.is_none() {
            return;
        }
        let side = if leg == LegRef::A { Side::A } else { Side::B };
        let sinks = sinks(&self.live.config, slot.call.account());
        let connectors = sinks.filter(|(_, _, customer)| *customer == side).map(|(id, ..)| id.clone());
        let transaction_id = slot.call.transaction_id;
        for connector in connectors.collect::<Vec<_>>() {
            let (headers, metadata) = (headers(message), metadata.map(text));
            let update = Update { now, connector, headers, metadata };
            let change = Change::Updated(Box::new(update));
            self.effect(Effect::Recordings { transaction_id, change });
        }
    }

    /// What an operator says of the recording of a call.
    pub(super) fn record_call(
        &mut self,
        now: Now,
        key: CallKey,
        order: RecordOrder,
    ) -> Result<(), &'static str> {
        let slot = self.calls.get_mut(&key).ok_or("the call is over")?;
        let (is_recorded, streams) =
            slot.sound.as_ref().map_or((false, false), |sound| (sound.recorded, sound.streams));
        let transaction_id = slot.call.transaction_id;
        match order {
            RecordOrder::Start if is_recorded => Err("the call is recorded already"),
            RecordOrder::Start if slot.call.times().answered.is_none() => Err("the call is not answered yet"),
            RecordOrder::Start => {
                let account = slot.call.account();
                let recorded: Vec<_> =
                    recording(&self.live.config, account, |recorded| recorded != Recorded::None).collect();
                if recorded.is_empty() {
                    return Err("no connector of the call has [voice_connector.recording]");
                }
                if streams {
                    slot.sound.get_or_insert_default().begins(&recorded, &[]);
                    self.effect(Effect::Recordings { transaction_id, change: Change::Begin(now, recorded) });
                } else {
                    self.begin_listening(now, key, recorded, Vec::new());
                }
                Ok(())
            }
            _ if !is_recorded => Err("the call is not recorded"),
            RecordOrder::Stop => {
                slot.sound.get_or_insert_default().recorded = false;
                match slot.call.media_key().filter(|_| !streams) {
                    Some(key) => self.effect(Effect::Media(Command::StopListening { key })),
                    None => self.effect(Effect::Recordings { transaction_id, change: Change::End }),
                }
                Ok(())
            }
            RecordOrder::Pause | RecordOrder::Resume => {
                let change = Change::Pause(order == RecordOrder::Pause);
                self.effect(Effect::Recordings { transaction_id, change });
                Ok(())
            }
        }
    }

    fn begin_listening(
        &mut self,
        now: Now,
        key: CallKey,
        recorded: Vec<(SmolStr, u32)>,
        streamed: Vec<Streamed>,
    ) {
        if recorded.is_empty() && streamed.is_empty() {
            return;
        }
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let Some(media) = slot.call.media_key() else { return };
        slot.sound.get_or_insert_default().begins(&recorded, &streamed);
        let (transaction_id, account) = (slot.call.transaction_id, slot.call.account());
        let (caller, callee) = (shared_phrase(&account.caller), shared_phrase(&account.callee));
        let listen = Listen { transaction_id, key: media, now, recorded, streamed, caller, callee };
        self.effect(Effect::Listen(Box::new(listen)));
    }
}
