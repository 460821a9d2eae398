//! Responses, with what browsers must know of them.

use api::Response;
use maud::Markup;

/// What a page may load: its style and small pictures of this host, and nothing else; no script runs.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// A page.
pub fn page(status: u16, page: Markup) -> Response {
    let mut headers = common();
    headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
    headers.push(("cache-control", "no-store".to_owned()));
    Response { status, headers, body: page.into_string().into_bytes() }
}

/// Go on there, by GET.
pub fn see_other(location: &str) -> Response {
    let mut headers = common();
    headers.push(("location", location.to_owned()));
    headers.push(("cache-control", "no-store".to_owned()));
    Response { status: 303, headers, body: Vec::new() }
}

/// What is the same for everybody; its address changes whenever it does.
pub fn asset(kind: &str, body: &str) -> Response {
    let mut headers = common();
    headers.push(("content-type", kind.to_owned()));
    headers.push(("cache-control", "public, max-age=31536000, immutable".to_owned()));
    Response { status: 200, headers, body: body.as_bytes().to_vec() }
}

fn common() -> Vec<(&'static str, String)> {
    [
        ("content-security-policy", POLICY),
        // Forms of the same site say where they come from; nobody else hears anything.
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}
