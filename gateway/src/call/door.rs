//! The one door: what an event means at each stage.

use sip::transaction::ServerId;
use sip::{Message, Method, StatusCode};

use super::cx::Cx;
use super::leg::{self, LegRef};
use super::lent::{GivenBack, Lent};
use super::media::MediaNews;
use super::{Action, Event, Next, Stage, in_dialog, newcomer, requests};
use crate::media::Side;
use crate::reply::Cause;

/// The one door: what an event means at each stage.
pub(super) fn enter(stage: &mut Stage, cx: &mut Cx<'_>, event: Event) -> Next {
    use Stage::{Accepted, Copying, Ended, Established, Handed, Recording, Setup};
    match (stage, event) {
        (stage, Event::Request { leg, server, message, .. }) if !is_dialog_of(stage, leg, &message) => {
            cx.left_dialog(stage, leg, server, &message);
        }
        (Setup(setup), Event::Request { leg, server, message, .. }) => {
            return setup.handle_request(cx, leg, server, &message);
        }
        (Accepted(accepted), Event::Request { leg, server, message, .. }) => {
            return accepted.handle_request(cx, leg.side(), server, message);
        }
        (Established(up), Event::Request { leg, server, message, source }) => {
            return up.handle_request(cx, leg.side(), server, message, &source);
        }
        (Handed(handed), Event::Request { leg, server, message, .. }) => {
            return handed.handle_request(cx, leg.side(), server, &message);
        }
        (Recording(recording), Event::Request { server, message, source, .. }) => {
            return recording.handle_request(cx, server, &message, &source);
        }
        (Copying(copying), Event::Request { server, message, source, .. }) => {
            return copying.handle_request(cx, server, &message, &source);
        }
        (Ended(ended), Event::Request { leg, server, message, .. }) => {
            ended.handle_request(cx, leg.side(), server, &message);
        }

        (Setup(setup), Event::Cancelled { server, message }) => {
            return setup.handle_cancel(cx, server, &message);
        }
        (Accepted(accepted), Event::Cancelled { server, message }) => {
            return accepted.handle_cancel(cx, server, &message);
        }
        (Established(up), Event::Cancelled { server, message }) => up.handle_cancel(cx, server, &message),
        (Recording(recording), Event::Cancelled { server, message }) => {
            return recording.handle_cancel(cx, server, &message);
        }

        (Established(up), Event::Ack { leg, message, source }) => {
            return up.handle_ack(cx, leg.side(), &message, &source);
        }
        (Recording(recording), Event::Ack { message, source, .. }) => {
            return recording.handle_ack(cx, &message, &source);
        }
        (Ended(ended), Event::Ack { leg, message, .. }) => ended.handle_ack(cx, leg.side(), &message),

        (stage, Event::Response { request, message, flow }) => {
            let next = match stage {
                Setup(setup) => setup.handle_response(cx, request, &message, flow),
                Accepted(accepted) => accepted.handle_response(cx, request, &message),
                Established(up) => up.handle_response(cx, request, &message),
                Handed(handed) => handed.handle_response(cx, request, &message),
                Recording(recording) => recording.handle_response(cx, request, &message),
                Copying(copying) => copying.handle_response(cx, request, &message),
                Ended(ended) => ended.handle_response(cx, request, &message).then_some(Next::Stay),
            };
            let late = || {
                cx.late_response(request, &message);
                Next::Stay
            };
            return next.unwrap_or_else(late);
        }
        (stage, Event::Failed { request, cause }) => {
            let next = match stage {
                Setup(setup) => setup.handle_failed(cx, request, cause),
                Accepted(accepted) => accepted.handle_failed(cx, request, cause),
                Established(up) => up.handle_failed(cx, request, cause),
                Handed(handed) => handed.handle_failed(cx, request, cause),
                Recording(recording) => recording.handle_failed(cx, request, cause),
                Copying(copying) => copying.handle_failed(cx, request, cause),
                Ended(ended) => ended.handle_failed(cx, request, cause).then_some(Next::Stay),
            };
            let late = || {
                cx.late_failure(request, cause);
                Next::Stay
            };
            return next.unwrap_or_else(late);
        }
        (_, Event::Done { request }) => cx.requests.done(request),

        (stage, Event::Media(event)) => {
            return match (cx.media_news(event), stage) {
                (MediaNews::Opened, Setup(setup)) => setup.handle_ports(cx),
                (MediaNews::Opened, Recording(recording)) => recording.handle_ports(cx),
                (MediaNews::Opened, Copying(copying)) => copying.handle_ports(cx),
                (MediaNews::NoPorts(cause), stage) => hang_up(stage, cx, cause),
                (MediaNews::Silent, Handed(_)) => Next::Stay,
                (MediaNews::Silent, stage) => hang_up(stage, cx, Cause::new(408, "Media inactivity")),
                (MediaNews::Opened | MediaNews::None, _) => Next::Stay,
            };
        }
        (stage, Event::MediaLocated { query, addresses }) => {
            let side = cx.media_was_asked_for(query);
            if let Some((side, end)) = side.and_then(|side| Some((side, end(stage, side)?))) {
                cx.media_located(side, end, &addresses);
            }
        }

        (Setup(setup), Event::Resolved { query, addresses }) => {
            return setup.handle_resolved(cx, query, addresses);
        }
        (Copying(copying), Event::Resolved { query, addresses }) => {
            return copying.handle_resolved(cx, query, addresses);
        }
        (Copying(copying), Event::Held { side, held }) => copying.handle_held(cx, side, held),
        (Copying(copying), Event::Comes { side, aor }) => copying.handle_comes(cx, side, aor),
        (Setup(setup), Event::Admitted) => return setup.handle_admitted(cx),
        (Setup(setup), Event::Limited { cause }) => return setup.handle_limited(cx, cause),
        (Setup(setup), Event::Redirected { sent_on }) => return setup.handle_redirected(cx, sent_on),
        (Accepted(accepted), Event::Journaled) => return accepted.handle_journaled(cx),
        (Recording(recording), Event::Journaled) => return recording.handle_journaled(cx),
        (Recording(recording), Event::MayAnswer { may }) => return recording.handle_may_answer(cx, may),
        (Accepted(accepted), Event::MayAnswer { may }) => return accepted.handle_may_answer(cx, may),
        (Established(up), Event::Progress { status }) => return up.handle_progress(cx, status),
        (Established(up), Event::Newcomer(who)) => up.handle_newcomer(cx, who),
        (Setup(setup), Event::Newcomer(who)) => return setup.handle_newcomer(cx, who),
        (_, Event::Newcomer(who)) => cx.refuse(who.server, &who.invite, &who.leg, &newcomer::busy()),
        (Established(up), Event::PassesRefer { user }) => up.send_refer_on(cx, &user),
        (Established(up), Event::Taken) => return up.handle_taken(cx),
        (Established(up), Event::Returned(back)) => return up.handle_returned(cx, *back),
        (Established(up), Event::LeftOnTheWay { bye }) => return up.handle_left_on_the_way(cx, &bye),
        (Established(up), Event::Abandoned { cause }) => return up.handle_abandoned(cx, cause),
        (Setup(setup), Event::Abandoned { cause }) => return setup.handle_abandoned(cx, cause),
        (Accepted(accepted), Event::Abandoned { cause }) => return accepted.handle_abandoned(cx, cause),
        (Setup(setup), Event::Replace { by, .. }) => setup.handle_replace(cx, by.as_ref()),
        (Accepted(accepted), Event::Replace { leg, replaces, by }) => {
            accepted.handle_replace(cx, leg.side(), &replaces, by.as_ref());
        }
        (Established(up), Event::Replace { leg, replaces, by }) => {
            up.handle_replace(cx, leg.side(), &replaces, by.as_ref());
        }
        (_, Event::Replace { .. }) => cx.act(Action::Progress { status: StatusCode::CALL_DOES_NOT_EXIST }),
        (Established(up), Event::Joined(lent)) => return up.handle_joined(cx, lent),
        (Handed(handed), Event::Over { cause }) => return handed.end(cx, cause),
        (Accepted(accepted), Event::Joined(lent)) => return accepted.handle_joined(lent),
        // There is no call any more that it could come to.
        (_, Event::Joined(lent)) => {
            cx.act(Action::GiveBack(GivenBack::too_late(*lent)));
        }
        (_, Event::Returned(back)) => {
            let Lent { leg, login, .. } = back.lent;
            // The shard that gave the leg back hands requests of its party on to this one, which must not do the same.
            cx.bind(&leg.dialog.local_tag, LegRef::A);
            cx.bye(leg, login, requests::reason_of(&back.cause));
        }
        (Ended(_), Event::HangUp { .. }) => {}
        (stage, Event::HangUp { cause, by }) => {
            cx.history.is_ended_by(by);
            return hang_up(stage, cx, cause);
        }

        // Words that came too late for their stage, or that a recording session has no use for.
        (Handed(_) | Copying(_) | Ended(_), Event::Cancelled { .. })
        | (Setup(_) | Accepted(_) | Handed(_) | Copying(_), Event::Ack { .. })
        | (Accepted(_) | Established(_) | Handed(_) | Recording(_) | Ended(_), Event::Resolved { .. })
        | (
            Accepted(_) | Established(_) | Handed(_) | Recording(_) | Copying(_) | Ended(_),
            Event::Admitted | Event::Limited { .. } | Event::Redirected { .. },
        )
        | (
            Setup(_) | Established(_) | Handed(_) | Copying(_) | Ended(_),
            Event::Journaled | Event::MayAnswer { .. },
        )
        | (
            Setup(_) | Accepted(_) | Handed(_) | Recording(_) | Copying(_) | Ended(_),
            Event::Progress { .. } | Event::Taken,
        )
        | (Handed(_) | Recording(_) | Copying(_) | Ended(_), Event::Abandoned { .. })
        | (
            _,
            Event::LeftOnTheWay { .. } | Event::PassesRefer { .. } | Event::Held { .. } | Event::Comes { .. },
        )
        | (
            Setup(_) | Accepted(_) | Established(_) | Recording(_) | Copying(_) | Ended(_),
            Event::Over { .. },
        ) => {}
    }
    Next::Stay
}

/// We end the call.
pub(super) fn hang_up(stage: &mut Stage, cx: &mut Cx<'_>, cause: Cause) -> Next {
    match stage {
        Stage::Setup(setup) => setup.give_up(cx, cause),
        Stage::Accepted(accepted) => accepted.hang_up(cause),
        Stage::Established(up) => up.hang_up(cx, cause),
        Stage::Handed(handed) => handed.hang_up(cx, &cause),
        Stage::Recording(recording) => recording.hang_up(cx, cause),
        Stage::Copying(copying) => copying.hang_up(cx, cause),
        Stage::Ended(_) => Next::Stay,
    }
}

/// The party at the end of a leg, as far as its media goes.
fn end(stage: &Stage, side: Side) -> Option<&leg::End> {
    match stage {
        Stage::Setup(setup) => setup.end(side),
        Stage::Accepted(accepted) => Some(&accepted.up().legs.of(side).end),
        Stage::Established(up) => Some(&up.legs.of(side).end),
        // Both streams are the recording client's.
        Stage::Recording(recording) => Some(&recording.leg().end),
        Stage::Copying(copying) => copying.leg().map(|leg| &leg.end),
        Stage::Handed(_) | Stage::Ended(_) => None,
    }
}

/// Whether `message`, whose To tag is ours on `leg`, is inside a dialog of the stage.
pub(super) fn is_dialog_of(stage: &Stage, leg: LegRef, message: &Message) -> bool {
    match stage {
        Stage::Setup(setup) => setup.is_dialog_of(leg, message),
        Stage::Accepted(accepted) => accepted.up().is_dialog_of(leg.side(), message),
        Stage::Established(up) => up.is_dialog_of(leg.side(), message),
        Stage::Handed(handed) => handed.is_dialog_of(leg.side(), message),
        Stage::Recording(recording) => recording.leg().dialog.matches(message),
        Stage::Copying(copying) => copying.leg().is_some_and(|leg| leg.dialog.matches(message)),
        Stage::Ended(ended) => ended.is_dialog_of(message),
    }
}

impl Cx<'_> {
    /// A request from where nobody is spoken to any more: a host that was left for another, whose late 2xx had a BYE of
    /// ours and which must not pass for the party that took the call; or a party whose BYE crossed ours.
    fn left_dialog(&mut self, stage: &mut Stage, leg: LegRef, server: ServerId, message: &Message) {
        match (stage, message.method()) {
            (Stage::Ended(ended), _) => ended.handle_request(self, leg.side(), server, message),
            (_, Some(Method::Bye)) => in_dialog::respond_ok(self, server, message, None),
            _ => in_dialog::refuse(self, server, message, &Cause::new(481, "Call Does Not Exist")),
        }
    }
}
