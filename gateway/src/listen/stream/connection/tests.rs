use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

use super::super::handle::Refused;
use super::*;
use crate::core::Input;
use crate::ids::{HashKey, Ownership};
use crate::listen::GuardLimits;
use crate::peer::Peer;
use crate::random::SeededRandom;
use crate::shard::testing::{clients, options, request};
use crate::shard::{Inbox, mailboxes};

/// A connection over a pipe, in virtual time.
struct Line {
    peer: DuplexStream,
    handle: Handle,
    inbox: Inbox,
    counters: Arc<ListenCounters>,
    served: JoinHandle<()>,
    started: Instant,
}

/// A connection that is not served yet, the shard's mailbox, the counters.
fn connection(accepted: bool, stranger: bool) -> (Connection, Handle, Inbox, Arc<ListenCounters>) {
    let key = HashKey::random(&mut SeededRandom::new(1));
    let counters = Arc::<ListenCounters>::default();
    let guard = Guard::new(GuardLimits::default(), key, Instant::now().into_std(), counters.clone());
    let ownership = Ownership::new(0, 1, key);
    let (mailboxes, mut inboxes) = mailboxes(ownership, counters.clone());
    let shared = Shared {
        sink: Arc::new(mailboxes),
        ownership,
        guard: Arc::new(guard),
        counters: counters.clone(),
        limits: StreamLimits::default(),
        tls: Arc::new(Tls::none()),
        troubles: Arc::new(Troubles::new(Instant::now().into_std())),
    };
    let peer = Peer::new(Transport::Tcp, ListenerId(0), "192.0.2.1:1024".parse().unwrap());
    let identity = Identity {
        id: ConnectionId(1),
        transport: peer.transport,
        listener: peer.listener,
        remote: peer.remote,
        stranger,
        dialled: (!accepted).then(|| DialKey::of(&peer)),
    };
    let (connection, handle) = Connection::new(identity, shared);
    (connection, handle, inboxes.remove(0), counters)
}

fn line(accepted: bool, stranger: bool, pipe_bytes: usize) -> Line {
    let (connection, handle, inbox, counters) = connection(accepted, stranger);
    let started = Instant::now();
    let (peer, ours) = tokio::io::duplex(pipe_bytes);
    let served = tokio::spawn(connection.serve(ours, "192.0.2.2:5060".parse().unwrap()));
    Line { peer, handle, inbox, counters, served, started }
}

impl Line {
    /// Waits for the end; seconds since the start.
    async fn ends_after(&mut self) -> u64 {
        (&mut self.served).await.unwrap();
        self.started.elapsed().as_secs()
    }

    async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
}

/// Who came by a list of everybody and has shown its password keeps its connection for as long as any customer.
#[tokio::test(start_paused = true)]
async fn who_has_shown_its_password_is_no_stranger() {
    let (connection, handle, mut inbox, _) = connection(true, true);
    let guard = connection.shared.guard.clone();
    guard.exempt(vec!["0.0.0.0/0".parse().unwrap()]);
    let (mut peer, ours) = tokio::io::duplex(4_096);
    let served = tokio::spawn(connection.serve(ours, "192.0.2.2:5060".parse().unwrap()));
    let started = Instant::now();
    peer.write_all(options("TCP", "1", "z9hG4bK1", None).bytes()).await.unwrap();
    inbox.next_input().await;
    guard.right_credentials(started.into_std(), "192.0.2.1".parse().unwrap(), "desk");
    served.await.unwrap();
    assert_eq!(started.elapsed().as_secs(), 30 * 60);
    drop(handle);
}

#[tokio::test(start_paused = true)]
async fn who_connects_owes_a_message_within_ten_seconds() {
    let mut line = line(true, true, 4_096);
    line.pass(8).await;
    line.peer.write_all(b"\r\n\r\nOPTIONS sip:half").await.unwrap();
    assert_eq!(line.ends_after().await, 10);
    assert_eq!(line.counters.connections_timed_out.value(), 1);
}

#[tokio::test(start_paused = true)]
async fn half_a_message_must_be_finished_within_ten_seconds_of_its_first_byte() {
    let mut line = line(true, false, 4_096);
    let message = options("TCP", "1@phone", "z9hG4bK1", None);
    line.peer.write_all(message.bytes()).await.unwrap();
    line.inbox.next_input().await;
    line.pass(100).await;
    let (half, rest) = message.bytes().split_at(50);
    line.peer.write_all(half).await.unwrap();
    line.pass(9).await;
    line.peer.write_all(rest).await.unwrap();
    line.inbox.next_input().await;
    line.pass(100).await;
    line.peer.write_all(half).await.unwrap();
    // A drop now and then does not help.
    for byte in rest.iter().take(9) {
        line.pass(1).await;
        line.peer.write_all(&[*byte]).await.unwrap();
    }
    assert_eq!(line.ends_after().await, 219);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_strangers_connection_soon_and_a_customers_late() {
    for (stranger, seconds) in [(true, 60), (false, 30 * 60)] {
        let mut line = line(true, stranger, 4_096);
        line.pass(5).await;
        line.peer.write_all(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await.unwrap();
        assert_eq!(line.ends_after().await, 5 + seconds);
    }
    // What we dialled owes us nothing at first, and a ping keeps a connection alive.
    let mut line = line(false, false, 4_096);
    line.pass(29 * 60).await;
    line.peer.write_all(b"\r\n\r\n").await.unwrap();
    assert_eq!(line.ends_after().await, (29 + 30) * 60);
}

#[tokio::test(start_paused = true)]
async fn pings_that_come_together_are_answered_together_and_each() {
    let mut line = line(true, false, 1 << 16);
    line.peer.write_all(&b"\r\n\r\n".repeat(1_000)).await.unwrap();
    let mut pongs = vec![0; 2_000];
    // A pipe gives what one write put in, as long as there is room.
    assert_eq!(line.peer.read(&mut pongs).await.unwrap(), 2_000);
    assert_eq!(pongs, PONG.repeat(1_000));
    assert_eq!(line.counters.keepalives_in.value(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_single_line_end_between_messages_owes_nothing() {
    let mut line = line(true, false, 4_096);
    line.peer.write_all(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await.unwrap();
    line.peer.write_all(b"\r\n").await.unwrap();
    assert_eq!(line.ends_after().await, 30 * 60);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stops_reading_is_given_fifteen_seconds() {
    let mut line = line(false, false, 100);
    let [first, second] = clients();
    for owner in [first, second] {
        let message = request("INVITE", "TCP", "1@gw", "z9hG4bK1", None);
        assert!(line.handle.send(message, owner, 0, 1 << 20).is_ok());
    }
    assert_eq!(line.ends_after().await, 15);
    for expect in [first, second] {
        let input = line.inbox.next_input().await;
        assert!(matches!(input, Input::SendFailed { owner } if owner == expect), "{input:?}");
    }
    let late = line.handle.send(options("TCP", "2@gw", "z9hG4bK2", None), first, 0, 1 << 20);
    assert!(matches!(late, Err(Refused::Gone(_))));
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded_by_bytes() {
    let line = line(false, false, 100);
    let message = options("TCP", "1@gw", "z9hG4bK1", None);
    let limit = message.bytes().len() * 3;
    for _ in 0..3 {
        assert!(line.handle.send(message.clone(), Owner::Stateless, 0, limit).is_ok());
    }
    assert!(matches!(line.handle.send(message.clone(), Owner::Stateless, 0, limit), Err(Refused::Overflow)));
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_leaves_before_a_good_end() {
    let mut line = line(false, false, 1 << 20);
    let message = options("TCP", "1@gw", "z9hG4bK1", None);
    for _ in 0..3 {
        assert!(line.handle.send(message.clone(), Owner::Stateless, 0, 1 << 20).is_ok());
    }
    line.handle.finish();
    let mut received = Vec::new();
    line.peer.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, message.bytes().repeat(3));
    assert_eq!(line.ends_after().await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_connection_that_cannot_be_opened_is_told() {
    let (connection, handle, mut inbox, counters) = connection(false, false);
    let [owner] = clients();
    assert!(handle.send(options("TCP", "1@gw", "z9hG4bK1", None), owner, 0, 1 << 20).is_ok());
    connection.open(async { Err::<Opened<DuplexStream>, _>(OpenError::aborted()) }).await;
    assert_eq!(counters.dials_failed.value(), 1);
    let input = inbox.next_input().await;
    assert!(matches!(input, Input::SendFailed { owner: failed } if failed == owner));
}

/// A peer that writes all that it has to ask before it reads the first answer, and then reads slowly.
#[tokio::test(start_paused = true)]
async fn who_asks_without_taking_answers_is_read_no_faster() {
    const ASKED: usize = 10_000;
    let Line { peer, handle, mut inbox, counters, .. } = line(true, false, 1 << 16);
    let (mut answers, mut questions) = tokio::io::split(peer);
    let asking = tokio::spawn(async move {
        for number in 0..ASKED {
            let question = options("TCP", &number.to_string(), &format!("z9hG4bK{number}"), None);
            questions.write_all(question.bytes()).await.unwrap();
        }
    });
    let answering = tokio::spawn(async move {
        for _ in 0..ASKED {
            let Input::Message { message, .. } = inbox.next_input().await else { panic!("not a message") };
            let answer = Builder::reply(&message, sip::StatusCode::OK, "OK", Some("1"));
            let answer = answer.header(Name::Allow, "INVITE, ACK, BYE, CANCEL, OPTIONS".repeat(10)).build();
            assert!(handle.send(answer, Owner::Stateless, 0, StreamLimits::default().queue_bytes).is_ok());
        }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    let mut framer = StreamFramer::new(4_096, 0);
    let (mut buffer, mut read) = ([0; 1_000], 0);
    while read < ASKED {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let length = answers.read(&mut buffer).await.unwrap();
        assert!(length > 0, "closed after {read} answers");
        framer.push(&buffer[..length]);
        while let Some(Frame::Message(_)) = framer.next().unwrap() {
            read += 1;
        }
    }
    asking.await.unwrap();
    answering.await.unwrap();
    assert_eq!(counters.connections_overflowed.value(), 0);
}

/// The shards have other work: a connection hands them no more than it may have in hand, and goes on as they do.
#[tokio::test(start_paused = true)]
async fn who_asks_faster_than_the_shards_answer_is_read_no_faster() {
    const ASKED: usize = 3_000;
    let Line { peer, mut inbox, counters, .. } = line(true, false, 1 << 16);
    let (_answers, mut questions) = tokio::io::split(peer);
    let question = options("TCP", "1@phone", "z9hG4bK1", None);
    let length = question.bytes().len();
    let asking = tokio::spawn(async move {
        for _ in 0..ASKED {
            questions.write_all(question.bytes()).await.unwrap();
        }
        questions
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    let in_hand = StreamLimits::default().in_hand_bytes / length;
    // The last one was read and waits for its turn.
    assert_eq!(counters.messages_in.value(), in_hand as u64 + 1);
    for _ in 0..ASKED {
        assert!(matches!(inbox.next_input().await, Input::Message { .. }));
    }
    asking.await.unwrap();
}
