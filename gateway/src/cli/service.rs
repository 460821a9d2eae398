//! `voice-connector drain`, `undrain` and `log level`: what a running gateway serves, and says of it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::control::Which;
use super::file::File;
use crate::daemon::{Command, Drained};

/// `voice-connector drain` and `undrain`: a part of the gateway, or all of it.
#[derive(Args)]
pub(super) struct Part {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    which: Which,
    /// Only calls from this voice connector and to it.
    #[arg(long, value_name = "ID", group = "part")]
    connector: Option<String>,
    /// Only calls from this carrier and to it.
    #[arg(long, value_name = "NAME", group = "part")]
    carrier: Option<String>,
    /// Only calls to this host of a carrier or voice connector, with its port or without.
    #[arg(long, value_name = "HOST", group = "part")]
    host: Option<String>,
}

impl Part {
    /// - `drains`: whether it drains from now on.
    pub(super) fn run(self, drains: bool) -> ExitCode {
        let part = Drained { connector: self.connector, carrier: self.carrier, host: self.host };
        let command = if drains { Command::Drain(part) } else { Command::Undrain(part) };
        self.which.ask(self.file.path(), &command)
    }
}

/// `voice-connector log`.
#[derive(Subcommand)]
pub(super) enum Log {
    /// Print which levels are logged, or change them: debug, gateway::call=debug,sip=trace, or reset.
    Level {
        /// Lie over those that hold; `reset`: those of the start hold again.
        #[arg(value_name = "LEVELS")]
        levels: Option<String>,
        /// A configuration that names the control socket.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
    },
}

impl Log {
    pub(super) fn run(self) -> ExitCode {
        let Log::Level { levels, config, which } = self;
        which.ask(config.as_deref(), &Command::LogLevel { filter: levels })
    }
}
