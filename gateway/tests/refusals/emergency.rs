//! Emergency digits.

use sip::{Method, Name};

use crate::support::{Net, Peer, Up, shown, status_line};
use crate::trunk::{Trunk, refused};

/// The call reaches the carrier as one to `number`, who takes it; the caller hangs up.
fn goes_through(trunk: &Trunk, caller: &Peer, carrier: &Peer, invite: sip::Builder, number: &str) {
    let call = Up::begin(caller, carrier, invite);
    let target = call.offered.request_uri().unwrap();
    assert!(target.starts_with(&format!("sip:{number}@")), "{}", shown(&call.offered));
    call.end(caller, carrier);
    trunk.gateway.settled();
}

#[test]
fn emergency_digits_pass_all_that_follows() {
    let trunk = Trunk::start(Net(121));
    let ([office, narrow], carrier) = ([trunk.phone(2), trunk.phone(10)], &trunk.west);
    // An extension is no caller ID, and 911 no E.164 number.
    let from = |from: &str| format!("<sip:{from}@trunk.example.com>;tag=f{}", Peer::fresh());
    for (digits, number) in [("911", "+15105550111"), ("933", "+15105550112")] {
        let call = office.invite(digits).set(Name::From, from("1001"));
        goes_through(&trunk, &office, carrier, call, number);
        trunk.expect_record("office", "Outbound", "Completed", "OK");
        let (code, text) = trunk.explain(&office, "1001", digits, "");
        assert_eq!(code, 0, "{text}");
        assert!(
            text.contains(
                "limits: none on an emergency call; the ports that are set aside are for 200 at one time"
            ),
            "{text}"
        );
    }
    // The connector is full: one call rings.
    let ringing = narrow.invite("+12125550123").build();
    narrow.send(&ringing);
    let offered = carrier.receive_request(Method::Invite);
    let full = narrow.ask(narrow.invite("+12125550124"));
    assert_eq!(status_line(&full).0, 503);
    trunk.expect_record("narrow", "Outbound", "Failed", "503 More than 1 calls at one time for narrow");
    let help = narrow.invite("911").build();
    narrow.send(&help);
    let emergency = carrier.receive_request(Method::Invite);
    assert!(emergency.request_uri().unwrap().starts_with("sip:+15105550111@"));
    // Every carrier is tried, whatever the others say.
    let east = &trunk.east;
    carrier.reply(&emergency, 603, "Decline");
    let emergency = east.receive_request(Method::Invite);
    east.reply(&emergency, 486, "Busy Here");
    assert_eq!(status_line(&narrow.answer_to(&help)), (486, "Busy Here".to_owned()));
    trunk.expect_record("narrow", "Outbound", "Failed", "486 Busy Here");
    assert_eq!(carrier.receive().method(), Some(Method::Ack));
    carrier.reply(&offered, 603, "Decline");
    assert_eq!(status_line(&narrow.answer_to(&ringing)).0, 603);
    trunk.expect_record("narrow", "Outbound", "Failed", "603 Decline");
    trunk.close();
}

#[test]
fn digits_without_an_entry_are_refused_and_warned_of() {
    let trunk = Trunk::start(Net(122));
    let branch = trunk.phone(11);
    for digits in ["911", "933", "112"] {
        let call = branch.invite(digits).set(Name::From, "<sip:1001@trunk.example.com>;tag=f");
        trunk.refuses(
            &branch,
            refused(call, 404, format!("No emergency entry for {digits}"))
                .counted("no_emergency_entry")
                .recorded("branch", "Outbound")
                .explained("1001", digits, ""),
        );
    }
    // The log has the first few.
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_voice-connector"));
    let checked = check.arg("check").arg(trunk.gateway.config()).output().unwrap();
    let log = String::from_utf8(checked.stderr).unwrap();
    assert!(log.contains("voice connector branch takes no emergency calls in US:"), "{log}");
    // It has an entry for the one and none for the others that it may call.
    assert!(log.contains("voice connector office takes no emergency calls in CA, JM, GB, FR:"), "{log}");
    assert!(!log.contains("voice connector narrow takes no"), "{log}");
    trunk.close();
}
