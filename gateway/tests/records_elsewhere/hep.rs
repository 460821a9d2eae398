//! Collectors that speak HEP3: Kamailio's, and one that reads byte by byte.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sip::Method;

use super::support::{Gateway, Kamailio, Media, Net, Office, THEIRS, Talk, eventually, missing, status_line};
use super::{PATIENCE, peers};

/// One packet, as a collector understood it.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Told {
    carrier: String,
    from: SocketAddr,
    to: SocketAddr,
    at: Duration,
    kind: String,
    agent: String,
    password: String,
    call: String,
    payload: String,
}

/// What Kamailio says of each packet.
fn collected(collector: &Kamailio) -> Vec<Told> {
    let output = collector.output();
    let told = |line: &str| {
        let fields: Vec<&str> = line.trim_end().split(' ').collect();
        let [
            family,
            carrier,
            from,
            to,
            from_port,
            to_port,
            seconds,
            micros,
            kind,
            agent,
            password,
            call,
            payload,
        ] = fields.try_into().unwrap();
        assert_eq!(family, "2");
        let bytes: Vec<u8> = (0..payload.len() / 2)
            .map(|at| u8::from_str_radix(&payload[at * 2..at * 2 + 2], 16).unwrap())
            .collect();
        let address = |ip: &str, port: &str| format!("{ip}:{port}").parse().unwrap();
        Told {
            carrier: carrier.to_owned(),
            from: address(from, from_port),
            to: address(to, to_port),
            at: Duration::from_secs(seconds.parse().unwrap())
                + Duration::from_micros(micros.parse().unwrap()),
            kind: kind.to_owned(),
            agent: agent.to_owned(),
            password: password.to_owned(),
            call: call.to_owned(),
            payload: String::from_utf8(bytes).unwrap(),
        }
    };
    output.lines().filter_map(|line| Some(told(line.split_once("HEP 3 ")?.1))).collect()
}

/// How many packets a stream has, each as long as it says.
fn packets(stream: &[u8]) -> usize {
    let (mut rest, mut count) = (stream, 0);
    while rest.len() >= 6 {
        assert_eq!(&rest[..4], b"HEP3");
        let length = usize::from(u16::from_be_bytes([rest[4], rest[5]]));
        let Some(behind) = rest.get(length..) else { break };
        (rest, count) = (behind, count + 1);
    }
    count
}

#[test]
fn a_call_is_told_to_collectors_as_it_crossed() {
    const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
    if missing(&["kamailio"]) {
        return;
    }
    let net = Net(22);
    let collector = Kamailio::collects(net);
    let other = TcpListener::bind(net.at(7, 9060)).unwrap();
    let [phone, carrier] = peers(net);
    let more = format!(
        "[[records.hep]]\nname = \"homer\"\naddress = \"{}\"\ncapture_id = 7\npassword = \"hush\"\n\
         [[records.hep]]\nname = \"other\"\naddress = \"{}\"\ntransport = \"tcp\"\n",
        net.at(6, 9060),
        net.at(7, 9060)
    );
    let route = "[[voice_connector.origination.route]]";
    let secure = format!("[voice_connector.peer]\nsrtp = \"required\"\n{route}");
    let config = Office { more: &more, ..Office::new(net, "udp") }.config().replace(route, &secure);
    let gateway = Gateway::start(net, &config);

    let (mut a, mut b) = (Media::new(net.at(2, 7000), 1), Media::new(net.at(3, 7000), 2));
    let mut talk = Talk::offers(&phone, &carrier, THEIRS, Some(a.keyed("RTP/SAVP", 1, SUITE)));
    b.learns(&talk.offered, 1);
    let answer = talk.answers("callee", Some(b.plain()));
    a.learns(&answer, 1);
    talk.acknowledges(None);
    for _ in 0..3 {
        a.reaches(&mut b);
        b.reaches(&mut a);
    }
    b.reports();
    for side in [&mut a, &mut b] {
        side.gets_a_report();
    }
    talk.ends();
    assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403);
    let calls: Vec<String> = gateway
        .call_details(2)
        .iter()
        .map(|record| record["TransactionId"].as_str().unwrap().to_owned())
        .collect();

    let told = eventually("what crossed", PATIENCE, || {
        let told = collected(&collector);
        if told.iter().any(|it| it.payload.contains(" 403 ")) { Ok(told) } else { Err(format!("{told:#?}")) }
    });
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    for it in &told {
        assert_eq!((it.agent.as_str(), it.password.as_str(), it.carrier.as_str()), ("7", "hush", "17"));
        assert!(now - it.at < 2 * PATIENCE, "{it:?}");
    }
    let ours = net.gateway();
    let of = |call: &str, kind: &str| -> Vec<&Told> {
        told.iter().filter(|it| it.call == call && it.kind == kind).collect()
    };
    // The call that was: each message on the leg that it crossed.
    let [talked, refused] = calls.as_slice() else { panic!() };
    let crossed: Vec<(String, SocketAddr, SocketAddr)> = of(talked, "1")
        .iter()
        .map(|it| (it.payload.split(' ').take(2).collect::<Vec<_>>().join(" "), it.from, it.to))
        .collect();
    let (pbx, host) = (phone.local, carrier.local);
    for (begins, from, to) in [
        ("INVITE sip:", pbx, ours),
        ("INVITE sip:", ours, host),
        ("SIP/2.0 200", host, ours),
        ("SIP/2.0 200", ours, pbx),
        ("ACK sip:", pbx, ours),
        ("ACK sip:", ours, host),
    ] {
        let is =
            |it: &&(String, SocketAddr, SocketAddr)| it.0.starts_with(begins) && (it.1, it.2) == (from, to);
        assert!(crossed.iter().any(|it| is(&it)), "{begins} {from} {to}: {crossed:#?}");
    }
    assert_eq!(crossed.iter().filter(|it| it.0.starts_with("BYE")).count(), 2, "{crossed:#?}");
    assert!(of(talked, "1").windows(2).all(|two| two[0].at <= two[1].at));
    let keys: Vec<&str> =
        told.iter().flat_map(|it| it.payload.lines()).filter(|line| line.contains("inline:")).collect();
    assert!(!keys.is_empty() && keys.iter().all(|line| line.contains("inline:***")), "{keys:?}");

    // RTCP of both sides of both legs, decrypted.
    let reports: Vec<(SocketAddr, SocketAddr, Value)> = of(talked, "5")
        .iter()
        .map(|it| (it.from, it.to, serde_json::from_str(&it.payload).unwrap()))
        .collect();
    let (a, b) = (net.at(2, 7001), net.at(3, 7001));
    let theirs = reports.iter().find(|(from, ..)| *from == b).unwrap();
    assert_eq!(
        (&theirs.2["type"], &theirs.2["ssrc"]),
        (&201.into(), &0x5eed_0002_u32.into()),
        "{reports:#?}"
    );
    for (side, ssrc) in [(a, 0x5eed_0001_u32), (b, 0x5eed_0002)] {
        let ours =
            reports.iter().find(|(_, to, _)| *to == side).unwrap_or_else(|| panic!("{side}: {reports:#?}"));
        assert_eq!(ours.0.ip(), net.ip(1), "{reports:#?}");
        assert_eq!(ours.2["report_blocks"][0]["source_ssrc"], ssrc, "{reports:#?}");
    }

    // The call that was refused, which the record calls the same.
    let lines: Vec<&str> = of(refused, "1").iter().map(|it| it.payload.lines().next().unwrap()).collect();
    let [invite, refusal] = lines.as_slice() else { panic!("{lines:?}") };
    assert!(invite.starts_with("INVITE ") && refusal.starts_with("SIP/2.0 403 "), "{lines:?}");

    // The other collector has as much.
    gateway.settled();
    let sent = eventually("all is told", PATIENCE, || {
        let metrics = gateway.metrics();
        let [homer, other] =
            ["homer", "other"].map(|name| metrics.sum("hep_packets_total", &[("collector", name)]));
        if homer == other && homer >= told.len() as f64 { Ok(homer) } else { Err(format!("{homer} {other}")) }
    });
    assert_eq!(gateway.metrics().sum("hep_dropped_total", &[]), 0.0);
    gateway.stop();
    let (mut stream, _) = other.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    assert!(packets(&bytes) as f64 >= sent, "{}", packets(&bytes));
    assert!(!String::from_utf8_lossy(&bytes).contains("hush"));
}

/// A collector that is away costs a call nothing, and what it misses is counted.
#[test]
fn a_collector_that_is_away_keeps_nobody_waiting() {
    let net = Net(23);
    let [phone, _carrier] = peers(net);
    let more = format!(
        "[[records.hep]]\nname = \"homer\"\naddress = \"{}\"\ntransport = \"tcp\"\n",
        net.at(7, 9060)
    );
    let gateway = Gateway::start(net, &Office { more: &more, ..Office::new(net, "udp") }.config());
    for _ in 0..3 {
        assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403);
    }
    eventually("what is missed is counted", PATIENCE, || {
        let dropped = gateway.metrics().sum("hep_dropped_total", &[("collector", "homer")]);
        if dropped >= 6.0 { Ok(()) } else { Err(dropped.to_string()) }
    });
    let log = gateway.tells("do not reach the collector");
    assert_eq!(log.matches("do not reach the collector").count(), 1, "{log}");
    // It comes back.
    let collector = TcpListener::bind(net.at(7, 9060)).unwrap();
    eventually("it has something", PATIENCE, || {
        assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403);
        let sent = gateway.metrics().sum("hep_packets_total", &[("collector", "homer")]);
        if sent >= 2.0 { Ok(()) } else { Err(sent.to_string()) }
    });
    drop(collector);
    gateway.tells("reach the collector again");
    gateway.stop();
}

/// What crosses outside calls: probes of ours, registrations, OPTIONS and MESSAGE of a customer's system.
#[test]
fn what_crosses_outside_calls_is_told_too() {
    if missing(&["kamailio"]) {
        return;
    }
    let net = Net(420);
    let collector = Kamailio::collects(net);
    let [phone, carrier] = peers(net);
    let more = format!("[[records.hep]]\nname = \"homer\"\naddress = \"{}\"\n", net.at(6, 9060));
    let probed = "name = \"carrier\"\noptions_interval = \"10s\"\n";
    let config = Office { more: &more, ..Office::new(net, "udp") }.config();
    let config = config.replace("name = \"carrier\"\n", probed);
    let config = config.replace(
        "[[voice_connector.origination.route]]",
        "[voice_connector.peer]\nregistration = \"accept\"\n[[voice_connector.origination.route]]",
    );
    let gateway = Gateway::start(net, &config);
    carrier.is_probed();
    for method in [Method::Options, Method::Message, Method::Register] {
        phone.ask(phone.request(method, &format!("sip:office@{}", net.gateway().ip())));
    }
    let (pbx, host, ours) = (phone.local, carrier.local, net.gateway());
    let wanted = [
        ("OPTIONS sip:", ours, host),
        ("SIP/2.0 200", host, ours),
        ("OPTIONS sip:", pbx, ours),
        ("MESSAGE sip:", pbx, ours),
        ("SIP/2.0 405", ours, pbx),
        ("REGISTER sip:", pbx, ours),
    ];
    eventually("what crossed", PATIENCE, || {
        let told = collected(&collector);
        let is = |(begins, from, to): &(&str, SocketAddr, SocketAddr)| {
            told.iter().any(|it| it.payload.starts_with(begins) && (it.from, it.to) == (*from, *to))
        };
        match wanted.iter().find(|it| !is(it)) {
            None => Ok(()),
            Some(lacks) => Err(format!("{lacks:?} in {told:#?}")),
        }
    });
    gateway.stop();
}
