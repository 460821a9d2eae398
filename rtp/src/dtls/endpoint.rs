//! What all associations of a gateway have in common: the certificate that it shows, and how it shakes hands.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Config, DtlsCertificate};

use super::fingerprint::{Fingerprint, Hash};
use super::provider;

/// The first resend: a flight that is lost costs the caller as much silence, and a peer within a telephone call's reach
/// answers sooner. RFC 6347 §4.2.4.1 has a second, and allows less where it matters.
const FIRST_RESEND: Duration = Duration::from_millis(300);
/// By then a handshake is over.
const TIMEOUT: Duration = Duration::from_secs(20);
/// With the first after 300 ms, they reach beyond the timeout.
const RESENDS: usize = 8;
/// Of UDP, so that flights pass tunnels and IPv6.
const DATAGRAM: usize = 1200;
/// Datagrams that one handshake may make us hold.
const MOST_HELD: usize = 16;

/// The gateway's side of every association: made once.
pub struct Endpoint {
    pub(super) config: Arc<Config>,
    pub(super) certificate: DtlsCertificate,
    fingerprint: Fingerprint,
}

/// The certificate or its key cannot be used, or the cryptography of this host fails its own test.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("DTLS: {0}")]
pub struct EndpointError(String);

impl Endpoint {
    /// - `certificate`: in DER, of a key of P-256; self-signed, for peers look at its fingerprint alone.
    /// - `key`: its key in PKCS #8.
    ///
    /// # Errors
    /// [`EndpointError`]
    pub fn new(certificate: Vec<u8>, key: Vec<u8>) -> Result<Endpoint, EndpointError> {
        let unusable = |error: dimpl::Error| EndpointError(error.to_string());
        let provider = provider::ring();
        provider.key_provider.load_private_key(&key).map_err(|error| EndpointError(error.to_string()))?;
        let config = Config::builder()
            .with_crypto_provider(provider)
            .mtu(DATAGRAM)
            .max_queue_rx(MOST_HELD)
            .max_queue_tx(MOST_HELD)
            .flight_start_rto(FIRST_RESEND)
            .flight_retries(RESENDS)
            .handshake_timeout(TIMEOUT)
            .require_client_certificate(true)
            .build()
            .map_err(unusable)?;
        let fingerprint = Fingerprint::of(Hash::Sha256, &certificate);
        let certificate = DtlsCertificate { certificate, private_key: key };
        Ok(Endpoint { config: Arc::new(config), certificate, fingerprint })
    }

    /// What our SDP says of the certificate.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.fingerprint)
    }
}
