//! `voice-connector trace`: what crosses in a call, as a capture file.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::control::Which;
use super::fail;
use super::file::File;
use super::output::tell;
use crate::daemon::{Command, Response};
use crate::trace::Rotation;
use crate::why::Wanted;

/// See the module.
#[derive(Args)]
pub(super) struct Trace {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    which: Which,
    /// The capture file (pcapng); there must be none of that name. Only its owner may read it.
    #[arg(long, value_name = "FILE")]
    pcap: PathBuf,
    #[command(flatten)]
    wanted: Call,
    /// For so many seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// A file has no more megabytes than this; then it becomes FILE.1, and a new one begins.
    #[arg(long, value_name = "MEGABYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    size: u32,
    /// So many files are kept, the newest.
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    files: u32,
    /// Show keys, credentials and the digits that are pressed, and media without its encryption: whoever has the file can listen.
    #[arg(long)]
    clear: bool,
}

/// Which calls.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Call {
    /// A Call-ID of either leg, or a transaction id.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// The caller's or the callee's number: calls that are up, and those that begin.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    number: Option<String>,
}

impl Trace {
    /// Writes what crosses. Exits with 1 where that can't be had, or can't be written.
    pub(super) fn run(self) -> ExitCode {
        let Call { call, number } = self.wanted;
        let wanted = Wanted(call.or(number).unwrap_or_default());
        let mut session = match self.which.open(self.file.path()) {
            Ok(session) => session,
            Err(code) => return code,
        };
        let most = u64::from(self.size) * 1_000_000;
        let mut capture = match Rotation::begin(&self.pcap, most, self.files) {
            Ok(capture) => capture,
            Err(error) => return fail(format_args!("{}: {error}", self.pcap.display())),
        };
        let (mut written, mut missing, mut began) = (0_u64, 0_u64, false);
        let mut trouble: Option<io::Error> = None;
        let command = Command::Trace { wanted, seconds: self.seconds, clear: self.clear };
        let asked = session.ask_until(&command, |response| {
            match response {
                Response::Frame(frame) => match capture.frame(&frame) {
                    Ok(()) => written += 1,
                    Err(error) => trouble = Some(error),
                },
                Response::Traced { .. } if !began => {
                    began = true;
                    tell("looking ...");
                }
                Response::Traced { left_out, .. } => missing += left_out,
                _ => {}
            }
            trouble.is_none()
        });
        if let Some(error) = trouble {
            return fail(format_args!("{}: {error}", self.pcap.display()));
        }
        let lost = if missing > 0 { format!("; {missing} more found no room") } else { String::new() };
        tell(format_args!("{written} frames in {}{lost}", self.pcap.display()));
        asked.map_or_else(|code| code, |()| ExitCode::SUCCESS)
    }
}
