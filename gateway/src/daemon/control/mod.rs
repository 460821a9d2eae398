//! The control socket: commands of who may write to it, as lines of JSON.
//!
//! ```text
//! client -> {"command":"reload"}
//! client <- {"line":"~ voice_connector office termination.cps_limit 5 -> 10 (3 live calls)"}
//! client <- {"done":true}
//! ```
//!
//! A command brings any number of lines, and then one that says that it is done or what the error is. One command is one file; what
//! it has to know of calls it asks the shards ([`super::asking`]).

mod access;
mod calls;
mod client;
mod command;
mod configuration;
mod drain;
mod explain;
mod metrics;
mod one_call;
mod socket;
mod trace;
mod why;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::LogLevels;
use super::asking::Asking;
use super::reload::Reload;
use crate::record::Recorder;
pub(super) use calls::Calls;
use client::Client;
pub use command::{Command, Drained, Response};
pub(super) use one_call::look_at;
pub(super) use socket::Socket;
pub(super) use why::known;

/// Clients at one time; more of them wait to be taken.
const CLIENTS: usize = 8;

/// What commands work with.
pub(super) struct Control {
    pub reload: Arc<Reload>,
    pub asking: Asking,
    pub log: Option<LogLevels>,
    /// What the API manages, where there is one.
    pub inventory: Option<Arc<inventory::Inventory>>,
    /// Where what is done with keys and policies is kept.
    pub recorder: Recorder,
}

/// Serves the socket for ever.
pub(super) async fn serve(listener: UnixListener, control: Arc<Control>) {
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let control = control.clone();
                tokio::spawn(async move {
                    let _place = place;
                    let _ = converse(stream, &control).await;
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
async fn converse(stream: UnixStream, control: &Control) -> io::Result<()> {
    let mut client = Client::new(stream);
    while let Some(line) = client.line().await? {
        let is_whole = line.ends_with(b"\n");
        match serde_json::from_slice(&line) {
            Ok(command) if is_whole => carry_out(control, command, &mut client).await?,
            Ok(_) => client.say(&Response::Error("a command ends with a line break".to_owned())).await?,
            // Serde's words may repeat what was written; the place is enough.
            Err(error) => {
                client.say(&Response::Error(format!("no command: column {}", error.column()))).await?;
            }
        }
        client.flush().await?;
        if !is_whole {
            return Ok(());
        }
    }
    Ok(())
}

async fn carry_out(control: &Control, command: Command, client: &mut Client) -> io::Result<()> {
    let responses = match command {
        Command::Reload => configuration::carry_out(control, Reload::reload).await,
        Command::Rollback { steps } => {
            configuration::carry_out(control, move |reload| reload.roll_back(steps)).await
        }
        Command::Plan { file } => configuration::plan(control, &file).await,
        Command::Call { id } => at_once(one_call::view(control, &id).await),
        Command::Hangup { id, status, cause } => {
            at_once(one_call::hang_up(control, &id, status, cause.as_deref()).await)
        }
        Command::Record { id, order } => at_once(one_call::record(control, &id, order).await),
        Command::Drain(part) => at_once(match part.part() {
            Ok(part) => drain::drain(control, part).await,
            Err(error) => Err(error),
        }),
        Command::Undrain(part) => at_once(part.part().and_then(|part| drain::undrain(control, &part))),
        Command::Access(act) => access::carry_out(control, act).await,
        Command::Metrics { families } => metrics::carry_out(control, families).await,
        Command::LogLevel { filter } => at_once(log_level(control, filter.as_deref())),
        Command::Calls(filter) => return calls::tell(control, filter, client).await,
        Command::Why { wanted } => return why::tell(control, &wanted, client).await,
        Command::Trace { wanted, seconds, clear } => {
            return trace::tell(control, wanted, seconds, clear, client).await;
        }
        Command::Explain(question) => explain::explain(control, &question),
    };
    for response in &responses {
        client.say(response).await?;
    }
    Ok(())
}

/// What a command says that says one thing.
fn at_once(done: Result<Response, String>) -> Vec<Response> {
    match done {
        Ok(response) => vec![response, Response::Done(true)],
        Err(error) => vec![Response::Error(error)],
    }
}

/// The filter of the log that holds, or holds from now on.
fn log_level(control: &Control, directives: Option<&str>) -> Result<Response, String> {
    let log = control.log.as_ref().ok_or("this gateway's log is not its own")?;
    let filter = match directives {
        None => log.now(),
        Some(directives) => {
            let filter = log.change(directives)?;
            tracing::warn!(filter, "the log's filter is another one");
            filter
        }
    };
    Ok(Response::Line(filter))
}
