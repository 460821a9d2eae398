//! Registration: where the phones of an address of record are. RFC 3261 §10.
//!
//! [`Asked`] is what a REGISTER asks for, and [`Bindings`] is what a registrar keeps of it.

mod asked;
mod bindings;

pub use asked::{Asked, Change, Contact, RegisterFault};
pub use bindings::{Binding, Bindings, Room, UpdateError};
