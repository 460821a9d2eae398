use crate::Secret;

/// A digest user, and what proves it: `{ username = "u", password = ... }` or `{ username = "u", ha1 = ... }`.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// As in the digest; not empty, without `"`, `\` and control characters.
    pub username: String,
    /// `password` or `ha1`.
    pub proof: Proof,
}

/// What proves a digest user. Source: RFC 7616 §3.4.2.
#[derive(Debug, Clone)]
pub enum Proof {
    /// The password in clear; answers every algorithm.
    Password(Secret),
    /// `H(username:realm:password)` in hex: 32 digits for MD5, 64 for SHA-256 and SHA-512-256.
    Ha1(Secret),
}
