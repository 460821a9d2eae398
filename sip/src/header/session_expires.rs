//! Session-Expires. RFC 4028 §4.

use std::fmt;

use super::{HeaderFault, MinSe};
use crate::grammar::{split_around, trim};
use crate::params::Params;

/// How long a session lasts without a refresh, and which side of the request refreshes it.
///
/// Other parameters are read over: the header crosses no gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionExpires {
    /// The session interval, in seconds.
    pub interval: u32,
    /// `None` in a request leaves the choice to the answering side.
    pub refresher: Option<Refresher>,
}

/// Who refreshes, told from the request that carries or caused the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answered it.
    Uas,
}

impl SessionExpires {
    /// Reads `seconds;refresher=uac|uas`. A refresher that is neither counts as not given.
    ///
    /// # Errors
    /// The interval is missing or no number.
    pub fn parse(text: &str) -> Result<SessionExpires, HeaderFault> {
        let at = text.bytes().position(|byte| byte == b';').unwrap_or(text.len());
        let (seconds, params) = split_around(text, at);
        let interval = MinSe::parse(seconds)?.0;
        let params = Params::parse(params)?;
        let refresher = match params.unquoted("refresher") {
            Some(side) if trim(&side).eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if trim(&side).eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        };
        Ok(SessionExpires { interval, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for (text, written) in [
            ("1800", Some("1800")),
            (" 090 ; Refresher = UAC ", Some("90;refresher=uac")),
            ("4000;x=y;refresher=uas", Some("4000;refresher=uas")),
            ("4000;refresher=\"uas\"", Some("4000;refresher=uas")),
            ("4000;refresher=me", Some("4000")),
            ("4000;refresher", Some("4000")),
            ("0", Some("0")),
            ("4294967295;", Some("4294967295")),
            ("4294967296", None),
            ("-1", None),
            ("90s", None),
            ("90 uac", None),
            (";refresher=uac", None),
            ("90;refresher=\"uac", None),
            ("", None),
        ] {
            let read = SessionExpires::parse(text).ok();
            assert_eq!(read.map(|value| value.to_string()).as_deref(), written, "{text:?}");
        }
    }
}
