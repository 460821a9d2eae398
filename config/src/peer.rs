use std::path::PathBuf;
use std::time::Duration;

use crate::Protocol;
use crate::read::{Item, one_of};

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
    /// Headers put on each request that starts a call to this side: name and value, in the file's order.
    /// Default: none.
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

impl Peer {
    pub(crate) fn read(item: Option<Item<'_>>) -> Self {
        let Some(table) = item.and_then(|item| item.table("peer")) else { return Self::default() };
        let get = |key| table.get(key);
        let default = Self::default();
        let flag = |key| get(key).and_then(|item| item.boolean()).unwrap_or(false);
        let peer = Self {
            srtp: get("srtp").and_then(|item| item.choice(Srtp::CHOICES)),
            srtp_suites: get("srtp_suites").and_then(|item| suites(&item)).unwrap_or(default.srtp_suites),
            codecs: get("codecs").and_then(|item| codecs(&item)),
            dtmf: get("dtmf").and_then(|item| item.choice(Dtmf::CHOICES)).unwrap_or(default.dtmf),
            // 90 s is the least that RFC 4028 §4 allows.
            session_timer: get("session_timer").and_then(|item| item.duration("90s", "24h")),
            prack: get("prack").and_then(|item| item.choice(Prack::CHOICES)).unwrap_or(default.prack),
            refer: get("refer").and_then(|item| item.choice(Refer::CHOICES)).unwrap_or(default.refer),
            nat: get("nat").and_then(|item| item.choice(Nat::CHOICES)).unwrap_or(default.nat),
            symmetric: flag("symmetric"),
            trusted: flag("trusted"),
            strip_headers: get("strip_headers").map(|item| strip_headers(&item)).unwrap_or_default(),
            add_headers: get("add_headers").map(|item| add_headers(&item)).unwrap_or_default(),
            ca: get("ca").and_then(|item| item.needed_file()),
            client_certificate: get("client_certificate").and_then(|item| item.needed_file()),
            client_key: get("client_key").and_then(|item| item.needed_file()),
            udp_size_limit: get("udp_size_limit").and_then(|item| udp_size_limit(&item)),
            registration: flag("registration"),
        };
        for (key, other) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
            if let (Some(item), None) = (get(key), get(other)) {
                item.error(format!("`{key}` without `{other}`"), format!("write {other} = \"...\" too"));
            }
        }
        peer
    }
}

impl Srtp {
    const CHOICES: &[(&'static str, Self)] =
        &[("off", Srtp::Off), ("optional", Srtp::Optional), ("required", Srtp::Required)];
}

impl Dtmf {
    const CHOICES: &[(&'static str, Self)] =
        &[("rfc4733", Dtmf::Rfc4733), ("info", Dtmf::Info), ("inband", Dtmf::Inband)];
}

impl Prack {
    const CHOICES: &[(&'static str, Self)] =
        &[("supported", Prack::Supported), ("required", Prack::Required), ("off", Prack::Off)];
}

impl Refer {
    const CHOICES: &[(&'static str, Self)] =
        &[("off", Refer::Off), ("handle", Refer::Handle), ("pass", Refer::Pass)];
}

impl Nat {
    const CHOICES: &[(&'static str, Self)] =
        &[("auto", Nat::Auto), ("never", Nat::Never), ("always", Nat::Always)];
}

impl SrtpSuite {
    const ALL: [SrtpSuite; 8] = [
        SrtpSuite::AesCm128HmacSha1_80,
        SrtpSuite::AesCm128HmacSha1_32,
        SrtpSuite::Aes192CmHmacSha1_80,
        SrtpSuite::Aes192CmHmacSha1_32,
        SrtpSuite::Aes256CmHmacSha1_80,
        SrtpSuite::Aes256CmHmacSha1_32,
        SrtpSuite::AeadAes128Gcm,
        SrtpSuite::AeadAes256Gcm,
    ];

    /// By the name of the registry, or as `AES_CM_192_...` and `AES_CM_256_...`, which are seen in the field.
    pub fn from_name(name: &str) -> Option<Self> {
        let iana = name.replace("AES_CM_192_", "AES_192_CM_").replace("AES_CM_256_", "AES_256_CM_");
        Self::ALL.into_iter().find(|suite| suite.name() == iana)
    }
}

/// A list that is not empty and names nothing twice.
fn distinct<T: PartialEq>(item: &Item<'_>, read: impl Fn(&Item<'_>) -> Option<T>) -> Option<Vec<T>> {
    let items = item.list()?;
    if items.is_empty() {
        item.wrong(format!("`{}` is empty", item.name()), "at least one, or remove the line for the default");
    }
    let mut values = Vec::new();
    for item in &items {
        let Some(value) = read(item) else { continue };
        if values.contains(&value) {
            item.wrong(format!("{} is here a second time", item.string().unwrap_or_default()), "each once");
        } else {
            values.push(value);
        }
    }
    (!values.is_empty()).then_some(values)
}

fn suites(item: &Item<'_>) -> Option<Vec<SrtpSuite>> {
    distinct(item, |item| {
        let name = item.string()?;
        let suite = SrtpSuite::from_name(name);
        if suite.is_none() {
            item.wrong(format!("{name:?} is no suite"), one_of(SrtpSuite::ALL.map(SrtpSuite::name)));
        }
        suite
    })
}

fn codecs(item: &Item<'_>) -> Option<Vec<String>> {
    let names = distinct(item, |item| {
        let name = item.string()?;
        if is_token(name) {
            // Encoding names ignore letter case, RFC 4855 §3.
            return Some(Codec(name.to_owned()));
        }
        item.wrong(
            format!("{name:?} is no encoding name"),
            "one that SDP knows, as in \"PCMU\", \"PCMA\", \"opus\"",
        );
        None
    })?;
    Some(names.into_iter().map(|Codec(name)| name).collect())
}

struct Codec(String);

impl PartialEq for Codec {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

fn udp_size_limit(item: &Item<'_>) -> Option<u16> {
    let limit: u16 = item.integer(0, 65535)?;
    if (1..512).contains(&limit) {
        item.wrong(format!("`udp_size_limit` is {limit}"), "0, or a number of bytes from 512 to 65535");
    }
    (limit > 0).then_some(limit)
}

/// Headers without which there is no call, or that are our own on each leg.
const OWN_HEADERS: [&str; 26] = [
    "Via",
    "v",
    "From",
    "f",
    "To",
    "t",
    "Call-ID",
    "i",
    "CSeq",
    "Max-Forwards",
    "Contact",
    "m",
    "Route",
    "Record-Route",
    "Content-Length",
    "l",
    "Content-Type",
    "c",
    "Allow",
    "Supported",
    "k",
    "Require",
    "Session-Expires",
    "x",
    "Min-SE",
    "Proxy-Authorization",
];

fn header_name<'a>(item: &Item<'_>, name: &'a str) -> Option<&'a str> {
    if !is_token(name) {
        item.wrong(format!("{name:?} is no header name"), "one, as in \"X-Site\", without `:`");
        return None;
    }
    if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        item.error(format!("{name} is the gateway's own on each leg"), format!("remove \"{name}\""));
        return None;
    }
    Some(name)
}

fn strip_headers(item: &Item<'_>) -> Vec<String> {
    let items = item.list().unwrap_or_default();
    items.iter().filter_map(|item| header_name(item, item.string()?).map(str::to_owned)).collect()
}

fn add_headers(item: &Item<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    for (name, item) in item.pairs().unwrap_or_default() {
        if let (Some(name), Some(value)) = (header_name(&item, name), item.string()) {
            if value.chars().any(char::is_control) {
                item.wrong(format!("the value of {name} does not fit on a line"), "it without line breaks");
            }
            headers.push((name.to_owned(), value.to_owned()));
        }
    }
    headers
}

/// RFC 3261 §25.1.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}
