//! The verdict on what a gateway must understand. RFC 3261 §8.2, §16.3, §18.3, §21.4.1.

use super::Message;
use super::index::Fault;
use super::views::{at, missing};
use crate::grammar::is_token;
use crate::header::{HeaderError, HeaderFault, Hop, MAGIC_COOKIE, Name, NameAddr};
use crate::method::Method;
use crate::status::StatusCode;
use crate::text::phrase;
use crate::uri::Uri;

/// Why a message cannot be served. A request gets `status` with `text` as its reason phrase; a response is dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {text}")]
pub struct Malformed {
    /// 400, 501 or 505.
    pub status: StatusCode,
    /// Names the header and the fault.
    pub text: String,
}

impl From<HeaderError> for Malformed {
    fn from(error: HeaderError) -> Malformed {
        Malformed::bad(error.to_string())
    }
}

impl Malformed {
    fn bad(text: impl AsRef<str>) -> Malformed {
        Malformed { status: StatusCode::BAD_REQUEST, text: phrase(text.as_ref()) }
    }
}

impl Message {
    /// Reads all that must be understood, and says what cannot be.
    ///
    /// Both kinds: form, version, Via (all), From, To, Call-ID, CSeq, Content-Length; single headers not repeated.
    /// Requests: Request-URI (any scheme, but `sip:` and `tel:` must be right; no headers), CSeq method, Max-Forwards,
    /// Require, Route, Contact and Record-Route where they could make or change a dialog, and exactly one Contact in an
    /// INVITE (none leaves the target of a dialog as it is). RFC 2543 requests without branch, tags or Max-Forwards pass; an RFC 2543 INVITE without Contact does
    /// not, for there would be no target for our requests. Of a response, Contact and Record-Route are left to the
    /// dialog: to drop a 200 would ring the phone again and again.
    ///
    /// # Errors
    /// The first fault, with the status of its refusal.
    pub fn check(&self) -> Result<(), Malformed> {
        self.check_form()?;
        self.check_single()?;
        self.check_identity()?;
        self.check_body()?;
        match self.method() {
            Some(method) => self.check_request(&method),
            None => Ok(()),
        }
    }

    fn check_form(&self) -> Result<(), Malformed> {
        match &self.index.fault {
            Some(Fault::Version) => Err(Malformed {
                status: StatusCode::VERSION_NOT_SUPPORTED,
                text: Fault::Version.text().to_owned(),
            }),
            Some(fault) => Err(Malformed::bad(fault.text())),
            None => Ok(()),
        }
    }

    fn check_single(&self) -> Result<(), Malformed> {
        let headers = &self.index.headers;
        for (at, span) in headers.iter().enumerate() {
            if self.is_single(&span.name) && self.index.position(&span.name) != Some(at) {
                return Err(HeaderError { name: span.name.clone(), fault: HeaderFault::Repeated }.into());
            }
        }
        Ok(())
    }

    /// Of a response only what it is matched and read by: a Date twice is no reason to lose an answer.
    fn is_single(&self, name: &Name) -> bool {
        let vital = matches!(
            name,
            Name::From | Name::To | Name::CallId | Name::CSeq | Name::ContentLength | Name::ContentType
        );
        vital || (self.is_request() && name.is_single())
    }

    fn check_identity(&self) -> Result<(), Malformed> {
        let mut vias = self.elements(Name::Via).map(|text| Hop::read(&text).map(drop).map_err(at(Name::Via)));
        vias.next().unwrap_or_else(|| Err(missing(Name::Via)))?;
        if self.is_request() && self.branch().is_some_and(|branch| branch.eq_ignore_ascii_case(MAGIC_COOKIE))
        {
            return Err(at(Name::Via)(HeaderFault::Branch).into());
        }
        for via in vias {
            via?;
        }
        self.check_address(Name::From)?;
        self.check_address(Name::To)?;
        self.call_id()?;
        self.cseq()?;
        Ok(())
    }

    fn check_address(&self, name: Name) -> Result<(), HeaderError> {
        let text = self.value(name.clone()).ok_or_else(|| missing(name.clone()))?;
        NameAddr::check(&text).map_err(at(name))
    }

    /// Addresses that requests of a dialog would go to.
    fn check_addresses(&self, method: &Method) -> Result<(), Malformed> {
        // In an ACK, BYE and their like they do nothing, and a 400 would only keep a dead call up.
        if matches!(method, Method::Ack | Method::Bye | Method::Cancel | Method::Prack | Method::Info) {
            return Ok(());
        }
        for address in self.routes().chain(self.record_routes()) {
            address?;
        }
        let everything = *method == Method::Register && self.values(Name::Contact).eq(["*"]);
        if !everything {
            for contact in self.contacts() {
                contact?;
            }
        }
        if *method == Method::Invite {
            match self.values(Name::Contact).count() {
                // Inside a dialog the target is known, and stays.
                0 if self.to_tag().is_some() => {}
                0 => return Err(missing(Name::Contact).into()),
                1 => {}
                _ => return Err(at(Name::Contact)(HeaderFault::Repeated).into()),
            }
        }
        Ok(())
    }

    fn check_require(&self) -> Result<(), Malformed> {
        for name in [Name::Require, Name::ProxyRequire] {
            for tag in self.values(name.clone()) {
                if !is_token(tag.as_bytes()) {
                    return Err(at(name)(HeaderFault::OptionTag(tag.into_owned())).into());
                }
            }
        }
        Ok(())
    }

    fn check_body(&self) -> Result<(), Malformed> {
        if let Some(stated) = self.content_length()? {
            let found = self.body.len();
            if usize::try_from(stated) != Ok(found) {
                return Err(at(Name::ContentLength)(HeaderFault::Longer { stated, found }).into());
            }
        }
        Ok(())
    }

    fn check_request(&self, method: &Method) -> Result<(), Malformed> {
        let target = self.target().map_err(|error| Malformed::bad(format!("Request-URI: {error}")))?;
        if let Uri::Sip(uri) = &target
            && uri.headers.is_some()
        {
            return Err(Malformed::bad("Request-URI: must not have headers"));
        }
        if self.cseq()?.method != *method {
            return Err(match method {
                // What we do not implement we need not understand. RFC 4475 §3.1.2.18.
                Method::Other(_) => Malformed {
                    status: StatusCode::NOT_IMPLEMENTED,
                    text: StatusCode::NOT_IMPLEMENTED.default_reason().to_owned(),
                },
                _ => at(Name::CSeq)(HeaderFault::OtherMethod).into(),
            });
        }
        self.max_forwards()?;
        self.check_require()?;
        self.check_addresses(method)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    const HEADERS: &[&str] = &[
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        "From: <sip:a@example.com>;tag=1",
        "To: <sip:b@example.com>",
        "Call-ID: 1@192.0.2.1",
        "CSeq: 1 INVITE",
        "Max-Forwards: 70",
        "Contact: <sip:a@192.0.2.1>",
    ];

    fn verdict(start: &str, headers: &[&str], body: &str) -> String {
        let message = format!("{start}\r\n{}\r\n\r\n{body}", headers.join("\r\n"));
        match Message::parse(Bytes::from(message)) {
            Ok(message) => {
                message.check().map_or_else(|malformed| malformed.to_string(), |()| "ok".to_owned())
            }
            Err(error) => format!("drop: {error}"),
        }
    }

    const INVITE: &str = "INVITE sip:b@example.com SIP/2.0";

    #[test]
    fn one_line_changed() {
        // The line replaces that of the same name; a line that ends in ":" alone removes it.
        for (line, expect) in [
            ("Subject: fine", "ok"),
            ("Via:", "400 Via: missing"),
            ("Via: ", "400 Via: empty"),
            ("Via: SIP/2.0/UDP", "400 Via: no 'SIP/2.0/transport host'"),
            ("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK", "400 Via: branch has nothing after z9hG4bK"),
            ("Via: SIP/2.0/UDP 192.0.2.1", "ok"),
            ("Via: SIP/2.0/UDP 192.0.2.1, nonsense", "400 Via: no 'SIP/2.0/transport host'"),
            ("Via: , SIP/2.0/UDP 192.0.2.1", "400 Via: empty"),
            ("Via: SIP/2.0/UDP 192.0.2.1,", "400 Via: empty"),
            ("Via: SIP/2.0/UDP 192.0.2.1:x", "400 Via: bad port 'x'"),
            ("From:", "400 From: missing"),
            ("From: ", "400 From: empty"),
            ("From: sip:a@example.com", "ok"),
            ("From: \"a <sip:a@example.com>", "400 From: quoted string does not end"),
            ("From: <sip:a@example.com", "400 From: unbalanced angle brackets"),
            ("From: <sip:a@2001:db8::1>", "400 From: bad port 'db8::1'"),
            ("From: <sip:a@ex ample.com>", "400 From: character that a URI must not contain"),
            ("From: <tel:+15550100>;tag=1", "ok"),
            ("From: <urn:x>;tag=1", "ok"),
            ("From: <x>;tag=1", "400 From: no URI scheme"),
            ("To:", "400 To: missing"),
            ("To: <sip:b@example.com>;tag", "ok"),
            ("Call-ID:", "400 Call-ID: missing"),
            ("Call-ID: ", "400 Call-ID: empty"),
            ("Call-ID: a b", "400 Call-ID: unexpected text 'b'"),
            ("CSeq:", "400 CSeq: missing"),
            ("CSeq: 1 invite", "400 CSeq: method is not the request's"),
            ("CSeq: 1 ACK", "400 CSeq: method is not the request's"),
            ("CSeq: 2147483648 INVITE", "400 CSeq: bad number '2147483648'"),
            ("CSeq: INVITE", "400 CSeq: bad number 'INVITE'"),
            ("CSeq: 1", "400 CSeq: bad method ''"),
            ("Max-Forwards:", "ok"),
            ("Max-Forwards: 0", "ok"),
            ("Max-Forwards: 255", "ok"),
            ("Max-Forwards: 256", "400 Max-Forwards: bad number '256'"),
            ("Max-Forwards: -1", "400 Max-Forwards: bad number '-1'"),
            ("Max-Forwards: ", "400 Max-Forwards: bad number ''"),
            ("Contact:", "400 Contact: missing"),
            ("Contact: ", "400 Contact: missing"),
            ("Contact: <sip:a@h>, <sip:b@h>", "400 Contact: more than one"),
            ("Contact: *", "400 Contact: no URI scheme"),
            ("Contact: \"a, b\" <sip:a@h;x=y?z=q>;q=1", "ok"),
            ("Route: <sip:p.example.com;lr>, nonsense", "400 Route: no URI scheme"),
            ("Record-Route: <sip:p.example.com;lr", "400 Record-Route: unbalanced angle brackets"),
            ("Require: 100rel, timer", "ok"),
            ("Require: 100rel timer", "400 Require: bad option tag '100rel timer'"),
            ("Proxy-Require: \"x\"", "400 Proxy-Require: bad option tag '\"x\"'"),
            ("Content-Length: 0", "ok"),
            ("l: 0", "ok"),
            ("Content-Length: 1", "400 Content-Length: 1 octets stated, 0 came"),
            ("Content-Length: -1", "400 Content-Length: bad number '-1'"),
            ("Content-Length: 99999999999", "400 Content-Length: bad number '99999999999'"),
            ("Date: whenever", "ok"),
            ("Expires: nonsense", "ok"),
            ("Authorization: NoOneKnows x=y", "ok"),
            ("X : y", "ok"),
            ("no colon", "400 Header line without a colon"),
            ("two words: x", "400 Header name is not a token"),
            (": x", "400 Header name is not a token"),
            ("Subject: a\rb", "400 Line does not end in CRLF"),
            ("Subject: a\nX: b", "400 Line does not end in CRLF"),
        ] {
            let name = line.split([':', ' ']).next().unwrap();
            let mut headers: Vec<_> =
                HEADERS.iter().copied().filter(|other| other.split(':').next() != Some(name)).collect();
            if line.strip_suffix(':').is_none() {
                headers.push(line);
            }
            assert_eq!(verdict(INVITE, &headers, ""), expect, "{line:?}");
        }
    }

    #[test]
    fn single_headers_twice() {
        for line in HEADERS {
            let (name, expect) =
                (line.split(':').next().unwrap(), verdict(INVITE, &[HEADERS, &[line]].concat(), ""));
            let allowed = if name == "Via" { "ok".to_owned() } else { format!("400 {name}: more than one") };
            assert_eq!(expect, allowed, "{line:?}");
        }
        for name in ["i", "f", "t", "l", "c", "x", "Session-Expires", "RSeq"] {
            let line = format!("{name}: 0");
            let long = Name::from(name);
            let verdict = verdict(INVITE, &[HEADERS, &[&line, &line]].concat(), "");
            assert_eq!(verdict, format!("400 {long}: more than one"));
        }
    }

    #[test]
    fn start_lines() {
        for (start, expect) in [
            ("INVITE sip:b@example.com SIP/2.0", "ok"),
            ("INVITE sip:b@example.com sip/2.0", "ok"),
            ("INVITE sips:b@[2001:db8:::192.0.2.1]:5061;transport=tcp SIP/2.0", "ok"),
            ("INVITE tel:+1-555-0100 SIP/2.0", "ok"),
            ("INVITE unknown:x SIP/2.0", "ok"),
            ("INVITE sip:b@example.com SIP/7.0", "505 Version Not Supported"),
            ("INVITE sip:b@example.com SIP/2.00", "505 Version Not Supported"),
            ("INVITE sip:b@example.com SIP/2", "505 Version Not Supported"),
            ("INVITE <sip:b@example.com> SIP/2.0", "400 Request-URI: no URI scheme"),
            ("INVITE sip:b@2001:db8::10 SIP/2.0", "400 Request-URI: bad port 'db8::10'"),
            ("INVITE b SIP/2.0", "400 Request-URI: no URI scheme"),
            ("INVITE sip: SIP/2.0", "400 Request-URI: bad host ''"),
            ("INVITE tel:alice SIP/2.0", "400 Request-URI: bad telephone number 'alice'"),
            ("INVITE sip:b@example.com?Route=x SIP/2.0", "400 Request-URI: must not have headers"),
            (
                "INVITE  sip:b@example.com SIP/2.0",
                "400 Request-Line: needs single spaces and none at its end",
            ),
            (
                "INVITE sip:b@example.com  SIP/2.0",
                "400 Request-Line: needs single spaces and none at its end",
            ),
            (
                "INVITE sip:b@example.com SIP/2.0 ",
                "400 Request-Line: needs single spaces and none at its end",
            ),
            (
                "INVITE sip:b@example.com; lr SIP/2.0",
                "400 Request-Line: needs single spaces and none at its end",
            ),
            (
                "INVITE sip:b@example.com\t SIP/2.0",
                "400 Request-Line: needs single spaces and none at its end",
            ),
            ("NEWMETHOD sip:b@example.com SIP/2.0", "501 Not Implemented"),
            ("BYE sip:b@example.com SIP/2.0", "400 CSeq: method is not the request's"),
            ("INVITE SIP/2.0", "drop: no SIP start line"),
            (" INVITE sip:b@example.com SIP/2.0", "drop: no SIP start line"),
            ("INV\u{e9}TE sip:b@example.com SIP/2.0", "drop: no SIP start line"),
            ("GET / HTTP/1.1", "drop: no SIP start line"),
            ("INVITE sip:b@example.com", "drop: no SIP start line"),
            ("SIP/2.0 200 OK", "ok"),
            ("sip/2.0 200 OK", "ok"),
            ("SIP/2.0 200", "ok"),
            ("SIP/2.0 200 ", "ok"),
            ("SIP/2.0 099 x", "drop: bad status code"),
            ("SIP/2.0 700 x", "drop: bad status code"),
            ("SIP/2.0 4294967496 x", "drop: bad status code"),
            ("SIP/2.0  200 OK", "drop: bad status code"),
            ("SIP/3.0 200 OK", "drop: no SIP start line"),
        ] {
            assert_eq!(verdict(start, HEADERS, ""), expect, "{start:?}");
        }
    }

    #[test]
    fn what_matters_to_some_methods_only() {
        let headers = |method: &str, more: &[&'static str]| -> Vec<String> {
            let keep = |line: &&&str| !line.starts_with("CSeq") && !line.starts_with("Contact");
            let cseq = format!("CSeq: 1 {method}");
            HEADERS.iter().filter(keep).chain(more).map(|line| (*line).to_owned()).chain([cseq]).collect()
        };
        let judge = |method: &str, more: &[&'static str]| {
            let headers = headers(method, more);
            let headers: Vec<_> = headers.iter().map(String::as_str).collect();
            verdict(&format!("{method} sip:b@example.com SIP/2.0"), &headers, "")
        };
        for (method, line, expect) in [
            ("BYE", "Contact: nonsense", "ok"),
            ("ACK", "Record-Route: nonsense", "ok"),
            ("UPDATE", "Contact: nonsense", "400 Contact: no URI scheme"),
            ("OPTIONS", "X: y", "ok"),
            ("REGISTER", "Contact: *", "ok"),
            ("REGISTER", "Contact: sip:a@h?b=c", "400 Contact: URI needs angle brackets"),
            ("REGISTER", "Contact: <sip:a@h>, <sip:b@h>", "ok"),
            ("SUBSCRIBE", "Contact: *", "400 Contact: no URI scheme"),
        ] {
            assert_eq!(judge(method, &[line]), expect, "{method} {line}");
        }
        let response = |more: &[&str]| verdict("SIP/2.0 200 OK", &[HEADERS, more].concat(), "");
        assert_eq!(response(&["Record-Route: nonsense"]), "ok", "a dialog will say so");
        assert_eq!(response(&["Date: x", "Date: y"]), "ok", "harmless");
        assert_eq!(response(&["t: sip:a@b"]), "400 To: more than one");
        assert_eq!(response(&["l: 5"]), "400 Content-Length: 5 octets stated, 0 came");
    }

    #[test]
    fn texts_are_short_and_printable() {
        let line = format!("CSeq: {}\u{1}\u{9f} INVITE", "9".repeat(5_000));
        let mut headers = HEADERS.to_vec();
        headers.retain(|line| !line.starts_with("CSeq"));
        headers.push(&line);
        let text = verdict(INVITE, &headers, "");
        assert!(text.len() < 200 && text.starts_with("400 CSeq: bad number '999") && !text.contains('\u{1}'));
    }
}
