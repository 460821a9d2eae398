//! What is logged, and how.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::output::Log;

/// The environment variable with the filter.
const VARIABLE: &str = "VOICE_CONNECTOR_LOG";

/// What follows a wrong filter.
const REMEDY: &str =
    "write error, warn, info, debug or trace, or a part of the program with one: info,gateway::call=debug";

/// How a log line is written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Begins to log on standard error, what `VOICE_CONNECTOR_LOG` asks for.
///
/// # Errors
/// What is wrong with the filter, in one sentence.
pub(super) fn begin(format: Format) -> Result<(), String> {
    let asked = match std::env::var(VARIABLE) {
        Ok(text) => text,
        Err(std::env::VarError::NotPresent) => String::new(),
        Err(std::env::VarError::NotUnicode(_)) => return Err(format!("{VARIABLE} is not UTF-8; {REMEDY}")),
    };
    let filter = filter(&asked)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(Log);
    match format {
        Format::Human => lines.with_ansi(std::io::stderr().is_terminal()).init(),
        Format::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// The filter that `text` describes; info where it says nothing.
fn filter(text: &str) -> Result<EnvFilter, String> {
    let directives: Vec<&str> =
        text.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    if directives.is_empty() {
        return Ok(EnvFilter::new("info"));
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
    EnvFilter::try_new(directives.join(","))
        .map_err(|error| format!("{VARIABLE} is {text:?}: {error}; {REMEDY}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
