//! `voice-connector run`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use config::Config;

use super::output::{few, tell};
use super::signals::{Signals, Wish};
use crate::daemon::{DaemonOptions, Gateway};
use crate::lines::LOG;

/// Serves until SIGTERM or its like, then drains.
///
/// - `watch`: whether the configuration is read again whenever its files change.
/// - `say`: how the operator is told where it listens and what it does.
pub(super) fn run(options: &DaemonOptions, drain: Duration, watch: bool, say: fn(&str)) -> ExitCode {
    let file = options.file.as_deref();
    // Before any thread: each takes over which signals are blocked.
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return super::fail(format_args!("signals: {error}")),
    };
    let Some(config) = super::load(file) else { return ExitCode::FAILURE };
    let missing = config.missing();
    if !missing.is_empty() {
        missing.iter().for_each(tell);
        return super::fail("files or variables that the configuration needs are missing");
    }
    let summary = summary(&config, file);
    let records = config.records.directory.clone();
    let gateway = match Gateway::start(config, options) {
        Ok(gateway) => gateway,
        Err(error) => return super::fail(error),
    };
    say(&(summary + &running(&gateway, &records)));
    if file.is_none() {
        say(&try_it(&gateway));
    }
    if let Some(file) = file.filter(|_| watch)
        && let Err(error) = super::changes::watch(file, signals.wishes())
    {
        tracing::warn!(%error, "the configuration is not watched; SIGHUP has it read again");
    }
    if let Err(error) = LOG.start() {
        tracing::warn!(%error, "no thread for the log: whoever reads it slowly holds up calls");
    }
    say("Ready. SIGTERM drains, a second one ends.\n");
    let supervisor = &options.supervisor;
    supervisor.ready();
    while signals.next() == Ok(Wish::Reload) {
        let _ = gateway.reload(); // The log says what became of it.
    }
    supervisor.stopping();
    say(&format!("Draining: no new calls but emergencies; live ones may go on for {} s.\n", drain.as_secs()));
    gateway.drain(drain, || {
        std::iter::from_fn(|| signals.come().ok()).any(|wish| match wish {
            Wish::End => true,
            Wish::Reload => {
                let _ = gateway.reload();
                false
            }
        })
    });
    gateway.stop();
    LOG.flush(); // Before the last word, so that it is the last.
    say("Stopped.\n");
    LOG.flush(); // In JSON the last word is a line of the log.
    ExitCode::SUCCESS
}

/// Where it listens, and with how many threads.
fn running(gateway: &Gateway, records: &Path) -> String {
    let mut text = String::new();
    for (protocol, address) in gateway.listeners() {
        text.push_str(&format!("  listens   {protocol} {address}\n"));
    }
    text.push_str(&format!("  admin     http://{}/metrics /healthz /readyz\n", gateway.admin()));
    if let Some(api) = gateway.api() {
        text.push_str(&format!(
            "  api       {api}, for clients of chime-sdk-voice; a key by: voice-connector keys create\n"
        ));
    }
    text.push_str(&format!("  records   {}\n", records.display()));
    let [shards, workers] = [gateway.shards(), gateway.media_workers()];
    text.push_str(&format!(
        "  room      {} calls at one time, by media ports and open files\n",
        gateway.calls()
    ));
    text.push_str(&format!("  threads   {shards} signalling, {workers} media\n"));
    text.push_str(&format!("  media     {}\n", gateway.media_driver()));
    text + &format!("  streams   {}\n", gateway.media_kernel())
}

/// What is configured: the first few of each kind, and how many more.
fn summary(config: &Config, file: Option<&Path>) -> String {
    let name = file.map_or("the embedded example".to_owned(), |file| file.display().to_string());
    let mut text = format!("voice-connector {} with {name}\n", env!("CARGO_PKG_VERSION"));
    let connectors = config.voice_connector.iter().map(|connector| {
        let id = &connector.id;
        format!("  connector {id} ({}) at {id}.{}", connector.name, config.gateway.domain)
    });
    let carriers = config.carrier.iter().map(|carrier| {
        let hosts: Vec<String> = carrier.host.iter().map(|host| host.host.to_string()).collect();
        format!("  carrier   {} at {}", carrier.name, hosts.join(", "))
    });
    let connectors = few(connectors, |more| format!("  ... and {more} more connectors"));
    let carriers = few(carriers, |more| format!("  ... and {more} more carriers"));
    for line in connectors.into_iter().chain(carriers) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// How a newcomer calls through the embedded example.
fn try_it(gateway: &Gateway) -> String {
    let Some((_, address)) = gateway.listeners().first() else { return String::new() };
    format!(
        "Call through it, with sipp as carrier and as phone, each in a terminal of its own:\n  \
         sipp -sn uas -i 127.0.0.3 -p 5070\n  \
         sipp -sn uac -i 127.0.0.1 -p 5062 -s +12065550123 -m 1 -d 3000 {address}\n\
         or point a softphone on this host at sip:{address} (no registration) and dial +12065550123.\n\
         Each call leaves its record below the records directory.\n"
    )
}
