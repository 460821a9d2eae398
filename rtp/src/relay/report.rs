//! Our own RTCP: one compound a leg, SR or RR with a CNAME, an XR where there is one to give, and a BYE at the end.

use std::time::{Duration, Instant};

use super::offload::show;
use super::{Component, Output, Relay, Side};
use crate::packet::Ssrc;
use crate::rtcp::Writer;

/// A stream counts as sent until nothing was forwarded for two reports. RFC 3550 §6.4.
const SENDING: Duration = Duration::from_secs(10);

impl Relay {
    /// Writes the report of a leg; `None`: nothing to say yet, or nowhere to send it.
    pub(super) fn report(&mut self, now: Instant, side: Side, buffer: &mut [u8]) -> Option<Output> {
        let (cname, clock) = (self.cname, self.settings.clock);
        let leg = self.leg(side);
        let (component, to) = match leg.mux {
            true => (Component::Rtp, leg.rtp.destination()?),
            false => (Component::Rtcp, leg.rtcp.destination()?),
        };
        if leg.received.is_none() && leg.sent.is_none() {
            return None;
        }
        if component == Component::Rtcp && leg.security.active().is_none() && !leg.is_beside_rtp(to) {
            return None; // Learned from somebody else, before RTP was heard.
        }
        let block = leg.report_block(now);
        let blocks = block.as_slice();
        let ntp = clock.at(now);
        let metrics = leg.metrics(now);
        let extended = leg.extended.blocks(now, ntp, metrics).into_iter().flatten();
        let received = leg.received.as_ref().map(|received| received.ssrc());
        leg.reported = Some(now);

        let mut writer = Writer::new(buffer);
        let sending =
            leg.sent.as_mut().filter(|sent| now.saturating_duration_since(sent.last_sent()) < SENDING);
        let ssrc = match sending {
            Some(sent) => {
                let info = sent.report(now, ntp);
                writer.sender_report(sent.ssrc(), &info, blocks);
                sent.ssrc()
            }
            None => {
                // Never the name of the stream that we report on.
                let own = leg.own_ssrc;
                let ssrc = if received == Some(own) { Ssrc(own.0.wrapping_add(1)) } else { own };
                writer.receiver_report(ssrc, blocks);
                ssrc
            }
        };
        writer.cname(ssrc, &cname);
        writer.extended_report(ssrc, extended);
        if leg.closing {
            writer.bye(&[ssrc]);
        }
        let len = writer.len();
        show(&mut self.reports, buffer, len);
        let leg = self.leg(side);
        let len = leg.security.protect_rtcp(buffer, len).ok()?;
        leg.meter.sent.rtcp.add(len);
        Some(Output::Transmit { side, component, to, len })
    }
}
