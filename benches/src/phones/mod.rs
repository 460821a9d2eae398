//! Two phones around a server: one calls and hangs up, the other answers at once.

mod hear;
mod say;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;
use crate::daemon::{Subject, Transport};
use crate::generator::Way;
use crate::repeats::Repeats;
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
}
