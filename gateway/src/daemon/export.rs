//! What is cheaper to read when somebody asks: counters of the listeners, hosts that answer, full mailboxes.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use config::Config;

use crate::core::Shared;
use crate::listen::ListenCounters;
use crate::metrics::Metrics;
use crate::shard::Mailboxes;

/// Shows all of it in every rendering of `metrics`.
pub(super) fn export(
    metrics: &Metrics,
    counters: &Arc<ListenCounters>,
    shared: &Arc<Shared>,
    config: &Arc<ArcSwap<Config>>,
    mailboxes: &Mailboxes,
) {
    let (shown, counters) = (metrics.listen(), counters.clone());
    metrics.on_render(move || shown.show(&counters));
    // What all shards share holds the metrics itself.
    let (shared, config) = (Arc::downgrade(shared), config.clone());
    metrics.on_render(move || {
        if let Some(shared) = shared.upgrade() {
            shared.show_registrations(Instant::now());
            shared.show_hosts(Instant::now(), &config.load());
        }
    });
    let shards = (0..mailboxes.ownership().shards()).map(|shard| (shard, metrics.shard(shard)));
    let (shards, mailboxes) = (Vec::from_iter(shards), mailboxes.clone());
    metrics.on_render(move || {
        for (shard, gauges) in &shards {
            gauges.set_mailbox(mailboxes.depth(*shard));
        }
    });
}
