//! The command line: `run`, `check`, `explain`, `demo`.

mod check;
mod explain;
mod output;
mod run;
mod signals;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use config::Config;
use output::few;

/// What `run` and `explain` use without `--config`: everything on this host.
const EMBEDDED: &str = include_str!("../../../examples/embedded.toml");

/// What the embedded configuration is called in messages; relative paths in it start here.
const EMBEDDED_NAME: &str = "embedded.toml";

#[derive(Parser)]
#[command(
    name = "voice-connector",
    version,
    about = "A SIP trunk between your phone system and your carriers"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway. Without --config: an example on loopback that a softphone on this host can call through.
    Run {
        /// The configuration.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Signalling threads; 0: one per core.
        #[arg(long, default_value_t = 0)]
        shards: u16,
        /// Media threads; 0: one per core.
        #[arg(long, default_value_t = 0)]
        media_workers: usize,
        /// How long live calls may go on after SIGTERM, in seconds.
        #[arg(long, default_value_t = 60, value_name = "SECONDS")]
        drain: u64,
    },
    /// Check a configuration; nothing outside the file is touched. Exits with 1 when it can't be used.
    Check {
        /// The configuration.
        file: PathBuf,
    },
    /// Say whether a call would be taken, and why: every step and the outcome. Exits with 0 when it is admitted,
    /// 1 when it is refused, 2 when the question is wrong.
    Explain(explain::Arguments),
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
        Command::Run { config, shards, media_workers, drain } => {
            let options = crate::daemon::DaemonOptions { shards, media_workers };
            run::run(config.as_deref(), &options, Duration::from_secs(drain))
        }
        Command::Check { file } => check::check(&file),
        Command::Explain(arguments) => explain::explain(&arguments),
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
            eprintln!("{errors}");
            return None;
        }
    };
    let warnings = warnings.iter().map(|warning| format!("warning: {warning}"));
    for line in few(warnings, |more| format!("warning: ... and {more} more; voice-connector check shows all"))
    {
        eprintln!("{line}");
    }
    if let Err(errors) = config.read_inventory() {
        eprintln!("{errors}");
        return None;
    }
    Some(config)
}

/// Refuses a command in one sentence.
fn fail(text: impl std::fmt::Display) -> ExitCode {
    eprintln!("voice-connector: {text}");
    ExitCode::FAILURE
}
