//! What the parties of a call say, in time: RTP packets in, decoded audio out.
//!
//! This crate opens no socket, reads no clock and spawns no task: time is handed to it, as the time since the call was answered. It
//! knows nothing of calls or of sinks.
//!
//! ```text
//! rtp::relay::TapReader -> Listener (a Stream for each party) -> Happening
//!                          timeline, decoder, concealment, digits
//! ```
//!
//! Both parties have a frame for each 20 ms of the call, whatever came: what was lost is made up, what was not sent is silence. So
//! the sound of an hour is an hour long, and both parties stay in step.

mod conceal;
mod decoder;
mod digits;
mod happening;
mod listener;
mod resampled;
mod seen;
mod stream;
mod ticks;
mod timeline;

pub use happening::{Happening, Party};
pub use listener::{Listener, Settings};
pub use resampled::Resampled;
