//! How messages and events reach the shard that owns them. Bounded, and nobody waits who must not.
//!
//! Each shard has three queues: one for messages, where a full queue drops what UDP will repeat and holds back a
//! stream; one for events, which nobody repeats and which is so long that only a shard that hangs fills it; and one for what
//! calls of other shards tell calls of this one, or the operator tells all. Of that nothing may be lost once a transfer has begun,
//! so that none begins while too much of it waits.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use sip::Message;
use sip::transaction::Owner;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::core::{Input, Word};
use crate::ids::Ownership;
use crate::listen::{Delivery, ListenCounters, Listener, Sink};
use crate::peer::{ConnectionId, ListenerId, Source};

/// Messages that wait for a shard: more than a second's worth, by when the peer repeats itself anyway.
const MESSAGES: usize = 4_096;
/// Events that wait for a shard: several for each call that it can hold.
const EVENTS: usize = 65_536;

/// Words of other shards' calls that wait for a shard, before no more are taken that could be refused ([`Word::is_owed`]). The
/// others are so few for each of these that they always have room.
const WORDS: usize = 8_192;

/// What lies in a mailbox.
#[derive(Debug)]
pub(super) enum Mail {
    Input {
        input: Input,
        /// Given back when the input was handled.
        _in_hand: Option<OwnedSemaphorePermit>,
    },
    /// A socket of a listener that is new.
    Open { listener: Listener, socket: UdpSocket },
    /// Nobody needs the sockets of this listener any more.
    Close(ListenerId),
    /// An ICMP error that reached another shard's socket.
    Unreachable { remote: SocketAddr, quote: Bytes },
}

impl Mail {
    fn input(input: Input) -> Mail {
        Mail::Input { input, _in_hand: None }
    }
}

/// The way into every shard's mailbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct Mailboxes {
    slots: Arc<[Slot]>,
    ownership: Ownership,
    counters: Arc<ListenCounters>,
}

#[derive(Debug)]
struct Slot {
    messages: mpsc::Sender<Mail>,
    events: mpsc::Sender<Mail>,
    words: mpsc::UnboundedSender<Mail>,
    /// How many words wait.
    told: Arc<AtomicUsize>,
}

/// One shard's end of its mailbox.
#[derive(Debug)]
pub struct Inbox {
    messages: mpsc::Receiver<Mail>,
    events: mpsc::Receiver<Mail>,
    words: mpsc::UnboundedReceiver<Mail>,
    told: Arc<AtomicUsize>,
}

/// A mailbox for each shard of `ownership`, in order.
pub fn mailboxes(ownership: Ownership, counters: Arc<ListenCounters>) -> (Mailboxes, Vec<Inbox>) {
    with_capacity(ownership, counters, MESSAGES, EVENTS)
}

fn with_capacity(
    ownership: Ownership,
    counters: Arc<ListenCounters>,
    messages: usize,
    events: usize,
) -> (Mailboxes, Vec<Inbox>) {
    let (slots, inboxes): (Vec<Slot>, Vec<Inbox>) = (0..ownership.shards())
        .map(|_| {
            let ((to_messages, messages), (to_events, events)) =
                (mpsc::channel(messages), mpsc::channel(events));
            let ((to_words, words), told) = (mpsc::unbounded_channel(), Arc::<AtomicUsize>::default());
            let slot = Slot { messages: to_messages, events: to_events, words: to_words, told: told.clone() };
            (slot, Inbox { messages, events, words, told })
        })
        .unzip();
    (Mailboxes { slots: slots.into(), ownership, counters }, inboxes)
}

impl Mailboxes {
    /// Which shard owns what.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// Messages, events and words that wait for a shard.
    pub fn depth(&self, shard: u16) -> usize {
        let waiting = |queue: &mpsc::Sender<Mail>| queue.max_capacity() - queue.capacity();
        self.slot(shard).map_or(0, |slot| {
            waiting(&slot.messages) + waiting(&slot.events) + slot.told.load(Ordering::Relaxed)
        })
    }

    /// Hands a message from a datagram to its owner; dropped and counted where the mailbox is full.
    pub fn post_message(&self, owner: u16, source: Source, message: Message) {
        self.hop(owner, Mail::input(Input::Message { source, message }));
    }

    /// Hands a message on to a shard that has its call; dropped and counted where the mailbox is full.
    ///
    /// # Errors
    /// The message, where there is no such shard.
    pub fn hand_on(&self, shard: u16, input: Input) -> Result<(), Box<Input>> {
        if self.slot(shard).is_none() {
            return Err(Box::new(input));
        }
        self.hop(shard, Mail::input(input));
        Ok(())
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        self.ownership.shards()
    }

    /// Hands an event to a shard. Never waits; a full mailbox is counted and logged, and the event is lost.
    pub fn post_event(&self, shard: u16, input: Input) {
        let Some(slot) = self.slot(shard) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = slot.events.try_send(Mail::input(input)) {
            self.counters.events_dropped.increment();
            tracing::error!(shard, "a shard does not take its events");
        }
    }

    /// Hands a shard what another one tells it. Never waits, and loses nothing of what is owed.
    ///
    /// # Errors
    /// The word, where there is no such shard; or where too many wait and this one [may be refused](Word::is_owed).
    pub fn post_word(&self, shard: u16, word: Word) -> Result<(), Word> {
        match self.slot(shard) {
            None => Err(word),
            Some(slot) if slot.told.load(Ordering::Relaxed) >= WORDS && !word.is_owed() => {
                self.counters.events_dropped.increment();
                tracing::error!(shard, "a shard does not take what another one tells it");
                Err(word)
            }
            Some(slot) => {
                slot.tell(Input::Word(word));
                Ok(())
            }
        }
    }

    /// Hands a shard back what it could not tell.
    pub fn untold(&self, shard: u16, word: Word) {
        if let Some(slot) = self.slot(shard) {
            slot.tell(Input::Untold(word));
        }
    }

    /// Tells every shard that a leg is over: [`Word::Left`].
    pub fn tell_all_left(&self, tag: &str) {
        self.slots.iter().for_each(|slot| slot.tell(Input::Word(Word::Left { tag: tag.to_owned() })));
    }

    /// Hands the same to every shard, which is never lost: for what an operator asks for, who waits for it to be done.
    pub fn broadcast(&self, input: impl Fn() -> Input) {
        self.slots.iter().for_each(|slot| slot.tell(input()));
    }

    /// Has each shard serve its socket of a new listener; what was broadcast before comes first.
    pub fn open(&self, listener: Listener, sockets: impl IntoIterator<Item = UdpSocket>) {
        let of_shards = self.slots.iter().zip(sockets);
        of_shards.for_each(|(slot, socket)| slot.put(Mail::Open { listener, socket }));
    }

    /// Has each shard close its sockets of a listener.
    pub fn close(&self, listener: ListenerId) {
        self.slots.iter().for_each(|slot| slot.put(Mail::Close(listener)));
    }

    pub(super) fn post_unreachable(&self, shard: u16, remote: SocketAddr, quote: &[u8]) {
        self.hop(shard, Mail::Unreachable { remote, quote: Bytes::copy_from_slice(quote) });
    }

    fn hop(&self, shard: u16, mail: Mail) {
        if self.slot(shard).is_some_and(|slot| slot.messages.try_send(mail).is_ok()) {
            self.counters.hops.increment();
        } else {
            self.counters.hops_dropped.increment();
        }
    }

    fn slot(&self, shard: u16) -> Option<&Slot> {
        self.slots.get(usize::from(shard))
    }
}

impl Slot {
    fn tell(&self, word: Input) {
        self.put(Mail::input(word));
    }

    fn put(&self, mail: Mail) {
        self.told.fetch_add(1, Ordering::Relaxed);
        // Fails only when the shard is gone, and then the process is going too.
        let _ = self.words.send(mail);
    }
}

impl Sink for Mailboxes {
    fn deliver(&self, source: Source, message: Message, in_hand: OwnedSemaphorePermit) -> Delivery<'_> {
        Box::pin(async move {
            let owner = self.ownership.owner(&message);
            if let Some(slot) = self.slot(owner) {
                // Fails only when the shard is gone, and then the process is going too.
                let mail = Mail::Input { input: Input::Message { source, message }, _in_hand: Some(in_hand) };
                let _ = slot.messages.send(mail).await;
            }
        })
    }

    fn send_failed(&self, shard: u16, owner: Owner) {
        self.post_event(shard, Input::SendFailed { owner });
    }

    fn connection_ended(&self, shard: u16, connection: ConnectionId) {
        self.post_event(shard, Input::ConnectionEnded(connection));
    }
}

impl Inbox {
    /// The next piece of mail: words before events, and these before messages; `None` when every sender is gone.
    pub(super) async fn next(&mut self) -> Option<Mail> {
        tokio::select! {
            biased;
            Some(word) = self.words.recv() => {
                self.told.fetch_sub(1, Ordering::Relaxed);
                Some(word)
            }
            Some(event) = self.events.recv() => Some(event),
            Some(message) = self.messages.recv() => Some(message),
            else => None,
        }
    }

    /// The same, `None` where none is there now.
    pub(super) fn next_now(&mut self) -> Option<Mail> {
        if let Ok(word) = self.words.try_recv() {
            self.told.fetch_sub(1, Ordering::Relaxed);
            return Some(word);
        }
        self.events.try_recv().ok().or_else(|| self.messages.try_recv().ok())
    }
}

/// For tests of other modules, which have no driver.
#[cfg(test)]
impl Inbox {
    /// The next input.
    pub(crate) async fn next_input(&mut self) -> Input {
        match self.next().await {
            Some(Mail::Input { input, .. }) => input,
            other => panic!("{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use sip::StatusCode;
    use sip::header::Replaces;

    use super::*;
    use crate::call::Event;
    use crate::core::CallKey;
    use crate::ids::HashKey;
    use crate::media::MediaKey;
    use crate::peer::{ListenerId, Transport};
    use crate::random::SeededRandom;
    use crate::reply::Cause;

    /// What calls tell each other about a transfer is told once: whoever does not hear it waits for ever, or is billed for ever.
    #[tokio::test]
    async fn what_calls_tell_each_other_is_never_lost_and_what_begins_anew_is_refused() {
        let counters = Arc::<ListenCounters>::default();
        let ownership = Ownership::new(0, 2, HashKey::random(&mut SeededRandom::new(1)));
        let (mailboxes, mut inboxes) = with_capacity(ownership, counters.clone(), 2, 2);
        let (one, other) = (CallKey::from(MediaKey(1 << 8)), CallKey::from(MediaKey(2 << 8)));
        let tells = |event| Word::Call { from: one, to: other, event: Box::new(event) };
        let over = || tells(Event::Over { cause: Cause::new(200, "OK") });
        let rings = || tells(Event::Progress { status: StatusCode::RINGING });
        (0..3).for_each(|_| mailboxes.post_event(1, Input::Drain));
        let ends = WORDS + 10;
        for _ in 0..ends {
            mailboxes.post_word(1, over()).unwrap();
        }
        mailboxes.tell_all_left("t");
        let replaces = Replaces::parse("a;to-tag=b;from-tag=c").unwrap();
        let place = Word::Place { from: one, replaces: Box::new(replaces), by: None };
        assert!(
            matches!(mailboxes.post_word(1, place), Err(Word::Place { .. })),
            "no more of them are begun"
        );
        assert!(mailboxes.post_word(1, rings()).is_err());
        mailboxes.post_word(1, tells(Event::Progress { status: StatusCode::OK })).unwrap();
        assert!(mailboxes.post_word(9, over()).is_err(), "no such shard");
        assert_eq!(mailboxes.depth(1), 2 + ends + 2);
        let mut heard = 0;
        while mailboxes.depth(1) > 0 {
            heard += usize::from(matches!(inboxes[1].next_input().await, Input::Word(_)));
        }
        assert_eq!(heard, ends + 2);
        mailboxes.post_word(1, rings()).unwrap();
        mailboxes.untold(0, over());
        assert!(matches!(inboxes[0].next_input().await, Input::Word(Word::Left { .. })));
        assert!(matches!(inboxes[0].next_input().await, Input::Untold(Word::Call { .. })));
    }

    #[tokio::test]
    async fn a_full_mailbox_drops_datagrams_counts_them_and_still_takes_events() {
        let counters = Arc::<ListenCounters>::default();
        let ownership = Ownership::new(0, 2, HashKey::random(&mut SeededRandom::new(1)));
        let (mailboxes, mut inboxes) = with_capacity(ownership, counters.clone(), 2, 2);
        let source = Source {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local: "127.0.0.1:5060".parse().unwrap(),
            remote: "127.0.0.2:5060".parse().unwrap(),
            connection: None,
            secured: None,
        };
        let message = Message::parse("OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n".into()).unwrap();
        for _ in 0..5 {
            mailboxes.post_message(1, source, message.clone());
        }
        assert_eq!((counters.hops.value(), counters.hops_dropped.value()), (2, 3));
        assert_eq!((mailboxes.depth(0), mailboxes.depth(1), mailboxes.depth(9)), (0, 2, 0));
        mailboxes.broadcast(|| Input::Drain);
        assert!(matches!(inboxes[1].next_input().await, Input::Drain));
        assert!(matches!(inboxes[1].next_input().await, Input::Message { .. }));
        assert!(matches!(inboxes[0].next_input().await, Input::Drain));
        (0..3).for_each(|_| mailboxes.post_event(0, Input::Drain));
        assert_eq!(counters.events_dropped.value(), 1);
        mailboxes.post_message(9, source, message);
        assert_eq!(counters.hops_dropped.value(), 4);
    }
}
