//! What a phone needs of `rsip`'s messages.

use rsip::headers::UntypedHeader;
use rsip::message::{HasHeaders, HeadersExt};
use rsip::{Header, Headers, Method, SipMessage};

use super::sdp::{Direction, Sdp};

/// What the script of a call sees of a final or provisional answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// The reason phrase as it came; `rsip` replaces it by its own.
    pub phrase: String,
    /// The value of `Reason`. RFC 3326.
    pub reason: Option<String>,
    /// The value of `Retry-After`.
    pub retry_after: Option<String>,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.status, self.phrase)
    }
}

/// A header by its name; its long form if it has two.
pub fn value(headers: &Headers, name: &str) -> Option<String> {
    values(headers, name).next()
}

/// All headers of a name, in order.
pub fn values<'a>(headers: &'a Headers, name: &'a str) -> impl Iterator<Item = String> + 'a {
    headers.iter().filter_map(move |header| {
        let line = header.to_string();
        let (found, value) = line.split_once(':')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// The URIs of a list of `<uri>` values such as Record-Route, in order.
pub fn uris(headers: &Headers, name: &str) -> Vec<String> {
    let inside = |value: String| -> Vec<String> {
        value.split('<').filter_map(|part| Some(part.split_once('>')?.0.to_owned())).collect()
    };
    values(headers, name).flat_map(inside).collect()
}

/// The branch of the top Via, which names the transaction. RFC 3261 §17.1.3.
///
/// # Errors
/// There is no Via that can be read, or it has no branch.
pub fn branch(message: &impl HeadersExt) -> Result<String, rsip::Error> {
    let branch = message.transaction_id()?;
    branch.map(|branch| branch.value().to_owned()).ok_or_else(|| rsip::Error::MissingHeader("branch".into()))
}

/// The method of CSeq, of a request and of its answers.
///
/// # Errors
/// There is no CSeq that can be read.
pub fn cseq(message: &impl HeadersExt) -> Result<(u32, Method), rsip::Error> {
    let cseq = message.cseq_header()?;
    Ok((cseq.seq()?, cseq.method()?))
}

/// The Call-ID.
///
/// # Errors
/// There is no Call-ID.
pub fn call_id(message: &impl HeadersExt) -> Result<String, rsip::Error> {
    Ok(message.call_id_header()?.value().to_owned())
}

/// What the ladder shows of a message.
///
/// - `phrase`: the reason phrase of a response.
pub fn label(message: &SipMessage, phrase: &str) -> String {
    let body = match message {
        SipMessage::Request(request) => &request.body,
        SipMessage::Response(response) => &response.body,
    };
    let sdp = Sdp::parse(body).map_or(String::new(), |sdp| {
        let kind = if sdp.crypto.is_some() { "SRTP" } else { "SDP" };
        match sdp.direction {
            Direction::SendRecv => format!(" ({kind})"),
            direction => format!(" ({kind}, {direction})"),
        }
    });
    match message {
        SipMessage::Request(request) => {
            let user = request.uri.user().filter(|_| request.method == Method::Invite);
            let in_dialog = request.to_header().is_ok_and(|to| matches!(to.tag(), Ok(Some(_))));
            match user {
                Some(user) if !in_dialog => format!("{} {user}{sdp}", request.method),
                _ => format!("{}{sdp}", request.method),
            }
        }
        SipMessage::Response(response) => format!("{} {phrase}{sdp}", response.status_code.code()),
    }
}

/// The reason phrase of a response as it is on the wire.
pub fn phrase(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.splitn(3, ' ').nth(2).unwrap_or_default().to_owned()
}

/// A header that `rsip` has no type for.
pub fn other(name: &str, value: impl Into<String>) -> Header {
    Header::Other(name.to_owned(), value.into())
}

/// The body's length and type, and the whole as bytes.
pub fn finished(mut message: SipMessage, sdp: Option<String>) -> (SipMessage, Vec<u8>) {
    let body = sdp.unwrap_or_default();
    let headers = message.headers_mut();
    if !body.is_empty() {
        headers.push(rsip::headers::ContentType::new("application/sdp").into());
    }
    headers.push(rsip::headers::ContentLength::from(u32::try_from(body.len()).unwrap_or(0)).into());
    match &mut message {
        SipMessage::Request(request) => request.body = body.into_bytes(),
        SipMessage::Response(response) => response.body = body.into_bytes(),
    }
    let bytes = message.to_string().into_bytes();
    (message, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: &str = "SIP/2.0 486 Nobody  home\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\n\
                        From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 3 INVITE\r\n\
                        Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n\
                        Reason: SIP;cause=486;text=\"Nobody  home\"\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn what_a_phone_reads() {
        let message = SipMessage::try_from(BUSY).unwrap();
        assert_eq!(branch(&message).unwrap(), "z9hG4bK1");
        assert_eq!(cseq(&message).unwrap(), (3, Method::Invite));
        assert_eq!(value(message.headers(), "reason").unwrap(), "SIP;cause=486;text=\"Nobody  home\"");
        assert_eq!(uris(message.headers(), "Record-Route"), ["sip:p1;lr", "sip:p2;lr", "sip:p3;lr"]);
        assert_eq!(label(&message, &phrase(BUSY.as_bytes())), "486 Nobody  home");
    }
}
