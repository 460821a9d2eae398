//! All that is known of one call while it lasts.

use std::net::SocketAddr;

use rtp::relay::{CallStatistics, LegStatistics};
use serde::{Deserialize, Serialize};

use super::CallLine;
use crate::record::AttemptDetail;
use crate::why::LadderLine;

/// One call. Times are milliseconds, those without another beginning since the call's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallView {
    /// What a list of calls tells of it.
    pub line: CallLine,
    /// When the caller first heard it ring.
    pub ringing: Option<u64>,
    /// When it was answered.
    pub answered: Option<u64>,
    /// The leg of who called us.
    pub caller: Option<LegView>,
    /// The leg of whom we called, or call now.
    pub callee: Option<LegView>,
    /// The hosts that were tried, and the one that is tried now.
    pub attempts: Vec<AttemptDetail>,
    /// What its record would say beside that, and what a recording session records.
    pub notes: Vec<String>,
    /// What crossed.
    pub ladder: Vec<LadderLine>,
    /// The media of each of the newest whole minutes.
    pub minutes: Vec<MediaView>,
    /// The media since the call began; none where the media worker says nothing, or no ports are open.
    pub media: Option<MediaView>,
}

/// One leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegView {
    /// Whose system it is, in words.
    pub party: Option<String>,
    /// Where it is.
    pub remote: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// What TLS was agreed on, such as `1.3 TLS_AES_128_GCM_SHA256`; none without TLS, and before the party was heard.
    pub tls: Option<String>,
    /// The SIP Call-ID.
    pub call_id: String,
    /// The dialog's tag of ours; none while there is no dialog.
    pub local_tag: Option<String>,
    /// The dialog's tag of the peer.
    pub remote_tag: Option<String>,
    /// `early` or `confirmed`.
    pub dialog: Option<String>,
    /// The SRTP suite that both use; none: plain RTP, or nothing was agreed on.
    pub srtp: Option<String>,
    /// The codec that both parties agreed on, such as `PCMU/8000`.
    pub codec: Option<String>,
    /// Whether the party holds the other one.
    pub on_hold: bool,
    /// Our port for its RTP.
    pub port: Option<u16>,
    /// Where its description wants RTP sent.
    pub media: Option<SocketAddr>,
}

/// The media of a call in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MediaView {
    /// The time, in milliseconds.
    pub milliseconds: u64,
    /// What came from the caller.
    pub caller: StreamView,
    /// What came from the callee.
    pub callee: StreamView,
}

/// What came from one party.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct StreamView {
    /// Packets of RTP or UDPTL.
    pub packets: u64,
    /// RTP packets that did not come.
    pub lost: u64,
    /// Microseconds; none where nothing tells.
    pub jitter: Option<u32>,
    /// Mean opinion score, the worse of what was heard from it and what it heard.
    pub mos: Option<f64>,
}

impl MediaView {
    /// - `statistics`: of the media worker.
    pub fn of(statistics: &CallStatistics) -> Self {
        let milliseconds = u64::try_from(statistics.period.as_millis()).unwrap_or(u64::MAX);
        MediaView {
            milliseconds,
            caller: StreamView::of(&statistics.a),
            callee: StreamView::of(&statistics.b),
        }
    }
}

impl StreamView {
    fn of(leg: &LegStatistics) -> Self {
        let received = &leg.received;
        let jitter = received.jitter.map(|jitter| u32::try_from(jitter.as_micros()).unwrap_or(u32::MAX));
        StreamView {
            packets: received.rtp_packets + received.udptl_packets,
            lost: received.packets_lost.unwrap_or_default(),
            jitter,
            mos: leg.mos.map(|mos| (mos * 100.0).round() / 100.0),
        }
    }
}
