use super::*;

fn text(message: &Message) -> &str {
    std::str::from_utf8(message.bytes()).unwrap()
}

#[test]
fn writes_a_request() {
    let message = Builder::request(Method::Invite, "sip:b@example.com")
        .header(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header(Name::from("X-Case"), "1")
        .raw("f", "<sip:a@example.com>;tag=1")
        .body("text/plain", Bytes::from_static(b"hello"))
        .build();
    assert_eq!(
        text(&message),
        "INVITE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nX-Case: 1\r\n\
         f: <sip:a@example.com>;tag=1\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
    );
    assert_eq!(message.from_tag().as_deref(), Some("1"));
    assert_eq!(Message::parse(message.bytes().clone()), Ok(message));
}

#[test]
fn headers_are_set_removed_and_put_before() {
    let base = || {
        Builder::response(StatusCode::OK, "OK")
            .header(Name::Via, "1")
            .header(Name::Allow, "A")
            .header(Name::Via, "2")
            .header(Name::Allow, "B")
    };
    let written = |builder: Builder| {
        let message = builder.build();
        let short = |header: crate::Header<'_>| format!("{}={}", header.raw_name, header.text());
        message.headers().map(short).collect::<Vec<_>>().join(" ")
    };
    for (builder, expect) in [
        (base(), "Via=1 Allow=A Via=2 Allow=B Content-Length=0"),
        (base().prepend(Name::Via, "0"), "Via=0 Via=1 Allow=A Via=2 Allow=B Content-Length=0"),
        (base().prepend(Name::Route, "0"), "Route=0 Via=1 Allow=A Via=2 Allow=B Content-Length=0"),
        (base().prepend(Name::Allow, "0"), "Via=1 Allow=0 Allow=A Via=2 Allow=B Content-Length=0"),
        (base().set(Name::Allow, "C"), "Via=1 Allow=C Via=2 Content-Length=0"),
        (base().set(Name::Date, "C"), "Via=1 Allow=A Via=2 Allow=B Date=C Content-Length=0"),
        (base().remove(Name::Via), "Allow=A Allow=B Content-Length=0"),
        (base().raw("L", "99").header(Name::Date, "D"), "Via=1 Allow=A Via=2 Allow=B L=0 Date=D"),
        (
            base().body("a/b", Bytes::from_static(b"xy")).no_body(),
            "Via=1 Allow=A Via=2 Allow=B Content-Length=0",
        ),
    ] {
        assert_eq!(written(builder), expect);
    }
}

#[test]
fn nothing_can_be_injected() {
    let message = Builder::request(Method::Options, "sip:a\r\nX: y@b c")
        .header(Name::Subject, "a\r\nEvil: 1\nEvil: 2\rEvil: 3\r\n")
        .header(Name::from("X-A\r\nEvil"), "1")
        .raw("X B:\r\nEvil: 4", "2")
        .raw("\u{e9}:", "3")
        .body("text/plain\r\n\r\n", Bytes::from_static(b"x"))
        .build();
    let names: Vec<_> = message.headers().map(|header| header.raw_name.to_owned()).collect();
    assert_eq!(names, ["Subject", "X-AEvil", "XBEvil4", "X-Invalid", "Content-Type", "Content-Length"]);
    assert_eq!(message.value(Name::Subject).as_deref(), Some("a  Evil: 1 Evil: 2 Evil: 3"));
    assert_eq!(message.request_uri(), Some("sip:a%0D%0AX:%20y@b%20c"));
    assert_eq!(Message::parse(message.bytes().clone()).unwrap().headers().count(), 6);
    let response = Builder::response(StatusCode::OK, "OK\r\nEvil: 1").build();
    assert_eq!(response.reason_phrase(), Some(&b"OK  Evil: 1"[..]));
    assert_eq!(response.headers().count(), 1);
    assert_eq!(Builder::request(Method::Ack, "").build().request_uri(), Some("sip:invalid.invalid"));
}

#[test]
fn a_reply_copies_what_it_must() {
    let request = Message::parse(Bytes::from_static(
        b"INVITE sip:b@h SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b\r\nVia: SIP/2.0/TCP c\r\n\
          Record-Route: <sip:p;lr>\r\nMax-Forwards: 70\r\nf: \"\xe9\" <sip:a@h>;tag=1\r\nt: sip:b@h\r\n\
          i: x\r\nTimestamp: 54\r\nCSeq: 7\r\n  INVITE\r\nTo: <sip:second@h>\r\n\r\n",
    ))
    .unwrap();
    let written = |builder: Builder| String::from_utf8_lossy(builder.build().bytes()).into_owned();
    let head = "Via: SIP/2.0/UDP a;branch=z9hG4bK1, SIP/2.0/UDP b\r\nVia: SIP/2.0/TCP c\r\n";
    let from = "From: \"\u{fffd}\" <sip:a@h>;tag=1\r\n";
    assert_eq!(
        written(Builder::reply(&request, StatusCode::TRYING, "Trying", None)),
        format!(
            "SIP/2.0 100 Trying\r\n{head}{from}To: sip:b@h\r\nCall-ID: x\r\nTimestamp: 54\r\n\
                 CSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
    );
    assert_eq!(
        written(Builder::reply(&request, StatusCode::OK, "", Some("2")).record_routes(&request)),
        format!(
            "SIP/2.0 200 \r\n{head}{from}To: sip:b@h;tag=2\r\nCall-ID: x\r\nCSeq: 7 INVITE\r\n\
                 Record-Route: <sip:p;lr>\r\nContent-Length: 0\r\n\r\n"
        )
    );
    let raw = Builder::reply(&request, StatusCode::OK, "OK", None).build();
    let from = raw.headers().find(|header| header.name == Name::From).unwrap();
    assert_eq!(&*from.value, b"\"\xe9\" <sip:a@h>;tag=1", "bytes that are no UTF-8 go back as they came");
    let tagged = request.edit().set(Name::To, "<sip:b@h>;tag=9").build();
    let reply = Builder::reply(&tagged, StatusCode::OK, "OK", Some("2")).build();
    assert_eq!(reply.to_tag().as_deref(), Some("9"), "a tag that is there stays");
}

#[test]
fn editing_keeps_everything_else() {
    let bytes = b"INVITE sip:b@h SIP/2.0\r\nX-oDD: \xff\r\nl: 3\r\nVIA: SIP/2.0/UDP\r\n a\r\nc: a/b\r\n\r\n\x00\xff\n";
    let message = Message::parse(Bytes::from_static(bytes)).unwrap();
    let copy = message.edit().uri("sip:c@h").build();
    let expect =
        b"INVITE sip:c@h SIP/2.0\r\nX-oDD: \xff\r\nl: 3\r\nVIA: SIP/2.0/UDP a\r\nc: a/b\r\n\r\n\x00\xff\n";
    assert_eq!(&copy.bytes()[..], &expect[..]);
}
