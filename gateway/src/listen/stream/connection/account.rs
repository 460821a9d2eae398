//! What is counted and told of a connection, and whether its source is blamed.

use std::sync::atomic::Ordering::Relaxed;

use tokio::time::Instant;

use super::{Connection, End};
use crate::listen::stream::dial_key::DialKey;
use crate::listen::stream::open::{OpenError, Stage};
use crate::listen::stream::troubles::Who;
use crate::listen::tls;
use crate::peer::Transport;

impl Connection {
    /// The stream never came about.
    pub(super) fn account_unopened(&self, error: &OpenError) {
        let counters = &self.shared.counters;
        counters.dials_failed.add(usize::from(self.dialled.is_some()));
        if error.stage == Stage::Connect && self.dialled.is_none() {
            // Not blamed: a monitor asks whether the port is open.
            counters.connections_timed_out.add(usize::from(error.is_late()));
            tracing::debug!(remote = %self.remote, %error, "who connected said nothing");
            return;
        }
        if error.stage == Stage::Handshake {
            counters.handshake_failed(tls::HandshakeFault::of(&error.error));
        }
        if self.dialled.is_none() {
            self.blame();
        }
        self.tell(&error, error.stage == Stage::Handshake);
    }

    /// Why this connection came to nothing, for the operator.
    ///
    /// - `fault`: something is to be put right; else the peer may only be down, or gone.
    fn tell(&self, error: &dyn std::fmt::Display, fault: bool) {
        let now = Instant::now().into_std();
        let (remote, transport, why) = (self.remote, self.transport, error.to_string());
        let repeats = match self.who() {
            Some(who) => self.shared.troubles.of(now, &who, &why),
            None => self.shared.troubles.of_stranger(now),
        };
        let Some(repeats) = repeats else { return };
        let whose = self.dialled.as_ref().and_then(DialKey::party).map(tracing::field::display);
        match &self.dialled {
            None => {
                tracing::warn!(%remote, %transport, error = why, repeats, "who connected cannot be served")
            }
            Some(_) if fault => {
                tracing::warn!(%remote, %transport, whose, error = why, repeats, "cannot connect");
            }
            Some(_) => tracing::info!(%remote, %transport, whose, error = why, repeats, "cannot connect"),
        }
    }

    /// The peer, where the configuration knows it.
    fn who(&self) -> Option<Who> {
        let listed = || self.shared.guard.lists(Instant::now().into_std(), self.remote.ip());
        match &self.dialled {
            Some(key) => (key.party().is_some() || listed()).then(|| Who::Dialled(key.clone())),
            None => (!self.is_stranger()).then(|| Who::Connects(self.remote.ip())),
        }
    }

    /// A message came whole.
    pub(super) fn spoke(&self) {
        let first = !self.spoke.swap(true, Relaxed);
        // Of those behind one address that connect, one may do well and another not.
        let (true, Some(key), Some(who)) = (first, &self.dialled, self.who()) else { return };
        if self.shared.troubles.over(&who) {
            let whose = key.party().map(tracing::field::display);
            tracing::info!(remote = %self.remote, transport = %self.transport, whose, "speaks again");
        }
    }

    /// The stream has ended.
    pub(super) fn account(&self, end: &End) {
        let counters = &self.shared.counters;
        match end {
            End::PeerClosed | End::Finished | End::Closed => {}
            // With TLS 1.3 a server refuses our certificate only after we are done.
            End::Failed(error) => {
                if let Some(reason) = tls::reason(error, "") {
                    counters.handshake_failed(tls::HandshakeFault::of(error));
                    self.tell(&reason, true);
                }
            }
            End::Idle | End::Unfinished => counters.connections_timed_out.increment(),
            End::Stalled => counters.connections_overflowed.increment(),
            End::Silenced => counters.silenced.increment(),
            End::Broken(_) => {
                counters.connections_broken.increment();
                counters.unparsable.increment();
                self.blame();
                self.tell(end, true);
            }
        }
        // A handshake costs us more than the peer, and a place is a place.
        let dear = self.transport == Transport::Tls || matches!(end, End::Unfinished);
        if dear && self.dialled.is_none() && !self.spoke.load(Relaxed) && !matches!(end, End::Broken(_)) {
            self.blame();
        }
        tracing::debug!(remote = %self.remote, transport = %self.transport, reason = %end, "connection ended");
    }

    /// Enough of this, and its source is silenced, if no allowlist has it.
    fn blame(&self) {
        self.shared.guard.refused(Instant::now().into_std(), self.remote.ip());
    }
}
