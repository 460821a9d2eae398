//! One offer at a time in each dialog, and one answer to each: RFC 3264 §4, RFC 3311 §5, RFC 6337 §2 and §3.1.

use std::collections::{HashMap, HashSet};

use std::time::{Duration, Instant};

use sip::Method;

use super::rseq;
use crate::simulation::media::describes;
use crate::simulation::phone::{PhoneCall, Seen};

/// A party that hears no response for so long has given its offer up.
const GIVES_UP: Duration = Duration::from_secs(32);

/// Whose request, its number and method.
type Asked = (bool, u32, Method);

/// An offer that is not answered.
#[derive(Clone)]
struct Offer {
    ours: bool,
    /// The request that it stands in, or whose response.
    asked: Asked,
    in_response: bool,
    at: Instant,
}

#[derive(Default)]
struct Dialog {
    outstanding: Option<Offer>,
    /// Offers that came though there was one: they must be refused.
    crossing: HashSet<Asked>,
    /// What the responses to one INVITE described.
    described: HashMap<Asked, String>,
}

pub(super) fn broken(call: &PhoneCall) -> Vec<(bool, String)> {
    let mut broken = Vec::new();
    let mut dialogs: HashMap<String, Dialog> = HashMap::new();
    let mut initial: Option<Offer> = None;
    // INVITEs that offered.
    let mut offering: HashSet<Asked> = HashSet::new();
    for seen in &call.trace {
        let (number, method) = seen.cseq();
        let asked = (seen.is_ours(), number, method.clone());
        let describes = describes(seen.message.body());
        if method == Method::Bye && seen.message.is_request() {
            break;
        }
        if method == Method::Invite && seen.message.is_request() {
            offering.extend(describes.then(|| asked.clone()));
            if seen.message.to_tag().is_none() {
                dialogs.clear();
                initial =
                    describes.then_some(Offer { ours: seen.said, asked, in_response: false, at: seen.at });
                continue;
            }
        }
        let first = || Dialog { outstanding: initial.clone(), ..Dialog::default() };
        let dialog = dialogs.entry(seen.callee_tag(call)).or_insert_with(first);
        match seen.message.is_request() {
            true => dialog.asks(seen, asked, describes, &mut broken),
            false => dialog.responds(seen, asked, describes, &offering, &mut broken),
        }
    }
    broken
}

impl Dialog {
    fn asks(&mut self, seen: &Seen, asked: Asked, describes: bool, broken: &mut Vec<(bool, String)>) {
        if !describes {
            return;
        }
        self.outstanding.take_if(|one| one.at + GIVES_UP <= seen.at && one.asked.2 == Method::Update);
        let answers = self.outstanding.as_ref().is_some_and(|one| one.in_response && one.ours != seen.said);
        match asked.2 {
            Method::Ack | Method::Prack if answers => self.outstanding = None,
            Method::Invite | Method::Update | Method::Prack => match &self.outstanding {
                None => {
                    self.outstanding =
                        Some(Offer { ours: seen.said, asked, in_response: false, at: seen.at });
                }
                Some(one) if one.ours == seen.said => {
                    let who = if seen.said { "offers" } else { "is offered" };
                    let text = format!("{who} by {} {} before the last offer is answered", asked.2, asked.1);
                    broken.push((seen.said, text));
                }
                Some(_) => {
                    self.crossing.insert(asked);
                }
            },
            _ => {}
        }
    }

    fn responds(
        &mut self,
        seen: &Seen,
        asked: Asked,
        describes: bool,
        offering: &HashSet<Asked>,
        broken: &mut Vec<(bool, String)>,
    ) {
        let status = seen.status();
        let is_invite = asked.2 == Method::Invite;
        if status >= 300 {
            self.crossing.remove(&asked);
            if self.outstanding.as_ref().is_some_and(|one| one.asked == asked) {
                self.outstanding = None;
            }
            return;
        }
        if (200..300).contains(&status) && self.crossing.remove(&asked) {
            let text = format!("an offer by {} {} is taken while another is not answered", asked.2, asked.1);
            broken.push((seen.said, text));
        }
        if !describes {
            // A party that accepts an offer without an answer has none.
            if status >= 200 {
                self.outstanding.take_if(|one| one.asked == asked && !one.in_response);
            }
            return;
        }
        if is_invite {
            let now = description(seen.message.body());
            let before = self.described.entry(asked.clone()).or_insert_with(|| now.clone());
            if *before != now {
                broken.push((
                    seen.said,
                    format!("{status} describes other media than the response before it, in one dialog"),
                ));
            }
        }
        if is_invite && status < 200 && rseq(&seen.message).is_none() {
            return;
        }
        match &self.outstanding {
            Some(one) if one.asked == asked && !one.in_response => self.outstanding = None,
            None if is_invite && !offering.contains(&asked) && !self.crossing.contains(&asked) => {
                // The offer is in the response; a repeat of it is the same offer.
                let is_new = self.crossing.is_empty() && !self.is_answered(&asked);
                if is_new {
                    self.outstanding = Some(Offer { ours: seen.said, asked, in_response: true, at: seen.at });
                }
            }
            _ => {}
        }
    }

    /// Whether an offer in a response to that INVITE was seen before.
    fn is_answered(&mut self, asked: &Asked) -> bool {
        let mark = (asked.0, asked.1, Method::Ack);
        self.described.insert(mark, String::new()).is_some()
    }
}

/// The lines of the session description in a body, whatever it is wrapped in.
fn description(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let is_line = |line: &&str| line.as_bytes().get(1) == Some(&b'=');
    text.lines().skip_while(|line| !line.starts_with("v=0")).filter(is_line).collect::<Vec<_>>().join("\n")
}
