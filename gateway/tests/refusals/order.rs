//! What is wrong first is said first: a request with every fault loses them one by one.

use sip::{Builder, Message, Method, Name};

use crate::support::{Net, Peer, shown, status_line};
use crate::trunk::{Trunk, refused};

/// A request of `method` from a connector that asks for credentials, with every fault but those of syntax.
fn faulty(phone: &Peer, method: Method) -> Builder {
    phone
        .request(method, "mailto:+12125550123@trunk.example.com")
        .set(Name::From, "<sip:nobody@trunk.example.com>;tag=f")
        .set(Name::MaxForwards, "0")
        .header(Name::Require, "teleportation, 100rel")
        .header(Name::Accept, "text/plain")
        .body("text/plain", "hello".into())
}

fn is(answer: &Message, status: u16) {
    assert_eq!(status_line(answer).0, status, "{}", shown(answer));
}

#[test]
fn the_first_fault_in_the_order_is_the_answer() {
    let trunk = Trunk::start(Net(161));
    let [stranger, phone] = [trunk.phone(66), trunk.phone(7)];
    // Syntax, of anybody.
    is(&stranger.ask(faulty(&stranger, Method::Invite).set(Name::CSeq, "1 BYE")), 400);
    let text = faulty(&stranger, Method::Invite).build();
    let newer = String::from_utf8_lossy(text.bytes()).replacen(" SIP/2.0\r\n", " SIP/7.0\r\n", 1);
    stranger.send_bytes(newer.as_bytes());
    is(&stranger.answer_to(&text), 505);
    // Source.
    is(&stranger.ask(faulty(&stranger, Method::Invite)), 403);
    is(&stranger.ask(faulty(&stranger, Method::parse("TELEPORT").unwrap())), 403);
    // Method.
    for (method, status) in [
        (Method::parse("TELEPORT").unwrap(), 501),
        (Method::Publish, 405),
        (Method::Register, 405),
        (Method::Subscribe, 405),
    ] {
        let answer = phone.ask(faulty(&phone, method));
        is(&answer, status);
        assert!(answer.value(Name::Allow).unwrap().contains("INVITE"));
    }
    // Scheme, Max-Forwards, Require, body: each leaves a record, for the connector is known.
    let refusal = |invite: &Builder, status, phrase: &str| {
        refused(invite.clone(), status, phrase).counted("protocol").recorded("digest", "Outbound")
    };
    let mut invite = faulty(&phone, Method::Invite);
    let fresh = |invite: &Builder| {
        let call_id = format!("order-{}", Peer::fresh());
        invite.clone().set(Name::Via, phone.via()).set(Name::CallId, call_id)
    };
    trunk.refuses(&phone, refusal(&invite, 416, "URI scheme mailto is not supported"));
    invite = fresh(&invite).uri("sip:+12125550123@trunk.example.com");
    trunk.refuses(&phone, refusal(&invite, 483, "Too Many Hops"));
    invite = fresh(&invite).set(Name::MaxForwards, "1");
    let answer = trunk.refuses(&phone, refusal(&invite, 420, "Not supported: teleportation"));
    assert_eq!(answer.value(Name::Unsupported).as_deref(), Some("teleportation"));
    invite = fresh(&invite).remove(Name::Require);
    let answer = trunk.refuses(&phone, refusal(&invite, 415, "Content-Type text/plain is not supported"));
    assert_eq!(
        answer.value(Name::Accept).as_deref(),
        Some("application/sdp, multipart/mixed, application/pidf+xml")
    );
    invite = fresh(&invite).body("application/sdp", "v=0\r\n".into());
    trunk.refuses(&phone, refusal(&invite, 406, "Accept leaves out application/sdp"));
    let packed = fresh(&invite).header(Name::ContentEncoding, "gzip");
    let answer = trunk.refuses(&phone, refusal(&packed, 415, "Content-Encoding gzip is not supported"));
    assert_eq!(answer.value(Name::AcceptEncoding).as_deref(), Some("identity"));
    // Digest, which is no call yet; then the policy, beginning with who calls.
    invite = fresh(&invite).remove(Name::Accept);
    is(&phone.ask(invite), 407);
    copies_are_merged_before_it_is_asked_what_they_require(&trunk);
    let branch = trunk.phone(11);
    let call = branch.invite("911").set(Name::From, "<sip:nobody@trunk.example.com>;tag=f");
    is(&branch.ask(call), 404);
    trunk.expect_record("branch", "Outbound", "Failed", "404 No emergency entry for 911");
    let call = branch.invite("12").set(Name::From, "<sip:nobody@trunk.example.com>;tag=f");
    is(&branch.ask(call), 484);
    trunk.expect_record("branch", "Outbound", "Failed", "484 12 is not an E.164 number with +");
    let call = branch.invite("+493012345678").set(Name::From, "<sip:nobody@trunk.example.com>;tag=f");
    is(&branch.ask(call), 403);
    trunk.expect_record("branch", "Outbound", "Failed", "403 Caller Id nobody is not valid");
    trunk.close();
}

/// The same request by another way, while the first one rings.
fn copies_are_merged_before_it_is_asked_what_they_require(trunk: &Trunk) {
    let (office, carrier) = (trunk.phone(2), &trunk.west);
    let from = "<sip:+12065550100@trunk.example.com>;tag=f";
    let first = office.invite("+12125550123").set(Name::From, from).build();
    office.send(&first);
    let offered = carrier.receive_request(Method::Invite);
    let copy = first.edit().set(Name::Via, office.via()).header(Name::Require, "teleportation");
    let merged = refused(copy, 482, "Merged request").counted("protocol").recorded("office", "Outbound");
    trunk.refuses(&office, merged);
    carrier.reply(&offered, 486, "Busy Here");
    assert_eq!(carrier.receive().method(), Some(Method::Ack));
    is(&office.answer_to(&first), 486);
    trunk.expect_record("office", "Outbound", "Failed", "486 Busy Here");
}

#[test]
fn requests_of_no_dialog_and_acks_of_nothing() {
    let trunk = Trunk::start(Net(163));
    let phone = trunk.phone(2);
    for method in [Method::Bye, Method::Update, Method::Info, Method::Invite] {
        let request = phone.request(method, "sip:trunk.example.com");
        let answer = phone.ask(request.set(Name::To, "<sip:trunk.example.com>;tag=gone"));
        assert_eq!(status_line(&answer), (481, "Call/Transaction Does Not Exist".to_owned()));
    }
    for to in ["<sip:trunk.example.com>", "<sip:trunk.example.com>;tag=gone"] {
        phone.send(&phone.request(Method::Ack, "sip:trunk.example.com").set(Name::To, to).build());
        is(&phone.ask(phone.request(Method::Cancel, "sip:trunk.example.com")), 481);
    }
    trunk.close();
}
#[test]
fn options_is_answered_as_an_invite_would_be() {
    let trunk = Trunk::start(Net(162));
    let phone = trunk.phone(2);
    let options = |uri: &str| phone.request(Method::Options, uri);
    let answer = phone.ask(options("sip:trunk.example.com"));
    is(&answer, 200);
    assert!(answer.value(Name::Allow).unwrap().contains("INVITE"));
    assert!(answer.value(Name::Accept).unwrap().contains("application/sdp"));
    is(&phone.ask(options("mailto:office@trunk.example.com")), 416);
    let answer = phone.ask(options("sip:trunk.example.com").header(Name::Require, "teleportation"));
    is(&answer, 420);
    assert_eq!(answer.value(Name::Unsupported).as_deref(), Some("teleportation"));
    // It ends here, so it has hops enough.
    is(&phone.ask(options("sip:trunk.example.com").set(Name::MaxForwards, "0")), 200);
    trunk.close();
}
