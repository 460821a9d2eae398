//! WebSockets (RFC 6455): audio as it is spoken, and audio back.

mod backlog;
mod connection;
mod plain;
mod playback;
mod sink;
mod twilio;

use std::time::Duration;

use audio::Party;
use secrecy::SecretString;

pub use backlog::{Backlog, Item};
pub use playback::{Due, Playback};
pub use sink::WebSocket;

use crate::http::Client;

/// Where to connect.
#[derive(Debug, Clone)]
pub struct Target {
    /// `ws://..` or `wss://..`.
    pub url: String,
    /// Header fields of the request, names and values.
    pub headers: Vec<(String, SecretString)>,
    /// Signs the request ([`crate::signature`]).
    pub secret: Option<SecretString>,
    /// With the target's trust anchors.
    pub client: Client,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Messages of Twilio's Media Streams.
    Twilio,
    /// A JSON header, then binary 16-bit samples: both parties interleaved.
    Stereo,
    /// The same, with a WebSocket for each party.
    Mono,
}

/// How a sink works.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// What is written.
    pub format: Format,
    /// To whom audio is played that the server sends; `None`: what it sends is not heard.
    pub plays_to: Option<Party>,
    /// So much audio is kept for a server that is slow or away.
    pub kept: Duration,
}

/// Whose audio a WebSocket has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracks {
    Both,
    One(Party),
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Back {
    Audio(Vec<i16>),
    Mark(String),
    Clear,
}
