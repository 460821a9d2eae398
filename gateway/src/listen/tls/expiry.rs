//! When the certificates that we show expire.

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::Config;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::doubt::{Use, peers};
use super::file;

/// The year 3000: later than any certificate ends.
const FAR: Duration = Duration::from_secs(32_503_680_000);

/// The end of a chain that we show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Where it was read.
    pub file: PathBuf,
    /// `server`: to who dials us; `client`: to whom we dial.
    pub shown_as: &'static str,
    /// When the first certificate of it expires, since the Unix epoch.
    pub at: Duration,
}

/// All of them, each file once for each use.
pub(super) fn all(config: &Config) -> Vec<Expiry> {
    let listeners = config.listen.iter().flat_map(|listen| &listen.certificates);
    let servers = listeners.map(|one| (one.certificate.as_path(), "server"));
    let clients = peers(config).filter_map(|(peer, _)| peer.client_certificate.as_deref());
    let mut shown: Vec<(&Path, &str)> = servers.chain(clients.map(|path| (path, "client"))).collect();
    shown.sort_unstable();
    shown.dedup();
    let expiry = |(path, shown_as): (&Path, &'static str)| {
        let chain = file::certificates(path).ok()?;
        let at = Duration::from_secs(chain.iter().filter_map(end).min()?);
        Some(Expiry { file: path.to_owned(), shown_as, at })
    };
    shown.into_iter().filter_map(expiry).collect()
}

/// The library tells the end of a certificate that it finds expired.
fn end(certificate: &CertificateDer<'static>) -> Option<u64> {
    match Use::Server.fault(certificate, UnixTime::since_unix_epoch(FAR))? {
        CertificateError::ExpiredContext { not_after, .. } => Some(not_after.as_secs()),
        _ => None,
    }
}
