//! `voice-connector call`, `hangup` and `record`: one call of a running gateway.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::control::Which;
use super::output::say;
use crate::daemon::{Command, Response};
use crate::sound::RecordOrder;

/// Which call, of which gateway.
#[derive(Args)]
pub(super) struct OneCall {
    /// The beginning of the call's id, as `calls` shows it, or the SIP Call-ID of one of its legs.
    #[arg(value_name = "ID")]
    id: String,
    /// A configuration that names the control socket.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

/// `voice-connector call`.
#[derive(Args)]
pub(super) struct Show {
    #[command(flatten)]
    call: OneCall,
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// `voice-connector hangup`.
#[derive(Args)]
pub(super) struct HangUp {
    #[command(flatten)]
    call: OneCall,
    /// What the parties and the record are told.
    #[arg(long, value_name = "WORDS")]
    cause: Option<String>,
    /// The same as a status: what a caller hears who still waits, and the cause of BYE and CANCEL.
    #[arg(long, value_parser = clap::value_parser!(u16).range(400..700))]
    status: Option<u16>,
}

/// `voice-connector record`.
#[derive(Args)]
pub(super) struct Record {
    /// What becomes of its recording.
    #[arg(value_enum)]
    order: Order,
    #[command(flatten)]
    call: OneCall,
}

#[derive(Clone, Copy, ValueEnum)]
enum Order {
    /// It begins, where the voice connector has [voice_connector.recording].
    Start,
    /// It ends.
    Stop,
    /// What is said from now on is silence in it.
    Pause,
    /// It goes on.
    Resume,
}

impl Record {
    /// Says so to the gateway. Exits with 1 where there is no such call or recording.
    pub(super) fn run(self) -> ExitCode {
        let OneCall { id, file, which } = self.call;
        let order = match self.order {
            Order::Start => RecordOrder::Start,
            Order::Stop => RecordOrder::Stop,
            Order::Pause => RecordOrder::Pause,
            Order::Resume => RecordOrder::Resume,
        };
        which.ask(file.as_deref(), &Command::Record { id, order })
    }
}

impl Show {
    /// Prints it. Exits with 1 where there is no such call, or more than one.
    pub(super) fn run(self) -> ExitCode {
        let OneCall { id, file, which } = self.call;
        let asked = which.open(file.as_deref()).and_then(|mut session| {
            session.ask(&Command::Call { id }, |response| match response {
                Response::View(view) if self.json => {
                    say(serde_json::to_string(&view).unwrap_or_default() + "\n");
                }
                Response::View(view) => say(view),
                _ => {}
            })
        });
        asked.map_or_else(|code| code, |()| ExitCode::SUCCESS)
    }
}

impl HangUp {
    /// Ends it. Exits with 1 where there is no such call, or more than one.
    pub(super) fn run(self) -> ExitCode {
        let OneCall { id, file, which } = self.call;
        which.ask(file.as_deref(), &Command::Hangup { id, status: self.status, cause: self.cause })
    }
}
