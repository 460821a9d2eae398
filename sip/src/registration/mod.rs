//! Registration: where the phones of an address of record are. RFC 3261 §10.
//!
//! [`Asked`] is what a REGISTER asks for, and [`Bindings`] is what a registrar keeps of it. [`Client`] keeps a registration
//! alive at somebody else's registrar.

mod asked;
mod bindings;
mod client;

pub use asked::{Asked, Change, Contact, RegisterFault};
pub use bindings::{Binding, Bindings, Room, UpdateError};
pub use client::{Client, ClientFailure, ClientOutput, Login};
