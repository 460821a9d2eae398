//! What the process hears from the system: no signal but SIGTERM and its like may cost a call.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use super::support::{Gateway, Net, OURS, Office, Peer, THEIRS, Up, call_details, eventually, status_line};
use super::{PATIENCE, peers};

fn call<'a>(phone: &'a Peer, carrier: &'a Peer) -> Up {
    Up::begin(phone, carrier, phone.invite(THEIRS))
}

/// logrotate sends SIGHUP or SIGUSR1, a closed terminal SIGHUP, Ctrl-Z SIGTSTP.
#[test]
fn no_signal_but_those_that_end_it_ends_it() {
    let net = Net(230);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start(net, &Office::new(net, "udp").config());
    let up = call(&phone, &carrier);
    let signals =
        ["HUP", "USR1", "USR2", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "PWR", "XCPU", "XFSZ", "TSTP"];
    for signal in signals.into_iter().chain(["TTIN", "TTOU", "WINCH", "CHLD", "URG", "CONT"]) {
        gateway.signal(signal);
        // It would be gone, or would not answer.
        assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403, "{signal}");
    }
    for line in ["another configuration holds", "nothing is different", "signal=SIGUSR1"] {
        gateway.tells(line);
    }
    up.end(&phone, &carrier);
    assert_eq!(gateway.call_details(19)[0]["VoiceConnectorId"], "office");
    gateway.stop();
}

#[test]
fn every_signal_that_ends_it_drains_and_a_second_one_hangs_up() {
    for (number, signal) in (231..).zip(["TERM", "INT", "QUIT"]) {
        let net = Net(number);
        let [phone, carrier] = peers(net);
        let gateway = Gateway::start_with(net, &["--drain", "600"], &Office::new(net, "udp").config());
        let _call = call(&phone, &carrier);
        gateway.signal(signal);
        eventually("draining", PATIENCE, || match super::support::get(net.admin(), "/readyz") {
            Ok((503, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        });
        // A signal that means nothing does not hurry it.
        gateway.signal("HUP");
        assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))), (503, "Gateway is draining".to_owned()));
        gateway.signal(signal);
        for leg in [&phone, &carrier] {
            leg.is_hung_up();
        }
        let directory = gateway.stopped();
        assert_eq!(call_details(&directory.path().join("records")).len(), 2, "{signal}");
    }
}

/// The terminal, or the program that read the log, is gone: every line that is written fails.
#[test]
fn with_nobody_to_read_its_log_it_goes_on() {
    let net = Net(234);
    let [phone, carrier] = peers(net);
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("gateway.toml"), Office::new(net, "udp").config()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    command.args(["run", "--config", "gateway.toml", "--log-format", "human"]).current_dir(directory.path());
    let mut gateway = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(gateway.stdout.take().unwrap());
    let ready = output.lines().map_while(Result::ok).any(|line| line.starts_with("Ready."));
    drop(gateway.stderr.take());
    let signal = |name: &str| {
        let kill = Command::new("kill").args(["-s", name, &gateway.id().to_string()]).status();
        assert!(kill.unwrap().success());
    };
    signal("HUP");
    let refused = phone.ask(phone.invite("+33123456789"));
    call(&phone, &carrier).end(&phone, &carrier);
    signal("TERM");
    let status = gateway.wait().unwrap();
    assert!(ready && status.success(), "{status}");
    assert_eq!(status_line(&refused).0, 403);
    let records = call_details(&directory.path().join("records"));
    assert!(records.iter().any(|record| record["SourcePhoneNumber"] == OURS), "{records:#?}");
}
