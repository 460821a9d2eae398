//! `voice-connector calls`: the calls of a running gateway.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::control::Which;
use super::file::File;
use super::output::say;
use crate::daemon::{Command, Response};
use crate::question::{CallFilter, CallState};

/// Cursor home, and everything below it cleared.
const FROM_THE_TOP: &str = "\x1b[H\x1b[J";

/// See the module.
#[derive(Args)]
pub(super) struct Calls {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    filter: Filter,
    /// Again and again, every so many seconds, until interrupted.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          value_parser = clap::value_parser!(u64).range(1..=5))]
    watch: Option<u64>,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Which calls.
#[derive(Args)]
struct Filter {
    /// Part of the caller's or the callee's number.
    #[arg(long)]
    number: Option<String>,
    /// A voice connector that calls, is called, or sent the call on.
    #[arg(long, value_name = "ID")]
    connector: Option<String>,
    /// A carrier that calls, or is called.
    #[arg(long, value_name = "NAME")]
    carrier: Option<String>,
    /// How far: dialling, ringing, accepted, up, handed or over. Calls that are over are listed only so.
    #[arg(long, value_parser = state)]
    state: Option<CallState>,
    /// Begun so long ago, or longer: 90, 90s, 5m, 2h.
    #[arg(long, value_name = "AGE", value_parser = seconds)]
    older: Option<u64>,
    /// Begun so long ago, or less.
    #[arg(long, value_name = "AGE", value_parser = seconds)]
    younger: Option<u64>,
}

fn state(text: &str) -> Result<CallState, String> {
    let all = || CallState::ALL.map(CallState::name).join(", ");
    let found = CallState::ALL.into_iter().find(|state| state.name() == text);
    found.ok_or_else(|| format!("write one of {}", all()))
}

/// Seconds, from a number with s, m or h, or without.
fn seconds(text: &str) -> Result<u64, String> {
    let (digits, each) = match text.chars().last() {
        Some('h') => (text.trim_end_matches('h'), 3_600),
        Some('m') => (text.trim_end_matches('m'), 60),
        _ => (text.strip_suffix('s').unwrap_or(text), 1),
    };
    let number = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(each));
    number.ok_or_else(|| "write a number of seconds, or 90s, 5m, 2h".to_owned())
}

impl Calls {
    /// Prints them. Exits with 1 where not all shards could be asked.
    pub(super) fn run(self) -> ExitCode {
        let Filter { number, connector, carrier, state, older, younger } = self.filter;
        let filter = CallFilter {
            number,
            connector,
            carrier,
            state,
            older_than: older,
            younger_than: younger,
            id: None,
        };
        let mut session = match self.which.open(self.file.path()) {
            Ok(session) => session,
            Err(code) => return code,
        };
        let command = Command::Calls(filter);
        let clears = self.watch.is_some() && !self.json && std::io::stdout().is_terminal();
        loop {
            let mut text = if clears { FROM_THE_TOP.to_owned() } else { String::new() };
            let mut count = 0_u64;
            let asked = session.ask(&command, |response| {
                let Response::Call(call) = response else { return };
                count += 1;
                match self.json {
                    true => text.push_str(&serde_json::to_string(&call).unwrap_or_default()),
                    false => text.push_str(&call.to_string()),
                }
                text.push('\n');
                if !clears {
                    say(std::mem::take(&mut text));
                }
            });
            if clears {
                text.push_str(&format!("{count} calls\n"));
            }
            say(text);
            match (asked, self.watch) {
                (Err(code), _) => return code,
                (Ok(()), None) => return ExitCode::SUCCESS,
                (Ok(()), Some(seconds)) => std::thread::sleep(Duration::from_secs(seconds)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_with_its_unit() {
        for (text, expected) in [("90", 90), ("90s", 90), ("5m", 300), ("2h", 7_200), ("0", 0)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for wrong in ["", "m", "1d", "-1", "1 h", "99999999999999999h"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
