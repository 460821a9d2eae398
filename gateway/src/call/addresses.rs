//! What a peer says in words may name machines of its network or ours: nobody on the other side needs to know them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use sip::text::as_phrase;
use sip::{Message, Name};

/// `text` with each IP address in it, and the port behind it, replaced by `*`.
pub fn without_addresses(text: &str) -> Cow<'_, str> {
    let part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
    // An address has at least two of them.
    if text.matches(['.', ':']).count() < 2 {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(part) {
        let (before, run) = rest.split_at(start);
        let (run, after) = run.split_at(run.find(|c| !part(c)).unwrap_or(run.len()));
        let whole = run.trim_end_matches(['.', ':']);
        shown.push_str(before);
        shown.push_str(if is_address(whole) { "*" } else { whole });
        shown.push_str(run.strip_prefix(whole).unwrap_or_default());
        rest = after;
    }
    Cow::Owned(shown + rest)
}

fn is_address(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok()
}

/// The value of a header that is meant for people, as it may cross; `None`: it crosses as it is.
///
/// A Warning begins with who warns, RFC 3261 §20.43: that is the other side's machine, so `*` stands there.
pub fn header(name: &Name, value: &str) -> Option<String> {
    match name {
        Name::Reason => Some(without_addresses(value).into_owned()),
        Name::Warning => {
            let mut words = value.splitn(3, ' ');
            let (code, _agent) = (words.next()?, words.next());
            Some(format!("{code} * {}", without_addresses(words.next().unwrap_or("\"\""))))
        }
        _ => None,
    }
}

/// The reason phrase of a response, as it may cross.
pub fn phrase(message: &Message) -> Cow<'_, str> {
    let said = std::str::from_utf8(message.reason_phrase().unwrap_or_default());
    match said.map(without_addresses) {
        Ok(Cow::Borrowed(text)) => as_phrase(text),
        Ok(Cow::Owned(text)) => Cow::Owned(sip::text::phrase(&text)),
        Err(_) => {
            let lossy = String::from_utf8_lossy(message.reason_phrase().unwrap_or_default());
            Cow::Owned(sip::text::phrase(&without_addresses(&lossy)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cut_out_and_nothing_else_is() {
        for (text, expect) in [
            ("Busy Here", "Busy Here"),
            ("", ""),
            ("no route on 10.9.8.7:5060", "no route on *"),
            ("at 10.9.8.7.", "at *."),
            ("10.9.8.7: gone", "*: gone"),
            ("[2001:db8::1]:5061 is gone, so is 2001:db8::2", "* is gone, so is *"),
            ("src_ip=192.0.2.1,dst=(::ffff:10.0.0.1)", "src_ip=*,dst=(*)"),
            ("at 12:30, version 1.2.3, call +1206555010", "at 12:30, version 1.2.3, call +1206555010"),
            ("Décroché à 10.0.0.1", "Décroché à *"),
        ] {
            assert_eq!(without_addresses(text), expect);
        }
    }

    #[test]
    fn a_warning_does_not_say_whose_it_is() {
        let check = |value, expect: &str| assert_eq!(header(&Name::Warning, value).as_deref(), Some(expect));
        check("304 sbc.carrier.example \"Media type not available\"", "304 * \"Media type not available\"");
        check("392 10.0.0.1:5060 \"tells: src=10.0.0.2\"", "392 * \"tells: src=*\"");
        check("399", "399 * \"\"");
    }
}
