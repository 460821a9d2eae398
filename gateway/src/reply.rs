//! Why a request is refused or a call ended, and how its sender is told.

use std::time::Duration;

use config::{Prack, Refer};
use sip::text::{shared_phrase, word};
use sip::{Builder, Message, Name, StatusCode};
use smol_str::SmolStr;

/// The methods that we take. RFC 3261 §20.5.
pub const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, PRACK, UPDATE, INFO";

/// The value of Supported for a party with these `peer.prack` and `peer.refer`: what is ours on its leg, whatever the other side
/// knows. RFC 3262, 4028, 3891, 4488.
pub fn supported(prack: Prack, refer: Refer) -> &'static str {
    match (prack != Prack::Off, refer == Refer::Handle) {
        (true, true) => "100rel, timer, replaces, norefersub",
        (true, false) => "100rel, timer, replaces",
        (false, true) => "timer, replaces, norefersub",
        (false, false) => "timer, replaces",
    }
}

/// Why a call was refused or ended: a status and a text for the reason phrase, the `Reason` header, the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What a response says of it.
    pub status: StatusCode,
    /// In words, short and without controls.
    pub text: SmolStr,
    /// `Retry-After`, where the peer may come again.
    pub retry_after: Option<Duration>,
}

impl Cause {
    /// `status` outside 300..=699 counts as 500. The text is cut to the length of a reason phrase, and loses controls:
    /// words of a peer may be in it.
    pub fn new(status: u16, text: impl Into<SmolStr>) -> Cause {
        let status = StatusCode::new(status).unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        Cause { status, text: shared_phrase(&text.into()), retry_after: None }
    }

    /// The same for who may come again after so long: there is too much to do now. RFC 3261 §21.5.4.
    pub fn later(self, after: Duration) -> Cause {
        Cause { retry_after: Some(after), ..self }
    }

    /// The value of a `Reason` header (RFC 3326).
    pub fn reason(&self) -> String {
        let text: String =
            self.text.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
        format!("SIP;cause={};text=\"{text}\"", self.status.code())
    }

    /// The `Reason` of a CANCEL.
    pub fn says(&self) -> Vec<(Name, String)> {
        vec![(Name::Reason, self.reason())]
    }

    /// The answer to `request` that says so. The cause stands in the reason phrase and in `Reason`.
    pub fn reply(&self, request: &Message, to_tag: Option<&str>) -> Builder {
        let reply = Builder::reply(request, self.status, &self.text, to_tag);
        let reply = reply.header(Name::Reason, self.reason());
        match self.retry_after {
            Some(after) => reply.header(Name::RetryAfter, after.as_secs().max(1).to_string()),
            None => reply,
        }
    }
}

/// The option tags that a request demands and that we have not, for the answer to it (RFC 3261 §8.2.2.3); `None`: it
/// demands nothing more. The first few do: who demands more than these hears of the others when it comes again.
///
/// - `reliable`: whether we take `100rel` from it. `replaces` we take from everybody.
pub(crate) fn demanded_beside_100rel(message: &Message, reliable: bool) -> Option<String> {
    let is = |tag: &str, ours: &str| tag.eq_ignore_ascii_case(ours);
    demanded_but(message, |tag| !(is(tag, "replaces") || reliable && is(tag, "100rel")))
}

/// The same of a recording client, whose sessions are `siprec`. RFC 7866 §5.1.
pub(crate) fn demanded_of_recorder(message: &Message) -> Option<String> {
    demanded_but(message, |tag| !tag.eq_ignore_ascii_case(sip::siprec::OPTION_TAG))
}

/// The option tags of Require that are `unknown`. `timer` is not: each leg keeps its session timer (RFC 4028).
pub(crate) fn demanded_but(message: &Message, unknown: impl Fn(&str) -> bool) -> Option<String> {
    const MOST: usize = 8;
    let tags = message.values(Name::Require).filter(|tag| !tag.eq_ignore_ascii_case("timer") && unknown(tag));
    let tags: Vec<String> = tags.take(MOST).map(|tag| word(&tag)).collect();
    (!tags.is_empty()).then(|| tags.join(", "))
}
