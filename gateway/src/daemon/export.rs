//! The listeners' counters as Prometheus metrics, read when somebody asks.

use std::sync::Arc;

use crate::listen::ListenCounters;
use crate::metrics::Metrics;

/// Shows `counters` in every rendering of `metrics`.
pub(super) fn export(metrics: &Metrics, counters: &Arc<ListenCounters>) {
    let (shown, counters) = (metrics.listen(), counters.clone());
    metrics.on_render(move || shown.show(&counters));
}
