//! A look at the wire: the SIP messages and the media of a chosen call, as they came and went, for a while.
//!
//! ```text
//! core (SIP, before it is encrypted) ---\
//! media workers (each datagram) ---------> bounded queue -> control socket -> voice-connector trace -> pcapng
//! ```
//!
//! Nobody waits for who looks: what finds no room in the queue is counted and left out.

mod frame;
mod pcapng;
mod rotation;
mod tap;

pub use frame::{Carried, Frame};
pub use pcapng::Pcapng;
pub use rotation::Rotation;
pub use tap::{Looked, Tap, Tracer, masked};
