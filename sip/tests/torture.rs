//! The torture messages of RFC 4475 and RFC 5118: what this crate says of each, and why.
//!
//! The files lie beside the repository, in `shared/testdata/sip-torture`, whose README holds the verdicts of the RFCs.
//! Where it leaves latitude, the table says what we chose. The rule behind the choices: what RFC 4475 calls invalid gets
//! a 400, unless answering it would do harm; so nobody downstream reads a message in another way than we did.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sip::{Builder, Frame, Message, Method, Name, StatusCode, StreamFramer};

/// What happens to a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Parsed and in order; what becomes of it is for transactions and policy.
    Accept,
    /// A request that is answered with this status.
    Reject(u16),
    /// Nothing is answered: no SIP, or a response that is not in order.
    Drop,
}
use Verdict::{Accept, Drop, Reject};

/// File, verdict, what its text must hold (for a rejection), why.
const VERDICTS: &[(&str, Verdict, &str, &str)] = &[
    ("rfc4475/wsinv.dat", Accept, "", "folds, odd case, empty and unknown headers"),
    (
        "rfc4475/intmeth.dat",
        Accept,
        "",
        "any token is a method; 501 is for the layer that knows which we serve",
    ),
    ("rfc4475/esc01.dat", Accept, "", "escapes are resolved after splitting"),
    ("rfc4475/escnull.dat", Accept, "", "%00 truncates nothing"),
    ("rfc4475/esc02.dat", Accept, "", "methods are not unescaped: RE%47IST%45R is unknown"),
    ("rfc4475/lwsdisp.dat", Accept, "", "no space before < is needed"),
    ("rfc4475/longreq.dat", Accept, "", "long values"),
    ("rfc4475/dblreq.dat", Accept, "", "datagram: the second request is beyond Content-Length, and cut off"),
    ("rfc4475/semiuri.dat", Accept, "", "the user part may hold semicolons"),
    ("rfc4475/transports.dat", Accept, "", "any token is a transport in lower Vias"),
    ("rfc4475/mpart01.dat", Accept, "", "binary body"),
    ("rfc4475/unreason.dat", Accept, "", "reason phrase in UTF-8; dropped later, for want of a transaction"),
    ("rfc4475/noreason.dat", Accept, "", "empty reason phrase; dropped later, for want of a transaction"),
    ("rfc4475/badinv01.dat", Reject(400), "Via", "empty Via elements"),
    ("rfc4475/clerr.dat", Reject(400), "Content-Length", "states more octets than came"),
    ("rfc4475/ncl.dat", Reject(400), "Content-Length", "negative"),
    (
        "rfc4475/scalar02.dat",
        Reject(400),
        "",
        "CSeq, Max-Forwards and Expires out of range; the first found is named",
    ),
    ("rfc4475/scalarlg.dat", Drop, "", "a response with a CSeq out of range"),
    ("rfc4475/quotbal.dat", Reject(400), "To", "quote does not close"),
    ("rfc4475/ltgtruri.dat", Reject(400), "Request-URI", "latitude (strip the brackets): strict, see above"),
    ("rfc4475/lwsruri.dat", Reject(400), "Request-Line", "latitude (repair): strict, see above"),
    ("rfc4475/lwsstart.dat", Reject(400), "Request-Line", "latitude (accept): strict, see above"),
    ("rfc4475/trws.dat", Reject(400), "Request-Line", "latitude (ignore): strict, see above"),
    ("rfc4475/escruri.dat", Reject(400), "Request-URI", "latitude (ignore the headers): strict, see above"),
    ("rfc4475/baddate.dat", Accept, "", "the RFC prefers to ignore what we need not understand"),
    ("rfc4475/regbadct.dat", Reject(400), "Contact", "? in a URI without brackets"),
    ("rfc4475/badaspec.dat", Reject(400), "To", "latitude (ignore the spaces): strict, see above"),
    (
        "rfc4475/baddn.dat",
        Reject(400),
        "From",
        "latitude (infer the name): strict, since the comma could separate",
    ),
    ("rfc4475/badvers.dat", Reject(505), "Version", "SIP/7.0"),
    ("rfc4475/mismatch01.dat", Reject(400), "CSeq", "known method, other method in CSeq"),
    ("rfc4475/mismatch02.dat", Reject(501), "Not Implemented", "unknown method first: 501 is preferred"),
    ("rfc4475/bigcode.dat", Drop, "", "4294967301 is no status code"),
    (
        "rfc4475/badbranch.dat",
        Reject(400),
        "Via",
        "choice of two: 400 rather than RFC 2543 matching by a lone cookie",
    ),
    ("rfc4475/insuf.dat", Reject(400), "missing", "Via and CSeq are there to answer with"),
    ("rfc4475/unkscm.dat", Accept, "", "416 is for the layer that routes"),
    ("rfc4475/novelsc.dat", Accept, "", "416 likewise"),
    ("rfc4475/unksm2.dat", Accept, "", "From, To and Contact may have any scheme; we are no registrar"),
    ("rfc4475/bext01.dat", Accept, "", "420 is for the layer that knows the extensions"),
    ("rfc4475/invut.dat", Accept, "", "415 is for the layer that reads bodies"),
    ("rfc4475/regaut01.dat", Accept, "", "unknown credentials are no credentials"),
    ("rfc4475/multi01.dat", Reject(400), "more than one", "single headers twice"),
    ("rfc4475/mcl01.dat", Reject(400), "Content-Length: more than one", "two lengths"),
    (
        "rfc4475/bcast.dat",
        Accept,
        "",
        "parsed; dropped later: no transaction, and we forward no response by its Via",
    ),
    ("rfc4475/zeromf.dat", Accept, "", "483 is for the layer that forwards"),
    ("rfc4475/cparam01.dat", Accept, "", "header parameter"),
    ("rfc4475/cparam02.dat", Accept, "", "URI parameter"),
    ("rfc4475/regescrt.dat", Accept, "", "escaped headers in a Contact are carried"),
    ("rfc4475/sdp01.dat", Accept, "", "406 is for the layer that offers bodies"),
    (
        "rfc4475/inv2543.dat",
        Reject(400),
        "Contact: missing",
        "latitude: without a Contact we cannot make a dialog",
    ),
    ("rfc5118/ipv6-good.dat", Accept, "", ""),
    ("rfc5118/ipv6-bad.dat", Reject(400), "Request-URI", "IPv6 without brackets"),
    ("rfc5118/port-ambiguous.dat", Accept, "", "all in the brackets is the address"),
    ("rfc5118/port-unambiguous.dat", Accept, "", ""),
    ("rfc5118/via-received-param-with-delim.dat", Accept, "", ""),
    ("rfc5118/via-received-param-no-delim.dat", Accept, "", ""),
    ("rfc5118/ipv6-in-sdp.dat", Accept, "", "states fewer octets than came: the surplus is cut off"),
    ("rfc5118/mult-ip-in-header.dat", Accept, "", ""),
    ("rfc5118/mult-ip-in-sdp.dat", Accept, "", "surplus likewise"),
    ("rfc5118/ipv4-mapped-ipv6.dat", Accept, "", "surplus likewise"),
    ("rfc5118/ipv6-bug-abnf-3-colons.dat", Accept, "", "::: is read as ::"),
    ("rfc5118/ipv6-correct-abnf-2-colons.dat", Accept, "", ""),
    ("rfc5118/fixed-content-length/ipv6-in-sdp.dat", Accept, "", ""),
    ("rfc5118/fixed-content-length/mult-ip-in-sdp.dat", Accept, "", ""),
    ("rfc5118/fixed-content-length/ipv4-mapped-ipv6.dat", Accept, "", ""),
];

fn judge(datagram: Bytes) -> (Verdict, String) {
    let message = match Message::parse(datagram) {
        Ok(message) => message,
        Err(error) => return (Drop, error.to_string()),
    };
    match message.check() {
        Ok(()) => (Accept, String::new()),
        Err(malformed) if message.is_response() => (Drop, malformed.to_string()),
        Err(malformed) => {
            let text = malformed.text.clone();
            // Whatever is wrong with it, it can be answered.
            let answer = Builder::reply(&message, malformed.status, &text, Some("t")).build();
            assert!(answer.check().is_ok() || !identified(&message), "{text}");
            assert_eq!(answer.value(Name::Via), message.value(Name::Via));
            (Reject(malformed.status.code()), text)
        }
    }
}

/// Whether an answer built from the request could be in order at all.
fn identified(message: &Message) -> bool {
    message.vias().all(|via| via.is_ok())
        && message.from().is_ok()
        && message.to().is_ok()
        && message.call_id().is_ok()
        && message.cseq().is_ok()
}

/// The folder, or `None` if there is none and this is not CI.
fn folder() -> Option<PathBuf> {
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

/// Every `.dat` below the folder, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, Bytes> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "dat") {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().replace('\\', "/");
                found.insert(name, std::fs::read(&path).unwrap().into());
            }
        }
    }
    found
}

fn torture() -> BTreeMap<String, Bytes> {
    folder().map(|folder| files(&folder)).unwrap_or_default()
}

#[test]
fn every_file_gets_its_verdict() {
    let Some(folder) = folder() else { return };
    let files = files(&folder);
    let mut wrong = Vec::new();
    for (name, bytes) in &files {
        let Some((_, verdict, text, why)) = VERDICTS.iter().find(|row| row.0 == name) else {
            wrong.push(format!("{name}: not in the table"));
            continue;
        };
        let (found, said) = judge(bytes.clone());
        if found != *verdict || !said.contains(text) {
            wrong.push(format!("{name}: {found:?} {said:?} instead of {verdict:?} {text:?} ({why})"));
        }
    }
    for (name, ..) in VERDICTS.iter().filter(|row| !files.contains_key(row.0)) {
        wrong.push(format!("{name}: not in the folder"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same ground in small, for a clone without the shared folder: start line, lines that replace or join those of
/// [`ORDINARY`], verdict.
const OWN: &[(&str, &[&str], Verdict)] = &[
    ("INVITE sip:b@h SIP/2.0", &[], Accept),
    // Valid, if odd.
    ("INVITE sip:b@h;x SIP/2.0", &["FROM  :\r\n  \"A \\\\\\\"\"  <sip:a@h>\r\n  ;\r\n  tag = 1"], Accept),
    (
        "INVITE sip:b@h SIP/2.0",
        &["CSEQ: 0009\r\n  INVITE", "max-forwards: 0068", "s :", "X: ;;,,;;,;"],
        Accept,
    ),
    (
        "INVITE sip:b@h SIP/2.0",
        &["v: SIP  / 2.0\r\n / TCP   h ;\r\n branch = z9hG4bK1 , SIP/2.0/X y"],
        Accept,
    ),
    ("!odd.%~'`+* sip:1_(to-be!sure)&isn't$/?,/;;*:&it+has=1@h SIP/2.0", &["CSeq: 1 !odd.%~'`+*"], Accept),
    ("INVITE sip:sips%3Ab%40h@example.net SIP/2.0", &["To: <sip:null-%00-null@h>"], Accept),
    ("INVITE sip:b@h SIP/2.0", &["To: \"BEL:\\\x07 NUL:\\\0 é\" <sip:b@h>"], Accept),
    ("INVITE sip:b@h SIP/2.0", &["From: caller<sip:a@h>;tag=1"], Accept),
    ("INVITE sip:user;par=u%40h@h SIP/2.0", &["Via: SIP/2.0/SCTP h;branch=z9hG4bK1"], Accept),
    ("INVITE unknown.scheme:x SIP/2.0", &["To: isbn:2983792873", "Contact: <name:John_Smith>"], Accept),
    ("INVITE sip:[2001:db8::10:5070] SIP/2.0", &["Contact: <sip:a@[::ffff:192.0.2.2]>"], Accept),
    (
        "INVITE sip:b@[2001:db8:::192.0.2.1] SIP/2.0",
        &["Via: SIP/2.0/UDP [::1]:1;received=2001:db8::9"],
        Accept,
    ),
    (
        "INVITE sip:b@h SIP/2.0",
        &["Date: Fri, 01 Jan 2010 16:00:00 EST", "Authorization: NoOneKnows x"],
        Accept,
    ),
    ("INVITE sip:b@h SIP/2.0", &["From: sip:a@h", "Max-Forwards: 0"], Accept),
    ("SIP/2.0 100 ", &[], Accept),
    ("SIP/2.0 200 = 2**3 * 5**2 но сто", &[], Accept),
    // Invalid.
    ("INVITE sip:b@h SIP/2.0", &["Via: SIP/2.0/UDP 192.0.2.15;;,;,,"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["Via: SIP/2.0/UDP h;branch=z9hG4bK"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["Content-Length: 9999"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["Content-Length: -999"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["l: 0", "Content-Length: 0"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["CSeq: 36893488147419103232 INVITE"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["CSeq: 1 OPTIONS"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["To: \"Mr. J. User <sip:b@h>"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["To: \"Watson, Thomas\" < sip:b@h >"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["From: Bell, Alexander <sip:a@h>;tag=43"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["Contact: sip:a@h?Route=%3Csip:h%3E"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["Max-Forwards: 300"], Reject(400)),
    ("INVITE sip:b@h SIP/2.0", &["m: <sip:c@h>", "Contact: <sip:d@h>"], Reject(400)),
    ("INVITE <sip:b@h> SIP/2.0", &[], Reject(400)),
    ("INVITE sip:b@h; lr SIP/2.0", &[], Reject(400)),
    ("INVITE  sip:b@h  SIP/2.0", &[], Reject(400)),
    ("INVITE sip:b@h SIP/2.0  ", &[], Reject(400)),
    ("INVITE sip:b@h?Route=%3Csip:h%3E SIP/2.0", &[], Reject(400)),
    ("INVITE sip:2001:db8::10 SIP/2.0", &[], Reject(400)),
    ("INVITE sip:b@h SIP/7.0", &[], Reject(505)),
    ("NEWMETHOD sip:b@h SIP/2.0", &[], Reject(501)),
    // Nothing to answer.
    ("SIP/2.0 4294967301 better not break the receiver", &[], Drop),
    ("SIP/2.0 503 x", &["CSeq: 9292394834772304023312 OPTIONS"], Drop),
    ("GET / HTTP/1.1", &[], Drop),
];

const ORDINARY: &[&str] = &[
    "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
    "From: <sip:a@h>;tag=1",
    "To: <sip:b@h>",
    "Call-ID: 1",
    "CSeq: 1 INVITE",
    "Contact: <sip:a@192.0.2.1>",
];

#[test]
fn own_messages_get_their_verdicts() {
    let name = |line: &str| Name::from(line.split([':', ' ']).next().unwrap());
    for (start, lines, verdict) in OWN {
        let kept = ORDINARY.iter().filter(|line| lines.iter().all(|other| name(line) != name(other)));
        let headers: Vec<_> = kept.chain(*lines).copied().collect();
        let (found, said) = judge(format!("{start}\r\n{}\r\n\r\n", headers.join("\r\n")).into());
        assert_eq!(found, *verdict, "{start:?} {lines:?}: {said}");
    }
}

#[test]
fn every_file_keeps_its_bytes() {
    for (name, bytes) in torture() {
        let Ok(message) = Message::parse(bytes.clone()) else { continue };
        assert!(bytes.starts_with(message.bytes()), "{name}");
        assert_eq!(Message::parse(message.bytes().clone()).as_ref(), Ok(&message), "{name}");
        let copy = message.edit().build();
        let headers = |message: &Message| -> Vec<(String, Vec<u8>)> {
            let length = |header: &sip::Header<'_>| header.name == Name::ContentLength;
            let pair = |header: sip::Header<'_>| (header.raw_name.to_owned(), header.value.to_vec());
            message.headers().filter(|header| !length(header)).map(pair).collect()
        };
        assert_eq!(headers(&copy), headers(&message), "{name}");
        assert_eq!(copy.body(), message.body(), "{name}");
        assert_eq!(copy.method(), message.method(), "{name}");
        assert_eq!(copy.reason_phrase(), message.reason_phrase(), "{name}");
        assert_eq!(copy.edit().build(), copy, "{name}");
    }
}

#[test]
fn every_file_frames_alike_wherever_it_is_split() {
    for (name, bytes) in torture() {
        let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
            let mut framer = StreamFramer::new(8_192, 65_536);
            let mut frames = Vec::new();
            for piece in pieces {
                framer.push(piece);
                while let Some(frame) = framer.next().map_err(|error| frames.push(Err(error))).ok().flatten()
                {
                    frames.push(Ok(frame));
                }
            }
            frames
        };
        let whole = read(&mut std::iter::once(&*bytes));
        assert_eq!(read(&mut bytes.chunks(1)), whole, "{name}");
        assert_eq!(read(&mut bytes.chunks(7)), whole, "{name}");
    }
}

#[test]
fn streams_differ_from_datagrams_where_the_rfc_says_so() {
    let files = torture();
    let read = |name: &str| {
        let mut framer = StreamFramer::new(8_192, 65_536);
        framer.push(files.get(&format!("rfc4475/{name}.dat"))?);
        Some(framer)
    };
    let Some(mut framer) = read("dblreq") else { return };
    // The second body is longer than it says, so a third message would not be found: three frames only.
    let mut next = || match framer.next() {
        Ok(Some(Frame::Message(message))) => message.method(),
        other => {
            assert_eq!(other, Ok(Some(Frame::Pong)), "an empty line between two messages");
            None
        }
    };
    assert_eq!([next(), next(), next()], [Some(Method::Register), None, Some(Method::Invite)]);
    assert_eq!(read("clerr").unwrap().next(), Ok(None), "waits for the octets that were promised");
    for name in ["ncl", "mcl01", "inv2543"] {
        let error = read(name).unwrap().next().unwrap_err();
        assert_eq!(error.status, StatusCode::BAD_REQUEST, "{name}");
        assert!(error.answer.is_some() && error.text.starts_with("Content-Length"), "{name}: {error}");
    }
}

#[test]
fn values_of_the_valid_ones() {
    let files = torture();
    let read = |name: &str| Message::parse(files.get(name)?.clone()).ok();
    let Some(wsinv) = read("rfc4475/wsinv.dat") else { return };
    assert_eq!(wsinv.from().unwrap().display_name.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(
        (wsinv.from_tag().as_deref(), wsinv.to_tag().as_deref()),
        (Some("98asjd8"), Some("1918181833n"))
    );
    assert_eq!((wsinv.max_forwards(), wsinv.cseq().unwrap().number), (Ok(Some(68)), 9));
    assert_eq!(
        wsinv.value("newfangledheader".into()).as_deref(),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(wsinv.value(Name::Subject).as_deref(), Some(""));
    let vias: Vec<_> = wsinv.vias().map(|via| via.unwrap().to_string()).collect();
    assert_eq!(
        vias,
        [
            "SIP/2.0/UDP 192.0.2.2;branch=390skdjuw",
            "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8",
            "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
        ]
    );
    assert_eq!(wsinv.contact().unwrap().unwrap().param("q").as_deref(), Some("0.33"));

    let esc01 = read("rfc4475/esc01.dat").unwrap().target().unwrap();
    assert_eq!(esc01.as_sip().unwrap().user_unescaped().as_deref(), Some("sips:user@example.com"));
    assert_eq!(esc01.host().unwrap().to_string(), "example.net");
    let escnull = read("rfc4475/escnull.dat").unwrap();
    assert_eq!(escnull.to().unwrap().uri.as_sip().unwrap().user_unescaped().as_deref(), Some("null-\0-null"));
    let semiuri = read("rfc4475/semiuri.dat").unwrap().target().unwrap();
    assert_eq!(semiuri.as_sip().unwrap().user_unescaped().as_deref(), Some("user;par=u@example.net"));
    assert_eq!(read("rfc4475/esc02.dat").unwrap().method(), Method::parse("RE%47IST%45R"));
    assert_eq!(read("rfc4475/noreason.dat").unwrap().reason_phrase(), Some(&b""[..]));
    assert!(read("rfc4475/unreason.dat").unwrap().reason_phrase().unwrap().starts_with(b"= 2**3 * 5**2 "));
    let cparam = |name| read(name).unwrap().contact().unwrap().unwrap();
    assert!(cparam("rfc4475/cparam01.dat").params.has("unknownparam"));
    assert!(cparam("rfc4475/cparam02.dat").uri.as_sip().unwrap().has_param("unknownparam"));
    assert_eq!(read("rfc4475/bext01.dat").unwrap().values(Name::Require).count(), 2);

    let host = |name: &str| {
        read(name).unwrap().target().unwrap().as_sip().map(|uri| (uri.host.to_string(), uri.port))
    };
    assert_eq!(host("rfc5118/port-ambiguous.dat"), Some(("[2001:db8::10:5070]".into(), None)));
    assert_eq!(host("rfc5118/port-unambiguous.dat"), Some(("[2001:db8::10]".into(), Some(5070))));
    assert_eq!(
        host("rfc5118/ipv6-bug-abnf-3-colons.dat"),
        host("rfc5118/ipv6-correct-abnf-2-colons.dat"),
        "::: is ::"
    );
    for name in ["rfc5118/via-received-param-with-delim.dat", "rfc5118/via-received-param-no-delim.dat"] {
        let received = read(name).unwrap().via().unwrap().received();
        assert_eq!(received, Some("2001:db8::9:255".parse().unwrap()), "{name}");
    }
}
