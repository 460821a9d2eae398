//! Certificates of peers that dial us and whose authority signs for servers alone.
//!
//! Public authorities give up `clientAuth`, since Chrome's root program wants hierarchies for servers alone (the large
//! ones in 2026, all of them by 2027), while SIP servers show the same certificate whichever side dials. `client_names`
//! takes such a one where it carries a name that the operator wrote down.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// Takes what `clients` takes, and the certificate of a server that carries one of `names`.
#[derive(Debug)]
pub(super) struct ServersByName {
    pub(super) clients: Arc<dyn ClientCertVerifier>,
    pub(super) servers: Arc<WebPkiServerVerifier>,
    pub(super) names: Vec<ServerName<'static>>,
}

impl ClientCertVerifier for ServersByName {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.clients.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let refused = match self.clients.verify_client_cert(leaf, chain, now) {
            Ok(verified) => return Ok(verified),
            Err(refused) => refused,
        };
        let carries = |name| self.servers.verify_server_cert(leaf, chain, name, &[], now).is_ok();
        if self.names.iter().any(carries) { Ok(ClientCertVerified::assertion()) } else { Err(refused) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.clients.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.clients.supported_verify_schemes()
    }
}
