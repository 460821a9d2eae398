//! How who we connect to knows that it is us.

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The header's name.
pub const HEADER: &str = "Voice-Connector-Signature";

/// The header's value: `t=<time>,v1=<hex of the HMAC-SHA256 of "<time>.<what>">`.
///
/// - `time`: seconds since the Unix epoch.
/// - `what`: the URL that is connected to, as it is configured; of requests with a body, the body.
#[must_use]
pub fn signature(secret: &str, time: u64, what: &[u8]) -> String {
    let Ok(mut mac) = <Hmac<Sha256> as Mac>::new_from_slice(secret.as_bytes()) else {
        return String::new(); // A key of any length will do.
    };
    mac.update(format!("{time}.").as_bytes());
    mac.update(what);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `printf '1700000000.{}' | openssl dgst -sha256 -hmac key`
    #[test]
    fn a_signature_is_that_of_other_programs() {
        assert_eq!(
            signature("key", 1_700_000_000, b"{}"),
            "t=1700000000,v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
    }
}
