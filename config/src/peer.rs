//! How the systems of one side speak.

mod choice;
mod codecs;
mod headers;
mod rules;
mod srtp;

use std::path::PathBuf;
use std::time::Duration;

use rtp::srtp::Suite;

use crate::read::Item;
use crate::{ContactName, Host, Transport};

pub use choice::{Dtmf, Nat, Prack, Privacy, Refer, Registration};
use codecs::codecs;
use headers::{add_headers, pass_headers, strip_headers};
pub use rules::{HeaderChange, HeaderRule, NumberRole, NumberRule, ResponseRule, RuleDirection};
use rules::{header_rules, number_rules, response_rules};
use srtp::suites;
pub use srtp::{DEFAULT_SRTP_SUITES, Srtp};

/// `[voice_connector.peer]` and `[carrier.peer]`: how the systems of that side speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Default: none; see [`Peer::srtp`].
    pub srtp: Option<Srtp>,
    /// In order of preference, not empty. Default: `AES_256_CM_HMAC_SHA1_80`, `AES_CM_128_HMAC_SHA1_80`,
    /// `AES_CM_128_HMAC_SHA1_32`.
    pub srtp_suites: Vec<Suite>,
    /// Encoding names that this side is offered and may offer; the offerer's order stays. Default: none, every codec
    /// passes.
    pub codecs: Option<Vec<String>>,
    /// Default: `rfc4733`.
    pub dtmf: Dtmf,
    /// Session interval that we ask this side for, and keep up alone where it knows none, RFC 4028. Default: none, we go along
    /// with what it asks.
    pub session_timer: Option<Duration>,
    /// Default: `supported`.
    pub prack: Prack,
    /// Default: `off`.
    pub refer: Refer,
    /// Default: `auto`; `never` for a carrier.
    pub nat: Nat,
    /// Send media where it comes from, whatever the SDP says. Default: false.
    pub symmetric: bool,
    /// Offer this side RTP and RTCP on one port (RFC 5761); where it offers that, it has it in any case. Default: false.
    pub rtcp_mux: bool,
    /// Believe who a carrier says calls, and a network's own headers of either side (RFC 3325); let a customer ask a phone
    /// to answer by itself. Default: `trusted`, which is false by default.
    pub believe_identity: bool,
    /// Tell this side who calls, and hand it a network's own headers (RFC 3325). Default: `trusted`.
    pub give_identity: bool,
    /// Headers that the gateway has no rule for and that pass to this side and from it, in lower case; one passes where
    /// both sides have it. Default: none, which means `x-*` for a customer and nothing for a carrier.
    pub pass_headers: Option<Vec<String>>,
    /// Header names not passed on to this side, nor from it. Default: none.
    pub strip_headers: Vec<String>,
    /// Headers put on each request to this side, in place of any that would cross: name and value, in the file's
    /// order. Default: none.
    pub add_headers: Vec<(String, String)>,
    /// The host of From, and of what asserts the caller, towards this side. Default: none, our address and the gateway's
    /// domain.
    pub from_domain: Option<Host>,
    /// User of From towards this side, whoever calls; none: the caller's.
    pub from_user: Option<String>,
    /// Say `;user=phone` beside numbers towards this side, RFC 3261 §19.1.1. Default: false.
    pub user_phone: bool,
    /// How a caller that is not to be shown is written. Default: `anonymous`.
    pub privacy: Privacy,
    /// Default: none.
    pub number_rules: Vec<NumberRule>,
    /// Default: none.
    pub header_rules: Vec<HeaderRule>,
    /// Default: none.
    pub response_rules: Vec<ResponseRule>,
    /// Trust anchors for this side's certificate, PEM. Default: none, those of `[tls]`.
    pub ca: Option<PathBuf>,
    /// What we show when asked, PEM; goes with `client_key`. Default: none.
    pub client_certificate: Option<PathBuf>,
    /// The private key of `client_certificate`, PEM. Default: none.
    pub client_key: Option<PathBuf>,
    /// Requests of more bytes go by TCP. Default: none (written 0), all stay on UDP.
    pub udp_size_limit: Option<u16>,
    /// What stands in Contact, From and Via towards this side in place of an address of ours. Default: none.
    pub contact: Option<ContactName>,
    /// Take REGISTER from this customer. Default: off.
    pub registration: Registration,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            srtp: None,
            srtp_suites: DEFAULT_SRTP_SUITES.to_vec(),
            codecs: None,
            dtmf: Dtmf::Rfc4733,
            session_timer: None,
            prack: Prack::Supported,
            refer: Refer::Off,
            nat: Nat::Auto,
            symmetric: false,
            rtcp_mux: false,
            believe_identity: false,
            give_identity: false,
            pass_headers: None,
            strip_headers: Vec::new(),
            add_headers: Vec::new(),
            from_domain: None,
            from_user: None,
            user_phone: false,
            privacy: Privacy::Anonymous,
            number_rules: Vec::new(),
            header_rules: Vec::new(),
            response_rules: Vec::new(),
            ca: None,
            client_certificate: None,
            client_key: None,
            udp_size_limit: None,
            contact: None,
            registration: Registration::Off,
        }
    }
}

impl Peer {
    /// Whether media with this side is SRTP: the key `srtp`, else required with an encrypted connector,
    /// optional where signalling goes by TLS, else off.
    pub fn srtp(&self, encryption: bool, protocol: Transport) -> Srtp {
        match (self.srtp, encryption, protocol) {
            (Some(srtp), _, _) => srtp,
            (None, true, _) => Srtp::Required,
            (None, false, Transport::Tls) => Srtp::Optional,
            (None, false, Transport::Udp | Transport::Tcp) => Srtp::Off,
        }
    }
}

impl Peer {
    /// A carrier's, which is asked where its Contact says.
    pub(crate) fn read_carriers(item: Option<Item<'_>>) -> Self {
        Self::read_or(item, Self { nat: Nat::Never, ..Self::default() })
    }

    pub(crate) fn read(item: Option<Item<'_>>) -> Self {
        Self::read_or(item, Self::default())
    }

    fn read_or(item: Option<Item<'_>>, default: Self) -> Self {
        let Some(table) = item.and_then(|item| item.table("peer")) else { return default };
        let get = |key| table.get(key);
        let flag = |key| get(key).and_then(|item| item.boolean()).unwrap_or(false);
        let trusted = flag("trusted");
        let or_trusted = |key| get(key).and_then(|item| item.boolean()).unwrap_or(trusted);
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
            rtcp_mux: flag("rtcp_mux"),
            believe_identity: or_trusted("believe_identity"),
            give_identity: or_trusted("give_identity"),
            pass_headers: get("pass_headers").map(|item| pass_headers(&item)),
            strip_headers: get("strip_headers").map(|item| strip_headers(&item)).unwrap_or_default(),
            add_headers: get("add_headers").map(|item| add_headers(&item)).unwrap_or_default(),
            from_domain: get("from_domain").and_then(|item| item.parse()),
            from_user: get("from_user").and_then(|item| crate::gateway::quotable(&item)),
            user_phone: flag("user_phone"),
            privacy: get("privacy").and_then(|item| item.choice(Privacy::CHOICES)).unwrap_or(default.privacy),
            number_rules: get("number_rules").map(|item| number_rules(&item)).unwrap_or_default(),
            header_rules: get("header_rules").map(|item| header_rules(&item)).unwrap_or_default(),
            response_rules: get("response_rules").map(|item| response_rules(&item)).unwrap_or_default(),
            ca: get("ca").and_then(|item| item.needed_file()),
            client_certificate: get("client_certificate").and_then(|item| item.needed_file()),
            client_key: get("client_key").and_then(|item| item.needed_file()),
            udp_size_limit: get("udp_size_limit").and_then(|item| udp_size_limit(&item)),
            contact: get("contact").and_then(|item| item.parse()),
            registration: get("registration").and_then(|item| Registration::read(&item)).unwrap_or_default(),
        };
        if let (Some(item), Privacy::Header, false) = (get("privacy"), peer.privacy, peer.give_identity) {
            let problem = "`privacy` is \"header\", and this side is not given identities";
            item.error(problem, "write give_identity = true beside it, or privacy = \"anonymous\"");
        }
        if let (Some(item), false) = (get("from_user"), peer.give_identity) {
            let problem = "`from_user` stands in place of the caller, and this side is not given identities";
            item.error(problem, "write give_identity = true beside it");
        }
        for (key, other) in [("client_certificate", "client_key"), ("client_key", "client_certificate")] {
            if let (Some(item), None) = (get(key), get(other)) {
                item.error(format!("`{key}` without `{other}`"), format!("write {other} = \"...\" too"));
            }
        }
        peer
    }
}

/// A list that is not empty and names nothing twice.
pub(crate) fn distinct<T: PartialEq>(
    item: &Item<'_>,
    read: impl Fn(&Item<'_>) -> Option<T>,
) -> Option<Vec<T>> {
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

fn udp_size_limit(item: &Item<'_>) -> Option<u16> {
    let limit: u16 = item.integer(0, 65535)?;
    if (1..512).contains(&limit) {
        item.wrong(format!("`udp_size_limit` is {limit}"), "0, or a number of bytes from 512 to 65535");
    }
    if limit > 0 {
        item.reader().fact(|facts| facts.size_limits.push(item.at()));
    }
    (limit > 0).then_some(limit)
}

/// RFC 3261 §25.1.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte))
}
