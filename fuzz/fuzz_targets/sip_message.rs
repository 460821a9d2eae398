//! Write is the inverse of parse, and no view of a message panics.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sip::message::MAX_HEADERS;
use sip::{Builder, Message, StatusCode};

fuzz_target!(|data: &[u8]| {
    let Ok(message) = Message::parse(Bytes::copy_from_slice(data)) else { return };
    assert_eq!(Message::parse(message.bytes().clone()).as_ref(), Ok(&message));

    let verdict = message.check();
    let _ =
        (message.target(), message.contact(), sip::BodyKind::of_message(&message), message.max_forwards());
    for header in message.headers() {
        let _ = (message.values(header.name.clone()).count(), message.addresses(header.name).count());
    }

    // What we write ourselves is in form, says the same, and needs no second cleaning.
    let clean = message.edit().build();
    assert_eq!(clean.edit().build(), clean);
    assert_eq!(clean.body(), message.body());
    if message.headers().count() < MAX_HEADERS {
        assert_eq!(Message::parse(clean.bytes().clone()).as_ref(), Ok(&clean));
    }
    let noted = message.with_received(([192, 0, 2, 7], 7).into());
    assert_eq!(noted.body(), message.body());

    // A request that is in order has an answer that is in order.
    if verdict.is_ok() && message.is_request() {
        assert_eq!(noted.check(), Ok(()));
        assert_eq!(Builder::reply(&noted, StatusCode::OK, "OK", Some("tag")).build().check(), Ok(()));
        assert_eq!(clean.check(), Ok(()));
    }
});
