//! Kinesis Video Streams: a stream for each party, taken from a pool, written by `PutMedia`.

mod acknowledgement;
mod control;
mod fragments;
mod pool;
mod put_media;
mod session;
mod sink;
mod stream;
mod verdict;

pub use acknowledgement::{Acknowledgement, Acknowledgements, Fragment, Garbage};
pub use control::{Control, Stream};
pub use fragments::{Fragments, Lengths, Lost, Next};
pub use pool::{Lease, Pool};
pub use session::{Output, Session, Settings};
pub use sink::Kinesis;
pub use verdict::Verdict;
