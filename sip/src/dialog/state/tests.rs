use super::super::fixture::{CONTACT, RECORD_ROUTES, answer, invite, unchecked};
use super::*;
use crate::StatusCode;

#[test]
fn uas_takes_routes_in_order_and_swaps_from_and_to() {
    let dialog = Dialog::uas(&invite(), "314159").unwrap();
    let expect = Dialog {
        role: Role::Uas,
        state: DialogState::Early,
        call_id: "3848276298220188511@atlanta.example.com".into(),
        local_tag: "314159".into(),
        remote_tag: "9fxced76sl".into(),
        local_uri: "Bob <sip:bob@biloxi.example.com>".into(),
        remote_uri: "\"Alice, A.\" <sip:alice@atlanta.example.com>;x=y".into(),
        remote_target: "sip:alice@client.atlanta.example.com;transport=tcp".into(),
        route_set: vec![
            "<sip:ss2.biloxi.example.com;lr>".into(),
            "<sip:ss1.atlanta.example.com;lr>;x=\"a,b\"".into(),
        ],
        local_cseq: 0,
        remote_cseq: Some(7),
        secure: false,
    };
    assert_eq!(dialog, expect);
}

#[test]
fn uac_takes_routes_in_reverse() {
    let dialog = Dialog::uac(&invite(), &answer("200 OK", "b", &[CONTACT, RECORD_ROUTES])).unwrap();
    assert_eq!((dialog.role, dialog.state), (Role::Uac, DialogState::Confirmed));
    assert_eq!((dialog.local_tag.as_str(), dialog.remote_tag.as_str()), ("9fxced76sl", "b"));
    assert_eq!(dialog.route_set, ["<sip:ss1.atlanta.example.com;lr>", "<sip:ss2.biloxi.example.com;lr>"]);
    assert_eq!(dialog.remote_target, "sip:bob@client.biloxi.example.com");
    assert_eq!((dialog.local_cseq, dialog.remote_cseq), (7, None));
    assert_eq!(dialog.local_uri, "\"Alice, A.\" <sip:alice@atlanta.example.com>;x=y");
    assert_eq!(dialog.remote_uri, "Bob <sip:bob@biloxi.example.com>");
}

#[test]
fn which_responses_begin_a_dialog() {
    for (status, tag, expect) in [
        ("100 Trying", "", Err(DialogError::NoDialog)),
        ("100 Trying", "a", Err(DialogError::NoDialog)),
        ("180 Ringing", "", Err(DialogError::NoTag)),
        ("180 Ringing", "a", Ok(DialogState::Early)),
        ("199 Early Dialog Terminated", "a", Ok(DialogState::Early)),
        ("200 OK", "a", Ok(DialogState::Confirmed)),
        ("200 OK", "", Ok(DialogState::Confirmed)), // RFC 2543.
        ("302 Moved", "a", Err(DialogError::NoDialog)),
        ("486 Busy", "a", Err(DialogError::NoDialog)),
    ] {
        let dialog = Dialog::uac(&invite(), &answer(status, tag, &[CONTACT]));
        assert_eq!(dialog.map(|dialog| dialog.state), expect, "{status} {tag}");
    }
    assert_eq!(Dialog::uac(&invite(), &invite()), Err(DialogError::NoDialog));
}

#[test]
fn response_without_contact_leaves_the_request_uri() {
    let mut dialog = Dialog::uac(&invite(), &answer("180 Ringing", "a", &[])).unwrap();
    assert_eq!(dialog.remote_target, "sip:bob@biloxi.example.com");
    dialog.handle_response(&answer("200 OK", "a", &[CONTACT]));
    assert_eq!(dialog.remote_target, "sip:bob@client.biloxi.example.com");
    let broken = Dialog::uac(&invite(), &answer("200 OK", "a", &["Contact: <sip:"])).unwrap();
    assert_eq!(broken.remote_target, "sip:bob@biloxi.example.com");
}

#[test]
fn request_without_contact_is_refused() {
    let invite = invite().edit().remove(Name::Contact).build();
    let error = Dialog::uas(&invite, "a").unwrap_err();
    assert_eq!((error.status(), error.to_string().as_str()), (StatusCode::BAD_REQUEST, "Contact: missing"));
}

#[test]
fn confirmation_settles_routes_and_target() {
    let first = "Contact: <sip:bob@first.example.com>";
    let mut dialog = Dialog::uac(&invite(), &answer("180 Ringing", "a", &[first, RECORD_ROUTES])).unwrap();
    dialog.handle_response(&answer("183 Session Progress", "a", &["Contact: <sip:bob@second.example.com>"]));
    assert_eq!(dialog.remote_target, "sip:bob@second.example.com");
    assert_eq!(dialog.route_set.len(), 2, "the routes stay until the 2xx");

    let early = dialog.clone();
    dialog.handle_response(&answer("200 OK", "b", &[CONTACT])); // Of another fork.
    dialog.handle_response(&answer("486 Busy Here", "a", &[CONTACT]));
    dialog.handle_response(&answer("100 Trying", "a", &[CONTACT]));
    assert_eq!(dialog, early);

    dialog.handle_response(&answer("200 OK", "a", &[CONTACT, "Record-Route: <sip:p.example.com;lr>"]));
    assert_eq!(dialog.state, DialogState::Confirmed);
    assert_eq!(dialog.remote_target, "sip:bob@client.biloxi.example.com");
    assert_eq!(dialog.route_set, ["<sip:p.example.com;lr>"]);

    dialog.handle_response(&answer("200 OK", "a", &["Contact: <sip:bob@third.example.com>", RECORD_ROUTES]));
    assert_eq!(dialog.remote_target, "sip:bob@third.example.com", "a re-INVITE brings a target");
    assert_eq!(dialog.route_set, ["<sip:p.example.com;lr>"], "but no routes");
    dialog.handle_response(&answer("183 Session Progress", "a", &[CONTACT]));
    assert_eq!(dialog.remote_target, "sip:bob@third.example.com");
}

/// A request of Alice inside the dialog, with her Contact at `contact` if that is not empty.
fn within(method: &str, cseq: u32, contact: &str) -> Message {
    let (line, cseq) = (format!("{method} sip:bob@192.0.2.4 SIP/2.0"), format!("CSeq: {cseq} {method}"));
    let contact = format!("Contact: <sip:alice@{contact}>");
    let lines = [
        line.as_str(),
        "Via: SIP/2.0/UDP client.atlanta.example.com;branch=z9hG4bK74bf9",
        "Max-Forwards: 70",
        "From: <sip:alice@atlanta.example.com>;tag=9fxced76sl",
        "To: <sip:bob@biloxi.example.com>;tag=314159",
        "Call-ID: 3848276298220188511@atlanta.example.com",
        cseq.as_str(),
        contact.as_str(),
    ];
    unchecked(if contact.contains("@>") { &lines[..7] } else { &lines })
}

#[test]
fn older_requests_are_refused_with_500() {
    let mut dialog = Dialog::uas(&invite(), "314159").unwrap();
    for (method, cseq, expect, highest) in [
        ("UPDATE", 6, Err(DialogError::OutOfOrder { received: 6, highest: 7 }), 7),
        ("ACK", 7, Ok(()), 7),
        ("ACK", 3, Ok(()), 7),
        ("CANCEL", 7, Ok(()), 7),
        ("INFO", 7, Ok(()), 7),
        ("INFO", 100, Ok(()), 100), // Gaps are fine.
        ("INFO", 99, Err(DialogError::OutOfOrder { received: 99, highest: 100 }), 100),
        ("BYE", 99, Ok(()), 100), // Its sender is gone.
        ("BYE", 101, Ok(()), 101),
    ] {
        let result = dialog.handle_request(&within(method, cseq, ""));
        assert_eq!(result, expect, "{method} {cseq}");
        assert_eq!(dialog.remote_cseq, Some(highest), "{method} {cseq}");
        if let Err(error) = result {
            assert_eq!(error.status(), StatusCode::SERVER_INTERNAL_ERROR);
        }
    }
}

#[test]
fn first_request_of_the_other_side_sets_the_count() {
    let mut dialog = Dialog::uac(&invite(), &answer("200 OK", "b", &[CONTACT])).unwrap();
    assert_eq!(dialog.handle_request(&within("INFO", 0, "")), Ok(()));
    assert_eq!(dialog.remote_cseq, Some(0));
}

#[test]
fn target_refresh_is_for_some_methods_only() {
    for (method, refreshes) in [
        ("INVITE", true),
        ("UPDATE", true),
        ("SUBSCRIBE", true),
        ("NOTIFY", true),
        ("ACK", false),
        ("INFO", false),
        ("BYE", false),
        ("PRACK", false),
    ] {
        let mut dialog = Dialog::uas(&invite(), "314159").unwrap();
        let before = dialog.remote_target.clone();
        let request = within(method, 8, "new.example.com");
        dialog.handle_request(&request).unwrap();
        assert_eq!(dialog.remote_target, before, "{method}: it may be refused yet");
        dialog.refresh_target(&request);
        let expect = if refreshes { "sip:alice@new.example.com" } else { &before };
        assert_eq!(dialog.remote_target, expect, "{method}");
        dialog.refresh_target(&within(method, 9, ""));
        assert_eq!(dialog.remote_target, expect, "{method} without Contact");
    }
    let mut dialog = Dialog::uas(&invite(), "314159").unwrap();
    dialog.handle_request(&within("UPDATE", 6, "new.example.com")).unwrap_err();
    let broken = within("UPDATE", 8, "").edit().set(Name::Contact, "<sip:").build();
    assert!(matches!(dialog.handle_request(&broken), Err(DialogError::Header(_))));
    assert_eq!(dialog, Dialog::uas(&invite(), "314159").unwrap(), "neither changes anything");
}

#[test]
fn matches_by_call_id_and_tags() {
    let dialog = Dialog::uas(&invite(), "314159").unwrap();
    let info = within("INFO", 8, "");
    assert!(dialog.matches(&info));
    assert!(!dialog.matches(&info.edit().set(Name::CallId, "other").build()));
    assert!(!dialog.matches(&info.edit().set(Name::To, "<sip:bob@biloxi.example.com>;tag=x").build()));
    assert!(!dialog.matches(&info.edit().set(Name::To, "<sip:bob@biloxi.example.com>").build()));
    assert!(!dialog.matches(&info.edit().set(Name::From, "<sip:a@example.com>;tag=x").build()));
    let dialog = Dialog::uac(&invite(), &answer("200 OK", "b", &[CONTACT])).unwrap();
    assert!(dialog.matches(&answer("200 OK", "b", &[])));
    assert!(!dialog.matches(&answer("200 OK", "c", &[])));
}

#[test]
fn rfc_2543_peer_without_tags() {
    let invite = unchecked(&[
        "INVITE sips:bob@biloxi.example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1",
        "From: sip:alice@atlanta.example.com",
        "To: sip:bob@biloxi.example.com",
        "Call-ID: 1",
        "CSeq: 1 INVITE",
        "Contact: sip:alice@192.0.2.1",
    ]);
    let mut dialog = Dialog::uas(&invite, "b").unwrap();
    assert!(dialog.secure);
    assert_eq!(
        (dialog.remote_tag.as_str(), dialog.remote_uri.as_str()),
        ("", "<sip:alice@atlanta.example.com>")
    );
    assert_eq!(dialog.remote_target, "sip:alice@192.0.2.1");
    let bye = dialog.request(Method::Bye).build();
    assert_eq!(bye.value(Name::To).as_deref(), Some("<sip:alice@atlanta.example.com>"));
    assert_eq!(bye.value(Name::From).as_deref(), Some("<sip:bob@biloxi.example.com>;tag=b"));
}

#[test]
fn encodes_decodes_and_goes_on() {
    let invite = invite();
    let ok = answer("200 OK", "b", &[CONTACT, RECORD_ROUTES]);
    for mut dialog in [Dialog::uas(&invite, "314159").unwrap(), Dialog::uac(&invite, &ok).unwrap()] {
        let text = serde_json::to_string(&dialog).unwrap();
        let mut moved: Dialog = serde_json::from_str(&text).unwrap();
        assert_eq!(moved, dialog);
        for dialog in [&mut dialog, &mut moved] {
            let update = within("UPDATE", 8, "new.example.com");
            dialog.handle_request(&update).unwrap();
            dialog.refresh_target(&update);
        }
        assert_eq!(moved.request(Method::Bye).build(), dialog.request(Method::Bye).build());
        assert_eq!(moved, dialog);
    }
}
