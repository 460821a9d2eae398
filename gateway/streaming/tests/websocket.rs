//! The WebSocket client against a server on another library, and against every way it can fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // A test from its first line to its last.

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use audio::{Happening, Party};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use streaming::signature::signature;
use streaming::websocket::{Format, Settings, Target, WebSocket};
use streaming::{Open, Outcome};
use support::websocket::{Fault, Heard, Server};
use support::{call, client, frames, sample, speak};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_websockets::Message;

/// How long a test waits for what happens at once, on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(30);

fn target(server: &Server) -> Target {
    let headers = vec![("Authorization".to_owned(), "Bearer s3cret".into())];
    Target { url: server.url.clone(), headers, secret: Some("key".into()), client: client() }
}

fn sink(servers: &[&Server], format: Format) -> WebSocket {
    let settings = Settings { format, plays_to: Some(Party::Caller), kept: Duration::from_secs(5) };
    WebSocket::new(servers.iter().map(|server| target(server)).collect(), settings)
}

async fn rest(outcomes: &mut mpsc::Receiver<Outcome>, ends: usize) -> Vec<Outcome> {
    let mut found = Vec::new();
    let mut ended = 0;
    while ended < ends {
        let outcome = timeout(PATIENCE, outcomes.recv()).await.expect("an end").unwrap();
        ended += usize::from(matches!(outcome, Outcome::Ended { .. }));
        found.push(outcome);
    }
    found
}

fn events(heard: &Heard) -> Vec<&str> {
    let mut events: Vec<&str> = heard.texts.iter().map(|text| text["event"].as_str().unwrap()).collect();
    events.dedup();
    events
}

fn started(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Started { .. })).count()
}

fn failed(outcomes: &[Outcome]) -> Vec<&str> {
    let failed = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Failed { cause, .. } => Some(cause.as_str()),
        _ => None,
    });
    failed.collect()
}

fn dropped(outcomes: &[Outcome]) -> Duration {
    let ended = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Ended { dropped, .. } => Some(*dropped),
        _ => None,
    });
    ended.sum()
}

#[tokio::test]
async fn a_call_is_a_stream_of_twilios_messages() {
    let server = Server::start([]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Twilio).open(&call());
    speak(&input, 0, 50).await;
    let key = Happening::Digit {
        party: Party::Caller,
        start: Duration::from_millis(990),
        digit: '#',
        duration: Duration::from_millis(100),
    };
    input.try_send(key);
    drop(input);
    let outcomes = rest(&mut outcomes, 1).await;
    assert_eq!(
        (started(&outcomes), outcomes.len(), dropped(&outcomes)),
        (1, 2, Duration::ZERO),
        "{outcomes:?}"
    );
    let heard = server.heard.lock().unwrap()[0].clone();
    assert_eq!(events(&heard), ["connected", "start", "media", "dtmf", "stop"]);
    assert!(heard.ended, "closed as it should be");
    for (track, party) in [("inbound", Party::Caller), ("outbound", Party::Callee)] {
        let media: Vec<&Value> =
            heard.texts.iter().map(|text| &text["media"]).filter(|media| media["track"] == track).collect();
        assert_eq!(media.len(), 50);
        for (index, media) in media.iter().enumerate() {
            assert_eq!(media["chunk"], (index + 1).to_string());
            assert_eq!(media["timestamp"], (index * 20).to_string());
            let payload = STANDARD.decode(media["payload"].as_str().unwrap()).unwrap();
            let expected: Vec<i16> = (index * 160..(index + 1) * 160).map(|at| sample(party, at)).collect();
            use audio_codec::Decoder as _;
            let decoded = audio_codec::pcmu::PcmuDecoder::new().decode(&payload);
            let near = decoded.iter().zip(&expected).all(|(one, other)| (one - other).abs() <= 260);
            assert!(near && decoded.len() == 160, "{decoded:?}");
        }
    }
    let numbers: Vec<u64> = heard
        .texts
        .iter()
        .filter_map(|text| text["sequenceNumber"].as_str())
        .map(|number| number.parse().unwrap())
        .collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(heard.headers["authorization"], "Bearer s3cret");
    let signed = &heard.headers["voice-connector-signature"];
    let time = signed.split(['=', ',']).nth(1).unwrap().parse().unwrap();
    assert_eq!(*signed, signature("key", time, server.url.as_bytes()));
}

#[tokio::test]
async fn both_parties_are_interleaved_or_have_a_websocket_each() {
    let server = Server::start([]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Stereo).open(&call());
    speak(&input, 0, 50).await;
    let held = Happening::Hold { party: Party::Callee, start: Duration::from_secs(1), held: true };
    input.try_send(held);
    drop(input);
    assert_eq!(dropped(&rest(&mut outcomes, 1).await), Duration::ZERO);
    let heard = server.heard.lock().unwrap()[0].clone();
    assert_eq!(events(&heard), ["start", "hold", "stop"]);
    let header = &heard.texts[0];
    assert_eq!(
        [&header["encoding"], &header["rate"], &header["channels"]],
        [&json!("pcm_s16le"), &json!(8_000), &json!(2)]
    );
    let bytes = heard.binaries.concat();
    assert_eq!(bytes.len(), 50 * 160 * 4);
    for (at, pair) in bytes.as_chunks::<4>().0.iter().enumerate() {
        let [a, b, c, d] = *pair;
        let found = [i16::from_le_bytes([a, b]), i16::from_le_bytes([c, d])];
        assert_eq!(found, [sample(Party::Caller, at), sample(Party::Callee, at)], "{at}");
    }

    let server = Server::start([]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Mono).open(&call());
    speak(&input, 0, 50).await;
    drop(input);
    let outcomes = rest(&mut outcomes, 2).await;
    assert_eq!((started(&outcomes), outcomes.len()), (2, 4));
    let all = server.heard.lock().unwrap().clone();
    assert_eq!(all.len(), 2);
    for heard in all {
        let party = if heard.texts[0]["party"] == "caller" { Party::Caller } else { Party::Callee };
        let samples: Vec<i16> = heard
            .binaries
            .concat()
            .as_chunks::<2>()
            .0
            .iter()
            .map(|bytes| i16::from_le_bytes(*bytes))
            .collect();
        assert_eq!(samples, (0..8_000).map(|at| sample(party, at)).collect::<Vec<_>>());
        assert_eq!(heard.texts[0]["channels"], 1);
    }
}

#[tokio::test]
async fn what_the_server_sends_is_played_at_its_pace_until_it_is_cleared_and_marks_come_back() {
    let media = json!({ "event": "media", "media": { "payload": STANDARD.encode([0x80_u8; 800]) } });
    let mark = |name: &str| json!({ "event": "mark", "mark": { "name": name } });
    let say = [media.clone(), mark("played"), json!({ "event": "what" }), json!([1])];
    let say: Vec<Message> = say.iter().map(|value| Message::text(value.to_string())).collect();
    let server = Server::start([Fault::Say(say)]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Twilio).open(&call());
    let begun = Instant::now();
    speak(&input, 0, 5).await;
    let mut played = Vec::new();
    while played.len() < 800 {
        match timeout(PATIENCE, outcomes.recv()).await.unwrap().unwrap() {
            Outcome::Play { party: Party::Caller, rate: 8_000, samples } => {
                played.extend_from_slice(&samples)
            }
            Outcome::Started { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(70), "{:?}", begun.elapsed());
    assert_eq!(played, vec![32_124; 800]);
    drop(input);
    rest(&mut outcomes, 1).await;
    let heard = server.heard.lock().unwrap()[0].clone();
    let marks: Vec<&Value> = heard.texts.iter().filter(|text| text["event"] == "mark").collect();
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0]["mark"]["name"], "played");

    // Cleared: next to nothing is heard, and the mark comes at once.
    let long = json!({ "event": "media", "media": { "payload": STANDARD.encode([0x80_u8; 80_000]) } });
    let say = [long, mark("cut"), json!({ "event": "clear" })];
    let say: Vec<Message> = say.iter().map(|value| Message::text(value.to_string())).collect();
    let server = Server::start([Fault::Say(say)]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Twilio).open(&call());
    speak(&input, 0, 5).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&Outcome::Clear { party: Party::Caller }) {
        heard.push(timeout(PATIENCE, outcomes.recv()).await.expect("cleared").unwrap());
    }
    drop(input);
    let outcomes = [heard, rest(&mut outcomes, 1).await].concat();
    let played = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Play { .. })).count();
    assert!(played <= 3, "{played} frames");
    let heard = server.heard.lock().unwrap()[0].clone();
    assert!(heard.texts.iter().any(|text| text["mark"]["name"] == "cut"), "{:?}", heard.texts.last());
}

#[tokio::test]
async fn a_server_that_goes_is_come_back_to_and_the_next_by_priority_takes_over() {
    for fault in [Fault::Close(20), Fault::Drop(20)] {
        let server = Server::start([fault.clone()]).await;
        let Open { input, mut outcomes } = sink(&[&server], Format::Twilio).open(&call());
        for index in 0..75 {
            speak(&input, index, index + 1).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        drop(input);
        let outcomes = rest(&mut outcomes, 1).await;
        assert_eq!((started(&outcomes), failed(&outcomes).len()), (2, 1), "{fault:?}: {outcomes:?}");
        let heard = server.heard.lock().unwrap().clone();
        assert_eq!(events(&heard[1])[..3], ["connected", "start", "media"]);
    }
    for fault in [Fault::Refuse, Fault::Drop(0)] {
        let (bad, good) = (Server::start(vec![fault; 10]).await, Server::start([]).await);
        let Open { input, mut outcomes } = sink(&[&bad, &good], Format::Stereo).open(&call());
        speak(&input, 0, 50).await;
        drop(input);
        let outcomes = rest(&mut outcomes, 1).await;
        assert!(started(&outcomes) >= 1, "{outcomes:?}");
        let heard = good.heard.lock().unwrap().clone();
        assert!(heard.last().is_some_and(|heard| heard.ended));
    }
}

/// It is no better than one that is away: the waits double.
#[tokio::test]
async fn a_server_that_takes_a_websocket_and_closes_it_is_not_asked_again_and_again() {
    let server = Server::start(vec![Fault::Close(0); 100]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Twilio).open(&call());
    for index in 0..250 {
        speak(&input, index, index + 1).await;
        tokio::time::sleep(Duration::from_millis(19)).await;
        while outcomes.try_recv().is_ok() {}
    }
    let asked = server.heard.lock().unwrap().len();
    assert!((3..=6).contains(&asked), "{asked} times in 5 s");
}

#[tokio::test]
async fn what_was_missing_before_and_what_finds_no_room_is_counted_once() {
    let server = Server::start([]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Stereo).open(&call());
    let missed = input.missed();
    let (party, start) = (Party::Caller, Duration::ZERO);
    assert!(input.try_send(Happening::Dropped { party, start, duration: Duration::from_millis(340) }));
    // The sink does not get its turn: there is room for 256.
    for frame in (0..150).flat_map(frames).take(265) {
        input.try_send(frame);
    }
    assert_eq!(missed.take(), Duration::from_millis(10 * 20));
    assert_eq!(missed.take(), Duration::ZERO);
    drop(input);
    assert_eq!(dropped(&rest(&mut outcomes, 1).await), Duration::from_millis(340));
}

#[tokio::test]
async fn a_server_that_nobody_answers_at_costs_nothing_and_is_said_to_have_failed() {
    let settings = Settings { format: Format::Twilio, plays_to: None, kept: Duration::from_secs(2) };
    let mut running = JoinSet::new();
    for (url, why) in [
        ("ws://127.0.0.1:9/", "refused"),
        ("ws://[::1/", "URL"),
        ("wss://127.0.0.1:9/", "refused"),
        ("ftp://x/", ""),
        ("", ""),
    ] {
        running.spawn(async move {
            let target = Target { url: url.to_owned(), headers: Vec::new(), secret: None, client: client() };
            let Open { input, mut outcomes } = WebSocket::new(vec![target], settings).open(&call());
            speak(&input, 0, 300).await;
            drop(input);
            let outcomes = rest(&mut outcomes, 1).await;
            let causes = failed(&outcomes);
            assert!(causes.len() == 1 && causes[0].contains(why), "{url}: {causes:?}");
            assert!(dropped(&outcomes) >= Duration::from_secs(2 * 4), "{:?}", dropped(&outcomes));
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_reads_nothing_loses_the_oldest_and_is_told() {
    let server = Server::start([Fault::ReadsNothing, Fault::None]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Stereo).open(&call());
    // The sockets' buffers take some megabytes.
    let mut lost = Duration::ZERO;
    let begun = Instant::now();
    let mut index = 0;
    while begun.elapsed() < Duration::from_secs(14) {
        for _ in 0..20 {
            for frame in frames(index) {
                assert!(input.try_send(frame), "never in the way");
            }
            index += 1;
        }
        while let Ok(outcome) = outcomes.try_recv() {
            if let Outcome::Dropped { duration, .. } = outcome {
                lost += duration;
            }
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(lost > Duration::ZERO);
    drop(input);
    let outcomes = rest(&mut outcomes, 1).await;
    assert!(failed(&outcomes).iter().all(|cause| cause.contains("nothing was taken")), "{outcomes:?}");
    let heard = server.heard.lock().unwrap().clone();
    assert_eq!(heard.len(), 2, "it was left, and come back to");
    assert!(events(&heard[1]).contains(&"dropped"), "{:?}", events(&heard[1]));
}

#[tokio::test]
async fn a_server_that_floods_us_is_left() {
    let server = Server::start(vec![Fault::Flood; 20]).await;
    let Open { input, mut outcomes } = sink(&[&server], Format::Twilio).open(&call());
    speak(&input, 0, 50).await;
    let failure = async {
        loop {
            if let Outcome::Failed { cause, .. } = outcomes.recv().await.unwrap() {
                return cause;
            }
        }
    };
    let cause = timeout(PATIENCE, failure).await.unwrap();
    assert!(cause.contains("floods"), "{cause}");
    drop(input);
    rest(&mut outcomes, 1).await;
}

#[tokio::test]
async fn tls_knows_the_server_by_its_name_and_authority() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let server = Server::start_over([], Some(Arc::new(tls))).await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let settings = Settings { format: Format::Stereo, plays_to: None, kept: Duration::from_secs(2) };
    for (client, trusts) in [(streaming::http::Client::new(Arc::new(trusting)), true), (client(), false)] {
        let target = Target { client, ..target(&server) };
        let Open { input, mut outcomes } = WebSocket::new(vec![target], settings).open(&call());
        speak(&input, 0, 20).await;
        if !trusts {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        drop(input);
        let outcomes = rest(&mut outcomes, 1).await;
        assert_eq!(started(&outcomes) == 1, trusts, "{outcomes:?}");
        assert_eq!(
            failed(&outcomes).iter().any(|cause| cause.contains("certificate")),
            !trusts,
            "{outcomes:?}"
        );
    }
    assert_eq!(server.heard.lock().unwrap().len(), 1);
}
