//! Which methods a party is told that it may use inside a call: ours, less what the other party does not take.

use sip::{Message, Name};

/// What is ours to take, whatever the other side can do.
const OURS: [&str; 5] = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS"];
/// What crosses to the other side.
const THEIRS: [&str; 3] = ["UPDATE", "INFO", "MESSAGE"];

/// The methods of a message's Allow, in capitals; none where it does not say. RFC 3261 §20.5.
pub(super) fn allowed_by(message: &Message) -> Option<Vec<String>> {
    let methods: Vec<_> =
        message.values(Name::Allow).map(|method| method.trim().to_ascii_uppercase()).collect();
    message.has(Name::Allow).then_some(methods)
}

/// The value of Allow for a party.
///
/// - `other`: what the other party allows; none where it has not said.
/// - `but`: a method that was just refused.
pub(super) fn allow(other: Option<&[String]>, but: Option<&str>) -> String {
    let taken = |method: &&str| other.is_none_or(|other| other.iter().any(|allowed| allowed == *method));
    let methods = OURS.into_iter().chain(THEIRS.into_iter().filter(taken));
    methods.filter(|method| but != Some(*method)).collect::<Vec<_>>().join(", ")
}
