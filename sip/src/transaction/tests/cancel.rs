use super::*;

#[test]
fn our_cancel_waits_for_a_provisional_and_ends_with_487() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1").edit().header(Name::Route, "<sip:p1.example.com;lr>").build();
    let id = table.request(&invite);
    table.at(100).cancel(id);
    table.at(600).receive(&reply(&invite, 180));
    let cancel = table.last_sent().clone();
    assert_eq!(cancel.request_uri(), invite.request_uri());
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::Route] {
        assert_eq!(cancel.value(name.clone()), invite.value(name));
    }
    assert_eq!(cancel.value(Name::CSeq).as_deref(), Some("314159 CANCEL"));
    assert_eq!(
        cancel.value(Name::Reason).as_deref(),
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    assert_eq!(cancel.check(), Ok(()));
    assert_eq!(table.transactions.client_len(), 2);
    table.at(1_200).receive(&reply(&cancel, 200));
    table.at(1_300).receive(&reply(&invite, 487));
    assert_eq!(
        table.finish(),
        [
            "0 send INVITE to peer",
            "500 send INVITE to peer",
            "600 response 180 INVITE",
            "600 send CANCEL to peer",
            "1100 send CANCEL to peer",
            "1300 send ACK to peer",
            "1300 response 487 INVITE",
        ]
    );
}

#[test]
fn our_cancel_that_nobody_answers_is_one_timeout() {
    for reliable in [false, true] {
        let mut table = Table::new(reliable);
        let invite = request("INVITE", "z9hG4bK1");
        let id = table.request(&invite);
        table.receive(&reply(&invite, 180)).cancel(id).cancel(id);
        let log = table.finish();
        let sent = log.iter().filter(|line| line.ends_with("send CANCEL to peer")).count();
        assert_eq!(sent, if reliable { 1 } else { 11 });
        let rest: Vec<_> = log.iter().filter(|line| !line.contains("send")).collect();
        assert_eq!(rest, ["0 response 180 INVITE", "32000 timeout"]);
    }
}

#[test]
fn our_cancel_may_come_too_late() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    let id = table.request(&invite);
    table.receive(&reply(&invite, 180)).cancel(id);
    let cancel = table.last_sent().clone();
    table.at(10).receive(&reply(&invite, 200));
    table.at(20).receive(&reply(&cancel, 200));
    assert_eq!(
        table.finish(),
        ["0 send INVITE to peer", "0 response 180 INVITE", "0 send CANCEL to peer", "10 response 200 INVITE",]
    );
}

#[test]
fn lost_connection_of_our_cancel_is_no_news() {
    let mut table = Table::tcp();
    let invite = request("INVITE", "z9hG4bK1");
    let id = table.request(&invite);
    table.receive(&reply(&invite, 180)).cancel(id);
    let cancel = ClientId(id.0 + 1);
    table.transactions.handle_client_error(table.now, cancel);
    table.drain();
    assert_eq!(table.transactions.client_len(), 1);
    assert_eq!(table.finish().last().unwrap(), "32000 timeout");
}

#[test]
fn cancel_of_another_method_is_ignored() {
    let mut table = Table::tcp();
    let bye = request("BYE", "z9hG4bK1");
    let id = table.request(&bye);
    table.cancel(id).receive(&reply(&bye, 200)).cancel(id);
    assert_eq!(table.finish(), ["0 send BYE to peer", "0 response 200 BYE"]);
}

#[test]
fn their_cancel_is_answered_200_with_our_tag() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    let cancel = request("CANCEL", "z9hG4bK1");
    table.receive(&invite).respond(&reply(&invite, 180));
    table.at(100).receive(&cancel);
    assert_eq!(table.last_sent().to_tag().as_deref(), Some("8321234356"));
    table.at(600).receive(&cancel); // The 200 was lost.
    table.at(700).respond(&reply(&invite, 487)).receive(&request("ACK", "z9hG4bK1"));
    assert_eq!(
        table.finish(),
        [
            "0 request INVITE",
            "0 send 180 INVITE to peer",
            "100 send 200 CANCEL to peer",
            "100 cancel",
            "600 send 200 CANCEL to peer",
            "700 send 487 INVITE to peer",
        ]
    );
}

#[test]
fn their_cancel_before_any_answer_gets_some_tag() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    table.receive(&invite).receive(&request("CANCEL", "z9hG4bK1"));
    assert!(table.last_sent().to_tag().is_some());
    table.respond(&reply(&invite, 487)).receive(&request("ACK", "z9hG4bK1"));
    assert_eq!(
        table.finish(),
        ["0 request INVITE", "0 send 200 CANCEL to peer", "0 cancel", "0 send 487 INVITE to peer"]
    );
}

#[test]
fn their_cancel_after_the_final_changes_nothing() {
    for code in [200, 486] {
        let mut table = Table::udp();
        let invite = request("INVITE", "z9hG4bK1");
        table.receive(&invite).respond(&reply(&invite, code));
        table.receive(&request("CANCEL", "z9hG4bK1")).receive(&request("ACK", "z9hG4bK1"));
        let log = table.finish();
        assert!(log.contains(&"0 send 200 CANCEL to peer".to_owned()), "{log:?}");
        assert!(!log.contains(&"0 cancel".to_owned()), "{log:?}");
    }
}

#[test]
fn stray_cancel_gets_481_and_keeps_no_state() {
    let mut table = Table::udp();
    for branch in ["z9hG4bK1", "z9hG4bK1", "1"] {
        table.receive(&request("CANCEL", branch));
        assert!(table.last_sent().to_tag().is_some());
    }
    assert_eq!(table.transactions.server_len(), 0);
    assert_eq!(table.sent[0].to_tag(), table.sent[1].to_tag(), "every copy gets the same answer");
    assert_eq!(table.finish(), ["0 send 481 CANCEL to peer"; 3]);
}
