//! Answers a digest challenge. RFC 7616, RFC 3261 §22.

use rsip::headers::auth::{Algorithm, AuthQop, Scheme};
use rsip::headers::{ProxyAuthorization, ToTypedHeader};
use rsip::services::DigestGenerator;
use rsip::typed::{Authorization, WwwAuthenticate};
use rsip::{Header, Headers, Request};

/// What a customer's PBX was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// User name.
    pub name: &'static str,
    /// Password.
    pub password: &'static str,
}

/// The challenge that this phone can answer, MD5: `rsip` 0.4 writes SHA-256 in a way that RFC 7616 does not know.
pub fn challenge(headers: &Headers) -> Option<WwwAuthenticate> {
    let readable = headers.iter().filter_map(|header| match header {
        Header::ProxyAuthenticate(challenge) => Some(challenge.typed().ok()?.0),
        _ => None,
    });
    let mut ours = readable.filter(|challenge| matches!(challenge.algorithm, None | Some(Algorithm::Md5)));
    ours.next()
}

/// The value of `Proxy-Authorization` for `request`.
pub fn answer(
    challenge: &WwwAuthenticate,
    user: User,
    cnonce: &str,
    request: &Request,
) -> ProxyAuthorization {
    let qop = challenge.qop.as_ref().map(|_| AuthQop::Auth { cnonce: cnonce.to_owned(), nc: 1 });
    let mut authorization = Authorization {
        scheme: Scheme::Digest,
        username: user.name.to_owned(),
        realm: challenge.realm.clone(),
        nonce: challenge.nonce.clone(),
        uri: request.uri.clone(),
        response: String::new(),
        algorithm: Some(Algorithm::Md5),
        opaque: challenge.opaque.clone(),
        qop,
    };
    authorization.response = DigestGenerator::from(&authorization, user.password, &request.method).compute();
    // rsip quotes the value of qop, which RFC 7616 §3.4 forbids.
    let value = authorization.to_string().replace("qop=\"auth\"", "qop=auth");
    rsip::headers::UntypedHeader::new(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_challenges_the_one_that_it_understands_is_answered() {
        let request = Request::try_from(
            "INVITE sip:+12065550100@example.com SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\
             Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"\r\n\
             Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=MD5, qop=\"auth\"\r\n\r\n",
        )
        .unwrap();
        let challenge = challenge(&request.headers).unwrap();
        let user = User { name: "u", password: "p" };
        let header = answer(&challenge, user, "c", &request).to_string();
        // By hand: MD5(MD5("u:r:p"):n:00000001:c:auth:MD5("INVITE:sip:+12065550100@example.com")).
        let expect = "Proxy-Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", \
                      uri=\"sip:+12065550100@example.com\", response=\"896bbd88cdd5bd62382be7cc3ce22822\", \
                      algorithm=MD5, qop=auth, nc=00000001, cnonce=\"c\"";
        assert_eq!(header, expect);
    }
}
