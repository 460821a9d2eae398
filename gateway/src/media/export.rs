//! The media side's counters, as Prometheus sees them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{FlowGauges, Media, MediaGauges};
use crate::metrics::{Flow, Metrics, Side, TrafficMetrics};

/// Brings the counters of packets, bytes and refusals and the gauges of ports and waiting commands up to date with `media` whenever `metrics` are rendered, for as long
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
    let gauges = metrics.media();
    let exported = Mutex::new(MediaGauges::default());
    metrics.on_render(move || {
        let Some(media) = media.upgrade() else { return };
        let mut before = exported.lock().unwrap_or_else(PoisonError::into_inner);
        let now = media.gauges();
        let ports = now.ports;
        gauges.set_ports(ports.used, ports.used + ports.resting + ports.free);
        gauges.set_queue(usize::try_from(now.queued).unwrap_or(usize::MAX));
        for (metrics, (now, before)) in traffic.iter().zip(flows(&now).into_iter().zip(flows(&before))) {
            add(metrics, &now, &before);
        }
        for (metrics, ((_, now), (_, before))) in refusals.iter().zip(now.refusals().zip(before.refusals())) {
            metrics.increment(now.saturating_sub(before));
        }
        *before = now;
    });
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
