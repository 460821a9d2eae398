//! Asterisk as the customer's PBX, by each of its two SIP stacks: it registers, is called, calls, and transfers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use support::{
    Asterisk, Baresip, Gateway, Net, OURS, PATIENCE, Phone, Stack, THEIRS, eventually, listening, missing,
};

/// Whose calls Asterisk transfers, and where to.
const SENT_ON: &str = "+16285551214";
const TARGET: &str = "+16285551313";

/// What the carrier's phones play, in hertz.
const REMOTE: u32 = 1000;
const THIRD: u32 = 700;

/// The connector's customer registers and may transfer; the carrier's phones are at 127.0.N.3 and, that of `TARGET`, .4.
fn config(net: Net) -> String {
    let [gateway, admin] = [net.gateway(), net.admin()];
    let [pbx, carrier, target, caller] = [2, 3, 4, 5].map(|host| net.ip(host));
    format!(
        r#"
[[listen]]
address = "{gateway}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"

[voice_connector.termination]
allowlist = ["{pbx}"]
calling_plan = ["US"]
credentials = [{{ username = "alice", password = "correct-horse" }}]
digest_algorithms = ["MD5"]

[voice_connector.origination]
enabled = true

[voice_connector.peer]
registration = true
refer = "handle"

[[phone_number]]
number = "{OURS}"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{caller}"]

[[carrier.host]]
host = "{carrier}"

[[carrier]]
name = "second"
prefixes = ["{TARGET}"]

[[carrier.host]]
host = "{target}"
"#
    )
}

/// A phone of the carrier's, of a number and a tone of its own.
fn phone(net: Net, host: u8, number: &str, tone: u32) -> Baresip {
    let ip = net.ip(host);
    let account = format!("<sip:{number}@{ip}>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1");
    Baresip::new((ip, 5060).into(), tone, &account)
}

fn dials(net: Net, number: &str) -> Phone {
    phone(net, 5, number, REMOTE).dial(&format!("sip:{OURS}@{}", net.gateway()), 60)
}

/// So many calls so far, all completed.
fn are_over(gateway: &Gateway, count: usize) {
    for record in gateway.call_details(count) {
        assert_eq!(record["StatusMessage"], "OK", "{record:#}");
        assert_eq!(record["Status"], "Completed", "{record:#}");
    }
    gateway.settled();
}

fn pbx(net: Net, stack: Stack) {
    if missing(&["baresip", "sox"]) || Asterisk::is_missing() {
        return;
    }
    let callee = listening(phone(net, 3, THEIRS, REMOTE));
    let target = listening(phone(net, 4, TARGET, THIRD));
    let gateway = Gateway::start(net, &config(net));
    let asterisk = Asterisk::start(net, stack, SENT_ON, TARGET);
    eventually("Asterisk is registered", PATIENCE, || {
        let contacts = gateway.metrics().sum("registered_contacts", &[("voice_connector_id", "office")]);
        if contacts == 1.0 { Ok(()) } else { Err(asterisk.output()) }
    });

    // It is called: who calls hears itself, so that both ways are open.
    let caller = dials(net, THEIRS);
    caller.hears(REMOTE);
    caller.command("hangup", "");
    are_over(&gateway, 1);
    drop(caller);

    // It calls.
    asterisk.calls();
    callee.hears(REMOTE);
    asterisk.hangs_up();
    are_over(&gateway, 2);

    // It transfers who calls, and the two that are left hear each other.
    let caller = dials(net, SENT_ON);
    target.hears(REMOTE);
    caller.is_connected();
    eventually("the transfer is reported", PATIENCE, || {
        let output = asterisk.output();
        if output.contains("transfer: SUCCESS") { Ok(()) } else { Err(output) }
    });
    target.command("hangup", "");
    are_over(&gateway, 4);
    gateway.stop();
}

#[test]
fn by_pjsip() {
    pbx(Net(228), Stack::Pjsip);
}

#[test]
fn by_its_older_stack() {
    pbx(Net(229), Stack::Sip);
}
