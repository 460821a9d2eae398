//! `Authorization` and `Proxy-Authorization`.

use std::fmt;

use super::digest::Inputs;
use super::params::{Params, Quoted};
use super::{Algorithm, AuthHeaderError};
use crate::uri::{Uri, unescape};

/// A client's answer: one header field's value. RFC 7616 §3.4.
///
/// Text fields hold what stands between the quotes, escapes included. `Debug` masks the response.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// From the challenge.
    pub realm: String,
    /// From the challenge.
    pub nonce: String,
    /// The Request-URI as the client sent it. A proxy on the way may have changed the real one: see
    /// [`Credentials::is_for`].
    pub uri: String,
    /// Hexadecimal.
    pub response: String,
    /// The hash; MD5 if the client does not say.
    pub algorithm: Algorithm,
    /// The `-sess` variant of it.
    pub session: bool,
    /// `qop=auth`; then `cnonce` and `nc` are there.
    pub qop_auth: bool,
    /// The client's own random token.
    pub cnonce: Option<String>,
    /// How many requests used this nonce, this one included: eight hexadecimal digits, as written.
    pub nc: Option<String>,
    /// From the challenge.
    pub opaque: Option<String>,
}

impl Credentials {
    /// Reads a header field's value.
    ///
    /// Fails if what RFC 7616 §3.4 demands is missing, repeated or out of shape, and on what we do not support.
    pub fn parse(value: &str) -> Result<Self, AuthHeaderError> {
        let params = Params::parse(value)?;
        if params.is_true("userhash")? || params.find("username*")?.is_some() {
            return Err(AuthHeaderError::Userhash);
        }
        let (algorithm, session) =
            Algorithm::parse(params.find("algorithm")?.unwrap_or("MD5")).ok_or(AuthHeaderError::Algorithm)?;
        let qop_auth = match params.find("qop")? {
            None => false,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => true,
            Some(_) => return Err(AuthHeaderError::Qop),
        };
        let nc = params.find("nc")?;
        if nc.is_some_and(|nc| nc.len() != 8 || !nc.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(AuthHeaderError::NonceCount);
        }
        let cnonce = params.find("cnonce")?;
        match (qop_auth, nc, cnonce) {
            (true, None, _) => return Err(AuthHeaderError::Missing("nc")),
            (true, _, None) => return Err(AuthHeaderError::Missing("cnonce")),
            _ => {}
        }
        Ok(Self {
            username: params.need("username")?.to_owned(),
            realm: params.need("realm")?.to_owned(),
            nonce: params.need("nonce")?.to_owned(),
            uri: params.need("uri")?.to_owned(),
            response: params.need("response")?.to_owned(),
            algorithm,
            session,
            qop_auth,
            cnonce: cnonce.map(str::to_owned),
            nc: nc.map(str::to_owned),
            opaque: params.find("opaque")?.map(str::to_owned),
        })
    }

    /// `nc` as a number.
    pub fn nonce_count(&self) -> Option<u32> {
        u32::from_str_radix(self.nc.as_deref()?, 16).ok()
    }

    /// Whether they were computed for a request to whom `target` names. User parts must agree, telephone numbers
    /// without regard to visual separators; host, port, scheme and parameters may differ, since proxies rewrite them.
    /// Else an answer that was overheard would be good for any number. RFC 7616 §3.4.6.
    pub fn is_for(&self, target: &Uri) -> bool {
        Uri::parse(&self.uri).is_ok_and(|uri| called(&uri) == called(target))
    }

    pub(super) fn inputs<'a>(&'a self, method: &'a str) -> Inputs<'a> {
        Inputs {
            algorithm: self.algorithm,
            session: self.session,
            nonce: &self.nonce,
            cnonce: self.cnonce.as_deref().unwrap_or_default(),
            nc: self.nc.as_deref().filter(|_| self.qop_auth),
            method,
            uri: &self.uri,
        }
    }
}

/// Whom a URI calls: its user part or number, without parameters.
fn called(uri: &Uri) -> Option<String> {
    let user = unescape(uri.user()?);
    let bare = user.split(';').next().unwrap_or_default();
    let is_number = bare.bytes().all(|byte| byte.is_ascii_digit() || b"+-.()".contains(&byte));
    match is_number {
        true => Some(bare.replace(['-', '.', '(', ')'], "")),
        false => Some(bare.to_owned()),
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest username={}, realm={}", Quoted(&self.username), Quoted(&self.realm))?;
        write!(f, ", nonce={}, uri={}", Quoted(&self.nonce), Quoted(&self.uri))?;
        write!(f, ", response={}", Quoted(&self.response))?;
        write!(f, ", algorithm={}{}", self.algorithm, if self.session { "-sess" } else { "" })?;
        if let Some(cnonce) = &self.cnonce {
            write!(f, ", cnonce={}", Quoted(cnonce))?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        if self.qop_auth {
            f.write_str(", qop=auth")?;
        }
        if let Some(count) = self.nonce_count() {
            write!(f, ", nc={count:08x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("nonce", &self.nonce)
            .field("uri", &self.uri)
            .field("response", &format_args!("***"))
            .field("algorithm", &self.algorithm)
            .field("session", &self.session)
            .field("qop_auth", &self.qop_auth)
            .field("cnonce", &self.cnonce)
            .field("nc", &self.nc)
            .field("opaque", &self.opaque)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"Digest username="bob", realm="r", nonce="n", uri="sip:a@b", response="0123", algorithm=SHA-256, cnonce="c", opaque="o", qop=auth, nc=0000000a"#;

    #[test]
    fn credentials_come_back_as_they_were() {
        let credentials = Credentials::parse(FULL).unwrap();
        assert_eq!(credentials.to_string(), FULL);
        assert_eq!(credentials.nonce_count(), Some(10));
    }

    #[test]
    fn they_are_for_one_user() {
        for (uri, target, is_for) in [
            ("sip:+15550100@a", "sip:+15550100@b:5070;transport=tcp", true),
            ("sips:+1-555-0100;npdi@a", "sip:%2B15550100@b", true),
            ("tel:+1-555-0100", "sip:+15550100@b;user=phone", true),
            ("sip:alice.smith@a", "sip:alice.smith@b", true),
            ("sip:a", "sip:b", true),
            ("sip:alice.smith@a", "sip:alicesmith@a", false),
            ("sip:+15550100@a", "sip:+15550101@a", false),
            ("sip:15550100@a", "sip:+15550100@a", false),
            ("sip:Bob@a", "sip:bob@a", false),
            ("sip:a", "sip:bob@a", false),
            ("*", "sip:a", false),
        ] {
            let credentials = Credentials { uri: uri.to_owned(), ..Credentials::parse(FULL).unwrap() };
            assert_eq!(credentials.is_for(&Uri::parse(target).unwrap()), is_for, "{uri} {target}");
        }
    }

    #[test]
    fn phones_quote_what_they_like() {
        let odd = FULL.replace("qop=auth", "qop=\"auth\"").replace("nc=0000000a", "nc=\"0000000A\"");
        let credentials = Credentials::parse(&odd).unwrap();
        assert_eq!((credentials.nc.as_deref(), credentials.nonce_count()), (Some("0000000A"), Some(10)));
    }

    #[test]
    fn what_is_out_of_shape_is_refused() {
        let check = |from: &str, to: &str, expect| {
            assert_eq!(Credentials::parse(&FULL.replace(from, to)).err(), Some(expect), "{to}");
        };
        check("nc=0000000a", "nc=1", AuthHeaderError::NonceCount);
        check("nc=0000000a", "nc=0000000g", AuthHeaderError::NonceCount);
        check("nc=0000000a", "nc=+000000a", AuthHeaderError::NonceCount);
        check(", nc=0000000a", "", AuthHeaderError::Missing("nc"));
        check(", cnonce=\"c\"", "", AuthHeaderError::Missing("cnonce"));
        check("qop=auth", "qop=auth-int", AuthHeaderError::Qop);
        check("SHA-256", "SHA-1", AuthHeaderError::Algorithm);
        check("username=\"bob\"", "x=y", AuthHeaderError::Missing("username"));
        check("username=\"bob\"", "username*=UTF-8''bob", AuthHeaderError::Userhash);
        check("opaque=\"o\"", "userhash=true", AuthHeaderError::Userhash);
        check("opaque=\"o\"", "uri=\"x\"", AuthHeaderError::Repeated("uri"));
    }

    #[test]
    fn debug_hides_the_response() {
        let shown = format!("{:?}", Credentials::parse(FULL).unwrap());
        assert!(shown.contains("***") && !shown.contains("0123"), "{shown}");
    }
}
