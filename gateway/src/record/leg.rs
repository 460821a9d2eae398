//! What a wide record says of each leg.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::peer::{Secured, Transport};

/// The way to one party, as it was in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegDetail {
    /// Where the party's SIP came from.
    pub address: SocketAddr,
    /// `udp`, `tcp` or `tls`.
    pub transport: SmolStr,
    /// The version of TLS, such as `1.3`; null without TLS.
    pub tls_version: Option<SmolStr>,
    /// The cipher suite of TLS, by its registered name.
    pub tls_cipher_suite: Option<SmolStr>,
    /// The SRTP suite that both use; null for plain RTP, and where nothing was agreed on.
    pub srtp_suite: Option<SmolStr>,
    /// The codec that both agreed on, as `a=rtpmap` writes it (`PCMU/8000`), or `T.38`; null where nothing was.
    pub codec: Option<SmolStr>,
}

impl LegDetail {
    /// Before anything is agreed on of media.
    #[must_use]
    pub fn of(address: SocketAddr, transport: Transport, secured: Option<Secured>) -> Self {
        LegDetail {
            address,
            transport: SmolStr::new_static(transport.parameter()),
            tls_version: secured.map(|secured| SmolStr::new_static(secured.version())),
            tls_cipher_suite: secured.map(|secured| SmolStr::new_static(secured.cipher_suite())),
            srtp_suite: None,
            codec: None,
        }
    }
}
