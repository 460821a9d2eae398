//! What a worker counts for everybody to read.

use std::sync::atomic::{AtomicU64, Ordering};

use rtp::relay::Refusal;

use super::PortCounts;

/// A number that one thread raises and any thread reads.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owner calls this, so no locked instruction is needed.
    pub(super) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    pub(super) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// On which side of the gateway a leg is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Customer,
    Remote,
}

#[derive(Debug, Default)]
pub(super) struct FlowCounters {
    pub(super) packets: Counter,
    pub(super) bytes: Counter,
    pub(super) rtcp_packets: Counter,
    pub(super) rtcp_bytes: Counter,
}

impl FlowCounters {
    /// So many packets of RTP at once.
    pub(super) fn add_many(&self, packets: u64, bytes: u64) {
        self.packets.add(packets);
        self.bytes.add(bytes);
    }

    pub(super) fn add(&self, rtcp: bool, bytes: usize) {
        let (packets, sum) =
            if rtcp { (&self.rtcp_packets, &self.rtcp_bytes) } else { (&self.packets, &self.bytes) };
        packets.add(1);
        sum.add(bytes as u64);
    }
}

/// The counters of one worker, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) calls: Counter,
    /// Directions that the kernel forwards, and packets that it has forwarded.
    pub(super) flows: Counter,
    pub(super) by_kernel: Counter,
    customer: [FlowCounters; 2],
    remote: [FlowCounters; 2],
    refused: [Counter; Refusal::ALL.len()],
}

impl Counters {
    pub(super) fn received(&self, whose: Whose) -> &FlowCounters {
        let [received, _] = self.side(whose);
        received
    }

    pub(super) fn sent(&self, whose: Whose) -> &FlowCounters {
        let [_, sent] = self.side(whose);
        sent
    }

    pub(super) fn refused(&self, cause: Refusal) {
        self.refused_many(cause, 1);
    }

    pub(super) fn refused_many(&self, cause: Refusal, many: u64) {
        if let Some(counter) = self.refused.get(cause as usize) {
            counter.add(many);
        }
    }

    fn side(&self, whose: Whose) -> &[FlowCounters; 2] {
        match whose {
            Whose::Customer => &self.customer,
            Whose::Remote => &self.remote,
        }
    }

    pub(super) fn add_to(&self, gauges: &mut MediaGauges) {
        gauges.calls += self.calls.get();
        gauges.flows += self.flows.get();
        gauges.by_kernel += self.by_kernel.get();
        for (sum, flows) in [(&mut gauges.customer, &self.customer), (&mut gauges.remote, &self.remote)] {
            let [received, sent] = flows;
            for (sum, flow) in [(&mut sum.received, received), (&mut sum.sent, sent)] {
                sum.packets += flow.packets.get();
                sum.bytes += flow.bytes.get();
                sum.rtcp_packets += flow.rtcp_packets.get();
                sum.rtcp_bytes += flow.rtcp_bytes.get();
            }
        }
        for (sum, counter) in gauges.refused.iter_mut().zip(&self.refused) {
            *sum += counter.get();
        }
    }
}

/// Datagrams of one direction since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowGauges {
    /// RTP and UDPTL packets.
    pub packets: u64,
    /// Their bytes: whole UDP payloads.
    pub bytes: u64,
    /// RTCP datagrams.
    pub rtcp_packets: u64,
    /// Their bytes.
    pub rtcp_bytes: u64,
}

/// One side's directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SideGauges {
    /// From the peers to us: what was accepted.
    pub received: FlowGauges,
    /// From us to the peers.
    pub sent: FlowGauges,
}

/// The media side at a glance, summed over its workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MediaGauges {
    /// Calls whose ports are open.
    pub calls: u64,
    /// Directions of calls that the kernel forwards.
    pub flows: u64,
    /// Packets that the kernel has forwarded, as far as it was asked; they count below as well.
    pub by_kernel: u64,
    /// Commands that wait for a worker.
    pub queued: u64,
    /// All legs of customers.
    pub customer: SideGauges,
    /// All legs of carriers, and legs whose peer has said nothing yet.
    pub remote: SideGauges,
    /// Ports of all local addresses that calls have used so far.
    pub ports: PortCounts,
    pub(super) refused: [u64; Refusal::ALL.len()],
}

impl MediaGauges {
    /// Refused datagrams by cause, since the start of the process.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> + '_ {
        Refusal::ALL.into_iter().zip(self.refused)
    }
}
