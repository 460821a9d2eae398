//! The operations, a file for each kind of object. Those of the API have its names, in Rust's spelling.

mod access;
mod associations;
mod configurations;
mod connectors;
mod groups;
mod numbers;
mod orders;
mod settings;
mod tags;

pub use access::{AccessKeyChange, NewAccessKey};
pub use associations::NumberOwner;
pub use configurations::NewCredential;
pub use connectors::{NewConnector, REGIONS};
pub use groups::NewGroup;
pub use numbers::{DELETION, NumberChange, NumberFilter};
pub use orders::{NewOrder, Search};
