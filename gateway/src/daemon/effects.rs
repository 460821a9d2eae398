//! What a shard's core wants of the outside and its driver does not do.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::asking::Asking;
use crate::core::{Effect, Input};
use crate::media::Media;
use crate::record::Recorder;
use crate::shard::Mailboxes;
use crate::sound::Sound;

/// The ways out of one shard. Nothing here waits.
pub(super) struct Effects {
    pub shard: u16,
    pub media: Arc<Media>,
    pub recorder: Recorder,
    pub sound: Sound,
    pub mailboxes: Mailboxes,
    pub drained: Sender<u16>,
    pub asking: Asking,
    #[cfg(feature = "otel")]
    pub traces: crate::spans::Exporter,
}

impl Effects {
    pub fn into_closure(self) -> crate::shard::Effects {
        Box::new(move |effect| self.carry_out(effect))
    }

    fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Media(command) => self.media.send(command),
            Effect::Listen(listen) => self.media.send(self.sound.listen(*listen)),
            Effect::Recordings { transaction_id, change } => self.sound.change(transaction_id, change),
            Effect::Record(record) => {
                #[cfg(feature = "otel")]
                if let crate::record::Record::Detail(detail) = &record {
                    self.traces.ended(detail);
                }
                // What finds no room is counted by the recorder.
                let _ = self.recorder.record(record);
            }
            Effect::Answered { call, entries } => self.journal(call, entries),
            Effect::Rings { emergency, entries } => {
                entries.into_iter().for_each(|entry| self.recorder.rings(entry, emergency));
            }
            Effect::HungUp { entries } => entries.into_iter().for_each(|entry| self.recorder.released(entry)),
            Effect::Tell { shard, word } => {
                if let Err(word) = self.mailboxes.post_word(shard, word) {
                    self.mailboxes.untold(self.shard, word);
                }
            }
            Effect::Left { tag } => {
                self.mailboxes.tell_all_left(&tag);
            }
            Effect::Forward { shard, source, message, hops } => {
                if let Err(message) = self.mailboxes.hand_on(shard, Input::HandedOn { source, message, hops })
                {
                    self.mailboxes.post_event(self.shard, nowhere(*message));
                }
            }
            Effect::Answer { question, answer } => self.asking.answered(question, *answer),
            // Nobody listens once the gateway is being dropped.
            Effect::Drained => drop(self.drained.send(self.shard)),
        }
    }

    /// The 200 waits for the last of the call's entries; one that can't be written holds nobody up: it is written
    /// once the disk recovers, and says so in the log.
    fn journal(&self, call: u64, entries: Vec<crate::record::AnsweredCall>) {
        let last = entries.len().saturating_sub(1);
        for (index, entry) in entries.into_iter().enumerate() {
            let (mailboxes, shard) = (self.mailboxes.clone(), self.shard);
            self.recorder.answered(
                entry,
                Box::new(move |_written| {
                    if index == last {
                        mailboxes.post_event(shard, Input::Journaled { call });
                    }
                }),
            );
        }
    }
}

/// A message that names a shard which is not: whoever handed it on keeps it.
fn nowhere(input: Input) -> Input {
    match input {
        Input::HandedOn { source, message, .. } => Input::HandedOn { source, message, hops: u8::MAX },
        other => other,
    }
}
