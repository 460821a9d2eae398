//! Why TLS failed, in words that say what to look at.

use std::io;

use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible};
use sip::text::{phrase, word};

/// So many names of a peer's certificate are said.
const MOST_NAMES: usize = 8;

/// The TLS failure inside an error of a stream; `None` where it is none.
///
/// - `anchors`: whose signature a certificate should have carried.
pub(in crate::listen) fn reason(error: &io::Error, anchors: &str) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            format!("its certificate is not signed by {anchors}")
        }
        error => cause(error),
    })
}

/// What is wrong, of the peer or of a certificate.
pub(super) fn cause(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::NoCertificatesPresented => "it showed no certificate, and must".to_owned(),
        Error::AlertReceived(alert) => refused(*alert),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "what it speaks is no TLS".to_owned(),
        Error::InvalidMessage(_) => "what it sends is no TLS, or damaged".to_owned(),
        Error::PeerIncompatible(error) => incompatible(error),
        error => error.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => "its certificate is not signed by anybody we trust".to_owned(),
        CertificateError::NotValidForName => "its certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<String> = presented.iter().take(MOST_NAMES).map(|name| word(bare(name))).collect();
            let presented = if presented.is_empty() { "no name".to_owned() } else { presented.join(", ") };
            format!("its certificate is for {presented}, not for {}", expected.to_str())
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "its certificate is not for this use (extendedKeyUsage: serverAuth of who is dialled, clientAuth of who dials; \
             client_names takes one of a server that dials)"
                .to_owned()
        }
        CertificateError::BadEncoding => "the certificate is damaged, or too old a kind".to_owned(),
        // Of the library's own errors only this one is met in practice, and only by its name.
        CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's (CA:TRUE), not a server's".to_owned()
        }
        error => phrase(&format!("its certificate is no good: {error:?}")),
    }
}

/// The name in `DnsName("a.example")` or `IpAddress(192.0.2.1)`, as the library writes them.
pub(super) fn bare(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.unwrap_or(name).trim_matches('"')
}

fn refused(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::UnknownCA => "it does not trust who signed our certificate (unknown_ca)",
        AlertDescription::BadCertificate => "it does not like our certificate (bad_certificate)",
        AlertDescription::CertificateExpired => "it finds our certificate expired (certificate_expired)",
        AlertDescription::CertificateUnknown => "it does not accept our certificate (certificate_unknown)",
        AlertDescription::CertificateRequired => "it wants a certificate of ours (certificate_required)",
        AlertDescription::UnrecognisedName => {
            "it has no certificate for the name we asked for (unrecognized_name)"
        }
        AlertDescription::ProtocolVersion => "it speaks neither TLS 1.2 nor 1.3 (protocol_version)",
        AlertDescription::HandshakeFailure => {
            "no cipher suite in common, or it wants a certificate of ours (handshake_failure)"
        }
        alert => return format!("it refused us: {alert:?}"),
    };
    why.to_owned()
}

fn incompatible(error: &PeerIncompatible) -> String {
    match error {
        PeerIncompatible::NoCipherSuitesInCommon => "no cipher suite in common".to_owned(),
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            "no key exchange with forward secrecy in common".to_owned()
        }
        PeerIncompatible::NoSignatureSchemesInCommon => "no kind of signature in common".to_owned(),
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        // What TLS 1.1 and older has not got.
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired
        | PeerIncompatible::Tls12NotOfferedOrEnabled => "it speaks neither TLS 1.2 nor 1.3".to_owned(),
        error => format!("nothing in common: {error:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_phone_and_a_certificate_for_another_use() {
        let old = Error::PeerIncompatible(PeerIncompatible::SignatureAlgorithmsExtensionRequired);
        assert_eq!(cause(&old), "it speaks neither TLS 1.2 nor 1.3");
        let purpose = cause(&Error::InvalidCertificate(CertificateError::InvalidPurpose));
        assert!(purpose.contains("extendedKeyUsage"), "{purpose}");
    }
}
