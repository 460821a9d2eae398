//! `voice-connector explain`.

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::control::Which;
use super::output::say;
use crate::daemon::{Command, Response};
use crate::explain::Question;
use crate::peer::Transport;

/// A call that nobody has made.
#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: super::File,
    /// The caller: the user part of From, as +12065550100.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    from: String,
    /// The caller by P-Asserted-Identity; may be given several times.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    asserted: Vec<String>,
    /// The number that sent the call on, by Diversion; may be given several times.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    diversion: Vec<String>,
    /// The callee: the user part of the Request-URI, as +12065550123 or 911.
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    to: String,
    /// The address that the INVITE comes from.
    #[arg(long, value_name = "IP")]
    source: IpAddr,
    /// What carries it.
    #[arg(long, value_enum)]
    transport: Carried,
    /// The voice connector that the Request-URI names; without it, the bare domain is called.
    #[arg(long, value_name = "ID")]
    connector: Option<String>,
    /// Ask the running gateway: with the health of hosts, the registrations, the limits and what stands in the way at this moment.
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    which: Which,
}

#[derive(Clone, Copy, ValueEnum)]
enum Carried {
    Udp,
    Tcp,
    Tls,
}

/// Prints every step and the outcome.
pub(super) fn explain(arguments: &Arguments) -> ExitCode {
    let question = Question {
        from: arguments.from.clone(),
        asserted: arguments.asserted.clone(),
        diversion: arguments.diversion.clone(),
        to: arguments.to.clone(),
        source: arguments.source,
        transport: match arguments.transport {
            Carried::Udp => Transport::Udp,
            Carried::Tcp => Transport::Tcp,
            Carried::Tls => Transport::Tls,
        },
        connector: arguments.connector.clone(),
        draw: 0,
    };
    if arguments.live {
        return explain_live(arguments, question);
    }
    let Some(config) = super::load(arguments.file.path()) else { return ExitCode::from(2) };
    let explanation = crate::explain::explain(&config, Instant::now(), &question);
    say(format_args!("{explanation}\n"));
    super::tell_of_managed(&config);
    ExitCode::from(explanation.exit_code())
}

/// The same of the running gateway.
fn explain_live(arguments: &Arguments, question: Question) -> ExitCode {
    let mut is_admitted = false;
    let asked = arguments.which.open(arguments.file.path()).and_then(|mut session| {
        session.ask(&Command::Explain(question), |response| {
            if let Response::Explained { lines, admitted } = response {
                say(format_args!("{}\n", lines.join("\n")));
                is_admitted = admitted;
            }
        })
    });
    match asked {
        Ok(()) => ExitCode::from(u8::from(!is_admitted)),
        Err(_) => ExitCode::from(2),
    }
}
