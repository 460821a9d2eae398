//! No call is up without a description of the gateway's on both legs: seen from the network.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use sip::{Message, Method};

/// How a description names an address of the gateway.
const OURS: &str = "c=IN IP4 192.0.2.";

/// The gateway hangs up at once; its BYE may wait for the address behind a name.
const AT_ONCE: Duration = Duration::from_secs(1);

/// What was said of media, by Call-ID.
#[derive(Default)]
pub(crate) struct Described {
    /// Call-IDs and To tags in which a reliable ringing of the gateway's said what its 2xx need not say again.
    settled: HashSet<(String, String)>,
    /// Calls whose first INVITE offers nothing: the 2xx offers, and the ACK must answer; or a reliable ringing, and the
    /// PRACK.
    unoffered: HashSet<String>,
    /// Since when an answer is lacking that no other message will bring.
    lacking: HashMap<String, Duration>,
    /// Dialogs in which there was a BYE.
    ended: HashSet<String>,
}

impl Described {
    /// A message from the gateway: whatever it says of media is its own, and each 2xx to an INVITE says something.
    pub fn leaves(&mut self, message: &Message) -> Option<String> {
        let (call_id, tag) = (message.call_id().unwrap_or_default(), message.to_tag().unwrap_or_default());
        let dialog = || (call_id.to_owned(), tag.to_string());
        if describes(message) {
            let text = String::from_utf8_lossy(message.body());
            let mut lines = text.lines().map(str::trim);
            let foreign = lines.find(|line| line.starts_with("c=IN IP") && !line.starts_with(OURS));
            if let Some(line) = foreign {
                return Some(format!("a description that is not the gateway's: {line}"));
            }
            if message.reliable().is_ok_and(|rseq| rseq.is_some()) {
                self.settled.insert(dialog());
            }
            return None;
        }
        let invite = message.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
        let success = message.status().is_some_and(|status| status.is_success());
        let mute = invite && success && !self.settled.contains(&dialog());
        mute.then(|| "a 2xx without media".to_owned())
    }

    /// A message from or to the gateway, not a repeated one: an ACK without the answer that it owes ends the call.
    pub fn passes(&mut self, at: Duration, message: &Message) -> Option<String> {
        let call_id = message.call_id().unwrap_or_default().to_owned();
        match message.method()? {
            Method::Invite if message.to_tag().is_none() && !describes(message) => {
                self.unoffered.insert(call_id);
            }
            Method::Ack if !self.unoffered.contains(&call_id) || self.ended.contains(&call_id) => {}
            Method::Ack | Method::Prack if describes(message) => {
                self.unoffered.remove(&call_id);
            }
            Method::Prack => {}
            Method::Ack => {
                self.lacking.entry(call_id).or_insert(at);
            }
            Method::Bye => {
                let since = self.lacking.remove(&call_id);
                self.ended.insert(call_id);
                let late = since.filter(|since| at > *since + AT_ONCE);
                return late.map(|_| "a call without agreed media went on".to_owned());
            }
            _ => {}
        }
        None
    }

    /// At the end of everything: the calls, by Call-ID, in which media was never agreed on, and which nobody ended.
    pub fn settle(&mut self) -> Vec<(String, String)> {
        let lacking = self.lacking.drain();
        lacking
            .map(|(call_id, _)| ("a call without agreed media was not ended".to_owned(), call_id))
            .collect()
    }
}

fn describes(message: &Message) -> bool {
    let body = message.body();
    let mut lines = (0..body.len()).filter(|at| body[*at] == b'm').map(|at| &body[at..]);
    lines.any(|line| line.starts_with(b"m=audio ") || line.starts_with(b"m=image "))
}
