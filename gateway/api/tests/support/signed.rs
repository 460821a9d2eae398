//! Signature Version 4 by hand, for requests that no client would make.

use ring::{digest, hmac};

use super::support::SECRET;

/// Signs as clients do, for a path and query that need no escaping.
pub fn authorization(key: &str, method: &str, path: &str, query: &str, body: &[u8], stamp: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let sha256 = |bytes: &[u8]| hex(digest::digest(&digest::SHA256, bytes).as_ref());
    let day = &stamp[..8];
    let canonical =
        format!("{method}\n{path}\n{query}\nhost:h\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{}", sha256(body));
    let scope = format!("{day}/local/chime/aws4_request");
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
    let mut signing = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{SECRET}").as_bytes());
    for part in [day, "local", "chime", "aws4_request"] {
        signing = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&signing, part.as_bytes()).as_ref());
    }
    let signature = hex(hmac::sign(&signing, text.as_bytes()).as_ref());
    format!("AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host;x-amz-date, Signature={signature}")
}
