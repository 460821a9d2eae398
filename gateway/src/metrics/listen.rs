//! What the listeners count.

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{as_f64, counter, gauge};
use crate::listen::{HandshakeFault, ListenCounters};
use crate::resolve::Results;

/// What a counter shows.
type Shown = fn(&ListenCounters) -> u64;

/// Counters of SIP on the wire; [`ListenMetrics::show`] brings them up to date.
pub struct ListenMetrics {
    counters: Vec<(Counter, Shown)>,
    handshakes: Vec<(Counter, HandshakeFault)>,
    connections: Gauge,
}

impl ListenMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder) -> ListenMetrics {
        let (mut counters, mut handshakes): (Vec<(Counter, Shown)>, Vec<_>) = Default::default();
        let mut add = |name, labels: &[(&'static str, &str)], value: Shown| {
            counters.push((counter(recorder, name, labels), value));
        };
        let received = ("direction", "received");
        let sent = ("direction", "sent");
        add("voice_connector_sip_messages_total", &[received], |all| all.messages_in.value());
        add("voice_connector_sip_messages_total", &[sent], |all| all.messages_out.value());
        add("voice_connector_sip_bytes_total", &[received], |all| all.bytes_in.value());
        add("voice_connector_sip_bytes_total", &[sent], |all| all.bytes_out.value());
        let dropped = "voice_connector_sip_dropped_total";
        add(dropped, &[("cause", "unparsable")], |all| all.unparsable.value());
        add(dropped, &[("cause", "silenced")], |all| all.silenced.value());
        add(dropped, &[("cause", "hop")], |all| all.hops_dropped.value());
        add(dropped, &[("cause", "event")], |all| all.events_dropped.value());
        add(dropped, &[("cause", "congested")], |all| all.send_congested.value());
        add("voice_connector_sip_send_failures_total", &[], |all| all.send_failures.value());
        add("voice_connector_shard_hops_total", &[], |all| all.hops.value());
        let connections = "voice_connector_connections_total";
        add(connections, &[("event", "accepted")], |all| all.connections_accepted.value());
        add(connections, &[("event", "dialled")], |all| all.connections_dialled.value());
        add(connections, &[("event", "dial_failed")], |all| all.dials_failed.value());
        add(connections, &[("event", "handshake_failed")], |all| all.handshakes_failed.value());
        add(connections, &[("event", "refused")], |all| all.connections_refused.value());
        add(connections, &[("event", "overflowed")], |all| all.connections_overflowed.value());
        add(connections, &[("event", "timed_out")], |all| all.connections_timed_out.value());
        add(connections, &[("event", "broken")], |all| all.connections_broken.value());
        for reason in HandshakeFault::ALL {
            let labels = [("reason", reason.label())];
            let failures = counter(recorder, "voice_connector_tls_handshake_failures_total", &labels);
            handshakes.push((failures, reason));
        }
        ListenMetrics {
            counters,
            handshakes,
            connections: gauge(recorder, "voice_connector_connections", &[]),
        }
    }

    /// Takes over the present values.
    pub fn show(&self, all: &ListenCounters) {
        for (counter, value) in &self.counters {
            counter.absolute(value(all));
        }
        for (counter, reason) in &self.handshakes {
            counter.absolute(all.handshakes_failed_for(*reason));
        }
        self.connections.set(as_f64(usize::try_from(all.connections_open.value()).unwrap_or(usize::MAX)));
    }
}

/// Look-ups of names; [`DnsMetrics::show`] brings them up to date.
pub struct DnsMetrics(Vec<Counter>);

impl DnsMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, results: &Results) -> DnsMetrics {
        let counter = |result| counter(recorder, "voice_connector_dns_lookups_total", &[("result", result)]);
        DnsMetrics(results.all().map(|(result, _)| counter(result)).collect())
    }

    /// Takes over the present values.
    pub fn show(&self, results: &Results) {
        for (counter, (_, value)) in self.0.iter().zip(results.all()) {
            counter.absolute(value);
        }
    }
}
