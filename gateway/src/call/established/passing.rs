//! REFER where `peer.refer` is `"pass"`: the other party is asked itself, and what it tells of it by NOTIFY crosses back, as
//! SUBSCRIBE does on the way of the REFER. RFC 3515, RFC 6665.
//!
//! ```text
//! asker            gateway                     other party
//!   |----REFER------>|  Action::PassRefer, Event::PassesRefer
//!   |                |----REFER, Refer-To with our host-->|
//!   |<---202---------|<---202-----------------------------|
//!   |<---NOTIFY------|<---NOTIFY, of this REFER-----------|
//! ```

use std::time::{Duration, Instant};

use sip::dialog::{ReferSubscriber, Sipfrag};
use sip::header::{ReferTo, Replaces, SubscriptionState};
use sip::transaction::{ServerId, Timers};
use sip::{Message, Method, Name, NameAddr, StatusCode, Uri};

use super::{Crossing, Established};
use crate::call::cx::Cx;
use crate::call::in_dialog;
use crate::call::io::{Action, Passing};
use crate::media::Side;
use crate::reply::Cause;

/// The longest from one NOTIFY to the next.
const LASTS: Duration = Duration::from_secs(300);

/// A REFER that the other party was sent, and what is awaited of it.
#[derive(Debug)]
pub(super) struct Passed {
    /// Who asked.
    by: Side,
    /// The CSeq of the REFER, by which each side names the subscription: the asker's, and ours to the other party.
    asked: u32,
    sent: u32,
    subscriber: ReferSubscriber,
    /// Until it has left.
    refer: Option<(ServerId, Message, Option<Replaces>)>,
}

impl Established {
    /// Whether something is awaited of a REFER that crossed.
    pub(super) fn passes(&self) -> bool {
        self.passed.as_ref().is_some_and(|passed| !passed.subscriber.is_terminated())
    }

    /// A REFER that is for the other party.
    pub(super) fn pass_refer(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        (server, message): (ServerId, &Message),
        user: String,
        replaces: Option<Replaces>,
    ) {
        let asked = message.cseq().map_or(0, |cseq| cseq.number);
        let subscriber = ReferSubscriber::new(Timers::default(), LASTS);
        let refer = Some((server, message.clone(), replaces.clone()));
        self.passed = Some(Box::new(Passed { by: side, asked, sent: 0, subscriber, refer }));
        let party = |side| self.legs.of(side).flow.party.clone();
        let (by, to) = (party(side), party(side.other()));
        cx.act(Action::PassRefer(Box::new(Passing { user, by, to, replaces })));
    }

    /// The REFER leaves: for the number `user`, who is to be called here.
    pub fn send_refer_on(&mut self, cx: &mut Cx<'_>, user: &str) {
        let Some(passed) = &mut self.passed else { return };
        let (by, Some((server, message, replaces))) = (passed.by, passed.refer.take()) else { return };
        let (from, to) = (self.legs.of(by), self.legs.of(by.other()));
        let here = to.local.contact(user).to_string();
        let uri = Uri::parse(here.trim_start_matches('<').trim_end_matches('>'));
        let Ok(uri) = uri.map_err(|_| ()) else {
            self.refer_is_over();
            return in_dialog::refuse(cx, server, &message, &Cause::new(500, "Refer-To can't be said"));
        };
        let refer_to = ReferTo { uri, method: Method::Invite, replaces };
        let mut lines = vec![(Name::ReferTo, refer_to.to_string())];
        if from.profile.believed && to.profile.given {
            let named = message.value(Name::ReferredBy).and_then(|value| NameAddr::parse(&value).ok());
            let user = named.as_ref().and_then(NameAddr::user).unwrap_or_default();
            lines.push((Name::ReferredBy, format!("<sip:{user}@{}>", to.local.host())));
        }
        lines.extend(refer_sub(&message));
        self.send_across(cx, by, (server, message), lines, None);
    }

    /// The final response to a REFER that crossed; 408: none came.
    pub(super) fn refer_answered(&mut self, cx: &Cx<'_>, crossing: &Crossing, response: Option<&Message>) {
        if crossing.asked.method() != Some(Method::Refer) {
            return;
        }
        let Some(passed) = &mut self.passed else { return };
        let status = response.and_then(Message::status).unwrap_or(StatusCode::REQUEST_TIMEOUT);
        let silent =
            response.is_some_and(|response| refer_sub(response).is_some_and(|(_, value)| value == "false"));
        passed.sent = crossing.sent.cseq();
        passed.subscriber.handle_response(cx.now.instant, status, !silent);
    }

    /// Nothing more is heard of the REFER: who would hear of it does not know it any more.
    pub(super) fn refer_is_over(&mut self) {
        if let Some(passed) = &mut self.passed {
            passed.subscriber.end();
        }
    }

    /// A NOTIFY: of a REFER that crossed, or of nothing that we know.
    pub(super) fn notified(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: Message) {
        let event = message.value(Name::Event).unwrap_or_default().into_owned();
        let (package, id) = event_of(&event);
        if !package.eq_ignore_ascii_case("refer") {
            return in_dialog::refuse(cx, server, &message, &Cause::new(489, "Bad Event"));
        }
        let state = message.value(Name::SubscriptionState);
        let Ok(state) = SubscriptionState::parse(&state.unwrap_or_default()) else {
            return in_dialog::refuse(cx, server, &message, &Cause::new(400, "No Subscription-State"));
        };
        // It may come before the response to the REFER.
        let under_way = self.crossings.iter().find(|one| one.asked.method() == Some(Method::Refer));
        let under_way = under_way.map(|one| one.sent.cseq());
        let mine = |passed: &&mut Box<Passed>| {
            passed.by != side && id.is_none_or(|id| Some(id) == under_way.or(Some(passed.sent)))
        };
        let fragment = Sipfrag::parse(message.body());
        let known = self.passed.as_mut().filter(mine).and_then(|passed| {
            let known = passed.subscriber.handle_notify(cx.now.instant, state, fragment);
            while passed.subscriber.poll_output().is_some() {}
            known.then_some(passed.asked)
        });
        let Some(asked) = known else {
            let cause = Cause::new(481, "Subscription Does Not Exist");
            return in_dialog::refuse(cx, server, &message, &cause);
        };
        let event = id.map_or_else(|| "refer".to_owned(), |_| format!("refer;id={asked}"));
        let lines = vec![(Name::Event, event), (Name::SubscriptionState, state.to_string())];
        self.send_across(cx, side, (server, message), lines, fragment);
    }

    /// A SUBSCRIBE to a REFER that crossed: `Err` gives it back where there is none.
    pub(super) fn pass_subscribe(
        &mut self,
        cx: &mut Cx<'_>,
        side: Side,
        server: ServerId,
        message: Message,
    ) -> Result<(), Message> {
        let event = message.value(Name::Event).unwrap_or_default().into_owned();
        let (package, id) = event_of(&event);
        let mine = |passed: &&Passed| {
            let named = id.is_none_or(|id| id == passed.asked) && package.eq_ignore_ascii_case("refer");
            passed.by == side && named && !passed.subscriber.is_terminated()
        };
        let Some(sent) = self.passed.as_deref().filter(mine).map(|passed| passed.sent) else {
            return Err(message);
        };
        let event = id.map_or_else(|| "refer".to_owned(), |_| format!("refer;id={sent}"));
        self.send_across(cx, side, (server, message), vec![(Name::Event, event)], None);
        Ok(())
    }

    pub(super) fn passed_timeout(&mut self, cx: &Cx<'_>) {
        if let Some(passed) = &mut self.passed {
            passed.subscriber.handle_timeout(cx.now.instant);
            while passed.subscriber.poll_output().is_some() {}
        }
    }

    pub(super) fn passed_until(&self) -> Option<Instant> {
        self.passed.as_ref().and_then(|passed| passed.subscriber.poll_timeout())
    }
}

/// Refer-Sub, where a message says whether there is a subscription. RFC 4488.
pub(super) fn refer_sub(message: &Message) -> Option<(Name, String)> {
    let value = message.value(Name::ReferSub)?.trim().to_ascii_lowercase();
    ["true", "false"].contains(&value.as_str()).then_some((Name::ReferSub, value))
}

/// The package of an Event, and its id.
fn event_of(event: &str) -> (&str, Option<u32>) {
    let mut parts = event.split(';').map(str::trim);
    let package = parts.next().unwrap_or_default();
    let id = parts.find_map(|part| part.strip_prefix("id=")).and_then(|id| id.trim().parse().ok());
    (package, id)
}
