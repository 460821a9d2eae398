//! One call, for people.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{CallLine, CallView, LegView, MediaView, StreamView};
use crate::record::{AttemptDetail, rfc3339};

/// `1:02:03`, without hours where there are none.
#[must_use]
pub fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

impl CallLine {
    /// The connector or carrier that calls.
    #[must_use]
    pub fn from(&self) -> &str {
        let party = self.calling_voice_connector.as_deref().or(self.calling_carrier.as_deref());
        party.unwrap_or("-")
    }

    /// The connector or carrier that is called.
    #[must_use]
    pub fn to(&self) -> &str {
        self.called_voice_connector.as_deref().or(self.carrier.as_deref()).unwrap_or("-")
    }

    /// Enough of its id to ask for it.
    #[must_use]
    pub fn short(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }
}

impl Display for CallLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let CallLine { state, caller, callee, seconds, emergency, mos, .. } = self;
        let mos = mos.map_or("-".to_owned(), |mos| format!("{mos:.2}"));
        let help = if *emergency { "  EMERGENCY" } else { "" };
        let (from, to, age) = (self.from(), self.to(), clock(*seconds));
        write!(
            f,
            "{}  {:<8} {age:>8} {mos:>4}  {caller} -> {callee}  {from} -> {to}{help}",
            self.short(),
            state.name()
        )
    }
}

impl CallView {
    /// The same without what crossed.
    #[must_use]
    pub fn head(&self) -> impl Display + '_ {
        Head(self)
    }
}

struct Head<'a>(&'a CallView);

impl Display for CallView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.head())?;
        if !self.ladder.is_empty() {
            writeln!(f, "ladder")?;
        }
        self.ladder.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Display for Head<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Head(view) = self;
        let CallLine { id, state, caller, callee, started, emergency, .. } = &view.line;
        let help = if *emergency { ", an emergency call" } else { "" };
        writeln!(f, "call     {id}: {}{help}", state.name())?;
        writeln!(f, "who      {caller} ({}) -> {callee} ({})", view.line.from(), view.line.to())?;
        write!(f, "when     {}", rfc3339(Duration::from_millis(*started)))?;
        for (what, at) in [("rang", view.ringing), ("answered", view.answered)] {
            if let Some(at) = at {
                write!(f, ", {what} after {}", seconds(at))?;
            }
        }
        match view.line.talked {
            Some(talked) => writeln!(f, ", up for {}", clock(talked))?,
            None => writeln!(f, ", {} ago", clock(view.line.seconds))?,
        }
        for (name, leg) in [("caller", &view.caller), ("callee", &view.callee)] {
            if let Some(leg) = leg {
                writeln!(f, "{name:<8} {leg}")?;
            }
        }
        view.attempts.iter().try_for_each(|attempt| writeln!(f, "tried    {}", tried(attempt)))?;
        view.notes.iter().try_for_each(|note| writeln!(f, "note     {note}"))?;
        if let Some(media) = &view.media {
            writeln!(f, "media    {media}")?;
        }
        for (number, minute) in view.minutes.iter().enumerate() {
            let before = view.minutes.len() - number;
            writeln!(f, "minute   {:<4} {minute}", format!("-{before}"))?;
        }
        Ok(())
    }
}

impl Display for LegView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let LegView { party, remote, transport, call_id, local_tag, remote_tag, dialog, .. } = self;
        write!(f, "{} at {remote} by {transport}", party.as_deref().unwrap_or("somebody"))?;
        if let Some(tls) = &self.tls {
            write!(f, " {tls}")?;
        }
        let tags = local_tag.as_deref().zip(remote_tag.as_deref());
        match (dialog, tags) {
            (Some(dialog), Some((ours, theirs))) => {
                write!(f, ", dialog {dialog}: Call-ID {call_id}, tags {ours} (ours) {theirs}")?;
            }
            _ => write!(f, ", no dialog: Call-ID {call_id}")?,
        }
        let hold = if self.on_hold { ", on hold" } else { "" };
        let srtp = self.srtp.as_deref().map_or_else(|| "RTP".to_owned(), |suite| format!("SRTP {suite}"));
        let codec = self.codec.as_deref().map_or_else(String::new, |codec| format!(", {codec}"));
        match (self.port, self.media) {
            (Some(port), Some(media)) => {
                write!(f, "\n         {srtp}{codec}, our port {port}, to {media}{hold}")
            }
            (Some(port), None) => write!(f, "\n         our port {port}, nothing is sent{hold}"),
            _ => Ok(()),
        }
    }
}

impl Display for MediaView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "caller {}; callee {}", self.caller, self.callee)
    }
}

impl Display for StreamView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let StreamView { packets, lost, jitter, mos } = self;
        write!(f, "{packets} packets, {lost} lost")?;
        if let Some(jitter) = jitter {
            write!(f, ", jitter {:.1} ms", f64::from(*jitter) / 1_000.0)?;
        }
        mos.map_or(Ok(()), |mos| write!(f, ", MOS {mos:.2}"))
    }
}

fn tried(attempt: &AttemptDetail) -> String {
    let AttemptDetail { carrier, voice_connector, host, address, transport, started, ended, status, .. } =
        attempt;
    let party = carrier.as_deref().or(voice_connector.as_deref()).unwrap_or("-");
    let address = address.map_or_else(|| "no address".to_owned(), |address| address.to_string());
    let end = match (ended, status) {
        (None, _) => "goes on".to_owned(),
        (Some(ended), Some(status)) => {
            format!("{status} {} after {}", attempt.cause, seconds(ended.saturating_sub(*started)))
        }
        (Some(ended), None) => format!("{} after {}", attempt.cause, seconds(ended.saturating_sub(*started))),
    };
    format!("{party}, host {host}, {address} by {transport}: {end}")
}

fn seconds(milliseconds: u64) -> String {
    format!("{:.3} s", Duration::from_millis(milliseconds).as_secs_f64())
}
