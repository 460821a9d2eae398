//! What must hold whatever the phones do, seen from the network.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use sip::{Message, Method};

use super::agreement::Described;
use crate::media::MediaKey;

/// Call-ID, the gateway's tag, the phone's tag.
type DialogKey = (String, String, String);

/// Watches what the gateway hears and says.
#[derive(Default)]
pub(crate) struct Watch {
    /// INVITEs that the gateway heard and has not finally answered: transaction and Call-ID.
    unanswered: HashSet<(String, String)>,
    answered: HashSet<(String, String)>,
    /// Call-IDs of INVITEs that the gateway answered 2xx.
    pub accepted: HashSet<String>,
    /// Dialogs whose BYE was answered.
    dead: HashSet<DialogKey>,
    /// Call-IDs of calls in which the gateway has sent a BYE: somebody else may have that party's place already.
    pub hung_up: HashSet<String>,
    /// Branches of requests that the gateway sent.
    sent: HashSet<String>,
    /// 2xx to INVITE that the gateway heard and must acknowledge: dialog and CSeq.
    owed: HashSet<(DialogKey, u32)>,
    acknowledged: HashSet<(DialogKey, u32)>,
    /// What the parties were told and told of media.
    pub media: Described,
    /// Call-IDs of calls that somebody else spoke for: what their parties believe may come of that.
    pub forged: HashSet<String>,
    /// How often what the parties had agreed on was compared with what the media workers were told.
    pub agreements: usize,
    /// The same of parties that an attended transfer has connected.
    pub connected: usize,
    /// Broken laws, with the Call-ID.
    pub broken: Vec<(String, String)>,
}

impl Watch {
    /// The media workers were told where a party of `key` wants its media.
    pub fn media_goes_to(&mut self, at: Duration, key: MediaKey, to: SocketAddr, is_ours: bool) {
        if is_ours {
            let text =
                format!("{:.3}: media of {key:?} is sent to {to}, the gateway's own", at.as_secs_f64());
            self.broken.push((text, String::new()));
        }
    }

    /// A message reached the gateway.
    pub fn arrives(&mut self, at: Duration, message: &Message) {
        let (Ok(cseq), Ok(call_id)) = (message.cseq(), message.call_id()) else { return };
        let asks = message.method();
        // The ACK of a refusal repeats the branch of its INVITE.
        let begins = matches!(asks, Some(Method::Invite | Method::Ack));
        let begun = begins.then(|| (transaction(message), call_id.to_owned()));
        if begun.as_ref().is_none_or(|key| !self.answered.contains(key)) {
            self.media.passes(at, message);
        }
        if asks == Some(Method::Invite) {
            self.unanswered.extend(begun.filter(|key| !self.answered.contains(key)));
            return;
        }
        let Some(status) = message.status().filter(|status| status.is_final()) else { return };
        // An answer to the gateway: From is its own.
        let key = key(call_id, message.from_tag(), message.to_tag());
        match cseq.method {
            Method::Bye if status.is_success() || matches!(status.code(), 408 | 481) => {
                self.dead.insert(key);
            }
            Method::Invite if status.is_success() => {
                let owed = (key, cseq.number);
                if !self.acknowledged.contains(&owed) {
                    self.owed.insert(owed);
                }
            }
            _ => {}
        }
    }

    /// The gateway sends a message.
    pub fn leaves(&mut self, at: Duration, message: &Message) {
        let (Ok(cseq), Ok(call_id)) = (message.cseq(), message.call_id()) else { return };
        self.broken.extend(self.media.leaves(message).map(|text| (text, call_id.to_owned())));
        if let Some(status) = message.status() {
            if cseq.method == Method::Invite && status.is_final() {
                let answered = (transaction(message), call_id.to_owned());
                self.unanswered.remove(&answered);
                if status.is_success() {
                    self.accepted.insert(call_id.to_owned());
                }
                self.answered.insert(answered);
            }
            if cseq.method == Method::Bye && status.is_success() {
                self.dead.insert(key(call_id, message.to_tag(), message.from_tag()));
            }
            return;
        }
        let key = key(call_id, message.from_tag(), message.to_tag());
        let new = self.sent.insert(branch(message));
        if new {
            self.broken.extend(self.media.passes(at, message).map(|text| (text, call_id.to_owned())));
        }
        if cseq.method == Method::Bye {
            self.hung_up.insert(call_id.to_owned());
        }
        if cseq.method == Method::Ack {
            self.owed.remove(&(key.clone(), cseq.number));
            self.acknowledged.insert((key.clone(), cseq.number));
        }
        // What is told of a transfer outlives the call in which it was asked for: RFC 5057 §5. A 2xx that a BYE has overtaken
        // is acknowledged all the same: RFC 3261 §13.2.2.4.
        let outlives = matches!(cseq.method, Method::Cancel | Method::Notify | Method::Ack);
        if new && !outlives && self.dead.contains(&key) {
            let text = format!("{:.3}: {} into a dead dialog", at.as_secs_f64(), cseq.method);
            self.broken.push((text, call_id.to_owned()));
        }
    }

    /// At the end of everything: what is still owed. Who could not be reached for a while, by Call-ID, may have answered
    /// when the gateway had given up on it.
    pub fn settle(&mut self, unreached: &HashSet<String>) {
        for (_, call_id) in self.unanswered.drain() {
            self.broken.push(("INVITE was never answered".into(), call_id));
        }
        self.broken.extend(self.media.settle());
        for (key, cseq) in self.owed.drain() {
            // A dialog that was ended needs no ACK any more.
            if !self.dead.contains(&key) && !unreached.contains(&key.0) {
                self.broken.push((format!("2xx of INVITE {cseq} was never acknowledged"), key.0));
            }
        }
    }
}

fn key(call_id: &str, gateway: Option<Cow<'_, str>>, phone: Option<Cow<'_, str>>) -> DialogKey {
    let tag = |tag: Option<Cow<'_, str>>| tag.unwrap_or_default().into_owned();
    (call_id.to_owned(), tag(gateway), tag(phone))
}

fn branch(message: &Message) -> String {
    message.via().ok().and_then(|via| via.branch().map(str::to_owned)).unwrap_or_default()
}

/// What a repeat of an INVITE shares with it, and its answers.
fn transaction(message: &Message) -> String {
    let cseq = message.cseq().map(|cseq| cseq.number).unwrap_or_default();
    format!("{} {cseq} {}", branch(message), message.from_tag().unwrap_or_default())
}
