//! `name-addr` and `addr-spec` with parameters: From, To, Contact, Route and their kin. RFC 3261 §20.10, §25.1.

use std::borrow::Cow;
use std::fmt;

use smol_str::SmolStr;

use super::HeaderFault;
use crate::grammar::{
    find_unquoted, is_token_byte, quote, split_around, split_at_byte, split_element, trim, unquote,
};
use crate::params::Params;
use crate::uri::Uri;

/// A URI with a display name before and header parameters behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameAddr {
    /// Without quotes and backslashes; `None` if there is none.
    pub display_name: Option<SmolStr>,
    /// The address.
    pub uri: Uri,
    /// Header parameters: what follows `>`, or what follows the first `;` if there are no brackets (RFC 3261 §20).
    pub params: Params,
}

/// Name, URI, and the parameters as they stand.
type Parts<'a> = (Option<SmolStr>, Uri, &'a str);

impl NameAddr {
    /// An address without name and parameters.
    pub fn new(uri: impl Into<Uri>) -> NameAddr {
        NameAddr { display_name: None, uri: uri.into(), params: Params::new() }
    }

    /// Reads one value.
    ///
    /// Tolerated: no space before `<`; display names in UTF-8 or with odd characters but no quotes. Not tolerated:
    /// quotes or brackets that do not close, a comma in a name without quotes, space inside the brackets, `?` in a URI
    /// without brackets.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn parse(text: &str) -> Result<NameAddr, HeaderFault> {
        let (display_name, uri, params) = Self::split(text)?;
        Ok(NameAddr { display_name, uri, params: Params::parse(params)? })
    }

    /// What is wrong with a value.
    pub(crate) fn check(text: &str) -> Result<(), HeaderFault> {
        let (_, _, params) = Self::split(text)?;
        Params::measure(params).map(drop)
    }

    /// A value in its parts, of which the parameters are not read.
    fn split(text: &str) -> Result<Parts<'_>, HeaderFault> {
        let text = trim(text);
        if text.is_empty() {
            return Err(HeaderFault::Empty);
        }
        let open = find_unquoted(text, |byte| matches!(byte, b'<' | b';' | b'>'))
            .map_err(|_| HeaderFault::OpenQuote)?;
        match open.map(|at| (at, text.as_bytes().get(at))) {
            Some((at, Some(b'<'))) => Self::parse_brackets(text, at),
            Some((_, Some(b'>'))) => Err(HeaderFault::Brackets),
            Some((at, _)) => {
                let (uri, params) = split_around(text, at);
                Self::parse_bare(uri, params)
            }
            None => Self::parse_bare(text, ""),
        }
    }

    /// Reads a line of a list header: every element, empty ones skipped. Fails if one is no address.
    pub fn parse_list(text: &str) -> Result<Vec<NameAddr>, HeaderFault> {
        let mut rest = Some(text);
        let elements = std::iter::from_fn(|| {
            let (element, tail) = split_element(rest?);
            rest = tail;
            Some(element)
        });
        elements.filter(|element| !element.is_empty()).map(NameAddr::parse).collect()
    }

    /// The tag of a value, without reading the rest: where that is broken, the tag may be there all the same.
    pub(crate) fn tag_in(text: &str) -> Option<&str> {
        let at = find_unquoted(text, |byte| matches!(byte, b'<' | b';')).ok()??;
        let params = match split_around(text, at) {
            (_, rest) if text.as_bytes().get(at) == Some(&b'<') => split_at_byte(rest, b'>')?.1,
            (_, params) => params,
        };
        Params::value_in(params, "tag").filter(|tag| !tag.is_empty())
    }

    fn parse_brackets(text: &str, open: usize) -> Result<Parts<'_>, HeaderFault> {
        let (name, rest) = split_around(text, open);
        let (uri, after) = split_at_byte(rest, b'>').ok_or(HeaderFault::Brackets)?;
        let after = trim(after);
        if !after.is_empty() && !after.starts_with(';') {
            return Err(HeaderFault::Trailing(after.to_owned()));
        }
        let display_name = Self::parse_display_name(trim(name))?;
        Ok((display_name, Uri::parse(uri)?, after))
    }

    fn parse_display_name(name: &str) -> Result<Option<SmolStr>, HeaderFault> {
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(rest) = name.strip_prefix('"') {
            // Balanced as a whole already; what may go wrong is text behind the closing quote.
            let end = find_unquoted(name, |_| true).map_err(|_| HeaderFault::OpenQuote)?;
            return match end {
                None if rest.ends_with('"') => Ok(Some(unquote(name).into())),
                _ => Err(HeaderFault::DisplayName),
            };
        }
        if name.bytes().any(|byte| matches!(byte, b'"' | b',' | b'@')) {
            return Err(HeaderFault::DisplayName);
        }
        Ok(Some(name.into()))
    }

    fn parse_bare<'a>(uri: &str, params: &'a str) -> Result<Parts<'a>, HeaderFault> {
        let uri = trim(uri);
        if uri.as_bytes().contains(&b'?') {
            return Err(HeaderFault::BareUri);
        }
        Ok((None, Uri::parse(uri)?, params))
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&str> {
        self.params.value("tag").filter(|tag| !tag.is_empty())
    }

    /// The value of a header parameter, without quotes.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.params.unquoted(name)
    }

    /// The user part of `sip:` as on the wire, or the number of `tel:`.
    pub fn user(&self) -> Option<&str> {
        self.uri.user()
    }

    /// With a header parameter added or replaced.
    pub fn with_param(mut self, name: &str, value: Option<&str>) -> NameAddr {
        self.params.set(name, value);
        self
    }

    /// With a display name.
    pub fn with_display_name(mut self, name: &str) -> NameAddr {
        self.display_name = Some(name.into());
        self
    }
}

/// Always writes angle brackets, and the display name in quotes unless it is tokens and single spaces.
impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.display_name {
            let plain = !name.is_empty()
                && name.split(' ').all(|word| !word.is_empty() && word.bytes().all(is_token_byte));
            if plain {
                write!(f, "{name} ")?;
            } else {
                write!(f, "{} ", quote(name))?;
            }
        }
        f.write_str("<")?;
        self.uri.fmt(f)?;
        f.write_str(">")?;
        self.params.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("sip:a@b", "<sip:a@b>"),
            ("<sip:a@b>", "<sip:a@b>"),
            ("sip:a@b;tag=1", "<sip:a@b>;tag=1"),
            ("<sip:a@b;lr>;tag=1", "<sip:a@b;lr>;tag=1"),
            ("caller<sip:a@b>;tag=1", "caller <sip:a@b>;tag=1"),
            ("Bell Alexander  <sip:a@b>", "Bell Alexander <sip:a@b>"),
            ("\"Bell, Alexander\" <sip:a@b> ; tag = 1", "\"Bell, Alexander\" <sip:a@b>;tag=1"),
            ("\"<sip:x@y>;\\\"\" <sip:a@b>", "\"<sip:x@y>;\\\"\" <sip:a@b>"),
            ("\"\" <sip:a@b>", "\"\" <sip:a@b>"),
            ("Jörg (Büro) <sip:a@b>", "\"Jörg (Büro)\" <sip:a@b>"),
            ("<sip:a@b?Route=%3Csip:c%3E>", "<sip:a@b?Route=%3Csip:c%3E>"),
            ("<tel:+1-555-0100;phone-context=x>;tag=1", "<tel:+1-555-0100;phone-context=x>;tag=1"),
            ("<urn:service:sos>", "<urn:service:sos>"),
            (
                "\"J Rosenberg \\\\\\\"\"       <sip:j@e>  ;  tag = 98asjd8",
                "\"J Rosenberg \\\\\\\"\" <sip:j@e>;tag=98asjd8",
            ),
            ("<sip:a@b>;", "<sip:a@b>"),
            ("<sip:a@b;tag=1>;x=\";tag=2\";TAG=3;tag=4", "<sip:a@b;tag=1>;x=\";tag=2\";TAG=3;tag=4"),
            ("<sip:a@b>;tag;tag=1", "<sip:a@b>;tag;tag=1"),
            ("<sip:a@b>;tag=", "<sip:a@b>;tag="),
        ] {
            let value = NameAddr::parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
            assert_eq!(value.to_string(), written, "{text:?}");
            assert_eq!(NameAddr::tag_in(text), value.tag(), "{text:?}");
            assert_eq!(NameAddr::parse(written), Ok(value), "{text:?}");
        }
    }

    #[test]
    fn faults() {
        for (text, fault) in [
            ("", "empty"),
            ("\"Mr. J. User <sip:a@b>", "quoted string does not end"),
            ("Bell, Alexander <sip:a@b>;tag=43", "display name needs quotes"),
            ("\"a\" b <sip:a@b>", "display name needs quotes"),
            ("\"a\"\"b\"x <sip:a@b>", "display name needs quotes"),
            ("<sip:a@b", "unbalanced angle brackets"),
            ("sip:a@b>", "unbalanced angle brackets"),
            ("< sip:a@b>", "no URI scheme"),
            ("<sip:a@b >", "character that a URI must not contain"),
            ("<sip:a@b> x", "unexpected text 'x'"),
            ("<sip:a@b>, <sip:c@d>", "unexpected text ', <sip:c@d>'"),
            ("sip:a@b?Route=x", "URI needs angle brackets"),
            ("<sip:a@b>;tag=\"", "quoted string does not end"),
            ("<sip:a@b>;=x", "bad parameter '=x'"),
            ("*", "no URI scheme"),
        ] {
            assert_eq!(NameAddr::parse(text).unwrap_err().to_string(), fault, "{text:?}");
        }
    }

    #[test]
    fn parts() {
        let value = NameAddr::parse("\"A \\\"B\\\"\" <sip:u@h>;tag=t;text=\"x y\"").unwrap();
        assert_eq!(value.display_name.as_deref(), Some("A \"B\""));
        assert_eq!((value.tag(), value.user()), (Some("t"), Some("u")));
        assert_eq!(value.param("TEXT").as_deref(), Some("x y"));
    }
}
