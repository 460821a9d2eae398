//! What a party and we have agreed on for the RTCP between us. It ends here, so each leg has its own.

use rtp::relay::ExtendedReports;
use serde::{Deserialize, Serialize};
use sip::sdp::{Anchor, RtcpXr, Stream};

/// What the party's newest description says of RTCP, as far as we take it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RtcpTerms {
    /// On one port with RTP. RFC 5761.
    pub mux: bool,
    /// It need not be a compound. RFC 5506.
    rsize: bool,
    /// The party asks for a receiver's reference time. RFC 3611.
    rcvr_rtt: bool,
    /// It asks for what we think of its stream. RFC 3611.
    voip_metrics: bool,
}

impl RtcpTerms {
    /// The party has offered: it has what it offers.
    pub fn offered(stream: &Stream) -> Self {
        let RtcpXr { rcvr_rtt, voip_metrics } = stream.rtcp_xr;
        RtcpTerms { mux: stream.rtcp_mux, rsize: stream.rtcp_rsize, rcvr_rtt, voip_metrics }
    }

    /// The party has answered: one port is agreed on only if it was offered. RFC 5761 §5.1.1.
    ///
    /// - `ours`: the stream of our offer.
    pub fn answered(stream: &Stream, ours: Option<&Stream>) -> Self {
        let was_offered = ours.is_some_and(|ours| ours.rtcp_mux);
        let offered = Self::offered(stream);
        RtcpTerms { mux: offered.mux && was_offered, ..offered }
    }

    /// What an answer of ours to the party says; an offer of ours says no more of reports than `mux`.
    ///
    /// - `mux`: an offer of ours may say it, where the party has not.
    pub fn write(self, anchor: &mut Anchor, is_offer: bool, mux: bool) {
        anchor.mux = self.mux || is_offer && mux;
        if !is_offer {
            anchor.rsize = self.rsize;
            anchor.xr = RtcpXr { rcvr_rtt: self.rcvr_rtt, voip_metrics: self.voip_metrics };
        }
    }

    /// What the party is sent beside reports.
    pub fn extended(self) -> ExtendedReports {
        ExtendedReports { receiver_reference_time: self.rcvr_rtt, voip_metrics: self.voip_metrics }
    }
}
