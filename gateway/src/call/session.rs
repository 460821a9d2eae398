//! Session timers in messages: what ours say, and what theirs said. Each leg has a timer of its own, so that
//! Session-Expires and Min-SE cross nowhere. RFC 4028.

use sip::dialog::{SessionAnswer, SessionHeaders, SessionPolicy, SessionTimer};
use sip::{Builder, Message, Method, MinSe, Name};

use super::leg::End;

/// A timer that has agreed on nothing yet.
///
/// - `interval`: what we ask for, in seconds; `None`: we go along with what the peer asks.
pub fn session_timer_with(interval: Option<u32>) -> SessionTimer {
    SessionTimer::new(policy(interval))
}

pub(super) fn policy(interval: Option<u32>) -> SessionPolicy {
    SessionPolicy { interval, least: MinSe::LEAST }
}

impl End {
    /// The session timer of a dialog with this party.
    pub(super) fn session_timer(&self) -> SessionTimer {
        session_timer_with(self.profile.session_timer)
    }
}

/// Whether a request begins the session interval anew.
pub(super) fn refreshes(method: Option<Method>) -> bool {
    matches!(method, Some(Method::Invite | Method::Update))
}

/// A request of ours, with what `timer` wants said in place of what it said before.
pub(super) fn asking(builder: Builder, timer: &SessionTimer) -> Builder {
    let SessionHeaders { expires, min_se, .. } = timer.request();
    let mut builder = builder.remove(Name::SessionExpires).remove(Name::MinSe);
    if let Some(expires) = expires {
        builder = builder.header(Name::SessionExpires, expires.to_string());
    }
    match min_se {
        Some(min_se) => builder.header(Name::MinSe, min_se.to_string()),
        None => builder,
    }
}

/// The same for a request that says what we support for the first time.
pub(super) fn offering(builder: Builder, timer: &SessionTimer) -> Builder {
    asking(builder.header(Name::Supported, "timer, replaces"), timer)
}

/// A 2xx of ours.
pub(super) fn answering(response: &Message, answer: SessionAnswer) -> Message {
    let Some(expires) = answer.expires else { return response.clone() };
    let builder = response.edit().header(Name::SessionExpires, expires.to_string());
    match answer.required {
        true => builder.header(Name::Require, "timer").build(),
        false => builder.build(),
    }
}

/// What a message says; what can't be read counts as not said, since no call is lost for a header that only keeps it.
pub(super) fn said(message: &Message) -> SessionHeaders {
    SessionHeaders::of(message).unwrap_or_default()
}
