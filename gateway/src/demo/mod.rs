//! `voice-connector demo`: gateway, PBX and carriers in one process, placing real calls.
//!
//! Everything speaks over loopback as it would over a network; only the processes are one. The phones are built on
//! `rsip`, and their SRTP on `webrtc-srtp`, so that no misreading of ours is shared by both ends. What is played, and what must be seen of it, is
//! the table in `scenarios`; the demo prints it as it goes, and fails if anything is otherwise.
//!
//! ```text
//! scenarios -> phone (rsip) --SIP--> gateway --SIP--> phone (rsip)
//!              line         --RTP-->         --RTP--> line
//! check     <- records on disk, metrics over HTTP, what the phones heard
//! ```

mod audio;
mod certificates;
mod failure;
mod ladder;
mod line;
mod phone;
pub mod rtp;
pub mod srtp;

mod check;
mod config;
mod metrics;
mod paper;
mod performance;
mod records;
mod scenario;
mod scenarios;
mod stage;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use ::config::Transport;

use self::certificates::Authority;
use self::failure::Failure;
use self::paper::{Ink, Paper};
use self::performance::Performance;
use self::stage::{Gateway, Phones, Stage};
use crate::daemon;

/// How long anything is waited for before the demo calls it a failure.
const PATIENCE: Duration = Duration::from_secs(30);

/// Plays all scenarios and prints them. Succeeds only if all went as told.
pub fn run(options: &daemon::DaemonOptions) -> ExitCode {
    let paper = Paper::new();
    match play(paper, options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            paper.check(false, &failure.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Whether all went as told.
fn play(paper: Paper, options: &daemon::DaemonOptions) -> Result<bool, Failure> {
    let directory = tempfile::Builder::new()
        .prefix("voice-connector-demo-")
        .tempdir()
        .map_err(Failure::io("making a directory for the records"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(Failure::io("starting the phones' runtime"))?;
    let authority = Authority::new()?;
    authority.write(directory.path(), &["127.0.0.1", &format!("*.{}", config::DOMAIN)])?;
    let phones = runtime.block_on(Phones::start(&authority))?;
    let config = config::parse(&phones.addresses(), directory.path())
        .map_err(|errors| Failure::Start(errors.to_string()))?;
    let gateway =
        daemon::Gateway::start(config, options).map_err(|error| Failure::Start(error.to_string()))?;
    let listener = |protocol: Transport| {
        let found = gateway.listeners().iter().find(|(other, _)| *other == protocol);
        found.map(|(_, address)| *address).ok_or_else(|| Failure::Start(format!("no {protocol} listener")))
    };
    let addresses = Gateway {
        udp: listener(Transport::Udp)?,
        tcp: listener(Transport::Tcp)?,
        tls: listener(Transport::Tls)?,
    };
    introduce(paper, &phones, addresses, gateway.admin());
    let stage = Stage { phones, gateway: addresses };
    let mut performance = Performance::new(paper, stage, gateway.admin(), &directory.path().join("records"));
    let played = runtime.block_on(performance.play());
    gateway.stop();
    // Whatever is written late is on disk now.
    let played = played.and_then(|()| runtime.block_on(performance.finish()));
    drop(performance);
    runtime.shutdown_background();
    if !matches!(played, Ok(true)) {
        paper.line(format!("    the records are kept in {}", directory.keep().display()));
    }
    played
}

fn introduce(paper: Paper, phones: &Phones, gateway: Gateway, admin: SocketAddr) {
    paper.line(paper.ink(Ink::Bold, "voice-connector demo"));
    paper.paragraph(
        "Gateway, PBX and carriers in this process, on free ports of loopback; the phones are rsip's.",
    );
    paper.line("");
    let Gateway { udp, tcp, tls } = gateway;
    paper.item("gateway", &format!("udp {udp}, tcp {tcp}, tls {tls}"));
    paper.item("", &format!("metrics at http://{admin}/metrics"));
    for phone in phones.all() {
        let (open, secure) = (phone.address(), phone.secure_address().port());
        paper.item(phone.column().0, &format!("udp and tcp {open}, tls port {secure}"));
    }
}
