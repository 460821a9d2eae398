//! What is said of one call that came to nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sip::text::phrase;
use smol_str::ToSmolStr;

use super::LadderLine;
use crate::record::{AttemptDetail, EndedBy, rfc3339};

/// So many digits mean a number that ends with them.
const SUFFIX: usize = 7;

/// Which calls are asked about: an id or a number; an empty text: any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted(pub String);

impl Wanted {
    /// Whether a number is meant: digits, a `+`, and what people write between.
    fn digits(&self) -> Option<String> {
        let is_number =
            |letter: char| letter.is_ascii_digit() || matches!(letter, '+' | ' ' | '-' | '.' | '(' | ')');
        let digits: String = self.0.chars().filter(char::is_ascii_digit).collect();
        (self.0.chars().all(is_number) && !digits.is_empty()).then_some(digits)
    }

    /// Whether a caller or callee is meant: the same digits.
    pub fn is_number(&self, number: &str) -> bool {
        self.digits().is_some_and(|digits| {
            let known: String = number.chars().filter(char::is_ascii_digit).collect();
            known == digits || digits.len() >= SUFFIX && known.ends_with(&digits)
        })
    }

    /// Whether a caller or callee is meant that is no number: a user's name.
    pub fn is_name(&self, name: &str) -> bool {
        !name.is_empty() && self.0.eq_ignore_ascii_case(name)
    }

    /// Whether the address is meant that a call came from.
    pub fn is_address(&self, address: IpAddr) -> bool {
        self.0.parse::<IpAddr>().is_ok_and(|wanted| wanted.to_canonical() == address.to_canonical())
    }

    /// Whether a Call-ID or a transaction id is meant.
    pub fn is_id(&self, id: &str) -> bool {
        self.0.eq_ignore_ascii_case(id)
    }
}

/// A host that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// As in the call's wide record.
    #[serde(flatten)]
    pub detail: AttemptDetail,
    /// What can be done about it.
    pub to_do: Option<String>,
}

/// What the party was told that the call is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The status of the final response; null: a BYE.
    pub status: Option<u16>,
    /// The value of Reason.
    pub reason: Option<String>,
}

/// What was refused, or came to nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A call.
    #[default]
    Call,
    /// A REGISTER.
    Registration,
    /// A request inside a call, which goes on: its method, such as `INVITE` for a re-INVITE.
    InCall(String),
}

/// One call that came to nothing, or several alike of one source. Displays as lines of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What it is about.
    #[serde(default)]
    pub what: What,
    /// The gateway's UUID of the newest; null where none was given to it.
    pub transaction_id: Option<String>,
    /// The Call-IDs of its legs, the caller's first.
    pub call_ids: Vec<String>,
    /// Who called, as far as it was read; who sent a REGISTER.
    pub caller: String,
    /// Who was called; the address-of-record of a REGISTER.
    pub callee: String,
    /// Where the INVITE came from.
    pub source: Option<SocketAddr>,
    /// `udp`, `tcp` or `tls`.
    pub transport: Option<String>,
    /// Who called, as configured.
    pub from: Option<String>,
    /// Who was called, as configured.
    pub to: Option<String>,
    /// Milliseconds since the Unix epoch: when the first of them began.
    pub first: u64,
    /// When the newest ended.
    pub last: u64,
    /// How many there were.
    pub times: u64,
    /// Which step said no.
    pub step: String,
    /// As a status.
    pub status: u16,
    /// In words.
    pub cause: String,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// What the caller heard.
    pub told: Option<Told>,
    /// What can be done about it.
    pub to_do: String,
    /// What admission looked at, in order, and routing where it found no way; of a call that was admitted, nothing.
    pub steps: Vec<String>,
    /// The hosts that were tried.
    pub attempts: Vec<Tried>,
    /// What else there is to say.
    pub notes: Vec<String>,
    /// What crossed.
    pub ladder: Vec<LadderLine>,
}

impl Explanation {
    /// Whether it is asked for.
    pub fn is_of(&self, wanted: &Wanted) -> bool {
        wanted.0.is_empty()
            || self.call_ids.iter().chain(&self.transaction_id).any(|id| wanted.is_id(id))
            || wanted.is_number(&self.caller)
            || wanted.is_number(&self.callee)
            || wanted.is_name(&self.caller)
            || wanted.is_name(&self.callee)
            || self.source.is_some_and(|source| wanted.is_address(source.ip()))
    }

    /// What its texts take of the heap, in bytes.
    pub fn bytes(&self) -> usize {
        let texts = [&self.caller, &self.callee, &self.step, &self.cause, &self.to_do];
        let more = [&self.transaction_id, &self.transport, &self.from, &self.to].into_iter().flatten();
        let all = texts.into_iter().chain(more).chain(&self.call_ids).chain(&self.notes);
        let told = self.told.iter().filter_map(|told| told.reason.as_ref());
        let tried =
            |tried: &Tried| size_of::<Tried>() + tried.detail.cause.len() + tried.detail.host.len() + 256;
        all.chain(told).map(|text| size_of::<String>() + text.capacity()).sum::<usize>()
            + self.attempts.iter().map(tried).sum::<usize>()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |text: &str| if text.is_empty() { "nobody".to_owned() } else { phrase(text) };
        let (caller, callee) = (word(&self.caller), word(&self.callee));
        write!(f, "{} ", at(self.last))?;
        match &self.what {
            What::Call => write!(f, "{caller} called {callee}")?,
            What::Registration => write!(f, "{caller} wanted to register {callee}")?,
            What::InCall(method) => {
                write!(f, "{} inside the call from {caller} to {callee}", phrase(method))?
            }
        }
        if self.times > 1 {
            write!(f, ", {} times since {}", self.times, at(self.first))?;
        }
        writeln!(f, ": {} {}", self.status, self.cause)?;
        write!(f, "  from: {}", self.from.as_deref().unwrap_or("nobody known"))?;
        if let (Some(source), Some(transport)) = (self.source, &self.transport) {
            write!(f, ", {source} over {transport}")?;
        }
        if let Some(to) = &self.to {
            write!(f, "; to: {to}")?;
        }
        writeln!(f)?;
        let id = self.transaction_id.as_deref().unwrap_or("none");
        writeln!(f, "  transaction {id}; Call-ID {}", self.call_ids.join(" and "))?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        for Tried { detail, to_do } in &self.attempts {
            let whose = match (&detail.carrier, &detail.voice_connector) {
                (Some(carrier), _) => format!("carrier {carrier}"),
                (None, Some(connector)) => format!("voice connector {connector}"),
                (None, None) => "nobody".to_owned(),
            };
            let address = detail.address.map_or_else(|| detail.host.clone(), |address| address.to_smolstr());
            let status = detail.status.map(|status| format!("{status} ")).unwrap_or_default();
            writeln!(f, "  tried: {whose} at {address} over {}: {status}{}", detail.transport, detail.cause)?;
            if let Some(because) = &detail.because {
                writeln!(f, "    {because}")?;
            }
            if let Some(to_do) = to_do {
                writeln!(f, "    to do: {to_do}")?;
            }
        }
        for note in &self.notes {
            writeln!(f, "  note: {note}")?;
        }
        let who = self.ended_by.as_label();
        match self.what {
            What::Call => writeln!(f, "  refused by: {}, ended by the {who}", self.step)?,
            What::Registration | What::InCall(_) => writeln!(f, "  refused by: {}, the {who}", self.step)?,
        }
        if let Some(Told { status, reason }) = &self.told {
            let what = status.map_or_else(|| "BYE".to_owned(), |status| status.to_string());
            let reason = reason.as_deref().map(|reason| format!(", Reason: {reason}")).unwrap_or_default();
            writeln!(f, "  sent: {what}{reason}")?;
        }
        write!(f, "  to do: {}", self.to_do)?;
        self.ladder.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

fn at(milliseconds: u64) -> String {
    rfc3339(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_however_it_is_written() {
        let wanted = |text: &str| Wanted(text.into());
        assert!(wanted("+1 (206) 555-0100").is_number("+12065550100"));
        assert!(wanted("12065550100").is_number("+12065550100"));
        assert!(wanted("2065550100").is_number("+12065550100"));
        assert!(!wanted("0100").is_number("+12065550100") && !wanted("91").is_number("911"));
        assert!(wanted("911").is_number("911"));
        assert!(!wanted("anonymous").is_number("anonymous"));
        assert!(!wanted("").is_number(""));
        assert!(wanted("0F8FAD5B").is_id("0f8fad5b"));
    }
}
