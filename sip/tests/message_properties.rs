//! Laws of messages, framing and values, over what chance brings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Helpers of tests.

mod generate;

use bytes::Bytes;
use generate::{Style, message, mutated, name_addr, touch, uri, via};
use proptest::collection::vec;
use proptest::prelude::*;
use sip::{Builder, Frame, Message, Method, Name, NameAddr, Params, StatusCode, StreamFramer, Uri, Via};

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 1..8)
}

/// Every frame, and the error if there was one.
fn frames<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<Frame, String>> {
    let mut framer = StreamFramer::new(4_096, 64);
    let mut frames = Vec::new();
    for piece in pieces {
        framer.push(piece);
        loop {
            match framer.next() {
                Ok(Some(frame)) => frames.push(Ok(frame)),
                Ok(None) => break,
                Err(error) => frames.push(Err(format!("{error:?}"))),
            }
        }
    }
    frames
}

proptest! {
    #[test]
    fn parse_reads_what_was_written(made in message(Style::Odd)) {
        let read = Message::parse(made.wire.clone()).unwrap();
        prop_assert_eq!(read.bytes(), &made.wire);
        prop_assert_eq!(&read.body()[..], &made.body[..]);
        let headers: Vec<_> = read.headers().map(|header| (header.raw_name.to_owned(), header.value.to_vec())).collect();
        prop_assert_eq!(&headers, &made.headers);
        match (read.method(), read.status()) {
            (Some(method), None) => {
                prop_assert_eq!(format!("{method} {} SIP/2.0", read.request_uri().unwrap()), made.start);
                prop_assert!(read.target().is_ok());
            }
            (None, Some(status)) => {
                let reason = String::from_utf8(read.reason_phrase().unwrap().to_vec()).unwrap();
                prop_assert_eq!(format!("SIP/2.0 {status} {reason}"), made.start);
            }
            other => panic!("{other:?}"),
        }
        // Values of ours go through edit() untouched, but for Content-Length, which comes in if it was not there.
        let copy = read.edit().build();
        let mut copied: Vec<_> = copy.headers().map(|header| (header.raw_name.to_owned(), header.value.to_vec())).collect();
        if copied.len() > made.headers.len() {
            copied.pop();
        }
        prop_assert_eq!(copied, made.headers);
        touch(&read);
    }

    #[test]
    fn nothing_panics_on_random_bytes(bytes in vec(any::<u8>(), 0..300)) {
        for start in [&b""[..], b"INVITE sip:a@b SIP/2.0\r\n", b"SIP/2.0 200 OK\r\nVia: ", b"A sip:"] {
            let datagram = [start, &bytes].concat();
            if let Ok(message) = Message::parse(datagram.clone().into()) {
                touch(&message);
            }
            frames(std::iter::once(&datagram[..]));
        }
    }

    #[test]
    fn nothing_panics_on_mutated_messages(made in message(Style::Odd), changes in changes()) {
        if let Ok(message) = Message::parse(mutated(&made.wire, &changes).into()) {
            touch(&message);
        }
    }

    #[test]
    fn a_stream_splits_anywhere(
        made in vec((message(Style::Odd), "(\r\n){0,5}"), 0..5),
        cuts in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let stream: Vec<u8> = made.iter().flat_map(|(made, after)| [&made.wire, after.as_bytes()].concat()).collect();
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).chain([0, stream.len()]).collect();
        cuts.sort_unstable();
        let whole = frames(std::iter::once(&stream[..]));
        prop_assert_eq!(&frames(cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]])), &whole);
        prop_assert_eq!(&frames(stream.chunks(1)), &whole);
        // As long as each says its length, what comes out is what went in.
        if made.iter().all(|(made, _)| made.headers.iter().any(|(name, _)| Name::from(name.as_str()) == Name::ContentLength)) {
            let expect: Vec<_> = made.iter().map(|(made, _)| made.wire.clone()).collect();
            let found: Vec<_> = whole.iter().filter_map(|frame| match frame {
                Ok(Frame::Message(message)) => Some(message.bytes().clone()),
                Ok(_) => None,
                Err(error) => panic!("{error}"),
            }).collect();
            prop_assert_eq!(found, expect);
        }
    }

    #[test]
    fn a_mutated_stream_splits_anywhere(made in vec(message(Style::Odd), 1..4), changes in changes()) {
        let stream: Vec<u8> = made.iter().flat_map(|made| made.wire.to_vec()).collect();
        let stream = mutated(&stream, &changes);
        let whole = frames(std::iter::once(&stream[..]));
        prop_assert_eq!(&frames(stream.chunks(1)), &whole);
        prop_assert_eq!(&frames(stream.chunks(13)), &whole);
    }

    #[test]
    fn uris_write_what_they_read(text in uri(Style::Odd)) {
        prop_assert_eq!(Uri::parse(&text).unwrap().to_string(), text);
    }

    #[test]
    fn what_is_read_as_a_value_is_written_as_the_same_value(
        text in prop_oneof![uri(Style::Odd), name_addr(Style::Odd), via(Style::Odd)],
        changes in changes(),
    ) {
        for text in [text.clone(), String::from_utf8_lossy(&mutated(text.as_bytes(), &changes)).into_owned()] {
            if let Ok(uri) = Uri::parse(&text) {
                prop_assert_eq!(Uri::parse(&uri.to_string()), Ok(uri));
            }
            if let Ok(value) = NameAddr::parse(&text) {
                prop_assert_eq!(NameAddr::parse(&value.to_string()), Ok(value));
            }
            if let Ok(via) = Via::parse(&text) {
                prop_assert_eq!(Via::parse(&via.to_string()), Ok(via));
            }
            if let Ok(params) = Params::parse(&text) {
                prop_assert_eq!(Params::parse(&params.to_string()), Ok(params));
            }
        }
    }

    #[test]
    fn display_names_of_any_text_survive(name in "\\PC{0,20}") {
        let address = NameAddr::parse("<sip:a@b>;tag=1").unwrap().with_display_name(&name);
        prop_assert_eq!(NameAddr::parse(&address.to_string()).unwrap().display_name, Some(name.into()));
    }

    #[test]
    fn what_is_built_cannot_be_broken_by_its_values(
        uri in any::<String>(),
        name in any::<String>(),
        value in vec(any::<u8>(), 0..40),
        content_type in any::<String>(),
        body in vec(any::<u8>(), 0..40),
    ) {
        let builders = [Builder::request(Method::Invite, &uri), Builder::response(StatusCode::OK, &uri)];
        for builder in builders {
            let message = builder
                .header(Name::Subject, &value)
                .raw(&name, &value)
                .header(Name::from(name.as_str()), &value)
                .prepend(Name::Route, &value)
                .set(Name::UserAgent, &value)
                .body(&content_type, Bytes::from(body.clone()))
                .build();
            let read = Message::parse(message.bytes().clone()).unwrap();
            prop_assert_eq!(&read.body()[..], &body[..]);
            let headers = |message: &Message| -> Vec<_> {
                message.headers().map(|header| (header.name, header.value.into_owned())).collect()
            };
            prop_assert_eq!(headers(&read), headers(&message));
            prop_assert_eq!(read.method(), message.method());
            prop_assert_eq!(read.reason_phrase(), message.reason_phrase());
            prop_assert_eq!(read.request_uri(), message.request_uri());
        }
    }
}
