//! Where a call goes, or does not.

use sip::{Message, Method, Name};

use crate::support::{Net, Peer, Up, call_details};
use crate::trunk::{Trunk, refused};

#[test]
fn an_inbound_number_that_nobody_has() {
    let trunk = Trunk::start(Net(151));
    let carrier = &trunk.west;
    for number in ["+12065559999", "reception"] {
        trunk.refuses(
            carrier,
            refused(carrier.invite(number), 404, format!("Number {number} is not assigned"))
                .counted("not_assigned")
                .explained("+12125550123", number, ""),
        );
    }
    trunk.close();
}

#[test]
fn a_prefix_that_no_carrier_takes() {
    let trunk = Trunk::start(Net(152));
    let office = trunk.phone(2);
    trunk.refuses(
        &office,
        refused(office.invite("+33142685300"), 404, "No carrier for +33142685300")
            .counted("no_carrier")
            .recorded("office", "Outbound")
            .explained("+12065550100", "+33142685300", ""),
    );
    trunk.close();
}

/// Both carriers answer so; returns what the caller hears.
fn both_carriers_answer(trunk: &Trunk, office: &Peer, answers: [(u16, &str); 2]) -> Message {
    let call = office.invite("+12125550123").build();
    office.send(&call);
    for (carrier, (status, reason)) in [&trunk.west, &trunk.east].into_iter().zip(answers) {
        let offered = carrier.receive_request(Method::Invite);
        carrier.reply(&offered, status, reason);
        assert_eq!(carrier.receive().method(), Some(Method::Ack));
    }
    office.answer_to(&call)
}

#[test]
fn when_all_routes_are_exhausted_the_last_answer_that_says_something_counts() {
    let trunk = Trunk::start(Net(153));
    let office = trunk.phone(2);
    for (answers, status, phrase) in [
        ([(500, "Trunk on fire"), (503, "Service Unavailable")], 500, "Trunk on fire"),
        ([(500, "Trunk on fire"), (404, "Unallocated number")], 404, "Unallocated number"),
        ([(408, "Request Timeout"), (486, "Busy Here")], 486, "Busy Here"),
        ([(503, "Overloaded"), (503, "Service Unavailable")], 500, "No route took the call: unavailable"),
        ([(430, "Flow Failed"), (408, "Request Timeout")], 504, "No route took the call: timed out"),
    ] {
        let answer = both_carriers_answer(&trunk, &office, answers);
        let refusal = refused(office.invite(""), status, phrase).recorded("office", "Outbound");
        trunk.judge(&office, &refusal, &answer);
    }
    let counted = trunk.gateway.metrics().sum("call_failures_total", &[("voice_connector_id", "office")]);
    assert_eq!(counted, 5.0);
    let (code, text) = trunk.explain(&office, "+12065550100", "+12125550123", "");
    assert_eq!(code, 0, "{text}");
    let routes: Vec<&str> = text.lines().filter(|line| line.contains("route: carrier ")).collect();
    assert!(routes[0].contains("west") && routes[1].contains("east") && routes.len() == 2, "{text}");
    trunk.close();
}

#[test]
fn a_carrier_that_cannot_be_reached() {
    let trunk = Trunk::start(Net(154));
    let office = trunk.phone(2);
    let answer = office.ask(office.invite("+442071838750"));
    let phrase = "No route took the call: unreachable";
    let refusal = refused(office.invite(""), 502, phrase).recorded("office", "Outbound");
    trunk.judge(&office, &refusal, &answer);
    trunk.close();
}

#[test]
fn an_on_net_call_has_two_records_and_one_transaction_id() {
    let trunk = Trunk::start(Net(155));
    let [office, branch] = [trunk.phone(2), trunk.phone(11)];
    let invite = office.invite("+12065550101");
    let call = Up::begin(&office, &branch, invite.clone());
    let offered = call.offered.clone();
    assert_eq!(offered.value(Name::from("X-VoiceConnector-ID")).as_deref(), Some("branch"));
    let labels = |connector, direction| [("voice_connector_id", connector), ("direction", direction)];
    let metrics = trunk.gateway.metrics();
    assert_eq!(metrics.sum("calls_active", &labels("office", "outbound")), 1.0);
    assert_eq!(metrics.sum("calls_active", &labels("branch", "inbound")), 1.0);
    call.end(&office, &branch);
    trunk.gateway.call_details(2);
    let records = call_details(&trunk.gateway.records());
    assert_eq!(records[0]["TransactionId"], records[1]["TransactionId"]);
    for (connector, direction, call_id) in
        [("office", "Outbound", &invite.build()), ("branch", "Inbound", &offered)]
    {
        let record = records.iter().find(|record| record["VoiceConnectorId"] == connector).unwrap();
        assert_eq!(record["Direction"], direction);
        assert_eq!(record["CallId"].as_str(), call_id.call_id().ok());
        assert_eq!(record["SourcePhoneNumber"], "+12065550100");
        assert_eq!(record["DestinationPhoneNumber"], "+12065550101");
        trunk.expect_record(connector, direction, "Completed", "OK");
    }
    let (code, text) = trunk.explain(&office, "+12065550100", "+12065550101", "");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("admitted: on-net call from +12065550100 to +12065550101, billed to"), "{text}");
    trunk.close();
}
