//! Why a TLS handshake failed, as a few words for counters; [`reason`](super::reason()) says more of each.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The peer's certificate has expired, or is not valid yet.
    Expired,
    /// Nobody whom we trust has signed the peer's certificate.
    UnknownIssuer,
    /// The peer's certificate is for another name.
    WrongName,
    /// The peer's certificate is not for this use: its extendedKeyUsage lacks serverAuth or clientAuth.
    WrongPurpose,
    /// The peer's certificate is no good otherwise.
    BadCertificate,
    /// The peer showed no certificate, and must.
    NoCertificate,
    /// The peer does not accept our certificate, or wants one that we have not.
    OursRefused,
    /// The peer refused for another cause.
    Refused,
    /// No version, cipher suite, key exchange or kind of signature in common.
    NothingInCommon,
    /// What the peer speaks is no TLS.
    NotTls,
    /// It took too long.
    TimedOut,
    /// The connection ended in its midst.
    Closed,
    /// Something else.
    Other,
}

impl HandshakeFault {
    /// Every cause.
    pub const ALL: [HandshakeFault; 13] = [
        HandshakeFault::Expired,
        HandshakeFault::UnknownIssuer,
        HandshakeFault::WrongName,
        HandshakeFault::WrongPurpose,
        HandshakeFault::BadCertificate,
        HandshakeFault::NoCertificate,
        HandshakeFault::OursRefused,
        HandshakeFault::Refused,
        HandshakeFault::NothingInCommon,
        HandshakeFault::NotTls,
        HandshakeFault::TimedOut,
        HandshakeFault::Closed,
        HandshakeFault::Other,
    ];

    /// What an error of the stream means.
    pub fn of(error: &io::Error) -> HandshakeFault {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(error) => HandshakeFault::of_tls(error),
            None => match error.kind() {
                io::ErrorKind::TimedOut => HandshakeFault::TimedOut,
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => HandshakeFault::Closed,
                _ => HandshakeFault::Other,
            },
        }
    }

    fn of_tls(error: &Error) -> HandshakeFault {
        match error {
            Error::InvalidCertificate(error) => HandshakeFault::of_certificate(error),
            Error::NoCertificatesPresented => HandshakeFault::NoCertificate,
            Error::AlertReceived(
                AlertDescription::UnknownCA
                | AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired,
            ) => HandshakeFault::OursRefused,
            Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
            | Error::PeerIncompatible(_) => HandshakeFault::NothingInCommon,
            Error::AlertReceived(_) => HandshakeFault::Refused,
            Error::InvalidMessage(_) => HandshakeFault::NotTls,
            _ => HandshakeFault::Other,
        }
    }

    fn of_certificate(error: &CertificateError) -> HandshakeFault {
        match error {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => HandshakeFault::Expired,
            CertificateError::UnknownIssuer => HandshakeFault::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                HandshakeFault::WrongName
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                HandshakeFault::WrongPurpose
            }
            _ => HandshakeFault::BadCertificate,
        }
    }

    /// As a metric label.
    pub fn label(self) -> &'static str {
        match self {
            HandshakeFault::Expired => "expired",
            HandshakeFault::UnknownIssuer => "unknown_issuer",
            HandshakeFault::WrongName => "wrong_name",
            HandshakeFault::WrongPurpose => "wrong_purpose",
            HandshakeFault::BadCertificate => "bad_certificate",
            HandshakeFault::NoCertificate => "no_certificate",
            HandshakeFault::OursRefused => "ours_refused",
            HandshakeFault::Refused => "refused",
            HandshakeFault::NothingInCommon => "nothing_in_common",
            HandshakeFault::NotTls => "not_tls",
            HandshakeFault::TimedOut => "timed_out",
            HandshakeFault::Closed => "closed",
            HandshakeFault::Other => "other",
        }
    }
}
