//! Session descriptions, line by line.

use rtp::srtp::{MasterKey, Suite};
use sip::sdp::crypto::InlineKey;
use sip::sdp::{Crypto, Sdp};

use super::{MASK, address, holds_a_key};

/// Lines whose whole value is open. The others (`i`, `u`, `e`, `p`, `k`) say nothing of the media, or too much.
const OPEN_LINES: &[u8] = b"vosctrzbm";

/// Attributes whose values hold no secret: those of the IANA registry that audio, fax and their negotiation use.
const OPEN_ATTRIBUTES: &[&str] = &[
    "T38FaxFillBitRemoval",
    "T38FaxMaxBuffer",
    "T38FaxMaxDatagram",
    "T38FaxMaxIFP",
    "T38FaxRateManagement",
    "T38FaxTranscodingJBIG",
    "T38FaxTranscodingMMR",
    "T38FaxUdpEC",
    "T38FaxUdpECDepth",
    "T38FaxVersion",
    "T38MaxBitRate",
    "T38ModemType",
    "T38VendorInfo",
    "acfg",
    "candidate",
    "charset",
    "connection",
    "content",
    "conf",
    "csup",
    "curr",
    "des",
    "direction",
    "extmap",
    "fingerprint",
    "floorctrl",
    "fmtp",
    "framerate",
    "group",
    "ice-mismatch",
    "ice-options",
    "ice-pacing",
    "ice-ufrag",
    "imageattr",
    "label",
    "lang",
    "maxprate",
    "maxptime",
    "mid",
    "msid",
    "msid-semantic",
    "orient",
    "pcfg",
    "ptime",
    "quality",
    "remote-candidates",
    "rtcp",
    "rtcp-fb",
    "rtcp-xr",
    "rtpmap",
    "sdplang",
    "setup",
    "silenceSupp",
    "ssrc",
    "ssrc-group",
    "tcap",
    "tls-id",
    "tool",
    "type",
    "zrtp-hash",
];

/// A description with its keys masked; `None` where it is none.
pub(super) fn masked(body: &[u8]) -> Option<Vec<u8>> {
    Sdp::parse(body).ok()?;
    let mut masked = Vec::with_capacity(body.len());
    for whole in body.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
        let end = whole.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(whole.len());
        let (text, line_end) = whole.split_at_checked(end)?;
        masked.extend_from_slice(&line(text));
        masked.extend_from_slice(line_end);
    }
    Some(masked)
}

fn line(line: &[u8]) -> Vec<u8> {
    let Some((&[kind, b'='], value)) = line.split_first_chunk::<2>() else {
        return if line.is_empty() { Vec::new() } else { MASK.to_vec() };
    };
    let text = std::str::from_utf8(value).ok().filter(|value| !value.chars().any(char::is_control));
    let open = match (kind, text) {
        (b'a', Some(value)) => return [b"a=".as_slice(), attribute(value).as_bytes()].concat(),
        (b's', Some(value)) => !address::may_hide(value) && !holds_a_key(value),
        (kind, Some(value)) => OPEN_LINES.contains(&kind) && !holds_a_key(value),
        (b's', None) => !value.iter().any(u8::is_ascii_control),
        (_, None) => false,
    };
    match (open, kind.is_ascii_lowercase()) {
        (true, _) => line.to_vec(),
        (false, true) => [&[kind, b'='], MASK].concat(),
        (false, false) => MASK.to_vec(),
    }
}

/// What stands after `a=`.
fn attribute(text: &str) -> String {
    let (name, value) = match text.split_once(':') {
        Some((name, value)) => (name, value),
        // A property, as `sendrecv`; a longer word may be anything.
        None if text.len() <= 24 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            return text.to_owned();
        }
        None => return "***".to_owned(),
    };
    if OPEN_ATTRIBUTES.iter().any(|open| open.eq_ignore_ascii_case(name)) && !holds_a_key(value) {
        return text.to_owned();
    }
    let masked = match Crypto::parse(value) {
        Ok(crypto) if name.eq_ignore_ascii_case("crypto") && fits(&crypto) => self::crypto(&crypto),
        _ => "***".to_owned(),
    };
    let known =
        name.len() <= 24 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    format!("{}:{masked}", if known { name } else { "***" })
}

/// Whether the keys have the length that their suite wants: else nobody knows what they are.
fn fits(crypto: &Crypto) -> bool {
    let has_length = |suite| move |key: &InlineKey| MasterKey::new(suite, &key.key_and_salt).is_ok();
    crypto.suite.parse::<Suite>().map_or(true, |suite| crypto.keys.iter().all(has_length(suite)))
}

/// A key's line without its keys: tag, suite, lifetime and MKI help whoever looks for a mistake.
fn crypto(crypto: &Crypto) -> String {
    let lifetime = |lifetime: Option<u64>| match lifetime {
        Some(packets) if packets.is_power_of_two() => format!("|2^{}", packets.trailing_zeros()),
        Some(packets) => format!("|{packets}"),
        None => String::new(),
    };
    let keys = crypto.keys.iter().map(|key| {
        let mki = key.mki.map(|mki| format!("|{}:{}", mki.value, mki.length)).unwrap_or_default();
        format!("inline:***{}{mki}", lifetime(key.lifetime))
    });
    // One of them is a key's: FEC_KEY, RFC 4568 §6.3.6.
    let open = |param: &&String| {
        ["KDR=", "UNENCRYPTED_SRT", "UNAUTHENTICATED_SRTP", "FEC_ORDER=", "WSH="].iter().any(|known| {
            param.len() <= 24
                && param.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known))
        })
    };
    let params = crypto.session_params.iter().map(|param| if open(&param) { param.as_str() } else { "***" });
    // A suite that nobody knows may be anything.
    let suite = crypto.suite.parse::<Suite>().map_or("***", |_| crypto.suite.as_str());
    let mut text = format!("{} {suite} {}", crypto.tag, keys.collect::<Vec<_>>().join(";"));
    for param in params {
        text.push(' ');
        text.push_str(param);
    }
    text
}
