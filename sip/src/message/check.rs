//! The verdict on what a gateway must understand. RFC 3261 §8.2, §16.3, §18.3, §21.4.1.

use super::Message;
use super::index::Fault;
use super::views::{at, missing};
use crate::grammar::is_token;
use crate::header::{HeaderError, HeaderFault, Name};
use crate::method::Method;
use crate::status::StatusCode;
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

/// Fit for a reason phrase: what the peer wrote is in it, so no controls, and no longer than a line of a log.
pub(crate) fn phrase(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).take(160).collect()
}

impl Message {
    /// Reads all that must be understood, and says what cannot be.
    ///
    /// Both kinds: form, version, Via (all), From, To, Call-ID, CSeq, single headers not repeated, Content-Length.
    /// Requests: Request-URI (any scheme, but `sip:` and `tel:` must be right; no headers), CSeq method, Max-Forwards,
    /// Require, Route, Contact and Record-Route where they could make or change a dialog, and exactly one Contact in an
    /// INVITE. RFC 2543 requests without branch, tags or Max-Forwards pass; an RFC 2543 INVITE without Contact does
    /// not, for there would be no target for our requests. Of a response, Contact and Record-Route are left to the
    /// dialog: to drop a 200 would ring the phone again and again.
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
            if span.name.is_single() && headers.iter().skip(at + 1).any(|other| other.name == span.name) {
                return Err(HeaderError { name: span.name.clone(), fault: HeaderFault::Repeated }.into());
            }
        }
        Ok(())
    }

    fn check_identity(&self) -> Result<(), Malformed> {
        self.via()?;
        for via in self.vias() {
            via?;
        }
        self.from()?;
        self.to()?;
        self.call_id()?;
        self.cseq()?;
        Ok(())
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
        if self.via()?.branch().is_some_and(|branch| branch.eq_ignore_ascii_case(crate::header::MAGIC_COOKIE))
        {
            return Err(at(Name::Via)(HeaderFault::Branch).into());
        }
        self.check_require()?;
        self.check_addresses(method)
    }
}
