//! A model of whoever forwards flows: the rules of [`Flow`], and nothing else.

use std::net::SocketAddr;
use std::time::Instant;

use rtp::quality::{MAX_DROPOUT, MAX_MISORDER, Spread};
use rtp::relay::{Counts, Flow, LONGEST_PAUSE, Relay, Side};

/// The flows that were taken.
#[derive(Default)]
pub struct Kernel {
    flows: Vec<(Flow, Vec<f64>)>,
}

impl Kernel {
    pub fn take(&mut self, flow: Flow) {
        self.flows.push((flow, Vec::new()));
    }

    #[allow(dead_code)]
    pub fn give_back(&mut self, side: Side, relay: &mut Relay) {
        for (flow, _) in self.flows.iter_mut().filter(|(flow, _)| flow.side == side) {
            flow.counts.ended = true;
        }
        self.tell(relay);
    }

    #[allow(dead_code)]
    pub fn tell(&mut self, relay: &mut Relay) {
        for (flow, jitter) in &mut self.flows {
            let max = jitter.iter().copied().fold(0.0, f64::max);
            flow.counts.period = Spread::new(jitter.iter().sum(), jitter.len() as u64, max);
            jitter.clear();
            relay.handle_counts(flow.side, &flow.counts);
        }
        self.flows.retain(|(flow, _)| !flow.counts.ended);
    }

    /// Where a flow stands.
    #[allow(dead_code)] // not every test needs it
    pub fn counts(&self, side: Side) -> Option<Counts> {
        self.flows.iter().find(|(flow, _)| flow.side == side).map(|(flow, _)| flow.counts)
    }

    /// The estimates of its jitter, since they were told.
    #[allow(dead_code)]
    pub fn jitter(&self, side: Side) -> Vec<f64> {
        self.flows
            .iter()
            .find(|(flow, _)| flow.side == side)
            .map(|(_, jitter)| jitter.clone())
            .unwrap_or_default()
    }

    /// Whether it was forwarded and counted.
    pub fn forward(&mut self, now: Instant, side: Side, from: SocketAddr, bytes: &[u8]) -> bool {
        let flow = self.flows.iter_mut().find(|(flow, _)| flow.side == side && flow.from == from);
        let Some((flow, jitter)) = flow.filter(|(flow, _)| !flow.counts.ended) else { return false };
        let Some(header) = bytes.first_chunk::<12>() else { return false };
        if header[0] >> 6 != 2 || (192..224).contains(&header[1]) {
            return false;
        }
        let taken = count(now, flow, header, bytes.len(), jitter);
        flow.counts.ended = !taken;
        taken
    }
}

fn count(now: Instant, flow: &mut Flow, header: &[u8; 12], len: usize, jitter: &mut Vec<f64>) -> bool {
    let counts = &mut flow.counts;
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let (seq, timestamp) = (word(0) as u16, word(4));
    let is_its = header[0] == 0x80 && header[1] & 0x7f == flow.payload_type.0 && word(8) == flow.ssrc.0;
    if !is_its || now.saturating_duration_since(counts.heard) > LONGEST_PAUSE {
        return false;
    }
    let ahead = seq.wrapping_sub(counts.highest as u16);
    let behind = (counts.highest as u16).wrapping_sub(seq);
    let mut duplicate = false;
    if (1..MAX_DROPOUT).contains(&ahead) {
        counts.highest += u64::from(ahead);
        counts.seen = counts.seen.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
    } else if behind <= MAX_MISORDER {
        duplicate = counts.seen >> behind & 1 == 1;
        counts.seen |= 1 << behind;
    } else {
        return false;
    }
    counts.packets += 1;
    counts.bytes += len as u64;
    counts.duplicates += u64::from(duplicate);
    (counts.heard, counts.seq, counts.timestamp) = (now, seq, timestamp);
    if duplicate {
        return true;
    }
    let limit = if header[1] & 0x80 != 0 { 0.2 } else { 1.0 };
    if let Some((before, timestamp_before)) = counts.previous.replace((now, timestamp)) {
        let ticks = timestamp.wrapping_sub(timestamp_before) as i32;
        let gap = now.saturating_duration_since(before).as_secs_f64();
        let difference = (gap - f64::from(ticks) / f64::from(flow.clock_rate)).abs();
        if difference < limit {
            counts.jitter += (difference - counts.jitter) / 16.0;
            jitter.push(counts.jitter);
        }
    }
    true
}
