//! Streams that the kernel forwards: over loopback, where the process is alone in a network namespace.
//!
//! Linux lets only privileged processes load the program, and no process in a user namespace of its own. So this is said
//! and left out there.

use std::process::Command as Process;
use std::time::Duration;

use config::{MediaDriver, MediaKernel};
use gateway::media::{CallStatistics, Command, MediaKey, MediaSettings, Remote, Side};

use super::{Gateway, Phone, rtp, settings, wait_until};

/// Set in the process that runs these tests.
const TESTED: &str = "VOICE_CONNECTOR_TEST_KERNEL";
const PRIVILEGES: &str = "--bounding-set=-all,+bpf,+net_admin,+net_raw";

fn is_tested() -> bool {
    std::env::var_os(TESTED).is_some()
}

#[test]
fn streams_are_forwarded_by_kernel() {
    if is_tested() || super::sk_lookup::is_tested() {
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
}

/// A call with a stream each way; each packet must arrive, once and in order.
struct Call {
    gateway: Gateway,
    key: MediaKey,
    phones: [Phone; 2],
    ports: [u16; 2],
    seq: u16,
}

impl Call {
    fn new(driver: MediaDriver) -> Call {
        let kernel = MediaKernel::Auto;
        let gateway =
            Gateway::start(MediaSettings { driver, kernel, workers: 1, ..settings(20_000..=20_999) });
        assert_eq!(gateway.media.kernel(), "by the kernel where they are steady (interfaces: 1)");
        let key = MediaKey::new(0, 1);
        let (a, b) = gateway.open(key);
        let mut call =
            Call { gateway, key, phones: [Phone::new(), Phone::new()], ports: [a.rtp, b.rtp], seq: 0 };
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
        self.seq += 1;
        for (from, to) in [(0, 1), (1, 0)] {
            let mut packet = rtp(from as u32, self.seq);
            packet[1] = payload_type;
            self.phones[from].send(self.ports[from], &packet);
            assert_eq!(self.phones[to].receive(), (packet, self.ports[to]), "{}", self.seq);
        }
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
        assert_eq!(all, 2 * u64::from(self.seq));
        for leg in [&statistics.a, &statistics.b] {
            for flow in [leg.received, leg.sent] {
                assert_eq!(
                    (flow.rtp_packets, flow.rtp_bytes),
                    (u64::from(self.seq), u64::from(self.seq) * 172)
                );
                assert_eq!((flow.packets_lost, flow.duplicates), (0, 0));
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
        // A re-INVITE takes it back, and so does hold, for as long as that lasts.
        call.remote(Side::A, |_| {});
        wait_until("the flows are given back", || call.flows() == 0);
        call.talk_until(2);
        call.remote(Side::B, |remote| remote.on_hold = true);
        wait_until("the flows are given back", || call.flows() == 0);
        (0..300).for_each(|_| call.exchange());
        assert_eq!(call.flows(), 0);
        call.remote(Side::B, |_| {});
        call.talk_until(2);
        (0..100).for_each(|_| call.exchange());
        call.close();
    }
}

/// What is closed is not forwarded any more: the port is whose it is next.
#[test]
fn nothing_is_forwarded_after_the_end() {
    if !is_tested() {
        return;
    }
    let mut call = Call::new(MediaDriver::Epoll);
    call.talk_until(2);
    let (phone, port) = (std::mem::replace(&mut call.phones[0], Phone::new()), call.ports[0]);
    call.close();
    let next = std::net::UdpSocket::bind((super::LOCAL, port)).unwrap();
    next.set_read_timeout(Some(super::PATIENCE)).unwrap();
    phone.send(port, &rtp(0, 9));
    assert_eq!(next.recv(&mut [0; 500]).unwrap(), 172);
}
