//! One party's sound: packets in as they came, a frame for each 20 ms out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use rtp::codec::Codec;
use rtp::quality::PayloadUse;
use rtp::relay::{Said, Tapped, TappedPacket};

use crate::conceal::Concealment;
use crate::decoder::{self, Decoder};
use crate::digits::{Digit, Digits};
use crate::happening::{Happening, Party};
use crate::seen::Seen;
use crate::ticks::{self, FRAME, millis};
use crate::timeline::Timeline;

/// Packets that wait for their time.
const WAITING: usize = 64;
/// A step this short between packets that follow each other is no silence: clocks differ.
const STEP: i64 = millis(10);
/// Samples a second before anything was heard.
const RATE: u32 = 8000;

/// See the module.
pub struct Stream {
    party: Party,
    /// How long after its time a frame is put out: what comes later is lost.
    delay: i64,
    timeline: Timeline,
    seen: Seen,
    digits: Digits,
    /// By the time of their first sample.
    waiting: BTreeMap<i64, Waiting>,
    decoder: Option<(Codec, Decoder)>,
    concealment: Concealment,
    /// Sound that was decoded for the frames that come.
    ready: VecDeque<i16>,
    rate: u32,
    /// The beginning of the next frame.
    next: i64,
    /// The number of the packet that was played last.
    played: Option<i64>,
    /// The number of the newest packet that says that no sound follows: comfort noise, or a digit.
    silenced: Option<i64>,
    /// What is told beside frames, by its time.
    marks: VecDeque<(i64, Happening)>,
    out: VecDeque<Happening>,
}

struct Waiting {
    codec: Codec,
    number: i64,
    /// Nothing is known of what came before: it began another stream, or its clock had jumped.
    begins: bool,
    payload: Box<[u8]>,
}

/// What there is to be heard from the place where a frame is filled to the next packet.
enum Gap {
    /// It is there.
    None,
    /// Nothing was sent.
    Silence,
    /// Clocks differ by a little.
    Step,
    /// It was lost, or has not come.
    Lost,
}

impl Stream {
    pub fn new(party: Party, delay: i64) -> Stream {
        Stream {
            party,
            delay,
            timeline: Timeline::default(),
            seen: Seen::default(),
            digits: Digits::default(),
            waiting: BTreeMap::new(),
            decoder: None,
            concealment: Concealment::default(),
            ready: VecDeque::new(),
            rate: RATE,
            next: 0,
            played: None,
            silenced: None,
            marks: VecDeque::new(),
            out: VecDeque::new(),
        }
    }

    /// What the party said, in order of arrival.
    pub fn handle(&mut self, tapped: &Tapped, payload: &[u8]) {
        let arrival = ticks::from_duration(tapped.at);
        if tapped.dropped > 0 {
            let duration = ticks::to_duration(FRAME * i64::from(tapped.dropped));
            let start = tapped.at.saturating_sub(duration);
            self.mark(ticks::from_duration(start), Happening::Dropped { party: self.party, start, duration });
        }
        match &tapped.said {
            Said::Held(held) => {
                let happening = Happening::Hold { party: self.party, start: tapped.at, held: *held };
                self.mark(arrival, happening);
            }
            Said::Packet(packet) => self.handle_packet(arrival, packet, payload),
        }
    }

    fn handle_packet(&mut self, arrival: i64, packet: &TappedPacket, payload: &[u8]) {
        let number = self.seen.handle(packet.seq);
        match packet.format.used_for {
            PayloadUse::Event => {
                let place = self.timeline.look(arrival, packet);
                if let Some(digit) = self.digits.handle(arrival, place, packet, payload) {
                    self.tell(digit);
                }
                self.silenced = self.silenced.max(Some(number));
            }
            PayloadUse::ComfortNoise => self.silenced = self.silenced.max(Some(number)),
            PayloadUse::Media => {
                let (place, begins) = self.timeline.place(arrival, self.delay, packet);
                let Some(codec) = packet.codec.filter(|codec| decoder::rate(*codec).is_some()) else {
                    return;
                };
                if self.waiting.len() >= WAITING {
                    self.waiting.pop_first();
                }
                let payload = payload.into();
                self.waiting.entry(place).or_insert(Waiting { codec, number, begins, payload });
            }
        }
    }

    /// Whether a frame is due.
    pub fn is_due(&self, now: i64) -> bool {
        self.next + FRAME + self.delay <= now
    }

    /// The party's next frame, and what is to be told before it.
    pub fn play(&mut self, now: i64) {
        if let Some(digit) = self.digits.handle_timeout(now) {
            self.tell(digit);
        }
        self.rate = match self.waiting.first_key_value() {
            Some((place, first)) if self.ready.is_empty() && *place < self.next + FRAME => {
                decoder::rate(first.codec).unwrap_or(self.rate)
            }
            _ => self.rate,
        };
        let count = self.rate as usize / 50;
        let mut samples = Vec::with_capacity(count);
        let mut concealed = false;
        while samples.len() < count {
            let room = count - samples.len();
            if !self.ready.is_empty() {
                samples.extend(self.ready.drain(..room.min(self.ready.len())));
                continue;
            }
            let at = self.next + self.ticks(samples.len());
            let (gap, until) = self.gap(at);
            let length = (until - at) / ticks::of_sample(self.rate);
            let length = usize::try_from(length).unwrap_or(0).min(room);
            match gap {
                Gap::None => self.take_first(at),
                Gap::Silence => samples.resize(samples.len() + length, 0),
                Gap::Step => drop(self.concealment.make(length, &mut samples)),
                Gap::Lost => concealed |= self.concealment.make(length, &mut samples),
            }
        }
        let start = ticks::to_duration(self.next);
        self.next += FRAME;
        while self.marks.front().is_some_and(|(at, _)| *at < self.next)
            && let Some((_, mark)) = self.marks.pop_front()
        {
            self.out.push_back(mark);
        }
        let (party, rate, samples) = (self.party, self.rate, Arc::from(samples));
        self.out.push_back(Happening::Frame { party, start, rate, samples, concealed });
    }

    /// Nothing follows: frames up to `end`, and what was not told.
    pub fn finish(&mut self, end: i64) {
        while self.next + FRAME <= end {
            self.play(end);
        }
        if let Some(digit) = self.digits.end() {
            self.tell(digit);
        }
        self.out.extend(self.marks.drain(..).map(|(_, mark)| mark));
    }

    pub fn poll(&mut self) -> Option<Happening> {
        self.out.pop_front()
    }

    /// What is to be heard at `at`, and until when.
    fn gap(&self, at: i64) -> (Gap, i64) {
        let Some((&place, next)) = self.waiting.first_key_value() else {
            let lost = self.played.is_some() && self.played > self.silenced;
            return (if lost { Gap::Lost } else { Gap::Silence }, i64::MAX);
        };
        // What is of another rate begins with a frame of its own.
        let begins_later = decoder::rate(next.codec) != Some(self.rate);
        if place < at + ticks::of_sample(self.rate) {
            return if begins_later { (Gap::Step, i64::MAX) } else { (Gap::None, at) };
        }
        let gap = match self.played {
            None => Gap::Silence,
            Some(_) if next.begins => Gap::Silence,
            Some(played) if !self.seen.is_whole(played, next.number) => Gap::Lost,
            Some(_) if place - at <= STEP => Gap::Step,
            Some(_) => Gap::Silence,
        };
        (gap, place)
    }

    /// Decodes the packet that is due; what of it is before `at` comes too late.
    fn take_first(&mut self, at: i64) {
        let Some((place, first)) = self.waiting.pop_first() else { return };
        if self.decoder.as_ref().is_none_or(|(codec, _)| *codec != first.codec) {
            self.decoder = Decoder::new(first.codec).map(|decoder| (first.codec, decoder));
        }
        let Some((_, decoder)) = &mut self.decoder else { return };
        let samples = decoder.decode(&first.payload);
        self.concealment.heard(self.rate, &samples);
        self.played = Some(first.number);
        let late = usize::try_from((at - place).max(0) / ticks::of_sample(self.rate)).unwrap_or(usize::MAX);
        self.ready.extend(samples.into_iter().skip(late));
    }

    fn ticks(&self, samples: usize) -> i64 {
        i64::try_from(samples).unwrap_or(0) * ticks::of_sample(self.rate)
    }

    fn tell(&mut self, Digit { start, digit, duration }: Digit) {
        let (party, duration) = (self.party, ticks::to_duration(duration));
        self.mark(start, Happening::Digit { party, start: ticks::to_duration(start), digit, duration });
    }

    fn mark(&mut self, at: i64, mark: Happening) {
        let place = self.marks.partition_point(|(before, _)| *before <= at);
        self.marks.insert(place, (at, mark));
    }
}
