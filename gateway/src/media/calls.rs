//! The open calls of a worker: whose datagram it is, what becomes of it, and when to look at which call.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtp::relay::{Component, Forward, Output, Refusal, Side};

use super::call::OpenCall;
use super::copies::Copies;
use super::driver::{BUFFER, Datagram, Driver, Next, Outgoing, Sink, Tag};
use super::kernel::{Forwarded, Hand, Kernel};
use super::worker::Shared;
use super::{EventSink, MediaEvent, MediaKey, Room};

const MINUTE: Duration = Duration::from_secs(60);

/// The calls of one worker.
pub(super) struct Calls<'a> {
    shared: &'a Shared,
    events: Arc<EventSink>,
    room: &'a Room,
    /// Where the kernel forwards.
    hand: Option<Hand>,
    /// Boxed: there are as many places as calls were ever open at one time.
    calls: Vec<Option<Box<OpenCall<'a>>>>,
    /// Empty places of `calls`.
    vacant: Vec<usize>,
    places: HashMap<MediaKey, usize>,
    /// When to look at which place; an entry that its call no longer agrees with is passed over.
    wakes: BinaryHeap<Reverse<(Instant, usize)>>,
    /// What recording sessions have to send.
    copies: Copies,
    /// Kept ports to which more comes than is worth reading.
    noisy: Vec<(IpAddr, u16)>,
}

impl<'a> Calls<'a> {
    pub(super) fn new(shared: &'a Shared, events: Arc<EventSink>, room: &'a Room) -> Self {
        Self {
            shared,
            events,
            room,
            hand: room.kernel.as_ref().and_then(Kernel::hand),
            calls: Vec::new(),
            vacant: Vec::new(),
            places: HashMap::new(),
            wakes: BinaryHeap::new(),
            copies: Copies::default(),
            noisy: Vec::new(),
        }
    }

    /// What was taken last is sent by the leg of that session too, once the datagrams that came are read.
    fn copy(&mut self, now: Instant, to: MediaKey, side: Side) {
        let place = self.places.get(&to).copied();
        let call = place.and_then(|place| self.calls.get_mut(place)).and_then(Option::as_deref_mut);
        let Some(call) = call else { return };
        let counters = &self.shared.counters;
        match self.copies.protect(|buffer, len| call.relay.handle_copy(now, side, buffer, len)) {
            Ok(forward) => {
                let leg = call.leg(side);
                self.copies.keep(leg.rtp, forward);
                counters.sent(leg.whose).add(false, forward.len);
            }
            Err(cause) => counters.refused(cause),
        }
    }

    /// Sends what recording sessions have to send.
    pub(super) fn send_copies(&mut self, driver: &mut Driver) {
        let lost = self.copies.send(driver);
        self.shared.counters.refused_many(Refusal::Unsent, lost);
    }

    /// Kept ports that had better be closed.
    pub(super) fn take_noisy(&mut self) -> Vec<(IpAddr, u16)> {
        std::mem::take(&mut self.noisy)
    }

    pub(super) fn keys(&self) -> Vec<MediaKey> {
        self.places.keys().copied().collect()
    }

    pub(super) fn has(&self, key: MediaKey) -> bool {
        self.places.contains_key(&key)
    }

    /// Where the next call goes, if [`Calls::insert`] follows.
    pub(super) fn next_place(&self) -> usize {
        self.vacant.last().copied().unwrap_or(self.calls.len())
    }

    /// Puts a call into the next place; its first minute begins at `now`.
    pub(super) fn insert(&mut self, now: Instant, call: impl FnOnce(Instant) -> OpenCall<'a>) {
        let (place, minute) = (self.next_place(), now + MINUTE);
        let call = Box::new(call(minute));
        self.places.insert(call.key, place);
        match self.calls.get_mut(place) {
            Some(vacant) => {
                self.vacant.pop();
                *vacant = Some(call);
            }
            None => self.calls.push(Some(call)),
        }
        self.wakes.push(Reverse((minute, place)));
        self.shared.counters.calls.set(self.places.len() as u64);
    }

    pub(super) fn remove(&mut self, key: MediaKey) -> Option<Box<OpenCall<'a>>> {
        let place = self.places.remove(&key)?;
        self.vacant.push(place);
        self.shared.counters.calls.set(self.places.len() as u64);
        let mut call = self.calls.get_mut(place)?.take()?;
        if let Some(hand) = &self.hand {
            for side in [Side::A, Side::B] {
                let OpenCall { flows, relay, .. } = &mut *call;
                let forwarded = flows.give_back(hand, relay, side);
                count(self.shared, hand, &call, forwarded);
            }
        }
        Some(call)
    }

    /// Lets `change` at the call, and looks at it earlier if it wants to be.
    pub(super) fn change(&mut self, key: MediaKey, change: impl FnOnce(&mut OpenCall<'a>)) {
        let Some(place) = self.places.get(&key).copied() else { return };
        if let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) {
            tell(self.shared, self.hand.as_ref(), call);
            change(call);
            if let Some(timeout) = call.poll_timeout()
                && timeout < call.wake
            {
                call.wake = timeout;
                self.wakes.push(Reverse((timeout, place)));
            }
        }
    }

    /// When a call is to be looked at.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.wakes.peek().map(|Reverse((wake, _))| *wake)
    }

    pub(super) fn handle_timeouts(&mut self, driver: &mut Driver) {
        let Some(first) = self.poll_timeout() else { return };
        let now = Instant::now();
        if first > now {
            return;
        }
        while let Some(Reverse((wake, place))) = self.wakes.peek().copied()
            && wake <= now
        {
            self.wakes.pop();
            if let Some(call) = self.calls.get(place).and_then(Option::as_deref)
                && call.wake == wake
            {
                self.handle_timeout(now, place, driver);
                self.reschedule(place);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant, place: usize, driver: &mut Driver) {
        let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) else { return };
        let key = call.key;
        tell(self.shared, self.hand.as_ref(), call);
        if let Some(hand) = self.hand.as_mut().filter(|_| !call.flows.is_empty()) {
            let OpenCall { flows, relay, .. } = &mut *call;
            for forwarded in flows.check_ways(hand, relay) {
                count(self.shared, hand, call, forwarded);
            }
        }
        call.relay.handle_timeout(now);
        for port in call.floods().filter_map(|(port, flood)| flood.handle_timeout(now).then_some(port)) {
            self.shared.counters.refused_many(Refusal::Shed, driver.calm(port));
        }
        let mut told = Vec::new();
        let mut buffer = [0; BUFFER];
        while let Some(output) = call.relay.poll_output(&mut buffer) {
            match output {
                Output::Transmit { side, component, to, len } => {
                    let bytes = buffer.get(..len).unwrap_or_default();
                    transmit(self.shared, now, call, driver, (side, component), to, bytes);
                }
                Output::Play { side, to, len } => {
                    let bytes = buffer.get(..len).unwrap_or_default();
                    play(self.shared, now, call, driver, side, to, bytes);
                }
                Output::Silent => told.push(MediaEvent::Silent { key }),
                Output::KeyUsedUp(side) => told.push(MediaEvent::KeyUsedUp { key, side }),
                Output::Offload(flow) => {
                    let [local, source] = [flow.side, flow.side.other()].map(|side| call.leg(side).address());
                    let OpenCall { flows, relay, .. } = &mut *call;
                    flows.take(self.hand.as_mut(), relay, &flow, local, source);
                    self.shared.counters.flows.set(self.hand.as_ref().map_or(0, Hand::flows));
                }
                Output::Reclaim(side) => {
                    if let Some(hand) = &self.hand {
                        let OpenCall { flows, relay, .. } = &mut *call;
                        let forwarded = flows.give_back(hand, relay, side);
                        count(self.shared, hand, call, forwarded);
                    }
                }
            }
        }
        if call.minute <= now {
            call.minute += MINUTE;
            if call.minute <= now {
                call.minute = now + MINUTE; // the host has slept
            }
            let statistics = Box::new(call.relay.minute_statistics(now));
            told.push(MediaEvent::Minute { key, statistics });
        }
        told.into_iter().for_each(|event| self.tell(event));
    }

    /// Its entry in the heap is used up: makes a new one.
    fn reschedule(&mut self, place: usize) {
        if let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) {
            let timeout = call.poll_timeout();
            call.wake = timeout.map_or(call.minute, |timeout| timeout.min(call.minute));
            self.wakes.push(Reverse((call.wake, place)));
        }
    }

    /// A port is flooded: if there is one source that is heard there, the kernel drops the rest for a while.
    fn shed(&mut self, now: Instant, tag: Tag) -> Next {
        let Tag { place, side, component } = tag;
        let call = self.calls.get_mut(place as usize).and_then(Option::as_deref_mut);
        let Some(call) = call else { return Next::Nothing };
        let port = call.leg(side).port(component);
        if let Some(until) = call.poll_timeout()
            && until < call.wake
        {
            call.wake = until;
            self.wakes.push(Reverse((until, place as usize)));
        }
        match call.relay.settled_source(now, side, component) {
            Some(source) => Next::Shed { port, source },
            None => Next::Nothing,
        }
    }

    /// The call is over: its parties hear it in the last report.
    pub(super) fn say_goodbye(&self, now: Instant, call: &mut OpenCall<'_>, driver: &mut Driver) {
        call.relay.handle_close(now);
        let mut buffer = [0; BUFFER];
        while let Some(output) = call.relay.poll_output(&mut buffer) {
            if let Output::Transmit { side, component, to, len } = output {
                let bytes = buffer.get(..len).unwrap_or_default();
                transmit(self.shared, now, call, driver, (side, component), to, bytes);
            }
        }
    }

    pub(super) fn tell(&self, event: MediaEvent) {
        (self.events)(event.key().shard(), event);
    }
}

/// Sends a report of ours.
fn transmit(
    shared: &Shared,
    now: Instant,
    call: &mut OpenCall<'_>,
    driver: &mut Driver,
    (side, component): (Side, Component),
    to: SocketAddr,
    bytes: &[u8],
) {
    // What is shown without its encryption has none, and this may have one.
    if call.tap.is_some() && !call.relay.is_shown() {
        call.show(now, (side, component), to, bytes, true);
    }
    call.report(now, (side, component), to, true);
    let leg = call.leg(side);
    if driver.send(leg.port(component), bytes, to).is_ok() {
        shared.counters.sent(leg.whose).add(true, bytes.len());
    }
}

/// Sends what is played to a party.
fn play(
    shared: &Shared,
    now: Instant,
    call: &mut OpenCall<'_>,
    driver: &mut Driver,
    side: Side,
    to: SocketAddr,
    bytes: &[u8],
) {
    if call.tap.is_some() && !call.relay.is_shown() {
        call.show(now, (side, Component::Rtp), to, bytes, true);
    }
    let leg = call.leg(side);
    if driver.send(leg.port(Component::Rtp), bytes, to).is_ok() {
        shared.counters.sent(leg.whose).add(false, bytes.len());
    } else {
        call.relay.handle_unsent(side);
        shared.counters.refused(Refusal::Unsent);
    }
}

/// Brings a call up to date with what the kernel has forwarded of it. Comes before all else that is done about the call.
fn tell(shared: &Shared, hand: Option<&Hand>, call: &mut OpenCall<'_>) {
    let Some(hand) = hand.filter(|_| !call.flows.is_empty()) else { return };
    for forwarded in call.flows.tell(hand, &mut call.relay) {
        count(shared, hand, call, forwarded);
    }
}

/// Shows what became of a datagram: what is sent, and what came, where it had to be decrypted.
fn show(
    call: &mut OpenCall<'_>,
    at: Instant,
    (side, component): (Side, Component),
    from: SocketAddr,
    forward: Option<&Forward>,
    buffer: &[u8],
) {
    let decrypted = call.relay.take_shown();
    if let Some(bytes) = &decrypted {
        call.show(at, (side, component), from, bytes, false);
    }
    let Some(Forward { to, len, .. }) = forward else { return };
    if let Some(bytes) = decrypted.as_deref().or_else(|| buffer.get(..*len)) {
        call.show(at, (side.other(), Component::Rtp), *to, bytes, true);
    }
}

fn count(shared: &Shared, hand: &Hand, call: &OpenCall<'_>, (side, packets, bytes): Forwarded) {
    let counters = &shared.counters;
    counters.flows.set(hand.flows());
    counters.by_kernel.add(packets);
    counters.received(call.leg(side).whose).add_many(packets, bytes);
    counters.sent(call.leg(side.other()).whose).add_many(packets, bytes);
}

impl Sink for Calls<'_> {
    fn handle_datagram(&mut self, tag: Tag, datagram: &Datagram, buffer: &mut [u8]) -> Next {
        let Tag { place, side, component } = tag;
        let call = self.calls.get_mut(place as usize).and_then(Option::as_deref_mut);
        let Some(call) = call else { return Next::Nothing };
        let counters = &self.shared.counters;
        let (whose, other) = (call.leg(side).whose, call.leg(side.other()).rtp);
        let &Datagram { from, len, arrival, late, unread } = datagram;
        if unread > 0 && component == Component::Rtp {
            call.relay.handle_unread(side, unread);
        }
        let is_out = !call.flows.is_empty();
        if let Some(hand) = self.hand.as_ref().filter(|_| is_out) {
            tell(self.shared, Some(hand), call);
            let OpenCall { flows, relay, .. } = &mut *call;
            let bytes = buffer.get(..len).unwrap_or_default();
            let forwarded = flows.handle_datagram(hand, relay, (side, component), from, bytes);
            count(self.shared, hand, call, forwarded);
        }
        if self.room.own.holds(from) {
            call.relay.handle_looped(side);
            counters.refused(Refusal::Looped);
            return Next::Nothing;
        }
        let is_shown = call.tap.is_some();
        if is_shown
            && !call.relay.is_shown()
            && let Some(bytes) = buffer.get(..len)
        {
            call.show(arrival, (side, component), from, bytes, false);
        }
        let taken = match late {
            true => call.relay.handle_late_datagram(arrival, side, component, from, buffer, len),
            false => call.relay.handle_datagram(arrival, side, component, from, buffer, len),
        };
        if is_out
            && let Some(timeout) = call.poll_timeout()
            && timeout < call.wake
        {
            call.wake = timeout;
            self.wakes.push(Reverse((timeout, place as usize)));
        }
        if is_shown {
            show(
                call,
                arrival,
                (side, component),
                from,
                taken.as_ref().ok().and_then(Option::as_ref),
                buffer,
            );
        }
        let copies = call.copies.filter(|_| call.relay.take_copy(&mut self.copies.taken));
        if let Ok(None) = taken {
            call.report(arrival, (side, component), from, false);
        }
        let next = match taken {
            Ok(forward) => {
                if let Some(stranger) = call.relay.take_displaced(side) {
                    let key = call.key;
                    (self.events)(key.shard(), MediaEvent::Displaced { key, side, stranger });
                }
                let is_rtcp = component == Component::Rtcp || !call.relay.ends_here(side);
                counters.received(whose).add(forward.is_none() && is_rtcp, len);
                let outgoing = |forward: Forward| Outgoing { port: other, to: forward.to, len: forward.len };
                forward.map_or(Next::Nothing, |forward| Next::Send(outgoing(forward)))
            }
            Err(cause) => {
                counters.refused(cause);
                let is_flood = matches!(cause, Refusal::Source | Refusal::Discontinuous)
                    && call.leg_mut(side).flood(component).handle_refusal(arrival);
                if is_flood { self.shed(arrival, tag) } else { Next::Nothing }
            }
        };
        if let Some(to) = copies {
            self.copy(arrival, to, side);
        }
        next
    }

    fn handle_noise(&mut self, address: IpAddr, port: u16) {
        self.noisy.push((address, port));
    }

    fn handle_shed(&mut self, count: u64) {
        self.shared.counters.refused_many(Refusal::Shed, count);
    }

    fn handle_unread(&mut self, count: u64) {
        self.shared.counters.refused_many(Refusal::Unread, count);
    }

    fn handle_sent(&mut self, tag: Tag, len: usize, result: io::Result<()>) {
        let side = tag.side.other();
        let call = self.calls.get_mut(tag.place as usize).and_then(Option::as_deref_mut);
        let Some(call) = call else { return };
        let counters = &self.shared.counters;
        if result.is_ok() {
            counters.sent(call.leg(side).whose).add(false, len);
        } else {
            call.relay.handle_unsent(side);
            counters.refused(Refusal::Unsent);
        }
    }
}
