//! A media worker: one thread that waits for its calls' sockets and never for anything else.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::EventFd;
use rtp::relay::{CallStatistics, Component, Output, Refusal, Relay, RelaySettings, Side};

use super::call::{LegSockets, OpenCall, OpenError};
use super::counters::Counters;
use super::ports::Claim;
use super::socket::control_buffer;
use super::{Command, EventSink, MediaEvent, MediaKey, Room};
use crate::clock::Now;
use crate::pulse::{self, Pulse};
use crate::random::{Random, SystemRandom};

/// Room for a datagram of any Ethernet, and for what SRTP adds.
const BUFFER: usize = 2048;
/// Longest datagram that is taken.
const LONGEST: usize = BUFFER - 64;
/// Sockets that are served in one wake.
const EVENTS: usize = 256;
/// Commands that are obeyed before sockets are looked at again.
const COMMANDS: usize = 32;
/// A datagram that waited longer than this has others behind it, most likely: drain.
const BEHIND: Duration = Duration::from_millis(5);
/// At most so many at once, so that no socket starves the others.
const DRAIN: usize = 16;
const MINUTE: Duration = Duration::from_secs(60);
/// A last minute shorter than this is left out of the quality records.
const SHORTEST_MINUTE: Duration = Duration::from_secs(1);
/// Marks the event of the command channel among those of sockets.
const COMMAND_TOKEN: u64 = u64::MAX;

/// What a worker shares with the rest of the process.
pub(super) struct Shared {
    pub(super) commands: EventFd,
    pub(super) queued: AtomicU64,
    pub(super) stop: AtomicBool,
    pub(super) pulse: Pulse,
    pub(super) counters: Counters,
}

pub(super) struct Worker<'a> {
    epoll: Epoll,
    shared: &'a Shared,
    inbox: Receiver<Command>,
    events: Arc<EventSink>,
    room: &'a Room,
    settings: RelaySettings,
    random: SystemRandom,
    /// Boxed: there are as many places as calls were ever open at one time.
    calls: Vec<Option<Box<OpenCall<'a>>>>,
    /// Empty places of `calls`.
    vacant: Vec<usize>,
    places: HashMap<MediaKey, usize>,
    /// When to look at which place; an entry that its call no longer agrees with is passed over.
    wakes: BinaryHeap<Reverse<(Instant, usize)>>,
    generation: u16,
    buffer: Box<[u8; BUFFER]>,
    control: Vec<u8>,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        inbox: Receiver<Command>,
        events: Arc<EventSink>,
        room: &'a Room,
        settings: RelaySettings,
    ) -> Result<Worker<'a>, Errno> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&shared.commands, EpollEvent::new(EpollFlags::EPOLLIN, COMMAND_TOKEN))?;
        Ok(Worker {
            epoll,
            shared,
            inbox,
            events,
            room,
            settings,
            random: SystemRandom::new(),
            calls: Vec::new(),
            vacant: Vec::new(),
            places: HashMap::new(),
            wakes: BinaryHeap::new(),
            generation: 0,
            buffer: Box::new([0; BUFFER]),
            control: control_buffer(),
        })
    }

    /// Runs until told to stop, then closes what is open.
    pub(super) fn run(mut self) {
        let mut ready = [EpollEvent::empty(); EVENTS];
        let mut pending = false;
        while !self.shared.stop.load(Ordering::Acquire) {
            let timeout = if pending { EpollTimeout::ZERO } else { self.timeout() };
            let count = self.epoll.wait(&mut ready, timeout).unwrap_or(0); // EINTR
            self.shared.pulse.beat();
            let now = Now::read();
            // Commands first: a caller that has our 200 may talk at once, and the callee's address came before it.
            let ready = || ready.iter().take(count).map(EpollEvent::data);
            if pending || ready().any(|token| token == COMMAND_TOKEN) {
                pending = self.handle_commands();
            }
            for token in ready().filter(|token| *token != COMMAND_TOKEN) {
                self.handle_socket(now, token);
            }
            self.handle_timeouts();
        }
        let keys: Vec<_> = self.places.keys().copied().collect();
        keys.into_iter().for_each(|key| self.close(key));
    }

    fn timeout(&self) -> EpollTimeout {
        let wake = self.wakes.peek().map(|Reverse((wake, _))| wake.saturating_duration_since(Instant::now()));
        let wait = wake.map_or(pulse::PERIOD, |wake| wake.min(pulse::PERIOD));
        // Rounded up: waking before the time would only mean to wait again.
        let millis = u16::try_from(wait.as_micros().div_ceil(1000)).unwrap_or(u16::MAX);
        EpollTimeout::from(millis)
    }

    fn handle_socket(&mut self, now: Now, token: u64) {
        let (place, generation, side, component) = unpack(token);
        let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) else { return };
        if call.generation != generation {
            return; // closed earlier in this wake
        }
        let counters = &self.shared.counters;
        let OpenCall { key, a, b, relay, .. } = call;
        let (leg, other) = match side {
            Side::A => (&*a, &*b),
            Side::B => (&*b, &*a),
        };
        let socket = leg.socket(component);
        let (received, sent) = (counters.received(leg.whose), counters.sent(other.whose));
        for _ in 0..DRAIN {
            let buffer = self.buffer.as_mut_slice();
            let room = buffer.get_mut(..LONGEST).unwrap_or_default();
            let Some(datagram) = socket.receive(room, &mut self.control) else { break };
            let arrival = now.arrival(datagram.arrival);
            if self.room.own.holds(datagram.from) {
                relay.handle_looped(side);
                counters.refused(Refusal::Looped);
                continue;
            }
            // Longer than any length that fits: the relay refuses it and counts it.
            let len = if datagram.truncated { usize::MAX } else { datagram.len };
            match relay.handle_datagram(arrival, side, component, datagram.from, buffer, len) {
                Ok(Some(forward)) => {
                    if let Some(stranger) = relay.take_displaced(side) {
                        let (key, shard) = (*key, key.shard());
                        (self.events)(shard, MediaEvent::Displaced { key, side, stranger });
                    }
                    received.add(false, len);
                    let done = buffer.get(..forward.len).map(|bytes| other.rtp.send(bytes, forward.to));
                    if let Some(Ok(())) = done {
                        sent.add(false, forward.len);
                    } else {
                        relay.handle_unsent(side.other());
                        counters.refused(Refusal::Unsent);
                    }
                }
                Ok(None) => received.add(true, len),
                Err(cause) => counters.refused(cause),
            }
            if now.instant.saturating_duration_since(arrival) < BEHIND {
                break; // Level-triggered: if more waits after all, the next wake says so.
            }
        }
    }

    /// Obeys some commands; returns whether more wait.
    fn handle_commands(&mut self) -> bool {
        // Reading first: a command that comes after this raises the event again.
        let _ = self.shared.commands.read();
        for _ in 0..COMMANDS {
            let Ok(command) = self.inbox.try_recv() else { return false };
            self.shared.queued.fetch_sub(1, Ordering::Relaxed);
            match command {
                Command::Open { key, a, b, emergency, party } => {
                    let claim = Claim::new(party, emergency);
                    match self.open(key, a, b, &claim) {
                        Ok(opened) => self.tell(opened),
                        Err(error) => self.tell(error.event(key)),
                    }
                }
                Command::ExpectSrtp { key, side, only } => {
                    let place = self.places.get(&key).copied();
                    if let Some(call) = place.and_then(|place| self.calls.get_mut(place)?.as_deref_mut()) {
                        call.relay.expect_srtp(side, only);
                    }
                }
                Command::Remote { key, side, remote } => {
                    let now = Instant::now();
                    if let Some(place) = self.places.get(&key).copied() {
                        if let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) {
                            call.leg_mut(side).set_customer(remote.customer);
                            call.relay.handle_remote(now, side, &remote);
                        }
                        self.schedule(place);
                    }
                }
                Command::Close { key } => self.close(key),
            }
        }
        true
    }

    fn open(&mut self, key: MediaKey, a: IpAddr, b: IpAddr, claim: &Claim) -> Result<MediaEvent, OpenError> {
        if self.places.contains_key(&key) {
            return Err(OpenError::Open);
        }
        let mut a = LegSockets::open(self.room, a, claim, &mut self.random)?;
        let opened = LegSockets::open(self.room, b, claim, &mut self.random).and_then(|b| {
            let place = self.vacant.pop().unwrap_or(self.calls.len());
            self.generation = self.generation.wrapping_add(1);
            let watched = self.watch(place, &a, &b);
            if watched.is_err() {
                self.vacant.extend((place < self.calls.len()).then_some(place));
            }
            watched.map(|()| (place, b)).map_err(OpenError::Watch)
        });
        let (place, b) = opened.inspect_err(|_| a.forget())?;
        let opened = MediaEvent::Opened { key, a: a.ports(), b: b.ports() };
        let now = Instant::now();
        let minute = now + MINUTE;
        let relay = Relay::new(now, self.settings, self.random.next_u64());
        let call = Box::new(OpenCall { key, generation: self.generation, a, b, relay, minute, wake: minute });
        match self.calls.get_mut(place) {
            Some(vacant) => *vacant = Some(call),
            None => self.calls.push(Some(call)),
        }
        self.places.insert(key, place);
        self.wakes.push(Reverse((minute, place)));
        self.shared.counters.calls.set(self.places.len() as u64);
        Ok(opened)
    }

    fn watch(&self, place: usize, a: &LegSockets<'_>, b: &LegSockets<'_>) -> Result<(), Errno> {
        let sockets = [
            (&a.rtp, Side::A, Component::Rtp),
            (&a.rtcp, Side::A, Component::Rtcp),
            (&b.rtp, Side::B, Component::Rtp),
            (&b.rtcp, Side::B, Component::Rtcp),
        ];
        for (socket, side, component) in sockets {
            let token = pack(place, self.generation, side, component);
            // Dropping the sockets, if one fails, takes them off the watch too.
            self.epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, token))?;
        }
        Ok(())
    }

    fn close(&mut self, key: MediaKey) {
        let place = self.places.remove(&key);
        let call = place.and_then(|place| {
            self.vacant.push(place);
            self.calls.get_mut(place)?.take()
        });
        let mut statistics = CallStatistics::default();
        if let Some(mut call) = call {
            let now = Instant::now();
            let minute = call.relay.minute_statistics(now);
            if minute.period >= SHORTEST_MINUTE {
                self.tell(MediaEvent::Minute { key, statistics: Box::new(minute) });
            }
            statistics = call.relay.call_statistics(now);
        }
        self.shared.counters.calls.set(self.places.len() as u64);
        self.tell(MediaEvent::Closed { key, statistics: Box::new(statistics) });
    }

    fn handle_timeouts(&mut self) {
        let Some(Reverse((first, _))) = self.wakes.peek() else { return };
        let now = Instant::now();
        if *first > now {
            return;
        }
        while let Some(Reverse((wake, place))) = self.wakes.peek().copied()
            && wake <= now
        {
            self.wakes.pop();
            if let Some(call) = self.calls.get(place).and_then(Option::as_deref)
                && call.wake == wake
            {
                self.handle_timeout(now, place);
                self.reschedule(place);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant, place: usize) {
        let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) else { return };
        let key = call.key;
        call.relay.handle_timeout(now);
        let mut told = Vec::new();
        while let Some(output) = call.relay.poll_output(self.buffer.as_mut_slice()) {
            match output {
                Output::Transmit { side, component, to, len } => {
                    let leg = call.leg(side);
                    let socket = leg.socket(component);
                    if let Some(Ok(())) = self.buffer.get(..len).map(|bytes| socket.send(bytes, to)) {
                        self.shared.counters.sent(leg.whose).add(true, len);
                    }
                }
                Output::Silent => told.push(MediaEvent::Silent { key }),
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

    /// Looks at the call earlier if it wants to be.
    fn schedule(&mut self, place: usize) {
        if let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut)
            && let Some(timeout) = call.relay.poll_timeout()
            && timeout < call.wake
        {
            call.wake = timeout;
            self.wakes.push(Reverse((timeout, place)));
        }
    }

    /// Its entry in the heap is used up: makes a new one.
    fn reschedule(&mut self, place: usize) {
        if let Some(call) = self.calls.get_mut(place).and_then(Option::as_deref_mut) {
            let timeout = call.relay.poll_timeout();
            call.wake = timeout.map_or(call.minute, |timeout| timeout.min(call.minute));
            self.wakes.push(Reverse((call.wake, place)));
        }
    }

    fn tell(&self, event: MediaEvent) {
        (self.events)(event.key().shard(), event);
    }
}

/// Place, generation and port of a call in the 64 bits that epoll keeps for a socket.
fn pack(place: usize, generation: u16, side: Side, component: Component) -> u64 {
    let port = match (side, component) {
        (Side::A, Component::Rtp) => 0,
        (Side::A, Component::Rtcp) => 1,
        (Side::B, Component::Rtp) => 2,
        (Side::B, Component::Rtcp) => 3,
    };
    (place as u64) << 32 | u64::from(generation) << 8 | port
}

fn unpack(token: u64) -> (usize, u16, Side, Component) {
    let side = if token & 2 == 0 { Side::A } else { Side::B };
    let component = if token & 1 == 0 { Component::Rtp } else { Component::Rtcp };
    ((token >> 32) as usize, (token >> 8) as u16, side, component)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_one_port_of_one_call() {
        for side in [Side::A, Side::B] {
            for component in [Component::Rtp, Component::Rtcp] {
                let token = pack(70_000, 0xfffe, side, component);
                assert_eq!(unpack(token), (70_000, 0xfffe, side, component));
                assert_ne!(token, COMMAND_TOKEN);
            }
        }
    }
}
