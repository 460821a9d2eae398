//! `;name=value` lists of headers and URIs. RFC 3261 §25.1 `generic-param`, `uri-parameters`.

use std::borrow::Cow;
use std::fmt;

use smol_str::SmolStr;

use crate::grammar::{find_byte, find_unquoted, is_token, quote, split_around, split_at_byte, trim, unquote};
use crate::header::HeaderFault;

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param<'a> {
    /// The name, in the case that it came in; compare without case.
    pub name: &'a str,
    /// What stands after `=`, quotes and escapes as on the wire; `None` without `=`.
    pub value: Option<&'a str>,
}

/// Parameters in the order that they came in. Names compare without case.
///
/// Kept as text, as it is written but for the first `;`: most lists are short enough to need no room of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(SmolStr);

impl Params {
    /// No parameters.
    pub fn new() -> Params {
        Params::default()
    }

    /// Reads `;name=value;name...` with white space anywhere and quoted values; a missing first `;` is fine.
    ///
    /// Empty parameters (`;;`) are skipped: phones write them. Fails on a quoted string that does not end and on a
    /// parameter without a name.
    pub fn parse(text: &str) -> Result<Params, HeaderFault> {
        let length = Self::measure(text)?;
        // Mostly they are written already as we would write them.
        let text = trim(text);
        let text = text.strip_prefix(';').unwrap_or(text);
        if text.len() + 1 == length {
            return Ok(Params(text.into()));
        }
        let mut written = String::with_capacity(length);
        for param in elements(text).filter_map(|one| Param::parse(one.ok()?).ok()?) {
            param.write(&mut written);
        }
        Ok(Params(written.into()))
    }

    /// How long the list is as it is written here, each parameter with its `;`.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse).
    pub(crate) fn measure(text: &str) -> Result<usize, HeaderFault> {
        if let Some(length) = plain_length(text) {
            return Ok(length);
        }
        elements(text).map(|one| Ok(Param::parse(one?)?.map_or(0, |param| param.length() + 1))).sum()
    }

    /// The parameters in `text`, which was measured, in order.
    pub(crate) fn within(text: &str) -> impl Iterator<Item = Param<'_>> {
        elements(text).filter_map(Result::ok).filter(|one| !one.is_empty()).map(Param::split)
    }

    /// [`value`](Self::value) of the parameters in `text`, without reading the others: where the list as a whole is
    /// broken, it may be there all the same.
    pub(crate) fn value_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        if text.bytes().any(|byte| byte == b'"') {
            let found = elements(text).map_while(Result::ok).map(Param::split);
            return found
                .filter(|param| param.name.eq_ignore_ascii_case(name))
                .map(|param| param.value)
                .next()?;
        }
        let mut rest = text;
        loop {
            let (one, next) = split_at_byte(rest, b';').map_or((rest, None), |(one, next)| (one, Some(next)));
            let param = Param::split(trim(one));
            if param.name.eq_ignore_ascii_case(name) {
                return param.value;
            }
            rest = next?;
        }
    }

    /// The first parameter of that name: outer `None` if there is none, inner `None` if it has no value.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.iter().find(|param| param.name.eq_ignore_ascii_case(name)).map(|param| param.value)
    }

    /// The value of the first parameter of that name, as on the wire.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// Like [`value`](Self::value), without quotes and backslashes.
    pub fn unquoted(&self, name: &str) -> Option<Cow<'_, str>> {
        self.value(name).map(unquote)
    }

    /// Whether there is a parameter of that name, with a value or without.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Replaces the first parameter of that name where it stands, or appends it. The value is written as given, and in
    /// quotes if it would break the list otherwise.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(|value| match is_quoted_string(value) || is_plain(value) {
            true => Cow::Borrowed(value),
            false => Cow::Owned(quote(value)),
        });
        let ours = Param { name, value: value.as_deref() };
        let mut written = String::with_capacity(self.0.len() + ours.length() + 1);
        let mut is_set = false;
        for param in self.iter() {
            let replaced = !is_set && param.name.eq_ignore_ascii_case(name);
            is_set |= replaced;
            if replaced { Param { name: param.name, ..ours } } else { param }.write(&mut written);
        }
        if !is_set {
            ours.write(&mut written);
        }
        self.0 = written.into();
    }

    /// Like [`set`](Self::set), for a chain.
    pub fn with(mut self, name: &str, value: Option<&str>) -> Params {
        self.set(name, value);
        self
    }

    /// Removes every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        if !self.has(name) {
            return;
        }
        // Mostly it is the only one.
        let mut written = String::new();
        for param in self.iter().filter(|param| !param.name.eq_ignore_ascii_case(name)) {
            param.write(&mut written);
        }
        self.0 = written.into();
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = Param<'_>> {
        // Each was read before it was written.
        Self::within(&self.0)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Param<'a> {
    fn split(text: &'a str) -> Param<'a> {
        match split_at_byte(text, b'=') {
            Some((name, value)) => Param { name: trim(name), value: Some(trim(value)) },
            None => Param { name: text, value: None },
        }
    }

    /// `None` where nothing stands between two `;`.
    fn parse(text: &'a str) -> Result<Option<Param<'a>>, HeaderFault> {
        if text.is_empty() {
            return Ok(None);
        }
        let param = Self::split(text);
        let Param { name, value } = param;
        let broken = || HeaderFault::Parameter(text.to_owned());
        // URI parameters may hold more than a token ("%" escapes are in both); what splits a header may not.
        if name.is_empty()
            || name.bytes().any(|byte| matches!(byte, 0..=b' ' | b'"' | b',' | b'<' | b'>' | b'@'))
        {
            return Err(broken());
        }
        let quoted = value.is_some_and(|value| value.starts_with('"'));
        if quoted && !value.is_some_and(is_quoted_string) {
            return Err(broken());
        }
        let splits = |byte: u8| matches!(byte, 0..=b' ' | 127 | b'"' | b'\\' | b',' | b'<' | b'>');
        if !quoted && value.is_some_and(|value| value.bytes().any(splits)) {
            return Err(broken());
        }
        Ok(Some(param))
    }

    /// Of what [`write`](Self::write) writes, without a `;`.
    fn length(&self) -> usize {
        self.name.len() + self.value.map_or(0, |value| value.len() + 1)
    }

    fn write(&self, written: &mut String) {
        if !written.is_empty() {
            written.push(';');
        }
        written.push_str(self.name);
        if let Some(value) = self.value {
            written.push('=');
            written.push_str(value);
        }
    }
}

/// [`Params::measure`] of a list without quotes and white space, in one pass; `None` where it is another, or broken.
fn plain_length(text: &str) -> Option<usize> {
    // Of the parameter so far: its bytes, and whether they are the value's by now.
    let (mut length, mut one, mut is_value) = (0, 0, false);
    for byte in text.bytes() {
        match byte {
            b';' => {
                length += if one > 0 { one + 1 } else { 0 };
                (one, is_value) = (0, false);
                continue;
            }
            b'=' if one == 0 => return None,
            b'=' => is_value = true,
            0..=b' ' | b'"' | b',' | b'<' | b'>' => return None,
            b'@' if !is_value => return None,
            127 | b'\\' if is_value => return None,
            _ => {}
        }
        one += 1;
    }
    Some(length + if one > 0 { one + 1 } else { 0 })
}

/// What stands between the `;`, trimmed; an error if a quoted string does not end.
fn elements(text: &str) -> impl Iterator<Item = Result<&str, HeaderFault>> {
    let quotes = find_byte(text.as_bytes(), b'"').is_some();
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let end = match quotes {
            true => find_unquoted(text, |byte| byte == b';'),
            false => Ok(text.bytes().position(|byte| byte == b';')),
        };
        let (one, next) = match end {
            Ok(Some(at)) => {
                let (one, next) = split_around(text, at);
                (one, Some(next))
            }
            Ok(None) => (text, None),
            Err(_) => return Some(Err(HeaderFault::OpenQuote)),
        };
        rest = next;
        Some(Ok(trim(one)))
    })
}

/// What may follow `=` without quotes: `token`, `host` (with brackets), and what URI parameters allow besides.
fn is_plain(value: &str) -> bool {
    is_token(value.as_bytes())
        || value.bytes().all(|byte| byte > b' ' && byte != 127 && !b"\";,<>?@=\\".contains(&byte))
}

fn is_quoted_string(text: &str) -> bool {
    text.len() >= 2
        && text.starts_with('"')
        && text.ends_with('"')
        && find_unquoted(text, |_| true) == Ok(None)
}

/// Writes each parameter with its leading `;`.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str(";")?;
            f.write_str(&self.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("", ""),
            (";a", ";a"),
            ("a=b;c", ";a=b;c"),
            (" ;  A = b ; c=\"d;e\\\"\" ;", ";A=b;c=\"d;e\\\"\""),
            (";a=", ";a="),
            (";a==b", ";a==b"),
            ("a;;b=;;c=@", ";a;b=;c=@"),
            (";;;", ""),
            (";a\\=b", ";a\\=b"),
            (";received=[2001:db8::1];lr=on", ";received=[2001:db8::1];lr=on"),
        ] {
            let params = Params::parse(text).unwrap();
            assert_eq!(params.to_string(), written, "{text:?}");
            assert_eq!(Params::measure(text), Ok(written.len()), "{text:?}");
            assert_eq!(Params::parse(written), Ok(params.clone()), "{text:?}");
            for name in ["A", "c", "lr", "received", "none"] {
                assert_eq!(Params::value_in(text, name), params.value(name), "{text:?}");
            }
        }
        for broken in [
            ";a=\"b",
            ";=b",
            ";a b",
            ";a=b c",
            ";a=\"b\"c",
            ";a=\"b\" \"c\"",
            ";\"a\"=b",
            ";a,b",
            ";a=b\\",
            ";a=b,c",
            ";a=<b>",
            ";=",
            ";a@=b",
            ";a=\u{7f}",
            ";a=b\\;c",
        ] {
            assert!(Params::parse(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn looks_up_and_changes() {
        let mut params = Params::parse(";Tag=x;lr;q=\"a b\";tag=y").unwrap();
        assert_eq!(params.value("tag"), Some("x"));
        assert_eq!(params.get("LR"), Some(None));
        assert_eq!(params.get("none"), None);
        assert_eq!(params.unquoted("q").as_deref(), Some("a b"));
        params.set("TAG", Some("z"));
        params.set("lr", Some("on"));
        params.set("text", Some("two words"));
        assert_eq!(params.to_string(), ";Tag=z;lr=on;q=\"a b\";tag=y;text=\"two words\"");
        params.remove("tag");
        assert_eq!(params.len(), 3);
        assert!(!params.has("tag") && params.has("text") && !params.is_empty());
    }
}
