//! A shard: one thread that owns its sockets and its machine, and drives the one with the other.
//!
//! Everything on the thread is one of a few tasks (a socket each, the mailbox, the timer) that take turns on a
//! `current_thread` runtime, each giving way after a batch. A task enters the machine, drains its outputs and leaves
//! again without waiting, so the machine needs no lock.
//!
//! A panic on a shard ends the process with a message: its calls are lost with their state, and a gateway that takes
//! part of the calls in silence is worse than one that its supervisor starts again.

mod driver;
mod mailbox;
mod outbox;
mod recent;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use driver::{Effects, ShardSetup, ShardThread, start};
pub use mailbox::{Inbox, Mailboxes, mailboxes};
