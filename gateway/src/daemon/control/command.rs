//! What may be asked for, and what comes back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::api::{Act, Told};
use crate::drains::Part;
use crate::explain::Question;
use crate::question::{CallFilter, CallLine, CallView};
use crate::sound::RecordOrder;
use crate::trace::Frame;
use crate::why::{Explanation, Wanted};

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
    /// Say which calls there are: a [`Response::Call`] each, oldest first.
    Calls(CallFilter),
    /// Say why calls came to nothing: a [`Response::Why`] each, newest first.
    Why {
        /// An id, a number or an address.
        wanted: Wanted,
    },
    /// Say what would become of a call at this moment: [`Response::Explained`].
    Explain(Question),
    /// Say all that is known of one call: a [`Response::View`].
    Call {
        /// The beginning of the call's id, or the SIP Call-ID of a leg.
        id: String,
    },
    /// End a call.
    Hangup {
        /// As in [`Command::Call`].
        id: String,
        /// What who waits for an answer hears, and the `Reason` of BYE and CANCEL: 400 to 699; 480 without.
        status: Option<u16>,
        /// The same in words.
        cause: Option<String>,
    },
    /// Do something with access keys and policies of the API: a [`Response::Access`] for each of which something is told.
    Access(Act),
    /// The recording of a call begins, ends, or is silent for a while.
    Record {
        /// As in [`Command::Call`].
        id: String,
        /// Which of it.
        order: RecordOrder,
    },
    /// Take no new calls but emergencies.
    Drain(Drained),
    /// Take new calls again.
    Undrain(Drained),
    /// Say what is counted: a line of the metrics' text for each series of these families; sums and counts of distributions are
    /// families of their own.
    Metrics {
        /// Their names.
        families: Vec<String>,
    },
    /// Log something else from now on, or say what is logged.
    LogLevel {
        /// Directives that lie over those that hold, or `reset`.
        filter: Option<String>,
    },
    /// Show what crosses in calls from now on: a [`Response::Frame`] each, and a [`Response::Traced`] each second.
    Trace {
        /// A Call-ID, a transaction id or a number.
        wanted: Wanted,
        /// For so long.
        seconds: u32,
        /// With keys, credentials and digits, and the media without its encryption.
        #[serde(default)]
        clear: bool,
    },
}

/// What is to drain: at most one of these; none: the whole gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drained {
    /// Calls of this voice connector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connector: Option<String>,
    /// Calls of this carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<String>,
    /// Calls to this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Drained {
    /// # Errors
    /// There is more than one.
    pub(super) fn part(self) -> Result<Part, String> {
        match (self.connector, self.carrier, self.host) {
            (None, None, None) => Ok(Part::Gateway),
            (Some(id), None, None) => Ok(Part::Connector(id)),
            (None, Some(name), None) => Ok(Part::Carrier(name)),
            (None, None, Some(host)) => Ok(Part::Host(host)),
            _ => Err("write one of connector, carrier and host".to_owned()),
        }
    }
}

/// A line that comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// One of the lines that were asked for.
    Line(String),
    /// One of the calls that were asked for.
    Call(Box<CallLine>),
    /// One of the calls that came to nothing.
    Why(Box<Explanation>),
    /// An access key or a policy.
    Access(Told),
    /// What would become of a call.
    Explained {
        /// Each step and the outcome.
        lines: Vec<String>,
        /// It would be taken at this moment.
        admitted: bool,
    },
    /// The call that was asked for.
    View(Box<CallView>),
    /// What crossed in a call.
    Frame(Box<Frame>),
    /// How it goes.
    Traced {
        /// So many frames were told since the last time.
        frames: u64,
        /// So many more found no room since then.
        left_out: u64,
    },
    /// The last one: it was done.
    Done(bool),
    /// The last one: it was not done, or not wholly, and why.
    Error(String),
}
