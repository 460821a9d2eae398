//! The control socket: commands of who may write to it, as lines of JSON.
//!
//! ```text
//! client -> {"command":"reload"}
//! client <- {"line":"~ voice_connector office termination.cps_limit 5 -> 10 (3 live calls)"}
//! client <- {"done":true}
//! ```
//!
//! A command brings any number of lines, and then one that says that it is done or what the error is.

mod socket;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::reload::Reload;
pub(super) use socket::Socket;

/// Bytes of a command, its line break among them.
const LINE: u64 = 16 * 1024;

/// Who has connected may be silent for so long, and may take so long to read.
const PATIENCE: Duration = Duration::from_secs(10);

/// Clients at one time; more of them wait to be taken.
const CLIENTS: usize = 8;

/// What may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Read the configuration again and go on under it.
    Reload,
    /// Go on under the configuration that held so many before; the files stay as they are.
    Rollback {
        /// 1: the one before.
        steps: usize,
    },
    /// Say what the configuration in `file` would change.
    Plan {
        /// From the root on.
        file: PathBuf,
    },
}

/// A line that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// One of the lines that were asked for.
    Line(String),
    /// The last one: it was done.
    Done(bool),
    /// The last one: it was not done, and why.
    Error(String),
}

/// Serves the socket for ever.
pub(super) async fn serve(listener: UnixListener, reload: Arc<Reload>) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let reload = reload.clone();
                tokio::spawn(async move {
                    let _place = place;
                    let _ = converse(stream, reload).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket takes nobody");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// Serves one client, until it is silent for too long or goes.
async fn converse(stream: UnixStream, reload: Arc<Reload>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(LINE);
        if timeout(PATIENCE, limited.read_until(b'\n', &mut line)).await?? == 0 {
            return Ok(());
        }
        let is_whole = line.ends_with(b"\n");
        let responses = match serde_json::from_slice(&line) {
            Ok(command) if is_whole => {
                let reload = reload.clone();
                let carried = tokio::task::spawn_blocking(move || carry_out(command, &reload)).await;
                carried.unwrap_or_else(|_| vec![Response::Error("the command failed".to_owned())])
            }
            Ok(_) => vec![Response::Error("a command ends with a line break".to_owned())],
            // Serde's words may repeat what was written; the place is enough.
            Err(error) => vec![Response::Error(format!("no command: column {}", error.column()))],
        };
        let mut text = Vec::new();
        for response in responses {
            serde_json::to_writer(&mut text, &response)?;
            text.push(b'\n');
        }
        timeout(PATIENCE, writer.write_all(&text)).await??;
        if !is_whole {
            return Ok(());
        }
    }
}

fn carry_out(command: Command, reload: &Reload) -> Vec<Response> {
    let report = match command {
        Command::Reload => reload.reload(),
        Command::Rollback { steps } => reload.roll_back(steps),
        Command::Plan { file } if file.is_absolute() => reload.plan(&file),
        Command::Plan { .. } => {
            return vec![Response::Error("write the file's path from the root on".to_owned())];
        }
    };
    match report {
        Ok(report) => report.lines.into_iter().map(Response::Line).chain([Response::Done(true)]).collect(),
        Err(error) => vec![Response::Error(error.to_string())],
    }
}
