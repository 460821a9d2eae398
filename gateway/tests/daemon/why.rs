//! An operator asks why calls came to nothing, and what would become of one.

use serde_json::Value;

use super::peers;
use super::reload::{command, controlled, printed};
use super::support::{Gateway, Net, THEIRS, Up, status_line};

#[test]
fn the_command_line_tells_why_a_call_was_refused() {
    let net = Net(213);
    let [phone, _carrier] = peers(net);
    let gateway = Gateway::start_with(
        net,
        &["--drain", "5", "--shards", "2"],
        &controlled(net, "denied_prefixes = [\"+1628\"]"),
    );
    let invite = phone.invite(THEIRS).build();
    phone.send(&invite);
    let mut answer = phone.receive();
    while answer.status().unwrap().code() == 100 {
        answer = phone.receive();
    }
    assert_eq!(status_line(&answer).0, 403);
    let call_id = invite.call_id().unwrap().to_owned();

    let why = |wanted: &str, more: &[&str]| {
        let arguments = [&["why", wanted, "gateway.toml"][..], more].concat();
        printed(&command(&gateway, &arguments))
    };
    for wanted in [call_id.as_str(), THEIRS, &phone.local.ip().to_string()] {
        let (code, out, error) = why(wanted, &[]);
        assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
        for part in [
            "called +16285551212: 403 Prefix +1628 is denied",
            "  from: voice connector office, ",
            "  denied prefixes: +1628 matches\n",
            "  refused by: denied prefixes, ended by the gateway\n",
            "  sent: 403, Reason: SIP;cause=403;text=\"Prefix +1628 is denied",
            "  to do: take +1628 out of termination.denied_prefixes",
            " a <- ",
            " udp INVITE ",
            " udp 403 (INVITE) ",
        ] {
            assert!(out.contains(part), "{part} in {out}");
        }
    }
    let (_, out, _) = why(&call_id, &["--json"]);
    let json: Value = serde_json::from_str(out.trim()).unwrap();
    assert_eq!((json["status"].as_u64(), json["step"].as_str()), (Some(403), Some("denied prefixes")));
    assert_eq!(json["ladder"][1]["status"].as_u64(), Some(403));
    let (code, out, error) = why("+19995550000", &[]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(error, "nothing is known of such a call that came to nothing\n");
    gateway.stop();
}

#[test]
fn the_command_line_explains_at_this_moment() {
    let net = Net(214);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start(net, &controlled(net, "max_calls = 1"));
    let source = phone.local.ip().to_string();
    let explain = |more: &[&str]| {
        let asked =
            ["explain", "gateway.toml", "--from", "+12065550100", "--to", THEIRS, "--source", &source];
        printed(&command(&gateway, &[&asked[..], &["--transport", "udp"], more].concat()))
    };
    let (code, out, _) = explain(&["--live"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(
        out.contains("now: 0 calls this second and 0 calls for voice connector office, outbound"),
        "{out}"
    );
    let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    let (code, out, _) = explain(&["--live"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("refused at this moment: 503 More than 1 calls at one time for office"), "{out}");
    assert!(out.contains("to do: raise max_calls of office"), "{out}");
    let (code, out, _) = explain(&[]);
    assert!(code == Some(0) && !out.contains("now: "), "without --live it is the file alone: {out}");
    up.end(&phone, &carrier);
    gateway.stop();
}
