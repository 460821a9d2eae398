//! A call's story in the log: which carrier was left and why, who took the call, who hung up, how long and what code.

use std::io;
use std::sync::{Arc, Mutex};

use super::phone::CHALLENGE;
use super::trunk::{OUTSIDE, PBX, Trunk, over_udp};

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of a scenario, as lines.
fn log_of(scenario: impl Fn(&mut Trunk)) -> Vec<String> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .with_max_level(tracing::Level::INFO)
        .finish();
    tracing::subscriber::with_default(subscriber, || over_udp(&[], scenario));
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    text.lines().map(|line| line.trim_start().to_owned()).collect()
}

/// There is one line that has all of these.
fn assert_says(log: &[String], words: &[&str]) {
    let found = log.iter().filter(|line| words.iter().all(|word| line.contains(word)));
    assert_eq!(found.count(), 1, "{words:?} in {log:#?}");
}

#[test]
fn each_host_that_was_tried_and_the_end() {
    let log = log_of(|trunk| {
        let a = trunk.dial(trunk.pbx, OUTSIDE);
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.respond_with(east, 407, &[("Proxy-Authenticate", CHALLENGE)]);
        trunk.run(0.5);
        let west = trunk.incoming(trunk.west);
        trunk.respond(west, 200);
        trunk.run(10.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    assert_says(&log, &["WARN", "credentials are wanted", "carrier=\"east\"", "status=407"]);
    let left = "because=\"407 asks for credentials that it would take\"";
    assert_says(
        &log,
        &["INFO", "host was left for the next", "carrier=\"east\"", "address=10.0.1.1:5060", left],
    );
    assert_says(&log, &["INFO", "host took the call", "carrier=\"west\"", "milliseconds=5"]);
    assert_says(&log, &["call ended", "carrier=\"west\"", "by=\"caller\"", "seconds=10.0", "cause=200"]);
}

#[test]
fn an_emergency_call_is_a_warning() {
    let log = log_of(|trunk| {
        let a = trunk.dial(trunk.pbx, "911");
        trunk.run(0.5);
        let east = trunk.incoming(trunk.east);
        trunk.respond(east, 200);
        trunk.run(1.0);
        trunk.hang_up(a);
        trunk.run(1.0);
    });
    let routed = "routing_number=\"+15105550111\"";
    let caller = format!("caller=\"{PBX}\"");
    assert_says(&log, &["WARN", "emergency call", "connector=\"pbx\"", "digits=\"911\"", routed, &caller]);
}
