//! Headers that a peer gets, and that it does not get.

use crate::Pattern;
use crate::read::Item;

use super::is_token;

/// Headers without which there is no call, or that are our own on each leg.
const OWN_HEADERS: [&str; 26] = [
    "Via",
    "v",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Max-Forwards",
    "Contact",
    "m",
    "Route",
    "Record-Route",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
    "Allow",
    "Supported",
    "k",
    "Require",
    "Session-Expires",
    "x",
    "Min-SE",
    "Proxy-Authorization",
];

pub(super) fn header_name<'a>(item: &Item<'_>, name: &'a str) -> Option<&'a str> {
    if !is_token(name) {
        item.wrong(format!("{name:?} is no header name"), "one, as in \"X-Site\", without `:`");
        return None;
    }
    if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        item.error(format!("{name} is the gateway's own on each leg"), format!("remove \"{name}\""));
        return None;
    }
    Some(name)
}

pub(super) fn strip_headers(item: &Item<'_>) -> Vec<String> {
    let items = item.list().unwrap_or_default();
    items.iter().filter_map(|item| header_name(item, item.string()?).map(str::to_owned)).collect()
}

/// Names, each with at most one `*`, in lower case.
pub(super) fn pass_headers(item: &Item<'_>) -> Vec<String> {
    let items = item.list().unwrap_or_default();
    let name = |item: &Item<'_>| {
        let pattern: Pattern = item.parse()?;
        // `*` may stand in a token.
        header_name(item, pattern.as_str())?;
        Some(pattern.as_str().to_ascii_lowercase())
    };
    items.iter().filter_map(name).collect()
}

pub(super) fn add_headers(item: &Item<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, item) in item.pairs().unwrap_or_default() {
        if let (Some(name), Some(value)) = (header_name(&item, name), item.string()) {
            if value.chars().any(char::is_control) {
                item.wrong(format!("the value of {name} does not fit on a line"), "it without line breaks");
            }
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}
