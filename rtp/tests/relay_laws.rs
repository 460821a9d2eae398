//! Laws that hold for any datagrams, at any times, from anywhere.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods)] // a test's time starts somewhere

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rtp::ntp::NtpClock;
use rtp::relay::{Component, Output, Refusal, Relay, RelaySettings, Remote, Side, StreamKind};

#[derive(Debug, Clone)]
enum Step {
    Wait(u16),
    Remote {
        side: Side,
        peer: u8,
        mux: bool,
        on_hold: bool,
        symmetric: bool,
        udptl: bool,
    },
    /// Anything at all.
    Noise {
        side: Side,
        component: Component,
        peer: u8,
        bytes: Vec<u8>,
    },
    /// What might pass.
    Rtp {
        side: Side,
        peer: u8,
        ssrc: u8,
        seq: u16,
        payload_type: u8,
    },
    Report {
        side: Side,
        component: Component,
        peer: u8,
        ssrc: u8,
        block: [u8; 24],
    },
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::A), Just(Side::B)]
}

fn component() -> impl Strategy<Value = Component> {
    prop_oneof![Just(Component::Rtp), Just(Component::Rtcp)]
}

fn step() -> impl Strategy<Value = Step> {
    let flags = any::<(bool, bool, bool, bool)>();
    prop_oneof![
        1 => any::<u16>().prop_map(Step::Wait),
        1 => (side(), 0..4_u8, flags).prop_map(|(side, peer, (mux, on_hold, symmetric, udptl))| Step::Remote {
            side,
            peer,
            mux,
            on_hold,
            symmetric,
            udptl
        }),
        2 => (side(), component(), 0..4_u8, proptest::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(side, component, peer, bytes)| Step::Noise { side, component, peer, bytes }),
        8 => (side(), 0..4_u8, 0..3_u8, any::<u16>(), any::<u8>()).prop_map(
            |(side, peer, ssrc, seq, payload_type)| Step::Rtp { side, peer, ssrc, seq, payload_type }
        ),
        2 => (side(), component(), 0..4_u8, 0..3_u8, any::<[u8; 24]>()).prop_map(
            |(side, component, peer, ssrc, block)| Step::Report { side, component, peer, ssrc, block }
        ),
    ]
}

/// Public, private and impossible hosts; the port tells RTP from RTCP.
fn peer(number: u8, component: Component) -> SocketAddr {
    let port = if component == Component::Rtp { 4000 } else { 4001 };
    let hosts = [
        Ipv4Addr::new(203, 0, 113, 1),
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::new(198, 51, 100, 9),
    ];
    SocketAddr::from((hosts[usize::from(number)], port))
}

struct Driven {
    relay: Relay,
    now: Instant,
    buffer: [u8; 256],
    sent: u64,
    /// Refused, but for those that were accepted and had nowhere to go.
    refused: u64,
    unroutable: u64,
    taken: u64,
}

impl Driven {
    fn new() -> Driven {
        let now = Instant::now();
        let settings = RelaySettings {
            inactivity_timeout: Duration::from_secs(60),
            hold_timeout: Duration::from_secs(600),
            clock: NtpClock::new(now, Duration::from_secs(1_800_000_000)),
        };
        let relay = Relay::new(now, settings, 1);
        Driven { relay, now, buffer: [0; 256], sent: 0, refused: 0, unroutable: 0, taken: 0 }
    }

    fn datagram(&mut self, side: Side, component: Component, number: u8, bytes: &[u8]) {
        self.buffer[..bytes.len()].copy_from_slice(bytes);
        let from = peer(number, component);
        let len = bytes.len();
        match self.relay.handle_datagram(self.now, side, component, from, &mut self.buffer, len) {
            Ok(Some(forward)) => {
                // In place, unchanged, and never to nowhere.
                assert_eq!((forward.len, &self.buffer[..len]), (len, bytes));
                assert!(forward.to.port() != 0 && !forward.to.ip().is_unspecified());
                self.sent += 1;
            }
            Ok(None) => self.taken += 1,
            Err(Refusal::Unroutable) => self.unroutable += 1,
            Err(_) => self.refused += 1,
        }
    }

    fn wait(&mut self, millis: u16) {
        self.now += Duration::from_millis(u64::from(millis));
        self.relay.handle_timeout(self.now);
        let mut silent = 0;
        while let Some(output) = self.relay.poll_output(&mut self.buffer) {
            match output {
                Output::Transmit { to, len, .. } => {
                    assert!(rtp::rtcp::Compound::parse(&self.buffer[..len]).unwrap().count() == 2);
                    assert!(to.port() != 0 && !to.ip().is_unspecified());
                }
                Output::Silent => silent += 1,
                Output::KeyUsedUp(_) | Output::Offload(_) | Output::Reclaim(_) | Output::Play { .. } => {} // never asked for here
            }
        }
        assert!(silent <= 1);
        // Whoever waits for the timeout makes progress.
        assert!(self.relay.poll_timeout().is_none_or(|timeout| timeout > self.now));
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait(millis) => self.wait(millis),
            Step::Remote { side, peer: number, mux, on_hold, symmetric, udptl } => {
                let remote = Remote {
                    rtp: Some(peer(number, Component::Rtp)),
                    rtcp: Some(peer(number, Component::Rtcp)),
                    mux,
                    on_hold,
                    symmetric,
                    kind: if udptl { StreamKind::Udptl } else { StreamKind::Rtp },
                    ..Remote::default()
                };
                self.relay.handle_remote(self.now, side, &remote);
            }
            Step::Noise { side, component, peer, bytes } => self.datagram(side, component, peer, &bytes),
            Step::Rtp { side, peer, ssrc, seq, payload_type } => {
                let [high, low] = seq.to_be_bytes();
                let bytes = [0x80, payload_type, high, low, 0, 0, high, low, 0, 0, 0, ssrc, 1, 2, 3];
                self.datagram(side, Component::Rtp, peer, &bytes);
            }
            Step::Report { side, component, peer, ssrc, block } => {
                let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, ssrc];
                bytes.extend(block);
                self.datagram(side, component, peer, &bytes);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_datagram_is_sent_taken_or_refused(steps in proptest::collection::vec(step(), 1..200)) {
        let mut driven = Driven::new();
        for step in steps {
            driven.step(step);
        }
        let statistics = driven.relay.call_statistics(driven.now);
        let (a, b) = (statistics.a, statistics.b);
        let sum = |a: u64, b: u64| a + b;
        let sent = sum(a.sent.rtp_packets, b.sent.rtp_packets) + sum(a.sent.udptl_packets, b.sent.udptl_packets);
        let received = sum(a.received.rtp_packets, b.received.rtp_packets)
            + sum(a.received.udptl_packets, b.received.udptl_packets);
        prop_assert_eq!(sent, driven.sent);
        prop_assert_eq!(received, driven.sent + driven.unroutable);
        prop_assert_eq!(sum(a.received.rtcp_packets, b.received.rtcp_packets), driven.taken);
        prop_assert_eq!(sum(a.refused.total(), b.refused.total()), driven.refused + driven.unroutable);
        for leg in [a, b] {
            prop_assert!(leg.received.packets_lost.unwrap_or(0) <= leg.received.rtp_packets * 3000);
            for mos in [leg.mos, leg.sent.mos, leg.received.mos].into_iter().flatten() {
                prop_assert!((1.0..=4.5).contains(&mos));
            }
        }
    }
}
