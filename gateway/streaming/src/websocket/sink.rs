//! The audio of a call on its way to a server, and back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use audio::{Happening, Party};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::backlog::{Backlog, Item};
use super::connection::{self, Event};
use super::plain::{self, Written};
use super::playback::Playback;
use super::{Back, Format, Settings, Target, Tracks, twilio};
use crate::call::Call;
use crate::health::Health;
use crate::http::Task;
use crate::sink::{Losses, Missed, Open, Outcome, channel};

/// Happenings of one party on their way to its WebSocket.
const PARTY: usize = 64;

/// After the call, a server that is away is tried for so long.
const LINGER: Duration = Duration::from_secs(10);

/// A server works when a WebSocket to it has been open for so long: one that takes it and closes has failed.
const STEADY: Duration = Duration::from_secs(10);

/// A sink that is a WebSocket server, for the calls of one voice connector.
#[derive(Debug)]
pub struct WebSocket {
    targets: Arc<[Target]>,
    health: Arc<Health>,
    settings: Settings,
}

impl WebSocket {
    /// - `targets`: in order of priority.
    #[must_use]
    pub fn new(targets: Vec<Target>, settings: Settings) -> Self {
        let health = Arc::new(Health::new(targets.len()));
        Self { targets: targets.into(), health, settings }
    }

    /// Begins to stream a call. Needs a runtime of tokio.
    #[must_use]
    pub fn open(&self, call: &Arc<Call>) -> Open {
        let (missed, happenings, outcomes, open) = channel();
        if self.settings.format == Format::Mono {
            let parties = [Party::Caller, Party::Callee].map(|party| {
                let (sender, receiver) = mpsc::channel(PARTY);
                tokio::spawn(self.stream(call, Tracks::One(party), outcomes.clone()).run(receiver));
                sender
            });
            tokio::spawn(divide(happenings, parties, missed));
        } else {
            tokio::spawn(self.stream(call, Tracks::Both, outcomes).run(happenings));
        }
        open
    }

    /// Whether a call could be streamed now: asks one server after the other for a WebSocket, the best first.
    ///
    /// # Errors
    /// Why the last one would not.
    pub async fn probe(&self) -> Result<(), String> {
        let mut why = Err("there is no server".to_owned());
        for target in self.targets.iter() {
            why = connection::probe(target).await;
            if why.is_ok() {
                break;
            }
        }
        why
    }

    /// Which targets work. Where none does, a call that must be streamed can be refused.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.health
    }

    fn stream(&self, call: &Arc<Call>, tracks: Tracks, outcomes: mpsc::Sender<Outcome>) -> Stream {
        let plays = |to: &Party| tracks == Tracks::Both || tracks == Tracks::One(*to);
        Stream {
            targets: self.targets.clone(),
            health: self.health.clone(),
            format: self.settings.format,
            plays_to: self.settings.plays_to.filter(plays),
            call: call.clone(),
            tracks,
            outcomes,
            backlog: Backlog::new(self.settings.kept, self.settings.format == Format::Stereo),
            playback: Playback::default(),
            losses: Losses::default(),
            told: Told::Nothing,
            left: 0,
            given: Given::default(),
        }
    }
}

async fn divide(
    mut happenings: mpsc::Receiver<Happening>,
    parties: [mpsc::Sender<Happening>; 2],
    missed: Missed,
) {
    while let Some(happening) = happenings.recv().await {
        let [caller, callee] = &parties;
        let to = if happening.party() == Party::Caller { caller } else { callee };
        missed.offer(to, happening);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Started,
    Failed,
}

/// One WebSocket after another, until the call is over.
struct Stream {
    targets: Arc<[Target]>,
    health: Arc<Health>,
    format: Format,
    plays_to: Option<Party>,
    call: Arc<Call>,
    tracks: Tracks,
    outcomes: mpsc::Sender<Outcome>,
    backlog: Backlog,
    playback: Playback,
    losses: Losses,
    told: Told,
    /// Targets that failed since one worked.
    left: usize,
    /// Of the last WebSocket.
    given: Given,
}

/// What a WebSocket was given that may not be written yet.
#[derive(Default)]
struct Given {
    /// Messages that were written, in all.
    written: Arc<AtomicUsize>,
    /// Those before the ones below.
    before: usize,
    /// In order; `None`: no audio.
    items: VecDeque<Option<Item>>,
}

impl Given {
    fn push(&mut self, item: Option<Item>) {
        self.items.push_back(item);
        self.forget();
    }

    /// A message that is no audio, where there is room for it.
    fn say(&mut self, messages: &mpsc::Sender<Message>, text: String) {
        if messages.try_send(Message::text(text)).is_ok() {
            self.push(None);
        }
    }

    /// Leaves out what is written.
    fn forget(&mut self) {
        while self.before < self.written.load(Relaxed) && self.items.pop_front().is_some() {
            self.before += 1;
        }
    }

    /// What is lost with the WebSocket.
    fn lost(&mut self) -> impl Iterator<Item = Item> + use<> {
        self.forget();
        std::mem::take(self).items.into_iter().flatten()
    }
}

/// A WebSocket that is open.
struct Socket {
    messages: mpsc::Sender<Message>,
    writer: twilio::Writer,
}

impl Stream {
    async fn run(mut self, mut happenings: mpsc::Receiver<Happening>) {
        let mut events: Option<(usize, mpsc::Receiver<Event>, Task)> = None;
        let mut socket: Option<Socket> = None;
        let mut wait: Option<Instant> = None;
        let mut steady: Option<Instant> = None;
        let (mut open, mut give_up) = (true, None);
        loop {
            if events.is_none() && wait.is_none() {
                match self.health.best(Instant::now().into_std()) {
                    Some(index) if let Some(target) = self.targets.get(index).cloned() => {
                        let (sender, receiver) = mpsc::channel(16);
                        events = Some((index, receiver, Task(tokio::spawn(connection::run(target, sender)))));
                    }
                    _ => {
                        let next = self.health.next(Instant::now().into_std());
                        wait = Some(next.map_or_else(|| Instant::now() + LINGER, Into::into));
                    }
                }
            }
            let full = self.write(&mut socket);
            if !open && self.backlog.is_empty() && !full {
                // The end is said when all else is; then the sender is dropped, and the server closes.
                if let Some(mut ended) = socket.take() {
                    let end = if self.format == Format::Twilio { ended.writer.end() } else { plain::end() };
                    self.given.say(&ended.messages, end);
                }
                if self.told != Told::Started {
                    return self.end().await;
                }
            }
            tokio::select! {
                happening = happenings.recv(), if open => match happening {
                    Some(happening) => self.take(happening),
                    None => {
                        open = false;
                        give_up = Some(Instant::now() + LINGER);
                    }
                },
                event = next(&mut events) => match event {
                    Some(Event::Open(messages, written)) => {
                        self.given = Given { written, ..Given::default() };
                        socket = Some(self.begin(messages));
                        steady = Some(Instant::now() + STEADY);
                        let target = events.as_ref().map_or(0, |(index, ..)| *index);
                        self.left = 0;
                        if self.told != Told::Started {
                            self.told = Told::Started;
                            let stream = self.targets.get(target).map(|target| target.url.clone());
                            self.tell(Outcome::Started { party: self.party(), stream, first_fragment: None, time_ms: None }).await;
                        }
                    }
                    Some(Event::Text(text)) => self.back(&mut socket, if self.format == Format::Twilio { twilio::read(&text) } else { plain::read(&text) }).await,
                    Some(Event::Binary(bytes)) if self.format != Format::Twilio => self.back(&mut socket, Some(plain::read_binary(&bytes))).await,
                    Some(Event::Binary(_)) => {}
                    Some(Event::Closed) if !open => {
                        self.works(&events);
                        return self.end().await;
                    }
                    Some(Event::Failed(_)) if !open && self.backlog.is_empty() => return self.end().await,
                    ended => {
                        steady = None;
                        let cause = match ended {
                            Some(Event::Failed(cause)) => cause,
                            _ => "the server closed".to_owned(),
                        };
                        self.failed(&mut events, &mut socket, cause).await;
                    }
                },
                () = room(socket.as_ref()), if full => {}
                () = until(self.playback.poll_timeout().map(Into::into)) => self.play(&mut socket).await,
                () = until(wait) => wait = None,
                () = until(steady) => {
                    steady = None;
                    self.works(&events);
                }
                () = until(give_up) => return self.end().await,
            }
        }
    }

    /// Writes what there is room for. Returns whether there is more.
    fn write(&mut self, socket: &mut Option<Socket>) -> bool {
        let Some(Socket { messages, writer }) = socket else { return false };
        while !self.backlog.is_empty() {
            let Ok(permit) = messages.try_reserve() else { return !messages.is_closed() };
            let Some(item) = self.backlog.pop() else { break };
            if let Item::Dropped { party, start, duration } = &item {
                tracing::debug!(?party, ?start, ?duration, "a WebSocket was too slow");
            }
            let message = match self.format {
                Format::Twilio => writer.item(&item).map(Message::text),
                Format::Stereo | Format::Mono => Some(match plain::item(&item) {
                    Written::Text(text) => Message::text(text),
                    Written::Binary(bytes) => Message::binary(bytes),
                }),
            };
            if let Some(message) = message {
                permit.send(message);
                self.given.push(Some(item));
            }
        }
        false
    }

    fn begin(&mut self, messages: mpsc::Sender<Message>) -> Socket {
        let mut id = [0; 16];
        let _ = getrandom::fill(&mut id);
        let mut writer = twilio::Writer::new(Uuid::from_bytes(id), &self.call);
        let texts = match self.format {
            Format::Twilio => writer.begin(&self.call, self.tracks),
            Format::Stereo | Format::Mono => vec![plain::begin(&self.call, self.tracks)],
        };
        for text in texts {
            self.given.say(&messages, text); // There is room in the beginning.
        }
        Socket { messages, writer }
    }

    /// The target is of use.
    fn works(&self, events: &Option<(usize, mpsc::Receiver<Event>, Task)>) {
        if let Some((index, ..)) = events {
            self.health.succeeded(*index);
        }
    }

    fn take(&mut self, happening: Happening) {
        if let Happening::Dropped { party, start, duration } = happening {
            self.losses.add(party, start, duration);
        }
        for (party, start, duration) in self.backlog.push(happening) {
            self.losses.add(party, start, duration);
        }
        self.losses.tell(Some(Instant::now().into_std()), &self.outcomes);
    }

    /// The server said something.
    async fn back(&mut self, socket: &mut Option<Socket>, back: Option<Back>) {
        let Some(party) = self.plays_to else { return };
        let marks = match back {
            Some(Back::Audio(samples)) => {
                self.playback.push(Instant::now().into_std(), &samples);
                return;
            }
            Some(Back::Mark(name)) => self.playback.mark(&name).into_iter().collect(),
            Some(Back::Clear) => {
                self.tell(Outcome::Clear { party }).await;
                self.playback.clear()
            }
            None => return,
        };
        self.say_marks(socket, marks);
    }

    async fn play(&mut self, socket: &mut Option<Socket>) {
        let due = self.playback.handle_timeout(Instant::now().into_std());
        if let (Some(samples), Some(party)) = (due.frame, self.plays_to) {
            // A gateway that is behind hears nothing old.
            let _ = self.outcomes.try_send(Outcome::Play { party, rate: 8_000, samples });
        }
        self.say_marks(socket, due.marks);
    }

    fn say_marks(&mut self, socket: &mut Option<Socket>, marks: Vec<String>) {
        let Some(Socket { messages, writer }) = socket else { return };
        for name in marks {
            let text = if self.format == Format::Twilio { writer.mark(&name) } else { plain::mark(&name) };
            // Who does not read does not learn of its marks.
            self.given.say(messages, text);
        }
    }

    async fn failed(
        &mut self,
        events: &mut Option<(usize, mpsc::Receiver<Event>, Task)>,
        socket: &mut Option<Socket>,
        cause: String,
    ) {
        *socket = None;
        let Some((index, ..)) = events.take() else { return };
        self.playback.clear();
        self.given.lost().for_each(|item| self.lose(item));
        self.losses.tell(Some(Instant::now().into_std()), &self.outcomes);
        let mut spread = [0];
        let _ = getrandom::fill(&mut spread);
        let [spread] = spread;
        self.health.failed(index, Instant::now().into_std(), spread);
        self.left += 1;
        let none = self.left >= self.targets.len();
        if self.told == Told::Started || (self.told == Told::Nothing && none) {
            self.told = Told::Failed;
            self.tell(Outcome::Failed { party: self.party(), cause }).await;
        }
    }

    async fn end(mut self) {
        self.given.lost().for_each(|item| self.lose(item));
        while let Some(item) = self.backlog.pop() {
            self.lose(item);
        }
        self.losses.tell(None, &self.outcomes);
        self.tell(Outcome::Ended { party: self.party(), dropped: self.losses.sum }).await;
    }

    /// Audio that the server has not got.
    fn lose(&mut self, item: Item) {
        let duration = |samples: usize| Duration::from_micros(samples as u64 * 125);
        match item {
            Item::Audio { party, start, samples } => self.losses.add(party, start, duration(samples.len())),
            Item::Stereo { start, samples } => {
                for party in [Party::Caller, Party::Callee] {
                    self.losses.add(party, start, duration(samples.len() / 2));
                }
            }
            Item::Digit { .. } | Item::Hold { .. } | Item::Dropped { .. } => {}
        }
    }

    fn party(&self) -> Option<Party> {
        match self.tracks {
            Tracks::Both => None,
            Tracks::One(party) => Some(party),
        }
    }

    async fn tell(&self, outcome: Outcome) {
        // Nobody listens any more: then nobody needs to know.
        let _ = self.outcomes.send(outcome).await;
    }
}

async fn next(events: &mut Option<(usize, mpsc::Receiver<Event>, Task)>) -> Option<Event> {
    match events {
        Some((_, events, _)) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// There is room for another message, or nobody takes any.
async fn room(socket: Option<&Socket>) {
    match socket {
        Some(socket) => drop(socket.messages.reserve().await),
        None => std::future::pending().await,
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_websocket_had_not_written_is_lost_with_it() {
        let item = |ms| {
            let (party, start) = (Party::Caller, Duration::from_millis(ms));
            Item::Audio { party, start, samples: vec![0; 160].into() }
        };
        let (messages, receiver) = mpsc::channel(1);
        let mut given = Given::default();
        given.say(&messages, "begin".to_owned());
        given.say(&messages, "for which there is no room".to_owned());
        (0..4).for_each(|frame| given.push(Some(item(frame * 20))));
        given.written.store(3, Relaxed);
        drop(receiver);
        assert_eq!(given.lost().collect::<Vec<_>>(), [item(40), item(60)]);
        assert_eq!(given.lost().count(), 0, "once");
    }
}
