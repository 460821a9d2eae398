//! Phones that write their datagrams loosely, where every peer knows what they mean.

use bytes::Bytes;
use sip::{Message, Method, Name};

use super::phone::Stage;
use super::trunk::{OUTSIDE, PBX, Trunk, everywhere, over_udp};
use crate::direction::Direction;

/// Ends with the last header line where there is no body.
fn without_the_empty_line(message: &Message) -> Bytes {
    let bytes = message.bytes();
    match message.body().is_empty() {
        true => bytes.slice(..bytes.len() - 2),
        false => bytes.clone(),
    }
}

/// Not even that line has an end.
fn without_the_last_line_end(message: &Message) -> Bytes {
    let bytes = message.bytes();
    match message.body().is_empty() {
        true => bytes.slice(..bytes.len() - 4),
        false => bytes.clone(),
    }
}

fn with_bare_line_feeds(message: &Message) -> Bytes {
    let (bytes, body) = (message.bytes(), message.body());
    let head = &bytes[..bytes.len() - body.len()];
    let head = String::from_utf8(head.to_vec()).unwrap().replace("\r\n", "\n");
    [head.as_bytes(), body].concat().into()
}

/// Who is in a call already has said where it is.
fn without_contact_in_a_dialog(message: &Message) -> Bytes {
    match message.is_request() && message.to_tag().is_some() {
        true => message.edit().remove(Name::Contact).build().bytes().clone(),
        false => message.bytes().clone(),
    }
}

/// Both parties write so: the call is set up, held, lasts past every timer, and is billed for what it lasted.
fn talks(trunk: &mut Trunk, writes: fn(&Message) -> Bytes) {
    for phone in [trunk.pbx, trunk.east] {
        trunk.phone(phone).writes = Some(writes);
    }
    let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
    for (asks, direction) in [(a, "sendonly"), (b, "sendrecv")] {
        trunk.request(asks, Method::Invite, Some(direction));
        trunk.run(1.0);
        assert_eq!(trunk.call(asks).statuses(&Method::Invite).last(), Some(&200));
        trunk.request(asks, Method::Update, Some(direction));
        trunk.run(1.0);
        assert_eq!(trunk.call(asks).statuses(&Method::Update), [200]);
    }
    trunk.run(55.0);
    assert_eq!((trunk.stage(a), trunk.stage(b)), (Stage::Up, Stage::Up));
    trunk.hang_up(a);
    trunk.run(1.0);
    assert_eq!((trunk.call(a).statuses(&Method::Bye), trunk.stage(b)), (vec![200], Stage::Over));
    trunk.finish();
    let cdr = trunk.cdr("pbx", Direction::Outbound);
    let talked = cdr.ended_at - cdr.answered_at.unwrap();
    assert!((59.9..60.1).contains(&talked.as_secs_f64()), "{talked:?}");
    // And what is given up and refused.
    let a = trunk.dial(trunk.east, PBX);
    trunk.run(0.5);
    trunk.cancel(a);
    trunk.run(0.5);
    assert_eq!(trunk.heard(a), [487]);
}

#[test]
fn a_datagram_may_end_without_the_empty_line() {
    over_udp(&[], |trunk| talks(trunk, without_the_empty_line));
    over_udp(&[], |trunk| talks(trunk, without_the_last_line_end));
}

#[test]
fn a_datagram_may_end_its_lines_with_line_feeds_alone() {
    over_udp(&[], |trunk| talks(trunk, with_bare_line_feeds));
}

#[test]
fn a_request_without_contact_inside_a_call_keeps_the_target() {
    everywhere(|trunk| {
        let there = trunk.phone(trunk.pbx).contact();
        talks(trunk, without_contact_in_a_dialog);
        let (a, b) = trunk.connect(trunk.pbx, OUTSIDE, trunk.east);
        trunk.request(a, Method::Invite, Some("sendonly"));
        trunk.run(1.0);
        trunk.hang_up(b);
        trunk.run(1.0);
        let bye = trunk.call(a).request(&Method::Bye).unwrap();
        assert_eq!(format!("<{}>", bye.request_uri().unwrap()), there);
    });
}
