//! What people do with softphones in mid call, over TLS with SRTP on both sides: hold and transfer. Whoever is left in the
//! call hears the other one.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // A test from its first line to its last.

mod support;

use support::{
    Baresip, CUSTOMER, Gateway, Leaf, Linphone, Net, OURS, PATIENCE, Phone, REMOTE, SRTP, SecureTrunk,
    THEIRS, again_if_linphone_crashes, eventually, listening, missing,
};

/// Who is called by a transfer of the customer's and by one of the carrier's, and what that one plays, in hertz.
const TARGET: &str = "+16285551313";
const BRANCH: &str = "+12065550101";
const THIRD: u32 = 700;

/// Whoever wants may transfer. `TARGET` is at 127.0.N.4, over UDP or, like the rest of the carrier, by TLS and SRTP; `BRANCH`
/// is at 127.0.N.5, by TLS and SRTP.
fn trunk(net: Net, carrier_is_secure: bool) -> SecureTrunk {
    let mut trunk = SecureTrunk::new(net);
    trunk.carrier_is_secure = carrier_is_secure;
    trunk.peers = [", refer = \"handle\""; 2];
    let (files, target, branch) = (trunk.files.path().display(), net.ip(4), net.ip(5));
    trunk.more = format!(
        r#"
[[carrier]]
name = "second"
prefixes = ["{TARGET}"]

[[carrier.host]]
host = "{target}"

[[voice_connector]]
id = "branch"
encryption = true
peer = {{ ca = "{files}/their-ca.pem" }}

[[voice_connector.origination.route]]
host = "{branch}"
port = 5061
protocol = "tls"

[[phone_number]]
number = "{BRANCH}"
voice_connector = "branch"
"#
    );
    trunk
}

/// The phone of `TARGET`, over UDP.
fn target(net: Net) -> Phone {
    let host = net.ip(4);
    let account = format!("<sip:{TARGET}@{host}>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1");
    listening(Baresip::new((host, 5060).into(), THIRD, &account))
}

/// The phone of `BRANCH`.
fn branch(trunk: &SecureTrunk) -> Phone {
    let host = trunk.net.ip(5);
    let account = format!(
        "<sip:{BRANCH}@{host}:5061;transport=tls>;regint=0;answermode=auto;{SRTP};audio_codecs=pcmu/8000/1"
    );
    let leaf = trunk.theirs.leaf(&[&host.to_string()]);
    listening(Baresip::new((host, 5060).into(), THIRD, &account).secure(&leaf, &trunk.ours))
}

/// Waits until so many calls are up.
fn are_up(gateway: &Gateway, count: f64) {
    eventually("calls are up", PATIENCE, || {
        let up = gateway.metrics().sum("calls_active", &[]);
        if up == count { Ok(()) } else { Err(format!("{up} are")) }
    });
}

/// Whether an INVITE holds the call, by its number among all that a phone got or sent.
fn is_held_by(phone: &Phone, number: usize) -> bool {
    eventually(&format!("INVITE {number}"), PATIENCE, || {
        let output = phone.output();
        let invite = output.split("\nINVITE sip:").nth(number).map(str::to_owned);
        let invite = invite.filter(|one| one.contains("m=audio")).ok_or(output)?;
        let (invite, _) = invite.split_once("\nSIP/2.0").unwrap_or((&invite, ""));
        Ok(invite.contains("a=sendonly") || invite.contains("a=inactive"))
    })
}

/// One call was completed and nothing is left.
fn ended(gateway: Gateway, calls: usize) {
    for record in gateway.call_details(calls) {
        assert_eq!(record["Status"], "Completed", "{record:#}");
        assert_eq!(record["StatusMessage"], "OK", "{record:#}");
    }
    gateway.settled();
    gateway.stop();
}

fn dials(phone: Baresip, at: &SecureTrunk, seconds: u32) -> Phone {
    phone.showing_sip().dial(&format!("sip:{THEIRS}@{}", at.net.at(1, 5061)), seconds)
}

#[test]
fn baresip_holds_and_resumes() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let trunk = trunk(Net(222), true);
    let callee = listening(trunk.carrier("answermode=auto"));
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let caller = dials(trunk.pbx(SRTP), &trunk, 60);
    are_up(&gateway, 1.0);
    callee.hears(CUSTOMER);
    caller.command("hold", "");
    assert!(is_held_by(&callee, 2));
    caller.command("resume", "");
    assert!(!is_held_by(&callee, 3));
    callee.is_connected();
    // And now the other one.
    callee.command("hold", "");
    assert!(is_held_by(&caller, 4));
    callee.command("resume", "");
    assert!(!is_held_by(&caller, 5));
    caller.is_connected();
    callee.command("hangup", "");
    ended(gateway, 1);
}

/// The callee and the target hear each other once `transfers` has been carried out.
fn is_transferred(gateway: Gateway, [callee, target]: [&Phone; 2], transfers: impl FnOnce(&str)) {
    are_up(&gateway, 1.0);
    callee.hears(CUSTOMER);
    transfers(&format!("sip:{TARGET}@{}", gateway.net.at(1, 5061)));
    are_up(&gateway, 2.0);
    target.hears(REMOTE);
    callee.is_connected();
    target.command("hangup", "");
    ended(gateway, 2);
}

#[test]
fn baresip_transfers() {
    if missing(&["baresip", "sox"]) {
        return;
    }
    let trunk = trunk(Net(223), false);
    let phones = [listening(trunk.carrier("answermode=auto")), target(trunk.net)];
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let caller = dials(trunk.pbx(SRTP), &trunk, 60);
    is_transferred(gateway, phones.each_ref(), |to| caller.command("transfer", to));
    // And hears how it went.
    let told = caller.output();
    assert!(told.contains("SIP/2.0 202 "), "{told}");
    assert!(told.rsplit("message/sipfrag").next().unwrap().contains("\nSIP/2.0 200 OK"), "{told}");
}

#[test]
fn linphone_transfers() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    again_if_linphone_crashes(|| {
        let trunk = trunk(Net(224), false);
        let phones = [listening(trunk.carrier("answermode=auto")), target(trunk.net)];
        let (gateway, mut caller) = linphone_calls(&trunk, 7278);
        is_transferred(gateway, phones.each_ref(), |to| caller.transfer(&format!("{to};transport=tls")));
        caller.quit();
    });
}

/// It asks the target first, while the callee is on hold.
#[test]
fn linphone_transfers_with_consultation() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    again_if_linphone_crashes(|| {
        let trunk = trunk(Net(230), false);
        let [callee, target] = [listening(trunk.carrier("answermode=auto")), target(trunk.net)];
        let (gateway, mut caller) = linphone_calls(&trunk, 7678);
        are_up(&gateway, 1.0);
        callee.hears(CUSTOMER);
        caller.hold();
        assert!(is_held_by(&callee, 2));
        caller.dial(TARGET, gateway.net.at(1, 5061));
        are_up(&gateway, 2.0);
        target.hears(CUSTOMER);
        caller.joins();
        eventually("the transfer is reported", PATIENCE, || {
            let output = caller.output();
            if output.matches(" ended (").count() == 2 { Ok(()) } else { Err(output) }
        });
        target.is_connected();
        callee.is_connected();
        target.command("hangup", "");
        ended(gateway, 2);
        caller.quit();
    });
}

/// Linphone has a new key of the gateway's then, which baresip 1.0.0 would not take.
#[test]
fn linphone_is_transferred() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    again_if_linphone_crashes(|| {
        let trunk = trunk(Net(226), true);
        let [callee, target] = [listening(trunk.carrier("answermode=auto")), branch(&trunk)];
        let (gateway, mut caller) = linphone_calls(&trunk, 7478);
        are_up(&gateway, 1.0);
        callee.hears(CUSTOMER);
        callee.command("transfer", &format!("sip:{BRANCH}@{}", gateway.net.at(1, 5061)));
        target.hears(CUSTOMER);
        target.is_connected();
        caller.hang_up();
        ended(gateway, 2);
        caller.quit();
    });
}

/// Linphone, which calls the carrier.
fn linphone_calls(trunk: &SecureTrunk, media_port: u16) -> (Gateway, Linphone) {
    let own = Leaf::by_common_name(&trunk.net.ip(1).to_string());
    own.write(trunk.files.path(), "gateway");
    let gateway = Gateway::start(trunk.net, &trunk.config());
    let mut caller = Linphone::start_with_srtp(&format!("<sip:{OURS}@127.0.0.1>"), media_port, &own);
    caller.dial(THEIRS, trunk.net.at(1, 5061));
    (gateway, caller)
}

#[test]
fn linphone_is_heard_after_its_hold() {
    if missing(&["linphonec", "baresip", "sox"]) {
        return;
    }
    again_if_linphone_crashes(|| {
        let trunk = trunk(Net(225), true);
        let callee = listening(trunk.carrier("answermode=auto"));
        let (gateway, mut caller) = linphone_calls(&trunk, 7378);
        are_up(&gateway, 1.0);
        callee.hears(CUSTOMER);
        caller.hold();

        assert!(is_held_by(&callee, 2));
        caller.resume();
        assert!(!is_held_by(&callee, 3));
        callee.is_connected();
        caller.hang_up();
        ended(gateway, 1);
        caller.quit();
    });
}
