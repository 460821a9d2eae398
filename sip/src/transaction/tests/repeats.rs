//! What is a repeat, what is merged, and what is new, where peers are careless with branches.

use super::*;

/// The same request under another CSeq number or From tag.
fn with(method: &str, cseq: u32, tag: &str) -> Message {
    let request = request(method, "z9hG4bK1");
    let from = format!("Alice <sip:alice@atlanta.example.com>;tag={tag}");
    request.edit().set(Name::CSeq, format!("{cseq} {method}")).set(Name::From, from).build()
}

#[test]
fn a_repeat_agrees_in_branch_cseq_and_from_tag() {
    let mut table = Table::udp();
    let requests = [with("INVITE", 1, "a"), with("INVITE", 2, "a"), with("INVITE", 1, "b")];
    for (at, invite) in requests.iter().enumerate() {
        table.receive(invite);
        assert_eq!(table.requests.len(), at + 1);
        table.respond(&reply(invite, 486));
    }
    table.receive(&requests[1]);
    assert_eq!(table.requests.len(), 3);
    for request in &requests {
        assert!(table.transactions.knows(request));
    }
    for ack in [with("ACK", 1, "a"), with("ACK", 2, "a"), with("ACK", 1, "b")] {
        table.receive(&ack);
    }
    assert!(!table.finish().contains(&"32000 no ack".to_owned()), "each ACK found its own INVITE");
}

#[test]
fn the_ack_of_one_refusal_confirms_no_other_under_its_branch() {
    let mut table = Table::tcp();
    let (first, second) = (with("INVITE", 1, "a"), with("INVITE", 2, "a"));
    table.receive(&first).respond(&reply(&first, 407));
    table.receive(&second).respond(&reply(&second, 486));
    table.receive(&with("ACK", 1, "a"));
    let log = table.finish();
    assert_eq!(log.iter().filter(|line| *line == "32000 no ack").count(), 1);
}

#[test]
fn a_cancel_gives_up_its_own_invite_or_the_newest_under_its_branch() {
    for (cancel, given_up) in [
        (with("CANCEL", 1, "a"), 0),
        (with("CANCEL", 2, "a"), 1),
        (with("CANCEL", 7, "a"), 1), // As it must not be, and as some do.
        (with("CANCEL", 1, "z"), 1),
    ] {
        let mut table = Table::udp();
        let invites = [with("INVITE", 1, "a"), with("INVITE", 2, "a")];
        for invite in &invites {
            table.receive(invite).respond(&reply(invite, 180));
        }
        table.log();
        let other = cancel.edit().set(Name::CSeq, "99 CANCEL").build();
        table.receive(&cancel).receive(&cancel);
        let log = table.log();
        assert_eq!(log.iter().filter(|line| *line == "0 cancel").count(), 1, "{log:?}");
        assert_eq!(log.iter().filter(|line| *line == "0 send 200 CANCEL to peer").count(), 2, "{log:?}");
        assert!(table.transactions.server_len() == 3, "one CANCEL for each INVITE");
        if given_up == 1 {
            table.receive(&other);
            assert_eq!(table.transactions.server_len(), 3, "one CANCEL for each INVITE, whatever its CSeq");
        }
        for (id, invite) in table.requests.clone() {
            table.respond_to(id, &reply(&invite, 487));
        }
        for number in [1, 2] {
            table.receive(&with("ACK", number, "a"));
        }
        table.finish();
    }
}

#[test]
fn a_copy_of_what_was_refused_is_not_merged_and_one_of_what_was_answered_is() {
    for (code, merged) in [(180, true), (200, true), (302, false), (407, false), (486, false), (603, false)] {
        let mut table = Table::udp();
        let first = request("INVITE", "z9hG4bK1");
        let second = request("INVITE", "z9hG4bK2");
        table.receive(&first).respond(&reply(&first, code)).receive(&second);
        let expect = if merged { "0 request INVITE merged" } else { "0 request INVITE" };
        assert_eq!(table.log().last().map(String::as_str), Some(expect), "{code}");
        table.respond(&reply(&second, 486));
        let first_id = table.requests[0].0;
        table.respond_to(first_id, &reply(&first, 486));
        table.at(60_000);
        // All is over: nothing keeps the third from being the first.
        table.receive(&request("INVITE", "z9hG4bK3"));
        assert_eq!(table.log().last().map(String::as_str), Some("60000 request INVITE"), "{code}");
        let third = request("INVITE", "z9hG4bK3");
        table.respond(&reply(&third, 486)).finish();
    }
}

#[test]
fn what_is_dismissed_is_answered_once_and_forgotten() {
    for reliable in [false, true] {
        let mut table = Table::new(reliable);
        for method in ["INVITE", "BYE"] {
            for _ in 0..2 {
                let message = request(method, "z9hG4bK1");
                table.receive(&message);
                let id = table.requests.last().unwrap().0;
                table.transactions.dismiss(table.now, id, reply(&message, 407));
                table.drain();
                assert_eq!(table.transactions.server_len(), 0);
            }
        }
        table.receive(&request("ACK", "z9hG4bK1"));
        assert_eq!(
            table.finish(),
            [
                "0 request INVITE",
                "0 send 407 INVITE to peer",
                "0 request INVITE",
                "0 send 407 INVITE to peer",
                "0 request BYE",
                "0 send 407 BYE to peer",
                "0 request BYE",
                "0 send 407 BYE to peer",
                "0 ack",
            ]
        );
    }
}

#[test]
fn the_user_may_want_its_100_at_once() {
    let mut table = Table::udp();
    let invite = request("INVITE", "z9hG4bK1");
    table.receive(&invite);
    let id = table.requests[0].0;
    for _ in 0..2 {
        table.transactions.trying(table.now, id);
        table.drain();
    }
    table.at(300).receive(&invite).respond(&reply(&invite, 486));
    table.transactions.trying(table.now, id);
    table.drain();
    table.receive(&request("ACK", "z9hG4bK1"));
    assert_eq!(
        table.finish(),
        [
            "0 request INVITE",
            "0 send 100 INVITE to peer",
            "300 send 100 INVITE to peer",
            "300 send 486 INVITE to peer",
        ]
    );
}
