//! Messages made at random, with what must be read from them.

#![allow(dead_code)] // Each test uses its part.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use sip::{Message, Name};

/// A message on the wire, and what it says.
#[derive(Debug, Clone)]
pub struct Generated {
    pub start: String,
    /// Name as written, value as it must be read: folds replaced, ends trimmed.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub wire: Bytes,
}

/// How odd a message may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// ASCII, no folds, known methods: what simple parsers read too.
    Plain,
    /// All that RFC 3261 allows.
    Odd,
}

const METHODS: &[&str] = &[
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "PRACK",
    "UPDATE",
    "INFO",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "MESSAGE",
    "PUBLISH",
];

pub fn token() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9.!%*_+`'~-]{1,12}"
}

pub fn host() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{2,5}){0,2}",
        any::<[u8; 4]>().prop_map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
    ]
}

pub fn any_host() -> impl Strategy<Value = String> {
    let v6 = any::<[u8; 16]>().prop_map(|bytes| format!("[{}]", std::net::Ipv6Addr::from(bytes)));
    prop_oneof![3 => host(), 1 => v6]
}

fn params(max: usize) -> impl Strategy<Value = String> {
    let one = ("[a-z]{1,6}", proptest::option::of("[a-zA-Z0-9.-]{1,8}"));
    vec(
        one.prop_map(|(name, value)| value.map_or(format!(";{name}"), |value| format!(";{name}={value}"))),
        0..=max,
    )
    .prop_map(|params| params.concat())
}

pub fn sip_uri(style: Style) -> impl Strategy<Value = String> {
    let host = match style {
        Style::Plain => host().boxed(),
        Style::Odd => any_host().boxed(),
    };
    let user = match style {
        Style::Plain => "[a-z0-9+.-]{1,12}".boxed(),
        Style::Odd => "[a-z0-9+.&=$,;?/!~*'()-]{1,8}(%[0-9A-F]{2}){0,2}(:[a-z0-9&=+$,]{0,4})?".boxed(),
    };
    let (scheme, port) = ("sips?", proptest::option::of(1_u16..));
    (scheme, proptest::option::of(user), host, port, params(3)).prop_map(
        |(scheme, user, host, port, params)| {
            let user = user.map(|user| format!("{user}@")).unwrap_or_default();
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("{scheme}:{user}{host}{port}{params}")
        },
    )
}

pub fn uri(style: Style) -> BoxedStrategy<String> {
    match style {
        Style::Plain => sip_uri(style).boxed(),
        Style::Odd => prop_oneof![
            4 => sip_uri(style),
            1 => "tel:\\+[0-9]{1,3}(-[0-9]{2,4}){1,3}(;ext=[0-9]{1,3})?",
            1 => "[a-z][a-z0-9+.-]{5,9}:[a-zA-Z0-9:/.@%-]{0,12}",
        ]
        .boxed(),
    }
}

pub fn name_addr(style: Style) -> impl Strategy<Value = String> {
    let name = match style {
        Style::Plain => prop_oneof![Just(String::new()), "[A-Za-z]{1,8} ", "\"[A-Za-z ]{0,8}\" "].boxed(),
        Style::Odd => prop_oneof![
            Just(String::new()),
            "[A-Za-z~]{1,8}( [A-Za-z.]{1,4})?[ \t]{0,2}",
            "\"([A-Za-zéя ,;:<>@']|\\\\[\"\\\\a]){0,8}\" {0,2}",
        ]
        .boxed(),
    };
    (name, uri(style), params(2)).prop_map(|(name, uri, params)| format!("{name}<{uri}>{params}"))
}

pub fn via(style: Style) -> impl Strategy<Value = String> {
    let host = match style {
        Style::Plain => host().boxed(),
        Style::Odd => any_host().boxed(),
    };
    let port = proptest::option::of(1_u16..);
    ("UDP|TCP|TLS", host, port, "z9hG4bK[a-zA-Z0-9]{1,10}", any::<bool>()).prop_map(
        |(transport, host, port, branch, rport)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let rport = if rport { ";rport" } else { "" };
            format!("SIP/2.0/{transport} {host}{port};branch={branch}{rport}")
        },
    )
}

/// Pieces of a value; between two of them stands a fold.
fn pieces(style: Style) -> BoxedStrategy<Vec<Vec<u8>>> {
    match style {
        Style::Plain => "([!-~]([ -~]{0,30}[!-~])?)?".prop_map(|text| vec![text.into_bytes()]).boxed(),
        Style::Odd => {
            let byte = any::<u8>().prop_filter("no line end", |byte| !matches!(byte, b'\r' | b'\n'));
            let piece = vec(byte, 0..20).prop_map(|piece| piece.trim_ascii().to_vec());
            vec(piece.prop_filter("not empty", |piece| !piece.is_empty()), 0..4).boxed()
        }
    }
}

/// Name, white space before and after the colon, pieces.
type Line = (String, &'static str, &'static str, Vec<Vec<u8>>);

fn line(style: Style) -> impl Strategy<Value = Line> {
    let known = proptest::sample::select(Name::KNOWN.to_vec()).prop_map(|name| name.as_str().to_owned());
    let long =
        prop_oneof![3 => known.clone(), 1 => known.prop_map(|name| name.to_ascii_lowercase()), 1 => token()];
    let name = match style {
        Style::Plain => long.boxed(),
        Style::Odd => prop_oneof![4 => long, 1 => "[a-zA-Z]"].boxed(),
    };
    let before = match style {
        Style::Plain => Just("").boxed(),
        Style::Odd => proptest::sample::select(vec!["", "", "", " ", "\t "]).boxed(),
    };
    let after = proptest::sample::select(vec!["", " ", " ", "  \t"]);
    let name = name.prop_filter("Content-Length is put by hand", |name| {
        Name::from(name.as_str()) != Name::ContentLength
    });
    (name, before, after, pieces(style))
}

fn typed(style: Style) -> impl Strategy<Value = Line> {
    let line = |name: &'static str, value: String| (name.to_owned(), "", " ", vec![value.into_bytes()]);
    prop_oneof![
        name_addr(style).prop_map(move |value| line("From", value)),
        name_addr(style).prop_map(move |value| line("To", value)),
        name_addr(style).prop_map(move |value| line("Contact", value)),
        via(style).prop_map(move |value| line("Via", value)),
        "[a-zA-Z0-9-]{1,12}(@[a-z]{1,6})?".prop_map(move |value| line("Call-ID", value)),
        (0_u32..1 << 31, proptest::sample::select(METHODS))
            .prop_map(move |(number, method)| line("CSeq", format!("{number} {method}"))),
    ]
}

pub fn message(style: Style) -> impl Strategy<Value = Generated> {
    let known = proptest::sample::select(METHODS).prop_map(str::to_owned);
    let method = match style {
        Style::Plain => known.boxed(),
        Style::Odd => prop_oneof![4 => known, 1 => token()].boxed(),
    };
    let reason = match style {
        Style::Plain => "[A-Za-z ]{0,12}",
        Style::Odd => "[A-Za-zéя =*]{0,12}",
    };
    let start = prop_oneof![
        (method, uri(style)).prop_map(|(method, uri)| format!("{method} {uri} SIP/2.0")),
        (100_u16..700, reason).prop_map(|(status, reason)| format!("SIP/2.0 {status} {reason}")),
    ];
    let headers = vec(prop_oneof![line(style), typed(style)], 0..12);
    // Most messages say how long they are, as those of a stream must.
    let length = proptest::option::weighted(
        0.9,
        proptest::sample::select(vec!["Content-Length", "l", "content-length"]),
    );
    (start, headers, length, any::<prop::sample::Index>(), vec(any::<u8>(), 0..40))
        .prop_map(|(start, lines, length, at, body)| write(start, lines, length, at, body))
}

fn write(
    start: String,
    mut lines: Vec<Line>,
    length: Option<&str>,
    at: prop::sample::Index,
    body: Vec<u8>,
) -> Generated {
    if let Some(name) = length {
        let value = vec![body.len().to_string().into_bytes()];
        lines.insert(at.index(lines.len() + 1), (name.to_owned(), "", " ", value));
    }
    let mut wire = format!("{start}\r\n").into_bytes();
    let mut headers = Vec::new();
    for (name, before, after, pieces) in lines {
        wire.extend_from_slice(format!("{name}{before}:{after}").as_bytes());
        wire.extend_from_slice(&pieces.join(&b" \r\n\t "[..]));
        wire.extend_from_slice(b"\r\n");
        headers.push((name, pieces.join(&b' ')));
    }
    wire.extend_from_slice(b"\r\n");
    wire.extend_from_slice(&body);
    Generated { start, headers, body, wire: wire.into() }
}

/// Bytes changed, cut out, doubled or put in.
pub fn mutated(wire: &[u8], changes: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    const SPECIAL: &[u8] = b"\r\n \t:;,<>\"\\@?/[]=%SIP*\0\xff09";
    let mut bytes = wire.to_vec();
    for (at, kind, value) in changes {
        if bytes.is_empty() {
            break;
        }
        let at = at.index(bytes.len());
        let special = SPECIAL[usize::from(*value) % SPECIAL.len()];
        match kind % 5 {
            0 => bytes[at] = *value,
            1 => bytes[at] = special,
            2 => bytes.insert(at, special),
            3 => drop(bytes.drain(at..bytes.len().min(at + usize::from(*value) % 8))),
            _ => bytes.extend_from_within(at..),
        }
    }
    bytes
}

/// Reads all that can be read, for the sake of what might panic, and asserts the laws that hold for every message.
pub fn touch(message: &Message) {
    let _ = (message.check(), message.method(), message.request_uri(), message.target(), message.status());
    let _ = (
        message.from(),
        message.to(),
        message.from_tag(),
        message.to_tag(),
        message.call_id(),
        message.cseq(),
    );
    let _ = (message.max_forwards(), message.content_length(), message.contact());
    let _ = (message.vias().count(), message.routes().count(), message.record_routes().count());
    for header in message.headers() {
        assert_eq!(Name::from(header.raw_name), header.name);
        let _ = (message.value(header.name.clone()), message.values(header.name.clone()).count());
        let _ = message.addresses(header.name).count();
    }
    assert_eq!(message.is_request(), message.status().is_none());

    let again = Message::parse(message.bytes().clone()).expect("write is the inverse of parse");
    assert_eq!((&again, again.body()), (message, message.body()));

    // What goes out of edit() is in form, whatever came in, and says the same.
    let clean = message.edit().build();
    if message.headers().count() < sip::message::MAX_HEADERS {
        assert_eq!(Message::parse(clean.bytes().clone()).as_ref(), Ok(&clean));
    }
    assert_eq!(clean.edit().build(), clean);
    assert_eq!(clean.body(), message.body());

    let noted = message.with_received("[2001:db8::7]:7".parse().expect("address"));
    assert_eq!(noted.body(), message.body());
    if message.via().is_ok() {
        assert_eq!(noted.via().map(|via| via.received().is_some()), Ok(true));
    }
}
