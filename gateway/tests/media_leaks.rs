//! Calls come and go; nothing of them stays. Alone in its process, for it counts what the process holds.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use gateway::media::{Command, Media, MediaEvent, MediaKey, MediaSettings, Remote, Side};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Four descriptors each, below the usual limit of 1024.
const CALLS: u64 = 200;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn resident_pages() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse().unwrap()
}

fn event(events: &Receiver<MediaEvent>) -> MediaEvent {
    events.recv_timeout(Duration::from_secs(30)).unwrap()
}

/// All calls up, a packet each way through each, all down.
fn cycle(media: &Media, events: &Receiver<MediaEvent>, phone: &UdpSocket) {
    let keys: HashSet<_> = (0..CALLS).map(|call| MediaKey::new(0, call)).collect();
    let remote = Remote { rtp: Some(phone.local_addr().unwrap()), ..Remote::default() };
    for key in &keys {
        media.send(Command::Open { key: *key, a: LOCAL, b: LOCAL, emergency: false, party: None });
        for side in [Side::A, Side::B] {
            media.send(Command::Remote { key: *key, side, remote: remote.clone(), hurry: true });
        }
    }
    let mut packet = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3, 4];
    let opened: Vec<_> = keys.iter().map(|_| event(events)).collect();
    while media.gauges().queued > 0 {
        std::thread::yield_now(); // each worker obeys before it looks at its sockets again
    }
    for event in opened {
        let MediaEvent::Opened { a, b, .. } = event else { panic!("not opened") };
        for port in [a.rtp, b.rtp] {
            phone.send_to(&packet, (LOCAL, port)).unwrap();
            let (len, _) = phone.recv_from(&mut packet).unwrap();
            assert_eq!(len, packet.len());
        }
    }
    assert_eq!(media.gauges().calls, CALLS);
    for key in &keys {
        media.send(Command::Close { key: *key });
    }
    let mut open = keys;
    while !open.is_empty() {
        if let MediaEvent::Closed { key, statistics } = event(events) {
            assert_eq!((statistics.a.received.rtp_packets, statistics.b.sent.rtp_packets), (1, 1));
            assert!(open.remove(&key));
        }
    }
}

#[test]
fn three_cycles_leave_nothing() {
    let (sink, events) = channel();
    let settings = MediaSettings { ports: 30_000..=39_999, workers: 2, ..MediaSettings::default() };
    let media = Media::start(&settings, move |_, event| drop(sink.send(event))).unwrap();
    let phone = UdpSocket::bind((LOCAL, 0)).unwrap();
    phone.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let before = descriptors();
    cycle(&media, &events, &phone);
    let after_first = resident_pages();
    for _ in 0..2 {
        cycle(&media, &events, &phone);
    }
    let gauges = media.gauges();
    assert_eq!((gauges.calls, gauges.queued, gauges.ports.used), (0, 0, 0));
    assert_eq!(descriptors(), before);
    let after_third = resident_pages();
    assert!(after_third * 10 <= after_first * 11, "{after_first} pages, then {after_third}");
    drop(media);
    assert!(descriptors() < before);
}
