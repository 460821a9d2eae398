//! The daemon dies with a call up, and dies again before anybody has heard of it.

use sip::{Method, Name};

use super::peers;
use super::reload::config;
use super::support::{Gateway, Net, THEIRS, Up, eventually, status_line};

#[test]
fn both_parties_are_hung_up_on_until_they_have_said_that_they_heard_it() {
    let net = Net(301);
    let [phone, carrier] = peers(net);
    let mut gateway = Gateway::start(net, &config(net, "", ""));
    Up::begin(&phone, &carrier, phone.invite(THEIRS));
    for _ in 0..2 {
        gateway.restart();
        for party in [&phone, &carrier] {
            party.receive_request(Method::Bye); // Nobody answers it.
        }
    }
    gateway.restart();
    for party in [&phone, &carrier] {
        party.is_hung_up();
    }
    gateway.settled();
    gateway.let_go();
    gateway.restart();
    gateway.tells("Ready");
    let log = gateway.log();
    assert!(!log.contains("is hung up"), "{log}");
    gateway.call_details(1);
    gateway.stop();
}

/// The caller hears that its call has failed, the callee that nobody waits any more; and the call is on record.
#[test]
fn a_call_that_rings_is_ended_on_both_sides_by_the_next_run() {
    let net = Net(422);
    let [phone, carrier] = peers(net);
    let mut gateway = Gateway::start(net, &config(net, "", ""));
    let invite = phone.invite(THEIRS).build();
    phone.send(&invite);
    let offered = carrier.receive_request(Method::Invite);
    carrier.reply(&offered, 180, "Ringing");
    eventually("the journal knows", super::PATIENCE, || {
        match gateway.metrics().sum("journal_open_calls", &[]) {
            1.0 => Ok(()),
            calls => Err(format!("{calls} calls")),
        }
    });
    gateway.restart();
    let (status, words) = status_line(&phone.answer_to(&invite));
    assert_eq!((status, words.as_str()), (503, "Gateway restarted"));
    let cancel = carrier.receive_request(Method::Cancel);
    assert_eq!(cancel.value(Name::Via), offered.value(Name::Via));
    carrier.reply(&cancel, 200, "OK");
    carrier.reply(&offered, 487, "Request Terminated");
    carrier.receive_request(Method::Ack);
    let record = gateway.call_details(1).remove(0);
    assert_eq!(
        (record["Status"].as_str(), record["BillableDurationSeconds"].as_u64()),
        (Some("Failed"), Some(0))
    );
    assert!(record["StatusMessage"].as_str().unwrap().starts_with("Gateway restarted; "), "{record}");
    gateway.let_go();
    gateway.stop();
}
