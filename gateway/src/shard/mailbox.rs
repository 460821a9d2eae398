//! How messages and events reach the shard that owns them. Bounded, and nobody waits who must not.
//!
//! Each shard has two queues: one for messages, where a full queue drops what UDP will repeat and holds back a
//! stream, and one for events, which nobody repeats and which is so long that only a shard that hangs fills it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sip::Message;
use sip::transaction::Owner;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::core::{Input, Word};
use crate::ids::Ownership;
use crate::listen::{Delivery, ListenCounters, Sink};
use crate::peer::{ConnectionId, Source};

/// Messages that wait for a shard: more than a second's worth, by when the peer repeats itself anyway.
const MESSAGES: usize = 4_096;
/// Events that wait for a shard: several for each call that it can hold.
const EVENTS: usize = 65_536;

/// What lies in a mailbox.
#[derive(Debug)]
pub(super) enum Mail {
    Input {
        input: Input,
        /// Given back when the input was handled.
        _in_hand: Option<OwnedSemaphorePermit>,
    },
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
}

/// One shard's end of its mailbox.
#[derive(Debug)]
pub struct Inbox {
    messages: mpsc::Receiver<Mail>,
    events: mpsc::Receiver<Mail>,
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
            (Slot { messages: to_messages, events: to_events }, Inbox { messages, events })
        })
        .unzip();
    (Mailboxes { slots: slots.into(), ownership, counters }, inboxes)
}

impl Mailboxes {
    /// Which shard owns what.
    pub fn ownership(&self) -> &Ownership {
        &self.ownership
    }

    /// Messages and events that wait for a shard.
    pub fn depth(&self, shard: u16) -> usize {
        let waiting = |queue: &mpsc::Sender<Mail>| queue.max_capacity() - queue.capacity();
        self.slot(shard).map_or(0, |slot| waiting(&slot.messages) + waiting(&slot.events))
    }

    /// Hands a message from a datagram to its owner; dropped and counted where the mailbox is full.
    pub fn post_message(&self, owner: u16, source: Source, message: Message) {
        self.hop(owner, Mail::input(Input::Message { source, message }));
    }

    /// Hands a message on to a shard that has its call; dropped and counted where the mailbox is full.
    pub fn hand_on(&self, shard: u16, input: Input) {
        self.hop(shard, Mail::input(input));
    }

    /// Hands an event to a shard. Never waits; a full mailbox is counted and logged, and the event is lost.
    pub fn post_event(&self, shard: u16, input: Input) {
        let Some(slot) = self.slot(shard) else { return };
        if let Err(mpsc::error::TrySendError::Full(_)) = slot.events.try_send(Mail::input(input)) {
            self.counters.events_dropped.increment();
            tracing::error!(shard, "a shard does not take its events");
        }
    }

    /// Hands a shard what another one tells it. Never waits.
    ///
    /// # Errors
    /// The word, where there is no such shard or it does not take its events.
    pub fn post_word(&self, shard: u16, word: Word) -> Result<(), Word> {
        let Some(slot) = self.slot(shard) else { return Err(word) };
        let refused = match slot.events.try_send(Mail::input(Input::Word(word))) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Full(mail) | mpsc::error::TrySendError::Closed(mail)) => mail,
        };
        self.counters.events_dropped.increment();
        tracing::error!(shard, "a shard does not take what another one tells it");
        match refused {
            Mail::Input { input: Input::Word(word), .. } => Err(word),
            Mail::Input { .. } | Mail::Unreachable { .. } => Ok(()),
        }
    }

    /// Hands the same event to every shard.
    pub fn broadcast(&self, input: impl Fn() -> Input) {
        (0..self.ownership.shards()).for_each(|shard| self.post_event(shard, input()));
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
    /// The next piece of mail, events before messages; `None` when every sender is gone.
    pub(super) async fn next(&mut self) -> Option<Mail> {
        tokio::select! {
            biased;
            Some(event) = self.events.recv() => Some(event),
            Some(message) = self.messages.recv() => Some(message),
            else => None,
        }
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
    use super::*;
    use crate::ids::HashKey;
    use crate::peer::{ListenerId, Transport};
    use crate::random::SeededRandom;

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
