//! `;name=value` lists of headers and URIs. RFC 3261 §25.1 `generic-param`, `uri-parameters`.

use std::borrow::Cow;
use std::fmt;

use crate::grammar::{find_unquoted, is_token, quote, split_around, trim, unquote};
use crate::header::HeaderFault;

/// One parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The name, in the case that it came in; compare without case.
    pub name: String,
    /// What stands after `=`, quotes and escapes as on the wire; `None` without `=`.
    pub value: Option<String>,
}

/// Parameters in the order that they came in. Names compare without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<Param>);

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
        let mut params = Vec::new();
        for one in elements(text) {
            let one = one?;
            if !one.is_empty() {
                params.push(Self::parse_one(one)?);
            }
        }
        Ok(Params(params))
    }

    /// [`value`](Self::value) of the parameters in `text`, without reading the others: where the list as a whole is
    /// broken, it may be there all the same.
    pub(crate) fn value_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        for one in elements(text) {
            let one = one.ok()?;
            let (found, value) = match one.split_once('=') {
                Some((found, value)) => (trim(found), Some(trim(value))),
                None => (one, None),
            };
            if found.eq_ignore_ascii_case(name) {
                return value;
            }
        }
        None
    }

    fn parse_one(text: &str) -> Result<Param, HeaderFault> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (trim(name), Some(trim(value).to_owned())),
            None => (text, None),
        };
        let broken = || HeaderFault::Parameter(text.to_owned());
        // URI parameters may hold more than a token ("%" escapes are in both); what splits a header may not.
        if name.is_empty() || name.bytes().any(|byte| byte <= b' ' || b"\",<>@".contains(&byte)) {
            return Err(broken());
        }
        let quoted = value.as_deref().is_some_and(|value| value.starts_with('"'));
        if quoted && !value.as_deref().is_some_and(is_quoted_string) {
            return Err(broken());
        }
        let splits = |byte: u8| byte <= b' ' || byte == 127 || b"\"\\,<>".contains(&byte);
        if !quoted && value.as_deref().is_some_and(|value| value.bytes().any(splits)) {
            return Err(broken());
        }
        Ok(Param { name: name.to_owned(), value })
    }

    /// The first parameter of that name: outer `None` if there is none, inner `None` if it has no value.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.0.iter().find(|param| param.name.eq_ignore_ascii_case(name)).map(|param| param.value.as_deref())
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
        let value = value.map(|value| {
            if is_quoted_string(value) || is_plain(value) { value.to_owned() } else { quote(value) }
        });
        match self.0.iter_mut().find(|param| param.name.eq_ignore_ascii_case(name)) {
            Some(param) => param.value = value,
            None => self.0.push(Param { name: name.to_owned(), value }),
        }
    }

    /// Like [`set`](Self::set), for a chain.
    pub fn with(mut self, name: &str, value: Option<&str>) -> Params {
        self.set(name, value);
        self
    }

    /// Removes every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|param| !param.name.eq_ignore_ascii_case(name));
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.0.iter()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What stands between the `;`, trimmed; an error if a quoted string does not end.
fn elements(text: &str) -> impl Iterator<Item = Result<&str, HeaderFault>> {
    let quotes = text.as_bytes().contains(&b'"');
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let end = match quotes {
            true => find_unquoted(text, |byte| byte == b';'),
            false => Ok(text.find(';')),
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
        for Param { name, value } in &self.0 {
            match value {
                Some(value) => write!(f, ";{name}={value}")?,
                None => write!(f, ";{name}")?,
            }
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
            (";received=[2001:db8::1];lr=on", ";received=[2001:db8::1];lr=on"),
        ] {
            let params = Params::parse(text).unwrap();
            assert_eq!(params.to_string(), written, "{text:?}");
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
