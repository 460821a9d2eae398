//! 3xx: a host sends the call on to other numbers. Each Contact contributes its number and nothing else, which is admitted
//! and routed anew, and billed to the connector that asked for it. RFC 3261 §8.1.3.4.

use sip::{Message, Name, StatusCode, Uri};
use smol_str::SmolStr;

use super::dialled::Dialled;
use super::{Failed, Setup, Target};
use crate::call::Next;
use crate::call::cx::Cx;
use crate::call::history::AttemptTold;
use crate::call::io::{Action, AttemptEnd, Redirected, SentOn};
use crate::peer::Party;
use crate::reply::Cause;

/// So often a call is sent on.
const MOST_HOPS: usize = 5;

/// So many Contacts of one response are looked at.
const MOST_CONTACTS: usize = 5;

/// Where the call has been sent on to so far.
#[derive(Debug, Default)]
pub(super) struct Redirections {
    /// The users that it was sent on to.
    users: Vec<String>,
    hops: usize,
    /// A response says where else to try, and that is being looked at.
    asked: Option<Hop>,
    /// The hops with Contacts that were not tried, the newest last.
    left: Vec<(Hop, Vec<String>)>,
}

/// A host sends the call on; what was so before.
#[derive(Debug)]
struct Hop {
    by: Party,
    /// Of its response.
    status: u16,
    forwards: usize,
    diverted: usize,
    callee: (SmolStr, Option<SmolStr>),
    /// A Contact of its has been tried, and did not take the call.
    again: bool,
}

impl Redirections {
    /// Whether a Contact was not tried.
    pub fn has_more(&self) -> bool {
        !self.left.is_empty()
    }
}

impl Setup {
    /// Follows a redirection of the host that was tried.
    ///
    /// - `users`: of [`users`].
    pub(super) fn redirect(
        &mut self,
        cx: &mut Cx<'_>,
        dialled: Box<Dialled>,
        users: Vec<String>,
        message: &Message,
    ) -> Next {
        let Target { route, .. } = dialled.over(cx);
        let new: Vec<String> =
            users.into_iter().filter(|user| !self.redirections.users.contains(user)).collect();
        let failed = Failed::answered(message, route.profile.clone());
        let end = AttemptEnd::Failed { end: failed.end, left: true };
        let because = Some("it sends the call on".into());
        cx.attempt_ends(end, AttemptTold { because, ..AttemptTold::of(&failed) });
        if new.is_empty() || self.redirections.hops >= MOST_HOPS {
            return self.sent_on_to_nobody(cx, Cause::new(482, "The call is sent on in a circle"));
        }
        self.redirections.hops += 1;
        self.redirections.users.extend(new.iter().cloned());
        let (by, status) = (route.attempt.via.party(), message.status().map_or(302, |status| status.code()));
        let callee = (cx.account.callee.clone(), cx.account.callee_country.clone());
        let (forwards, diverted) = (cx.account.forwards.len(), self.diverted.len());
        self.look_at(cx, Hop { by, status, forwards, diverted, callee, again: false }, new);
        Next::Stay
    }

    fn look_at(&mut self, cx: &mut Cx<'_>, hop: Hop, users: Vec<String>) {
        let (by, status) = (hop.by.clone(), hop.status);
        let (caller, hidden) = (cx.account.caller.to_string(), self.caller.leg.profile.hidden);
        self.redirections.asked = Some(hop);
        cx.act(Action::Redirect(Box::new(Redirected { by, users, caller, hidden, status })));
    }

    /// Nothing came of the Contact that was tried: the next one. RFC 3261 §8.1.3.4. `false`: there is none.
    pub(super) fn next_contact(&mut self, cx: &mut Cx<'_>) -> bool {
        let Some((hop, users)) = self.redirections.left.pop() else { return false };
        cx.account.forwards.truncate(hop.forwards);
        (cx.account.callee, cx.account.callee_country) = hop.callee.clone();
        // The newest diversion stands first.
        self.diverted.drain(..self.diverted.len().saturating_sub(hop.diverted));
        self.look_at(cx, Hop { again: true, ..hop }, users);
        true
    }

    fn sent_on_to_nobody(&mut self, cx: &mut Cx<'_>, cause: Cause) -> Next {
        match self.next_contact(cx) {
            true => Next::Stay,
            false => self.give_up(cx, cause),
        }
    }

    /// Where the call goes instead, or why it may not.
    pub fn handle_redirected(&mut self, cx: &mut Cx<'_>, sent_on: Result<SentOn, Cause>) -> Next {
        let Some(hop) = self.redirections.asked.take() else { return Next::Stay };
        let sent_on = match sent_on {
            Ok(sent_on) => sent_on,
            // What the Contacts before it said counts more.
            Err(_) if hop.again => return self.exhausted(cx),
            Err(cause) => return self.sent_on_to_nobody(cx, cause),
        };
        if !sent_on.left.is_empty() {
            self.redirections.left.push((hop, sent_on.left));
        }
        // What the host says holds for the call: nobody else is tried after all.
        self.routes = sent_on.routes.into();
        self.redirections_said(&sent_on.diversion);
        match sent_on.forward {
            Some(forward) => cx.account.forwards.push(forward),
            None => {
                cx.account.callee = sent_on.callee;
                cx.account.callee_country = sent_on.country;
            }
        }
        self.next_route(cx)
    }

    /// The newest diversion stands first. RFC 5806 §3.
    fn redirections_said(&mut self, diversion: &str) {
        self.diverted.insert(0, (Name::Diversion, diversion.to_owned()));
    }
}

/// Whom a 300, 301 or 302 sends the call on to. `None`: it is a failure like any other, as 305 and 380 are, and as every
/// refusal of an emergency call is.
pub(super) fn users(cx: &Cx<'_>, status: StatusCode, message: &Message) -> Option<Vec<String>> {
    let sends_on = matches!(status.code(), 300..=302) && !cx.account.emergency;
    sends_on.then(|| contacts(message)).filter(|users| !users.is_empty())
}

/// The users that the Contacts of a 3xx name, the one that is wanted most first.
fn contacts(message: &Message) -> Vec<String> {
    let addresses = message.addresses(Name::Contact).filter_map(Result::ok);
    let mut all: Vec<(f32, String)> = addresses
        .filter_map(|address| {
            let wanted = address.params.value("q").and_then(|q| q.parse().ok()).unwrap_or(1.0);
            let user = match &address.uri {
                Uri::Sip(uri) => uri.user_unescaped(),
                Uri::Tel(uri) => Some(uri.number.to_string()),
                _ => None,
            };
            Some((wanted, user.filter(|user| !user.is_empty())?))
        })
        .collect();
    all.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let mut users: Vec<String> = Vec::new();
    for (_, user) in all {
        if !users.contains(&user) && users.len() < MOST_CONTACTS {
            users.push(user);
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use sip::{Builder, Method, StatusCode};

    use super::*;

    #[test]
    fn what_contacts_name() {
        let check = |contact: &str, expect: &[&str]| {
            let invite = Builder::request(Method::Invite, "sip:a@b").build();
            let moved = Builder::reply(&invite, StatusCode::new(302).unwrap(), "Moved", None);
            assert_eq!(contacts(&moved.header(Name::Contact, contact).build()), expect, "{contact}");
        };
        check("<sip:+12125550188@a>;q=0.1, <sip:+12125550177@b;x=y>", &["+12125550177", "+12125550188"]);
        check("<sip:1@a>;q=nonsense, <sip:2@a>;q=0.999, <sip:1@c>", &["1", "2"]);
        check("<tel:+12125550177>, <mailto:a@b>, <sip:c>, <sip:%31@d>", &["+12125550177", "1"]);
        check("<sip:1@a>,<sip:2@a>,<sip:3@a>,<sip:4@a>,<sip:5@a>,<sip:6@a>", &["1", "2", "3", "4", "5"]);
        check("*", &[]);
    }
}
