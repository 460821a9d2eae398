//! What may be measured.

use clap::Subcommand;

/// A part of the bench.
#[derive(Subcommand)]
pub enum What {
    /// What a packet, a call, a held call cost: the short parts.
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
    /// CPU of a call set up and torn down, over UDP and over TCP; with `--seconds` or `--highest`, what goes wrong.
    Signalling {
        /// Calls of each measurement.
        #[arg(long, default_value_t = 600)]
        calls: usize,
        /// Calls a second.
        #[arg(long, default_value_t = 200)]
        rate: u32,
        /// Calls for so long from one source over UDP, and counts refusals, failures and repeats.
        #[arg(long, conflicts_with = "calls")]
        seconds: Option<f64>,
        /// Looks for the highest rate without a refusal, failure or repeat, each for `--seconds` or ten.
        #[arg(long, conflicts_with_all = ["calls", "rate"])]
        highest: bool,
    },
    /// System calls of a call set up and torn down.
    Steps {
        /// How many calls.
        #[arg(long, default_value_t = 200)]
        calls: usize,
        /// Calls a second.
        #[arg(long, default_value_t = 50)]
        rate: u32,
    },
    /// Calls whose records are on a slow disk.
    Disk {
        /// Calls a second.
        #[arg(long, default_value_t = 300)]
        rate: u32,
        /// How long.
        #[arg(long, default_value_t = 10.0)]
        seconds: f64,
        /// What each flush takes longer, in milliseconds.
        #[arg(long, num_args = 1.., default_values_t = [0, 3, 1000])]
        delays: Vec<u64>,
    },
    /// Memory of a held call.
    Memory {
        /// Calls at one time.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
        /// How long they are held first.
        #[arg(long, default_value_t = 0.5, value_name = "SECONDS")]
        settle: f64,
    },
    /// Relays calls for a while; fails when the gateway lost a packet.
    Hold {
        /// Calls at one time.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
        /// How long.
        #[arg(long, default_value_t = 60.0)]
        seconds: f64,
        /// As many packets as keep a core busy for this part of the time, with each media driver.
        #[arg(long, value_name = "PERCENT")]
        load: Option<f64>,
    },
    /// CPU of a relayed packet among few calls and many, on one core and on two.
    Scaling {
        /// Calls at one time; figures are compared with the second.
        #[arg(long, num_args = 1.., default_values_t = [10, 100, 1000, 4000])]
        calls: Vec<usize>,
        /// Packets a second of all calls together, at most.
        #[arg(long, default_value_t = 10_000)]
        packets: usize,
        /// Seconds of each measurement.
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// More packets than a core relays: what is lost, and what the records say of it.
    Overload {
        /// Calls at one time.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
        /// Milliseconds from one packet of a stream to its next.
        #[arg(long, default_value_t = 8)]
        period: usize,
        /// How long.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
    /// Time until the daemon is ready.
    Start {
        /// Voice connectors.
        #[arg(long, default_value_t = 1000)]
        connectors: usize,
        /// Phone numbers in a CSV file.
        #[arg(long, default_value_t = 100_000)]
        numbers: usize,
    },
    /// The API over many connectors: the start, each operation, and changes while calls are up. Fails where a call is disturbed.
    Managed {
        /// Voice connectors.
        #[arg(long, default_value_t = 10_000)]
        connectors: usize,
        /// Phone numbers.
        #[arg(long, default_value_t = 100_000)]
        numbers: usize,
        /// How often each operation is asked for.
        #[arg(long, default_value_t = 20)]
        cycles: usize,
        /// Clients that change things at one time.
        #[arg(long, default_value_t = 64)]
        writers: usize,
    },
    /// The floor: forwards between port pairs until its standard input ends.
    #[command(hide = true)]
    Forward {
        /// How many pairs.
        #[arg(long)]
        calls: usize,
    },
}
