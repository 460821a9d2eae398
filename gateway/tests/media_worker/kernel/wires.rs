//! Streams that the kernel forwards from one wire to another: the gateway between two hosts, which are network namespaces.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::{Child, Command as Process, Stdio};
use std::time::Duration;

use config::MediaKernel;
use gateway::media::{Command, MediaEvent, MediaKey, MediaSettings, Remote, Side};

use super::super::{Gateway, PATIENCE, rtp, settings, wait_until};

/// Set in the process that runs these tests, with the privileges of root in a network namespace of its own.
pub const TESTED: &str = "VOICE_CONNECTOR_TEST_WIRES";
/// Set in a process that is a phone: what it is, and its address.
const PHONE: &str = "VOICE_CONNECTOR_TEST_WIRED_PHONE";

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(command: &str) {
    let mut words = command.split(' ');
    let status = Process::new(words.next().unwrap()).args(words).status().unwrap();
    assert!(status.success(), "{command}");
}

/// A host at the end of a wire; its addresses end in 2, ours on the wire in 1.
struct Host {
    namespace: Running,
    number: u8,
}

impl Host {
    fn new(number: u8) -> Host {
        let mut namespace = Process::new("unshare");
        namespace.args(["--net", "sh", "-c", "echo up; exec sleep 600"]).stdout(Stdio::piped());
        let mut namespace = Running(namespace.spawn().unwrap());
        BufReader::new(namespace.0.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let process = namespace.0.id();
        run(&format!("ip link add wire{number} type veth peer name wire netns {process}"));
        let inside = format!("nsenter --net --target {process} ip");
        for (ip, wire, last) in
            [("ip".to_owned(), format!("wire{number}"), 1), (inside, "wire".to_owned(), 2)]
        {
            run(&format!("{ip} address add 10.0.{number}.{last}/24 dev {wire}"));
            run(&format!("{ip} address add fd00:{number}::{last}/64 dev {wire} nodad"));
            run(&format!("{ip} link set {wire} up"));
            let (v4, v6) = (format!("10.0.{number}.1"), format!("fd00:{number}::1"));
            if last == 2 {
                run(&format!("{ip} route add default via {v4}"));
                run(&format!("{ip} -6 route add default via {v6}"));
            }
        }
        Host { namespace, number }
    }

    fn address(&self, six: bool, last: u8) -> IpAddr {
        let number = self.number;
        let text = if six { format!("fd00:{number}::{last}") } else { format!("10.0.{number}.{last}") };
        text.parse().unwrap()
    }

    /// A phone on this host.
    fn phone(&self, what: &str, address: SocketAddr) -> Running {
        let mut phone = Process::new("nsenter");
        phone.args(["--net", "--target", &self.namespace.0.id().to_string()]);
        phone.arg(std::env::current_exe().unwrap());
        phone.args(["--exact", "kernel::wires::a_phone_of_its_own", "--nocapture"]);
        phone.env(PHONE, format!("{what} {address}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        Running(phone.spawn().unwrap())
    }
}

/// Not a test of its own: a phone in another namespace. One sends back what comes, under an SSRC of its own; the other sends a
/// packet each two milliseconds, each of which must come back in turn, until its input ends.
#[test]
fn a_phone_of_its_own() {
    let Ok(phone) = std::env::var(PHONE) else { return };
    let (what, address) = phone.split_once(' ').unwrap();
    let socket = UdpSocket::bind(address).unwrap();
    println!("\nup");
    let mut buffer = [0; 2048];
    if what == "echo" {
        loop {
            let (len, from) = socket.recv_from(&mut buffer).unwrap();
            buffer[11] = 2;
            socket.send_to(&buffer[..len], from).unwrap();
        }
    }
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut to = String::new();
    std::io::stdin().read_line(&mut to).unwrap();
    socket.connect(to.trim()).unwrap();
    let end = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()));
    let mut seq = 0;
    while !end.is_finished() {
        seq += 1;
        socket.send(&rtp(1, seq)).unwrap();
        let len = socket.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..len], rtp(2, seq));
        std::thread::sleep(Duration::from_millis(2));
    }
    println!("sent {seq}");
}

#[test]
fn a_stream_goes_from_one_wire_to_another() {
    if std::env::var_os(TESTED).is_none() {
        return;
    }
    let hosts = [Host::new(1), Host::new(2)];
    for six in [false, true] {
        let ours = [hosts[0].address(six, 1), hosts[1].address(six, 1)];
        let phones = [0, 1].map(|index| SocketAddr::new(hosts[index].address(six, 2), 4000));
        let gateway = Gateway::start(MediaSettings {
            kernel: MediaKernel::Auto,
            workers: 1,
            addresses: ours.to_vec(),
            ..settings(20_000..=20_999)
        });
        assert_eq!(gateway.media.kernel(), "by the kernel where they are steady (interfaces: 3)");
        let mut echo = hosts[1].phone("echo", phones[1]);
        let mut talker = hosts[0].phone("talks", phones[0]);
        let mut output = BufReader::new(talker.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(output.any(|line| line == "up"));
        let ready = BufReader::new(echo.0.stdout.take().unwrap());
        assert!(ready.lines().map_while(Result::ok).any(|line| line == "up"));
        let key = MediaKey::new(0, 1);
        let open = Command::Open { key, a: ours[0], b: ours[1], emergency: false, party: None };
        gateway.media.send(open);
        let MediaEvent::Opened { a, .. } = gateway.event() else { panic!("not opened") };
        let remote = |side: Side| {
            let remote = Remote {
                rtp: Some(phones[side as usize]),
                clock_rates: vec![(0, 8000)],
                ..Remote::default()
            };
            gateway.media.send(Command::Remote { key, side, remote, hurry: true });
        };
        remote(Side::A);
        remote(Side::B);
        wait_until("commands are obeyed", || gateway.media.gauges().queued == 0);
        let mut input = talker.0.stdin.take().unwrap();
        writeln!(input, "{}", SocketAddr::new(ours[0], a.rtp)).unwrap();
        let flows = |count| wait_until("it moves", || gateway.media.gauges().flows == count);
        flows(2);
        std::thread::sleep(Duration::from_secs(1)); // time for some hundred packets to be forwarded
        remote(Side::A);
        flows(0);
        assert!(gateway.media.gauges().by_kernel > 200, "{:?}", gateway.media.gauges());
        flows(2);
        drop(input);
        let sent = output.find_map(|line| line.strip_prefix("sent ")?.parse::<u64>().ok()).unwrap();
        let statistics = gateway.close(key);
        for leg in [&statistics.a, &statistics.b] {
            for (flow, lost) in [(leg.received, Some(0)), (leg.sent, None)] {
                assert_eq!((flow.rtp_packets, flow.packets_lost, flow.duplicates), (sent, lost, 0));
            }
        }
    }
}
