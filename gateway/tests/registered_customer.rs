//! A softphone registers, and a call from the carrier reaches it by the flow that it registered by.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use support::{Baresip, Gateway, Net, OURS, PATIENCE, Script, Sipp, THEIRS, eventually, missing};

/// The connector's customer registers; it has no route.
fn config(net: Net, protocol: &str) -> String {
    let [gateway, admin] = [net.gateway(), net.admin()];
    let [pbx, carrier] = [net.pbx(), net.carrier()];
    format!(
        r#"
[[listen]]
protocol = "{protocol}"
address = "{gateway}"

[admin]
address = "{admin}"

[[voice_connector]]
id = "office"

[voice_connector.termination]
allowlist = ["{pbx}", "127.0.0.1"]
calling_plan = ["US"]
credentials = [{{ username = "alice", password = "correct-horse" }}]
digest_algorithms = ["MD5"]

[voice_connector.origination]
enabled = true

[voice_connector.peer]
registration = true

[[phone_number]]
number = "{OURS}"
voice_connector = "office"

[[carrier]]
name = "carrier"
allowlist = ["{carrier}"]

[[carrier.host]]
host = "{carrier}"
port = 5060
protocol = "{protocol}"
"#
    )
}

fn contacts(gateway: &Gateway) -> f64 {
    gateway.metrics().sum("registered_contacts", &[("voice_connector_id", "office")])
}

fn is_called(net: Net, protocol: &str) {
    if missing(&["baresip", "sox", "sipp"]) {
        return;
    }
    let gateway = Gateway::start(net, &config(net, protocol));
    let account = format!(
        "<sip:alice@{};transport={protocol}>;auth_user=alice;auth_pass=correct-horse;regint=120;\
         answermode=auto;audio_codecs=pcmu/8000/1",
        net.gateway()
    );
    let phone = Baresip::new((net.pbx(), 5070).into(), 440, &account).showing_sip().listen();
    eventually("the phone is registered", PATIENCE, || {
        if contacts(&gateway) == 1.0 { Ok(()) } else { Err(phone.output()) }
    });
    let transport = if protocol == "udp" { "u1" } else { "t1" };
    let caller = Script::connects().hangs_up();
    Sipp::new("caller", caller, net.at(3, 5061), transport)
        .key("from", THEIRS)
        .to(OURS)
        .call(net.gateway())
        .succeeded();
    let record = gateway.call_details(1).remove(0);
    assert_eq!(record["Status"], "Completed", "{record:#}");
    assert_eq!(record["Direction"], "Inbound", "{record:#}");
    gateway.settled();
    // A phone that is gone without a word leaves a datagram's address, and no connection.
    drop(phone);
    if protocol == "tcp" {
        eventually("nobody is registered", PATIENCE, || {
            if contacts(&gateway) == 0.0 { Ok(()) } else { Err("one is".to_owned()) }
        });
    }
    gateway.stop();
}

#[test]
fn over_udp() {
    is_called(Net(111), "udp");
}

#[test]
fn over_tcp() {
    is_called(Net(112), "tcp");
}
