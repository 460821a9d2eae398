//! The server's part: making challenges and verifying their answers.

use std::net::IpAddr;
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::nonce::Nonce;
use super::replay::{Replay, Use};
use super::{Algorithm, Challenge, Credentials, Secret};

/// Issues nonces and verifies what clients make of them.
///
/// A nonce is signed, so a challenge costs no memory and any holder of the key recognises it; which nonce counts were
/// used is known only where the nonce was issued, so an answer that comes elsewhere is `Stale`. It is good for the
/// address alone that was challenged: a wrong answer to it is a guess of that address's, not of one who forges it.
/// `Debug` hides the key.
pub struct Nonces {
    key: Zeroizing<[u8; 32]>,
    issuer: u16,
    lifetime: Duration,
    replay: Replay,
}

/// What one set of users guards: its name, and how they may prove themselves. RFC 7616 §3.3, `realm`.
#[derive(Debug, Clone, Copy)]
pub struct Protection<'a> {
    /// The realm of challenges and credentials.
    pub realm: &'a str,
    /// What is accepted, each once, the first to be offered first: RFC 8760 §2.4.
    ///
    /// Clients that know MD5 only take the first challenge, or (baresip 1.0) give the call up if any of several is
    /// unknown to them.
    pub algorithms: &'a [Algorithm],
}

/// Why credentials were not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthFailure {
    /// For another realm: look at the next header field.
    #[error("credentials are for another realm")]
    Realm,
    /// Without `qop=auth`, or with a nonce count of 0.
    #[error("credentials without qop=auth and a nonce count")]
    Malformed,
    /// An algorithm that was not offered to this user.
    #[error("the algorithm was not offered")]
    Algorithm,
    /// There is no such user. Tell the peer no more than of a wrong password.
    #[error("unknown user")]
    UnknownUser,
    /// The wrong password, most likely.
    #[error("wrong response")]
    WrongResponse,
    /// An answer to a nonce that is not ours, not this source's or too old; or the right answer to one of another
    /// issuer: challenge with `stale=true`.
    #[error("stale nonce")]
    Stale,
    /// The right answer, but its nonce count was used before: challenge with `stale=true`.
    #[error("replayed nonce count")]
    Replayed,
}

impl AuthFailure {
    /// Whether the client only needs a fresh nonce: it does not count as a wrong guess.
    ///
    /// Source: RFC 7616 §3.3, `stale`.
    pub fn is_stale(self) -> bool {
        matches!(self, Self::Stale | Self::Replayed)
    }
}

impl Nonces {
    /// Nonces whose use is remembered at one time, unless [`Nonces::with_capacity`] says otherwise.
    pub const DEFAULT_CAPACITY: usize = 65_536;

    /// - `key`: secret and random, the same for all shards.
    /// - `issuer`: the shard.
    /// - `lifetime`: how long a nonce may be used after it was issued.
    pub fn new(key: [u8; 32], issuer: u16, lifetime: Duration) -> Self {
        Self { key: Zeroizing::new(key), issuer, lifetime, replay: Replay::new(Self::DEFAULT_CAPACITY) }
    }

    /// Remembers the use of so many nonces, about 40 bytes each; the oldest then turn stale before their time.
    pub fn with_capacity(mut self, nonces: usize) -> Self {
        self.replay = Replay::new(nonces);
        self
    }

    /// A fresh nonce.
    ///
    /// - `unix`: now, since 1970.
    /// - `random`: fresh random bytes.
    /// - `source`: who is challenged, and may answer.
    pub fn issue(&self, unix: Duration, random: [u8; 8], source: IpAddr) -> String {
        Nonce::new(self.issuer, unix, random).sign(&self.key, source)
    }

    /// The challenges for a 401 or 407: one header field each, all with one nonce, in the order of preference; but what
    /// every user can answer stands before what only some can, for clients take the first that they know.
    ///
    /// - `secrets`: of all the users who may answer. An algorithm that none of them allows is not offered; so it is
    ///   empty if and only if nobody could answer.
    /// - `stale`: what [`AuthFailure::is_stale`] said of the credentials that came, false if none came.
    ///
    /// Source: RFC 8760 §2.4.
    pub fn challenges(
        &self,
        unix: Duration,
        random: [u8; 8],
        source: IpAddr,
        protection: Protection<'_>,
        secrets: &[Secret],
        stale: bool,
    ) -> Vec<Challenge> {
        let nonce = self.issue(unix, random, source);
        let challenge =
            |algorithm| Challenge { stale, ..Challenge::new(protection.realm, &nonce, algorithm) };
        offered(protection.algorithms, secrets).map(challenge).collect()
    }

    /// The user's name if the credentials are right, fresh and used for the first time.
    ///
    /// - `unix`: now, since 1970.
    /// - `source`: whence they came.
    /// - `method`: of the request that carried them.
    /// - `lookup`: the secret or secrets of a user; called once at most. An unknown user costs the same time.
    ///
    /// The nonce is checked first: an answer to none of ours is `stale`, right or wrong, known user or not, so that it
    /// tells nothing and costs the address nothing that it seems to come from. Then the response, compared in constant
    /// time, and only then the nonce's use, so that only who knows the secret makes us remember a nonce.
    ///
    /// Source: RFC 7616 §3.3-3.4; RFC 3261 §22.4.
    pub fn verify<S: AsRef<[Secret]>>(
        &mut self,
        unix: Duration,
        source: IpAddr,
        credentials: &Credentials,
        method: &str,
        protection: Protection<'_>,
        lookup: impl FnOnce(&str) -> Option<S>,
    ) -> Result<String, AuthFailure> {
        if credentials.realm != protection.realm {
            return Err(AuthFailure::Realm);
        }
        let count = credentials.nonce_count().filter(|count| *count > 0 && credentials.qop_auth);
        let count = count.ok_or(AuthFailure::Malformed)?;
        let nonce = Nonce::verify(&self.key, &credentials.nonce, source);
        let nonce = nonce.filter(|nonce| !nonce.is_stale(unix, self.lifetime)).ok_or(AuthFailure::Stale)?;
        if credentials.session || !protection.algorithms.contains(&credentials.algorithm) {
            return Err(AuthFailure::Algorithm);
        }
        check_response(credentials, method, lookup)?;
        self.take(unix, nonce, count)?;
        Ok(credentials.username.clone())
    }

    /// Nonces whose use is remembered now.
    pub fn len(&self) -> usize {
        self.replay.len()
    }

    /// Whether no nonce's use is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn take(&mut self, unix: Duration, nonce: Nonce, count: u32) -> Result<(), AuthFailure> {
        let before = unix.saturating_sub(self.lifetime);
        self.replay.expire(u64::try_from(before.as_millis()).unwrap_or(u64::MAX));
        if nonce.issuer != self.issuer {
            return Err(AuthFailure::Stale);
        }
        match self.replay.take(nonce.stamp, count) {
            Use::Fresh => Ok(()),
            Use::Replayed => Err(AuthFailure::Replayed),
            Use::Forgotten => Err(AuthFailure::Stale),
        }
    }
}

impl std::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nonces")
            .field("key", &format_args!("***"))
            .field("issuer", &self.issuer)
            .field("lifetime", &self.lifetime)
            .field("len", &self.len())
            .finish()
    }
}

/// What every user can answer, then what some can; both in the order given.
fn offered(algorithms: &[Algorithm], secrets: &[Secret]) -> impl Iterator<Item = Algorithm> {
    let can = |algorithm: &Algorithm| secrets.iter().filter(|secret| secret.allows(*algorithm)).count();
    let (all, others): (Vec<_>, Vec<_>) =
        algorithms.iter().copied().filter(|one| can(one) > 0).partition(|one| can(one) == secrets.len());
    all.into_iter().chain(others)
}

/// One HA1 is hashed and one response compared for any user, known or not.
fn check_response<S: AsRef<[Secret]>>(
    credentials: &Credentials,
    method: &str,
    lookup: impl FnOnce(&str) -> Option<S>,
) -> Result<(), AuthFailure> {
    let found = lookup(&credentials.username);
    let nobody = Secret::password("nobody has this password");
    let allowed = |secret: &&Secret| secret.allows(credentials.algorithm);
    let secret = found.as_ref().and_then(|secrets| secrets.as_ref().iter().find(allowed));
    let ha1 =
        secret.unwrap_or(&nobody).to_ha1(credentials.algorithm, &credentials.username, &credentials.realm);
    let expected = credentials.inputs(method).response(&ha1.unwrap_or_default());
    let given = credentials.response.to_ascii_lowercase();
    let equal = bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
    match (&found, secret, equal) {
        (None, ..) => Err(AuthFailure::UnknownUser),
        (Some(_), None, _) => Err(AuthFailure::Algorithm),
        (Some(_), Some(_), false) => Err(AuthFailure::WrongResponse),
        (Some(_), Some(_), true) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::answer;

    const REALM: &str = "biloxi.com";
    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 20));
    const OPEN: Protection<'static> = Protection { realm: REALM, algorithms: &Algorithm::STRONGEST_FIRST };
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    fn nonces() -> Nonces {
        Nonces::new([7; 32], 3, Duration::from_secs(300))
    }

    fn bob(user: &str) -> Option<Secret> {
        (user == "bob").then(|| Secret::password("zanzibar"))
    }

    /// Bob's answer, with his own password or another.
    fn answered(nonce: &str, algorithm: Algorithm, password: &str, nc: u32) -> Credentials {
        let challenge = Challenge::new(REALM, nonce, algorithm);
        answer(&challenge, "bob", &Secret::password(password), "INVITE", "sip:x", "c", nc).unwrap()
    }

    fn right(nonce: &str, nc: u32) -> Credentials {
        answered(nonce, Algorithm::Sha256, "zanzibar", nc)
    }

    #[test]
    fn the_right_answer_is_accepted_in_every_algorithm() {
        let mut nonces = nonces();
        let offered = nonces.challenges(NOW, [1; 8], SOURCE, OPEN, &[Secret::password("zanzibar")], false);
        let algorithms: Vec<_> = offered.iter().map(|challenge| challenge.algorithm).collect();
        assert_eq!(algorithms, Algorithm::STRONGEST_FIRST);
        for (challenge, nc) in offered.iter().zip(1..) {
            let credentials = answered(&challenge.nonce, challenge.algorithm, "zanzibar", nc);
            let wire = Credentials::parse(&credentials.to_string()).unwrap();
            assert_eq!(nonces.verify(NOW, SOURCE, &wire, "INVITE", OPEN, bob), Ok("bob".to_owned()));
        }
    }

    #[test]
    fn a_nonce_count_is_good_once() {
        let mut nonces = nonces();
        let nonce = nonces.issue(NOW, [1; 8], SOURCE);
        let mut check = |nc, expect: Result<(), AuthFailure>| {
            let verdict = nonces.verify(NOW, SOURCE, &right(&nonce, nc), "INVITE", OPEN, bob);
            assert_eq!(verdict.map(|_| ()), expect, "{nc}");
        };
        check(1, Ok(()));
        check(1, Err(AuthFailure::Replayed));
        check(2, Ok(()));
        check(0, Err(AuthFailure::Malformed));
    }

    #[test]
    fn a_nonce_turns_stale_with_time_and_elsewhere() {
        let mut nonces = nonces();
        let nonce = nonces.issue(NOW, [1; 8], SOURCE);
        let late = NOW + Duration::from_secs(301);
        assert_eq!(
            nonces.verify(late, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob),
            Err(AuthFailure::Stale)
        );
        let mut elsewhere = Nonces::new([7; 32], 4, Duration::from_secs(300));
        assert_eq!(
            elsewhere.verify(NOW, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob),
            Err(AuthFailure::Stale)
        );
        let mut restarted = Nonces::new([8; 32], 3, Duration::from_secs(300));
        assert_eq!(
            restarted.verify(NOW, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob),
            Err(AuthFailure::Stale)
        );
        assert!(AuthFailure::Stale.is_stale() && AuthFailure::Replayed.is_stale());
    }

    #[test]
    fn an_answer_to_no_nonce_of_this_source_is_stale_and_no_guess() {
        let mut nonces = nonces();
        let elsewhere = nonces.issue(NOW, [1; 8], "192.0.2.21".parse().unwrap());
        let old = nonces.issue(NOW - Duration::from_secs(301), [2; 8], SOURCE);
        for nonce in ["made up", &elsewhere, &old] {
            for password in ["guess", "zanzibar"] {
                for algorithm in Algorithm::STRONGEST_FIRST {
                    let credentials = answered(nonce, algorithm, password, 1);
                    let verdict = nonces.verify(NOW, SOURCE, &credentials, "INVITE", OPEN, bob);
                    assert_eq!(verdict, Err(AuthFailure::Stale), "{nonce}");
                    let nobody = |_: &str| None::<Secret>;
                    let verdict = nonces.verify(NOW, SOURCE, &credentials, "INVITE", OPEN, nobody);
                    assert_eq!(verdict, Err(AuthFailure::Stale), "{nonce}");
                }
            }
        }
        assert!(nonces.is_empty());
    }

    #[test]
    fn a_guess_counts_whichever_shard_it_meets() {
        let nonce = nonces().issue(NOW, [1; 8], SOURCE);
        let mut other = Nonces::new([7; 32], 4, Duration::from_secs(300));
        let wrong = answered(&nonce, Algorithm::Md5, "guess", 1);
        let verdict = other.verify(NOW, SOURCE, &wrong, "INVITE", OPEN, bob);
        assert_eq!(verdict, Err(AuthFailure::WrongResponse));
        let nobody = other.verify(NOW, SOURCE, &wrong, "INVITE", OPEN, |_| None::<Secret>);
        assert_eq!(nobody, Err(AuthFailure::UnknownUser));
        assert!(!AuthFailure::WrongResponse.is_stale() && !AuthFailure::UnknownUser.is_stale());
    }

    #[test]
    fn wrong_answers_leave_no_trace() {
        let mut nonces = nonces();
        let nonce = nonces.issue(NOW, [1; 8], SOURCE);
        let wrong = answered(&nonce, Algorithm::Md5, "guess", 1);
        assert_eq!(nonces.verify(NOW, SOURCE, &wrong, "INVITE", OPEN, bob), Err(AuthFailure::WrongResponse));
        assert!(nonces.is_empty());
        assert!(nonces.verify(NOW, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob).is_ok());
        assert_eq!(nonces.len(), 1);
    }

    #[test]
    fn every_part_of_the_answer_counts() {
        let mut nonces = nonces();
        let nonce = nonces.issue(NOW, [1; 8], SOURCE);
        let mut check = |credentials: &Credentials, method: &str, realm: &str, expect| {
            let protection = Protection { realm, ..OPEN };
            assert_eq!(nonces.verify(NOW, SOURCE, credentials, method, protection, bob), Err(expect));
        };
        let good = right(&nonce, 1);
        check(&good, "BYE", REALM, AuthFailure::WrongResponse);
        check(&good, "INVITE", "other.com", AuthFailure::Realm);
        check(
            &Credentials { uri: "sip:y".into(), ..good.clone() },
            "INVITE",
            REALM,
            AuthFailure::WrongResponse,
        );
        check(
            &Credentials { nc: Some("00000002".into()), ..good.clone() },
            "INVITE",
            REALM,
            AuthFailure::WrongResponse,
        );
        check(
            &Credentials { response: String::new(), ..good.clone() },
            "INVITE",
            REALM,
            AuthFailure::WrongResponse,
        );
        check(&Credentials { qop_auth: false, ..good.clone() }, "INVITE", REALM, AuthFailure::Malformed);
        check(&Credentials { nc: None, ..good.clone() }, "INVITE", REALM, AuthFailure::Malformed);
        check(&Credentials { session: true, ..good.clone() }, "INVITE", REALM, AuthFailure::Algorithm);
        check(&Credentials { username: "eve".into(), ..good }, "INVITE", REALM, AuthFailure::UnknownUser);
    }

    #[test]
    fn only_offered_algorithms_are_accepted() {
        let mut nonces = nonces();
        let strict = Protection { algorithms: &[Algorithm::Sha256], ..OPEN };
        let nonce = nonces.issue(NOW, [1; 8], SOURCE);
        assert_eq!(nonces.challenges(NOW, [1; 8], SOURCE, strict, &[Secret::password("p")], true).len(), 1);
        let weak = answered(&nonce, Algorithm::Md5, "zanzibar", 1);
        assert_eq!(nonces.verify(NOW, SOURCE, &weak, "INVITE", strict, bob), Err(AuthFailure::Algorithm));
    }

    #[test]
    fn an_ha1_limits_the_offer_to_its_algorithm() {
        let ha1 = Secret::ha1("12af60467a33e8518da5c68bbff12b11").unwrap(); // bob:biloxi.com:zanzibar
        let mut nonces = nonces();
        let offered = nonces.challenges(NOW, [1; 8], SOURCE, OPEN, std::slice::from_ref(&ha1), false);
        assert_eq!(offered.len(), 1);
        assert_eq!(offered[0].algorithm, Algorithm::Md5);
        let nonce = &offered[0].nonce;
        let md5 = answered(nonce, Algorithm::Md5, "zanzibar", 1);
        assert_eq!(nonces.verify(NOW, SOURCE, &md5, "INVITE", OPEN, |_| Some(ha1.clone())), Ok("bob".into()));
        let sha = answered(nonce, Algorithm::Sha256, "zanzibar", 2);
        assert_eq!(
            nonces.verify(NOW, SOURCE, &sha, "INVITE", OPEN, |_| Some(ha1)),
            Err(AuthFailure::Algorithm)
        );
        assert!(nonces.challenges(NOW, [1; 8], SOURCE, OPEN, &[], false).is_empty());
    }

    #[test]
    fn what_everybody_can_answer_is_offered_first() {
        use Algorithm::{Md5, Sha256, Sha512_256};
        let check = |algorithms: &[Algorithm], secrets: &[Secret], expect: &[Algorithm]| {
            let protection = Protection { algorithms, ..OPEN };
            let offered = nonces().challenges(NOW, [1; 8], SOURCE, protection, secrets, false);
            let offered: Vec<_> = offered.iter().map(|challenge| challenge.algorithm).collect();
            assert_eq!(offered, expect);
        };
        let strongest = &Algorithm::STRONGEST_FIRST;
        let password = Secret::password("p");
        let (sha256, md5) = (Secret::ha1(&"0".repeat(64)).unwrap(), Secret::ha1(&"0".repeat(32)).unwrap());
        check(strongest, &[password.clone(), password.clone()], strongest);
        check(&[Md5], &[password.clone(), md5.clone()], &[Md5]);
        check(&[Md5, Sha256], std::slice::from_ref(&password), &[Md5, Sha256]);
        check(strongest, &[sha256.clone(), password.clone()], &[Sha256, Sha512_256, Md5]);
        check(strongest, &[md5.clone(), password], &[Md5, Sha512_256, Sha256]);
        check(strongest, &[md5, sha256.clone()], &[Sha256, Md5]);
        check(&[Md5], &[sha256], &[]);
        check(strongest, &[], &[]);
    }

    #[test]
    fn a_user_may_have_a_hash_for_each_algorithm() {
        let secrets = [Secret::ha1(&"0".repeat(64)).unwrap(), Secret::password("zanzibar")];
        let mut nonces = nonces();
        let nonce = nonces.issue(NOW, [1; 8], SOURCE);
        let md5 = answered(&nonce, Algorithm::Md5, "zanzibar", 1);
        assert!(nonces.verify(NOW, SOURCE, &md5, "INVITE", OPEN, |_| Some(secrets)).is_ok());
    }

    #[test]
    fn memory_is_bounded() {
        let mut nonces = nonces().with_capacity(8);
        for ms in 0..100 {
            let now = NOW + Duration::from_millis(ms);
            let nonce = nonces.issue(now, ms.to_be_bytes(), SOURCE);
            assert!(nonces.verify(now, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob).is_ok());
            assert!(nonces.len() <= 8);
            assert!(nonces.verify(now, SOURCE, &right(&nonce, 1), "INVITE", OPEN, bob).is_err());
        }
        let first = nonces.issue(NOW, 0_u64.to_be_bytes(), SOURCE);
        assert_eq!(
            nonces.verify(NOW, SOURCE, &right(&first, 1), "INVITE", OPEN, bob),
            Err(AuthFailure::Stale)
        );
    }

    #[test]
    fn debug_hides_the_key() {
        assert!(format!("{:?}", nonces()).contains("key: ***"));
    }
}
