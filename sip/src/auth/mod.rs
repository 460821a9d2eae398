//! Digest authentication, both roles.
//!
//! RFC 7616 (digest), RFC 8760 (SHA-256 and SHA-512/256 in SIP), RFC 3261 §22, and the answers without `qop` of RFC 2069
//! for old servers.
//!
//! - **Client**: [`Challenge::choose`] the topmost challenge that can be answered, [`answer`] it. MD5, SHA-256,
//!   SHA-512-256 and their `-sess` variants; `qop=auth` or none.
//! - **Server**: [`Nonces`] makes the challenges and verifies the answers. MD5, SHA-256, SHA-512-256; always `qop=auth`,
//!   an answer without it is refused, for it has no nonce count and could be replayed.
//!
//! Not here, on purpose: `auth-int` (a body that middle boxes rewrite), `userhash` and `username*` (RFC 7616 §3.4.4: an
//! answer that uses them is refused with a text that says so), Authentication-Info.
//!
//! An ACK repeats the credentials of its INVITE and a CANCEL cannot be challenged (RFC 3261 §22.1): verify neither.
//!
//! ```
//! use std::time::Duration;
//! use sip::auth::{self, Algorithm, AuthFailure, Challenge, Nonces, Protection, Secret};
//!
//! let now = Duration::from_secs(1_800_000_000); // since 1970
//! let mut nonces = Nonces::new([7; 32], 0, Duration::from_secs(300));
//! let source = "192.0.2.20".parse()?;
//! let secret = Secret::password("zanzibar");
//! let biloxi = Protection { realm: "biloxi.com", algorithms: &Algorithm::STRONGEST_FIRST };
//!
//! // 407: one header field each, in this order.
//! let offered = nonces.challenges(now, [1; 8], source, biloxi, &[secret.clone()], false);
//! let fields: Vec<String> = offered.iter().map(Challenge::to_string).collect();
//!
//! // The client takes the first that it can answer.
//! let challenge = Challenge::choose(fields.iter().map(String::as_str), &secret).ok_or("none")?;
//! assert_eq!(challenge.algorithm, Algorithm::Sha512_256);
//! let credentials = auth::answer(&challenge, "bob", &secret, "INVITE", "sip:+12065550100@biloxi.com", "c0ffee", 1);
//! let credentials = credentials.ok_or("cannot answer")?;
//!
//! let lookup = |user: &str| (user == "bob").then_some(secret);
//! assert_eq!(nonces.verify(now, source, &credentials, "INVITE", biloxi, lookup), Ok("bob".to_owned()));
//! let again = nonces.verify(now, source, &credentials, "INVITE", biloxi, |_| Some(Secret::password("zanzibar")));
//! assert_eq!(again, Err(AuthFailure::Replayed));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod challenge;
mod client;
mod credentials;
mod digest;
mod nonce;
mod params;
mod replay;
mod secret;
mod server;

pub use algorithm::Algorithm;
pub use challenge::Challenge;
pub use client::answer;
pub use credentials::Credentials;
pub use params::{AuthHeaderError, parameters};
pub use secret::{Secret, SecretError};
pub use server::{AuthFailure, Nonces, Protection};
