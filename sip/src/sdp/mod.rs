//! Session descriptions: what the relay must know of one, and our own copy of it for the other side.
//!
//! RFC 8866 and RFC 4566 (grammar), RFC 3264 (offer and answer), RFC 3551 (static payload types), RFC 3605 (`a=rtcp`),
//! RFC 5761 (`a=rtcp-mux`), RFC 4568 (`a=crypto`), RFC 8842 (DTLS), RFC 8839 (ICE), T.38 Annex D (fax).
//!
//! Not here: which codec or cipher is chosen, when a version number grows. The caller decides; this module only
//! reads and rewrites.
//!
//! ```
//! use sip::sdp::{Anchor, Sdp};
//!
//! let offer = Sdp::parse(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n")?;
//! assert_eq!(offer.relayed_stream().and_then(|stream| stream.rtp()), Some("192.0.2.1:4000".parse()?));
//!
//! let ours = offer.anchored(&Anchor::new(7, 1, "198.51.100.9:20000".parse()?))?;
//! assert!(ours.to_bytes().ends_with(b"c=IN IP4 198.51.100.9\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod anchor;
mod answer;
mod codec;
pub mod crypto;
mod foreign;
mod grammar;
mod listening;
mod path;
mod resumed;
mod sending;
mod stream;
mod tidy;

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use crate::text::phrase;

pub use anchor::{Anchor, AnchorError};
pub use codec::Codec;
pub use crypto::{Crypto, CryptoError};
use grammar::Session;
pub use path::{IceAgent, MediaPath, OwnAgent, OwnPath, Setup, is_dtls};
pub use stream::{Direction, RtcpXr, Stream, StreamKind, is_srtp};

/// A session description that parsed. RFC 8866.
///
/// Two of them are equal when every line that the grammar knows is equal. `Debug` shows the text with the keys of
/// `a=crypto` masked.
#[derive(Clone)]
pub struct Sdp {
    session: Session,
    /// Its streams, once they were asked for.
    streams: OnceLock<Vec<Stream>>,
}

/// A body that is no session description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// The grammar is broken; the text says where, with the line's number.
    #[error("{}", phrase(.0))]
    Grammar(String),
}

impl Sdp {
    fn of(session: Session) -> Self {
        Self { session, streams: OnceLock::new() }
    }

    /// Reads a body of type `application/sdp`.
    ///
    /// Lines may end in CRLF or LF. `o=`, `s=` and `t=` may be missing. What real devices break without harm is
    /// mended: blanks at line ends, runs of blanks, an `o=` out of shape, text that is not UTF-8 (bytes become U+FFFD),
    /// timing lines. Lines of unknown type are dropped, as RFC 8866 §5 asks.
    ///
    /// Fails if there is no `v=0` in front, or an `m=` or `c=` line cannot be understood.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        let session = Session::parse(body).or_else(|error| {
            // The first error names the line as the peer wrote it.
            Session::parse(&tidy::tidy(body)).map_err(|_| SdpError::Grammar(error.to_string()))
        })?;
        Ok(Self::of(session))
    }

    /// The text, lines ending in CRLF, in the order of RFC 8866 §5.
    pub fn to_bytes(&self) -> Bytes {
        let mut text = String::with_capacity(512);
        // Writing to memory cannot fail.
        let _ = self.session.write(&mut text);
        // Of its own size: a call keeps it for as long as it lasts.
        text.into_bytes().into_boxed_slice().into()
    }

    /// The session id of `o=`, as the peer wrote it. RFC 8866 §5.2.
    pub fn session_id(&self) -> &str {
        &self.session.origin.session_id
    }

    /// The version of `o=`: unchanged means that the description is unchanged. RFC 3264 §8.
    pub fn version(&self) -> u64 {
        self.session.origin.version
    }

    /// Every `m=` section, in order.
    pub fn streams(&self) -> &[Stream] {
        let view = |(index, media)| Stream::new(&self.session, index, media);
        self.streams.get_or_init(|| self.session.medias.iter().enumerate().map(view).collect())
    }

    /// The stream that the gateway carries: the first audio or image stream with a port and a place.
    ///
    /// A phone that offers `RTP/SAVP` and `RTP/AVP` side by side has two of them: then choose from [`Sdp::streams`]
    /// and name the choice in [`Anchor::stream`].
    pub fn relayed_stream(&self) -> Option<&Stream> {
        self.streams().iter().find(|stream| stream.is_relayed())
    }

    /// Whether the sender put the relayed stream on hold: `sendonly`, `inactive`, or the old way, a connection
    /// address of zeros. False without a relayed stream.
    ///
    /// `recvonly` is not a hold: it is how the other side agrees to one.
    ///
    /// Source: RFC 3264 §8.4; RFC 2543 Appendix B.5; RFC 3725 §6 (`.invalid` in place of zeros for IPv6).
    pub fn is_hold(&self) -> bool {
        self.relayed_stream().is_some_and(Stream::is_hold)
    }
}

/// Same text.
impl PartialEq for Sdp {
    fn eq(&self, other: &Sdp) -> bool {
        self.session == other.session
    }
}

impl Eq for Sdp {}

impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_bytes();
        write!(f, "Sdp({:?})", String::from_utf8_lossy(&crypto::masked(&text)))
    }
}
