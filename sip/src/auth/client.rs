//! The client's part: answering a challenge.

use super::{Challenge, Credentials, Secret};

/// The answer to a challenge, for `Authorization` (401) or `Proxy-Authorization` (407).
///
/// - `method`, `uri`: of the request that will carry it, the Request-URI as it will stand there.
/// - `cnonce`: fresh random text of the caller's.
/// - `nc`: 1 for the first request with this nonce, one more for each that follows.
///
/// `None` if the secret is an `ha1` of another algorithm. Text in `username` that needs escapes must come escaped.
///
/// Source: RFC 7616 §3.4; RFC 3261 §22.4; without qop RFC 2069 compatibility, RFC 2617 §3.2.2.1.
pub fn answer(
    challenge: &Challenge,
    username: &str,
    secret: &Secret,
    method: &str,
    uri: &str,
    cnonce: &str,
    nc: u32,
) -> Option<Credentials> {
    let ha1 = secret.to_ha1(challenge.algorithm, username, &challenge.realm)?;
    // RFC 7616 §3.4: without qop there must be no nc; a cnonce then serves -sess only.
    let has_cnonce = challenge.qop_auth || challenge.session;
    let mut credentials = Credentials {
        username: username.to_owned(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: uri.to_owned(),
        response: String::new(),
        algorithm: challenge.algorithm,
        session: challenge.session,
        qop_auth: challenge.qop_auth,
        cnonce: has_cnonce.then(|| cnonce.to_owned()),
        nc: challenge.qop_auth.then(|| format!("{nc:08x}")),
        opaque: challenge.opaque.clone(),
    };
    credentials.response = credentials.inputs(method).response(&ha1);
    Some(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Algorithm;

    #[test]
    fn a_server_without_qop_gets_neither_nc_nor_cnonce() {
        let challenge = Challenge {
            qop_auth: false,
            opaque: Some("o".to_owned()),
            ..Challenge::new("biloxi.com", "dcd98b7102dd2f0e8b11d0f600bfb0c093", Algorithm::Md5)
        };
        let secret = Secret::password("zanzibar");
        let answer = answer(&challenge, "bob", &secret, "INVITE", "sip:bob@biloxi.com", "c", 1).unwrap();
        assert_eq!(
            (answer.nc.as_deref(), answer.cnonce.as_deref(), answer.opaque.as_deref()),
            (None, None, Some("o"))
        );
        assert_eq!(answer.response, "bf57e4e0d0bffc0fbaedce64d59add5e"); // draft-smith-sipping-auth-examples-01 §3.1
    }

    #[test]
    fn an_ha1_answers_like_its_password() {
        // echo -n bob:biloxi.com:zanzibar | md5sum
        let ha1 = Secret::ha1("12af60467a33e8518da5c68bbff12b11").unwrap();
        let password = Secret::password("zanzibar");
        for session in [false, true] {
            let challenge = Challenge { session, ..Challenge::new("biloxi.com", "n", Algorithm::Md5) };
            let by = |secret: &Secret| answer(&challenge, "bob", secret, "BYE", "sip:x", "c", 2).unwrap();
            assert_eq!(by(&ha1), by(&password));
        }
        let challenge = Challenge::new("biloxi.com", "n", Algorithm::Sha256);
        assert_eq!(answer(&challenge, "bob", &ha1, "BYE", "sip:x", "c", 2), None);
    }
}
