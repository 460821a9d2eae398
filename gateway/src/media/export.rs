//! The media side's counters, as Prometheus sees them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{FlowGauges, Media, MediaGauges, PortCounts};
use crate::metrics::{Flow, Metrics, Page, Side, TrafficMetrics, as_f64};

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
    let gauges = metrics.media(media.upgrade().map_or(0, |media| media.workers()));
    let of_ports = media.clone();
    metrics.on_page(move |page| {
        if let Some(media) = of_ports.upgrade() {
            show_ports(page, &media);
        }
    });
    let exported = Mutex::new(MediaGauges::default());
    metrics.on_render(move || {
        let Some(media) = media.upgrade() else { return };
        let mut before = exported.lock().unwrap_or_else(PoisonError::into_inner);
        let now = media.gauges();
        let count = |count| usize::try_from(count).unwrap_or(usize::MAX);
        gauges.set_queue(count(now.queued));
        gauges.set_kernel(count(now.flows), now.by_kernel);
        gauges.set_workers(media.calls_of_workers().map(count));
        for (metrics, (now, before)) in traffic.iter().zip(flows(&now).into_iter().zip(flows(&before))) {
            add(metrics, &now, &before);
        }
        for (metrics, ((_, now), (_, before))) in refusals.iter().zip(now.refusals().zip(before.refusals())) {
            metrics.increment(now.saturating_sub(before));
        }
        *before = now;
    });
}

fn show_ports(page: &mut Page, media: &Media) {
    let ports = media.ports();
    let mut family = |name, value: fn(&PortCounts) -> usize| {
        let mut series = page.family(name);
        for (address, counts) in &ports {
            series.show(&[("address", &address.to_string())], as_f64(value(counts)));
        }
    };
    family("voice_connector_media_ports", |counts| counts.used + counts.resting + counts.free);
    family("voice_connector_media_ports_in_use", |counts| counts.used);
    family("voice_connector_media_ports_resting", |counts| counts.resting);
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
