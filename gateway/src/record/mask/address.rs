//! Addresses and the URIs in them.

use std::borrow::Cow;

use sip::{Name, NameAddr, SipUri, Uri};

use super::MASK;

/// `MASK` as text.
const STARS: &str = "***";

/// URI headers of Refer-To and History-Info that hold nothing secret. RFC 7044 §10.
const PUBLIC_HEADERS: [&str; 3] = ["Require", "Reason", "Privacy"];

/// A header field's value, which may be a list of addresses.
///
/// One without anything in which a password could stand passes, address or not.
pub(super) fn field<'a>(name: &Name, value: &'a [u8]) -> Cow<'a, [u8]> {
    let text = String::from_utf8_lossy(value);
    if !may_hide(&text) {
        return Cow::Borrowed(value);
    }
    // Folds become blanks, which a URI may not have: a URI that is folded is none.
    let text: String = text.chars().map(|c| if matches!(c, '\r' | '\n') { ' ' } else { c }).collect();
    let addresses = match name.is_single() || matches!(name, Name::From | Name::To) {
        true => NameAddr::parse(&text).map(|one| vec![one]),
        false => NameAddr::parse_list(&text),
    };
    let Ok(addresses) = addresses else { return Cow::Borrowed(MASK) };
    let masked: Vec<NameAddr> = addresses.iter().cloned().map(address).collect();
    if masked == addresses {
        return Cow::Borrowed(value);
    }
    let written: Vec<String> = masked.iter().map(NameAddr::to_string).collect();
    Cow::Owned(written.join(", ").into_bytes())
}

/// A URI that stands alone.
pub(super) fn uri(text: &str) -> Cow<'_, str> {
    if !may_hide(text) {
        return Cow::Borrowed(text);
    }
    match Uri::parse(text) {
        Ok(uri) => match masked_uri(&uri) {
            Some(masked) => Cow::Owned(masked.to_string()),
            None => Cow::Borrowed(text),
        },
        Err(_) => Cow::Borrowed(STARS),
    }
}

/// Whether something in this text could be read as a URI with a password or with headers.
pub(super) fn may_hide(text: &str) -> bool {
    text.contains('@')
        || text.contains("%40")
        || text.split_once('?').is_some_and(|(_, rest)| rest.contains('='))
}

fn address(mut address: NameAddr) -> NameAddr {
    if let Some(masked) = masked_uri(&address.uri) {
        address.uri = masked;
    }
    if address.display_name.as_deref().is_some_and(may_hide) {
        address.display_name = Some(STARS.into());
    }
    let hiding = |param: &sip::Param<'_>| param.value.is_some_and(may_hide);
    let names: Vec<String> =
        address.params.iter().filter(hiding).map(|param| param.name.to_owned()).collect();
    for name in names {
        address.params.set(&name, Some(STARS));
    }
    address
}

/// `None` where nothing has to be masked.
fn masked_uri(uri: &Uri) -> Option<Uri> {
    match uri {
        Uri::Sip(uri) => masked_sip(uri).map(Uri::Sip),
        Uri::Tel(_) => None,
        other => {
            // Of these the part after the scheme has no password; in any other there may be one.
            let open = ["cid", "mid", "urn", "mailto", "im", "pres"];
            let open = open.iter().any(|known| other.scheme().eq_ignore_ascii_case(known));
            let secret = may_hide(&other.to_string()) && !open;
            secret.then(|| Uri::Other { scheme: other.scheme().to_owned(), rest: STARS.to_owned() })
        }
    }
}

fn masked_sip(uri: &SipUri) -> Option<SipUri> {
    let password = uri.password.as_ref().map(|_| STARS.into());
    let headers = uri
        .headers
        .as_deref()
        .map(|headers| headers.split('&').map(header).collect::<Vec<_>>().join("&").into());
    let mut masked = SipUri { password, headers, ..uri.clone() };
    let hiding = |param: &sip::Param<'_>| param.value.is_some_and(may_hide);
    let names: Vec<String> = uri.params.iter().filter(hiding).map(|param| param.name.to_owned()).collect();
    for name in names {
        masked.params.set(&name, Some(STARS));
    }
    (masked != *uri).then_some(masked)
}

/// `name=value` among a URI's headers.
fn header(header: &str) -> String {
    match header.split_once('=') {
        // A Call-ID, whose `@` has no meaning.
        Some((name, _)) if name.eq_ignore_ascii_case("Replaces") => header.to_owned(),
        Some((name, value))
            if PUBLIC_HEADERS.iter().any(|known| name.eq_ignore_ascii_case(known)) && !may_hide(value) =>
        {
            header.to_owned()
        }
        Some((name, _)) => format!("{name}={STARS}"),
        None => STARS.to_owned(),
    }
}
