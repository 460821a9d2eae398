//! Where the audio of calls goes: streams of Kinesis Video Streams, WebSockets, a spool; and the events that tell of it.
//!
//! A sink takes what a call's tap tells ([`audio::Happening`]) and never makes it wait: what a target is too slow for is thrown
//! away, the oldest first, and said to be. It knows nothing of SIP, RTP or the gateway.

#[cfg(feature = "aws")]
pub mod aws;
pub mod backoff;
pub mod call;
pub mod detail;
pub mod event;
pub mod health;
pub mod http;
#[cfg(feature = "aws")]
pub mod kinesis;
pub mod mkv;
pub mod rate;
pub mod sealed;
pub mod signature;
pub mod sink;
pub mod spool;
pub mod websocket;

pub use call::{Call, Direction};
pub use sink::{Input, Missed, Open, Outcome};
