//! What systemd, or whoever starts the daemon in its place, is told.

use std::os::unix::net::UnixDatagram;
use std::process::Command;

use super::PATIENCE;
use super::support::{Net, Office, Process};

/// Waits for a message with these words. What comes before it must have one of `others`.
fn hears(manager: &UnixDatagram, words: &str, others: &[&str]) -> String {
    loop {
        let mut buffer = [0; 1_024];
        let length = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("no {words}: {error}"));
        let text = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if text.contains(words) {
            return text;
        }
        assert!(others.iter().any(|other| text.starts_with(other)), "{text:?} before {words}");
    }
}

#[test]
fn it_hears_of_readiness_life_reload_and_end() {
    let net = Net(239);
    let directory = tempfile::tempdir().unwrap();
    let config =
        Office::new(net, "udp").config().replace("[admin]\n", "[admin]\nsocket = \"control.sock\"\n");
    std::fs::write(directory.path().join("gateway.toml"), config).unwrap();
    let manager = UnixDatagram::bind(directory.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    command.args(["run", "gateway.toml", "--drain", "1"]).current_dir(directory.path());
    command.env("NOTIFY_SOCKET", directory.path().join("notify")).env("WATCHDOG_USEC", "2000000");
    let mut gateway = Process::start("gateway", command, directory.path());
    let life = &["WATCHDOG=1\n"];
    hears(&manager, "READY=1", life);
    hears(&manager, "WATCHDOG=1\nSTATUS=0 calls", &[]);
    hears(&manager, "WATCHDOG=1\nSTATUS=0 calls", &[]);
    gateway.signal("HUP");
    let reloading = hears(&manager, "RELOADING=1", life);
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    hears(&manager, "READY=1", life);
    let mut asked = Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    asked.args(["reload", "gateway.toml"]).current_dir(directory.path());
    assert!(asked.output().unwrap().status.success());
    hears(&manager, "RELOADING=1", life);
    hears(&manager, "READY=1", life);
    gateway.signal("TERM");
    hears(&manager, "STOPPING=1", life);
    assert!(gateway.wait(PATIENCE).success());
}
