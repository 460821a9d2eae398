//! Streams that the kernel forwards: over loopback, where the process is alone in a network namespace.
//!
//! Linux lets only privileged processes load the program, and no process in a user namespace of its own. So this is said
//! and left out there.

mod wires;

use std::io::{BufRead, BufReader};
use std::process::Command as Process;
use std::time::Duration;

use config::{MediaDriver, MediaKernel};
use gateway::media::{CallStatistics, Command, MediaEvent, MediaKey, MediaSettings, Remote, Side};

use super::{Gateway, Phone, rtp, settings, wait_until};

/// Set in the process that runs these tests.
const TESTED: &str = "VOICE_CONNECTOR_TEST_KERNEL";
/// When a call without media is told to be silent.
const INACTIVITY: Duration = Duration::from_secs(3);
const PRIVILEGES: &str = "--bounding-set=-all,+bpf,+net_admin,+net_raw";

fn is_tested() -> bool {
    std::env::var_os(TESTED).is_some()
}

#[test]
fn streams_are_forwarded_by_kernel() {
    let is_within = std::env::var_os(wires::TESTED).is_some() || super::sk_lookup::is_tested();
    if is_tested() || is_within {
        return;
    }
    if let Err(error) = fastpath::Forwarding::attach(&[1], 2) {
        println!("skipped: {error}");
        return;
    }
    let in_namespace = concat!(env!("CARGO_MANIFEST_DIR"), "/../.ci/in-namespace");
    let mut tests = Process::new("unshare");
    // With the privileges that the documentation asks for, and no others: the verifier is stricter with a program then.
    tests.args(["--net", in_namespace, "setpriv", PRIVILEGES]);
    tests.arg(std::env::current_exe().unwrap()).args(["--test-threads", "1", "kernel::"]);
    let output = tests.env(TESTED, "1").output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Hosts at the end of wires are namespaces, which root alone makes.
    let mut tests = Process::new("unshare");
    tests.args(["--net", in_namespace]).arg(std::env::current_exe().unwrap());
    let output =
        tests.args(["--exact", "kernel::wires::a_stream_goes_from_one_wire_to_another", "--nocapture"]);
    let output = output.env(wires::TESTED, "1").output().unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A call with a stream each way; each packet must arrive, once and in order.
struct Call {
    gateway: Gateway,
    key: MediaKey,
    phones: [Phone; 2],
    ports: [u16; 2],
    /// The last number of each phone.
    seqs: [u16; 2],
}

impl Call {
    fn new(driver: MediaDriver) -> Call {
        let kernel = MediaKernel::Auto;
        let gateway = Gateway::start(MediaSettings {
            driver,
            kernel,
            workers: 1,
            inactivity_timeout: INACTIVITY,
            ..settings(20_000..=20_999)
        });
        assert_eq!(gateway.media.kernel(), "by the kernel where they are steady (interfaces: 1)");
        let key = MediaKey::new(0, 1);
        let (a, b) = gateway.open(key);
        let mut call =
            Call { gateway, key, phones: [Phone::new(), Phone::new()], ports: [a.rtp, b.rtp], seqs: [0; 2] };
        call.remote(Side::A, |_| {});
        call.remote(Side::B, |_| {});
        call
    }

    fn remote(&mut self, side: Side, change: impl FnOnce(&mut Remote)) {
        let phone = &self.phones[side as usize];
        let mut remote =
            Remote { clock_rates: vec![(0, 8000), (101, 8000)], events: vec![101], ..phone.remote() };
        change(&mut remote);
        self.gateway.media.send(Command::Remote { key: self.key, side, remote, hurry: true });
        wait_until("commands are obeyed", || self.gateway.media.gauges().queued == 0);
    }

    /// One packet each way.
    fn exchange(&mut self) {
        self.exchange_of(0);
    }

    fn exchange_of(&mut self, payload_type: u8) {
        self.speaks(0, payload_type);
        self.speaks(1, payload_type);
    }

    /// One packet from one phone to the other.
    fn speaks(&mut self, from: usize, payload_type: u8) {
        self.seqs[from] += 1;
        let (seq, to) = (self.seqs[from], 1 - from);
        let mut packet = rtp(from as u32, seq);
        packet[1] = payload_type;
        self.phones[from].send(self.ports[from], &packet);
        assert_eq!(self.phones[to].receive(), (packet, self.ports[to]), "{seq}");
    }

    fn flows(&self) -> u64 {
        self.gateway.media.gauges().flows
    }

    /// Talks until so many directions are the kernel's.
    fn talk_until(&mut self, flows: u64) {
        for _ in 0..10_000 {
            if self.flows() == flows {
                return;
            }
            self.exchange();
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{} flows", self.flows());
    }

    fn close(self) -> CallStatistics {
        let statistics = self.gateway.close(self.key);
        let gauges = self.gateway.media.gauges();
        assert_eq!(gauges.flows, 0);
        let all = gauges.customer.received.packets + gauges.remote.received.packets;
        let [of_a, of_b] = self.seqs.map(u64::from);
        assert_eq!(all, of_a + of_b);
        for (leg, received, sent) in [(&statistics.a, of_a, of_b), (&statistics.b, of_b, of_a)] {
            // Phones that send no RTCP tell nothing of what they lost.
            for (flow, packets, lost) in [(leg.received, received, Some(0)), (leg.sent, sent, None)] {
                assert_eq!((flow.rtp_packets, flow.rtp_bytes), (packets, packets * 172));
                assert_eq!((flow.packets_lost, flow.duplicates), (lost, 0));
            }
            assert_eq!(leg.refused.total(), 0);
        }
        statistics
    }
}

#[test]
fn a_stream_moves_to_the_kernel_and_back_without_a_gap() {
    if !is_tested() {
        return;
    }
    for driver in [MediaDriver::Epoll, MediaDriver::SkLookup] {
        let mut call = Call::new(driver);
        call.talk_until(2);
        let before = call.gateway.media.gauges();
        for _ in 0..500 {
            call.exchange();
        }
        // A digit, for which the relay takes over; then sound again.
        call.exchange_of(101);
        wait_until("the flows are given back", || call.flows() == 0);
        let after = call.gateway.media.gauges();
        assert_eq!(after.by_kernel - before.by_kernel, 1000);
        call.talk_until(2);
        if driver == MediaDriver::SkLookup {
            call.close(); // the rest is the same by any driver
            continue;
        }
        // A re-INVITE takes it back, and so does hold, for as long as that lasts.
        call.remote(Side::A, |_| {});
        wait_until("the flows are given back", || call.flows() == 0);
        call.talk_until(2);
        call.remote(Side::B, |remote| remote.on_hold = true);
        wait_until("the flows are given back", || call.flows() == 0);
        (0..300).for_each(|_| call.speaks(1, 0)); // music; it is sent nothing itself
        assert_eq!(call.flows(), 0);
        call.remote(Side::B, |_| {});
        call.talk_until(2);
        (0..100).for_each(|_| call.exchange());
        call.close();
    }
}

/// A call whose streams are the kernel's is silent when it is, and not while they go on. What is closed is not forwarded any
/// more: the port is whose it is next.
#[test]
fn silence_is_told_and_nothing_is_forwarded_after_the_end() {
    if !is_tested() {
        return;
    }
    let mut call = Call::new(MediaDriver::Epoll);
    call.talk_until(2);
    for _ in 0..40 {
        call.exchange();
        std::thread::sleep(INACTIVITY / 20);
    }
    let events: Vec<_> = call.gateway.events.try_iter().collect();
    assert!(events.is_empty(), "{events:?}");
    assert_eq!(call.gateway.event(), MediaEvent::Silent { key: call.key });
    let (phone, port) = (std::mem::replace(&mut call.phones[0], Phone::new()), call.ports[0]);
    call.close();
    let next = std::net::UdpSocket::bind((super::LOCAL, port)).unwrap();
    next.set_read_timeout(Some(super::PATIENCE)).unwrap();
    phone.send(port, &rtp(0, 9));
    assert_eq!(next.recv(&mut [0; 500]).unwrap(), 172);
}

/// Set in the process that is killed: the addresses of the two phones.
const VICTIM: &str = "VOICE_CONNECTOR_TEST_KERNEL_VICTIM";

/// Not a test of its own: a gateway with a call, which is killed.
#[test]
fn the_process_that_is_killed() {
    let Ok(phones) = std::env::var(VICTIM) else { return };
    let kernel = MediaKernel::Auto;
    let gateway = Gateway::start(MediaSettings { kernel, workers: 1, ..settings(20_000..=20_999) });
    let key = MediaKey::new(0, 1);
    let (a, b) = gateway.open(key);
    for (side, phone) in [Side::A, Side::B].into_iter().zip(phones.split(' ')) {
        let remote = Remote { rtp: Some(phone.parse().unwrap()), ..Remote::default() };
        gateway.media.send(Command::Remote { key, side, remote, hurry: true });
    }
    wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
    println!("\nports {} {}", a.rtp, b.rtp);
    wait_until("streams are the kernel's", || gateway.media.gauges().flows == 2);
    println!("forwards");
    std::thread::sleep(super::PATIENCE);
}

/// What the kernel forwards for a gateway ends with it, however it ends.
#[test]
fn nothing_is_forwarded_for_a_gateway_that_was_killed() {
    if !is_tested() {
        return;
    }
    let phones = [Phone::new(), Phone::new()];
    let mut victim = Process::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "kernel::the_process_that_is_killed", "--nocapture"]);
    victim.env(VICTIM, phones.iter().map(|phone| phone.address().to_string()).collect::<Vec<_>>().join(" "));
    let mut victim = victim.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap()).lines().map_while(Result::ok);
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || output.for_each(|line| drop(sender.send(line))));
    let line = |start: &str| {
        let lines = std::iter::from_fn(|| lines.recv_timeout(super::PATIENCE).ok());
        lines.into_iter().find_map(|line| line.strip_prefix(start).map(str::to_owned)).unwrap()
    };
    let ports: Vec<u16> = line("ports ").split(' ').map(|port| port.parse().unwrap()).collect();
    let mut seq = 0;
    let mut exchange = || {
        seq += 1;
        for (from, to) in [(0, 1), (1, 0)] {
            phones[from].send(ports[from], &rtp(from as u32, seq));
            assert_eq!(phones[to].receive(), (rtp(from as u32, seq), ports[to]));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    while !lines.try_iter().any(|line| line == "forwards") {
        exchange();
    }
    exchange();
    victim.kill().unwrap(); // SIGKILL
    victim.wait().unwrap();
    for (phone, port) in phones.iter().zip(ports) {
        let next = std::net::UdpSocket::bind((super::LOCAL, port)).unwrap();
        next.set_read_timeout(Some(super::PATIENCE)).unwrap();
        phone.send(port, &rtp(0, 9));
        assert_eq!(next.recv(&mut [0; 500]).unwrap(), 172);
    }
}
