//! Against `rsip`, an implementation that we did not write: whatever it can read, we read the same.
//!
//! Compared: method, Request-URI, status code, names and values of the headers in order, body; and of the values From and
//! To tag, CSeq and the top branch, where rsip can read them. Where rsip 0.4 is wrong, the difference has a name and a
//! reason in [`Fault`]; any other difference fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)] // Helpers of tests.

mod generate;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use generate::{Style, message, mutated};
use proptest::collection::vec;
use proptest::prelude::*;
use rsip::prelude::*;
use sip::{Message, Name, ParseError, Uri};

/// What rsip 0.4 does otherwise, and why we are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// Reads `invite` as INVITE; methods are case-sensitive (RFC 3261 §7.1).
    MethodCase,
    /// Takes all that follows the empty line for the body, whatever Content-Length says (§18.3).
    ContentLengthIgnored,
    /// Keeps white space at the end of a value (§7.3.1: it is not part of it).
    TrailingSpace,
    /// Writes another Request-URI than it read: drops `?headers`, changes the case of parameters that it knows.
    UriParts,
    /// Gives up on values that RFC 3261 allows: IPv6 hosts, compact forms, unknown methods in CSeq.
    TypedValue,
    /// Finds a meaning in what we answer with 400 for its form: lone CR or LF, no empty line, a line without a name.
    BadForm,
    /// Accepts what we drop: a status code beyond 699.
    StatusRange,
}

/// How our texts on the form of a message begin.
const FORM: &[&str] = &[
    "Line does not",
    "No empty line",
    "Header name",
    "Header line",
    "First header",
    "Request-Line",
    "Version",
];

const MUTATED: &str = "mutated";

/// Compares; `None` if rsip cannot read it. The faults met on the way are told, an unknown difference panics.
fn compare(what: &str, wire: &[u8]) -> Option<BTreeSet<Fault>> {
    let theirs = rsip::SipMessage::try_from(wire).ok()?;
    let mut faults = BTreeSet::new();
    let ours = match Message::parse(Bytes::copy_from_slice(wire)) {
        Ok(ours) => ours,
        Err(ParseError::StartLine) if what == MUTATED => return Some([Fault::BadForm].into()),
        Err(ParseError::StatusCode) => return Some([Fault::StatusRange].into()),
        Err(error) => panic!("{what}: rsip reads it, we say {error}: {}", wire.escape_ascii()),
    };
    let is_malformed = |ours: &Message| {
        ours.check().is_err_and(|malformed| FORM.iter().any(|text| malformed.text.starts_with(text)))
    };
    // We take a datagram without its empty line, and lines that end in a bare LF; of those rsip reads as much as it likes.
    let end = wire.windows(4).position(|four| four == b"\r\n\r\n");
    let has_bare_lf = || {
        let head = &wire[..end.unwrap_or_default()];
        head.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r')
    };
    if end.is_none() || has_bare_lf() || is_malformed(&ours) {
        return Some([Fault::BadForm].into());
    }
    let differ = |part: &str, ours: &dyn std::fmt::Debug, theirs: &dyn std::fmt::Debug| -> ! {
        panic!("{what}: {part}: ours {ours:?}, rsip's {theirs:?}: {}", wire.escape_ascii())
    };
    match &theirs {
        rsip::SipMessage::Request(request) => {
            let (method, their_method) = (ours.method().unwrap().to_string(), request.method.to_string());
            if method != their_method {
                if !method.eq_ignore_ascii_case(&their_method) {
                    differ("method", &method, &their_method);
                }
                faults.insert(Fault::MethodCase);
            }
            compare_uri(&ours, &request.uri, &mut faults)
                .unwrap_or_else(|part| differ(part, &ours.request_uri(), &request.uri.to_string()));
        }
        rsip::SipMessage::Response(response) => {
            let (status, their_status) = (ours.status().unwrap().code(), response.status_code.code());
            if status != their_status {
                differ("status", &status, &their_status);
            }
        }
    }
    compare_headers(&ours, &theirs, &mut faults)
        .unwrap_or_else(|(ours, theirs)| differ("headers", &ours, &theirs));
    if &ours.body()[..] != theirs.body() {
        if !theirs.body().starts_with(ours.body()) || !ours.has(Name::ContentLength) {
            differ("body", ours.body(), theirs.body());
        }
        faults.insert(Fault::ContentLengthIgnored);
    }
    // What chance made of a value may be read in one way or another; what was meant as a value may not.
    if what != MUTATED {
        compare_values(&ours, &theirs, &mut faults)
            .unwrap_or_else(|(part, ours, theirs)| differ(part, &ours, &theirs));
    }
    Some(faults)
}

/// `Err`: the part that differs.
fn compare_uri(ours: &Message, theirs: &rsip::Uri, faults: &mut BTreeSet<Fault>) -> Result<(), &'static str> {
    let text = ours.request_uri().unwrap();
    if theirs.to_string() == text {
        return Ok(());
    }
    // Not the same text: then at least the parts that decide where a request goes.
    faults.insert(Fault::UriParts);
    let Ok(Uri::Sip(uri)) = Uri::parse(text) else { return Ok(()) };
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    if !same(uri.scheme(), &theirs.scheme.as_ref().map(ToString::to_string).unwrap_or_default()) {
        return Err("scheme");
    }
    // A user part that is more than letters and digits stays with the host.
    let their_host = theirs.host().to_string();
    let (their_user, their_host) = match their_host.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (theirs.user(), &*their_host),
    };
    if uri.user.as_deref() != their_user.map(|user| user.split(':').next().unwrap_or(user)) {
        return Err("user");
    }
    if !same(&uri.host.to_string(), their_host) {
        return Err("host");
    }
    if uri.port.map(|port| port.to_string()) != theirs.port().map(|port| port.to_string()) {
        return Err("port");
    }
    Ok(())
}

type Pairs = Vec<(Name, Vec<u8>)>;

fn compare_headers(
    ours: &Message,
    theirs: &rsip::SipMessage,
    faults: &mut BTreeSet<Fault>,
) -> Result<(), (Pairs, Pairs)> {
    let ours: Pairs = ours.headers().map(|header| (header.name, header.value.into_owned())).collect();
    let theirs: Pairs = theirs
        .headers()
        .iter()
        .map(|header| {
            let line = header.to_string();
            let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
            (Name::from(name), value.as_bytes().to_vec())
        })
        .collect();
    if ours == theirs {
        return Ok(());
    }
    let trimmed: Pairs =
        theirs.iter().map(|(name, value)| (name.clone(), value.trim_ascii().to_vec())).collect();
    if ours == trimmed {
        faults.insert(Fault::TrailingSpace);
        return Ok(());
    }
    Err((ours, theirs))
}

/// `Err`: the part that differs, ours, rsip's.
fn compare_values(
    ours: &Message,
    theirs: &rsip::SipMessage,
    faults: &mut BTreeSet<Fault>,
) -> Result<(), (&'static str, String, String)> {
    let mut same = |part, ours: Option<String>, theirs: Option<String>| match (ours, theirs) {
        (_, None) => {
            faults.insert(Fault::TypedValue);
            Ok(())
        }
        (ours, theirs) if ours == theirs => Ok(()),
        (ours, theirs) => Err((part, format!("{ours:?}"), format!("{theirs:?}"))),
    };
    let has = |name| ours.value(name).is_some_and(|value| value.is_ascii());
    if let Ok(from) = ours.from()
        && has(Name::From)
        && let Uri::Sip(uri) = &from.uri
    {
        let typed = theirs.from_header().ok().and_then(|header| header.typed().ok());
        let their_host = typed.as_ref().map(|from| from.uri.host().to_string().to_lowercase());
        let their_host = their_host.map(|host| host.rsplit('@').next().unwrap_or_default().to_owned());
        same("From host", Some(uri.host.to_string().to_lowercase()), their_host)?;
        let tag = typed.map(|from| from.tag().map(|tag| tag.to_string()).unwrap_or_default());
        same("From tag", Some(from.tag().unwrap_or_default().to_owned()), tag)?;
    }
    if let Ok(cseq) = ours.cseq() {
        let typed = theirs.cseq_header().ok().and_then(|header| header.typed().ok());
        same("CSeq", Some(cseq.to_string()), typed.map(|cseq| format!("{} {}", cseq.seq, cseq.method)))?;
    }
    if let Ok(via) = ours.via()
        && has(Name::Via)
    {
        let typed = theirs.via_header().ok().and_then(|header| header.typed().ok());
        let branch = typed.map(|via| via.branch().map(|branch| branch.to_string()).unwrap_or_default());
        same("branch", Some(via.branch().unwrap_or_default().to_owned()), branch)?;
    }
    Ok(())
}

/// Ordinary messages, as our phones would send them.
const OWN: &[&str] = &[
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds\r\n\
     Max-Forwards: 70\r\nTo: Bob <sip:bob@example.com>\r\nFrom: Alice <sip:alice@example.com>;tag=1928301774\r\n\
     Call-ID: a84b4c76e66710@pc33.example.com\r\nCSeq: 314159 INVITE\r\nContact: <sip:alice@pc33.example.com>\r\n\
     Content-Type: application/sdp\r\nContent-Length: 4\r\n\r\nv=0\n",
    "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/TCP 192.0.2.4:5060;branch=z9hG4bKnashds8;received=192.0.2.3\r\n\
     To: <sip:bob@example.com>;tag=a6c85cf\r\nFrom: <sip:alice@example.com>;tag=1928301774\r\nCall-ID: x\r\n\
     CSeq: 1 INVITE\r\nContact: <sip:bob@192.0.2.4>\r\nContent-Length: 0\r\n\r\n",
    "REGISTER sips:example.com:5061;transport=tcp SIP/2.0\r\nv: SIP/2.0/TLS 192.0.2.4:5061;branch=z9hG4bK1;rport\r\n\
     t: <sips:bob@example.com>\r\nf: <sips:bob@example.com>;tag=1\r\ni: y\r\nCSeq: 2 REGISTER\r\nm: *\r\nExpires: 0\r\nl: 0\r\n\r\n",
    "OPTIONS sip:carol@chicago.com SIP/2.0\r\nX-Own: a: b: c\r\nAllow: INVITE,ACK , BYE\r\nSupported:\r\n\r\n",
];

fn shared() -> Option<PathBuf> {
    let shared = std::env::var_os("VOICE_CONNECTOR_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    let folder = shared.join("testdata/sip-torture");
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", folder.display());
    println!("skipped: {} is not there, set VOICE_CONNECTOR_SHARED", folder.display());
    None
}

#[test]
fn own_messages() {
    for text in OWN {
        let faults = compare("own", text.as_bytes()).unwrap();
        assert!(
            faults.iter().all(|fault| [Fault::TypedValue, Fault::UriParts].contains(fault)),
            "{faults:?} {text}"
        );
    }
}

#[test]
fn messages_that_we_take_and_that_end_oddly() {
    let wire = b"SIP/2.0 441 x\r\nVia: SIP/2.0/TLS a;branch=z9hG4bKj9v\r\nVia: SIP/2.0/TCP b;branch=z9hG4bKW\r\nl: 3\xf92";
    assert_eq!(compare("cut off", wire), Some([Fault::BadForm].into()));
    let wire = b"SIP/2.0 100 x\n\nContent-Length: 2\r\nAccept-Encoding:\r\n\r\nab";
    assert_eq!(compare("two bare LF", wire), Some([Fault::BadForm].into()));
}

#[test]
fn torture_messages() {
    let Some(folder) = shared() else { return };
    let mut read = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if let Some(faults) = compare(&name, &std::fs::read(&path).unwrap()) {
                read.push((name, faults));
            }
        }
    }
    // The files on which rsip errs; it reads others as we do, and refuses the rest.
    for (name, faults) in &read {
        let expect: &[Fault] = match name.as_str() {
            "dblreq.dat" | "mcl01.dat" => &[Fault::ContentLengthIgnored],
            "mult-ip-in-header.dat" => &[Fault::TypedValue],
            "ipv4-mapped-ipv6.dat" if faults.len() == 1 => &[Fault::TypedValue],
            "ipv4-mapped-ipv6.dat" => &[Fault::ContentLengthIgnored, Fault::TypedValue],
            _ => &[],
        };
        assert_eq!(faults.iter().copied().collect::<Vec<_>>(), expect, "{name}");
    }
    assert_eq!(read.len(), 37);
}

proptest! {
    #[test]
    fn generated_messages(made in message(Style::Plain)) {
        prop_assert!(compare("generated", &made.wire).is_some());
    }

    #[test]
    fn odd_and_mutated_messages(
        made in prop_oneof![message(Style::Plain), message(Style::Odd)],
        changes in vec((any::<prop::sample::Index>(), any::<u8>(), any::<u8>()), 0..4),
    ) {
        compare(MUTATED, &mutated(&made.wire, &changes));
    }
}
