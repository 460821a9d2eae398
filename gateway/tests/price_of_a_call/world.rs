//! A gateway between a customer's system and a carrier, in virtual time: the core alone, the rest of the world in a few lines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use config::Config;
use gateway::clock::Now;
use gateway::core::{Core, Effect, Input, Live, Machine, Output, Shared};
use gateway::ids::{HashKey, Tokens};
use gateway::listen::{Guard, GuardLimits};
use gateway::media::{
    CallStatistics, Command, MediaEvent, MediaKey, MediaRoom, MediaSettings, OwnAddresses, Ports,
};
use gateway::metrics::Metrics;
use gateway::peer::{ListenerId, Source, Transport};
use gateway::random::SeededRandom;
use sip::{Builder, Message, Method, Name, StatusCode};

use crate::counting::counted;

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

/// See the module. What the core does is counted, what the parties do is not.
pub struct World {
    now: Now,
    pub core: Core,
    ports: u16,
    customer: SocketAddr,
    carrier: SocketAddr,
    calls: u32,
    /// Calls that were answered.
    pub up: u32,
    /// Records that were handed out.
    pub records: u32,
    then: Customer,
}

/// What the customer does once its call is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Customer {
    /// Asks something inside the call, and stays.
    Stays,
    /// Hangs up.
    HangsUp,
}

impl World {
    pub fn new(then: Customer) -> World {
        let (config, _) = Config::parse(CONFIG, Path::new("held.toml")).unwrap();
        let config = Arc::new(config);
        let now = Now { instant: Instant::now(), unix: Duration::from_secs(1_700_000_000) };
        let metrics = Metrics::new("us-east-1");
        metrics.configure(["pbx"]);
        metrics.configure_carriers(["east"]);
        let key = HashKey::random(&mut SeededRandom::new(1));
        let guard = Arc::new(Guard::new(GuardLimits::default(), key, now.instant, Arc::default()));
        let listeners = config.listen.iter().map(|listen| listen.address).collect();
        let settings = MediaSettings { addresses: vec![GATEWAY], listeners, ..MediaSettings::default() };
        let media = MediaRoom { own: Arc::new(OwnAddresses::new(&settings, Vec::new())), calls: 10_000 };
        let shared =
            Arc::new(Shared::new(metrics, guard, [7; 32], Default::default(), media, Box::new(|| true)));
        let live = Arc::new(Live::new(config).unwrap());
        let core = Core::new(now, shared, live, Tokens::new(0, 0, Box::new(SeededRandom::new(2))));
        let (customer, carrier) = ("10.0.0.1:5060".parse().unwrap(), "10.0.1.1:5060".parse().unwrap());
        World { now, core, ports: 16_384, customer, carrier, calls: 0, up: 0, records: 0, then }
    }

    /// Time passes.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now.instant + time;
        while let Some(at) = self.core.poll_timeout().filter(|at| *at <= until) {
            self.pass(at - self.now.instant.min(at));
            counted(|| self.core.handle_timeout(self.now));
            self.drain();
        }
        self.pass(until - self.now.instant);
    }

    fn pass(&mut self, time: Duration) {
        self.now = Now { instant: self.now.instant + time, unix: self.now.unix + time };
    }

    fn receive(&mut self, remote: SocketAddr, message: &Message) {
        let local = SocketAddr::from((GATEWAY, 5060));
        let source = Source {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local,
            remote,
            connection: None,
            secured: None,
        };
        let bytes = message.bytes().clone();
        self.input(|| Input::Message { source, message: Message::parse(bytes).unwrap() });
        self.drain();
    }

    fn input(&mut self, input: impl FnOnce() -> Input) {
        counted(|| self.core.handle(self.now, input()));
    }

    fn drain(&mut self) {
        while let Some(output) = counted(|| self.core.poll_output()) {
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
                    self.input(|| Input::Journaled { call });
                }
                Output::Effect(Effect::Media(Command::Close { key })) => {
                    let statistics = || Box::new(CallStatistics::default());
                    let (minute, all) = (statistics(), statistics());
                    self.input(|| Input::Media(MediaEvent::Minute { key, statistics: minute }));
                    self.input(|| Input::Media(MediaEvent::Closed { key, statistics: all }));
                }
                Output::Effect(Effect::Record(_)) => self.records += 1,
                _ => {}
            }
        }
    }

    fn opened(&mut self, key: MediaKey, port: u16) {
        let ports = |rtp| Ports { rtp, rtcp: rtp + 1 };
        self.input(|| Input::Media(MediaEvent::Opened { key, a: ports(port), b: ports(port + 2) }));
    }

    /// The customer's system calls.
    pub fn call(&mut self) {
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
            let next = match self.then {
                Customer::Stays => Method::Info,
                Customer::HangsUp => Method::Bye,
            };
            let next = self.request(next, 2, &target, &to).build();
            self.receive(customer, &next);
        }
    }

    /// A message for the carrier, which rings and answers.
    fn carrier(&mut self, message: &Message) {
        if matches!(message.method(), Some(Method::Info | Method::Bye)) {
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
