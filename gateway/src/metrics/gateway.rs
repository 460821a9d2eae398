//! What is counted for the gateway as a whole, its shards and its records.

use metrics::{Counter, Gauge};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{as_f64, counter, gauge};

/// Whose media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The customer's.
    Customer,
    /// The carrier's.
    Remote,
}

/// Seen from the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flow {
    /// From the peer.
    Received,
    /// To the peer.
    Sent,
}

/// Counters of one direction of the media of one side. Additions are atomic; add in bursts where it is hot.
#[derive(Clone)]
pub struct TrafficMetrics {
    rtp_packets: Counter,
    rtp_bytes: Counter,
    rtcp_packets: Counter,
    rtcp_bytes: Counter,
}

impl TrafficMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, side: Side, flow: Flow) -> TrafficMetrics {
        let side = match side {
            Side::Customer => "customer",
            Side::Remote => "remote",
        };
        let direction = match flow {
            Flow::Received => "received",
            Flow::Sent => "sent",
        };
        let counter = |name| counter(recorder, name, &[("side", side), ("direction", direction)]);
        TrafficMetrics {
            rtp_packets: counter("voice_connector_rtp_packets_total"),
            rtp_bytes: counter("voice_connector_rtp_bytes_total"),
            rtcp_packets: counter("voice_connector_rtcp_packets_total"),
            rtcp_bytes: counter("voice_connector_rtcp_bytes_total"),
        }
    }

    /// So many more RTP packets, of so many bytes together.
    pub fn rtp(&self, packets: u64, bytes: u64) {
        self.rtp_packets.increment(packets);
        self.rtp_bytes.increment(bytes);
    }

    /// So many more RTCP datagrams, of so many bytes together.
    pub fn rtcp(&self, packets: u64, bytes: u64) {
        self.rtcp_packets.increment(packets);
        self.rtcp_bytes.increment(bytes);
    }
}

/// Gauges of the media side.
#[derive(Clone)]
pub struct MediaMetrics {
    queue: Gauge,
    flows: Gauge,
    by_kernel: Counter,
    /// Calls of each worker.
    workers: Vec<Gauge>,
}

impl MediaMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, workers: usize) -> MediaMetrics {
        let calls = |worker: usize| {
            gauge(recorder, "voice_connector_media_worker_calls", &[("worker", &worker.to_string())])
        };
        MediaMetrics {
            flows: gauge(recorder, "voice_connector_kernel_flows", &[]),
            by_kernel: counter(recorder, "voice_connector_kernel_packets_total", &[]),
            workers: (0..workers).map(calls).collect(),
            queue: gauge(recorder, "voice_connector_queue_depth", &[("queue", "media")]),
        }
    }

    /// Directions that the kernel forwards now, and packets that it has forwarded since the start.
    pub fn set_kernel(&self, flows: usize, packets: u64) {
        self.flows.set(as_f64(flows));
        self.by_kernel.absolute(packets);
    }

    /// Calls of each worker, in their order.
    pub fn set_workers(&self, calls: impl Iterator<Item = usize>) {
        for (worker, calls) in self.workers.iter().zip(calls) {
            worker.set(as_f64(calls));
        }
    }

    /// Commands that wait for a worker.
    pub fn set_queue(&self, depth: usize) {
        self.queue.set(as_f64(depth));
    }
}

/// Gauges of one signalling shard, and what it forgot.
#[derive(Clone)]
pub struct ShardMetrics {
    client_transactions: Gauge,
    server_transactions: Gauge,
    forgotten: Counter,
    dialogs: Gauge,
    mailbox: Gauge,
}

impl ShardMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder, shard: u16) -> ShardMetrics {
        let shard = shard.to_string();
        let shard = ("shard", shard.as_str());
        let transactions = |kind| gauge(recorder, "voice_connector_transactions", &[shard, ("kind", kind)]);
        ShardMetrics {
            client_transactions: transactions("client"),
            server_transactions: transactions("server"),
            forgotten: counter(recorder, "voice_connector_transactions_forgotten_total", &[shard]),
            dialogs: gauge(recorder, "voice_connector_dialogs", &[shard]),
            mailbox: gauge(recorder, "voice_connector_queue_depth", &[("queue", "shard"), shard]),
        }
    }

    /// Transactions alive now.
    pub fn set_transactions(&self, client: usize, server: usize) {
        self.client_transactions.set(as_f64(client));
        self.server_transactions.set(as_f64(server));
    }

    /// A server transaction that was answered ended before its time, for want of room.
    pub fn forgotten(&self) {
        self.forgotten.increment(1);
    }

    /// Dialogs alive now, early ones too.
    pub fn set_dialogs(&self, dialogs: usize) {
        self.dialogs.set(as_f64(dialogs));
    }

    /// Messages waiting in the shard's mailbox.
    pub fn set_mailbox(&self, depth: usize) {
        self.mailbox.set(as_f64(depth));
    }
}

/// What kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// Call detail record.
    CallDetail,
    /// Quality record.
    Quality,
    /// SIP message.
    SipMessage,
    /// Wide record of a call.
    Detail,
    /// Call of the API.
    Audit,
    /// What became of a stream.
    StreamingEvent,
    /// A call that was streamed is over.
    StreamingDetail,
}

impl RecordKind {
    const ALL: [RecordKind; 7] = [
        RecordKind::CallDetail,
        RecordKind::Quality,
        RecordKind::SipMessage,
        RecordKind::Detail,
        RecordKind::Audit,
        RecordKind::StreamingEvent,
        RecordKind::StreamingDetail,
    ];

    /// The word that stands in metrics and in what sinks get.
    pub fn as_label(self) -> &'static str {
        match self {
            RecordKind::CallDetail => "call_detail",
            RecordKind::Quality => "quality",
            RecordKind::SipMessage => "sip_message",
            RecordKind::Detail => "call",
            RecordKind::Audit => "audit",
            RecordKind::StreamingEvent => "streaming_event",
            RecordKind::StreamingDetail => "streaming_detail",
        }
    }
}

/// One counter for each kind of record.
#[derive(Clone)]
struct ByKind([Counter; 7]);

impl ByKind {
    fn new(recorder: &PrometheusRecorder, name: &'static str) -> ByKind {
        ByKind(RecordKind::ALL.map(|kind| counter(recorder, name, &[("kind", kind.as_label())])))
    }

    fn add(&self, kind: RecordKind, count: u64) {
        let [call_detail, quality, sip_message, detail, audit, event, streaming] = &self.0;
        let counter = match kind {
            RecordKind::CallDetail => call_detail,
            RecordKind::Quality => quality,
            RecordKind::SipMessage => sip_message,
            RecordKind::Detail => detail,
            RecordKind::Audit => audit,
            RecordKind::StreamingEvent => event,
            RecordKind::StreamingDetail => streaming,
        };
        counter.increment(count);
    }
}

/// What the recorder counts.
#[derive(Clone)]
pub struct RecordMetrics {
    written: ByKind,
    dropped: ByKind,
    errors: [Counter; 3],
    queue_bytes: Gauge,
    journal_bytes: Gauge,
    journal_limit: Gauge,
    undelivered: Gauge,
    open_calls: Gauge,
    hanging_up: Gauge,
}

impl RecordMetrics {
    pub(super) fn new(recorder: &PrometheusRecorder) -> RecordMetrics {
        let gauge = |name| gauge(recorder, name, &[]);
        RecordMetrics {
            written: ByKind::new(recorder, "voice_connector_records_written_total"),
            dropped: ByKind::new(recorder, "voice_connector_records_dropped_total"),
            errors: ["journal", "deliver", "append"].map(|operation| {
                counter(recorder, "voice_connector_record_errors_total", &[("operation", operation)])
            }),
            queue_bytes: gauge("voice_connector_record_queue_bytes"),
            journal_bytes: gauge("voice_connector_journal_bytes"),
            journal_limit: gauge("voice_connector_journal_limit_bytes"),
            undelivered: gauge("voice_connector_journal_undelivered_records"),
            open_calls: gauge("voice_connector_journal_open_calls"),
            hanging_up: gauge("voice_connector_journal_hanging_up"),
        }
    }

    pub(crate) fn written(&self, kind: RecordKind, count: u64) {
        self.written.add(kind, count);
    }

    pub(crate) fn dropped(&self, kind: RecordKind, count: u64) {
        self.dropped.add(kind, count);
    }

    pub(crate) fn journal_error(&self) {
        self.errors[0].increment(1);
    }

    pub(crate) fn deliver_error(&self) {
        self.errors[1].increment(1);
    }

    pub(crate) fn append_error(&self) {
        self.errors[2].increment(1);
    }

    pub(crate) fn queue_taken(&self, bytes: usize) {
        self.queue_bytes.increment(as_f64(bytes));
    }

    pub(crate) fn queue_released(&self, bytes: usize) {
        self.queue_bytes.decrement(as_f64(bytes));
    }

    /// - `calls`: those without an end, and those that are over and whose parties have not all heard so.
    pub(crate) fn set_journal(
        &self,
        bytes: u64,
        limit: u64,
        undelivered: usize,
        (open_calls, hanging_up): (usize, usize),
    ) {
        let as_usize = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
        self.journal_bytes.set(as_f64(as_usize(bytes)));
        self.journal_limit.set(as_f64(as_usize(limit)));
        self.undelivered.set(as_f64(undelivered));
        self.open_calls.set(as_f64(open_calls));
        self.hanging_up.set(as_f64(hanging_up));
    }
}
