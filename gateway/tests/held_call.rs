//! What a call costs in memory: bytes of the heap while it is held, its transactions long over. Alone in its process, for it
//! counts what the process allocates.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::Config;
use gateway::clock::Now;
use gateway::core::{Core, Effect, Input, Live, Machine, Output, Shared};
use gateway::ids::{HashKey, Tokens};
use gateway::listen::{Guard, GuardLimits};
use gateway::media::{Command, MediaEvent, MediaKey, MediaRoom, MediaSettings, OwnAddresses, Ports};
use gateway::metrics::Metrics;
use gateway::peer::{ListenerId, Source, Transport};
use gateway::random::SeededRandom;
use sip::{Builder, Message, Method, Name, StatusCode};

/// The most that a held call keeps of the heap of signalling: transactions, dialogs, records-to-be, tables.
const MOST: usize = 7 * 1024;

/// Calls before the first look, so that what is allocated once is, and calls that are counted. Together just below a size at
/// which tables double.
const BEFORE: u32 = 100;
const COUNTED: u32 = 700;

/// Counts the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
// SAFETY: everything is the system's allocator's own; what is added counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(size, Relaxed);
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

const CONFIG: &str = r#"
[gateway]
domain = "vc.example.com"
[[listen]]
address = "192.0.2.1:5060"
[media]
address = "192.0.2.1"
[[voice_connector]]
id = "pbx"
[voice_connector.termination]
allowlist = ["10.0.0.1/32"]
calling_plan = ["US"]
cps_limit = 1000
[[phone_number]]
number = "+12065550100"
voice_connector = "pbx"
[[carrier]]
name = "east"
allowlist = ["10.0.1.1/32"]
prefixes = ["+1"]
options_interval = "0s"
[[carrier.host]]
host = "10.0.1.1"
"#;

/// A gateway between a customer's system and a carrier, in virtual time.
struct World {
    now: Now,
    core: Core,
    ports: u16,
    customer: SocketAddr,
    carrier: SocketAddr,
    calls: u32,
    up: u32,
}

impl World {
    fn new() -> World {
        let (config, _) = Config::parse(CONFIG, Path::new("held.toml")).unwrap();
        let config = Arc::new(config);
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let metrics = Metrics::new("us-east-1");
        metrics.configure(["pbx"]);
        metrics.configure_carriers(["east"]);
        let key = HashKey::random(&mut SeededRandom::new(1));
        let guard = Arc::new(Guard::new(GuardLimits::default(), key, now.instant, Arc::default()));
        let bound: Vec<_> = config.listen.iter().map(|listen| listen.address).collect();
        let settings =
            MediaSettings { addresses: vec![GATEWAY], listeners: bound.clone(), ..MediaSettings::default() };
        let media = MediaRoom { own: Arc::new(OwnAddresses::new(&settings, Vec::new())), calls: 10_000 };
        let shared = Arc::new(Shared::new(metrics, guard, [7; 32], bound, media, Box::new(|| true)));
        let live = Arc::new(Live::new(config).unwrap());
        let core = Core::new(now, shared, live, Tokens::new(0, 0, Box::new(SeededRandom::new(2))));
        let (customer, carrier) = ("10.0.0.1:5060".parse().unwrap(), "10.0.1.1:5060".parse().unwrap());
        World { now, core, ports: 16_384, customer, carrier, calls: 0, up: 0 }
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now.instant + time;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= until) {
            self.pass(at - self.now.instant.min(at));
            self.core.handle_timeout(self.now);
            self.drain();
        }
        self.pass(until - self.now.instant);
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now { instant: self.now.instant + time, unix: self.now.unix + time };
    }

    fn receive(&mut self, remote: SocketAddr, message: &Message) {
        let local = SocketAddr::from((GATEWAY, 5060));
        let source =
            Source { transport: Transport::Udp, listener: ListenerId(0), local, remote, connection: None };
        let message = Message::parse(message.bytes().clone()).unwrap();
        self.core.handle(self.now, Input::Message { source, message });
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Transmit { message, peer, .. } if peer.remote == self.carrier => {
                    self.carrier(&message)
                }
                Output::Transmit { message, .. } => self.customer(&message),
                Output::Effect(Effect::Media(Command::Open { key, .. })) => {
                    self.ports += 4;
                    self.opened(key, self.ports);
                }
                Output::Effect(Effect::Answered { call, .. }) => {
                    self.core.handle(self.now, Input::Journaled { call });
                }
                _ => {}
            }
        }
    }

    fn opened(&mut self, key: MediaKey, port: u16) {
        let ports = |rtp| Ports { rtp, rtcp: rtp + 1 };
        let event = MediaEvent::Opened { key, a: ports(port), b: ports(port + 2) };
        self.core.handle(self.now, Input::Media(event));
    }

    /// The customer's system calls.
    fn call(&mut self) {
        self.calls += 1;
        let number = format!("sip:+1628{:07}@vc.example.com;user=phone", 2_000_000 + self.calls);
        let invite = self.request(Method::Invite, 1, &number, &format!("<{number}>"));
        let invite = invite
            .header(Name::Contact, format!("<sip:pbx@{};transport=udp>", self.customer))
            .header(
                Name::Allow,
                "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, INFO, PRACK, UPDATE, MESSAGE",
            )
            .header(Name::Supported, "replaces, 100rel, timer, norefersub")
            .header(Name::UserAgent, "Asterisk PBX 20.6.0")
            .raw("P-Asserted-Identity", "\"Reception\" <sip:+12065550100@vc.example.com>");
        let invite = invite.body("application/sdp", describe(self.customer.ip(), 30_000)).build();
        let customer = self.customer;
        self.receive(customer, &invite);
    }

    fn request(&self, method: Method, cseq: u32, uri: &str, to: &str) -> Builder {
        let (at, call) = (self.customer, self.calls);
        let branch = format!("z9hG4bKPj{method}{call}0123456789abcdef");
        Builder::request(method.clone(), uri)
            .header(Name::Via, format!("SIP/2.0/UDP {at};rport;branch={branch}"))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("\"Reception\" <sip:+12065550100@{at}>;tag=7b2cd6a0-{call}"))
            .header(Name::To, to)
            .header(Name::CallId, format!("3c26700b1f6a4d2e8f1d-{call}@{}", at.ip()))
            .header(Name::CSeq, format!("{cseq} {method}"))
    }

    /// A message for the customer's system.
    fn customer(&mut self, message: &Message) {
        let is_answer = message.status().is_some_and(|status| status.code() == 200);
        if is_answer && message.cseq().unwrap().method == Method::Invite {
            self.up += 1;
            let target = message.value(Name::Contact).unwrap().into_owned();
            let target = target.trim_start_matches('<').trim_end_matches('>').to_owned();
            let to = message.value(Name::To).unwrap().into_owned();
            let ack = self.request(Method::Ack, 1, &target, &to).build();
            let customer = self.customer;
            self.receive(customer, &ack);
            // A held call has carried a request or two.
            let info = self.request(Method::Info, 2, &target, &to).build();
            self.receive(customer, &info);
        }
    }

    /// A message for the carrier, which rings and answers.
    fn carrier(&mut self, message: &Message) {
        if message.method() == Some(Method::Info) {
            let carrier = self.carrier;
            return self.receive(carrier, &Builder::reply(message, StatusCode::OK, "OK", None).build());
        }
        if message.method() != Some(Method::Invite) {
            return;
        }
        let contact = format!("<sip:{};transport=udp>", self.carrier);
        let tag = format!("as5f2b1c7e{}", self.calls);
        let reply = |code: u16, reason: &str| {
            let status = StatusCode::new(code).unwrap();
            Builder::reply(message, status, reason, Some(&tag))
                .header(Name::Contact, &contact)
                .header(Name::Allow, "INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE, INFO, PRACK")
                .raw("Server", "Carrier SBC 9.2")
        };
        let carrier = self.carrier;
        self.receive(carrier, &reply(180, "Ringing").build());
        let body = describe(carrier.ip(), 40_000);
        self.receive(carrier, &reply(200, "OK").body("application/sdp", body).build());
    }
}

/// What common systems describe.
fn describe(ip: IpAddr, port: u16) -> Bytes {
    format!(
        "v=0\r\no=- 1700000000 1700000000 IN IP4 {ip}\r\ns=session\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0 8 9 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\n\
         a=maxptime:150\r\na=sendrecv\r\n"
    )
    .into()
}

#[test]
fn a_held_call_keeps_less_than_seven_kilobytes() {
    let mut world = World::new();
    let place = |world: &mut World, calls| {
        for _ in 0..calls {
            world.call();
            // At no time are more transactions alive than at the first look: their tables are not what is held.
            world.wait(Duration::from_millis(400));
        }
        // Its transactions are over, and what was kept of them for repeats.
        world.wait(Duration::from_secs(120));
    };
    place(&mut world, BEFORE);
    let before = IN_USE.load(Relaxed);
    place(&mut world, COUNTED);
    let after = IN_USE.load(Relaxed);
    assert_eq!((world.up, world.core.live_calls()), (BEFORE + COUNTED, (BEFORE + COUNTED) as usize));
    let held = world.core.held();
    assert_eq!((held[2], held[3]), (0, 0), "no transaction is left");
    let each = (after - before) / COUNTED as usize;
    println!("a held call keeps {each} bytes");
    assert!(each < MOST, "a held call keeps {each} bytes");
}
