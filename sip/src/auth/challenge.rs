//! `WWW-Authenticate` and `Proxy-Authenticate`.

use std::fmt;

use super::params::{Params, Quoted};
use super::{Algorithm, AuthHeaderError, Secret};

/// What a server asks: one header field's value. RFC 7616 §3.3.
///
/// Text fields hold what stands between the quotes, escapes included, so that they go back as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Which passwords are meant; part of HA1.
    pub realm: String,
    /// The server's token; goes back unchanged.
    pub nonce: String,
    /// The hash; MD5 if the server does not say.
    pub algorithm: Algorithm,
    /// The `-sess` variant of it.
    pub session: bool,
    /// `qop=auth` is offered. False is a server of RFC 2069's time, which offers none.
    pub qop_auth: bool,
    /// Goes back unchanged.
    pub opaque: Option<String>,
    /// The answer was right but its nonce is too old: answer again without asking anybody.
    pub stale: bool,
}

impl Challenge {
    /// A challenge of ours: `qop=auth`, no `-sess`, no opaque.
    pub fn new(realm: &str, nonce: &str, algorithm: Algorithm) -> Self {
        Self {
            realm: realm.to_owned(),
            nonce: nonce.to_owned(),
            algorithm,
            session: false,
            qop_auth: true,
            opaque: None,
            stale: false,
        }
    }

    /// Reads a header field's value: one challenge, as SIP has it (RFC 3261 §7.3.1).
    ///
    /// Fails with [`AuthHeaderError::Algorithm`], [`AuthHeaderError::Qop`] or [`AuthHeaderError::Scheme`] if it asks
    /// for what we cannot do.
    pub fn parse(value: &str) -> Result<Self, AuthHeaderError> {
        let params = Params::parse(value)?;
        let algorithm = params.find("algorithm")?.unwrap_or("MD5");
        let (algorithm, session) = Algorithm::parse(algorithm).ok_or(AuthHeaderError::Algorithm)?;
        let qop_auth = match params.find("qop")?.map(str::trim) {
            None | Some("") => false,
            Some(offered) if offered.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(AuthHeaderError::Qop),
        };
        Ok(Self {
            realm: params.need("realm")?.to_owned(),
            nonce: params.need("nonce")?.to_owned(),
            algorithm,
            session,
            qop_auth,
            opaque: params.find("opaque")?.map(str::to_owned),
            stale: params.is_true("stale")?,
        })
    }

    /// The topmost of a response's challenges that this secret can answer: servers list them by preference.
    ///
    /// - `values`: of all the `Proxy-Authenticate` (407) or `WWW-Authenticate` (401) fields, in order.
    ///
    /// Source: RFC 8760 §2.4.
    pub fn choose<'a>(values: impl IntoIterator<Item = &'a str>, secret: &Secret) -> Option<Self> {
        values.into_iter().filter_map(|value| Self::parse(value).ok()).find(|it| secret.allows(it.algorithm))
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", Quoted(&self.realm), Quoted(&self.nonce))?;
        write!(f, ", algorithm={}{}", self.algorithm, if self.session { "-sess" } else { "" })?;
        if self.qop_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", Quoted(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_come_back_as_they_were() {
        let check = |text: &str| assert_eq!(Challenge::parse(text).unwrap().to_string(), text);
        check(r#"Digest realm="r", nonce="n", algorithm=MD5, qop="auth""#);
        check(r#"Digest realm="a \"b\"", nonce="n==", algorithm=SHA-512-256-sess, opaque="", stale=true"#);
    }

    #[test]
    fn what_servers_write_is_read() {
        // RFC 3261 §22.4 offers both qops.
        let seen = Challenge::parse(
            "Digest\trealm=\"biloxi.com\",\r\n qop=\"auth,auth-int\", nonce=\"dcd98b\", opaque=\"5ccc\"",
        );
        let expect = Challenge {
            opaque: Some("5ccc".into()),
            ..Challenge::new("biloxi.com", "dcd98b", Algorithm::Md5)
        };
        assert_eq!(seen, Ok(expect));
        // RFC 2069, unquoted odds and ends.
        let old =
            Challenge::parse("Digest realm=asterisk,nonce=\"1\",stale=FALSE,Algorithm=md5,qop=\"\"").unwrap();
        assert_eq!(old, Challenge { qop_auth: false, ..Challenge::new("asterisk", "1", Algorithm::Md5) });
    }

    #[test]
    fn what_cannot_be_answered_is_refused() {
        let check = |text: &str, expect| assert_eq!(Challenge::parse(text).err(), Some(expect), "{text}");
        check(r#"Digest realm="r", nonce="n", qop="auth-int""#, AuthHeaderError::Qop);
        check(r#"Digest realm="r", nonce="n", algorithm=AKAv1-MD5"#, AuthHeaderError::Algorithm);
        check(r#"Digest realm="r""#, AuthHeaderError::Missing("nonce"));
        check(r#"Digest nonce="n""#, AuthHeaderError::Missing("realm"));
        check(r#"Digest realm="r", realm="s", nonce="n""#, AuthHeaderError::Repeated("realm"));
        check(r#"NTLM realm="r""#, AuthHeaderError::Scheme);
    }

    #[test]
    fn the_topmost_that_can_be_answered_is_chosen() {
        let values = [
            r#"Basic realm="r""#,
            r#"Digest realm="r", nonce="n", algorithm=SHA-512-256, qop="auth""#,
            r#"Digest realm="r", nonce="n", algorithm=SHA-256, qop="auth""#,
            r#"Digest realm="r", nonce="n", algorithm=MD5, qop="auth""#,
        ];
        let check = |secret: &Secret, expect| {
            let chosen = Challenge::choose(values, secret).unwrap();
            assert_eq!(chosen.algorithm, expect);
        };
        check(&Secret::password("p"), Algorithm::Sha512_256);
        check(&Secret::ha1(&"0".repeat(64)).unwrap(), Algorithm::Sha256);
        check(&Secret::ha1(&"0".repeat(32)).unwrap(), Algorithm::Md5);
        assert_eq!(Challenge::choose(["Basic x"], &Secret::password("p")), None);
    }
}
