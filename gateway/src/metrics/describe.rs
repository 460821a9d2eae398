//! The help text of every metric.

use metrics::{KeyName, Recorder};

pub(super) const COUNTERS: &[(&str, &str)] = &[
    ("voice_connector_call_attempts_total", "Calls begun."),
    ("voice_connector_call_failures_total", "Calls that ended without an answer."),
    ("voice_connector_calls_answered_total", "Calls answered."),
    ("voice_connector_emergency_calls_total", "Emergency calls begun."),
    ("voice_connector_throttles_total", "Calls refused by a limit on calls per second or at one time."),
    ("voice_connector_carrier_attempts_total", "INVITEs sent to hosts of a carrier."),
    ("voice_connector_carrier_answers_total", "Calls that a carrier took."),
    (
        "voice_connector_carrier_failures_total",
        "Attempts at a carrier that did not bring the call up, by cause.",
    ),
    (
        "voice_connector_carrier_failovers_total",
        "Those of them after which the next host was tried, by cause.",
    ),
    (
        "voice_connector_carrier_challenges_refused_total",
        "Challenges (401, 407) of a carrier that could not be answered, or whose answer it refused.",
    ),
    (
        "voice_connector_carrier_registration_failures_total",
        "REGISTERs to a carrier that were refused or brought nothing, by cause.",
    ),
    (
        "voice_connector_register_requests_total",
        "REGISTERs of customers, by connector and what became of them.",
    ),
    (
        "voice_connector_configurations_total",
        "Configurations read, at the start and since, by whether they were taken.",
    ),
    ("voice_connector_sip_responses_total", "SIP responses by class."),
    ("voice_connector_refusals_total", "SIP requests refused, by cause."),
    (
        "voice_connector_transactions_forgotten_total",
        "Answered SIP requests whose repeats are answered anew, since there was no room to keep the answer, by shard.",
    ),
    ("voice_connector_rtp_packets_total", "RTP packets relayed, by side and direction."),
    ("voice_connector_rtp_bytes_total", "RTP bytes relayed, by side and direction."),
    ("voice_connector_rtcp_packets_total", "RTCP datagrams, by side and direction."),
    ("voice_connector_rtcp_bytes_total", "RTCP bytes, by side and direction."),
    ("voice_connector_media_refusals_total", "Media packets not relayed, by cause."),
    ("voice_connector_media_loops_total", "Descriptions that named the gateway itself for media."),
    (
        "voice_connector_media_strangers_total",
        "Media of a stranger that was taken for a party's, until the party was heard.",
    ),
    ("voice_connector_sip_messages_total", "SIP messages on the wire, by direction."),
    ("voice_connector_sip_bytes_total", "Bytes of SIP on the wire, by direction."),
    (
        "voice_connector_sip_dropped_total",
        "SIP messages and events dropped before they were served, by cause.",
    ),
    ("voice_connector_sip_send_failures_total", "SIP messages that could not be sent."),
    ("voice_connector_shard_hops_total", "SIP messages that were received by another shard than their own."),
    ("voice_connector_connections_total", "Stream connections, by what became of them."),
    ("voice_connector_records_written_total", "Records that reached the records directory, by kind."),
    ("voice_connector_records_dropped_total", "Records given up for want of room, by kind."),
    (
        "voice_connector_record_errors_total",
        "Failures of the records disk, by operation; each is tried again.",
    ),
];

pub(super) const GAUGES: &[(&str, &str)] = &[
    ("voice_connector_calls_active", "Answered calls that have not ended."),
    ("voice_connector_host_up", "1 where a host that is probed answers, by carrier or connector."),
    ("voice_connector_carrier_registered", "1 where we are registered, by carrier and host."),
    (
        "voice_connector_carrier_registration_changed_timestamp_seconds",
        "When that began, as Unix time, by carrier and host.",
    ),
    ("voice_connector_registered_contacts", "Contacts that customers have registered, by connector."),
    (
        "voice_connector_configuration_valid",
        "1 where the configuration that was read last was taken; 0 where the one before holds.",
    ),
    ("voice_connector_build_info", "1, with the version and the region as labels."),
    ("voice_connector_media_ports_in_use", "Media ports bound."),
    ("voice_connector_media_ports", "Media ports in the configured range."),
    ("voice_connector_connections", "Open stream connections."),
    ("voice_connector_transactions", "SIP transactions alive, by shard and kind."),
    ("voice_connector_dialogs", "SIP dialogs alive, by shard."),
    ("voice_connector_queue_depth", "Entries waiting in a queue."),
    ("voice_connector_record_queue_bytes", "Bytes of records waiting to be written."),
    ("voice_connector_journal_bytes", "Size of the records journal."),
    ("voice_connector_journal_limit_bytes", "Size at which the records journal is full."),
    (
        "voice_connector_journal_undelivered_records",
        "Call detail records in the journal and nowhere else yet.",
    ),
    ("voice_connector_journal_open_calls", "Answered calls in the journal that have not ended."),
];

pub(super) fn describe(recorder: &impl Recorder) {
    for &(name, help) in COUNTERS {
        recorder.describe_counter(KeyName::from_const_str(name), None, help.into());
    }
    for &(name, help) in GAUGES {
        recorder.describe_gauge(KeyName::from_const_str(name), None, help.into());
    }
}
