//! Session timers, RFC 4028: who refreshes, 422, and the BYE when nobody did.

use std::time::{Duration, Instant};

use sip::{Builder, Message, Method, Name};

use super::abilities::says;
use super::chores::Chore;
use super::faults::Fault;
use super::{Phone, Stage};
use crate::random::Random;

/// A session that must be refreshed.
pub(crate) struct Session {
    pub interval: Duration,
    /// So many refreshes there were.
    pub(super) count: u64,
    /// The phone refreshes.
    pub ours: bool,
}

/// Session-Expires as seconds and refresher.
pub(crate) fn expires(message: &Message) -> Option<(u32, Option<String>)> {
    let value = message.value(Name::SessionExpires)?;
    let mut parts = value.split(';');
    let seconds = parts.next()?.trim().parse().ok()?;
    let refresher = parts.find_map(|part| part.trim().strip_prefix("refresher=").map(str::to_owned));
    Some((seconds, refresher))
}

fn min_se(message: &Message) -> u32 {
    message.value(Name::MinSe).and_then(|value| value.trim().parse().ok()).unwrap_or(90)
}

impl Phone {
    /// What an INVITE that begins a call says of timers.
    pub(super) fn timed(&self, builder: Builder) -> Builder {
        let Some(habit) = self.abilities.timer else { return builder };
        let refresher = match habit.refreshes {
            Some(true) => ";refresher=uac",
            Some(false) => ";refresher=uas",
            None => "",
        };
        builder
            .header(Name::SessionExpires, format!("{}{refresher}", habit.expires))
            .header(Name::MinSe, habit.min.to_string())
    }

    /// What a re-INVITE or UPDATE says of timers.
    pub(super) fn timed_inside(&self, index: usize, builder: Builder) -> Builder {
        let call = &self.calls[index];
        let (Some(habit), true) = (self.abilities.timer, call.is_confirmed()) else { return builder };
        let Some(session) = &call.session else { return self.timed(builder) };
        let refresher = if session.ours { "uac" } else { "uas" };
        let value = format!("{};refresher={refresher}", session.interval.as_secs());
        builder.header(Name::SessionExpires, value).header(Name::MinSe, habit.min.to_string())
    }

    /// The interval that a request asks for is too small: the smallest that it takes.
    pub(super) fn too_brief(&self, request: &Message) -> Option<u32> {
        let habit = self.abilities.timer?;
        let (asked, _) = expires(request)?;
        (asked < habit.min && says(request, "timer")).then_some(habit.min)
    }

    /// What a 2xx says of timers.
    pub(super) fn timed_answer(&self, request: &Message, builder: Builder) -> Builder {
        let Some(habit) = self.abilities.timer else { return builder };
        let asked = expires(request);
        let most = asked.as_ref().map_or(habit.expires, |(asked, _)| (*asked).min(habit.expires));
        let interval = most.max(min_se(request)).max(habit.min);
        let interval = asked.as_ref().map_or(interval, |(asked, _)| interval.min(*asked));
        let refresher = match asked.and_then(|(_, refresher)| refresher) {
            _ if !says(request, "timer") => "uas".to_owned(),
            Some(refresher) => refresher,
            None if habit.refreshes == Some(true) => "uas".to_owned(),
            None => "uac".to_owned(),
        };
        let builder = match refresher == "uac" {
            true => builder.header(Name::Require, "timer"),
            false => builder,
        };
        builder.header(Name::SessionExpires, format!("{interval};refresher={refresher}"))
    }

    /// A 2xx to an INVITE or UPDATE was given (`asked`: by the peer) or heard.
    pub(super) fn session_agreed(&mut self, now: Instant, index: usize, response: &Message, asked: bool) {
        if self.abilities.timer.is_none() {
            return;
        }
        let call = &mut self.calls[index];
        let count = call.session.as_ref().map_or(0, |session| session.count) + 1 + call.sessions;
        call.sessions += 1;
        let Some((seconds, refresher)) = expires(response) else {
            call.session = None;
            return;
        };
        let ours = (refresher.as_deref() == Some("uas")) == asked;
        let interval = Duration::from_secs(seconds.into());
        call.session = Some(Session { interval, count, ours });
        if ours {
            self.do_later(now + interval / 2, Chore::Refresh(index, count));
        }
        let early = (interval / 3).min(Duration::from_secs(32));
        self.do_later(now + interval - early, Chore::Expire(index, count));
    }

    pub(super) fn refresh(&mut self, now: Instant, index: usize, count: u64) {
        let call = &self.calls[index];
        let due = call.session.as_ref().is_some_and(|session| session.count == count && session.ours);
        if !due || call.stage != Stage::Up || self.fault == Some(Fault::NeverRefreshes) {
            return;
        }
        if call.is_offering() || !call.accepts.is_empty() || !call.asked.is_empty() {
            return self.do_later(now + Duration::from_secs(2), Chore::Refresh(index, count));
        }
        let by_update = self.abilities.timer.is_some_and(|habit| habit.by_update);
        match by_update && call.is_allowed("UPDATE") == Some(true) {
            true => self.request(now, index, Method::Update, None),
            false => self.request(now, index, Method::Invite, Some("sendrecv")),
        }
    }

    /// A re-INVITE or UPDATE of its own was refused: if it was due to refresh, it tries again.
    pub(super) fn not_refreshed(&mut self, now: Instant, index: usize, status: u16, response: &Message) {
        let Some(habit) = &mut self.abilities.timer else { return };
        let call = &mut self.calls[index];
        let Some(session) = &mut call.session else { return };
        if status == 422 {
            let least = min_se(response);
            habit.min = habit.min.max(least);
            habit.expires = habit.expires.max(least);
            session.interval = session.interval.max(Duration::from_secs(least.into()));
        }
        if session.ours {
            let after = Duration::from_secs(2 + self.random.below(3));
            let count = session.count;
            self.do_later(now + after, Chore::Refresh(index, count));
        }
    }
}
