//! Calls over TLS: two baresip softphones, linphonec, and a carrier whose certificate nobody signed that we trust.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::path::Path;
use std::time::Duration;

use support::{
    Authority, Baresip, Gateway, Leaf, Linphone, Net, OURS, PATIENCE, Phone, THEIRS, eventually, listening,
    missing,
};

/// How long a caller stays, in seconds.
const CALL: u32 = 8;

/// What each side plays, in hertz.
const CUSTOMER: u32 = 440;
const REMOTE: u32 = 1000;

const CODEC: &str = "audio_codecs=pcmu/8000/1";

/// TLS at port 5061, UDP at 5060; the carrier is dialled by TLS. Certificates lie in `files`.
fn config(net: Net, files: &Path) -> String {
    let [secure, plain, admin] = [net.at(1, 5061), net.gateway(), net.admin()];
    let [pbx, carrier] = [net.pbx(), net.carrier()];
    let files = files.display();
    format!(
        r#"
[[listen]]
protocol = "tls"
address = "{secure}"
certificate = "{files}/gateway.pem"
key = "{files}/gateway.key"

[[listen]]
protocol = "udp"
address = "{plain}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"
peer = {{ srtp = "off" }}

[voice_connector.termination]
allowlist = ["{pbx}", "127.0.0.1"] # Phones call over TLS from where the system has it.
calling_plan = ["US"]

[voice_connector.origination]
enabled = false

[[phone_number]]
number = "{OURS}"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]
peer = {{ srtp = "off", ca = "{files}/carrier-ca.pem" }}

[[carrier.host]]
host = "{carrier}"
port = 5061
protocol = "tls"
"#
    )
}

/// The carrier's phone, which answers what comes by TLS.
///
/// - `authority`: who signs its certificate.
fn callee(net: Net, authority: &Authority) -> Phone {
    let carrier = net.carrier();
    let account = format!("<sip:{THEIRS}@{carrier}:5061;transport=tls>;regint=0;answermode=auto;{CODEC}");
    let leaf = authority.leaf(&[&carrier.to_string()]);
    listening(Baresip::new((carrier, 5060).into(), REMOTE, &account).secure(&leaf, authority))
}

fn is_tone(phone: &Phone, frequency: u32) {
    let heard = phone.heard();
    assert!((heard.frequency / f64::from(frequency) - 1.0).abs() < 0.05, "{heard:?} is not {frequency} Hz");
    assert!(heard.seconds > f64::from(CALL) / 2.0, "{heard:?} is too short");
}

/// No handshake failed, and nothing was dialled but the carrier, once.
fn all_by_one_connection(gateway: &Gateway) {
    let metrics = gateway.metrics();
    for (event, count) in [("dialled", 1.0), ("dial_failed", 0.0), ("handshake_failed", 0.0)] {
        let connections = metrics.sum("connections_total", &[("event", event)]);
        assert_eq!(connections, count, "{event}: {}", gateway.log());
    }
}

#[test]
fn tones_cross_between_two_phones() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let net = Net(41);
    let files = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
    std::fs::write(files.path().join("carrier-ca.pem"), &theirs.pem).unwrap();
    let callee = callee(net, &theirs);
    let gateway = Gateway::start(net, &config(net, files.path()));

    let secure = net.at(1, 5061);
    let account = format!("<sip:{OURS}@{secure};transport=tls>;regint=0;{CODEC}");
    let leaf = theirs.leaf(&[&net.pbx().to_string()]);
    let caller = Baresip::new((net.pbx(), 5060).into(), CUSTOMER, &account).secure(&leaf, &ours);
    let mut caller = caller.dial(&format!("sip:{THEIRS}@{secure}"), CALL);
    assert!(caller.wait(Duration::from_secs(30)).success());

    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert_eq!(record["StatusMessage"], "OK");
    gateway.settled();
    is_tone(&caller, REMOTE);
    is_tone(&callee, CUSTOMER);
    all_by_one_connection(&gateway);
    gateway.stop();
}

/// The carrier's certificate is signed by another authority than its `ca`.
#[test]
fn a_carrier_that_nobody_vouches_for_gets_no_call() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let net = Net(42);
    let files = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
    std::fs::write(files.path().join("carrier-ca.pem"), &ours.pem).unwrap();
    let callee = callee(net, &theirs);
    let gateway = Gateway::start(net, &config(net, files.path()));
    let account = format!("<sip:{OURS}@{};transport=udp>;regint=0;{CODEC}", net.gateway());
    let caller = Baresip::new((net.pbx(), 5060).into(), CUSTOMER, &account);
    let mut caller = caller.dial(&format!("sip:{THEIRS}@{}", net.gateway()), CALL);
    caller.wait(Duration::from_secs(30));
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Failed", "{record:#}");
    assert!(caller.output().contains("502"), "{}", caller.output());
    assert!(!callee.output().contains("Incoming call"), "{}", callee.output());
    let reason = "its certificate is not signed by the authorities of ";
    let log = gateway.tells(reason);
    assert!(log.contains("carrier-ca.pem"), "{log}");
    gateway.settled();
    gateway.stop();
}

#[test]
fn linphone_calls_over_tls() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    let net = Net(43);
    let files = tempfile::tempdir().unwrap();
    let theirs = Authority::new("theirs");
    let own = Leaf::by_common_name(&net.ip(1).to_string());
    own.write(files.path(), "gateway");
    std::fs::write(files.path().join("carrier-ca.pem"), &theirs.pem).unwrap();
    let callee = callee(net, &theirs);
    let gateway = Gateway::start(net, &config(net, files.path()));

    let mut caller = Linphone::start(&format!("<sip:{OURS}@127.0.0.1>"), 7078, &own);
    caller.dial(THEIRS, net.at(1, 5061));
    eventually("the call is up", PATIENCE, || {
        let up = gateway.metrics().sum("calls_active", &[]);
        if up == 1.0 { Ok(()) } else { Err(caller.output()) }
    });
    std::thread::sleep(Duration::from_secs(u64::from(CALL)));
    caller.hang_up();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    gateway.settled();
    assert!(caller.quit().success());
    is_tone(&callee, CUSTOMER);
    all_by_one_connection(&gateway);
    gateway.stop();
}

/// A hold of linphone's and its end, over TLS from one phone to the other.
#[test]
fn linphone_holds_and_resumes() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    let net = Net(44);
    let files = tempfile::tempdir().unwrap();
    let theirs = Authority::new("theirs");
    let own = Leaf::by_common_name(&net.ip(1).to_string());
    own.write(files.path(), "gateway");
    std::fs::write(files.path().join("carrier-ca.pem"), &theirs.pem).unwrap();
    let callee = callee(net, &theirs);
    let gateway = Gateway::start(net, &config(net, files.path()));
    let mut caller = Linphone::start(&format!("<sip:{OURS}@127.0.0.1>"), 7178, &own);
    caller.dial(THEIRS, net.at(1, 5061));
    eventually("the call is up", PATIENCE, || {
        let up = gateway.metrics().sum("calls_active", &[]);
        if up == 1.0 { Ok(()) } else { Err(caller.output()) }
    });
    std::thread::sleep(Duration::from_secs(1));
    // What baresip was offered by our second and third INVITE.
    let offered = |number: u32| {
        let output = callee.output();
        let invite = output.split("INVITE sip:").find(|one| one.contains(&format!("CSeq: {number} INVITE")));
        let held = invite.map(|one| one.contains("a=sendonly") || one.contains("a=inactive"));
        held.ok_or(output)
    };
    caller.hold();
    let held = eventually("it holds", PATIENCE, || offered(2));
    std::thread::sleep(Duration::from_secs(1));
    caller.resume();
    let resumed = eventually("it resumes", PATIENCE, || offered(3));
    assert!(held && !resumed, "{}", callee.output());
    std::thread::sleep(Duration::from_secs(1));
    caller.hang_up();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    gateway.settled();
    assert!(caller.quit().success());
    gateway.stop();
}
