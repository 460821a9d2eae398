use super::*;

#[test]
fn silent_user_gets_a_100_sent() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1").edit().header(Name::Timestamp, "54").build();
    table.receive(&invite);
    table.at(200);
    assert_eq!(table.last_sent().to_tag(), None);
    assert_eq!(table.last_sent().value(Name::Timestamp).as_deref(), Some("54"));
    table.at(500).receive(&invite);
    table.at(600).respond(&reply(&invite, 180));
    table.at(1_500).receive(&invite);
    table.at(2_000).respond(&reply(&invite, 200));
    assert_eq!(
        table.finish(),
        [
            "0 request INVITE",
            "200 send 100 INVITE to peer",
            "500 send 100 INVITE to peer",
            "600 send 180 INVITE to peer",
            "1500 send 180 INVITE to peer",
            "2000 send 200 INVITE to peer",
        ]
    );
}

#[test]
fn quick_user_gets_no_100_sent() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    table.receive(&invite);
    table.at(100).respond(&reply(&invite, 183));
    table.at(10_000).respond(&reply(&invite, 486)).receive(&request("ACK", "z9hG4bK1"));
    assert_eq!(
        table.finish(),
        ["0 request INVITE", "100 send 183 INVITE to peer", "10000 send 486 INVITE to peer"]
    );
}

#[test]
fn refusal_is_repeated_until_the_ack() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    table.receive(&invite).respond(&reply(&invite, 486));
    table.at(700).receive(&invite);
    table.at(1_600).receive(&request("ACK", "z9hG4bK1"));
    table.at(1_700).receive(&request("ACK", "z9hG4bK1"));
    table.at(1_800).receive(&invite);
    assert_eq!(
        table.finish(),
        [
            "0 request INVITE",
            "0 send 486 INVITE to peer",
            "500 send 486 INVITE to peer",
            "700 send 486 INVITE to peer",
            "1500 send 486 INVITE to peer",
        ]
    );
}

#[test]
fn refusal_without_ack_is_reported() {
    let mut table = Table::tcp();
    let invite = request("INVITE", "z9hG4bK1");
    table.receive(&invite).respond(&reply(&invite, 486));
    assert_eq!(table.finish(), ["0 request INVITE", "0 send 486 INVITE to peer", "32000 no ack"]);
}

#[test]
fn ack_of_a_2xx_is_passed_on_whatever_its_branch() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    table.receive(&invite).respond(&reply(&invite, 200));
    table.at(100).receive(&invite);
    table.at(200).receive(&request("ACK", "z9hG4bK2"));
    table.at(300).receive(&request("ACK", "z9hG4bK1"));
    assert_eq!(table.finish(), ["0 request INVITE", "0 send 200 INVITE to peer", "200 ack", "300 ack"]);
}

#[test]
fn stray_ack_keeps_no_state() {
    let mut table = Table::udp();
    table.receive(&request("ACK", "z9hG4bK1"));
    assert_eq!(table.finish(), ["0 ack"]);
}

#[test]
fn repeated_request_gets_the_last_answer() {
    let mut table = Table::udp();
    let bye = request("BYE", "z9hG4bK1");
    table.receive(&bye);
    table.at(100).receive(&bye);
    table.at(200).respond(&reply(&bye, 200));
    table.at(500).receive(&bye);
    table.at(32_199).receive(&bye);
    table.at(32_200).receive(&bye).respond(&reply(&bye, 481));
    assert_eq!(
        table.finish(),
        [
            "0 request BYE",
            "200 send 200 BYE to peer",
            "500 send 200 BYE to peer",
            "32199 send 200 BYE to peer",
            "32200 request BYE", // Timer J is over: it counts as new.
            "32200 send 481 BYE to peer",
        ]
    );
}

#[test]
fn same_branch_from_another_sender_or_method_is_another_transaction() {
    let mut table = Table::udp();
    let options = request("OPTIONS", "z9hG4bK1");
    let elsewhere =
        options.edit().set(Name::Via, "SIP/2.0/UDP pc34.atlanta.example.com:5060;branch=z9hG4bK1").build();
    let other_port =
        options.edit().set(Name::Via, "SIP/2.0/UDP pc33.atlanta.example.com:5062;branch=z9hG4bK1").build();
    let odd_case =
        options.edit().set(Name::Via, "SIP/2.0/UDP PC33.Atlanta.Example.com:5060;branch=z9hG4bK1").build();
    let info = request("INFO", "z9hG4bK1");
    for message in [&options, &elsewhere, &other_port, &info] {
        table.receive(message).respond(&reply(message, 200));
    }
    table.receive(&odd_case);
    assert_eq!(
        table.finish(),
        [
            "0 request OPTIONS",
            "0 send 200 OPTIONS to peer",
            "0 request OPTIONS",
            "0 send 200 OPTIONS to peer",
            "0 request OPTIONS",
            "0 send 200 OPTIONS to peer",
            "0 request INFO",
            "0 send 200 INFO to peer",
            "0 send 200 OPTIONS to peer", // A host name has no case.
        ]
    );
}

#[test]
fn merged_requests_are_marked_while_the_first_lives() {
    let mut table = Table::udp();
    let first = request("INVITE", "z9hG4bK1");
    let second = request("INVITE", "z9hG4bK2");
    let in_dialog =
        request("INVITE", "z9hG4bK3").edit().set(Name::To, "<sip:bob@biloxi.example.com>;tag=1").build();
    table.receive(&first).respond(&reply(&first, 180));
    table.receive(&second).respond(&reply(&second, 482)).receive(&request("ACK", "z9hG4bK2"));
    table.receive(&in_dialog).respond(&reply(&in_dialog, 200));
    let first_id = table.requests[0].0;
    table.respond_to(first_id, &reply(&first, 486)).receive(&request("ACK", "z9hG4bK1"));
    table.at(60_000);
    let third = request("INVITE", "z9hG4bK4");
    table.receive(&third).respond(&reply(&third, 200));
    let log = table.finish();
    let requests: Vec<_> = log.iter().filter(|line| line.contains("request")).collect();
    assert_eq!(
        requests,
        ["0 request INVITE", "0 request INVITE merged", "0 request INVITE", "60000 request INVITE"]
    );
}

#[test]
fn transport_error_is_reported_and_the_answer_repeated() {
    let mut table = Table::udp();
    let bye = request("BYE", "z9hG4bK1");
    table.receive(&bye).respond(&reply(&bye, 200));
    let id = table.requests[0].0;
    table.transactions.handle_server_error(table.now, id);
    table.drain();
    table.at(500).receive(&bye);
    assert_eq!(
        table.finish(),
        ["0 request BYE", "0 send 200 BYE to peer", "0 server transport", "500 send 200 BYE to peer"]
    );
}

#[test]
fn response_to_an_ended_transaction_is_ignored() {
    let mut table = Table::tcp();
    let bye = request("BYE", "z9hG4bK1");
    table.receive(&bye).respond(&reply(&bye, 200)).respond(&reply(&bye, 200));
    assert_eq!(table.finish(), ["0 request BYE", "0 send 200 BYE to peer"]);
}

#[test]
fn knows_what_costs_nothing() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    assert!(!table.transactions.knows(&invite));
    table.receive(&invite).respond(&reply(&invite, 180));
    for (method, branch, known) in [
        ("INVITE", "z9hG4bK1", true),
        ("ACK", "z9hG4bK1", true),
        ("CANCEL", "z9hG4bK1", true),
        ("INVITE", "z9hG4bK2", false),
        ("ACK", "z9hG4bK2", false),
        ("CANCEL", "z9hG4bK2", false),
        ("BYE", "z9hG4bK1", false),
    ] {
        assert_eq!(table.transactions.knows(&request(method, branch)), known, "{method} {branch}");
    }
    assert_eq!(table.transactions.server_len(), 1);
}

mod rfc_2543 {
    //! Peers whose branch lacks the magic cookie. RFC 3261 §17.2.3.

    use super::*;

    /// A refused INVITE, its repetition, and an ACK that is fitted with the To of the refusal.
    #[test]
    fn invite_and_ack_match_without_the_cookie() {
        for branch in ["1", "z9hG4bK"] {
            let mut table = Table::udp();
            let invite = legacy("INVITE", branch);
            let refusal = reply(&invite, 486);
            table.receive(&invite).respond(&refusal);
            table.at(100).receive(&invite);
            let ack =
                legacy("ACK", branch).edit().set(Name::To, refusal.value(Name::To).unwrap().as_ref()).build();
            let other = ack.edit().set(Name::To, "<sip:bob@biloxi.example.com>;tag=another").build();
            table.at(200).receive(&other);
            table.at(300).receive(&ack);
            assert_eq!(
                table.finish(),
                ["0 request INVITE", "0 send 486 INVITE to peer", "100 send 486 INVITE to peer", "200 ack",]
            );
        }
    }

    #[test]
    fn each_part_counts() {
        let mut table = Table::udp();
        let bye = legacy("BYE", "1");
        table.receive(&bye).respond(&reply(&bye, 200));
        let variants = [
            bye.edit().set(Name::CallId, "other").build(),
            bye.edit().set(Name::CSeq, "2 BYE").build(),
            bye.edit().set(Name::From, "<sip:alice@atlanta.example.com>;tag=other").build(),
            bye.edit().set(Name::To, "<sip:bob@biloxi.example.com>;tag=other").build(),
            bye.edit().set(Name::Via, "SIP/2.0/UDP other.example.com;branch=1").build(),
            bye.edit().uri("sip:other@biloxi.example.com").build(),
        ];
        for variant in &variants {
            table.receive(variant).respond(&reply(variant, 200));
        }
        assert_eq!(table.requests.len(), 1 + variants.len());
        for message in [&bye].into_iter().chain(&variants) {
            table.receive(message);
        }
        assert_eq!(table.requests.len(), 1 + variants.len());
        table.finish();
    }

    #[test]
    fn cancel_matches() {
        let mut table = Table::udp();
        let invite = legacy("INVITE", "1");
        table.receive(&invite).respond(&reply(&invite, 180));
        table.receive(&legacy("CANCEL", "1")).respond(&reply(&invite, 487));
        table.receive(&legacy("CANCEL", "1"));
        let ack = legacy("ACK", "1")
            .edit()
            .set(Name::To, "Bob <sip:bob@biloxi.example.com>;tag=8321234356")
            .build();
        table.receive(&ack);
        assert_eq!(
            table.finish(),
            [
                "0 request INVITE",
                "0 send 180 INVITE to peer",
                "0 send 200 CANCEL to peer",
                "0 cancel",
                "0 send 487 INVITE to peer",
                "0 send 200 CANCEL to peer",
            ]
        );
    }

    #[test]
    fn missing_branch_and_tags_are_fine() {
        let mut table = Table::udp();
        let bye = legacy("BYE", "1")
            .edit()
            .set(Name::Via, "SIP/2.0/UDP pc33.atlanta.example.com")
            .set(Name::From, "sip:alice@atlanta.example.com")
            .build();
        table.receive(&bye).respond(&reply(&bye, 200)).receive(&bye);
        assert_eq!(table.finish(), ["0 request BYE", "0 send 200 BYE to peer", "0 send 200 BYE to peer"]);
    }

    fn legacy(method: &str, branch: &str) -> Message {
        let via = format!("SIP/2.0/UDP pc33.atlanta.example.com;branch={branch}");
        request(method, "z9hG4bK1").edit().set(Name::Via, via).build()
    }
}
