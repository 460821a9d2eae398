//! What the tests that run the built daemon share: the daemon, its peers, and what they leave behind.
//!
//! Every test has addresses of its own ([`Net`]), so that tests of one binary can run side by side. Whatever a test
//! starts ends with it, even when it panics ([`Process`]).

#![allow(dead_code, unused_imports)] // Each test binary uses a part.

mod asterisk;
mod baresip;
mod certificates;
mod gateway;
mod kamailio;
mod linphone;
mod media;
mod metrics;
mod net;
mod office;
mod peer;
mod process;
mod records;
mod script;
mod secure_trunk;
mod sipp;
mod sockets;
mod sound;
mod talk;
mod tools;
mod traced;

pub use asterisk::{Asterisk, Stack};
pub use baresip::{Baresip, Heard, Phone};
pub use certificates::{Authority, Leaf, Purpose};
pub use gateway::Gateway;
pub use kamailio::Kamailio;
pub use linphone::{Linphone, again_if_linphone_crashes};
pub use media::{Media, Word, both_hear, describe, stream};
pub use metrics::{Metrics, get};
pub use net::Net;
pub use office::{OURS, Office, THEIRS, calls, ended, is_billed, is_completed, is_failed, listens, one_call};
pub use peer::{Peer, Up, shown, status_line};
pub use process::Process;
pub use records::{call_details, lines, no_file_tells};
pub use script::{EMPTY, Script, body, sdp, with_sdp};
pub use secure_trunk::{CUSTOMER, REMOTE, SRTP, SecureTrunk, listening};
pub use sipp::{Sipp, SippRun};
pub use sockets::Socket;
pub use sound::tone;
pub use talk::{Talk, Who};
pub use tools::{PATIENCE, eventually, missing};
pub use traced::Traced;
