//! Calls: two phones around the gateway, and what a call costs.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::cpu::by_thread;
use crate::daemon::{Daemon, Subject, Transport};
use crate::floor::Forwarder;
use crate::media::{self, Way, phone_port};
use crate::report::Series;
use crate::sdp;
use crate::sip::{answer, body, bracketed, header, message, method, status};
use crate::wire::Wire;

/// Nothing is sent twice here: a call that is not up, or not over, by then has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a call of a measurement of signalling is held.
const HOLD: Duration = Duration::from_millis(200);
/// Calls before the first measurement.
const WARM_UP: usize = 50;
/// Calls whose media the floor forwards meanwhile.
const FLOOR_CALLS: usize = 200;
/// Numbers that are called: +1628 and seven digits, which count calls.
const FIRST_NUMBER: usize = 2_000_000;

#[derive(Debug, Default)]
struct Call {
    /// What the customer's phone was told of the other one; empty until it answered.
    to: String,
    target: String,
    customer: Option<SocketAddr>,
    carrier: Option<SocketAddr>,
    srtp: bool,
    up: Option<Instant>,
    over: bool,
}

/// The customer's phone, which calls and hangs up, and the carrier's, which answers at once.
pub struct Phones {
    transport: Transport,
    gateway: SocketAddr,
    customer: SocketAddr,
    carrier: SocketAddr,
    calling: Wire,
    called: Wire,
    calls: Vec<Call>,
    /// Calls that are up, in the order in which they came up.
    live: VecDeque<usize>,
    over: usize,
    /// How long a call is held; `None`: until it is hung up.
    hold: Option<Duration>,
    /// To and from the gateway.
    messages: u64,
}

impl Phones {
    pub fn new(subject: &Subject, transport: Transport) -> Result<Phones> {
        let (customer, carrier, gateway) = (subject.customer(), subject.carrier(), subject.gateway());
        Ok(Phones {
            transport,
            gateway,
            customer,
            carrier,
            calling: Wire::calling(transport, customer, gateway)?,
            called: Wire::called(transport, carrier)?,
            calls: Vec::new(),
            live: VecDeque::new(),
            over: 0,
            hold: None,
            messages: 0,
        })
    }

    /// Places calls, `rate` a second, and waits until all are up.
    pub fn place(&mut self, count: usize, rate: u32) -> Result<()> {
        let wanted = self.live.len() + count;
        self.pace(count, rate, Phones::invite, |phones| phones.live.len() >= wanted)
    }

    /// Ends all calls, `rate` a second, and waits until all are over.
    pub fn hang_up(&mut self, rate: u32) -> Result<()> {
        let wanted = self.over + self.live.len();
        self.pace(self.live.len(), rate, Phones::bye, |phones| phones.over >= wanted)
    }

    /// Places calls and ends each soon; waits until all are over.
    fn churn(&mut self, count: usize, rate: u32) -> Result<()> {
        let wanted = self.over + count;
        self.hold = Some(HOLD);
        self.pace(count, rate, Phones::invite, |phones| phones.over >= wanted)
    }

    /// Where the media of the calls that are up goes.
    pub fn ways(&self) -> Result<Vec<Way>> {
        let way =
            |call: &Call| Some(Way { customer: call.customer?, carrier: call.carrier?, srtp: call.srtp });
        let calls = self.live.iter().filter_map(|index| self.calls.get(*index));
        calls.map(|call| way(call).ok_or_else(|| "a call without media".into())).collect()
    }

    /// Does something `count` times at `rate` a second, handling what comes in, until `done`.
    fn pace(
        &mut self,
        count: usize,
        rate: u32,
        mut act: impl FnMut(&mut Phones) -> Result<()>,
        done: impl Fn(&Phones) -> bool,
    ) -> Result<()> {
        let (start, interval) = (Instant::now(), Duration::from_secs(1) / rate.max(1));
        let (mut acted, mut quiet_since) = (0, Instant::now());
        while acted < count || !done(self) {
            let now = Instant::now();
            if let Some(hold) = self.hold {
                self.bye_after(hold)?;
            }
            if acted < count && start + interval * acted as u32 <= now {
                act(self)?;
                acted += 1;
            }
            if self.receive()? {
                quiet_since = now;
            } else {
                if now - quiet_since > PATIENCE {
                    let (live, over) = (self.live.len(), self.over);
                    return Err(
                        format!("calls are stuck: {live} up, {over} over of {}", self.calls.len()).into()
                    );
                }
                sleep(Duration::from_micros(300));
            }
        }
        Ok(())
    }

    fn invite(&mut self) -> Result<()> {
        let index = self.calls.len();
        self.calls.push(Call { to: format!("<{}>", self.number(index)), ..Call::default() });
        let description = sdp::describe((self.customer.ip(), phone_port(index)).into(), false);
        let (uri, contact) = (self.number(index), self.contact(self.customer));
        self.request("INVITE", 1, index, &uri, &[format!("Contact: {contact}")], &description)
    }

    fn bye(&mut self) -> Result<()> {
        let Some(index) = self.live.pop_front() else { return Ok(()) };
        let target = self.calls.get(index).map(|call| call.target.clone()).unwrap_or_default();
        self.request("BYE", 2, index, &target, &[], "")
    }

    /// Hangs up what has been up for so long.
    fn bye_after(&mut self, hold: Duration) -> Result<()> {
        while let Some(call) = self.live.front().and_then(|index| self.calls.get(*index))
            && call.up.is_some_and(|up| up.elapsed() >= hold)
        {
            self.bye()?;
        }
        Ok(())
    }

    fn request(
        &mut self,
        method: &str,
        cseq: u32,
        index: usize,
        uri: &str,
        more: &[String],
        body: &str,
    ) -> Result<()> {
        let (transport, local) = (self.transport.name().to_uppercase(), self.customer);
        let to = self.calls.get(index).map_or("", |call| &call.to);
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/{transport} {local};branch=z9hG4bK{method}{index};rport"),
            "Max-Forwards: 70".to_owned(),
            format!("From: \"Bench\" <sip:+12065550100@{}>;tag=c{index}", local.ip()),
            format!("To: {to}"),
            format!("Call-ID: {index}@{}", local.ip()),
            format!("CSeq: {cseq} {method}"),
            "User-Agent: bench".to_owned(),
        ];
        lines.extend_from_slice(more);
        self.messages += 1;
        self.calling.send(&message(&lines, body), self.gateway, 0)
    }

    /// Whether anything came in.
    fn receive(&mut self) -> Result<bool> {
        let mut any = false;
        for (by, message) in self.calling.receive()? {
            any = true;
            self.messages += 1;
            self.customer_received(&message, by)?;
        }
        for (by, message) in self.called.receive()? {
            any = true;
            self.messages += 1;
            self.carrier_received(&message, by)?;
        }
        Ok(any)
    }

    fn customer_received(&mut self, message: &str, by: usize) -> Result<()> {
        let Some(status) = status(message) else {
            let answer = answer(message, "200 OK", "c", &self.contact(self.customer), "");
            self.messages += 1;
            return self.calling.send(&answer, self.gateway, by);
        };
        let index: usize = header(message, "Call-ID")
            .and_then(|id| id.split('@').next()?.parse().ok())
            .ok_or("a strange Call-ID")?;
        let cseq = header(message, "CSeq").unwrap_or_default().to_owned();
        let call = self.calls.get_mut(index).ok_or("a strange Call-ID")?;
        match (status, cseq.as_str()) {
            (100..=199, _) => Ok(()),
            (200, "1 INVITE") => {
                let first = call.up.is_none();
                call.to = header(message, "To").unwrap_or_default().to_owned();
                call.target = header(message, "Contact").and_then(bracketed).ok_or("no Contact")?.to_owned();
                call.customer = sdp::media(body(message));
                call.up = Some(Instant::now());
                let target = call.target.clone();
                if first {
                    self.live.push_back(index);
                }
                self.request("ACK", 1, index, &target, &[], "")
            }
            (200, "2 BYE") => {
                self.over += usize::from(!std::mem::replace(&mut call.over, true));
                Ok(())
            }
            _ => Err(format!("a call failed: {}", message.lines().next().unwrap_or_default()).into()),
        }
    }

    fn carrier_received(&mut self, message: &str, by: usize) -> Result<()> {
        let contact = self.contact(self.carrier);
        let mut answers = Vec::new();
        match method(message) {
            None | Some("ACK") => {}
            Some("INVITE") => {
                let number = message.split("+1628").nth(1).and_then(|rest| rest.get(..7)?.parse().ok());
                let index: usize = number.ok_or("a strange number")?;
                let index = index - FIRST_NUMBER;
                let call = self.calls.get_mut(index).ok_or("a strange number")?;
                call.carrier = sdp::media(body(message));
                call.srtp = sdp::keyed(body(message));
                let media = (self.carrier.ip(), phone_port(index)).into();
                let (tag, description) = (format!("d{index}"), sdp::describe(media, call.srtp));
                answers.push(answer(message, "180 Ringing", &tag, &contact, ""));
                answers.push(answer(message, "200 OK", &tag, &contact, &description));
            }
            Some(_) => answers.push(answer(message, "200 OK", "d", &contact, "")),
        }
        for answer in answers {
            self.messages += 1;
            self.called.send(&answer, self.gateway, by)?;
        }
        Ok(())
    }

    fn number(&self, index: usize) -> String {
        format!("sip:+1628{}@{}", FIRST_NUMBER + index, self.gateway)
    }

    fn contact(&self, local: SocketAddr) -> String {
        format!("<sip:{local};transport={}>", self.transport.name())
    }
}

/// One daemon under measurement.
struct UnderTest {
    series: Series,
    daemon: Daemon,
    phones: Phones,
    /// Time of its threads during measurements.
    threads: BTreeMap<String, Duration>,
    messages: u64,
}

impl UnderTest {
    fn start(subject: &Subject, transport: Transport, rate: u32) -> Result<UnderTest> {
        let daemon = Daemon::start(subject, transport, false)?;
        let mut phones = Phones::new(subject, transport)?;
        phones.churn(WARM_UP, rate)?;
        let series = Series::new(&subject.name);
        Ok(UnderTest { series, daemon, phones, threads: BTreeMap::new(), messages: 0 })
    }

    fn measure(&mut self, calls: usize, rate: u32) -> Result<()> {
        let (before, messages) = (by_thread(self.daemon.process())?, self.phones.messages);
        self.phones.churn(calls, rate)?;
        let mut total = Duration::ZERO;
        for (name, after) in by_thread(self.daemon.process())? {
            let used = after - before.get(&name).copied().unwrap_or_default();
            *self.threads.entry(name).or_default() += used;
            total += used;
        }
        self.series.values.push(micros(total) / calls as f64);
        self.messages += self.phones.messages - messages;
        Ok(())
    }

    /// Which threads the time went to, per call of `calls`.
    fn note(&self, calls: usize) -> String {
        let share = |(name, time): (&String, &Duration)| {
            let each = micros(*time) / calls as f64;
            (each >= 0.5).then(|| format!("{name} {each:.0}"))
        };
        let shares: Vec<String> = self.threads.iter().filter_map(share).collect();
        format!("  ({})", shares.join(", "))
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// CPU of a call that is set up, answered and ended, ports and records on disk included: each subject in turn.
pub fn compare(subjects: &[Subject], calls: usize, rate: u32, rounds: usize) -> Result<()> {
    for transport in [Transport::Udp, Transport::Tcp] {
        let start = |subject| UnderTest::start(subject, transport, rate);
        let mut under_test = subjects.iter().map(start).collect::<Result<Vec<_>>>()?;
        let mut floor = Series::new("bare epoll");
        let forwarder = Forwarder::start(FLOOR_CALLS)?;
        let mut generator = media::floor_generator(&forwarder)?;
        for _ in 0..rounds {
            floor.values.push(media::cost(forwarder.process(), &mut generator)?);
            for one in &mut under_test {
                one.measure(calls, rate)?;
            }
        }
        println!(
            "Call set up and torn down over {}, {rate} a second, median of {rounds} x {calls} calls",
            transport.name().to_uppercase()
        );
        // Half of the messages come in, half go out: a forwarder that sent them on would touch each once.
        let messages = under_test.first().map_or(0, |one| one.messages);
        let forwarded = messages as f64 / (calls * rounds) as f64 / 2.0;
        floor.values.iter_mut().for_each(|value| *value *= forwarded);
        floor.note = format!("  to forward {forwarded:.1} datagrams");
        floor.print("µs/call  ", None);
        for one in &mut under_test {
            one.series.note = one.note(calls * rounds);
            one.series.print("µs/call  ", Some(("the floor", floor.median())));
        }
        println!();
    }
    Ok(())
}
