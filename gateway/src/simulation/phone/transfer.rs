//! REFER, RFC 3515: who asks for a transfer and is told of it, who is transferred, and INVITE with Replaces, RFC 3891.

use std::time::Instant;

use sip::transaction::{ClientId, ServerId};
use sip::{Builder, Message, Method, Name, NameAddr, StatusCode};

use super::faults::Fault;
use super::{Phone, PhoneCall, Stage};

/// A REFER that the phone sent, and what it was told of it.
pub(crate) struct Subscription {
    /// The Refer-To URI.
    pub target: String,
    /// Whether the transfer is attended.
    pub replaces: bool,
    /// To which other call of the phone's.
    pub other: Option<usize>,
    cseq: u32,
    pub(super) client: ClientId,
    /// The response to the REFER.
    pub response: Option<u16>,
    /// Each NOTIFY: Subscription-State without parameters, and the status of its sipfrag.
    pub notified: Vec<(String, u16)>,
}

impl Subscription {
    /// The last word: the status that ended it.
    pub fn outcome(&self) -> Option<u16> {
        let (state, status) = self.notified.last()?;
        (state == "terminated").then_some(*status)
    }
}

/// The call that a phone placed because it was told to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Referral {
    /// The call in which the REFER came, and the number of that.
    call: usize,
    cseq: u32,
    told: u16,
    /// The last NOTIFY.
    newest: Option<ClientId>,
}

impl Phone {
    /// Asks the peer of a call to call `target`, a URI: a blind transfer.
    pub fn refer(&mut self, now: Instant, index: usize, target: &str) {
        self.refer_to(now, index, target, target, target.contains("?Replaces="));
    }

    /// Asks the peer of one call to take the place of this phone in another: an attended transfer. `uri`: who is called;
    /// `None`: the Contact of the peer of `other`.
    pub fn refer_attended(&mut self, now: Instant, index: usize, other: usize, uri: Option<&str>) {
        let Some(dialog) = &self.calls[other].dialog else { return };
        let replaces = format!(
            "{};to-tag={};from-tag={}",
            dialog.call_id.replace('@', "%40"),
            dialog.remote_tag,
            dialog.local_tag
        );
        let replaces = replaces.replace(';', "%3B").replace('=', "%3D");
        let uri = uri.map_or_else(|| dialog.remote_target.to_string(), str::to_owned);
        self.refer_to(now, index, &uri, &format!("{uri}?Replaces={replaces}"), true);
        if let Some(one) = self.calls[index].subscriptions.last_mut() {
            one.other = Some(other);
        }
    }

    fn refer_to(&mut self, now: Instant, index: usize, target: &str, refer_to: &str, replaces: bool) {
        let Some(builder) = self.inside(index, Method::Refer) else { return };
        let by = format!("<sip:{}@{}>", self.name, self.address);
        let refer =
            builder.header(Name::ReferTo, format!("<{refer_to}>")).header(Name::ReferredBy, by).build();
        let cseq = refer.cseq().unwrap().number;
        let client = self.send(now, index, refer);
        let (target, notified) = (target.to_owned(), Vec::new());
        self.calls[index].subscriptions.push(Subscription {
            target,
            replaces,
            other: None,
            cseq,
            client,
            response: None,
            notified,
        });
        self.pump(now);
    }

    /// A NOTIFY came.
    pub(super) fn notified(&mut self, now: Instant, index: usize, server: ServerId, notify: &Message) {
        let event = notify.value(Name::Event).map(|value| value.into_owned()).unwrap_or_default();
        let id = event.split(";id=").nth(1).and_then(|id| id.trim().parse::<u32>().ok());
        let subscriptions = &mut self.calls[index].subscriptions;
        let mine = subscriptions.iter_mut().rev().find(|one| id.is_none_or(|id| id == one.cseq));
        let Some(mine) = mine.filter(|one| event.starts_with("refer") && one.outcome().is_none()) else {
            return self.reply(now, server, notify, 481);
        };
        let state = notify.value(Name::SubscriptionState).map(|value| value.into_owned()).unwrap_or_default();
        let state = state.split(';').next().unwrap_or_default().trim().to_owned();
        let text = String::from_utf8_lossy(notify.body());
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok()).unwrap_or(0);
        mine.notified.push((state, status));
        self.reply(now, server, notify, 200);
    }

    /// A REFER came: it calls whom it is told to, and tells of it.
    pub(super) fn referred(&mut self, now: Instant, index: usize, server: ServerId, refer: &Message) {
        let to = refer.value(Name::ReferTo).and_then(|value| NameAddr::parse(&value).ok());
        let Some(to) = to.filter(|_| self.abilities.refer) else {
            return self.reply(now, server, refer, if self.abilities.refer { 400 } else { 405 });
        };
        let code = StatusCode::new(202).unwrap();
        let reply = Builder::reply(refer, code, "Accepted", None).header(Name::Contact, self.contact());
        let reply = self.dressed(reply).build();
        self.say(now, server, reply);
        let call = &self.calls[index];
        let own = own_user(call);
        let text = to.uri.to_string();
        let (uri, headers) = text.split_once('?').unwrap_or((&text, ""));
        let uri = uri.split(';').next().unwrap_or(uri);
        let (user, host) = uri.trim_start_matches("sip:").split_once('@').unwrap_or((uri, ""));
        let mut invite = self.invite(host, &own, user, true);
        if let Some(replaces) = headers.split('&').find_map(|one| one.strip_prefix("Replaces=")) {
            let replaces = replaces.replace("%3B", ";").replace("%3D", "=").replace("%40", "@");
            invite = invite.header(Name::Replaces, replaces);
        }
        let cseq = refer.cseq().unwrap().number;
        let invite = invite.build();
        let new = self.place(now, invite);
        self.calls[new].referral = Some(Referral { call: index, cseq, told: 0, newest: None });
        self.notify(now, new, 100);
    }

    /// A NOTIFY of any event, as if somebody had subscribed to it.
    pub fn notify_of(&mut self, now: Instant, index: usize, event: &str) {
        let Some(builder) = self.inside(index, Method::Notify) else { return };
        let notify = builder
            .header(Name::Event, event)
            .header(Name::SubscriptionState, "active;expires=60")
            .body("message/sipfrag", "SIP/2.0 100 Trying\r\n".into());
        self.send(now, index, notify.build());
        self.pump(now);
    }

    /// Another phone of the same house takes this one's place in a call: INVITE with Replaces.
    pub fn take_over(&mut self, now: Instant, index: usize) {
        let call = &self.calls[index];
        let Some(dialog) = &call.dialog else { return };
        let replaces =
            format!("{};to-tag={};from-tag={}", dialog.call_id, dialog.remote_tag, dialog.local_tag);
        let own = own_user(call);
        let invite = self.invite("vc.example.com", &own, "+12125550123", true);
        self.place(now, invite.header(Name::Replaces, replaces).build());
    }

    /// Tells who asked for this call what came of it.
    pub(super) fn notify(&mut self, now: Instant, new: usize, status: u16) {
        let Some(mut referral) = self.calls[new].referral else { return };
        if referral.told >= 200 || referral.told >= status {
            return;
        }
        referral.told = status;
        self.calls[new].referral = Some(referral);
        let ends = status >= 200 && self.fault != Some(Fault::NeverEndsTheSubscription);
        let lies = self.fault == Some(Fault::LiesAboutTheTransfer) && status >= 300;
        let status = if lies { 200 } else { status };
        let Some(builder) = self.inside(referral.call, Method::Notify) else { return };
        let state = if ends { "terminated;reason=noresource" } else { "active;expires=180" };
        let reason = StatusCode::new(status).map_or("", |code| code.default_reason());
        let notify = builder
            .header(Name::Event, format!("refer;id={}", referral.cseq))
            .header(Name::SubscriptionState, state)
            .body("message/sipfrag;version=2.0", format!("SIP/2.0 {status} {reason}\r\n").into());
        let id = self.send(now, referral.call, notify.build());
        if let Some(referral) = &mut self.calls[new].referral {
            referral.newest = Some(id);
        }
    }

    /// A NOTIFY was overtaken by another request of the dialog: the last word comes again.
    pub(super) fn notify_again(&mut self, now: Instant, id: ClientId) {
        let mine = |one: &PhoneCall| one.referral.is_some_and(|one| one.newest == Some(id));
        let Some(new) = self.calls.iter().position(mine) else { return };
        if let Some(referral) = &mut self.calls[new].referral {
            let status = std::mem::take(&mut referral.told);
            self.notify(now, new, status);
        }
    }

    /// An INVITE with Replaces came: true, where it was dealt with.
    pub(super) fn replaces(&mut self, now: Instant, index: usize) -> bool {
        if !self.abilities.replaces {
            return false;
        }
        let Some(value) = self.calls[index].invite.value(Name::Replaces) else { return false };
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().unwrap_or_default();
        let (mut to, mut from) = ("", "");
        for part in parts {
            to = part.strip_prefix("to-tag=").unwrap_or(to);
            from = part.strip_prefix("from-tag=").unwrap_or(from);
        }
        let old = self.calls.iter().position(|call| {
            let named = |dialog: &sip::dialog::Dialog| {
                (dialog.call_id.as_str(), dialog.local_tag.as_str(), dialog.remote_tag.as_str())
                    == (call_id, to, from)
            };
            call.stage == Stage::Up && call.dialog.as_ref().is_some_and(named)
        });
        match old {
            Some(old) => {
                self.respond(now, index, 200, true, &[]);
                self.request(now, old, Method::Bye, None);
            }
            None => self.respond(now, index, 481, false, &[]),
        }
        true
    }
}

impl PhoneCall {
    /// Whether it was placed because somebody asked for it by REFER, or takes a place in another call.
    pub fn is_of_a_transfer(&self) -> bool {
        self.referral.is_some() || self.caller && self.invite.has(Name::Replaces)
    }
}

/// The number of the phone in a call.
fn own_user(call: &PhoneCall) -> String {
    let own = if call.caller { call.invite.from() } else { call.invite.to() };
    own.ok().and_then(|own| own.user().map(str::to_owned)).unwrap_or_default()
}
