//! The media side's counters, as Prometheus sees them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{FlowGauges, Media, MediaGauges};
use crate::metrics::{Flow, Metrics, Side, TrafficMetrics};

/// Brings the counters of packets, bytes and refusals up to date with `media` whenever `metrics` are rendered, for as long
/// as it lives.
pub fn export(media: &Arc<Media>, metrics: &Metrics) {
    let media = Arc::downgrade(media);
    let traffic = [
        metrics.traffic(Side::Customer, Flow::Received),
        metrics.traffic(Side::Customer, Flow::Sent),
        metrics.traffic(Side::Remote, Flow::Received),
        metrics.traffic(Side::Remote, Flow::Sent),
    ];
    let refusals: Vec<_> =
        MediaGauges::default().refusals().map(|(cause, _)| metrics.media_refusals(cause.label())).collect();
    let exported = Mutex::new(MediaGauges::default());
    metrics.on_render(move || {
        let Some(media) = media.upgrade() else { return };
        let mut before = exported.lock().unwrap_or_else(PoisonError::into_inner);
        let now = media.gauges();
        for (metrics, (now, before)) in traffic.iter().zip(flows(&now).into_iter().zip(flows(&before))) {
            add(metrics, &now, &before);
        }
        for (metrics, ((_, now), (_, before))) in refusals.iter().zip(now.refusals().zip(before.refusals())) {
            metrics.increment(now.saturating_sub(before));
        }
        *before = now;
    });
}

/// Sets the gauges of ports and of waiting commands. Call it now and then: rendering cannot, for it would have to hold the
/// metrics inside themselves.
pub fn sample(media: &Media, metrics: &Metrics) {
    let MediaGauges { ports, queued, .. } = media.gauges();
    metrics.set_media_ports(ports.used, ports.used + ports.resting + ports.free);
    metrics.set_queue_depth("media", usize::try_from(queued).unwrap_or(usize::MAX));
}

fn flows(gauges: &MediaGauges) -> [FlowGauges; 4] {
    let (customer, remote) = (gauges.customer, gauges.remote);
    [customer.received, customer.sent, remote.received, remote.sent]
}

fn add(metrics: &TrafficMetrics, now: &FlowGauges, before: &FlowGauges) {
    metrics.rtp(now.packets.saturating_sub(before.packets), now.bytes.saturating_sub(before.bytes));
    metrics.rtcp(
        now.rtcp_packets.saturating_sub(before.rtcp_packets),
        now.rtcp_bytes.saturating_sub(before.rtcp_bytes),
    );
}
