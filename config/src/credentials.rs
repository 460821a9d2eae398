//! Digest users and what proves them.

use crate::Secret;

use secrecy::ExposeSecret;

use crate::gateway::quotable;
use crate::read::{Item, Table};

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

impl Credentials {
    pub(crate) fn read(table: &Table<'_>) -> Option<Self> {
        let username = table.required("username", "username = \"trunk\"").and_then(|item| quotable(&item));
        let proof = match (table.get("password"), table.get("ha1")) {
            (Some(password), None) => Secret::read(&password).map(Proof::Password),
            (None, Some(ha1)) => Secret::read(&ha1).filter(|secret| is_ha1(&ha1, secret)).map(Proof::Ha1),
            (Some(_), Some(ha1)) => {
                ha1.error("the login has both `password` and `ha1`", "remove one of the two");
                None
            }
            (None, None) => {
                let remedy = "write password = \"...\" or ha1 = \"...\"";
                table.reader().error(table.at(), "the login has neither `password` nor `ha1`", remedy);
                None
            }
        };
        Some(Self { username: username?, proof: proof? })
    }
}

/// Whether a literal is a hash in hex; what is kept elsewhere is not looked at.
fn is_ha1(item: &Item<'_>, secret: &Secret) -> bool {
    let Secret::Literal(text) = secret else { return true };
    let text = text.expose_secret();
    let fits = matches!(text.len(), 32 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !fits {
        let remedy = "the hex of H(username:realm:password): 32 digits for MD5, 64 for SHA-256";
        item.wrong("`ha1` is not a hash", remedy);
    }
    fits
}
