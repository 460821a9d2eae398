//! A call between two baresip softphones, authenticated by digest, with a tone in each direction.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::Duration;

use support::{
    Baresip, Gateway, Heard, Net, OURS, Office, PATIENCE, THEIRS, eventually, is_billed, lines, missing,
};

/// How long the caller stays, in seconds.
const CALL: u32 = 8;

/// What each side plays, in hertz.
const CUSTOMER: u32 = 440;
const REMOTE: u32 = 1000;

/// baresip 1.0 gives up where it knows not every challenge.
const CREDENTIALS: &str = r#"
credentials = [{ username = "alice", password = "correct-horse" }]
digest_algorithms = ["MD5"]
"#;

fn is_tone(heard: &Heard, frequency: u32) {
    let expected = f64::from(frequency);
    assert!((heard.frequency / expected - 1.0).abs() < 0.05, "{heard:?} is not {frequency} Hz");
    assert!(heard.seconds > f64::from(CALL) / 2.0, "{heard:?} is too short");
}

fn tones_cross(net: Net, protocol: &str) {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let gateway =
        Gateway::start(net, &Office { termination: CREDENTIALS, ..Office::new(net, protocol) }.config());
    let codec = "audio_codecs=pcmu/8000/1";
    let account = format!(
        "<sip:{THEIRS}@{}:5060;transport={protocol}>;regint=0;answermode=auto;{codec}",
        net.carrier()
    );
    let callee = Baresip::new((net.carrier(), 5060).into(), REMOTE, &account).listen();
    eventually("the callee listens", PATIENCE, || {
        let output = callee.output();
        if output.contains("baresip is ready") { Ok(()) } else { Err(output) }
    });
    let account = format!(
        "<sip:{OURS}@{};transport={protocol}>;auth_user=alice;auth_pass=correct-horse;regint=0;{codec}",
        net.gateway()
    );
    let caller = Baresip::new((net.pbx(), 5060).into(), CUSTOMER, &account);
    let mut caller = caller.dial(&format!("sip:{THEIRS}@{}", net.gateway()), CALL);
    let status = caller.wait(Duration::from_secs(30));
    assert!(status.success(), "the caller ended with {status}");

    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert_eq!(record["StatusMessage"], "OK");
    assert_eq!(record["SipAuthUser"], "alice");
    is_billed(&record);
    gateway.settled();
    is_tone(&caller.heard(), REMOTE);
    is_tone(&callee.heard(), CUSTOMER);

    // What a side sent is what the other side got, but for what a busy machine sent on too late; and none was lost.
    let directory = gateway.stop();
    let qualities = lines(&directory.path().join("records"), "aws/ChimeVoiceConnectorLogs");
    let quality = qualities.last().unwrap();
    for (from, to) in [("cust2vc", "vc2rem"), ("rem2vc", "vc2cust")] {
        let packets = |flow| quality[format!("{flow}_rtp_packets")].as_u64().unwrap();
        assert!(packets(from) > u64::from(CALL) * 25, "{from}: {quality:#}");
        assert!((packets(to)..=packets(to) + 25).contains(&packets(from)), "{from} to {to}: {quality:#}");
        assert_eq!(quality[format!("{from}_packets_lost")], 0, "{quality:#}");
        assert!(quality[format!("{from}_rtcp_packets")].as_u64().unwrap() > 0, "{from}: {quality:#}");
    }
}

#[test]
fn over_udp() {
    tones_cross(Net(21), "udp");
}

#[test]
fn over_tcp() {
    tones_cross(Net(22), "tcp");
}
