//! What a listener shows and asks for.

use std::sync::Arc;

use config::Listen;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;

use super::name::ByServerName;
use super::{TlsError, file};

/// Reads a listener's certificates and keys, and `client_ca`.
pub(super) fn read(listen: &Listen, provider: &Arc<CryptoProvider>) -> Result<ServerConfig, TlsError> {
    let certificates = listen.certificates.iter();
    let certificates = certificates.map(|one| file::certified_key(&one.certificate, &one.key, provider));
    let certificates = ByServerName(certificates.collect::<Result<_, _>>()?);
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)?;
    let builder = match &listen.client_ca {
        Some(path) => {
            let anchors = Arc::new(file::anchors(path)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(anchors, provider.clone()).build();
            // Its only complaint is about a file without authorities.
            let verifier = verifier.map_err(|_| TlsError::NoAuthority { path: path.clone() })?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_cert_resolver(Arc::new(certificates)))
}
