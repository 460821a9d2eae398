//! What the API manages: voice connectors, groups, phone numbers, orders, settings, tags and keys, and the operations on them.
//!
//! Nothing here knows HTTP, reads a clock or draws randomness that it was not handed. Only the store touches a file.
//!
//! - [`Inventory`] has an operation for each of the API's; each is one transaction and in the store when it returns.
//! - Each object has one owner: the operator's files or the store. What files own is told like the rest and refused to be changed
//!   ([`Error::OwnedByFile`]).
//! - What is stored is checked by the files' validator (`config::Fragment`) before it is.
//! - [`Error::exception`] says which exception of the API an error is.
//! - [`Store`] is small enough for another key-value store to serve.

mod codec;
mod error;
mod files;
mod inventory;
mod limits;
mod names;
mod operation;
mod owner;
mod page;
mod pool;
mod render;
mod seal;
mod snapshot;
mod state;
mod time;
mod transaction;

pub mod object;
pub mod store;

pub use error::{Error, ErrorCode, Exception, NumberError, Obstacle};
pub use inventory::{Inventory, Setup};
pub use limits::Limits;
pub use names::UnknownName;
pub use object::{Object, Revision};
pub use operation::*;
pub use owner::Ownership;
pub use page::{Page, Paging};
pub use pool::{Pool, PoolError, PoolNumber};
pub use seal::SEAL_KEY;
pub use snapshot::Taker;
pub use store::{Embedded, Memory, Store, StoreError};
pub use time::Timestamp;
pub use transaction::{Random, When};
