//! What does a relayed packet, a call, a held call cost? The release daemon under a load of ours, on loopback.
//!
//! Every figure is CPU time or memory of the daemon's process, and stands beside a floor that was measured in the same
//! run: a forwarder that does nothing but epoll, receive and send. Wall-clock time is never a figure.
//!
//! Packets and seconds are bounded, nothing leaves loopback, and only what this program started is ended by it.

mod configuration;
mod cpu;
mod daemon;
mod disk;
mod floor;
mod generator;
mod in_kernel;
mod kernel;
mod managed;
mod media;
mod memory;
mod overload;
mod peers;
mod phones;
mod records;
mod relay;
mod repeats;
mod report;
mod scaling;
mod sdp;
mod signalling;
mod sip;
mod start;
mod steps;
mod sustained;
mod tally;
mod what;
mod wire;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use daemon::Subject;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use relay::Load;
use what::What;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Measures the release daemon beside a bare forwarder. Run it by `make bench` or `make load`.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
    /// Another build of the daemon, measured in turn with this one.
    #[arg(long, global = true, value_name = "FILE")]
    against: Option<PathBuf>,
    /// How often each is measured; the figures are medians.
    #[arg(long, global = true, default_value_t = 3)]
    rounds: usize,
    /// Kamailio and rtpengine in turn with it, where they are installed.
    #[arg(long, global = true)]
    peers: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    raise_descriptors()?;
    let rounds = arguments.rounds.clamp(1, 20);
    let list = || Subject::list(arguments.against.as_deref());
    let with_drivers = || Subject::list_with_drivers(arguments.against.as_deref());
    let with_proxy =
        || list().map(|list| list.into_iter().chain(peers::proxy(arguments.peers)).collect::<Vec<_>>());
    let rtpengine = || peers::available(arguments.peers, "rtpengine");
    match &arguments.what {
        What::Forward { calls } => floor::forward(*calls),
        What::Media { calls, seconds, srtp } => {
            let (subjects, peer) = (with_drivers()?, rtpengine());
            for calls in calls {
                let (load, window) = (Load::new(*calls, *srtp), bounded(*seconds));
                media::compare(&subjects, peer, &load, window, rounds)?;
                if !srtp {
                    in_kernel::compare(&load, window, rounds)?;
                }
            }
            Ok(())
        }
        What::Signalling { highest: true, seconds, .. } => {
            sustained::highest(&with_proxy()?, bounded(seconds.unwrap_or(10.0)))
        }
        What::Signalling { rate, seconds: Some(seconds), .. } => {
            sustained::run(&with_proxy()?, *rate, bounded(*seconds))
        }
        What::Signalling { calls, rate, .. } => {
            signalling::compare(&list()?, peers::proxy(arguments.peers).as_ref(), *calls, *rate, rounds)
        }
        What::Steps { calls, rate } => steps::run(&list()?, *calls, *rate),
        What::Disk { rate, seconds, delays } => {
            let subject = Subject::list(None)?.pop().ok_or("nothing to measure")?;
            disk::run(&subject, *rate, bounded(*seconds), delays)
        }
        What::Memory { calls, settle } => memory::compare(&with_drivers()?, *calls, bounded(*settle)),
        What::Hold { calls, seconds, load } => {
            let subjects = if load.is_some() { with_drivers()? } else { Subject::list(None)? };
            media::hold(&subjects, *calls, bounded(*seconds), load.map(|percent| percent / 100.0))
        }
        What::Scaling { calls, packets, seconds } => {
            scaling::run(&with_drivers()?, calls, *packets, bounded(*seconds), rounds)
        }
        What::Overload { calls, period, seconds } => {
            overload::run(&with_drivers()?, *calls, *period, bounded(*seconds))
        }
        What::Start { connectors, numbers } => start::run(&list()?, *connectors, *numbers, rounds),
        What::Managed { connectors, numbers, cycles, writers } => {
            let subject = Subject::list(None)?.pop().ok_or("nothing to measure")?;
            let (connectors, numbers) = (*connectors, *numbers);
            let (cycles, writers) = ((*cycles).clamp(1, 200), (*writers).clamp(1, 100));
            managed::run(&subject, managed::Size { connectors, numbers, cycles, writers })
        }
        What::All => {
            let (window, subjects, peer) = (Duration::from_secs(2), with_drivers()?, rtpengine());
            for srtp in [false, true] {
                for calls in [200, 1000] {
                    media::compare(&subjects, peer, &Load::new(calls, srtp), window, rounds)?;
                }
            }
            in_kernel::compare(&Load::new(200, false), window, rounds)?;
            signalling::compare(&list()?, peers::proxy(arguments.peers).as_ref(), 600, 200, rounds)?;
            memory::compare(&subjects, 1000, Duration::from_millis(500))?;
            let subject = Subject::list(None)?.pop().ok_or("nothing to measure")?;
            managed::run(
                &subject,
                managed::Size { connectors: 10_000, numbers: 100_000, cycles: 20, writers: 64 },
            )
        }
    }
}

/// A run ends, whatever was asked for.
fn bounded(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds.clamp(0.1, 120.0))
}

/// The forwarder holds four descriptors a call, as the daemon does.
fn raise_descriptors() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?)
}
