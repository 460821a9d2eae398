//! Extended reports of one leg: what the peer asked for and told, and what is told to it. RFC 3611.

use std::time::{Duration, Instant};

use super::ExtendedReports;
use crate::ntp::{NtpShort, NtpTime};
use crate::packet::Ssrc;
use crate::quality::{Receiver, round_trip};
use crate::relay::{FlowStatistics, LossPattern};
use crate::rtcp::{VoipMetrics, XrBlock};

/// Not known, of a rating or a score.
const UNAVAILABLE: u8 = 127;

/// What is remembered of a leg's extended reports.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extended {
    wanted: ExtendedReports,
    /// The peer's latest reference time: whose, which, and when it came.
    reference: Option<(Ssrc, NtpShort, Instant)>,
    /// Our own latest ones.
    sent: [NtpShort; 4],
    /// What the peer thinks of what we send.
    heard: Option<VoipMetrics>,
}

impl Extended {
    pub(super) fn want(&mut self, wanted: ExtendedReports) {
        self.wanted = wanted;
    }

    pub(super) fn wants_metrics(&self) -> bool {
        self.wanted.voip_metrics
    }

    /// What the peer thinks of what we send.
    pub(super) fn heard(&self) -> Option<&VoipMetrics> {
        self.heard.as_ref()
    }

    /// A block came from `reporter`; a round trip, if it tells one.
    ///
    /// - `is_ours`: whether we send a stream of that name.
    pub(super) fn handle_block(
        &mut self,
        now: Instant,
        arrival: NtpTime,
        reporter: Ssrc,
        block: &XrBlock,
        is_ours: impl Fn(Ssrc) -> bool,
    ) -> Option<Duration> {
        match *block {
            XrBlock::ReceiverReferenceTime(ntp) => self.reference = Some((reporter, ntp.short(), now)),
            XrBlock::VoipMetrics(metrics) if is_ours(metrics.ssrc) => self.heard = Some(metrics),
            XrBlock::Delay { last_rr, delay_since_last_rr, .. } if self.sent.contains(&last_rr) => {
                return round_trip(arrival, last_rr, delay_since_last_rr);
            }
            XrBlock::VoipMetrics(_) | XrBlock::Delay { .. } => {}
        }
        None
    }

    /// The blocks of a report of now. A reference time is answered, asked for or not: its sender shows that it knows the answer.
    pub(super) fn blocks(
        &mut self,
        now: Instant,
        ntp: NtpTime,
        metrics: Option<VoipMetrics>,
    ) -> [Option<XrBlock>; 3] {
        let answer = self.reference.take().map(|(ssrc, last_rr, came)| XrBlock::Delay {
            ssrc,
            last_rr,
            delay_since_last_rr: NtpShort::from_duration(now.saturating_duration_since(came)),
        });
        let reference = self.wanted.receiver_reference_time.then(|| {
            self.sent.rotate_right(1);
            let [latest, ..] = &mut self.sent;
            *latest = ntp.short();
            XrBlock::ReceiverReferenceTime(ntp)
        });
        let metrics = metrics.map(XrBlock::VoipMetrics);
        [answer, reference, metrics]
    }
}

/// What we think of a stream that comes in, from its beginning on: `flow` are the figures of its direction.
///
/// Here is no play-out buffer, so nothing is discarded, and the score is that of the conversation.
pub(super) fn metrics(
    receiver: &Receiver,
    flow: &FlowStatistics,
    round_trip: Option<Duration>,
) -> VoipMetrics {
    let sequence = receiver.sequence();
    let share = |share: f64| (share * 256.0).floor().clamp(0.0, 255.0) as u8;
    let millis = |time: Duration| u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
    let LossPattern { burst_density, burst_duration, gap_density, gap_duration, .. } =
        flow.pattern.unwrap_or_default();
    let score = flow.mos.map_or(UNAVAILABLE, |mos| (mos * 10.0).round() as u8);
    VoipMetrics {
        ssrc: receiver.ssrc(),
        loss_rate: share(sequence.lost() as f64 / sequence.expected().max(1) as f64),
        discard_rate: 0,
        burst_density: share(burst_density),
        gap_density: share(gap_density),
        burst_duration: millis(burst_duration),
        gap_duration: millis(gap_duration),
        round_trip: round_trip.map_or(0, millis),
        end_system_delay: 0,
        r_factor: UNAVAILABLE,
        mos_lq: UNAVAILABLE,
        mos_cq: score,
    }
}
