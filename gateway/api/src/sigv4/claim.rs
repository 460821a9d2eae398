//! What a request says of who signed it, and the proof.

use ring::hmac;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use super::canonical::{canonical_request, query_pairs, sha256};
use super::{ALGORITHM, SERVICE, WINDOW, hex};
use crate::Request;

/// The longest life that a signed query may ask for, in seconds: a week.
const LONGEST_LIFE: i64 = 604_800;
/// More signed headers than any client sends.
const MOST_SIGNED_HEADERS: usize = 64;

/// Why nothing is proved. The text goes to the client and says nothing of the keys that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unproven {
    /// Neither header nor query is signed.
    #[error(
        "The request is not signed: send Authorization with {ALGORITHM}, or X-Amz-Signature in the query."
    )]
    Unsigned,
    /// Both are.
    #[error("The request is signed twice, in its header and in its query: sign it once.")]
    Twice,
    /// A part is missing, or can't be read.
    #[error("{0} of the signature is missing or can't be read.")]
    Unreadable(&'static str),
    /// Signed for another service.
    #[error("Credential should be scoped to the service chime and end in aws4_request.")]
    Scope,
    /// The date of the scope is not that of the request.
    #[error("The day in Credential is not that of X-Amz-Date.")]
    Day,
    /// A header that must be signed is not.
    #[error(
        "SignedHeaders must be sorted, in lower case, name headers that were sent, and have {0} among them."
    )]
    SignedHeaders(&'static str),
    /// The time of the request is too far in the past.
    #[error("Signature expired: the clock of the client, or the request itself, is more than {} min behind.", WINDOW / 60)]
    Expired,
    /// The time of the request is too far in the future.
    #[error("Signature not yet current: the clock of the client is more than {} min ahead.", WINDOW / 60)]
    Early,
    /// No such key, another secret, or something was changed on the way.
    #[error(
        "The key is unknown or expired, or the signature is not that of this request: check key, secret, and that no proxy changes path, query, Host or body."
    )]
    Wrong,
}

/// Where the signature stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `Authorization`.
    Header,
    /// `X-Amz-Signature`, good for so many seconds (`X-Amz-Expires`).
    Query(i64),
}

/// Who a request claims to be from, and what has to be true for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Where the signature stands.
    pub form: Form,
    /// The access key's id; of the form of one, and not yet known to exist.
    pub key: String,
    /// The region that the client signed for.
    pub region: String,
    /// When the client says that it signed.
    pub date: OffsetDateTime,
    /// Of temporary credentials.
    pub token: Option<String>,
    stamp: String,
    signed_headers: String,
    pub(super) signature: [u8; 32],
}

impl Claim {
    /// Reads the claim of a request.
    ///
    /// # Errors
    /// None is made, or not in a form that can be proved.
    pub fn read(request: &Request<'_>) -> Result<Claim, Unproven> {
        let mut header =
            request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let in_query = query_pairs(request.query).any(|(name, _)| name == b"X-Amz-Signature");
        match (header.next(), in_query) {
            (Some(_), true) => Err(Unproven::Twice),
            (Some(_), false) if header.next().is_some() => Err(Unproven::Twice),
            (Some((_, value)), false) => Claim::of_header(request, value),
            (None, true) => Claim::of_query(request),
            (None, false) => Err(Unproven::Unsigned),
        }
    }

    fn of_header(request: &Request<'_>, value: &str) -> Result<Claim, Unproven> {
        let parameters = value.trim().strip_prefix(ALGORITHM).ok_or(Unproven::Unsigned)?;
        let find = |wanted: &'static str| {
            let mut found = parameters
                .split(',')
                .filter_map(|part| part.trim().split_once('='))
                .filter(|(name, _)| *name == wanted);
            match (found.next(), found.next()) {
                (Some((_, value)), None) => Ok(value.to_owned()),
                _ => Err(Unproven::Unreadable(wanted)),
            }
        };
        let token = request.header("x-amz-security-token").map(str::to_owned);
        let stamp = request.header("x-amz-date").ok_or(Unproven::Unreadable("X-Amz-Date"))?.to_owned();
        let parts = [find("Credential")?, find("SignedHeaders")?, find("Signature")?];
        Claim::from_parts(Form::Header, parts, stamp, token)
    }

    fn of_query(request: &Request<'_>) -> Result<Claim, Unproven> {
        let find = |wanted: &'static str| {
            let mut found = query_pairs(request.query).filter(|(name, _)| name == wanted.as_bytes());
            match (found.next(), found.next()) {
                (Some((_, value)), None) => String::from_utf8(value).ok(),
                _ => None,
            }
            .ok_or(Unproven::Unreadable(wanted))
        };
        if find("X-Amz-Algorithm")? != ALGORITHM {
            return Err(Unproven::Unreadable("X-Amz-Algorithm"));
        }
        let expires = find("X-Amz-Expires")?.parse().ok().filter(|life| (1..=LONGEST_LIFE).contains(life));
        let form = Form::Query(expires.ok_or(Unproven::Unreadable("X-Amz-Expires"))?);
        let token = query_pairs(request.query).any(|(name, _)| name == b"X-Amz-Security-Token");
        let token = token.then(|| find("X-Amz-Security-Token")).transpose()?;
        let parts = [find("X-Amz-Credential")?, find("X-Amz-SignedHeaders")?, find("X-Amz-Signature")?];
        Claim::from_parts(form, parts, find("X-Amz-Date")?, token)
    }

    fn from_parts(
        form: Form,
        parts: [String; 3],
        stamp: String,
        token: Option<String>,
    ) -> Result<Claim, Unproven> {
        let [credential, signed_headers, signature] = parts;
        let mut scope = credential.split('/');
        let (Some(key), Some(day), Some(region), Some(SERVICE), Some("aws4_request"), None) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(Unproven::Scope);
        };
        let is_id = (1..=128).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_region = (1..=32).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_id || !is_region {
            return Err(Unproven::Unreadable("Credential"));
        }
        let date = parse_stamp(&stamp).ok_or(Unproven::Unreadable("X-Amz-Date"))?;
        if stamp.get(..8) != Some(day) {
            return Err(Unproven::Day);
        }
        let names: Vec<&str> = signed_headers.split(';').collect();
        let sorted = names.is_sorted_by(|one, next| one < next) && names.len() <= MOST_SIGNED_HEADERS;
        if !sorted || names.iter().any(|name| name.bytes().any(|byte| byte.is_ascii_uppercase())) {
            return Err(Unproven::SignedHeaders("host"));
        }
        let needed: &[&'static str] = if form == Form::Header { &["host", "x-amz-date"] } else { &["host"] };
        if let Some(missing) = needed.iter().find(|needed| !names.contains(needed)) {
            return Err(Unproven::SignedHeaders(missing));
        }
        let signature = hex::decode(&signature).ok_or(Unproven::Unreadable("Signature"))?;
        Ok(Claim {
            form,
            key: key.to_owned(),
            region: region.to_owned(),
            date,
            token,
            stamp,
            signed_headers,
            signature,
        })
    }

    /// Whether the request is of this time.
    ///
    /// - `changes`: a request that changes something is good for the window alone, whatever life its query asks
    ///   for, so that what was seen need not be remembered for longer.
    ///
    /// # Errors
    /// Its time has passed, or has not come.
    pub fn check_time(&self, now: OffsetDateTime, changes: bool) -> Result<(), Unproven> {
        let age = (now - self.date).whole_seconds();
        let life = match self.form {
            Form::Query(expires) if changes => expires.min(WINDOW),
            Form::Query(expires) => expires,
            Form::Header => WINDOW,
        };
        match age {
            age if age > life => Err(Unproven::Expired),
            age if age < -WINDOW => Err(Unproven::Early),
            _ => Ok(()),
        }
    }

    /// Whether the signature was made with that secret over this request, in constant time.
    ///
    /// # Errors
    /// It was not, or a signed header is not there.
    pub fn verify(&self, request: &Request<'_>, secret: &str) -> Result<(), Unproven> {
        let names: Vec<&str> = self.signed_headers.split(';').collect();
        let leave_out = matches!(self.form, Form::Query(_)).then_some("X-Amz-Signature");
        let canonical = canonical_request(request, &names, leave_out).ok_or(Unproven::Wrong)?;
        let day = self.stamp.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{SERVICE}/aws4_request", self.region);
        let text = format!("{ALGORITHM}\n{}\n{scope}\n{}", self.stamp, sha256(canonical.as_bytes()));
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
        for part in [day, &self.region, SERVICE, "aws4_request"] {
            key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref());
        }
        hmac::verify(&key, text.as_bytes(), &self.signature).map_err(|_| Unproven::Wrong)
    }

    /// The signature: two requests with the same one are the same request.
    #[must_use]
    pub fn signature(&self) -> &[u8; 32] {
        &self.signature
    }
}

/// Reads `20260102T030405Z`.
fn parse_stamp(text: &str) -> Option<OffsetDateTime> {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    PrimitiveDateTime::parse(text, form).ok().map(PrimitiveDateTime::assume_utc)
}
