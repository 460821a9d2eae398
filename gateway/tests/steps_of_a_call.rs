//! What a call costs in system calls: all that the daemon asks of the kernel while calls begin, ring, are answered, and end.
//!
//! Two hundred calls begin in a second, each rings for 50 ms and lasts for 50 ms, so that about 20 are open at a time: a quarter of
//! the rate at which the price of a call is measured (`benches/`). The calls come one after another, evenly, so that few datagrams
//! are there to be read together; a busier gateway does more in each step.
//! Media is anchored and none flows, for each of its packets costs what it costs. There is one signalling thread, so that no
//! message has to be passed on to another.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use sip::{Builder, Message, Method, Name, StatusCode};
use support::{Gateway, Net, OURS, Office, PATIENCE, Process, eventually, missing};

/// System calls of a call, at most.
const MOST: usize = 37;

/// Calls before the first that counts. They are forgotten by then, as in a gateway that has run for a minute: memory and open
/// ports that they have left are used again.
const WARM_UP: usize = 600;
/// Calls that count.
const CALLS: usize = 200;
/// Between the beginnings of two calls.
const PACE: Duration = Duration::from_millis(5);
/// How long a call rings, and how long it lasts after that.
const RINGS: Duration = Duration::from_millis(50);
const LASTS: Duration = Duration::from_millis(50);
/// How long a gateway remembers a call that is over: 64 times T1, and some.
const FORGOTTEN: Duration = Duration::from_secs(34);
/// Between calls that begin meanwhile, so that it is not idle.
const A_FEW: Duration = Duration::from_millis(100);

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                   m=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

/// The customer's phone system, which calls and hangs up, and the carrier's switch, which rings and answers.
struct Phones {
    customer: UdpSocket,
    carrier: UdpSocket,
    gateway: SocketAddr,
    placed: usize,
    over: BTreeSet<String>,
    /// What is sent later, in order: by whom.
    answers: VecDeque<(Instant, Message)>,
    hangs_up: VecDeque<(Instant, Message)>,
}

impl Phones {
    fn new(net: Net) -> Phones {
        let socket = |host| {
            let socket = UdpSocket::bind(net.at(host, 5060)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        Phones {
            customer: socket(2),
            carrier: socket(3),
            gateway: net.gateway(),
            placed: 0,
            over: BTreeSet::new(),
            answers: VecDeque::new(),
            hangs_up: VecDeque::new(),
        }
    }

    /// Places so many calls, and waits until all are over.
    fn place(&mut self, calls: usize) {
        let (start, wanted) = (Instant::now(), self.placed + calls);
        let mut next = start;
        while self.over.len() < wanted {
            let now = Instant::now();
            assert!(
                now < start + PACE * calls as u32 + PATIENCE,
                "{} of {wanted} calls are over",
                self.over.len()
            );
            if next <= now && self.placed < wanted {
                next += PACE;
                self.invite();
            }
            self.turn(now);
        }
    }

    /// Waits until the gateway has forgotten all calls but a few that begin meanwhile.
    fn wait(&mut self) {
        let start = Instant::now();
        while start.elapsed() < FORGOTTEN {
            self.place(1);
            let next = Instant::now() + A_FEW;
            while Instant::now() < next {
                self.turn(Instant::now());
            }
        }
    }

    /// Says what is due, and hears what has come.
    fn turn(&mut self, now: Instant) {
        while let Some((_, answer)) = self.answers.pop_front_if(|(at, _)| *at <= now) {
            self.say(&self.carrier, &answer);
        }
        while let Some((_, bye)) = self.hangs_up.pop_front_if(|(at, _)| *at <= now) {
            self.say(&self.customer, &bye);
        }
        let heard = [self.hear_customer(now), self.hear_carrier(now)];
        if heard == [false, false] {
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    fn say(&self, socket: &UdpSocket, message: &Message) {
        socket.send_to(message.bytes(), self.gateway).unwrap();
    }

    fn request(&self, method: Method, cseq: u32, call: &str, uri: &str, to: &str) -> Builder {
        let at = self.customer.local_addr().unwrap();
        Builder::request(method.clone(), uri)
            .header(Name::Via, format!("SIP/2.0/UDP {at};rport;branch=z9hG4bK{method}{call}"))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("<sip:{OURS}@{at}>;tag={call}"))
            .header(Name::To, to)
            .header(Name::CallId, call)
            .header(Name::CSeq, format!("{cseq} {method}"))
    }

    fn invite(&mut self) {
        self.placed += 1;
        let uri = format!("sip:+1628{:07}@{}", 2_000_000 + self.placed, self.gateway);
        let contact = format!("<sip:pbx@{}>", self.customer.local_addr().unwrap());
        let invite =
            self.request(Method::Invite, 1, &format!("call{}", self.placed), &uri, &format!("<{uri}>"));
        let invite = invite.header(Name::Contact, contact).body("application/sdp", SDP.into()).build();
        self.say(&self.customer, &invite);
    }

    fn hear_customer(&mut self, now: Instant) -> bool {
        let Some(message) = hear(&self.customer) else { return false };
        let call = message.value(Name::CallId).unwrap().into_owned();
        let answered =
            message.status().filter(|status| status.code() >= 200).map(|_| message.cseq().unwrap().method);
        match answered {
            Some(Method::Invite) => {
                assert_eq!(message.status().unwrap().code(), 200);
                let contact = message.value(Name::Contact).unwrap().into_owned();
                let target = contact.trim_start_matches('<').split('>').next().unwrap().to_owned();
                let to = message.value(Name::To).unwrap().into_owned();
                self.say(&self.customer, &self.request(Method::Ack, 1, &call, &target, &to).build());
                let bye = self.request(Method::Bye, 2, &call, &target, &to).build();
                self.hangs_up.push_back((now + LASTS, bye));
            }
            Some(Method::Bye) => drop(self.over.insert(call)),
            _ => {}
        }
        true
    }

    fn hear_carrier(&mut self, now: Instant) -> bool {
        let Some(message) = hear(&self.carrier) else { return false };
        let contact = format!("<sip:carrier@{}>", self.carrier.local_addr().unwrap());
        let reply = |code, reason| {
            let status = StatusCode::new(code).unwrap();
            Builder::reply(&message, status, reason, Some("callee")).header(Name::Contact, &contact)
        };
        match message.method() {
            Some(Method::Invite) => {
                self.say(&self.carrier, &reply(180, "Ringing").build());
                let answer = reply(200, "OK").body("application/sdp", SDP.into()).build();
                self.answers.push_back((now + RINGS, answer));
            }
            Some(Method::Ack) | None => {}
            Some(_) => self.say(&self.carrier, &reply(200, "OK").build()),
        }
        true
    }
}

fn hear(socket: &UdpSocket) -> Option<Message> {
    let mut buffer = [0; 65_536];
    match socket.recv(&mut buffer) {
        Ok(length) => Some(Message::parse(buffer[..length].to_vec().into()).unwrap()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

/// A trace of what a process asks of the kernel, by each of its threads.
struct Trace {
    strace: Process,
    output: tempfile::TempDir,
    threads: BTreeMap<String, String>,
}

impl Trace {
    fn begin(process: u32) -> Trace {
        let output = tempfile::tempdir().unwrap();
        let mut command = Command::new("strace");
        command.args(["--follow-forks", "--string-limit=0", "--attach", &process.to_string(), "--output"]);
        command.arg(output.path().join("trace"));
        let strace = Process::start("strace", command, output.path());
        let threads: BTreeMap<String, String> = fs::read_dir(format!("/proc/{process}/task"))
            .unwrap()
            .map(|thread| {
                let thread = thread.unwrap();
                let name = fs::read_to_string(thread.path().join("comm")).unwrap();
                (thread.file_name().into_string().unwrap(), name.trim().to_owned())
            })
            .collect();
        // Who is waited for by a debugger says so.
        eventually("all threads are traced", PATIENCE, || {
            let is_traced = |thread: &String| {
                let status = fs::read_to_string(format!("/proc/{process}/task/{thread}/status")).unwrap();
                !status.lines().any(|line| line == "TracerPid:\t0")
            };
            if threads.keys().all(is_traced) { Ok(()) } else { Err(strace.output()) }
        });
        Trace { strace, output, threads }
    }

    /// How often each thread asked for what.
    fn end(mut self) -> BTreeMap<(String, String), usize> {
        self.strace.signal("INT");
        self.strace.wait(PATIENCE);
        let mut counts = BTreeMap::new();
        for line in fs::read_to_string(self.output.path().join("trace")).unwrap().lines() {
            let Some((thread, asked)) = line.split_once(' ') else { continue };
            // A check of builds that are not optimized.
            if asked.contains("F_GETFD") {
                continue;
            }
            // Neither the end of what another line began, nor a signal.
            let Some((name, _)) = asked.trim_start().split_once('(') else { continue };
            if name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                let thread = self.threads.get(thread).map_or("another", String::as_str);
                *counts.entry((thread.to_owned(), name.to_owned())).or_default() += 1;
            }
        }
        counts
    }
}

#[test]
fn a_call_takes_few_system_calls() {
    if missing(&["strace"]) {
        return;
    }
    let net = Net(251);
    let office = Office { termination: "cps_limit = 10000", more: MEDIA, ..Office::new(net, "udp") };
    let gateway = Gateway::start_sharded(net, 1, &office.config());
    let mut phones = Phones::new(net);
    phones.place(WARM_UP);
    gateway.call_details(WARM_UP);
    phones.wait();
    let before = phones.placed;
    let trace = Trace::begin(gateway.id());
    phones.place(CALLS);
    gateway.call_details(before + CALLS);
    let counts = trace.end();
    let total: usize = counts.values().sum();
    let each = |count: usize| count as f64 / CALLS as f64;
    let mut table: Vec<_> = counts.into_iter().collect();
    table.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let table: String = table
        .iter()
        .map(|((thread, name), count)| format!("{:8.2} {thread} {name}\n", each(*count)))
        .collect();
    println!("{:.1} system calls a call\n{table}", each(total));
    assert!(total <= MOST * CALLS, "{:.1} system calls a call, of them\n{table}", each(total));
    gateway.stop();
}

const MEDIA: &str = r#"
[media]
driver = "epoll"

[records]
durability = "kernel"
"#;
