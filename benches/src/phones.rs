//! Two phones around a server: one calls and hangs up, the other answers at once.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::daemon::{Subject, Transport};
use crate::generator::{Way, phone_port};
use crate::repeats::{Due, Repeats, Said};
use crate::sdp;
use crate::sip::{answer, body, bracketed, header, headers, message, method, status};
use crate::tally::Tally;
use crate::wire::Wire;

/// Nothing happens for so long: calls are stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a call of a measurement of signalling is held.
const HOLD: Duration = Duration::from_millis(200);
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
    /// What the way of the dialog is, the first to pass first.
    routes: Vec<String>,
    asked: Option<Instant>,
    /// The INVITE has a response.
    heard: bool,
    up: Option<Instant>,
    over: bool,
    /// The INVITE has come to the carrier's phone.
    arrived: bool,
    /// The carrier's 200, until it is acknowledged.
    accepted: String,
    /// The BYE has come to the carrier's phone.
    ended: bool,
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
    /// Calls that never were.
    failed: usize,
    /// How long a call is held; `None`: until it is hung up.
    hold: Option<Duration>,
    /// To and from the gateway.
    pub messages: u64,
    repeats: Repeats,
    pub tally: Tally,
    /// Whether to give up as soon as anything goes wrong.
    pub stop_at_trouble: bool,
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
            failed: 0,
            hold: None,
            messages: 0,
            repeats: Repeats::default(),
            tally: Tally::default(),
            stop_at_trouble: false,
        })
    }

    /// Places calls, `rate` a second, and waits until all are up.
    pub fn place(&mut self, count: usize, rate: u32) -> Result<()> {
        let wanted = self.live.len() + count;
        self.pace(count, rate, Phones::invite, |phones| phones.live.len() + phones.failed >= wanted)?;
        self.all_well()
    }

    /// Ends all calls, `rate` a second, and waits until all are over.
    pub fn hang_up(&mut self, rate: u32) -> Result<()> {
        let wanted = self.over + self.live.len();
        self.pace(self.live.len(), rate, Phones::bye, |phones| phones.over >= wanted)?;
        self.all_well()
    }

    /// Places calls and ends each soon; waits until all are over. None may fail.
    pub fn churn(&mut self, count: usize, rate: u32) -> Result<()> {
        self.churn_counting(count, rate)?;
        self.all_well()
    }

    /// The same; what fails is counted in [`Phones::tally`]. Returns how long the last was asked for after the first.
    pub fn churn_counting(&mut self, count: usize, rate: u32) -> Result<Duration> {
        let wanted = self.over + self.failed + count;
        self.hold = Some(HOLD);
        self.pace(count, rate, Phones::invite, |phones| phones.over + phones.failed >= wanted)
    }

    /// Calls that were up and are over.
    pub fn over(&self) -> usize {
        self.over
    }

    /// How long calls waited for their 200, the quickest first.
    pub fn delays(&self) -> Vec<Duration> {
        let delay = |call: &Call| Some(call.up? - call.asked?);
        let mut delays: Vec<Duration> = self.calls.iter().filter_map(delay).collect();
        delays.sort_unstable();
        delays
    }

    fn all_well(&self) -> Result<()> {
        let failed = self.tally.failures() > 0;
        if failed { Err(format!("calls failed: {}", self.tally).into()) } else { Ok(()) }
    }

    /// Where the media of the calls that are up goes.
    pub fn ways(&self) -> Result<Vec<Way>> {
        let way =
            |call: &Call| Some(Way { customer: call.customer?, carrier: call.carrier?, srtp: call.srtp });
        let calls = self.live.iter().filter_map(|index| self.calls.get(*index));
        calls.map(|call| way(call).ok_or_else(|| "a call without media".into())).collect()
    }

    /// Does something `count` times at `rate` a second, handling what comes in, until `done`. Returns how long the doing
    /// took.
    fn pace(
        &mut self,
        count: usize,
        rate: u32,
        mut act: impl FnMut(&mut Phones) -> Result<()>,
        done: impl Fn(&Phones) -> bool,
    ) -> Result<Duration> {
        let (start, interval) = (Instant::now(), Duration::from_secs(1) / rate.max(1));
        let (mut acted, mut quiet_since, mut took) = (0, Instant::now(), Duration::ZERO);
        while acted < count || !done(self) {
            if self.stop_at_trouble && !self.tally.is_clean() {
                break;
            }
            let now = Instant::now();
            if let Some(hold) = self.hold {
                self.bye_after(hold)?;
            }
            self.repeat(now)?;
            let due = start + interval * acted as u32;
            if acted < count && due <= now {
                act(self)?;
                acted += 1;
                took = start.elapsed();
            }
            if self.receive()? {
                quiet_since = now;
            } else if now - quiet_since > PATIENCE {
                let (live, over) = (self.live.len(), self.over);
                return Err(format!("calls are stuck: {live} up, {over} over of {}", self.calls.len()).into());
            } else if acted == count || due > now {
                sleep(Duration::from_micros(300));
            }
        }
        Ok(took)
    }

    /// Says again what has no answer.
    fn repeat(&mut self, now: Instant) -> Result<()> {
        let calls = &self.calls;
        let waits = |said, index: usize| {
            calls.get(index).is_some_and(|call: &Call| match said {
                Said::Invite => !call.heard,
                Said::Accepted => !call.accepted.is_empty(),
                Said::Bye => !call.over,
            })
        };
        let Some((said, index, due)) = self.repeats.next(now, waits) else { return Ok(()) };
        let Some(call) = self.calls.get_mut(index) else { return Ok(()) };
        match (due, said) {
            (Due::Again, said) => {
                self.tally.repeated += 1;
                match said {
                    Said::Invite => self.send_invite(index),
                    Said::Accepted => {
                        let accepted = call.accepted.clone();
                        self.messages += 1;
                        self.called.send(&accepted, self.gateway, 0)
                    }
                    Said::Bye => self.send_bye(index),
                }
            }
            (Due::GiveUp, Said::Invite) => {
                call.heard = true;
                self.fail(0);
                Ok(())
            }
            (Due::GiveUp, Said::Accepted) => {
                call.accepted.clear();
                *self.tally.failed.entry(0).or_default() += 1;
                Ok(())
            }
            (Due::GiveUp, Said::Bye) => {
                self.end(index, Some(0));
                Ok(())
            }
        }
    }

    /// A call was refused.
    fn fail(&mut self, status: u16) {
        self.failed += 1;
        *self.tally.failed.entry(status).or_default() += 1;
    }

    /// A call is over, its BYE answered by `failure` or by 200.
    fn end(&mut self, index: usize, failure: Option<u16>) {
        let Some(call) = self.calls.get_mut(index) else { return };
        if std::mem::replace(&mut call.over, true) {
            return;
        }
        self.over += 1;
        if let Some(status) = failure {
            *self.tally.failed.entry(status).or_default() += 1;
        }
    }

    fn invite(&mut self) -> Result<()> {
        let (index, asked) = (self.calls.len(), Instant::now());
        let to = format!("<{}>", self.number(index));
        self.calls.push(Call { to, asked: Some(asked), ..Call::default() });
        self.expect(Said::Invite, index);
        self.send_invite(index)
    }

    fn send_invite(&mut self, index: usize) -> Result<()> {
        let description = sdp::describe((self.customer.ip(), phone_port(index)).into(), false);
        let (uri, contact) = (self.number(index), self.contact(self.customer));
        self.request("INVITE", 1, index, &uri, &[format!("Contact: {contact}")], &description)
    }

    fn bye(&mut self) -> Result<()> {
        let Some(index) = self.live.pop_front() else { return Ok(()) };
        self.expect(Said::Bye, index);
        self.send_bye(index)
    }

    fn send_bye(&mut self, index: usize) -> Result<()> {
        let target = self.calls.get(index).map(|call| call.target.clone()).unwrap_or_default();
        self.request("BYE", 2, index, &target, &[], "")
    }

    fn expect(&mut self, said: Said, index: usize) {
        if self.transport == Transport::Udp {
            self.repeats.add(Instant::now(), said, index);
        }
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
        let Some(call) = self.calls.get(index) else { return Ok(()) };
        let to = &call.to;
        // An ACK of a refusal belongs to the INVITE's transaction. RFC 3261 §17.1.1.3.
        let of = if method == "ACK" && call.up.is_none() { "INVITE" } else { method };
        let mut lines = vec![
            format!("{method} {uri} SIP/2.0"),
            format!("Via: SIP/2.0/{transport} {local};branch=z9hG4bK{of}{index};rport"),
            "Max-Forwards: 70".to_owned(),
            format!("From: \"Bench\" <sip:+12065550100@{}>;tag=c{index}", local.ip()),
            format!("To: {to}"),
            format!("Call-ID: {index}@{}", local.ip()),
            format!("CSeq: {cseq} {method}"),
            "User-Agent: bench".to_owned(),
        ];
        if of == method {
            lines.extend(call.routes.iter().map(|route| format!("Route: {route}")));
        }
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
        call.heard = true;
        match (status, cseq.as_str()) {
            (100..=199, _) => Ok(()),
            (200, "1 INVITE") => {
                let first = call.up.is_none();
                call.to = header(message, "To").unwrap_or_default().to_owned();
                call.target = header(message, "Contact").and_then(bracketed).ok_or("no Contact")?.to_owned();
                call.routes = headers(message, "Record-Route").map(str::to_owned).collect();
                call.routes.reverse();
                call.customer = sdp::media(body(message));
                call.up = call.up.or_else(|| Some(Instant::now()));
                let target = call.target.clone();
                if first {
                    self.live.push_back(index);
                } else {
                    self.tally.heard_again += 1;
                }
                self.request("ACK", 1, index, &target, &[], "")
            }
            (_, "1 INVITE") => {
                // Said until it is acknowledged.
                let first = !std::mem::replace(&mut call.over, true);
                call.to = header(message, "To").unwrap_or_default().to_owned();
                if first {
                    self.fail(status);
                } else {
                    self.tally.heard_again += 1;
                }
                let uri = self.number(index);
                self.request("ACK", 1, index, &uri, &[], "")
            }
            (_, "2 BYE") => {
                self.end(index, (status != 200).then_some(status));
                Ok(())
            }
            _ => Err(format!("a strange response: {}", message.lines().next().unwrap_or_default()).into()),
        }
    }

    fn carrier_received(&mut self, message: &str, by: usize) -> Result<()> {
        let contact = self.contact(self.carrier);
        let mut answers = Vec::new();
        match method(message) {
            None => {}
            Some("INVITE") => {
                let number = message.split("+1628").nth(1).and_then(|rest| rest.get(..7)?.parse().ok());
                let index: usize = number.ok_or("a strange number")?;
                let index = index - FIRST_NUMBER;
                let call = self.calls.get_mut(index).ok_or("a strange number")?;
                call.carrier = sdp::media(body(message));
                call.srtp = sdp::keyed(body(message));
                let media = (self.carrier.ip(), phone_port(index)).into();
                let (tag, description) = (format!("d{index}"), sdp::describe(media, call.srtp));
                let accepted = answer(message, "200 OK", &tag, &contact, &description);
                if std::mem::replace(&mut call.arrived, true) {
                    self.tally.heard_again += 1;
                } else if self.transport == Transport::Udp {
                    call.accepted.clone_from(&accepted);
                    self.expect(Said::Accepted, index);
                }
                answers.push(answer(message, "180 Ringing", &tag, &contact, ""));
                answers.push(accepted);
            }
            Some("ACK") => {
                if let Some(call) = self.answered(message) {
                    call.accepted.clear();
                }
            }
            Some(method) => {
                if method == "BYE"
                    && let Some(call) = self.answered(message)
                    && std::mem::replace(&mut call.ended, true)
                {
                    self.tally.heard_again += 1;
                }
                answers.push(answer(message, "200 OK", "d", &contact, ""));
            }
        }
        for answer in answers {
            self.messages += 1;
            self.called.send(&answer, self.gateway, by)?;
        }
        Ok(())
    }

    /// The call of a request that has the tag of the carrier's phone.
    fn answered(&mut self, request: &str) -> Option<&mut Call> {
        let tag = header(request, "To")?.split(";tag=d").nth(1)?;
        let index: usize = tag.split(';').next()?.parse().ok()?;
        self.calls.get_mut(index)
    }

    fn number(&self, index: usize) -> String {
        format!("sip:+1628{}@{}", FIRST_NUMBER + index, self.gateway)
    }

    fn contact(&self, local: SocketAddr) -> String {
        format!("<sip:{local};transport={}>", self.transport.name())
    }
}
