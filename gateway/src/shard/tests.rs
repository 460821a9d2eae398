//! Shards and connections over real loopback sockets.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::transaction::Owner;
use sip::{Frame, Message, StreamFramer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::testing::{Gateway, clients, options, request, within};
use crate::core::{Effect, Input, Output, QueryId};
use crate::ids::Tokens;
use crate::listen::GuardLimits;
use crate::listen::stream::StreamLimits;
use crate::peer::{Peer, Transport};
use crate::random::SeededRandom;
use crate::resolve::{Lookup, ResolveError};

/// A phone's end of a TCP connection.
struct Phone {
    stream: TcpStream,
    framer: StreamFramer,
}

impl Phone {
    async fn connect(to: SocketAddr) -> Phone {
        Phone::new(TcpStream::connect(to).await.unwrap())
    }

    fn new(stream: TcpStream) -> Phone {
        Phone { stream, framer: StreamFramer::new(65_536, 65_536) }
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next frame; `None` at the end of the stream.
    async fn read(&mut self) -> Option<Frame> {
        within(async {
            loop {
                if let Some(frame) = self.framer.next().unwrap() {
                    return Some(frame);
                }
                let mut buffer = [0; 4_096];
                match self.stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => return None,
                    Ok(length) => self.framer.push(&buffer[..length]),
                }
            }
        })
        .await
    }

    async fn message(&mut self) -> Message {
        loop {
            match self.read().await {
                Some(Frame::Message(message)) => return message,
                Some(_) => {}
                None => panic!("the gateway closed the connection"),
            }
        }
    }
}

fn shard_of(answer: &Message) -> u16 {
    answer.value("X-Shard".into()).unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_message_reaches_its_shard_by_udp() {
    for shards in [1, 2, 4] {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let mut gateway = Gateway::new(shards, &[(Transport::Udp, loopback)]);
            let phone = UdpSocket::bind(loopback).await.unwrap();
            let mut buffer = vec![0; 65_536];
            for call in 0..24 {
                // Every other request is in a dialog that some shard began, whatever its Call-ID hashes to.
                let call_id = format!("{call}@phone");
                let shard = u16::try_from(call).unwrap() % shards;
                let tag = Tokens::new(0, shard, Box::new(SeededRandom::new(call))).tag();
                let tag = (call % 2 == 0).then_some(tag);
                let message = options("UDP", &call_id, "z9hG4bK1", tag.as_deref());
                let expect = if tag.is_some() { shard } else { gateway.ownership.owner(&message) };
                phone.send_to(message.bytes(), gateway.address(0)).await.unwrap();
                let (length, from) = within(phone.recv_from(&mut buffer)).await.unwrap();
                let answer = Message::parse(buffer[..length].to_vec().into()).unwrap();
                assert_eq!((shard_of(&answer), from), (expect, gateway.address(0)), "{call} of {shards}");
                let (heard_by, input) = gateway.input().await;
                assert_eq!(heard_by, expect);
                let Input::Message { source, .. } = input else { panic!("{input:?}") };
                assert_eq!(source.remote, phone.local_addr().unwrap());
                assert_eq!(source.local, gateway.address(0));
            }
            assert_eq!(gateway.counters.messages_in.value(), 24);
            assert!(shards == 1 || gateway.counters.hops.value() > 0);
            gateway.stop();
        }
    }
}

#[tokio::test]
async fn every_message_reaches_its_shard_by_tcp_however_the_stream_is_cut() {
    for shards in [1, 2, 4] {
        for loopback in ["127.0.0.1:0", "[::1]:0"] {
            let gateway = Gateway::new(shards, &[(Transport::Tcp, loopback)]);
            let mut phone = Phone::connect(gateway.address(0)).await;
            phone.stream.set_nodelay(true).unwrap();
            let requests: Vec<Message> =
                (0..24).map(|call| options("TCP", &format!("{call}@phone"), "z9hG4bK1", None)).collect();
            let wire: Vec<u8> = requests.iter().flat_map(|request| request.bytes().to_vec()).collect();
            // All in one write, then in pieces of a prime length.
            phone.write(&wire).await;
            for piece in wire.chunks(97) {
                phone.write(piece).await;
            }
            let mut left: Vec<&Message> = requests.iter().chain(&requests).collect();
            while !left.is_empty() {
                let answer = phone.message().await;
                let at = left.iter().position(|request| request.call_id() == answer.call_id()).unwrap();
                assert_eq!(shard_of(&answer), gateway.ownership.owner(left.remove(at)));
            }
            gateway.stop();
        }
    }
}

/// RFC 5626 §4.4.2: a phone whose keep-alives have no answer takes its flow for dead. Nobody else is told anything.
#[tokio::test]
async fn stun_keep_alives_of_who_is_listed_are_answered() {
    let gateway = Gateway::with(2, &[(Transport::Udp, "127.0.0.1:0")], |setup| {
        setup.listed = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let stranger = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut buffer = [0; 64];
    for socket in [&stranger, &phone] {
        socket.send_to(&request, gateway.address(0)).await.unwrap();
    }
    let (length, from) = within(phone.recv_from(&mut buffer)).await.unwrap();
    assert_eq!((length, from), (32, gateway.address(0)));
    assert_eq!(buffer[..2], [1, 1]);
    let port = phone.local_addr().unwrap().port() ^ 0x2112;
    assert_eq!(buffer[26..28], port.to_be_bytes());
    gateway.until(|counters| counters.keepalives_in.value() == 2).await;
    assert!(stranger.try_recv(&mut buffer).is_err());
    assert_eq!(gateway.counters.unparsable.value(), 0);
    gateway.stop();
}

#[tokio::test]
async fn keep_alives_are_answered_on_streams_and_ignored_on_udp() {
    let gateway = Gateway::new(2, &[(Transport::Tcp, "127.0.0.1:0"), (Transport::Udp, "127.0.0.1:0")]);
    let mut phone = Phone::connect(gateway.address(0)).await;
    phone.write(b"\r\n\r\n").await;
    let mut pong = [0; 2];
    within(phone.stream.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\r\n");

    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for keepalive in [&b"\r\n\r\n"[..], b"", b"\0\0\0\0"] {
        udp.send_to(keepalive, gateway.address(1)).await.unwrap();
    }
    gateway.until(|counters| counters.keepalives_in.value() == 4).await;
    assert_eq!(gateway.counters.unparsable.value(), 0);
    gateway.stop();
}

#[tokio::test]
async fn a_source_of_garbage_meets_silence() {
    let limits = GuardLimits { refusals: 3, ..GuardLimits::default() };
    let gateway =
        Gateway::with(2, &[(Transport::Udp, "127.0.0.1:0"), (Transport::Tcp, "127.0.0.1:0")], |setup| {
            setup.guard = limits;
        });
    let scanner = UdpSocket::bind("127.0.0.9:0").await.unwrap();
    for _ in 0..3 {
        scanner.send_to(b"GET / HTTP/1.0", gateway.address(0)).await.unwrap();
    }
    gateway.until(|counters| counters.unparsable.value() == 3).await;
    let good = options("UDP", "1@phone", "z9hG4bK1", None);
    scanner.send_to(good.bytes(), gateway.address(0)).await.unwrap();
    gateway.until(|counters| counters.silenced.value() == 1).await;
    // Its connections are closed as well; others are served as before.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.9:0".parse().unwrap()).unwrap();
    let mut stream = Phone::new(within(socket.connect(gateway.address(1))).await.unwrap());
    assert_eq!(stream.read().await, None);
    let phone = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    phone.send_to(good.bytes(), gateway.address(0)).await.unwrap();
    within(phone.recv_from(&mut [0; 2_000])).await.unwrap();
    gateway.stop();
}

#[tokio::test]
async fn a_closed_udp_port_fails_the_transaction_on_its_own_shard() {
    for shards in [1, 4] {
        let mut gateway = Gateway::new(shards, &[(Transport::Udp, "127.0.0.1:0")]);
        let [owner] = clients();
        for shard in 0..shards {
            let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let branch = Tokens::new(0, shard, Box::new(SeededRandom::new(9))).branch().to_string();
            let message = options("UDP", "1@gateway", &branch, None);
            gateway.transmit(shard, message, Peer::new(Transport::Udp, gateway.id(0), gone), owner);
            let (heard_by, input) = gateway.input().await;
            assert!(matches!(input, Input::SendFailed { owner: failed } if failed == owner), "{input:?}");
            assert_eq!(heard_by, shard);
        }
        assert_eq!(gateway.counters.unreachable.value(), u64::from(shards));
        gateway.stop();
    }
}

#[tokio::test]
async fn what_cannot_be_sent_at_all_fails_at_once() {
    let mut gateway = Gateway::new(1, &[(Transport::Udp, "127.0.0.1:0")]);
    let [owner] = clients();
    let message = options("UDP", "1@gateway", "z9hG4bK1", None);
    let mut peer = Peer::new(Transport::Udp, crate::peer::ListenerId(7), "127.0.0.1:9".parse().unwrap());
    gateway.transmit(0, message.clone(), peer.clone(), owner);
    assert!(matches!(gateway.input().await.1, Input::SendFailed { .. }));
    // No TLS yet, and no IPv6 from an IPv4 listener.
    peer.listener = gateway.id(0);
    peer.transport = Transport::Tls;
    gateway.transmit(0, message.clone(), peer.clone(), owner);
    assert!(matches!(gateway.input().await.1, Input::SendFailed { .. }));
    peer.transport = Transport::Tcp;
    peer.remote = "[::1]:9".parse().unwrap();
    gateway.transmit(0, message, peer, owner);
    assert!(matches!(gateway.input().await.1, Input::SendFailed { .. }));
    gateway.stop();
}

#[tokio::test]
async fn a_dialled_connection_is_used_again_and_replaced_when_it_is_lost() {
    let mut gateway = Gateway::new(2, &[(Transport::Tcp, "127.0.0.1:0")]);
    let carrier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer::new(Transport::Tcp, gateway.id(0), carrier.local_addr().unwrap());
    let [first, second, third] = clients();

    gateway.transmit(0, request("INVITE", "TCP", "1@gw", "z9hG4bKa", None), peer.clone(), first);
    gateway.transmit(1, request("INVITE", "TCP", "2@gw", "z9hG4bKb", None), peer.clone(), second);
    let mut flow = Phone::new(within(carrier.accept()).await.unwrap().0);
    let invites = [flow.message().await, flow.message().await];
    let answered = invites.iter().find(|invite| invite.call_id() == Ok("1@gw")).unwrap();
    assert_ne!(flow.stream.peer_addr().unwrap(), gateway.address(0), "the port is the system's choice");
    flow.write(gateway.reply(answered).bytes()).await;
    let (_, input) = gateway.input().await;
    assert!(matches!(input, Input::Message { ref message, .. } if message.is_response()), "{input:?}");

    // The second INVITE has no final response: its owner hears that the connection is gone, the first does not.
    drop(flow);
    let (shard, input) = gateway.input().await;
    assert!(matches!(input, Input::SendFailed { owner } if owner == second), "{input:?}");
    assert_eq!(shard, 1);

    gateway.transmit(0, request("INVITE", "TCP", "3@gw", "z9hG4bKc", None), peer, third);
    let mut flow = Phone::new(within(carrier.accept()).await.unwrap().0);
    assert_eq!(flow.message().await.call_id(), Ok("3@gw"));
    assert_eq!(gateway.counters.connections_dialled.value(), 2);
    gateway.stop();
}

#[tokio::test]
async fn a_request_takes_the_peers_flow_while_it_lives_and_dials_when_it_is_gone() {
    let mut gateway = Gateway::new(1, &[(Transport::Tcp, "127.0.0.1:0")]);
    let pbx = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut flow = Phone::connect(gateway.address(0)).await;
    flow.write(options("TCP", "1@pbx", "z9hG4bK1", None).bytes()).await;
    flow.message().await;
    let Input::Message { source, .. } = gateway.input().await.1 else { panic!() };
    let mut peer = source.peer();
    peer.remote = pbx.local_addr().unwrap();

    gateway.transmit(0, options("TCP", "2@gw", "z9hG4bK2", None), peer.clone(), Owner::Stateless);
    assert_eq!(flow.message().await.call_id(), Ok("2@gw"));
    drop(flow);
    gateway.until(|counters| counters.connections_open.value() == 0).await;
    gateway.transmit(0, options("TCP", "3@gw", "z9hG4bK3", None), peer, Owner::Stateless);
    let mut flow = Phone::new(within(pbx.accept()).await.unwrap().0);
    assert_eq!(flow.message().await.call_id(), Ok("3@gw"));
    gateway.stop();
}

#[tokio::test]
async fn a_refused_connection_fails_everything_that_waited_for_it() {
    let mut gateway = Gateway::new(2, &[(Transport::Tcp, "127.0.0.1:0")]);
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let peer = Peer::new(Transport::Tcp, gateway.id(0), gone);
    let owners = clients::<2>();
    for (shard, owner) in (0..).zip(owners) {
        gateway.transmit(shard, options("TCP", "1@gw", "z9hG4bK1", None), peer.clone(), owner);
    }
    for _ in owners {
        let (shard, input) = gateway.input().await;
        assert!(matches!(input, Input::SendFailed { owner } if owner == owners[usize::from(shard)]));
    }
    assert!(gateway.counters.dials_failed.value() >= 1);
    gateway.stop();
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_cut_off_and_its_transactions_told() {
    let mut gateway = Gateway::with(1, &[(Transport::Tcp, "127.0.0.1:0")], |setup| {
        setup.streams.queue_bytes = 256 << 10;
    });
    let carrier = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer::new(Transport::Tcp, gateway.id(0), carrier.local_addr().unwrap());
    let [owner] = clients();
    let big = request("INVITE", "TCP", "1@gw", "z9hG4bK1", Some(&"x".repeat(60_000)));
    // Kernel buffers take some megabytes first; this is more than 20.
    for _ in 0..400 {
        gateway.transmit(0, big.clone(), peer.clone(), owner);
    }
    let (_, input) = gateway.input().await;
    assert!(matches!(input, Input::SendFailed { owner: failed } if failed == owner), "{input:?}");
    gateway.until(|counters| counters.connections_overflowed.value() >= 1).await;
    gateway.stop();
}

#[tokio::test]
async fn connections_are_limited_by_source_and_strangers_cannot_shut_out_customers() {
    let gateway = Gateway::with(1, &[(Transport::Tcp, "127.0.0.1:0")], |setup| {
        setup.streams = StreamLimits { connections: 8, per_address: 3, per_stranger: 1, ..setup.streams };
        setup.listed = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let from = |address: &'static str| {
        let to = gateway.address(0);
        async move {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
            Phone::new(within(socket.connect(to)).await.unwrap())
        }
    };
    // One of each stranger, two strangers in all (a quarter of 8), three of the customer.
    let mut kept = Vec::new();
    for (address, served) in [
        ("127.0.0.7", true),
        ("127.0.0.7", false),
        ("127.0.0.8", true),
        ("127.0.0.9", false),
        ("127.0.0.1", true),
        ("127.0.0.1", true),
        ("127.0.0.1", true),
    ] {
        let mut phone = from(address).await;
        if served {
            phone.write(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await;
            phone.message().await;
            kept.push(phone);
        } else {
            assert_eq!(phone.read().await, None, "{address}");
        }
    }
    assert_eq!(gateway.counters.connections_refused.value(), 2);
    // For one more of the customer's, its own that was silent for longest is closed.
    let mut phone = from("127.0.0.1").await;
    phone.write(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await;
    phone.message().await;
    kept.push(phone);
    let mut oldest = kept.remove(2);
    assert_eq!(oldest.read().await, None);
    assert_eq!(gateway.counters.connections_refused.value(), 3);
    // A place that is given back is given out again.
    kept.clear();
    gateway.until(|counters| counters.connections_open.value() == 0).await;
    let mut phone = from("127.0.0.9").await;
    phone.write(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await;
    phone.message().await;
    gateway.stop();
}

/// Strangers and one customer have all places: a trunk that calls for help gets one, and so does a host that we dial.
#[tokio::test]
async fn a_full_table_takes_a_listed_address_and_dials() {
    let gateway = Gateway::with(1, &[(Transport::Tcp, "127.0.0.1:0")], |setup| {
        setup.streams = StreamLimits { connections: 4, ..setup.streams };
        setup.listed = vec!["127.0.0.0/30".parse().unwrap()];
    });
    let to = gateway.address(0);
    let from = |address: &'static str| async move {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
        let mut phone = Phone::new(within(socket.connect(to)).await.unwrap());
        phone.write(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await;
        phone.message().await;
        phone
    };
    let mut stranger = from("127.0.0.9").await;
    let mut busy = Vec::new();
    for _ in 0..3 {
        busy.push(from("127.0.0.1").await);
    }
    let trunk = from("127.0.0.2").await;
    assert_eq!(stranger.read().await, None);
    let carrier = TcpListener::bind("127.0.0.3:0").await.unwrap();
    let peer = Peer::new(Transport::Tcp, gateway.id(0), carrier.local_addr().unwrap());
    let [owner] = clients();
    gateway.transmit(0, request("OPTIONS", "TCP", "1@gw", "z9hG4bK1", None), peer, owner);
    within(carrier.accept()).await.unwrap();
    assert_eq!(busy[0].read().await, None);
    drop(trunk);
    gateway.stop();
}

#[tokio::test]
async fn no_sip_on_a_stream_ends_it_with_an_answer_where_one_is_possible() {
    let gateway = Gateway::with(1, &[(Transport::Tcp, "127.0.0.1:0")], |setup| {
        setup.streams = StreamLimits { header_bytes: 2_000, body_bytes: 2_000, ..setup.streams };
    });
    let mut phone = Phone::connect(gateway.address(0)).await;
    phone.write(request("INVITE", "TCP", "1@p", "z9hG4bK1", Some(&"x".repeat(3_000))).bytes()).await;
    let answer = phone.message().await;
    assert_eq!(answer.status().map(|status| status.code()), Some(513));
    assert!(crate::ids::token_info(&answer.to_tag().unwrap()).unwrap().stateless);
    assert_eq!(phone.read().await, None);

    let mut scanner = Phone::connect(gateway.address(0)).await;
    scanner.write(b"GET / HTTP/1.1\r\nHost: gateway\r\n\r\n").await;
    assert_eq!(scanner.read().await, None);
    gateway.until(|counters| counters.connections_broken.value() == 2).await;
    gateway.stop();
}

#[tokio::test]
async fn look_ups_come_back_to_their_shard() {
    let mut gateway = Gateway::new(2, &[(Transport::Udp, "127.0.0.1:0")]);
    let lookup = |host: &str| Lookup { host: host.into(), port: None, transport: Transport::Udp };
    gateway.output(1, Output::Resolve { query: QueryId(7), lookup: lookup("192.0.2.1") });
    let (shard, input) = gateway.input().await;
    let Input::Resolved { query: QueryId(7), result: Ok(addresses) } = input else { panic!("{input:?}") };
    assert_eq!((shard, addresses), (1, vec!["192.0.2.1:5060".parse().unwrap()]));
    gateway.output(0, Output::Resolve { query: QueryId(8), lookup: lookup("pbx.example") });
    let (shard, input) = gateway.input().await;
    let Input::Resolved { query: QueryId(8), result: Err(error) } = input else { panic!("{input:?}") };
    assert_eq!((shard, error), (0, ResolveError::NotFound("pbx.example".into())));
    gateway.stop();
}

#[tokio::test]
async fn timers_wake_the_machine_and_effects_reach_the_outside() {
    let mut gateway = Gateway::new(1, &[(Transport::Udp, "127.0.0.1:0")]);
    let start = std::time::Instant::now();
    gateway.wake_after(Duration::from_millis(30));
    assert!(matches!(gateway.effect().await, Effect::Drained));
    assert!(start.elapsed() >= Duration::from_millis(30));
    gateway.stop();
}

#[tokio::test]
async fn silent_connections_shut_nobody_out_and_end() {
    let gateway = Gateway::with(1, &[(Transport::Tcp, "127.0.0.1:0")], |setup| {
        setup.streams = StreamLimits { message_timeout: Duration::from_secs(3), ..setup.streams };
        setup.listed = vec!["127.0.0.1/32".parse().unwrap()];
    });
    let mut silent = Vec::new();
    for address in ["127.0.0.7", "127.0.0.1"] {
        for _ in 0..190 {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
            silent.push(within(socket.connect(gateway.address(0))).await.unwrap());
        }
    }
    let mut phone = Phone::connect(gateway.address(0)).await;
    phone.write(options("TCP", "1@phone", "z9hG4bK1", None).bytes()).await;
    phone.message().await;
    // Sixteen of the stranger were ever served, and by now none that said nothing.
    gateway.until(|counters| counters.connections_open.value() == 1).await;
    assert!(gateway.counters.connections_accepted.value() <= 16 + 190 + 1);
    phone.write(options("TCP", "2@phone", "z9hG4bK2", None).bytes()).await;
    phone.message().await;
    gateway.stop();
}

/// The client asked, and went without waiting for the answer.
#[tokio::test]
async fn nobody_is_dialled_for_an_answer_that_nothing_is_kept_of() {
    let mut gateway = Gateway::new(1, &[(Transport::Tcp, "127.0.0.1:0")]);
    let home = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut phone = Phone::connect(gateway.address(0)).await;
    let question = options("TCP", "1@phone", "z9hG4bK1", None);
    phone.write(question.bytes()).await;
    let (_, input) = gateway.input().await;
    let Input::Message { source, .. } = input else { panic!("{input:?}") };
    phone.message().await;
    drop(phone);
    gateway.until(|counters| counters.connections_open.value() == 0).await;
    let peer = Peer { remote: home.local_addr().unwrap(), ..source.peer() };
    let answer = sip::Builder::reply(&question, sip::StatusCode::OK, "OK", Some("1")).build();
    gateway.transmit(0, answer.clone(), peer.clone(), Owner::Stateless);
    gateway.until(|counters| counters.send_failures.value() == 1).await;
    assert_eq!(gateway.counters.connections_dialled.value(), 0);
    // One that somebody waits to hear of is run after: RFC 3261 §18.2.2.
    let [owner] = clients();
    gateway.transmit(0, answer, peer, owner);
    within(home.accept()).await.unwrap();
    gateway.stop();
}

/// Runs itself as a child process, which is to die.
#[test]
fn a_panic_on_a_shard_ends_the_process_and_says_so() {
    const CHILD: &str = "VOICE_CONNECTOR_TEST_PANIC";
    if std::env::var_os(CHILD).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut gateway = Gateway::new(1, &[(Transport::Udp, "127.0.0.1:0")]);
            gateway.refuse_effects();
            gateway.output(0, Output::Effect(Effect::Drained));
            gateway.input().await;
        });
        return;
    }
    let test = "shard::tests::a_panic_on_a_shard_ends_the_process_and_says_so";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&child.stderr);
    assert!(stderr.contains("voice-connector: thread shard-0 panicked; ending the process"), "{stderr}");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&child.status), Some(6), "{:?}", child.status);
}

#[test]
fn a_shard_that_hangs_gives_no_sign_of_life() {
    let gateway = Gateway::new(2, &[(Transport::Udp, "127.0.0.1:0")]);
    let hangs = gateway.hang(0);
    let start = Instant::now();
    let last_beat = |shard| {
        let now = Instant::now();
        now.checked_sub(gateway.pulse(shard).silence(now)).unwrap()
    };
    while last_beat(1) < start + 2 * crate::pulse::PERIOD {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(last_beat(0) < start + crate::pulse::PERIOD, "the other one beats alone");
    drop(hangs);
    while last_beat(0) < start + crate::pulse::PERIOD {
        std::thread::sleep(Duration::from_millis(1));
    }
    gateway.stop();
}
