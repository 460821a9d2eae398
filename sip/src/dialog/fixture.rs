//! Messages for the tests of this module.

use bytes::Bytes;

use crate::Message;

/// Lines without their CRLF; checked.
pub(super) fn message(lines: &[&str]) -> Message {
    let message = unchecked(lines);
    message.check().unwrap();
    message
}

/// Lines without their CRLF, which may be those of a peer that breaks the rules.
pub(super) fn unchecked(lines: &[&str]) -> Message {
    Message::parse(Bytes::from(lines.join("\r\n") + "\r\nContent-Length: 0\r\n\r\n")).unwrap()
}

/// An INVITE from Alice to Bob with two Record-Routes, the nearer to Bob on top.
pub(super) fn invite() -> Message {
    message(&[
        "INVITE sip:bob@biloxi.example.com SIP/2.0",
        "Via: SIP/2.0/UDP ss2.biloxi.example.com;branch=z9hG4bK721e4",
        "Via: SIP/2.0/UDP client.atlanta.example.com;branch=z9hG4bK74bf9",
        "Record-Route: <sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>;x=\"a,b\"",
        "Max-Forwards: 69",
        "From: \"Alice, A.\" <sip:alice@atlanta.example.com>;tag=9fxced76sl;x=y",
        "To: Bob <sip:bob@biloxi.example.com>",
        "Call-ID: 3848276298220188511@atlanta.example.com",
        "CSeq: 7 INVITE",
        "Contact: <sip:alice@client.atlanta.example.com;transport=tcp;method=INVITE?Subject=x>;expires=60",
    ])
}

/// An answer to [`invite`] with the To tag `tag`, if any, and further lines.
pub(super) fn answer(status: &str, tag: &str, more: &[&str]) -> Message {
    let status = format!("SIP/2.0 {status}");
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    let to = format!("To: Bob <sip:bob@biloxi.example.com>{tag}");
    let lines = [
        &status,
        "Via: SIP/2.0/UDP client.atlanta.example.com;branch=z9hG4bK74bf9",
        "From: \"Alice, A.\" <sip:alice@atlanta.example.com>;tag=9fxced76sl",
        &to,
        "Call-ID: 3848276298220188511@atlanta.example.com",
        "CSeq: 7 INVITE",
    ];
    unchecked(&[&lines[..], more].concat())
}

pub(super) const CONTACT: &str = "Contact: <sip:bob@client.biloxi.example.com>";
pub(super) const RECORD_ROUTES: &str =
    "Record-Route: <sip:ss2.biloxi.example.com;lr>, <sip:ss1.atlanta.example.com;lr>";
