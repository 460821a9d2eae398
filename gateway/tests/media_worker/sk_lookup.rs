//! The same tests once more with one socket for all ports, and what is peculiar to it.
//!
//! Linux lets only privileged processes do that, and no process in a user namespace of its own. So this is said and left
//! out inside of one, and elsewhere runs in a network namespace without one.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::process::Command as Process;
use std::time::Duration;

use config::MediaDriver;
use gateway::media::{Command, MediaEvent, MediaKey, MediaSettings, Refusal, Side};

use super::{Gateway, LOCAL, PATIENCE, Phone, rtp, settings, wait_until};

const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
/// Set in the process that runs the tests once more.
const TESTED: &str = "VOICE_CONNECTOR_TEST_SK_LOOKUP";

/// Whether it is this driver's turn.
pub fn is_tested() -> bool {
    std::env::var_os(TESTED).is_some()
}

/// The driver whose turn it is.
pub fn driver() -> MediaDriver {
    if is_tested() { MediaDriver::SkLookup } else { MediaDriver::Epoll }
}

#[test]
fn the_workers_do_the_same_by_sk_lookup() {
    if is_tested() {
        return;
    }
    if let Err(error) = fastpath::Steering::attach(&[LOCAL], 2) {
        println!("skipped: {error}");
        return;
    }
    // One test at a time: they count what the process holds, and change the loopback interface.
    let in_namespace = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/in-namespace");
    // With the privileges that the documentation asks for, and no others: the verifier is stricter with a program then.
    let privileges = "--bounding-set=-all,+bpf,+net_admin,+net_raw";
    let mut tests = Process::new("unshare");
    tests.args(["--net", in_namespace, "setpriv", privileges]);
    tests.arg(std::env::current_exe().unwrap()).args(["--test-threads", "1"]);
    let output = tests.env(TESTED, "1").output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn call(gateway: &Gateway, key: MediaKey, [caller, callee]: [&Phone; 2]) -> (u16, u16) {
    let (a, b) = gateway.open(key);
    for (side, phone) in [(Side::A, caller), (Side::B, callee)] {
        gateway.media.send(Command::Remote { key, side, remote: phone.remote(), hurry: true });
    }
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    (a.rtp, b.rtp)
}

#[test]
fn an_open_call_is_no_descriptor() {
    if !is_tested() {
        return;
    }
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let gateway = Gateway::start(MediaSettings { sockets: 0, ..settings(20_000..=20_999) });
    let before = descriptors();
    let keys: Vec<_> = (0..200).map(|call| MediaKey::new(0, call)).collect();
    let phone = Phone::new();
    for key in &keys {
        let (a, _) = call(&gateway, *key, [&phone, &phone]);
        phone.send(a, &rtp(1, 1));
        phone.receive();
    }
    assert_eq!(descriptors(), before + 1, "the phone's");
    for key in keys {
        gateway.close(key);
    }
}

/// A port that another program has bound is never drawn, and neither it nor a port of nobody's is caught.
#[test]
fn ports_of_others_are_left_alone() {
    if !is_tested() {
        return;
    }
    let phone = Phone::new();
    let everywhere = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 20_001)).unwrap();
    let here = UdpSocket::bind((LOCAL, 20_004)).unwrap();
    let gateway = Gateway::start(settings(20_000..=20_009));
    let (a, b) = call(&gateway, MediaKey::new(0, 1), [&phone, &phone]);
    let mut pairs = [a, b];
    pairs.sort_unstable();
    assert!(!pairs.contains(&20_000) && !pairs.contains(&20_004), "{pairs:?}");
    for socket in [&everywhere, &here] {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        phone.send(socket.local_addr().unwrap().port(), b"not for media");
        assert_eq!(socket.recv(&mut [0; 100]).unwrap(), 13);
    }
    // The same port of another address, and one that nobody has: the kernel says so to who is connected to it.
    let elsewhere = UdpSocket::bind(("127.0.0.9", a)).unwrap();
    elsewhere.set_read_timeout(Some(PATIENCE)).unwrap();
    phone.0.send_to(b"not for media", ("127.0.0.9", a)).unwrap();
    assert_eq!(elsewhere.recv(&mut [0; 100]).unwrap(), 13);
    let refused = UdpSocket::bind((LOCAL, 0)).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    refused.connect((LOCAL, 20_011)).unwrap();
    refused.send(b"anybody?").unwrap();
    assert_eq!(refused.recv(&mut [0; 100]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    // What was leased is nobody's once more.
    gateway.close(MediaKey::new(0, 1));
    refused.connect((LOCAL, a)).unwrap();
    refused.send(b"anybody?").unwrap();
    assert_eq!(refused.recv(&mut [0; 100]).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Media at all addresses of the host leaves from the one that the way there begins with.
#[test]
fn all_addresses_of_the_host_are_served() {
    if !is_tested() {
        return;
    }
    let any = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let gateway = Gateway::start(MediaSettings { addresses: any.to_vec(), ..settings(20_000..=20_999) });
    let (caller, callee) = (UdpSocket::bind(("127.0.0.5", 0)).unwrap(), UdpSocket::bind((SIX, 0)).unwrap());
    for phone in [&caller, &callee] {
        phone.set_read_timeout(Some(PATIENCE)).unwrap();
    }
    let (caller, callee) = (Phone(caller), Phone(callee));
    let key = MediaKey::new(0, 1);
    gateway.media.send(Command::Open { key, a: any[0], b: any[1], emergency: false, party: None });
    let MediaEvent::Opened { a, b, .. } = gateway.event() else { panic!("not opened") };
    for (side, phone) in [(Side::A, &caller), (Side::B, &callee)] {
        gateway.media.send(Command::Remote { key, side, remote: phone.remote(), hurry: true });
    }
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    let mut buffer = [0; 200];
    for seq in 0..3 {
        caller.0.send_to(&rtp(1, seq), ("127.0.0.7", a.rtp)).unwrap();
        let (len, from) = callee.0.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..len], from), (rtp(1, seq).as_slice(), SocketAddr::new(SIX, b.rtp)));
        callee.0.send_to(&rtp(2, seq), (SIX, b.rtp)).unwrap();
        let (len, from) = caller.0.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..len], rtp(2, seq));
        assert_eq!((from.ip().is_loopback(), from.port()), (true, a.rtp));
    }
}

/// A datagram that the way out takes in pieces only arrives whole.
#[test]
fn what_is_longer_than_a_packet_may_be_is_cut_up() {
    if !is_tested() {
        return;
    }
    let set_mtu = |mtu: &str| {
        assert!(Process::new("ip").args(["link", "set", "lo", "mtu", mtu]).status().unwrap().success());
    };
    set_mtu("1400");
    let gateway = Gateway::start(settings(20_000..=20_999));
    let phone = Phone::new();
    let key = MediaKey::new(0, 1);
    let (a, b) = call(&gateway, key, [&phone, &phone]);
    let mut long = rtp(1, 1);
    long.resize(1900, 0xd5);
    for _ in 0..2 {
        phone.send(a, &rtp(1, 2));
        assert_eq!(phone.receive(), (rtp(1, 2), b));
        phone.send(a, &long);
        assert_eq!(phone.receive(), (long.clone(), b));
    }
    assert_eq!(gateway.close(key).a.refused.total(), 0);
    set_mtu("65536");
}

/// A burst of a thousand packets of ten calls: none is lost, each call's arrive in order.
#[test]
fn a_burst_passes_in_order() {
    if !is_tested() {
        return;
    }
    let gateway = Gateway::start(settings(20_000..=20_999));
    let calls: Vec<_> = (0..10)
        .map(|number| {
            let phone = Phone::new();
            let (a, _) = call(&gateway, MediaKey::new(0, number), [&phone, &phone]);
            (phone, a)
        })
        .collect();
    for seq in 0..100 {
        calls.iter().for_each(|(phone, a)| phone.send(*a, &rtp(1, seq)));
    }
    for (phone, _) in &calls {
        phone.0.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        (0..100).for_each(|seq| assert_eq!(phone.receive().0, rtp(1, seq)));
    }
    let unread = gateway.media.gauges().refusals().find(|(cause, _)| *cause == Refusal::Unread);
    assert_eq!(unread, Some((Refusal::Unread, 0)));
}

/// A driver that is insisted on is had, or the media side does not start; one that is preferred gives way.
#[test]
fn ephemeral_ports_are_left_to_other_programs() {
    if !is_tested() {
        return;
    }
    let start =
        |ports, driver| gateway::media::Media::start(&MediaSettings { driver, ..settings(ports) }, |_, _| {});
    let error = start(40_000..=41_999, MediaDriver::SkLookup).map(drop).unwrap_err().to_string();
    assert!(error.contains("only 0 of 1000 pairs"), "{error}");
    let media = start(40_000..=41_999, MediaDriver::Auto).unwrap();
    assert!(
        media.driver().starts_with("epoll, a socket for each port (sk_lookup is not to be had: only 0 of")
    );
    let media = start(5_000..=65_000, MediaDriver::Auto).unwrap();
    let wanted = "sk_lookup, one socket for all ports of a thread; 15884 of 30000 pairs of media.ports are outside the \
                  host's ephemeral ports 32768-60999";
    assert_eq!(media.driver(), wanted);
}
