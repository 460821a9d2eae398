//! Every metric family: its type, its labels, what it says.

use metrics::{KeyName, Recorder};

/// How a family is kept and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
    /// A gauge that is read anew for each rendering, with the labels that there are then.
    Snapshot,
    /// A counter of the system's, read likewise.
    Counted,
}

impl Kind {
    /// As Prometheus calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Counter | Kind::Counted => "counter",
            Kind::Gauge | Kind::Snapshot => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// What there is to know of a family.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// All that a series of it may have.
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

const fn family(
    name: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { name, kind, labels, help }
}

/// All of them.
pub(super) const FAMILIES: &[Family] = &[
    family(
        "voice_connector_call_attempts_total",
        Kind::Counter,
        &["voice_connector_id", "region", "direction"],
        "Calls begun.",
    ),
    family(
        "voice_connector_call_failures_total",
        Kind::Counter,
        &["voice_connector_id", "region", "direction"],
        "Calls that ended without an answer.",
    ),
    family(
        "voice_connector_calls_answered_total",
        Kind::Counter,
        &["voice_connector_id", "region", "direction"],
        "Calls answered.",
    ),
    family(
        "voice_connector_emergency_calls_total",
        Kind::Counter,
        &["voice_connector_id", "region"],
        "Emergency calls begun.",
    ),
    family(
        "voice_connector_throttles_total",
        Kind::Counter,
        &["voice_connector_id", "region", "direction"],
        "Calls refused by a limit on calls per second or at one time.",
    ),
    family(
        "voice_connector_carrier_attempts_total",
        Kind::Counter,
        &["carrier"],
        "INVITEs sent to hosts of a carrier.",
    ),
    family(
        "voice_connector_carrier_answers_total",
        Kind::Counter,
        &["carrier"],
        "Calls that a carrier took.",
    ),
    family(
        "voice_connector_carrier_failures_total",
        Kind::Counter,
        &["carrier", "cause"],
        "Attempts at a carrier that did not bring the call up, by cause.",
    ),
    family(
        "voice_connector_carrier_failovers_total",
        Kind::Counter,
        &["carrier", "cause"],
        "Those of them after which the next host was tried, by cause.",
    ),
    family(
        "voice_connector_carrier_challenges_refused_total",
        Kind::Counter,
        &["carrier"],
        "Challenges (401, 407) of a carrier that could not be answered, or whose answer it refused.",
    ),
    family(
        "voice_connector_carrier_registration_failures_total",
        Kind::Counter,
        &["carrier", "cause"],
        "REGISTERs to a carrier that were refused or brought nothing, by cause.",
    ),
    family(
        "voice_connector_register_requests_total",
        Kind::Counter,
        &["voice_connector_id", "region", "result"],
        "REGISTERs of customers, by connector and what became of them.",
    ),
    family(
        "voice_connector_configurations_total",
        Kind::Counter,
        &["outcome"],
        "Configurations read, at the start and since, by whether they were taken.",
    ),
    family("voice_connector_sip_responses_total", Kind::Counter, &["class"], "SIP responses by class."),
    family("voice_connector_refusals_total", Kind::Counter, &["cause"], "SIP requests refused, by cause."),
    family(
        "voice_connector_transactions_forgotten_total",
        Kind::Counter,
        &["shard"],
        "Answered SIP requests whose repeats are answered anew, since there was no room to keep the answer, by shard.",
    ),
    family(
        "voice_connector_rtp_packets_total",
        Kind::Counter,
        &["side", "direction"],
        "RTP packets relayed, by side and direction.",
    ),
    family(
        "voice_connector_rtp_bytes_total",
        Kind::Counter,
        &["side", "direction"],
        "RTP bytes relayed, by side and direction.",
    ),
    family(
        "voice_connector_rtcp_packets_total",
        Kind::Counter,
        &["side", "direction"],
        "RTCP datagrams, by side and direction.",
    ),
    family(
        "voice_connector_rtcp_bytes_total",
        Kind::Counter,
        &["side", "direction"],
        "RTCP bytes, by side and direction.",
    ),
    family(
        "voice_connector_media_refusals_total",
        Kind::Counter,
        &["cause"],
        "Media packets not relayed, by cause.",
    ),
    family(
        "voice_connector_media_loops_total",
        Kind::Counter,
        &[],
        "Descriptions that named the gateway itself for media.",
    ),
    family(
        "voice_connector_media_strangers_total",
        Kind::Counter,
        &[],
        "Media of a stranger that was taken for a party's, until the party was heard.",
    ),
    family(
        "voice_connector_sip_messages_total",
        Kind::Counter,
        &["direction"],
        "SIP messages on the wire, by direction.",
    ),
    family(
        "voice_connector_sip_bytes_total",
        Kind::Counter,
        &["direction"],
        "Bytes of SIP on the wire, by direction.",
    ),
    family(
        "voice_connector_sip_dropped_total",
        Kind::Counter,
        &["cause"],
        "SIP messages and events dropped before they were served, by cause.",
    ),
    family(
        "voice_connector_sip_send_failures_total",
        Kind::Counter,
        &[],
        "SIP messages that could not be sent.",
    ),
    family(
        "voice_connector_shard_hops_total",
        Kind::Counter,
        &[],
        "SIP messages that were received by another shard than their own.",
    ),
    family(
        "voice_connector_connections_total",
        Kind::Counter,
        &["event"],
        "Stream connections, by what became of them.",
    ),
    family(
        "voice_connector_records_written_total",
        Kind::Counter,
        &["kind"],
        "Records that reached the records directory, by kind.",
    ),
    family(
        "voice_connector_records_dropped_total",
        Kind::Counter,
        &["kind"],
        "Records given up for want of room, by kind.",
    ),
    family(
        "voice_connector_record_errors_total",
        Kind::Counter,
        &["operation"],
        "Failures of the records disk, by operation; each is tried again.",
    ),
    family(
        "voice_connector_calls_active",
        Kind::Gauge,
        &["voice_connector_id", "region", "direction"],
        "Answered calls that have not ended.",
    ),
    family(
        "voice_connector_carrier_registered",
        Kind::Snapshot,
        &["carrier", "host", "transport"],
        "1 where we are registered, by carrier and host.",
    ),
    family(
        "voice_connector_carrier_registration_changed_timestamp_seconds",
        Kind::Snapshot,
        &["carrier", "host", "transport"],
        "When that began, as Unix time, by carrier and host.",
    ),
    family(
        "voice_connector_registered_contacts",
        Kind::Snapshot,
        &["voice_connector_id", "region"],
        "Contacts that customers have registered, by connector.",
    ),
    family(
        "voice_connector_draining",
        Kind::Gauge,
        &["kind"],
        "What takes no new calls but emergencies, by kind.",
    ),
    family(
        "voice_connector_configuration_valid",
        Kind::Gauge,
        &[],
        "1 where the configuration that was read last was taken; 0 where the one before holds.",
    ),
    family(
        "voice_connector_build_info",
        Kind::Gauge,
        &["version", "region"],
        "1, with the version and the region as labels.",
    ),
    family("voice_connector_connections", Kind::Gauge, &[], "Open stream connections."),
    family(
        "voice_connector_transactions",
        Kind::Gauge,
        &["shard", "kind"],
        "SIP transactions alive, by shard and kind.",
    ),
    family("voice_connector_dialogs", Kind::Gauge, &["shard"], "SIP dialogs alive, by shard."),
    family("voice_connector_queue_depth", Kind::Gauge, &["queue", "shard"], "Entries waiting in a queue."),
    family("voice_connector_record_queue_bytes", Kind::Gauge, &[], "Bytes of records waiting to be written."),
    family("voice_connector_journal_bytes", Kind::Gauge, &[], "Size of the records journal."),
    family(
        "voice_connector_journal_limit_bytes",
        Kind::Gauge,
        &[],
        "Size at which the records journal is full.",
    ),
    family(
        "voice_connector_journal_undelivered_records",
        Kind::Gauge,
        &[],
        "Call detail records in the journal and nowhere else yet.",
    ),
    family(
        "voice_connector_journal_open_calls",
        Kind::Gauge,
        &[],
        "Calls in the journal that have not ended: answered ones, and those that ring.",
    ),
    family(
        "voice_connector_journal_hanging_up",
        Kind::Gauge,
        &[],
        "Calls in the journal that are over, of an earlier run too, while their parties have not all heard so.",
    ),
    family(
        "voice_connector_hep_packets_total",
        Kind::Counter,
        &["collector"],
        "SIP messages and reports that went to a collector.",
    ),
    family(
        "voice_connector_hep_dropped_total",
        Kind::Counter,
        &["collector"],
        "SIP messages and reports that a collector never gets: it is away, or they found no room.",
    ),
    family("voice_connector_sink_records_total", Kind::Counter, &["sink"], "Records that a sink took."),
    family(
        "voice_connector_sink_failures_total",
        Kind::Counter,
        &["sink"],
        "Batches that a sink did not take, each tried again.",
    ),
    family(
        "voice_connector_sink_lost_records_total",
        Kind::Counter,
        &["sink"],
        "Records that a sink never gets: it refused them, or the journal had no room.",
    ),
    family("voice_connector_sink_lag_records", Kind::Gauge, &["sink"], "Records that wait for a sink."),
    family(
        "voice_connector_sink_lag_seconds",
        Kind::Gauge,
        &["sink"],
        "Age of the oldest record that waits for a sink.",
    ),
    family(
        "voice_connector_sink_log_lag_seconds",
        Kind::Gauge,
        &["sink"],
        "How long ago the first hour of quality or SIP message lines was over that a sink has not.",
    ),
    family(
        "voice_connector_call_sip_responses_total",
        Kind::Counter,
        &["voice_connector_id", "region", "class"],
        "SIP responses on a connector's own legs, either way, by class.",
    ),
    family(
        "voice_connector_call_rtp_packets_total",
        Kind::Counter,
        &["voice_connector_id", "region", "side", "direction"],
        "RTP packets of a connector's calls, added each minute and at the end of a call.",
    ),
    family(
        "voice_connector_call_rtp_bytes_total",
        Kind::Counter,
        &["voice_connector_id", "region", "side", "direction"],
        "Their bytes, likewise.",
    ),
    family(
        "voice_connector_call_rtcp_packets_total",
        Kind::Counter,
        &["voice_connector_id", "region", "side", "direction"],
        "RTCP datagrams of a connector's calls, likewise.",
    ),
    family(
        "voice_connector_call_rtcp_bytes_total",
        Kind::Counter,
        &["voice_connector_id", "region", "side", "direction"],
        "Their bytes, likewise.",
    ),
    family(
        "voice_connector_call_packets_lost_total",
        Kind::Counter,
        &["voice_connector_id", "region", "side", "direction"],
        "RTP packets of a connector's calls that were lost, likewise.",
    ),
    family(
        "voice_connector_call_refused_packets_total",
        Kind::Counter,
        &["voice_connector_id", "region", "side", "cause"],
        "Datagrams at the ports of a connector's calls that were not taken, by cause: strangers (source, discontinuous), forgeries (unauthenticated), repeats (replayed), and what is no RTP (malformed) among them.",
    ),
    family(
        "voice_connector_dns_lookups_total",
        Kind::Counter,
        &["result"],
        "Names looked up, by what came of it.",
    ),
    family(
        "voice_connector_tls_handshake_failures_total",
        Kind::Counter,
        &["reason"],
        "TLS handshakes that failed, whoever dialled, by reason.",
    ),
    family(
        "voice_connector_kernel_packets_total",
        Kind::Counter,
        &[],
        "RTP packets that the kernel forwarded by itself; they count among the others as well.",
    ),
    family(
        "voice_connector_kernel_flows",
        Kind::Gauge,
        &[],
        "Directions of calls that the kernel forwards by itself.",
    ),
    family(
        "voice_connector_media_worker_calls",
        Kind::Gauge,
        &["worker"],
        "Calls whose media a worker relays; each holds four ports.",
    ),
    family(
        "voice_connector_call_jitter_seconds",
        Kind::Histogram,
        &["voice_connector_id", "region", "side", "direction"],
        "Interarrival jitter, a mean for each minute of a call.",
    ),
    family(
        "voice_connector_call_round_trip_seconds",
        Kind::Histogram,
        &["voice_connector_id", "region", "side"],
        "Round trip between the gateway and a party, a mean for each minute of a call.",
    ),
    family(
        "voice_connector_call_mos",
        Kind::Histogram,
        &["voice_connector_id", "region", "side"],
        "Mean opinion score between the gateway and a party, for each minute of a call: 1 to 4.4.",
    ),
    family(
        "voice_connector_call_post_dial_delay_seconds",
        Kind::Histogram,
        &["voice_connector_id", "region", "direction"],
        "From a caller's INVITE to the first ringing or answer, observed when the call ends.",
    ),
    family(
        "voice_connector_call_duration_seconds",
        Kind::Histogram,
        &["voice_connector_id", "region", "direction"],
        "From answer to end.",
    ),
    family(
        "voice_connector_host_up",
        Kind::Snapshot,
        &["carrier", "voice_connector_id", "host", "transport"],
        "1 where a host that is probed answers, by carrier or connector.",
    ),
    family(
        "voice_connector_host_changed_timestamp_seconds",
        Kind::Snapshot,
        &["carrier", "voice_connector_id", "host", "transport"],
        "When that began, as Unix time; the start of the gateway where it never changed.",
    ),
    family(
        "voice_connector_media_ports",
        Kind::Snapshot,
        &["address"],
        "Media ports of an address, which appears with its first call.",
    ),
    family(
        "voice_connector_media_ports_in_use",
        Kind::Snapshot,
        &["address"],
        "Those of them that calls hold.",
    ),
    family(
        "voice_connector_media_ports_resting",
        Kind::Snapshot,
        &["address"],
        "Those of them that rest after use.",
    ),
    family(
        "voice_connector_permits_in_use",
        Kind::Snapshot,
        &["voice_connector_id", "region", "direction"],
        "Places that calls of a connector hold against termination.max_calls or origination.max_calls.",
    ),
    family(
        "voice_connector_permits_limit",
        Kind::Snapshot,
        &["voice_connector_id", "region", "direction"],
        "The limit on these.",
    ),
    family(
        "voice_connector_cps_limit",
        Kind::Snapshot,
        &["voice_connector_id", "region", "direction"],
        "Calls a second that a connector may begin.",
    ),
    family(
        "voice_connector_outbound_talk_today_seconds",
        Kind::Snapshot,
        &["voice_connector_id", "region"],
        "How long outbound calls of a connector have talked since midnight UTC, those in progress too.",
    ),
    family(
        "voice_connector_outbound_talk_limit_seconds",
        Kind::Snapshot,
        &["voice_connector_id", "region"],
        "termination.daily_minutes in seconds, where there is one.",
    ),
    family(
        "voice_connector_options_received_timestamp_seconds",
        Kind::Snapshot,
        &["voice_connector_id", "region"],
        "When a connector's customer last sent OPTIONS, since the Unix epoch. None: not since the gateway began.",
    ),
    family(
        "voice_connector_carrier_permits_in_use",
        Kind::Snapshot,
        &["carrier"],
        "Places that calls by a carrier hold.",
    ),
    family(
        "voice_connector_carrier_permits_limit",
        Kind::Snapshot,
        &["carrier"],
        "carrier.max_calls, where there is one.",
    ),
    family(
        "voice_connector_calls_room",
        Kind::Snapshot,
        &[],
        "Ordinary calls that find media ports and open files at one time.",
    ),
    family(
        "voice_connector_calls_in_progress",
        Kind::Snapshot,
        &[],
        "Calls that began and have not ended, answered or not.",
    ),
    family("voice_connector_ready", Kind::Snapshot, &[], "1 where ordinary calls are taken."),
    family(
        "voice_connector_obstacle",
        Kind::Snapshot,
        &["obstacle"],
        "1 where this stands between the gateway and new calls.",
    ),
    family(
        "voice_connector_certificate_expiry_timestamp_seconds",
        Kind::Snapshot,
        &["use", "file"],
        "When the first certificate of a chain that is shown expires, as Unix time.",
    ),
    family(
        "voice_connector_thread_cpu_seconds_total",
        Kind::Counted,
        &["thread"],
        "Processor time of a thread: its rate is the thread's busy share.",
    ),
    family(
        "voice_connector_thread_silence_seconds",
        Kind::Snapshot,
        &["thread"],
        "How long a thread that calls depend on has shown no sign of life.",
    ),
    family(
        "voice_connector_sound_streams_active",
        Kind::Gauge,
        &["voice_connector_id", "region", "sink"],
        "Calls whose sound goes to a sink of the connector's now.",
    ),
    family(
        "voice_connector_sound_streams_started_total",
        Kind::Counter,
        &["voice_connector_id", "region", "sink"],
        "Calls whose sound went to a sink of the connector's.",
    ),
    family(
        "voice_connector_sound_streams_failed_total",
        Kind::Counter,
        &["voice_connector_id", "region", "sink"],
        "Calls in which a sink of the connector's failed.",
    ),
    family(
        "voice_connector_sound_dropped_milliseconds_total",
        Kind::Counter,
        &["voice_connector_id", "region", "sink"],
        "Sound of either party that is missing in a sink, since the gateway or the sink was too slow.",
    ),
    family(
        "voice_connector_sound_spooled_milliseconds_total",
        Kind::Counter,
        &["voice_connector_id", "region", "sink"],
        "Sound of either party that no target took in time, and that waits on disk to be delivered.",
    ),
    family(
        "voice_connector_sound_start_milliseconds_total",
        Kind::Counter,
        &["voice_connector_id", "region", "sink"],
        "How long streams took to start after the answer of their calls, in sum: divide by the streams that started.",
    ),
    family(
        "voice_connector_sound_spool_bytes",
        Kind::Gauge,
        &["voice_connector_id", "region", "sink"],
        "Size of what waits on disk for a sink of that name.",
    ),
    family(
        "voice_connector_sound_spool_files",
        Kind::Gauge,
        &["voice_connector_id", "region", "sink"],
        "Files that wait on disk for a sink of that name: one for each party of a call.",
    ),
    family(
        "voice_connector_sound_spool_lost_files_total",
        Kind::Counter,
        &["voice_connector_id", "region", "sink"],
        "Files of the spool that had to go for newer ones before they were delivered.",
    ),
    family(
        "voice_connector_traces_total",
        Kind::Counted,
        &["result"],
        "Calls whose trace was exported, found no room, or was refused by the collector; of a program with the feature otel.",
    ),
    family(
        "voice_connector_alerts_raised",
        Kind::Snapshot,
        &["alert"],
        "Alerts that the webhook is told, raised now, by kind.",
    ),
    family(
        "voice_connector_alert_posts_total",
        Kind::Counted,
        &["result"],
        "Posts to the webhook for alerts, by what came of them.",
    ),
    family("process_cpu_seconds_total", Kind::Counted, &[], "Processor time of the process."),
    family("process_resident_memory_bytes", Kind::Snapshot, &[], "Memory of the process that is in RAM."),
    family("process_virtual_memory_bytes", Kind::Snapshot, &[], "Addresses that the process has."),
    family("process_open_fds", Kind::Snapshot, &[], "Open files."),
    family("process_max_fds", Kind::Snapshot, &[], "How many files may be open."),
    family("process_threads", Kind::Snapshot, &[], "Threads."),
    family("process_start_time_seconds", Kind::Snapshot, &[], "When the gateway started, as Unix time."),
];

/// The upper bounds of each distribution's buckets.
pub(super) const BUCKETS: &[(&str, &[f64])] = &[
    ("voice_connector_call_jitter_seconds", &[0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2]),
    ("voice_connector_call_round_trip_seconds", &[0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0]),
    ("voice_connector_call_mos", &[1.5, 2.0, 2.5, 3.0, 3.5, 3.8, 4.0, 4.2, 4.3, 4.4]),
    (
        "voice_connector_call_post_dial_delay_seconds",
        &[0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0],
    ),
    (
        "voice_connector_call_duration_seconds",
        &[6.0, 15.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0],
    ),
];

/// The family of that name.
pub(super) fn of(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

/// Whether a series of that family may have these labels.
pub(super) fn knows<'a>(name: &str, mut labels: impl Iterator<Item = &'a str>) -> bool {
    of(name).is_some_and(|family| labels.all(|label| family.labels.contains(&label)))
}

pub(super) fn describe(recorder: &impl Recorder) {
    for family in FAMILIES {
        let (name, help) = (KeyName::from_const_str(family.name), family.help.into());
        match family.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
            Kind::Snapshot | Kind::Counted => {}
        }
    }
}
