//! Calls that are streamed while they last: each party's sound reaches a service of Kinesis Video Streams that reads it strictly, and a
//! WebSocket.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.
#![allow(dead_code)]

#[path = "../streaming/tests/support/kinesis.rs"]
mod kinesis;
#[path = "../streaming/tests/support/matroska.rs"]
mod matroska;
#[path = "../streaming/tests/support/signature.rs"]
mod signature;
mod support;
#[path = "../streaming/tests/support/websocket.rs"]
mod websocket;

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use kinesis::{REGION, Service};
use support::{Gateway, Media, Net, Office, PATIENCE, Peer, THEIRS, Talk, eventually};
use websocket::Server;

const PACKETS: u16 = 6 * 50;

/// A square wave of mu-law of so many samples a half, for six seconds.
fn speak(socket: &UdpSocket, to: SocketAddr, half: usize) {
    let began = Instant::now();
    for n in 0..PACKETS {
        let due = began + Duration::from_millis(20) * u32::from(n);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut packet = vec![0x80, 0];
        packet.extend(n.to_be_bytes());
        packet.extend((u32::from(n) * 160).to_be_bytes());
        packet.extend((half as u32).to_be_bytes());
        packet.extend((0..160).map(|sample| if (sample / half).is_multiple_of(2) { 0x90 } else { 0x10 }));
        socket.send_to(&packet, to).unwrap();
    }
}

#[test]
fn one_call_goes_to_two_sinks_and_a_recording() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(Service::start());
    let bot = runtime.block_on(Server::start([]));
    let net = Net(504);
    let more = format!(
        "\n[voice_connector.recording]\ncalls = \"all\"\n[[voice_connector.streaming.sink]]\nname = \"asr\"\nkind = \"kinesis\"\n\
         region = \"{REGION}\"\nendpoint = \"{}\"\naccess_key = \"{}\"\nsecret_key = \"{}\"\n\
         [[voice_connector.streaming.sink]]\nname = \"bot\"\nkind = \"websocket\"\nurl = \"{}\"\nformat = \"stereo\"\n",
        service.url,
        signature::KEY,
        signature::SECRET,
        bot.url.replace("localhost", "127.0.0.1"),
    );
    let office = Office { termination: &more, ..Office::new(net, "udp") };
    let peers = [Peer::udp(net.at(2, 5070), net.gateway()), Peer::udp(net.at(3, 5060), net.gateway())];
    let gateway = Gateway::start(net, &office.config());
    let [mut phone, mut far] = [Media::new(net.at(2, 4000), b'a'), Media::new(net.at(3, 4000), b'b')];
    let (offer, answer) = (phone.sdp("RTP/AVP", &[]), far.sdp("RTP/AVP", &[]));
    let (talk, answer) = Talk::up(&peers[0], &peers[1], THEIRS, offer, |_| answer);
    phone.learns(&answer, 0);
    far.learns(&talk.offered, 0);
    let speaks = [(&phone, 10), (&far, 4)] // 400 and 1000 Hz
        .map(|(party, half)| (party.socket(), party.to.unwrap(), half))
        .map(|(socket, to, half)| std::thread::spawn(move || speak(&socket, to, half)));
    speaks.into_iter().for_each(|speaker| speaker.join().unwrap());
    talk.ends();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Streaming"], true);
    eventually("all fragments", PATIENCE, || {
        let metrics = gateway.metrics();
        let live = metrics.sum("sound_streams_active", &[("sink", "kinesis")]);
        let started = metrics.sum("sound_streams_started_total", &[("sink", "kinesis")]);
        if (live, started) == (0.0, 2.0) { Ok(()) } else { Err(format!("{started} started, {live} live")) }
    });
    gateway.stop();
    let state = service.state.lock().unwrap();
    assert_eq!(state.wrong, Vec::<String>::new());
    assert_eq!(state.streams.len(), 2);
    let mut tones = Vec::new();
    for (name, stored) in &state.streams {
        assert!(name.starts_with("ChimeVoiceConnector-office-"), "{name}");
        let fragments: Vec<_> = stored.fragments.values().map(|(fragment, _)| fragment).collect();
        for fragment in &fragments {
            assert_eq!(fragment.tags["TransactionId"], record["TransactionId"].as_str().unwrap());
            assert_eq!(fragment.tags["VoiceConnectorId"], "office");
        }
        let sound: Vec<i16> =
            fragments.iter().flat_map(|fragment| fragment.samples.iter().copied()).collect();
        assert!((5.0..8.0).contains(&(sound.len() as f64 / 8000.0)), "{} samples", sound.len());
        tones.push(support::tone(&sound));
    }
    tones.sort_unstable_by(f64::total_cmp);
    let heard = bot.heard.lock().unwrap();
    let [heard] = &heard[..] else { panic!("{} WebSockets", heard.len()) };
    assert_eq!(heard.texts[0]["transactionId"], record["TransactionId"]);
    let bytes = heard.binaries.concat();
    let both: Vec<i16> = bytes.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect();
    for (channel, tone) in [(0, 390.0..=410.0), (1, 980.0..=1020.0)] {
        let side: Vec<i16> = both.iter().skip(channel).step_by(2).copied().collect();
        assert!((5.0..8.0).contains(&(side.len() as f64 / 8000.0)), "{} samples", side.len());
        let heard = support::tone(&side);
        assert!(tone.contains(&heard), "{channel}: {heard} Hz");
    }
    assert!((390.0..=410.0).contains(&tones[0]) && (980.0..=1020.0).contains(&tones[1]), "{tones:?}");
}
