//! NATS JetStream, by the real server.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::support::{Authority, Gateway, Net, Office, Peer, Process, eventually, get, missing, status_line};
use super::{PATIENCE, peers};

/// A server with JetStream.
struct Server {
    at: SocketAddr,
    process: Process,
}

impl Server {
    /// - `more`: of its configuration.
    fn start(net: Net, directory: &Path, more: &str) -> Server {
        let at = net.at(4, 4222);
        let [store, file] = ["store", "nats.conf"].map(|name| directory.join(name));
        let config = format!(
            "listen: \"{at}\"\nhttp: \"{}\"\njetstream {{ store_dir: \"{}\" }}\n{more}\n",
            net.at(4, 8222),
            store.display()
        );
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(file);
        let process = Process::start("nats-server", command, directory);
        eventually("the server", PATIENCE, || {
            if process.output().contains("Server is ready") { Ok(()) } else { Err(process.output()) }
        });
        Server { at, process }
    }

    fn stop(mut self) {
        self.process.signal("TERM");
        self.process.wait(PATIENCE);
    }

    /// What the server's own interface answers.
    fn ask(&self, what: &str, body: &Value) -> Value {
        let stream = TcpStream::connect(self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (mut reader, mut stream) = (BufReader::new(stream.try_clone().unwrap()), stream);
        let body = body.to_string();
        let login = json!({
            "verbose": false, "pedantic": false, "headers": true, "no_responders": true, "user": "judge", "pass": "judge",
        });
        let length = body.len();
        let words =
            format!("CONNECT {login}\r\nSUB answers 1\r\nPUB $JS.API.{what} answers {length}\r\n{body}\r\n");
        stream.write_all(words.as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            assert_ne!(reader.read_line(&mut line).unwrap(), 0, "{what}: the server hung up");
            assert!(!line.starts_with("-ERR"), "{what}: {line}");
            if line.starts_with("MSG ") {
                let mut body = vec![0; line.trim_end().rsplit(' ').next().unwrap().parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                let answer: Value = serde_json::from_slice(&body).unwrap();
                assert!(answer.get("error").is_none(), "{what}: {answer}");
                return answer;
            }
        }
    }

    fn make_stream(&self) {
        let config = json!({ "name": "CALLS", "subjects": ["voice-connector.>"], "storage": "file" });
        self.ask("STREAM.CREATE.CALLS", &config);
    }

    /// From now on the stream takes no message of more bytes, headers included.
    fn limit(&self, bytes: usize) {
        let mut config = self.ask("STREAM.INFO.CALLS", &json!({}))["config"].clone();
        config["max_msg_size"] = bytes.into();
        self.ask("STREAM.UPDATE.CALLS", &config);
    }

    /// Every message of the stream: its subject, headers and body, in their order, once there are so many.
    fn messages(&self, count: u64) -> Vec<(String, String, Value)> {
        eventually("messages", PATIENCE, || {
            let state = self.ask("STREAM.INFO.CALLS", &json!({}))["state"]["messages"].clone();
            if state.as_u64() == Some(count) { Ok(()) } else { Err(format!("{state} of {count}")) }
        });
        let message = |sequence: u64| {
            let answer = self.ask("STREAM.MSG.GET.CALLS", &json!({ "seq": sequence }));
            let text = |key: &str| decoded(answer["message"][key].as_str().unwrap());
            let body = serde_json::from_str(&text("data")).unwrap();
            (answer["message"]["subject"].as_str().unwrap().to_owned(), text("hdrs"), body)
        };
        (1..=count).map(message).collect()
    }
}

/// Base64 (RFC 4648 §4).
fn decoded(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte));
    let (mut bits, mut held, mut out) = (0, 0, Vec::new());
    for digit in digits {
        (bits, held) = ((bits << 6 | digit) & 0xfff, held + 6);
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from(bits >> held & 0xff).unwrap());
        }
    }
    String::from_utf8(out).unwrap()
}

/// Calls that are refused: two records each.
fn calls(phone: &Peer, count: usize) {
    for _ in 0..count {
        assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403);
    }
}

fn config(net: Net, more: &str) -> String {
    let more = format!("[[records.nats]]\nname = \"stream\"\n{more}");
    Office { more: &more, ..Office::new(net, "udp") }.config()
}

#[test]
fn a_stream_has_each_record_once_whoever_was_away() {
    if missing(&["nats-server"]) {
        return;
    }
    let net = Net(20);
    let directory = tempfile::tempdir().unwrap();
    let [phone, _carrier] = peers(net);
    let servers = format!("servers = [\"nats://{}\", \"nats://{}\"]\n", net.at(9, 4222), net.at(4, 4222));
    let mut gateway = Gateway::start(net, &config(net, &servers));
    let lag = |gateway: &Gateway| gateway.metrics().sum("sink_lag_records", &[("sink", "stream")]);

    // Nobody is there; then no stream takes it; then one does.
    calls(&phone, 3);
    gateway.call_details(3);
    gateway.tells("records wait for the sink");
    let server = Server::start(net, directory.path(), "");
    eventually("records that wait for a stream", PATIENCE, || {
        let asked = get(net.at(4, 8222), "/varz").unwrap().1;
        let asked = serde_json::from_str::<Value>(&asked).unwrap()["in_msgs"].as_u64().unwrap();
        if asked > 0 { Ok(()) } else { Err(asked.to_string()) }
    });
    assert!(lag(&gateway) >= 6.0);
    server.make_stream();
    server.messages(6);

    // The server is away, and the gateway too.
    server.stop();
    calls(&phone, 3);
    gateway.call_details(6);
    gateway.restart();
    calls(&phone, 2);
    gateway.call_details(8);
    let server = Server::start(net, directory.path(), "");
    let messages = server.messages(16);
    let ids: BTreeSet<&str> = messages.iter().map(|(_, headers, _)| header(headers, "Nats-Msg-Id")).collect();
    assert_eq!(ids.len(), 16);
    let mut of_calls: Vec<&str> = Vec::new();
    for (subject, headers, body) in &messages {
        let name = header(headers, "Voice-Connector-Record");
        let kept: Value =
            serde_json::from_slice(&std::fs::read(gateway.records().join(name)).unwrap()).unwrap();
        assert_eq!(kept, *body, "{name}");
        match subject.as_str() {
            "voice-connector.call_detail.office" => of_calls.push(body["TransactionId"].as_str().unwrap()),
            other => assert_eq!(other, "voice-connector.call._"),
        }
    }
    assert_eq!(of_calls.iter().collect::<BTreeSet<_>>().len(), 8, "{of_calls:?}");
    eventually("nothing waits", PATIENCE, || {
        let lag = lag(&gateway);
        if lag == 0.0 { Ok(()) } else { Err(lag.to_string()) }
    });
    gateway.stop();
}

fn header<'a>(headers: &'a str, name: &str) -> &'a str {
    let line = headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {headers}"))
}

/// The server knows us by our key, and is itself known by a private authority. What its stream has no room for is not asked again.
#[test]
fn a_stream_is_reached_by_tls_with_a_key_and_refuses_what_is_too_large() {
    /// As in the documentation of NATS.
    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    if missing(&["nats-server"]) {
        return;
    }
    let net = Net(21);
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::new("records");
    let leaf = authority.leaf(&[&net.ip(4).to_string()]);
    for (name, pem) in [("ca", &authority.pem), ("cert", &leaf.certificate), ("key", &leaf.key)] {
        std::fs::write(directory.path().join(format!("{name}.pem")), pem).unwrap();
    }
    let at = |name: &str| directory.path().join(name).display().to_string();
    let more = format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}\nallow_non_tls: true\n\
         authorization {{ users: [ {{ nkey: {PUBLIC} }}, {{ user: judge, password: judge }} ] }}",
        at("cert.pem"),
        at("key.pem")
    );
    let server = Server::start(net, directory.path(), &more);
    server.make_stream();
    let [phone, _carrier] = peers(net);
    let sink =
        format!("servers = \"tls://{}\"\nnkey = \"{SEED}\"\nca = \"{}\"", net.at(4, 4222), at("ca.pem"));
    let gateway = Gateway::start(net, &config(net, &sink));
    calls(&phone, 1);
    let mut sizes: Vec<(usize, String)> = server
        .messages(2)
        .into_iter()
        .map(|(subject, headers, body)| (headers.len() + body.to_string().len(), subject))
        .collect();
    sizes.sort();
    let [(small, kept), (large, refused)] = sizes.as_slice() else { panic!() };
    assert_ne!(kept, refused);
    server.limit((small + large) / 2);
    calls(&phone, 2);
    let messages = server.messages(4);
    assert!(messages[2..].iter().all(|(subject, ..)| subject == kept));
    eventually("what is lost is counted", PATIENCE, || {
        let lost = gateway.metrics().sum("sink_lost_records_total", &[("sink", "stream")]);
        if lost == 2.0 { Ok(()) } else { Err(lost.to_string()) }
    });
    let connections = get(net.at(4, 8222), "/connz?auth=1").unwrap().1;
    let connections: Value = serde_json::from_str(&connections).unwrap();
    let [ours] = connections["connections"].as_array().unwrap().as_slice() else { panic!("{connections:#}") };
    assert!(ours["name"].as_str().unwrap().starts_with("voice-connector/"), "{ours:#}");
    assert!(ours["tls_version"].is_string() && ours["authorized_user"] == PUBLIC, "{ours:#}");
    let log = eventually("both lines of the log", PATIENCE, || {
        let log = gateway.log();
        let refused = log.matches("the sink refused a record; the directory has it").count();
        if refused == 2 { Ok(log) } else { Err(log) }
    });
    assert!(!log.contains(SEED), "{log}");
}
