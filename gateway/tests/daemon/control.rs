//! An operator's commands to a gateway with calls, by the control socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::reload::{command, controlled, printed, told};
use super::support::{Gateway, Net, THEIRS, Up, eventually, get, status_line};
use super::{PATIENCE, peers};

fn said(gateway: &Gateway, arguments: &[&str]) -> String {
    let (code, out, error) = printed(&command(gateway, arguments));
    assert_eq!((code, error.as_str()), (Some(0), ""), "{arguments:?}: {out}");
    out
}

fn refused(gateway: &Gateway, arguments: &[&str]) -> String {
    let (code, out, error) = printed(&command(gateway, arguments));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}: {error}");
    error
}

#[test]
fn calls_are_listed_shown_and_hung_up() {
    let net = Net(246);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--shards", "2"], &controlled(net, ""));
    let none = said(&gateway, &["calls", "gateway.toml"]);
    assert_eq!(none, "");
    let _up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    let line = said(&gateway, &["calls", "gateway.toml", "--state", "up", "--number", "5550100"]);
    let id = line.split_whitespace().next().unwrap_or_default().to_owned();
    assert!(line.contains(THEIRS) && line.contains("office -> "), "{line}");
    assert_eq!(said(&gateway, &["calls", "--socket", "control.sock", "--older", "1h"]), "");
    let json = said(&gateway, &["calls", "gateway.toml", "--json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["id"].as_str().unwrap().starts_with(&id) && json["state"] == "up", "{json}");

    let shown = said(&gateway, &["call", &id, "gateway.toml"]);
    for part in [
        "voice connector office at ",
        "dialog confirmed",
        "media    caller 0 packets",
        "INVITE",
        "answered after",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let view: Value =
        serde_json::from_str(&said(&gateway, &["call", &id, "gateway.toml", "--json"])).unwrap();
    assert!(
        view["media"]["milliseconds"].as_u64().is_some() && view["callee"]["dialog"] == "confirmed",
        "{view}"
    );
    assert_eq!(refused(&gateway, &["call", "0000-no-such", "gateway.toml"]), "there is no such call\n");

    let hung_up = said(&gateway, &["hangup", &id, "gateway.toml", "--cause", "Too long"]);
    assert!(hung_up.starts_with(&id) && hung_up.ends_with(" is hung up\n"), "{hung_up}");
    for peer in [&phone, &carrier] {
        let bye = peer.is_hung_up();
        assert_eq!(bye.value("Reason".into()).as_deref(), Some("SIP;cause=480;text=\"Too long\""));
    }
    assert!(refused(&gateway, &["hangup", &id, "gateway.toml"]).contains("no such call"));
    gateway.settled();
    gateway.stop();
}

#[test]
fn what_drains_takes_no_calls_until_it_is_put_back() {
    let net = Net(247);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &controlled(net, ""));
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    let asks = || phone.ask(phone.invite(THEIRS));
    let ready = || get(net.admin(), "/readyz").unwrap();
    let drained = |kind: &str| gateway.metrics().sum("draining", &[("kind", kind)]);

    let line = "voice connector office is draining: no new calls but emergencies, 1 live calls go on\n";
    assert_eq!(said(&gateway, &["drain", "gateway.toml", "--connector", "office"]), line);
    assert_eq!(status_line(&asks()).0, 503);
    assert_eq!(drained("connector"), 1.0);
    eventually("the note", PATIENCE, || match ready() {
        (200, text) if text.contains("draining: voice connector office") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    said(&gateway, &["reload", "gateway.toml"]);
    assert_eq!(status_line(&asks()).0, 503, "a new configuration changes nothing of that");
    said(&gateway, &["undrain", "gateway.toml", "--connector", "office"]);
    assert_eq!(drained("connector"), 0.0);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);

    said(&gateway, &["drain", "gateway.toml"]);
    let refusal = asks();
    assert_eq!(status_line(&refusal), (503, "Gateway is draining".to_owned()));
    assert_eq!(ready().0, 503);
    said(&gateway, &["undrain", "gateway.toml"]);
    assert_eq!(ready().0, 200);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);

    let error = refused(&gateway, &["drain", "gateway.toml", "--carrier", "nobody"]);
    assert_eq!(error, "the configuration has no carrier nobody\n");
    assert_eq!(refused(&gateway, &["undrain", "gateway.toml"]), "gateway is not draining\n");
    up.end(&phone, &carrier);
    gateway.stop();
}

#[test]
fn the_log_is_changed_while_the_gateway_runs() {
    let net = Net(248);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start(net, &controlled(net, ""));
    let level =
        |levels: &[&str]| said(&gateway, &[&["log", "level", "--config", "gateway.toml"], levels].concat());
    let before = level(&[]);
    level(&["gateway=off"]);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);
    gateway.settled();
    assert!(!gateway.log().contains("call ended"), "{}", gateway.log());
    assert_eq!(level(&["reset"]), before);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);
    told(&gateway, "call ended");
    let error = refused(&gateway, &["log", "level", "--config", "gateway.toml", "gateway=loud"]);
    assert!(error.starts_with("the filter ") && error.lines().count() == 1, "{error}");
    gateway.stop();
}

/// Who asks for much and reads nothing, or writes without end, is left alone with it, and keeps nobody waiting.
#[test]
fn a_peer_of_the_socket_is_bounded() {
    let net = Net(249);
    let gateway = Gateway::start(net, &controlled(net, ""));
    let path = gateway.config().with_file_name("control.sock");
    let connect = || UnixStream::connect(&path).unwrap();
    let endless: Vec<UnixStream> = (0..3)
        .map(|_| {
            let mut stream = connect();
            stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
            let more = b"{\"command\":\"calls\"}\n".repeat(4_096);
            while stream.write_all(&more).is_ok() {}
            stream
        })
        .collect();
    let mut stream = connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"{\"command\":\"calls\"}\n{\"command\":\"calls\",\"state\":\"no\"}\n").unwrap();
    let mut lines = BufReader::new(&mut stream).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "{\"done\":true}");
    assert!(lines.next().unwrap().unwrap().starts_with("{\"error\":\"no command: column "));
    // Such a client is let go of after ten seconds.
    for mut stream in endless {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut read = Vec::new();
        let ended = stream.read_to_end(&mut read).map_err(|error| error.kind());
        assert!(matches!(ended, Ok(_) | Err(std::io::ErrorKind::ConnectionReset)), "{ended:?}");
        assert!(read.len() < 4 << 20);
    }
    gateway.stop();
}
