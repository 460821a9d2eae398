//! What the core sees to before the media workers hear of it, and what it tells of theirs.

use std::net::{IpAddr, SocketAddr};

use super::{CallKey, Core, Effect, Query};
use crate::call::Event;
use crate::clock::Now;
use crate::media::{Command, MediaEvent, Side};
use crate::record::{Minute, Record, quality};
use crate::resolve::{Lookup, ResolveError};

impl Core {
    /// News of a call's media; its figures become quality records.
    pub(super) fn handle_media(&mut self, now: Now, event: MediaEvent) {
        let key = self.copies.call_of(event.key());
        if let MediaEvent::Report { key, statistics } = &event {
            return self.reported_media(*key, statistics.as_deref());
        }
        self.hear_media(now, &event);
        if let MediaEvent::Closed { key, statistics } = &event {
            self.hear_figures(*key, statistics);
        }
        if let MediaEvent::Minute { statistics, .. } = &event
            && let Some(slot) = self.calls.get_mut(&key)
        {
            slot.lost.add(statistics);
            let account = slot.call.account();
            let (a, b) = (&statistics.a, &statistics.b);
            for (connector, customer, remote) in [(&account.outbound, a, b), (&account.inbound, b, a)] {
                if let Some(connector) = connector {
                    self.shared.metrics.minute(connector, customer, remote);
                }
            }
            slot.minutes.add(statistics);
            let minute = Minute {
                unix: now.unix,
                transaction_id: slot.call.transaction_id,
                account: slot.call.account(),
                endpoints: [Side::A, Side::B].map(|side| slot.call.endpoint(side)),
                statistics,
                lost: slot.lost,
            };
            for facts in quality(&self.live.config, &minute).into_iter().flatten() {
                self.write(Record::Quality(Box::new(facts)));
            }
        }
        self.event(now, key, Event::Media(event));
    }

    /// A word to the media workers. Whatever a description, DNS or an old agreement says, no media goes to ourselves.
    pub(super) fn command_media(&mut self, now: Now, key: CallKey, mut command: Command) {
        if let Command::Remote { side, remote, .. } = &mut command {
            let shared = self.shared.clone();
            let ours = |address: &SocketAddr| shared.media.own.holds(*address);
            if let Some(address) = remote.rtp.filter(ours).or(remote.rtcp.filter(ours)) {
                self.tell_loop(now, key, *side, address);
            }
            remote.rtp = remote.rtp.filter(|address| !ours(address));
            remote.rtcp = remote.rtcp.filter(|address| remote.rtp.is_some() && !ours(address));
        }
        self.effect(Effect::Media(command));
    }

    fn tell_loop(&mut self, now: Now, key: CallKey, side: Side, address: SocketAddr) {
        self.shared.metrics.media_loop();
        let Some(transaction_id) = self.tells_of_call(now, key) else { return };
        tracing::warn!(
            %transaction_id,
            party = self.endpoint(key, side).map(tracing::field::display),
            %address,
            "a party wants its media sent to the gateway itself: nothing is sent there"
        );
    }

    /// The media workers' word, for the log and the counters.
    pub(super) fn hear_media(&mut self, now: Now, event: &MediaEvent) {
        let key = self.copies.call_of(event.key());
        let Some(slot) = self.calls.get(&key) else { return };
        if let MediaEvent::OpenFailed { cause, text, .. } = event {
            self.shared.metrics.refusal(cause.label());
            let (transaction_id, source) = (slot.call.transaction_id, slot.call.endpoint(Side::A));
            if source.is_some_and(|source| self.refusal_lines.take(now.instant, source)) {
                tracing::warn!(%transaction_id, cause = cause.label(), text, "a call has no room for its media");
            }
        } else if let MediaEvent::Displaced { side, stranger, .. } = event {
            self.shared.metrics.media_stranger();
            let Some(transaction_id) = self.tells_of_call(now, key) else { return };
            tracing::warn!(
                %transaction_id,
                party = self.endpoint(key, *side).map(tracing::field::display),
                %stranger,
                "media of a stranger was taken for the party's until the party was heard"
            );
        }
    }

    fn endpoint(&self, key: CallKey, side: Side) -> Option<IpAddr> {
        self.calls.get(&key)?.call.endpoint(side)
    }

    /// Asks where the host is that a description names.
    pub(super) fn locate_media(&mut self, key: CallKey, query: u32, lookup: Lookup) {
        self.resolve(Query::Media(key, query, lookup.host.clone()), lookup);
    }

    pub(super) fn media_located(
        &mut self,
        now: Now,
        key: CallKey,
        query: u32,
        host: &str,
        result: Result<Vec<SocketAddr>, ResolveError>,
    ) {
        if let Err(error) = &result
            && let Some(transaction_id) = self.tells_of_call(now, key)
        {
            tracing::warn!(%transaction_id, host, %error, "media goes to whence it comes: its host is not known");
        }
        let addresses = result.unwrap_or_default();
        self.event(now, key, Event::MediaLocated { query, addresses });
    }
}
