//! Signature Version 4: who sent a request, proved by a secret that did not travel.
//!
//! Two forms: the header `Authorization`, and the parameters `X-Amz-*` of the query. What is signed is made anew
//! from what was received ([`canonical`]), so a proxy in between must leave path, query, `Host` and body alone.
//!
//! Source: the published "Signature Version 4 signing process"; facts about clients in the reference of the API.

mod canonical;
mod claim;
mod hex;
pub(crate) mod replay;
#[cfg(test)]
mod tests;

pub(crate) use canonical::{decoded, query_pairs};
pub(crate) use claim::{Claim, Unproven};

/// The only algorithm.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service that clients of the API put into the scope.
pub(crate) const SERVICE: &str = "chime";
/// How far a client's clock may be off, and how long a signed change is good, in seconds.
pub(crate) const WINDOW: i64 = 300;
