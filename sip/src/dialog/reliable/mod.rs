//! Provisional responses that are acknowledged. RFC 3262.

#[cfg(test)]
mod tests;
mod uac;
mod uas;

pub use uac::{UacReliable, UacReliableVerdict};
pub use uas::{Provisional, UasReliable, UasReliableError, UasReliableOutput};
