//! What a listener shows and asks for.

use std::sync::Arc;

use config::Listen;
use rustls::ServerConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;

use super::name::ByServerName;
use super::server_only::ServersByName;
use super::{TlsError, file, server_name};

/// Reads a listener's certificates and keys, `client_ca` and `client_names`.
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
            let clients =
                WebPkiClientVerifier::builder_with_provider(anchors.clone(), provider.clone()).build();
            let servers = WebPkiServerVerifier::builder_with_provider(anchors, provider.clone()).build();
            // Their only complaint is about a file without authorities.
            let (Ok(clients), Ok(servers)) = (clients, servers) else {
                return Err(TlsError::NoAuthority { path: path.clone() });
            };
            let ip = listen.address.ip();
            let names =
                listen.client_names.iter().filter_map(|name| server_name(Some(&name.to_string()), ip));
            let names = names.collect();
            builder.with_client_cert_verifier(Arc::new(ServersByName { clients, servers, names }))
        }
        None => builder.with_no_client_auth(),
    };
    Ok(builder.with_cert_resolver(Arc::new(certificates)))
}
