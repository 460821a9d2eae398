//! What is logged, and how.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::reload::Handle;

use super::output::Log;
use crate::daemon::LogLevels;
use crate::lines::LOG;

/// The environment variable with the filter.
const VARIABLE: &str = "VOICE_CONNECTOR_LOG";

/// The client of NATS says each failure, as often as there is one; the sink says the same, and not each time.
const NATS: &str = "async_nats";
const SILENT: &str = "async_nats=off";

/// What follows a wrong filter.
const REMEDY: &str =
    "write error, warn, info, debug or trace, or a part of the program with one: info,gateway::call=debug";

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people on a terminal, JSON everywhere else.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Human or JSON, whatever was asked for.
    fn settled(self, on_a_terminal: bool) -> Format {
        match self {
            Format::Auto if on_a_terminal => Format::Human,
            Format::Auto => Format::Json,
            asked => asked,
        }
    }
}

/// Begins to log on standard error, what `VOICE_CONNECTOR_LOG` asks for. Returns how: for people or in JSON.
///
/// # Errors
/// What is wrong with the filter, in one sentence.
pub(super) fn begin(format: Format) -> Result<(Format, LogLevels), String> {
    let asked = match std::env::var(VARIABLE) {
        Ok(text) => text,
        Err(std::env::VarError::NotPresent) => String::new(),
        Err(std::env::VarError::NotUnicode(_)) => return Err(format!("{VARIABLE} is not UTF-8; {REMEDY}")),
    };
    let first = filter(&asked)?;
    let text = first.to_string();
    let on_a_terminal = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(first).with_writer(Log);
    let format = format.settled(on_a_terminal);
    let levels = match format {
        Format::Json => {
            LOG.is_json();
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            let lines = lines.with_filter_reloading();
            let levels = changeable(&text, lines.reload_handle());
            lines.init();
            levels
        }
        Format::Human | Format::Auto => {
            let lines = lines.with_ansi(on_a_terminal).with_filter_reloading();
            let levels = changeable(&text, lines.reload_handle());
            lines.init();
            levels
        }
    };
    Ok((format, levels))
}

/// The levels that `handle` changes.
fn changeable<S: 'static>(first: &str, handle: Handle<EnvFilter, S>) -> LogLevels {
    LogLevels::new(first, move |text| {
        let filter = filter(text).map_err(|error| error.replacen(VARIABLE, "the filter", 1))?;
        handle.reload(filter).map_err(|error| error.to_string())
    })
}

/// The filter that `text` describes; info where it says nothing.
fn filter(text: &str) -> Result<EnvFilter, String> {
    let mut directives: Vec<&str> =
        text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        directives.push("info");
    }
    for directive in &directives {
        // A word alone would be a part of the program at trace; `inof` is meant to be a level, and would be silence.
        let level = ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| level.eq_ignore_ascii_case(directive));
        let part =
            directive.contains(['=', '[', ':']) || ["gateway", "sip", "rtp", "config"].contains(directive);
        if (!level && !part) || directive.ends_with('=') {
            return Err(format!("{VARIABLE} has {directive:?}, which is no level; {REMEDY}"));
        }
    }
    if !directives.iter().any(|directive| directive.starts_with(NATS)) {
        directives.push(SILENT);
    }
    EnvFilter::try_new(directives.join(","))
        .map_err(|error| format!("{VARIABLE} is {text:?}: {error}; {REMEDY}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_terminals_and_programs_the_rest() {
        assert_eq!(
            [true, false].map(|terminal| Format::Auto.settled(terminal)),
            [Format::Human, Format::Json]
        );
        for asked in [Format::Human, Format::Json] {
            assert_eq!([true, false].map(|terminal| asked.settled(terminal)), [asked, asked]);
        }
    }

    #[test]
    fn what_a_sink_says_itself_its_client_says_only_if_asked() {
        let shown = |text| filter(text).unwrap().to_string();
        for text in ["", "info", "gateway=debug"] {
            assert!(shown(text).contains(SILENT), "{text:?}");
        }
        assert!(!shown("info,async_nats=debug").contains(SILENT));
    }

    #[test]
    fn only_filters_that_say_something_are_taken() {
        for right in
            ["", " ", "info", "WARN", "info,gateway::call=debug", "gateway", "off, gateway::listen=trace,"]
        {
            assert!(filter(right).is_ok(), "{right:?}");
        }
        for wrong in ["inof", "info,gateway::call=loud", "verbose", "info;debug", "gateway::call=", "3x"] {
            let error = filter(wrong).unwrap_err();
            assert!(error.starts_with("VOICE_CONNECTOR_LOG ") && error.lines().count() == 1, "{error}");
        }
    }
}
