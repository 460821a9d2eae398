use std::path::PathBuf;
use std::time::Duration;

use crate::Protocol;

/// `[voice_connector.peer]` and `[carrier.peer]`: how the systems of that side speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Default: none; see [`Peer::srtp`].
    pub srtp: Option<Srtp>,
    /// In order of preference, not empty. Default: `AES_256_CM_HMAC_SHA1_80`, `AES_CM_128_HMAC_SHA1_80`,
    /// `AES_CM_128_HMAC_SHA1_32`.
    pub srtp_suites: Vec<SrtpSuite>,
    /// Encoding names that this side is offered and may offer, in order. Default: none, every codec passes.
    pub codecs: Option<Vec<String>>,
    /// Default: `rfc4733`.
    pub dtmf: Dtmf,
    /// Session interval that we ask for, RFC 4028. Default: none.
    pub session_timer: Option<Duration>,
    /// Default: `supported`.
    pub prack: Prack,
    /// Default: `off`.
    pub refer: Refer,
    /// Default: `auto`.
    pub nat: Nat,
    /// Send media where it comes from, whatever the SDP says. Default: false.
    pub symmetric: bool,
    /// Believe and give P-Asserted-Identity and Privacy (RFC 3325). Default: false.
    pub trusted: bool,
    /// Header names not passed on to and from this side. Default: none.
    pub strip_headers: Vec<String>,
    /// Headers put on each request that starts a call to this side: name and value, by name. Default: none.
    pub add_headers: Vec<(String, String)>,
    /// Trust anchors for this side's certificate, PEM. Default: none, those of `[tls]`.
    pub ca: Option<PathBuf>,
    /// What we show when asked, PEM; goes with `client_key`. Default: none.
    pub client_certificate: Option<PathBuf>,
    /// The private key of `client_certificate`, PEM. Default: none.
    pub client_key: Option<PathBuf>,
    /// Requests of more bytes go by TCP. Default: none (written 0), all stay on UDP.
    pub udp_size_limit: Option<u16>,
    /// Take REGISTER from this customer, RFC 6140. Default: false.
    pub registration: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            srtp: None,
            srtp_suites: SrtpSuite::DEFAULT.to_vec(),
            codecs: None,
            dtmf: Dtmf::Rfc4733,
            session_timer: None,
            prack: Prack::Supported,
            refer: Refer::Off,
            nat: Nat::Auto,
            symmetric: false,
            trusted: false,
            strip_headers: Vec::new(),
            add_headers: Vec::new(),
            ca: None,
            client_certificate: None,
            client_key: None,
            udp_size_limit: None,
            registration: false,
        }
    }
}

impl Peer {
    /// Whether media with this side is SRTP: the key `srtp`, else required with an encrypted connector,
    /// optional where signalling goes by TLS, else off.
    pub fn srtp(&self, encryption: bool, protocol: Protocol) -> Srtp {
        match (self.srtp, encryption, protocol) {
            (Some(srtp), _, _) => srtp,
            (None, true, _) => Srtp::Required,
            (None, false, Protocol::Tls) => Srtp::Optional,
            (None, false, Protocol::Udp | Protocol::Tcp) => Srtp::Off,
        }
    }
}

/// `peer.srtp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Srtp {
    /// RTP only.
    Off,
    /// SRTP where the other side can.
    Optional,
    /// SRTP only.
    Required,
}

/// `peer.srtp_suites`, by the names of the IANA registry "SDP Security Descriptions".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpSuite {
    /// `AES_CM_128_HMAC_SHA1_80`, RFC 4568.
    AesCm128HmacSha1_80,
    /// `AES_CM_128_HMAC_SHA1_32`, RFC 4568.
    AesCm128HmacSha1_32,
    /// `AES_192_CM_HMAC_SHA1_80`, RFC 6188.
    Aes192CmHmacSha1_80,
    /// `AES_192_CM_HMAC_SHA1_32`, RFC 6188.
    Aes192CmHmacSha1_32,
    /// `AES_256_CM_HMAC_SHA1_80`, RFC 6188.
    Aes256CmHmacSha1_80,
    /// `AES_256_CM_HMAC_SHA1_32`, RFC 6188.
    Aes256CmHmacSha1_32,
    /// `AEAD_AES_128_GCM`, RFC 7714.
    AeadAes128Gcm,
    /// `AEAD_AES_256_GCM`, RFC 7714.
    AeadAes256Gcm,
}

impl SrtpSuite {
    /// What we offer and take where the file says nothing.
    pub const DEFAULT: [SrtpSuite; 3] =
        [SrtpSuite::Aes256CmHmacSha1_80, SrtpSuite::AesCm128HmacSha1_80, SrtpSuite::AesCm128HmacSha1_32];

    /// The name in `a=crypto`.
    pub fn name(self) -> &'static str {
        match self {
            SrtpSuite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            SrtpSuite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            SrtpSuite::Aes192CmHmacSha1_80 => "AES_192_CM_HMAC_SHA1_80",
            SrtpSuite::Aes192CmHmacSha1_32 => "AES_192_CM_HMAC_SHA1_32",
            SrtpSuite::Aes256CmHmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            SrtpSuite::Aes256CmHmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            SrtpSuite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            SrtpSuite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }
}

/// `peer.dtmf`: how keys pressed reach this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtmf {
    /// `telephone-event` in RTP.
    Rfc4733,
    /// INFO with `application/dtmf-relay`.
    Info,
    /// Tones in the audio.
    Inband,
}

/// `peer.prack`: reliable provisional responses, RFC 3262.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prack {
    /// Used where the other side can.
    Supported,
    /// Asked for.
    Required,
    /// Never used.
    Off,
}

/// `peer.refer`: what becomes of a transfer, RFC 3515.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refer {
    /// Refused.
    Off,
    /// Carried out here.
    Handle,
    /// Handed to the other side.
    Pass,
}

/// `peer.nat`: whether requests inside a dialog without a route set go by the flow that the peer came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// Where the Contact is unroutable or differs from the source.
    Auto,
    /// Always to the Contact.
    Never,
    /// Always by the flow.
    Always,
}
