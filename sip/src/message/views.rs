//! Typed values, read when asked for. Nothing is kept but the tags and the CSeq: ask once for the others.

use std::borrow::Cow;
use std::sync::OnceLock;
use std::time::Duration;

use crate::grammar::number;
use crate::header::{CSeq, HeaderError, HeaderFault, Hop, Name, NameAddr, RAck, RSeq, Via};
use crate::uri::{Uri, UriError};

use super::Message;
use super::index::Range;

impl Message {
    /// The top Via. RFC 3261 §20.42.
    ///
    /// # Errors
    /// The header is missing or broken.
    pub fn via(&self) -> Result<Via, HeaderError> {
        self.vias().next().unwrap_or_else(|| Err(missing(Name::Via)))
    }

    /// The port of the top Via's sent-by, and whether the client asked by `rport` for its response to come back to where the
    /// request came from. RFC 3261 §18.2.2, RFC 3581 §4.
    ///
    /// # Errors
    /// The header is missing or broken.
    pub fn response_port(&self) -> Result<(Option<u16>, bool), HeaderError> {
        let top = self.elements(Name::Via).next().ok_or_else(|| missing(Name::Via))?;
        let hop = Hop::read(&top).map_err(at(Name::Via))?;
        Ok((hop.port, hop.has("rport")))
    }

    /// Every Via, top first. An empty element is an error here: a hop is missing.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via, HeaderError>> {
        self.elements(Name::Via).map(|text| Via::parse(&text).map_err(at(Name::Via)))
    }

    /// The branch of the top Via. Reads no more of it: [`check`](Self::check) does.
    pub fn branch(&self) -> Option<Cow<'_, str>> {
        within(self.elements(Name::Via).next()?, Via::branch_in)
    }

    /// The sender. RFC 3261 §20.20.
    ///
    /// # Errors
    /// The header is missing or broken.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.single_address(Name::From)
    }

    /// The recipient. RFC 3261 §20.39.
    ///
    /// # Errors
    /// The header is missing or broken.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.single_address(Name::To)
    }

    /// The tag of From. Reads no more of it: [`check`](Self::check) does.
    pub fn from_tag(&self) -> Option<Cow<'_, str>> {
        self.tag(Name::From, &self.index.found.from_tag)
    }

    /// The tag of To. Reads no more of it: [`check`](Self::check) does.
    pub fn to_tag(&self) -> Option<Cow<'_, str>> {
        self.tag(Name::To, &self.index.found.to_tag)
    }

    /// The first Contact; `Ok(None)` if there is none. RFC 3261 §20.10.
    ///
    /// # Errors
    /// The header is broken.
    pub fn contact(&self) -> Result<Option<NameAddr>, HeaderError> {
        self.contacts().next().transpose()
    }

    /// Every Contact. The `*` of a REGISTER is no address, and an error here.
    pub fn contacts(&self) -> impl Iterator<Item = Result<NameAddr, HeaderError>> {
        self.addresses(Name::Contact)
    }

    /// Every Route, first hop first. RFC 3261 §20.34.
    pub fn routes(&self) -> impl Iterator<Item = Result<NameAddr, HeaderError>> {
        self.addresses(Name::Route)
    }

    /// Every Record-Route, top first. RFC 3261 §20.30.
    pub fn record_routes(&self) -> impl Iterator<Item = Result<NameAddr, HeaderError>> {
        self.addresses(Name::RecordRoute)
    }

    /// Every value of a list of addresses: P-Asserted-Identity, Diversion, History-Info and their kin.
    pub fn addresses(&self, name: Name) -> impl Iterator<Item = Result<NameAddr, HeaderError>> {
        self.values(name.clone()).map(move |text| NameAddr::parse(&text).map_err(at(name.clone())))
    }

    /// The Call-ID as it came; it may be any bytes but white space, and must be UTF-8 here. RFC 3261 §20.8.
    ///
    /// # Errors
    /// The header is missing.
    pub fn call_id(&self) -> Result<&str, HeaderError> {
        let span = self.index.first(&Name::CallId).ok_or_else(|| missing(Name::CallId))?;
        let text = std::str::from_utf8(span.value.of(&self.bytes)).unwrap_or_default();
        if text.is_empty() {
            return Err(at(Name::CallId)(HeaderFault::Empty));
        }
        if !text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            return Ok(text);
        }
        match text.split_ascii_whitespace().nth(1) {
            Some(more) => Err(at(Name::CallId)(HeaderFault::Trailing(more.to_owned()))),
            None => Ok(text),
        }
    }

    /// Sequence number and method. RFC 3261 §20.16.
    ///
    /// # Errors
    /// The header is missing or broken.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        if let Some(found) = self.index.found.cseq.get() {
            return Ok(found.clone());
        }
        let text = self.value(Name::CSeq).ok_or_else(|| missing(Name::CSeq))?;
        let cseq = CSeq::parse(&text).map_err(at(Name::CSeq))?;
        Ok(self.index.found.cseq.get_or_init(|| cseq).clone())
    }

    /// The number of a provisional response that is to be acknowledged by a PRACK: 101 to 199 with `Require: 100rel`.
    /// `Ok(None)` for any other message; an error if it must be numbered and is not: ignore it. RFC 3262 §4.
    ///
    /// # Errors
    /// RSeq is missing or broken where `100rel` is required.
    pub fn reliable(&self) -> Result<Option<RSeq>, HeaderError> {
        let provisional = self.status().is_some_and(|status| matches!(status.code(), 101..=199));
        if !provisional || !self.values(Name::Require).any(|tag| tag.eq_ignore_ascii_case("100rel")) {
            return Ok(None);
        }
        let text = self.value(Name::RSeq).ok_or_else(|| missing(Name::RSeq))?;
        RSeq::parse(&text).map(Some).map_err(at(Name::RSeq))
    }

    /// What a PRACK acknowledges; an error if it does not say: respond 400. RFC 3262 §7.2.
    ///
    /// # Errors
    /// The header is missing or broken.
    pub fn rack(&self) -> Result<RAck, HeaderError> {
        let text = self.value(Name::RAck).ok_or_else(|| missing(Name::RAck))?;
        RAck::parse(&text).map_err(at(Name::RAck))
    }

    /// Hops left, 0 to 255; `Ok(None)` if not stated, as RFC 2543 had it. RFC 3261 §20.22.
    ///
    /// # Errors
    /// The header is broken.
    pub fn max_forwards(&self) -> Result<Option<u32>, HeaderError> {
        self.number(Name::MaxForwards, 255)
    }

    /// The body's length in bytes; `Ok(None)` if not stated. RFC 3261 §20.14.
    ///
    /// # Errors
    /// The header is broken.
    pub fn content_length(&self) -> Result<Option<u32>, HeaderError> {
        self.number(Name::ContentLength, u32::MAX)
    }

    /// The Request-URI, read; a response has none and gives [`UriError::Scheme`].
    ///
    /// # Errors
    /// The Request-URI is broken.
    pub fn target(&self) -> Result<Uri, UriError> {
        Uri::parse(self.request_uri().unwrap_or_default())
    }

    /// How long the peer wants to be left alone: the seconds of `Retry-After`, without its comment and parameters (RFC 3261
    /// §20.33). `None` where it is not there or begins with no number.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.value(Name::RetryAfter)?;
        let digits: String = value.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok().map(Duration::from_secs)
    }

    /// A header that is one number, at most `most`; `Ok(None)` if it is not there.
    pub fn number(&self, name: Name, most: u32) -> Result<Option<u32>, HeaderError> {
        let Some(text) = self.value(name.clone()) else { return Ok(None) };
        match number(&text) {
            Some(number) if number <= most => Ok(Some(number)),
            _ => Err(at(name)(HeaderFault::Number(text.into_owned()))),
        }
    }

    /// - `found`: where the tag is, once somebody has looked.
    fn tag(&self, name: Name, found: &OnceLock<Option<Range>>) -> Option<Cow<'_, str>> {
        if let Some(found) = found.get() {
            return (*found)?.text_of(&self.bytes).map(Cow::Borrowed);
        }
        let value = self.value(name)?;
        let Cow::Borrowed(text) = value else { return within(value, NameAddr::tag_in) };
        let tag = NameAddr::tag_in(text);
        let place = |tag: &str| {
            let from = tag.as_ptr().addr().checked_sub(self.bytes.as_ptr().addr())?;
            Range::new(from, from + tag.len())
        };
        // What lies within the bytes has a place there.
        let place = tag.map(|tag| place(tag).ok_or(()));
        if let Ok(place) = place.transpose() {
            let _ = found.set(place);
        }
        tag.map(Cow::Borrowed)
    }

    fn single_address(&self, name: Name) -> Result<NameAddr, HeaderError> {
        let text = self.value(name.clone()).ok_or_else(|| missing(name.clone()))?;
        NameAddr::parse(&text).map_err(at(name))
    }
}

/// What `find` finds in `text`.
fn within(text: Cow<'_, str>, find: impl Fn(&str) -> Option<&str>) -> Option<Cow<'_, str>> {
    match text {
        Cow::Borrowed(text) => find(text).map(Cow::Borrowed),
        Cow::Owned(text) => find(&text).map(str::to_owned).map(Cow::Owned),
    }
}

pub(super) fn missing(name: Name) -> HeaderError {
    HeaderError { name, fault: HeaderFault::Missing }
}

pub(super) fn at(name: Name) -> impl FnOnce(HeaderFault) -> HeaderError {
    move |fault| HeaderError { name, fault }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    use crate::{Builder, Method};

    #[test]
    fn retry_after_may_have_a_comment_and_parameters() {
        for (value, seconds) in [
            ("120", Some(120)),
            ("120 (in a meeting)", Some(120)),
            ("18000;duration=3600", Some(18_000)),
            ("99999999999999999999", None),
            ("soon", None),
            ("", None),
        ] {
            let message = Builder::request(Method::Options, "sip:a").header(Name::RetryAfter, value).build();
            assert_eq!(message.retry_after(), seconds.map(Duration::from_secs), "{value}");
        }
    }

    fn message(start: &str, lines: &str) -> Message {
        Message::parse(Bytes::from(format!("{start}\r\n{lines}\r\n"))).unwrap()
    }

    #[test]
    fn which_responses_are_reliable() {
        let required = "Require: x, 100REL\r\nRSeq: 5\r\n";
        for (start, lines, expect) in [
            ("SIP/2.0 183 Progress", required, Ok(Some(5))),
            ("SIP/2.0 100 Trying", required, Ok(None)),
            ("SIP/2.0 200 OK", required, Ok(None)),
            ("INVITE sip:a@b SIP/2.0", required, Ok(None)),
            ("SIP/2.0 180 Ringing", "RSeq: 5\r\n", Ok(None)),
            ("SIP/2.0 180 Ringing", "Supported: 100rel\r\nRSeq: 5\r\n", Ok(None)),
            ("SIP/2.0 180 Ringing", "Require: 100rel\r\n", Err(HeaderFault::Missing)),
            ("SIP/2.0 180 Ringing", "Require: 100rel\r\nRSeq: 0\r\n", Err(HeaderFault::Number("0".into()))),
        ] {
            let reliable = message(start, lines).reliable();
            let reliable = reliable.map(|rseq| rseq.map(RSeq::get)).map_err(|error| error.fault);
            assert_eq!(reliable, expect, "{start} {lines}");
        }
    }

    #[test]
    fn what_a_prack_acknowledges() {
        let prack = message("PRACK sip:a@b SIP/2.0", "RAck: 5 7 INVITE\r\n");
        assert_eq!(prack.rack().map(|rack| rack.to_string()).as_deref(), Ok("5 7 INVITE"));
        assert_eq!(message("PRACK sip:a@b SIP/2.0", "").rack(), Err(missing(Name::RAck)));
    }
}
