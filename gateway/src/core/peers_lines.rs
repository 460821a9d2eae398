//! Lines in the log that a peer can cause as often as it likes: some of each, then how many more there were.

use std::net::IpAddr;

use uuid::Uuid;

use super::{CallKey, Core};
use crate::clock::Now;

impl Core {
    /// Something came about in a call that its parties may repeat: under which id it is told, where it still is.
    pub(super) fn tells_of_call(&mut self, now: Now, key: CallKey) -> Option<Uuid> {
        let id = self.calls.get(&key)?.call.transaction_id;
        self.call_lines.take(now.instant, id).then_some(id)
    }

    /// A login failed, or a phone came by a new contact: whether that is still told of its source.
    pub(super) fn tells_of_login(&mut self, now: Now, source: IpAddr) -> bool {
        self.login_lines.take(now.instant, source)
    }

    /// What was left out in a window that is over is counted in the log.
    pub(super) fn count_peers_lines(&mut self, now: Now) {
        for (source, left_out) in self.login_lines.handle_timeout(now.instant) {
            let source = source.map(tracing::field::display);
            tracing::warn!(source, left_out, "more logins and contacts were not told");
        }
        for (transaction_id, left_out) in self.call_lines.handle_timeout(now.instant) {
            let transaction_id = transaction_id.map(tracing::field::display);
            tracing::warn!(transaction_id, left_out, "more that came about in a call was not told");
        }
    }
}
