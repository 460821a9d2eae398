//! `voice-connector reload` and `plan`: what a running gateway is asked by its control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use config::Config;

use super::fail;
use super::output::{say, tell};
use crate::daemon::{Command, Response};

/// A gateway that does not answer for so long has other troubles.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which gateway is meant.
#[derive(Args)]
pub(super) struct Which {
    /// The control socket. Without it: admin.socket of the configuration.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

impl Which {
    /// Asks the gateway, and prints what it says. Exits with 1 where nothing was done.
    ///
    /// - `file`: a configuration that names the socket.
    pub(super) fn ask(&self, file: Option<&Path>, command: &Command) -> ExitCode {
        let named = match (&self.socket, file) {
            (Some(socket), _) => Some(socket.clone()),
            (None, None) => return fail("which gateway? Name its configuration, or --socket PATH"),
            (None, Some(file)) => match Config::load(file) {
                Ok((config, _)) => config.admin.socket,
                Err(errors) => {
                    tell(errors);
                    return ExitCode::FAILURE;
                }
            },
        };
        let Some(socket) = named else {
            return fail(
                "the configuration has no admin.socket; write socket = \"...\" in [admin], or --socket PATH",
            );
        };
        match converse(&socket, command) {
            Ok(code) => code,
            Err(error) => fail(format_args!("{}: {error}; is the gateway running?", socket.display())),
        }
    }
}

fn converse(socket: &Path, command: &Command) -> io::Result<ExitCode> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut line = serde_json::to_vec(command)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    for line in BufReader::new(stream).lines() {
        match serde_json::from_str(&line?)? {
            Response::Line(line) => say(format_args!("{line}\n")),
            Response::Done(_) => return Ok(ExitCode::SUCCESS),
            Response::Error(error) => {
                tell(error);
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// `voice-connector plan`.
#[derive(Args)]
pub(super) struct Plan {
    /// The new configuration.
    #[arg(value_name = "NEW")]
    file: PathBuf,
    /// Compare it with this configuration; no gateway is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "socket")]
    old: Option<PathBuf>,
    #[command(flatten)]
    which: Which,
}

impl Plan {
    /// Prints the difference. Exits with 1 where the new configuration would not be taken.
    pub(super) fn run(&self) -> ExitCode {
        if let Some(old) = &self.old {
            return match crate::daemon::difference(old, &self.file) {
                Ok(report) => {
                    say(format_args!("{report}\n"));
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    tell(error);
                    ExitCode::FAILURE
                }
            };
        }
        match std::path::absolute(&self.file) {
            Ok(file) => self.which.ask(Some(&self.file), &Command::Plan { file }),
            Err(error) => fail(format_args!("{}: {error}", self.file.display())),
        }
    }
}
