//! Calls that are recorded: who is on which side of the file, and that time in it is true.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::{
    CUSTOMER, Gateway, Media, Net, Office, PATIENCE, Peer, REMOTE, SRTP, SecureTrunk, THEIRS, Talk,
    eventually, listening, missing,
};

const RECORDING: &str = "\n[voice_connector.recording]\ncalls = \"all\"\n";

/// The only recording below a records' directory.
fn recording(records: &Path) -> PathBuf {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.path() {
                path if path.is_dir() => walk(&path, found),
                path => found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    walk(&records.join("voice-connector-recordings"), &mut found);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// One side of a file, by sox.
fn side(file: &Path, channel: u32) -> Vec<i16> {
    let output = Command::new("sox")
        .arg(file)
        .args(["-t", "raw", "-r", "8000", "-e", "signed", "-b", "16", "-", "remix", &channel.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout.chunks_exact(2).map(|two| i16::from_le_bytes([two[0], two[1]])).collect()
}

/// Two phones, one behind an encrypted connector, play different tones: each is on its own side of the file.
#[test]
fn each_party_has_a_side_of_its_own() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let net = Net(500);
    let trunk = SecureTrunk::new(net);
    let logging = "\n[voice_connector.logging]";
    let gateway = Gateway::start(net, &trunk.config().replace(logging, &format!("{RECORDING}{logging}")));
    let carrier = listening(trunk.carrier("answermode=auto"));
    let mut pbx = trunk.pbx(SRTP).dial(&format!("sip:{THEIRS}@{};transport=tls", net.at(1, 5061)), 6);
    assert!(pbx.wait(Duration::from_secs(30)).success());
    let record = gateway.call_details(1).remove(0);
    assert_eq!((record["Status"].as_str(), record["Streaming"].as_bool()), (Some("Completed"), Some(true)));
    drop(carrier);
    let directory = gateway.stop();
    let file = recording(&directory.path().join("records"));
    let name = file.file_stem().unwrap().to_str().unwrap();
    assert!(name.ends_with(record["TransactionId"].as_str().unwrap()), "{name}");
    for (channel, tone) in [(1, CUSTOMER), (2, REMOTE)] {
        let heard = side(&file, channel);
        assert!(heard.len() > 8000 * 5 && heard.len() < 8000 * 9, "{} samples", heard.len());
        let middle = &heard[16_000..heard.len() - 16_000];
        let heard = support::tone(middle);
        assert!((heard / f64::from(tone) - 1.0).abs() < 0.05, "{channel}: {heard} Hz");
    }
}

/// A party that sends mu-law packets every 20 ms: silence, and in these seconds since it began a loud tone. Of twenty packets one
/// is lost, and where in them is decided by chance, but always in the same way.
struct Speaker {
    socket: UdpSocket,
    to: SocketAddr,
    loud: [Range<f64>; 2],
    loses: bool,
    seed: u32,
    chance: u32,
}

impl Speaker {
    fn new(party: &Media, loud: [Range<f64>; 2], loses: bool, seed: u32) -> Speaker {
        Speaker { socket: party.socket(), to: party.to.unwrap(), loud, loses, seed, chance: seed }
    }

    fn says(&mut self, n: u32) {
        let at = f64::from(n) * 0.02;
        let loud = self.loud.iter().any(|range| range.contains(&at));
        let mut packet = vec![0x80, 0];
        packet.extend((n as u16).to_be_bytes());
        packet.extend((n * 160).to_be_bytes());
        packet.extend(self.seed.to_be_bytes());
        // A square wave of 500 Hz, or next to nothing.
        packet.extend((0..160).map(|sample| match (loud, sample / 8 % 2) {
            (true, 0) => 0x90,
            (true, _) => 0x10,
            (false, _) => 0xff,
        }));
        self.chance = self.chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if !self.loses || self.chance >> 16 > 65_536 / 20 {
            self.socket.send_to(&packet, self.to).unwrap();
        }
    }
}

/// All speak, at the same moments however busy the machine is; returns when they began.
fn speak(speakers: &mut [Speaker], began: Instant, seconds: u32) -> Instant {
    let mut first = None;
    for n in 0..seconds * 50 {
        let due = began + Duration::from_millis(20) * n;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        first.get_or_insert_with(Instant::now);
        speakers.iter_mut().for_each(|speaker| speaker.says(n));
    }
    first.unwrap()
}

/// Where sound begins after each silence of a second, in seconds.
fn onsets(samples: &[i16]) -> Vec<f64> {
    let (mut onsets, mut last) = (Vec::new(), None);
    for (at, _) in samples.iter().enumerate().filter(|(_, sample)| sample.unsigned_abs() > 3000) {
        if last.is_none_or(|last| at - last > 8000) {
            onsets.push(at as f64 / 8000.0);
        }
        last = Some(at);
    }
    onsets
}

struct Up {
    gateway: Gateway,
    peers: [Peer; 2],
    media: [Media; 2],
}

fn office(net: Net, recording: &str) -> Up {
    let office = Office { termination: recording, ..Office::new(net, "udp") };
    let peers = [Peer::udp(net.at(2, 5070), net.gateway()), Peer::udp(net.at(3, 5060), net.gateway())];
    let config = office.config().replace("[admin]\n", "[admin]\nsocket = \"control.sock\"\n");
    let gateway = Gateway::start(net, &config);
    let media = [Media::new(net.at(2, 4000), b'a'), Media::new(net.at(3, 4000), b'b')];
    Up { gateway, peers, media }
}

/// What the command line says to the gateway's operator, whether it is done or not.
fn says(gateway: &Gateway, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    let at = gateway.config();
    let output = command.args(arguments).arg(&at).current_dir(at.parent().unwrap()).output().unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// Both speak at the same moments, at the beginning and at the end of the call, and of each one packet in twenty is lost.
#[test]
fn both_parties_are_in_step_at_the_end_of_a_lossy_call() {
    if missing(&["sox"]) {
        return;
    }
    let seconds = std::env::var("RECORDED_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let Up { gateway, peers, media: [mut phone, mut far] } = office(Net(501), RECORDING);
    let offer = phone.sdp("RTP/AVP", &[]);
    let answer = far.sdp("RTP/AVP", &[]);
    let (talk, answer) = Talk::up(&peers[0], &peers[1], THEIRS, offer, |_| answer);
    phone.learns(&answer, 0);
    far.learns(&talk.offered, 0);
    let answered = Instant::now();
    let began = answered + Duration::from_millis(300);
    let last = f64::from(seconds) - 1.0;
    let mut speakers = [(&phone, 7), (&far, 8)]
        .map(|(party, seed)| Speaker::new(party, [2.0..2.5, last..last + 0.5], true, seed));
    let began = speak(&mut speakers, began, seconds).duration_since(answered).as_secs_f64();
    talk.ends();
    let ended = answered.elapsed().as_secs_f64();
    gateway.call_details(1);
    let directory = gateway.stop();
    let file = recording(&directory.path().join("records"));
    let [caller, callee] = [1, 2].map(|channel| side(&file, channel));
    assert_eq!(caller.len(), callee.len());
    let length = caller.len() as f64 / 8000.0;
    assert!((began + f64::from(seconds) - 0.3..ended + 0.3).contains(&length), "{length} s of {ended}");
    let (caller, callee) = (onsets(&caller), onsets(&callee));
    assert_eq!((caller.len(), callee.len()), (2, 2), "{caller:?} {callee:?}");
    for (caller, callee) in caller.iter().zip(&callee) {
        assert!((caller - callee).abs() < 0.040, "{caller} and {callee}");
    }
    for onsets in [&caller, &callee] {
        assert!((onsets[1] - onsets[0] - (last - 2.0)).abs() < 0.040, "{onsets:?}");
        assert!((onsets[0] - began - 2.0).abs() < 0.1, "since the answer: {onsets:?}");
    }
}

/// The gateway is killed in mid call: what it has written plays, up to two seconds before.
#[test]
fn what_was_recorded_before_the_gateway_was_killed_plays() {
    if missing(&["sox"]) {
        return;
    }
    let Up { gateway, peers, media: [mut phone, far] } = office(Net(502), RECORDING);
    let (offer, answer) = (phone.sdp("RTP/AVP", &[]), far.sdp("RTP/AVP", &[]));
    let (_talk, answer) = Talk::up(&peers[0], &peers[1], THEIRS, offer, |_| answer);
    phone.learns(&answer, 0);
    let loud = [0.0..100.0, 0.0..0.0];
    speak(&mut [Speaker::new(&phone, loud, false, 7)], Instant::now(), 5);
    gateway.signal("KILL");
    let records = gateway.records();
    let file = recording(&records);
    let heard = side(&file, 1);
    let seconds = heard.len() as f64 / 8000.0;
    assert!((3.0..5.5).contains(&seconds), "{seconds} s");
    let heard = support::tone(&heard[8000..]);
    assert!((heard / 500.0 - 1.0).abs() < 0.05, "{heard} Hz");
}

/// `voice-connector record` begins, silences and ends the recording of a call that is up.
#[test]
fn the_operator_says_what_is_recorded() {
    if missing(&["sox"]) {
        return;
    }
    let on_demand = "\n[voice_connector.recording]\ncalls = \"on_demand\"\n";
    let Up { gateway, peers, media: [mut phone, far] } = office(Net(503), on_demand);
    let (offer, answer) = (phone.sdp("RTP/AVP", &[]), far.sdp("RTP/AVP", &[]));
    let (talk, answer) = Talk::up(&peers[0], &peers[1], THEIRS, offer, |_| answer);
    phone.learns(&answer, 0);
    let loud = [0.0..100.0, 0.0..0.0];
    let mut speaker = Speaker::new(&phone, loud, false, 7);
    let began = Instant::now();
    let speaker = std::thread::spawn(move || speak(std::slice::from_mut(&mut speaker), began, 8));
    let id = eventually("a call", PATIENCE, || {
        let told = says(&gateway, &["calls"]);
        told.split(' ').next().filter(|id| id.len() >= 8).map(str::to_owned).ok_or(told)
    });
    // When each order was given, and when it was obeyed.
    let [_, start, pause, resume, stop] = [
        ("pause", 0, "the call is not recorded"),
        ("start", 1, "is recorded from now on"),
        ("pause", 1, "is silent from now on"),
        ("resume", 1, "goes on"),
        ("stop", 1, "is not recorded any more"),
    ]
    .map(|(order, after, expected)| {
        std::thread::sleep(Duration::from_secs(after));
        let given = began.elapsed().as_secs_f64();
        let told = says(&gateway, &["record", order, &id]);
        assert!(told.contains(expected), "{order}: {told}");
        (given, began.elapsed().as_secs_f64())
    });
    let between = |(from, to): ((f64, f64), (f64, f64))| to.0 - from.1 - 0.3..to.1 - from.0 + 0.3;
    speaker.join().unwrap();
    talk.ends();
    assert_eq!(gateway.call_details(1)[0]["Streaming"], true);
    let directory = gateway.stop();
    let heard = side(&recording(&directory.path().join("records")), 1);
    let seconds = heard.len() as f64 / 8000.0;
    assert!(between((start, stop)).contains(&seconds), "{seconds} s: {start:?} to {stop:?}");
    // What is silent is so in one piece.
    let silent = heard.split(|sample| *sample != 0).map(<[i16]>::len).max().unwrap() as f64 / 8000.0;
    assert!(between((pause, resume)).contains(&silent), "{silent} s: {pause:?} to {resume:?}");
    let loud = heard.iter().filter(|sample| sample.unsigned_abs() > 3000).count() as f64 / 8000.0;
    assert!(loud > (seconds - silent) * 0.7, "{loud} s of {seconds}");
}
