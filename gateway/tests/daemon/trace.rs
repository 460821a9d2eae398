//! An operator looks at a call: what crosses goes to a file that Wireshark opens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use sip::Name;

use super::peers;
use super::reload::controlled;
use super::support::{Gateway, Media, Net, PATIENCE, Process, THEIRS, Talk, eventually, missing};

/// `voice-connector trace` at work, for as long as it takes.
pub(super) struct Look {
    _process: Process,
    file: PathBuf,
}

impl Look {
    /// Begins to look at what `wanted` says.
    pub(super) fn begin(gateway: &Gateway, file: &str, wanted: &[&str]) -> Look {
        let path = gateway.config().with_file_name(file);
        // That the one who looked before is gone, the gateway finds out within a second.
        eventually("somebody looks", PATIENCE, || {
            let _ = std::fs::remove_file(&path);
            let mut process = Process::start("trace", trace(gateway, file, wanted), path.parent().unwrap());
            while process.ended().is_none() {
                if process.output().contains("looking ...") {
                    return Ok(Look { _process: process, file: path.clone() });
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(process.output())
        })
    }

    /// Ends it once the file has so many answers to a BYE.
    pub(super) fn ends_after(self, answers: usize) {
        self.ends_once(|bytes| {
            let text = String::from_utf8_lossy(bytes);
            let answers_a_bye = |head: &&str| head.contains(" BYE\r\n");
            let heads = text.split("SIP/2.0 200 ").skip(1).filter_map(|rest| rest.split("\r\n\r\n").next());
            heads.filter(answers_a_bye).collect::<BTreeSet<_>>().len() >= answers
        });
    }

    fn ends_once(self, has_all: impl Fn(&[u8]) -> bool) {
        eventually("all is shown", PATIENCE, || {
            let bytes = std::fs::read(&self.file).unwrap();
            if has_all(&bytes) { Ok(()) } else { Err(format!("{} bytes", bytes.len())) }
        });
    }
}

/// To look for the longest time that there is, unless `wanted` says another.
fn trace(gateway: &Gateway, file: &str, wanted: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    command.args(["trace", "gateway.toml", "--pcap", file]).args(wanted);
    command.current_dir(gateway.config().parent().unwrap()).stdin(Stdio::null());
    if !wanted.contains(&"--seconds") {
        command.args(["--seconds", "3600"]);
    }
    command
}

/// The payloads of a capture file's packets, IPv4 and UDP, with their ports.
fn packets(file: &Path) -> Vec<(u16, u16, Vec<u8>)> {
    let bytes = std::fs::read(file).unwrap();
    packets_of(&bytes)
}

fn packets_of(bytes: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    let (mut rest, mut packets) = (bytes, Vec::new());
    let word = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    // The last block may be on its way.
    while rest.len() >= 12 && rest.len() >= word(rest, 4) {
        let word = |at: usize| word(rest, at);
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
    let none = trace(&gateway, "none.pcapng", &["--number", THEIRS, "--seconds", "1"]).output().unwrap();
    let told = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.success() && told.ends_with("0 frames in none.pcapng\n"), "{told}");
    let look = Look::begin(&gateway, "call.pcapng", &["--number", THEIRS]);
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
    let before = a.said + b.said;
    let invite = talk(THEIRS, &mut a, &mut b);
    look.ends_after(2);

    let packets = packets(&file);
    let sip: Vec<String> = packets
        .iter()
        .filter(|(from, to, _)| [*from, *to].contains(&5060))
        .map(|(.., bytes)| String::from_utf8_lossy(bytes).into_owned())
        .collect();
    // What is said again on a busy machine is the same message.
    let messages: BTreeSet<&String> = sip.iter().collect();
    let of = |method: &str| messages.iter().filter(|message| message.starts_with(method)).count();
    assert_eq!((of("INVITE "), of("BYE ")), (2, 2), "{messages:#?}");
    assert!(sip.iter().any(|message| message.contains(&*invite.value(Name::CallId).unwrap())));
    assert!(sip.iter().all(|message| !message.contains("+16285551213")), "another call's");
    let rtp = packets.iter().filter(|(from, to, _)| [*from, *to].contains(&7000)).count();
    let most = usize::try_from(2 * (a.said + b.said - before)).unwrap();
    assert!(
        (20..=most).contains(&rtp),
        "five words each way, as they came and as they went: {rtp} of {most}"
    );

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
    let look = Look::begin(&gateway, "call.pcapng", &["--call", &call_id]);
    let second = trace(&gateway, "other.pcapng", &["--number", THEIRS]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("somebody looks at calls already"));
    for _ in 0..5 {
        a.reaches(&mut b);
        b.reaches(&mut a);
    }
    look.ends_once(|bytes| packets_of(bytes).len() >= 20);
    let packets = packets(&file);
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
        let wanted = ["--number", THEIRS, "--clear"];
        let look = Look::begin(&gateway, &name, &wanted[..if clear { 3 } else { 2 }]);
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
        look.ends_after(2);
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
            // Encrypted reports are no reports, and may or may not look like some.
            let is_read = |line: &&String| clear || !line.contains(":rtcp");
            assert!(seen.iter().filter(is_read).all(|line| !line.contains("malformed")), "{seen:#?}");
        }
    }
    gateway.stop();
}
