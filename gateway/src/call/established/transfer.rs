//! REFER: one party asks that the other be connected with a third. RFC 3515, RFC 5589.
//!
//! ```text
//! REFER -> 202, and a call to the target that the core admits and begins  (Action::Refer)
//!          its progress -> NOTIFY                                         (Event::Progress)
//!          it failed    -> NOTIFY with its status, and everything stays as it is
//!          accepted     -> who is transferred goes there                  (Event::Taken, Action::HandOver)
//!          has joined   -> NOTIFY 200                                     (Event::Progress)
//!          has not      -> NOTIFY with the cause, and everything stays    (Event::Returned)
//! ```
//!
//! The new call is one of its own: its limits, its records and its media are not this call's. Who asked pays for both.
//! Where Refer-To has Replaces, it is no new call, but the one that has that dialog (`replacing.rs`).

use std::time::{Duration, Instant};

use config::Refer;
use sip::dialog::offer_answer::Side::Remote;
use sip::header::ReferTo;
use sip::sdp::Sdp;
use sip::text::word;
use sip::transaction::ServerId;
use sip::{Builder, Message, Method, Name, NameAddr, StatusCode, Uri};

use super::Established;
use crate::call::allow::{Promises, allow};
use crate::call::cx::Cx;
use crate::call::io::{Action, Referred};
use crate::call::leg::Leg;
use crate::call::referral::{Referral, Subscriber};
use crate::call::{Next, in_dialog};
use crate::media::Side;
use crate::reply::Cause;

/// The longest that the words of a REFER may be which go back to its sender.
const LONGEST_WORDS: usize = 1_024;

/// How often it is looked whether who is transferred may go, while something else is under way.
const INTERVAL: Duration = Duration::from_millis(200);

/// A REFER, and what came of it.
#[derive(Debug)]
pub(super) struct Transfer {
    /// Whose it is; the other party is transferred.
    pub by: Side,
    pub referral: Referral,
    pub phase: Phase,
    /// Who asked for it has hung up: the other party waits for its new call.
    pub deserted: bool,
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The target is called.
    Calls,
    /// It has accepted; when who is transferred goes there.
    Accepted(Instant),
    /// Who is transferred is on its way there (`lending.rs`).
    Lent,
    /// It came to an end.
    Over,
}

impl Transfer {
    /// Whether there is nothing to do and to say any more.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over && self.referral.is_over()
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let goes = match self.phase {
            Phase::Accepted(at) => Some(at),
            Phase::Calls | Phase::Lent | Phase::Over => None,
        };
        goes.into_iter().chain(self.referral.poll_timeout()).min()
    }
}

impl Established {
    /// A REFER.
    pub(super) fn refer(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        let refer = self.legs.of(side).profile.refer;
        let crosses = self.allows_of_other(side).is_none_or(|promises| promises.crosses("REFER"));
        if refer == Refer::Off || refer == Refer::Pass && !crosses {
            return in_dialog::refuse_method(cx, server, message, self.allows_of_other(side));
        }
        let ReferTo { uri, replaces, .. } = match self.target_of(cx, message) {
            Ok(target) => target,
            Err(cause) => return in_dialog::refuse(cx, server, message, &cause),
        };
        let (user, uri) = match uri {
            Uri::Sip(uri) => (uri.user_unescaped().unwrap_or_default(), uri.to_string()),
            Uri::Tel(uri) => (uri.number.into(), String::new()),
            other => {
                let cause = Cause::new(416, format!("URI scheme {} is not supported", word(other.scheme())));
                return in_dialog::refuse(cx, server, message, &cause);
            }
        };
        if refer == Refer::Pass {
            return self.pass_refer(cx, side, (server, message), user, replaces);
        }
        let caller = self.number_of(cx, side);
        let says_more = (user.is_empty() || replaces.is_some()) && uri.len() <= LONGEST_WORDS;
        let uri = Some(uri).filter(|_| says_more).unwrap_or_default();
        // A user of its own, whom no number tells.
        let user = if user.is_empty() && says_more { caller.clone() } else { user };
        let Some(invite) = self.invite_of(side.other(), &user) else {
            let cause = Cause::new(480, "No description of the other party's media is known");
            return in_dialog::refuse(cx, server, message, &cause);
        };
        let mut referral = Referral::new(cx, message);
        let allowed = self.allows_of_other(side).map(Promises::allow);
        let leg = self.legs.of_mut(side);
        let mut reply = Builder::reply(message, StatusCode::ACCEPTED, "Accepted", None)
            .shown(Name::Contact, leg.contact());
        reply = allowed.into_iter().fold(reply, |reply, allow| reply.shown(Name::Allow, allow));
        if referral.is_silent() {
            reply = reply.header(Name::ReferSub, "false");
        }
        cx.respond(server, reply.build());
        referral.drain(cx, leg);
        let transfer = Transfer { by: side, referral, phase: Phase::Calls, deserted: false };
        self.transfer = Some(Box::new(transfer));
        let referred_by = message.value(Name::ReferredBy).filter(|value| value.len() <= LONGEST_WORDS);
        let referred_by = referred_by.map(|value| value.into_owned());
        let replaces = replaces.map(Box::new);
        let Leg { end, .. } = self.legs.of(side);
        let (by, hidden) = (end.flow.clone(), end.profile.hidden);
        let leg = self.legs.of(side.other()).without_media();
        cx.act(Action::Refer(Box::new(Referred {
            user,
            replaces,
            uri,
            referred_by,
            by,
            caller,
            hidden,
            invite,
            leg,
        })));
    }

    /// The number of a party.
    pub(super) fn number_of(&self, cx: &Cx<'_>, side: Side) -> String {
        let account = || match side {
            Side::A => cx.account.caller.as_str(),
            Side::B => cx.account.callee.as_str(),
        };
        self.legs.of(side).number.as_deref().unwrap_or_else(account).to_owned()
    }

    /// Whom a REFER wants called, and the dialog that is to be replaced, if any.
    fn target_of(&self, cx: &Cx<'_>, message: &Message) -> Result<ReferTo, Cause> {
        if cx.account.emergency {
            return Err(Cause::new(403, "An emergency call is not transferred"));
        }
        let joins = !self.own.is_empty() || self.is_changing() || self.replacement.is_some() || self.passes();
        if joins || self.transfer.as_ref().is_some_and(|transfer| !transfer.is_over()) {
            return Err(Cause::new(491, "Another transfer is under way"));
        }
        // Zero or several are for 400: RFC 3515 §2.4.2.
        let values: Vec<_> = message.lines(Name::ReferTo).collect();
        let [value] = values.as_slice() else { return Err(Cause::new(400, "Not one Refer-To")) };
        let to = ReferTo::parse(value).map_err(|fault| Cause::new(400, format!("Refer-To: {fault}")))?;
        if to.method != Method::Invite {
            let method = word(&to.method.to_string());
            return Err(Cause::new(403, format!("Refer-To asks for {method}, and only calls are made")));
        }
        Ok(to)
    }

    /// An INVITE as if the party of `side` had called `user`: an offer of the media that it described last, which is held
    /// for nobody. It names the party that asked for the transfer, who is checked, and nobody else.
    fn invite_of(&self, side: Side, user: &str) -> Option<Message> {
        let (leg, by) = (self.legs.of(side), self.legs.of(side.other()));
        let described = leg.offers.agreed()?.of(Remote);
        let offer = Sdp::parse(described).ok()?.resumed(leg.flow.remote.ip());
        let name = NameAddr::parse(&by.dialog.remote_uri).ok().and_then(|address| address.display_name);
        let name = name.map(|name| format!("\"{}\" ", name.replace(['"', '\\'], "")));
        let name = name.unwrap_or_default();
        let host = leg.local.host();
        let user: String = user.chars().filter(|one| one.is_ascii_alphanumeric() || *one == '+').collect();
        let mut invite = Builder::request(Method::Invite, &format!("sip:{user}@{host}"))
            .header(Name::MaxForwards, "70")
            .header(Name::From, format!("{name}<sip:{host}>;tag={}", by.dialog.remote_tag))
            .header(Name::To, format!("<sip:{user}@{host}>"))
            .header(Name::CallId, &by.dialog.call_id)
            .header(Name::CSeq, "1 INVITE")
            .header(Name::Contact, format!("<sip:{host}>"));
        if leg.allows.is_some() {
            invite = invite.shown(Name::Allow, allow(leg.allows, None));
        }
        Some(invite.body("application/sdp", offer.to_bytes()).build())
    }

    /// The call that was asked for came so far.
    pub fn handle_progress(&mut self, cx: &mut Cx<'_>, status: StatusCode) -> Next {
        let Some(transfer) = &mut self.transfer else { return Next::Stay };
        // Who is on its way there comes back, and is told of then.
        if transfer.phase == Phase::Lent && !status.is_success() {
            return Next::Stay;
        }
        transfer.referral.tell(cx, self.legs.of_mut(transfer.by), status);
        if status.is_success() {
            return self.gone(cx);
        }
        if status.is_final() {
            transfer.phase = Phase::Over;
            // Nobody is left to whom it could return.
            if transfer.deserted {
                return self.hang_up(cx, Cause::new(status.code(), "The transfer failed"));
            }
        }
        Next::Stay
    }

    /// It was accepted: who is transferred goes there once nothing else is under way with it.
    pub fn handle_taken(&mut self, cx: &mut Cx<'_>) -> Next {
        let Some(transfer) = self.transfer.as_mut() else { return Next::Stay };
        if !matches!(transfer.phase, Phase::Calls | Phase::Accepted(_)) {
            return Next::Stay;
        }
        transfer.phase = Phase::Accepted(cx.now.instant + INTERVAL);
        match self.is_idle() {
            true => self.lend(cx),
            false => self.cancel_invites(cx),
        }
        Next::Stay
    }

    /// Whether no INVITE, no offer and no 2xx is under way.
    pub(super) fn is_idle(&self) -> bool {
        let handshakes = &self.handshakes;
        let quiet = handshakes.a.is_none() && handshakes.b.is_none() && self.own.is_empty();
        quiet && !self.has_offers() && self.replacing.is_none()
    }

    /// Who asked for the transfer has hung up, and the other party waits for the target. `false`: there is no such transfer.
    pub(super) fn deserted_by(&mut self, cx: &mut Cx<'_>, side: Side) -> bool {
        let waits = |transfer: &&mut Box<Transfer>| transfer.by == side && transfer.phase != Phase::Over;
        let idle = self.is_idle() || self.is_away(side.other());
        let Some(transfer) = self.transfer.as_mut().filter(waits).filter(|_| idle) else { return false };
        transfer.deserted = true;
        *self.handshakes.of_mut(side) = None;
        *self.sessions.of_mut(side) = self.legs.of(side).session_timer();
        self.refuse_crossings(cx);
        self.drop_held_back(cx, None);
        cx.bear_silence();
        true
    }

    /// Takes the transfer and the leg of who asked for it out of the call; whether that has hung up.
    pub(super) fn leave(&mut self, cx: &mut Cx<'_>) -> Option<((Side, Subscriber), bool)> {
        let Transfer { by, referral, deserted, .. } = *self.transfer.take()?;
        self.drop_held_back(cx, None);
        let (leg, login) = self.part(by);
        Some(((by, Subscriber { referral, leg, login }), deserted))
    }

    fn part(&self, side: Side) -> (Leg, crate::call::sent::Login) {
        (self.legs.of(side).clone(), self.logins.of(side).clone())
    }

    /// The call ends: nobody waits for the one that was asked for, and whoever asked for it hears so.
    pub(super) fn end_transfer(&mut self, cx: &mut Cx<'_>) -> Option<Subscriber> {
        let Transfer { by, referral, phase, .. } = *self.transfer.take()?;
        let (leg, login) = self.part(by);
        let mut subscriber = Subscriber { referral, leg, login };
        if phase != Phase::Over {
            cx.act(Action::Abandon { cause: Cause::new(487, "The caller hung up") });
            subscriber.tell(cx, StatusCode::REQUEST_TERMINATED);
        }
        // The BYE comes after it, and has the next number.
        self.legs.of_mut(by).dialog.local_cseq = subscriber.leg.dialog.local_cseq;
        subscriber.leg.dialog.local_cseq = subscriber.leg.dialog.local_cseq.saturating_add(1);
        Some(subscriber)
    }

    /// A SUBSCRIBE to what comes of a REFER.
    pub(super) fn subscribe(&mut self, cx: &mut Cx<'_>, side: Side, server: ServerId, message: &Message) {
        let leg = self.legs.of_mut(side);
        let transfer = self.transfer.as_mut().filter(|transfer| transfer.by == side);
        let granted = transfer.and_then(|transfer| transfer.referral.subscribed(cx, leg, message));
        in_dialog::respond_subscribed(cx, server, message, leg, granted);
    }

    /// Deadlines of the transfer.
    pub(super) fn transfer_timeouts(&mut self, cx: &mut Cx<'_>) -> Next {
        let Some(transfer) = &mut self.transfer else { return Next::Stay };
        transfer.referral.handle_timeout(cx, self.legs.of_mut(transfer.by));
        match transfer.phase {
            Phase::Accepted(at) if at <= cx.now.instant => self.handle_taken(cx),
            _ => Next::Stay,
        }
    }
}
