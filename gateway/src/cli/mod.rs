//! The command line: `run`, `check`, `explain`, `reload`, `rollback`, `plan`, `demo`.

mod changes;
mod check;
mod control;
mod explain;
mod file;
mod log;
mod output;
mod run;
mod signals;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use config::Config;

use file::{File, NeededFile};
use output::{few, tell};

/// What `run` and `explain` use without `--config`: everything on this host.
const EMBEDDED: &str = include_str!("../../../examples/embedded.toml");

/// What the embedded configuration is called in messages; relative paths in it start here.
const EMBEDDED_NAME: &str = "embedded.toml";

#[derive(Parser)]
#[command(
    name = "voice-connector",
    version,
    about = "A SIP trunk between your phone system and your carriers",
    after_help = "VOICE_CONNECTOR_LOG says what `run` logs: error, warn, info (the default), debug or trace, or parts of \
                  the program with a level each, as in info,gateway::call=debug."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway. Without a file: an example on loopback that a softphone on this host can call through.
    /// VOICE_CONNECTOR_LOG says what is logged: a level (info), or parts of the program with a level each
    /// (info,gateway::call=debug).
    Run {
        #[command(flatten)]
        file: File,
        /// Signalling threads; 0: one per core.
        #[arg(long, default_value_t = 0)]
        shards: u16,
        /// Media threads; 0: one per core.
        #[arg(long, default_value_t = 0)]
        media_workers: usize,
        /// How long live calls may go on after SIGTERM, in seconds.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        drain: u64,
        /// Do not watch the configuration: SIGHUP alone has it read again.
        #[arg(long)]
        no_watch: bool,
        /// How log lines are written.
        #[arg(long, value_enum, default_value = "human")]
        log_format: log::Format,
    },
    /// Check a configuration and the files that it names; nothing is touched. Exits with 1 when it can't be used.
    Check {
        #[command(flatten)]
        file: NeededFile,
        /// Exit with 1 on a warning, too.
        #[arg(long)]
        strict: bool,
    },
    /// Say whether a call would be taken, and why: every step and the outcome. Exits with 0 when it is admitted,
    /// 1 when it is refused, 2 when the question is wrong.
    Explain(explain::Arguments),
    /// Have the running gateway read its configuration again; prints what is different from now on. Exits with 1 when it stays as it
    /// was, and says why.
    Reload {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        which: control::Which,
    },
    /// Have the running gateway return to a configuration that held before; prints what is different from now on. The files stay as
    /// they are: mend them before they are read again.
    Rollback {
        #[command(flatten)]
        file: File,
        #[command(flatten)]
        which: control::Which,
        /// How many configurations back.
        #[arg(long, default_value_t = 1, value_name = "COUNT")]
        steps: usize,
    },
    /// Print what a new configuration would change, and change nothing. Exits with 1 when it would not be taken.
    Plan(control::Plan),
    /// Gateway, PBX and carriers in one process, placing calls; prints what happens. Exits with 0 only if all went
    /// as told.
    #[cfg(feature = "demo")]
    Demo {
        /// The gateway's signalling threads; 0: one per core.
        #[arg(long, default_value_t = 0)]
        shards: u16,
    },
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { file, shards, media_workers, drain, no_watch, log_format } => {
            if let Err(error) = log::begin(log_format) {
                return fail(error);
            }
            let file = file.path().map(Path::to_path_buf);
            let options = crate::daemon::DaemonOptions { shards, media_workers, file };
            run::run(&options, Duration::from_secs(drain), !no_watch)
        }
        Command::Check { file, strict } => check::check(file.path(), strict),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Reload { file, which } => which.ask(file.path(), &crate::daemon::Command::Reload),
        Command::Rollback { file, which, steps } => {
            which.ask(file.path(), &crate::daemon::Command::Rollback { steps })
        }
        Command::Plan(plan) => plan.run(),
        #[cfg(feature = "demo")]
        Command::Demo { shards } => {
            crate::demo::run(&crate::daemon::DaemonOptions { shards, ..Default::default() })
        }
    }
}

/// Loads a configuration and its inventory, or says on standard error why not.
fn load(path: Option<&Path>) -> Option<Config> {
    let loaded = match path {
        Some(path) => Config::load(path),
        None => Config::parse(EMBEDDED, Path::new(EMBEDDED_NAME)),
    };
    let (mut config, warnings) = match loaded {
        Ok(loaded) => loaded,
        Err(errors) => {
            tell(errors);
            return None;
        }
    };
    let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in few(warnings, |more| format!("warning: ... and {more} more; voice-connector check shows all"))
    {
        tell(line);
    }
    if let Err(errors) = config.read_inventory() {
        tell(errors);
        return None;
    }
    Some(config)
}

/// Refuses a command in one sentence.
fn fail(text: impl Display) -> ExitCode {
    tell(format_args!("voice-connector: {text}"));
    ExitCode::FAILURE
}
