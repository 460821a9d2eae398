//! Calls that belong together by transfers, and what they tell each other: on one shard, or from shard to shard.
//!
//! A leg keeps its tag when it goes to a call of another shard, and its party goes on sending to the shard that the tag names.
//! Each shard that a leg has left knows where it went and hands its party's requests on (`handed_on.rs`); a leg never goes twice by the same entry, for each is newer than the one that led there.

use sip::StatusCode;
use sip::header::Replaces;
use smol_str::SmolStr;

use super::{CallKey, Core, Effect, Output, Slot};
use crate::call::{Call, Event, GivenBack, LegRef, Lent};
use crate::clock::Now;
use crate::ids::token_info;
use crate::media::Side;
use crate::peer::Party;
use crate::reply::Cause;

/// The calls that a call belongs with.
#[derive(Debug, Default)]
pub(super) struct Kin {
    /// The one in which it was asked for, or for a place in it, until who comes from there has joined; and the side of that.
    waits: Option<(CallKey, Side)>,
    /// Where the party of each side came from.
    came_from: [Option<CallKey>; 2],
    /// The one that was asked for in it.
    pub asked_for: Option<CallKey>,
}

impl Kin {
    /// Of a call that was asked for in `parent`, by a REFER: whoever is transferred is its caller.
    pub fn of(parent: CallKey) -> Kin {
        Kin { waits: Some((parent, Side::A)), ..Kin::default() }
    }

    /// Who was waited for has joined. The call that had its place before is over.
    fn joined(&mut self) -> Option<CallKey> {
        let (from, side) = self.waits.take()?;
        let [a, b] = &mut self.came_from;
        match side {
            Side::A => a.replace(from),
            Side::B => b.replace(from),
        }
    }
}

/// What one shard tells another.
#[derive(Debug)]
pub enum Word {
    /// Something for a call of that shard.
    Call {
        /// Whose word it is.
        from: CallKey,
        /// The call.
        to: CallKey,
        /// The word.
        event: Box<Event>,
    },
    /// In a call the party `by` has a dialog named whose tag leads to that shard: `Event::Replace`.
    Place {
        /// The call in which it was asked for.
        from: CallKey,
        /// The dialog.
        replaces: Box<Replaces>,
        /// Who asked.
        by: Option<Party>,
    },
    /// The leg with this tag of ours is in a call of another shard.
    Moved {
        /// The tag.
        tag: String,
        /// Where it is.
        shard: u16,
    },
    /// The leg with this tag of ours is over.
    Left {
        /// The tag.
        tag: String,
    },
}

impl Word {
    /// Whether somebody waits for the word, or keeps something until it comes. The others may be refused: a place in a call that
    /// is asked for, and what only tells how far a call is. For each place there are some half a dozen owed words.
    pub fn is_owed(&self) -> bool {
        match self {
            Word::Call { event, .. } => {
                !matches!(&**event, Event::Progress { status } if status.is_provisional())
            }
            Word::Place { .. } => false,
            Word::Moved { .. } | Word::Left { .. } => true,
        }
    }
}

/// What Replaces names.
pub(super) enum Named {
    /// A dialog of a call here.
    Dialog(CallKey, LegRef),
    /// Perhaps one of that shard.
    Elsewhere(u16),
    /// One that we had, or never had.
    Gone,
    /// One that others have with each other.
    Foreign,
}

impl Core {
    /// The dialog that Replaces names: a tag of ours leads there, wherever it stands.
    pub(super) fn named(&self, replaces: &Replaces) -> Named {
        let tags = || [&replaces.to_tag, &replaces.from_tag].into_iter();
        let known = |tag: &String| {
            let (key, leg) = *self.tags.get(tag.as_str())?;
            self.calls.get(&key)?.call.is_named(leg, replaces).then_some(Named::Dialog(key, leg))
        };
        let own = self.tokens.shard();
        let moved = || tags().find_map(|tag| self.moved.get(tag)).copied();
        let made = || tags().find_map(|tag| token_info(tag)).map(|info| info.shard);
        let elsewhere = || match (moved(), made()) {
            (Some(shard), _) | (None, Some(shard)) if shard != own => Named::Elsewhere(shard),
            (None, None) => Named::Foreign,
            _ => Named::Gone,
        };
        tags().find_map(known).unwrap_or_else(elsewhere)
    }

    /// The party of `leg` asked, in the call `from`, that the other party of that one take its place in `call`.
    ///
    /// # Errors
    /// Why it may not.
    pub(super) fn ask_for_place(
        &mut self,
        from: CallKey,
        (call, leg): (CallKey, LegRef),
        replaces: Box<Replaces>,
        by: Option<Party>,
    ) -> Result<(), StatusCode> {
        let slot = self.calls.get_mut(&call).filter(|_| call != from).ok_or(StatusCode::FORBIDDEN)?;
        if slot.kin.waits.is_some() {
            return Err(StatusCode::REQUEST_PENDING);
        }
        slot.kin.waits = Some((from, leg.side()));
        self.tell(from, call, Event::Replace { leg, replaces, by });
        Ok(())
    }

    /// The same for a call of another shard.
    fn place_asked(&mut self, from: CallKey, replaces: Box<Replaces>, by: Option<Party>) {
        let asked = match self.named(&replaces) {
            Named::Dialog(call, leg) => self.ask_for_place(from, (call, leg), replaces, by).map(|()| call),
            Named::Elsewhere(shard) if self.has_moved(&replaces) => {
                return self.effect(Effect::Tell { shard, word: Word::Place { from, replaces, by } });
            }
            Named::Elsewhere(_) | Named::Gone | Named::Foreign => Err(StatusCode::CALL_DOES_NOT_EXIST),
        };
        // It must know whom to tell if it thinks better of it.
        let nobody = CallKey(u64::from(self.tokens.shard()) << CallKey::SHARD_SHIFT);
        match asked {
            Ok(call) => self.tell(call, from, Event::Progress { status: StatusCode::TRYING }),
            Err(status) => self.tell(nobody, from, Event::Progress { status }),
        }
    }

    fn has_moved(&self, replaces: &Replaces) -> bool {
        self.moved.contains_key(&replaces.to_tag) || self.moved.contains_key(&replaces.from_tag)
    }

    /// To another call, once it listens.
    fn tell(&mut self, from: CallKey, to: CallKey, event: Event) {
        let shard = to.shard();
        if shard == self.tokens.shard() {
            return self.told.push_back((from, to, event));
        }
        if let Event::Joined(lent) = &event {
            self.moves(lent, shard);
        } else if let Event::Returned(back) = &event {
            self.moves(&back.lent, shard);
        }
        self.effect(Effect::Tell { shard, word: Word::Call { from, to, event: Box::new(event) } });
    }

    /// Requests of the leg's party are for that shard from now on.
    fn moves(&mut self, lent: &Lent, shard: u16) {
        let tag = lent.tag();
        self.tags.remove(tag);
        self.moved.insert(tag.to_owned(), shard);
    }

    /// Requests with `tag` in To are for a call of this shard.
    pub(super) fn bind(&mut self, tag: SmolStr, key: CallKey, leg: LegRef) {
        if let Some(shard) = self.moved.get_mut(tag.as_str()) {
            *shard = self.tokens.shard();
        }
        self.tags.insert(tag, (key, leg));
    }

    /// A call goes on here: requests of its parties may come to the shards that their tags name.
    pub(super) fn adopt_tags(&mut self, call: &Call) {
        let own = self.tokens.shard();
        for tag in call.tags() {
            if let Some(info) = token_info(tag).filter(|info| info.shard != own) {
                let word = Word::Moved { tag: tag.to_string(), shard: own };
                self.outputs.push_back(Output::Effect(Effect::Tell { shard: info.shard, word }));
            }
        }
    }

    /// The call is over which `tag` led to: nobody hands anything on to it any more.
    pub(super) fn unbind(&mut self, tag: &str, key: CallKey) {
        // A party that went to another call has its tag with it.
        if self.tags.get(tag).is_none_or(|(whose, _)| *whose != key) {
            return;
        }
        self.tags.remove(tag);
        let foreign = token_info(tag).is_some_and(|info| info.shard != self.tokens.shard());
        if foreign || self.moved.contains_key(tag) {
            self.effect(Effect::Left { tag: tag.to_owned() });
        }
    }

    /// What another shard tells.
    pub(super) fn hear_word(&mut self, now: Now, word: Word) {
        match word {
            Word::Call { from, to, event } => self.hear(now, from, to, *event),
            Word::Place { from, replaces, by } => self.place_asked(from, replaces, by),
            Word::Moved { tag, shard } => drop(self.moved.insert(tag, shard)),
            Word::Left { tag } => drop(self.moved.remove(&tag)),
        }
    }

    /// There is no such shard, or it takes nothing.
    pub(super) fn untold(&mut self, word: Word) {
        match word {
            Word::Call { from, to, event } => {
                if let Event::Joined(lent) = *event {
                    self.tell(to, from, Event::Returned(GivenBack::too_late(*lent)));
                }
            }
            Word::Place { from, .. } => {
                let status = StatusCode::CALL_DOES_NOT_EXIST;
                self.tell(from, from, Event::Progress { status });
            }
            Word::Moved { .. } | Word::Left { .. } => {}
        }
    }

    /// What one call tells another one.
    pub(super) fn hear(&mut self, now: Now, from: CallKey, to: CallKey, event: Event) {
        let slot = self.calls.get_mut(&to);
        match (slot, event) {
            // There is no call any more that it could come to.
            (None, Event::Joined(lent)) => {
                self.tell(to, from, Event::Returned(GivenBack::too_late(*lent)));
            }
            (None, Event::Returned(back)) => self.dismiss(now, back),
            (slot, Event::Progress { status }) if status.is_final() => {
                if let Some(slot) = slot {
                    slot.kin.asked_for = None;
                }
                self.event(now, to, Event::Progress { status });
            }
            (slot, event @ (Event::Progress { .. } | Event::Taken)) => {
                match slot.filter(|slot| slot.call.asks_for_another()) {
                    Some(slot) => {
                        slot.kin.asked_for = Some(from);
                        self.event(now, to, event);
                    }
                    None => {
                        let cause = Cause::new(487, "The call is over in which it was asked for");
                        self.tell(to, from, Event::Abandoned { cause });
                    }
                }
            }
            (Some(slot), Event::Abandoned { cause }) => {
                if slot.kin.waits.take_if(|(waits, _)| *waits == from).is_some() {
                    self.event(now, to, Event::Abandoned { cause });
                }
            }
            (_, event) => self.event(now, to, event),
        }
    }

    /// As if all calls of this shard had been over for long.
    #[cfg(test)]
    pub fn forget_calls(&mut self) {
        self.calls.clear();
    }

    /// A party returns to a call that was forgotten meanwhile: it hears BYE, and its requests lead here until it has answered.
    fn dismiss(&mut self, now: Now, back: Box<GivenBack>) {
        self.next_call += 1;
        let key = CallKey(self.next_call);
        self.calls.insert(key, Slot::new(now, Call::of_nobody(), Default::default()));
        self.event(now, key, Event::Returned(back));
    }

    /// To the call in which this one was asked for, or a place in it.
    pub(super) fn tell_asker(&mut self, key: CallKey, event: Event) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let Some((asker, _)) = slot.kin.waits else { return };
        let over = match &event {
            Event::Progress { status } if status.is_success() => slot.kin.joined(),
            Event::Progress { status } if !status.is_final() => None,
            Event::Taken => None,
            _ => {
                slot.kin.waits = None;
                None
            }
        };
        if let Some(over) = over {
            self.tell(key, over, Event::Over { cause: Cause::new(200, "Transferred") });
        }
        self.tell(key, asker, event);
    }

    /// The party of `side` has left its place: the call that it came from is over.
    pub(super) fn came_no_more(&mut self, key: CallKey, side: Side) {
        let Some(slot) = self.calls.get_mut(&key) else { return };
        let [a, b] = &mut slot.kin.came_from;
        let came_from = match side {
            Side::A => a.take(),
            Side::B => b.take(),
        };
        if let Some(over) = came_from {
            self.tell(key, over, Event::Over { cause: Cause::new(200, "Replaced") });
        }
    }

    /// To the call that was asked for in this one.
    pub(super) fn tell_asked_for(&mut self, key: CallKey, event: Event) {
        if let Some(call) = self.calls.get(&key).and_then(|slot| slot.kin.asked_for) {
            self.tell(key, call, event);
        }
    }

    /// The call is over: whoever waits for it hears so, and the calls end that its parties came from.
    pub(super) fn tell_over(&mut self, key: CallKey, cause: &Cause) {
        self.tell_asker(key, Event::Progress { status: StatusCode::REQUEST_TERMINATED });
        let came_from = self.calls.get(&key).map(|slot| slot.kin.came_from);
        for call in came_from.into_iter().flatten().flatten() {
            self.tell(key, call, Event::Over { cause: cause.clone() });
        }
    }
}
