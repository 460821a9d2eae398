use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::readiness::Obstacle;

struct Running {
    address: SocketAddr,
    readiness: Readiness,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<()>>,
}

/// - `address`: where to listen. The port is chosen, and requests go there by loopback.
async fn start(address: impl Into<std::net::IpAddr>, token: Option<&str>) -> Running {
    start_within(Limits::default(), address, token).await
}

async fn start_within(limits: Limits, address: impl Into<std::net::IpAddr>, token: Option<&str>) -> Running {
    let (metrics, readiness) = (Metrics::new("r"), Readiness::default());
    readiness.block(Obstacle::Starting, "not all listeners are bound");
    let token = token.map(SecretString::from);
    let address = SocketAddr::new(address.into(), 0);
    let admin = Admin::bind_within(limits, address, token, metrics, readiness.clone()).await.unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, admin.local_addr().port()));
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(admin.serve(async { stopped.await.unwrap_or_default() }));
    Running { address, readiness, stop, server }
}

impl Running {
    /// The whole answer to a request with these headers (each with its line end).
    async fn ask(&self, target: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("{target} HTTP/1.1\r\nHost: gateway\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap(); // Ends: the server closes.
        answer
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap().unwrap();
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn metrics_are_text_for_prometheus() {
    let server = start(Ipv4Addr::LOCALHOST, None).await;
    let answer = server.ask("GET /metrics", "").await;
    assert_eq!(status(&answer), "200");
    assert!(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{answer}");
    assert!(answer.contains("\nvoice_connector_sip_responses_total{class=\"2xx\"} 0\n"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn alive_is_not_ready() {
    let server = start(Ipv4Addr::LOCALHOST, None).await;
    assert_eq!(status(&server.ask("GET /healthz", "").await), "200");
    let answer = server.ask("GET /readyz", "").await;
    assert_eq!(status(&answer), "503");
    assert!(answer.ends_with("\r\n\r\nstarting: not all listeners are bound\n"), "{answer}");

    server.readiness.clear(Obstacle::Starting);
    assert_eq!(status(&server.ask("GET /readyz", "").await), "200");

    server.readiness.block(Obstacle::Draining, "2 calls left");
    let answer = server.ask("GET /readyz", "").await;
    assert_eq!(status(&answer), "503");
    assert!(answer.ends_with("draining: 2 calls left\n"), "{answer}");
    assert_eq!(status(&server.ask("GET /healthz", "").await), "200");
    server.stop().await;
}

#[tokio::test]
async fn other_requests_are_refused() {
    let server = start(Ipv4Addr::LOCALHOST, None).await;
    assert_eq!(status(&server.ask("GET /", "").await), "404");
    assert_eq!(status(&server.ask("POST /healthz", "Content-Length: 0\r\n").await), "405");
    server.stop().await;
}

#[tokio::test]
async fn off_loopback_every_request_brings_the_token() {
    let server = start(Ipv4Addr::UNSPECIFIED, Some("s3cret")).await;
    for (headers, expect) in [
        ("", "401"),
        ("Authorization: Bearer s3cre\r\n", "401"),
        ("Authorization: Bearer s3cret!\r\n", "401"),
        ("Authorization: Bearer \r\n", "401"),
        ("Authorization: s3cret\r\n", "401"),
        ("Authorization: Basic s3cret\r\n", "401"),
        ("Authorization: Bearer s3cret\r\n", "200"),
        ("authorization: bearer s3cret\r\n", "200"),
    ] {
        for target in ["GET /metrics", "GET /healthz"] {
            assert_eq!(status(&server.ask(target, headers).await), expect, "{headers}");
        }
        assert_eq!(
            status(&server.ask("GET /no", headers).await),
            if expect == "200" { "404" } else { "401" }
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn off_loopback_it_does_not_start_without_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let address = address.parse().unwrap();
        let result = Admin::bind(address, None, Metrics::new("r"), Readiness::default()).await;
        assert!(matches!(result, Err(AdminError::TokenRequired(_))), "{address}");
    }
    assert!(is_loopback((Ipv6Addr::LOCALHOST, 1).into()));
    assert!(is_loopback("[::ffff:127.0.0.1]:1".parse().unwrap()));
}

#[tokio::test]
async fn a_taken_address_is_an_error() {
    let server = start(Ipv4Addr::LOCALHOST, None).await;
    let error =
        Admin::bind(server.address, None, Metrics::new("r"), Readiness::default()).await.err().unwrap();
    assert!(error.to_string().starts_with(&format!("admin.address {}: ", server.address)), "{error}");
    server.stop().await;
}

/// The answer to `target`, which must not wait for anybody's time to run out.
async fn at_once(server: &Running, target: &str) -> String {
    let answer = tokio::time::timeout(Duration::from_secs(20), server.ask(target, ""));
    answer.await.expect("nobody keeps it waiting")
}

/// For ever: nothing in these tests may be waiting for these to pass.
const PATIENT: Limits = Limits {
    connections: 64,
    per_source: 16,
    request_time: Duration::from_secs(3_600),
    lifetime: Duration::from_secs(3_600),
    idle: None,
};

#[tokio::test]
async fn who_says_nothing_keeps_nobody_out() {
    let server = start_within(PATIENT, Ipv4Addr::LOCALHOST, None).await;
    let mut strangers = Vec::new();
    for number in 0..190 {
        let mut stranger = TcpStream::connect(server.address).await.unwrap();
        if number % 2 == 0 {
            stranger.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").await.unwrap();
        }
        strangers.push(stranger);
    }
    for target in ["GET /healthz", "GET /metrics", "GET /readyz"] {
        assert!(["200", "503"].contains(&status(&at_once(&server, target).await)), "{target}");
    }
    // The first of them had to go.
    let mut rest = Vec::new();
    let _ = strangers[0].read_to_end(&mut rest).await;
}

#[tokio::test]
async fn who_says_nothing_is_cut_off_soon() {
    let limits = Limits { request_time: Duration::from_secs(1), ..PATIENT };
    let server = start_within(limits, Ipv4Addr::LOCALHOST, None).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nX-Slow: ").await.unwrap();
    for stranger in [&mut silent, &mut slow] {
        let mut rest = Vec::new();
        let _ = stranger.read_to_end(&mut rest).await; // Closed or reset, but over.
    }
    assert_eq!(status(&at_once(&server, "GET /healthz").await), "200");
    server.stop().await;
}

/// A scraper that reads slowly is not cut off by those that say nothing.
#[tokio::test]
async fn who_has_asked_stays() {
    let limits = Limits { connections: 2, per_source: 2, ..PATIENT };
    let (open, source) = (listener::Open::default(), Ipv4Addr::LOCALHOST.into());
    let (asker, mut asked) = open.enter(source, &limits);
    open.set_asked(asker, true);
    let (_, mut silent) = open.enter(source, &limits);
    let (_, mut newest) = open.enter(source, &limits);
    assert!(silent.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    for stays in [&mut asked, &mut newest] {
        assert_eq!(stays.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }
}

/// After its answer a connection may be silent for long; what begins then has no more time than the first request had.
#[tokio::test]
async fn who_was_answered_may_ask_again_later() {
    use axum::serve::Listener as _;
    let limits = Limits {
        request_time: Duration::from_secs(1),
        idle: PATIENT.idle.or(Some(PATIENT.lifetime)),
        ..PATIENT
    };
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listener = Limited::new(listener, limits);
    let mut client = TcpStream::connect(address).await.unwrap();
    let (mut server, _) = listener.accept().await;
    let mut bytes = [0; 16];
    for _ in 0..2 {
        client.write_all(b"ask").await.unwrap();
        assert_eq!(server.read(&mut bytes).await.unwrap(), 3);
        server.write_all(b"answer").await.unwrap();
        assert_eq!(client.read(&mut bytes).await.unwrap(), 6);
        let silent = tokio::time::timeout(Duration::from_millis(1_500), server.read(&mut bytes)).await;
        assert!(silent.is_err(), "it may wait for its next request: {silent:?}");
    }
    client.write_all(b"as").await.unwrap();
    assert_eq!(server.read(&mut bytes).await.unwrap(), 2);
    let late = tokio::time::timeout(Duration::from_secs(20), server.read(&mut bytes)).await;
    let late = late.unwrap().unwrap_err();
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
}

/// Of those that were answered and wait, the oldest makes room before one that is being answered.
#[tokio::test]
async fn who_waits_for_its_next_request_makes_room() {
    let limits = Limits { connections: 2, per_source: 2, ..PATIENT };
    let (open, source) = (listener::Open::default(), Ipv4Addr::LOCALHOST.into());
    let (busy, mut answered) = open.enter(source, &limits);
    open.set_asked(busy, true);
    let (idle, mut waits) = open.enter(source, &limits);
    open.set_asked(idle, true);
    open.set_asked(idle, false);
    open.enter(source, &limits);
    assert!(waits.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Closed));
    assert_eq!(answered.try_recv(), Err(oneshot::error::TryRecvError::Empty));
}
