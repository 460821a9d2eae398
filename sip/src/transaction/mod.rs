//! Transactions: one request, its retransmissions, and all its responses.
//!
//! [`Transactions`] holds the four machines of RFC 3261 §17 with the corrections of RFC 6026, finds the one that a
//! message belongs to, and keeps their timers. It reads no clock and sends nothing itself:
//!
//! 1. change it: [`handle_message`](Transactions::handle_message), [`handle_timeout`](Transactions::handle_timeout),
//!    [`request`](Transactions::request), [`respond`](Transactions::respond), [`cancel`](Transactions::cancel);
//! 2. drain [`poll_output`](Transactions::poll_output) to `None`;
//! 3. wait for a message, or until [`poll_timeout`](Transactions::poll_timeout).
//!
//! Each machine is a file of its own, beside the figure that it implements, and knows nothing of messages but the
//! [`Class`] of a response.

mod class;
mod client_invite;
mod client_non_invite;
mod clients;
mod deadlines;
mod follow_up;
mod key;
mod server_invite;
mod server_non_invite;
mod servers;
mod table;
#[cfg(test)]
mod tests;
mod timers;
#[cfg(test)]
mod virtual_time;

pub use class::Class;
pub use client_invite::{ClientInvite, ClientInviteOutput};
pub use client_non_invite::{ClientNonInvite, ClientNonInviteOutput};
pub use server_invite::{ServerInvite, ServerInviteOutput};
pub use server_non_invite::{ServerNonInvite, ServerNonInviteOutput};
pub use table::{ClientId, Event, Output, Owner, ServerId, Transactions};
pub use timers::Timers;
