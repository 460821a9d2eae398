//! Files that can be used, and with which no peer will be pleased.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Peer, Route, Transport};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, Error, RootCertStore};

use super::{file, provider};

/// So long before the end of a certificate its operator should hear of it.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Certificates of ours that are out of date or soon will be, and hosts that nobody vouches for.
pub(super) fn all(config: &Config) -> Vec<String> {
    let listeners = config.listen.iter().flat_map(|listen| &listen.certificates);
    let shown = listeners.map(|one| (one.certificate.as_path(), Use::Server));
    let clients = peers(config).filter_map(|(peer, _)| peer.client_certificate.as_deref());
    let clients = clients.map(|path| (path, Use::Client));
    let now = UnixTime::now();
    let doubt = |(path, of): (&Path, Use)| {
        let certificate = file::certificates(path).ok()?.into_iter().next()?;
        let doubt = out_of_date(&certificate, now).or_else(|| of.doubt(&certificate, now))?;
        Some(placed(config, path, doubt))
    };
    let mut doubts: Vec<String> = shown.chain(clients).filter_map(doubt).collect();
    doubts.dedup();
    let by_system = |(peer, dials_tls): (&Peer, bool)| peer.ca.is_none() && dials_tls;
    let listens = config.listen.iter().any(|listen| listen.protocol == Transport::Tls);
    if listens && config.tls.ca.is_none() && peers(config).any(by_system) {
        let found = rustls_native_certs::load_native_certs();
        doubts.extend(found.errors.iter().map(|error| format!("a trust anchor of the system: {error}")));
        if RootCertStore::empty().add_parsable_certificates(found.certs).0 == 0 {
            let remedy = "write tls.ca or a peer's ca, or install ca-certificates";
            doubts.push(format!("the system has no trust anchors for peers without a ca; {remedy}"));
        }
    }
    doubts
}

/// Whom we may dial, and whether by TLS.
pub(super) fn peers(config: &Config) -> impl Iterator<Item = (&Peer, bool)> {
    let by_tls = |routes: &[Route]| routes.iter().any(|route| route.protocol == Transport::Tls);
    let connectors =
        config.voice_connector.iter().map(move |one| (&one.peer, by_tls(&one.origination.route)));
    let carriers = config.carrier.iter().map(move |one| match &one.outbound_proxy {
        Some(proxy) => (&one.peer, proxy.protocol == Transport::Tls),
        None => (&one.peer, by_tls(&one.host)),
    });
    connectors.chain(carriers)
}

fn placed(config: &Config, path: &Path, doubt: &str) -> String {
    match config.place_of(path) {
        Some((position, key)) => format!("{position}: {key}: {}: {doubt}", path.display()),
        None => format!("{}: {doubt}", path.display()),
    }
}

/// What is wrong with a certificate's time.
fn out_of_date(certificate: &CertificateDer<'static>, now: UnixTime) -> Option<&'static str> {
    let soon = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + SOON);
    match (time_fault(certificate, now), time_fault(certificate, soon)) {
        (Some(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }), _) => {
            Some("the certificate is not valid yet: peers refuse it")
        }
        (Some(_), _) => Some("the certificate has expired: peers refuse it; renew it"),
        (None, Some(_)) => Some("the certificate expires within 14 days; renew it"),
        (None, None) => None,
    }
}

fn time_fault(certificate: &CertificateDer<'static>, at: UnixTime) -> Option<CertificateError> {
    Use::Server.fault(certificate, at).filter(|fault| {
        matches!(
            fault,
            CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. }
        )
    })
}

/// What we show a certificate for. RFC 5280 §4.2.1.12.
#[derive(Clone, Copy)]
pub(super) enum Use {
    /// To who dials us.
    Server,
    /// To whom we dial.
    Client,
}

impl Use {
    fn doubt(self, certificate: &CertificateDer<'static>, now: UnixTime) -> Option<&'static str> {
        let fault = self.fault(certificate, now)?;
        if !matches!(fault, CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. })
        {
            return None;
        }
        Some(match self {
            Use::Server => {
                "the certificate is not for servers (its extendedKeyUsage lacks serverAuth): peers refuse it; have one \
                 signed that is"
            }
            Use::Client => {
                "the certificate is not for clients (its extendedKeyUsage lacks clientAuth): peers that ask for it may \
                 refuse it; have one signed that is, by an authority that still does so, or have the peer take it by name"
            }
        })
    }

    /// The library looks at time and purpose before it looks for a signer, so that any anchor will do.
    pub(super) fn fault(
        self,
        certificate: &CertificateDer<'static>,
        at: UnixTime,
    ) -> Option<CertificateError> {
        let mut anchors = RootCertStore::empty();
        anchors.add(certificate.clone()).ok()?;
        let anchors = Arc::new(anchors);
        let found = match self {
            Use::Server => {
                let verifier =
                    WebPkiServerVerifier::builder_with_provider(anchors, provider()).build().ok()?;
                let name = ServerName::from(std::net::IpAddr::from([0, 0, 0, 0]));
                verifier.verify_server_cert(certificate, &[], &name, &[], at).map(|_| ())
            }
            Use::Client => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(anchors, provider()).build().ok()?;
                verifier.verify_client_cert(certificate, &[], at).map(|_| ())
            }
        };
        match found {
            Err(Error::InvalidCertificate(fault)) => Some(fault),
            _ => None,
        }
    }
}
