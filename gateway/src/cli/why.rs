//! `voice-connector why`: why calls came to nothing.

use std::process::ExitCode;

use clap::Args;

use super::control::Which;
use super::file::File;
use super::output::{say, tell};
use crate::daemon::{Command, Response};
use crate::why::Wanted;

/// See the module.
#[derive(Args)]
pub(super) struct Why {
    /// A Call-ID of either leg, a transaction id, the caller's or the callee's number, or the address that the call came from.
    #[arg(value_name = "ID|NUMBER", allow_hyphen_values = true)]
    wanted: String,
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    which: Which,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Why {
    /// Prints what is known, newest first. Exits with 1 where nothing is.
    pub(super) fn run(&self) -> ExitCode {
        let mut between = "";
        let asked = self.which.open(self.file.path()).and_then(|mut session| {
            session.ask(&Command::Why { wanted: Wanted(self.wanted.clone()) }, |response| match response {
                Response::Why(call) if self.json => {
                    say(format_args!("{}\n", serde_json::to_string(&call).unwrap_or_default()));
                }
                Response::Why(call) => {
                    say(format_args!("{between}{call}\n"));
                    between = "\n";
                }
                other => tell(format_args!("this was not asked for: {other:?}")),
            })
        });
        asked.map_or_else(|code| code, |()| ExitCode::SUCCESS)
    }
}
