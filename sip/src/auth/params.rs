//! `Digest name=value, name="value" ...`: the shape that challenges and credentials share. RFC 3261 §25.1, RFC 7235 §2.1.

use std::fmt;
use std::ops::Range;

/// A header value that is no usable digest challenge or credentials. Text is safe to log: no value is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthHeaderError {
    /// Another scheme than Digest: try the next header field.
    #[error("the scheme is not Digest")]
    Scheme,
    /// Not a comma-separated list of `name=value`.
    #[error("not a list of name=value")]
    Syntax,
    /// A parameter that must be there is not.
    #[error("parameter {0} is missing")]
    Missing(&'static str),
    /// A parameter stands there twice, so which one counts is anybody's guess.
    #[error("parameter {0} is repeated")]
    Repeated(&'static str),
    /// An algorithm that we do not know: try the next header field.
    #[error("the algorithm is not known")]
    Algorithm,
    /// Only `auth-int` or something unknown: not supported.
    #[error("the qop is not auth")]
    Qop,
    /// `nc` is not eight hexadecimal digits.
    #[error("nc is not eight hexadecimal digits")]
    NonceCount,
    /// `userhash=true` or `username*`, RFC 7616 §3.4.4: not supported.
    #[error("userhash and username* are not supported")]
    Userhash,
}

/// The parameters in their order, names as written, values as between the quotes: escapes are left alone, since both
/// sides hash what stands there.
#[derive(Debug)]
pub(super) struct Params<'a>(Vec<(&'a str, &'a str)>);

/// The parameters of a challenge or of credentials, without the scheme in front: each name as written, and where its
/// value stands in `text`, between the quotes. Line breaks count as blanks.
///
/// Source: RFC 7235 §2.1; RFC 3261 §25.1.
pub fn parameters(text: &str) -> Result<Vec<(&str, Range<usize>)>, AuthHeaderError> {
    let mut params = Vec::with_capacity(10);
    let mut rest = text;
    loop {
        // Empty elements are allowed and seen: `a=b,,c=d` and a comma at the end.
        rest = rest.trim_start_matches([' ', '\t', ',', '\r', '\n']);
        if rest.is_empty() {
            return Ok(params);
        }
        let (name, value, after) = param(rest).ok_or(AuthHeaderError::Syntax)?;
        let start = text.len() - rest.len() + value.start;
        params.push((name, start..start + value.len()));
        rest = after.trim_start();
        if !rest.is_empty() && !rest.starts_with(',') {
            return Err(AuthHeaderError::Syntax);
        }
    }
}

impl<'a> Params<'a> {
    pub fn parse(value: &'a str) -> Result<Self, AuthHeaderError> {
        let value = value.trim();
        let (scheme, rest) = value.split_once([' ', '\t']).ok_or(AuthHeaderError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(AuthHeaderError::Scheme);
        }
        let text = |(name, range)| (name, rest.get(range).unwrap_or_default());
        Ok(Self(parameters(rest)?.into_iter().map(text).collect()))
    }

    /// The parameter, if it is there once.
    pub fn find(&self, name: &'static str) -> Result<Option<&'a str>, AuthHeaderError> {
        let mut found =
            self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err(AuthHeaderError::Repeated(name)),
        }
    }

    pub fn need(&self, name: &'static str) -> Result<&'a str, AuthHeaderError> {
        self.find(name)?.ok_or(AuthHeaderError::Missing(name))
    }

    pub fn is_true(&self, name: &'static str) -> Result<bool, AuthHeaderError> {
        Ok(self.find(name)?.is_some_and(|value| value.eq_ignore_ascii_case("true")))
    }
}

/// Name, where the value stands, and what follows.
fn param(text: &str) -> Option<(&str, Range<usize>, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim_end();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return None;
    }
    let value = value.trim_start();
    let start = text.len() - value.len();
    match value.strip_prefix('"') {
        Some(quoted) => {
            let end = closing_quote(quoted)?;
            Some((name, start + 1..start + 1 + end, quoted.get(end + 1..)?))
        }
        None => {
            let end = value.find([',', ' ', '\t', '\r', '\n']).unwrap_or(value.len());
            let (value, after) = value.split_at_checked(end)?;
            (!value.contains('"')).then_some((name, start..start + end, after))
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    })
}

/// A value in quotes. What stood between quotes comes out unchanged; a bare quote is escaped and control characters are
/// left out, so no value can end the string or the line.
pub(super) struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let mut letters = self.0.chars().filter(|letter| !letter.is_control());
        while let Some(letter) = letters.next() {
            match letter {
                '"' => f.write_str("\\\"")?,
                '\\' => match letters.next() {
                    Some(escaped) => write!(f, "\\{escaped}")?,
                    None => f.write_str("\\\\")?,
                },
                _ => write!(f, "{letter}")?,
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read() {
        let check = |text: &str, expect: &[(&str, &str)]| {
            assert_eq!(Params::parse(text).map(|params| params.0).as_deref(), Ok(expect), "{text}");
        };
        check(r#"Digest a="b", c=d"#, &[("a", "b"), ("c", "d")]);
        check(r#"digest   a = "b,=c" ,c=d,, e="",  "#, &[("a", "b,=c"), ("c", "d"), ("e", "")]);
        check(r#"DIGEST a="q\"\\",b=x=="#, &[("a", r#"q\"\\"#), ("b", "x==")]);
        check("Digest ,", &[]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let check = |text: &str, expect| assert_eq!(Params::parse(text).err(), Some(expect), "{text}");
        check("", AuthHeaderError::Scheme);
        check("Digest", AuthHeaderError::Scheme);
        check("Basic QWxhZGRpbg==", AuthHeaderError::Scheme);
        check("Digest a", AuthHeaderError::Syntax);
        check("Digest =b", AuthHeaderError::Syntax);
        check("Digest a b=c", AuthHeaderError::Syntax);
        check(r#"Digest a="b"#, AuthHeaderError::Syntax);
        check(r#"Digest a="b"c"#, AuthHeaderError::Syntax);
        check(r#"Digest a=b"c""#, AuthHeaderError::Syntax);
        check(r#"Digest a="b\""#, AuthHeaderError::Syntax);
    }

    #[test]
    fn repeated_parameters_are_refused() {
        let params = Params::parse("Digest a=1, A=2").unwrap();
        assert_eq!(params.find("a"), Err(AuthHeaderError::Repeated("a")));
        assert_eq!(params.need("b"), Err(AuthHeaderError::Missing("b")));
    }

    #[test]
    fn no_value_gets_out_of_its_quotes() {
        let check = |value: &str, expect: &str| assert_eq!(Quoted(value).to_string(), expect);
        check("plain", r#""plain""#);
        check(r#"q\"\\"#, r#""q\"\\""#);
        check("a\"b\r\nX: y\\", r#""a\"bX: y\\""#);
    }
}
