use super::*;

#[test]
fn unanswered_invite_times_out() {
    let mut table = Table::udp();
    table.request(&request("INVITE", "z9hG4bK1"));
    let mut expect =
        [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map(|ms| format!("{ms} send INVITE to peer")).to_vec();
    expect.push("32000 timeout".to_owned());
    assert_eq!(table.finish(), expect);
}

#[test]
fn refused_invite_is_acknowledged_by_the_layer() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1").edit().header(Name::Route, "<sip:p1.example.com;lr>").build();
    table.request(&invite);
    table.at(100).receive(&reply(&invite, 180));
    table.at(200).receive(&reply(&invite, 486));
    let ack = table.last_sent().clone();
    assert_eq!(ack.request_uri(), invite.request_uri());
    for name in [Name::Via, Name::From, Name::CallId, Name::Route] {
        assert_eq!(ack.value(name.clone()), invite.value(name));
    }
    assert_eq!(ack.value(Name::CSeq).as_deref(), Some("314159 ACK"));
    assert_eq!(ack.to_tag().as_deref(), Some("8321234356"));
    assert_eq!(ack.check(), Ok(()));
    table.at(700).receive(&reply(&invite, 486)); // The ACK was lost.
    assert_eq!(
        table.finish(),
        [
            "0 send INVITE to peer",
            "100 response 180 INVITE",
            "200 send ACK to peer",
            "200 response 486 INVITE",
            "700 send ACK to peer",
        ]
    );
}

#[test]
fn forked_2xx_pass_and_later_ones_are_strays() {
    let mut table = Table::tcp();
    let invite = request("INVITE", "z9hG4bK1");
    table.request(&invite);
    table.at(100).receive(&reply(&invite, 200));
    table.at(600).receive(&reply(&invite, 200));
    table.at(32_099).receive(&reply(&invite, 200));
    table.at(32_100).receive(&reply(&invite, 200));
    assert_eq!(
        table.finish(),
        [
            "0 send INVITE to peer",
            "100 response 200 INVITE",
            "600 response 200 INVITE",
            "32099 response 200 INVITE",
            "32100 stray 200 INVITE",
        ]
    );
}

#[test]
fn responses_match_by_branch_and_method() {
    let mut table = Table::udp();
    let bye = request("BYE", "z9hG4bK1");
    table.request(&bye);
    table.receive(&reply(&request("BYE", "z9hG4bK2"), 200));
    table.receive(&reply(&request("OPTIONS", "z9hG4bK1"), 200));
    table.receive(&reply(&request("BYE", "z9hG4bk1"), 200)); // Branches are not compared without case.
    table.receive(&reply(&bye, 200));
    table.receive(&reply(&bye, 200));
    assert_eq!(
        table.finish(),
        [
            "0 send BYE to peer",
            "0 stray 200 BYE",
            "0 stray 200 OPTIONS",
            "0 stray 200 BYE",
            "0 response 200 BYE"
        ]
    );
}

#[test]
fn transport_error_ends_the_transaction_once() {
    for method in ["INVITE", "BYE"] {
        let mut table = Table::udp();
        let id = table.request(&request(method, "z9hG4bK1"));
        for _ in 0..2 {
            table.transactions.handle_client_error(table.now, id);
            table.drain();
        }
        assert_eq!(table.finish(), [format!("0 send {method} to peer"), "0 client transport".to_owned()]);
    }
}

#[test]
fn branch_used_twice_belongs_to_the_younger() {
    let mut table = Table::udp();
    let bye = request("BYE", "z9hG4bK1");
    let old = table.request(&bye);
    table.request(&bye);
    table.transactions.handle_client_error(table.now, old);
    table.drain();
    table.receive(&reply(&bye, 200));
    assert_eq!(table.finish().last().unwrap(), "0 response 200 BYE");
}
