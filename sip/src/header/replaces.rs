//! Replaces. RFC 3891 §6.1.

use std::fmt;

use super::HeaderFault;
use crate::grammar::{split_around, trim};
use crate::params::Params;

/// The dialog that a new INVITE takes the place of, named as its receiver knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// Call-ID.
    pub call_id: String,
    /// The local tag of whoever receives the INVITE; `0` for none (RFC 2543).
    pub to_tag: String,
    /// The remote tag of whoever receives the INVITE; `0` for none (RFC 2543).
    pub from_tag: String,
    /// Only while the dialog is early; else respond 486.
    pub early_only: bool,
}

impl Replaces {
    /// Reads `call-id;to-tag=x;from-tag=y;early-only`; both tags must be there, once.
    ///
    /// # Errors
    /// The Call-ID or a tag is missing, or a tag stands twice.
    pub fn parse(text: &str) -> Result<Replaces, HeaderFault> {
        let at = text.bytes().position(|byte| byte == b';').unwrap_or(text.len());
        let (call_id, params) = split_around(text, at);
        let call_id = trim(call_id);
        if call_id.is_empty() {
            return Err(HeaderFault::Empty);
        }
        if call_id.bytes().any(|byte| byte <= b' ' || matches!(byte, b',' | 127)) {
            return Err(HeaderFault::Trailing(call_id.to_owned()));
        }
        let params = Params::parse(params)?;
        let tag = |name: &str| {
            let mut found = params.iter().filter(|param| param.name.eq_ignore_ascii_case(name));
            match (found.next().and_then(|param| param.value), found.next()) {
                (_, Some(_)) => Err(HeaderFault::Repeated),
                (Some(tag), None) if !tag.is_empty() => Ok(tag.to_owned()),
                _ => Err(HeaderFault::Parameter(name.to_owned())),
            }
        };
        let (to_tag, from_tag) = (tag("to-tag")?, tag("from-tag")?);
        Ok(Replaces { call_id: call_id.to_owned(), to_tag, from_tag, early_only: params.has("early-only") })
    }

    /// Whether it names the dialog with these three, an empty tag standing for none. RFC 3891 §3.
    pub fn names(&self, call_id: &str, local_tag: &str, remote_tag: &str) -> bool {
        let same = |named: &str, tag: &str| named == tag || (named == "0" && tag.is_empty());
        self.call_id == call_id && same(&self.to_tag, local_tag) && same(&self.from_tag, remote_tag)
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        f.write_str(if self.early_only { ";early-only" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let plain = "98732@sip.example.com;to-tag=r33;from-tag=ff";
        for (text, written) in [
            (plain, Some(plain)),
            (" 98732@sip.example.com ; From-Tag = ff ; x=y; to-tag=r33 ", Some(plain)),
            ("a\"b;early-only;to-tag=0;from-tag=2", Some("a\"b;to-tag=0;from-tag=2;early-only")),
            ("a;to-tag=1", None),
            ("a;from-tag=1", None),
            ("a;to-tag=;from-tag=1", None),
            ("a;to-tag;from-tag=1", None),
            ("a;to-tag=1;to-tag=2;from-tag=1", None),
            ("a;to-tag=1;from-tag=1, b;to-tag=1;from-tag=1", None),
            ("a b;to-tag=1;from-tag=1", None),
            (";to-tag=1;from-tag=1", None),
            ("", None),
        ] {
            assert_eq!(
                Replaces::parse(text).ok().map(|value| value.to_string()).as_deref(),
                written,
                "{text:?}"
            );
        }
    }

    #[test]
    fn names_a_dialog() {
        for (text, expect) in [
            ("c;to-tag=l;from-tag=r", true),
            ("c;to-tag=r;from-tag=l", false),
            ("C;to-tag=l;from-tag=r", false),
            ("c;to-tag=0;from-tag=r", false),
        ] {
            assert_eq!(Replaces::parse(text).unwrap().names("c", "l", "r"), expect, "{text}");
        }
        let old = Replaces::parse("c;to-tag=l;from-tag=0").unwrap();
        assert!(old.names("c", "l", "") && old.names("c", "l", "0") && !old.names("c", "", "0"));
    }
}
