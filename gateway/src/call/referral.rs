//! A REFER that we took: its sender hears what comes of it, by NOTIFY. RFC 3515 §2.4.

use std::time::{Duration, Instant};

use sip::dialog::{ReferNotifier, ReferNotifierOutput, Sipfrag};
use sip::{Message, Method, Name, StatusCode};

use super::cx::Cx;
use super::io::{Failure, RequestId};
use super::leg::Leg;
use super::sent::{Login, Sent};

/// How long a subscription lasts: longer than any set-up of a call.
const LASTS: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Referral {
    /// None where the sender wants to hear nothing (`Refer-Sub: false`, RFC 4488).
    notifier: Option<ReferNotifier>,
    /// Event of its NOTIFYs.
    event: String,
    /// The NOTIFY under way.
    sent: Option<Sent>,
    /// The NOTIFY came after a later request of ours, and was sent again.
    overtaken: bool,
}

impl Referral {
    /// `refer` is answered with 202.
    pub fn new(cx: &Cx<'_>, refer: &Message) -> Self {
        let silent =
            refer.value(Name::ReferSub).is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        let number = refer.cseq().map_or(0, |cseq| cseq.number);
        Referral {
            notifier: (!silent).then(|| ReferNotifier::new(cx.now.instant, LASTS)),
            event: format!("refer;id={number}"),
            sent: None,
            overtaken: false,
        }
    }

    /// Whether its sender wants to hear nothing.
    pub fn is_silent(&self) -> bool {
        self.notifier.is_none()
    }

    /// Whether everything is said, and heard.
    pub fn is_over(&self) -> bool {
        self.sent.is_none() && self.notifier.as_ref().is_none_or(ReferNotifier::is_terminated)
    }

    /// Sends what is to be sent.
    ///
    /// - `leg`: of its sender.
    pub fn drain(&mut self, cx: &mut Cx<'_>, leg: &mut Leg) {
        let next = self.notifier.as_mut().and_then(ReferNotifier::poll_output);
        if let Some(ReferNotifierOutput::Notify(state, fragment)) = next {
            let (builder, hop) = leg.request(Method::Notify, cx.tokens);
            let notify = builder
                .header(Name::Event, &self.event)
                .header(Name::SubscriptionState, state.to_string())
                .body(Sipfrag::CONTENT_TYPE, fragment.to_string().into());
            self.sent = Some(Sent::new(cx, notify.build(), hop));
        }
    }

    /// The call that was asked for came so far.
    pub fn tell(&mut self, cx: &mut Cx<'_>, leg: &mut Leg, status: StatusCode) {
        if let Some(notifier) = &mut self.notifier {
            notifier.handle_status(cx.now.instant, status);
        }
        self.drain(cx, leg);
    }

    /// A SUBSCRIBE to it came: what to respond as Expires; none where there is no such subscription. RFC 6665 §4.2.1.
    pub fn subscribed(&mut self, cx: &mut Cx<'_>, leg: &mut Leg, message: &Message) -> Option<u32> {
        let expires = message.value(Name::Expires).and_then(|value| value.trim().parse().ok());
        let granted = self.notifier.as_mut()?.handle_subscribe(cx.now.instant, expires).ok();
        self.drain(cx, leg);
        granted
    }

    /// A response came. `false`: not to the NOTIFY under way.
    pub fn heard(
        &mut self,
        cx: &mut Cx<'_>,
        (leg, login): (&mut Leg, &Login),
        request: RequestId,
        message: &Message,
    ) -> bool {
        let mine = self.sent.as_mut().filter(|sent| sent.id == request);
        let known = mine.is_some();
        if let (Some(sent), Some(status)) = (mine, message.status().filter(|status| status.is_final())) {
            let challenge = matches!(status.code(), 401 | 407);
            if status.code() == 500 && !std::mem::replace(&mut self.overtaken, true) {
                sent.number_anew(cx, leg);
            } else if !(challenge && sent.authenticate_in(cx, message, login, leg)) {
                self.answered(cx, leg, status);
            }
        }
        known
    }

    /// No response will come. `false`: not to the NOTIFY under way.
    pub fn lost(&mut self, cx: &mut Cx<'_>, leg: &mut Leg, request: RequestId, lost: Failure) -> bool {
        let mine = self.sent.as_mut().filter(|sent| sent.id == request);
        let known = mine.is_some();
        if let Some(sent) = mine
            && !(lost == Failure::Transport && sent.repeat_in(cx, leg, false))
        {
            self.answered(cx, leg, StatusCode::REQUEST_TIMEOUT);
        }
        known
    }

    fn answered(&mut self, cx: &mut Cx<'_>, leg: &mut Leg, status: StatusCode) {
        self.sent = None;
        self.overtaken = false;
        if let Some(notifier) = &mut self.notifier {
            notifier.handle_response(cx.now.instant, status);
        }
        self.drain(cx, leg);
    }

    /// Deadlines of the subscription.
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>, leg: &mut Leg) {
        if let Some(notifier) = &mut self.notifier {
            notifier.handle_timeout(cx.now.instant);
        }
        self.drain(cx, leg);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.notifier.as_ref().and_then(ReferNotifier::poll_timeout)
    }
}

/// A referral whose sender has no call with us any more: the subscription outlives it (RFC 5057 §5.2).
#[derive(Debug)]
pub(super) struct Subscriber {
    pub referral: Referral,
    pub leg: Leg,
    pub login: Login,
}

impl Subscriber {
    /// A response came. `false`: it is for somebody else.
    pub fn heard(&mut self, cx: &mut Cx<'_>, request: RequestId, message: &Message) -> bool {
        self.referral.heard(cx, (&mut self.leg, &self.login), request, message)
    }

    /// No response will come. `false`: it is for somebody else.
    pub fn lost(&mut self, cx: &mut Cx<'_>, request: RequestId, lost: Failure) -> bool {
        self.referral.lost(cx, &mut self.leg, request, lost)
    }

    /// What the call that was asked for came to.
    pub fn tell(&mut self, cx: &mut Cx<'_>, status: StatusCode) {
        self.referral.tell(cx, &mut self.leg, status);
    }
}
