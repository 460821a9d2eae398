//! The headers of session timers in a message. RFC 4028.

use crate::header::{Refresher, SessionExpires};
use crate::{HeaderError, Message, MinSe, Name};

/// What an INVITE or UPDATE, or a response to one, says of session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SessionHeaders {
    /// `timer` in Supported or Require.
    pub supported: bool,
    /// Session-Expires.
    pub expires: Option<SessionExpires>,
    /// Min-SE.
    pub min_se: Option<MinSe>,
}

impl SessionHeaders {
    /// Reads them off `message`. A broken one is an error: respond 400 to a request, and read over it in a response.
    ///
    /// # Errors
    /// A header that can't be read.
    pub fn of(message: &Message) -> Result<SessionHeaders, HeaderError> {
        let mut tags = message.values(Name::Supported).chain(message.values(Name::Require));
        let supported = tags.any(|tag| tag.eq_ignore_ascii_case("timer"));
        let at = |name| move |fault| HeaderError { name, fault };
        let expires = message.value(Name::SessionExpires).map(|text| SessionExpires::parse(&text));
        let min_se = message.value(Name::MinSe).map(|text| MinSe::parse(&text));
        Ok(SessionHeaders {
            supported,
            expires: expires.transpose().map_err(at(Name::SessionExpires))?,
            min_se: min_se.transpose().map_err(at(Name::MinSe))?,
        })
    }
}

/// What we want of the sessions with a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPolicy {
    /// The session interval that we ask for, in seconds, and keep up alone with a peer that knows no session timers;
    /// `None` takes part where the peer asks.
    pub interval: Option<u32>,
    /// The shortest interval that we bear; [`MinSe::LEAST`] or more.
    pub least: MinSe,
}

impl SessionPolicy {
    /// The interval of our wish, if we have one: as long as `least` and our own least.
    pub(super) fn wish(&self, least: MinSe) -> Option<u32> {
        self.interval.map(|interval| interval.max(least.0).max(self.least()))
    }

    /// What our 2xx says to a request that says `asked`; an error is the Min-SE of the 422 to respond instead.
    ///
    /// ```text
    ///  peer supports timer | refresher asked | refresher answered
    ///  no                  | any             | uas
    ///  yes                 | none            | uac: the peer
    ///  yes                 | uac or uas      | as asked
    /// ```
    ///
    /// A peer without support can't understand a 422, and a too short interval is not its own but that of a proxy: it
    /// is read over. RFC 4028 §9 and table 2.
    pub(super) fn answer(&self, asked: &SessionHeaders) -> Result<SessionAnswer, MinSe> {
        let least = asked.min_se.unwrap_or(MinSe::LEAST);
        let too_short = asked.expires.is_some_and(|expires| expires.interval < self.least());
        if too_short && asked.supported {
            return Err(MinSe(self.least()));
        }
        let expires = asked.expires.filter(|_| !too_short);
        let interval = match (self.wish(least), expires) {
            (wish, Some(expires)) => Some(wish.unwrap_or(expires.interval).min(expires.interval)),
            (wish, None) => wish,
        };
        let refresher = match expires.and_then(|expires| expires.refresher) {
            _ if !asked.supported => Refresher::Uas,
            Some(refresher) => refresher,
            None => Refresher::Uac,
        };
        let expires = interval.map(|interval| SessionExpires { interval, refresher: Some(refresher) });
        Ok(SessionAnswer { expires, required: expires.is_some() && asked.supported })
    }

    fn least(&self) -> u32 {
        self.least.max(MinSe::LEAST).0
    }
}

/// What our 2xx to an INVITE or UPDATE says of session timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionAnswer {
    /// Session-Expires, always with a refresher; `None` ends the session timer.
    pub expires: Option<SessionExpires>,
    /// `Require: timer`: the peer knows session timers.
    pub required: bool,
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::unchecked;
    use super::*;
    use crate::HeaderFault;

    #[test]
    fn reads_a_message() {
        let read =
            |lines: &[&str]| SessionHeaders::of(&unchecked(&[&["UPDATE sip:a@b SIP/2.0"], lines].concat()));
        assert_eq!(read(&["Supported: 100rel"]), Ok(SessionHeaders::default()));
        let expect = SessionHeaders {
            supported: true,
            expires: Some(SessionExpires { interval: 1_800, refresher: Some(Refresher::Uac) }),
            min_se: Some(MinSe(120)),
        };
        assert_eq!(read(&["k: 100rel, Timer", "x: 1800;refresher=uac", "Min-SE: 120"]), Ok(expect));
        assert_eq!(read(&["Require: timer"]).map(|headers| headers.supported), Ok(true));
        for (line, name) in [("Session-Expires: a", Name::SessionExpires), ("Min-SE: a", Name::MinSe)] {
            assert_eq!(read(&[line]), Err(HeaderError { name, fault: HeaderFault::Number("a".into()) }));
        }
    }

    /// What we want; what a request says; what the 2xx says, or the 422.
    #[test]
    fn answers_as_table_2_has_it() {
        for (wish, request, expect) in [
            // Nobody wants a timer.
            (None, &["Supported: timer"][..], Ok("none")),
            (None, &[], Ok("none")),
            // The peer wants one.
            (None, &["Supported: timer", "Session-Expires: 1800"], Ok("1800;refresher=uac, required")),
            (
                None,
                &["Supported: timer", "Session-Expires: 1800;refresher=uac"],
                Ok("1800;refresher=uac, required"),
            ),
            (
                None,
                &["Supported: timer", "Session-Expires: 1800;refresher=uas"],
                Ok("1800;refresher=uas, required"),
            ),
            // A proxy wants one.
            (None, &["Session-Expires: 1800"], Ok("1800;refresher=uas")),
            (None, &["Session-Expires: 1800;refresher=uac"], Ok("1800;refresher=uas")),
            // We want one.
            (Some(600), &["Supported: timer"], Ok("600;refresher=uac, required")),
            (Some(600), &["Supported: timer", "Min-SE: 900"], Ok("900;refresher=uac, required")),
            (Some(600), &[], Ok("600;refresher=uas")),
            // Both: shorter is allowed down to Min-SE, longer never.
            (Some(600), &["Supported: timer", "Session-Expires: 1800"], Ok("600;refresher=uac, required")),
            (
                Some(600),
                &["Supported: timer", "Session-Expires: 1800", "Min-SE: 900"],
                Ok("900;refresher=uac, required"),
            ),
            (Some(600), &["Supported: timer", "Session-Expires: 300"], Ok("300;refresher=uac, required")),
            (
                Some(600),
                &["Supported: timer", "Session-Expires: 300", "Min-SE: 900"], // A contradiction.
                Ok("300;refresher=uac, required"),
            ),
            // Too short.
            (Some(600), &["Supported: timer", "Session-Expires: 119"], Err(120)),
            (None, &["Supported: timer", "Session-Expires: 0"], Err(120)),
            (None, &["Session-Expires: 119"], Ok("none")),
            (Some(600), &["Session-Expires: 119"], Ok("600;refresher=uas")),
            (None, &["Supported: timer", "Session-Expires: 120"], Ok("120;refresher=uac, required")),
        ] {
            let policy = SessionPolicy { interval: wish, least: MinSe(120) };
            let request = unchecked(&[&["INVITE sip:a@b SIP/2.0"], request].concat());
            let answer = policy.answer(&SessionHeaders::of(&request).unwrap());
            let answer = answer.map_err(|min_se| min_se.0).map(|answer| {
                let expires = answer.expires.map_or("none".to_owned(), |expires| expires.to_string());
                expires + if answer.required { ", required" } else { "" }
            });
            let expect = expect.map(str::to_owned);
            assert_eq!(answer, expect, "{wish:?} {}", String::from_utf8_lossy(request.bytes()));
        }
    }

    #[test]
    fn nobody_bears_less_than_90_seconds() {
        let policy = SessionPolicy { interval: Some(1), least: MinSe(0) };
        let asked = |interval| SessionHeaders {
            supported: true,
            expires: Some(SessionExpires { interval, refresher: None }),
            min_se: Some(MinSe(0)),
        };
        assert_eq!(policy.answer(&asked(89)), Err(MinSe(90)));
        assert_eq!(policy.answer(&asked(900)).unwrap().expires.unwrap().interval, 90);
    }
}
