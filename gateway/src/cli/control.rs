//! What a running gateway is asked by its control socket; `voice-connector reload`, `rollback` and `plan`.

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
    /// The gateway that serves this control socket.
    pub(super) fn at(socket: PathBuf) -> Which {
        Which { socket: Some(socket) }
    }

    /// Asks the gateway, and prints the lines that it says. Exits with 1 where nothing was done.
    ///
    /// - `file`: a configuration that names the socket.
    pub(super) fn ask(&self, file: Option<&Path>, command: &Command) -> ExitCode {
        let asked = self.open(file).and_then(|mut session| {
            session.ask(command, |response| match response {
                Response::Line(line) => say(format_args!("{line}\n")),
                other => tell(format_args!("this was not asked for: {other:?}")),
            })
        });
        asked.map_or_else(|code| code, |()| ExitCode::SUCCESS)
    }

    /// Connects to the gateway.
    ///
    /// - `file`: a configuration that names the socket.
    ///
    /// # Errors
    /// What the command ends with; why was said.
    pub(super) fn open(&self, file: Option<&Path>) -> Result<Session, ExitCode> {
        let named = match (&self.socket, file) {
            (Some(socket), _) => Some(socket.clone()),
            (None, None) => return Err(fail("which gateway? Name its configuration, or --socket PATH")),
            (None, Some(file)) => match Config::load(file) {
                Ok((config, _)) => config.admin.socket,
                Err(errors) => {
                    tell(errors);
                    return Err(ExitCode::FAILURE);
                }
            },
        };
        let Some(socket) = named else {
            return Err(fail(
                "the configuration has no admin.socket; write socket = \"...\" in [admin], or --socket PATH",
            ));
        };
        connect(&socket).map_err(|error| trouble(&socket, &error))
    }
}

/// A conversation with a running gateway.
pub(super) struct Session {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Session {
    /// Asks for one thing; `hear` hears of each line that comes before the last one.
    ///
    /// # Errors
    /// What the command ends with: not all was done, or the gateway is gone; why was said.
    pub(super) fn ask(&mut self, command: &Command, hear: impl FnMut(Response)) -> Result<(), ExitCode> {
        match self.converse(command, hear) {
            Ok(None) => Ok(()),
            Ok(Some(error)) => {
                tell(error);
                Err(ExitCode::FAILURE)
            }
            Err(error) => Err(trouble(&self.socket, &error)),
        }
    }

    /// The same until `hear` has heard enough, which is `false`.
    ///
    /// # Errors
    /// As [`Session::ask`].
    pub(super) fn ask_until(
        &mut self,
        command: &Command,
        hear: impl FnMut(Response) -> bool,
    ) -> Result<(), ExitCode> {
        match self.converse_until(command, hear) {
            Ok(None) => Ok(()),
            Ok(Some(error)) => {
                tell(error);
                Err(ExitCode::FAILURE)
            }
            Err(error) => Err(trouble(&self.socket, &error)),
        }
    }

    /// A new conversation with whoever serves the socket now.
    ///
    /// # Errors
    /// Nobody does.
    #[cfg(feature = "top")]
    pub(super) fn again(&self) -> io::Result<Session> {
        connect(&self.socket)
    }

    /// What was not done, where it was not.
    ///
    /// # Errors
    /// The gateway is gone, or silent.
    pub(super) fn converse(
        &mut self,
        command: &Command,
        mut hear: impl FnMut(Response),
    ) -> io::Result<Option<String>> {
        self.converse_until(command, |response| {
            hear(response);
            true
        })
    }

    fn converse_until(
        &mut self,
        command: &Command,
        mut hear: impl FnMut(Response) -> bool,
    ) -> io::Result<Option<String>> {
        let mut line = serde_json::to_vec(command)?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line)?;
        loop {
            line.clear();
            if self.stream.read_until(b'\n', &mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match serde_json::from_slice(&line)? {
                Response::Done(_) => return Ok(None),
                Response::Error(error) => return Ok(Some(error)),
                other => {
                    if !hear(other) {
                        return Ok(None);
                    }
                }
            }
        }
    }
}

fn connect(socket: &Path) -> io::Result<Session> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(Session { socket: socket.to_path_buf(), stream: BufReader::new(stream) })
}

fn trouble(socket: &Path, error: &io::Error) -> ExitCode {
    fail(format_args!("{}: {error}; is the gateway running?", socket.display()))
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
