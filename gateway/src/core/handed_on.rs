//! Requests whose call is on another shard, and which way an INVITE went there.
//!
//! A request inside a dialog comes to the shard that its To tag names, and goes on from there where its leg has moved. An INVITE
//! with Replaces comes to the shard of its Call-ID like any other, and goes to the one that has the dialog it names. Its copies
//! and its CANCEL, which tell nothing of that dialog, go the same way: each shard that hands such an INVITE on remembers where it
//! went for as long as it may wait for its response, whatever becomes of the dialog meanwhile.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sip::header::Replaces;
use sip::transaction::InviteMark;
use sip::{Message, Method, Name};

use super::kept::Kept;
use super::{Core, Effect};
use crate::admit;
use crate::call::LONGEST_SETUP;
use crate::clock::Now;
use crate::ids::token_info;
use crate::peer::Source;

/// So often a request is handed on: shards that send it to each other know nothing of its call.
const MOST_HOPS: u8 = 5;

/// How long an INVITE may have copies or a CANCEL: it is answered by then, and its response was repeated for 32 s.
const LASTS: Duration = LONGEST_SETUP.saturating_add(Duration::from_secs(32));

/// Bytes for what is remembered; one costs nearly a thousand (`kept.rs`).
const ROOM: u64 = 8 << 20;

/// Where INVITEs outside a dialog went. Who floods it loses its own.
pub(super) struct HandedOn {
    /// The shard, and when.
    went: HashMap<InviteMark, (u16, Instant)>,
    kept: Kept<InviteMark>,
}

impl Default for HandedOn {
    fn default() -> HandedOn {
        HandedOn { went: HashMap::new(), kept: Kept::new(ROOM) }
    }
}

impl HandedOn {
    /// - `source`: who sent it.
    fn remember(&mut self, now: Instant, mark: InviteMark, shard: u16, source: IpAddr) {
        if self.went.contains_key(&mark) {
            return;
        }
        self.went.insert(mark, (shard, now));
        self.kept.add(mark, source, 0);
        while let Some(old) = self.kept.too_old().or_else(|| self.over(now)) {
            self.went.remove(&old);
            self.kept.remove(old);
        }
    }

    /// The oldest, once nobody waits for its response any more.
    fn over(&self, now: Instant) -> Option<InviteMark> {
        let oldest = self.kept.oldest()?;
        self.went.get(&oldest).is_none_or(|(_, since)| *since + LASTS <= now).then_some(oldest)
    }

    fn of(&self, mark: InviteMark) -> Option<u16> {
        self.went.get(&mark).map(|(shard, _)| *shard)
    }
}

impl Core {
    /// The shard that a request is to be handed on to.
    pub(super) fn elsewhere(&self, source: &Source, message: &Message, hops: u8) -> Option<u16> {
        let method = message.method()?;
        let invites = matches!(method, Method::Invite) && message.has(Name::Replaces);
        let may_have_gone =
            matches!(method, Method::Invite | Method::Cancel) && !self.handed_on.went.is_empty();
        if hops >= MOST_HOPS || !(invites || may_have_gone || !self.moved.is_empty()) {
            return None;
        }
        let shard = match message.to_tag() {
            Some(tag) => self.moved.get(&*tag).copied(),
            None => self.went(message).or_else(|| self.named_by(source, message, hops).filter(|_| invites)),
        };
        shard.filter(|shard| *shard != self.tokens.shard())
    }

    /// Where an INVITE went, or that of a CANCEL.
    fn went(&self, message: &Message) -> Option<u16> {
        self.handed_on.of(self.transactions.mark(message)?)
    }

    /// The shard whose dialog an INVITE names by Replaces. Nothing is remembered for strangers; and who calls for help gets it
    /// where the call came.
    fn named_by(&self, source: &Source, message: &Message, hops: u8) -> Option<u16> {
        let replaces = Replaces::parse(&message.value(Name::Replaces)?).ok()?;
        if self.tags.contains_key(replaces.to_tag.as_str()) {
            return None;
        }
        // One that was handed on came because of the tag: only who knows where the leg has gone since may do so again.
        let made = || token_info(&replaces.to_tag).filter(|_| hops == 0).map(|info| info.shard);
        let shard = self.moved.get(&replaces.to_tag).copied().or_else(made)?;
        let for_help = || admit::asks_for_help(&self.live.config, &super::parties::facts(message, source));
        (self.is_listed(source) && !for_help()).then_some(shard)
    }

    /// Hands a request on to the shard that has its call.
    pub(super) fn hand_on(&mut self, now: Now, shard: u16, source: Source, message: Message, hops: u8) {
        let begins = message.method() == Some(Method::Invite) && message.to_tag().is_none();
        if let Some(mark) = self.transactions.mark(&message).filter(|_| begins) {
            self.handed_on.remember(now.instant, mark, shard, source.remote.ip());
        }
        self.effect(Effect::Forward { shard, source, message, hops: hops + 1 });
    }
}

#[cfg(test)]
mod tests {
    use sip::transaction::{Timers, Transactions};

    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn an_invite_is_remembered_for_as_long_as_it_may_wait_and_a_flood_costs_others_nothing() {
        let table: Transactions<()> = Transactions::new(Timers::default());
        let mark = |number: u64, method: &str| {
            let text = format!(
                "{method} sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{number}\r\n\
                 From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n\r\n"
            );
            table.mark(&Message::parse(text.into()).unwrap()).unwrap()
        };
        let (start, mut handed_on) = (Now::read().instant, HandedOn::default());
        handed_on.remember(start, mark(0, "INVITE"), 3, OTHER);
        for number in 1..20_000 {
            handed_on.remember(start, mark(number, "INVITE"), 2, SOURCE);
        }
        assert_eq!(handed_on.of(mark(0, "CANCEL")), Some(3), "none of another source's");
        assert_eq!(handed_on.of(mark(1, "CANCEL")), None, "the oldest of its own");
        assert_eq!(handed_on.of(mark(19_999, "CANCEL")), Some(2));
        assert!(handed_on.went.len() < 10_000);
        handed_on.remember(start + LASTS, mark(20_000, "INVITE"), 1, SOURCE);
        assert_eq!(handed_on.went.len(), 1);
    }
}
