//! A softphone behind a closed port registers by TLS with an encrypted connector, and is called by its own connection.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::time::Duration;

use support::{Authority, Baresip, Gateway, Net, OURS, PATIENCE, THEIRS, eventually, missing};

const CALL: u32 = 6;

#[test]
fn tones_cross_by_the_registered_connection() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let net = Net(117);
    let files = tempfile::tempdir().unwrap();
    let ours = Authority::new("ours");
    ours.leaf(&[&net.ip(1).to_string()]).write(files.path(), "gateway");
    let (secure, plain, admin) = (net.at(1, 5061), net.gateway(), net.admin());
    let (pbx, carrier, files) = (net.pbx(), net.carrier(), files.path().display());
    let config = format!(
        r#"
[[listen]]
protocol = "tls"
address = "{secure}"
certificate = "{files}/gateway.pem"
key = "{files}/gateway.key"

[[listen]]
address = "{plain}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"
encryption = true
origination = {{ }}
peer = {{ registration = true }}

[voice_connector.termination]
allowlist = ["{pbx}", "127.0.0.1"]
credentials = [{{ username = "alice", password = "correct-horse" }}]
digest_algorithms = ["MD5"]

[[phone_number]]
number = "{OURS}"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]
options_interval = "0s"
host = [{{ host = "{carrier}" }}]
"#
    );
    let gateway = Gateway::start(net, &config);
    let account = format!(
        "<sip:alice@{secure};transport=tls>;auth_user=alice;auth_pass=correct-horse;regint=120;\
         answermode=auto;mediaenc=srtp-mand;audio_codecs=pcmu/8000/1"
    );
    let leaf = ours.leaf(&[&pbx.to_string()]);
    let phone = Baresip::new((pbx, 5070).into(), 440, &account).secure(&leaf, &ours).showing_sip().listen();
    eventually("the phone is registered", PATIENCE, || {
        let contacts = gateway.metrics().sum("registered_contacts", &[]);
        if contacts == 1.0 { Ok(()) } else { Err(format!("{}\n{}", phone.output(), gateway.log())) }
    });
    let account = format!("<sip:{THEIRS}@{plain};transport=udp>;regint=0;audio_codecs=pcmu/8000/1");
    let caller = Baresip::new((carrier, 5060).into(), 1000, &account);
    let mut caller = caller.dial(&format!("sip:{OURS}@{plain}"), CALL);
    assert!(caller.wait(Duration::from_secs(30)).success());
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    gateway.settled();
    let metrics = gateway.metrics();
    assert_eq!(metrics.sum("connections_total", &[("event", "dialled")]), 0.0, "{}", gateway.log());
    for (phone, tone) in [(&caller, 440.0), (&phone, 1000.0)] {
        let heard = phone.heard();
        assert!((heard.frequency / tone - 1.0).abs() < 0.05, "{heard:?} is not {tone} Hz");
    }
    gateway.stop();
}
