//! The torture messages of RFC 4475 and RFC 5118, sent to the running daemon from a listed address: the right class of
//! answer or silence, and after each of them it still answers a plain OPTIONS.
//!
//! The files lie beside the repository, in `shared/testdata/sip-torture`, whose README holds the verdicts of the RFCs;
//! `sip/tests/torture.rs` says what we chose where it leaves latitude, and why.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sip::{Message, Method, Name};
use support::{Gateway, Net, Peer, shown, status_line};

/// File, the status of its answer (0: none may come), what the answer must hold.
const ANSWERS: &[(&str, u16, &str)] = &[
    ("rfc4475/wsinv.dat", 481, ""), // Its To has a tag.
    ("rfc4475/intmeth.dat", 501, "Allow: INVITE"),
    ("rfc4475/esc01.dat", 404, "No voice connector at example.net"),
    ("rfc4475/escnull.dat", 405, "Allow: INVITE"),
    ("rfc4475/esc02.dat", 501, ""),
    ("rfc4475/lwsdisp.dat", 200, ""),
    ("rfc4475/longreq.dat", 484, "user is not an E.164 number with +"),
    ("rfc4475/dblreq.dat", 405, "CSeq: 8 REGISTER"), // And nothing for the INVITE behind it.
    ("rfc4475/semiuri.dat", 200, ""),
    ("rfc4475/transports.dat", 200, ""),
    ("rfc4475/mpart01.dat", 405, ""),
    ("rfc4475/unreason.dat", 0, ""),
    ("rfc4475/noreason.dat", 0, ""),
    ("rfc4475/badinv01.dat", 400, "Via"),
    ("rfc4475/clerr.dat", 400, "Content-Length"),
    ("rfc4475/ncl.dat", 400, "Content-Length"),
    ("rfc4475/scalar02.dat", 400, ""),
    ("rfc4475/scalarlg.dat", 0, ""),
    ("rfc4475/quotbal.dat", 400, "To"),
    ("rfc4475/ltgtruri.dat", 400, "Request-URI"),
    ("rfc4475/lwsruri.dat", 400, "Request-Line"),
    ("rfc4475/lwsstart.dat", 400, "Request-Line"),
    ("rfc4475/trws.dat", 400, "Request-Line"),
    ("rfc4475/escruri.dat", 400, "Request-URI"),
    ("rfc4475/baddate.dat", 484, ""), // The Date is ignored, the INVITE processed.
    ("rfc4475/regbadct.dat", 400, "Contact"),
    ("rfc4475/badaspec.dat", 400, "To"),
    ("rfc4475/baddn.dat", 400, "From"),
    ("rfc4475/badvers.dat", 505, ""),
    ("rfc4475/mismatch01.dat", 400, "CSeq"),
    ("rfc4475/mismatch02.dat", 501, ""),
    ("rfc4475/bigcode.dat", 0, ""),
    ("rfc4475/badbranch.dat", 400, "Via"),
    ("rfc4475/insuf.dat", 400, "missing"),
    ("rfc4475/unkscm.dat", 416, ""),
    ("rfc4475/novelsc.dat", 416, ""),
    ("rfc4475/unksm2.dat", 405, ""),
    ("rfc4475/bext01.dat", 420, "Unsupported: nothingSupportsThis, nothingSupportsThisEither"),
    ("rfc4475/invut.dat", 415, "Accept: application/sdp"),
    ("rfc4475/regaut01.dat", 405, ""),
    ("rfc4475/multi01.dat", 400, "more than one"),
    ("rfc4475/mcl01.dat", 400, "Content-Length: more than one"),
    ("rfc4475/bcast.dat", 0, ""),
    ("rfc4475/zeromf.dat", 200, ""), // It ends here.
    ("rfc4475/cparam01.dat", 405, ""),
    ("rfc4475/cparam02.dat", 405, ""),
    ("rfc4475/regescrt.dat", 405, ""),
    ("rfc4475/sdp01.dat", 406, ""),
    ("rfc4475/inv2543.dat", 400, "Contact: missing"),
    ("rfc5118/ipv6-good.dat", 405, ""),
    ("rfc5118/ipv6-bad.dat", 400, "Request-URI"),
    ("rfc5118/port-ambiguous.dat", 405, ""),
    ("rfc5118/port-unambiguous.dat", 405, ""),
    ("rfc5118/via-received-param-with-delim.dat", 481, ""),
    ("rfc5118/via-received-param-no-delim.dat", 200, ""),
    ("rfc5118/ipv6-in-sdp.dat", 484, ""),
    ("rfc5118/mult-ip-in-header.dat", 481, ""),
    ("rfc5118/mult-ip-in-sdp.dat", 484, ""),
    ("rfc5118/ipv4-mapped-ipv6.dat", 484, ""),
    ("rfc5118/ipv6-bug-abnf-3-colons.dat", 200, ""),
    ("rfc5118/ipv6-correct-abnf-2-colons.dat", 200, ""),
    ("rfc5118/fixed-content-length/ipv6-in-sdp.dat", 484, ""),
    ("rfc5118/fixed-content-length/mult-ip-in-sdp.dat", 484, ""),
    ("rfc5118/fixed-content-length/ipv4-mapped-ipv6.dat", 484, ""),
];

/// The ports of the topmost Vias: answers go there (RFC 3261 §18.2.2).
const PORTS: [u16; 4] = [5060, 5050, 6050, 19823];

/// The folder, if it is there. In CI it must be.
fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("VOICE_CONNECTOR_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let folder = shared.join("testdata/sip-torture");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "not there: {}", folder.display());
    eprintln!("SKIPPED: not there: {}", folder.display());
    None
}

/// A gateway at `example.com`, where most of the messages want to go.
fn start(net: Net) -> Gateway {
    let [gateway, admin] = [net.gateway(), net.admin()];
    let listed = net.ip(77);
    let config = format!(
        r#"
        [gateway]
        domain = "example.com"

        [[listen]]
        protocol = "udp"
        address = "{gateway}"

        [[listen]]
        protocol = "tcp"
        address = "{gateway}"

        [admin]
        address = "{admin}"

        [[voice_connector]]
        id = "office"

        [voice_connector.termination]
        allowlist = ["{listed}"]
        calling_plan = ["US"]
        "#
    );
    Gateway::start(net, &config)
}

/// Whether requests are answered, by each of several shards.
fn is_alive(peer: &Peer) {
    for _ in 0..4 {
        let answer = peer.ask(peer.request(Method::Options, "sip:example.com"));
        assert_eq!(status_line(&answer).0, 200, "{}", shown(&answer));
    }
}

#[test]
fn every_file_has_its_answer() {
    let Some(folder) = folder() else { return };
    let mut found = BTreeSet::new();
    for below in ["rfc4475", "rfc5118", "rfc5118/fixed-content-length"] {
        for entry in std::fs::read_dir(folder.join(below)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "dat") {
                found.insert(format!("{below}/{}", path.file_name().unwrap().to_str().unwrap()));
            }
        }
    }
    let told: BTreeSet<String> = ANSWERS.iter().map(|(file, ..)| (*file).to_owned()).collect();
    assert_eq!(told, found);
}

/// A daemon and its listed peers, at each of [`PORTS`] and one that only asks whether it lives.
struct House {
    gateway: Gateway,
    peers: [Peer; PORTS.len()],
    prober: Peer,
    /// What tells transactions and merged requests apart, of all that was sent.
    known: BTreeSet<String>,
}

impl House {
    fn start(net: Net) -> House {
        House {
            gateway: start(net),
            peers: PORTS.map(|port| Peer::udp(net.at(77, port), net.gateway())),
            prober: Peer::udp(net.at(77, 5080), net.gateway()),
            known: BTreeSet::new(),
        }
    }

    /// The peer at a port.
    fn at(&self, port: u16) -> &Peer {
        self.peers.iter().find(|peer| peer.local.port() == port).unwrap()
    }

    /// Sends a file and holds the answer to its line of the table.
    fn send(&self, bytes: Bytes, (file, status, text): (&str, u16, &str)) {
        println!("{file}"); // Seen where it fails.
        self.at(5060).send_bytes(&bytes);
        if status > 0 {
            let at = self.at(match file {
                "rfc4475/quotbal.dat" => 5050,
                "rfc5118/mult-ip-in-header.dat" => 6050,
                file if file.ends_with("ipv4-mapped-ipv6.dat") => 19823,
                _ => 5060,
            });
            let answer = at.receive();
            assert_eq!(status_line(&answer).0, status, "{file}: {}", shown(&answer));
            assert!(shown(&answer).contains(text), "{file}: not {text} in {}", shown(&answer));
            let message = Message::parse(bytes).unwrap();
            if message.check().is_ok() && message.method() == Some(Method::Invite) {
                self.at(5060).acknowledge(&message, &answer);
            }
        }
        is_alive(&self.prober);
        for peer in &self.peers {
            peer.has_nothing_new().unwrap_or_else(|message| panic!("{file}: {}", shown(&message)));
        }
    }
}

/// Several files are of one transaction, or two ways of one request: the second would be a repetition of the first.
fn identities(bytes: &Bytes) -> Vec<String> {
    let Ok(message) = Message::parse(bytes.clone()) else { return Vec::new() };
    let value = |name| message.value(name).unwrap_or_default().into_owned();
    vec![value(Name::Via), format!("{} {}", value(Name::CallId), value(Name::CSeq))]
}

#[test]
fn datagrams_get_the_answer_of_their_class_or_silence() {
    let Some(folder) = folder() else { return };
    let mut houses: Vec<House> = Vec::new();
    for (file, status, text) in ANSWERS {
        let bytes = Bytes::from(std::fs::read(folder.join(file)).unwrap());
        let identities = identities(&bytes);
        let fresh = |house: &House| !identities.iter().any(|one| house.known.contains(one));
        let place = houses.iter().position(fresh).unwrap_or(houses.len());
        if place == houses.len() {
            houses.push(House::start(Net(171 + u16::try_from(place).unwrap())));
        }
        houses[place].send(bytes, (file, *status, text));
        houses[place].known.extend(identities);
    }
    // Nothing of it was a call that went anywhere, and nothing is left of it.
    for house in houses {
        assert_eq!(house.gateway.metrics().sum("calls_answered_total", &[]), 0.0);
        house.gateway.settled();
        house.gateway.stop();
    }
}

#[test]
fn on_a_connection_framing_decides() {
    let Some(folder) = folder() else { return };
    let net = Net(199);
    let gateway = start(net);
    let connect = || Peer::tcp(net.at(77, 0), net.gateway());
    let file = |name: &str| std::fs::read(folder.join("rfc4475").join(name)).unwrap();
    // Where the next message begins can't be known: answered, and closed.
    for name in ["mcl01.dat", "ncl.dat"] {
        println!("{name}");
        let peer = connect();
        peer.send_bytes(&file(name));
        let answer = peer.receive();
        assert_eq!(status_line(&answer).0, 400, "{name}: {}", shown(&answer));
        assert!(shown(&answer).contains("Content-Length"), "{name}: {}", shown(&answer));
        assert!(peer.is_closed(), "{name}");
        is_alive(&connect());
    }
    // More octets may come: they do, and make it whole.
    let peer = connect();
    let message = file("clerr.dat");
    peer.send_bytes(&message);
    is_alive(&connect());
    let body = message.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
    peer.send_bytes(&vec![b'\n'; 9_999 + body - message.len()]);
    let answer = peer.receive();
    assert_eq!(status_line(&answer).0, 484, "{}", shown(&answer));
    // Two requests, two answers; the second has no Contact. Its body is longer than it says: what is beyond would be a
    // third request, a broken one, and end the connection.
    let peer = connect();
    let message = file("dblreq.dat");
    peer.send_bytes(message.strip_suffix(b"C\r\n\r\n").unwrap());
    let mut answers = [peer.receive(), peer.receive()]
        .map(|answer| (answer.value(Name::CSeq).unwrap().into_owned(), status_line(&answer).0));
    answers.sort();
    assert_eq!(answers, [("8 INVITE".to_owned(), 400), ("8 REGISTER".to_owned(), 405)]);
    is_alive(&peer);
    gateway.stop();
}
