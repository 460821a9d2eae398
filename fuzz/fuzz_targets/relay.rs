//! The relay under random orders, datagrams and times: every datagram is sent on unchanged, ends here, or is refused and
//! counted; whoever waits for its timeout makes progress.

#![no_main]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use rtp::ntp::NtpClock;
use rtp::relay::{Component, ExtendedReports, Output, Refusal, Relay, RelaySettings, Remote, Side, StreamKind};

fuzz_target!(|data: &[u8]| {
    let start = Instant::now();
    let mut now = start;
    let settings = RelaySettings {
        inactivity_timeout: Duration::from_secs(60),
        hold_timeout: Duration::from_secs(600),
        clock: NtpClock::new(start, Duration::from_secs(1_800_000_000)),
    };
    let mut relay = Relay::new(start, settings, 1);
    let mut buffer = [0; 512];
    let (mut sent, mut taken, mut unroutable, mut refused) = (0, 0, 0, 0);

    let mut rest = data;
    while let [operation, argument, len, tail @ ..] = rest {
        let (bytes, after) = tail.split_at(usize::from(*len).min(tail.len()));
        rest = after;
        let side = if operation & 1 == 0 { Side::A } else { Side::B };
        let component = if operation & 2 == 0 { Component::Rtp } else { Component::Rtcp };
        let from = peer(*argument, component);
        match operation >> 4 {
            0..=1 => {
                now += Duration::from_millis(u64::from(*argument) << (operation >> 2 & 7));
                relay.handle_timeout(now);
                while let Some(output) = relay.poll_output(&mut buffer) {
                    if let Output::Transmit { to, len, .. } = output {
                        assert!(len > 0 && to.port() != 0);
                    }
                }
                assert!(relay.poll_timeout().is_none_or(|timeout| timeout > now));
            }
            2..=3 => {
                let flags = bytes.first().copied().unwrap_or(0);
                let remote = Remote {
                    rtp: Some(peer(*argument, Component::Rtp)),
                    rtcp: Some(peer(*argument, Component::Rtcp)),
                    mux: flags & 1 != 0,
                    on_hold: flags & 2 != 0,
                    symmetric: flags & 4 != 0,
                    kind: if flags & 8 != 0 { StreamKind::Udptl } else { StreamKind::Rtp },
                    clock_rates: bytes.chunks_exact(2).map(|pair| (pair[0], u32::from(pair[1]))).collect(),
                    events: bytes.get(1..2).unwrap_or_default().to_vec(),
                    extended: ExtendedReports {
                        receiver_reference_time: flags & 16 != 0,
                        voip_metrics: flags & 32 != 0,
                    },
                    ..Remote::default()
                };
                relay.handle_remote(now, side, &remote);
            }
            4 => {
                let minute = relay.minute_statistics(now);
                assert!(minute.period <= now - start);
            }
            _ => {
                buffer[..bytes.len()].copy_from_slice(bytes);
                match relay.handle_datagram(now, side, component, from, &mut buffer, bytes.len()) {
                    Ok(Some(forward)) => {
                        assert_eq!(&buffer[..forward.len], bytes);
                        assert!(forward.to.port() != 0 && !forward.to.ip().is_unspecified());
                        sent += 1;
                    }
                    Ok(None) => taken += 1,
                    Err(Refusal::Unroutable) => unroutable += 1,
                    Err(_) => refused += 1,
                }
            }
        }
    }

    let statistics = relay.call_statistics(now);
    let legs = [statistics.a, statistics.b];
    let sum = |count: fn(&rtp::relay::LegStatistics) -> u64| legs.iter().map(count).sum::<u64>();
    assert_eq!(sum(|leg| leg.sent.rtp_packets + leg.sent.udptl_packets), sent);
    assert_eq!(sum(|leg| leg.received.rtp_packets + leg.received.udptl_packets), sent + unroutable);
    assert_eq!(sum(|leg| leg.received.rtcp_packets), taken);
    assert_eq!(sum(|leg| leg.refused.total()), refused + unroutable);
    for mos in legs.iter().filter_map(|leg| leg.mos) {
        assert!((1.0..=4.5).contains(&mos));
    }
});

/// A public, a private, an impossible and another public host.
fn peer(number: u8, component: Component) -> SocketAddr {
    let host = match number & 3 {
        0 => Ipv4Addr::new(203, 0, 113, 1),
        1 => Ipv4Addr::new(10, 0, 0, 1),
        2 => Ipv4Addr::UNSPECIFIED,
        _ => Ipv4Addr::new(198, 51, 100, 9),
    };
    let port = 4000 + u16::from(number >> 2) * 2;
    SocketAddr::from((host, if component == Component::Rtp { port } else { port + 1 }))
}
