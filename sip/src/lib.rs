//! SIP without I/O: messages, headers, URIs and framing; transactions, dialogs, digest and SDP beside them.
//!
//! Bytes and time go in, bytes and events come out. This crate opens no socket, spawns no task, reads no clock, and
//! draws no randomness that the caller did not hand it. What a peer sent is kept as it came (names, order, values,
//! reason phrases, bytes >= 0x80); what we must understand is judged by [`Message::check`], whose verdict names the
//! header and the fault.
//!
//! ```
//! use bytes::Bytes;
//! use sip::{Builder, Message, Name, StatusCode};
//!
//! let invite = Message::parse(Bytes::from_static(
//!     b"INVITE sip:+15550100@gw.example.com SIP/2.0\r\n\
//!       Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776a;rport\r\n\
//!       From: \"Bell, Alexander\" <sip:bell@example.com>;tag=a1\r\n\
//!       t: <sip:+15550100@gw.example.com>\r\n\
//!       Call-ID: 1@192.0.2.1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
//!       Contact: <sip:bell@192.0.2.1>\r\nContent-Length: 0\r\n\r\n",
//! ))?;
//! invite.check()?;
//! assert_eq!(invite.from()?.display_name.as_deref(), Some("Bell, Alexander"));
//! assert_eq!(invite.value(Name::To).as_deref(), Some("<sip:+15550100@gw.example.com>"));
//!
//! let invite = invite.with_received("198.51.100.7:1024".parse()?);
//! let ringing = Builder::reply(&invite, StatusCode::RINGING, "Ringing", Some("b2")).build();
//! assert_eq!(ringing.via()?.received(), Some("198.51.100.7".parse()?));
//! assert_eq!(ringing.via()?.rport(), Some(Some(1024)));
//! assert_eq!(ringing.to_tag().as_deref(), Some("b2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod frame;
pub mod header;
pub mod message;
pub mod method;
pub mod params;
pub mod status;
pub mod text;
pub mod uri;

pub mod auth;
pub mod body;
pub mod dialog;
pub mod media_type;
pub mod multipart;
pub mod registration;
pub mod sdp;
pub mod siprec;
pub mod transaction;

mod grammar;

pub use body::{BodyError, BodyKind};
pub use frame::{Frame, FrameError, StreamFramer};
pub use header::{
    CSeq, HeaderError, HeaderFault, MinSe, Name, NameAddr, RAck, RSeq, ReferTo, Replaces, SessionExpires, Via,
};
pub use media_type::MediaType;
pub use message::{Builder, Header, Malformed, Message, ParseError};
pub use method::Method;
pub use params::{Param, Params};
pub use smol_str::SmolStr;
pub use status::StatusCode;
pub use text::Text;
pub use uri::{Host, SipUri, TelUri, Uri, UriError};
