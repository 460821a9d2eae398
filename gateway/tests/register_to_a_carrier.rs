//! One gateway registers with another: a call from beyond the second reaches the first one's PBX.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use std::process::Command;

use support::{
    EMPTY, Gateway, Net, OURS, PATIENCE, Process, Script, Sipp, Socket, THEIRS, eventually, missing, with_sdp,
};

/// What both have: a listener, a connector with one number, the PBX at .2 and the carrier at .3.
fn config(net: Net, protocol: &str, connector: &str, carrier: &str) -> String {
    let [gateway, admin] = [net.gateway(), net.admin()];
    format!(
        r#"
[[listen]]
protocol = "{protocol}"
address = "{gateway}"
[admin]
address = "{admin}"
[[phone_number]]
number = "{OURS}"
voice_connector = "office"
[[voice_connector]]
id = "office"
{connector}
[[carrier]]
name = "carrier"
options_interval = "0s"
{carrier}
"#
    )
}

fn crosses_both(near: Net, far: Net, protocol: &str) {
    if missing(&["sipp"]) {
        return;
    }
    let registrar = far.gateway().ip();
    let theirs = config(
        far,
        protocol,
        "peer = { registration = true }\norigination = {}\ntermination = { allowlist = [\"0.0.0.0/0\"], \
         calling_plan = [\"US\"], credentials = [{ username = \"trunk\", password = \"p\" }] }",
        &format!(
            "allowlist = [\"{carrier}\"]\nhost = [{{ host = \"{carrier}\", port = 5060, protocol = \"{protocol}\" }}]",
            carrier = far.carrier()
        ),
    );
    let ours = config(
        near,
        protocol,
        &format!(
            "origination = {{ options_interval = \"0s\", route = [{{ host = \"{pbx}\", port = 5070, protocol = \
             \"{protocol}\" }}] }}\ntermination = {{ allowlist = [\"{pbx}\", \"127.0.0.1\"], calling_plan = [\"US\"] }}",
            pbx = near.pbx()
        ),
        &format!(
            "register = {{ user = \"trunk\", domain = \"{registrar}\", password = \"p\" }}\n\
             host = [{{ host = \"{registrar}\", port = {port}, protocol = \"{protocol}\" }}]",
            port = far.gateway().port()
        ),
    );
    let far_gateway = Gateway::start(far, &theirs);
    // Ready means registered here: there is no other way out.
    let near_gateway = Gateway::start(near, &ours);
    let registered = || near_gateway.metrics().sum("carrier_registered", &[("carrier", "carrier")]);
    eventually("the gateway is registered", PATIENCE, || {
        if registered() == 1.0 { Ok(()) } else { Err(near_gateway.log()) }
    });
    let transport = if protocol == "udp" { "u1" } else { "t1" };
    let callee = Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    let callee = callee.expect("ACK").gets_hung_up_on();
    let pbx = Sipp::new("callee", callee, near.at(2, 5070), transport).listen();
    Sipp::new("caller", Script::connects().hangs_up(), far.at(3, 5061), transport)
        .key("from", THEIRS)
        .to(OURS)
        .call(far.gateway())
        .succeeded();
    pbx.stop();
    let record = near_gateway.call_details(1).remove(0);
    assert_eq!(record["Direction"], "Inbound", "{record:#}");
    near_gateway.settled();
    // And the other way, as the same login and by the same connection.
    let callee = Script::callee().answer(180, "Ringing", EMPTY).answer(200, "OK", &with_sdp(None));
    let carrier =
        Sipp::new("callee", callee.expect("ACK").gets_hung_up_on(), far.at(3, 5060), transport).listen();
    Sipp::new("caller", Script::connects().hangs_up(), near.at(2, 5061), transport)
        .key("from", OURS)
        .to(THEIRS)
        .call(near.gateway())
        .succeeded();
    carrier.stop();
    near_gateway.call_details(2);
    near_gateway.settled();
    let dialled = near_gateway.metrics().sum("connections_total", &[("event", "dialled")]);
    // To the registrar once, to the PBX once.
    assert_eq!(dialled, if protocol == "udp" { 0.0 } else { 2.0 }, "{}", near_gateway.log());
    // It is taken back at the end.
    near_gateway.stop();
    let left = far_gateway.metrics().sum("registered_contacts", &[]);
    assert_eq!(left, 0.0);
    far_gateway.stop();
}

/// A registrar of another make checks our digest, and wants longer registrations than we ask for.
const REGISTRAR: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="registrar">
<recv request="REGISTER"/>
<send><![CDATA[
SIP/2.0 401 Unauthorized
[last_Via:]
[last_From:]
[last_To:];tag=r1
[last_Call-ID:]
[last_CSeq:]
WWW-Authenticate: Digest realm="carrier.example", nonce="47ebe028cda119c35d4877b383027d28", algorithm=MD5, qop="auth"
Content-Length: 0

]]></send>
<recv request="REGISTER"><action><verifyauth assign_to="right" username="trunk" password="s3cret"/></action></recv>
<nop next="right" test="right"/>
<send><![CDATA[
SIP/2.0 403 Forbidden
[last_Via:]
[last_From:]
[last_To:];tag=r1
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<pause milliseconds="60000"/>
<label id="right"/>
<send><![CDATA[
SIP/2.0 423 Interval Too Brief
[last_Via:]
[last_From:]
[last_To:];tag=r1
[last_Call-ID:]
[last_CSeq:]
Min-Expires: 7200
Content-Length: 0

]]></send>
<recv request="REGISTER"><action><ereg regexp="7200" search_in="hdr" header="Expires:" check_it="true" assign_to="long"/><log message="[$long]"/></action></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=r1
[last_Call-ID:]
[last_CSeq:]
[last_Contact:];expires=7200
Content-Length: 0

]]></send>
<recv request="REGISTER"><action><ereg regexp="0" search_in="hdr" header="Expires:" check_it="true" assign_to="none"/><log message="[$none]"/></action></recv>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=r1
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"#;

#[test]
fn a_registrar_of_another_make() {
    if missing(&["sipp"]) {
        return;
    }
    let net = Net(118);
    let carrier = net.carrier();
    let files = tempfile::tempdir().unwrap();
    std::fs::write(files.path().join("registrar.xml"), REGISTRAR).unwrap();
    let mut sipp = Command::new("sipp");
    sipp.args([
        "-sf",
        "registrar.xml",
        "-i",
        &carrier.to_string(),
        "-p",
        "5060",
        "-m",
        "1",
        "-nostdin",
        "-trace_err",
    ]);
    sipp.current_dir(files.path());
    let mut registrar = Process::start("registrar", sipp, files.path());
    eventually("the registrar listens", PATIENCE, || {
        if Socket::Udp.is_at((carrier, 5060).into()) { Ok(()) } else { Err(registrar.output()) }
    });
    let office = config(
        net,
        "udp",
        "",
        &format!(
            "register = {{ user = \"trunk\", domain = \"carrier.example\", password = \"s3cret\" }}\n\
             host = [{{ host = \"{carrier}\" }}]"
        ),
    );
    let gateway = Gateway::start(net, &office);
    assert_eq!(gateway.metrics().sum("carrier_registered", &[]), 1.0, "{}", gateway.log());
    gateway.stop();
    assert!(registrar.wait(PATIENCE).success(), "{}", registrar.output());
}

#[test]
fn over_udp() {
    crosses_both(Net(113), Net(114), "udp");
}

#[test]
fn over_tcp() {
    crosses_both(Net(115), Net(116), "tcp");
}
