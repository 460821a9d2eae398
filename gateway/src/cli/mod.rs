//! The command line: `run`, `check`, `doctor`, `explain`, `reload`, `rollback`, `plan`, `calls`, `call`, `hangup`, `drain`,
//! `undrain`, `log`, `keys`, `policies`, `audit`, `records`, `demo`.

mod audit;
mod calls;
mod changes;
mod check;
mod control;
mod doctor;
mod explain;
mod file;
mod keys;
mod log;
mod one_call;
mod output;
mod records;
mod run;
mod service;
mod signals;
#[cfg(feature = "top")]
mod top;
mod trace;
mod why;

#[cfg(test)]
mod guide;
#[cfg(test)]
mod packaged;

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use config::Config;

use file::{File, NeededFile};
use output::{few, tell};

use crate::supervisor::Supervisor;

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
        /// How log lines are written on standard error; in JSON, what else the gateway says is a line of the log, too.
        #[arg(long, value_enum, default_value = "auto")]
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
    /// Look at this host and at what peers will make of the configuration: open files, ports, buffers, clock, addresses, certificates,
    /// names, the kernel, firewalls, room for calls; and say what to do. Exits with 1 where calls would fail.
    Doctor(doctor::Doctor),
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
    /// List the running gateway's calls, one line each, oldest first.
    Calls(calls::Calls),
    /// Say why a call was refused or failed, for a while after it was: which step said no, what was tried, what crossed and what can be
    /// done about it. Exits with 1 when nothing is known.
    Why(why::Why),
    /// Show all that is known of one call of the running gateway: legs, times, media, what crossed.
    Call(one_call::Show),
    /// End a call of the running gateway: both parties are hung up, and its record says that the operator did it.
    Hangup(one_call::HangUp),
    /// Begin, end or silence the recording of a call of the running gateway.
    Record(one_call::Record),
    /// Have the running gateway, or a part of it, take no new calls but emergencies; live calls go on.
    Drain(service::Part),
    /// Have it take new calls again.
    Undrain(service::Part),
    /// Watch the running gateway on a screen: connectors, carriers, calls, rates, quality, refusals. F1 shows the keys.
    #[cfg(feature = "top")]
    Top(top::Top),
    /// What the running gateway logs.
    #[command(subcommand)]
    Log(service::Log),
    /// Access keys of the API, managed on this host, whether the gateway runs or not.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Policies of access keys, managed on this host, whether the gateway runs or not.
    #[command(subcommand)]
    Policies(keys::Policies),
    /// Print who has asked the API for what, and what came of it, oldest first: from the records directory and what the journal has
    /// beside it, or from an object store.
    Audit(audit::Arguments),
    /// Print call detail records, oldest first, from the records directory and what the journal has beside it, or from an object
    /// store.
    Records(records::Arguments),
    /// Write what crosses in a call, SIP and media, to a capture file that Wireshark opens, for a while.
    Trace(trace::Trace),
    /// Gateway, PBX and carriers in one process, placing calls; prints what happens. Exits with 0 only if all went
    /// as told.
    #[cfg(feature = "demo")]
    Demo {
        /// The gateway's signalling threads; 0: one per core.
        #[arg(long, default_value_t = 0)]
        shards: u16,
    },
}

/// What the command line understands, for its man pages and completions.
#[must_use]
pub fn command() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { file, shards, media_workers, drain, no_watch, log_format } => {
            let (announce, log) = match log::begin(log_format) {
                Ok((log::Format::Json, levels)) => (output::log_lines as fn(&str), levels),
                Ok((_, levels)) => (output::say_text as fn(&str), levels),
                Err(error) => return fail(error),
            };
            let supervisor = Supervisor::from_environment().unwrap_or_else(|error| {
                tracing::warn!(%error, "the service manager hears nothing of us");
                Supervisor::default()
            });
            let file = file.path().map(Path::to_path_buf);
            let log = Some(log);
            let options = crate::daemon::DaemonOptions { shards, media_workers, file, supervisor, log };
            run::run(&options, Duration::from_secs(drain), !no_watch, announce)
        }
        Command::Check { file, strict } => check::check(file.path(), strict),
        Command::Doctor(doctor) => doctor.run(),
        Command::Explain(arguments) => explain::explain(&arguments),
        Command::Reload { file, which } => which.ask(file.path(), &crate::daemon::Command::Reload),
        Command::Rollback { file, which, steps } => {
            which.ask(file.path(), &crate::daemon::Command::Rollback { steps })
        }
        Command::Plan(plan) => plan.run(),
        Command::Calls(calls) => calls.run(),
        Command::Why(why) => why.run(),
        Command::Call(call) => call.run(),
        Command::Hangup(call) => call.run(),
        Command::Record(call) => call.run(),
        Command::Drain(part) => part.run(true),
        Command::Undrain(part) => part.run(false),
        Command::Log(log) => log.run(),
        Command::Keys(keys) => keys.run(),
        Command::Policies(policies) => policies.run(),
        Command::Audit(arguments) => audit::audit(&arguments),
        Command::Records(arguments) => records::records(&arguments),
        Command::Trace(trace) => trace.run(),
        #[cfg(feature = "top")]
        Command::Top(top) => top.run(),
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

/// Says that files alone were looked at, where more than files holds.
fn tell_of_managed(config: &Config) {
    if config.api.is_some() {
        tell(
            "note: what the API manages was not looked at; `voice-connector explain --live` asks the running gateway",
        );
    }
}

/// Refuses a command in one sentence.
fn fail(text: impl Display) -> ExitCode {
    tell(format_args!("voice-connector: {text}"));
    ExitCode::FAILURE
}
