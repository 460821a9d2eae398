//! What a body says that it is: `Content-Type`, of a message or of a part. RFC 3261 §25.1 `media-type`, RFC 2045 §5.1.
//!
//! One reader for all: two that disagree on a spelling are two ways around whatever was decided for a type.

use std::borrow::Cow;

use smol_str::{SmolStr, SmolStrBuilder};

use crate::grammar::{is_token, trim, unquote};
use crate::params::Params;

/// A media type with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    /// `application/sdp`, in lower case.
    name: SmolStr,
    /// As they stand: a broken one makes no other type of it.
    params: SmolStr,
}

impl MediaType {
    /// Reads the value of a Content-Type: `type / subtype ; name = value`, white space and folds anywhere between.
    ///
    /// `None` for anything else: quotes or comments around the type, a list, a type without a subtype.
    pub fn parse(value: &str) -> Option<MediaType> {
        let (name, params) = value.split_once(';').unwrap_or((value, ""));
        let (kind, subtype) = name.split_once('/')?;
        let (kind, subtype) = (trim(kind), trim(subtype));
        if !is_token(kind.as_bytes()) || !is_token(subtype.as_bytes()) {
            return None;
        }
        let mut lower = SmolStrBuilder::new();
        let letters = kind.chars().chain(['/']).chain(subtype.chars());
        letters.for_each(|letter| lower.push(letter.to_ascii_lowercase()));
        Some(MediaType { name: lower.finish(), params: params.into() })
    }

    /// Type and subtype in lower case, as [`MediaType::is`] compares them: `application/sdp`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is this type, `application/sdp`, whatever its parameters.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether the body has parts: `multipart/...`. RFC 2046 §5.1.
    pub fn is_multipart(&self) -> bool {
        self.name.starts_with("multipart/")
    }

    /// The value of a parameter, its quotes taken off.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        Params::value_in(&self.params, name).map(unquote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_the_grammar_has_them() {
        for value in [
            "application/sdp",
            "application / sdp",
            " Application\t/\r\n SDP ",
            "application/sdp;",
            "application/sdp; charset=utf 8, x",
            "application/sdp;charset=\"utf-8",
            "application/sdp ; charset = \"utf-8;x\" ; y",
        ] {
            assert!(MediaType::parse(value).is_some_and(|one| one.is("application/sdp")), "{value:?}");
        }
    }

    #[test]
    fn what_is_no_type_is_none() {
        for value in [
            "",
            "sdp",
            "application/",
            "/sdp",
            "app lication/sdp",
            "application/sdp x",
            "application/sdp (comment)",
            "\"application/sdp\"",
            "application/sdp, text/plain",
            "application/sdp/x",
            "application/sdp\0",
        ] {
            assert_eq!(MediaType::parse(value), None, "{value:?}");
        }
    }

    #[test]
    fn parameters_lose_their_quotes() {
        let read =
            MediaType::parse("multipart/related;type=\"a;boundary=c\"; Boundary = \"b\\\"c\"").unwrap();
        assert!(read.is_multipart());
        assert_eq!(read.name(), "multipart/related");
        assert_eq!(read.param("boundary").as_deref(), Some("b\"c"));
        assert_eq!(read.param("charset"), None);
        let broken = MediaType::parse("multipart/mixed;x=y z;boundary=b;u=\"v").unwrap();
        assert_eq!(broken.param("boundary").as_deref(), Some("b"));
        assert_eq!(broken.param("u"), None);
    }
}
