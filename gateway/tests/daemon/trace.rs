//! An operator looks at a call: what crosses goes to a file that Wireshark opens.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sip::Name;

use super::peers;
use super::reload::controlled;
use super::support::{Gateway, Media, Net, THEIRS, Talk, eventually, missing};

/// `voice-connector trace` at work; what it says is in a file.
pub(super) struct Look {
    child: Child,
    said: std::path::PathBuf,
}

impl Look {
    pub(super) fn begin(gateway: &Gateway, arguments: &[&str]) -> Look {
        let directory = gateway.config().parent().unwrap().to_path_buf();
        let said = directory.join(format!("said-{}", arguments.join("-").replace('/', "_").len()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
        command.args(["trace", "gateway.toml", "--pcap"]).args(arguments).current_dir(&directory);
        let err = std::fs::File::create(&said).unwrap();
        let child = command.stdout(Stdio::null()).stderr(err).spawn().unwrap();
        let look = Look { child, said };
        eventually("somebody looks", Duration::from_secs(20), || look.says("looking ..."));
        look
    }

    fn says(&self, what: &str) -> Result<(), String> {
        let text = std::fs::read_to_string(&self.said).unwrap();
        if text.contains(what) { Ok(()) } else { Err(text) }
    }

    pub(super) fn ends(mut self) -> String {
        assert!(self.child.wait().unwrap().success(), "{:?}", self.says("nothing"));
        std::fs::read_to_string(&self.said).unwrap()
    }
}

/// The payloads of a capture file's packets, IPv4 and UDP, with their ports.
fn packets(file: &Path) -> Vec<(u16, u16, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    let (mut rest, mut packets) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let word = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().unwrap()) as usize;
        if word(0) == 6 {
            let packet = &rest[28..28 + word(20)];
            let port = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
            packets.push((port(20), port(22), packet[28..].to_vec()));
        }
        rest = &rest[word(4)..];
    }
    packets
}

/// What `tshark` makes of a file: a line a packet.
pub(super) fn dissected(file: &Path, fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.args(["-r", file.to_str().unwrap(), "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn a_call_is_shown_with_its_media_and_another_is_not() {
    let net = Net(215);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start(net, &controlled(net, ""));
    let file = gateway.config().with_file_name("call.pcapng");
    let look = Look::begin(&gateway, &["call.pcapng", "--number", THEIRS, "--seconds", "4"]);
    let (mut a, mut b) = (Media::new(net.at(2, 7000), 1), Media::new(net.at(3, 7000), 2));
    let talk = |number: &str, a: &mut Media, b: &mut Media| {
        let mut talk = Talk::offers(&phone, &carrier, number, Some(a.plain()));
        b.learns(&talk.offered, 1);
        let answer = talk.answers("callee", Some(b.plain()));
        a.learns(&answer, 1);
        talk.acknowledges(None);
        for _ in 0..5 {
            a.reaches(b);
            b.reaches(a);
        }
        let invite = talk.offered.clone();
        talk.ends();
        invite
    };
    talk("+16285551213", &mut a, &mut b);
    let invite = talk(THEIRS, &mut a, &mut b);
    assert!(look.ends().contains(" frames in call.pcapng\n"));

    let packets = packets(&file);
    let sip: Vec<String> = packets
        .iter()
        .filter(|(from, to, _)| [*from, *to].contains(&5060))
        .map(|(.., bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    let lines: Vec<&str> = sip.iter().filter_map(|message| message.split(' ').next()).collect();
    assert!(lines.iter().filter(|line| **line == "INVITE").count() == 2, "{lines:?}");
    assert!(lines.iter().filter(|line| **line == "BYE").count() == 2, "{lines:?}");
    assert!(sip.iter().any(|message| message.contains(&*invite.value(Name::CallId).unwrap())));
    assert!(sip.iter().all(|message| !message.contains("+16285551213")), "another call's");
    let rtp = packets.iter().filter(|(from, to, _)| [*from, *to].contains(&7000)).count();
    assert!((20..=60).contains(&rtp), "five words each way, as they came and as they went: {rtp}");

    if !missing(&["tshark"]) {
        let seen = dissected(&file, &["frame.protocols", "_ws.malformed", "sip.Method", "rtp.ssrc"]);
        assert_eq!(seen.len(), packets.len());
        assert!(seen.iter().all(|line| !line.contains("malformed")), "{seen:#?}");
        let of = |protocol: &str| seen.iter().filter(|line| line.contains(protocol)).count();
        assert_eq!((of(":sip"), of(":rtp")), (sip.len(), rtp), "{seen:#?}");
    }
    gateway.stop();
}

/// Somebody begins to look at a call that is up: its media is shown from then on, though no message of it crosses.
#[test]
fn a_call_that_is_up_already_is_shown_too() {
    let net = Net(216);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start_sharded(net, 2, &controlled(net, ""));
    let file = gateway.config().with_file_name("call.pcapng");
    let (mut a, mut b) = (Media::new(net.at(2, 7000), 1), Media::new(net.at(3, 7000), 2));
    let mut talk = Talk::offers(&phone, &carrier, THEIRS, Some(a.plain()));
    b.learns(&talk.offered, 1);
    let answer = talk.answers("callee", Some(b.plain()));
    a.learns(&answer, 1);
    talk.acknowledges(None);
    let call_id = answer.call_id().unwrap().to_owned();
    let look = Look::begin(&gateway, &["call.pcapng", "--call", &call_id, "--seconds", "3"]);
    let second = Command::new(env!("CARGO_BIN_EXE_voice-connector"))
        .args(["trace", "gateway.toml", "--pcap", "other.pcapng", "--number", THEIRS])
        .current_dir(gateway.config().parent().unwrap())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("somebody looks at calls already"));
    for _ in 0..5 {
        a.reaches(&mut b);
        b.reaches(&mut a);
    }
    look.ends();
    let packets = packets(&file);
    assert!(packets.len() >= 20, "{}", packets.len());
    assert!(packets.iter().all(|(from, to, _)| [7000, 7001].iter().any(|port| [from, to].contains(&port))));
    talk.ends();
    gateway.stop();
}

/// The phone speaks SRTP. Its packets are shown as they are, and in the clear only where that is asked for; so are its keys.
#[test]
fn encrypted_media_is_shown_in_the_clear_only_where_that_is_asked_for() {
    const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
    let net = Net(250);
    let [phone, carrier] = peers(net);
    let route = "[[voice_connector.origination.route]]";
    let secure = format!("[voice_connector.peer]\nsrtp = \"required\"\n{route}");
    let gateway = Gateway::start(net, &controlled(net, "").replace(route, &secure));
    let (mut a, mut b) = (Media::new(net.at(2, 7000), 1), Media::new(net.at(3, 7100), 2));
    for clear in [false, true] {
        let name = format!("clear-{clear}.pcapng");
        let look: &[&str] = match clear {
            true => &[&name, "--number", THEIRS, "--seconds", "3", "--clear"],
            false => &[&name, "--number", THEIRS, "--seconds", "3"],
        };
        let look = Look::begin(&gateway, look);
        let mut talk = Talk::offers(&phone, &carrier, THEIRS, Some(a.keyed("RTP/SAVP", 1, SUITE)));
        b.learns(&talk.offered, 1);
        let answer = talk.answers("callee", Some(b.plain()));
        a.learns(&answer, 1);
        talk.acknowledges(None);
        for _ in 0..3 {
            a.reaches(&mut b);
            b.reaches(&mut a);
        }
        talk.ends();
        look.ends();
        let file = gateway.config().with_file_name(&name);
        let packets = packets(&file);
        let is_open = |bytes: &[u8]| bytes.len() > 12 && bytes[12..].iter().all(|byte| *byte == bytes[12]);
        let of = |port: u16| packets.iter().filter(move |(from, to, _)| [*from, *to].contains(&port));
        assert!(of(7000).count() >= 6 && of(7100).all(|(.., bytes)| is_open(bytes)));
        assert!(of(7000).all(|(.., bytes)| is_open(bytes) == clear), "{clear}");
        let keys = packets.iter().any(|(.., bytes)| String::from_utf8_lossy(bytes).contains(&a.key()));
        assert_eq!(keys, clear);
        if !missing(&["tshark"]) {
            let seen = dissected(&file, &["frame.protocols", "_ws.malformed", "rtp.payload"]);
            assert!(seen.iter().all(|line| !line.contains("malformed")), "{seen:#?}");
        }
    }
    gateway.stop();
}
