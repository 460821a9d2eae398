//! Every command that the guide shows is run, beside a gateway with a call that is up, one that is over and one that was refused;
//! or it is named here with the reason why it is not.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::peers;
use super::reload::{command, controlled, printed};
use super::support::{Gateway, Net, THEIRS, Up, missing, status_line};

/// Commands that are not run here, by what they begin with, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("make ", "CI is what they do"),
    ("cargo ", "CI builds and tests"),
    ("SEED=", "it runs a test with another seed"),
    ("unshare ", "it runs the tests"),
    ("sipp ", "calls as the guide's first trunk does are placed by .ci/test-package"),
    ("dpkg ", "done by .ci/test-package"),
    ("systemctl ", "takes a host with systemd: .ci/test-package does what the unit does"),
    ("journalctl ", "takes a host with systemd"),
    ("editor ", "takes a person"),
    ("podman ", "takes an engine of containers"),
    ("nats ", "takes a server of NATS: tests/records_elsewhere makes the stream itself"),
    ("printf ", "takes socat: tests/daemon/reload.rs says the same by the socket"),
    ("export ", "is for the shell of who reads it"),
    ("python3 -c 'import boto3", "takes the listener of the API: tests/daemon/api.rs runs boto3"),
    ("FUZZ_SECONDS=", "it runs a test for longer"),
    ("aws ", "takes the listener of the API, beside which managed.rs makes calls of it"),
    ("voice-connector policies ", "takes the API: managed.rs puts policies"),
    ("voice-connector audit ", "takes calls of the API: managed.rs reads them"),
    ("voice-connector keys ", "takes the listener of the API: tests/daemon/api.rs makes keys"),
];

/// Those that end otherwise than with 0, by what they have in them.
const ENDS: &[(&str, i32)] = &[("--to +19005550123", 1)];

/// The commands of a page: the lines of its blocks of `sh`, and those behind a prompt.
fn commands(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap().replace("\\\n", " ");
    let (mut kind, mut found) = (None, Vec::new());
    for line in text.lines() {
        kind = match (line.strip_prefix("```"), kind) {
            (Some(new), None) => Some(new.to_owned()),
            (Some(_), Some(_)) => None,
            (None, kind) => {
                let command = match kind.as_deref() {
                    Some("sh") => Some(line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#')),
                    Some(_) => line.strip_prefix("$ "),
                    None => None,
                };
                found.extend(command.map(|command| command.trim_start_matches("sudo ").to_owned()));
                kind
            }
        };
    }
    found
}

#[test]
fn every_command_of_the_guide_runs() {
    if missing(&["curl"]) {
        return;
    }
    let net = Net(421);
    let [phone, carrier] = peers(net);
    let config = controlled(net, "denied_prefixes = [\"+33\"]").replace("\"carrier\"", "\"east\"");
    let gateway = Gateway::start_with(net, &["--drain", "5", "--no-watch"], &config);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);
    assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403);
    let over = gateway.call_details(2).remove(0)["TransactionId"].as_str().unwrap().to_owned();
    carrier_refuses(&gateway, &phone, &carrier);

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut pages = ["README.md", "CONTRIBUTING.md", "config/README.md"].map(|page| root.join(page)).to_vec();
    for folder in ["docs", "docs/peers"] {
        pages.extend(std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.sort();
    let (mut ran, mut left) = (0, vec![0; NOT_RUN.len()]);
    for page in pages {
        for shown in commands(&page) {
            if let Some(index) = NOT_RUN.iter().position(|(begins, _)| shown.starts_with(begins)) {
                left[index] += 1;
                continue;
            }
            gateway.settled(); // The call is the only one.
            let up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
            let line = here(&shown, &gateway, &over);
            let output = Command::new("sh")
                .args(["-c", &line])
                .current_dir(gateway.config().parent().unwrap())
                .env("PATH", path())
                .output()
                .unwrap();
            let ends = ENDS.iter().find(|(has, _)| shown.contains(has)).map_or(0, |(_, code)| *code);
            assert_eq!(
                output.status.code(),
                Some(ends),
                "{}: {line}\n{:?}",
                page.display(),
                printed(&output)
            );
            ran += 1;
            match shown.contains(" hangup ") {
                true => [&phone, &carrier].into_iter().for_each(|party| drop(party.is_hung_up())),
                false => up.end(&phone, &carrier),
            }
        }
    }
    assert!(ran >= 15, "{ran}");
    for ((begins, _), times) in NOT_RUN.iter().zip(left) {
        assert!(times > 0, "no command begins with {begins}");
    }
    gateway.stop();
}

/// A call to [`THEIRS`] comes to nothing, so that there is something to ask for.
fn carrier_refuses(gateway: &Gateway, phone: &super::support::Peer, carrier: &super::support::Peer) {
    let invite = phone.invite(THEIRS).build();
    phone.send(&invite);
    let offered = carrier.receive_request(sip::Method::Invite);
    carrier.reply(&offered, 486, "Busy Here");
    carrier.receive_request(sip::Method::Ack);
    assert_eq!(status_line(&phone.answer_to(&invite)).0, 486);
    gateway.call_details(3);
}

/// A command as it is said beside this gateway.
fn here(shown: &str, gateway: &Gateway, over: &str) -> String {
    let calls = command(gateway, &["calls", "gateway.toml", "--json"]);
    let up = String::from_utf8(calls.stdout).unwrap();
    let up: Value = serde_json::from_str(up.lines().next().unwrap()).unwrap();
    let up = up["id"].as_str().unwrap();
    let mut line = shown.to_owned();
    for (guides, ours) in [
        ("/etc/voice-connector/voice-connector.toml", "gateway.toml"),
        ("/etc/voice-connector.toml", "gateway.toml"),
        (" FILE", " gateway.toml"),
        ("/run/voice-connector.sock", "control.sock"),
        ("/var/lib/voice-connector/records", "records"),
        ("http://127.0.0.1:9090", &format!("http://{}", gateway.net.admin())),
        ("5b2c9f00", &up[..8]),
        ("f6739875-54e8-4e4a-ad47-2bfa27cfbd1a", over),
        ("--seconds 120", "--seconds 1"),
        ("192.0.2.20", &gateway.net.pbx().to_string()),
    ] {
        line = line.replace(guides, ours);
    }
    line
}

/// Ours before all others.
fn path() -> std::ffi::OsString {
    let ours = Path::new(env!("CARGO_BIN_EXE_voice-connector")).parent().unwrap().to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([ours].into_iter().chain(std::env::split_paths(&others))).unwrap()
}
