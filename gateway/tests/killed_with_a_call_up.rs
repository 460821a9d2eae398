//! The gateway is killed while a call is up: its record is written at the next start, once, and the
//! call is returned to be hung up.

#![allow(clippy::unwrap_used)] // A test from its first line to its last.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway::direction::Direction;
use gateway::metrics::Metrics;
use gateway::record::{AnsweredCall, CallFacts, Opened, Party, Record, RecorderSettings, open};

/// Set for the process that is killed: its records directory.
const DIRECTORY: &str = "KILLED_WITH_A_CALL_UP_DIRECTORY";

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn call(transaction_id: &str, answered_at: Duration) -> AnsweredCall {
    let facts = CallFacts {
        account: "".into(),
        region: "us-east-1".into(),
        transaction_id: transaction_id.into(),
        call_id: "a84b4c76e66710@pbx.example.com".into(),
        voice_connector_id: "abcdef1ghij2klmno3pqr4".into(),
        direction: Direction::Inbound,
        status_message: "OK".into(),
        sip_auth_user: None,
        source: Party::default(),
        destination: Party::default(),
        started_at: answered_at,
        answered_at: Some(answered_at),
        ended_at: answered_at + Duration::from_secs(7),
        streaming: false,
        is_proxy_call: false,
    };
    AnsweredCall { facts, detail: None, state: b"tag x".to_vec() }
}

fn start(directory: &Path) -> Opened {
    open(&RecorderSettings::new(directory), Metrics::new("us-east-1").records()).unwrap()
}

/// Not a test of its own: the process that is killed. Elsewhere it does nothing.
#[test]
fn victim() {
    let Some(directory) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let opened = start(&directory);
    let (done, wait) = mpsc::channel();
    let answered_at = now();
    for id in ["up", "over"] {
        let done = done.clone();
        opened.recorder.answered(call(id, answered_at), Box::new(move |result| done.send(result).unwrap()));
        wait.recv().unwrap().unwrap();
    }
    opened.recorder.record(Record::CallDetail(Box::new(call("over", answered_at).facts))).unwrap();
    opened.recorder.flush();
    println!("\nready to die");
    std::thread::park_timeout(Duration::from_secs(60)); // Should nobody do it.
}

/// The records delivered, that of the call that was over first.
fn records(directory: &Path) -> Vec<String> {
    let mut records = Vec::new();
    let mut unseen = vec![directory.join("Amazon-Chime-Voice-Connector-CDRs")];
    while let Some(path) = unseen.pop() {
        if path.is_dir() {
            unseen.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            records.push(fs::read_to_string(path).unwrap());
        }
    }
    records.sort_by_key(|record| !record.contains("\"over\""));
    records
}

#[test]
fn killed_with_a_call_up() {
    let directory = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "victim", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let ready = output.lines().map_while(Result::ok).any(|line| line == "ready to die");
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(ready);
    assert_eq!(records(directory.path()).len(), 1);

    for start_no in 1..3 {
        let opened = start(directory.path());
        opened.recorder.flush();
        assert_eq!(opened.orphans.len(), 1, "start {start_no}");
        let orphan = &opened.orphans[0].call;
        assert_eq!(orphan.facts.transaction_id, "up");
        assert_eq!(orphan.state, b"tag x".to_vec());
        let [over, up] = &records(directory.path())[..] else { panic!("not two records") };
        assert!(
            over.contains("\"StatusMessage\":\"OK\"") && over.contains("\"BillableDurationSeconds\":12,")
        );
        assert!(up.contains("\"StatusMessage\":\"Gateway restarted; end time unknown, between "));
        if start_no == 2 {
            opened.recorder.released(orphan.facts.key());
        }
    }
    assert!(start(directory.path()).orphans.is_empty());
}
