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
mod tests;
