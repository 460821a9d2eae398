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
//! ```
//! use std::time::{Duration, Instant};
//! use bytes::Bytes;
//! use sip::{Builder, Message, StatusCode};
//! use sip::transaction::{Event, Output, Timers, Transactions};
//!
//! let invite = Message::parse(Bytes::from_static(
//!     b"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
//!       From: <sip:a@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
//!       Max-Forwards: 70\r\nContact: <sip:a@192.0.2.1>\r\nContent-Length: 0\r\n\r\n",
//! ))?;
//! # #[expect(clippy::disallowed_methods)]
//! let start = Instant::now(); // The only clock, and it is the caller's.
//! let mut transactions = Transactions::new(Timers::default());
//! transactions.handle_message(start, invite, "192.0.2.1:5060", false);
//! let Some(Output::Event(Event::Request { id, message, .. })) = transactions.poll_output() else { panic!() };
//!
//! let busy = Builder::reply(&message, StatusCode::BUSY_HERE, "Busy Here", Some("2")).build();
//! transactions.respond(start, id, busy);
//! assert!(matches!(transactions.poll_output(), Some(Output::Transmit { to: "192.0.2.1:5060", .. })));
//!
//! // No ACK: the refusal is repeated after T1.
//! assert_eq!(transactions.poll_timeout(), Some(start + Duration::from_millis(500)));
//! transactions.handle_timeout(start + Duration::from_millis(500));
//! assert!(matches!(transactions.poll_output(), Some(Output::Transmit { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Each machine is a file of its own, beside the figure that it implements, and knows nothing of messages but the
//! [`Class`] of a response.

mod class;
mod client_invite;
mod client_non_invite;
mod clients;
mod deadlines;
mod follow_up;
mod kept;
mod key;
mod server_invite;
mod server_non_invite;
mod servers;
mod table;
#[cfg(test)]
mod tests;
mod timers;
#[cfg(test)]
pub(crate) mod virtual_time;

pub use class::Class;
pub use client_invite::{ClientInvite, ClientInviteOutput};
pub use client_non_invite::{ClientNonInvite, ClientNonInviteOutput};
pub use key::InviteMark;
pub use server_invite::{ServerInvite, ServerInviteOutput};
pub use server_non_invite::{ServerNonInvite, ServerNonInviteOutput};
pub use table::{ClientId, Event, Output, Owner, ServerId, Transactions};
pub use timers::Timers;
