//! Session descriptions of the two phones.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rtp::srtp::{MasterKey, Protect, Suite};

use crate::Result;

/// Master key and salt of the carrier's phone, which sends nothing secret.
const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

/// Encrypts what the carrier's phone sends.
pub fn protect() -> Result<Protect> {
    let suite = Suite::AesCm128HmacSha1_80;
    Ok(Protect::new(suite, &MasterKey::new(suite, &STANDARD.decode(KEY)?)?)?)
}

/// G.711 at `media`; with `srtp`, keyed by [`KEY`].
pub fn describe(media: SocketAddr, srtp: bool) -> String {
    let (ip, port) = (media.ip(), media.port());
    let (profile, crypto) = if srtp {
        ("RTP/SAVP", format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n"))
    } else {
        ("RTP/AVP", String::new())
    };
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {profile} 8 101\r\n\
         a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\n{crypto}\
         a=sendrecv\r\n"
    )
}

/// Where a description wants its audio.
pub fn media(description: &str) -> Option<SocketAddr> {
    let after = |prefix| description.lines().find_map(|line| line.strip_prefix(prefix));
    let ip: IpAddr = after("c=IN IP4 ")?.trim().parse().ok()?;
    let port = after("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some((ip, port).into())
}

/// Whether a description keys its audio.
pub fn keyed(description: &str) -> bool {
    description.contains("a=crypto:")
}
