//! `voice-connector run`.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config::Config;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::daemon::{DaemonOptions, Gateway};

/// Serves until SIGTERM or SIGINT, then drains.
pub(super) fn run(file: Option<&Path>, options: &DaemonOptions, drain: Duration) -> ExitCode {
    let filter = EnvFilter::try_from_env("VOICE_CONNECTOR_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
    let Some(config) = super::load(file) else { return ExitCode::FAILURE };
    let missing = config.missing();
    if !missing.is_empty() {
        missing.iter().for_each(|missing| eprintln!("{missing}"));
        return super::fail("files or variables that the configuration needs are missing");
    }
    let summary = summary(&config, file);
    let records = config.records.directory.clone();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return super::fail("the system refused a runtime");
    };
    let gateway = match Gateway::start(config, options) {
        Ok(gateway) => gateway,
        Err(error) => return super::fail(error),
    };
    print!("{summary}");
    for (protocol, address) in gateway.listeners() {
        println!("  listens   {protocol} {address}");
    }
    println!("  admin     http://{}/metrics /healthz /readyz", gateway.admin());
    println!("  records   {}", records.display());
    println!("  threads   {} signalling, {} media", gateway.shards(), gateway.media_workers());
    if file.is_none() {
        print!("{}", try_it(&gateway));
    }
    println!("Ready. SIGTERM drains, a second one ends.");

    let again = Arc::new(AtomicBool::new(false));
    if let Err(error) = runtime.block_on(signalled()) {
        return super::fail(format_args!("signals: {error}"));
    }
    println!("Draining: no new calls but emergencies; live ones may go on for {} s.", drain.as_secs());
    let second = again.clone();
    std::thread::spawn(move || {
        let _ = runtime.block_on(signalled());
        second.store(true, Ordering::Relaxed);
    });
    gateway.drain(drain, || again.load(Ordering::Relaxed));
    gateway.stop();
    println!("Stopped.");
    ExitCode::SUCCESS
}

/// Waits for SIGTERM or SIGINT.
async fn signalled() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

fn summary(config: &Config, file: Option<&Path>) -> String {
    let name = file.map_or("the embedded example".to_owned(), |file| file.display().to_string());
    let mut text = format!("voice-connector {} with {name}\n", env!("CARGO_PKG_VERSION"));
    for connector in &config.voice_connector {
        let id = &connector.id;
        text.push_str(&format!("  connector {id} ({}) at {id}.{}\n", connector.name, config.gateway.domain));
    }
    for carrier in &config.carrier {
        let hosts: Vec<String> = carrier.host.iter().map(|host| host.host.to_string()).collect();
        text.push_str(&format!("  carrier   {} at {}\n", carrier.name, hosts.join(", ")));
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
