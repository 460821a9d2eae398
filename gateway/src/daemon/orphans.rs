//! The calls that were up when the gateway last ended without a word.

use std::collections::HashMap;
use std::time::Duration;

use crate::call::shard_of_rang;
use crate::core::{Input, OrphanCall};
use crate::record::Orphan;
use crate::shard::Mailboxes;

/// So many calls are hung up together, and then after a pause the next ones: thousands of BYEs at once would overrun the
/// sockets of who hears them, time and again with each repeat.
const TOGETHER: usize = 50;
const PAUSE: Duration = Duration::from_millis(50);

/// Has both legs of each call hung up: by the first shard, or by the one that hears the responses to an INVITE which rang. It says when that is done: not before may the journal forget the
/// call, for this run may end too.
pub(super) async fn hang_up(orphans: Vec<Orphan>, mailboxes: Mailboxes) {
    for some in calls(orphans).chunks(TOGETHER) {
        for (transaction_id, orphan) in some {
            tracing::warn!(transaction_id, "call of an earlier run is hung up");
            let shard = shard_of_rang(&orphan.state).filter(|shard| *shard < mailboxes.shards());
            mailboxes.post_event(shard.unwrap_or(0), Input::Orphan(orphan.clone()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The calls with their transaction ids, in the order of the journal's entries; of these a call has one for each connector.
fn calls(orphans: Vec<Orphan>) -> Vec<(String, OrphanCall)> {
    let mut places = HashMap::new();
    let mut calls: Vec<(String, OrphanCall)> = Vec::new();
    for Orphan { call } in orphans {
        let key = call.facts.key();
        let place = *places.entry(key.transaction_id.clone()).or_insert(calls.len());
        match calls.get_mut(place) {
            Some((_, orphan)) => orphan.entries.push(key),
            None => {
                let transaction_id = key.transaction_id.to_string();
                calls.push((transaction_id, OrphanCall { state: call.state, entries: vec![key] }));
            }
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::Direction;
    use crate::record::testing::answered;

    #[test]
    fn a_call_of_two_connectors_is_hung_up_once() {
        let outbound = Orphan { call: answered(1) };
        let mut inbound = outbound.clone();
        inbound.call.facts.direction = Direction::Inbound;
        let mut other = outbound.clone();
        other.call.facts.transaction_id = "other".into();
        let key = |orphan: &Orphan| orphan.call.facts.key();
        let entries = [vec![key(&outbound), key(&inbound)], vec![key(&other)]];
        let calls = calls(vec![outbound, other, inbound]);
        assert_eq!(calls.iter().map(|(_, orphan)| orphan.entries.clone()).collect::<Vec<_>>(), entries);
    }
}
