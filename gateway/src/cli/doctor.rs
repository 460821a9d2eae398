//! `voice-connector doctor`.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::output::say;
use crate::doctor::{Wanted, examine};

/// Look at this host and at what peers will make of the configuration.
#[derive(Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    file: super::File,
    /// Calls that are expected at one time: what has too little room for them is bad.
    #[arg(long, value_name = "COUNT")]
    calls: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub fn run(&self) -> ExitCode {
        let Some(config) = super::load(self.file.path()) else { return ExitCode::FAILURE };
        let config = Arc::new(config);
        let diagnosis = examine(&config, Wanted { calls: self.calls });
        super::tell_of_managed(&config);
        if self.json {
            // Strings and numbers: cannot fail.
            say(format_args!("{}\n", serde_json::to_string_pretty(&diagnosis).unwrap_or_default()));
        } else {
            say(&diagnosis);
        }
        if diagnosis.is_bad() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}
