//! Messages that wait for the address behind a name: a Contact or a route that is one.
//!
//! Nobody waits for long: an ACK has to be there before the answer is repeated (T1), and a BYE must not hang on a name
//! server that is silent. Such a message leaves by the flow that its party came by, and so do the next ones for that
//! name, for a while.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::Message;

use super::{CallKey, Core, Query, QueryId};
use crate::call::RequestId;
use crate::clock::Now;
use crate::peer::Peer;
use crate::resolve::Lookup;

/// How long a message waits for the address behind a name.
const PATIENCE: Duration = Duration::from_millis(300);

/// A message that waits for the address behind a name.
pub(super) struct Parked {
    pub key: CallKey,
    /// `None`: an ACK, which is no transaction.
    pub request: Option<RequestId>,
    pub message: Message,
    /// The name that is looked up: what a certificate there must carry (RFC 5922 §7.1).
    pub lookup: Lookup,
    /// The flow of the message's party.
    pub fallback: Peer,
}

/// Names of which DNS said nothing lately, and messages that are waiting.
#[derive(Default)]
pub(super) struct Unresolved {
    names: HashMap<Lookup, Instant>,
    /// Until when each waits; the same time for all, so the oldest comes first.
    waiting: VecDeque<(Instant, QueryId)>,
}

impl Unresolved {
    /// Peers choose the names: no more than so many are remembered.
    const MOST: usize = 1_024;

    /// How long a name is not asked for again.
    const REST: Duration = Duration::from_secs(60);

    /// Whether DNS said nothing of this name lately.
    fn rests(&self, now: Instant, lookup: &Lookup) -> bool {
        self.names.get(lookup).is_some_and(|until| now < *until)
    }

    /// DNS says nothing of this name, or has not said it in time. A name that rests already rests no longer for that.
    fn missed(&mut self, now: Instant, lookup: Lookup) {
        if self.rests(now, &lookup) {
            return;
        }
        if self.names.len() >= Self::MOST {
            self.names.retain(|_, until| now < *until);
        }
        if self.names.len() < Self::MOST {
            self.names.insert(lookup, now + Self::REST);
        }
    }

    /// The name is known after all.
    pub fn found(&mut self, lookup: &Lookup) {
        self.names.remove(lookup);
    }

    /// When the next message has waited for long enough.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.front().map(|(until, _)| *until)
    }
}

impl Core {
    pub(super) fn park(&mut self, now: Now, parked: Parked) {
        if self.unresolved.rests(now.instant, &parked.lookup) {
            return self.unpark(now, parked, None);
        }
        let lookup = parked.lookup.clone();
        let id = self.resolve(Query::Parked(Box::new(parked)), lookup);
        self.unresolved.waiting.push_back((now.instant + PATIENCE, id));
    }

    /// Sends what waited for an address, or will not wait any more.
    ///
    /// - `addresses`: what stands behind the name; `None`: nobody knows.
    pub(super) fn unpark(&mut self, now: Now, parked: Parked, addresses: Option<Vec<SocketAddr>>) {
        let Parked { key, request, message, lookup, fallback: mut peer } = parked;
        match addresses.unwrap_or_default() {
            addresses if addresses.is_empty() => self.unresolved.missed(now.instant, lookup),
            addresses => {
                // Of several hosts the one that the party came from has the call.
                let same = addresses.iter().find(|address| address.ip() == peer.remote.ip());
                if let Some(address) = same.or(addresses.first()) {
                    peer.connection = None;
                    peer.remote = *address;
                    peer.server_name = Some(lookup.host);
                }
            }
        }
        self.send(now, key, request, message, peer);
    }

    /// What has waited for long enough goes by the flow of its party.
    pub(super) fn handle_unresolved(&mut self, now: Now) {
        while let Some((until, id)) = self.unresolved.waiting.front().copied() {
            if until > now.instant {
                break;
            }
            self.unresolved.waiting.pop_front();
            match self.queries.remove(&id) {
                Some(Query::Parked(parked)) => {
                    self.queries.insert(id, Query::Missed(parked.lookup.clone()));
                    self.unpark(now, *parked, None);
                }
                Some(other) => drop(self.queries.insert(id, other)),
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::Transport;

    #[test]
    fn names_are_remembered_for_a_while_and_not_without_end() {
        let now = Instant::now();
        let mut unresolved = Unresolved::default();
        let lookup =
            |host: usize| Lookup { host: host.to_string().into(), port: None, transport: Transport::Udp };
        for host in 0..2 * Unresolved::MOST {
            unresolved.missed(now, lookup(host));
        }
        assert_eq!(unresolved.names.len(), Unresolved::MOST);
        let later = now + Unresolved::REST;
        unresolved.missed(later - Duration::from_secs(1), lookup(1)); // A message that did not wait.
        assert!(unresolved.rests(now, &lookup(1)) && !unresolved.rests(later, &lookup(1)));
        unresolved.found(&lookup(1));
        assert!(!unresolved.rests(now, &lookup(1)));
        unresolved.missed(later, lookup(5_000));
        assert_eq!(unresolved.names.len(), Unresolved::MOST, "one place was free");
        unresolved.missed(later, lookup(5_001));
        assert_eq!(unresolved.names.len(), 2, "the old ones made room");
    }
}
