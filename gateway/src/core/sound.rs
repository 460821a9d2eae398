//! Whose calls' sound goes where.

use config::{Config, OnFailure, Recorded, VoiceConnector};
use sip::text::{as_phrase, shared_phrase};
use smol_str::SmolStr;

use super::{CallKey, Core, Effect, Shared};
use crate::clock::Now;
use crate::direction::Direction;
use crate::media::{Command, Side};
use crate::record::Account;
use crate::sound::{Change, Listen, RecordOrder, Streamed};

/// Where the sound of a call goes.
#[derive(Debug, Default)]
pub(super) struct Sound {
    /// It is recorded now.
    recorded: bool,
    /// It goes to sinks of other kinds, too, as long as it lasts.
    streams: bool,
    /// The connectors whose sinks it went to, all in all.
    pub streamed: Vec<SmolStr>,
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
    /// Whether no call of a connector is placed, since it could not be recorded.
    pub(crate) fn refuses_unrecorded(&self, connector: &VoiceConnector) -> bool {
        let recording = connector.recording;
        recording.calls == Recorded::All
            && recording.on_failure == OnFailure::Refuse
            && self.recordings.is_broken()
    }
}

impl Core {
    /// The call is answered: what is to hear it hears it from now on.
    pub(super) fn listen(&mut self, now: Now, key: CallKey) {
        let Some(slot) = self.calls.get(&key) else { return };
        let account = slot.call.account();
        let recorded = recorded(&self.live.config, account).collect();
        let streamed = sinks(&self.live.config, account).map(|(id, direction, side)| Streamed {
            connector: id.clone(),
            call_id: as_phrase(slot.call.call_id(side)).into(),
            direction,
        });
        let streamed = streamed.collect();
        self.begin_listening(now, key, recorded, streamed);
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
