//! The flows of one call.

use std::net::SocketAddr;

use fastpath::Place;
use rtp::relay::{Component, Counts, Flow, Relay, Side};

use super::Hand;

/// The directions of a call that the kernel has.
#[derive(Default)]
pub(in crate::media) struct Flows {
    a: Option<Taken>,
    b: Option<Taken>,
}

struct Taken {
    place: Place,
    /// Its way out, by which it is asked whether that is the way still.
    local: SocketAddr,
    source: SocketAddr,
    interface: u32,
}

/// What the kernel has forwarded since it was last asked: the leg that it came in at, packets and bytes.
pub(in crate::media) type Forwarded = (Side, u64, u64);

impl Flows {
    pub(in crate::media) fn is_empty(&self) -> bool {
        self.a.is_none() && self.b.is_none()
    }

    /// The relay offers a direction: the kernel takes it if it can.
    ///
    /// - `local`, `source`: address and port of the leg that it comes in at, and of the one that it leaves by.
    pub(in crate::media) fn take(
        &mut self,
        hand: Option<&mut Hand>,
        relay: &mut Relay,
        flow: &Flow,
        local: SocketAddr,
        source: SocketAddr,
    ) {
        let taken = hand.and_then(|hand| {
            let planned = hand.plan(flow, local, source)?;
            let place = hand.kernel.forwarding.begin(&planned).ok()?;
            hand.taken.set(hand.taken.get() + 1);
            Some(Taken { place, local, source, interface: planned.interface })
        });
        if taken.is_none() {
            relay.handle_counts(flow.side, &Counts { ended: true, ..flow.counts });
        }
        *self.at(flow.side) = taken;
    }

    /// Tells the relay what the kernel has counted; flows that this let go of are over.
    pub(in crate::media) fn tell(&mut self, hand: &Hand, relay: &mut Relay) -> [Forwarded; 2] {
        [Side::A, Side::B].map(|side| {
            let Some(taken) = self.at(side) else { return (side, 0, 0) };
            let standing = hand.kernel.forwarding.standing(&taken.place);
            match standing.ended {
                true => self.give_back(hand, relay, side),
                false => tell(relay, side, &hand.kernel.counts(&standing)),
            }
        })
    }

    /// A datagram came up: from here on the direction is the relay's, if it is one of the flow's.
    pub(in crate::media) fn handle_datagram(
        &mut self,
        hand: &Hand,
        relay: &mut Relay,
        (side, component): (Side, Component),
        from: SocketAddr,
        datagram: &[u8],
    ) -> Forwarded {
        let is_its = relay.flow(side).is_some_and(|flow| flow.from == from);
        let is_rtp = datagram.first().is_some_and(|first| first >> 6 == 2) && !rtp::packet::is_rtcp(datagram);
        match is_its && is_rtp && component == Component::Rtp {
            true => self.give_back(hand, relay, side),
            false => (side, 0, 0),
        }
    }

    /// Ends flows whose way is another one by now.
    pub(in crate::media) fn check_ways(&mut self, hand: &mut Hand, relay: &mut Relay) -> [Forwarded; 2] {
        [Side::A, Side::B].map(|side| {
            let (Some(taken), Some(flow)) = (self.at(side), relay.flow(side)) else { return (side, 0, 0) };
            let planned = hand.plan(flow, taken.local, taken.source);
            let goes_on = planned.is_some_and(|planned| planned.interface == taken.interface);
            if goes_on { (side, 0, 0) } else { self.give_back(hand, relay, side) }
        })
    }

    /// The kernel forwards a direction no more.
    pub(in crate::media) fn give_back(&mut self, hand: &Hand, relay: &mut Relay, side: Side) -> Forwarded {
        let Some(Taken { place, .. }) = self.at(side).take() else { return (side, 0, 0) };
        let standing = hand.kernel.forwarding.end(place);
        hand.taken.set(hand.taken.get().saturating_sub(1));
        tell(relay, side, &hand.kernel.counts(&standing))
    }

    fn at(&mut self, side: Side) -> &mut Option<Taken> {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }
}

fn tell(relay: &mut Relay, side: Side, counts: &Counts) -> Forwarded {
    let before = relay.flow(side).map(|flow| (flow.counts.packets, flow.counts.bytes)).unwrap_or_default();
    relay.handle_counts(side, counts);
    (side, counts.packets.saturating_sub(before.0), counts.bytes.saturating_sub(before.1))
}
