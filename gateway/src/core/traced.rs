//! What is shown of calls that an operator looks at.

use std::net::SocketAddr;
use std::ops::Bound::{Excluded, Unbounded};

use sip::Message;
use uuid::Uuid;

use super::flow::Flow;
use super::{CallKey, Core, Effect};
use crate::clock::Now;
use crate::hep::Reports;
use crate::media::Command;
use crate::peer::{ListenerId, Source};
use crate::question::LOOKED_AT;
use crate::trace::Tap;
use crate::why::Crossed;

impl Core {
    /// A message of a call came or went: shown, where somebody looks at that call.
    pub(super) fn trace(&mut self, now: Now, key: CallKey, crossed: Crossed<'_>, message: &Message) {
        let tap = self.shared.tracer.tap();
        let tap = tap.filter(|tap| self.look_at(key, tap));
        if tap.is_none() && !self.shared.feed.is_on() {
            return;
        }
        let (transport, ours, theirs, sent) = match crossed {
            Crossed::Received(source) => (source.transport, source.local, source.remote, false),
            Crossed::Sent(peer) => {
                let known = peer.connection.and_then(|_| self.way_in(key, message));
                let ours = self.address_of(peer.listener, peer.remote, peer.local);
                (peer.transport, ours, known.unwrap_or(peer.remote), true)
            }
            Crossed::Cancelled => {
                let Some((remote, transport)) = self.calls.get(&key).and_then(|slot| slot.ladder.origin())
                else {
                    return;
                };
                let listener = self.live.config.listen.iter().position(|listen| listen.protocol == transport);
                let listener = ListenerId(listener.and_then(|index| u16::try_from(index).ok()).unwrap_or(0));
                (transport, self.address_of(listener, remote, None), remote, false)
            }
        };
        let (from, to) = if sent { (ours, theirs) } else { (theirs, ours) };
        if let Some(tap) = tap {
            tap.message(now, transport, from, to, message.bytes());
        }
        if self.shared.feed.is_on()
            && let Some(slot) = self.calls.get_mut(&key)
        {
            let id = slot.call.transaction_id;
            self.shared.feed.message(now, Some(id), transport, (from, to), message.bytes());
            let media = slot.call.media_key().filter(|media| slot.reports != Some(*media));
            if let Some(key) = media {
                slot.reports = Some(key);
                let reports = Reports::new(self.shared.feed.clone(), id);
                self.effect(Effect::Media(Command::Reports { key, reports }));
            }
        }
    }

    /// A request that began no call, and what it was answered, to whom what crosses is told.
    ///
    /// - `id`: under which it is recorded.
    pub(super) fn tell_outside(
        &self,
        now: Now,
        id: Option<Uuid>,
        source: &Source,
        request: &Message,
        response: &Message,
    ) {
        let (feed, there, here) = (&self.shared.feed, source.remote, source.local);
        if feed.is_on() {
            feed.message(now, id, source.transport, (there, here), request.bytes());
            feed.message(now, id, source.transport, (here, there), response.bytes());
        }
    }

    /// A request of ours outside all calls (a probe, a registration with a carrier), or a response to it.
    pub(super) fn tell_own(&self, now: Now, flow: &Flow, sent: bool, message: &Message) {
        if !self.shared.feed.is_on() {
            return;
        }
        let Flow { source, peer } = flow;
        let ends = match sent {
            true => (self.address_of(peer.listener, peer.remote, peer.local), peer.remote),
            false => (source.remote, source.local),
        };
        self.shared.feed.message(now, None, peer.transport, ends, message.bytes());
    }

    /// Whether the call is one that is looked at; its media is, from then on.
    fn look_at(&mut self, key: CallKey, tap: &Tap) -> bool {
        let Some(slot) = self.calls.get_mut(&key) else { return false };
        if !slot.call.is_wanted(tap.wanted()) {
            return false;
        }
        let media = slot.call.media_key();
        let tapped = media.map(|media| (media, tap.clone()));
        if let Some(key) = media.filter(|_| slot.tapped.as_deref() != tapped.as_ref()) {
            slot.tapped = tapped.map(Box::new);
            self.effect(Effect::Media(Command::Tap { key, tap: tap.clone() }));
        }
        true
    }

    /// Looks at calls that are up already, as many as one question may.
    ///
    /// - `after`: those after this one. Returns where to go on.
    pub(super) fn look_at_page(&mut self, after: Option<u64>) -> Option<u64> {
        let tap = self.shared.tracer.tap()?;
        let from = after.map_or(Unbounded, |after| Excluded(CallKey(after)));
        let page: Vec<CallKey> =
            self.calls.range((from, Unbounded)).map(|(key, _)| *key).take(LOOKED_AT).collect();
        for key in &page {
            self.look_at(*key, &tap);
        }
        page.last().map(|last| last.0).filter(|_| page.len() == LOOKED_AT)
    }

    /// The other end of a connection, as it was seen when something came by it.
    fn way_in(&self, key: CallKey, message: &Message) -> Option<SocketAddr> {
        let slot = self.calls.get(&key)?;
        slot.ladder.other_end(slot.call.leg_of(message))
    }

    /// The address of ours that something leaves from.
    fn address_of(
        &self,
        listener: ListenerId,
        peer: SocketAddr,
        local: Option<std::net::IpAddr>,
    ) -> SocketAddr {
        let bound = self.shared.bound.load().get(&listener).copied();
        let told = || self.locals.by(listener, peer.ip(), local).map(|local| local.advertise);
        match (bound, local) {
            (Some(bound), Some(local)) => SocketAddr::new(local, bound.port()),
            (Some(bound), None) if !bound.ip().is_unspecified() => bound,
            (bound, _) => told().or(bound).unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0))),
        }
    }
}
