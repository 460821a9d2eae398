//! The signalling core of one shard: sans-IO, in virtual time where a test wants it.

pub mod io;

pub use io::{Input, Machine, Now, Output, QueryId};
