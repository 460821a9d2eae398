//! Calls of an encrypted connector: TLS and mandatory SRTP on the customer's side, RTP over UDP on the carrier's; and
//! SRTP on both sides under keys of their own.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::fs;
use std::time::Duration;

use serde_json::Value;
use support::{
    Baresip, CUSTOMER, Gateway, Leaf, Linphone, Net, OURS, PATIENCE, Phone, REMOTE, SRTP, SecureTrunk,
    THEIRS, eventually, lines, listening, missing, no_file_tells,
};

/// How long a caller stays, in seconds.
const CALL: u32 = 6;

const CODEC: &str = "audio_codecs=pcmu/8000/1";

/// Lets a phone call, and waits for its end.
fn call(phone: Baresip, uri: &str) -> Phone {
    call_for(CALL, phone, uri)
}

fn call_for(seconds: u32, phone: Baresip, uri: &str) -> Phone {
    let mut caller = phone.showing_sip().dial(uri, seconds);
    let status = caller.wait(Duration::from_secs(30));
    assert!(status.success(), "the caller ended with {status}");
    caller
}

fn is_tone(phone: &Phone, frequency: u32) {
    let heard = phone.heard();
    assert!((heard.frequency / f64::from(frequency) - 1.0).abs() < 0.05, "{heard:?} is not {frequency} Hz");
    assert!(heard.seconds > f64::from(CALL) / 2.0, "{heard:?} is too short");
}

/// The suite that a phone says its call has.
fn suite(phone: &Phone) -> String {
    let output = phone.output();
    let (_, rest) = output.split_once("SRTP is Enabled (cryptosuite=").unwrap_or_else(|| panic!("{output}"));
    rest.split(')').next().unwrap().to_owned()
}

/// One call was completed; its quality record.
fn quality(gateway: Gateway) -> Value {
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert_eq!(record["StatusMessage"], "OK");
    gateway.settled();
    let metrics = gateway.metrics();
    // baresip sends its first RTCP before it has keys, and a callee's media may overtake its answer. Packets of a wrong
    // key would come by the hundred.
    for (cause, most) in [("unauthenticated", 9.0), ("replayed", 0.0), ("unsent", 0.0)] {
        let refused = metrics.sum("media_refusals_total", &[("cause", cause)]);
        assert!(refused <= most, "{refused} {cause} packets");
    }
    let directory = gateway.stop();
    lines(&directory.path().join("records"), "aws/ChimeVoiceConnectorLogs").pop().unwrap()
}

/// What a side sent is what the other side got, but for what a busy machine sent on too late; and none was lost.
fn all_arrived(quality: &Value) {
    for (from, to) in [("cust2vc", "vc2rem"), ("rem2vc", "vc2cust")] {
        let packets = |flow| quality[format!("{flow}_rtp_packets")].as_u64().unwrap();
        assert!(packets(from) > u64::from(CALL) * 25, "{from}: {quality:#}");
        assert!((packets(to)..=packets(to) + 25).contains(&packets(from)), "{from} to {to}: {quality:#}");
        assert_eq!(quality[format!("{from}_packets_lost")], 0, "{quality:#}");
    }
}

fn reports(quality: &Value, flow: &str) -> u64 {
    quality[format!("{flow}_rtcp_packets")].as_u64().unwrap()
}

/// Every media key that a phone saw.
fn keys(phone: &Phone) -> Vec<String> {
    let output = phone.output();
    let keys = output.split("inline:").skip(1);
    keys.map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "+/".contains(*c)).collect())
        .collect()
}

#[test]
fn tls_and_srtp_go_out_as_udp_and_rtp() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let trunk = SecureTrunk::new(Net(51));
    let callee = listening(trunk.carrier("answermode=auto"));
    let gateway = Gateway::start_verbose(trunk.net, &trunk.config());
    let caller = call(trunk.pbx(SRTP), &format!("sip:{THEIRS}@{}", trunk.net.at(1, 5061)));
    gateway.call_details(1);
    gateway.tells("call begins");
    let log = gateway.log();
    let quality = quality(gateway);
    is_tone(&caller, REMOTE);
    is_tone(&callee, CUSTOMER);
    assert!(suite(&caller).starts_with("AES_CM_128_HMAC_SHA1_"), "{}", suite(&caller));
    let offered = callee.output();
    assert!(offered.contains("RTP/AVP") && !offered.contains("a=crypto"), "{offered}");
    all_arrived(&quality);
    assert!(reports(&quality, "cust2vc") > 0 && reports(&quality, "rem2vc") > 0, "{quality:#}");
    let number = OURS.trim_start_matches('+');
    for word in keys(&caller).iter().map(String::as_str).chain([number, THEIRS.trim_start_matches('+')]) {
        assert!(!log.contains(word), "{word} is in the log: {log}");
    }
}

/// While the call is up and after it, no file of the gateway holds a key of its media.
#[test]
fn udp_and_rtp_come_in_as_tls_and_srtp_and_no_file_tells_a_key() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let trunk = SecureTrunk::new(Net(52));
    let callee = listening(trunk.pbx(&format!("{SRTP};answermode=auto")));
    let gateway = Gateway::start_verbose(trunk.net, &trunk.config());
    let mut caller =
        trunk.carrier("").showing_sip().dial(&format!("sip:{OURS}@{}", trunk.net.gateway()), CALL);
    eventually("the call has keys", PATIENCE, || {
        let output = callee.output();
        if output.contains("SRTP is Enabled") { Ok(()) } else { Err(output) }
    });
    let search = || {
        let keys = keys(&callee);
        assert!(keys.len() > 1, "{}", callee.output());
        let files = no_file_tells(gateway.records().parent().unwrap(), &keys);
        let names = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join("\n");
        let logged = lines(&gateway.records(), "aws/ChimeVoiceConnectorSipMessages")
            .iter()
            .any(|line| line["sip_message"].as_str().is_some_and(|message| message.contains("inline:***")));
        (names, logged)
    };
    let (names, _) = search();
    assert!(names.contains("journal"), "{names}");
    let status = caller.wait(Duration::from_secs(30));
    assert!(status.success(), "the caller ended with {status}");
    gateway.call_details(1);
    gateway.settled();
    eventually("the SIP message log has the call", PATIENCE, || {
        let (names, logged) = search();
        if logged { Ok(()) } else { Err(names) }
    });
    let quality = quality(gateway);
    is_tone(&caller, CUSTOMER);
    is_tone(&callee, REMOTE);
    assert!(suite(&callee).starts_with("AES_CM_128_HMAC_SHA1_"), "{}", suite(&callee));
    all_arrived(&quality);
    assert!(reports(&quality, "cust2vc") > 0 && reports(&quality, "rem2vc") > 0, "{quality:#}");
}

/// The legs agree on suites of their own.
#[test]
fn srtp_crosses_to_srtp_of_another_suite() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let mut trunk = SecureTrunk::new(Net(53));
    trunk.carrier_is_secure = true;
    let callee = listening(trunk.carrier("answermode=auto"));
    let gateway = Gateway::start(trunk.net, &trunk.config());
    // Its first report comes after 5 s; ours that follows is like it, and its next one answers that.
    let caller = call_for(17, trunk.pbx(SRTP), &format!("sip:{THEIRS}@{}", trunk.net.at(1, 5061)));
    let wide = eventually("the wide record", PATIENCE, || {
        lines(&gateway.records(), "voice-connector-calls").pop().ok_or_else(|| "none yet".to_owned())
    });
    let quality = quality(gateway);
    is_tone(&caller, REMOTE);
    is_tone(&callee, CUSTOMER);
    assert_eq!(suite(&caller), "AES_CM_128_HMAC_SHA1_80");
    assert_eq!(suite(&callee), "AES_CM_128_HMAC_SHA1_32");
    all_arrived(&quality);
    // baresip 1.0.0 tags SRTCP of that suite with 32 bits, where RFC 4568 §6.2.2 has 80: it is read, and said.
    assert!(reports(&quality, "cust2vc") > 0 && reports(&quality, "rem2vc") > 0, "{quality:#}");
    let media = &wide["media"];
    assert_eq!(
        (&media["caller"]["srtcp_tag"], &media["callee"]["srtcp_tag"]),
        (&80.into(), &32.into()),
        "{wide:#}"
    );
    assert!(quality["rtt_btwn_vc_and_rem"].is_u64(), "it could read ours: {quality:#}");
}

#[test]
fn linphone_calls_with_mandatory_srtp() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    let trunk = SecureTrunk::new(Net(54));
    let own = Leaf::by_common_name(&trunk.net.ip(1).to_string());
    own.write(trunk.files.path(), "gateway");
    let callee = listening(trunk.carrier("answermode=auto"));
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let mut caller = Linphone::start_with_srtp(&format!("<sip:{OURS}@127.0.0.1>"), 7178, &own);
    caller.dial(THEIRS, trunk.net.at(1, 5061));
    eventually("the call is up", PATIENCE, || {
        let up = gateway.metrics().sum("calls_active", &[]);
        if up == 1.0 { Ok(()) } else { Err(caller.output()) }
    });
    std::thread::sleep(Duration::from_secs(u64::from(CALL)));
    caller.hang_up();
    let quality = quality(gateway);
    assert!(caller.quit().success());
    is_tone(&callee, CUSTOMER);
    for flow in ["cust2vc", "vc2cust", "vc2rem", "rem2vc"] {
        let packets = quality[format!("{flow}_rtp_packets")].as_u64().unwrap();
        assert!(packets > u64::from(CALL) * 25, "{flow}: {quality:#}");
    }
}

/// Refused are: RTP over TLS, and RTP over UDP.
#[test]
fn a_plain_call_to_the_encrypted_connector_is_refused() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let trunk = SecureTrunk::new(Net(55));
    let callee = listening(trunk.carrier("answermode=auto"));
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let over_udp = {
        let account = format!("<sip:{OURS}@{};transport=udp>;regint=0;{CODEC}", trunk.net.gateway());
        Baresip::new((trunk.net.pbx(), 5070).into(), CUSTOMER, &account)
    };
    for (count, (phone, at, status)) in
        [(trunk.pbx(""), trunk.net.at(1, 5061), 488), (over_udp, trunk.net.gateway(), 403)]
            .into_iter()
            .enumerate()
    {
        let mut caller = phone.showing_sip().dial(&format!("sip:{THEIRS}@{at}"), 3);
        caller.wait(Duration::from_secs(20));
        assert!(caller.output().contains(&format!("SIP/2.0 {status} ")), "{}", caller.output());
        let records = gateway.call_details(count + 1);
        assert!(records.iter().all(|record| record["Status"] != "Completed"), "{records:#?}");
    }
    assert!(!callee.output().contains("INVITE"), "{}", callee.output());
    assert_eq!(gateway.metrics().sum("refusals_total", &[("cause", "encryption")]), 2.0);
    gateway.settled();
    gateway.stop();
}

/// The PBX's certificate is signed by another authority than the connector's `ca`.
#[test]
fn a_pbx_that_nobody_vouches_for_gets_no_call() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let trunk = SecureTrunk::new(Net(56));
    let callee = listening(trunk.pbx(&format!("{SRTP};answermode=auto")));
    fs::write(trunk.files.path().join("their-ca.pem"), &trunk.ours.pem).unwrap();
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let mut caller = trunk.carrier("").showing_sip().dial(&format!("sip:{OURS}@{}", trunk.net.gateway()), 3);
    caller.wait(Duration::from_secs(20));
    assert!(caller.output().contains("SIP/2.0 502 "), "{}", caller.output());
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Failed", "{record:#}");
    assert!(!callee.output().contains("INVITE"), "{}", callee.output());
    gateway.tells("its certificate is not signed by the authorities of ");
    gateway.settled();
    gateway.stop();
}
