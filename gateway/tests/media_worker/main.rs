//! The media workers over real loopback sockets, by either driver. Waiting is always for something, never for time to
//! pass.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod kernel;
mod sk_lookup;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use gateway::media::{
    self, Command, Media, MediaEvent, MediaKey, MediaSettings, Ports, Refusal, Remote, Side, StreamKind,
};
use gateway::metrics::Metrics;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const PATIENCE: Duration = Duration::from_secs(30);

struct Gateway {
    media: Arc<Media>,
    events: Receiver<(u16, MediaEvent)>,
}

impl Gateway {
    fn start(settings: MediaSettings) -> Gateway {
        let (sink, events) = channel();
        let media = Media::start(&settings, move |shard, event| {
            let _ = sink.send((shard, event));
        });
        Gateway { media: Arc::new(media.unwrap()), events }
    }

    /// The next event, which must be of the shard in its key.
    fn event(&self) -> MediaEvent {
        let (shard, event) = self.events.recv_timeout(PATIENCE).unwrap();
        assert_eq!(shard, event.key().shard());
        event
    }

    fn open(&self, key: MediaKey) -> (Ports, Ports) {
        self.media.send(Command::Open { key, a: LOCAL, b: LOCAL, emergency: false, party: None });
        match self.event() {
            MediaEvent::Opened { key: opened, a, b } if opened == key => (a, b),
            other => panic!("{other:?}"),
        }
    }

    fn close(&self, key: MediaKey) -> gateway::media::CallStatistics {
        self.media.send(Command::Close { key });
        loop {
            match self.event() {
                MediaEvent::Closed { key: closed, statistics } if closed == key => return *statistics,
                MediaEvent::Minute { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

fn settings(ports: std::ops::RangeInclusive<u16>) -> MediaSettings {
    MediaSettings {
        ports,
        workers: 2,
        emergency_ports: 0,
        addresses: vec![LOCAL, Ipv6Addr::LOCALHOST.into()],
        driver: sk_lookup::driver(),
        late: PATIENCE, // Nothing is, on a machine that has other work.
        ..MediaSettings::default()
    }
}

struct Phone(UdpSocket);

impl Phone {
    fn new() -> Phone {
        let socket = UdpSocket::bind((LOCAL, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Phone(socket)
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    fn send(&self, to: u16, datagram: &[u8]) {
        self.0.send_to(datagram, (LOCAL, to)).unwrap();
    }

    fn receive(&self) -> (Vec<u8>, u16) {
        let mut buffer = [0; 2048];
        let (len, from) = self.0.recv_from(&mut buffer).unwrap();
        (buffer[..len].to_vec(), from.port())
    }

    fn remote(&self) -> Remote {
        Remote { rtp: Some(self.address()), ..Remote::default() }
    }
}

fn rtp(ssrc: u32, seq: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn sound_passes_both_ways_and_is_counted() {
    let gateway = Gateway::start(settings(20_000..=20_999));
    let key = MediaKey::new(3, 1);
    let (a, b) = gateway.open(key);
    assert!(a.rtp.is_multiple_of(2) && a.rtcp == a.rtp + 1 && (20_000..=20_999).contains(&a.rtp));
    assert_ne!(a, b);
    let (caller, callee, stranger) = (Phone::new(), Phone::new(), Phone::new());
    let remote = Remote { customer: true, ..caller.remote() };
    gateway.media.send(Command::Remote { key, side: Side::A, remote, hurry: true });
    gateway.media.send(Command::Remote { key, side: Side::B, remote: callee.remote(), hurry: true });
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    for seq in 0..200 {
        caller.send(a.rtp, &rtp(1, seq));
        assert_eq!(callee.receive(), (rtp(1, seq), b.rtp));
        callee.send(b.rtp, &rtp(2, seq));
        assert_eq!(caller.receive(), (rtp(2, seq), a.rtp));
    }
    stranger.send(a.rtp, &rtp(9, 1));
    caller.send(a.rtp, &[0; 1985]); // longer than anything that we take
    wait_until("strangers are refused", || {
        gateway.media.gauges().refusals().filter(|(_, count)| *count > 0).count() == 2
    });

    let gauges = gateway.media.gauges();
    assert_eq!((gauges.calls, gauges.ports.used), (1, 4));
    for side in [gauges.customer, gauges.remote] {
        assert_eq!((side.received.packets, side.received.bytes), (200, 200 * 172));
        assert_eq!((side.sent.packets, side.sent.bytes), (200, 200 * 172));
    }
    let metrics = Metrics::new("us-east-1");
    media::export(&gateway.media, &metrics);
    drop(metrics.render());
    let text = metrics.render(); // twice: counters must not count twice
    for line in [
        r#"voice_connector_rtp_packets_total{side="customer",direction="received"} 200"#,
        r#"voice_connector_rtp_bytes_total{side="remote",direction="sent"} 34400"#,
        r#"voice_connector_media_refusals_total{cause="source"} 1"#,
        r#"voice_connector_media_ports_in_use{address="127.0.0.1"} 4"#,
    ] {
        assert!(text.lines().any(|text| text == line), "{line} is not in {text}");
    }
    let statistics = gateway.close(key);
    for leg in [statistics.a, statistics.b] {
        assert_eq!((leg.received.rtp_packets, leg.received.rtp_bytes), (200, 200 * 172));
        assert_eq!((leg.sent.rtp_packets, leg.received.packets_lost), (200, Some(0)));
        assert!(leg.received.jitter.unwrap() < Duration::from_secs(1));
    }
    assert_eq!(statistics.a.refused.of(Refusal::Source), 1);
    assert_eq!(statistics.a.refused.of(Refusal::Oversized), 1);
    assert_eq!(gateway.media.gauges().calls, 0);
}

/// A worker that was busy finds a queue: its socket was full, which is no loss of the phone's, and what is there is old.
#[test]
fn what_the_gateway_did_not_read_in_time_is_its_own_fault() {
    let gate = Arc::new(std::sync::Barrier::new(2));
    let (sink, events) = channel();
    let held = gate.clone();
    let late = Duration::from_millis(250);
    let one_worker = MediaSettings { workers: 1, late, ..settings(18_000..=18_999) };
    let media = Media::start(&one_worker, move |shard, event| {
        let is_gate = matches!(&event, MediaEvent::Closed { key, .. } if key.0 == 99);
        let _ = sink.send((shard, event));
        if is_gate {
            held.wait(); // the worker is held up
            held.wait();
        }
    });
    let gateway = Gateway { media: Arc::new(media.unwrap()), events };
    let key = MediaKey::new(0, 1);
    let (a, b) = gateway.open(key);
    let (caller, callee) = (Phone::new(), Phone::new());
    for (side, phone) in [(Side::A, &caller), (Side::B, &callee)] {
        gateway.media.send(Command::Remote { key, side, remote: phone.remote(), hurry: true });
    }
    caller.send(a.rtp, &rtp(1, 0));
    assert_eq!(callee.receive(), (rtp(1, 0), b.rtp));
    gateway.media.send(Command::Close { key: MediaKey(99) });
    assert!(matches!(gateway.event(), MediaEvent::Closed { .. }));
    gate.wait();
    const SENT: u16 = 2000; // many times what a socket holds
    for seq in 1..=SENT {
        caller.send(a.rtp, &rtp(1, seq));
    }
    std::thread::sleep(2 * late); // what waits gets old
    gate.wait();
    let counted = |cause| gateway.media.gauges().refusals().find(|(one, _)| *one == cause).unwrap().1;
    let mut seq = SENT;
    wait_until("the queue is read", || counted(Refusal::Late) > 0 && gateway.media.gauges().queued == 0);
    // The next one is in time. Its predecessors were read: the queue is served in order.
    loop {
        seq += 1;
        caller.send(a.rtp, &rtp(1, seq));
        callee.0.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let mut buffer = [0; 2048];
        if let Ok((len, _)) = callee.0.recv_from(&mut buffer) {
            assert!(buffer[..len] == rtp(1, seq), "an old packet was played");
            break;
        }
    }
    let (late, unread) = (counted(Refusal::Late), counted(Refusal::Unread));
    // One socket for all has room for much more.
    assert!(late > 0 && (unread > 0 || sk_lookup::is_tested()), "{late} late, {unread} unread");
    let statistics = gateway.close(key);
    assert_eq!(late + unread + 1 + 1, u64::from(seq) + 1);
    assert_eq!((statistics.a.received.packets_lost, statistics.b.sent.rtp_packets), (Some(0), 2));
    assert_eq!(statistics.a.refused.of(Refusal::Late), late);
    assert_eq!(statistics.a.refused.of(Refusal::Unread), unread);
}

/// A flood of strangers at one port never reaches the worker for long, and the phone is heard through it.
#[test]
fn a_flood_at_one_port_is_shed_by_the_kernel() {
    for local in [LOCAL, IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        let socket = || {
            let socket = UdpSocket::bind((local, 0)).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            Phone(socket)
        };
        let (caller, callee, stranger) = (socket(), socket(), socket());
        let gateway = Gateway::start(settings(17_000..=17_999));
        let key = MediaKey::new(0, 1);
        gateway.media.send(Command::Open { key, a: local, b: local, emergency: false, party: None });
        let MediaEvent::Opened { a, b, .. } = gateway.event() else { panic!("not opened") };
        for (side, phone) in [(Side::A, &caller), (Side::B, &callee)] {
            gateway.media.send(Command::Remote { key, side, remote: phone.remote(), hurry: true });
        }
        wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
        let speak = |seq| {
            caller.0.send_to(&rtp(1, seq), (local, a.rtp)).unwrap();
            assert_eq!(callee.receive(), (rtp(1, seq), b.rtp));
        };
        let counted = |cause| gateway.media.gauges().refusals().find(|(one, _)| *one == cause).unwrap().1;
        let flood = |count| {
            for seq in 0..count {
                stranger.0.send_to(&rtp(9, seq), (local, a.rtp)).unwrap();
            }
        };
        speak(1);
        for round in 1..=10 {
            flood(50);
            wait_until("strangers are refused", || counted(Refusal::Source) >= 50 * round);
        }
        // Some come between the last refusal and the filter.
        let (mut seq, mut before) = (1, 0);
        while counted(Refusal::Source) != before {
            before = counted(Refusal::Source);
            flood(1);
            seq += 1;
            speak(seq);
        }
        flood(2000);
        let came = 500 + u64::from(seq - 1) + 2000;
        seq += 1;
        speak(seq);
        let source = counted(Refusal::Source);
        assert!((500..600).contains(&source), "{source} strangers reached the worker");
        assert_eq!(counted(Refusal::Unread), 0);
        // At the end of it the kernel says how many there were, if it has not said so yet; everybody is heard again.
        wait_until("the kernel tells", || counted(Refusal::Shed) == came - source);
        let began = Instant::now();
        while counted(Refusal::Source) == source {
            assert!(began.elapsed() < PATIENCE, "strangers are refused again");
            flood(1);
            seq += 1;
            speak(seq);
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(gateway.close(key).a.received.packets_lost, Some(0));
    }
}

#[test]
fn fax_passes_opaque() {
    let gateway = Gateway::start(settings(21_000..=21_999));
    let key = MediaKey::new(0, 1);
    let (a, b) = gateway.open(key);
    let (caller, callee) = (Phone::new(), Phone::new());
    for (side, phone) in [(Side::A, &caller), (Side::B, &callee)] {
        let remote = Remote { kind: StreamKind::Udptl, ..phone.remote() };
        gateway.media.send(Command::Remote { key, side, remote, hurry: true });
    }
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    caller.send(a.rtp, &[0, 1, 6, 1, 2, 3]);
    assert_eq!(callee.receive(), (vec![0, 1, 6, 1, 2, 3], b.rtp));
    let statistics = gateway.close(key);
    assert_eq!((statistics.a.received.udptl_packets, statistics.b.sent.udptl_bytes), (1, 6));
}

#[test]
fn each_leg_gets_reports_of_ours() {
    let gateway = Gateway::start(settings(22_000..=22_999));
    let key = MediaKey::new(0, 1);
    let (a, b) = gateway.open(key);
    let (caller, callee, reports) = (Phone::new(), Phone::new(), Phone::new());
    gateway.media.send(Command::Remote { key, side: Side::A, remote: caller.remote(), hurry: true });
    let remote = Remote { rtcp: Some(reports.address()), ..callee.remote() };
    gateway.media.send(Command::Remote { key, side: Side::B, remote, hurry: true });
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    caller.send(a.rtp, &rtp(7, 1));
    callee.receive();
    callee.send(b.rtp, &rtp(8, 1));
    let (report, from) = reports.receive(); // within 3.1 s
    assert_eq!(from, b.rtcp);
    let packets: Vec<_> = rtp::rtcp::Compound::parse(&report).unwrap().collect();
    let [
        rtp::rtcp::Packet::SenderReport { ssrc, info, reports: mut blocks },
        rtp::rtcp::Packet::SourceDescription { .. },
    ] = packets[..]
    else {
        panic!("{packets:?}");
    };
    assert_eq!((ssrc.0, info.packets, info.bytes), (7, 1, 160));
    assert_eq!(blocks.next().unwrap().ssrc.0, 8);
    // At the end it hears a goodbye.
    assert_eq!(gateway.close(key).b.sent.rtcp_packets, 2);
    let (last, from) = reports.receive();
    assert_eq!(from, b.rtcp);
    let last: Vec<_> = rtp::rtcp::Compound::parse(&last).unwrap().collect();
    let Some(rtp::rtcp::Packet::Bye { ssrcs, .. }) = last.last() else { panic!("{last:?}") };
    assert_eq!(ssrcs.map(|ssrc| ssrc.0).collect::<Vec<_>>(), [7]);
}

#[test]
fn ports_are_taken_once_and_rest_after_use() {
    // Two pairs: one call.
    let gateway = Gateway::start(settings(23_000..=23_003));
    let (first, second) = (MediaKey::new(0, 1), MediaKey::new(0, 2));
    let (a, b) = gateway.open(first);
    if !sk_lookup::is_tested() {
        assert_eq!(UdpSocket::bind((LOCAL, a.rtp)).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
    gateway.media.send(Command::Open { key: second, a: LOCAL, b: LOCAL, emergency: false, party: None });
    assert!(matches!(gateway.event(), MediaEvent::OpenFailed { key, .. } if key == second));
    assert_eq!(gateway.close(second), gateway::media::CallStatistics::default());
    gateway.close(first);
    for port in [a.rtp, a.rtcp, b.rtp, b.rtcp] {
        UdpSocket::bind((LOCAL, port)).unwrap(); // ours no longer
    }
    assert_eq!(gateway.media.gauges().ports.resting, 4);
    gateway.media.send(Command::Open { key: second, a: LOCAL, b: LOCAL, emergency: false, party: None });
    assert!(matches!(gateway.event(), MediaEvent::OpenFailed { key, .. } if key == second));
    gateway.media.send(Command::Open { key: second, a: LOCAL, b: LOCAL, emergency: true, party: None });
    assert!(matches!(gateway.event(), MediaEvent::Opened { key, .. } if key == second));
}

#[test]
fn a_call_that_finds_ports_for_one_leg_only_gives_them_back() {
    let gateway = Gateway::start(settings(24_000..=24_001));
    let key = MediaKey::new(0, 1);
    gateway.media.send(Command::Open { key, a: LOCAL, b: LOCAL, emergency: false, party: None });
    assert!(matches!(gateway.event(), MediaEvent::OpenFailed { .. }));
    let ports = gateway.media.gauges().ports;
    assert_eq!((ports.used, ports.resting, ports.free), (0, 0, 2));
    UdpSocket::bind((LOCAL, 24_000)).unwrap();
}

#[test]
fn busy_and_excluded_ports_are_skipped() {
    let busy = UdpSocket::bind((LOCAL, 25_003)).unwrap();
    let gateway = Gateway::start(MediaSettings { excluded_ports: vec![25_000], ..settings(25_000..=25_007) });
    let (a, b) = gateway.open(MediaKey::new(0, 1));
    let mut pairs = [a.rtp, b.rtp];
    pairs.sort_unstable();
    assert_eq!(pairs, [25_004, 25_006]);
    drop(busy);
}

/// Two calls whose ports were named to each other: what is put into one is refused by the other, and nothing goes round.
#[test]
fn media_of_the_gateways_own_is_refused() {
    let phone = Phone::new();
    let gateway = Gateway::start(settings(22_000..=22_999));
    let (first, second) = (MediaKey::new(0, 1), MediaKey::new(0, 2));
    let ((a, b), (c, d)) = (gateway.open(first), gateway.open(second));
    let at = |ports: Ports| Remote { rtp: Some((LOCAL, ports.rtp).into()), ..Remote::default() };
    for (key, side, remote) in [
        (first, Side::A, phone.remote()),
        (first, Side::B, at(d)),
        (second, Side::A, at(a)),
        (second, Side::B, at(b)),
    ] {
        gateway.media.send(Command::Remote { key, side, remote, hurry: true });
    }
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    phone.send(a.rtp, &rtp(1, 1)); // goes out of `b` to `d`
    let looped = || gateway.media.gauges().refusals().find(|(cause, _)| *cause == Refusal::Looped).unwrap().1;
    wait_until("the second call refuses it", || looped() == 1);
    let statistics = gateway.close(second);
    assert_eq!(statistics.b.refused.of(Refusal::Looped), 1);
    assert_eq!((statistics.a.sent.rtp_packets, c.rtp != d.rtp), (0, true));
    gateway.close(first);
}

/// A phone behind NAT is heard after a stranger was.
#[test]
fn a_displaced_stranger_is_told_of() {
    let (phone, stranger) = (Phone::new(), UdpSocket::bind(("127.0.0.66", 0)).unwrap());
    let gateway = Gateway::start(settings(21_000..=21_999));
    let key = MediaKey::new(3, 1);
    let (a, _) = gateway.open(key);
    let private = "192.168.7.7:4000".parse().ok();
    let behind_nat = Remote { rtp: private, signalling: Some(LOCAL), ..Remote::default() };
    gateway.media.send(Command::Remote { key, side: Side::A, remote: behind_nat, hurry: true });
    gateway.media.send(Command::Remote { key, side: Side::B, remote: Phone::new().remote(), hurry: true });
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    stranger.send_to(&rtp(9, 1), (LOCAL, a.rtp)).unwrap();
    wait_until("the stranger is heard", || gateway.media.gauges().remote.received.packets == 1);
    phone.send(a.rtp, &rtp(1, 1));
    let stranger = stranger.local_addr().unwrap();
    assert_eq!(gateway.event(), MediaEvent::Displaced { key, side: Side::A, stranger });
    gateway.close(key);
}

#[test]
fn silence_on_both_sides_is_told_once() {
    let gateway = Gateway::start(MediaSettings {
        inactivity_timeout: Duration::from_millis(50),
        ..settings(26_000..=26_999)
    });
    let key = MediaKey::new(9, 1);
    gateway.open(key);
    for side in [Side::A, Side::B] {
        gateway.media.send(Command::Remote { key, side, remote: Phone::new().remote(), hurry: true });
    }
    assert_eq!(gateway.event(), MediaEvent::Silent { key });
    gateway.close(key);
}

#[test]
fn an_unknown_call_is_closed_all_the_same() {
    let gateway = Gateway::start(settings(27_000..=27_999));
    let key = MediaKey::new(5, 77);
    assert_eq!(gateway.close(key), gateway::media::CallStatistics::default());
}

#[test]
fn an_address_that_is_not_ours_fails_with_its_name() {
    let gateway = Gateway::start(settings(28_000..=28_999));
    let key = MediaKey::new(0, 1);
    let foreign = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    gateway.media.send(Command::Open { key, a: LOCAL, b: foreign, emergency: false, party: None });
    let MediaEvent::OpenFailed { text, .. } = gateway.event() else { panic!("opened") };
    assert!(text.contains("192.0.2.1"), "{text}");
    let ports = gateway.media.gauges().ports;
    assert_eq!((ports.used, ports.resting), (0, 0));
}

#[test]
fn ipv6_carries_one_leg_and_ipv4_the_other() {
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let Ok(caller) = UdpSocket::bind((six, 0)) else {
        eprintln!("skipped: this host has no IPv6 loopback");
        return;
    };
    caller.set_read_timeout(Some(PATIENCE)).unwrap();
    let (caller, callee) = (Phone(caller), Phone::new());
    let gateway = Gateway::start(settings(19_000..=19_999));
    let key = MediaKey::new(0, 1);
    gateway.media.send(Command::Open { key, a: six, b: LOCAL, emergency: false, party: None });
    let MediaEvent::Opened { a, b, .. } = gateway.event() else { panic!("not opened") };
    for (side, phone) in [(Side::A, &caller), (Side::B, &callee)] {
        gateway.media.send(Command::Remote { key, side, remote: phone.remote(), hurry: true });
    }
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    caller.0.send_to(&rtp(1, 1), (six, a.rtp)).unwrap();
    assert_eq!(callee.receive(), (rtp(1, 1), b.rtp));
    callee.send(b.rtp, &rtp(2, 1));
    assert_eq!(caller.receive(), (rtp(2, 1), a.rtp));
}

#[test]
fn threads_may_share_the_handle() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Media>();
}

#[test]
fn dropping_closes_what_is_open() {
    let gateway = Gateway::start(settings(29_000..=29_999));
    let keys: Vec<_> = (0..20).map(|call| MediaKey::new(1, call)).collect();
    let ports: Vec<_> = keys.iter().map(|key| gateway.open(*key)).collect();
    drop(gateway.media);
    let mut closed: Vec<_> = gateway.events.iter().map(|(_, event)| event.key()).collect();
    closed.sort_unstable();
    assert_eq!(closed, keys);
    for (a, b) in ports {
        for port in [a.rtp, a.rtcp, b.rtp, b.rtcp] {
            UdpSocket::bind((LOCAL, port)).unwrap();
        }
    }
}
