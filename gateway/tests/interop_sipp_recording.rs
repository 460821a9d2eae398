//! Recording sessions: SIPp sends the INVITEs that recorders' clients write, and each stream is received at a port of its own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use sip::sdp::Sdp;
use sip::{Builder, Message, Method, Name};
use support::{
    EMPTY, Gateway, Media, Net, Office, PATIENCE, Peer, Script, Sipp, THEIRS, both_hear, calls, ended,
    eventually, is_completed, lines, listens, missing, stream,
};

const ACCEPTS: &str = "\n[voice_connector.siprec]\naccept = true\n";

fn start(net: Net) -> Gateway {
    Gateway::start(net, &Office { termination: ACCEPTS, ..Office::new(net, "udp") }.config())
}

/// The lines of such a message from Content-Type on, from where SIPp is.
fn shaped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/tests/siprec").join(name);
    let text = std::fs::read_to_string(path).unwrap().replace("192.0.2.5", "[local_ip]");
    let (head, body) = text.split_once("\n\n").unwrap();
    let content_type = head.lines().find(|line| line.starts_with("Content-Type")).unwrap();
    // Its scenario has no way to write this.
    let body = body.replace("<![CDATA[", "").replace("]]>", "").replace("<B>", "B.");
    format!("Require: siprec\n{content_type}\nContent-Length: [len]\n\n{body}")
}

const PARTIAL: &str = "<recording xmlns='urn:ietf:params:xml:ns:recording:1'><datamode>partial</datamode>\
                       <participant participant_id='carol'><nameID aor='sip:carol@example.com'/></participant></recording>";

#[test]
fn each_clients_session_is_taken_held_told_more_of_and_ended() {
    if missing(&["sipp"]) {
        return;
    }
    for (number, (name, labels, parties)) in [
        ("rfc_7866.sip", ["96", "97"], ["paul", "bob"]),
        ("old_namespace.sip", ["16777227", "16777228"], ["5551001", "5551002"]),
        ("metadata_first.sip", ["1", "2"], ["+12065550100", "+12065550101"]),
        ("third_part.sip", ["a_leg", "b_leg"], ["5551001", "5551002"]),
    ]
    .into_iter()
    .enumerate()
    {
        let net = Net(530 + u16::try_from(number).unwrap());
        let gateway = start(net);
        let shape = shaped(name);
        let update = format!(
            "Require: siprec\nContent-Type: application/rs-metadata+xml\nContent-Disposition: recording-session\n\
             Content-Length: [len]\n\n{PARTIAL}"
        );
        let script = Script::caller().invite(&shape).optional(100).expect(200);
        let script = script.matching(&format!("a=label:{}", labels[0])).matching("a=recvonly");
        let script = script.matching(&format!("a=label:{}", labels[1])).matching("[+]sip[.]srs").ack();
        let held = shape.replace("a=sendonly", "a=inactive");
        let script = script.pause(300).request("INVITE", &held).optional(100).expect(200);
        let script = script.matching("a=inactive").without("a=recvonly").ack();
        let script = script.request("UPDATE", &update).expect(200);
        let script = script.pause(300).request("BYE", EMPTY).expect(200);
        let sipp = Sipp::new("recorder", script, net.at(2, 5061), "u1").key("from", "src").to("recorder");
        sipp.call(net.gateway()).succeeded();
        let record = gateway.call_details(1).remove(0);
        assert_eq!(
            (&record["Direction"], &record["Streaming"]),
            (&"Outbound".into(), &true.into()),
            "{record:#}"
        );
        let numbers = [&record["SourcePhoneNumber"], &record["DestinationPhoneNumber"]];
        assert_eq!(numbers.map(Value::as_str), parties.map(Some), "{name}: {record:#}");
        gateway.settled();
        gateway.stop();
    }
}

/// A session by hand: two streams from these ports.
fn invite(peer: &Peer, ports: [SocketAddr; 2]) -> Builder {
    let [one, two] = ports;
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0\r\na=label:1\r\n\
         a=sendonly\r\nm=audio {} RTP/AVP 0\r\na=label:2\r\na=sendonly\r\n",
        one.port(),
        two.port(),
        ip = one.ip(),
    );
    let uri = format!("sip:5551@{};X-Voice-Connector-Record-Only=true", peer_gateway(one));
    peer.request(Method::Invite, &uri).body("application/sdp", Bytes::from(offer))
}

/// The gateway of the net that this address is of.
fn peer_gateway(at: SocketAddr) -> SocketAddr {
    let SocketAddr::V4(at) = at else { panic!("{at}") };
    let [a, b, c, _] = at.ip().octets();
    SocketAddr::new(std::net::Ipv4Addr::new(a, b, c, 1).into(), 5060)
}

fn inside(peer: &Peer, invite: &Message, accepted: &Message, method: Method, cseq: u32) -> Message {
    let target = accepted.value(Name::Contact).unwrap();
    let target = target.split(['<', '>']).nth(1).unwrap().to_owned();
    Builder::request(method.clone(), &target)
        .header(Name::Via, peer.via())
        .header(Name::MaxForwards, "70")
        .header(Name::From, invite.value(Name::From).unwrap().into_owned())
        .header(Name::To, accepted.value(Name::To).unwrap().into_owned())
        .header(Name::CallId, invite.call_id().unwrap())
        .header(Name::CSeq, format!("{cseq} {method}"))
        .build()
}

/// The samples of the only file of sound below a records' directory: left, right.
fn sound(records: &Path) -> Vec<[i16; 2]> {
    let mut unseen = vec![records.join("voice-connector-recordings")];
    let mut files = Vec::new();
    while let Some(path) = unseen.pop() {
        match std::fs::read_dir(&path) {
            Ok(entries) => unseen.extend(entries.map(|entry| entry.unwrap().path())),
            Err(_) => files.push(path),
        }
    }
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::read(&files[0]).unwrap();
    let data = bytes.windows(4).position(|four| four == b"data").unwrap() + 8;
    let sample = |two: &[u8]| i16::from_le_bytes([two[0], two[1]]);
    bytes[data..].chunks_exact(4).map(|four| [sample(&four[..2]), sample(&four[2..])]).collect()
}

/// A recording session is heard by what hears the connector's calls: the first stream is the caller's.
#[test]
fn each_stream_is_received_at_its_own_port_measured_and_recorded_at_its_own_side() {
    let net = Net(535);
    let kept = format!("{ACCEPTS}[voice_connector.recording]\ncalls = \"all\"\n");
    let gateway = Gateway::start(net, &Office { termination: &kept, ..Office::new(net, "udp") }.config());
    let peer = Peer::udp(net.at(2, 5062), net.gateway());
    let mut voices = [(4000, 1), (4002, 2)].map(|(port, voice)| Media::new(net.at(2, port), voice));
    let invite = invite(&peer, [voices[0].at, voices[1].at]).build();
    peer.send(&invite);
    let accepted = loop {
        let response = peer.receive();
        if response.status().unwrap().is_final() {
            break response;
        }
    };
    assert_eq!(accepted.status().unwrap().code(), 200, "{accepted:?}");
    peer.send(&inside(&peer, &invite, &accepted, Method::Ack, 1));
    let answer = Sdp::parse(accepted.body()).unwrap();
    for (voice, stream) in voices.iter_mut().zip(answer.streams()) {
        voice.to = stream.rtp();
    }
    for count in 0..50 {
        voices[0].says();
        if count % 2 == 0 {
            voices[1].says();
        }
        std::thread::sleep(Duration::from_millis(25)); // Longer than the shortest that has a quality record.
    }
    let received = || {
        let labels = [("side", "customer"), ("direction", "received")];
        gateway.metrics().sum("rtp_packets_total", &labels)
    };
    eventually("all packets", PATIENCE, || match received() {
        75.0 => Ok(()),
        count => Err(format!("{count} packets")),
    });
    // Nobody hears anybody.
    voices.iter_mut().for_each(Media::hears_nothing);
    peer.send(&inside(&peer, &invite, &accepted, Method::Bye, 2));
    assert_eq!(peer.receive().status().unwrap().code(), 200);
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Streaming"], true, "{record:#}");
    gateway.settled();
    assert_eq!(gateway.metrics().sum("rtp_packets_total", &[("direction", "sent")]), 0.0);
    let directory = gateway.stop();
    let samples = sound(&directory.path().join("records"));
    let quality = lines(&directory.path().join("records"), "aws/ChimeVoiceConnectorLogs").remove(0);
    for (flow, packets) in [("cust2vc", 50), ("rem2vc", 25), ("vc2cust", 0), ("vc2rem", 0)] {
        assert_eq!(quality[format!("{flow}_rtp_packets")], packets, "{flow}: {quality:#}");
    }
    // What the voices' packets are filled with, as G.711 has it; the second one's come too late for half of their time.
    let count = |side: usize, level| samples.iter().filter(|one| one[side] == level).count();
    assert!(count(0, -31_100) > 2_000 && count(1, -30_076) > 500, "{} samples", samples.len());
    assert_eq!((count(1, -31_100), count(0, -30_076)), (0, 0));
}

/// A trunk whose calls are recorded by a server at 127.0.N.5, and else by one at 127.0.N.6.
fn recorded(net: Net, more: &str) -> Gateway {
    let server = |host: u8| format!("{{ host = \"{}\", port = 5060, priority = {host} }}", net.ip(host));
    let siprec = format!("\n[voice_connector.siprec]\nserver = [{}, {}]\n{more}\n", server(5), server(6));
    Gateway::start(net, &Office { termination: &siprec, ..Office::new(net, "udp") }.config())
}

/// What a recording server answers: each stream at a port of this host.
fn takes(host: SocketAddr) -> String {
    let ip = host.ip();
    format!(
        "Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=- 1 1 IN IP4 {ip}\ns=-\nc=IN IP4 {ip}\nt=0 0\n\
         m=audio 7000 RTP/AVP 0\na=label:1\na=recvonly\nm=audio 7002 RTP/AVP 0\na=label:2\na=recvonly\n"
    )
}

/// A recording server that takes a session.
fn records(net: Net, host: u8) -> Script {
    let script = Script::callee().matching("Require: siprec").matching("[+]sip[.]src");
    let script = script.matching("a=label:1").matching("a=label:2").matching("application/rs-metadata[+]xml");
    let script = script.matching("<datamode>complete</datamode>");
    script.answer(200, "OK", &takes(net.at(host, 0))).expect("ACK").gets_hung_up_on()
}

/// What each party says reaches the server at the port of its stream, and nothing of it is missing in the call.
#[test]
fn each_party_is_heard_by_the_recording_server_at_a_port_of_its_own() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(537);
    let server = listens(net, 5, records(net, 5));
    let gateway = recorded(net, "on_failure = \"refuse\"");
    let mut heard = [7000, 7002].map(|port| Media::new(net.at(5, port), 0));
    let [pbx, carrier] = [net.at(2, 5062), net.at(3, 5060)].map(|at| Peer::udp(at, net.gateway()));
    let [mut one, mut other] = [(2, 1), (3, 2)].map(|(host, voice)| Media::new(net.at(host, 4000), voice));
    let invite = pbx.request(Method::Invite, &format!("sip:{THEIRS}@{}", net.gateway()));
    let invite = invite.body("application/sdp", Bytes::from(one.plain())).build();
    pbx.send(&invite);
    let called = carrier.receive();
    other.to = stream(&called).rtp();
    let accepts = carrier.reply_builder(&called, 200, "OK");
    let accepts = accepts.header(Name::Contact, format!("<sip:phone@{}>", net.at(3, 5060)));
    carrier.send(&accepts.body("application/sdp", Bytes::from(other.plain())).build());
    let accepted = loop {
        let response = pbx.receive();
        if response.status().unwrap().is_final() {
            break response;
        }
    };
    assert_eq!(carrier.receive().method(), Some(Method::Ack));
    one.to = stream(&accepted).rtp();
    pbx.send(&inside(&pbx, &invite, &accepted, Method::Ack, 1));
    gateway.tells("is recorded by a recording server");
    for (speaker, voice) in [(&mut one, 1), (&mut other, 2)] {
        for _ in 0..20 {
            speaker.says();
        }
        let server = &mut heard[voice - 1];
        for seq in 0..20 {
            let word = eventually("a copy", PATIENCE, || server.hears().ok_or("nothing".into()));
            assert_eq!((usize::from(word.voice), word.ssrc), (voice, speaker.ssrc), "{seq}");
        }
    }
    both_hear(&mut one, &mut other);
    pbx.send(&inside(&pbx, &invite, &accepted, Method::Bye, 2));
    let bye = carrier.receive();
    carrier.reply(&bye, 200, "OK");
    server.stop();
    gateway.call_details(1);
    gateway.settled();
    gateway.stop();
}

/// 200 without a description, with one stream only, refusals, and a server that is not there: the call goes on.
#[test]
fn servers_that_do_not_record_disturb_no_call() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(538);
    let mute = Script::callee().answer(200, "OK", EMPTY).expect("ACK").gets_hung_up_on();
    let one_stream = takes(net.at(6, 0)).replace("m=audio 7002", "m=audio 0");
    let half = Script::callee().answer(200, "OK", &one_stream).expect("ACK").gets_hung_up_on();
    let (first, second) = (listens(net, 5, mute), listens(net, 6, half));
    let gateway = recorded(net, "");
    let callee = listens(net, 3, Script::answers().gets_hung_up_on());
    calls(&gateway, Script::connects().hangs_up()).succeeded();
    [callee, first, second].into_iter().for_each(|run| drop(run.stop()));
    gateway.tells("does not record a call");
    is_completed(Some(ended(gateway)));
    // Nobody records, and nobody is there.
    let net = Net(539);
    let refuses = Script::callee().answer(503, "Service Unavailable", EMPTY).expect("ACK");
    let first = listens(net, 5, refuses);
    let gateway = recorded(net, "");
    let callee = listens(net, 3, Script::answers().gets_hung_up_on());
    calls(&gateway, Script::connects().hangs_up()).succeeded();
    [callee, first].into_iter().for_each(|run| drop(run.stop()));
    is_completed(Some(ended(gateway)));
}

/// A gateway that dies with a session up hangs it up when it starts again.
#[test]
fn a_session_of_an_earlier_run_is_hung_up() {
    let net = Net(536);
    let mut gateway = start(net);
    let peer = Peer::udp(net.at(2, 5062), net.gateway());
    let invite = invite(&peer, [net.at(2, 4000), net.at(2, 4002)]).build();
    peer.send(&invite);
    let accepted = loop {
        let response = peer.receive();
        if response.status().unwrap().is_final() {
            break response;
        }
    };
    peer.send(&inside(&peer, &invite, &accepted, Method::Ack, 1));
    gateway.kill_and_run();
    let bye = peer.receive();
    assert_eq!(bye.method(), Some(Method::Bye), "{bye:?}");
    peer.reply(&bye, 200, "OK");
    let record = gateway.call_details(1).remove(0);
    assert_eq!(
        (&record["Direction"], &record["Streaming"]),
        (&"Outbound".into(), &true.into()),
        "{record:#}"
    );
    gateway.stop();
}
