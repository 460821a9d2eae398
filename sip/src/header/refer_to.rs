//! Refer-To. RFC 3515 §2.1.

use std::fmt;

use super::{HeaderFault, NameAddr, Replaces};
use crate::method::Method;
use crate::uri::{Uri, unescape};

/// Whom a REFER asks us to contact, and how.
///
/// Of the header fields that its URI may bring along only Replaces is kept: a peer does not write our requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferTo {
    /// The target, fit for a request line: without method and header fields.
    pub uri: Uri,
    /// INVITE unless the URI says otherwise.
    pub method: Method,
    /// The dialog at the target that the new one takes the place of.
    pub replaces: Option<Replaces>,
}

impl ReferTo {
    /// Reads a name-addr or addr-spec; a URI with header fields needs its angle brackets.
    ///
    /// # Errors
    /// What is wrong with the URI, or with the Replaces in it.
    pub fn parse(text: &str) -> Result<ReferTo, HeaderFault> {
        let mut uri = NameAddr::parse(text)?.uri;
        let (mut method, mut replaces) = (Method::Invite, None);
        if let Uri::Sip(sip) = &mut uri {
            if let Some(named) = sip.params.value("method") {
                let named = unescape(named);
                method = Method::parse(&named).ok_or(HeaderFault::Method(named.into_owned()))?;
            }
            sip.params.remove("method");
            for field in sip.headers.take().iter().flat_map(|headers| headers.split('&')) {
                let (name, value) = field.split_once('=').unwrap_or((field, ""));
                if !unescape(name).eq_ignore_ascii_case("replaces") {
                    continue;
                }
                if replaces.is_some() {
                    return Err(HeaderFault::Repeated);
                }
                replaces = Some(Replaces::parse(&unescape(value))?);
            }
        }
        Ok(ReferTo { uri, method, replaces })
    }
}

/// Always in angle brackets. Only a `sip:` target can carry the method and Replaces.
impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut uri = self.uri.clone();
        if let Uri::Sip(sip) = &mut uri {
            if self.method != Method::Invite {
                sip.params.set("method", Some(self.method.as_str()));
            }
            sip.headers =
                self.replaces.as_ref().map(|replaces| format!("Replaces={}", escape(replaces)).into());
        }
        write!(f, "<{uri}>")
    }
}

/// Escapes all but `unreserved`. RFC 3261 §25.1 `hvalue`.
fn escape(replaces: &Replaces) -> String {
    let mut escaped = String::new();
    for byte in replaces.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let replaces = "Replaces=c%40h%3Bto-tag%3D1%3Bfrom-tag%3D2";
        let attended = format!("<sip:a@b?{replaces}>");
        for (text, written) in [
            ("sip:a@b", Some("<sip:a@b>")),
            ("\"A\" <sip:a@b;user=phone>;x=y", Some("<sip:a@b;user=phone>")),
            ("<sip:a@b;method=INVITE>", Some("<sip:a@b>")),
            ("<sip:a@b;Method=BYE;x>", Some("<sip:a@b;x;method=BYE>")),
            (&attended, Some(attended.as_str())),
            ("<sip:a@b?Require=replaces&replaces=c%40h;to-tag=1;from-tag=2&X=y>", Some(attended.as_str())),
            ("<tel:+15550100>", Some("<tel:+15550100>")),
            ("<http://a/b>", Some("<http://a/b>")),
            ("<sip:a@b?Subject=x>", Some("<sip:a@b>")),
            ("<sip:a@b?Replaces=c@h;to-tag=1;from-tag=2>", None), // An "@" must be escaped there.
            ("<sip:a@b?Replaces=c%0D%0AX:;to-tag=1;from-tag=2>", None),
            ("<sip:a@b?Replaces>", None),
            ("<sip:a@b?Replaces=c>", None),
            ("<sip:a@b;method=%20>", None),
            (&format!("<sip:a@b?{replaces}&{replaces}>"), None),
            ("sip:a@b?Subject=x", None),
            ("<sip:a@b", None),
            ("", None),
        ] {
            assert_eq!(
                ReferTo::parse(text).ok().map(|value| value.to_string()).as_deref(),
                written,
                "{text:?}"
            );
        }
        let replaces = ReferTo::parse(&attended).unwrap().replaces.unwrap();
        assert_eq!(replaces.to_string(), "c@h;to-tag=1;from-tag=2");
    }
}
