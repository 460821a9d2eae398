//! A session with a timer is refreshed or ended before the timer is over: RFC 4028 §10.

use std::time::{Duration, Instant};

use sip::Method;

use crate::simulation::phone::{PhoneCall, expires};

pub(super) fn broken(call: &PhoneCall, end: Instant) -> Option<(bool, String)> {
    let mut deadline: Option<(Instant, u32)> = None;
    let mut last = None;
    let ours = call.session.as_ref().is_some_and(|session| session.ours);
    for seen in &call.trace {
        let (_, method) = seen.cseq();
        if let Some((until, seconds)) = deadline.filter(|(until, _)| *until < seen.at) {
            let late = (seen.at - until).as_secs_f64();
            let text = format!("a session of {seconds} s was neither refreshed nor ended, {late:.1} s ago");
            return Some((ours, text));
        }
        if method == Method::Bye && seen.message.is_request() {
            return None;
        }
        let refreshes = seen.is_success_of(&Method::Invite) || seen.is_success_of(&Method::Update);
        let request = (seen.is_ours(), seen.cseq());
        // An early UPDATE says nothing of the session, a repeated 2xx nothing new.
        if refreshes && call.is_confirmed() && last.as_ref() != Some(&request) {
            let answer = expires(&seen.message);
            if answer.is_some() || method == Method::Invite || deadline.is_some() {
                deadline =
                    answer.map(|(seconds, _)| (seen.at + Duration::from_secs(seconds.into()), seconds));
            }
            last = Some(request);
        }
    }
    let (_, seconds) = deadline.filter(|(until, _)| *until < end && !call.vanished)?;
    Some((ours, format!("a session of {seconds} s was neither refreshed nor ended")))
}
