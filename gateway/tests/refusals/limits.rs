//! Calls a second and calls at one time.

use sip::{Message, Method, Name};

use crate::support::{Net, Peer, status_line};
use crate::trunk::{Trunk, refused};

/// How many throttles of the connector were counted.
fn throttles(trunk: &Trunk, connector: &str, direction: &str) -> f64 {
    let labels = [("voice_connector_id", connector), ("direction", direction)];
    trunk.gateway.metrics().sum("throttles_total", &labels)
}

fn retry_after(answer: &Message) -> u32 {
    answer.number(Name::RetryAfter, u32::MAX).unwrap().unwrap()
}

/// A call that rings at `callee`; it is to be refused in the end.
fn ring(caller: &Peer, callee: &Peer, number: &str) -> [Message; 2] {
    let call = caller.invite(number).build();
    caller.send(&call);
    let offered = callee.receive_request(Method::Invite);
    callee.reply(&offered, 180, "Ringing");
    loop {
        match status_line(&caller.receive()).0 {
            100 => {}
            180 => return [call, offered],
            status => panic!("{status}"),
        }
    }
}

fn decline(caller: &Peer, callee: &Peer, [call, offered]: &[Message; 2]) {
    callee.reply(offered, 603, "Decline");
    assert_eq!(callee.receive().method(), Some(Method::Ack));
    assert_eq!(status_line(&caller.answer_to(call)), (603, "Decline".to_owned()));
}

#[test]
fn more_calls_in_a_second_than_the_connector_may_make() {
    let trunk = Trunk::start(Net(141));
    let (slow, carrier) = (trunk.phone(9), &trunk.west);
    // All come within a second or two, so one or two of them are the first of theirs.
    let calls: Vec<Message> = (0..5).map(|_| slow.invite("+12125550123").build()).collect();
    calls.iter().for_each(|call| slow.send(call));
    let mut answers = Vec::new();
    let mut declined = 0;
    while answers.len() + declined < calls.len() {
        let answer = slow.receive();
        let call = calls.iter().find(|call| call.value(Name::CallId) == answer.value(Name::CallId)).unwrap();
        match status_line(&answer) {
            (100, _) => {
                let offered = carrier.receive_request(Method::Invite);
                carrier.reply(&offered, 603, "Decline");
                assert_eq!(carrier.receive().method(), Some(Method::Ack));
                declined += 1;
            }
            (603, _) => slow.acknowledge(call, &answer),
            _ => {
                slow.acknowledge(call, &answer);
                answers.push(answer);
            }
        }
    }
    assert!((1..=2).contains(&declined), "{declined}");
    for answer in &answers {
        let phrase = "More than 1 calls per second for slow";
        let refusal = refused(slow.invite("+12125550123"), 503, phrase).recorded("slow", "Outbound");
        trunk.judge(&slow, &refusal, answer);
        assert_eq!(retry_after(answer), 1);
    }
    let count = f64::from(u8::try_from(answers.len()).unwrap());
    assert_eq!(throttles(&trunk, "slow", "outbound"), count);
    assert_eq!(trunk.gateway.metrics().sum("refusals_total", &[("cause", "cps")]), count);
    let (code, text) = trunk.explain(&slow, "+12065550100", "+12125550123", "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("limits: 1 calls per second and"), "{text}");
    for _ in 0..declined {
        trunk.expect_record("slow", "Outbound", "Failed", "603 Decline");
    }
    trunk.close();
}

#[test]
fn more_calls_at_one_time_than_the_connector_may_make() {
    let trunk = Trunk::start(Net(142));
    let (narrow, carrier) = (trunk.phone(10), &trunk.west);
    for round in 1..=2 {
        let ringing = ring(&narrow, carrier, "+12125550123");
        let call = refused(narrow.invite("+12125550124"), 503, "More than 1 calls at one time for narrow")
            .counted("concurrent_calls")
            .recorded("narrow", "Outbound");
        assert_eq!(retry_after(&trunk.refuses(&narrow, call)), 5);
        assert_eq!(throttles(&trunk, "narrow", "outbound"), f64::from(round));
        // Its place is free again.
        decline(&narrow, carrier, &ringing);
        trunk.expect_record("narrow", "Outbound", "Failed", "603 Decline");
    }
    let (code, text) = trunk.explain(&narrow, "+12065550103", "+12125550123", "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("and 1 calls at one time for voice connector narrow, outbound"), "{text}");
    trunk.close();
}

#[test]
fn more_calls_at_one_time_than_the_connector_takes() {
    let trunk = Trunk::start(Net(143));
    let (narrow, carrier) = (trunk.phone(10), &trunk.west);
    for round in 1..=2 {
        let ringing = ring(carrier, &narrow, "+12065550103");
        let phrase = "No route took the call: More than 1 calls at one time for narrow";
        let call = refused(carrier.invite("+12065550103"), 503, phrase)
            .counted("concurrent_calls")
            .recorded("narrow", "Inbound");
        assert_eq!(retry_after(&trunk.refuses(carrier, call)), 5);
        assert_eq!(throttles(&trunk, "narrow", "inbound"), f64::from(round));
        decline(carrier, &narrow, &ringing);
        trunk.expect_record("narrow", "Inbound", "Failed", "603 Decline");
    }
    trunk.close();
}
