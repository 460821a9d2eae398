//! What crossed the network, drawn as a SIP ladder when a law is broken.

use std::fmt::Write;
use std::time::Duration;

use sip::Message;

use crate::peer::Peer;

/// One message on its way.
pub(crate) struct Line {
    pub at: Duration,
    pub from: &'static str,
    pub to: &'static str,
    pub message: Message,
    /// How many copies arrive.
    pub copies: usize,
    /// Where the gateway sent it.
    pub peer: Option<Peer>,
}

/// The lines of the calls whose Call-ID is among `call_ids`; of all calls where there are none.
pub(crate) fn draw(lines: &[Line], call_ids: &[String]) -> String {
    let mut text = String::new();
    for line in lines {
        let call_id = line.message.call_id().unwrap_or_default();
        if !call_ids.is_empty() && !call_ids.iter().any(|one| one == call_id) {
            continue;
        }
        let start = line.message.bytes();
        let first = String::from_utf8_lossy(start.split(|byte| *byte == b'\r').next().unwrap_or_default());
        let cseq = line.message.value(sip::Name::CSeq).unwrap_or_default();
        let fate = match line.copies {
            0 => "  (lost)",
            1 => "",
            _ => "  (twice)",
        };
        let body = if line.message.body().is_empty() { "" } else { " +body" };
        let tag =
            |tag: Option<std::borrow::Cow<'_, str>>| tag.map(|tag| short(&tag)).unwrap_or_else(|| "-".into());
        let _ = writeln!(
            text,
            "{:>9.3} {:>7} -> {:<7} {first} [{cseq}; {}; {}|{}]{body}{fate}",
            line.at.as_secs_f64(),
            line.from,
            line.to,
            short(call_id),
            tag(line.message.from_tag()),
            tag(line.message.to_tag()),
        );
    }
    text
}

/// The end of a token is the random part of it.
fn short(token: &str) -> String {
    let token = token.split('@').next().unwrap_or(token);
    token.get(token.len().saturating_sub(6)..).unwrap_or(token).to_owned()
}
