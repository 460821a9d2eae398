//! Each reliable provisional response of an INVITE is acknowledged, once, and numbered one after the other: RFC 3262.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use sip::{Method, Name};

use super::rseq;
use crate::simulation::media::describes;
use crate::simulation::phone::PhoneCall;

/// A response is repeated for 64*T1 at the longest.
const PATIENCE: Duration = Duration::from_secs(31);

#[derive(Default)]
struct Dialog {
    /// Since when each is there.
    reliable: BTreeMap<u32, Instant>,
    /// How many PRACKs of each were answered 200.
    acknowledged: HashMap<u32, usize>,
    accepted: bool,
}

pub(super) fn broken(call: &PhoneCall) -> Vec<(bool, String)> {
    let mut broken = Vec::new();
    let mut dialogs: HashMap<String, Dialog> = HashMap::new();
    let mut pracks: HashMap<u32, u32> = HashMap::new();
    let mut over: Option<Instant> = None;
    for seen in &call.trace {
        let (number, method) = seen.cseq();
        let dialog = dialogs.entry(seen.callee_tag(call)).or_default();
        match (&method, seen.message.is_request()) {
            (Method::Invite, false) if seen.is_ours() == call.caller => {
                if let Some(rseq) = rseq(&seen.message).filter(|_| seen.status() < 200) {
                    dialog.reliable.entry(rseq).or_insert(seen.at);
                }
                dialog.accepted |= seen.status() / 100 == 2;
                if seen.status() >= 200 && seen.status() != 504 {
                    over = over.or(Some(seen.at));
                }
            }
            (Method::Prack, true) => {
                let rack = seen.message.value(Name::RAck).unwrap_or_default();
                if let Some(rseq) = rack.split_whitespace().next().and_then(|word| word.parse().ok()) {
                    pracks.insert(number, rseq);
                }
            }
            (Method::Prack, false) if seen.status() == 200 && !(dialog.accepted && call.caller) => {
                if let Some(rseq) = pracks.get(&number) {
                    *dialog.acknowledged.entry(*rseq).or_default() += 1;
                }
            }
            (Method::Cancel | Method::Bye, true) => over = over.or(Some(seen.at)),
            _ => {}
        }
    }
    // An offer that came in one is somebody else's to answer, who may be gone.
    let alone = call.caller || describes(call.invite.body());
    let end = call.trace.last().map(|seen| seen.at);
    for dialog in dialogs.values() {
        let numbers: Vec<u32> = dialog.reliable.keys().copied().collect();
        if numbers.windows(2).any(|two| two[1] != two[0] + 1) {
            broken.push((!call.caller, format!("reliable responses are numbered {numbers:?}")));
        }
        for (rseq, since) in &dialog.reliable {
            let times = dialog.acknowledged.get(rseq).copied().unwrap_or(0);
            let long = over.or(end).is_some_and(|until| until > *since + PATIENCE);
            // A caller may have had the 2xx before its PRACK was answered.
            let owed = dialog.accepted && !call.caller || long && !dialog.accepted && alone;
            if times > 1 || times == 0 && owed && !call.vanished {
                let text = format!("the reliable response {rseq} was acknowledged {times} times");
                broken.push((call.caller, text));
            }
        }
    }
    broken
}
