//! Each REFER that was accepted ends with a NOTIFY that tells what became of the call: RFC 3515 §2.4.

use sip::Name;

use super::Broken;
use crate::simulation::phone::{Phone, Stage};

pub(super) fn broken(phones: &[Phone]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for (phone, call) in phones.iter().flat_map(|phone| phone.calls.iter().map(move |call| (phone, call))) {
        for one in &call.subscriptions {
            let accepted = one.response.is_some_and(|status| (200..300).contains(&status));
            if !accepted || call.vanished {
                continue;
            }
            // What an attended transfer leads to is a call that is up already.
            let answered = if one.replaces { None } else { answered(phones, &one.target) };
            let text = match (one.outcome(), answered) {
                // What the other party was asked itself it tells in the dialog of the call, while that is up.
                (None, _)
                    if call.stage == Stage::Over
                        && one.notified.iter().all(|(_, status)| *status < 200)
                        && was_passed(phones, &one.target) =>
                {
                    continue;
                }
                (None, _) => format!("a transfer to {} was never told the end of", one.target),
                // The target's answer was of no use, or nobody heard it; who is transferred had left (481 where its BYE was
                // lost), or did not join before the target hung up.
                (Some(told), Some(true))
                    if told / 100 != 2 && !matches!(told, 480 | 481 | 487 | 488 | 500..) =>
                {
                    format!("{} was told {told} of a transfer to {} that succeeded", phone.name, one.target)
                }
                (Some(told), Some(false)) if told / 100 == 2 => {
                    format!("{} was told {told} of a transfer to {} that failed", phone.name, one.target)
                }
                _ => continue,
            };
            broken.push(Broken { itself: false, text, call_id: call.call_id() });
        }
    }
    broken
}

/// Whether a phone was asked by a REFER to call that URI.
fn was_passed(phones: &[Phone], target: &str) -> bool {
    let user = target.trim_start_matches("sip:").split('@').next().unwrap_or_default();
    let mut heard = phones.iter().flat_map(|phone| &phone.calls).flat_map(|call| &call.heard);
    heard.any(|one| one.value(Name::ReferTo).is_some_and(|to| to.contains(&format!("sip:{user}@"))))
}

/// Whether the callee of that URI said 2xx. A user of its own for each transfer tells its call from all others; `None`:
/// the URI has none.
fn answered(phones: &[Phone], target: &str) -> Option<bool> {
    let user = |uri: &str| uri.trim_start_matches("sip:").split('@').next().map(str::to_owned);
    let wanted = user(target).filter(|user| user.starts_with('+'))?;
    let calls = phones.iter().flat_map(|phone| &phone.calls).filter(|call| !call.caller);
    let mut mine = calls.filter(|call| call.invite.request_uri().and_then(user).as_ref() == Some(&wanted));
    Some(mine.any(|call| call.gave.iter().any(|status| status / 100 == 2)))
}
