//! The disk under the records: full, or tidied up by somebody.

use std::fs;
use std::process::Command;

use sip::{Method, Name};

use super::support::{Gateway, Net, Office, Peer, THEIRS, Up, eventually, get, missing, status_line};
use super::{PATIENCE, peers};

/// Makes every write to a file fail, as on a full disk, or lets it pass again.
fn limit_writes(gateway: &Gateway, limit: &str) {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &gateway.id().to_string(), &format!("--fsize={limit}:")]);
    assert!(prlimit.status().unwrap().success());
}

/// Waits for a status of `/readyz`.
fn is_ready(net: Net, status: u16) -> String {
    eventually("/readyz", PATIENCE, || match get(net.admin(), "/readyz") {
        Ok((found, text)) if found == status => Ok(text),
        other => Err(format!("{other:?}")),
    })
}

fn asks(phone: &Peer) -> (u16, String) {
    let answer = phone.ask(phone.request(Method::Options, "sip:office@localhost"));
    assert!(answer.has(Name::Allow));
    status_line(&answer)
}

#[test]
fn a_full_disk_is_told_while_it_lasts() {
    if missing(&["prlimit"]) {
        return;
    }
    let net = Net(235);
    let [phone, carrier] = peers(net);
    let gateway = Gateway::start(net, &Office::new(net, "udp").config());
    assert_eq!(asks(&phone).0, 200);
    limit_writes(&gateway, "0");
    // Its record is the first that can't be written; it waits in memory.
    assert_eq!(status_line(&phone.ask(phone.invite("+33123456789"))).0, 403);
    let told = is_ready(net, 503);
    assert!(told.starts_with("records: "), "{told}");
    let refusal = (503, "Call records can't be written".to_owned());
    assert_eq!(asks(&phone), refusal);
    assert_eq!(status_line(&phone.ask(phone.invite(THEIRS))), refusal);
    limit_writes(&gateway, "unlimited");
    is_ready(net, 200);
    assert_eq!(asks(&phone).0, 200);
    Up::begin(&phone, &carrier, phone.invite(THEIRS)).end(&phone, &carrier);
    gateway.call_details(2);
}

#[test]
fn a_journal_that_was_tidied_away_tells_of_the_call_all_the_same() {
    let net = Net(236);
    let [phone, carrier] = peers(net);
    let mut gateway = Gateway::start(net, &Office::new(net, "udp").config());
    let _up = Up::begin(&phone, &carrier, phone.invite(THEIRS));
    let journal = gateway.records().join(".journal");
    fs::remove_dir_all(&journal).unwrap();
    eventually("a new journal", PATIENCE, || {
        fs::metadata(journal.join("journal")).map_err(|error| error.to_string())
    });
    // The line comes after the file.
    gateway.tells("records journal was removed");
    gateway.restart();
    for leg in [&phone, &carrier] {
        leg.is_hung_up();
    }
    gateway.call_details(1);
}
