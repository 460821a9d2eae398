//! What does a relayed packet, a call, a held call cost? The release daemon under a load of ours, on loopback.
//!
//! Every figure is CPU time or memory of the daemon's process, and stands beside a floor that was measured in the same
//! run: a forwarder that does nothing but epoll, receive and send. Wall-clock time is never a figure.
//!
//! Packets and seconds are bounded, nothing leaves loopback, and only what this program started is ended by it.

mod cpu;
mod daemon;
mod floor;
mod media;
mod memory;
mod report;
mod sdp;
mod signalling;
mod sip;
mod wire;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use daemon::Subject;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

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
}

#[derive(Subcommand)]
enum What {
    /// Everything.
    All,
    /// CPU of a relayed packet, RTP and, keyed through SDP, RTP to SRTP.
    Media {
        /// Calls at one time; more than one figure may be given.
        #[arg(long, num_args = 1.., default_values_t = [200, 1000])]
        calls: Vec<usize>,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
        /// The carrier's side speaks SRTP.
        #[arg(long)]
        srtp: bool,
    },
    /// CPU of a call set up and torn down, over UDP and over TCP.
    Signalling {
        /// Calls of each measurement.
        #[arg(long, default_value_t = 600)]
        calls: usize,
        /// Calls a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
    },
    /// Memory of a held call.
    Memory {
        /// Calls at one time.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
    },
    /// Relays calls for a while; fails when the gateway lost a packet.
    Hold {
        /// Calls at one time.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
        /// How long.
        #[arg(long, default_value_t = 60.0)]
        seconds: f64,
    },
    /// The floor: forwards between port pairs until its standard input ends.
    #[command(hide = true)]
    Forward {
        /// How many pairs.
        #[arg(long)]
        calls: usize,
    },
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
    match &arguments.what {
        What::Forward { calls } => floor::forward(*calls),
        What::Media { calls, seconds, srtp } => {
            let subjects = with_drivers()?;
            for calls in calls {
                media::compare(&subjects, *calls, bounded(*seconds), rounds, *srtp)?;
            }
            Ok(())
        }
        What::Signalling { calls, rate } => signalling::compare(&list()?, *calls, *rate, rounds),
        What::Memory { calls } => memory::compare(&with_drivers()?, *calls),
        What::Hold { calls, seconds } => media::hold(&list()?, *calls, bounded(*seconds)),
        What::All => {
            let (window, subjects) = (Duration::from_secs(2), with_drivers()?);
            for srtp in [false, true] {
                for calls in [200, 1000] {
                    media::compare(&subjects, calls, window, rounds, srtp)?;
                }
            }
            signalling::compare(&list()?, 600, 200, rounds)?;
            memory::compare(&subjects, 1000)
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
